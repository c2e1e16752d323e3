//! The threshold, chosen without labels: the one whose clusters agree best with the posteriors.
//!
//! A posterior is the probability that a pair is of one entity, so over the pairs that clusters put
//! together the posteriors sum to those expected right, and over the rest to those expected missed
//! (expected F1, Nan Ye et al. 2012). A pair that only a chain of links puts together is asked what it
//! weighs: what it says itself and what the weakest link of its chain says are averaged, as what
//! several pairs say of two groups is. Most records of one entity that is often recorded are like some of the others
//! alone, and those of two that a weak link chains are like none. In a sample of a
//! share s, a chain over one more record is 1/s times rarer than among all, so such pairs count 1/s times.

use std::collections::BTreeMap;

use sameas_graph::{
    Bridges, ClusterId, Constraints, Decision, Evidence, MatchWeight, NodeId, Partition,
    ReferenceTable, cluster_without_weak_bridges,
};
use sameas_matching::rival_probabilities;

/// The thresholds that are tried.
const TRIED: [f64; 9] = [0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999];

/// Those below, where a probability says least: one must promise clearly more than all above, and
/// more than a few pairs.
const TRIED_LAST: [f64; 3] = [0.7, 0.6, 0.5];
const GAIN_CLEAR: f64 = 0.01;
const GAIN_PAIRS: f64 = 10.0;

/// The threshold where nothing speaks for another.
const USUAL: f64 = 0.9;

/// The thresholds that are tried where pairs exclude each other, highest first.
const TRIED_AMONG_RIVALS: [f64; 8] = [0.95, 0.9, 0.8, 0.7, 0.5, 0.3, 0.2, 0.1];

/// Among rivals the lowest threshold is taken that promises less than the best by at most this share of
/// what the best lacks: few fields that say in part the same make high probabilities too high and low
/// ones too low, the more so the less they promise.
const SHARE_OF_LACK: f64 = 0.2;

/// Another threshold must promise so much more F1 than the usual one.
const GAIN_MIN: f64 = 0.002;

/// At most about so many pairs of a partition are weighed that only chains put together.
const CHAINED_MAX: usize = 100_000;

/// What a threshold is chosen by.
pub(super) struct Clusters<'a> {
    pub(super) references: &'a ReferenceTable,
    pub(super) evidence: &'a [Evidence],
    pub(super) constraints: &'a Constraints,
    /// The share of all records that these are.
    pub(super) share: f64,
    /// What pairs between two groups must weigh on average, and what any pair weighs.
    pub(super) bridges: Bridges<'a>,
}

/// What is expected of the clusters that a threshold makes, in pairs.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    together: f64,
    right: f64,
    /// Those of the right pairs that only chains put together.
    chained: f64,
}

impl Expected {
    /// Returns F1 where so many pairs are right in all.
    fn f1(self, matches: f64) -> f64 {
        2.0 * self.right / (self.together + matches).max(1.0)
    }
}

