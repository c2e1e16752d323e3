//! Calendar dates in many spellings.
//!
//! A day that its month does not have (31 June) is kept: a slip of the pen carries evidence. A
//! month over 12, a day over 31 or a part of 0 makes the value missing, as do dates that systems
//! fill in.

use super::placeholder::is_filler_date;
use super::text::without_fraction;
use crate::DateOrder;

/// Two-digit years up to this one are of this century, later ones of the last.
const PIVOT: u32 = 30;

/// Month names, whole and abbreviated, in the languages of Europe as they are folded.
const MONTHS: [&[&str]; 12] = [
    &[
        "jan",
        "january",
        "januar",
        "janv",
        "janvier",
        "janner",
        "ene",
        "enero",
        "gen",
        "gennaio",
        "janeiro",
        "januari",
        "ianuarie",
        "ianvar",
        "ianvaria",
        "leden",
        "ledna",
        "ocak",
        "stycznia",
        "styczen",
        "sty",
        "tammikuuta",
    ],
    &[
        "feb",
        "february",
        "februar",
        "fev",
        "fevr",
        "fevrier",
        "febrero",
        "febbraio",
        "fevereiro",
        "februari",
        "febr",
        "febbr",
        "februarie",
        "fevral",
        "fevralia",
        "helmikuuta",
        "luty",
        "lutego",
        "lut",
        "subat",
        "unor",
        "unora",
        "feber",
    ],
    &[
        "mar",
        "march",
        "marz",
        "maerz",
        "mrz",
        "mars",
        "marzo",
        "marco",
        "maart",
        "mrt",
        "brezen",
        "brezna",
        "maaliskuuta",
        "marca",
        "marcius",
        "mart",
        "marta",
        "martie",
        "marts",
        "marzec",
    ],
    &[
        "apr",
        "april",
        "avr",
        "avril",
        "abr",
        "abril",
        "aprile",
        "aprel",
        "aprelia",
        "aprilie",
        "aprilis",
        "duben",
        "dubna",
        "huhtikuuta",
        "kwi",
        "kwiecien",
        "kwietnia",
        "nisan",
    ],
    &[
        "may",
        "mai",
        "mayo",
        "mag",
        "maggio",
        "maio",
        "mei",
        "kveten",
        "kvetna",
        "maia",
        "maj",
        "maja",
        "majus",
        "mayis",
        "toukokuuta",
    ],
    &[
        "jun",
        "june",
        "juni",
        "juin",
        "junio",
        "giu",
        "giugno",
        "junho",
        "cerven",
        "cervna",
        "cze",
        "czerwca",
        "czerwiec",
        "haziran",
        "iiun",
        "iiunia",
        "iunie",
        "junius",
        "kesakuuta",
    ],
    &[
        "jul",
        "july",
        "juli",
        "juil",
        "juillet",
        "julio",
        "lug",
        "luglio",
        "julho",
        "cervenec",
        "cervence",
        "heinakuuta",
        "iiul",
        "iiulia",
        "iulie",
        "julius",
        "lip",
        "lipca",
        "lipiec",
        "temmuz",
    ],
    &[
        "aug",
        "august",
        "aout",
        "ago",
        "agosto",
        "augustus",
        "agustos",
        "augusti",
        "augusztus",
        "avgust",
        "avgusta",
        "elokuuta",
        "sie",
        "sierpien",
        "sierpnia",
        "srpen",
        "srpna",
    ],
    &[
        "sep",
        "sept",
        "september",
        "septembre",
        "septiembre",
        "set",
        "settembre",
        "setembro",
        "setiembre",
        "eylul",
        "sentiabr",
        "sentiabria",
        "septembrie",
        "syyskuuta",
        "szeptember",
        "wrz",
        "wrzesien",
        "wrzesnia",
        "zari",
    ],
    &[
        "oct",
        "october",
        "okt",
        "oktober",
        "octobre",
        "octubre",
        "ott",
        "ottobre",
        "out",
        "outubro",
        "ekim",
        "lokakuuta",
        "octombrie",
        "oktiabr",
        "oktiabria",
        "paz",
        "pazdziernik",
        "pazdziernika",
        "rijen",
        "rijna",
    ],
    &[
        "nov",
        "november",
        "novembre",
        "noviembre",
        "novembro",
        "kasim",
        "lis",
        "listopad",
        "listopada",
        "listopadu",
        "marraskuuta",
        "noiabr",
        "noiabria",
        "noiembrie",
    ],
    &[
        "dec",
        "december",
        "dez",
        "dezember",
        "decembre",
        "dic",
        "diciembre",
        "dicembre",
        "dezembro",
        "aralik",
        "decembrie",
        "dekabr",
        "dekabria",
        "desember",
        "gru",
        "grudnia",
        "grudzien",
        "joulukuuta",
        "prosince",
        "prosinec",
    ],
];

