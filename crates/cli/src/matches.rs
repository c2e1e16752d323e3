//! What `serve` finds records among: read when the server starts, and again when somebody asks after
//! a newer revision.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Result;
use sameas_api::v1 as wire;
use sameas_resolve::{
    FindError, FindGap, FindQuery, Finder, FoundEntity, FoundRecord, JobOptions, MatchStanding,
    RankOptions, Settings, Shrink, Silent, Waiting, rank,
};
use sameas_server::{
    FOUND_REFERENCE_COUNT_MAX, FindAnswer, FindFailure, FindQuestion, Finding, Matches,
    ValuesError, decision_model,
};
use sameas_store::{CorruptError, Snapshot, SourceSummary};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::args::Shared;
use crate::values::{Ending, GapLog};
use crate::{job, output};

/// How long a reading that failed is not tried again: at first, and at most.
const PAUSE_MIN: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_mins(10);
/// How long a source that has lost much is not read again, at first.
const DOUBT: Duration = Duration::from_mins(1);

/// Finds records among those that were read last.
pub(crate) struct Known {
    /// Answers; always there until it is dropped.
    answering: Option<Runtime>,
    /// Reads, so that no answer waits for it.
    reading: Option<Runtime>,
    kept: Arc<Kept<Finder>>,
    /// The newest revision that anybody asked after.
    wanted: watch::Sender<u64>,
    log: Arc<GapLog>,
}

/// What was read last, if anything.
type Kept<T> = RwLock<Option<Arc<Reading<T>>>>;

/// What was read, and of when it is.
struct Reading<T> {
    read: T,
    /// The newest revision when the reading began.
    revision: u64,
    /// What it lacks of the revision that was asked after last.
    lacking: Mutex<Option<(u64, Vec<FindGap>)>>,
}

impl<T> Reading<T> {
    fn new(read: T, revision: u64) -> Self {
        Self {
            read,
            revision,
            lacking: Mutex::default(),
        }
    }
}

impl Reading<Finder> {
    /// Returns the sources of which the revision has more or newer records than were read.
    fn lacks(&self, snapshot: &Snapshot) -> Result<Vec<FindGap>, CorruptError> {
        let revision = snapshot.revision().get();
        if revision > self.revision {
            let gap = |source: &SourceSummary| FindGap {
                source: source.name.clone(),
                reason: "what is new in it since the graph was rebuilt was not read yet".to_owned(),
            };
            return Ok(snapshot.sources().iter().map(gap).collect());
        }
        let mut lacking = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, gaps)) = &*lacking
            && *of == revision
        {
            return Ok(gaps.clone());
        }
        let gaps = self.read.lacks(snapshot)?;
        *lacking = Some((revision, gaps.clone()));
        Ok(gaps)
    }
}

impl Known {
    /// Begins to read; until that is done, finders are told to come later.
    pub(crate) fn new(shared: &Shared, settings: &Settings, revision: u64) -> Result<Self> {
        let options = JobOptions {
            progress: Arc::new(Silent),
            ..job::options(shared, Shrink::Allow)?
        };
        let (wanted, heard) = watch::channel(revision);
        let kept = Arc::default();
        let log: Arc<GapLog> = Arc::default();
        let reading = job::runtime(shared)?;
        reading.spawn(keep_reading(
            settings.clone(),
            options,
            Arc::clone(&kept),
            heard,
            Arc::clone(&log),
        ));
        Ok(Self {
            answering: Some(job::runtime(shared)?),
            reading: Some(reading),
            kept,
            wanted,
            log,
        })
    }

    /// Returns what finds, once something was read.
    fn reading(&self) -> Option<Arc<Reading<Finder>>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        // Whoever drops it may be a task, which must not wait.
        for runtime in [self.answering.take(), self.reading.take()]
            .into_iter()
            .flatten()
        {
            runtime.shutdown_background();
        }
    }
}

