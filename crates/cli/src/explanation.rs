//! Why two references are together or apart, as a command prints it.

mod wire;

use std::fmt::Write as _;

use anyhow::Result;
use sameas_graph::{Decision, Legend, QuarantineReason, RuleKind};
use sameas_store::{CorruptError, Located, MemberEvidence, Snapshot};
use serde::Serialize;

use crate::output::Answer;

/// The most edges of one kind that are shown.
const EDGES_SHOWN_MAX: usize = 10;

/// The answer to "why?".
#[derive(Debug, Serialize)]
pub(crate) struct Explanation {
    revision: u64,
    together: bool,
    left: Side,
    right: Side,
    link_bits: f64,
    review_bits: f64,
    prior_bits: f64,
    /// The evidence between the two themselves.
    direct: Option<Edge>,
    /// The chain of links whose weakest link is strongest, if they are together without a link.
    path: Vec<Edge>,
    /// The strongest evidence between (or within) their entities that was refused or waits for
    /// a person.
    undecided: Vec<Edge>,
    /// How much of it there is.
    undecided_count: u64,
}

/// One of the two references.
#[derive(Debug, Serialize)]
struct Side {
    source: String,
    key: String,
    unified_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
}

/// What two records said about each other.
#[derive(Debug, Serialize)]
struct Edge {
    left: [String; 2],
    right: [String; 2],
    decision: &'static str,
    weight_bits: f64,
    probability: f64,
    rule: String,
    rule_kind: &'static str,
    comparisons: Vec<Answered>,
    /// What rare values add to the levels, and what relatives would share as well, what two levels
    /// say twice and labels take away.
    adjustment_bits: f64,
    /// What a deterministic rule adds, which decides whatever the levels say; nothing if the pair
    /// weighs more without it.
    rule_bits: f64,
}

/// What one comparison said.
#[derive(Debug, Serialize)]
struct Answered {
    comparison: String,
    level: String,
    weight_bits: f64,
}

/// What neither the prior nor the comparisons explain of a weight.
pub(crate) const ADJUSTMENT: &str =
    "rare values and calibration, less what relatives share and what is said twice";

impl Explanation {
    /// Explains two references of a snapshot.
    pub(crate) fn of(snapshot: &Snapshot, left: &Located, right: &Located) -> Result<Self> {
        let together = left.entity.id == right.entity.id;
        let direct = snapshot.evidence_between(left.member, right.member)?;
        let is_linked = direct.is_some_and(|edge| edge.decision == Decision::Link);
        let path = if together && !is_linked {
            snapshot.strongest_path(left.member, right.member)?
        } else {
            None
        };
        let shown = |edges: &[MemberEvidence]| -> Result<Vec<Edge>, CorruptError> {
            edges.iter().map(|edge| Edge::of(snapshot, edge)).collect()
        };
        let legend = snapshot.legend();
        let undecided = shown(&undecided(snapshot, left, right)?)?;
        Ok(Self {
            revision: snapshot.revision().get(),
            together,
            left: Side::of(snapshot, left)?,
            right: Side::of(snapshot, right)?,
            link_bits: legend.link.bits(),
            review_bits: legend.review.bits(),
            prior_bits: legend.prior.bits(),
            direct: direct.map(|edge| Edge::of(snapshot, &edge)).transpose()?,
            path: shown(&path.unwrap_or_default())?,
            undecided_count: undecided.len() as u64,
            undecided: strongest(undecided),
        })
    }
}

/// Returns the edges that are shown, strongest first, whatever kinds they are of.
fn strongest(mut edges: Vec<Edge>) -> Vec<Edge> {
    edges.sort_by(|one, other| {
        let by_weight = other.weight_bits.total_cmp(&one.weight_bits);
        by_weight.then_with(|| (&one.left, &one.right).cmp(&(&other.left, &other.right)))
    });
    edges.truncate(EDGES_SHOWN_MAX);
    edges
}

impl Side {
    fn of(snapshot: &Snapshot, located: &Located) -> Result<Self, CorruptError> {
        let member = snapshot.member(located.member)?;
        Ok(Self {
            source: member.source.to_owned(),
            key: member.key.to_owned(),
            unified_id: located.entity.id.to_string(),
            since: Some(located.since.get()),
        })
    }
}

