#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sameas_api::v1::{self, Reference};
use sameas_graph::{
    Constraints, Evidence, LevelPattern, MatchWeight, Namespace, NextRevision, NodeId,
    ReferenceTableBuilder, RuleId, RuleLegend, SourceId, cluster, succeed,
};
use sameas_store::GraphFolder;
use uuid::Uuid;

use super::*;

fn reference(key: u32) -> Reference {
    Reference {
        source: "crm".to_owned(),
        key: format!("{key:02}"),
    }
}

fn rule(name: &str, kind: RuleKind) -> RuleLegend {
    RuleLegend {
        name: name.to_owned(),
        kind,
    }
}

fn edge(left: u32, right: u32, bits: f64, decision: Decision) -> Evidence {
    Evidence {
        left: NodeId::new(left),
        right: NodeId::new(right),
        weight: MatchWeight::from_bits(bits),
        rule: RuleId::new(u8::from(decision != Decision::Link)),
        pattern: LevelPattern::default(),
        decision,
    }
}

/// Publishes records 0 to 19 of one source with this evidence and explains two of them.
fn explain(mut evidence: Vec<Evidence>, left: u32, right: u32) -> Explanation {
    let root = tempfile::tempdir().unwrap();
    let namespace = Namespace::new(Uuid::from_u128(42));
    let mut builder = ReferenceTableBuilder::new(vec!["crm".to_owned()]);
    for key in 0..20 {
        builder.push(SourceId::new(0), &reference(key).key);
    }
    let references = builder.finish();
    let partition = cluster(&references, &mut evidence, &Constraints::default());
    let legend = Legend {
        rules: vec![
            rule("passport", RuleKind::Deterministic),
            rule("surname", RuleKind::Blocking),
        ],
        ..Legend::default()
    };
    let next = NextRevision {
        namespace,
        references,
        partition,
        evidence,
        legend,
    };
    let folder = GraphFolder::create_or_open(&root.path().join("graph"), namespace).unwrap();
    folder.publish(&succeed(None, next), 0).unwrap();
    let snapshot = folder.current().unwrap().unwrap();
    let located = |key| {
        snapshot
            .lookup("crm", &reference(key).key)
            .unwrap()
            .unwrap()
    };
    Explanation::of(&snapshot, &located(left), &located(right)).unwrap()
}

/// Reviews between the cluster of 0 and that of 1, as strong as their place among 12.
fn reviews() -> Vec<Evidence> {
    let links = |first: u32| (2..=6).map(move |n| edge(first, first + 2 * n, 50.0, Decision::Link));
    let mut evidence: Vec<Evidence> = links(0).chain(links(1)).collect();
    let review = |n: u32| edge(2 + 2 * n, 3 + 2 * n, f64::from(n), Decision::Review);
    evidence.extend((1..=5).map(review));
    let crossed = |n: u32| edge(3 + 2 * n, 4 + 2 * n, f64::from(n) + 0.5, Decision::Review);
    evidence.extend((1..=4).map(crossed));
    evidence.extend([
        edge(0, 5, 9.0, Decision::Review),
        edge(0, 7, 9.0, Decision::Review),
        edge(0, 9, 0.25, Decision::Review),
    ]);
    evidence.sort_by_key(|edge| (edge.left, edge.right));
    evidence
}

#[test]
fn what_is_not_shown_is_counted() {
    let explained = explain(reviews(), 0, 1);
    assert_eq!(explained.undecided.len(), EDGES_SHOWN_MAX);
    assert_eq!(explained.undecided_count, 12);
    let text = explained.text();
    assert!(text.contains("the strongest 10 of 12"), "{text}");
    let weights: Vec<f64> = explained.undecided.iter().map(|e| e.weight_bits).collect();
    assert!(weights.is_sorted_by(|a, b| a >= b), "{weights:?}");
    assert!(weights.iter().all(|&weight| weight > 1.0), "{weights:?}");
}

/// Ten weak refusals hid every review when the answer came over the wire.
#[test]
fn an_answer_over_the_wire_shows_the_strongest_of_both_kinds() {
    let evidence = |weight_bits: f64, decision: v1::Decision| v1::Evidence {
        left: Some(reference(0)),
        right: Some(reference(1)),
        weight_bits,
        decision: decision.into(),
        ..v1::Evidence::default()
    };
    let response = v1::ExplainResponse {
        quarantined: (0..10)
            .map(|n| evidence(f64::from(n), v1::Decision::Quarantined))
            .collect(),
        quarantined_count: 30,
        review: vec![evidence(4.5, v1::Decision::Review)],
        review_count: 1,
        ..v1::ExplainResponse::default()
    };
    let explained = Explanation::received(&reference(0), &reference(1), response);
    let place = explained
        .undecided
        .iter()
        .position(|edge| edge.decision == "review");
    assert_eq!(place, Some(5));
    assert_eq!(
        (explained.undecided.len(), explained.undecided_count),
        (10, 31)
    );
}

#[test]
fn a_rule_that_decides_is_not_called_rarity() {
    let text = explain(vec![edge(0, 2, 40.0, Decision::Link)], 0, 2).text();
    assert!(text.contains("+40.00  the rule decides"), "{text}");
    assert!(!text.contains("rare values"), "{text}");
    // Heavier than what the rule raises to: it added nothing.
    let text = explain(vec![edge(0, 2, 40.01, Decision::Link)], 0, 2).text();
    assert!(text.contains("+40.01  rare values"), "{text}");
    assert!(!text.contains("the rule decides"), "{text}");
    let text = explain(vec![edge(0, 2, 3.0, Decision::Review)], 0, 2).text();
    assert!(text.contains("rare values"), "{text}");
}

#[test]
fn evidence_that_is_not_there_may_have_been_dropped() {
    let text = explain(Vec::new(), 0, 1).text();
    assert!(
        text.contains("or the evidence was weaker than what is kept"),
        "{text}"
    );
}

#[test]
fn values_that_must_not_differ_are_not_called_a_decision() {
    let apart = decision(Decision::Quarantined(QuarantineReason::CannotLink));
    assert!(apart.contains("decide.apart"), "{apart}");
    let weak = decision(Decision::Quarantined(QuarantineReason::WeakBridge));
    assert!(weak.contains("decide.bridge"), "{weak}");
}
