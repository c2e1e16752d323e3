#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;
mod expressions;
mod flaws;
mod keyed;
mod places;
#[cfg(feature = "object-stores")]
mod remote;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_array::Array;
use futures::TryStreamExt;
use tempfile::TempDir;

use super::*;
use crate::descriptor::{FileFormat, OneOrMany};

/// What a field of every broken file holds; no error may show it.
const CANARY: &str = "canary-7f3a";

type Rows = Vec<Vec<Option<String>>>;

/// A folder of files, and what settings say about them.
struct Folder {
    dir: TempDir,
    format: Option<FileFormat>,
    delimiter: Option<char>,
}

impl Folder {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            format: None,
            delimiter: None,
        }
    }

    fn with(name: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        folder.write(name, content);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    async fn open(&self, uri: &str) -> Result<Source, OpenError> {
        self.open_all(OneOrMany::One(uri.to_owned())).await
    }

    async fn open_all(&self, uri: OneOrMany) -> Result<Source, OpenError> {
        let settings = SourceSettings {
            name: "crm".to_owned(),
            uri: Some(uri),
            format: self.format,
            key: "id".to_owned(),
            delimiter: self.delimiter,
            ..SourceSettings::default()
        };
        Source::open(&settings, self.dir.path()).await
    }

    /// Opens and scans; whatever goes wrong comes as its text, which holds no canary.
    async fn rows(&self, uri: &str, key: &str, columns: &[&str]) -> Result<Rows, String> {
        let source = self.open(uri).await.map_err(|error| shown(&error))?;
        rows(&source, &request(key, columns), 3)
            .await
            .map_err(|error| shown(&error))
    }
}

fn request(key: &str, columns: &[&str]) -> ScanRequest {
    let columns = columns.iter().map(|text| (*text).to_owned()).collect();
    ScanRequest {
        key: key.to_owned(),
        columns,
        filter: None,
    }
}

/// Returns an error's text and those of its causes.
fn shown(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    assert!(
        !text.contains(CANARY) && !format!("{error:?}").contains(CANARY),
        "{text}"
    );
    text
}

/// Scans all partitions side by side and returns the rows sorted.
async fn rows(
    source: &Source,
    request: &ScanRequest,
    partitions: usize,
) -> Result<Rows, ScanError> {
    let streams = source.scan(request, partitions).await?;
    let tasks: Vec<_> = streams
        .into_iter()
        .map(|stream| tokio::spawn(stream.try_collect::<Vec<RecordBatch>>()))
        .collect();
    let mut rows = Vec::new();
    for task in tasks {
        let batches = task.await.unwrap().map_err(|error| {
            assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
            ScanError::from_stream("crm", &error)
        })?;
        for batch in batches {
            assert!(batch.num_rows() <= BATCH_ROWS_MAX);
            rows.extend(texts(&batch));
        }
    }
    rows.sort();
    Ok(rows)
}

fn texts(batch: &RecordBatch) -> Rows {
    let options = FormatOptions::default();
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
        .collect();
    let cell = |row: usize, index: usize| {
        batch
            .column(index)
            .is_valid(row)
            .then(|| columns[index].value(row).to_string())
    };
    (0..batch.num_rows())
        .map(|row| (0..columns.len()).map(|index| cell(row, index)).collect())
        .collect()
}

/// Makes rows of texts; empty ones are null.
fn table<const N: usize>(rows: &[[&str; N]]) -> Rows {
    let cell = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
    rows.iter()
        .map(|row| row.iter().map(cell).collect())
        .collect()
}
