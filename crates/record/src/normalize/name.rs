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

/// Degrees that are names too (Ba and Mba in West Africa, Md in Bengal); in byte order.
const AMBIGUOUS_TITLES: &[&str] = &["ba", "jd", "mba", "md", "rn"];

/// So many other words make a degree of what may be a name.
const WORDS_BESIDE_MIN: usize = 2;

/// Tells the members of a family apart: what is written to what is kept; in byte order. The second of
/// a name is written either way, often for one person.
const GENERATIONS: &[(&str, &str)] = &[
    ("2nd", "jr"),
    ("3rd", "iii"),
    ("4th", "iv"),
    ("ii", "jr"),
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

/// Tells whether the last of so many words is a title: what may be a name is one of three at least.
pub(super) fn is_trailing_title_of(word: &str, word_count: usize) -> bool {
    let is_ambiguous = || AMBIGUOUS_TITLES.binary_search(&word).is_ok();
    is_trailing_title(word) && (word_count > WORDS_BESIDE_MIN || !is_ambiguous())
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
    out.push_str(without_titles(&words, is_trailing_title_of));
}

/// Appends a surname without titles and generational suffixes.
pub(super) fn push_surname(folded: &str, out: &mut String) {
    let mut words = String::with_capacity(folded.len());
    push_words(before_titles(folded), &mut words);
    let is_extra =
        |word: &str, count: usize| is_trailing_title_of(word, count) || generation(word).is_some();
    push_joined_surname(without_titles(&words, is_extra), out);
}

/// Cuts off what follows a comma if it is titles alone.
fn before_titles(folded: &str) -> &str {
    let mut rest = folded;
    while let Some((before, after)) = rest.rsplit_once(',') {
        let mut words = after
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty());
        if !words.all(is_trailing_title) || !before.contains(char::is_alphanumeric) {
            break;
        }
        rest = before;
    }
    rest
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
fn without_titles(words: &str, is_extra: impl Fn(&str, usize) -> bool) -> &str {
    let mut words = words;
    while let Some((first, rest)) = words.split_once(' ')
        && is_leading_title(first)
    {
        words = rest;
    }
    while let Some((rest, last)) = words.rsplit_once(' ')
        && is_extra(last, words.split(' ').count())
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
        for table in [
            LEADING_TITLES,
            TRAILING_TITLES,
            AMBIGUOUS_TITLES,
            SURNAME_BEGINNINGS,
        ] {
            assert!(table.is_sorted(), "{table:?}");
        }
        assert!(GENERATIONS.is_sorted());
    }
}
