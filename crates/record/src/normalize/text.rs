//! Words separated by one space.

/// Abbreviations in names of places: what is written to what is kept; in byte order.
const PLACE_WORDS: &[(&str, &str)] = &[
    ("fort", "ft"),
    ("heights", "hts"),
    ("mount", "mt"),
    ("point", "pt"),
    ("saint", "st"),
    ("sainte", "ste"),
    ("township", "twp"),
];

/// Lists the words of a folded value; signs separate words, apostrophes do not.
pub(super) fn words(folded: &str) -> impl Iterator<Item = Word<'_>> {
    let separates = |c: char| !c.is_alphanumeric() && !is_apostrophe(c);
    folded
        .split(separates)
        .map(Word)
        .filter(|word| !word.0.chars().all(is_apostrophe))
}

/// A word that may hold apostrophes.
#[derive(Clone, Copy)]
pub(super) struct Word<'a>(&'a str);

impl Word<'_> {
    /// Appends the word without its apostrophes.
    pub(super) fn push_to(self, out: &mut String) {
        out.extend(self.0.chars().filter(|c| !is_apostrophe(*c)));
    }
}

fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '`')
}

/// Appends the words.
pub(super) fn push_words(folded: &str, out: &mut String) {
    let start = out.len();
    for word in words(folded) {
        if out.len() > start {
            out.push(' ');
        }
        word.push_to(out);
    }
}

/// Appends the words of a city, region or country.
pub(super) fn push_city(folded: &str, out: &mut String) {
    let mut text = String::with_capacity(folded.len());
    push_words(folded, &mut text);
    push_joined(text.split(' ').map(|word| replaced(PLACE_WORDS, word)), out);
}

/// Appends words with one space between them.
pub(super) fn push_joined<'a>(words: impl Iterator<Item = &'a str>, out: &mut String) {
    let start = out.len();
    for word in words {
        if out.len() > start {
            out.push(' ');
        }
        out.push_str(word);
    }
}

/// Cuts `.0` off digits: what a floating-point column makes of a whole number.
pub(super) fn without_fraction(text: &str) -> &str {
    text.strip_suffix(".0")
        .filter(|whole| whole.bytes().all(|byte| byte.is_ascii_digit()))
        .unwrap_or(text)
}

/// Returns what a table keeps for a word, or the word; the table is in byte order.
pub(super) fn replaced<'a>(table: &[(&'a str, &'a str)], word: &'a str) -> &'a str {
    table
        .binary_search_by_key(&word, |(from, _)| from)
        .map_or(word, |index| table[index].1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn table_is_in_order() {
        assert!(super::PLACE_WORDS.is_sorted());
    }
}
