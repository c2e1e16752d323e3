//! Scanning all sources into records in flight.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow_array::cast::AsArray;
use arrow_array::{BooleanArray, RecordBatch};
use futures::StreamExt;
use sameas_record::{
    FieldPlan, PartitionIngest, RawPart, Records, Schema, SourceParts, SourcePlan, assemble,
};
use sameas_source::{
    FieldMapping, RowCount, ScanError, ScanRequest, SkippedFiles, Source, SourceSettings,
};
use tokio::task::{JoinError, JoinSet};
use xxhash_rust::xxh3::xxh3_64;

use crate::Settings;
use crate::job::{JobError, JobOptions, Progress};
use crate::report::skipped_text;

/// What was read from sources, and what was left out of it.
pub(crate) struct Scanned {
    sources: Vec<SourceParts>,
    /// Files that were not read, by the source in whose folders they lie.
    pub(crate) skipped: BTreeMap<String, SkippedFiles>,
}

impl Scanned {
    /// Sorts and codes the records, with the threads of the pool that calls. A source whose keys
    /// cannot be told apart could not be read.
    pub(crate) fn assemble(
        self,
        schema: Schema,
        on_failure: &mut OnFailure<'_>,
    ) -> Result<Records, JobError> {
        let mut keyed = Vec::with_capacity(self.sources.len());
        for source in self.sources {
            let name = source.plan.name.clone();
            let ordered = source.in_key_order().map_err(JobError::from);
            keyed.extend(on_failure.unless_failed(&name, ordered)?);
        }
        Ok(assemble(keyed, schema)?)
    }
}

/// Which records of a source are taken in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Take {
    /// All of them.
    All,
    /// About this share, the same on every run: those whose key has a small hash.
    Share(f64),
}

impl Take {
    fn of(self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let Self::Share(share) = self else {
            return Ok(batch);
        };
        let keys = cast(batch.column(0), &DataType::Utf8)?;
        let bound = (share * u64::MAX as f64) as u64;
        let is_taken = |key: Option<&str>| Some(xxh3_64(key?.as_bytes()) <= bound);
        let taken: BooleanArray = keys.as_string::<i32>().iter().map(is_taken).collect();
        filter_record_batch(&batch, &taken)
    }
}

/// A source that was opened and whose every mapped name was found.
pub(crate) struct OpenSource {
    pub(crate) source: Source,
    pub(crate) request: ScanRequest,
    pub(crate) plan: Arc<SourcePlan>,
}

/// A source that could not be read, and why.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) source: String,
    pub(crate) why: JobError,
}

/// What to do about a source that cannot be read.
#[derive(Debug)]
pub(crate) enum OnFailure<'u> {
    /// Do without all.
    Stop,
    /// Do without it, and keep it here.
    GoOn(&'u mut Vec<Unread>),
}

impl OnFailure<'_> {
    /// Returns what a source gave, or nothing if it is done without.
    fn unless_failed<T>(
        &mut self,
        source: &str,
        outcome: Result<T, JobError>,
    ) -> Result<Option<T>, JobError> {
        match (outcome, self) {
            (Ok(given), _) => Ok(Some(given)),
            (Err(why), Self::Stop) => Err(why),
            (Err(why), Self::GoOn(unread)) => {
                let source = source.to_owned();
                unread.push(Unread { source, why });
                Ok(None)
            }
        }
    }
}

/// Opens every source, checks every mapped name and says which files are left out, before
/// anything is read.
pub(crate) async fn open(
    settings: &Settings,
    schema: &Schema,
    progress: &dyn Progress,
    on_failure: &mut OnFailure<'_>,
) -> Result<Vec<OpenSource>, JobError> {
    let mut opened = Vec::with_capacity(settings.sources.len());
    for source in &settings.sources {
        let open = open_one(source, settings, schema, progress).await;
        opened.extend(on_failure.unless_failed(&source.name, open)?);
    }
    Ok(opened)
}

async fn open_one(
    source_settings: &SourceSettings,
    settings: &Settings,
    schema: &Schema,
    progress: &dyn Progress,
) -> Result<OpenSource, JobError> {
    let source = Source::open(source_settings, &settings.base).await?;
    let mut compared = source_settings.clone();
    compared
        .fields
        .retain(|field, _| !settings.is_for_profiles_only(field));
    let source_settings = &compared;
    let (request, columns) = ScanRequest::for_settings(source_settings);
    source.check(&request)?;
    source.updated_kind()?;
    if let Some(note) = skipped_note(&source_settings.name, source.skipped_files()) {
        progress.note(&note);
    }
    for (column, files) in source.lacking_files(&request) {
        progress.note(&lacking_note(&source_settings.name, column, files));
    }
    let plan = Arc::new(source_plan(source_settings, schema, &request, &columns));
    Ok(OpenSource {
        source,
        request,
        plan,
    })
}

fn skipped_note(source_name: &str, skipped: &SkippedFiles) -> Option<String> {
    let told = skipped_text(skipped.count, &skipped.names)?;
    Some(format!(
        "source `{source_name}`: {told}; name files one by one or by a glob to read them"
    ))
}

fn lacking_note(source_name: &str, column: &str, files: &SkippedFiles) -> String {
    let more = if files.count > files.names.len() as u64 {
        ", …"
    } else {
        ""
    };
    format!(
        "source `{source_name}`: {} of its files lack the column `{column}` ({}{more}), so their records are without what is made of it; if it bears another name there, make them a source of their own",
        files.count,
        files.names.join(", "),
    )
}

