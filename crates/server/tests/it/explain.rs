//! Explain.

use sameas_api::v1::{
    Decision, Evidence, ExplainRequest, ExplainResponse, QuarantineReason, RuleKind,
};
use sameas_graph::MatchWeight;
use tonic::Code;

use crate::running::{Client, Running, fact, reason, reference};
use crate::world::{ONE, REVISION, TWO, text, world};

async fn explain(client: &mut Client, left: (&str, &str), right: (&str, &str)) -> ExplainResponse {
    let request = ExplainRequest {
        left: reference(left.0, left.1),
        right: reference(right.0, right.1),
        min_revision: 0,
    };
    client.explain(request).await.unwrap().into_inner()
}

fn ends(edge: &Evidence) -> [String; 2] {
    [&edge.left, &edge.right].map(|end| end.clone().unwrap().key)
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

#[tokio::test]
async fn a_direct_link_is_taken_apart() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let answer = explain(&mut client, ("shop", "B1"), ("crm", "A1")).await;
    assert_eq!(answer.revision, REVISION);
    assert!(answer.together);
    assert_eq!(
        (answer.left_unified_id, answer.right_unified_id),
        (text(ONE), text(ONE))
    );
    assert!(answer.path.is_empty(), "a direct link needs no path");
    let direct = answer.direct.unwrap();
    assert!(
        close(direct.weight_bits, 6.25) && close(direct.adjustment_bits, 1.25),
        "{direct:?}"
    );
    assert!(close(direct.rule_bits, 0.0), "{direct:?}");
    assert!(close(direct.probability, 1.0 / (1.0 + (-6.25_f64).exp2())));
    assert_eq!(
        (direct.rule.as_str(), direct.rule_kind()),
        ("name", RuleKind::Blocking)
    );
    assert_eq!(direct.decision(), Decision::Link);
    let comparisons: Vec<_> = direct
        .comparisons
        .iter()
        .map(|said| {
            (
                said.comparison.as_str(),
                said.level.as_str(),
                said.weight_bits,
            )
        })
        .collect();
    assert_eq!(
        comparisons,
        [("name", "exact", 8.0), ("email", "exact", 9.0)]
    );
    let model = answer.model.unwrap();
    assert!(close(model.prior_bits, -12.0) && close(model.link_bits, 3.32));
    assert_eq!(model.model_id, "0000000000000abc");
}

#[tokio::test]
async fn two_references_without_a_direct_link_have_a_path() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let answer = explain(&mut client, ("crm", "A1"), ("support", "C1")).await;
    assert!(answer.together && answer.direct.is_none());
    let path: Vec<_> = answer.path.iter().map(ends).collect();
    assert_eq!(path, [["A1", "B1"], ["B1", "C1"]]);
    assert!(close(answer.path[1].weight_bits, 4.0));
}

#[tokio::test]
async fn a_refused_link_says_which_constraint_refused_it() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    // Not the refused pair itself, but references of the two entities that it lies between.
    let answer = explain(&mut client, ("support", "C1"), ("shop", "B2")).await;
    assert!(!answer.together && answer.direct.is_none() && answer.path.is_empty());
    assert_eq!(
        (answer.left_unified_id, answer.right_unified_id),
        (text(ONE), text(TWO))
    );
    assert_eq!((answer.quarantined_count, answer.review_count), (1, 0));
    let refused = &answer.quarantined[0];
    assert_eq!(ends(refused), ["A1", "A2"]);
    assert_eq!(refused.decision(), Decision::Quarantined);
    assert_eq!(refused.quarantine_reason(), QuarantineReason::OnePerSource);
    let answer = explain(&mut client, ("crm", "A2"), ("crm", "A1")).await;
    assert_eq!(
        answer.direct.unwrap().quarantine_reason(),
        QuarantineReason::OnePerSource
    );
}

