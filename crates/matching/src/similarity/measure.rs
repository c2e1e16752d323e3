//! How alike the words of two values are: TF-IDF, soft TF-IDF, Monge-Elkan.
//!
//! Cost: a merge of two lists of numbers; for the latter two a bound by signatures for each pair of
//! words that are not shared, and a Jaro-Winkler kernel for those that the bound lets through.
//! Nothing is allocated. A list is compared from the side that sorts first, so results do not
//! depend on the order of arguments in any bit.

use std::cmp::Ordering;

use super::signature::jaro_winkler_at_most;
use super::{jaro_winkler, jaro_winkler_may_reach};
use crate::words::{WordWeights, Words};
use sameas_record::ValueId;

/// Words of a side that may find a partner nearly equal to them: those first in byte order, so that
/// two long texts keep the same ones.
pub(crate) const ALIGNED_MAX: usize = 64;
/// Lists up to this length need little memory.
const FEW: usize = 8;
/// Words from this Jaro-Winkler similarity on are partners in soft TF-IDF (Cohen, Ravikumar, Fienberg 2003).
pub(crate) const PARTNER_LEAST: f64 = 0.9;
/// Covers what bounds and sums round differently.
const ROUNDING: f64 = 1e-9;

/// What is known of a similarity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Known {
    /// It is this.
    Exactly(f64),
    /// It is at most this.
    AtMost(f64),
}

impl Known {
    /// Tells whether the similarity is at least a threshold, if that is known.
    pub(crate) fn reaches(self, threshold: f64) -> Option<bool> {
        match self {
            Self::Exactly(similarity) => Some(similarity >= threshold),
            Self::AtMost(most) => (most < threshold).then_some(false),
        }
    }
}

/// The words of two values, the list that sorts first before the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WordPair<'w> {
    words: &'w Words,
    values: (ValueId, ValueId),
    a: &'w [u32],
    b: &'w [u32],
}

impl<'w> WordPair<'w> {
    pub(crate) fn new(words: &'w Words, values: (ValueId, ValueId)) -> Self {
        let (a, b) = (words.of_value(values.0), words.of_value(values.1));
        if a <= b {
            return Self {
                words,
                values,
                a,
                b,
            };
        }
        let values = (values.1, values.0);
        Self {
            words,
            values,
            a: b,
            b: a,
        }
    }

    /// Returns the similarity where it needs no measuring: of no words, or of the same.
    fn trivial(&self) -> Option<Known> {
        if self.a.is_empty() {
            return Some(Known::Exactly(0.0));
        }
        (self.a == self.b).then_some(Known::Exactly(1.0))
    }

    /// Returns the cosine of the two vectors of word weights (Salton and Buckley 1988).
    pub(crate) fn tf_idf(&self, weights: &WordWeights) -> Known {
        if let Some(known) = self.trivial() {
            return known;
        }
        let mut common = 0.0;
        merge(self.a, self.b, |word, order| {
            if order == Ordering::Equal {
                common += square(weights.of_word[word as usize]);
            }
        });
        Known::Exactly((common * self.scale(weights)).min(1.0))
    }

    /// Returns the cosine in which words that are partners count by their similarity (soft TF-IDF of
    /// Cohen, Ravikumar and Fienberg 2003), or a bound below the threshold.
    ///
    /// Partners are shared words, and among the others those that are closest to each other,
    /// mutually. So a word has one partner at most, which makes the measure symmetric and keeps it
    /// from exceeding 1; the authors sum over the words of one side, whatever the other's partner is.
    pub(crate) fn soft_tf_idf(&self, weights: &WordWeights, threshold: f64) -> Known {
        if let Some(known) = self.trivial() {
            return known;
        }
        if self.a.len().max(self.b.len()) <= FEW {
            self.soft::<FEW>(weights, threshold)
        } else {
            self.soft::<ALIGNED_MAX>(weights, threshold)
        }
    }

    fn soft<const MANY: usize>(&self, weights: &WordWeights, threshold: f64) -> Known {
        let weight = |word: u32| weights.of_word[word as usize];
        let (mut of_a, mut of_b) = (Alone::<MANY>::new(), Alone::<MANY>::new());
        let (mut common, mut rest_a, mut rest_b) = (0.0, 0.0, 0.0);
        merge(self.a, self.b, |word, order| {
            let squared = square(weight(word));
            match order {
                Ordering::Equal => common += squared,
                Ordering::Less => {
                    rest_a += squared;
                    of_a.push(word);
                }
                Ordering::Greater => {
                    rest_b += squared;
                    of_b.push(word);
                }
            }
        });
        let scale = self.scale(weights);
        // What partners add is a product of vectors, so at most that of their lengths.
        let most = (common + (rest_a * rest_b).sqrt()) * scale + ROUNDING;
        if most < threshold {
            return Known::AtMost(most);
        }
        let (of_a, of_b) = (of_a.words(), of_b.words());
        let (mut best_of_a, mut best_of_b) = ([NOBODY; MANY], [NOBODY; MANY]);
        for (i, &a) in of_a.iter().enumerate() {
            for (j, &b) in of_b.iter().enumerate() {
                let bounds = (self.words.signature(a), self.words.signature(b));
                if !jaro_winkler_may_reach(bounds.0, bounds.1, PARTNER_LEAST) {
                    continue;
                }
                let likeness = jaro_winkler(self.words.text(a), self.words.text(b));
                if likeness >= PARTNER_LEAST {
                    best_of_a[i].prefer(likeness, j);
                    best_of_b[j].prefer(likeness, i);
                }
            }
        }
        for (i, (&a, best)) in of_a.iter().zip(&best_of_a).enumerate() {
            if best.likeness > 0.0 && best_of_b[best.index].index == i {
                common += weight(a) * weight(of_b[best.index]) * best.likeness;
            }
        }
        Known::Exactly((common * scale).min(1.0))
    }

