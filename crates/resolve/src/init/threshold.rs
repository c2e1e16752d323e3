//! The threshold, chosen without labels: the one whose clusters agree best with the posteriors.
//!
//! A posterior is the probability that a pair is of one entity, so over the pairs that clusters put
//! together the posteriors sum to those expected right, and over the rest to those expected missed
//! (expected F1, Nan Ye et al. 2012). Pairs that only a chain of links puts together have no
//! evidence of their own and count as wrong: that is what a threshold too low costs. In a sample of a
//! share s, a chain over one more record is 1/s times rarer than among all, so they count 1/s times.

use sameas_graph::{Constraints, Decision, Evidence, NodeId, ReferenceTable, cluster};
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

/// Returns the threshold, and what F1 it and the usual one are expected to reach.
pub(super) fn choose(
    references: &ReferenceTable,
    evidence: &[Evidence],
    constraints: &Constraints,
    share: f64,
) -> (f64, f64, f64) {
    let promised: Vec<f64> = evidence.iter().map(|e| e.weight.probability()).collect();
    let expected =
        |link: f64| expected_f1(references, evidence, &promised, constraints, share, link);
    let usual = expected(USUAL);
    let tried = TRIED.iter().map(|&link| (link, expected(link)));
    let best = tried.fold(
        (USUAL, usual),
        |best, tried| if tried.1 > best.1 { tried } else { best },
    );
    let low = TRIED_LAST.iter().map(|&link| (link, expected(link)));
    let low = low.fold(
        (0.0, 0.0),
        |best, tried| if tried.1 > best.1 { tried } else { best },
    );
    let matches: f64 = promised.iter().sum();
    let gain = low.1 - best.1;
    let best = if gain > GAIN_CLEAR && gain * matches > GAIN_PAIRS {
        low
    } else {
        best
    };
    if best.1 > usual + GAIN_MIN {
        (best.0, best.1, usual)
    } else {
        (USUAL, usual, usual)
    }
}

/// Does the same where every source holds each entity once, so that pairs exclude each other: the
/// best is linked first, and a pair of low probability may be the best.
pub(super) fn choose_among_rivals(
    references: &ReferenceTable,
    evidence: &[Evidence],
    constraints: &Constraints,
    share: f64,
) -> (f64, f64, f64) {
    let promised = rival_probabilities(references, evidence);
    let expected =
        |link: f64| expected_f1(references, evidence, &promised, constraints, share, link);
    let tried = TRIED_AMONG_RIVALS.map(|link| (link, expected(link)));
    let best = tried.iter().map(|tried| tried.1).fold(0.0, f64::max);
    let usual = expected(USUAL);
    if best <= usual + GAIN_MIN {
        return (USUAL, usual, usual);
    }
    let least = best - SHARE_OF_LACK * (1.0 - best);
    let lowest = tried.iter().rfind(|tried| tried.1 >= least);
    lowest.map_or((USUAL, usual, usual), |&(link, expected)| {
        (link, expected, usual)
    })
}

/// Returns the F1 to expect of the clusters that a threshold makes, by what each pair promises.
fn expected_f1(
    references: &ReferenceTable,
    evidence: &[Evidence],
    promised: &[f64],
    constraints: &Constraints,
    share: f64,
    link: f64,
) -> f64 {
    let mut decided = evidence.to_vec();
    for edge in &mut decided {
        edge.decision = if edge.weight.probability() >= link {
            Decision::Link
        } else {
            Decision::Review
        };
    }
    let partition = cluster(references, &mut decided, constraints);
    let clusters = (0..partition.cluster_count() as u32).map(sameas_graph::ClusterId::new);
    let together: f64 = clusters
        .map(|id| {
            let len = partition.members(id).len() as f64;
            len * (len - 1.0) / 2.0
        })
        .sum();
    let is_together = |edge: &Evidence| {
        let of = |node: NodeId| partition.cluster_of(node);
        of(edge.left) == of(edge.right)
    };
    let all: f64 = promised.iter().sum();
    let (mut right, mut direct) = (0.0, 0.0);
    let pairs = evidence.iter().zip(promised);
    for (_, promised) in pairs.filter(|(edge, _)| is_together(edge)) {
        right += promised;
        direct += 1.0;
    }
    let wrong = (direct - right) + (together - direct).max(0.0) / share;
    2.0 * right / (right + wrong + all).max(1.0)
}

#[cfg(test)]
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

    /// Pairs of sure matches, chained by weak links: the threshold must rise above the chain.
    #[test]
    fn chains_of_weak_links_raise_the_threshold() {
        let count = 200;
        let mut references = ReferenceTableBuilder::new(vec!["a".to_owned()]);
        for number in 0..count {
            references.push(SourceId::new(0), &format!("{number:04}"));
        }
        let references = references.finish();
        let sure = (0..count / 2).map(|n| edge(2 * n, 2 * n + 1, 14.0));
        let weak = (0..count / 2 - 1).map(|n| edge(2 * n + 1, 2 * n + 2, 4.0));
        let constraints = Constraints {
            one_per_source: Vec::new(),
            cannot_link: Vec::new(),
            cluster_size_max: 1_000,
        };
        let sure: Vec<Evidence> = sure.collect();
        assert!((choose(&references, &sure, &constraints, 1.0).0 - USUAL).abs() < 1e-9);
        let mut both: Vec<Evidence> = sure.into_iter().chain(weak).collect();
        both.sort_by_key(|e| (e.left, e.right));
        assert!(choose(&references, &both, &constraints, 1.0).0 > 0.94);
    }

    fn two_sources(count: usize) -> ReferenceTable {
        let mut references = ReferenceTableBuilder::new(vec!["a".to_owned(), "b".to_owned()]);
        for source in 0..2 {
            for number in 0..count {
                references.push(SourceId::new(source), &format!("{number:04}"));
            }
        }
        references.finish()
    }

    fn once() -> Constraints {
        Constraints {
            one_per_source: vec![SourceId::new(0), SourceId::new(1)],
            cannot_link: Vec::new(),
            cluster_size_max: 1_000,
        }
    }

    /// The best candidate of nearly every record weighs little, and nothing contests it: judged one by
    /// one such pairs are improbable, so a threshold of even odds would find none.
    #[test]
    fn best_candidates_that_weigh_little_lower_the_threshold() {
        let count = 200;
        let references = two_sources(count as usize);
        let weak: Vec<Evidence> = (0..count).map(|n| edge(n, n + count, -1.0)).collect();
        assert!(choose_among_rivals(&references, &weak, &once(), 1.0).0 < 0.34);
        let sure: Vec<Evidence> = (0..count).map(|n| edge(n, n + count, 14.0)).collect();
        assert!((choose_among_rivals(&references, &sure, &once(), 1.0).0 - USUAL).abs() < 1e-9);
    }
}
