//! What happens to values on their way into a system.

use jiff::civil::Date;

use super::draw::Draw;
use super::people::{Home, Person, STREET_KINDS};

/// Makes a slip of the fingers: two letters exchanged, one left out, doubled or replaced.
pub(super) fn typo(draw: &mut Draw, text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() < 3 {
        return text.to_owned();
    }
    let at = draw.between(1, letters.len() - 2);
    match draw.below(4) {
        0 => letters.swap(at, at + 1),
        1 => drop(letters.remove(at)),
        2 => letters.insert(at, letters[at]),
        _ => letters[at] = *draw.pick(&['a', 'e', 'i', 'n', 'r', 's', 't']),
    }
    letters.into_iter().collect()
}

/// Writes a text with a typo so many times in a hundred.
pub(super) fn sometimes_typo(draw: &mut Draw, share: usize, text: &str) -> String {
    if draw.percent(share) {
        typo(draw, text)
    } else {
        text.to_owned()
    }
}

/// Says what somebody is called: so many times in a hundred by a nickname.
pub(super) fn called(draw: &mut Draw, share: usize, person: &Person) -> String {
    if !person.nicknames.is_empty() && draw.percent(share) {
        return (*draw.pick(person.nicknames)).to_owned();
    }
    person.given.to_owned()
}

/// Exchanges day and month so many times in a hundred, where that gives a date.
pub(super) fn sometimes_swapped(draw: &mut Draw, share: usize, date: Date) -> Date {
    let swapped = Date::new(date.year(), date.day(), date.month());
    if draw.percent(share) {
        swapped.unwrap_or(date)
    } else {
        date
    }
}

/// Writes a street, so many times in a hundred with its kind cut short.
pub(super) fn street(draw: &mut Draw, share: usize, home: &Home) -> String {
    let (long, short) = STREET_KINDS[home.street_kind];
    let kind = if draw.percent(share) { short } else { long };
    format!("{} {} {kind}", home.house_number, home.street)
}

/// Leaves a value out so many times in a hundred.
pub(super) fn sometimes_missing<T>(draw: &mut Draw, share: usize, value: T) -> Option<T> {
    (!draw.percent(share)).then_some(value)
}
