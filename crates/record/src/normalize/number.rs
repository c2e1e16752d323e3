//! Decimal numbers.

/// The most digits of a number, as read and as written.
const DIGITS_MAX: usize = 64;
/// The longest text of a duration.
const DURATION_LEN_MAX: usize = 32;
/// The largest power of ten in scientific notation.
const EXPONENT_MAX: u32 = 64;

/// Appends the number in plain decimal text: no sign but minus, no separators, no needless zeros; of a
/// duration in hours, minutes and seconds, its seconds.
pub(super) fn push_number(folded: &str, out: &mut String) {
    let text = folded.trim();
    if let Some(seconds) = seconds_of(text) {
        out.push_str(&seconds.to_string());
        return;
    }
    let in_brackets = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'));
    let (text, negative) = (in_brackets.unwrap_or(text), in_brackets.is_some());
    // Currencies and units may stand around a number.
    let is_around = |c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.' | ',');
    let text = text
        .trim_start_matches(is_around)
        .trim_end_matches(|c: char| !c.is_ascii_digit());
    let signed = text.strip_prefix(['-', '+']);
    let negative = negative || text.starts_with('-');
    let text = signed.unwrap_or(text).trim_start_matches(is_around);
    if let Some((digits, point)) = parse(text) {
        push_decimal(negative, &digits, point, out);
    }
}

/// Reads durations: 3:25, 1:03:25, 3m 25s, 1 h 3 min.
fn seconds_of(text: &str) -> Option<u32> {
    if text.len() > DURATION_LEN_MAX || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if text.contains(':') {
        return seconds_by_place(text);
    }
    // Units tell more than a number only where there are two of them.
    let mut parts = 0;
    let (mut seconds, mut last, mut rest) = (0_u32, u32::MAX, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let worth = match unit {
            "h" | "hr" | "hrs" | "hour" | "hours" | "std" => 3_600,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "s" | "sec" | "secs" | "second" | "seconds" | "sek" => 1,
            _ => return None,
        };
        if worth >= last {
            return None;
        }
        let more = number.parse::<u32>().ok()?.checked_mul(worth)?;
        seconds = seconds.checked_add(more)?;
        last = worth;
        parts += 1;
        rest = after.trim_start_matches(['.', ',', ' ']);
    }
    (parts > 1).then_some(seconds)
}

/// Reads parts between colons, each but the first of two digits below sixty.
fn seconds_by_place(text: &str) -> Option<u32> {
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b':')
    {
        return None;
    }
    let mut parts = text.split(':');
    let mut seconds = parts.next()?.parse::<u32>().ok()?;
    let mut count = 1;
    for part in parts {
        let value = part.parse::<u32>().ok().filter(|&value| value < 60)?;
        if part.len() != 2 {
            return None;
        }
        seconds = seconds.checked_mul(60)?.checked_add(value)?;
        count += 1;
    }
    (2..=3).contains(&count).then_some(seconds)
}

/// Reads digits and the place of the decimal point among them.
fn parse(text: &str) -> Option<(String, i32)> {
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    // Before any arithmetic: what follows adds to it and writes so many zeros.
    if exponent.unsigned_abs() > EXPONENT_MAX {
        return None;
    }
    let (whole, fraction) = split_decimal(mantissa);
    let is_separator = |c: char| matches!(c, ',' | '.' | ' ' | '\'' | '_');
    if !whole.chars().all(|c| c.is_ascii_digit() || is_separator(c)) || !is_grouped(whole) {
        return None;
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut digits: String = whole.chars().filter(char::is_ascii_digit).collect();
    let point = digits.len() as i32 + exponent;
    digits.push_str(fraction);
    (1..=DIGITS_MAX)
        .contains(&digits.len())
        .then_some((digits, point))
}

/// Splits at the decimal point or comma; a single comma before three digits groups thousands.
fn split_decimal(text: &str) -> (&str, &str) {
    let Some(last) = text.rfind(['.', ',']) else {
        return (text, "");
    };
    let (whole, fraction) = (&text[..last], &text[last + 1..]);
    let sign = text.as_bytes()[last];
    let same = whole.bytes().filter(|byte| *byte == sign).count();
    let other = whole.contains(if sign == b'.' { ',' } else { '.' });
    let groups = same > 0 || (sign == b',' && !other && fraction.len() == 3 && !whole.is_empty());
    if groups {
        (text, "")
    } else {
        (whole, fraction)
    }
}

/// Tells whether separators, where there are any, stand before three digits each, or as in India:
/// before the last three digits, and before pairs of those in front of them.
fn is_grouped(whole: &str) -> bool {
    let groups = || whole.split(|c: char| !c.is_ascii_digit()).map(str::len);
    let are_pairs = || {
        let before = groups().count() - 1;
        groups().next_back() == Some(3)
            && groups().next().is_some_and(|len| (1..=2).contains(&len))
            && groups().take(before).skip(1).all(|len| len == 2)
            && !whole.contains(|c: char| !c.is_ascii_digit() && c != ',')
    };
    groups().skip(1).all(|len| len == 3) || are_pairs()
}

fn push_decimal(negative: bool, digits: &str, point: i32, out: &mut String) {
    let zeros_before = (-point).max(0) as usize;
    let zeros_after = (point - digits.len() as i32).max(0) as usize;
    let padded = format!(
        "{}{digits}{}",
        "0".repeat(zeros_before),
        "0".repeat(zeros_after)
    );
    let (whole, fraction) = padded.split_at(point.max(0) as usize);
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if whole.len().max(1) + fraction.len() > DIGITS_MAX {
        return;
    }
    if negative && !(whole.is_empty() && fraction.is_empty()) {
        out.push('-');
    }
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
}
