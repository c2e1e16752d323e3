//! One statement, read by a task of its own and handed on batch by batch.

use std::fmt;
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream::try_unfold;
use mysql_async::Params;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::coding::Coding;
use super::rows::Columns;
use super::server::Session;
use crate::database::DatabaseFault;
use crate::error::ScanError;

/// The batches that wait for who reads them.
const WAITING_BATCHES_MAX: usize = 4;

/// A table, held by a transaction.
pub(crate) struct RowsPartition {
    pub(crate) source_name: Arc<str>,
    pub(crate) place: Arc<str>,
    /// The session that holds the table; it is used once.
    pub(crate) session: Mutex<Option<Session>>,
    pub(crate) table: Arc<str>,
    pub(crate) schema: SchemaRef,
    pub(crate) codings: Arc<[Coding]>,
    pub(crate) query: String,
}

/// The engine prints its plans; names of columns stay out of them.
impl fmt::Debug for RowsPartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RowsPartition")
            .field("column_count", &self.codings.len())
            .finish_non_exhaustive()
    }
}

impl PartitionStream for RowsPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let session = self.session.lock().ok().and_then(|mut held| held.take());
        let scan = Scan {
            source_name: Arc::clone(&self.source_name),
            place: Arc::clone(&self.place),
            waiting: session.map(|session| Reading {
                session,
                table: Arc::clone(&self.table),
                query: self.query.clone(),
                columns: Columns::new(Arc::clone(&self.schema), &self.codings),
            }),
            running: None,
        };
        let batches = try_unfold(scan, |mut scan| async move {
            match scan.next().await {
                Ok(batch) => Ok(batch.map(|batch| (batch, scan))),
                Err(cause) => Err(DataFusionError::from(ScanError::Database {
                    source_name: scan.source_name.to_string(),
                    place: scan.place.to_string(),
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

/// A statement that is about to be read, or is.
struct Scan {
    source_name: Arc<str>,
    place: Arc<str>,
    waiting: Option<Reading>,
    running: Option<Running>,
}

/// The task that reads; it stops when nobody takes what it read.
struct Running {
    batches: Receiver<RecordBatch>,
    task: Option<JoinHandle<Result<(), DatabaseFault>>>,
}

impl Scan {
    async fn next(&mut self) -> Result<Option<RecordBatch>, DatabaseFault> {
        if let Some(reading) = self.waiting.take() {
            let (sender, batches) = channel(WAITING_BATCHES_MAX);
            self.running = Some(Running {
                batches,
                task: Some(tokio::spawn(reading.until_nobody_listens(sender))),
            });
        }
        let running = self.running.as_mut().ok_or(DatabaseFault::Lost)?;
        if let Some(batch) = running.batches.recv().await {
            return Ok(Some(batch));
        }
        // The last batch has come; only the task itself knows whether it was the last of all.
        match running.task.take() {
            Some(task) => {
                let ended = task.await.unwrap_or(Err(DatabaseFault::NoMysql));
                ended.map(|()| None)
            }
            None => Ok(None),
        }
    }
}

/// What reads a statement.
struct Reading {
    session: Session,
    table: Arc<str>,
    query: String,
    columns: Columns,
}

impl Reading {
    async fn until_nobody_listens(
        mut self,
        sender: Sender<RecordBatch>,
    ) -> Result<(), DatabaseFault> {
        let listener = sender.clone();
        tokio::select! {
            read = self.read(sender) => read,
            () = listener.closed() => Ok(()),
        }
    }

    /// Reads until the server says that there is no more.
    async fn read(&mut self, sender: Sender<RecordBatch>) -> Result<(), DatabaseFault> {
        let Self {
            session,
            table,
            query,
            columns,
        } = self;
        let mut rows = session.ask(query, Params::Empty, table).await?;
        while let Some(row) = rows.next().await? {
            columns.push(&row)?;
            if columns.is_full()
                && let Some(batch) = columns.take_batch()?
                && sender.send(batch).await.is_err()
            {
                return Ok(());
            }
        }
        if let Some(batch) = columns.take_batch()? {
            // Whoever does not take the last batch does not ask for the end either.
            let _ = sender.send(batch).await;
        }
        Ok(())
    }
}
