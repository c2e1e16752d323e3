//! What the beginning of a file, or its footer, tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use futures::stream::{StreamExt, iter};

use super::arrow::{self, ArrowFile};
use super::csv::CsvDecoder;
use super::format::{Compression, compression_of, delimiter_of};
use super::ndjson::ShapeFinder;
use super::parquet;
use super::shape::{Keys, name_file};
use super::store::DataFile;
use super::text::{CHUNK_LEN, ChunkError, Chunks};
use crate::count::RowCount;
use crate::descriptor::FileFormat;
use crate::error::OpenError;
use crate::flaw::{Flaw, Problem};

/// The files that are probed at a time.
const PROBE_COUNT_MAX: usize = 16;

/// The columns and rows of one file.
pub(crate) struct Probe {
    pub(crate) columns: Vec<(String, DataType)>,
    pub(crate) row_count: RowCount,
    pub(crate) detail: Detail,
}

/// What a scan needs to know beyond columns.
pub(crate) enum Detail {
    /// Nothing.
    Csv,
    /// The keys, whose shapes widen with those of other files.
    Ndjson(Keys),
    /// The bytes a row takes in each column.
    Parquet(BTreeMap<String, u64>),
    /// Where the blocks are.
    Arrow(ArrowFile),
}

pub(crate) async fn probe_all(
    source_name: &Arc<str>,
    files: &[DataFile],
    format: FileFormat,
    delimiter: Option<u8>,
) -> Result<Vec<Probe>, OpenError> {
    // Of files by value, or the future could not be handed to a task.
    let tasks = files.iter().cloned().map(|file| {
        let source_name = Arc::clone(source_name);
        let delimiter = delimiter.unwrap_or_else(|| delimiter_of(&file.name));
        let place = (source_name.to_string(), file.name.clone());
        let task = tokio::spawn(probe(source_name, file, format, delimiter));
        async move {
            task.await.unwrap_or_else(|_| {
                let (source_name, file) = place;
                Err(OpenError::Damaged {
                    source_name,
                    file,
                    format: name_of(format),
                })
            })
        }
    });
    // The iterator is lazy: no more tasks are started than are awaited at a time.
    let mut probes = iter(tasks).buffered(PROBE_COUNT_MAX);
    let mut found = Vec::with_capacity(files.len());
    while let Some(probe) = probes.next().await {
        found.push(probe?);
    }
    Ok(found)
}

async fn probe(
    source_name: Arc<str>,
    file: DataFile,
    format: FileFormat,
    delimiter: u8,
) -> Result<Probe, OpenError> {
    let damaged = || OpenError::Damaged {
        source_name: source_name.to_string(),
        file: file.name.clone(),
        format: name_of(format),
    };
    match format {
        FileFormat::Csv => probe_csv(&source_name, &file, delimiter).await,
        FileFormat::Ndjson => probe_ndjson(&source_name, &file).await,
        FileFormat::Parquet => {
            let found = parquet::probe(&file).await.ok_or_else(damaged)?;
            let row_count = RowCount::Exact(found.row_count);
            of_schema(
                &source_name,
                &file,
                &found.schema,
                row_count,
                Detail::Parquet(found.row_lens),
            )
        }
        FileFormat::Arrow => {
            let found = arrow::probe(&file).await.ok_or_else(damaged)?;
            let schema = Arc::clone(&found.schema);
            let row_count = RowCount::Exact(found.row_count);
            of_schema(
                &source_name,
                &file,
                &schema,
                row_count,
                Detail::Arrow(found),
            )
        }
    }
}

fn of_schema(
    source_name: &str,
    file: &DataFile,
    schema: &Schema,
    row_count: RowCount,
    detail: Detail,
) -> Result<Probe, OpenError> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| (field.name().clone(), field.data_type().clone()));
    let columns: Vec<_> = columns.collect();
    require_distinct(source_name, file, columns.iter().map(|(name, _)| name))?;
    Ok(Probe {
        columns,
        row_count,
        detail,
    })
}

fn name_of(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Csv => "CSV",
        FileFormat::Ndjson => "NDJSON",
        FileFormat::Parquet => "Parquet",
        FileFormat::Arrow => "an Arrow IPC file",
    }
}

