//! Names of which one is shortened to initials or lacks words.

/// Tells whether each word of the shorter value stands for a word of the longer one, in order:
/// as the same word, as its initial, or as the name of which the longer has the initial.
///
/// ```
/// # use sameas_matching::agrees_in_initials;
/// assert!(agrees_in_initials("j r tolkien", "john ronald reuel tolkien"));
/// assert!(!agrees_in_initials("j tolkien", "christopher tolkien"));
/// ```
pub fn agrees_in_initials(a: &str, b: &str) -> bool {
    let words = |text| str::split_ascii_whitespace(text);
    let (shorter, longer) = if words(a).count() <= words(b).count() {
        (words(a), words(b))
    } else {
        (words(b), words(a))
    };
    // To take the first word that fits leaves most words to those that follow.
    let mut longer = longer;
    let mut shorter = shorter.peekable();
    shorter.peek().is_some() && shorter.all(|word| longer.any(|other| stands_for(word, other)))
}

fn stands_for(a: &str, b: &str) -> bool {
    a == b || (is_initial(a) || is_initial(b)) && a.chars().next() == b.chars().next()
}

fn is_initial(word: &str) -> bool {
    word.chars().nth(1).is_none()
}
