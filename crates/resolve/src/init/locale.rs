//! Where a source lies, and how its numbers and dates are read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sameas_record::DateOrder;
use sameas_source::{OneOrMany, SecretPlace, SourceSettings, is_mysql, is_postgres};

use super::map::Profile;
use super::role::Role;
use super::{InitError, address};
use crate::settings::is_inline;

/// How much of a file is looked at for its delimiter, in bytes.
const HEAD_LEN: u64 = 64 * 1024;

/// Returns the variable that clients of the database at an address take a password from.
fn password_variable(text: &str) -> Option<&'static str> {
    if is_postgres(text) {
        Some("PGPASSWORD")
    } else {
        is_mysql(text).then_some("MYSQL_PWD")
    }
}

/// Tells whether a text may be meant as an address: it has a scheme or begins like one, or has an
/// account before a host.
fn is_like_an_address(text: &str) -> bool {
    let head: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    let schemes = ["postgres", "postgresql", "mysql", "mariadb"];
    let is_scheme = schemes
        .iter()
        .any(|scheme| head.eq_ignore_ascii_case(scheme));
    let goes_on = text.get(head.len()..).unwrap_or_default();
    text.contains("://") || text.contains('@') || is_scheme && goes_on.starts_with([':', '/'])
}

/// Makes the settings of the source that a file is, named after the file's stem, or a table of a
/// database (`postgres://user@host/database#schema.table`, `mysql://…#table`), named after the table.
pub(super) fn source_of(
    file: &Path,
    folder: &Path,
    others: &[SourceSettings],
) -> Result<SourceSettings, InitError> {
    let text = file.to_str().unwrap_or_default();
    let variable = password_variable(text);
    let is_database = variable.is_some();
    // What is no file may be a malformed address with a secret anywhere, so it is not told.
    if is_inline(text) || !is_database && is_like_an_address(text) && !file.exists() {
        let number = others.len() + 1;
        return Err(InitError::Address { number });
    }
    let (uri, table) = match text.rsplit_once('#') {
        Some((uri, table)) if is_database => (one(uri), Some(table.to_owned())),
        _ if is_database => (one(text), None),
        _ => (address(file, folder)?, None),
    };
    let named_after = match &table {
        Some(table) => table.rsplit('.').next().unwrap_or(table).trim_matches('"'),
        None if is_database => "source",
        None => {
            let name = file.file_name().and_then(|name| name.to_str());
            let name = name.unwrap_or("source");
            name.split('.').next().unwrap_or(name)
        }
    };
    let set = variable.filter(|variable| std::env::var_os(variable).is_some());
    let password = set.map(|variable| SecretPlace {
        env: Some(variable.to_owned()),
        file: None,
    });
    Ok(SourceSettings {
        name: free_name(named_after, others),
        uri: Some(uri),
        table,
        password,
        delimiter: delimiter_of(file).filter(|_| !is_database),
        ..SourceSettings::default()
    })
}

fn one(text: &str) -> OneOrMany {
    OneOrMany::One(text.to_owned())
}

/// Returns a name that may name a source and that no other source has.
fn free_name(named_after: &str, others: &[SourceSettings]) -> String {
    let may_be = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let letters = named_after.chars().map(|c| if may_be(c) { c } else { '_' });
    let mut name: String = letters.take(60).collect();
    if name.is_empty() {
        "source".clone_into(&mut name);
    }
    let base = name.clone();
    let mut number = 2;
    while others.iter().any(|other| other.name == name) {
        name = format!("{base}_{number}");
        number += 1;
    }
    name
}

/// Returns the delimiter of a CSV file if it is not the usual one: the sign that most parts its header.
fn delimiter_of(file: &Path) -> Option<char> {
    let extension = file.extension()?.to_str()?.to_ascii_lowercase();
    if !matches!(extension.as_str(), "csv" | "txt") {
        return None;
    }
    let mut head = Vec::new();
    File::open(file)
        .ok()?
        .take(HEAD_LEN)
        .read_to_end(&mut head)
        .ok()?;
    let text = String::from_utf8_lossy(&head);
    let header = text.lines().next()?;
    let count = |delimiter: char| header.matches(delimiter).count();
    let best = [',', ';', '\t', '|']
        .into_iter()
        .rev()
        .max_by_key(|&delimiter| count(delimiter))?;
    (best != ',' && count(best) > count(',')).then_some(best)
}

