//! What a level asks about two texts, answered the slow way.

use std::collections::BTreeSet;
use std::fmt;

/// One question about two values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ask {
    Exact,
    Same(&'static str),
    JaroWinkler(f64),
    Levenshtein(usize),
    Damerau(usize),
    Initial,
    Transposed,
    Days(i64),
    Years(i64),
    Difference(f64),
    Percent(f64),
    Jaccard(f64),
    Overlap(f64),
    Initials,
    TfIdf(f64),
    SoftTfIdf(f64),
    MongeElkan(f64),
    Kilometres(f64),
    /// Crosswise with another field; it speaks of records, not of values.
    Swapped(&'static str),
}

/// As settings write it.
impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => write!(f, "exact"),
            Self::Same(form) => write!(f, "same {form}"),
            Self::JaroWinkler(least) => write!(f, "jaro_winkler >= {least}"),
            Self::Levenshtein(most) => write!(f, "levenshtein <= {most}"),
            Self::Damerau(most) => write!(f, "damerau <= {most}"),
            Self::Initial => write!(f, "initial"),
            Self::Transposed => write!(f, "transposed"),
            Self::Days(most) => write!(f, "days <= {most}"),
            Self::Years(most) => write!(f, "years <= {most}"),
            Self::Difference(most) => write!(f, "difference <= {most}"),
            Self::Percent(most) => write!(f, "percent <= {most}"),
            Self::Jaccard(least) => write!(f, "jaccard >= {least}"),
            Self::Overlap(least) => write!(f, "overlap >= {least}"),
            Self::Initials => write!(f, "initials"),
            Self::TfIdf(least) => write!(f, "tf_idf >= {least}"),
            Self::SoftTfIdf(least) => write!(f, "soft_tf_idf >= {least}"),
            Self::MongeElkan(least) => write!(f, "monge_elkan >= {least}"),
            Self::Kilometres(most) => write!(f, "km <= {most}"),
            Self::Swapped(field) => write!(f, "swapped {field}"),
        }
    }
}

impl Ask {
    /// Answers for two values.
    pub(super) fn holds(self, a: &str, b: &str, word_share: WordShare<'_>) -> bool {
        match self {
            Self::Exact => a == b,
            Self::Same(form) => !forms(form, a).is_disjoint(&forms(form, b)),
            Self::JaroWinkler(least) => strsim::jaro_winkler(a, b) >= least,
            Self::Levenshtein(most) => strsim::levenshtein(a, b) <= most,
            Self::Damerau(most) => strsim::osa_distance(a, b) <= most,
            Self::Initial => {
                let short = |text: &str| text.chars().count() == 1;
                (short(a) || short(b)) && a.chars().next() == b.chars().next()
            }
            Self::Transposed => {
                let (a, b) = (date(a), date(b));
                a[0] == b[0] && a[1] == b[2] && a[2] == b[1]
            }
            Self::Days(most) => (day(a) - day(b)).abs() <= most,
            Self::Years(most) => (day(a) - day(b)).abs() as f64 <= most as f64 * 365.25,
            Self::Difference(most) => (number(a) - number(b)).abs() <= most,
            Self::Percent(most) => {
                let (a, b) = (number(a), number(b));
                (a - b).abs() * 100.0 <= most * a.abs().max(b.abs())
            }
            Self::Jaccard(least) => {
                let (a, b) = (forms("tokens", a), forms("tokens", b));
                share(a.intersection(&b).count(), a.union(&b).count()) >= least
            }
            Self::Overlap(least) => {
                let (a, b) = (forms("tokens", a), forms("tokens", b));
                share(a.intersection(&b).count(), a.len().min(b.len())) >= least
            }
            Self::Initials => stands_for(&words(a), &words(b)) || stands_for(&words(b), &words(a)),
            Self::TfIdf(least) => {
                let shared = words(a).into_iter().filter(|word| words(b).contains(word));
                cosine(shared.map(|word| (word, word, 1.0)), (a, b), word_share) >= least
            }
            Self::SoftTfIdf(least) => {
                cosine(partners(a, b).into_iter(), (a, b), word_share) >= least
            }
            Self::MongeElkan(least) => (mean_closest(a, b) + mean_closest(b, a)) / 2.0 >= least,
            Self::Kilometres(most) => kilometres(a, b) <= most,
            Self::Swapped(_) => unreachable!("asked of records"),
        }
    }
}

/// Returns the share of records that have a word.
pub(super) type WordShare<'s> = &'s dyn Fn(&str) -> f64;

/// Lists the words of a title; none of them is a stop word, and no title repeats one.
fn words(title: &str) -> Vec<&str> {
    title.split(' ').collect()
}

