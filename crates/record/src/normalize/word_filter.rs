//! A look at the first byte and the length of a word that spares most searches of a table.

/// Which lengths the words of a table have, by their first byte.
///
/// Nearly every word that is looked up is in no table; a table of 128 words of bits says so
/// in two loads, where a search takes half a dozen comparisons of text.
pub(super) struct WordFilter([u32; 128]);

impl WordFilter {
    /// Notes the words of a table: ASCII words of at most 31 bytes.
    pub(super) const fn of(words: &[&str]) -> Self {
        let mut filter = Self([0; 128]);
        let mut index = 0;
        while index < words.len() {
            filter = filter.with(words[index]);
            index += 1;
        }
        filter
    }

    /// Notes the words that a table replaces.
    pub(super) const fn of_replaced(words: &[(&str, &str)]) -> Self {
        let mut filter = Self([0; 128]);
        let mut index = 0;
        while index < words.len() {
            filter = filter.with(words[index].0);
            index += 1;
        }
        filter
    }

    const fn with(mut self, word: &str) -> Self {
        let word = word.as_bytes();
        assert!(
            !word.is_empty() && word.len() < 32,
            "words of tables are short"
        );
        self.0[word[0] as usize] |= 1 << word.len();
        self
    }

    /// Returns whether the table may hold a word; false is certain.
    pub(super) fn may_hold(&self, word: &str) -> bool {
        match word.as_bytes() {
            [first @ 0..=127, ..] if word.len() < 32 => {
                self.0[usize::from(*first)] >> word.len() & 1 == 1
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WordFilter;

    #[test]
    fn words_of_the_table_pass_and_others_mostly_do_not() {
        let filter = WordFilter::of(&["dr", "mister", "mr"]);
        assert!(
            ["dr", "mister", "mr", "mx"]
                .iter()
                .all(|word| filter.may_hold(word))
        );
        assert!(
            ["", "m", "maria", "\u{e9}", "dr dr"]
                .iter()
                .all(|word| !filter.may_hold(word))
        );
    }
}