async fn probe_csv(source_name: &str, file: &DataFile, delimiter: u8) -> Result<Probe, OpenError> {
    let mut chunks = Chunks::open(file)
        .await
        .map_err(|error| stopped(source_name, file, error))?;
    let first = chunks
        .next()
        .await
        .map_err(|error| stopped(source_name, file, error))?;
    let first = first.unwrap_or_default();
    let is_whole = first.len() < CHUNK_LEN
        && chunks
            .next()
            .await
            .map_err(|error| stopped(source_name, file, error))?
            .is_none();
    let mut decoder = CsvDecoder::new(delimiter, Arc::new(Schema::empty()), usize::MAX);
    // A flaw after the header is for the scan to tell; here it only ends the sample.
    let mut flaw = decoder.decode(&first).err();
    if is_whole && flaw.is_none() {
        flaw = decoder.finish().err();
    }
    let Some(names) = decoder.header() else {
        return Err(match flaw {
            Some(flaw) => flawed(source_name, file, flaw),
            None if is_whole => {
                let (source_name, file) = (source_name.to_owned(), file.name.clone());
                OpenError::EmptyFile { source_name, file }
            }
            None => flawed(source_name, file, Flaw::new(1, Problem::HeaderTooLong)),
        });
    };
    require_distinct(source_name, file, names.iter())?;
    let rows = decoder.row_count() as u64;
    let row_count = match flaw {
        None if is_whole => RowCount::Exact(rows),
        None if compression_of(&file.name) == Compression::None => {
            RowCount::Estimate(file.meta.size.saturating_mul(rows) / first.len().max(1) as u64)
        }
        _ => RowCount::Unknown,
    };
    let columns = names.iter().filter(|name| !name.is_empty());
    let columns = columns.map(|name| (name.clone(), DataType::Utf8)).collect();
    Ok(Probe {
        columns,
        row_count,
        detail: Detail::Csv,
    })
}

/// Refuses a header with a name that stands twice; cells without a name are no columns.
fn require_distinct<'a>(
    source_name: &str,
    file: &DataFile,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), OpenError> {
    let mut sorted: Vec<_> = names
        .zip(1..)
        .filter(|(name, _)| !name.is_empty())
        .collect();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        None => Ok(()),
        Some(pair) => Err(OpenError::DuplicateColumn {
            source_name: source_name.to_owned(),
            file: file.name.clone(),
            cells: [pair[0].1, pair[1].1],
        }),
    }
}

async fn probe_ndjson(source_name: &str, file: &DataFile) -> Result<Probe, OpenError> {
    let failed = |error| stopped(source_name, file, error);
    let mut chunks = Chunks::open(file).await.map_err(failed)?;
    let mut finder = ShapeFinder::new();
    let flawed = |flaw| flawed(source_name, file, flaw);
    // All of it: a key may come late, and what it holds says how all its values are read.
    while let Some(chunk) = chunks.next().await.map_err(failed)? {
        finder.decode(&chunk).map_err(flawed)?;
    }
    finder.finish().map_err(flawed)?;
    let (mut keys, rows) = finder.into_keys();
    if rows == 0 {
        return Err(OpenError::EmptyFile {
            source_name: source_name.to_owned(),
            file: file.name.clone(),
        });
    }
    for shape in keys.values_mut() {
        name_file(shape, &file.name);
    }
    Ok(Probe {
        columns: Vec::new(),
        row_count: RowCount::Exact(rows),
        detail: Detail::Ndjson(keys),
    })
}

fn stopped(source_name: &str, file: &DataFile, error: ChunkError) -> OpenError {
    match error {
        ChunkError::Problem(problem) => flawed(source_name, file, Flaw::new(1, problem)),
        ChunkError::Store(cause) => OpenError::Store {
            source_name: source_name.to_owned(),
            place: file.name.clone(),
            cause,
        },
    }
}

fn flawed(source_name: &str, file: &DataFile, flaw: Flaw) -> OpenError {
    OpenError::Flawed {
        source_name: source_name.to_owned(),
        file: file.name.clone(),
        flaw,
    }
}