#[tokio::test]
async fn every_reason_to_refuse_reaches_the_client() {
    use sameas_graph::QuarantineReason as Reason;
    for (reason, told) in [
        (Reason::CannotLink, QuarantineReason::CannotLink),
        (Reason::ClusterSize, QuarantineReason::ClusterSize),
        (Reason::WeakBridge, QuarantineReason::WeakBridge),
    ] {
        let mut graph = world();
        graph.evidence[0].decision = sameas_graph::Decision::Quarantined(reason);
        let server = Running::start(&graph);
        let mut client = server.client().await;
        let answer = explain(&mut client, ("crm", "A2"), ("crm", "A1")).await;
        assert_eq!(answer.direct.unwrap().quarantine_reason(), told);
    }
}

#[tokio::test]
async fn evidence_for_review_and_deterministic_rules_are_shown() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let answer = explain(&mut client, ("crm", "A3"), ("shop", "B3")).await;
    assert!(!answer.together);
    assert_eq!(
        answer.direct.as_ref().map(Evidence::decision),
        Some(Decision::Review)
    );
    assert_eq!(
        (answer.review_count, ends(&answer.review[0])),
        (1, ["A3".into(), "B3".into()])
    );
    let answer = explain(&mut client, ("crm", "A2"), ("shop", "B2")).await;
    let direct = answer.direct.unwrap();
    assert_eq!(
        (direct.rule.as_str(), direct.rule_kind()),
        ("same tax id", RuleKind::Deterministic)
    );
    assert_eq!(direct.comparisons[1].level, "missing");
    // 20 bits, less a prior of -12 and a name that differs.
    assert!(close(direct.rule_bits, 35.0), "{direct:?}");
    assert!(close(direct.adjustment_bits, 0.0), "{direct:?}");
}

#[tokio::test]
async fn a_rule_is_given_no_bits_of_a_pair_that_weighs_more_without_it() {
    for (bits, adjustment, rule) in [(40.0, 0.0, 55.0), (40.01, 55.01, 0.0)] {
        let mut graph = world();
        let of_rule = graph.evidence.iter_mut().find(|e| e.rule.index() == 0);
        of_rule.unwrap().weight = MatchWeight::from_bits(bits);
        let server = Running::start(&graph);
        let mut client = server.client().await;
        let answer = explain(&mut client, ("crm", "A2"), ("shop", "B2")).await;
        let direct = answer.direct.unwrap();
        assert_eq!(direct.rule_kind(), RuleKind::Deterministic);
        assert!(close(direct.adjustment_bits, adjustment), "{direct:?}");
        assert!(close(direct.rule_bits, rule), "{direct:?}");
    }
}

#[tokio::test]
async fn strangers_and_a_reference_itself_have_plain_answers() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let answer = explain(&mut client, ("crm", "A1"), ("crm", "A3")).await;
    assert!(!answer.together && answer.direct.is_none());
    assert_eq!((answer.quarantined_count, answer.review_count), (0, 0));
    let answer = explain(&mut client, ("crm", "A1"), ("crm", "A1")).await;
    assert!(answer.together && answer.direct.is_none() && answer.path.is_empty());
}

#[tokio::test]
async fn every_refusal_has_its_code_and_reason() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let good = reference("crm", "A1");
    let cases = [
        (None, good.clone(), Code::InvalidArgument, "FIELD_MISSING"),
        (good.clone(), None, Code::InvalidArgument, "FIELD_MISSING"),
        (
            good.clone(),
            reference("crm", "nobody"),
            Code::NotFound,
            "REFERENCE_UNKNOWN",
        ),
        (
            reference("erp", "A1"),
            good,
            Code::NotFound,
            "SOURCE_UNKNOWN",
        ),
    ];
    for (left, right, code, expected) in cases {
        let request = ExplainRequest {
            left,
            right,
            min_revision: 0,
        };
        let status = client.explain(request).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (code, expected));
    }
    let request = ExplainRequest {
        left: reference("crm", "A1"),
        ..ExplainRequest::default()
    };
    let status = client.explain(request).await.unwrap_err();
    assert_eq!(fact(&status, "field").as_deref(), Some("right"));
}
