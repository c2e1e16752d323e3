//! What a column of dates means, by the days that it shares with those of another source.

use std::collections::BTreeSet;

use sameas_record::{FieldKind, Locale, Normalizer};

use super::Profile;
use crate::init::lexicon::told_by;
use crate::init::recognise::{Meaning, Subject};
use crate::init::role::Role;
use crate::init::settle::subject_of;

/// A column is of dates if this share of its values are.
const DATES_MIN: f64 = 0.8;

/// Columns of which this share of days is shared mean the same, if there are so many days.
const SHARED_MIN: f64 = 0.3;
const DAYS_LEAST: usize = 30;

/// Gives a column of dates that its name does not explain the meaning of the column of dates in another
/// source: `start` is the `date` there, and what is called by no word we know the date of birth.
///
/// Of persons only dates of birth are learnt: when lists were written is no evidence.
pub(super) fn learn(profiles: &mut [Profile]) {
    let mut learnt = Vec::new();
    for source in 0..profiles.len() {
        let profile = &profiles[source];
        for column in (0..profile.meanings.len()).filter(|&column| is_open(profile, column)) {
            let own = days(profile, column);
            let others = profiles.iter().enumerate();
            let others = others.filter(|(other, _)| *other != source);
            let known = others.flat_map(|(_, other)| {
                (0..other.meanings.len()).map(move |column| (other, column))
            });
            let best = known
                .filter(|(other, column)| *column != other.key)
                .map(|(other, column)| (other, column, &other.meanings[column]))
                .filter(|(.., known)| may_teach(profile, known))
                .map(|(other, column, known)| (shared(&own, &days(other, column)), known))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .filter(|(share, _)| *share >= SHARED_MIN);
            if let Some((share, known)) = best {
                let meaning = Meaning {
                    is_sure: false,
                    score: 0.0,
                    because: format!(
                        "{:.0} % of its days are in another source's column",
                        share * 100.0
                    ),
                    ..known.clone()
                };
                learnt.push((source, column, share, meaning));
            }
        }
    }
    // One column of each source takes a field.
    learnt.sort_by(|a, b| b.2.total_cmp(&a.2));
    for (source, column, _, meaning) in learnt {
        let meanings = &mut profiles[source].meanings;
        if meanings.iter().all(|other| other.field != meaning.field) {
            meanings[column] = meaning;
        }
    }
}

/// Tells whether a column holds dates of which nothing is known.
fn is_open(profile: &Profile, column: usize) -> bool {
    let meaning = &profile.meanings[column];
    let is_of_row = told_by(&profile.sample.columns[column].name)
        .first()
        .is_some_and(|told| told.role == Role::Internal);
    column != profile.key
        && profile.shapes[column].date >= DATES_MIN
        && meaning.score == 0.0
        && !is_of_row
        && matches!(
            meaning.role,
            Role::Date | Role::Internal | Role::Identifier | Role::Code
        )
}

/// Tells whether a source may learn that one of its columns means what is known elsewhere.
fn may_teach(profile: &Profile, known: &Meaning) -> bool {
    let is_date = match subject_of(&profile.meanings) {
        Some(Subject::Person) => known.role == Role::BirthDate,
        _ => matches!(known.role, Role::BirthDate | Role::Date),
    };
    let lacks = || {
        let mut meanings = profile.meanings.iter();
        meanings.all(|meaning| meaning.field != known.field)
    };
    known.score > 0.0 && is_date && lacks()
}

/// Returns the days of a column.
fn days(profile: &Profile, column: usize) -> BTreeSet<String> {
    let locale = Locale {
        date_order: profile.shapes[column].date_order,
        ..Locale::default()
    };
    let normalizer = Normalizer::new(FieldKind::Date, None, &locale);
    let values = profile.sample.values(column).flatten();
    let read = values.filter_map(|value| {
        let mut day = String::new();
        normalizer.normalize(value, &mut day).then_some(day)
    });
    read.collect()
}

fn shared(own: &BTreeSet<String>, other: &BTreeSet<String>) -> f64 {
    let smaller = own.len().min(other.len());
    if smaller < DAYS_LEAST {
        return 0.0;
    }
    own.intersection(other).count() as f64 / smaller as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::sample::SourceSample;

    fn profile(date: &str, days: impl Iterator<Item = String>) -> Profile {
        let days: Vec<String> = days.collect();
        let (keys, titles): (Vec<String>, Vec<String>) = (0..days.len())
            .map(|n| (format!("k{n}"), format!("Evening number {n} of many")))
            .unzip();
        let columns = [("id", keys), ("title", titles), (date, days)];
        let texts = columns.each_ref().map(|(name, values)| {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            (*name, values)
        });
        let sample = SourceSample::of(texts.iter().map(|(name, values)| (*name, &values[..])));
        Profile::new("s".to_owned(), sample, 0)
    }

    /// Points in time passed for when a row was written, so events of two lists had no day in common.
    #[test]
    fn dates_are_recognised_by_those_of_another_source() {
        let days = || (1..=12).flat_map(|month| (1..=9).map(move |day| (month, day)));
        let points = days().map(|(m, d)| format!("2023-{m:02}-{d:02} 19:30"));
        let dates = days().map(|(m, d)| format!("{d:02}.{m:02}.2023"));
        let mut profiles = [profile("begins", points), profile("date", dates)];
        assert_eq!(profiles[0].meanings[2].role, Role::Internal);
        learn(&mut profiles);
        assert_eq!(profiles[0].meanings[2].field, "date");
        assert_eq!(profiles[0].meanings[2].role, Role::Date);
    }
}
