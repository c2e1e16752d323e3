//! Training where every source holds each entity once: a record has one partner in another source
//! at most, so its candidates there are rivals.
//!
//! Judged one by one, all editions of an article look like the article, and a field by which
//! records were brought together teaches nothing. Judged beside its rivals a pair is a match if it is
//! the best of its two records, so m can be learnt in every field. The odds of a pair stand against
//! those of all pairs that exclude it and of no partner at all: the E-step of a bipartite
//! matching (Sadinle 2017), each sum over matchings replaced by its first terms.
//!
//! Whether a record has no partner is weighed alike in all sources, by the share of the smaller source that
//! has one.
//!
//! Cost: 36 bytes a candidate pair and eight for each record and source, and in each of at most a
//! hundred rounds four reads of memory a pair, on one thread.

use sameas_graph::{Evidence, LevelPattern, NodeId, ReferenceTable, SourceId};

use super::classes::{CONVERGED, Classes, Levels, ROUNDS_MAX, Shares, corrected_u};
use crate::blocking::{Block, Blocking};
use crate::compare::Comparer;
use crate::plan::MatchingPlan;
use crate::prepared::Prepared;
use crate::{Scope, TrainSettings};

/// What records can fill are numbered, whether a pair does or not: eight bytes each.
const SLOTS_MAX: u32 = 16_000_000;
/// The share of the records of the smaller source that have a partner, at first and at most: a
/// share of one would leave a record no other choice than its best candidate.
const PARTNERED_FIRST: f64 = 0.5;
const PARTNERED_MAX: f64 = 0.95;

/// The most of all pairs that may be of relatives.
const RELATED_MAX: f64 = 0.45;

/// Pairs that exclude each other, for a record has one partner in another source at most.
struct Slots {
    /// Of each pair, what its records fill: each has a slot for each source that its partner may be of.
    of_pairs: Vec<[u32; 2]>,
    count: usize,
    /// How many pairs of one entity there are if no record of the smaller of two sources lacks its
    /// partner.
    partners_max: f64,
}

impl Slots {
    /// Returns nothing if there are too many slots.
    fn of(references: &ReferenceTable, pairs: impl Iterator<Item = (u32, u32)>) -> Option<Self> {
        let sources = u32::try_from(references.sources().len()).ok()?;
        let count = u32::try_from(references.len()).ok()?.checked_mul(sources)?;
        if count > SLOTS_MAX {
            return None;
        }
        let slot = |node: u32, partner: u32| {
            let source = references.source_of(NodeId::new(partner)).index();
            node * sources + source as u32
        };
        Some(Self {
            of_pairs: pairs.map(|(a, b)| [slot(a, b), slot(b, a)]).collect(),
            count: count as usize,
            partners_max: partners_max(references),
        })
    }

    /// Returns how probable each pair is beside those that exclude it, by its odds and those of no partner.
    fn probabilities(&self, odds: impl Fn(usize) -> f64, unpartnered: f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.count];
        for (pair, slots) in self.of_pairs.iter().enumerate() {
            for &slot in slots {
                sums[slot as usize] += odds(pair);
            }
        }
        let pairs = self.of_pairs.iter().enumerate();
        let probability = |(pair, slots): (usize, &[u32; 2])| {
            let [a, b] = slots.map(|slot| sums[slot as usize]);
            odds(pair) / (unpartnered + a + b - odds(pair)).max(f64::MIN_POSITIVE)
        };
        pairs.map(probability).collect()
    }

    /// Returns the share of the records of the smaller source that have a partner.
    fn partnered(&self, probabilities: &[f64]) -> f64 {
        (probabilities.iter().sum::<f64>() / self.partners_max).min(PARTNERED_MAX)
    }
}

fn partners_max(references: &ReferenceTable) -> f64 {
    let sources = 0..references.sources().len() as u16;
    let lens = sources.map(|source| references.nodes_of(SourceId::new(source)).len());
    let lens: Vec<usize> = lens.collect();
    let pairs = (0..lens.len()).flat_map(|i| (i + 1..lens.len()).map(move |j| (i, j)));
    let smaller = pairs.map(|(i, j)| lens[i].min(lens[j]) as f64);
    smaller.sum::<f64>().max(1.0)
}

