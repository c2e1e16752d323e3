//! Whether the names of columns are names: a file without a header has values there.

use super::InitError;
use super::sample::SourceSample;
use super::shape::Shape;

/// So many digits, and so large a share of letters and digits together, make a cell a value.
const DIGITS_MIN: usize = 4;
const DIGIT_SHARE_MIN: f64 = 0.6;

/// Refuses a source whose columns seem to be named by the values of a first record.
///
/// A name is told in settings, reports and errors, so nothing of it is quoted here.
pub(super) fn check(source_name: &str, sample: &SourceSample) -> Result<(), InitError> {
    let names: Vec<&str> = sample.columns.iter().map(|c| c.name.trim()).collect();
    let numbered = is_numbered(&names);
    let values = names.iter().filter(|name| !numbered && is_value(name));
    let values = values.count();
    let recurring = (0..names.len()).filter(|&column| recurs(sample, &names, column));
    let recurring = recurring.count();
    // One column may bear the name of a value: `active`, with `active` in its rows.
    let is_recurring = recurring > 1 && recurring * 3 >= names.len();
    if values == 0 && !is_recurring {
        return Ok(());
    }
    Err(InitError::NoHeader {
        source_name: source_name.to_owned(),
        count: values.max(recurring),
        columns: names.len(),
    })
}

/// Returns whether columns are just counted: 0, 1, 2 or 1, 2, 3.
fn is_numbered(names: &[&str]) -> bool {
    let counts_from = |first: usize| {
        let mut counted = names.iter().enumerate();
        counted.all(|(index, name)| name.parse() == Ok(first + index))
    };
    counts_from(0) || counts_from(1)
}

/// Returns whether a name reads as an e-mail address, a date, a number or a telephone number.
fn is_value(name: &str) -> bool {
    let shape = Shape::of(std::iter::once(name));
    let alphanumeric = name.chars().filter(|c| c.is_alphanumeric()).count();
    let digits = name.chars().filter(char::is_ascii_digit).count();
    let is_year = shape.year > 0.0;
    let is_number = digits > 0 && shape.number > 0.0 && !is_year;
    let is_code = digits >= DIGITS_MIN
        && !name.contains(['_', ' '])
        && digits as f64 >= DIGIT_SHARE_MIN * alphanumeric as f64
        && !is_year;
    shape.email > 0.0 || shape.phone > 0.0 || shape.date > 0.0 && digits > 0 || is_number || is_code
}

/// Returns whether the name of a column is one of its values, rows that repeat the header left out.
fn recurs(sample: &SourceSample, names: &[&str], column: usize) -> bool {
    let share = sample.share_of(|row| {
        let is_header = row
            .iter()
            .zip(names)
            .all(|(cell, name)| cell.as_deref().unwrap_or_default() == *name);
        !is_header && row[column].as_deref() == Some(names[column])
    });
    share > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_from_names() {
        for value in [
            "ann.lee@mail.test",
            "1978-03-04",
            "04/03/1978",
            "17",
            "-3.5",
            "+44 20 7946 0018",
            "(555) 010-4477",
            "078-05-1120",
            "K00012",
        ] {
            assert!(is_value(value), "{value}");
        }
        for name in [
            "email",
            "e-mail",
            "2019",
            "address2",
            "addr_line_1",
            "iso3166",
            "date of birth",
            "Geb.-Datum",
            "phone1",
            "md5",
            "",
            "may",
            "ISBN13",
            "q1_2019",
        ] {
            assert!(!is_value(name), "{name}");
        }
    }

    #[test]
    fn counted_columns_are_named_and_a_lone_number_is_not() {
        assert!(is_numbered(&["0", "1", "2"]) && is_numbered(&["1", "2"]));
        assert!(!is_numbered(&["1", "Ann", "Lee"]));
    }
}
