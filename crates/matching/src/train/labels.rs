//! Pairs of which somebody knows whether they are of one entity.

use rayon::prelude::*;
use sameas_graph::NodeId;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::classes::Levels;
use crate::blocking::Blocking;
use crate::compare::Comparer;
use crate::plan::MatchingPlan;
use crate::prepared::Prepared;

/// Pairs that are looked at, of those that teach and of those that are held out.
const PAIRS_MAX: u64 = 100_000;
/// Labelled pairs of each kind without which nothing is held out: all teach then.
const HELD_OUT_LEAST: usize = 20;

/// What somebody knows, and what to be wary of in it.
#[derive(Clone, Debug)]
pub struct Labels {
    /// What somebody knows.
    pub known: Known,
    /// What of it cannot be used, in words.
    pub warnings: Vec<String>,
}

/// What somebody knows.
#[derive(Clone, Debug)]
pub enum Known {
    /// Whether two records are of one entity.
    Pairs(Vec<(NodeId, NodeId, bool)>),
    /// The entity of every node that has one.
    Entities(Vec<Option<u32>>),
}

/// Labelled pairs, by what they are used for.
#[derive(Debug, Default)]
pub(super) struct Split {
    /// Pairs of one entity, from which m is learnt.
    pub(super) taught: Vec<(u32, u32)>,
    /// Pairs that weights are held to.
    pub(super) held_out: Vec<(u32, u32, bool)>,
}

impl Split {
    /// Halves the labels by a hash: no entity and no pair is on both sides.
    pub(super) fn new(
        labels: &Labels,
        prepared: &Prepared<'_>,
        blocking: &Blocking<'_>,
        plan: &MatchingPlan,
        seed: u64,
    ) -> Self {
        let mut split = match &labels.known {
            Known::Pairs(pairs) => of_pairs(pairs, seed),
            Known::Entities(entities) => of_entities(entities, prepared, blocking, plan, seed),
        };
        let count = |kind: bool| split.held_out.iter().filter(|pair| pair.2 == kind).count();
        if count(true).min(count(false)) < HELD_OUT_LEAST {
            let left = split.held_out.drain(..).filter(|pair| pair.2);
            split.taught.extend(left.map(|(a, b, _)| (a, b)));
            split.taught.par_sort_unstable();
            split.taught.dedup();
        }
        split
    }
}

fn hash(of: [u32; 2], seed: u64) -> u64 {
    let bytes = [of[0].to_le_bytes(), of[1].to_le_bytes()].concat();
    xxh3_64_with_seed(&bytes, seed)
}

/// Whether something with this hash is held out. The lowest bit decides, samples go by the others.
fn is_held_out(hash: u64) -> bool {
    hash & 1 == 1
}

fn is_sampled(hash: u64, share: f64) -> bool {
    (hash >> 1) as f64 / (u64::MAX >> 1) as f64 <= share
}

fn of_pairs(pairs: &[(NodeId, NodeId, bool)], seed: u64) -> Split {
    let mut split = Split::default();
    let ordered = pairs.iter().map(|&(a, b, is_match)| {
        let (a, b) = (a.get().min(b.get()), a.get().max(b.get()));
        (a, b, is_match)
    });
    for (a, b, is_match) in ordered {
        if is_held_out(hash([a, b], seed)) {
            split.held_out.push((a, b, is_match));
        } else if is_match {
            split.taught.push((a, b));
        }
    }
    split.taught.par_sort_unstable();
    split.held_out.par_sort_unstable();
    split
}

