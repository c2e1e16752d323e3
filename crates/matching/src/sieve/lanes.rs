//! The sieve for one row beside eight.

use super::{Mesh, Sieve};
use crate::lanes::{Floats, LANES, Lanes};
use crate::prepared::NOT_A_DAY;
use crate::similarity::{SKETCH_LEN, SketchLanes};

/// A row and eight others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sides<'p> {
    /// The words of the one.
    pub(crate) one: &'p [u32],
    /// Those of the others, and more.
    pub(crate) others: &'p [[u32; LANES]],
    /// Which word is the first of the hints.
    pub(crate) hints: usize,
}

impl<'p> Sides<'p> {
    #[inline]
    pub(crate) fn word(self, word: usize) -> u32 {
        self.one[word]
    }

    #[inline]
    pub(crate) fn words(self, word: usize) -> &'p [u32; LANES] {
        &self.others[word]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn sketches(self, at: usize) -> SketchLanes {
        let first = self.hints + at;
        let one: [u32; SKETCH_LEN] = std::array::from_fn(|index| self.word(first + index));
        SketchLanes::new(one, std::array::from_fn(|index| self.words(first + index)))
    }

    /// Tells for which of the eight a set, at a place among the hints, has a bit in common with
    /// that of the one.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn shares(self, at: usize) -> Lanes {
        let set = self.hints + at;
        let shared = Lanes::all(self.word(set)).and(Lanes::of(self.words(set)));
        Lanes::ones().without(shared.is_zero())
    }
}

/// The sketches that were looked at last, and where they stand: levels of one comparison often
/// look at the same.
struct LastSketches {
    sketches: Option<(usize, SketchLanes)>,
    /// What their values' Jaro-Winkler similarity is at most, once a level asked for it.
    most_alike: Option<Floats>,
}

impl LastSketches {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn of(&mut self, sides: Sides<'_>, at: usize) -> SketchLanes {
        match self.sketches {
            Some((last, sketches)) if last == at => sketches,
            _ => {
                let sketches = sides.sketches(at);
                self.sketches = Some((at, sketches));
                self.most_alike = None;
                sketches
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn most_alike_of(&mut self, sides: Sides<'_>, at: usize) -> Floats {
        let sketches = self.of(sides, at);
        if let Some(most) = self.most_alike {
            return most;
        }
        let most = sketches.most_alike();
        self.most_alike = Some(most);
        most
    }
}

impl Mesh {
    /// Tells whether the clause may hold for the one row and each of the eight.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn lets_through_of(&self, sides: Sides<'_>, last: &mut LastSketches) -> Lanes {
        let (word, words) = (
            |word: usize| sides.word(word),
            |word: usize| Lanes::of(sides.words(word)),
        );
        let hint = |at: usize| sides.hints + at;
        // Equal values are as alike as can be; a missing one is like no other.
        let decided = |slot: usize, may_hold: Lanes| {
            let (x, y) = (Lanes::all(word(slot)), words(slot));
            may_hold
                .or(x.equals(y))
                .without(x.is_zero().or(y.is_zero()))
        };
        match self {
            Self::Any => Lanes::ones(),
            Self::Equal(slot) => decided(*slot, Lanes::zeros()),
            Self::Crossed(at, other) => {
                let (of_one, of_others) = (Lanes::all(word(hint(*at))), words(hint(*at)));
                let (one, others) = (Lanes::all(word(*other)), words(*other));
                let crossed = of_one.equals(others).and(of_others.equals(one));
                crossed.without(of_one.is_zero().or(of_others.is_zero()))
            }
            Self::Shares(at) => sides.shares(*at),
            Self::Reaches(slot, at, reach) => {
                let least = Floats::all(reach.threshold());
                decided(*slot, last.most_alike_of(sides, *at).is_at_least(least))
            }
            Self::Within(slot, at, most) => {
                decided(*slot, last.of(sides, *at).may_be_within(*most))
            }
            Self::Initial(at) => last.of(sides, *at).may_be_initial(),
            Self::Transposed(at) => {
                let exchanged = word(hint(*at) + 1);
                if exchanged.cast_signed() == NOT_A_DAY {
                    return Lanes::zeros();
                }
                Lanes::all(exchanged).equals(words(hint(*at)))
            }
            Self::Days(at, most) => {
                let none = NOT_A_DAY.cast_unsigned();
                let day = word(hint(*at));
                if day == none {
                    return Lanes::zeros();
                }
                // Counted from the first of all days, days compare without a sign.
                let first = Lanes::all(none);
                let (x, y) = (Lanes::all(day).minus(first), words(hint(*at)).minus(first));
                let apart = x.greater(y).minus(x.smaller(y));
                apart
                    .is_at_most(Lanes::all(*most as u32))
                    .without(y.is_zero())
            }
        }
    }
}

impl Sieve {
    /// Returns the most bits that the one row can weigh with each of the eight of which it is asked,
    /// or less where that is not what is needed.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn most_of(&self, sides: Sides<'_>, asked: Lanes, needed: Floats) -> Floats {
        let mut last = LastSketches {
            sketches: None,
            most_alike: None,
        };
        let mut undecided = asked;
        let mut most = Floats::all(self.else_bits as f32);
        for (bits, meshes) in &self.levels {
            let bits = Floats::all(*bits as f32);
            // Later levels weigh less.
            undecided = undecided.and(bits.is_at_least(needed));
            if undecided.bits() == 0 {
                break;
            }
            let mut passed = undecided;
            for mesh in meshes {
                passed = passed.and(mesh.lets_through_of(sides, &mut last));
                if passed.bits() == 0 {
                    break;
                }
            }
            most = most.replaced_where(passed, bits);
            undecided = undecided.without(passed);
        }
        most
    }
}