/// Returns how probable each pair is if every source holds each entity once, so that pairs exclude
/// each other.
pub fn rival_probabilities(references: &ReferenceTable, evidence: &[Evidence]) -> Vec<f64> {
    let pairs = evidence.iter().map(|e| (e.left.get(), e.right.get()));
    let odds = |pair: usize| evidence[pair].weight.bits().exp2();
    let Some(slots) = Slots::of(references, pairs) else {
        return evidence.iter().map(|e| e.weight.probability()).collect();
    };
    let mut partnered = PARTNERED_FIRST;
    for _ in 0..ROUNDS_MAX {
        let next = slots.partnered(&slots.probabilities(odds, 1.0 - partnered));
        let moved = (next - partnered).abs();
        partnered = next;
        if moved < CONVERGED {
            break;
        }
    }
    slots.probabilities(odds, 1.0 - partnered)
}

/// Tells whether rules make more pairs than rivals are learnt from.
pub(super) fn has_too_many_rivals(blocking: &Blocking<'_>, settings: &TrainSettings) -> bool {
    let pairs = blocking.costs().iter().map(|cost| cost.pairs);
    pairs.sum::<u64>() > settings.rival_pairs_max
}

/// Candidate pairs, and which pattern each shows.
pub(super) struct Rivals {
    slots: Slots,
    shown: Vec<u32>,
    patterns: Vec<LevelPattern>,
}

impl Rivals {
    /// Lists all candidate pairs, if every source holds each entity once and they are not too many.
    pub(super) fn of(
        prepared: &Prepared<'_>,
        comparer: &Comparer<'_>,
        blocking: &Blocking<'_>,
        plan: &MatchingPlan,
        settings: &TrainSettings,
    ) -> Option<Self> {
        if !prepared.are_all_exclusive() || has_too_many_rivals(blocking, settings) {
            return None;
        }
        let found = candidates(prepared, comparer, blocking, plan);
        let mut patterns: Vec<LevelPattern> = found.iter().map(|found| found.2).collect();
        patterns.sort_unstable();
        patterns.dedup();
        let place = |pattern| patterns.partition_point(|&other| other < pattern) as u32;
        let pairs = found.iter().map(|&(a, b, _)| (a, b));
        Some(Self {
            slots: Slots::of(prepared.records.references(), pairs)?,
            shown: found.iter().map(|found| place(found.2)).collect(),
            patterns,
        })
    }

    /// Returns what is learnt from a guess of m and an observed u, of which matches are taken out, and
    /// how likely two random records of different sources are of one entity or related, of so many pairs in total.
    ///
    /// What loses against the best candidate of a record and shares more with it than strangers do is related to it:
    /// the other songs of an album.
    pub(super) fn teach(
        &self,
        plan: &MatchingPlan,
        classes: &Classes,
        observed: &Levels,
        total: f64,
    ) -> (Classes, Shares) {
        let mut classes = classes.clone();
        classes.guess_again(plan);
        classes.pin_related(plan);
        let all: Vec<usize> = (0..plan.comparisons.len()).collect();
        let mut partnered = PARTNERED_FIRST;
        let prior = |partnered: f64| partnered * self.slots.partners_max / total;
        // At first there are as many relatives as matches.
        let mut related = if classes.tells_related {
            prior(partnered)
        } else {
            0.0
        };
        for _ in 0..ROUNDS_MAX {
            let shares = Shares {
                matched: prior(partnered),
                related,
            };
            classes.u = corrected_u(observed, &classes, shares);
            classes.pin_related(plan);
            let chances = self.patterns.iter().map(|&pattern| {
                let matches = shares.matched * classes.chance_of_matches(pattern);
                let relatives = shares.related * classes.chance_of_relatives(pattern);
                let strangers = classes.chance_of_strangers(pattern, &all);
                let others = (relatives + strangers).max(f64::MIN_POSITIVE);
                [matches / others, relatives / others]
            });
            let chances: Vec<[f64; 2]> = chances.collect();
            let of_pair = |pair: usize| chances[self.shown[pair] as usize];
            let odds = |pair: usize| of_pair(pair)[0];
            let probabilities = self.slots.probabilities(odds, 1.0 - partnered);
            let next = self.slots.partnered(&probabilities);
            let moved = classes.learn_matches(plan, &self.levels(&probabilities, &classes.m));
            let mut moved = moved.max((next - partnered).abs());
            partnered = next;
            if classes.tells_related {
                let pairs = probabilities.iter().enumerate();
                let relatives = pairs.map(|(pair, matched)| (1.0 - matched) * of_pair(pair)[1]);
                let relatives: Vec<f64> = relatives.collect();
                related = (relatives.iter().sum::<f64>() / total).min(RELATED_MAX);
                let levels = self.levels(&relatives, &classes.related);
                moved = moved.max(classes.learn_relatives(plan, &levels));
            }
            if moved < CONVERGED {
                break;
            }
        }
        classes.pin_related(plan);
        let matched = prior(partnered);
        (classes, Shares { matched, related })
    }

