//! Identifiers: passport, tax, account and serial numbers.

use super::placeholder::{is_filler_digits, is_repeated};
use super::text;

/// The fewest equal characters that are taken for filler.
const REPEATED_LEN_MIN: usize = 4;

/// The fewest digits before `.0` that tell an identifier which passed through a floating-point column.
const FLOAT_LEN_MIN: usize = 5;

/// Appends the letters and digits in upper case.
pub(super) fn push_identifier(folded: &str, out: &mut String) {
    let text = without_fraction(folded.trim());
    let kept = text.chars().filter(|c| c.is_alphanumeric());
    let identifier: String = kept.map(|c| c.to_ascii_uppercase()).collect();
    let zeros = identifier.bytes().all(|byte| byte == b'0');
    let repeated = identifier.len() >= REPEATED_LEN_MIN && is_repeated(&identifier);
    let filler = identifier.bytes().all(|b| b.is_ascii_digit()) && is_filler_digits(&identifier);
    if !(zeros || repeated || filler) {
        out.push_str(&identifier);
    }
}

/// Cuts `.0` off a long whole number; a short one may be a version.
fn without_fraction(text: &str) -> &str {
    let whole = text::without_fraction(text);
    if whole.len() >= FLOAT_LEN_MIN {
        whole
    } else {
        text
    }
}
