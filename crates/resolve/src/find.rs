//! One record against all references, at the moment of asking.
//!
//! Blocking rules find candidates by an index of keys that lives in memory; what candidates are
//! like stays in memory from the last reading or is fetched from their system, by the setting
//! `candidates` of their source. They are weighed as a rebuild weighs pairs, by the same code.

mod fetched;
mod lacks;
mod query;
mod rank;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use hashbrown::HashSet;
use sameas_graph::{Legend, LevelPattern, NodeId, ReferenceTable, SourceId};
use sameas_matching::{
    Blocking, Brought, Judge, Judged, KeyIndex, KeyPart, MatchingPlan, Prepared, Threshold,
    ValueCounts, legend,
};
use sameas_record::{FieldId, Records, Schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::fetched::{Asked, Fetched, fetched};
pub use self::query::{FindError, FindQuery};
pub use self::rank::{FoundEntity, FoundRecord, MatchStanding, RankOptions, rank};
use crate::ingest::Unread;
use crate::job::{JobError, JobOptions, Stages};
use crate::opened::{OpenedSources, Waiting, told};
use crate::rebuild::{Job, threads};
use crate::{Settings, model_file};

/// The candidates that one record is weighed against.
const CANDIDATE_COUNT_MAX: usize = 10_000;

/// How records are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FindSettings {
    /// How long a source may take to tell its candidates, in milliseconds.
    pub timeout_ms: u64,
}

impl Default for FindSettings {
    fn default() -> Self {
        Self { timeout_ms: 2_000 }
    }
}

/// A source that did not tell its candidates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindGap {
    /// The source.
    pub source: String,
    /// Why, naming no value.
    pub reason: String,
}

/// A reference that some rule brought up, and what it is to the record asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its source.
    pub source: String,
    /// Its key.
    pub key: String,
    /// The posterior weight in bits.
    pub bits: f64,
    /// The level of every comparison.
    pub pattern: LevelPattern,
    /// The deterministic rule that links it, by number.
    pub linked_by: Option<usize>,
    /// The comparison in which it differs and must not, by number.
    pub held_apart_by: Option<usize>,
}

/// What one look-up found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The candidates, heaviest first.
    pub candidates: Vec<Candidate>,
    /// How many blocking rules have a key of the record; without one nothing can be found.
    pub rules_asked: usize,
    /// The fields of the query that have a value which cannot be read as what the field holds. It
    /// was taken for missing.
    pub unreadable: Vec<String>,
    /// Sources that were not searched, or did not tell their candidates.
    pub gaps: Vec<FindGap>,
    /// The source of the record and its key there, if that source holds each customer once: no
    /// entity with another record of the source is its own.
    pub only_of: Option<(String, Option<String>)>,
}

/// Finds records among the references of the last reading.
pub struct Finder {
    shared: Arc<Shared>,
    /// One thread each, so that what a look-up computes never waits for another thread.
    engines: Vec<Engine>,
}

/// A thread that computes, and how much waits for it.
struct Engine {
    thread: rayon::ThreadPool,
    waiting: Arc<AtomicUsize>,
}

impl fmt::Debug for Finder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Finder")
            .field("references", &self.reference_count())
            .finish_non_exhaustive()
    }
}

/// What look-ups read.
struct Shared {
    settings: Settings,
    schema: Schema,
    plan: MatchingPlan,
    index: KeyIndex,
    /// All references, and the values of those whose sources keep candidates in memory.
    resident: Records,
    /// The sources that are asked for their candidates, and what of them.
    fetched: BTreeMap<SourceId, Fetched>,
    /// The sources that could not be read.
    unread: Vec<FindGap>,
    opened: OpenedSources,
    /// Content hashes of values that too many records share.
    ignored: BTreeMap<FieldId, HashSet<u64>>,
    judge: Judge,
    legend: Legend,
}

