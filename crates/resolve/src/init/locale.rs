//! Where a source lies, and how its numbers and dates are read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sameas_record::{DateOrder, DuplicateKeys};
use sameas_source::SourceSettings;

use super::map::Profile;
use super::role::Role;
use super::{InitError, address};

/// How much of a file is looked at for its delimiter, in bytes.
const HEAD_LEN: u64 = 64 * 1024;

/// Makes the settings of the source that a file is: named after the file's stem.
pub(super) fn source_of(
    file: &Path,
    folder: &Path,
    others: &[SourceSettings],
) -> Result<SourceSettings, InitError> {
    let stem = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("source");
    let stem = stem.split('.').next().unwrap_or(stem);
    let mut name: String = stem
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') {
                c
            } else {
                '_'
            }
        })
        .take(60)
        .collect();
    if name.is_empty() {
        "source".clone_into(&mut name);
    }
    let base = name.clone();
    let mut number = 2;
    while others.iter().any(|other| other.name == name) {
        name = format!("{base}_{number}");
        number += 1;
    }
    Ok(SourceSettings {
        name,
        uri: address(file, folder)?,
        format: None,
        key: String::new(),
        delimiter: delimiter_of(file),
        filter: None,
        region: None,
        date_order: DateOrder::default(),
        duplicate_keys: DuplicateKeys::default(),
        fields: std::collections::BTreeMap::new(),
    })
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
    let (region, why) = region_of(profile);
    match (region, why) {
        (Some(region), why) => {
            remarks.push(format!(
                "region {region} (of telephone numbers without a country code): {why}"
            ));
            source.region = Some(region.to_owned());
        }
        (None, _) if profile.meanings.iter().any(|m| m.role == Role::Phone) => {
            remarks.push("UNSURE: no region was recognised; set `region` if telephone numbers lack a country code".to_owned());
        }
        (None, _) => {}
    }
    remarks
}

/// Guesses the region from telephone numbers, postcodes, countries and e-mail domains.
fn region_of(profile: &Profile) -> (Option<&'static str>, &'static str) {
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
                vote("US", 2.0 * shape.american);
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
    let best = votes.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
    match best {
        Some((region, weight)) if weight >= 0.5 => (
            Some(region),
            "by telephone numbers, postcodes, countries and e-mail domains",
        ),
        _ => (None, ""),
    }
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