/// Puts what was read in the place of what is kept, unless that lacks fewer sources: answers then
/// say that it is older. Returns what is not needed any more.
fn replaced<T>(
    kept: &Kept<T>,
    reading: Reading<T>,
    unread: impl Fn(&T) -> &[FindGap],
) -> Option<Arc<Reading<T>>> {
    let mut kept = kept.write().unwrap_or_else(PoisonError::into_inner);
    let reading = Arc::new(reading);
    let count = |reading: &Reading<T>| unread(&reading.read).len();
    if kept
        .as_ref()
        .is_some_and(|kept| count(kept) < count(&reading))
    {
        return Some(reading);
    }
    kept.replace(reading)
}

/// Why all sources are read anew.
enum Cause {
    Newer,
    Doubted,
}

/// Waits until somebody asks after a newer revision, or a source was found to have lost much of what
/// the revision knows: it may be about to be filled. Returns nothing once there is nobody to ask.
async fn until_read_anew(
    kept: &Kept<Finder>,
    settings: &Settings,
    wanted: &mut watch::Receiver<u64>,
    doubt: Duration,
) -> Option<Cause> {
    loop {
        match tokio::time::timeout(doubt, wanted.changed()).await {
            Ok(heard) => return heard.is_ok().then_some(Cause::Newer),
            Err(_) if is_doubted(kept, settings) => return Some(Cause::Doubted),
            Err(_) => {}
        }
    }
}

fn is_doubted(kept: &Kept<Finder>, settings: &Settings) -> bool {
    let kept = kept.read().unwrap_or_else(PoisonError::into_inner);
    let Some(reading) = &*kept else {
        return false;
    };
    let lacking = reading
        .lacking
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let mut gaps = lacking.iter().flat_map(|(_, gaps)| gaps);
    gaps.any(|gap| {
        settings
            .sources
            .iter()
            .any(|source| source.name == gap.source)
    })
}

/// Reads all sources, and again each time that somebody has asked after a newer revision.
async fn keep_reading(
    settings: Settings,
    options: JobOptions,
    kept: Arc<Kept<Finder>>,
    mut wanted: watch::Receiver<u64>,
    log: Arc<GapLog>,
) {
    let (settings, options) = (Arc::new(settings), Arc::new(options));
    let (mut pause, mut doubt) = (PAUSE_MIN, DOUBT);
    loop {
        let revision = *wanted.borrow_and_update();
        let (all, options) = (Arc::clone(&settings), Arc::clone(&options));
        // A task of its own: a defect in it is a reading that failed.
        let reading = tokio::spawn(async move { Finder::load(&all, &options).await });
        match reading.await {
            Ok(Ok(read)) => {
                let (references, unread) = (read.reference_count(), read.unread().len());
                tracing::info!(
                    references,
                    unread,
                    "sources were read to find records among"
                );
                for gap in read.unread() {
                    log.note(&gap.source, &gap.reason);
                }
                let is_whole = read.unread().is_empty();
                // The one before is freed here, where nobody waits for the lock.
                drop(replaced(
                    &kept,
                    Reading::new(read, revision),
                    Finder::unread,
                ));
                if is_whole {
                    pause = PAUSE_MIN;
                    doubt = match until_read_anew(&kept, &settings, &mut wanted, doubt).await {
                        None => return,
                        Some(Cause::Newer) => DOUBT,
                        // A source that stays smaller costs fewer and fewer readings.
                        Some(Cause::Doubted) => (doubt * 2).min(PAUSE_MAX),
                    };
                    continue;
                }
            }
            Ok(Err(error)) => {
                let failure = output::error_text(&error.into());
                tracing::error!(failure, "records cannot be found, or not among the newest");
            }
            Err(_) => {
                tracing::error!("records cannot be found: the task that reads has died");
            }
        }
        pause = match tokio::time::timeout(pause, wanted.changed()).await {
            Ok(Ok(())) => PAUSE_MIN,
            Ok(Err(_)) => return,
            Err(_) => (pause * 2).min(PAUSE_MAX),
        };
    }
}