    /// Returns how many pairs of a kind are expected to show each level.
    fn levels(&self, probabilities: &[f64], like: &Levels) -> Levels {
        let mut of_patterns = vec![0.0; self.patterns.len()];
        for (&pattern, probability) in self.shown.iter().zip(probabilities) {
            of_patterns[pattern as usize] += probability;
        }
        let mut levels: Levels = like.iter().map(|m| vec![0.0; m.len()]).collect();
        for (pattern, count) in self.patterns.iter().zip(of_patterns) {
            for (index, counts) in levels.iter_mut().enumerate() {
                if let level @ 1.. = usize::from(pattern.level(index)) {
                    counts[level - 1] += count;
                }
            }
        }
        levels
    }
}

/// Returns all pairs that rules make, with their patterns, each once.
fn candidates(
    prepared: &Prepared<'_>,
    comparer: &Comparer<'_>,
    blocking: &Blocking<'_>,
    plan: &MatchingPlan,
) -> Vec<(u32, u32, LevelPattern)> {
    let exclusive = prepared.exclusive();
    let add = |found: &mut Vec<_>, block: &Block<'_>| {
        for (i, a) in block.rows().enumerate() {
            let later = block.rows().skip(i + 1);
            for b in later.filter(|b| exclusive.may_pair(a.node, b.node)) {
                if blocking.owns(block, a, b) {
                    found.push((a.node, b.node, comparer.pattern(a, b)));
                }
            }
        }
    };
    let rules = 0..plan.rules.len();
    let found = rules
        .flat_map(|rule| blocking.map_blocks(rule, Vec::new, |found, block| add(found, &block)));
    found.flatten().collect()
}

/// Matches whose levels tell fewer bits from those of strangers agree in nothing there.
const TELLING_BITS_LEAST: f64 = 0.2;

/// Of fewer relatives among the pairs nothing tells matches apart.
const RELATED_LEAST: f64 = 1e-3;

/// Tells whether what was learnt leaves open what a match is: nothing of what is an entity's own
/// was learnt, or matches mostly differ in it, or, where there are no relatives beside them, matches agree in half of what
/// else is compared no more than strangers do.
///
/// Where nobody is twice the likest strangers pass for matches. They were chosen by some fields, and
/// agree in no others.
pub(super) fn is_doubtful(
    plan: &MatchingPlan,
    learnt: &[usize],
    classes: &Classes,
    shares: Shares,
) -> bool {
    let is_personal = |index: &usize| plan.comparisons[*index].scope == Scope::Person;
    let none_is_personal = !(0..plan.comparisons.len()).any(|index| is_personal(&index));
    let is_own = |index: &&usize| none_is_personal || is_personal(index);
    let mut own = learnt.iter().filter(is_own);
    let others = learnt.iter().filter(|index| !is_personal(index));
    let differs = |index: &usize| {
        classes.m[*index]
            .last()
            .is_some_and(|&differs| differs > 0.5)
    };
    let is_silent = |index: &&usize| {
        telling_bits(&classes.m[**index], &classes.u[**index]) < TELLING_BITS_LEAST
    };
    let (silent, others) = (others.clone().filter(is_silent).count(), others.count());
    let are_alone = shares.related < RELATED_LEAST * shares.matched;
    own.all(differs) || are_alone && silent > 0 && 2 * silent >= others
}

