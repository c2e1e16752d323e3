//! One part of a table, read in the snapshot that all parts share.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::StreamExt;
use futures::stream::try_unfold;
use tokio_postgres::{CancelToken, Client, CopyOutStream};

use super::coding::Coding;
use super::copy::{CopyDecoder, Malformed};
use super::server::Server;
use crate::database::DatabaseFault;
use crate::error::ScanError;

const BEGIN: &str = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A moment of a database that several sessions see; it lasts as long as this value.
pub(crate) struct Snapshot {
    client: Client,
    id: String,
}

impl Snapshot {
    /// Fixes the moment.
    pub(crate) async fn of(client: Client, table: &str) -> Result<Self, DatabaseFault> {
        let fault = |error: tokio_postgres::Error| DatabaseFault::of(&error, table);
        client.batch_execute(BEGIN).await.map_err(fault)?;
        let row = client.query_one("SELECT pg_export_snapshot()", &[]).await;
        let id = row.map_err(fault)?.get(0);
        Ok(Self { client, id })
    }

    /// Returns the session that holds the moment.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}

/// A part of a table.
pub(crate) struct CopyPartition {
    pub(crate) source_name: Arc<str>,
    pub(crate) server: Arc<Server>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) table: Arc<str>,
    pub(crate) schema: SchemaRef,
    pub(crate) codings: Arc<[Coding]>,
    pub(crate) query: String,
}

/// The engine prints its plans; names of columns stay out of them.
impl fmt::Debug for CopyPartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CopyPartition")
            .field("column_count", &self.codings.len())
            .finish_non_exhaustive()
    }
}

impl PartitionStream for CopyPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let copy = Copy {
            source_name: Arc::clone(&self.source_name),
            server: Arc::clone(&self.server),
            snapshot: Arc::clone(&self.snapshot),
            table: Arc::clone(&self.table),
            query: self.query.clone(),
            decoder: CopyDecoder::new(Arc::clone(&self.schema), &self.codings),
            running: None,
            has_ended: false,
        };
        let batches = try_unfold(copy, |mut copy| async move {
            match copy.next().await {
                Ok(batch) => Ok(batch.map(|batch| (batch, copy))),
                Err(cause) => {
                    let (source_name, place) = (copy.source_name.to_string(), copy.server.place());
                    Err(DataFusionError::from(ScanError::Database {
                        source_name,
                        place: place.to_owned(),
                        cause,
                    }))
                }
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
    }
}

/// A part that is being read.
struct Copy {
    source_name: Arc<str>,
    server: Arc<Server>,
    snapshot: Arc<Snapshot>,
    table: Arc<str>,
    query: String,
    decoder: CopyDecoder,
    running: Option<Running>,
    has_ended: bool,
}

impl Copy {
    async fn next(&mut self) -> Result<Option<RecordBatch>, DatabaseFault> {
        if self.has_ended {
            return Ok(None);
        }
        let running = match &mut self.running {
            Some(running) => running,
            None => {
                let running =
                    Running::start(&self.server, &self.snapshot, &self.query, &self.table);
                self.running.insert(running.await?)
            }
        };
        while let Some(bytes) = running.rows.next().await {
            let bytes = bytes.map_err(|error| DatabaseFault::of(&error, &self.table))?;
            self.decoder.push(&bytes)?;
            if self.decoder.is_full() {
                return Ok(Some(self.decoder.take_batch()?));
            }
        }
        running.token = None;
        self.has_ended = true;
        Ok(self.decoder.finish()?)
    }
}

/// A session that copies rows out, told to stop if it is dropped before its end.
struct Running {
    server: Arc<Server>,
    rows: Pin<Box<CopyOutStream>>,
    /// What stops it while it runs.
    token: Option<CancelToken>,
    _client: Client,
}

impl Running {
    async fn start(
        server: &Arc<Server>,
        snapshot: &Snapshot,
        query: &str,
        table: &str,
    ) -> Result<Self, DatabaseFault> {
        let fault = |error: tokio_postgres::Error| DatabaseFault::of(&error, table);
        let client = server.connect(table).await?;
        // The name of a snapshot is the server's own: digits and dashes.
        let begin = format!("{BEGIN}; SET TRANSACTION SNAPSHOT '{}'", snapshot.id);
        client.batch_execute(&begin).await.map_err(fault)?;
        let rows = client.copy_out(query).await.map_err(fault)?;
        Ok(Self {
            server: Arc::clone(server),
            rows: Box::pin(rows),
            token: Some(client.cancel_token()),
            _client: client,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            self.server.cancel_later(token);
        }
    }
}

impl From<Malformed> for DatabaseFault {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Unreadable { what }
    }
}
