//! The level language: `jaro_winkler >= 0.92`, `same phonetic`, `postcode: exact and street: damerau <= 2`.

use std::fmt;

use sameas_record::Form;
use thiserror::Error;

/// One graded question about two values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Test {
    /// The values are equal.
    Exact,
    /// The values share a derived form.
    Same(Form),
    /// The values have a Jaro-Winkler similarity of at least this.
    JaroWinkler(f64),
    /// The values are at most this many insertions, deletions and substitutions apart.
    Levenshtein(u32),
    /// As Levenshtein, with the exchange of neighbouring characters counted once.
    Damerau(u32),
    /// One value is the initial of the other.
    Initial,
    /// Each word of the shorter value is one of the longer, or the initial of one or its name, in order.
    Initials,
    /// The dates are equal once day and month of one are exchanged.
    Transposed,
    /// The dates are at most this many days apart.
    Days(u32),
    /// The dates are at most this many months of 30.44 days apart.
    Months(u32),
    /// The dates are at most this many years of 365.25 days apart.
    Years(u32),
    /// The numbers differ by at most this.
    Difference(f64),
    /// The numbers differ by at most this many hundredths of the larger.
    Percent(f64),
    /// The shared part of all tokens is at least this (Jaccard index).
    Jaccard(f64),
    /// The shared part of the shorter value's tokens is at least this (overlap coefficient).
    Overlap(f64),
    /// The words, each weighed by its rarity, have a cosine of at least this (TF-IDF).
    TfIdf(f64),
    /// As TF-IDF, with words that are nearly equal counted in part (soft TF-IDF).
    SoftTfIdf(f64),
    /// The mean similarity of each word to the closest of the other side is at least this (Monge-Elkan).
    MongeElkan(f64),
    /// The places are at most this many kilometres apart, as the crow flies.
    Kilometres(f64),
    /// Each record's value equals the other record's value of a second field.
    Swapped,
}

/// A test on a field: the comparison's own unless it names one.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// The field, if named.
    pub field: Option<String>,
    /// The second field of `swapped`.
    pub other: Option<String>,
    /// The test.
    pub test: Test,
}

/// Clauses that must all hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The clauses, at least one.
    pub clauses: Vec<Clause>,
    text: String,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is not in the level language.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LanguageError {
    /// The test has no such name.
    #[error("unknown test `{word}`{}; tests are {TEST_NAMES}", did_you_mean(.suggestion.as_deref()))]
    UnknownTest {
        /// What was written.
        word: String,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// The form has no such name.
    #[error("unknown form `{word}`{}; forms are {}", did_you_mean(.suggestion.as_deref()), .names)]
    UnknownForm {
        /// What was written.
        word: String,
        /// What may have been meant.
        suggestion: Option<String>,
        /// All forms.
        names: String,
    },
    /// A number is missing, malformed or out of range.
    #[error("`{clause}`: write {expected}")]
    Number {
        /// What was written.
        clause: String,
        /// What it should look like.
        expected: String,
    },
    /// Nothing was written where a test is expected.
    #[error("a test is missing")]
    Empty,
}

const TEST_NAMES: &str = "exact, same FORM, jaro_winkler >= N, levenshtein <= N, damerau <= N, initial, initials, transposed, days <= N, months <= N, years <= N, difference <= N, percent <= N, jaccard >= N, overlap >= N, tf_idf >= N, soft_tf_idf >= N, monge_elkan >= N, km <= N, swapped FIELD";

const TEST_WORDS: [&str; 20] = [
    "exact",
    "same",
    "jaro_winkler",
    "levenshtein",
    "damerau",
    "initial",
    "initials",
    "transposed",
    "days",
    "months",
    "years",
    "difference",
    "percent",
    "jaccard",
    "overlap",
    "tf_idf",
    "soft_tf_idf",
    "monge_elkan",
    "km",
    "swapped",
];

/// No two places on Earth are further apart.
const KILOMETRES_MAX: f64 = 20_016.0;

pub(crate) fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |word| format!(", did you mean `{word}`?"))
}

impl Test {
    /// Returns whether it looks at words and how rare each is.
    pub(crate) fn weighs_words(self) -> bool {
        matches!(self, Self::TfIdf(_) | Self::SoftTfIdf(_))
    }

    /// Returns whether it measures how alike the words of two values are.
    pub(crate) fn measures_words(self) -> bool {
        self.weighs_words() || matches!(self, Self::MongeElkan(_))
    }
}

