//! Whole addresses in one line: where the street ends and the postcode stands.

use super::street::{is_street_type, is_unit_mark};

/// A word of an address and where it stands.
#[derive(Clone, Copy, Debug)]
struct Word<'a> {
    text: &'a str,
    start: usize,
    /// The number of its segment; commas separate segments.
    segment: usize,
}

impl Word<'_> {
    fn end(self) -> usize {
        self.start + self.text.len()
    }

    fn has_leading_digit(self) -> bool {
        self.text.starts_with(|c: char| c.is_ascii_digit())
    }
}

/// Finds the postcode of a folded address: the last words that have the form of one.
pub(super) fn postcode_of(folded: &str) -> Option<&str> {
    let words = words_of(folded);
    (0..words.len()).rev().find_map(|index| {
        let (before, word) = (index.checked_sub(1).map(|i| words[i]), words[index]);
        if let Some(before) = before
            && is_pair(before.text, word.text)
        {
            return Some(&folded[before.start..word.end()]);
        }
        let is_code = is_single(word.text) || is_digits(word.text) && !is_house(&words, index);
        is_code.then_some(word.text)
    })
}

/// Finds the street of a folded address: house, street and unit, without city and postcode.
pub(super) fn street_of(folded: &str) -> &str {
    let words = words_of(folded);
    let is_house_segment = |s: usize| {
        let of_segment = || words.iter().filter(|w| w.segment == s);
        of_segment().any(|w| w.has_leading_digit() && w.text.len() < 7)
            && of_segment().any(|w| w.text.starts_with(char::is_alphabetic))
            && !of_segment().next().is_some_and(|w| is_unit_mark(w.text))
    };
    let last_segment = words.last().map_or(0, |w| w.segment);
    let segment = (0..=last_segment)
        .find(|&s| is_house_segment(s))
        .unwrap_or(0);
    let mut first = words.iter().position(|w| w.segment == segment).unwrap_or(0);
    let mut end = street_end(&words, first, segment);
    while first > 0 && is_unit_segment(&words, words[first - 1].segment) {
        let unit_segment = words[first - 1].segment;
        first = words
            .iter()
            .position(|w| w.segment == unit_segment)
            .unwrap_or(0);
    }
    while words
        .get(end)
        .is_some_and(|w| is_unit_segment(&words, w.segment))
    {
        let unit_segment = words[end].segment;
        end += words[end..]
            .iter()
            .take_while(|w| w.segment == unit_segment)
            .count();
    }
    match (
        words.get(first),
        end.checked_sub(1).and_then(|last| words.get(last)),
    ) {
        (Some(from), Some(to)) if from.start < to.end() => &folded[from.start..to.end()],
        _ => folded,
    }
}

fn words_of(folded: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut segment_start = 0;
    for (segment, text) in folded.split(',').enumerate() {
        for word in text
            .split([' ', '.', ';', '(', ')'])
            .filter(|word| !word.is_empty())
        {
            // The offset of a part of a text that was split off it.
            let start = segment_start + (word.as_ptr() as usize - text.as_ptr() as usize);
            words.push(Word {
                text: word,
                start,
                segment,
            });
        }
        segment_start += text.len() + 1;
    }
    words
}

fn is_unit_segment(words: &[Word<'_>], segment: usize) -> bool {
    words
        .iter()
        .find(|w| w.segment == segment)
        .is_some_and(|w| is_unit_mark(w.text))
}

/// Finds the word after the street in its segment: the city may follow without a comma.
fn street_end(words: &[Word<'_>], first: usize, segment: usize) -> usize {
    let end = first
        + words[first..]
            .iter()
            .take_while(|w| w.segment == segment)
            .count();
    let Some(house) = (first..end).find(|&i| words[i].has_leading_digit()) else {
        return end;
    };
    // Right after the house number a kind of street is part of its name: 5 Avenue Road.
    let Some(kind) = (house + 2..end).find(|&i| is_street_type(words[i].text)) else {
        return end;
    };
    let belongs = |word: &Word<'_>| {
        is_street_type(word.text)
            || is_unit_mark(word.text)
            || matches!(word.text, "n" | "s" | "e" | "w" | "ne" | "nw" | "se" | "sw")
    };
    let mut after = kind + 1;
    while after < end && belongs(&words[after]) {
        let number_follows = is_unit_mark(words[after].text) && after + 1 < end;
        after += 1 + usize::from(number_follows);
    }
    after
}

/// Tells whether a number is a house's or a box's: a kind of street follows in the segment.
fn is_house(words: &[Word<'_>], index: usize) -> bool {
    if index > 0 && words[index - 1].text == "box" {
        return true;
    }
    let segment = words[index].segment;
    let after = words[index + 1..]
        .iter()
        .take_while(|w| w.segment == segment);
    index == 0 || after.into_iter().any(|w| is_street_type(w.text))
}

/// Tells whether a word is `12345-6789`, or a British or Canadian code written without its space.
fn is_single(word: &str) -> bool {
    if let Some((zip, extension)) = word.split_once('-') {
        return shape(zip) == "00000" && shape(extension) == "0000";
    }
    let split = word
        .len()
        .checked_sub(3)
        .filter(|at| word.is_char_boundary(*at));
    split.is_some_and(|at| is_british_or_canadian(&word[..at], &word[at..]))
}

fn is_pair(first: &str, second: &str) -> bool {
    let dutch = shape(first) == "0000" && shape(second) == "aa" && !is_street_type(second);
    dutch || is_british_or_canadian(first, second)
}

fn is_british_or_canadian(first: &str, second: &str) -> bool {
    match shape(second).as_str() {
        "0aa" => {
            matches!(
                shape(first).as_str(),
                "a0" | "a00" | "aa0" | "aa00" | "a0a" | "aa0a"
            )
        }
        "0a0" => shape(first) == "a0a",
        _ => false,
    }
}

/// Tells whether a word is four to seven digits, as most countries' codes are.
fn is_digits(word: &str) -> bool {
    (4..=7).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Writes `0` for each digit and `a` for each letter.
fn shape(word: &str) -> String {
    let kind = |c: char| {
        if c.is_ascii_digit() {
            '0'
        } else if c.is_alphabetic() {
            'a'
        } else {
            c
        }
    };
    word.chars().take(8).map(kind).collect()
}
