//! Whole names of persons, by the words that they share with names in other sources.
//!
//! No list knows the names of all the world, but the other source does: what is called `customer` there
//! is a name if its words are given names and surnames here.

use std::collections::BTreeSet;

use sameas_record::{FieldKind, Locale, Normalizer};

use super::Profile;
use crate::init::known;
use crate::init::lexicon::told_by;
use crate::init::recognise::Meaning;
use crate::init::role::Role;
use crate::init::settle::settle;

/// A column holds whole names if this share of its words are parts of names elsewhere, and so many of
/// them given names, and surnames.
const SHARED_MIN: f64 = 0.6;
const SHARED_OF_PART_MIN: f64 = 0.2;

/// Words a value of a column of names: a single one is no whole name, more are a text.
const NAME_WORDS: std::ops::Range<f64> = 1.4..5.0;

/// The surname stands first if given names are the last word so many times as often as the first, and in
/// so many names.
const TIMES_LAST_MIN: usize = 3;
const LAST_MIN: f64 = 0.2;

/// The most values of a column that are looked at.
const VALUES_MAX: usize = 2_000;

/// Words of the columns of one role whose names say so, in all sources but one.
fn words_of(profiles: &[Profile], except: usize, role: Role) -> BTreeSet<String> {
    let others = profiles.iter().enumerate();
    let others = others.filter(|(source, _)| *source != except);
    let mut words = BTreeSet::new();
    for (_, profile) in others {
        for (column, meaning) in profile.meanings.iter().enumerate() {
            if column != profile.key && meaning.role == role && meaning.score > 0.0 {
                words.extend(
                    texts(profile, column)
                        .iter()
                        .flat_map(|text| split(text))
                        .map(str::to_owned),
                );
            }
        }
    }
    words
}

/// Returns values without case, accents and signs other than commas.
fn texts(profile: &Profile, column: usize) -> Vec<String> {
    let locale = Locale::default();
    let normalizer = Normalizer::new(FieldKind::Text, None, &locale);
    let values = profile.sample.values(column).flatten().take(VALUES_MAX);
    let read = values.map(|value| {
        let mut text = String::new();
        let mut parts = value.split(',').filter(|part| !part.trim().is_empty());
        if let Some(first) = parts.next() {
            normalizer.normalize(first, &mut text);
        }
        for part in parts {
            text.push(',');
            normalizer.normalize(part, &mut text);
        }
        text
    });
    read.collect()
}

/// Lists the words of a folded value; initials tell nothing.
fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ','])
        .filter(|word| word.chars().count() > 1)
}

/// Recognises whole names, and in which order their parts stand.
pub(super) fn learn(profiles: &mut [Profile]) {
    let mut learnt = Vec::new();
    for source in 0..profiles.len() {
        let [given, surnames, people] = [Role::GivenName, Role::Surname, Role::People]
            .map(|role| words_of(profiles, source, role));
        let profile = &profiles[source];
        for column in (0..profile.meanings.len()).filter(|&column| column != profile.key) {
            let meaning = &profile.meanings[column];
            let is_whole = meaning.role == Role::FullName;
            let is_asked = may_be_names(profile, column);
            if !is_whole && !is_asked {
                continue;
            }
            let texts = texts(profile, column);
            let found = is_asked.then(|| whole_name(&texts, &given, &surnames, &people));
            let found = found.flatten();
            let is_full = found
                .as_ref()
                .map_or(is_whole, |found| found.role == Role::FullName);
            let is_reversed = is_full && is_surname_first(&texts, &given);
            learnt.push((
                source,
                column,
                found.filter(|found| found.role != meaning.role),
                is_reversed,
            ));
        }
    }
    for (source, column, found, is_reversed) in learnt {
        let profile = &mut profiles[source];
        if is_reversed {
            profile.surname_first.insert(column);
        }
        if let Some(found) = found {
            profile.meanings[column] = found;
            // Whom the others describe is known now.
            settle(profile);
        }
    }
}

