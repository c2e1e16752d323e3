//! Names in Han characters, kana or Hangul: surname first, and often without a space.

use unicode_normalization::UnicodeNormalization;

use super::VALUE_LEN_MAX;
use super::fold::fold;

/// A name without a space has a surname of two characters from this many on (most of Japan), of one
/// below (most of China and Korea).
const LONG_FROM: usize = 4;

/// Whether a name is to be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// It is one part of a name already.
    Part,
    /// The surname stands first.
    SurnameFirst,
}

/// Folds a name whose letters are all East Asian; of others it returns nothing.
///
/// Folding writes each Han character as a word of its own, so that the last sound of a given name
/// would pass for the surname.
pub(super) fn fold_name(raw: &str, order: Order) -> Option<String> {
    if raw.is_ascii() || raw.len() > VALUE_LEN_MAX {
        return None;
    }
    let composed: String = raw.nfkc().filter(|c| !is_invisible(*c)).collect();
    if !composed.chars().all(is_east_asian_or_space) {
        return None;
    }
    let mut words: Vec<&str> = composed.split_whitespace().collect();
    if order == Order::SurnameFirst
        && let [word] = words[..]
    {
        let count = word.chars().count();
        let surname_len = if count < LONG_FROM { 1 } else { 2 };
        let (at, _) = word.char_indices().nth(surname_len)?;
        let has_han = word.chars().any(is_han);
        // Kana tell nothing of where the surname ends.
        if has_han || word.chars().all(is_hangul) {
            words = vec![&word[..at], &word[at..]];
        }
    }
    let words = words
        .into_iter()
        .map(|word| Some(fold(word)?.replace(' ', "")));
    let words: Vec<String> = words.collect::<Option<_>>()?;
    let name = match (order, &words[..]) {
        (Order::SurnameFirst, [surname, given @ ..]) if !given.is_empty() => {
            format!("{surname}, {}", given.join(" "))
        }
        _ => words.join(" "),
    };
    (name.len() <= VALUE_LEN_MAX).then_some(name)
}

/// Tells whether a character only chooses how the one before it looks, or joins or parts words unseen.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200d}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

fn is_east_asian_or_space(character: char) -> bool {
    character.is_whitespace() || is_han(character) || is_kana(character) || is_hangul(character)
}

fn is_han(character: char) -> bool {
    matches!(character, '\u{3005}'..='\u{3007}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn is_kana(character: char) -> bool {
    matches!(character, '\u{3041}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{ff66}'..='\u{ff9f}')
}

fn is_hangul(character: char) -> bool {
    matches!(character, '\u{ac00}'..='\u{d7a3}')
}