impl Condition {
    /// Reads clauses joined by `and`.
    ///
    /// # Errors
    /// Names the word that is wrong and what may have been meant.
    pub fn parse(text: &str) -> Result<Self, LanguageError> {
        let clauses = text
            .split(" and ")
            .map(parse_clause)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            clauses,
            text: text.trim().to_owned(),
        })
    }

    /// Returns whether the condition is nothing but equality of the comparison's own field.
    pub fn is_exact(&self) -> bool {
        matches!(
            &self.clauses[..],
            [Clause {
                field: None,
                test: Test::Exact,
                ..
            }]
        )
    }
}

fn parse_clause(written: &str) -> Result<Clause, LanguageError> {
    let (field, question) = match written.split_once(':') {
        Some((field, question)) => (Some(field.trim().to_owned()), question.trim()),
        None => (None, written.trim()),
    };
    let mut words = question.split_whitespace();
    let Some(word) = words.next() else {
        return Err(LanguageError::Empty);
    };
    let operands: Vec<&str> = words.collect();
    let wrong = |operands: &str, remark: &str| LanguageError::Number {
        clause: question.to_owned(),
        expected: format!("`{word}{operands}`{remark}"),
    };
    let number = |sign: &str, least: f64, most: f64| match operands[..] {
        [s, n] if s == sign => n
            .parse::<f64>()
            .ok()
            .filter(|n| (least..=most).contains(n))
            .ok_or_else(|| {
                let range = format!(" with N from {least} to {most}");
                wrong(&format!(" {sign} N"), &range)
            }),
        _ => Err(wrong(&format!(" {sign} N"), "")),
    };
    let whole = || match number("<=", 0.0, 100_000.0)? {
        n if n.fract() == 0.0 => Ok(n as u32),
        _ => Err(wrong(" <= N", " with a whole number N")),
    };
    let (test, other) = match (word, &operands[..]) {
        ("exact", []) => (Test::Exact, None),
        ("initial", []) => (Test::Initial, None),
        ("initials", []) => (Test::Initials, None),
        ("transposed", []) => (Test::Transposed, None),
        ("same", [form]) => (Test::Same(parse_form(form)?), None),
        ("swapped", [field]) => (Test::Swapped, Some((*field).to_owned())),
        ("exact" | "initial" | "initials" | "transposed", _) => return Err(wrong("", " alone")),
        ("same", _) => return Err(wrong(" FORM", "")),
        ("swapped", _) => return Err(wrong(" FIELD", "")),
        ("jaro_winkler", _) => (Test::JaroWinkler(number(">=", 0.0, 1.0)?), None),
        ("jaccard", _) => (Test::Jaccard(number(">=", 0.0, 1.0)?), None),
        ("overlap", _) => (Test::Overlap(number(">=", 0.0, 1.0)?), None),
        ("tf_idf", _) => (Test::TfIdf(number(">=", 0.0, 1.0)?), None),
        ("soft_tf_idf", _) => (Test::SoftTfIdf(number(">=", 0.0, 1.0)?), None),
        ("monge_elkan", _) => (Test::MongeElkan(number(">=", 0.0, 1.0)?), None),
        ("km", _) => (Test::Kilometres(number("<=", 0.0, KILOMETRES_MAX)?), None),
        ("levenshtein", _) => (Test::Levenshtein(whole()?), None),
        ("damerau", _) => (Test::Damerau(whole()?), None),
        ("days", _) => (Test::Days(whole()?), None),
        ("months", _) => (Test::Months(whole()?), None),
        ("years", _) => (Test::Years(whole()?), None),
        ("difference", _) => (Test::Difference(number("<=", 0.0, 1e15)?), None),
        ("percent", _) => (Test::Percent(number("<=", 0.0, 100.0)?), None),
        _ => {
            let suggestion = crate::closest(word, TEST_WORDS.into_iter()).map(str::to_owned);
            return Err(LanguageError::UnknownTest {
                word: word.to_owned(),
                suggestion,
            });
        }
    };
    Ok(Clause { field, other, test })
}

/// Reads the name of a derived form.
///
/// # Errors
/// Names the forms there are.
pub fn parse_form(word: &str) -> Result<Form, LanguageError> {
    Form::parse(word).ok_or_else(|| {
        let names: Vec<&str> = Form::names().to_vec();
        let suggestion = crate::closest(word, names.iter().copied()).map(str::to_owned);
        LanguageError::UnknownForm {
            word: word.to_owned(),
            suggestion,
            names: names.join(", "),
        }
    })
}

/// Reads `field` or `field.form`.
///
/// # Errors
/// Names the forms there are.
pub fn parse_key_part(text: &str) -> Result<(String, Form), LanguageError> {
    match text.split_once('.') {
        None => Ok((text.trim().to_owned(), Form::Whole)),
        Some((field, form)) => Ok((field.trim().to_owned(), parse_form(form.trim())?)),
    }
}