fn source_plan(
    settings: &SourceSettings,
    schema: &Schema,
    request: &ScanRequest,
    columns: &[Vec<usize>],
) -> SourcePlan {
    let fields = settings
        .fields
        .iter()
        .zip(columns)
        .map(|((name, mapping), columns)| FieldPlan {
            field: schema
                .field_id(name)
                .expect("the schema is made of all mapped fields"),
            // Column 0 of a batch is the key.
            columns: columns.iter().map(|column| column + 1).collect(),
            part: match mapping {
                FieldMapping::Part { part, .. } => Some(*part),
                FieldMapping::From(_) => None,
            },
        });
    SourcePlan {
        name: settings.name.clone(),
        locale: settings.locale(),
        duplicate_keys: settings.duplicate_keys,
        columns: std::iter::once(&request.key)
            .chain(&request.columns)
            .cloned()
            .collect(),
        fields: fields.collect(),
    }
}

/// Returns how many rows the sources say they have, if all of them can say.
pub(crate) async fn expected_rows(sources: &[OpenSource]) -> Option<u64> {
    let mut rows = 0;
    for open in sources {
        rows += match open.source.row_count().await {
            Ok(RowCount::Exact(count) | RowCount::Estimate(count)) => count,
            Ok(RowCount::Unknown) | Err(_) => return None,
        };
    }
    Some(rows)
}

/// A source that is being read, until dropped.
struct Reading {
    plan: Arc<SourcePlan>,
    parts: JoinSet<(usize, Result<RawPart, JobError>)>,
}

impl Reading {
    /// Begins to read all partitions of a source in parallel.
    async fn begin(open: &OpenSource, options: &JobOptions, take: Take) -> Result<Self, JobError> {
        let streams = open.source.scan(&open.request, options.threads).await?;
        let mut parts = JoinSet::new();
        for (number, mut stream) in streams.into_iter().enumerate() {
            let (plan, progress) = (Arc::clone(&open.plan), Arc::clone(&options.progress));
            let reading = async move {
                let mut ingest = PartitionIngest::new(&plan);
                while let Some(batch) = stream.next().await {
                    let batch = batch.map_err(|e| ScanError::from_stream(&plan.name, &e))?;
                    progress.advance(batch.num_rows() as u64);
                    let batch = take.of(batch).map_err(|_| ScanError::Engine {
                        source_name: plan.name.clone(),
                        reason: "a sample of its rows could not be taken",
                    })?;
                    ingest.push(&batch)?;
                }
                Ok(ingest.finish())
            };
            parts.spawn(async move { (number, reading.await) });
        }
        Ok(Self {
            plan: Arc::clone(&open.plan),
            parts,
        })
    }

    /// Waits until all has been read; of a partition that fails, the others are not waited for.
    async fn end(mut self) -> Result<SourceParts, JobError> {
        let plan = SourcePlan::clone(&self.plan);
        let mut numbered = Vec::with_capacity(self.parts.len());
        while let Some(ended) = self.parts.join_next().await {
            let (number, part) = unless_panicked(&plan.name, ended)?;
            numbered.push((number, part?));
        }
        // The order in which partitions end must not show anywhere.
        numbered.sort_unstable_by_key(|&(number, _)| number);
        let parts: Vec<RawPart> = numbered.into_iter().map(|(_, part)| part).collect();
        if parts.iter().all(RawPart::is_empty) && parts.iter().all(|part| part.refused() == 0) {
            return Err(JobError::NoRows {
                source_name: plan.name,
            });
        }
        Ok(SourceParts { plan, parts })
    }
}

/// Scans all partitions of all sources in parallel.
pub(crate) async fn scan(
    sources: Vec<OpenSource>,
    options: &JobOptions,
    take: Take,
    on_failure: &mut OnFailure<'_>,
) -> Result<Scanned, JobError> {
    let skipped = sources
        .iter()
        .map(|open| (open.plan.name.clone(), open.source.skipped_files().clone()))
        .collect();
    let mut readings = Vec::with_capacity(sources.len());
    for open in &sources {
        let reading = Reading::begin(open, options, take).await;
        readings.extend(on_failure.unless_failed(&open.plan.name, reading)?);
    }
    let mut scanned = Vec::with_capacity(readings.len());
    for reading in readings {
        let plan = Arc::clone(&reading.plan);
        scanned.extend(on_failure.unless_failed(&plan.name, reading.end().await)?);
    }
    Ok(Scanned {
        sources: scanned,
        skipped,
    })
}

/// Returns what a task has done; of one that panicked, the text may quote a value and is dropped.
fn unless_panicked<T>(source_name: &str, ended: Result<T, JoinError>) -> Result<T, JobError> {
    ended.map_err(|_| {
        JobError::Scan(ScanError::Engine {
            source_name: source_name.to_owned(),
            reason: "the engine failed while reading",
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A panic of the engine ended the process with a panic of ours that said less. It is now an
    /// error that names the source and nothing of what the engine said.
    #[tokio::test]
    async fn a_scan_that_panics_names_its_source_and_no_more() {
        let task = tokio::spawn(async { panic!("canary") });
        let error = unless_panicked::<()>("crm", task.await).expect_err("the task panicked");
        let told = error.to_string();
        assert_eq!(
            told,
            "source `crm`: the scan stopped: the engine failed while reading"
        );
    }
}
