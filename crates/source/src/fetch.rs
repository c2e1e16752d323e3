//! Records by key, read at the moment of asking.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::compute::filter_record_batch;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::logical_expr::Expr;
use datafusion::prelude::{SessionContext, lit};
use futures::StreamExt;
use sameas_record::DuplicateKeys;

use crate::connector::Connector;
use crate::error::{OpenError, ScanError};
use crate::expression::Resolved;
use crate::files::BATCH_ROWS_MAX;
use crate::keys;
use crate::request::ScanRequest;
use crate::scan::{Source, config, context_of};
use crate::task::to_the_end;

/// The keys of one fetch.
pub const FETCH_KEYS_MAX: usize = 1_000;

/// The records of one fetch: a key column that is no key must not fill the memory.
pub(crate) const FETCHED_ROWS_MAX: usize = 100_000;

/// How often a fetch begins anew because files change under it.
const ATTEMPT_COUNT_MAX: usize = 3;

/// What a source that is asked again and again knows beyond its opening.
#[derive(Default)]
pub(crate) struct Renewal {
    was_asked: AtomicBool,
    /// The engine of all fetches: making one takes longer than a record does, and it remembers
    /// footers.
    context: OnceLock<SessionContext>,
    /// The files as they are now, if they are others than those that were opened; locked by the
    /// opening that goes on, if one does.
    newest: Arc<tokio::sync::Mutex<Option<Arc<Source>>>>,
}

/// What is asked of a source by key.
pub(crate) struct ByKey<'a> {
    pub(crate) context: &'a SessionContext,
    /// The columns wanted, ascending.
    pub(crate) used: &'a [usize],
    /// The column that the keys are in.
    pub(crate) column: &'a str,
    pub(crate) keys: &'a [&'a str],
    /// Whether one record of each key is all there is: not if a condition may rule that one out.
    pub(crate) is_one_each: bool,
}

impl Source {
    /// Reads the records with these keys, at most [`FETCH_KEYS_MAX`]: the key as text, then the
    /// columns asked for, in no particular order. A key that no record has gives no row.
    ///
    /// If the key is a column, a database is asked with the keys as parameters, so that an index on
    /// it serves; of Parquet only the row groups and pages that may have a key are read, and of
    /// them first the keys; of a Delta table its newest version is read; of CSV and NDJSON the
    /// places of all keys are remembered from the second fetch on. Else the source is searched. A
    /// search, and one of Parquet, ends at the last key if keys are unique by the settings. Files that
    /// changed since the source was opened are read as they are now.
    ///
    /// Dropping the future ends the session, and with it (since PostgreSQL 14, within a second or
    /// two) the query.
    ///
    /// # Errors
    ///
    /// What [`scan`](Self::scan) and its streams fail with; changed files that cannot be opened.
    pub async fn fetch(
        &self,
        request: &ScanRequest,
        keys: &[&str],
    ) -> Result<Vec<RecordBatch>, ScanError> {
        if keys.is_empty() {
            return self.check(request).map(|()| Vec::new());
        }
        let was_asked = self.renewal.was_asked.swap(true, Ordering::Relaxed);
        let mut newest = self.newest(!was_asked).await?;
        for _ in 1..ATTEMPT_COUNT_MAX {
            let source = newest.as_deref().unwrap_or(self);
            match source.fetch_now(request, keys).await {
                Err(ScanError::Changed { .. }) => newest = self.newest(false).await?,
                fetched => return fetched,
            }
        }
        let source = newest.as_deref().unwrap_or(self);
        source.fetch_now(request, keys).await
    }