impl Clusters<'_> {
    /// Returns the threshold, and what F1 it, the best one and the usual one are expected to reach.
    pub(super) fn choose(&self) -> [f64; 4] {
        let promised = self.evidence.iter().map(|e| e.weight.probability());
        let promised: Vec<f64> = promised.collect();
        let tried: Vec<f64> = TRIED.into_iter().chain(TRIED_LAST).collect();
        let (expected, matches) = self.expected(&promised, &tried);
        let usual = expected[1].1;
        let better = |best: (f64, f64), &tried: &(f64, f64)| {
            if tried.1 > best.1 { tried } else { best }
        };
        let (high, low) = expected.split_at(TRIED.len());
        let best = high.iter().fold((USUAL, usual), better);
        let low = low.iter().fold((0.0, 0.0), better);
        let gain = low.1 - best.1;
        let best = if gain > GAIN_CLEAR && gain * matches > GAIN_PAIRS {
            low
        } else {
            best
        };
        if best.1 > usual + GAIN_MIN {
            [best.0, best.1, best.1, usual]
        } else {
            [USUAL, usual, usual, usual]
        }
    }

    /// Does the same where every source holds each entity once, so that pairs exclude each other: the
    /// best is linked first, and a pair of low probability may be the best.
    pub(super) fn choose_among_rivals(&self) -> [f64; 4] {
        let promised = rival_probabilities(self.references, self.evidence);
        let (tried, _) = self.expected(&promised, &TRIED_AMONG_RIVALS);
        let best = tried.iter().map(|tried| tried.1).fold(0.0, f64::max);
        let usual = tried[1].1;
        // Where low thresholds promise hardly more than the usual one, their probabilities are not too low.
        if best <= usual + GAIN_CLEAR {
            return [USUAL, usual, usual, usual];
        }
        let least = (best - SHARE_OF_LACK * (1.0 - best)).max(usual + GAIN_CLEAR);
        let lowest = tried.iter().rfind(|tried| tried.1 >= least);
        lowest.map_or([USUAL, usual, usual, usual], |&(link, expected)| {
            [link, expected, best, usual]
        })
    }

    /// Returns the F1 to expect at each threshold, by what each pair promises, and how many matches
    /// there seem to be.
    fn expected(&self, promised: &[f64], tried: &[f64]) -> (Vec<(f64, f64)>, f64) {
        let of = tried.iter().map(|&link| self.expect(promised, link));
        let of: Vec<Expected> = of.collect();
        // What some threshold chains rightly, all others miss.
        let chained = of.iter().map(|of| of.chained).fold(0.0, f64::max);
        let matches = promised.iter().sum::<f64>() + chained;
        let tried = tried.iter().zip(of);
        let tried = tried.map(|(&link, of)| (link, of.f1(matches)));
        (tried.collect(), matches)
    }

    fn expect(&self, promised: &[f64], link: f64) -> Expected {
        let mut decided = self.evidence.to_vec();
        for edge in &mut decided {
            edge.decision = if edge.weight.probability() >= link {
                Decision::Link
            } else {
                Decision::Review
            };
        }
        let linked = MatchWeight::from_bits((link / (1.0 - link)).log2());
        let bridges = Bridges {
            least: self.bridges.least.min(linked),
            ..self.bridges
        };
        let partition =
            cluster_without_weak_bridges(self.references, &mut decided, self.constraints, &bridges);
        let mut within: BTreeMap<ClusterId, Vec<Evidence>> = BTreeMap::new();
        let mut expected = Expected::default();
        for (edge, promised) in decided.iter().zip(promised) {
            let id = partition.cluster_of(edge.left);
            if id == partition.cluster_of(edge.right) {
                expected.together += 1.0;
                expected.right += promised;
                within.entry(id).or_default().push(*edge);
            }
        }
        let (chained, right) = self.chained(&partition, &within);
        expected.chained = right / self.share;
        expected.right += expected.chained;
        expected.together += chained / self.share;
        expected
    }

    /// Returns how many pairs only chains of links put together, and how many of them are expected
    /// to be right.
    fn chained(
        &self,
        partition: &Partition,
        within: &BTreeMap<ClusterId, Vec<Evidence>>,
    ) -> (f64, f64) {
        let together = within.keys().map(|&id| {
            let len = partition.members(id).len();
            len * (len - 1) / 2
        });
        let together: usize = together.sum();
        let direct: usize = within.values().map(Vec::len).sum();
        let every = together / CHAINED_MAX + 1;
        let (mut passed, mut asked, mut right) = (0_usize, 0.0, 0.0);
        for edges in within.values() {
            for_each_joined(edges, |(a, b), weakest| {
                passed += 1;
                if !passed.is_multiple_of(every) {
                    return;
                }
                let place = edges.binary_search_by_key(&(a, b), |edge| (edge.left, edge.right));
                if place.is_err() {
                    let said = (self.bridges.weigh)(a, b);
                    let both = f64::midpoint(said.bits(), weakest.bits());
                    asked += 1.0;
                    right += MatchWeight::from_bits(both).probability();
                }
            });
        }
        let chained = (together - direct) as f64;
        (chained, chained * right / f64::max(asked, 1.0))
    }
}

/// Calls for each pair that the links of a cluster put together, the lower first, with the weakest
/// link of the strongest chain.
fn for_each_joined(edges: &[Evidence], mut call: impl FnMut((NodeId, NodeId), MatchWeight)) {
    let mut links: Vec<&Evidence> = edges
        .iter()
        .filter(|edge| edge.decision == Decision::Link)
        .collect();
    links.sort_by_key(|edge| std::cmp::Reverse(edge.weight));
    // By member, which group it is of; strongest links join groups first (Kruskal), so the link that
    // joins two is the weakest of every chain between their members.
    let mut group_of: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<NodeId>> = Vec::new();
    for link in links {
        let [left, right] = [link.left, link.right].map(|node| {
            *group_of.entry(node).or_insert_with(|| {
                groups.push(vec![node]);
                groups.len() - 1
            })
        });
        if left == right {
            continue;
        }
        for &a in &groups[left] {
            for &b in &groups[right] {
                call((a.min(b), a.max(b)), link.weight);
            }
        }
        let joined = std::mem::take(&mut groups[right]);
        for &node in &joined {
            group_of.insert(node, left);
        }
        groups[left].extend(joined);
    }
}

#[cfg(test)]
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method of clusters of one lifetime is none of all"
)]
mod tests {
    use sameas_graph::{LevelPattern, MatchWeight, ReferenceTableBuilder, RuleId, SourceId};

    use super::*;

    fn edge(left: u32, right: u32, bits: f64) -> Evidence {
        Evidence {
            left: NodeId::new(left),
            right: NodeId::new(right),
            weight: MatchWeight::from_bits(bits),
            rule: RuleId::new(0),
            pattern: LevelPattern::default(),
            decision: Decision::Review,
        }
    }

