//! Of all values of a field one survives; the others stay beside it.

use std::collections::{BTreeMap, BTreeSet};

use super::value::Moment;
use super::{ProfileValue, Survivorship};

/// A value that some record has in a field.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) field: String,
    pub(super) raw: String,
    /// What it means: equal for values that only letters, case or signs tell apart.
    pub(super) meaning: String,
    pub(super) source: String,
    pub(super) key: String,
    pub(super) updated: Option<Moment>,
    /// A number in its place, which grows from one change in its source to the next and tells no age.
    pub(super) version: Option<i128>,
    /// Where it stands among the values of its record.
    pub(super) position: usize,
}

/// Returns the value that survives, and after it those that differ, best first.
pub(super) fn survive(
    candidates: &[&Candidate],
    rule: Survivorship,
    ranks: &BTreeMap<&str, usize>,
) -> Vec<ProfileValue> {
    let mut by_meaning: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
    for &candidate in candidates {
        by_meaning
            .entry(&candidate.meaning)
            .or_default()
            .push(candidate);
    }
    let rank = |candidate: &Candidate| ranks.get(candidate.source.as_str()).copied();
    // Smaller is better; the last two make the order total. Versions of two sources are not
    // comparable, so they count behind the source.
    let place = |candidate: &Candidate| {
        let version = candidate.version;
        (
            rank(candidate).unwrap_or(usize::MAX),
            std::cmp::Reverse(version.filter(|_| rule == Survivorship::MostRecent)),
            candidate.position,
            std::cmp::Reverse(candidate.updated),
            candidate.key.clone(),
            candidate.raw.clone(),
        )
    };
    let record_count = |group: &[&Candidate]| {
        let records = group.iter().map(|c| (c.source.as_str(), c.key.as_str()));
        records.collect::<BTreeSet<_>>().len()
    };
    let score = |group: &[&Candidate]| match rule {
        Survivorship::SourceOrder => 0,
        Survivorship::MostRecent => {
            let newest = group.iter().filter_map(|candidate| candidate.updated).max();
            newest.map_or(i64::MIN, Moment::micros)
        }
        Survivorship::MostFrequent => record_count(group) as i64,
        Survivorship::Longest => {
            let len = |candidate: &&Candidate| candidate.raw.chars().count() as i64;
            group.iter().map(len).max().unwrap_or(0)
        }
    };
    let mut groups: Vec<Vec<&Candidate>> = by_meaning.into_values().collect();
    for group in &mut groups {
        group.sort_by_cached_key(|candidate| {
            let own = score(&[*candidate]);
            let own = if rule == Survivorship::MostFrequent {
                0
            } else {
                own
            };
            (std::cmp::Reverse(own), place(candidate))
        });
    }
    groups.sort_by_cached_key(|group| {
        let best = group.iter().map(|candidate| place(candidate)).min();
        (std::cmp::Reverse(score(group)), best)
    });
    groups.iter().filter_map(|group| value_of(group)).collect()
}

fn value_of(group: &[&Candidate]) -> Option<ProfileValue> {
    let best = group.first()?;
    let mut seen = BTreeSet::new();
    let records = group.iter().map(|c| (c.source.clone(), c.key.clone()));
    Some(ProfileValue {
        value: best.raw.clone(),
        records: records
            .filter(|record| seen.insert(record.clone()))
            .collect(),
        updated: best.updated.map(|moment| moment.to_string()),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn candidate(source: &str, key: &str, raw: &str, updated: Option<i64>) -> Candidate {
        Candidate {
            field: "name".to_owned(),
            raw: raw.to_owned(),
            meaning: raw.to_lowercase(),
            source: source.to_owned(),
            key: key.to_owned(),
            updated: updated.map(Moment::of_micros),
            version: None,
            position: 0,
        }
    }

    #[test]
    fn a_version_tells_which_record_of_its_source_is_newer_and_no_more() {
        let version = |source, key, raw, version| Candidate {
            version: Some(version),
            ..candidate(source, key, raw, None)
        };
        let candidates = [
            version("crm", "1", "Smith", 9),
            version("crm", "2", "Smythe", 10),
            version("shop", "3", "Smit", 500),
        ];
        let ranks = BTreeMap::from([("crm", 0), ("shop", 1)]);
        let best = |rule| survive(&candidates.iter().collect::<Vec<_>>(), rule, &ranks);
        let found: Vec<_> = best(Survivorship::MostRecent)
            .into_iter()
            .map(|v| v.value)
            .collect();
        assert_eq!(found, ["Smythe", "Smith", "Smit"]);
        assert_eq!(best(Survivorship::SourceOrder)[0].value, "Smith");
    }

    #[test]
    fn each_rule_keeps_its_value_and_tells_the_others() {
        let candidates = [
            candidate("crm", "1", "Ann", Some(5)),
            candidate("shop", "2", "ANNA", Some(9)),
            candidate("shop", "3", "Anna", None),
            candidate("desk", "4", "Annabelle", Some(1)),
        ];
        let ranks = BTreeMap::from([("crm", 0), ("desk", 1), ("shop", 2)]);
        for (rule, expected) in [
            (Survivorship::SourceOrder, ["Ann", "Annabelle", "ANNA"]),
            (Survivorship::MostRecent, ["ANNA", "Ann", "Annabelle"]),
            (Survivorship::MostFrequent, ["ANNA", "Ann", "Annabelle"]),
            (Survivorship::Longest, ["Annabelle", "ANNA", "Ann"]),
        ] {
            let values = survive(&candidates.iter().collect::<Vec<_>>(), rule, &ranks);
            let found: Vec<&str> = values.iter().map(|value| value.value.as_str()).collect();
            assert_eq!(found, expected, "{rule:?}");
            let anna = values.iter().find(|value| value.value == "ANNA").unwrap();
            assert_eq!(anna.records.len(), 2, "who means the same agrees");
            assert_eq!(anna.updated.as_deref(), Some("1970-01-01T00:00:00.000009Z"));
        }
    }

    #[test]
    fn the_order_of_arrival_changes_nothing() {
        let mut candidates = [
            candidate("crm", "2", "Ann", None),
            candidate("crm", "1", "Bea", None),
            candidate("crm", "3", "Cleo", None),
        ];
        let ranks = BTreeMap::from([("crm", 0)]);
        let survive = |candidates: &[Candidate]| {
            let candidates: Vec<_> = candidates.iter().collect();
            super::survive(&candidates, Survivorship::SourceOrder, &ranks)
        };
        let first = survive(&candidates);
        candidates.reverse();
        let second = survive(&candidates);
        assert!(first == second && first[0].value == "Bea");
    }
}