fn cosine<'w>(
    pairs: impl Iterator<Item = (&'w str, &'w str, f64)>,
    (a, b): (&str, &str),
    share: WordShare<'_>,
) -> f64 {
    let weight = |word: &str| (1.0 + 1.0 / share(word)).ln();
    let length = |title: &str| {
        let squares = words(title).into_iter().map(|word| weight(word).powi(2));
        squares.sum::<f64>().sqrt()
    };
    let common = pairs.map(|(one, other, alike)| weight(one) * weight(other) * alike);
    // A title is as like itself as can be, whatever sums lose.
    common.sum::<f64>() / (length(a) * length(b)) + 1e-12
}

/// Lists shared words and, of the others, those that are closest to each other.
fn partners<'w>(a: &'w str, b: &'w str) -> Vec<(&'w str, &'w str, f64)> {
    let only = |one: &'w str, other: &str| -> Vec<&'w str> {
        let other = words(other);
        words(one)
            .into_iter()
            .filter(|word| !other.contains(word))
            .collect()
    };
    let (of_a, of_b) = (only(a, b), only(b, a));
    let closest = |word: &str, among: &[&'w str]| {
        let alike = |other: &&&str| strsim::jaro_winkler(word, other);
        among
            .iter()
            .copied()
            .max_by(|x, y| alike(&x).total_cmp(&alike(&y)).then(y.cmp(x)))
    };
    let shared = words(a).into_iter().filter(|word| !of_a.contains(word));
    let mut pairs: Vec<_> = shared.map(|word| (word, word, 1.0)).collect();
    for &word in &of_a {
        let Some(other) = closest(word, &of_b) else {
            continue;
        };
        let alike = strsim::jaro_winkler(word, other);
        if alike >= 0.9 && closest(other, &of_a) == Some(word) {
            pairs.push((word, other, alike));
        }
    }
    pairs
}

fn mean_closest(a: &str, b: &str) -> f64 {
    let closest = |word: &str| {
        let alike = words(b)
            .into_iter()
            .map(|other| strsim::jaro_winkler(word, other));
        alike.fold(0.0, f64::max)
    };
    words(a).into_iter().map(closest).sum::<f64>() / words(a).len() as f64
}

/// Tells whether the words of one title stand for words of another, in order.
fn stands_for(shorter: &[&str], longer: &[&str]) -> bool {
    let Some((word, rest)) = shorter.split_first() else {
        return true;
    };
    (0..longer.len()).any(|at| {
        let other = longer[at];
        let initial = word.len().min(other.len()) == 1 && word[..1] == other[..1];
        (*word == other || initial) && stands_for(rest, &longer[at + 1..])
    })
}

/// Returns the great circle between two places on a sphere, by the law of haversines.
fn kilometres(a: &str, b: &str) -> f64 {
    let angles = |place: &str| -> [f64; 2] {
        let (latitude, longitude) = place.split_once(',').unwrap();
        [
            number(latitude).to_radians(),
            number(longitude).to_radians(),
        ]
    };
    let ([a_latitude, a_longitude], [b_latitude, b_longitude]) = (angles(a), angles(b));
    let half = |angle: f64| (angle / 2.0).sin().powi(2);
    let meridians = a_latitude.cos() * b_latitude.cos() * half(b_longitude - a_longitude);
    2.0 * 6_371.008_8 * (half(b_latitude - a_latitude) + meridians).sqrt().asin()
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

fn date(text: &str) -> Vec<i64> {
    text.split('-').map(|part| part.parse().unwrap()).collect()
}

/// Counts the days since the year 1900, one by one.
fn day(text: &str) -> i64 {
    let wanted = date(text);
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut days = 0;
    let (mut year, mut month) = (1900, 1);
    while (year, month) < (wanted[0], wanted[1]) {
        days += match month {
            2 if leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        month += 1;
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
    days + wanted[2]
}

/// Returns the values derived from a value.
pub(super) fn forms(form: &str, value: &str) -> BTreeSet<String> {
    let letters: Vec<char> = value.chars().collect();
    let part = |separator: char, index: usize| value.split(separator).nth(index);
    let one: Option<String> = match form {
        "whole" => Some(value.to_owned()),
        "initial" => Some(letters[..1].iter().collect()),
        "prefix3" => Some(letters[..letters.len().min(3)].iter().collect()),
        "last4" => Some(letters[letters.len().saturating_sub(4)..].iter().collect()),
        "year" => part('-', 0).map(str::to_owned),
        "month" => part('-', 1).map(str::to_owned),
        "user" => part('@', 0).map(str::to_owned),
        "domain" => part('@', 1).map(str::to_owned),
        "first_token" => part(' ', 0).map(str::to_owned),
        "sorted" => {
            let mut words: Vec<&str> = value.split(' ').collect();
            words.sort_unstable();
            Some(words.join(" "))
        }
        "tokens" => {
            let words = value.split(|c: char| !c.is_alphanumeric());
            return words
                .filter(|word| word.len() > 1)
                .map(str::to_owned)
                .collect();
        }
        other => unreachable!("no oracle for the form {other}"),
    };
    one.into_iter().collect()
}
