//! Reads the sources again and asks which rules make the pairs of a truth, and why some are missed.
//!
//! Costs what a rebuild costs up to blocking, and a look at each pair of the truth.

use std::fmt::Write as _;
use std::path::Path;

use rayon::prelude::*;
use sameas_graph::{Evidence, GraphRevision, NodeId};
use sameas_matching::{Blocking, Comparer, MatchingPlan, Prepared, Threshold, Weigher};
use sameas_store::Snapshot;
use serde::Serialize;

use super::{Job, threads};
use crate::evaluate::missed::{MissedPairs, Reason, Tally, evidence_between};
use crate::evaluate::{
    EvaluateError,
    truth::{Truth, pairs_of},
};
use crate::job::{JobError, JobOptions, Stages};
use crate::{Settings, model_file};

/// Pairs of the truth that are looked at, at most.
const PAIRS_MAX: usize = 20_000_000;

/// How much of the truth one rule makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleTrace {
    /// The rule.
    pub rule: String,
    /// Pairs of the truth that it makes.
    pub true_pairs: u64,
    /// Those of them that no other rule makes.
    pub only_here: u64,
    /// Those it would make, were their block not too large.
    pub refused: u64,
}

/// What the sources say about the pairs of a truth.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Trace {
    /// Pairs of the truth that were looked at.
    pub pairs: u64,
    /// Pairs of the truth beyond the most that are looked at; nothing here counts them.
    pub pairs_beyond: u64,
    /// Those that some rule makes, from 0 to 1: the recall of blocking.
    pub recall_of_blocking: f64,
    /// The rules.
    pub rules: Vec<RuleTrace>,
    /// The missed pairs by reason.
    pub missed: MissedPairs,
}

/// Traces the pairs of a truth through blocking, weighing and clustering.
///
/// # Errors
/// Names what is wrong with the truth, the snapshot, a source or the model.
pub async fn trace(
    settings: &Settings,
    options: &JobOptions,
    snapshot: &Snapshot,
    truth: &Path,
) -> Result<Trace, JobError> {
    let mut stages = Stages::new(&*options.progress);
    let threads = threads(options)?;
    let graph = snapshot.load().map_err(EvaluateError::from)?;
    let truth = Truth::read(truth, &graph.references)?;
    let job = Job::read(settings, options, &threads, &mut stages).await?;
    let path = settings.model_path();
    model_file::refuse_lost_key(&path)?;
    let key = model_file::secret(&path, options.new_key)?;
    let Some(model) = model_file::read(&path, &job.plan, &key)? else {
        return Err(JobError::ModelFile {
            path,
            what: "is missing, so nothing can be weighed; restore it or rebuild".to_owned(),
        });
    };
    threads.install(|| {
        stages.begin("prepare", None);
        let prepared = job.prepared();
        let blocking = job.block(&prepared, &mut stages)?;
        stages.begin("trace", None);
        let comparer = Comparer::of_model(&prepared, &job.plan, &model, &key);
        let threshold = Threshold::of(&settings.decide);
        let tracer = Tracer {
            graph: &graph,
            prepared: &prepared,
            blocking: &blocking,
            weigher: Weigher::new(&prepared, &comparer, &job.plan, &model, &key, threshold),
            threshold,
        };
        Ok(tracer.trace(&truth, &job.plan))
    })
}

struct Tracer<'t> {
    graph: &'t GraphRevision,
    prepared: &'t Prepared<'t>,
    blocking: &'t Blocking<'t>,
    weigher: Weigher<'t>,
    threshold: Threshold,
}

/// What was found out about one pair.
struct Traced {
    /// The pair, in the numbers of the revision.
    pair: [u32; 2],
    made_by: Vec<usize>,
    refused_by: Vec<usize>,
    /// Why it is missed, if it is.
    missed: Option<(Reason, Option<f64>)>,
}

