//! Places on Earth: latitude and longitude in decimal degrees.

use std::fmt::Write as _;

/// Decimals that are kept: about a centimetre.
const DECIMALS: usize = 7;
/// Minutes of a degree, and seconds of a minute.
const SIXTY: f64 = 60.0;

/// Words that say nothing, for the order of numbers tells their units.
const UNITS: [&str; 4] = ["deg", "degrees", "min", "sec"];

/// What a number measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Latitude,
    Longitude,
}

/// A word of the text.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    Number(f64),
    /// An axis by name or, with its sign, by a direction.
    Axis(Axis, Option<f64>),
}

/// Appends `LATITUDE,LONGITUDE`; nothing for what is no place, or is 0,0, which systems fill in.
///
/// Latitude comes first, unless the text names the axes or is a `POINT` of well-known text.
/// Degrees have decimals, or minutes and seconds if a direction stands with them.
pub(super) fn push_coordinates(folded: &str, out: &mut String) {
    let Some((latitude, longitude)) = parse(folded) else {
        return;
    };
    let (latitude, longitude) = (text_of(latitude), text_of(longitude));
    if (latitude.as_str(), longitude.as_str()) == ("0", "0") {
        return;
    }
    let longitude = match (latitude.as_str(), longitude.as_str()) {
        // All meridians meet at a pole, and two of them are one.
        ("90" | "-90", _) => "0",
        (_, "-180") => "180",
        (_, longitude) => longitude,
    };
    let _ = write!(out, "{latitude},{longitude}");
}

/// Returns latitude and longitude in degrees.
fn parse(folded: &str) -> Option<(f64, f64)> {
    let folded = folded.trim();
    if let Some((_, point)) = folded.split_once("point") {
        // Well-known text has x before y.
        let inner = point.trim().strip_prefix('(')?.strip_suffix(')')?;
        let [Word::Number(longitude), Word::Number(latitude)] = words(inner)?[..] else {
            return None;
        };
        return checked(latitude, longitude);
    }
    let folded = folded.strip_prefix("geo:").unwrap_or(folded);
    let words = words(folded)?;
    if let [Word::Number(latitude), Word::Number(longitude)] = words[..] {
        return checked(latitude, longitude);
    }
    let groups = if matches!(words.first(), Some(Word::Axis(..))) {
        words
            .chunk_by(|_, next| !matches!(next, Word::Axis(..)))
            .map(|group| measured(*group.first()?, &group[1..]))
            .collect::<Option<Vec<_>>>()?
    } else {
        words
            .chunk_by(|word, _| !matches!(word, Word::Axis(..)))
            .map(|group| measured(*group.last()?, &group[..group.len() - 1]))
            .collect::<Option<Vec<_>>>()?
    };
    match groups[..] {
        [(Axis::Latitude, latitude), (Axis::Longitude, longitude)]
        | [(Axis::Longitude, longitude), (Axis::Latitude, latitude)] => {
            checked(latitude, longitude)
        }
        _ => None,
    }
}

/// Returns degrees of degrees, minutes and seconds; those of a direction have no sign of their own.
fn measured(axis: Word, numbers: &[Word]) -> Option<(Axis, f64)> {
    let Word::Axis(axis, sign) = axis else {
        return None;
    };
    let mut degrees = 0.0;
    let mut unit = 1.0;
    if numbers.is_empty() || numbers.len() > 3 {
        return None;
    }
    for (place, number) in numbers.iter().enumerate() {
        let Word::Number(number) = *number else {
            return None;
        };
        let is_signed = number.is_sign_negative() && (sign.is_some() || place > 0);
        if is_signed || place > 0 && (number >= SIXTY || sign.is_none()) {
            return None;
        }
        degrees += number / unit;
        unit *= SIXTY;
    }
    Some((axis, degrees * sign.unwrap_or(1.0)))
}

fn checked(latitude: f64, longitude: f64) -> Option<(f64, f64)> {
    (latitude.abs() <= 90.0 && longitude.abs() <= 180.0).then_some((latitude, longitude))
}

/// Lists numbers and axes; none if there is anything else.
fn words(text: &str) -> Option<Vec<Word>> {
    let has_decimal_commas = has_decimal_commas(text);
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let is_number = |c: char| {
            c.is_ascii_digit() || matches!(c, '.' | '-' | '+') || c == ',' && has_decimal_commas
        };
        let len_of = |is_part: &dyn Fn(char) -> bool| {
            let end = rest.find(|c| !is_part(c));
            end.unwrap_or(rest.len())
        };
        if is_number(character) {
            let (number, after) = rest.split_at(len_of(&is_number));
            words.push(Word::Number(number.replace(',', ".").parse().ok()?));
            rest = after;
        } else if character.is_alphabetic() {
            let (word, after) = rest.split_at(len_of(&char::is_alphabetic));
            if !UNITS.contains(&word) {
                words.push(axis_of(word)?);
            }
            rest = after;
        } else {
            rest = &rest[character.len_utf8()..];
        }
    }
    Some(words)
}

/// Tells whether commas are decimal: each stands within digits, and something else separates two numbers.
fn has_decimal_commas(text: &str) -> bool {
    let is_apart = |c: char| c.is_whitespace() || matches!(c, ';' | '/' | '|');
    let mut parts = text.trim().split(is_apart).filter(|part| !part.is_empty());
    let is_decimal = |part: &str| {
        part.split_once(',').is_some_and(|(whole, fraction)| {
            whole.ends_with(|c: char| c.is_ascii_digit())
                && fraction.starts_with(|c: char| c.is_ascii_digit())
                && !fraction.contains(',')
        })
    };
    !text.contains('.')
        && parts.clone().count() > 1
        && parts.all(|p| is_decimal(p) || !p.contains(','))
}

/// Reads a direction or the name of an axis; other words stand in no place.
fn axis_of(word: &str) -> Option<Word> {
    use Axis::{Latitude, Longitude};
    let axis = match word {
        "n" | "north" => Word::Axis(Latitude, Some(1.0)),
        "s" | "south" => Word::Axis(Latitude, Some(-1.0)),
        "e" | "east" => Word::Axis(Longitude, Some(1.0)),
        "w" | "west" => Word::Axis(Longitude, Some(-1.0)),
        "lat" | "latitude" => Word::Axis(Latitude, None),
        "lon" | "long" | "lng" | "longitude" => Word::Axis(Longitude, None),
        _ => return None,
    };
    Some(axis)
}

/// Writes degrees without needless zeros.
fn text_of(degrees: f64) -> String {
    let text = format!("{degrees:.DECIMALS$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}
