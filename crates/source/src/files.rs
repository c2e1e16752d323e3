//! Files: found, probed, and read as one table.

mod arrow;
mod columns;
mod csv;
mod delta;
mod encoding;
mod findings;
mod format;
mod location;
mod ndjson;
mod parquet;
mod piece;
mod places;
mod probe;
mod shape;
mod store;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::datasource::TableProvider;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionContext;

use self::arrow::{ArrowFile, ArrowPiece};
use self::columns::Columns;
pub use self::delta::DeltaFault;
use self::delta::DeltaTable;
use self::format::{Compression, compression_of, delimiter_of, format_of};
use self::location::Located;
pub(crate) use self::location::local_files;
use self::parquet::TableColumns;
use self::piece::{FilePartition, Piece, Reading, TextReading, spread};
use self::places::{Places, TextFile};
use self::probe::{Detail, Probe, probe_all};
use self::shape::Keys;
use self::store::{DataFile, is_same};
use crate::count::RowCount;
use crate::descriptor::{FileFormat, SourceSettings};
use crate::error::{OpenError, ScanError};
use crate::fetch::ByKey;
use crate::skipped::SkippedFiles;

/// The rows of a batch.
pub(crate) const BATCH_ROWS_MAX: usize = 8_192;

/// The bytes of text after which a batch is full before it has [`BATCH_ROWS_MAX`] rows.
pub(crate) const BATCH_BYTES_MAX: usize = 16 << 20;

/// The bytes kept of a cell. What reads records skips and counts far shorter cells, so no cut cell
/// passes for a whole one; an expression sees of it what was kept.
pub(crate) const CELL_KEPT_MAX: usize = 128 << 10;
const _: () = assert!(CELL_KEPT_MAX > sameas_record::CELL_LEN_MAX);

/// The bytes of one NDJSON record.
const RECORD_LEN_MAX: usize = 128 << 20;

/// The columns of a file.
const COLUMN_COUNT_MAX: usize = 10_000;

/// The files of a source, as they were when it was opened.
///
/// Neither they nor what describes them print themselves: where a header is missing, and where
/// objects are used as maps, names are values.
pub(crate) struct Files {
    source_name: Arc<str>,
    found: Vec<DataFile>,
    skipped: SkippedFiles,
    content: Content,
    schema: SchemaRef,
    conflicts: BTreeMap<String, String>,
    lacking: BTreeMap<String, SkippedFiles>,
    row_count: RowCount,
    places: Arc<Places>,
    table: Option<DeltaTable>,
}

/// What the probes of all files found.
enum Content {
    Csv {
        delimiter: Option<u8>,
        /// The first records, each once.
        headers: BTreeSet<Vec<String>>,
    },
    Ndjson {
        keys: Keys,
    },
    Parquet {
        row_lens: BTreeMap<String, u64>,
    },
    Arrow {
        footers: Vec<Arc<ArrowFile>>,
    },
}

impl Content {
    fn gather(
        format: FileFormat,
        delimiter: Option<u8>,
        files: &[DataFile],
        probes: Vec<Probe>,
    ) -> Self {
        let (mut keys, mut row_lens, mut footers) = (Keys::new(), BTreeMap::new(), Vec::new());
        let mut headers = BTreeSet::new();
        for (file, probe) in files.iter().zip(probes) {
            match probe.detail {
                Detail::Csv => {
                    headers.insert(probe.columns.into_iter().map(|(name, _)| name).collect());
                }
                Detail::Ndjson(found) => {
                    for (name, shape) in found {
                        keys.entry(name).or_default().widen(shape, &file.name);
                    }
                }
                Detail::Parquet(found) => {
                    for (name, len) in found {
                        let most: &mut u64 = row_lens.entry(name).or_default();
                        *most = len.max(*most);
                    }
                }
                Detail::Arrow(footer) => footers.push(Arc::new(footer)),
            }
        }
        match format {
            FileFormat::Csv => Self::Csv { delimiter, headers },
            FileFormat::Ndjson => Self::Ndjson { keys },
            FileFormat::Parquet => Self::Parquet { row_lens },
            FileFormat::Arrow => Self::Arrow { footers },
        }
    }
}

/// Returns the columns of a table whose type holds what every file has of them: none at all, or
/// moments told in several units.
fn given_by(table: &DeltaTable, probes: &[Probe]) -> Vec<FieldRef> {
    let holds = |field: &&FieldRef| {
        let columns = probes.iter().flat_map(|probe| &probe.columns);
        let mut types = columns.filter(|(name, _)| name == field.name());
        let is_moment = |data_type: &DataType| matches!(data_type, DataType::Timestamp(..));
        types.all(|(_, data_type)| is_moment(data_type) && is_moment(field.data_type()))
    };
    table.data_fields.iter().filter(holds).cloned().collect()
}

