//! Given names and surnames.

use super::text::push_words;
use super::word_filter::WordFilter;

/// What may stand before a name and is none; in byte order.
const LEADING_TITLES: &[&str] = &[
    "capt",
    "dame",
    "doctor",
    "dr",
    "frau",
    "herr",
    "hon",
    "lady",
    "lord",
    "lt",
    "madam",
    "madame",
    "miss",
    "mister",
    "mlle",
    "mme",
    "monsieur",
    "mr",
    "mrs",
    "ms",
    "mstr",
    "mx",
    "prof",
    "professor",
    "rev",
    "reverend",
    "senor",
    "senora",
    "sgt",
    "sir",
    "sr",
    "sra",
    "srta",
];

/// What may stand after a name and is none: titles, degrees, orders; in byte order.
const TRAILING_TITLES: &[&str] = &[
    "ba", "bsc", "cbe", "cpa", "dds", "dipl", "dr", "esq", "esquire", "frcs", "jd", "llb", "llm",
    "mba", "mbe", "md", "miss", "mr", "mrs", "ms", "msc", "obe", "phd", "prof", "rn",
];

/// Tells the members of a family apart: what is written to what is kept; in byte order.
const GENERATIONS: &[(&str, &str)] = &[
    ("2nd", "ii"),
    ("3rd", "iii"),
    ("4th", "iv"),
    ("ii", "ii"),
    ("iii", "iii"),
    ("iv", "iv"),
    ("jnr", "jr"),
    ("jr", "jr"),
    ("junior", "jr"),
    ("senior", "sr"),
    ("snr", "sr"),
    ("sr", "sr"),
];

/// Beginnings of surnames that belong to the next word; in byte order.
const SURNAME_BEGINNINGS: &[&str] = &["mac", "mc", "o"];

/// The fewest characters of what follows a surname's beginning.
const SURNAME_REST_LEN_MIN: usize = 3;

/// Tells whether a word before a name is a title.
pub(super) fn is_leading_title(word: &str) -> bool {
    static FILTER: WordFilter = WordFilter::of(LEADING_TITLES);
    FILTER.may_hold(word) && LEADING_TITLES.binary_search(&word).is_ok()
}

/// Tells whether a word after a name is a title.
pub(super) fn is_trailing_title(word: &str) -> bool {
    static FILTER: WordFilter = WordFilter::of(TRAILING_TITLES);
    FILTER.may_hold(word) && TRAILING_TITLES.binary_search(&word).is_ok()
}

/// Returns the usual spelling of a generational suffix.
pub(super) fn generation(word: &str) -> Option<&'static str> {
    static FILTER: WordFilter = WordFilter::of_replaced(GENERATIONS);
    if !FILTER.may_hold(word) {
        return None;
    }
    let index = GENERATIONS
        .binary_search_by_key(&word, |(from, _)| from)
        .ok()?;
    Some(GENERATIONS[index].1)
}

/// Appends given names without titles.
pub(super) fn push_given_name(folded: &str, out: &mut String) {
    let mut words = String::with_capacity(folded.len());
    push_words(folded, &mut words);
    out.push_str(without_titles(&words, is_trailing_title));
}

/// Appends a surname without titles and generational suffixes.
pub(super) fn push_surname(folded: &str, out: &mut String) {
    let mut words = String::with_capacity(folded.len());
    push_words(folded, &mut words);
    let is_extra = |word: &str| is_trailing_title(word) || generation(word).is_some();
    push_joined_surname(without_titles(&words, is_extra), out);
}

/// Appends a surname with a separate beginning joined: `mc donald` as `mcdonald`.
pub(super) fn push_joined_surname(words: &str, out: &mut String) {
    match words.split_once(' ') {
        Some((beginning, rest))
            if SURNAME_BEGINNINGS.contains(&beginning)
                && rest.find(' ').unwrap_or(rest.len()) >= SURNAME_REST_LEN_MIN =>
        {
            out.push_str(beginning);
            out.push_str(rest);
        }
        _ => out.push_str(words),
    }
}

/// Cuts titles off both ends as long as a word remains.
fn without_titles(words: &str, is_extra: impl Fn(&str) -> bool) -> &str {
    let mut words = words;
    while let Some((first, rest)) = words.split_once(' ')
        && is_leading_title(first)
    {
        words = rest;
    }
    while let Some((rest, last)) = words.rsplit_once(' ')
        && is_extra(last)
    {
        words = rest;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order() {
        for table in [LEADING_TITLES, TRAILING_TITLES, SURNAME_BEGINNINGS] {
            assert!(table.is_sorted(), "{table:?}");
        }
        assert!(GENERATIONS.is_sorted());
    }
}