/// Words around the parts of a date that say nothing: fillers, weekdays, and 年 月 日 as transliterated.
const FILLERS: &[&str] = &[
    "de",
    "del",
    "di",
    "den",
    "der",
    "le",
    "of",
    "the",
    "on",
    "g",
    "nian",
    "yue",
    "ri",
    "mon",
    "monday",
    "tue",
    "tues",
    "tuesday",
    "wed",
    "wednesday",
    "thu",
    "thur",
    "thurs",
    "thursday",
    "fri",
    "friday",
    "sat",
    "saturday",
    "sun",
    "sunday",
    "montag",
    "dienstag",
    "mittwoch",
    "donnerstag",
    "freitag",
    "samstag",
    "sonntag",
    "lundi",
    "mardi",
    "mercredi",
    "jeudi",
    "vendredi",
    "samedi",
    "dimanche",
];

/// A part of a written date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// A number and how many digits it has.
    Number { value: u32, len: usize },
    /// A month by name.
    Month(u32),
}

/// A date whose parts are in range, which the day need not be in its month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Date {
    year: u32,
    month: u32,
    day: u32,
}

/// Appends the date as `YYYY-MM-DD`.
pub(super) fn push_date(folded: &str, order: DateOrder, out: &mut String) {
    let Some(date) = parse(folded, order) else {
        return;
    };
    let text = format!("{:04}-{:02}-{:02}", date.year, date.month, date.day);
    if !is_filler_date(&text) {
        out.push_str(&text);
    }
}

fn parse(folded: &str, order: DateOrder) -> Option<Date> {
    let text = without_time(without_fraction(folded.trim()));
    // A dot between numbers is European: the day comes first wherever it is written.
    let order = if is_dotted(text) {
        DateOrder::Dmy
    } else {
        order
    };
    match pieces(text)?.as_slice() {
        [Piece::Number { value, len: 8 }] => compact(*value, order),
        [a, b, c] => three(*a, *b, *c, order),
        _ => None,
    }
}

/// Cuts off a time of day: what follows a `t` or a space, up to the first colon.
fn without_time(text: &str) -> &str {
    let Some(colon) = text.find(':') else {
        let text = text.strip_suffix('z').unwrap_or(text);
        return without_plain_time(text).unwrap_or(text);
    };
    let hour = text[..colon].trim_end_matches(|c: char| c.is_ascii_digit());
    hour.trim_end_matches(['t', ' ', ','])
}

/// Cuts off a time of day without colons, `10.11.12` or `t101112`, after what is a whole date.
fn without_plain_time(text: &str) -> Option<&str> {
    let (date, time) = text.rsplit_once([' ', 't'])?;
    let is_clock = |part: &str| part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit());
    let is_dotted = (2..=3).contains(&time.split('.').count())
        && time
            .split('.')
            .all(|part| !part.is_empty() && is_clock(part));
    let is_compact = matches!(time.len(), 4 | 6)
        && text[date.len()..].starts_with('t')
        && time.bytes().all(|b| b.is_ascii_digit());
    let is_whole = match pieces(date)?.as_slice() {
        [Piece::Number { len: 8, .. }] => true,
        pieces => pieces.len() == 3,
    };
    ((is_dotted || is_compact) && is_whole).then_some(date)
}

fn is_dotted(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2 && !text.contains(['/', '-'])
}

