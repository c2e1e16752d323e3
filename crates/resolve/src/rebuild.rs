//! The batch rebuild: sources in, one published revision out, whole or not at all.

mod clusters;
mod trace;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use hashbrown::HashSet;
use sameas_graph::{
    Bridges, Evidence, GraphRevision, LineageKind, NextRevision, Partition, Retention, SourceId,
    retain, succeed_as,
};
use sameas_matching::{
    Apart, Blocking, BudgetSettings, Clustered, Comparer, FrequencyKey, Labels, MatchingPlan,
    Model, PRIOR_MIN, Prepared, Threshold, Training, Weigher, legend, train as train_model,
};
use sameas_record::{FieldId, Records, Schema};
use sameas_source::SkippedFiles;
use sameas_store::{FolderError, GraphFolder, Publisher};

use crate::figures::{Captures, RebuildFigures, Tally};
use crate::ingest::{OnFailure, Take, Unread};
use crate::job::{JobError, JobOptions, Shrink, Stages};
use crate::report::{
    FieldReport, PlanReport, RebuildReport, RuleReport, SourceReport, TrainReport,
};
use crate::{Settings, ingest, labels, model_file};

pub(crate) use clusters::pair_weight;
use clusters::{count_decisions, decision_counts};
pub use trace::{RuleTrace, Trace, trace};

/// A source may shrink to this share of its records without anybody asking.
pub(crate) const SHRINK_SHARE_LEAST: f64 = 0.8;

/// The least share of a source's keys that must still be there, unless told otherwise.
pub(crate) const KEPT_SHARE_LEAST: f64 = 0.5;

/// Predicts what a rebuild would cost, and stops there.
///
/// # Errors
/// Names what is wrong with the settings or a source, or the rule that exceeds the budget.
pub async fn plan(settings: &Settings, options: &JobOptions) -> Result<PlanReport, JobError> {
    let mut stages = Stages::new(&*options.progress);
    let threads = threads(options)?;
    let job = Job::read(settings, options, &threads, &mut stages).await?;
    let mut report = PlanReport::default();
    threads.install(|| {
        stages.begin("prepare", None);
        let prepared = job.prepared();
        stages.begin("block", None);
        let blocking = Blocking::new(&prepared, &job.plan, &settings.budget);
        report.rules = rule_reports(&job.plan, &blocking);
        report.pairs = pair_count(&blocking);
        report.budget = job.pair_budget();
    });
    report.sources = job.source_reports();
    report.fields = field_reports(&job.records);
    report.stages = stages.finish();
    Ok(report)
}

/// Trains the model from the records, and from labels if there are any, and writes it beside the
/// settings.
///
/// # Errors
/// Names what is wrong with the settings, a source, the labels or the model file; the model that was
/// there then stays.
pub async fn train(
    settings: &Settings,
    options: &JobOptions,
    labels: Option<&Path>,
) -> Result<TrainReport, JobError> {
    let mut stages = Stages::new(&*options.progress);
    let threads = threads(options)?;
    stages.begin("load", None);
    // Held to the end: a rebuild beside this would weigh by the model that is about to be replaced.
    let _publisher = exclude_rebuilds(settings)?;
    let path = settings.model_path();
    model_file::refuse_other_file(&path)?;
    let job = Job::read(settings, options, &threads, &mut stages).await?;
    let labels = labels.map(|labels| labels::read(labels, job.records.references()));
    let labels = labels.transpose()?;
    let key = model_file::secret(&path, options.new_key)?;
    let (model, training) = threads.install(|| {
        stages.begin("prepare", None);
        let prepared = job.prepared();
        let blocking = job.block(&prepared, &mut stages)?;
        Ok::<_, JobError>(job.train(&prepared, &blocking, (&key, labels.as_ref()), &mut stages))
    })?;
    if labels.is_some() && model.prior <= PRIOR_MIN {
        return Err(JobError::NoMatches);
    }
    let mut report = TrainReport::of(&model, training, settings.decide.link);
    model_file::write(&path, &model, Some(&report))?;
    report.stages = stages.finish();
    Ok(report)
}