fn lacking(files: &[DataFile], probes: &[Probe]) -> BTreeMap<String, SkippedFiles> {
    let mut having: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (index, probe) in probes.iter().enumerate() {
        for (name, _) in &probe.columns {
            having.entry(name).or_default().insert(index);
        }
    }
    having.retain(|_, having| having.len() < files.len());
    let without = |having: &BTreeSet<usize>| -> BTreeSet<String> {
        let files = files.iter().enumerate();
        let without = files.filter(|(index, _)| !having.contains(index));
        without.map(|(_, file)| file.name.clone()).collect()
    };
    having
        .into_iter()
        .map(|(name, having)| (name.to_owned(), without(&having).into()))
        .collect()
}

impl Files {
    /// Finds the files, and learns their columns and row counts.
    pub(crate) async fn open(settings: &SourceSettings, base: &Path) -> Result<Self, OpenError> {
        let source_name: Arc<str> = settings.name.as_str().into();
        let delimiter = checked_delimiter(settings)?;
        let Located {
            mut files,
            skipped,
            table,
        } = location::locate(settings, base).await?;
        for file in &mut files {
            file.encoding = settings.encoding;
        }
        let format = common_format(settings, &files)?;
        for file in &files {
            check_file(&source_name, format, file)?;
        }
        let probes = probe_all(&source_name, &files, format, delimiter).await?;
        let mut columns = Columns::default();
        let mut row_count = RowCount::Exact(0);
        for (file, probe) in files.iter().zip(&probes) {
            row_count = row_count + probe.row_count;
            for (name, data_type) in &probe.columns {
                columns.add(name, data_type, &file.name);
            }
        }
        let given = table
            .as_ref()
            .map_or_else(Vec::new, |table| given_by(table, &probes));
        let mut lacking = lacking(&files, &probes);
        let content = Content::gather(format, delimiter, &files, probes);
        if let Content::Ndjson { keys } = &content {
            columns = Columns::of_keys(keys);
        }
        let (mut schema, mut conflicts) = columns.finish();
        if let Some(table) = &table {
            // Some writers keep these columns in the files, too; what the log says counts.
            let in_log = |name: &str| table.partition_fields.iter().any(|f| f.name() == name);
            conflicts.retain(|name, _| !in_log(name));
            lacking.retain(|name, _| !in_log(name));
            // What no file has yet, or files do not agree on, is of the type that the table gives it.
            let is_open = |field: &&FieldRef| schema.field_with_name(field.name()).is_err();
            let given: Vec<&FieldRef> = given.iter().filter(is_open).collect();
            conflicts.retain(|name, _| !given.iter().any(|field| field.name() == name));
            let of_files = schema.fields().iter().filter(|field| !in_log(field.name()));
            let of_files = of_files.chain(given);
            let fields = of_files.chain(&table.partition_fields).cloned();
            schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        }
        Ok(Self {
            source_name,
            found: files,
            skipped,
            content,
            schema,
            conflicts,
            lacking,
            row_count,
            places: Arc::default(),
            table,
        })
    }

    /// Returns the files that lack a column which others have; keys of JSON records may come and go.
    pub(crate) fn lacking(&self) -> &BTreeMap<String, SkippedFiles> {
        &self.lacking
    }

    /// Returns what was not taken from folders.
    pub(crate) fn skipped(&self) -> &SkippedFiles {
        &self.skipped
    }

    /// Returns the columns that have a single type.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the columns that have none, and why.
    pub(crate) fn conflicts(&self) -> &BTreeMap<String, String> {
        &self.conflicts
    }

    /// Returns the first records of CSV files, which may be values where a header is missing.
    pub(crate) fn headers(&self) -> Option<&BTreeSet<Vec<String>>> {
        match &self.content {
            Content::Csv { headers, .. } => Some(headers),
            _ => None,
        }
    }

    /// Returns the rows of all files.
    pub(crate) fn row_count(&self) -> RowCount {
        self.row_count
    }

    /// Returns how many files there are.
    pub(crate) fn file_count(&self) -> usize {
        self.found.len()
    }

