//! Street address lines.

use super::text::{push_joined, replaced};
use super::word_filter::WordFilter;

/// Kinds of streets: what is written to what is kept; in byte order.
const TYPES: &[(&str, &str)] = &[
    ("al", "aly"),
    ("alley", "aly"),
    ("aly", "aly"),
    ("av", "ave"),
    ("avda", "ave"),
    ("ave", "ave"),
    ("avenida", "ave"),
    ("avenue", "ave"),
    ("bd", "blvd"),
    ("blvd", "blvd"),
    ("boul", "blvd"),
    ("boulevard", "blvd"),
    ("bvd", "blvd"),
    ("bypass", "byp"),
    ("carretera", "ctra"),
    ("chaussee", "chaussee"),
    ("chemin", "chem"),
    ("cir", "cir"),
    ("circle", "cir"),
    ("circuit", "cct"),
    ("cl", "cl"),
    ("close", "cl"),
    ("court", "ct"),
    ("cove", "cv"),
    ("cres", "cres"),
    ("crescent", "cres"),
    ("cresent", "cres"),
    ("crt", "ct"),
    ("ct", "ct"),
    ("ctra", "ctra"),
    ("dr", "dr"),
    ("drive", "dr"),
    ("drv", "dr"),
    ("esplanade", "esp"),
    ("expressway", "expy"),
    ("freeway", "fwy"),
    ("gardens", "gdns"),
    ("gdns", "gdns"),
    ("gr", "gr"),
    ("grove", "gr"),
    ("grv", "gr"),
    ("highway", "hwy"),
    ("hwy", "hwy"),
    ("junction", "jct"),
    ("lane", "ln"),
    ("ln", "ln"),
    ("loop", "loop"),
    ("mews", "mews"),
    ("parade", "pde"),
    ("parkway", "pkwy"),
    ("paseo", "paseo"),
    ("pde", "pde"),
    ("piazza", "plz"),
    ("pkwy", "pkwy"),
    ("pky", "pkwy"),
    ("pl", "pl"),
    ("place", "pl"),
    ("plaza", "plz"),
    ("plz", "plz"),
    ("promenade", "prom"),
    ("rd", "rd"),
    ("road", "rd"),
    ("route", "rte"),
    ("row", "row"),
    ("rte", "rte"),
    ("sq", "sq"),
    ("square", "sq"),
    ("st", "st"),
    ("str", "str"),
    ("straat", "str"),
    ("strasse", "str"),
    ("street", "st"),
    ("strt", "st"),
    ("ter", "ter"),
    ("terr", "ter"),
    ("terrace", "ter"),
    ("tpke", "tpke"),
    ("trail", "trl"),
    ("trl", "trl"),
    ("turnpike", "tpke"),
    ("walk", "walk"),
    ("way", "way"),
    ("wy", "way"),
];

/// Other words of addresses: directions, small ordinals, marks of units; in byte order.
const WORDS: &[(&str, &str)] = &[
    ("#", UNIT),
    ("apartment", UNIT),
    ("appartement", UNIT),
    ("appt", UNIT),
    ("apt", UNIT),
    ("bld", BUILDING),
    ("blk", BUILDING),
    ("block", BUILDING),
    ("building", BUILDING),
    ("center", "ctr"),
    ("centre", "ctr"),
    ("depto", UNIT),
    ("east", "e"),
    ("eighth", "8th"),
    ("etage", FLOOR),
    ("fifth", "5th"),
    ("first", "1st"),
    ("flat", UNIT),
    ("flr", FLOOR),
    ("fort", "ft"),
    ("fourth", "4th"),
    ("heights", "hts"),
    ("level", FLOOR),
    ("lvl", FLOOR),
    ("mount", "mt"),
    ("ninth", "9th"),
    ("north", "n"),
    ("northeast", "ne"),
    ("northwest", "nw"),
    ("nr", NUMBER),
    ("num", NUMBER),
    ("number", NUMBER),
    ("piso", FLOOR),
    ("rm", UNIT),
    ("room", UNIT),
    ("saint", "st"),
    ("second", "2nd"),
    ("seventh", "7th"),
    ("sixth", "6th"),
    ("south", "s"),
    ("southeast", "se"),
    ("southwest", "sw"),
    ("ste", UNIT),
    ("stock", FLOOR),
    ("suite", UNIT),
    ("tenth", "10th"),
    ("third", "3rd"),
    ("west", "w"),
    ("wohnung", UNIT),
];

const UNIT: &str = "unit";
const FLOOR: &str = "floor";
const BUILDING: &str = "bldg";
const COMMA: &str = ",";
/// Stands before a house number and says nothing.
const NUMBER: &str = "no";

/// Appends the address: words in one spelling, units (`unit7`, `floor2`, `bldg3`) at the end.
pub(super) fn push_street(folded: &str, out: &mut String) {
    let cleaned = cleaned(folded);
    let unit_first = leading_unit(&cleaned);
    let rest = unit_first
        .as_ref()
        .map_or(cleaned.as_str(), |(_, rest)| *rest);
    let mut units: Vec<String> = unit_first
        .iter()
        .map(|(unit, _)| format!("{UNIT}{unit}"))
        .collect();
    let words = rest.split([' ', '/']).filter(|word| !word.is_empty());
    let mut words: Vec<&str> = words.map(spelling).collect();
    // Taking words away brings others together that may mean something else.
    loop {
        let count = words.len();
        words = joined_post_box(&words);
        words = without_units(&without_number_marks(&words), &mut units);
        if words.len() == count {
            break;
        }
    }
    push_joined(
        words.into_iter().chain(units.iter().map(String::as_str)),
        out,
    );
}

