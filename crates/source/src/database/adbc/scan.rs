//! One query, read batch by batch on a thread that may block.

use std::fmt;
use std::sync::{Arc, Mutex};

use adbc_core::{CancelHandle, Optionable as _, Statement as _};
use adbc_driver_manager::ManagedStatement;
use arrow::compute::{CastOptions, cast_with_options};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, RecordBatchReader as _};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream::try_unfold;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::calls;
use super::gate::Gate;
use super::query::{Rows, statement};
use super::sqlite::without_header;
use super::system::System;
use crate::database::DatabaseFault;
use crate::error::ScanError;

/// The batches that wait for who reads them.
const WAITING_BATCHES_MAX: usize = 4;

/// The row that a query gives before those of the table.
#[derive(Clone)]
pub(crate) enum Header {
    None,
    Row(Vec<ArrayRef>),
}

/// The rows of a query.
#[derive(Clone)]
pub(crate) struct QueryPartition {
    pub(crate) source_name: Arc<str>,
    pub(crate) place: Arc<str>,
    pub(crate) table: Arc<str>,
    pub(crate) system: System,
    pub(crate) gate: Gate,
    pub(crate) schema: SchemaRef,
    pub(crate) query: Arc<str>,
    pub(crate) header: Header,
    /// One row of parameters.
    pub(crate) bound: Option<RecordBatch>,
}

/// The engine prints its plans; names of columns stay out of them.
impl fmt::Debug for QueryPartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("QueryPartition")
            .field("column_count", &self.schema.fields().len())
            .finish_non_exhaustive()
    }
}