    /// Returns the source as its files are now, if they are others than those that were opened.
    async fn newest(&self, is_just_opened: bool) -> Result<Option<Arc<Self>>, ScanError> {
        let Connector::Files(opened) = self.connector.as_ref() else {
            return Ok(None);
        };
        let mut newest = Arc::clone(&self.renewal.newest).lock_owned().await;
        let known = match newest.as_deref().map(|source| source.connector.as_ref()) {
            Some(Connector::Files(files)) => files,
            _ => opened,
        };
        // Files of a table that are the table no more are there unchanged.
        if (is_just_opened && !known.is_table())
            || known.is_current(&self.settings, &self.base).await
        {
            return Ok(newest.clone());
        }
        let (settings, base) = (self.settings.clone(), self.base.clone());
        let places = known.places();
        let opening = async move {
            let mut source = Self::open(&settings, &base).await?;
            if let Some(Connector::Files(files)) = Arc::get_mut(&mut source.connector) {
                files.set_places(places);
            }
            let source = Arc::new(source);
            *newest = Some(Arc::clone(&source));
            Ok(source)
        };
        let failed = |cause: OpenError| ScanError::Reopen {
            source_name: self.name.to_string(),
            reason: cause.in_full(),
        };
        let source = if self.settings.is_local() {
            to_the_end(opening).await
        } else {
            opening.await
        };
        source.map(Some).map_err(failed)
    }

    async fn fetch_now(
        &self,
        request: &ScanRequest,
        keys: &[&str],
    ) -> Result<Vec<RecordBatch>, ScanError> {
        let context = self.renewal.context.get_or_init(fetch_context);
        let checked = self.resolve(context, request)?;
        let used = checked.used(self.connector.schema());
        let fetched = self.fetch_of(context, checked, &used, keys);
        let guard = self.guard(used.clone(), 1);
        match fetched.await {
            Ok(batches) => {
                self.connector.require_unchanged().await?;
                Ok(batches)
            }
            Err(error) => Err(guard.explain(&error).await),
        }
    }

    async fn fetch_of(
        &self,
        context: &SessionContext,
        checked: Resolved,
        used: &[usize],
        keys: &[&str],
    ) -> Result<Vec<RecordBatch>, DataFusionError> {
        let is_asked = checked.outputs.first().map(|key| key.clone().unalias());
        let column = is_asked.as_ref().and_then(column_of);
        let condition = is_asked.as_ref();
        let condition = condition.map(|asked| self.condition(asked, column, keys));
        let has_filter = checked.filter.is_some();
        let filters = condition.transpose()?.into_iter().chain(checked.filter);
        let is_unique = self.settings.duplicate_keys == DuplicateKeys::Refuse;
        if let Some(column) = column.and_then(name_of) {
            let asked = ByKey {
                context,
                used,
                column,
                keys,
                is_one_each: is_unique && !has_filter,
            };
            if let Some(found) = self.connector.fetch(&asked).await? {
                let schema = self.connector.schema().project(used)?;
                let outputs = checked.outputs;
                return computed(context, &schema, filters.collect(), outputs, &found);
            }
        }
        let table = self.connector.table(context, used, 1, None).await?;
        let mut frame = context.read_table(table)?;
        for filter in filters {
            frame = frame.filter(filter)?;
        }
        let mut batches = Vec::new();
        let mut wanted = Wanted::of(keys, is_unique);
        let mut rows = frame.select(checked.outputs)?.execute_stream().await?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            wanted.take(&self.name, batch.columns().first(), batch.num_rows())?;
            batches.push(batch);
            if wanted.is_all_found() {
                break;
            }
        }
        Ok(batches)
    }

    /// Returns the condition that a record has one of the keys: by the values of their column, which
    /// statistics and indexes know, or else by their texts.
    fn condition(
        &self,
        key: &Expr,
        column: Option<&Expr>,
        keys: &[&str],
    ) -> Result<Expr, DataFusionError> {
        let schema = self.connector.schema();
        if let Some(column) = column
            && let Some(name) = name_of(column)
            && let Ok(field) = schema.field_with_name(name)
            && let Some(condition) = keys::condition(column, keys, field.data_type())?
        {
            return Ok(condition);
        }
        let list = keys.iter().map(|&key| lit(key)).collect();
        Ok(key.clone().in_list(list, false))
    }
}

