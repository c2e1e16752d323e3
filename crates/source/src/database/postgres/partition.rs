//! One part of a table, read in the snapshot that all parts share.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::StreamExt;
use futures::stream::try_unfold;
use tokio_postgres::CopyOutStream;

use super::coding::Coding;
use super::copy::{CopyDecoder, Malformed};
use super::server::Session;
use crate::database::DatabaseFault;
use crate::error::ScanError;

/// How long a copy may send nothing: a view may compute for a while before its first row.
const SILENCE_MAX: Duration = Duration::from_mins(10);
const BEGIN: &str = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Begins a transaction that holds its relation against what a snapshot does not hide: an empty
/// table after `TRUNCATE`, other columns. It has no snapshot yet.
///
/// Who may read some columns only may not lock, but may read.
pub(crate) async fn begin(
    session: &Session,
    lock: Option<&str>,
    patience: &str,
    table: &str,
) -> Result<(), DatabaseFault> {
    let fault = |error: tokio_postgres::Error| DatabaseFault::of(&error, table);
    let client = session.get()?;
    let Some(relation) = lock else {
        return client.batch_execute(BEGIN).await.map_err(fault);
    };
    let begin = format!(
        "{BEGIN}; SET LOCAL lock_timeout = '{patience}'; \
         LOCK TABLE {relation} IN ACCESS SHARE MODE"
    );
    match client.batch_execute(&begin).await.map_err(fault) {
        Err(DatabaseFault::Denied { .. }) => {
            let anew = format!("ROLLBACK; {BEGIN}");
            client.batch_execute(&anew).await.map_err(fault)
        }
        begun => begun,
    }
}

/// Shows to all sessions that have begun the moment of the first.
pub(crate) async fn share_snapshot(sessions: &[Session], table: &str) -> Result<(), DatabaseFault> {
    let fault = |error: tokio_postgres::Error| DatabaseFault::of(&error, table);
    let Some((first, others)) = sessions.split_first() else {
        return Ok(());
    };
    let row = first.get()?.query_one("SELECT pg_export_snapshot()", &[]);
    let id: String = row.await.map_err(fault)?.try_get(0).map_err(fault)?;
    // The name of a snapshot is the server's own: digits and dashes.
    if !id.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        return Err(DatabaseFault::Protocol);
    }
    let set = format!("SET TRANSACTION SNAPSHOT '{id}'");
    for session in others {
        session.get()?.batch_execute(&set).await.map_err(fault)?;
    }
    Ok(())
}

/// A part of a table.
pub(crate) struct CopyPartition {
    pub(crate) source_name: Arc<str>,
    pub(crate) place: Arc<str>,
    /// A session that sees the moment; it is used once.
    pub(crate) session: Mutex<Option<Session>>,
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
            place: Arc::clone(&self.place),
            session: self
                .session
                .lock()
                .ok()
                .and_then(|mut session| session.take()),
            table: Arc::clone(&self.table),
            query: self.query.clone(),
            decoder: CopyDecoder::new(Arc::clone(&self.schema), &self.codings),
            running: None,
            has_ended: false,
        };
        let batches = try_unfold(copy, |mut copy| async move {
            match copy.next().await {
                Ok(batch) => Ok(batch.map(|batch| (batch, copy))),
                Err(cause) => Err(DataFusionError::from(ScanError::Database {
                    source_name: copy.source_name.to_string(),
                    place: copy.place.to_string(),
                    cause,
                })),
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
    place: Arc<str>,
    session: Option<Session>,
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
            let session = self.session.take().ok_or(DatabaseFault::Lost)?;
            // The server answers with its first row, for which a view may compute.
            let start = Running::start(session, &self.query, &self.table);
            self.running = Some(unless_silent(start).await??);
        }
        while let Some(running) = &mut self.running {
            let Some(bytes) = unless_silent(running.rows.next()).await? else {
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

/// Waits for a server as long as it may be silent.
async fn unless_silent<T>(answer: impl Future<Output = T>) -> Result<T, DatabaseFault> {
    let answer = tokio::time::timeout(SILENCE_MAX, answer).await;
    answer.map_err(|_| DatabaseFault::Unreachable {
        reason: format!("silent for {} s", SILENCE_MAX.as_secs()),
    })
}

/// A session that copies rows out.
struct Running {
    rows: Pin<Box<CopyOutStream>>,
    _session: Session,
}

impl Running {
    async fn start(session: Session, query: &str, table: &str) -> Result<Self, DatabaseFault> {
        let rows = session.get()?.copy_out(query).await;
        let rows = rows.map_err(|error| DatabaseFault::of(&error, table))?;
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