/// Splits a text into numbers and month names; a word that is neither makes it no date.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    const PIECES_MAX: usize = 4;
    let mut pieces = Vec::with_capacity(PIECES_MAX);
    let mut rest = text;
    while let Some(start) = rest.find(char::is_alphanumeric) {
        rest = &rest[start..];
        let digit = rest.starts_with(|c: char| c.is_ascii_digit());
        let same = |c: char| {
            if digit {
                c.is_ascii_digit()
            } else {
                c.is_alphabetic()
            }
        };
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
        if end == 0 || pieces.len() == PIECES_MAX {
            return None;
        }
        let (word, after) = rest.split_at(end);
        rest = after;
        if digit {
            let value = word.parse().ok().filter(|_| word.len() <= 8)?;
            pieces.push(Piece::Number {
                value,
                len: word.len(),
            });
            rest = without_ordinal(rest);
        } else if let Some(month) = month_of(word) {
            pieces.push(Piece::Month(month));
        } else if !FILLERS.contains(&word) {
            return None;
        }
    }
    Some(pieces)
}

/// Cuts the ending of an ordinal number off.
fn without_ordinal(text: &str) -> &str {
    let endings = ["st", "nd", "rd", "th", "er"];
    let cut = endings.iter().find_map(|ending| text.strip_prefix(ending));
    cut.filter(|rest| !rest.starts_with(char::is_alphanumeric))
        .unwrap_or(text)
}

fn month_of(word: &str) -> Option<u32> {
    let index = MONTHS.iter().position(|names| names.contains(&word))?;
    Some(index as u32 + 1)
}

/// Reads eight digits: year first if that makes a date, else year last.
fn compact(value: u32, order: DateOrder) -> Option<Date> {
    const YEARS: std::ops::RangeInclusive<u32> = 1800..=2200;
    let first = date(value / 10_000, value / 100 % 100, value % 100);
    let (a, b, year) = (value / 1_000_000, value / 10_000 % 100, value % 10_000);
    let last = || in_order(year, a, b, order);
    match first {
        Some(date) if YEARS.contains(&date.year) => first,
        _ => last()
            .filter(|date| YEARS.contains(&date.year))
            .or(first)
            .or_else(last),
    }
}

fn three(a: Piece, b: Piece, c: Piece, order: DateOrder) -> Option<Date> {
    use Piece::{Month, Number};
    match (a, b, c) {
        (Number { value: year, len }, Number { value: month, .. }, Number { value: day, .. })
            if is_year(year, len) =>
        {
            let year = full_year(year, len)?;
            date(year, month, day).or_else(|| date(year, day, month))
        }
        (
            Number {
                value: a,
                len: 1..=2,
            },
            Number {
                value: b,
                len: 1..=2,
            },
            Number { value, len },
        ) => in_order(full_year(value, len)?, a, b, order),
        (
            Number { value: year, len },
            Month(month),
            Number {
                value: day,
                len: 1..=2,
            },
        )
        | (
            Month(month),
            Number { value: year, len },
            Number {
                value: day,
                len: 1..=2,
            },
        ) if is_year(year, len) => date(full_year(year, len)?, month, day),
        (Number { value: day, .. }, Month(month), Number { value, len })
        | (Month(month), Number { value: day, .. }, Number { value, len })
        | (Number { value: day, .. }, Number { value, len }, Month(month)) => {
            date(full_year(value, len)?, month, day)
        }
        _ => None,
    }
}

/// Tells whether a number can only be a year.
fn is_year(value: u32, len: usize) -> bool {
    len == 4 || value > 31
}

fn full_year(value: u32, len: usize) -> Option<u32> {
    match len {
        4 => Some(value),
        2 if value <= PIVOT => Some(2000 + value),
        2 => Some(1900 + value),
        _ => None,
    }
}

/// Reads day and month in an order, or the other way round if only that makes a date.
fn in_order(year: u32, a: u32, b: u32, order: DateOrder) -> Option<Date> {
    let (day, month) = if order == DateOrder::Dmy {
        (a, b)
    } else {
        (b, a)
    };
    date(year, month, day).or_else(|| date(year, day, month))
}

fn date(year: u32, month: u32, day: u32) -> Option<Date> {
    let in_range =
        (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    in_range.then_some(Date { year, month, day })
}
