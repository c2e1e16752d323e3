//! Parquet files: their footers here, their content through the engine.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::DataFusionError;
use datafusion::datasource::TableProvider;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl, PartitionedFile,
};
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::parquet::arrow::parquet_to_arrow_schema;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData};
use datafusion::physical_expr::expressions::{Column, in_list, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use object_store::ObjectStore;
use url::Url;

use super::store::DataFile;
use crate::fetch::{ByKey, Wanted};
use crate::keys;

/// What the footer of a file tells.
#[derive(Debug)]
pub(crate) struct ParquetFile {
    pub(crate) schema: SchemaRef,
    pub(crate) row_count: u64,
    /// For each column, the most bytes that a row takes on average in a row group.
    pub(crate) row_lens: BTreeMap<String, u64>,
}

/// Reads the footer; a file without one is damaged.
pub(crate) async fn probe(file: &DataFile) -> Option<ParquetFile> {
    let footer = DFParquetMetadata::new(&file.store, &file.meta)
        .with_page_index_policy(Some(PageIndexPolicy::Skip))
        .fetch_metadata()
        .await
        .ok()?;
    let about = footer.file_metadata();
    let found = parquet_to_arrow_schema(about.schema_descr(), about.key_value_metadata()).ok()?;
    let fields: Vec<_> = found.fields().iter().map(|field| as_view(field)).collect();
    Some(ParquetFile {
        schema: Arc::new(Schema::new(fields)),
        row_count: u64::try_from(about.num_rows()).ok()?,
        row_lens: row_lens(&footer),
    })
}

/// Texts are read as views into the pages of the file: nothing is copied.
fn as_view(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        other => other.clone(),
    };
    Field::new(field.name(), data_type, true)
}

fn row_lens(metadata: &ParquetMetaData) -> BTreeMap<String, u64> {
    let mut row_lens = BTreeMap::new();
    for group in metadata.row_groups() {
        let mut group_lens: BTreeMap<&str, u64> = BTreeMap::new();
        let row_count = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
        for column in group.columns() {
            let Some(name) = column.column_path().parts().first() else {
                continue;
            };
            let len = u64::try_from(column.uncompressed_size()).unwrap_or(0);
            *group_lens.entry(name).or_default() += len / row_count;
        }
        for (name, len) in group_lens {
            let most = row_lens.entry(name.to_owned()).or_default();
            *most = len.max(*most);
        }
    }
    row_lens
}

/// Returns the files as one table that the engine reads by row groups.
pub(crate) fn table(
    context: &SessionContext,
    files: &[DataFile],
    schema: SchemaRef,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let roots = roots_of(context, files)?.into_iter().zip(files);
    let urls = roots.map(|(root, file)| ListingTableUrl::try_new(address(root, file), None));
    let urls = urls.collect::<Result<_, _>>()?;
    let format = ParquetFormat::default().with_options(context.copied_table_options().parquet);
    let options = ListingOptions::new(Arc::new(format)).with_file_extension("");
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(options)
        .with_schema(schema);
    Ok(Arc::new(ListingTable::try_new(config)?))
}

/// Columns of a table, some of which stand beside its files.
pub(crate) struct TableColumns {
    pub(crate) of_files: SchemaRef,
    pub(crate) of_log: Vec<FieldRef>,
    /// Which of a file's constants those of the log are.
    pub(crate) constants: Vec<usize>,
}

impl TableColumns {
    fn schema(&self) -> TableSchema {
        TableSchema::builder(Arc::clone(&self.of_files))
            .with_table_partition_cols(self.of_log.clone())
            .build()
    }

    /// Returns a file as the engine reads it.
    fn of(&self, file: &DataFile) -> PartitionedFile {
        let mut read = PartitionedFile::from(file.meta.clone());
        let constants = self
            .constants
            .iter()
            .filter_map(|&at| file.constants.get(at));
        read.partition_values = constants.cloned().collect();
        read
    }
}

/// The files of a table some columns of which stand in its log.
struct PartitionedTable {
    reading: FileScanConfig,
    schema: SchemaRef,
}

/// Prints no file: their paths and constants are values.
impl fmt::Debug for PartitionedTable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PartitionedTable").finish_non_exhaustive()
    }
}

/// Returns the files, and the columns that stand beside them, as one table.
pub(crate) fn partitioned(
    context: &SessionContext,
    files: &[DataFile],
    columns: &TableColumns,
    partition_count: usize,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let root = roots_of(context, files)?.into_iter().next();
    let root = root.map_or_else(|| root_of(0), Ok)?;
    let read: Vec<PartitionedFile> = files.iter().map(|file| columns.of(file)).collect();
    let groups = read.chunks(read.len().div_ceil(partition_count).max(1));
    let groups = groups.map(|files| FileGroup::new(files.to_vec())).collect();
    let columns = columns.schema();
    let schema = Arc::clone(columns.table_schema());
    let source = Arc::new(ParquetSource::new(columns));
    let reading = FileScanConfigBuilder::new(ObjectStoreUrl::parse(root)?, source);
    let reading = reading.with_file_groups(groups).build();
    Ok(Arc::new(PartitionedTable { reading, schema }))
}