    /// Returns the mean Jaro-Winkler similarity of each word to the closest one of the other side
    /// (Monge and Elkan 1996), or a bound below the threshold.
    ///
    /// The authors take the words of one side; this is the mean of both sides, and so symmetric.
    pub(crate) fn monge_elkan(&self, threshold: f64) -> Known {
        if let Some(known) = self.trivial() {
            return known;
        }
        if self.a.len().max(self.b.len()) <= FEW {
            self.closest::<FEW>(threshold)
        } else {
            self.closest::<ALIGNED_MAX>(threshold)
        }
    }

    fn closest<const MANY: usize>(&self, threshold: f64) -> Known {
        let a = &self.a[..self.a.len().min(MANY)];
        let b = &self.b[..self.b.len().min(MANY)];
        let mean_of = |best_of_a: &[f64; MANY], best_of_b: &[f64; MANY]| {
            let mean =
                |best: &[f64; MANY], len: usize| best[..len].iter().sum::<f64>() / len as f64;
            f64::midpoint(mean(best_of_a, a.len()), mean(best_of_b, b.len()))
        };
        let (mut best_of_a, mut best_of_b) = ([0.0_f64; MANY], [0.0_f64; MANY]);
        let (mut most_of_a, mut most_of_b) = ([0.0_f64; MANY], [0.0_f64; MANY]);
        let (mut i, mut j) = (0, 0);
        merge(a, b, |_, order| {
            if order == Ordering::Equal {
                (best_of_a[i], best_of_b[j]) = (1.0, 1.0);
            }
            i += usize::from(order != Ordering::Greater);
            j += usize::from(order != Ordering::Less);
        });
        let bound =
            |a: u32, b: u32| jaro_winkler_at_most(self.words.signature(a), self.words.signature(b));
        for (i, &a) in a.iter().enumerate() {
            for (j, &b) in b.iter().enumerate() {
                if best_of_a[i] < 1.0 || best_of_b[j] < 1.0 {
                    let most = bound(a, b).min(1.0);
                    most_of_a[i] = most_of_a[i].max(most);
                    most_of_b[j] = most_of_b[j].max(most);
                }
            }
        }
        for (most, best) in most_of_a.iter_mut().zip(&best_of_a) {
            *most = most.max(*best);
        }
        for (most, best) in most_of_b.iter_mut().zip(&best_of_b) {
            *most = most.max(*best);
        }
        let most = mean_of(&most_of_a, &most_of_b) + ROUNDING;
        if most < threshold {
            return Known::AtMost(most);
        }
        for (i, &a) in a.iter().enumerate() {
            for (j, &b) in b.iter().enumerate() {
                let least = best_of_a[i].min(best_of_b[j]);
                if least < 1.0 && bound(a, b) > least {
                    let likeness = jaro_winkler(self.words.text(a), self.words.text(b));
                    best_of_a[i] = best_of_a[i].max(likeness);
                    best_of_b[j] = best_of_b[j].max(likeness);
                }
            }
        }
        Known::Exactly(mean_of(&best_of_a, &best_of_b))
    }

    /// Returns one over the product of the lengths of the two vectors.
    fn scale(&self, weights: &WordWeights) -> f64 {
        weights.scales[self.values.0.index()] * weights.scales[self.values.1.index()]
    }
}

/// Words that the other side lacks, the first in byte order.
struct Alone<const MANY: usize> {
    words: [u32; MANY],
    len: usize,
}

impl<const MANY: usize> Alone<MANY> {
    fn new() -> Self {
        Self {
            words: [0; MANY],
            len: 0,
        }
    }

    fn push(&mut self, word: u32) {
        if let Some(place) = self.words.get_mut(self.len) {
            *place = word;
            self.len += 1;
        }
    }

    fn words(&self) -> &[u32] {
        &self.words[..self.len]
    }
}

/// The closest word of the other side.
#[derive(Clone, Copy)]
struct Closest {
    likeness: f64,
    index: usize,
}

/// No word is close.
const NOBODY: Closest = Closest {
    likeness: 0.0,
    index: 0,
};

impl Closest {
    /// Takes a word if it is closer; of two as close the first in byte order stays.
    fn prefer(&mut self, likeness: f64, index: usize) {
        if likeness > self.likeness {
            *self = Self { likeness, index };
        }
    }
}

fn square(number: f64) -> f64 {
    number * number
}

/// Hands over the words of two sorted lists in order: `Less` if only the first has it, `Greater` if
/// only the second.
fn merge(a: &[u32], b: &[u32], mut see: impl FnMut(u32, Ordering)) {
    let (mut of_a, mut of_b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let (word, order) = match (of_a.peek(), of_b.peek()) {
            (Some(&one), Some(&other)) => (*one.min(other), one.cmp(other)),
            (Some(&one), None) => (*one, Ordering::Less),
            (None, Some(&other)) => (*other, Ordering::Greater),
            (None, None) => return,
        };
        see(word, order);
        if order != Ordering::Greater {
            of_a.next();
        }
        if order != Ordering::Less {
            of_b.next();
        }
    }
}