/// Returns how many bits the level of a match tells it from strangers on average (the divergence of
/// Kullback and Leibler 1951).
fn telling_bits(m: &[f64], u: &[f64]) -> f64 {
    m.iter().zip(u).map(|(m, u)| m * (m / u).log2()).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sameas_graph::ReferenceTableBuilder;
    use sameas_record::{FieldKind, Schema};
    use xxhash_rust::xxh3::xxh3_64_with_seed;

    use super::*;
    use crate::{BlockSettings, CompareSettings};

    fn table(lens: &[usize]) -> ReferenceTable {
        let names = (0..lens.len()).map(|source| format!("s{source}"));
        let mut table = ReferenceTableBuilder::new(names.collect());
        for (source, &len) in lens.iter().enumerate() {
            for number in 0..len {
                table.push(SourceId::new(source as u16), &format!("{number:04}"));
            }
        }
        table.finish()
    }

    /// A record has one partner in a source at most, so what its candidates there are promised is at
    /// most one, whatever their odds.
    #[test]
    fn candidates_of_a_record_share_one_partner() {
        let draw = |draw: u64, salt: u64| xxh3_64_with_seed(&draw.to_le_bytes(), salt);
        let references = table(&[7, 5, 9]);
        let source = |node: u32| references.source_of(NodeId::new(node)).index();
        let pairs = (0..21).flat_map(|a| (a + 1..21).map(move |b| (a, b)));
        let pairs: Vec<(u32, u32)> = pairs.filter(|&(a, b)| source(a) != source(b)).collect();
        for seed in 0..50 {
            let odds = |pair: usize| (draw(pair as u64, seed) % 40) as f64 - 20.0;
            let slots = Slots::of(&references, pairs.iter().copied()).expect("they are few");
            let probabilities = slots.probabilities(|pair| odds(pair).exp2(), 0.3);
            let mut promised = BTreeMap::new();
            for (&(a, b), probability) in pairs.iter().zip(probabilities) {
                *promised.entry((a, source(b))).or_insert(0.0) += probability;
                *promised.entry((b, source(a))).or_insert(0.0) += probability;
            }
            assert!(promised.values().all(|&promised| promised < 1.0));
        }
    }

    /// The best candidates of lists that share nothing were chosen by their titles, and agree in no brand
    /// more often than any two articles.
    #[test]
    fn matches_that_agree_by_chance_elsewhere_are_doubtful() {
        let kinds = ["brand", "title"].map(|name| (name.to_owned(), Some(FieldKind::Text)));
        let schema = Schema::new(&BTreeMap::from(kinds));
        let compare = ["brand", "title"].map(|field| CompareSettings {
            field: field.to_owned(),
            levels: Some(vec!["exact".to_owned()]),
            ..CompareSettings::default()
        });
        let block = BlockSettings {
            on: vec!["title.tokens".to_owned()],
            window: None,
        };
        let plan = MatchingPlan::new(&schema, &compare, &[block], &[]).expect("it is sound");
        let strangers = vec![vec![0.6, 0.4], vec![0.001, 0.999]];
        let is_doubtful = |brand: Vec<f64>| {
            let mut classes = Classes::guess(&plan, &strangers);
            classes.m = vec![brand, vec![0.7, 0.3]];
            let shares = Shares {
                matched: 0.01,
                related: 0.0,
            };
            super::is_doubtful(&plan, &[0, 1], &classes, shares)
        };
        assert!(is_doubtful(vec![0.62, 0.38]));
        assert!(!is_doubtful(vec![0.95, 0.05]));
    }

    #[test]
    fn a_pair_without_rivals_stands_against_no_partner_alone() {
        let references = table(&[1, 1]);
        let slots = Slots::of(&references, [(0, 1)].into_iter()).expect("they are few");
        let alone = slots.probabilities(|_| 1.0, 0.25);
        assert!((alone[0] - 0.8).abs() < 1e-12);
    }
}