#[async_trait]
impl TableProvider for PartitionedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let reading = FileScanConfigBuilder::from(self.reading.clone())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        let options = state.default_table_options().parquet;
        let format = ParquetFormat::default().with_options(options);
        format.create_physical_plan(state, reading).await
    }
}

/// Reads the given columns of the records with these keys; nothing if the keys are in no file, or of a
/// type whose texts are not surely the same everywhere.
///
/// Row groups and pages whose statistics or bloom filters know none of the keys are passed over; of
/// the others the keys are read first, and the other columns where one hits. No plan is made of
/// it, which would take longer than the records do.
pub(crate) async fn fetch(
    source_name: &str,
    files: &[DataFile],
    columns: &TableColumns,
    asked: &ByKey<'_>,
) -> Result<Option<Vec<RecordBatch>>, DataFusionError> {
    let schema = &columns.of_files;
    // A column that the table is partitioned by is searched.
    let Ok(at) = schema.index_of(asked.column) else {
        return Ok(None);
    };
    let Some(values) = keys::values(asked.keys, schema.field(at).data_type())? else {
        return Ok(None);
    };
    let mut batches = Vec::new();
    if values.is_empty() {
        return Ok(Some(batches));
    }
    let literals = values.into_iter().map(lit).collect();
    let column = Arc::new(Column::new(asked.column, at));
    let is_asked = in_list(column, literals, &false, schema)?;
    let (state, task) = (asked.context.state(), asked.context.task_ctx());
    let options = asked.context.copied_table_options().parquet;
    let format = ParquetFormat::default().with_options(options);
    let mut wanted = Wanted::of(asked.keys, asked.is_one_each);
    for (root, file) in roots_of(asked.context, files)?.into_iter().zip(files) {
        let source = ParquetSource::new(columns.schema()).with_predicate(Arc::clone(&is_asked));
        let store = ObjectStoreUrl::parse(root)?;
        let reading = FileScanConfigBuilder::new(store, Arc::new(source))
            .with_file(columns.of(file))
            .build();
        let reading = format.create_physical_plan(&state, reading).await?;
        let mut rows = reading.execute(0, Arc::clone(&task))?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            wanted.take(source_name, batch.columns().get(at), batch.num_rows())?;
            batches.push(batch);
        }
        if wanted.is_all_found() {
            break;
        }
    }
    Ok(Some(batches))
}

/// Makes the stores of files known to the engine, and returns under which name each file's is.
fn roots_of(context: &SessionContext, files: &[DataFile]) -> Result<Vec<Url>, DataFusionError> {
    let mut stores: Vec<&Arc<dyn ObjectStore>> = Vec::new();
    let roots = files.iter().map(|file| {
        let known = stores
            .iter()
            .position(|store| Arc::ptr_eq(store, &file.store));
        let root = root_of(known.unwrap_or(stores.len()))?;
        if known.is_none() {
            context.register_object_store(&root, Arc::clone(&file.store));
            stores.push(&file.store);
        }
        Ok(root)
    });
    roots.collect()
}

/// The engine finds stores by scheme and host: ours get names of their own.
fn root_of(index: usize) -> Result<Url, DataFusionError> {
    Url::parse(&format!("sameas://store{index}/"))
        .map_err(|error| DataFusionError::External(Box::new(error)))
}

fn address(mut root: Url, file: &DataFile) -> Url {
    if let Ok(mut segments) = root.path_segments_mut() {
        segments
            .clear()
            .extend(file.meta.location.as_ref().split('/'));
    }
    root
}

/// Tells whether the columns of `schema` can be read to the end of a file.
pub(crate) async fn is_readable(
    context: &SessionContext,
    file: &DataFile,
    schema: SchemaRef,
) -> bool {
    let frame = table(context, std::slice::from_ref(file), schema)
        .and_then(|table| context.read_table(table));
    let Ok(frame) = frame else { return false };
    let Ok(mut batches) = frame.execute_stream().await else {
        return false;
    };
    while let Some(batch) = batches.next().await {
        if batch.is_err() {
            return false;
        }
    }
    true
}

/// What a file has of a column beside its values.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Aids {
    /// The least and the largest value of each row group.
    pub(crate) statistics: bool,
    /// The same of each page.
    pub(crate) pages: bool,
    pub(crate) bloom_filter: bool,
}

/// Looks for what helps to find values of a column.
pub(crate) async fn aids(file: &DataFile, column: &str) -> Option<Aids> {
    let footer = DFParquetMetadata::new(&file.store, &file.meta)
        .with_page_index_policy(Some(PageIndexPolicy::Skip))
        .fetch_metadata()
        .await
        .ok()?;
    let group = footer.row_groups().first()?;
    let is_it = |found: &&ColumnChunkMetaData| match found.column_path().parts() {
        [name] => name == column,
        _ => false,
    };
    let chunk = group.columns().iter().find(is_it)?;
    Some(Aids {
        statistics: chunk
            .statistics()
            .is_some_and(|known| known.min_bytes_opt().is_some()),
        pages: chunk.column_index_offset().is_some(),
        bloom_filter: chunk.bloom_filter_offset().is_some(),
    })
}
