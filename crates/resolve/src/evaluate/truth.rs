//! The records that a truth names, with the entity and the cluster of each.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use hashbrown::HashTable;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sameas_graph::{NodeId, Partition, ReferenceTable};
use xxhash_rust::xxh3::Xxh3Default;

use super::agreement::Agreement;
use super::{EvaluateError, Evaluation};

const COLUMNS: [&str; 3] = ["source", "key", "entity"];

/// The node of a record that the graph lacks, and the entity of a node that the truth lacks.
pub(crate) const NO_NODE: u32 = u32::MAX;

/// A truth, read whole: per record 16 bytes of digest, its entity and its node.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    records: Codes,
    entities: Vec<u32>,
    nodes: Vec<u32>,
    /// The source of the first record, for telling what does not fit.
    first_source: String,
    extra: u64,
}

impl Truth {
    /// Reads a truth, Parquet by its extension, else CSV, and finds its records in a graph.
    pub(crate) fn read(path: &Path, references: &ReferenceTable) -> Result<Self, EvaluateError> {
        let mut reading = Reading {
            path,
            truth: Self::default(),
            entities: Codes::default(),
        };
        if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            reading.parquet()?;
        } else {
            reading.csv()?;
        }
        let mut truth = reading.truth;
        if truth.entities.is_empty() {
            return Err(EvaluateError::Empty {
                path: path.to_owned(),
            });
        }
        truth.nodes = vec![NO_NODE; truth.entities.len()];
        truth.locate(path, references)
    }

    /// Finds the records in a graph.
    ///
    /// # Errors
    /// Refuses a truth of which the graph holds no record: it could say nothing about it.
    fn locate(mut self, path: &Path, references: &ReferenceTable) -> Result<Self, EvaluateError> {
        for node in (0..references.len() as u32).map(NodeId::new) {
            let source = references.source_of(node).index();
            let digest = record_digest(&references.sources()[source], references.key(node));
            match self.records.find(digest) {
                Some(record) => self.nodes[record as usize] = node.get(),
                None => self.extra += 1,
            }
        }
        if self.missing() < self.nodes.len() as u64 {
            return Ok(self);
        }
        Err(EvaluateError::NothingShared {
            path: path.to_owned(),
            records: self.nodes.len() as u64,
            named: self.first_source,
            sources: references.sources().join(", "),
        })
    }

    /// Returns how many records the graph lacks.
    fn missing(&self) -> u64 {
        let lacking = self.nodes.iter().filter(|&&node| node == NO_NODE);
        lacking.count() as u64
    }

    /// Compares entities with clusters. A record that the graph lacks stands alone.
    pub(crate) fn compare(&self, partition: &Partition) -> Evaluation {
        let mut lonely = partition.cluster_count() as u32..;
        let cluster = |&node: &u32| match node {
            NO_NODE => lonely.next().unwrap_or(NO_NODE),
            node => partition.cluster_of(NodeId::new(node)).get(),
        };
        let clusters: Vec<u32> = self.nodes.iter().map(cluster).collect();
        Agreement::new(&self.entities, &clusters).evaluation(self.missing(), self.extra)
    }

    /// Returns the nodes of every entity of which the graph holds two records or more, and how
    /// many pairs of the truth the graph lacks a record of.
    pub(crate) fn entities(&self) -> (Vec<Vec<u32>>, u64) {
        let mut members: Vec<(u32, u32)> = self
            .entities
            .iter()
            .copied()
            .zip(self.nodes.iter().copied())
            .collect();
        members.sort_unstable();
        let (mut entities, mut lacking) = (Vec::new(), 0);
        for run in members.chunk_by(|a, b| a.0 == b.0) {
            let nodes = run.iter().map(|&(_, node)| node);
            let nodes: Vec<u32> = nodes.filter(|&node| node != NO_NODE).collect();
            lacking += pairs_of(run.len()) - pairs_of(nodes.len());
            if nodes.len() > 1 {
                entities.push(nodes);
            }
        }
        (entities, lacking)
    }
}

/// Returns how many pairs so many records make.
pub(crate) fn pairs_of(len: usize) -> u64 {
    let len = len as u64;
    len * len.saturating_sub(1) / 2
}

struct Reading<'p> {
    path: &'p Path,
    truth: Truth,
    entities: Codes,
}

