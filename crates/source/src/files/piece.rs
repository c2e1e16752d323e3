//! The work of a scan, cut into pieces and spread over partitions.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream::{BoxStream, StreamExt, iter};

use super::BATCH_ROWS_MAX;
use super::arrow::ArrowPiece;
use super::shape::Keys;
use super::store::DataFile;
use super::text;

/// A part of the work that one partition does at a time.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) len: u64,
    pub(crate) reading: Reading,
}

#[derive(Clone)]
pub(crate) enum Reading {
    Text {
        source_name: Arc<str>,
        file: DataFile,
        reading: TextReading,
    },
    Arrow(ArrowPiece),
}

#[derive(Clone)]
pub(crate) enum TextReading {
    Csv { delimiter: u8 },
    Ndjson { keys: Arc<Keys> },
}

impl Piece {
    fn batches(
        &self,
        schema: SchemaRef,
    ) -> BoxStream<'static, Result<RecordBatch, DataFusionError>> {
        match self.reading.clone() {
            Reading::Arrow(piece) => piece.batches(schema).boxed(),
            Reading::Text {
                source_name,
                file,
                reading,
            } => {
                let decoder = reading.decoder(schema, BATCH_ROWS_MAX);
                text::batches(source_name, file, decoder).boxed()
            }
        }
    }
}

/// Gives each partition about the same number of bytes, the largest pieces first.
pub(crate) fn spread(mut pieces: Vec<Piece>, partition_count: usize) -> Vec<Vec<Piece>> {
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len));
    let count = partition_count.clamp(1, pieces.len().max(1));
    let mut partitions: Vec<(u64, Vec<Piece>)> = (0..count).map(|_| (0, Vec::new())).collect();
    for piece in pieces {
        if let Some((len, pieces)) = partitions.iter_mut().min_by_key(|(len, _)| *len) {
            *len += piece.len;
            pieces.push(piece);
        }
    }
    partitions.into_iter().map(|(_, pieces)| pieces).collect()
}

/// The pieces of one partition, read one after the other.
pub(crate) struct FilePartition {
    pub(crate) schema: SchemaRef,
    pub(crate) pieces: Vec<Piece>,
}

/// The engine prints its plans: names of columns, which may be values, stay out of them.
impl fmt::Debug for FilePartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FilePartition")
            .field("column_count", &self.schema.fields().len())
            .field("piece_count", &self.pieces.len())
            .finish()
    }
}

impl PartitionStream for FilePartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let batches =
            iter(self.pieces.clone()).flat_map(move |piece| piece.batches(Arc::clone(&schema)));
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
    }
}
