//! How a value sounds.

use rphonetic::{DoubleMetaphone, Encoder};

/// The length of a code; longer ones tell typos apart that sound alike.
const CODE_LEN: usize = 4;

/// Hands over the Double Metaphone code of all letters together; nothing if there is none.
pub(super) fn phonetic(value: &str, emit: &mut dyn FnMut(&str)) {
    let letters: String = value.chars().filter(char::is_ascii_alphabetic).collect();
    if letters.is_empty() {
        return;
    }
    let code = DoubleMetaphone::new(Some(CODE_LEN)).encode(&letters);
    if !code.is_empty() {
        emit(&code);
    }
}