impl Tracer<'_> {
    fn trace(&self, truth: &Truth, plan: &MatchingPlan) -> Trace {
        let (entities, lacking) = truth.entities();
        let pairs = entities.iter().flat_map(|nodes| {
            let pairs = nodes.iter().enumerate();
            pairs.flat_map(|(index, &a)| nodes[index + 1..].iter().map(move |&b| [a, b]))
        });
        let pairs: Vec<[u32; 2]> = pairs.take(PAIRS_MAX).collect();
        let all: u64 = entities.iter().map(|nodes| pairs_of(nodes.len())).sum();
        let traced: Vec<Traced> = pairs.par_iter().map(|&pair| self.look_at(pair)).collect();
        let mut rules: Vec<RuleTrace> = plan.rules.iter().map(|rule| of_rule(&rule.name)).collect();
        let (mut tally, mut made) = (Tally::default(), 0);
        tally.count(Reason::NoRecord, lacking);
        for Traced {
            pair,
            made_by,
            refused_by,
            missed,
        } in traced
        {
            made += u64::from(!made_by.is_empty());
            for &rule in &made_by {
                rules[rule].true_pairs += 1;
                rules[rule].only_here += u64::from(made_by.len() == 1);
            }
            for rule in refused_by {
                rules[rule].refused += 1;
            }
            if let Some((reason, bits)) = missed {
                tally.add(reason, &self.graph.references, pair, bits);
            }
        }
        Trace {
            pairs: pairs.len() as u64,
            pairs_beyond: all - pairs.len() as u64,
            recall_of_blocking: made as f64 / (pairs.len() as f64).max(1.0),
            rules,
            missed: tally.finish(),
        }
    }

    fn look_at(&self, pair: [u32; 2]) -> Traced {
        let [one, other] = pair.map(|node| self.graph.partition.cluster_of(NodeId::new(node)));
        let is_missed = one != other;
        let [Some(a), Some(b)] = pair.map(|node| self.now(node)) else {
            return Traced {
                pair,
                made_by: Vec::new(),
                refused_by: Vec::new(),
                missed: is_missed.then_some((Reason::Changed, None)),
            };
        };
        let (a, b) = (a.min(b), a.max(b));
        if !self.prepared.exclusive().may_pair(a, b) {
            return Traced {
                pair,
                made_by: Vec::new(),
                refused_by: Vec::new(),
                missed: is_missed.then_some((Reason::Exclusive, None)),
            };
        }
        let makers = self.blocking.makers(a, b);
        let missed = is_missed.then(|| {
            let rows = self.prepared.rows();
            let (bits, _) = self.weigher.judge_pair(rows.of(a), rows.of(b));
            let evidence = evidence_between(&self.graph.evidence, pair);
            let candidate = (!makers.made_by.is_empty(), !makers.refused_by.is_empty());
            (self.reason(candidate, bits, evidence), Some(bits))
        });
        Traced {
            pair,
            made_by: makers.made_by,
            refused_by: makers.refused_by,
            missed,
        }
    }

    /// Returns the number that a node of the revision has among the records as they are now.
    fn now(&self, node: u32) -> Option<u32> {
        let (then, node) = (&self.graph.references, NodeId::new(node));
        let now = self.prepared.records.references();
        let source = now.source_id(&then.sources()[then.source_of(node).index()])?;
        now.find(source, then.key(node)).map(NodeId::get)
    }

    fn reason(&self, candidate: (bool, bool), bits: f64, evidence: Option<&Evidence>) -> Reason {
        match (evidence, candidate) {
            (Some(_), _) => Reason::of(evidence),
            (None, (false, true)) => Reason::HotBlock,
            (None, (false, false)) => Reason::NoCandidate,
            (None, _) if bits < self.threshold.review => Reason::Light,
            (None, _) if bits < self.threshold.link => Reason::Review,
            (None, _) => Reason::Changed,
        }
    }
}

fn of_rule(name: &str) -> RuleTrace {
    RuleTrace {
        rule: name.to_owned(),
        true_pairs: 0,
        only_here: 0,
        refused: 0,
    }
}

impl Trace {
    /// Returns the figures as text for people.
    pub fn render(&self) -> String {
        let mut text = format!(
            "blocking makes {:.4} of {} pairs of the truth\n",
            self.recall_of_blocking, self.pairs
        );
        if self.pairs_beyond > 0 {
            let _ = writeln!(
                text,
                "warning: {} further pairs of the truth were not looked at; figures of the trace leave them out",
                self.pairs_beyond
            );
        }
        for rule in &self.rules {
            let _ = writeln!(
                text,
                "  {:<40} {:>9} of them, {:>7} alone, {:>7} refused in large blocks",
                rule.rule, rule.true_pairs, rule.only_here, rule.refused
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_bound_is_told() {
        let mut trace = Trace {
            pairs: 20,
            pairs_beyond: 0,
            recall_of_blocking: 1.0,
            rules: Vec::new(),
            missed: MissedPairs::default(),
        };
        assert!(!trace.render().contains("further"));
        trace.pairs_beyond = 3;
        assert!(trace.render().contains("warning: 3 further pairs"));
    }
}
