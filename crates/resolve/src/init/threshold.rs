//! The threshold, chosen without labels: the one whose clusters agree best with the posteriors.
//!
//! A posterior is the probability that a pair is of one entity, so over the pairs that clusters put
//! together the posteriors sum to those expected right, and over the rest to those expected missed
//! (expected F1, Nan Ye et al. 2012). Pairs that only a chain of links puts together have no
//! evidence of their own and count as wrong: that is what a threshold too low costs. In a sample of a
//! share s, a chain over one more record is 1/s times rarer than among all, so they count 1/s times.

use sameas_graph::{Constraints, Decision, Evidence, NodeId, ReferenceTable, cluster};

/// The thresholds that are tried.
const TRIED: [f64; 9] = [0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999];

/// Those below, where a probability says least: one must promise clearly more than all above, and
/// more than a few pairs.
const TRIED_LAST: [f64; 3] = [0.7, 0.6, 0.5];
const GAIN_CLEAR: f64 = 0.01;
const GAIN_PAIRS: f64 = 10.0;

/// The threshold where nothing speaks for another.
const USUAL: f64 = 0.9;

/// Another threshold must promise so much more F1 than the usual one.
const GAIN_MIN: f64 = 0.002;

/// Returns the threshold, and what F1 it and the usual one are expected to reach.
pub(super) fn choose(
    references: &ReferenceTable,
    evidence: &[Evidence],
    constraints: &Constraints,
    share: f64,
) -> (f64, f64, f64) {
    let expected = |link: f64| expected_f1(references, evidence, constraints, share, link);
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
    let matches: f64 = evidence.iter().map(|edge| edge.weight.probability()).sum();
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

/// Returns the F1 to expect of the clusters that a threshold makes.
fn expected_f1(
    references: &ReferenceTable,
    evidence: &[Evidence],
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
    let is_together = |edge: &&Evidence| {
        let of = |node: NodeId| partition.cluster_of(node);
        of(edge.left) == of(edge.right)
    };
    let all: f64 = evidence.iter().map(|edge| edge.weight.probability()).sum();
    let (mut right, mut direct) = (0.0, 0.0);
    for edge in evidence.iter().filter(is_together) {
        right += edge.weight.probability();
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
}