impl Finder {
    /// Reads all sources and indexes the keys of their records. A source that cannot be read is
    /// done without, and is a gap of every answer.
    ///
    /// # Errors
    /// Names what is wrong with the settings or the model, of which there must be one, or with the
    /// first source if none can be read.
    pub async fn load(settings: &Settings, options: &JobOptions) -> Result<Self, JobError> {
        let mut stages = Stages::new(&*options.progress);
        let threads = threads(options)?;
        let path = settings.model_path();
        let none = || JobError::ModelFile {
            path: path.clone(),
            what: "there is none; make it with `sameas rebuild`".to_owned(),
        };
        if !path.exists() {
            return Err(none());
        }
        model_file::refuse_lost_key(&path)?;
        let key = model_file::secret(&path, options.new_key)?;
        let reading = Job::read_what_can_be(settings, options, &threads, &mut stages).await;
        let (job, mut unread) = reading?;
        let model = model_file::read(&path, &job.plan, &key)?.ok_or_else(none)?;
        let fetched = fetched(settings, &job.records, options, &mut unread).await?;
        let shared = threads.install(|| {
            stages.begin("prepare", None);
            let threshold = Threshold::of(&settings.decide);
            let legend = legend(&job.plan, &model, threshold);
            let apart = job.apart();
            let counts = ValueCounts::of(&job.records, &job.plan);
            let prepared = job.prepared();
            stages.begin("index", None);
            let blocking = Blocking::new(&prepared, &job.plan, &settings.budget);
            let index = blocking.into_index(&settings.budget);
            drop(prepared);
            refuse_neighbours(&index, &job.plan, &fetched, &job.records)?;
            let judge = Judge::new(&job.plan, model, key, threshold, apart, counts);
            let (plan, ignored, mut resident) = (job.plan, job.ignored, job.records);
            for source in settings.sources.iter().filter(|s| s.fetches_candidates()) {
                if let Some(source) = resident.references().source_id(&source.name) {
                    let nodes = resident.references().nodes_of(source);
                    resident.forget(&nodes);
                }
            }
            let schema = resident.schema().clone();
            Ok::<_, JobError>(Shared {
                settings: settings.clone(),
                schema,
                plan,
                index,
                resident,
                fetched,
                unread: unread.into_iter().map(gap).collect(),
                opened: OpenedSources::new(&settings.sources, &settings.base),
                ignored,
                judge,
                legend,
            })
        })?;
        stages.finish();
        let engine = |_| {
            let one = rayon::ThreadPoolBuilder::new().num_threads(1);
            let thread = one.build().map_err(|error| JobError::Threads {
                what: error.to_string(),
            })?;
            let waiting = Arc::default();
            Ok::<_, JobError>(Engine { thread, waiting })
        };
        let engines: Result<Vec<_>, _> = (0..options.threads.max(1)).map(engine).collect();
        Ok(Self {
            shared: Arc::new(shared),
            engines: engines?,
        })
    }

    /// Finds what some rule brings together with a record, and weighs it.
    ///
    /// # Errors
    /// Names what is wrong with the query; a source that fails leaves a gap instead.
    pub async fn find(&self, query: FindQuery, waiting: Waiting) -> Result<Found, FindError> {
        let began = Instant::now();
        let only_of = self.shared.only_of(&query);
        let shared = Arc::clone(&self.shared);
        let asked = self.compute(move || {
            let (probe, unreadable) = shared.probe(&query)?;
            let hidden = shared.hidden(query.visible.as_ref());
            let brought = shared.candidates(&probe, &query, &hidden)?;
            Ok::<_, FindError>((probe, unreadable, hidden, brought))
        });
        let (probe, unreadable, hidden, brought) = asked.await??;
        let (resident, asked) = self.shared.by_place(&brought.nodes);
        let left = match waiting {
            Waiting::Within(time) => Waiting::Within(time.saturating_sub(began.elapsed())),
            Waiting::ToTheEnd => Waiting::ToTheEnd,
        };
        let (fetched, mut gaps) = self.shared.fetch(&asked, &hidden, left).await;
        gaps.extend(self.shared.unread.iter().cloned());
        let shared = Arc::clone(&self.shared);
        let candidates = self.compute(move || shared.weigh(&probe, &hidden, &resident, &fetched));
        Ok(Found {
            candidates: candidates.await?,
            rules_asked: brought.rules_asked,
            unreadable,
            gaps,
            only_of,
        })
    }

    /// Says which fields would do to look for a record, of these if not of all.
    pub fn what_would_do(&self, visible: Option<&BTreeSet<String>>) -> String {
        let shared = &self.shared;
        let hidden = shared.hidden(visible);
        let name = |part: &KeyPart| shared.schema.field(part.field).name.as_str();
        let rules = shared.plan.rules.iter();
        let usable = rules.filter(|rule| {
            let mut fields = rule.parts.iter().map(|part| part.field);
            !fields.any(|field| hidden.contains(&field))
        });
        let rules = usable.map(|rule| {
            let mut names: Vec<&str> = rule.parts.iter().map(name).collect();
            names.dedup();
            names.join(" and ")
        });
        let rules: BTreeSet<String> = rules.collect();
        let rules: Vec<String> = rules.into_iter().collect();
        if rules.is_empty() {
            return "no blocking rule looks at these fields alone, so nothing can be looked up"
                .to_owned();
        }
        format!(
            "no blocking rule has all its values, so nothing could be looked up; give {}",
            rules.join(", or ")
        )
    }

