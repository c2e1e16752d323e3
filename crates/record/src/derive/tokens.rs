//! Words of a value.

/// Words that tell nothing about what they stand in.
const STOP_WORDS: &[&str] = &[
    "and", "as", "at", "by", "das", "de", "del", "der", "des", "die", "du", "el", "et", "for",
    "from", "in", "into", "is", "la", "le", "les", "los", "of", "on", "or", "the", "to", "und",
    "using", "via", "with",
];

/// The fewest characters of a token.
const TOKEN_LEN_MIN: usize = 2;

/// Hands over each token that is long enough and not a stop word.
pub(super) fn tokens(value: &str, emit: &mut dyn FnMut(&str)) {
    let long_enough = |token: &&str| token.chars().nth(TOKEN_LEN_MIN - 1).is_some();
    words(value).filter(long_enough).for_each(emit);
}

/// Lists the words of a normalised value that are no stop words, repeats included.
///
/// Unlike the tokens that keys are made of, a word may be a single character: an initial, or the
/// number of a model.
pub fn words(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && STOP_WORDS.binary_search(word).is_err())
}

/// Hands over the tokens in byte order.
pub(super) fn sorted(value: &str, emit: &mut dyn FnMut(&str)) {
    let mut tokens: Vec<&str> = value.split_ascii_whitespace().collect();
    tokens.sort_unstable();
    if !tokens.is_empty() {
        emit(&tokens.join(" "));
    }
}

/// Finds the house number: the first token that begins with a digit, is no ordinal and no unit.
pub(super) fn house_number(value: &str) -> Option<&str> {
    let mut after_unit = false;
    value.split_ascii_whitespace().find(|token| {
        let counts = !after_unit && starts_with_digit(token) && !is_ordinal(token);
        after_unit = matches!(*token, "unit" | "floor" | "box" | "bldg");
        counts
    })
}

fn starts_with_digit(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_digit())
}

fn is_ordinal(token: &str) -> bool {
    ["st", "nd", "rd", "th"].iter().any(|ending| {
        token
            .strip_suffix(ending)
            .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
    })
}
