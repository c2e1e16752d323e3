//! Candidates, by the entities they are of.

use std::collections::BTreeMap;

use sameas_graph::{Legend, UnifiedId};
use sameas_store::{CorruptError, Snapshot};
use serde::Serialize;

use super::{Candidate, Found};

/// What an entity is to the record asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchStanding {
    /// The record is of this entity: a rebuild would link it.
    Match,
    /// A person should look.
    Review,
    /// It resembles the entity, but less than the review threshold asks.
    Unlikely,
    /// It would match, but differs in what must not differ within an entity.
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
    /// Every comparison with its level and what that weighs, in bits.
    pub comparisons: Vec<(String, String, f64)>,
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
    /// Those that were compared, most likely first.
    pub records: Vec<FoundRecord>,
}

/// Ranks the entities that candidates are of, most likely first, and leaves out those below a probability.
///
/// An entity is as likely as its most likely record. Candidates that the revision does not know yet are left out.
///
/// # Errors
/// Fails if the revision is damaged.
pub fn rank(
    found: &Found,
    legend: &Legend,
    snapshot: &Snapshot,
    least: f64,
) -> Result<Vec<FoundEntity>, CorruptError> {
    let mut entities: BTreeMap<UnifiedId, FoundEntity> = BTreeMap::new();
    for candidate in &found.candidates {
        let Some(located) = snapshot.lookup(&candidate.source, &candidate.key)? else {
            continue;
        };
        let id = located.entity.id;
        let record = record(candidate, legend);
        if let Some(entity) = entities.get_mut(&id) {
            if record.held_apart_by.is_some() && entity.standing == MatchStanding::Match {
                entity.standing = MatchStanding::HeldApart;
            }
            entity.records.push(record);
            continue;
        }
        // Candidates are sorted, so the first of an entity is its most likely.
        if record.probability < least {
            continue;
        }
        let entity = FoundEntity {
            unified_id: id.to_string(),
            standing: standing(candidate, legend),
            probability: record.probability,
            record_count: snapshot.entity_of(located.member)?.member_count().into(),
            records: vec![record],
        };
        entities.insert(id, entity);
    }
    let mut ranked: Vec<FoundEntity> = entities.into_values().collect();
    ranked.sort_by(|a, b| {
        let weight = |entity: &FoundEntity| entity.records[0].weight_bits;
        let by_weight = weight(b).total_cmp(&weight(a));
        by_weight.then_with(|| a.unified_id.cmp(&b.unified_id))
    });
    Ok(ranked)
}

fn standing(candidate: &Candidate, legend: &Legend) -> MatchStanding {
    match candidate.bits {
        bits if bits < legend.review.bits() => MatchStanding::Unlikely,
        _ if candidate.held_apart_by.is_some() => MatchStanding::HeldApart,
        bits if bits >= legend.link.bits() => MatchStanding::Match,
        _ => MatchStanding::Review,
    }
}

fn record(candidate: &Candidate, legend: &Legend) -> FoundRecord {
    let comparisons = legend.comparisons.iter().enumerate();
    let comparisons = comparisons.map(|(index, comparison)| {
        let level = &comparison.levels[candidate.pattern.level(index) as usize];
        (
            comparison.name.clone(),
            level.name.clone(),
            level.weight.bits(),
        )
    });
    let name_of = |comparison: usize| legend.comparisons[comparison].name.clone();
    FoundRecord {
        source: candidate.source.clone(),
        key: candidate.key.clone(),
        weight_bits: candidate.bits,
        probability: (1.0 + (-candidate.bits).exp2()).recip(),
        linked_by: candidate
            .linked_by
            .map(|rule| legend.rules[rule].name.clone()),
        held_apart_by: candidate.held_apart_by.map(name_of),
        comparisons: comparisons.collect(),
    }
}
