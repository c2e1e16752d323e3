//! Small queries that tell of a table.

use std::sync::Arc;

use adbc_core::{Connection as _, Statement as _};
use adbc_driver_manager::{ManagedConnection, ManagedStatement};
use arrow::compute::cast;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch, RecordBatchReader, StringArray};
use arrow_schema::{DataType, SchemaRef};

use crate::database::DatabaseFault;

/// Rows as a driver gives them.
pub(crate) type Rows = Box<dyn RecordBatchReader + Send>;

/// Returns a statement that holds a query.
pub(crate) fn statement(
    connection: &mut ManagedConnection,
    query: &str,
    table: &str,
) -> Result<ManagedStatement, DatabaseFault> {
    let fault = |error| DatabaseFault::of_driver(&error, table);
    let mut statement = connection.new_statement().map_err(fault)?;
    statement.set_sql_query(query).map_err(fault)?;
    Ok(statement)
}

/// Returns the columns that a query gives.
pub(crate) fn schema_of(
    connection: &mut ManagedConnection,
    query: &str,
    table: &str,
) -> Result<SchemaRef, DatabaseFault> {
    let mut statement = statement(connection, query, table)?;
    let executed = statement.execute();
    let rows = executed.map_err(|error| DatabaseFault::of_driver(&error, table))?;
    Ok(rows.schema())
}

/// Returns the number that a query gives.
pub(crate) fn number_of(
    connection: &mut ManagedConnection,
    query: &str,
    table: &str,
) -> Result<u64, DatabaseFault> {
    for batch in rows_of(connection, query, table)? {
        if let Some(number) = number_at(&batch, 0) {
            return Ok(number);
        }
    }
    Err(DatabaseFault::Unreadable {
        what: "no number of rows",
    })
}

/// Returns the few rows that a query gives.
pub(crate) fn rows_of(
    connection: &mut ManagedConnection,
    query: &str,
    table: &str,
) -> Result<Vec<RecordBatch>, DatabaseFault> {
    let mut statement = statement(connection, query, table)?;
    let executed = statement.execute();
    let rows: Rows = executed.map_err(|error| DatabaseFault::of_driver(&error, table))?;
    rows.map(|batch| batch.map_err(|error| DatabaseFault::of_rows(&error, table)))
        .collect()
}

/// Returns the number in the first row of a column.
pub(crate) fn number_at(batch: &RecordBatch, column: usize) -> Option<u64> {
    let column = cast(batch.columns().get(column)?, &DataType::Int64).ok()?;
    let numbers = column.as_primitive::<Int64Type>();
    let number = (!numbers.is_empty() && numbers.is_valid(0)).then(|| numbers.value(0))?;
    u64::try_from(number).ok()
}

/// Returns the texts of a column; it is none if they are no texts at all.
pub(crate) fn texts_of(batch: &RecordBatch, column: usize) -> Option<StringArray> {
    let column = batch.columns().get(column)?;
    column.to_data().validate_full().ok()?;
    let texts = cast(column, &DataType::Utf8).ok()?;
    Some(StringArray::clone(Arc::new(texts).as_string()))
}