/// Tells whether a column that its own name does not explain, or calls a name of anything, may hold names of persons.
fn may_be_names(profile: &Profile, column: usize) -> bool {
    let (meaning, shape) = (&profile.meanings[column], &profile.shapes[column]);
    let is_open = meaning.score == 0.0 && meaning.role != Role::Label;
    let is_name = || {
        let told = told_by(&profile.sample.columns[column].name);
        told.first().is_some_and(|told| told.role == Role::Name) && meaning.role != Role::FullName
    };
    shape.letters > 0.8 && NAME_WORDS.contains(&shape.words) && (is_open || is_name())
}

/// Returns what a column is whose words are names elsewhere.
fn whole_name(
    texts: &[String],
    given: &BTreeSet<String>,
    surnames: &BTreeSet<String>,
    people: &BTreeSet<String>,
) -> Option<Meaning> {
    let words: Vec<&str> = texts.iter().flat_map(|text| split(text)).collect();
    let share = |is_one: &dyn Fn(&str) -> bool| {
        let count = words.iter().filter(|word| is_one(word)).count();
        count as f64 / (words.len() as f64).max(1.0)
    };
    let meaning = |role: Role, field: &str, shared: f64| Meaning {
        role,
        field: field.to_owned(),
        is_sure: false,
        score: 0.0,
        because: format!(
            "{:.0} % of its words are {} in another source",
            shared * 100.0,
            role.word()
        ),
    };
    let parts = share(&|word| given.contains(word) || surnames.contains(word));
    let has_both = [given, surnames]
        .iter()
        .all(|part| share(&|word| part.contains(word)) >= SHARED_OF_PART_MIN);
    if parts >= SHARED_MIN && has_both {
        return Some(Meaning {
            because: format!(
                "{:.0} % of its words are given names and surnames in another source",
                parts * 100.0
            ),
            ..meaning(Role::FullName, "full_name", parts)
        });
    }
    let shared = share(&|word| people.contains(word));
    (shared >= SHARED_MIN).then(|| meaning(Role::People, "authors", shared))
}

/// Tells whether names without a comma have the surname first: given names stand last then, those of
/// another source or those that many bear.
fn is_surname_first(texts: &[String], given: &BTreeSet<String>) -> bool {
    let is_given = |word: &str| {
        if given.is_empty() {
            known::is_given_name(word)
        } else {
            given.contains(word)
        }
    };
    let (mut first, mut last) = (0, 0);
    for text in texts.iter().filter(|text| !text.contains(',')) {
        let words: Vec<&str> = split(text).collect();
        let [a, .., b] = words[..] else {
            continue;
        };
        match (is_given(a), is_given(b)) {
            (true, false) => first += 1,
            (false, true) => last += 1,
            _ => {}
        }
    }
    last >= TIMES_LAST_MIN * first && last as f64 > LAST_MIN * texts.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::sample::SourceSample;

    fn profile(columns: &[(&str, &[&str])]) -> Profile {
        let sample = SourceSample::of(columns.iter().copied());
        Profile::new("s".to_owned(), sample, 0)
    }

    /// Patients of two lists met by nothing but a number that half of them lacked: one list has whole
    /// names, surname first, under a name that told nothing.
    #[test]
    fn names_are_recognised_by_those_of_another_source() {
        let parts = profile(&[
            ("nr", &["1", "2", "3", "4"]),
            ("cognome", &["Zorzut", "Brusaferro", "Quaglia", "De Pol"]),
            ("nome", &["Ermete", "Delfina", "Adelmo", "Ombretta"]),
        ]);
        let whole = profile(&[
            ("nr", &["7", "8", "9", "10"]),
            (
                "ricoverato",
                &[
                    "ZORZUT ERMETE",
                    "BRUSAFERRO DELFINA",
                    "QUAGLIA ADELMO",
                    "DE POL OMBRETTA",
                ],
            ),
        ]);
        let mut profiles = [parts, whole];
        learn(&mut profiles);
        assert_eq!(profiles[1].meanings[1].role, Role::FullName);
        assert!(profiles[1].surname_first.contains(&1));
    }
}