/// Teaches from pairs within entities and holds candidate pairs out, because of these weights are
/// asked: among candidate pairs a probability has to hold.
fn of_entities(
    entities: &[Option<u32>],
    prepared: &Prepared<'_>,
    blocking: &Blocking<'_>,
    plan: &MatchingPlan,
    seed: u64,
) -> Split {
    let mut members: Vec<(u32, u32)> = entities
        .iter()
        .zip(0..)
        .filter_map(|(entity, node)| Some(((*entity)?, node)))
        .collect();
    members.par_sort_unstable();
    let runs: Vec<&[(u32, u32)]> = members.chunk_by(|a, b| a.0 == b.0).collect();
    let within: u64 = runs.iter().map(|run| pairs_of(run.len())).sum();
    let share = PAIRS_MAX as f64 / within.max(1) as f64;
    let mut split = Split::default();
    let teaching = |run: &&&[(u32, u32)]| !is_held_out(hash([run[0].0; 2], seed));
    for run in runs.iter().filter(teaching) {
        for (i, &(_, a)) in run.iter().enumerate() {
            let later = run[i + 1..].iter().map(|&(_, b)| (a, b));
            let exclusive = prepared.exclusive();
            let later = later.filter(|&(a, b)| exclusive.may_pair(a, b));
            split
                .taught
                .extend(later.filter(|&(a, b)| is_sampled(hash([a, b], seed), share)));
        }
    }
    let candidates: u64 = blocking.costs().iter().map(|cost| cost.pairs).sum();
    let labelled = members.len() as f64 / entities.len().max(1) as f64;
    let share = PAIRS_MAX as f64 / (candidates as f64 * labelled * labelled).max(1.0);
    split.held_out = candidates_held_out(entities, prepared, blocking, plan, (seed, share));
    split
}

fn candidates_held_out(
    entities: &[Option<u32>],
    prepared: &Prepared<'_>,
    blocking: &Blocking<'_>,
    plan: &MatchingPlan,
    (seed, share): (u64, f64),
) -> Vec<(u32, u32, bool)> {
    let exclusive = prepared.exclusive();
    let mut found = Vec::new();
    for rule in 0..plan.rules.len() {
        let parts = blocking.map_blocks(rule, Vec::new, |found, block| {
            for (i, a) in block.rows().enumerate() {
                let Some(one) = entities[a.node as usize] else {
                    continue;
                };
                for b in block.rows().skip(i + 1) {
                    let Some(other) = entities[b.node as usize] else {
                        continue;
                    };
                    let (low, high) = (a.node.min(b.node), a.node.max(b.node));
                    let hashed = hash([low, high], seed);
                    let held_out = if one == other {
                        is_held_out(hash([one; 2], seed))
                    } else {
                        is_held_out(hashed)
                    };
                    if held_out
                        && is_sampled(hashed, share)
                        && exclusive.may_pair(a.node, b.node)
                        && blocking.owns(&block, a, b)
                    {
                        found.push((low, high, one == other));
                    }
                }
            }
        });
        found.extend(parts.into_iter().flatten());
    }
    found.par_sort_unstable();
    found
}

fn pairs_of(len: usize) -> u64 {
    let len = len as u64;
    len * len.saturating_sub(1) / 2
}

/// Counts the levels that pairs show, the missing level left out.
pub(super) fn levels_of(
    pairs: &[(u32, u32)],
    prepared: &Prepared<'_>,
    comparer: &Comparer<'_>,
    plan: &MatchingPlan,
) -> Levels {
    let counts = plan
        .comparisons
        .iter()
        .map(|c| vec![0.0; c.level_count() - 1]);
    let mut counts: Levels = counts.collect();
    let rows = prepared.rows();
    for &(a, b) in pairs {
        let pattern = comparer.pattern(rows.of(a), rows.of(b));
        for (c, counts) in counts.iter_mut().enumerate() {
            if let level @ 1.. = usize::from(pattern.level(c)) {
                counts[level - 1] += 1.0;
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(count: u32, matches_per_ten: u32) -> Vec<(NodeId, NodeId, bool)> {
        let pair = |n: u32| {
            let (a, b) = (NodeId::new(2 * n + 1), NodeId::new(2 * n));
            (a, b, n % 10 < matches_per_ten)
        };
        (0..count).map(pair).collect()
    }

    /// Every match is on one side, every other pair is held out or unused, whoever names it first.
    #[test]
    fn labelled_pairs_are_halved() {
        let pairs = labelled(2_000, 5);
        let split = of_pairs(&pairs, 1);
        let matches = split.held_out.iter().filter(|pair| pair.2).count();
        assert_eq!(split.taught.len() + matches, 1_000);
        assert!((400..600).contains(&matches), "{matches}");
        let taught = |a: u32, b: u32| split.taught.contains(&(a, b));
        assert!(!split.held_out.iter().any(|&(a, b, _)| taught(a, b)));
        let turned: Vec<_> = pairs.iter().map(|&(a, b, m)| (b, a, m)).rev().collect();
        let again = of_pairs(&turned, 1);
        assert_eq!(
            (again.taught, again.held_out),
            (split.taught, split.held_out)
        );
    }
}
