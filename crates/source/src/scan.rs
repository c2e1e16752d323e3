//! A source: opened, checked and scanned.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, Partitioning, execute_stream_partitioned,
};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::stream::{Stream, StreamExt, iter, once};

use crate::connector::Connector;
use crate::count::RowCount;
use crate::descriptor::SourceSettings;
use crate::error::{OpenError, ScanError};
use crate::expression::{Resolved, Resolver, UpdatedKind};
use crate::fetch::Renewal;
use crate::files::BATCH_ROWS_MAX;
use crate::kind::kind_of;
use crate::request::ScanRequest;
use crate::skipped::SkippedFiles;

/// The smallest file, in bytes, that several partitions share.
const SHARED_FILE_LEN_MIN: usize = 1 << 20;

/// A column of a source.
#[derive(Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name, as it stands in the source.
    pub name: String,
    /// Its type in words, or `mixed` if its values have no common type.
    pub data_type: String,
}

/// An opened source.
///
/// Opening looks at the names, sizes and beginnings or footers of files; records are read by
/// [`scan`](Self::scan) only, and a file that changes in between makes the scan fail.
pub struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) connector: Arc<Connector>,
    columns: Vec<ColumnInfo>,
    pub(crate) settings: SourceSettings,
    /// The folder where relative addresses start.
    pub(crate) base: PathBuf,
    pub(crate) renewal: Renewal,
}

/// Prints the length of the name: of a file without a header it is a value.
impl fmt::Debug for ColumnInfo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ColumnInfo")
            .field("name_len", &self.name.len())
            .field("data_type", &self.data_type)
            .finish()
    }
}

/// Prints counts: names of columns may be values.
impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Source")
            .field("name", &self.name)
            .field("file_count", &self.connector.file_count())
            .field("column_count", &self.columns.len())
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Opens a source; relative addresses start at `base`, the folder of the settings file.
    ///
    /// # Errors
    ///
    /// Files that are missing, empty, of unknown format or unreadable, and headers that name a
    /// column twice.
    pub async fn open(settings: &SourceSettings, base: &Path) -> Result<Self, OpenError> {
        let connector = Connector::open(settings, base).await?;
        let typed = connector.schema().fields().iter().map(|field| ColumnInfo {
            name: field.name().clone(),
            data_type: kind_of(field.data_type()),
        });
        let mixed = connector.conflicts().keys().map(|name| ColumnInfo {
            name: name.clone(),
            data_type: "mixed".to_owned(),
        });
        let columns = typed.chain(mixed).collect();
        Ok(Self {
            name: settings.name.as_str().into(),
            connector: Arc::new(connector),
            columns,
            settings: settings.clone(),
            base: base.to_owned(),
            renewal: Renewal::default(),
        })
    }

    /// Returns the name of the source.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the columns, in the order of their first appearance.
    pub fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    /// Returns what stands in the folders of the source and is not read.
    pub fn skipped_files(&self) -> &SkippedFiles {
        self.connector.skipped()
    }

    /// Returns the columns that are read and that some files lack, with those files.
    pub fn lacking_files<'s>(
        &'s self,
        request: &'s ScanRequest,
    ) -> impl Iterator<Item = (&'s str, &'s SkippedFiles)> {
        let texts = || {
            request
                .columns
                .iter()
                .chain([&request.key])
                .chain(&request.filter)
        };
        let lacking = self.connector.lacking().iter();
        lacking
            .filter(move |(name, _)| texts().any(|text| names(text, name)))
            .map(|(name, files)| (name.as_str(), files))
    }

    /// Returns the number of rows, before any condition.
    ///
    /// # Errors
    ///
    /// None for files; what a database fails with.
    pub async fn row_count(&self) -> Result<RowCount, ScanError> {
        self.connector.row_count().await
    }

    /// Resolves every name and expression of a request without reading data.
    ///
    /// # Errors
    ///
    /// The first text that is neither a column nor a scalar expression over columns, with the
    /// columns whose names are closest.
    pub fn check(&self, request: &ScanRequest) -> Result<(), ScanError> {
        self.resolve(&context(1, BATCH_ROWS_MAX), request).map(drop)
    }

    /// Tells what the `updated` of the settings is; nothing if they have none.
    ///
    /// # Errors
    ///
    /// A text that is no column or expression, or of a type that says no time.
    pub fn updated_kind(&self) -> Result<Option<UpdatedKind>, ScanError> {
        let Some(text) = &self.settings.updated else {
            return Ok(None);
        };
        let request = ScanRequest {
            key: self.settings.key.clone(),
            columns: vec![text.clone()],
            filter: None,
        };
        let context = context(1, BATCH_ROWS_MAX);
        self.resolver(&context, &request).updated(text).map(Some)
    }

    /// Reads the records as streams of batches: the key as text, then the columns asked for.
    ///
    /// Rows come in no particular order, at most 8,192 a batch. The error items of the streams are
    /// told by [`ScanError::from_stream`].
    ///
    /// # Errors
    ///
    /// What [`check`](Self::check) finds.
    pub async fn scan(
        &self,
        request: &ScanRequest,
        partitions: usize,
    ) -> Result<Vec<SendableRecordBatchStream>, ScanError> {
        let partitions = partitions.max(1);
        let checked = self.resolve(&context(1, BATCH_ROWS_MAX), request)?;
        let used = checked.used(self.connector.schema());
        let context = context(partitions, self.connector.batch_rows(&used));
        let streams = self.streams(&context, checked, &used, partitions).await;
        let streams = streams.map_err(|error| ScanError::from_stream(&self.name, &error))?;
        let guard = Arc::new(self.guard(used, streams.len()));
        Ok(streams
            .into_iter()
            .map(|stream| guarded(&guard, stream))
            .collect())
    }

    /// Returns what streams of these columns share.
    pub(crate) fn guard(&self, used: Vec<usize>, stream_count: usize) -> Guard {
        Guard {
            source_name: Arc::clone(&self.name),
            connector: Arc::clone(&self.connector),
            used,
            open_count: AtomicUsize::new(stream_count),
        }
    }

    pub(crate) fn resolve(
        &self,
        context: &SessionContext,
        request: &ScanRequest,
    ) -> Result<Resolved, ScanError> {
        self.resolver(context, request).resolve()
    }

    fn resolver<'a>(
        &'a self,
        context: &'a SessionContext,
        request: &'a ScanRequest,
    ) -> Resolver<'a> {
        Resolver {
            source_name: &self.name,
            context,
            schema: self.connector.schema(),
            conflicts: self.connector.conflicts(),
            headers: self.connector.headers(),
            request,
        }
    }

    async fn streams(
        &self,
        context: &SessionContext,
        checked: Resolved,
        used: &[usize],
        partitions: usize,
    ) -> Result<Vec<SendableRecordBatchStream>, DataFusionError> {
        let filter = checked.filter.as_ref();
        let table = self.connector.table(context, used, partitions, filter);
        let table = table.await?;
        let mut frame = context.read_table(table)?;
        if let Some(filter) = checked.filter {
            frame = frame.filter(filter)?;
        }
        let plan = frame
            .select(checked.outputs)?
            .create_physical_plan()
            .await?;
        execute_stream_partitioned(widened(plan, partitions)?, context.task_ctx())
    }
}

