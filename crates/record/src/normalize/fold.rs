//! Unicode text to lower-case letters, digits and ASCII punctuation.

use deunicode::deunicode_char;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::VALUE_LEN_MAX;

/// Folds a value: compatibility forms, case, accents and scripts are gone, control characters are spaces.
///
/// The result is ASCII except for letters that no table transliterates; folding it again changes
/// nothing. A value that is too long, before or after, has no folded form.
pub(super) fn fold(raw: &str) -> Option<String> {
    if raw.len() > VALUE_LEN_MAX {
        return None;
    }
    if raw.is_ascii() {
        let mut folded = raw.to_ascii_lowercase();
        if folded.bytes().any(|byte| byte.is_ascii_control()) {
            folded = folded.replace(|c: char| c.is_ascii_control(), " ");
        }
        return Some(folded);
    }
    let mut folded = String::with_capacity(raw.len());
    for character in raw.nfkc() {
        push_folded(character, &mut folded);
        if folded.len() > VALUE_LEN_MAX {
            return None;
        }
    }
    Some(folded)
}

fn fold_ascii(character: char) -> char {
    if character.is_ascii_control() {
        ' '
    } else {
        character.to_ascii_lowercase()
    }
}

/// Appends what one character folds to.
fn push_folded(character: char, folded: &mut String) {
    if character.is_ascii() {
        folded.push(fold_ascii(character));
        return;
    }
    let written = deunicode_char(character);
    if character.is_alphanumeric() {
        match written {
            Some(written) => folded.extend(written.chars().filter_map(letter_or_space)),
            None if is_settled(character) => folded.push(character),
            None => {}
        }
        return;
    }
    if is_invisible(character) || is_combining_mark(character) {
        return;
    }
    match written {
        Some(written)
            if written
                .chars()
                .all(|c| c.is_ascii_punctuation() || c == ' ') =>
        {
            folded.push_str(written);
        }
        // Emoji and other signs separate words, whatever their names are.
        _ => folded.push(' '),
    }
}

/// Tells whether a character only steers how others are shown: joiners, directions, variants.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Keeps letters and spaces of a transliteration: its signs stand for sounds, not for punctuation.
fn letter_or_space(character: char) -> Option<char> {
    match character {
        'A'..='Z' | 'a'..='z' | '0'..='9' => Some(character.to_ascii_lowercase()),
        ' ' => Some(' '),
        _ => None,
    }
}

/// Tells whether folding an untransliterated character once more would keep it as it is.
fn is_settled(character: char) -> bool {
    !is_combining_mark(character)
        && character.to_lowercase().eq(std::iter::once(character))
        && std::iter::once(character)
            .nfkc()
            .eq(std::iter::once(character))
}
