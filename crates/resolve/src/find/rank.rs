//! Candidates, by the entities they are of.

use std::collections::BTreeMap;

use sameas_graph::{Legend, MatchWeight, RuleId, UnifiedId, probability_of};
use sameas_store::{CorruptError, Member, Snapshot};
use serde::Serialize;

use super::{Candidate, Found};

/// The records of one entity that are told.
const RECORD_COUNT_MAX: usize = 100;

/// What an entity is to the record asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchStanding {
    /// The record is of this entity: it weighs enough against one of its records to link.
    Match,
    /// A person should look.
    Review,
    /// It resembles the entity, but less than the review threshold asks.
    Unlikely,
    /// It weighs enough to link, but must not: a record of the entity differs in what must not
    /// differ, or its own source holds each customer once and has another record there.
    HeldApart,
}

/// A record of a found entity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundRecord {
    /// Its source.
    pub source: String,
    /// Its key.
    pub key: String,
    /// The posterior weight in bits.
    pub weight_bits: f64,
    /// The posterior probability that the two are of one entity.
    pub probability: f64,
    /// The deterministic rule that links them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked_by: Option<String>,
    /// The comparison in which the two differ and must not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_apart_by: Option<String>,
    /// The comparisons that are told, with their levels and what these weigh, in bits.
    pub comparisons: Vec<(String, String, f64)>,
    /// What rare values add to the prior and all comparisons, less what relatives share, in bits.
    pub adjustment_bits: f64,
    /// What a deterministic rule adds, in bits.
    pub rule_bits: f64,
}

/// An entity that the record may be of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundEntity {
    /// Its unified id.
    pub unified_id: String,
    /// What it is to the record.
    pub standing: MatchStanding,
    /// The posterior probability, of its most likely record.
    pub probability: f64,
    /// How many records it has, candidates or not.
    pub record_count: u64,
    /// Those that were compared, most likely first; at most 100.
    pub records: Vec<FoundRecord>,
}

/// The candidates of one entity, most likely first.
struct Group<'f> {
    id: UnifiedId,
    member: Member,
    candidates: Vec<&'f Candidate>,
}

/// What of the found entities is told.
#[derive(Clone, Debug, PartialEq)]
pub struct RankOptions {
    /// The least probability of an entity.
    pub least: f64,
    /// The most entities.
    pub limit: usize,
    /// The comparisons that are told, by number.
    pub comparisons: Vec<usize>,
}

/// Ranks the entities that candidates are of, most likely first.
///
/// An entity is as likely as its most likely record. Candidates that the revision does not know yet are left out.
///
/// # Errors
/// Fails if the revision is damaged.
pub fn rank(
    found: &Found,
    legend: &Legend,
    snapshot: &Snapshot,
    options: &RankOptions,
) -> Result<Vec<FoundEntity>, CorruptError> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places: BTreeMap<UnifiedId, usize> = BTreeMap::new();
    for candidate in &found.candidates {
        let Some(located) = snapshot.lookup(&candidate.source, &candidate.key)? else {
            continue;
        };
        let id = located.entity.id;
        // Candidates are sorted, so the first of an entity is its most likely, and entities come in order.
        let place = *places.entry(id).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group {
                id,
                member: located.member,
                candidates: Vec::new(),
            });
        }
        groups[place].candidates.push(candidate);
    }
    groups.sort_by(|a, b| {
        let bits = |group: &Group<'_>| group.candidates[0].bits;
        let by_weight = bits(b).total_cmp(&bits(a));
        by_weight.then_with(|| a.id.cmp(&b.id))
    });
    groups.retain(|group| probability_of(group.candidates[0].bits) >= options.least);
    groups.truncate(options.limit);
    let told = &*options.comparisons;
    let entities = groups
        .iter()
        .map(|group| entity(group, found, (legend, told), snapshot));
    entities.collect()
}

fn entity(
    group: &Group<'_>,
    found: &Found,
    (legend, comparisons): (&Legend, &[usize]),
    snapshot: &Snapshot,
) -> Result<FoundEntity, CorruptError> {
    let Group {
        id,
        member,
        candidates,
    } = group;
    let best = candidates[0];
    let view = snapshot.entity_of(*member)?;
    let standing = match best.bits {
        bits if bits < legend.review.bits() => MatchStanding::Unlikely,
        bits if bits < legend.link.bits() => MatchStanding::Review,
        _ if is_held_apart(candidates) || has_another(found, snapshot, *member)? => {
            MatchStanding::HeldApart
        }
        _ => MatchStanding::Match,
    };
    let told = candidates.iter().take(RECORD_COUNT_MAX);
    Ok(FoundEntity {
        unified_id: id.to_string(),
        standing,
        probability: probability_of(best.bits),
        record_count: view.member_count().into(),
        records: told
            .map(|candidate| record(candidate, legend, comparisons))
            .collect(),
    })
}

fn is_held_apart(candidates: &[&Candidate]) -> bool {
    candidates
        .iter()
        .any(|candidate| candidate.held_apart_by.is_some())
}

/// Tells whether an entity has another record of the source that holds each customer once.
fn has_another(found: &Found, snapshot: &Snapshot, member: Member) -> Result<bool, CorruptError> {
    let Some((source, key)) = &found.only_of else {
        return Ok(false);
    };
    for member in snapshot.entity_of(member)?.members() {
        let member = member?;
        if member.source == source && key.as_deref() != Some(member.key) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn record(candidate: &Candidate, legend: &Legend, comparisons: &[usize]) -> FoundRecord {
    let comparisons = comparisons.iter().map(|&index| {
        let comparison = &legend.comparisons[index];
        let level = &comparison.levels[candidate.pattern.level(index) as usize];
        (
            comparison.name.clone(),
            level.name.clone(),
            level.weight.bits(),
        )
    });
    let name_of = |comparison: usize| legend.comparisons[comparison].name.clone();
    let weight = MatchWeight::from_bits(candidate.bits);
    let rule = candidate.linked_by.map(|rule| RuleId::new(rule as u8));
    let remainder = legend.remainder(weight, rule, candidate.pattern);
    FoundRecord {
        source: candidate.source.clone(),
        key: candidate.key.clone(),
        weight_bits: candidate.bits,
        probability: probability_of(candidate.bits),
        linked_by: candidate
            .linked_by
            .map(|rule| legend.rules[rule].name.clone()),
        held_apart_by: candidate.held_apart_by.map(name_of),
        comparisons: comparisons.collect(),
        adjustment_bits: remainder.adjustment_bits,
        rule_bits: remainder.rule_bits,
    }
}