/// Rebuilds the graph and publishes it as the next revision; trains first if there is no model yet.
///
/// # Errors
/// Names what went wrong; the previous revision, if there is one, is then still current.
pub async fn rebuild(settings: &Settings, options: &JobOptions) -> Result<RebuildReport, JobError> {
    let mut stages = Stages::new(&*options.progress);
    let threads = threads(options)?;
    stages.begin("load", None);
    let namespace = settings.namespace().unwrap_or(options.new_namespace);
    let folder = GraphFolder::create_or_open(&settings.graph_path(), namespace)?;
    if let Some(expected) = settings.namespace() {
        folder.expect_namespace(expected)?;
    }
    // Taken before anything is read: two rebuilds of one graph never run side by side.
    let publisher = folder.publisher()?;
    let previous = publisher.previous()?;
    // After going back, numbers above the current revision are taken.
    let revision = folder.next_revision()?;
    let job = Job::read(settings, options, &threads, &mut stages).await?;
    job.refuse_shrunk(previous.as_ref(), options)?;
    let path = settings.model_path();
    model_file::refuse_lost_key(&path)?;
    let key = model_file::secret(&path, options.new_key)?;
    let sources = job.source_reports();
    let long = sources
        .iter()
        .flat_map(|source| source.long_values.values());
    let mut report = RebuildReport {
        records: job.records.len() as u64,
        long_cells: long.sum(),
        sources,
        fields: field_reports(&job.records),
        ..RebuildReport::default()
    };
    let trained = model_file::read(&path, &job.plan, &key)?;
    let mut figures = RebuildFigures::default();
    let (model, evidence, partition) =
        threads.install(|| job.weigh(trained, &key, (&mut report, &mut figures), &mut stages))?;
    if let Some(trained) = &report.trained {
        model_file::write(&path, &model, Some(trained))?;
    }
    let threshold = Threshold::of(&settings.decide);
    let legend = legend(&job.plan, &model, threshold);
    let references = job.records.into_references();
    let next = threads.install(|| {
        count_decisions(&evidence, &mut report);
        let tally = Tally::of(&evidence);
        (figures.weights, figures.levels) = (tally.bins(), tally.levels(&legend));
        let evidence = retain(evidence, &partition, Retention::default());
        [
            report.links_kept,
            report.review_kept,
            report.quarantined_kept,
        ] = decision_counts(&evidence);
        stages.begin("name", None);
        let namespace = folder.namespace();
        let next = NextRevision {
            namespace,
            references,
            partition,
            evidence,
            legend,
        };
        succeed_as(previous.as_ref(), next, revision)
    });
    count_ids(&next, previous.as_ref(), &mut report);
    drop(previous);
    stages.begin("publish", None);
    let published = publisher.publish(&next, options.published_at_ms)?;
    report.snapshot_bytes = published.len;
    figures.report = RebuildReport {
        trained: None,
        // How early a pair is told apart depends on the order in which values arrive.
        pruned_share: 0.0,
        ..report.clone()
    };
    keep_figures(
        &figures.bind(&published, options.published_at_ms),
        &folder,
        options,
    );
    report.stages = stages.finish();
    report.pairs_per_second = pairs_per_second(&report);
    Ok(report)
}

/// Keeps what reports need beside the snapshots. The revision stands with or without them.
fn keep_figures(figures: &RebuildFigures, folder: &GraphFolder, options: &JobOptions) {
    if let Err(error) = figures.write(folder.path()) {
        options.progress.note(&format!(
            "the revision is published, but figures for `sameas report` are not kept: {error}"
        ));
    }
}

