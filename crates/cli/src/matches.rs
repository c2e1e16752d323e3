//! What `serve` finds records among: read when the server starts, and again when a revision is new.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Result;
use sameas_api::v1 as wire;
use sameas_graph::Legend;
use sameas_resolve::{
    FindError, FindQuery, Finder, FoundEntity, FoundRecord, JobOptions, MatchStanding, Settings,
    Shrink, Silent, rank,
};
use sameas_server::{
    FOUND_REFERENCE_COUNT_MAX, FindAnswer, FindFailure, FindQuestion, Finding, Matches, ValuesError,
};
use sameas_store::Snapshot;
use tokio::runtime::Runtime;

use crate::args::Shared;
use crate::job;
use crate::values::Ending;

/// Finds records among those that were read last.
pub(crate) struct Known {
    /// Always there until it is dropped.
    runtime: Option<Runtime>,
    state: Arc<State>,
}

struct State {
    settings: Settings,
    options: JobOptions,
    finder: RwLock<Option<Arc<Finder>>>,
    /// The revision that was current when the last reading began.
    read_for: AtomicU64,
}

impl Known {
    /// Begins to read; until that is done, finders are told to come later.
    pub(crate) fn new(shared: &Shared, settings: &Settings, revision: u64) -> Result<Self> {
        let options = job::options(shared, Shrink::Allow)?;
        let known = Self {
            runtime: Some(job::runtime(shared)?),
            state: Arc::new(State {
                settings: settings.clone(),
                options: JobOptions {
                    progress: Arc::new(Silent),
                    ..options
                },
                finder: RwLock::new(None),
                read_for: AtomicU64::new(0),
            }),
        };
        known.read_for(revision);
        Ok(known)
    }

    /// Reads all sources again if this revision is newer than the last reading.
    fn read_for(&self, revision: u64) {
        let before = self.state.read_for.fetch_max(revision, Ordering::Relaxed);
        if let Some(runtime) = self.runtime.as_ref().filter(|_| before < revision) {
            runtime.spawn(Arc::clone(&self.state).read(before));
        }
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        // Whoever drops it may be a task, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl State {
    async fn read(self: Arc<Self>, before: u64) {
        match Finder::load(&self.settings, &self.options).await {
            Ok(finder) => {
                let references = finder.reference_count();
                tracing::info!(references, "records can be found");
                let mut kept = self.finder.write().unwrap_or_else(PoisonError::into_inner);
                *kept = Some(Arc::new(finder));
            }
            Err(error) => {
                tracing::error!(%error, "records cannot be found, or not among the newest");
                // The next who asks begins again.
                self.read_for.store(before, Ordering::Relaxed);
            }
        }
    }

    fn finder(&self) -> Option<Arc<Finder>> {
        let kept = self.finder.read().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }
}

impl Matches for Known {
    fn find(&self, question: FindQuestion, snapshot: Arc<Snapshot>) -> Finding {
        self.read_for(snapshot.revision().get());
        let (Some(finder), Some(runtime)) = (self.state.finder(), &self.runtime) else {
            return Box::pin(std::future::ready(Err(FindFailure::NotReady)));
        };
        let asking = runtime.spawn(async move { answer(&finder, question, &snapshot).await });
        let ending = Ending::of(&asking);
        Box::pin(async move {
            let _ending = ending;
            asking
                .await
                .unwrap_or_else(|_| Err(failed("the task that finds has died")))
        })
    }
}

fn failed(reason: &str) -> FindFailure {
    let reason = reason.to_owned();
    FindFailure::Failed(ValuesError { reason })
}

async fn answer(
    finder: &Finder,
    question: FindQuestion,
    snapshot: &Snapshot,
) -> Result<FindAnswer, FindFailure> {
    let fields: Vec<String> = question.attributes.iter().map(|(f, _)| f.clone()).collect();
    let position = |field: &str| fields.iter().position(|one| one == field).unwrap_or(0);
    let (time, least) = (question.time, question.min_probability);
    let found = finder.find(query(question), time).await;
    let found = found.map_err(|error| match &error {
        FindError::UnknownField { field, .. } => FindFailure::FieldUnknown {
            position: position(field),
        },
        FindError::TooLarge { field } => FindFailure::TooLarge {
            position: position(field),
        },
        FindError::UnknownSource { .. } => FindFailure::SourceUnknown,
        _ => FindFailure::Insufficient {
            what: error.to_string(),
        },
    })?;
    if found.rules_asked == 0 {
        let what = finder.what_would_do();
        return Err(FindFailure::Insufficient { what });
    }
    let entities = rank(&found, finder.legend(), snapshot, least);
    let entities = entities.map_err(|error| failed(&error.to_string()))?;
    let gaps = found.gaps.into_iter().map(|gap| {
        tracing::warn!(
            gap.source,
            gap.reason,
            "a source cannot be asked for candidates"
        );
        wire::FindGap {
            source: gap.source,
            // Where a system lies is the operator's business.
            reason: "its system cannot be read now; the server's log says why".to_owned(),
        }
    });
    Ok(FindAnswer {
        entities: entities.into_iter().map(entity).collect(),
        gaps: gaps.collect(),
        decision_model: decision_model(finder.legend()),
    })
}

fn query(question: FindQuestion) -> FindQuery {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (field, value) in question.attributes {
        values.entry(field).or_default().push(value);
    }
    FindQuery {
        values,
        source: question.source,
        key: question.key,
    }
}

fn entity(entity: FoundEntity) -> wire::FoundEntity {
    let references = entity.records.into_iter().take(FOUND_REFERENCE_COUNT_MAX);
    wire::FoundEntity {
        unified_id: entity.unified_id,
        standing: standing(entity.standing).into(),
        probability: entity.probability,
        reference_count: u32::try_from(entity.record_count).unwrap_or(u32::MAX),
        references: references.map(reference).collect(),
    }
}

fn reference(record: FoundRecord) -> wire::FoundReference {
    let comparisons = record.comparisons.into_iter();
    let comparisons =
        comparisons.map(
            |(comparison, level, weight_bits)| wire::ComparisonEvidence {
                comparison,
                level,
                weight_bits,
            },
        );
    wire::FoundReference {
        reference: Some(wire::Reference {
            source: record.source,
            key: record.key,
        }),
        weight_bits: record.weight_bits,
        probability: record.probability,
        linking_rule: record.linked_by.unwrap_or_default(),
        apart_comparison: record.held_apart_by.unwrap_or_default(),
        comparisons: comparisons.collect(),
    }
}

fn standing(standing: MatchStanding) -> wire::FindStanding {
    match standing {
        MatchStanding::Match => wire::FindStanding::Match,
        MatchStanding::Review => wire::FindStanding::Review,
        MatchStanding::Unlikely => wire::FindStanding::Unlikely,
        MatchStanding::HeldApart => wire::FindStanding::HeldApart,
    }
}

fn decision_model(legend: &Legend) -> wire::DecisionModel {
    wire::DecisionModel {
        prior_bits: legend.prior.bits(),
        link_bits: legend.link.bits(),
        review_bits: legend.review.bits(),
        model_id: format!("{:016x}", legend.model),
    }
}