impl PartitionStream for QueryPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let scan = Scan::of(self.clone());
        let batches = try_unfold(scan, |mut scan| async move {
            match scan.next().await {
                Ok(batch) => Ok(batch.map(|batch| (batch, scan))),
                Err(cause) => Err(DataFusionError::from(ScanError::Database {
                    source_name: scan.partition.source_name.to_string(),
                    place: scan.partition.place.to_string(),
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

/// A query that is being read.
pub(crate) struct Scan {
    partition: QueryPartition,
    running: Option<Running>,
}

/// The thread that reads, told to stop if this is dropped before its end.
struct Running {
    batches: Receiver<RecordBatch>,
    reading: Option<JoinHandle<Result<(), DatabaseFault>>>,
    cancel: Cancel,
}

/// What stops a query, as soon as there is one.
type Cancel = Arc<Mutex<Option<Box<dyn CancelHandle>>>>;

impl Scan {
    pub(crate) fn of(partition: QueryPartition) -> Self {
        Self {
            partition,
            running: None,
        }
    }

    /// Returns the next rows, with the first call of all the first.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, DatabaseFault> {
        let running = match &mut self.running {
            Some(running) => running,
            none => none.insert(Running::start(self.partition.clone()).await),
        };
        if let Some(batch) = running.batches.recv().await {
            return Ok(Some(batch));
        }
        // The last batch has come; only the thread itself knows whether it was the last of all.
        match running.reading.take() {
            Some(reading) => {
                let ended = reading.await.unwrap_or(Err(DatabaseFault::Crashed));
                ended.map(|()| None)
            }
            None => Ok(None),
        }
    }
}

impl Running {
    async fn start(partition: QueryPartition) -> Self {
        let (sender, batches) = channel(WAITING_BATCHES_MAX);
        let cancel = Cancel::default();
        let stopping = Arc::clone(&cancel);
        let source = Arc::clone(&partition.source_name);
        let reading = calls::start(&source, move || partition.read(&sender, &stopping)).await;
        Self {
            batches,
            reading: Some(reading),
            cancel,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.batches.close();
        let Some(reading) = self.reading.take().filter(|reading| !reading.is_finished()) else {
            return;
        };
        drop(reading);
        let cancel = Arc::clone(&self.cancel);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || {
                // A driver that cannot stop is read no further all the same.
                if let Some(handle) = cancel.lock().ok().and_then(|mut handle| handle.take()) {
                    let _ = handle.try_cancel();
                }
            });
        }
    }
}

impl QueryPartition {
    /// Reads until the end, or until nobody takes what is read.
    fn read(self, sender: &Sender<RecordBatch>, cancel: &Cancel) -> Result<(), DatabaseFault> {
        let fault = |error| DatabaseFault::of_driver(&error, &self.table);
        let mut connection = self.gate.connect()?;
        let mut statement = statement(&mut connection, &self.query, &self.table)?;
        self.bound_batches(&mut statement);
        if let Some(row) = &self.bound {
            let prepared = statement.prepare();
            let bound = prepared.and_then(|()| statement.bind(row.clone()));
            bound.map_err(|error| no_parameters(fault(error)))?;
        }
        if let Ok(mut handle) = cancel.lock() {
            *handle = Some(statement.get_cancel_handle());
        }
        if sender.is_closed() {
            return Ok(());
        }
        let rows: Rows = statement.execute().map_err(fault)?;
        if rows.schema().fields().len() < self.schema.fields().len() {
            return Err(self.changed());
        }
        let mut header = self.header.clone();
        for batch in rows {
            let batch = batch.map_err(|error| DatabaseFault::of_rows(&error, &self.table))?;
            let batch = match std::mem::replace(&mut header, Header::None) {
                Header::Row(row) if !is_typed_as(&batch, &row) => return Err(OTHER_TYPE),
                Header::Row(row) => without_header(&batch, &row).ok_or(OTHER_ORDER)?,
                Header::None => batch,
            };
            let batch = self.fitted(&batch)?;
            if batch.num_rows() > 0 && sender.blocking_send(batch).is_err() {
                return Ok(());
            }
        }
        match header {
            Header::Row(_) => Err(OTHER_ORDER),
            Header::None => Ok(()),
        }
    }

    /// Asks for batches of bounded size where the driver can do that.
    fn bound_batches(&self, statement: &mut ManagedStatement) {
        if let Some((option, value)) = self.system.batch_bound() {
            // An older driver does not know the option, and gives batches of its own size.
            let _ = statement.set_option(option.into(), value.into());
        }
    }

    /// Returns a batch whose columns are of the types that were told when the source was opened.
    fn fitted(&self, batch: &RecordBatch) -> Result<RecordBatch, DatabaseFault> {
        let fields = self.schema.fields();
        let columns = std::iter::zip(fields, batch.columns()).map(|(field, column)| {
            // What comes from outside is no text before it was looked at.
            column.to_data().validate_full().map_err(|_| NO_TEXT)?;
            fitted(column, field.data_type())
        });
        let columns: Vec<_> = columns.collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::clone(&self.schema);
        RecordBatch::try_new_with_options(schema, columns, &options).map_err(|_| self.changed())
    }

    fn changed(&self) -> DatabaseFault {
        let table = self.table.to_string();
        DatabaseFault::Changed { table }
    }
}

const NO_TEXT: DatabaseFault = DatabaseFault::Unreadable {
    what: "text that is not UTF-8",
};
const OTHER_ORDER: DatabaseFault = DatabaseFault::Unreadable {
    what: "rows in another order than asked for",
};
const OTHER_TYPE: DatabaseFault = DatabaseFault::Unreadable {
    what: "a value of another type than its column",
};

/// Takes a fault that has no known reason for that of a driver without parameters.
fn no_parameters(fault: DatabaseFault) -> DatabaseFault {
    match fault {
        DatabaseFault::Driver { .. } | DatabaseFault::Refused { .. } => DatabaseFault::NoParameters,
        known => known,
    }
}

/// Tells whether columns have the types of a row: values of other types turn them into others.
fn is_typed_as(batch: &RecordBatch, row: &[ArrayRef]) -> bool {
    std::iter::zip(batch.columns(), row)
        .all(|(column, value)| column.data_type() == value.data_type())
}

fn fitted(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, DatabaseFault> {
    match (column.data_type(), wanted) {
        (found, wanted) if found == wanted => Ok(Arc::clone(column)),
        // A zone changes how a moment is told and not the moment.
        (DataType::Timestamp(found, Some(_)), DataType::Timestamp(unit, Some(_)))
            if found == unit =>
        {
            in_utc(column, *unit)
        }
        (_, wanted) => {
            let options = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            cast_with_options(column, wanted, &options).map_err(|_| OTHER_TYPE)
        }
    }
}

fn in_utc(column: &ArrayRef, unit: TimeUnit) -> Result<ArrayRef, DatabaseFault> {
    let utc = DataType::Timestamp(unit, Some("UTC".into()));
    let data = column.to_data().into_builder().data_type(utc);
    let data = data.build().map_err(|_| OTHER_TYPE)?;
    Ok(arrow_array::make_array(data))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use arrow_array::types::TimestampMicrosecondType;
    use arrow_array::{Int32Array, NullArray, PrimitiveArray, StringArray};

    use super::*;

    fn array(values: impl Array + 'static) -> ArrayRef {
        Arc::new(values)
    }

    #[test]
    fn columns_of_another_type_are_cast_and_never_lost() {
        let numbers = array(Int32Array::from(vec![Some(7), None]));
        let texts = array(StringArray::from(vec![Some("7"), None]));
        let wide = fitted(&numbers, &DataType::Utf8).unwrap();
        assert_eq!(&wide, &texts);
        let words = array(StringArray::from(vec!["seven"]));
        assert!(fitted(&words, &DataType::Int64).is_err());
        let nothing = fitted(&array(NullArray::new(2)), &DataType::Utf8).unwrap();
        assert_eq!(nothing.null_count(), 2);
    }

    #[test]
    fn a_moment_stays_the_same_in_another_zone() {
        let moments = PrimitiveArray::<TimestampMicrosecondType>::from(vec![1_700_000_000_000_000]);
        let here = array(moments.clone().with_timezone("America/Lima"));
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let moved = fitted(&here, &utc).unwrap();
        assert_eq!(&moved, &array(moments.with_timezone("UTC")));
    }
}
