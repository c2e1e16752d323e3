//! Forms derived from a normalised value: phonetic code, parts, prefixes, tokens.

mod minhash;
mod nickname;
mod phonetic;
mod tokens;

use std::fmt;

pub use nickname::is_known_given_name;
pub use tokens::words;

use crate::FieldKind;

/// The longest prefix or suffix that can be asked for.
const AFFIX_LEN_MAX: u8 = 32;

/// The similarities in percent that `MinHash` bands can be asked to find.
const MINHASH_PERCENT: std::ops::RangeInclusive<u8> = 20..=95;

/// A way to derive shorter, coarser or partial values from a normalised value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// The value itself.
    Whole,
    /// How the value sounds: its primary Double Metaphone code.
    Phonetic,
    /// The first character.
    Initial,
    /// The first so many characters.
    Prefix(u8),
    /// The last so many characters; of a telephone number, digits.
    Suffix(u8),
    /// The year of a date.
    Year,
    /// The month of a date.
    Month,
    /// The day of a date.
    Day,
    /// What stands before the @ of an e-mail address.
    User,
    /// What stands after the @ of an e-mail address.
    Domain,
    /// The digits alone.
    Digits,
    /// The tokens in byte order.
    Sorted,
    /// All names that a given name may stand for, itself included.
    Nickname,
    /// Each token of two or more characters that is not a stop word.
    Tokens,
    /// The first token.
    FirstToken,
    /// The last token.
    LastToken,
    /// The house number of a street address.
    HouseNumber,
    /// `MinHash` bands of runs of three characters; values that share so many percent of them
    /// share a band, nine times in ten.
    Minhash(u8),
    /// `MinHash` bands of tokens, likewise.
    WordMinhash(u8),
}

/// Names of forms without a number, as settings write them.
const PLAIN: &[(&str, Form)] = &[
    ("day", Form::Day),
    ("digits", Form::Digits),
    ("domain", Form::Domain),
    ("first_token", Form::FirstToken),
    ("house_number", Form::HouseNumber),
    ("initial", Form::Initial),
    ("last_token", Form::LastToken),
    ("month", Form::Month),
    ("nickname", Form::Nickname),
    ("phonetic", Form::Phonetic),
    ("sorted", Form::Sorted),
    ("tokens", Form::Tokens),
    ("user", Form::User),
    ("whole", Form::Whole),
    ("year", Form::Year),
];

impl Form {
    /// Reads the name of a form as settings write it: `phonetic`, `prefix3`, `last7`, `minhash70`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((_, form)) = PLAIN.iter().find(|(name, _)| *name == text) {
            return Some(*form);
        }
        let (name, number) = text.split_at(text.find(|c: char| c.is_ascii_digit())?);
        let number: u8 = number.parse().ok()?;
        let (form, numbers) = match name {
            "prefix" | "first" => (Self::Prefix(number), 1..=AFFIX_LEN_MAX),
            "suffix" | "last" => (Self::Suffix(number), 1..=AFFIX_LEN_MAX),
            "minhash" => (Self::Minhash(number), MINHASH_PERCENT),
            "word_minhash" => (Self::WordMinhash(number), MINHASH_PERCENT),
            _ => return None,
        };
        numbers.contains(&number).then_some(form)
    }

    /// Lists the names of forms for messages, in byte order.
    pub fn names() -> &'static [&'static str] {
        &[
            "day",
            "digits",
            "domain",
            "first_token",
            "house_number",
            "initial",
            "last4",
            "last_token",
            "minhash70",
            "month",
            "nickname",
            "phonetic",
            "prefix3",
            "sorted",
            "tokens",
            "user",
            "whole",
            "word_minhash70",
            "year",
        ]
    }

    /// Tells whether one value may have several derived values under this form.
    pub fn is_multi(self) -> bool {
        matches!(
            self,
            Self::Nickname | Self::Tokens | Self::Minhash(_) | Self::WordMinhash(_)
        )
    }

    /// Tells whether the form means something for fields of a kind.
    pub fn applies_to(self, kind: FieldKind) -> bool {
        use FieldKind as K;
        match self {
            Self::Whole | Self::Initial | Self::Prefix(_) | Self::Suffix(_) => true,
            Self::Year | Self::Month | Self::Day => kind == K::Date,
            Self::User | Self::Domain => kind == K::Email,
            Self::HouseNumber => kind == K::Street,
            Self::Nickname => matches!(kind, K::GivenName | K::FullName),
            Self::Digits => !matches!(kind, K::GivenName | K::Surname | K::FullName | K::City),
            Self::Phonetic
            | Self::Sorted
            | Self::FirstToken
            | Self::LastToken
            | Self::Minhash(_)
            | Self::WordMinhash(_) => has_words(kind),
            Self::Tokens => has_words(kind) || kind == K::Email,
        }
    }
}

