//! By which blocking rules links are made, for capture and recapture.

use rayon::prelude::*;
use sameas_graph::{Decision, Evidence};
use sameas_matching::{Blocking, MatchingPlan};
use serde::{Deserialize, Serialize};

/// Links that are asked by which rules they are made, at most.
const LINKS_MAX: usize = 100_000;

/// How many links each rule makes, and each two rules both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captures {
    /// Links that were asked: all, or evenly drawn ones of many.
    pub links: u64,
    /// The fields that each rule's key looks at, deterministic rules first.
    pub fields: Vec<Vec<String>>,
    /// How many of the links each two rules make; on the diagonal, each rule alone.
    pub both: Vec<Vec<u64>>,
}

impl Captures {
    /// Asks links by which rules they are made.
    pub(crate) fn of(blocking: &Blocking<'_>, plan: &MatchingPlan, evidence: &[Evidence]) -> Self {
        let links: Vec<&Evidence> = evidence
            .iter()
            .filter(|edge| edge.decision == Decision::Link)
            .collect();
        let step = links.len().div_ceil(LINKS_MAX).max(1);
        let asked: Vec<&Evidence> = links.into_iter().step_by(step).collect();
        let rule_count = plan.rules.len();
        let none = || vec![vec![0; rule_count]; rule_count];
        let parts = asked.par_chunks(1_024).map(|links| {
            let mut both = none();
            for link in links {
                let makers = blocking.makers(link.left.get(), link.right.get());
                for &one in &makers.made_by {
                    for &other in &makers.made_by {
                        both[one][other] += 1;
                    }
                }
            }
            both
        });
        Self {
            links: asked.len() as u64,
            fields: plan
                .rules
                .iter()
                .map(|rule| fields_of(plan, rule))
                .collect(),
            both: parts.reduce(none, sum),
        }
    }
}

fn fields_of(plan: &MatchingPlan, rule: &sameas_matching::BlockingRule) -> Vec<String> {
    let fields = rule.parts.iter().map(|part| part.field);
    let mut names: Vec<String> = fields
        .map(|field| plan.schema.field(field).name.clone())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn sum(mut one: Vec<Vec<u64>>, other: Vec<Vec<u64>>) -> Vec<Vec<u64>> {
    let cells = one.iter_mut().flatten().zip(other.into_iter().flatten());
    cells.for_each(|(sum, more)| *sum += more);
    one
}
