//! Everything that can be said about how good a revision is, with a truth or without.

use std::fmt::Write as _;
use std::path::Path;

use sameas_graph::GraphRevision;
use sameas_store::Snapshot;
use serde::Serialize;

use super::estimate::{Estimate, Interval};
use super::missed::{MissedPairs, missed};
use super::reliability::Reliability;
use super::sweep::{ThresholdPoint, Thresholds, sweep};
use super::truth::Truth;
use super::{EvaluateError, Evaluation};
use crate::figures::{RebuildFigures, Tally};
use crate::{Settings, Trace};

/// How good a revision is, as far as it is known.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Assessment {
    /// The revision.
    pub revision: u64,
    /// How well it agrees with the truth, if there is one.
    #[serde(flatten)]
    pub evaluation: Option<Evaluation>,
    /// What other thresholds would give.
    pub thresholds: Thresholds,
    /// What the model expects of its own decisions.
    pub estimate: Estimate,
    /// What probabilities promised and what the truth found, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reliability: Option<Reliability>,
    /// Pairs of the truth that the graph does not hold together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<MissedPairs>,
    /// What the sources say about the pairs of the truth, if they were read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

/// Assesses a snapshot, against a truth if there is one.
///
/// # Errors
/// Fails if the truth cannot be read, names a record twice or none that the graph holds, or if the
/// snapshot is damaged.
pub fn assess(
    snapshot: &Snapshot,
    settings: &Settings,
    truth: Option<&Path>,
) -> Result<Assessment, EvaluateError> {
    let graph = snapshot.load()?;
    let figures = RebuildFigures::read(&settings.graph_path(), snapshot);
    assess_graph(&graph, figures.as_ref(), settings, truth)
}

/// Assesses a revision that was loaded.
pub(crate) fn assess_graph(
    graph: &GraphRevision,
    figures: Option<&RebuildFigures>,
    settings: &Settings,
    truth: Option<&Path>,
) -> Result<Assessment, EvaluateError> {
    let truth = truth.map(|path| Truth::read(path, &graph.references));
    let truth = truth.transpose()?;
    Ok(Assessment {
        revision: graph.revision.get(),
        evaluation: truth.as_ref().map(|truth| truth.compare(&graph.partition)),
        thresholds: sweep(graph, settings, truth.as_ref()),
        estimate: estimate(graph, figures),
        reliability: truth.as_ref().and_then(|truth| {
            let entities = truth.entity_of_nodes(graph.references.len());
            Reliability::of(&graph.evidence, &graph.legend, &entities)
        }),
        missed: truth.as_ref().map(|truth| missed(graph, truth)),
        trace: None,
    })
}

fn estimate(graph: &GraphRevision, figures: Option<&RebuildFigures>) -> Estimate {
    let sizes = graph.partition.clusters().map(|(_, members)| members.len());
    let entities = sizes.filter(|&len| len > 1).count() as u64;
    match figures {
        Some(figures) => Estimate::of(&figures.weights, entities, true, Some(&figures.captures)),
        None => Estimate::of(&Tally::of(&graph.evidence).bins(), entities, false, None),
    }
}

impl Assessment {
    /// Returns the figures as text for people.
    pub fn render(&self) -> String {
        let mut text = self
            .evaluation
            .as_ref()
            .map_or_else(String::new, Evaluation::render);
        if let (Some(best), Some(own)) = (&self.thresholds.best, self.thresholds.own()) {
            let f1 = |point: &ThresholdPoint| point.pairwise.map_or(0.0, |quality| quality.f1);
            let _ = writeln!(
                text,
                "best threshold {:.2} bits (link = {:.4}): f1 {:.4}, against {:.4} at {:.2}",
                best.bits,
                best.probability,
                f1(best),
                f1(own),
                own.bits
            );
        }
        if let Some(trace) = &self.trace {
            text.push_str(&trace.render());
        }
        if let Some(missed) = self.missed_pairs() {
            for reason in &missed.reasons {
                let _ = writeln!(text, "missed {:>9}  {}", reason.pairs, reason.meaning);
            }
        }
        let estimate = &self.estimate;
        let _ = writeln!(
            text,
            "without labels the model expects:\n\
             precision of links        {}\n\
             recall of weighed pairs   {}",
            told(estimate.precision),
            told(estimate.recall_of_weighed)
        );
        if estimate.refused > 0 {
            let _ = writeln!(
                text,
                "  {} links were refused by constraints; {:.0} of them would be matches by their weight, and count as missed",
                estimate.refused, estimate.refused_expected
            );
        }
        match (estimate.recall_of_blocking, estimate.recall) {
            (Some(blocking), Some(recall)) => {
                let _ = writeln!(
                    text,
                    "recall of blocking        {}\nrecall                    {}",
                    told(blocking),
                    told(recall)
                );
            }
            _ => text.push_str("recall of blocking        unknown: no two rules on different fields make enough links both, or the rebuild was not by this version\n"),
        }
        text.push_str("These hold as far as probabilities are calibrated; `--format json` lists what is assumed.\n");
        text
    }

    /// Returns missed pairs as exactly as they are known.
    pub fn missed_pairs(&self) -> Option<&MissedPairs> {
        self.trace
            .as_ref()
            .map(|trace| &trace.missed)
            .or(self.missed.as_ref())
    }
}

fn told(interval: Interval) -> String {
    format!(
        "{:.4}  ({:.4} to {:.4})",
        interval.value, interval.low, interval.high
    )
}
