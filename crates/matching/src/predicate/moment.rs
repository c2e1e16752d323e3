//! Dates and times as texts write them.

use crate::day::{civil_of_days, days_of_civil};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// What `strptime` expects, piece by piece.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    Hour,
    Minute,
    Second,
    Fraction,
    Sign(char),
}

/// A format of `strptime`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format(Vec<Piece>);

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl Format {
    /// Reads a format; the error names what it does not know.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            if character != '%' {
                pieces.push(Piece::Sign(character));
                continue;
            }
            pieces.push(match characters.next() {
                Some('Y') => Piece::Year,
                Some('y') => Piece::ShortYear,
                Some('m') => Piece::Month,
                Some('b' | 'B') => Piece::MonthName,
                Some('d') => Piece::Day,
                Some('H') => Piece::Hour,
                Some('M') => Piece::Minute,
                Some('S') => Piece::Second,
                Some('f') => Piece::Fraction,
                Some('%') => Piece::Sign('%'),
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(format!(
                        "`%{other}` is not known in a format; known are %Y %y %m %b %B %d %H %M %S %f"
                    ));
                }
            });
        }
        Ok(Self(pieces))
    }

    /// Returns the moment a text tells, in microseconds since 1970; none if it is not so written.
    pub(super) fn parse(&self, text: &str) -> Option<i64> {
        let mut rest = text.trim_matches(|c: char| c.is_ascii_whitespace());
        let (mut date, mut time, mut fraction) = ([1900, 1, 1], [0, 0, 0], 0);
        for piece in &self.0 {
            match piece {
                Piece::Sign(sign) => rest = rest.strip_prefix(*sign)?,
                Piece::Year => date[0] = digits(&mut rest, 4)?,
                Piece::ShortYear => {
                    let year = digits(&mut rest, 2)?;
                    date[0] = year + if year < 69 { 2000 } else { 1900 };
                }
                Piece::Month => date[1] = digits(&mut rest, 2)?,
                Piece::MonthName => date[1] = month_name(&mut rest)?,
                Piece::Day => date[2] = digits(&mut rest, 2)?,
                Piece::Hour => time[0] = digits(&mut rest, 2)?,
                Piece::Minute => time[1] = digits(&mut rest, 2)?,
                Piece::Second => time[2] = digits(&mut rest, 2)?,
                Piece::Fraction => {
                    let before = rest.len();
                    let read = digits(&mut rest, 6)?;
                    fraction = i64::from(read) * 10_i64.pow(6 - (before - rest.len()) as u32);
                }
            }
        }
        if !rest.is_empty() {
            return None;
        }
        moment(date, time, fraction)
    }
}

fn moment(date: [i32; 3], [hour, minute, second]: [i32; 3], fraction: i64) -> Option<i64> {
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_of_civil(date)?;
    let seconds = i64::from(days) * SECONDS_PER_DAY + i64::from(hour * 3600 + minute * 60 + second);
    Some(seconds * MICROS_PER_SECOND + fraction)
}

/// Reads one to so many digits.
fn digits(rest: &mut &str, len_max: usize) -> Option<i32> {
    let len = rest
        .bytes()
        .take(len_max)
        .take_while(u8::is_ascii_digit)
        .count();
    let (read, after) = rest.split_at(len);
    *rest = after;
    read.parse().ok()
}

/// Reads the name of a month, whole or its first three letters.
fn month_name(rest: &mut &str) -> Option<i32> {
    let starts = |name: &str| {
        let head = rest.get(..name.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(name))
    };
    let whole = MONTHS.iter().position(|name| starts(name));
    let (index, len) = match whole {
        Some(index) => (index, MONTHS.get(index)?.len()),
        None => (MONTHS.iter().position(|name| starts(&name[..3]))?, 3),
    };
    *rest = &rest[len..];
    Some(index as i32 + 1)
}

/// Reads `2001-02-03`, with a time of day or without.
pub(super) fn of_iso(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "0:0:0"));
    let (time, fraction) = time
        .trim_end_matches('Z')
        .split_once('.')
        .unwrap_or((time.trim_end_matches('Z'), ""));
    let micros = format!("{fraction:0<6}");
    let format = Format(vec![
        Piece::Year,
        Piece::Sign('-'),
        Piece::Month,
        Piece::Sign('-'),
        Piece::Day,
    ]);
    let mut parts = time.split(':').map(|part| part.parse::<u16>().ok());
    let mut part = || parts.next().unwrap_or(Some(0)).map(i64::from);
    let seconds = part()? * 3600 + part()? * 60 + part()?;
    Some(format.parse(date)? + seconds * MICROS_PER_SECOND + micros.get(..6)?.parse::<i64>().ok()?)
}

/// Writes a moment as SQL does.
pub(super) fn written(moment: i64) -> String {
    let seconds = moment.div_euclid(MICROS_PER_SECOND);
    let [year, month, day] = civil_of(moment);
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// A unit in which two moments may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    Month,
    Year,
}

/// Returns how many borders of a unit lie between two moments.
pub(super) fn difference(unit: Unit, from: i64, to: i64) -> i64 {
    let day = |moment: i64| moment.div_euclid(SECONDS_PER_DAY * MICROS_PER_SECOND);
    let ([from_year, from_month, _], [to_year, to_month, _]) = (civil_of(from), civil_of(to));
    match unit {
        Unit::Day => day(to) - day(from),
        Unit::Month => (to_year - from_year) * 12 + to_month - from_month,
        Unit::Year => to_year - from_year,
    }
}

/// Year, month and day of a moment.
pub(super) fn civil_of(moment: i64) -> [i64; 3] {
    civil_of_days(moment.div_euclid(SECONDS_PER_DAY * MICROS_PER_SECOND))
}
