//! Raw values to their normalised form, one way per semantic kind.
//!
//! Every value is folded first: compatibility forms, case, accents and scripts go, so what
//! follows sees lower-case ASCII with few exceptions. A step that appends nothing says that the
//! value is missing. Cost: one to three short-lived allocations per distinct raw value.

mod address;
mod calling_codes;
mod company;
mod coordinates;
mod date;
mod east_asian;
mod email;
mod fold;
mod full_name;
mod identifier;
mod name;
mod number;
mod phone;
mod placeholder;
mod postcode;
mod spelling;
mod street;
mod text;
mod word_filter;

use crate::{FieldKind, Locale, Part};

pub(crate) use phone::region_of;

/// The longest raw or normalised value in bytes; a longer one counts as missing.
pub const VALUE_LEN_MAX: usize = 64 * 1024;

/// Normalises the values of one field of one source.
///
/// ```
/// use sameas_record::{FieldKind, Locale, Normalizer};
///
/// let normalizer = Normalizer::new(FieldKind::Surname, None, &Locale::default());
/// let mut surname = String::new();
/// assert!(normalizer.normalize("  O’Brïen ", &mut surname));
/// assert_eq!(surname, "obrien");
/// ```
#[derive(Clone, Debug)]
pub struct Normalizer {
    kind: FieldKind,
    part: Option<Part>,
    locale: Locale,
    phone: phone::Numbering,
}

impl Normalizer {
    /// Makes the normaliser of a field; with a part, values are taken apart first.
    pub fn new(kind: FieldKind, part: Option<Part>, locale: &Locale) -> Self {
        let phone = phone::Numbering::of(locale.region.as_deref());
        Self {
            kind,
            part,
            locale: locale.clone(),
            phone,
        }
    }

    /// Appends the normalised value to `out` and tells whether there is one; a missing value has none.
    ///
    /// Normalising a normalised value again changes nothing, unless a part is taken.
    pub fn normalize(&self, raw: &str, out: &mut String) -> bool {
        if self.kind == FieldKind::Verbatim && self.part.is_none() {
            out.push_str(raw);
            return true;
        }
        let start = out.len();
        let Some(folded) = self.fold(raw) else {
            return false;
        };
        if placeholder::stands_for_missing(self.kind, &folded) {
            return false;
        }
        match self.part {
            Some(part) => self.push_part(part, &folded, out),
            None => self.push_value(&folded, out),
        }
        // What is left without titles, marks and signs may be a placeholder after all.
        if out.len() - start <= placeholder::WORD_LEN_MAX
            && placeholder::stands_for_missing(self.kind, &out[start..].to_ascii_lowercase())
        {
            out.truncate(start);
        }
        out.len() > start
    }

    fn fold(&self, raw: &str) -> Option<String> {
        let order = match (self.part, self.kind) {
            (Some(Part::Given | Part::Middle | Part::Surname), _) | (None, FieldKind::FullName) => {
                east_asian::Order::SurnameFirst
            }
            (None, FieldKind::GivenName | FieldKind::Surname) => east_asian::Order::Part,
            _ => return fold::fold(raw),
        };
        east_asian::fold_name(raw, order).or_else(|| fold::fold(raw))
    }

    fn push_value(&self, folded: &str, out: &mut String) {
        match self.kind {
            FieldKind::GivenName => name::push_given_name(folded, out),
            FieldKind::Surname => name::push_surname(folded, out),
            FieldKind::FullName => full_name::push_full_name(folded, out),
            FieldKind::Date => date::push_date(folded, self.locale.date_order, out),
            FieldKind::Email => email::push_email(folded, out),
            FieldKind::Phone => self.phone.push_number(folded, out),
            FieldKind::Street => street::push_street(folded, out),
            FieldKind::City => text::push_city(folded, out),
            FieldKind::Postcode => {
                postcode::push_postcode(folded, self.locale.region.as_deref(), out);
            }
            FieldKind::Company => company::push_company(folded, out),
            FieldKind::Identifier => identifier::push_identifier(folded, out),
            FieldKind::Text => text::push_words(folded, out),
            FieldKind::Number => number::push_number(folded, out),
            FieldKind::Coordinates => coordinates::push_coordinates(folded, out),
            FieldKind::Verbatim => out.push_str(folded),
        }
    }

    fn push_part(&self, part: Part, folded: &str, out: &mut String) {
        match part {
            Part::Given | Part::Middle | Part::Surname | Part::Suffix => {
                full_name::push_part(folded, part, out);
            }
            Part::Postcode => {
                let found = address::postcode_of(folded).unwrap_or_default();
                postcode::push_postcode(found, self.locale.region.as_deref(), out);
            }
            Part::Street => street::push_street(address::street_of(folded), out),
        }
    }
}

#[cfg(test)]
mod tests;