impl Matches for Known {
    fn find(&self, question: FindQuestion, snapshot: Arc<Snapshot>) -> Finding {
        let revision = snapshot.revision().get();
        self.wanted.send_if_modified(|wanted| {
            let is_newer = revision > *wanted;
            *wanted = revision.max(*wanted);
            is_newer
        });
        let (Some(reading), Some(runtime)) = (self.reading(), &self.answering) else {
            return Box::pin(std::future::ready(Err(FindFailure::NotReady)));
        };
        let log = Arc::clone(&self.log);
        let asking = runtime.spawn(async move {
            let answered = answer(&reading.read, question, &snapshot, &log).await?;
            let lacking = reading.lacks(&snapshot);
            let lacking = lacking.map_err(|error| failed(&error.to_string()))?;
            for gap in &lacking {
                log.note(&gap.source, &gap.reason);
            }
            Ok(with_gaps(answered, &lacking))
        });
        let ending = Ending::of(&asking);
        Box::pin(async move {
            let _ending = ending;
            asking
                .await
                .unwrap_or_else(|_| Err(failed("the task that finds has died")))
        })
    }
}

/// Adds the sources of which an answer lacks something. How much they have is the operator's business.
fn with_gaps(mut answer: FindAnswer, lacking: &[FindGap]) -> FindAnswer {
    for gap in lacking {
        if answer.gaps.iter().all(|told| told.source != gap.source) {
            answer.gaps.push(wire::FindGap {
                source: gap.source.clone(),
                reason:
                    "what was read of it lacks what the graph knows; the server's log says more"
                        .to_owned(),
            });
        }
    }
    answer
}

fn silent(source: &str) -> wire::FindGap {
    wire::FindGap {
        source: source.to_owned(),
        // Where a system lies is the operator's business.
        reason: "its system cannot be read now; the server's log says why".to_owned(),
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
    log: &GapLog,
) -> Result<FindAnswer, FindFailure> {
    let fields: Vec<String> = question.attributes.iter().map(|(f, _)| f.clone()).collect();
    let position = |field: &str| fields.iter().position(|one| one == field).unwrap_or(0);
    let (time, visible) = (question.time, question.visible.clone());
    let options = RankOptions {
        least: question.min_probability,
        limit: question.limit,
        comparisons: finder.visible_comparisons(visible.as_ref()),
    };
    let found = finder.find(query(question), Waiting::Within(time)).await;
    let found = found.map_err(|error| match &error {
        FindError::UnknownField { field, .. } => FindFailure::FieldUnknown {
            position: position(field),
        },
        FindError::TooLarge { field } => FindFailure::TooLarge {
            position: position(field),
        },
        FindError::UnknownSource { .. } => FindFailure::SourceUnknown,
        FindError::Defect => failed("a look-up has died"),
        _ => FindFailure::Insufficient {
            what: error.to_string(),
        },
    })?;
    if found.rules_asked == 0 {
        let what = finder.what_would_do(visible.as_ref());
        return Err(FindFailure::Insufficient { what });
    }
    let entities = rank(&found, finder.legend(), snapshot, &options);
    let entities = entities.map_err(|error| failed(&error.to_string()))?;
    let gaps = found.gaps.into_iter().map(|gap| {
        log.note(&gap.source, &gap.reason);
        silent(&gap.source)
    });
    Ok(FindAnswer {
        entities: entities.into_iter().map(entity).collect(),
        gaps: gaps.collect(),
        unreadable_fields: found.unreadable,
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
        visible: question.visible,
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
        adjustment_bits: record.adjustment_bits,
        rule_bits: record.rule_bits,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_lacks_a_source_does_not_replace_one_that_lacks_none() {
        let kept = Kept::default();
        // A reading is its name here, and the sources it lacks.
        let read = |name: &'static str, unread: &[&str]| {
            let gaps = unread.iter().map(|source| FindGap {
                source: (*source).to_owned(),
                reason: String::new(),
            });
            let gaps: Vec<FindGap> = gaps.collect();
            let dropped = replaced(&kept, Reading::new((name, gaps), 1), |(_, gaps)| gaps);
            dropped.map(|dropped| dropped.read.0)
        };
        assert_eq!(read("first", &["a"]), None);
        assert_eq!(read("as partial and newer", &["b"]), Some("first"));
        assert_eq!(read("whole", &[]), Some("as partial and newer"));
        assert_eq!(read("partial", &["a"]), Some("partial"));
        assert_eq!(read("whole and newer", &[]), Some("whole"));
    }
}
