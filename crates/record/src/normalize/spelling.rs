//! How a value itself spells the part that was taken of it.

use super::Normalizer;

/// The words of a value that are looked at.
const WORD_COUNT_MAX: usize = 24;

impl Normalizer {
    /// Returns the fewest words in a row of a raw value that mean what the part taken of it means,
    /// as they are written there; nothing if it has none such, as when initials were joined.
    ///
    /// ```
    /// use sameas_record::{FieldKind, Locale, Normalizer, Part};
    ///
    /// let surname = Normalizer::new(FieldKind::Surname, Some(Part::Surname), &Locale::default());
    /// let mut part = String::new();
    /// surname.normalize("O'Neill, Dr. Mary-Ann", &mut part);
    /// assert_eq!(surname.spelling("O'Neill, Dr. Mary-Ann", &part), Some("O'Neill"));
    /// ```
    pub fn spelling<'r>(&self, raw: &'r str, part: &str) -> Option<&'r str> {
        let whole = Self {
            part: None,
            ..self.clone()
        };
        let is_gap = |c: char| c.is_whitespace() || matches!(c, ',' | ';');
        let words: Vec<&str> = raw.split(is_gap).filter(|word| !word.is_empty()).collect();
        let words = words.get(..WORD_COUNT_MAX).unwrap_or(&words);
        let start = |word: &str| word.as_ptr() as usize - raw.as_ptr() as usize;
        let mut meaning = String::new();
        for len in 1..=words.len() {
            for run in words.windows(len) {
                let (first, last) = (run.first()?, run.last()?);
                let spelt = raw.get(start(first)..start(last) + last.len())?;
                meaning.clear();
                if whole.normalize(spelt, &mut meaning) && meaning == part {
                    return Some(spelt);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::{FieldKind, Locale, Normalizer, Part};

    fn spelt(kind: FieldKind, part: Part, raw: &str) -> Option<&str> {
        let normalizer = Normalizer::new(kind, Some(part), &Locale::default());
        let mut text = String::new();
        assert!(normalizer.normalize(raw, &mut text), "{raw}");
        normalizer.spelling(raw, &text)
    }

    #[test]
    fn a_part_is_spelt_as_the_value_spells_it() {
        let (given, surname) = (FieldKind::GivenName, FieldKind::Surname);
        for (kind, part, raw, expected) in [
            (given, Part::Given, "Dr. Zoë K. Müller", Some("Zoë")),
            (surname, Part::Surname, "Dr. Zoë K. Müller", Some("Müller")),
            (surname, Part::Surname, "MÜLLER, Zoë", Some("MÜLLER")),
            (given, Part::Given, "MÜLLER,Zoë", Some("Zoë")),
            (
                surname,
                Part::Surname,
                "Ludwig van Beethoven",
                Some("van Beethoven"),
            ),
            (
                FieldKind::Street,
                Part::Street,
                "12 Main St, Springfield IL 62704",
                Some("12 Main St"),
            ),
            (
                FieldKind::Postcode,
                Part::Postcode,
                "12 Main St, Springfield IL 62704",
                Some("62704"),
            ),
        ] {
            assert_eq!(spelt(kind, part, raw), expected, "{raw}");
        }
    }

    #[test]
    fn a_value_of_many_words_is_searched_to_a_bound() {
        let raw = "x ".repeat(10_000) + "Smith";
        let normalizer =
            Normalizer::new(FieldKind::Surname, Some(Part::Surname), &Locale::default());
        assert_eq!(normalizer.spelling(&raw, "smith"), None);
    }
}