    fn nodes_of(references: &mut ReferenceTableBuilder, source: u16, count: u32) {
        for number in 0..count {
            references.push(SourceId::new(source), &format!("{number:04}"));
        }
    }

    fn constraints(one_per_source: Vec<SourceId>) -> Constraints {
        Constraints {
            one_per_source,
            cannot_link: Vec::new(),
            cluster_size_max: 1_000,
        }
    }

    /// Asks for the threshold where pairs without evidence weigh so much.
    fn chosen(
        references: &ReferenceTable,
        evidence: &[Evidence],
        constraints: &Constraints,
        bits: f64,
        ask: impl Fn(&Clusters<'_>) -> [f64; 4],
    ) -> f64 {
        let weigh = |_, _| MatchWeight::from_bits(bits);
        let bridges = Bridges {
            least: MatchWeight::default(),
            weigh: &weigh,
        };
        let clusters = Clusters {
            references,
            evidence,
            constraints,
            share: 1.0,
            bridges,
        };
        ask(&clusters)[0]
    }

    fn one_source(count: u32) -> ReferenceTable {
        let mut references = ReferenceTableBuilder::new(vec!["a".to_owned()]);
        nodes_of(&mut references, 0, count);
        references.finish()
    }

    fn two_sources(count: u32) -> ReferenceTable {
        let mut references = ReferenceTableBuilder::new(vec!["a".to_owned(), "b".to_owned()]);
        nodes_of(&mut references, 0, count);
        nodes_of(&mut references, 1, count);
        references.finish()
    }

    /// Sure matches, each chained to a third record by a weak link that all else speaks against: such
    /// bridges are refused as in a rebuild, so the threshold need not rise above them.
    #[test]
    fn bridges_that_are_refused_leave_the_threshold() {
        let count = 200;
        let references = one_source(count);
        let constraints = constraints(Vec::new());
        let sure = (0..count / 3).map(|n| edge(3 * n, 3 * n + 1, 14.0));
        let weak = (0..count / 3).map(|n| edge(3 * n + 1, 3 * n + 2, 4.0));
        let sure: Vec<Evidence> = sure.collect();
        let chosen = |evidence: &[Evidence], bits: f64| {
            chosen(&references, evidence, &constraints, bits, |of| of.choose())
        };
        assert!((chosen(&sure, -20.0) - USUAL).abs() < 1e-9);
        let mut both: Vec<Evidence> = sure.into_iter().chain(weak).collect();
        both.sort_by_key(|e| (e.left, e.right));
        assert!((chosen(&both, -20.0) - USUAL).abs() < 1e-9);
    }

    /// Of an inventor with many patents each record is like a few of the others alone: all the rest of
    /// their pairs counted as wrong, and the threshold rose until the entity fell apart.
    #[test]
    fn chains_of_pairs_that_nothing_speaks_against_leave_the_threshold() {
        let count = 200;
        let references = one_source(count);
        let links = (0..count - 1).filter(|n| n % 20 != 19);
        let links: Vec<Evidence> = links
            .map(|n| edge(n, n + 1, 5.0 + f64::from(n % 5)))
            .collect();
        let constraints = constraints(Vec::new());
        let chosen = |bits: f64| chosen(&references, &links, &constraints, bits, |of| of.choose());
        assert!((chosen(-2.0) - USUAL).abs() < 1e-9);
        assert!(chosen(-20.0) > 0.98);
    }

    /// The best candidate of nearly every record weighs little, and nothing contests it: judged one by
    /// one such pairs are improbable, so a threshold of even odds would find none.
    #[test]
    fn best_candidates_that_weigh_little_lower_the_threshold() {
        let count = 200;
        let references = two_sources(count);
        let once = constraints(vec![SourceId::new(0), SourceId::new(1)]);
        let chosen = |bits: f64| {
            let links: Vec<Evidence> = (0..count).map(|n| edge(n, n + count, bits)).collect();
            chosen(&references, &links, &once, -20.0, |of| {
                of.choose_among_rivals()
            })
        };
        assert!(chosen(-1.0) < 0.34);
        assert!((chosen(14.0) - USUAL).abs() < 1e-9);
    }

    /// Of few records that have a partner the best candidates of all others were linked, for a low
    /// threshold promised little less than a high one.
    #[test]
    fn a_threshold_that_promises_less_than_the_usual_one_is_not_lowered_to() {
        let count = 200;
        let references = two_sources(count);
        let once = constraints(vec![SourceId::new(0), SourceId::new(1)]);
        let bits = |n: u32| match n % 60 {
            0..36 => 9.0,
            36..59 => 3.7,
            _ => 0.5,
        };
        let links: Vec<Evidence> = (0..count).map(|n| edge(n, n + count, bits(n))).collect();
        let found = chosen(&references, &links, &once, -20.0, |of| {
            of.choose_among_rivals()
        });
        assert!(found >= 0.9);
    }
}