/// Tells whether a folded word names a kind of street.
pub(super) fn is_street_type(word: &str) -> bool {
    TYPES.binary_search_by_key(&word, |(from, _)| from).is_ok()
}

/// Tells whether a folded word announces a flat, floor or building.
pub(super) fn is_unit_mark(word: &str) -> bool {
    matches!(replaced(WORDS, word), UNIT | FLOOR | BUILDING)
}

/// Keeps letters, digits and `/`; `#` and commas become words; apostrophes vanish.
fn cleaned(folded: &str) -> String {
    let mut text = String::with_capacity(folded.len() + 8);
    for character in folded.chars() {
        match character {
            '\'' | '`' => {}
            '#' => text.push_str(" # "),
            ',' => text.push_str(" , "),
            '/' => text.push('/'),
            _ if character.is_alphanumeric() => text.push(character),
            _ => text.push(' '),
        }
    }
    text
}

/// Splits `2/98 king st`, a unit before its house, into the unit and the rest.
fn leading_unit(cleaned: &str) -> Option<(&str, &str)> {
    let (unit, rest) = cleaned.trim_start().split_once('/')?;
    let fits = unit.len() <= 5 && unit.bytes().all(|b| b.is_ascii_alphanumeric());
    (fits && has_digit(unit) && rest.starts_with(|c: char| c.is_ascii_digit()))
        .then_some((unit, rest))
}

fn spelling(word: &str) -> &str {
    static WORD_FILTER: WordFilter = WordFilter::of_replaced(WORDS);
    static TYPE_FILTER: WordFilter = WordFilter::of_replaced(TYPES);
    let mut kept = word;
    if WORD_FILTER.may_hold(kept) {
        kept = replaced(WORDS, kept);
    }
    if TYPE_FILTER.may_hold(kept) {
        kept = replaced(TYPES, kept);
    }
    let short = kept
        .strip_suffix("asse")
        .filter(|short| short.ends_with("str"));
    short.unwrap_or(kept)
}

/// Writes every spelling of a post-office box as `po box`.
fn joined_post_box<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut joined: Vec<&str> = Vec::with_capacity(words.len() + 1);
    for word in words {
        match *word {
            "box" if joined.ends_with(&["p", "o"]) => {
                joined.truncate(joined.len() - 2);
                joined.extend(["po", "box"]);
            }
            "pobox" | "postbox" | "postfach" | "pob" => joined.extend(["po", "box"]),
            word => joined.push(word),
        }
    }
    joined
}

/// Drops what only announces a house number.
fn without_number_marks<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut kept = Vec::with_capacity(words.len());
    for word in words {
        while has_leading_digit(word) && kept.last() == Some(&NUMBER) {
            kept.pop();
        }
        kept.push(*word);
    }
    kept
}

/// Returns the words that name no unit; units are appended to `units` as one word each.
///
/// A mark without a number says nothing and is dropped, as are commas once they kept what is
/// before them apart from what is behind.
fn without_units<'a>(words: &[&'a str], units: &mut Vec<String>) -> Vec<&'a str> {
    let mut kept = Vec::with_capacity(words.len());
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        if let Some(unit) = after.first().and_then(|next| unit_of(word, next)) {
            units.push(unit);
            rest = &after[1..];
        } else if is_unit(word) {
            units.push((*word).to_owned());
        } else if !matches!(*word, UNIT | FLOOR | BUILDING | COMMA) {
            kept.push(*word);
        }
    }
    kept
}

/// Reads two words as a unit: a mark and its number, or an ordinal and a floor.
fn unit_of(word: &str, next: &str) -> Option<String> {
    match word {
        UNIT if is_unit_number(next) => Some(format!("{UNIT}{next}")),
        FLOOR | BUILDING if has_leading_digit(next) => Some(format!("{word}{next}")),
        _ if next == FLOOR => ordinal_digits(word).map(|digits| format!("{FLOOR}{digits}")),
        _ => None,
    }
}

/// Tells whether a word is a unit in the form that is kept.
fn is_unit(word: &str) -> bool {
    word.strip_prefix(UNIT).is_some_and(is_unit_number)
        || [FLOOR, BUILDING]
            .iter()
            .any(|m| word.strip_prefix(m).is_some_and(has_leading_digit))
}

fn is_unit_number(word: &str) -> bool {
    has_digit(word) && !is_unit(word) || word.len() == 1 && word != COMMA
}

fn has_digit(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit())
}

fn has_leading_digit(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

fn ordinal_digits(word: &str) -> Option<&str> {
    let digits = word.get(..word.len().checked_sub(2)?)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && matches!(&word[digits.len()..], "st" | "nd" | "rd" | "th")).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order() {
        assert!(TYPES.is_sorted(), "{TYPES:?}");
        assert!(WORDS.is_sorted(), "{WORDS:?}");
    }
}