    /// Returns how many rows of the given columns make a batch of bounded size.
    pub(crate) fn batch_rows(&self, used: &[usize]) -> usize {
        let Content::Parquet { row_lens } = &self.content else {
            return BATCH_ROWS_MAX;
        };
        let len_of = |index: &usize| row_lens.get(self.schema.field(*index).name()).copied();
        let row_len: u64 = used.iter().filter_map(len_of).sum();
        (BATCH_BYTES_MAX as u64 / row_len.max(1)).clamp(1, BATCH_ROWS_MAX as u64) as usize
    }

    /// Returns the given columns as a table of at most `partition_count` partitions.
    pub(crate) fn table(
        &self,
        context: &SessionContext,
        used: &[usize],
        partition_count: usize,
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let schema = Arc::new(self.schema.project(used)?);
        if let Content::Parquet { .. } = self.content {
            if self.table.as_ref().is_some_and(DeltaTable::is_partitioned) {
                let columns = self.columns(used)?;
                return parquet::partitioned(context, &self.found, &columns, partition_count);
            }
            return parquet::table(context, &self.found, schema);
        }
        let partitions = spread(self.pieces(&schema), partition_count)
            .into_iter()
            .map(|pieces| {
                let schema = Arc::clone(&schema);
                Arc::new(FilePartition { schema, pieces }) as Arc<dyn PartitionStream>
            })
            .collect();
        Ok(Arc::new(StreamingTable::try_new(schema, partitions)?))
    }

    /// Returns the columns asked for of the records with these keys, if something tells where they
    /// may be: of Parquet its statistics, of text the places that are known from the second call on.
    pub(crate) async fn fetch(
        &self,
        asked: &ByKey<'_>,
    ) -> Result<Option<Vec<RecordBatch>>, DataFusionError> {
        let schema = Arc::new(self.schema.project(asked.used)?);
        let name = &self.source_name;
        if let Content::Parquet { .. } = self.content {
            let columns = self.columns(asked.used)?;
            return parquet::fetch(name, &self.found, &columns, asked).await;
        }
        let Some(files) = self.text_files(&schema) else {
            return Ok(None);
        };
        let (key, keys) = (asked.column, asked.keys);
        let fetched = self.places.fetch(name, &files, &schema, key, keys);
        Ok(fetched.await?)
    }

    /// Returns the given columns: first those of files, then those of the log of a table.
    fn columns(&self, used: &[usize]) -> Result<TableColumns, DataFusionError> {
        let in_log = self
            .table
            .as_ref()
            .map_or(0, |table| table.partition_fields.len());
        let in_files = self.schema.fields().len() - in_log;
        let split = used.partition_point(|&at| at < in_files);
        let (of_files, of_log) = used.split_at(split);
        Ok(TableColumns {
            of_files: Arc::new(self.schema.project(of_files)?),
            of_log: of_log
                .iter()
                .map(|&at| Arc::clone(&self.schema.fields()[at]))
                .collect(),
            constants: of_log.iter().map(|&at| at - in_files).collect(),
        })
    }

    /// Returns what is remembered of these files.
    pub(crate) fn places(&self) -> Arc<Places> {
        Arc::clone(&self.places)
    }

    /// Takes over what was remembered before files changed.
    pub(crate) fn set_places(&mut self, places: Arc<Places>) {
        self.places = places;
    }

    /// Tells whether a log says which files count.
    pub(crate) fn is_table(&self) -> bool {
        self.table.is_some()
    }

    /// Tells whether the settings name the files that were opened, and they are as they were.
    pub(crate) async fn is_current(&self, settings: &SourceSettings, base: &Path) -> bool {
        if let Some(table) = &self.table {
            return table.is_current().await;
        }
        let Ok(Located { files, .. }) = location::locate(settings, base).await else {
            return false;
        };
        let same = |(a, b): (&DataFile, &DataFile)| a.name == b.name && is_same(&a.meta, &b.meta);
        files.len() == self.found.len() && std::iter::zip(&files, &self.found).all(same)
    }

    /// Refuses a scan during which a file changed.
    pub(crate) async fn require_unchanged(&self) -> Result<(), ScanError> {
        for file in &self.found {
            file.require_unchanged(&self.source_name).await?;
        }
        Ok(())
    }

    /// Finds the file that an engine's error is about, which the engine does not tell.
    pub(crate) async fn find_damaged(
        &self,
        context: &SessionContext,
        used: &[usize],
    ) -> Option<ScanError> {
        let Content::Parquet { .. } = self.content else {
            return None;
        };
        let schema = Arc::new(self.schema.project(used).ok()?);
        for file in &self.found {
            if !parquet::is_readable(context, file, Arc::clone(&schema)).await {
                let source_name = self.source_name.to_string();
                return Some(ScanError::Damaged {
                    source_name,
                    file: file.name.clone(),
                });
            }
        }
        None
    }