impl Reading<'_> {
    fn csv(&mut self) -> Result<(), EvaluateError> {
        let file = File::open(self.path).map_err(|cause| self.unreadable(cause))?;
        let mut reader = csv::Reader::from_reader(file);
        let header = reader
            .byte_headers()
            .map_err(|cause| self.csv_error(1, cause))?
            .clone();
        let column =
            |name: &'static str| match header.iter().position(|column| column == name.as_bytes()) {
                Some(position) => Ok(position),
                None => Err(EvaluateError::NoColumn {
                    path: self.path.to_owned(),
                    column: name,
                }),
            };
        let [source, key, entity] = [column("source")?, column("key")?, column("entity")?];
        let mut record = csv::ByteRecord::new();
        let mut row = 0;
        loop {
            row += 1;
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(cause) => return Err(self.csv_error(row, cause)),
            }
            let text = |position| std::str::from_utf8(&record[position]).ok();
            let (Some(source), Some(key), Some(entity)) = (text(source), text(key), text(entity))
            else {
                return Err(self.row_error(row, "is not UTF-8"));
            };
            self.add(source, key, entity, row)?;
        }
    }

    fn parquet(&mut self) -> Result<(), EvaluateError> {
        let file = File::open(self.path).map_err(|cause| self.unreadable(cause))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)
            .map_err(|cause| self.parquet_error(cause))?;
        for column in COLUMNS {
            if builder.schema().column_with_name(column).is_none() {
                return Err(EvaluateError::NoColumn {
                    path: self.path.to_owned(),
                    column,
                });
            }
        }
        let columns = ProjectionMask::columns(builder.parquet_schema(), COLUMNS);
        let reader = builder.with_projection(columns).build();
        let mut row = 0;
        for batch in reader.map_err(|cause| self.parquet_error(cause))? {
            let batch = batch.map_err(|cause| self.parquet_error(cause))?;
            self.batch(&batch, row)?;
            row += batch.num_rows() as u64;
        }
        Ok(())
    }

    fn batch(&mut self, batch: &RecordBatch, before: u64) -> Result<(), EvaluateError> {
        let text = |name: &'static str| {
            let column = batch
                .column_by_name(name)
                .ok_or_else(|| EvaluateError::NoColumn {
                    path: self.path.to_owned(),
                    column: name,
                })?;
            cast(column, &DataType::LargeUtf8).map_err(|cause| self.parquet_error(cause))
        };
        let columns = [text("source")?, text("key")?, text("entity")?];
        let [sources, keys, entities] = columns.each_ref().map(AsArray::as_string::<i64>);
        for index in 0..batch.num_rows() {
            let row = before + index as u64 + 1;
            if columns.iter().any(|column| column.is_null(index)) {
                return Err(self.row_error(row, "holds a null"));
            }
            self.add(
                sources.value(index),
                keys.value(index),
                entities.value(index),
                row,
            )?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        source: &str,
        key: &str,
        entity: &str,
        row: u64,
    ) -> Result<(), EvaluateError> {
        if row == 1 {
            source.clone_into(&mut self.truth.first_source);
        }
        let (_, is_new) = self.truth.records.insert(record_digest(source, key));
        if !is_new {
            return Err(self.row_error(row, "names a record that an earlier row names too"));
        }
        let (entity, _) = self.entities.insert(digest(&[entity]));
        self.truth.entities.push(entity);
        Ok(())
    }

    fn unreadable(&self, cause: std::io::Error) -> EvaluateError {
        EvaluateError::Read {
            path: self.path.to_owned(),
            cause,
        }
    }

    fn row_error(&self, row: u64, what: &'static str) -> EvaluateError {
        EvaluateError::Row {
            path: self.path.to_owned(),
            row,
            what,
        }
    }

    fn csv_error(&self, row: u64, cause: csv::Error) -> EvaluateError {
        match cause.into_kind() {
            csv::ErrorKind::Io(cause) => self.unreadable(cause),
            csv::ErrorKind::UnequalLengths { .. } => {
                self.row_error(row, "has more or fewer columns than the header")
            }
            _ => self.row_error(row, "is not CSV"),
        }
    }

    fn parquet_error(
        &self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> EvaluateError {
        EvaluateError::Parquet {
            path: self.path.to_owned(),
            cause: cause.into(),
        }
    }
}

/// Numbers distinct 128-bit values in the order of their first use.
#[derive(Debug, Default)]
struct Codes {
    values: Vec<u128>,
    table: HashTable<u32>,
}

impl Codes {
    fn find(&self, value: u128) -> Option<u32> {
        self.table
            .find(value as u64, |&code| self.values[code as usize] == value)
            .copied()
    }

    /// Returns the code of a value, and whether the value is new.
    fn insert(&mut self, value: u128) -> (u32, bool) {
        if let Some(code) = self.find(value) {
            return (code, false);
        }
        let code = u32::try_from(self.values.len()).expect("a graph has fewer than 2^32 records");
        self.values.push(value);
        let values = &self.values;
        self.table
            .insert_unique(value as u64, code, |&code| values[code as usize] as u64);
        (code, true)
    }
}

fn record_digest(source: &str, key: &str) -> u128 {
    digest(&[source, key])
}

/// Digests texts with their lengths, so that no two lists look alike.
fn digest(texts: &[&str]) -> u128 {
    let mut hasher = Xxh3Default::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.digest128()
}