/// Returns evidence between the entities of the two that did not link.
fn undecided(
    snapshot: &Snapshot,
    left: &Located,
    right: &Located,
) -> Result<Vec<MemberEvidence>, CorruptError> {
    if left.entity.id == right.entity.id {
        let mut among = snapshot.cluster_evidence(left.member)?;
        among.retain(|edge| edge.decision != Decision::Link);
        return Ok(among);
    }
    // The records of the smaller entity are asked, each for all it has.
    let [one, other] = [
        snapshot.entity_of(left.member)?,
        snapshot.entity_of(right.member)?,
    ];
    let (asked, far_id) = if one.member_count() <= other.member_count() {
        (one, right.entity.id)
    } else {
        (other, left.entity.id)
    };
    let mut found = Vec::new();
    for member in asked.members() {
        let member = member?.member;
        for edge in snapshot.evidence_of(member)? {
            let far = if edge.left == member {
                edge.right
            } else {
                edge.left
            };
            let is_between = snapshot.entity_of(far)?.entity().id == far_id;
            if edge.decision != Decision::Link && is_between {
                found.push(edge);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

impl Edge {
    fn of(snapshot: &Snapshot, edge: &MemberEvidence) -> Result<Self, CorruptError> {
        let name = |member| {
            let member = snapshot.member(member)?;
            Ok([member.source.to_owned(), member.key.to_owned()])
        };
        let legend = snapshot.legend();
        let remainder = legend.remainder(edge.weight, Some(edge.rule), edge.pattern);
        let rule = legend.rules.get(edge.rule.index());
        let kind = rule.map_or(RuleKind::Blocking, |rule| rule.kind);
        Ok(Self {
            left: name(edge.left)?,
            right: name(edge.right)?,
            decision: decision(edge.decision),
            weight_bits: edge.weight.bits(),
            probability: edge.weight.probability(),
            rule: rule.map_or_else(String::new, |rule| rule.name.clone()),
            rule_kind: rule_kind(kind),
            comparisons: levels(legend, edge),
            adjustment_bits: remainder.adjustment_bits,
            rule_bits: remainder.rule_bits,
        })
    }
}

fn levels(legend: &Legend, edge: &MemberEvidence) -> Vec<Answered> {
    let comparisons = legend.comparisons.iter().enumerate();
    let level = |(index, comparison): (usize, &sameas_graph::ComparisonLegend)| {
        let level = comparison
            .levels
            .get(usize::from(edge.pattern.level(index)));
        Answered {
            comparison: comparison.name.clone(),
            level: level.map_or_else(String::new, |level| level.name.clone()),
            weight_bits: level.map_or(0.0, |level| level.weight.bits()),
        }
    };
    comparisons.map(level).collect()
}

fn rule_kind(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::Deterministic => "deterministic",
        RuleKind::Blocking => "blocking",
    }
}

fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Link => "link",
        Decision::Review => "review",
        Decision::Quarantined(QuarantineReason::OnePerSource) => {
            "refused: two records of a source that holds each customer once"
        }
        Decision::Quarantined(QuarantineReason::CannotLink) => {
            "refused: values that must not differ do (decide.apart)"
        }
        Decision::Quarantined(QuarantineReason::ClusterSize) => {
            "refused: the cluster would be too large"
        }
        Decision::Quarantined(QuarantineReason::WeakBridge) => {
            "refused: the pairs between these two groups of records speak against it (decide.bridge)"
        }
    }
}

impl Answer for Explanation {
    fn text(&self) -> String {
        let mut text = String::new();
        let verdict = if self.together {
            "the same customer"
        } else {
            "different customers"
        };
        let _ = writeln!(text, "{verdict}, as of revision {}", self.revision);
        for Side {
            source,
            key,
            unified_id,
            since,
        } in [&self.left, &self.right]
        {
            let since = since.map_or_else(String::new, |since| format!("  since revision {since}"));
            let _ = writeln!(text, "  {source} {key}  {unified_id}{since}");
        }
        match &self.direct {
            Some(edge) => edge.write(&mut text, "evidence between the two", true),
            None if self.together => {}
            None => {
                let _ = writeln!(
                    text,
                    "no evidence between the two: they share no blocking rule, weigh less than {:+.2} bits, or the evidence was weaker than what is kept",
                    self.review_bits
                );
            }
        }
        for (index, edge) in self.path.iter().enumerate() {
            edge.write(&mut text, &format!("link {} of the chain", index + 1), true);
        }
        for edge in &self.undecided {
            edge.write(&mut text, "between their records", false);
        }
        let shown = self.undecided.len();
        if self.undecided_count > shown as u64 {
            let _ = writeln!(
                text,
                "between their records: these are the strongest {shown} of {}",
                self.undecided_count
            );
        }
        let (prior, link, review) = (self.prior_bits, self.link_bits, self.review_bits);
        let _ = writeln!(
            text,
            "prior {prior:+.2}, links from {link:+.2}, review from {review:+.2} bits"
        );
        text
    }
}

impl Edge {
    fn write(&self, text: &mut String, title: &str, with_levels: bool) {
        let ([left_source, left_key], [right_source, right_key]) = (&self.left, &self.right);
        let _ = writeln!(
            text,
            "{title}: {left_source} {left_key} - {right_source} {right_key}: {} ({:+.2} bits, {:.4}), found by {}",
            self.decision, self.weight_bits, self.probability, self.rule
        );
        if !with_levels {
            return;
        }
        for Answered {
            comparison,
            level,
            weight_bits,
        } in &self.comparisons
        {
            let _ = writeln!(text, "  {weight_bits:+8.2}  {comparison:<16} {level}");
        }
        for (bits, what) in [
            (self.adjustment_bits, ADJUSTMENT),
            (self.rule_bits, "the rule decides"),
        ] {
            if bits != 0.0 {
                let _ = writeln!(text, "  {bits:+8.2}  {what}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