/// Finds region and order of dates, and says why.
pub(super) fn settle(profile: &Profile, source: &mut SourceSettings) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut dates = [0, 0];
    let has_dates = |role: Role| matches!(role, Role::BirthDate | Role::Date);
    for (meaning, shape) in profile.meanings.iter().zip(&profile.shapes) {
        if has_dates(meaning.role) || shape.date > 0.8 {
            dates[0] += shape.day_first;
            dates[1] += shape.month_first;
        }
    }
    if dates[1] > dates[0] {
        source.date_order = DateOrder::Mdy;
        remarks.push(format!("dates are read month first: {} of those looked at allow nothing else, {} only day first", dates[1], dates[0]));
    }
    match region_of(profile) {
        Some(Region { region, is_sure }) => {
            let doubt = if is_sure { "" } else { "UNSURE: " };
            remarks.push(format!(
                "{doubt}region {region} (of telephone numbers without a country code): by telephone numbers, postcodes, countries and e-mail domains"
            ));
            source.region = Some(region.to_owned());
        }
        None if profile.meanings.iter().any(|m| m.role == Role::Phone) => {
            remarks.push("UNSURE: no region was recognised; set `region` if telephone numbers lack a country code".to_owned());
        }
        None => {}
    }
    remarks
}

/// Where a source seems to lie.
struct Region {
    region: &'static str,
    is_sure: bool,
}

/// A region with fewer votes than this is no guess, and with fewer than that, or hardly more than
/// another has, an unsure one. A column of numbers that all tell it has two.
const VOTES_MIN: f64 = 0.5;
const VOTES_SURE_MIN: f64 = 1.0;