    fn pieces(&self, schema: &SchemaRef) -> Vec<Piece> {
        if let Some(files) = self.text_files(schema) {
            let piece = |TextFile { file, reading }| Piece {
                len: file.meta.size,
                reading: Reading::Text {
                    source_name: Arc::clone(&self.source_name),
                    file: file.clone(),
                    reading,
                },
            };
            return files.into_iter().map(piece).collect();
        }
        match &self.content {
            Content::Arrow { footers } => self
                .found
                .iter()
                .zip(footers)
                .flat_map(|(file, footer)| self.blocks(file, footer))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the files and how the columns of `schema` are read from them, if they are text.
    fn text_files(&self, schema: &SchemaRef) -> Option<Vec<TextFile<'_>>> {
        let files = self.found.iter();
        match &self.content {
            Content::Csv { delimiter, .. } => {
                let text = |file: &'_ DataFile| TextReading::Csv {
                    delimiter: delimiter.unwrap_or_else(|| delimiter_of(&file.name)),
                };
                let texts = files.map(|file| TextFile {
                    reading: text(file),
                    file,
                });
                Some(texts.collect())
            }
            Content::Ndjson { keys } => {
                let wanted = keys
                    .iter()
                    .filter(|(name, _)| schema.index_of(name).is_ok());
                let wanted = wanted.map(|(name, shape)| (name.clone(), shape.clone()));
                let keys: Arc<Keys> = Arc::new(wanted.collect());
                let texts = files.map(|file| {
                    let keys = Arc::clone(&keys);
                    let reading = TextReading::Ndjson { keys };
                    TextFile { file, reading }
                });
                Some(texts.collect())
            }
            Content::Parquet { .. } | Content::Arrow { .. } => None,
        }
    }

    fn blocks(&self, file: &DataFile, footer: &Arc<ArrowFile>) -> Vec<Piece> {
        let piece = |block: &::arrow::ipc::Block| {
            let piece = ArrowPiece {
                source_name: Arc::clone(&self.source_name),
                file: file.clone(),
                content: Arc::clone(footer),
                blocks: vec![*block],
            };
            Piece {
                len: block.bodyLength().unsigned_abs(),
                reading: Reading::Arrow(piece),
            }
        };
        footer.blocks.iter().map(piece).collect()
    }
}

fn checked_delimiter(settings: &SourceSettings) -> Result<Option<u8>, OpenError> {
    let Some(delimiter) = settings.delimiter else {
        return Ok(None);
    };
    match u8::try_from(delimiter) {
        Ok(byte) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) => Ok(Some(byte)),
        _ => Err(OpenError::Delimiter {
            source_name: settings.name.clone(),
            delimiter,
        }),
    }
}

fn common_format(settings: &SourceSettings, files: &[DataFile]) -> Result<FileFormat, OpenError> {
    if let Some(format) = settings.format {
        return Ok(format);
    }
    let source_name = || settings.name.clone();
    let mut common: Option<(FileFormat, &DataFile)> = None;
    for file in files {
        let format = format_of(&file.name).ok_or_else(|| OpenError::UnknownFormat {
            source_name: source_name(),
            file: file.name.clone(),
        })?;
        match common {
            Some((known, first)) if known != format => {
                let (file, other) = (first.name.clone(), file.name.clone());
                return Err(OpenError::MixedFormats {
                    source_name: source_name(),
                    file,
                    other,
                });
            }
            Some(_) => {}
            None => common = Some((format, file)),
        }
    }
    let none = OpenError::NoUri {
        source_name: source_name(),
    };
    common.map(|(format, _)| format).ok_or(none)
}

fn check_file(source_name: &str, format: FileFormat, file: &DataFile) -> Result<(), OpenError> {
    let (source_name, name) = (source_name.to_owned(), file.name.clone());
    if file.meta.size == 0 {
        return Err(OpenError::EmptyFile {
            source_name,
            file: name,
        });
    }
    let is_text = matches!(format, FileFormat::Csv | FileFormat::Ndjson);
    match compression_of(&file.name) {
        Compression::None => Ok(()),
        Compression::Gzip | Compression::Zstd if is_text => Ok(()),
        _ => Err(OpenError::Compression {
            source_name,
            file: name,
        }),
    }
}