/// Takes the lock that rebuilds of the graph hold; there is none before the first rebuild.
fn exclude_rebuilds(settings: &Settings) -> Result<Option<Publisher>, JobError> {
    let folder = match GraphFolder::open(&settings.graph_path()) {
        Ok(folder) => folder,
        Err(FolderError::NotAGraph { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if let Some(expected) = settings.namespace() {
        folder.expect_namespace(expected)?;
    }
    Ok(Some(folder.publisher()?))
}

fn pairs_per_second(report: &RebuildReport) -> f64 {
    let weighing = report.stages.iter().find(|stage| stage.stage == "weigh");
    report.pairs as f64 / weighing.map_or(1.0, |stage| stage.seconds.max(1e-9))
}

/// Returns the threads that compute, apart from those that wait for sources.
pub(crate) fn threads(options: &JobOptions) -> Result<rayon::ThreadPool, JobError> {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(options.threads.max(1));
    threads.build().map_err(|error| JobError::Threads {
        what: error.to_string(),
    })
}

/// Records in flight and what the settings want of them.
pub(crate) struct Job<'s> {
    settings: &'s Settings,
    pub(crate) plan: MatchingPlan,
    pub(crate) records: Records,
    /// Content hashes of values that too many records share.
    pub(crate) ignored: BTreeMap<FieldId, HashSet<u64>>,
    skipped: BTreeMap<String, SkippedFiles>,
}

impl<'s> Job<'s> {
    /// Reads all sources.
    pub(crate) async fn read(
        settings: &'s Settings,
        options: &JobOptions,
        threads: &rayon::ThreadPool,
        stages: &mut Stages<'_>,
    ) -> Result<Self, JobError> {
        Self::read_or(OnFailure::Stop, settings, options, threads, stages).await
    }

    /// Reads all sources that can be read, and returns the others. If none can, says why of the
    /// first.
    pub(crate) async fn read_what_can_be(
        settings: &'s Settings,
        options: &JobOptions,
        threads: &rayon::ThreadPool,
        stages: &mut Stages<'_>,
    ) -> Result<(Self, Vec<Unread>), JobError> {
        let mut unread = Vec::new();
        let on_failure = OnFailure::GoOn(&mut unread);
        let job = Self::read_or(on_failure, settings, options, threads, stages).await?;
        if !unread.is_empty() && unread.len() == settings.sources.len() {
            return Err(unread.swap_remove(0).why);
        }
        Ok((job, unread))
    }

    async fn read_or(
        mut on_failure: OnFailure<'_>,
        settings: &'s Settings,
        options: &JobOptions,
        threads: &rayon::ThreadPool,
        stages: &mut Stages<'_>,
    ) -> Result<Self, JobError> {
        stages.begin("open", None);
        let schema: Schema = settings.schema();
        let plan = MatchingPlan::new(
            &schema,
            &settings.comparisons,
            &settings.blocks,
            &settings.rules,
        )
        .map_err(JobError::Matching)?;
        let sources = ingest::open(settings, &schema, &*options.progress, &mut on_failure).await?;
        let expected = ingest::expected_rows(&sources).await;
        stages.begin("read", expected);
        let scanned = ingest::scan(sources, options, Take::All, &mut on_failure).await?;
        let skipped = scanned.skipped.clone();
        let mut records = threads.install(|| {
            stages.begin("encode", None);
            scanned.assemble(schema, &mut on_failure)
        })?;
        let mut ignored = BTreeMap::new();
        for (name, &max) in &settings.ignore_shared_by_more_than {
            let Some(field) = records.schema().field_id(name) else {
                continue;
            };
            let values = records.ignore_shared(field, max);
            if !values.is_empty() {
                options.progress.note(&format!(
                    "field `{name}`: {} values that more than {max} records share each are taken for missing",
                    values.len()
                ));
            }
            ignored.insert(field, values.into_iter().collect());
        }
        Ok(Self {
            settings,
            plan,
            records,
            ignored,
            skipped,
        })
    }

    /// Returns the numbers of the sources that hold each customer once.
    fn one_per_source(&self) -> Vec<SourceId> {
        let references = self.records.references();
        let names = self.settings.decide.one_per_source.iter();
        names
            .filter_map(|name| references.source_id(name))
            .collect()
    }

    /// Returns the numbers of the comparisons that hold records apart.
    pub(crate) fn apart(&self) -> Vec<usize> {
        let names = self.settings.decide.apart.iter();
        names
            .filter_map(|name| self.plan.comparisons.iter().position(|c| c.name == *name))
            .collect()
    }

    pub(crate) fn prepared(&self) -> Prepared<'_> {
        Prepared::new(&self.records, &self.plan, &self.one_per_source())
    }

    fn block<'p>(
        &self,
        prepared: &'p Prepared<'_>,
        stages: &mut Stages<'_>,
    ) -> Result<Blocking<'p>, JobError> {
        stages.begin("block", None);
        let blocking = Blocking::new(prepared, &self.plan, &self.settings.budget);
        self.refuse_excess(&blocking)?;
        Ok(blocking)
    }

    /// Lists the mapped fields of a source for which none of its records has a value.
    fn empty_fields(&self, source: &str, nodes: Range<u32>) -> Vec<String> {
        let settings = self.settings.sources.iter().find(|s| s.name == source);
        let mapped = settings.into_iter().flat_map(|source| source.fields.keys());
        let is_empty = |name: &&String| {
            self.records.schema().field_id(name).is_some_and(|field| {
                let ids = self.records.column(field).first_ids();
                let ids = &ids[nodes.start as usize..nodes.end as usize];
                !ids.is_empty() && ids.iter().all(|&id| id == 0)
            })
        };
        mapped.filter(is_empty).cloned().collect()
    }

    /// Counts something of every field, and names the fields that have it.
    fn by_field(&self, count: impl Fn(FieldId) -> u64) -> BTreeMap<String, u64> {
        let schema = self.records.schema();
        let counts = schema
            .ids()
            .map(|field| (schema.field(field).name.clone(), count(field)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    fn source_reports(&self) -> Vec<SourceReport> {
        let references = self.records.references();
        let report = |(index, name): (usize, &String)| {
            let source = SourceId::new(index as u16);
            let nodes = references.nodes_of(source);
            let skipped = self.skipped.get(name).cloned().unwrap_or_default();
            SourceReport {
                source: name.clone(),
                records: nodes.len() as u64,
                skipped_files: skipped.count,
                skipped_names: skipped.names,
                empty_fields: self.empty_fields(name, nodes),
                unreadable_values: self.by_field(|f| self.records.unreadable_count(source, f)),
                long_values: self.by_field(|f| self.records.long_count(source, f)),
            }
        };
        references
            .sources()
            .iter()
            .enumerate()
            .map(report)
            .collect()
    }

    /// Returns how many pairs the rules may make together.
    fn pair_budget(&self) -> u64 {
        pair_budget(&self.settings.budget, self.records.len() as u64)
    }

    fn refuse_excess(&self, blocking: &Blocking<'_>) -> Result<(), JobError> {
        let pairs_per_record_max = self.settings.budget.pairs_per_record_max;
        let (budget, pairs) = (self.pair_budget(), pair_count(blocking));
        let costs = blocking.costs().iter().enumerate();
        match costs.max_by_key(|(_, cost)| cost.pairs) {
            Some((rule, cost)) if pairs > budget => Err(JobError::Budget {
                pairs,
                budget,
                pairs_per_record_max,
                rule: self.plan.rules[rule].name.clone(),
                rule_pairs: cost.pairs,
                largest: blocking.largest_blocks(rule),
            }),
            _ => Ok(()),
        }
    }

    fn train(
        &self,
        prepared: &Prepared<'_>,
        blocking: &Blocking<'_>,
        (key, labels): (&FrequencyKey, Option<&Labels>),
        stages: &mut Stages<'_>,
    ) -> (Model, Training) {
        stages.begin("train", None);
        let comparer = Comparer::new(prepared, &self.plan);
        train_model(
            prepared,
            &comparer,
            blocking,
            &self.plan,
            &self.settings.train,
            key,
            labels,
        )
    }

    /// Weighs all candidate pairs and clusters them.
    fn weigh(
        &self,
        trained: Option<Model>,
        key: &FrequencyKey,
        (report, figures): (&mut RebuildReport, &mut RebuildFigures),
        stages: &mut Stages<'_>,
    ) -> Result<(Model, Vec<Evidence>, Partition), JobError> {
        stages.begin("prepare", None);
        let prepared = self.prepared();
        let blocking = self.block(&prepared, stages)?;
        let model = if let Some(model) = trained {
            model
        } else {
            let (model, training) = self.train(&prepared, &blocking, (key, None), stages);
            let link = self.settings.decide.link;
            report.trained = Some(TrainReport::of(&model, training, link));
            model
        };
        stages.begin("weigh", Some(pair_count(&blocking)));
        let progress = stages.progress();
        let comparer = Comparer::of_model(&prepared, &self.plan, &model, key);
        let threshold = Threshold::of(&self.settings.decide);
        let weigher = Weigher::new(&prepared, &comparer, &self.plan, &model, key, threshold);
        let rule_count = self.plan.rules.len();
        let mut weighed =
            weigher.weigh_all(&blocking, rule_count, &|pairs| progress.advance(pairs));
        let (constraints, weigh) = (self.constraints(), pair_weight(&prepared, &weigher));
        let least = self.settings.decide.bridge_weight();
        let bridges = least.map(|least| Bridges {
            least,
            weigh: &weigh,
        });
        let by = Clustered {
            references: self.records.references(),
            constraints: &constraints,
            bridges: bridges.as_ref(),
        };
        let apart = Apart::new(&prepared, &comparer, &self.plan, &self.apart());
        apart.quarantine(by, &mut weighed.evidence);
        figures.captures = Captures::of(&blocking, &self.plan, &weighed.evidence);
        figures.possible_pairs = prepared.pair_count();
        report.rules = rule_reports(&self.plan, &blocking);
        for (rule, &pairs) in report.rules.iter_mut().zip(&weighed.pairs_of_rule) {
            rule.first_pairs = Some(pairs);
        }
        report.pairs = weighed.pairs_of_rule.iter().sum();
        report.pruned_share = 1.0 - weighed.compared as f64 / (report.pairs as f64).max(1.0);
        stages.begin("cluster", None);
        let partition = by.cluster(&mut weighed.evidence);
        Ok((model, weighed.evidence, partition))
    }

    fn refuse_shrunk(
        &self,
        previous: Option<&GraphRevision>,
        options: &JobOptions,
    ) -> Result<(), JobError> {
        let (Some(previous), Shrink::Refuse) = (previous, options.shrink) else {
            return Ok(());
        };
        for (index, name) in previous.references.sources().iter().enumerate() {
            let before = previous
                .references
                .nodes_of(SourceId::new(index as u16))
                .len();
            let references = self.records.references();
            let now = references
                .source_id(name)
                .map_or(0, |id| references.nodes_of(id).len());
            if (now as f64) < SHRINK_SHARE_LEAST * before as f64 {
                let (before, now) = (before as u64, now as u64);
                return Err(JobError::Shrunk {
                    source_name: name.clone(),
                    before,
                    now,
                });
            }
            let kept = references.kept_of(&previous.references, name);
            if (kept as f64) < KEPT_SHARE_LEAST * before as f64 {
                let (before, kept) = (before as u64, kept as u64);
                return Err(JobError::Rekeyed {
                    source_name: name.clone(),
                    before,
                    kept,
                });
            }
        }
        Ok(())
    }
}

fn pair_budget(budget: &BudgetSettings, records: u64) -> u64 {
    budget.pairs_per_record_max.saturating_mul(records)
}

/// Returns how many pairs all rules make together, those that several make counted for each.
fn pair_count(blocking: &Blocking<'_>) -> u64 {
    let pairs = blocking.costs().iter().map(|cost| cost.pairs);
    pairs.fold(0, u64::saturating_add)
}

fn field_reports(records: &Records) -> Vec<FieldReport> {
    let fields = records.schema().ids().zip(records.schema().fields());
    fields
        .map(|(id, field)| {
            let column = records.column(id);
            FieldReport {
                field: field.name.clone(),
                present: column.first_ids().iter().filter(|&&id| id != 0).count() as u64,
                distinct: column.dictionary().len() as u64 - 1,
            }
        })
        .collect()
}

fn rule_reports(plan: &MatchingPlan, blocking: &Blocking<'_>) -> Vec<RuleReport> {
    let rules = plan.rules.iter().zip(blocking.costs());
    rules
        .map(|(rule, cost)| RuleReport::of(&rule.name, cost))
        .collect()
}

fn count_ids(next: &GraphRevision, previous: Option<&GraphRevision>, report: &mut RebuildReport) {
    report.revision = next.revision.get();
    report.clusters = next.partition.cluster_count() as u64;
    let clusters = 0..next.partition.cluster_count() as u32;
    let sizes = clusters.map(|c| {
        next.partition
            .members(sameas_graph::ClusterId::new(c))
            .len()
    });
    report.largest_cluster = sizes.max().unwrap_or(0) as u64;
    report.ids_issued = next
        .entities
        .iter()
        .filter(|e| e.born == next.revision)
        .count() as u64;
    if previous.is_some() {
        report.ids_kept = report.clusters - report.ids_issued;
    }
    for event in next
        .lineage
        .iter()
        .filter(|event| event.revision == next.revision)
    {
        match event.kind {
            LineageKind::Merged { .. } => report.merges += 1,
            LineageKind::Split { .. } => report.splits += 1,
            LineageKind::Retired => report.retired += 1,
            LineageKind::Born | LineageKind::Revived => {}
        }
    }
}

#[cfg(test)]
mod tests;