/// Writes the form as [`Form::parse`] reads it.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(len) => write!(f, "prefix{len}"),
            Self::Suffix(len) => write!(f, "last{len}"),
            Self::Minhash(percent) => write!(f, "minhash{percent}"),
            Self::WordMinhash(percent) => write!(f, "word_minhash{percent}"),
            plain => {
                let name = PLAIN
                    .iter()
                    .find(|(_, form)| form == plain)
                    .map(|(name, _)| *name);
                f.write_str(name.expect("every form without a number has a name"))
            }
        }
    }
}

/// Tells whether values of a kind are words separated by spaces.
fn has_words(kind: FieldKind) -> bool {
    use FieldKind as K;
    match kind {
        K::GivenName | K::Surname | K::FullName | K::Street | K::City | K::Company | K::Text => {
            true
        }
        K::Date
        | K::Email
        | K::Phone
        | K::Postcode
        | K::Identifier
        | K::Number
        | K::Coordinates
        | K::Verbatim => false,
    }
}

/// Returns the first derived value of a normalised value.
pub fn derive_first(form: Form, kind: FieldKind, value: &str) -> Option<String> {
    let mut first = None;
    derive(form, kind, value, &mut |derived| {
        first.get_or_insert_with(|| derived.to_owned());
    });
    first
}

/// Hands over the derived values of a normalised value: none or one, several if the form [is multi](Form::is_multi).
pub fn derive(form: Form, kind: FieldKind, value: &str, emit: &mut dyn FnMut(&str)) {
    if value.is_empty() || !form.applies_to(kind) {
        return;
    }
    match form {
        Form::Whole => emit(value),
        Form::Initial => emit(first_chars(value, 1)),
        Form::Prefix(len) => emit(first_chars(value, usize::from(len))),
        Form::Suffix(len) => emit(last_chars(value, usize::from(len))),
        Form::Year => emit_some(value.split('-').next(), emit),
        Form::Month => emit_some(value.split('-').nth(1), emit),
        Form::Day => emit_some(value.split('-').nth(2), emit),
        Form::User => emit_some(value.rsplit_once('@').map(|(user, _)| user), emit),
        Form::Domain => emit_some(value.rsplit_once('@').map(|(_, domain)| domain), emit),
        Form::Digits => emit_digits(value, emit),
        Form::Phonetic => phonetic::phonetic(value, emit),
        Form::Nickname => nickname::nickname(kind, value, emit),
        Form::Sorted => tokens::sorted(value, emit),
        Form::Tokens => tokens::tokens(value, emit),
        Form::FirstToken => emit_some(value.split_ascii_whitespace().next(), emit),
        Form::LastToken => emit_some(value.split_ascii_whitespace().next_back(), emit),
        Form::Minhash(percent) => minhash::of_grams(value, percent, emit),
        Form::WordMinhash(percent) => minhash::of_words(value, percent, emit),
        Form::HouseNumber => emit_some(tokens::house_number(value), emit),
    }
}

fn emit_some(value: Option<&str>, emit: &mut dyn FnMut(&str)) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        emit(value);
    }
}

fn first_chars(value: &str, len: usize) -> &str {
    value
        .char_indices()
        .nth(len)
        .map_or(value, |(end, _)| &value[..end])
}

/// Returns the last characters; the sign of an international telephone number is not one.
fn last_chars(value: &str, len: usize) -> &str {
    let value = value.strip_prefix('+').unwrap_or(value);
    value
        .char_indices()
        .nth_back(len - 1)
        .map_or(value, |(start, _)| &value[start..])
}

fn emit_digits(value: &str, emit: &mut dyn FnMut(&str)) {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    emit_some(Some(&digits), emit);
}

#[cfg(test)]
mod tests;