    /// Returns the numbers of the comparisons of these fields, or of all.
    pub fn visible_comparisons(&self, visible: Option<&BTreeSet<String>>) -> Vec<usize> {
        let hidden = self.shared.hidden(visible);
        let comparisons = self.shared.plan.comparisons.iter().enumerate();
        let shown = comparisons.filter(|(_, comparison)| !hidden.contains(&comparison.field));
        shown.map(|(number, _)| number).collect()
    }

    /// Returns the sources that could not be read.
    pub fn unread(&self) -> &[FindGap] {
        &self.shared.unread
    }

    /// Returns the fields that records are compared by.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.shared.schema.fields().iter().map(|f| f.name.as_str())
    }

    /// Returns the names and weights that explain candidates.
    pub fn legend(&self) -> &Legend {
        &self.shared.legend
    }

    /// Returns how many references are searched.
    pub fn reference_count(&self) -> usize {
        self.shared.resident.len()
    }

    /// Returns how many bytes of memory the index, the values and the references take.
    pub fn bytes(&self) -> [u64; 3] {
        let shared = &self.shared;
        [
            shared.index.bytes(),
            shared.resident.value_bytes(),
            shared.resident.references().key_bytes(),
        ]
    }

    /// Computes on the thread for which least waits; what nobody waits for any more is not begun.
    async fn compute<T: Send + 'static>(
        &self,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, FindError> {
        let waiting = |engine: &&Engine| engine.waiting.load(Ordering::Relaxed);
        let engine = self.engines.iter().min_by_key(waiting);
        let engine = engine.expect("a finder has an engine");
        let waiting = Arc::clone(&engine.waiting);
        waiting.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = tokio::sync::oneshot::channel();
        engine.thread.spawn(move || {
            if !sender.is_closed() {
                // A defect costs this look-up its answer, and no other.
                let computed = catch_unwind(AssertUnwindSafe(compute));
                let _ = sender.send(computed);
            }
            waiting.fetch_sub(1, Ordering::Relaxed);
        });
        match answer.await {
            Ok(Ok(computed)) => Ok(computed),
            _ => Err(FindError::Defect),
        }
    }
}

fn gap(unread: Unread) -> FindGap {
    FindGap {
        source: unread.source,
        reason: told(&unread.why),
    }
}

/// Refuses rules of neighbours if not all values are at hand by which neighbours are found.
fn refuse_neighbours(
    index: &KeyIndex,
    plan: &MatchingPlan,
    fetched: &BTreeMap<SourceId, Fetched>,
    records: &Records,
) -> Result<(), JobError> {
    let (Some(source), Some(rule)) = (fetched.keys().next(), index.rules_of_neighbours().next())
    else {
        return Ok(());
    };
    Err(JobError::FindNeighbours {
        rule: plan.rules[rule].name.clone(),
        source_name: records.references().sources()[source.index()].clone(),
    })
}

impl Shared {
    fn references(&self) -> &ReferenceTable {
        self.resident.references()
    }

    /// Returns the source and key of a record whose source holds each customer once.
    fn only_of(&self, query: &FindQuery) -> Option<(String, Option<String>)> {
        let source = query.source.as_ref()?;
        let is_exclusive = self.settings.decide.one_per_source.contains(source);
        is_exclusive.then(|| (source.clone(), query.key.clone()))
    }

    /// Returns what rules bring together with a record.
    fn candidates(
        &self,
        probe: &Records,
        query: &FindQuery,
        hidden: &[FieldId],
    ) -> Result<Brought, FindError> {
        let prepared = Prepared::without_hints(probe, &self.plan, &[]);
        let (index, plan, records) = (&self.index, &self.plan, Some(&self.resident));
        let max = CANDIDATE_COUNT_MAX;
        let mut brought = index.candidates(&prepared, plan, records, hidden, max);
        let nodes = &mut brought.nodes;
        if nodes.len() > max {
            return Err(FindError::TooManyCandidates);
        }
        let is_cut =
            !brought.rules_cut.is_empty() && brought.rules_cut.len() == brought.rules_asked;
        if nodes.is_empty() && is_cut {
            let names = brought.rules_cut.iter().map(|&rule| &plan.rules[rule].name);
            let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            return Err(FindError::TooCommon {
                shared: names.join(" or "),
            });
        }
        let source = query.source.as_ref();
        if let Some(source) = source.and_then(|name| self.references().source_id(name)) {
            let own = self.references().nodes_of(source);
            let name = &self.references().sources()[source.index()];
            let is_exclusive = self.settings.decide.one_per_source.contains(name);
            let itself = query.key.as_ref();
            let itself = itself.and_then(|key| self.references().find(source, key));
            let is_other = |node: &u32| {
                !(is_exclusive && own.contains(node) || itself.is_some_and(|n| n.get() == *node))
            };
            nodes.retain(is_other);
        }
        Ok(brought)
    }