pub(crate) fn context(partitions: usize, batch_rows: usize) -> SessionContext {
    context_of(config(partitions, batch_rows))
}

pub(crate) fn config(partitions: usize, batch_rows: usize) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(batch_rows);
    let options = config.options_mut();
    options.sql_parser.enable_ident_normalization = false;
    options.optimizer.repartition_file_min_size = SHARED_FILE_LEN_MIN;
    options.execution.collect_statistics = false;
    config
}

pub(crate) fn context_of(config: SessionConfig) -> SessionContext {
    SessionContext::new_with_config_rt(config, runtime())
}

/// Values never reach a disk: the engine may not spill.
fn runtime() -> Arc<RuntimeEnv> {
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let built = RuntimeEnvBuilder::new()
        .with_disk_manager_builder(disk)
        .build();
    Arc::new(built.expect("a runtime without disk and limits has nothing to fail on"))
}

/// One decoder feeds several consumers when a source has fewer parts than the scan has partitions.
fn widened(
    plan: Arc<dyn ExecutionPlan>,
    partitions: usize,
) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    if plan.output_partitioning().partition_count() >= partitions {
        return Ok(plan);
    }
    Ok(Arc::new(RepartitionExec::try_new(
        plan,
        Partitioning::RoundRobinBatch(partitions),
    )?))
}

/// What all streams of one scan share.
pub(crate) struct Guard {
    source_name: Arc<str>,
    connector: Arc<Connector>,
    used: Vec<usize>,
    open_count: AtomicUsize,
}

impl Guard {
    /// Replaces an engine's error by one of ours, which quotes no value and names the file.
    pub(crate) async fn explain(&self, error: &DataFusionError) -> ScanError {
        if let Err(changed) = self.connector.require_unchanged().await {
            return changed;
        }
        let found = ScanError::from_stream(&self.source_name, error);
        match found {
            ScanError::Engine { .. } => {
                let context = context(1, BATCH_ROWS_MAX);
                self.connector
                    .find_damaged(&context, &self.used)
                    .await
                    .unwrap_or(found)
            }
            known => known,
        }
    }

    /// Looks at the files once more when the last stream has ended.
    async fn end(&self) -> Option<Result<RecordBatch, DataFusionError>> {
        if self.open_count.fetch_sub(1, Ordering::AcqRel) > 1 {
            return None;
        }
        self.connector
            .require_unchanged()
            .await
            .err()
            .map(|changed| Err(changed.into()))
    }
}

fn guarded(guard: &Arc<Guard>, stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let explaining = Arc::clone(guard);
    let ending = Arc::clone(guard);
    let batches = stream.then(move |item| {
        let guard = Arc::clone(&explaining);
        async move {
            match item {
                Ok(batch) => Ok(batch),
                Err(error) => Err(guard.explain(&error).await.into()),
            }
        }
    });
    let end = once(async move { ending.end().await }).filter_map(std::future::ready);
    let batches = until_error(batches.chain(end)).flat_map(|item| iter(slices(item)));
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// Ends a stream after its first error.
fn until_error<T, E>(stream: impl Stream<Item = Result<T, E>>) -> impl Stream<Item = Result<T, E>> {
    stream.scan(false, |has_failed, item| {
        let shown = (!std::mem::replace(has_failed, item.is_err())).then_some(item);
        std::future::ready(shown)
    })
}

/// Cuts a batch that a file holds as one block.
fn slices(item: Result<RecordBatch, DataFusionError>) -> Vec<Result<RecordBatch, DataFusionError>> {
    match item {
        Ok(batch) if batch.num_rows() > BATCH_ROWS_MAX => (0..batch.num_rows())
            .step_by(BATCH_ROWS_MAX)
            .map(|start| Ok(batch.slice(start, BATCH_ROWS_MAX.min(batch.num_rows() - start))))
            .collect(),
        item => vec![item],
    }
}

/// Tells whether a text is a column's name or an expression that has it among its words.
fn names(text: &str, column: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(column).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + column.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests;