/// Computes outputs over the records of a few batches for which all filters hold, without a plan:
/// making one takes longer than the records do.
fn computed(
    context: &SessionContext,
    schema: &Schema,
    filters: Vec<Expr>,
    outputs: Vec<Expr>,
    batches: &[RecordBatch],
) -> Result<Vec<RecordBatch>, DataFusionError> {
    let names = outputs
        .iter()
        .map(|output| output.schema_name().to_string());
    let names: Vec<String> = names.collect();
    let known = DFSchema::try_from(schema.clone())?;
    let ready = |expr| context.create_physical_expr(expr, &known);
    let filters: Vec<_> = filters.into_iter().map(ready).collect::<Result<_, _>>()?;
    let outputs: Vec<_> = outputs.into_iter().map(ready).collect::<Result<_, _>>()?;
    let fields = names.iter().zip(&outputs).map(|(name, output)| {
        let data_type = output.data_type(schema)?;
        Ok::<_, DataFusionError>(Field::new(name, data_type, true))
    });
    let fields: Vec<Field> = fields.collect::<Result<_, _>>()?;
    let shown = Arc::new(Schema::new(fields));
    let mut computed = Vec::with_capacity(batches.len());
    for batch in batches {
        let mut batch = batch.clone();
        for filter in &filters {
            let holds = filter.evaluate(&batch)?.into_array(batch.num_rows())?;
            batch = filter_record_batch(&batch, as_boolean_array(&holds)?)?;
        }
        let columns = outputs
            .iter()
            .map(|output| output.evaluate(&batch)?.into_array(batch.num_rows()));
        let columns = columns.collect::<Result<_, _>>()?;
        computed.push(RecordBatch::try_new(Arc::clone(&shown), columns)?);
    }
    Ok(computed)
}

/// Returns an engine that reads of Parquet the keys first, and the other columns where one hits.
fn fetch_context() -> SessionContext {
    let mut config = config(1, BATCH_ROWS_MAX);
    let parquet = &mut config.options_mut().execution.parquet;
    parquet.pushdown_filters = true;
    parquet.max_in_list_size = FETCH_KEYS_MAX;
    context_of(config)
}

/// The keys that are still looked for.
pub(crate) struct Wanted<'k> {
    /// None if a key may stand in several records.
    missing: Option<BTreeSet<&'k str>>,
    row_count: usize,
}

impl<'k> Wanted<'k> {
    pub(crate) fn of(keys: &[&'k str], is_one_each: bool) -> Self {
        Self {
            missing: is_one_each.then(|| keys.iter().copied().collect()),
            row_count: 0,
        }
    }

    /// Takes the keys of some records that were found.
    ///
    /// # Errors
    ///
    /// More records than a fetch may have.
    pub(crate) fn take(
        &mut self,
        source_name: &str,
        keys: Option<&ArrayRef>,
        row_count: usize,
    ) -> Result<(), ScanError> {
        self.row_count += row_count;
        if self.row_count > FETCHED_ROWS_MAX {
            let source_name = source_name.to_owned();
            return Err(ScanError::TooManyFetched { source_name });
        }
        if let Some(missing) = &mut self.missing {
            let found = keys.and_then(keys::texts_of);
            for key in found.iter().flat_map(|found| found.iter()).flatten() {
                missing.remove(key);
            }
        }
        Ok(())
    }

    pub(crate) fn is_all_found(&self) -> bool {
        self.missing.as_ref().is_some_and(BTreeSet::is_empty)
    }
}

/// Returns the column that a key is, if it is no more than that or its text.
pub(crate) fn column_of(key: &Expr) -> Option<&Expr> {
    match key {
        Expr::Cast(cast) if cast.field.data_type().is_string() => column_of(&cast.expr),
        Expr::Column(_) => Some(key),
        _ => None,
    }
}

pub(crate) fn name_of(column: &Expr) -> Option<&str> {
    match column {
        Expr::Column(column) => Some(&column.name),
        _ => None,
    }
}