    /// Tells nodes whose values are at hand from those that are asked for, by source.
    fn by_place(&self, nodes: &[u32]) -> (Vec<u32>, Vec<Asked<'_>>) {
        let mut resident = Vec::new();
        let mut asked: BTreeMap<SourceId, Asked<'_>> = BTreeMap::new();
        for &node in nodes {
            let node = NodeId::new(node);
            let source = self.references().source_of(node);
            match self.fetched.get(&source) {
                None => resident.push(node.get()),
                Some(of) => {
                    let keys = Vec::new();
                    let asked = asked.entry(source).or_insert(Asked { of, keys });
                    asked.keys.push(self.references().key(node));
                }
            }
        }
        (resident, asked.into_values().collect())
    }

    /// Asks sources for candidates, all at once.
    async fn fetch(
        &self,
        asked: &[Asked<'_>],
        hidden: &[FieldId],
        waiting: Waiting,
    ) -> (Vec<Records>, Vec<FindGap>) {
        let most = Duration::from_millis(self.settings.find.timeout_ms);
        let answers = asked.iter().map(|asked| async move {
            let name = &asked.of.plan.name;
            let source = self.settings.sources.iter().find(|s| s.name == *name);
            let time = source.map_or(most, |source| waiting.time_of(source, most));
            let visible = asked.of.without(hidden);
            let asking = asked.records(&visible, &self.opened, &self.schema);
            let answer = tokio::time::timeout(time, asking).await;
            answer.unwrap_or_else(|_| {
                // It may be behind a connection that nobody holds any more, if it had its time.
                if time >= most {
                    self.opened.forget(name);
                }
                Err(format!("no answer within {} ms", time.as_millis()))
            })
        });
        let (mut fetched, mut gaps) = (Vec::new(), Vec::new());
        for (asked, answer) in asked.iter().zip(join_all(answers).await) {
            match answer {
                Ok(records) => fetched.push(records),
                Err(reason) => gaps.push(FindGap {
                    source: asked.of.plan.name.clone(),
                    reason,
                }),
            }
        }
        (fetched, gaps)
    }

    /// Returns the fields that are none of these.
    fn hidden(&self, visible: Option<&BTreeSet<String>>) -> Vec<FieldId> {
        let is_hidden = |name: &str| visible.is_some_and(|visible| !visible.contains(name));
        let fields = self.schema.fields().iter();
        let hidden = fields.filter(|field| is_hidden(&field.name));
        let ids = hidden.filter_map(|field| self.schema.field_id(&field.name));
        ids.collect()
    }

    /// Weighs a record against the candidates at hand and those that were fetched, as if the hidden
    /// fields had no values: what depends on none tells nothing of any.
    fn weigh(
        &self,
        probe: &Records,
        hidden: &[FieldId],
        resident: &[u32],
        fetched: &[Records],
    ) -> Vec<Candidate> {
        let of_fetched = fetched.iter().map(|records| nodes_of(records).collect());
        let of_fetched: Vec<Vec<u32>> = of_fetched.collect();
        let mut parts = vec![(probe, &[0][..]), (&self.resident, resident)];
        parts.extend(fetched.iter().zip(of_fetched.iter().map(Vec::as_slice)));
        let mut records = Records::excerpt(&parts, hidden);
        for (field, ignored) in &self.ignored {
            records.ignore(*field, &|hash| ignored.contains(&hash));
        }
        let judged = self.judge.judge(&records, hidden);
        let names = resident.iter().map(|&node| (self.references(), node));
        let others = fetched.iter().flat_map(|records| {
            let nodes = nodes_of(records);
            nodes.map(move |node| (records.references(), node))
        });
        let named = names.chain(others).zip(judged);
        let mut candidates: Vec<Candidate> = named
            .map(|((references, node), judged)| candidate(references, node, judged))
            .collect();
        candidates.sort_by(|a, b| {
            let by_weight = b.bits.total_cmp(&a.bits);
            by_weight.then_with(|| (&a.source, &a.key).cmp(&(&b.source, &b.key)))
        });
        candidates
    }
}

fn nodes_of(records: &Records) -> Range<u32> {
    0..records.len() as u32
}

fn candidate(references: &ReferenceTable, node: u32, judged: Judged) -> Candidate {
    let node = NodeId::new(node);
    Candidate {
        source: references.sources()[references.source_of(node).index()].clone(),
        key: references.key(node).to_owned(),
        bits: judged.bits,
        pattern: judged.pattern,
        linked_by: judged.linked_by,
        held_apart_by: judged.held_apart_by,
    }
}