/// Guesses the region from telephone numbers, postcodes, countries and e-mail domains.
fn region_of(profile: &Profile) -> Option<Region> {
    let mut votes: std::collections::BTreeMap<&'static str, f64> =
        std::collections::BTreeMap::new();
    let mut vote = |region: &'static str, weight: f64| *votes.entry(region).or_default() += weight;
    for (column, (meaning, shape)) in profile.meanings.iter().zip(&profile.shapes).enumerate() {
        let values: Vec<&str> = profile
            .sample
            .values(column)
            .flatten()
            .take(2_000)
            .collect();
        let share = |holds: &dyn Fn(&str) -> bool| {
            values.iter().filter(|value| holds(value)).count() as f64
                / (values.len() as f64).max(1.0)
        };
        match meaning.role {
            Role::Phone => {
                // No number in North America begins with a zero, and most others do.
                let zero = share(&|v| v.starts_with('0') && !v.starts_with("00"));
                vote("US", 2.0 * (shape.american - zero));
                for (form, region) in FORMS {
                    vote(region, share(&|v| form(v)));
                }
                for (code, region) in CODES {
                    vote(
                        region,
                        2.0 * share(&|v| {
                            v.strip_prefix(code).is_some()
                                || v.strip_prefix("00")
                                    .is_some_and(|v| v.starts_with(&code[1..]))
                        }),
                    );
                }
            }
            Role::Postcode => vote("GB", share(&is_british)),
            Role::Email => {
                for (end, region) in DOMAINS {
                    vote(region, share(&|v| v.to_ascii_lowercase().ends_with(end)));
                }
            }
            Role::Country => {
                for (names, region) in COUNTRIES {
                    vote(
                        region,
                        2.0 * share(&|v| names.contains(&v.to_lowercase().as_str())),
                    );
                }
            }
            _ => {}
        }
    }
    let mut votes: Vec<(&'static str, f64)> = votes.into_iter().collect();
    votes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (region, weight) = *votes.first()?;
    let rival = votes.get(1).map_or(0.0, |rival| rival.1);
    let is_sure = weight > VOTES_SURE_MIN && weight >= 2.0 * rival;
    (weight >= VOTES_MIN).then_some(Region { region, is_sure })
}

/// Tells whether a telephone number has a form.
type HasForm = fn(&str) -> bool;

/// Forms of national numbers that hardly another country has.
const FORMS: &[(HasForm, &str)] = &[
    (is_french, "FR"),
    (is_australian, "AU"),
    (is_british_number, "GB"),
];

/// Ten digits after a zero, in pairs.
fn is_french(number: &str) -> bool {
    let groups: Vec<&str> = number.split([' ', '.', '-']).collect();
    groups.len() == 5
        && number.starts_with('0')
        && groups
            .iter()
            .all(|group| group.len() == 2 && group.bytes().all(|b| b.is_ascii_digit()))
}

/// Ten digits that begin with the zero and the number of an Australian area or of mobile telephones.
fn is_australian(number: &str) -> bool {
    let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
    !is_french(number)
        && digits.len() == 10
        && digits[0] == b'0'
        && matches!(digits[1], b'2' | b'3' | b'4' | b'7' | b'8')
}

/// Eleven digits that begin with the zero and the number of a British range.
fn is_british_number(number: &str) -> bool {
    let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
    digits.len() == 11 && digits[0] == b'0' && matches!(digits[1], b'1' | b'2' | b'7')
}

fn is_british(code: &str) -> bool {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = code.as_bytes();
    let Some((inward, outward)) = bytes
        .len()
        .checked_sub(3)
        .map(|at| (&bytes[at..], &bytes[..at]))
    else {
        return false;
    };
    (2..=4).contains(&outward.len())
        && outward[0].is_ascii_alphabetic()
        && inward[0].is_ascii_digit()
        && inward[1..].iter().all(u8::is_ascii_alphabetic)
}

const CODES: &[(&str, &str)] = &[
    ("+1", "US"),
    ("+44", "GB"),
    ("+49", "DE"),
    ("+33", "FR"),
    ("+34", "ES"),
    ("+39", "IT"),
    ("+351", "PT"),
    ("+31", "NL"),
    ("+48", "PL"),
    ("+43", "AT"),
    ("+41", "CH"),
    ("+61", "AU"),
    ("+32", "BE"),
    ("+55", "BR"),
];

const DOMAINS: &[(&str, &str)] = &[
    (".de", "DE"),
    (".fr", "FR"),
    (".es", "ES"),
    (".it", "IT"),
    (".pt", "PT"),
    (".nl", "NL"),
    (".pl", "PL"),
    (".at", "AT"),
    (".ch", "CH"),
    (".co.uk", "GB"),
    (".uk", "GB"),
    (".au", "AU"),
    (".be", "BE"),
    (".br", "BR"),
];

const COUNTRIES: &[(&[&str], &str)] = &[
    (
        &["us", "usa", "united states", "united states of america"],
        "US",
    ),
    (
        &["gb", "uk", "united kingdom", "great britain", "england"],
        "GB",
    ),
    (&["de", "deu", "germany", "deutschland"], "DE"),
    (&["fr", "fra", "france"], "FR"),
    (&["es", "esp", "spain", "españa"], "ES"),
    (&["it", "ita", "italy", "italia"], "IT"),
    (&["pt", "prt", "portugal"], "PT"),
    (&["nl", "nld", "netherlands", "nederland"], "NL"),
    (&["pl", "pol", "poland", "polska"], "PL"),
    (&["au", "aus", "australia"], "AU"),
    (&["at", "aut", "austria", "österreich"], "AT"),
    (&["ch", "che", "switzerland", "schweiz"], "CH"),
    (&["br", "bra", "brazil", "brasil"], "BR"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::shape::Shape;

    #[test]
    fn what_may_be_an_address_is_told_by_its_form() {
        for (text, expected) in [
            ("postgres:/u:hunter2@127.0.0.1/x#t", true),
            ("postgresql:u:hunter2", true),
            ("Postgres//u:hunter2", true),
            ("oracle://host/x", true),
            ("mysql.csv", false),
            ("exports/postgres/customers.csv", false),
        ] {
            assert_eq!(is_like_an_address(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_that_begin_with_a_zero_are_not_american() {
        for (number, american, form) in [
            ("(702) 919-1300", true, None),
            ("+1 702 919 1300", true, None),
            ("06 18 67 55 59", false, Some("FR")),
            ("0403257089", false, Some("AU")),
            ("020 7946 0958", false, Some("GB")),
            ("702 019 1300", false, None),
            ("+44 20 7946 095", false, None),
        ] {
            let shape = Shape::of(std::iter::once(number));
            assert_eq!(shape.american > 0.5, american, "{number}");
            let found = FORMS.iter().find(|(has_form, _)| has_form(number));
            assert_eq!(found.map(|(_, region)| *region), form, "{number}");
        }
    }
}
