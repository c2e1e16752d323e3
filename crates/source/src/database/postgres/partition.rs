//! One part of a table, read in the snapshot that all parts share.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::StreamExt;
use futures::stream::try_unfold;
use tokio_postgres::{Client, CopyOutStream};

use super::coding::Coding;
use super::copy::{CopyDecoder, Malformed};
use super::server::{Server, Session};
use crate::database::DatabaseFault;
use crate::error::ScanError;

/// How long a copy may send nothing: a view may compute for a while before its first row.
const SILENCE_MAX: Duration = Duration::from_mins(10);
const BEGIN: &str = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A moment of a database that several sessions see; it lasts as long as this value.
pub(crate) struct Snapshot {
    session: Session,
    id: String,
}

impl Snapshot {
    /// Locks the relation against what a snapshot does not hide (an empty table after TRUNCATE,
    /// other columns), and only then fixes the moment.
    pub(crate) async fn of(
        session: Session,
        relation: &str,
        is_lockable: bool,
        table: &str,
    ) -> Result<Self, DatabaseFault> {
        let fault = |error: tokio_postgres::Error| DatabaseFault::of(&error, table);
        let client = session.get()?;
        let lock = format!("{BEGIN}; LOCK TABLE {relation} IN ACCESS SHARE MODE");
        let begin = if is_lockable { &lock } else { BEGIN };
        let locked = client.batch_execute(begin).await.map_err(fault);
        match locked {
            // Who may read some columns only may not lock, but may read.
            Err(DatabaseFault::Denied { .. }) => {
                let anew = format!("ROLLBACK; {BEGIN}");
                client.batch_execute(&anew).await.map_err(fault)?;
            }
            locked => locked?,
        }
        let row = client.query_one("SELECT pg_export_snapshot()", &[]).await;
        let id = row.map_err(fault)?.try_get(0).map_err(fault)?;
        Ok(Self { session, id })
    }

    /// Returns the session that holds the moment.
    pub(crate) fn client(&self) -> Result<&Client, DatabaseFault> {
        self.session.get()
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
        if self.running.is_none() {
            let running = Running::start(&self.server, &self.snapshot, &self.query, &self.table);
            self.running = Some(running.await?);
        }
        while let Some(running) = &mut self.running {
            let next = tokio::time::timeout(SILENCE_MAX, running.rows.next());
            let next = next.await.map_err(|_| DatabaseFault::Unreachable {
                reason: format!("silent for {} s", SILENCE_MAX.as_secs()),
            })?;
            let Some(bytes) = next else {
                break;
            };
            let bytes = bytes.map_err(|error| DatabaseFault::of(&error, &self.table))?;
            self.decoder.push(&bytes)?;
            if self.decoder.is_full() {
                return Ok(Some(self.decoder.take_batch()?));
            }
        }
        self.running = None;
        self.has_ended = true;
        Ok(self.decoder.finish()?)
    }
}

/// A session that copies rows out.
struct Running {
    rows: Pin<Box<CopyOutStream>>,
    _session: Session,
}

impl Running {
    async fn start(
        server: &Server,
        snapshot: &Snapshot,
        query: &str,
        table: &str,
    ) -> Result<Self, DatabaseFault> {
        let fault = |error: tokio_postgres::Error| DatabaseFault::of(&error, table);
        let session = server.connect(table).await?;
        let client = session.get()?;
        // The name of a snapshot is the server's own: digits and dashes.
        let is_its = |c: char| c.is_ascii_hexdigit() || c == '-';
        if !snapshot.id.chars().all(is_its) {
            return Err(DatabaseFault::Protocol);
        }
        let begin = format!("{BEGIN}; SET TRANSACTION SNAPSHOT '{}'", snapshot.id);
        client.batch_execute(&begin).await.map_err(fault)?;
        let rows = client.copy_out(query).await.map_err(fault)?;
        Ok(Self {
            rows: Box::pin(rows),
            _session: session,
        })
    }
}

impl From<Malformed> for DatabaseFault {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Unreadable { what }
    }
}
