//! Whole personal names: in any order, with titles and suffixes, whole or by part.

use super::name::{
    generation, is_leading_title, is_trailing_title, is_trailing_title_of, push_joined_surname,
};
use super::text::push_joined;
use crate::Part;

/// Words that begin a surname of several words; in byte order.
const PARTICLES: &[&str] = &[
    "abu", "af", "al", "av", "bin", "bint", "da", "dal", "das", "de", "degli", "dei", "del",
    "della", "den", "der", "di", "do", "dos", "du", "el", "ibn", "la", "le", "lo", "mac", "mc",
    "san", "st", "ten", "ter", "van", "vande", "vander", "vom", "von", "zu", "zum", "zur",
];

/// A name taken apart; units are words, or several that hyphens join.
#[derive(Debug, Default, PartialEq, Eq)]
struct FullName<'a> {
    given: Vec<&'a str>,
    surname: Vec<&'a str>,
    suffixes: Vec<&'a str>,
}

impl FullName<'_> {
    /// Takes the first word for the surname if the last is an initial, which is none: citations write
    /// "smith john w".
    fn turn_if_initial_is_last(&mut self) {
        let is_initial = |unit: &&str| unit.chars().count() == 1;
        let is_turned = matches!(&self.surname[..], [last] if is_initial(last))
            && self.given.first().is_some_and(|first| !is_initial(first));
        if is_turned {
            self.given.append(&mut self.surname);
            self.surname.push(self.given.remove(0));
        }
    }
}

/// Appends the name in the order given, surname, suffix.
pub(super) fn push_full_name(folded: &str, out: &mut String) {
    let cleaned = cleaned(folded);
    let name = parse(&cleaned);
    let units = name.given.iter().chain(&name.surname).chain(&name.suffixes);
    let mut words: Vec<&str> = units.flat_map(|unit| unit.split('-')).collect();
    let suffixes = tidy(&mut words);
    push_joined(words.into_iter().chain(suffixes), out);
}

/// Appends one part of the name.
pub(super) fn push_part(folded: &str, part: Part, out: &mut String) {
    let cleaned = cleaned(folded);
    if part == Part::Suffix && push_suffixes_alone(&cleaned, out) {
        return;
    }
    let mut name = parse(&cleaned);
    // Whole names keep their order, so that one normalised again stays as it is.
    if !cleaned.contains(',') {
        name.turn_if_initial_is_last();
    }
    let units = match part {
        Part::Given => name.given.get(..1).unwrap_or_default(),
        Part::Middle => name.given.get(1..).unwrap_or_default(),
        Part::Surname => &name.surname,
        Part::Suffix => &name.suffixes,
        Part::Postcode | Part::Street => &[],
    };
    let mut words = String::new();
    push_joined(units.iter().flat_map(|unit| unit.split('-')), &mut words);
    if part == Part::Surname {
        push_joined_surname(&words, out);
    } else {
        out.push_str(&words);
    }
}

/// Appends the suffixes of a text that holds nothing but suffixes and titles, as a column of its own does.
fn push_suffixes_alone(cleaned: &str, out: &mut String) -> bool {
    let units = || {
        cleaned
            .split(|c: char| !c.is_alphanumeric())
            .filter(|unit| !unit.is_empty())
    };
    let is_alone = units().all(is_extra);
    if is_alone {
        push_joined(units().filter_map(generation), out);
    }
    is_alone
}

/// Keeps letters, digits, commas and single hyphens in words; apostrophes vanish, other signs become spaces.
fn cleaned(folded: &str) -> String {
    let mut text = String::with_capacity(folded.len());
    for character in folded.chars() {
        match character {
            '\'' | '`' => {}
            '-' if text.ends_with(char::is_alphanumeric) => text.push('-'),
            _ if character.is_alphanumeric() || character == ',' => text.push(character),
            _ => text.push(' '),
        }
    }
    text
}

/// Takes a cleaned name apart: what stands before a comma is the surname, unless only suffixes follow.
fn parse(cleaned: &str) -> FullName<'_> {
    let mut suffixes = Vec::new();
    let mut segments: Vec<Vec<&str>> = Vec::new();
    for segment in cleaned.split(',') {
        let mut units: Vec<&str> = units_of(segment).collect();
        if !segments.is_empty() && units.iter().all(|unit| is_extra(unit)) {
            suffixes.extend(units.into_iter().filter_map(generation));
            continue;
        }
        suffixes.extend(tidy(&mut units));
        if !units.is_empty() {
            segments.push(units);
        }
    }
    let mut segments = segments.into_iter();
    let first = segments.next().unwrap_or_default();
    let given: Vec<&str> = segments.flatten().collect();
    if !given.is_empty() {
        return FullName {
            given,
            surname: first,
            suffixes,
        };
    }
    if first.len() == 1 && cleaned.contains(',') {
        return FullName {
            given,
            surname: first,
            suffixes,
        };
    }
    let at = surname_start(&first);
    FullName {
        given: first[..at].to_vec(),
        surname: first[at..].to_vec(),
        suffixes,
    }
}

/// Lists the units of a segment.
fn units_of(segment: &str) -> impl Iterator<Item = &str> {
    segment
        .split_ascii_whitespace()
        .map(|unit| unit.trim_end_matches('-'))
}

fn is_extra(unit: &str) -> bool {
    is_leading_title(unit) || is_trailing_title(unit) || generation(unit).is_some()
}

/// Removes titles at both ends, as long as a word remains, and returns the suffixes in order.
fn tidy(words: &mut Vec<&str>) -> Vec<&'static str> {
    let titles = words
        .iter()
        .take_while(|word| is_leading_title(word))
        .count();
    words.drain(..titles.min(words.len().saturating_sub(1)));
    let mut suffixes = Vec::new();
    while words.len() > 1
        && let Some(last) = words.last()
    {
        match generation(last) {
            Some(suffix) => suffixes.push(suffix),
            None if is_trailing_title_of(last, words.len()) => {}
            None => break,
        }
        words.pop();
    }
    suffixes.reverse();
    suffixes
}

/// Finds where the surname begins in a name without comma; a single word is a given name.
fn surname_start(units: &[&str]) -> usize {
    if units.len() < 2 {
        return units.len();
    }
    let mut start = units.len() - 1;
    while start > 1 && PARTICLES.binary_search(&units[start - 1]).is_ok() {
        start -= 1;
    }
    start
}

#[cfg(test)]
mod tests {
    #[test]
    fn table_is_in_order() {
        assert!(super::PARTICLES.is_sorted());
    }
}
