//! An explanation as the service sends it.

use sameas_api::v1::{self, Reference};
use sameas_graph::{Decision, QuarantineReason, RuleKind};

use super::{Answered, Edge, Explanation, Side};

impl Explanation {
    /// Reads the answer to a question about these two references.
    pub(crate) fn received(
        left: &Reference,
        right: &Reference,
        response: v1::ExplainResponse,
    ) -> Self {
        let model = response.model.unwrap_or_default();
        let undecided = response.quarantined.into_iter().chain(response.review);
        let counts = [response.quarantined_count, response.review_count];
        Self {
            revision: response.revision,
            together: response.together,
            left: side(left, response.left_unified_id),
            right: side(right, response.right_unified_id),
            link_bits: model.link_bits,
            review_bits: model.review_bits,
            prior_bits: model.prior_bits,
            direct: response.direct.map(edge),
            path: response.path.into_iter().map(edge).collect(),
            undecided_count: counts.map(u64::from).iter().sum(),
            undecided: super::strongest(undecided.map(edge).collect()),
        }
    }
}

fn side(reference: &Reference, unified_id: String) -> Side {
    let Reference { source, key } = reference.clone();
    Side {
        source,
        key,
        unified_id,
        since: None,
    }
}

fn edge(evidence: v1::Evidence) -> Edge {
    let decision = decision(&evidence);
    let rule_kind = match evidence.rule_kind() {
        v1::RuleKind::Deterministic => RuleKind::Deterministic,
        v1::RuleKind::Blocking | v1::RuleKind::Unspecified => RuleKind::Blocking,
    };
    let name = |reference: Option<Reference>| {
        let Reference { source, key } = reference.unwrap_or_default();
        [source, key]
    };
    Edge {
        decision: super::decision(decision),
        left: name(evidence.left),
        right: name(evidence.right),
        weight_bits: evidence.weight_bits,
        probability: evidence.probability,
        rule: evidence.rule,
        rule_kind: super::rule_kind(rule_kind),
        comparisons: evidence.comparisons.into_iter().map(level).collect(),
        adjustment_bits: evidence.adjustment_bits,
        rule_bits: evidence.rule_bits,
    }
}

fn level(evidence: v1::ComparisonEvidence) -> Answered {
    let v1::ComparisonEvidence {
        comparison,
        level,
        weight_bits,
    } = evidence;
    Answered {
        comparison,
        level,
        weight_bits,
    }
}

fn decision(evidence: &v1::Evidence) -> Decision {
    match evidence.decision() {
        v1::Decision::Link => Decision::Link,
        v1::Decision::Review | v1::Decision::Unspecified => Decision::Review,
        v1::Decision::Quarantined => Decision::Quarantined(match evidence.quarantine_reason() {
            v1::QuarantineReason::OnePerSource => QuarantineReason::OnePerSource,
            v1::QuarantineReason::ClusterSize => QuarantineReason::ClusterSize,
            v1::QuarantineReason::WeakBridge => QuarantineReason::WeakBridge,
            v1::QuarantineReason::CannotLink | v1::QuarantineReason::Unspecified => {
                QuarantineReason::CannotLink
            }
        }),
    }
}
