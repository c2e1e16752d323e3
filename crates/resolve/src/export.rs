//! Writes the identity map for joins in the warehouse: source, key, unified id, since.
//!
//! The map is streamed in batches and appears under its name only when it is whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use sameas_store::{CorruptError, Row, Snapshot};
use serde::Serialize;
use thiserror::Error;

/// The columns of the map.
const HEADER: [&str; 4] = ["source", "key", "unified_id", "since"];

/// The most rows held in memory for one Parquet batch.
const BATCH_ROWS_MAX: usize = 65_536;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExportReport {
    /// The revision the map is true of.
    pub revision: u64,
    /// How many references it lists.
    pub references: u64,
}

/// Why the identity map was not written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The extension says neither CSV nor Parquet.
    #[error("cannot tell the format of {}; let its name end in .csv or .parquet", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write the identity map to {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The snapshot is corrupt.
    #[error(transparent)]
    Corrupt(#[from] CorruptError),
}

/// Writes the identity map of a snapshot as CSV or Parquet, as the extension says.
///
/// # Errors
/// Fails if the extension says neither, the file cannot be written or the snapshot is
/// corrupt; what was there before is then still there.
pub fn export(snapshot: &Snapshot, path: &Path) -> Result<ExportReport, ExportError> {
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase());
    let write = match extension.as_deref() {
        Some("csv") => write_csv::<&mut File>,
        Some("parquet") => write_parquet::<&mut File>,
        _ => {
            return Err(ExportError::UnknownFormat {
                path: path.to_owned(),
            });
        }
    };
    let refuse = |cause| ExportError::Write {
        path: path.to_owned(),
        cause,
    };
    let mut partial = Partial::create(path).map_err(refuse)?;
    write(snapshot, &mut partial.file).map_err(|cause| cause.at(path))?;
    partial.publish(path).map_err(refuse)?;
    Ok(report(snapshot))
}

/// Writes the identity map of a snapshot as CSV to a stream.
///
/// # Errors
/// Fails if the stream does or the snapshot is corrupt.
pub fn export_csv(snapshot: &Snapshot, to: impl Write) -> Result<ExportReport, ExportError> {
    write_csv(snapshot, to).map_err(|cause| cause.at(Path::new("-")))?;
    Ok(report(snapshot))
}

/// Writes a text under its name only when it is whole.
///
/// # Errors
/// Says why the file cannot be written; what was there before is then still there.
pub fn write_text(path: &Path, text: &str) -> io::Result<()> {
    let mut partial = Partial::create(path)?;
    partial.file.write_all(text.as_bytes())?;
    partial.publish(path)
}

fn report(snapshot: &Snapshot) -> ExportReport {
    ExportReport {
        revision: snapshot.revision().get(),
        references: snapshot.reference_count(),
    }
}

fn write_csv<W: Write>(snapshot: &Snapshot, to: W) -> Result<(), MapError> {
    let mut writer = csv::Writer::from_writer(BufWriter::new(to));
    writer.write_record(HEADER)?;
    for row in snapshot.rows() {
        let Row {
            source,
            key,
            entity,
            since,
        } = row?;
        let (id, since) = (entity.id.to_string(), since.to_string());
        writer.write_record([source, key, &id, &since])?;
    }
    writer.flush()?;
    Ok(())
}

fn write_parquet<W: Write + Send>(snapshot: &Snapshot, to: W) -> Result<(), MapError> {
    let text = |name| Field::new(name, DataType::Utf8, false);
    let [source, key, unified_id, since] = HEADER;
    let since = Field::new(since, DataType::Int64, false);
    let schema = Arc::new(Schema::new(vec![
        text(source),
        text(key),
        text(unified_id),
        since,
    ]));
    let compression = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let mut writer = ArrowWriter::try_new(to, schema.clone(), Some(properties))?;
    let mut rows = snapshot.rows();
    loop {
        let columns = columns(rows.by_ref().take(BATCH_ROWS_MAX))?;
        let batch = RecordBatch::try_new(schema.clone(), columns).map_err(ParquetError::from)?;
        if batch.num_rows() == 0 {
            break;
        }
        writer.write(&batch)?;
    }
    writer.close()?;
    Ok(())
}

fn columns<'s>(
    rows: impl Iterator<Item = Result<Row<'s>, CorruptError>>,
) -> Result<Vec<ArrayRef>, CorruptError> {
    let mut texts = [
        StringBuilder::new(),
        StringBuilder::new(),
        StringBuilder::new(),
    ];
    let mut revisions = Int64Builder::new();
    for row in rows {
        let Row {
            source,
            key,
            entity,
            since,
        } = row?;
        let [sources, keys, ids] = &mut texts;
        sources.append_value(source);
        keys.append_value(key);
        ids.append_value(entity.id.to_string());
        revisions.append_value(since.get() as i64);
    }
    let [sources, keys, ids] = texts.map(|mut builder| Arc::new(builder.finish()) as ArrayRef);
    Ok(vec![sources, keys, ids, Arc::new(revisions.finish())])
}

/// What can go wrong while rows become bytes.
#[derive(Debug)]
enum MapError {
    Io(io::Error),
    Corrupt(CorruptError),
}

impl MapError {
    fn at(self, path: &Path) -> ExportError {
        match self {
            Self::Io(cause) => ExportError::Write {
                path: path.to_owned(),
                cause,
            },
            Self::Corrupt(cause) => cause.into(),
        }
    }
}

impl From<io::Error> for MapError {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

impl From<csv::Error> for MapError {
    fn from(cause: csv::Error) -> Self {
        Self::Io(cause.into())
    }
}

impl From<ParquetError> for MapError {
    fn from(cause: ParquetError) -> Self {
        match cause {
            ParquetError::External(cause) => match cause.downcast::<io::Error>() {
                Ok(cause) => Self::Io(*cause),
                Err(cause) => Self::Io(io::Error::other(cause)),
            },
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl From<CorruptError> for MapError {
    fn from(cause: CorruptError) -> Self {
        Self::Corrupt(cause)
    }
}

/// A file under a temporary name beside its place; removed unless published.
struct Partial {
    path: PathBuf,
    file: File,
}

impl Partial {
    fn create(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let name = format!(".{}.{}.partial", name.to_string_lossy(), std::process::id());
        let path = target.with_file_name(name);
        let file = File::create(&path)?;
        Ok(Self { path, file })
    }

    fn publish(self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, target)?;
        let folder = target
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After publication there is nothing under this name; before, nobody wants it.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests;
