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
            Self::Swapped(field) => write!(f, "swapped {field}"),
        }
    }
}

impl Ask {
    /// Answers for two values.
    pub(super) fn holds(self, a: &str, b: &str) -> bool {
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
            Self::Swapped(_) => unreachable!("asked of records"),
        }
    }
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
