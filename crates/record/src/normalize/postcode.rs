//! Postal codes.

/// The digits of a United States code without its extension.
const ZIP_LEN: usize = 5;
/// The fewest digits of a code that lost its leading zeros in a number column.
const SHORT_ZIP_LEN_MIN: usize = 3;

/// Appends the letters and digits in upper case.
///
/// An extended United States code (`12345-6789`) loses its extension; in that region, zeros that
/// a number column lost are put back.
pub(super) fn push_postcode(folded: &str, region: Option<&str>, out: &mut String) {
    let text = folded.trim();
    let text = text.strip_suffix(".0").unwrap_or(text);
    let text = match text.split_once('-') {
        Some((zip, extension)) if is_number(zip, ZIP_LEN) && is_number(extension, 4) => zip,
        _ => text,
    };
    let start = out.len();
    let kept = text.chars().filter(|c| c.is_alphanumeric());
    out.extend(kept.map(|c| c.to_ascii_uppercase()));
    let code = &out[start..];
    if code.bytes().all(|byte| byte == b'0') {
        out.truncate(start);
    } else if is_region(region, "US") && (SHORT_ZIP_LEN_MIN..ZIP_LEN).any(|n| is_number(code, n)) {
        let zeros = "0".repeat(ZIP_LEN - code.len());
        out.insert_str(start, &zeros);
    }
}

fn is_region(region: Option<&str>, name: &str) -> bool {
    region.is_some_and(|region| region.eq_ignore_ascii_case(name))
}

fn is_number(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit())
}
