//! Records by key, read at the moment of asking.

use arrow_array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::prelude::{SessionContext, lit};

use crate::error::ScanError;
use crate::expression::Resolved;
use crate::files::BATCH_ROWS_MAX;
use crate::request::ScanRequest;
use crate::scan::{Source, context};

/// The keys of one fetch.
pub const FETCH_KEYS_MAX: usize = 1_000;

impl Source {
    /// Reads the records with these keys, at most [`FETCH_KEYS_MAX`]: the key as text, then the
    /// columns asked for, in no particular order. A key that no record has gives no row.
    ///
    /// A database is asked with the keys as a parameter, so that an index on the key serves if
    /// the key is a column. Files are searched: Parquet skips what its statistics exclude.
    ///
    /// Dropping the future ends the session, and with it (since PostgreSQL 14, within a second or
    /// two) the query.
    ///
    /// # Errors
    ///
    /// What [`scan`](Self::scan) and its streams fail with.
    pub async fn fetch(
        &self,
        request: &ScanRequest,
        keys: &[&str],
    ) -> Result<Vec<RecordBatch>, ScanError> {
        let context = context(1, BATCH_ROWS_MAX);
        let checked = self.resolve(&context, request)?;
        let used = checked.used(self.connector.schema());
        let fetched = self.fetch_of(&context, checked, &used, keys);
        let guard = self.guard(used.clone(), 1);
        match fetched.await {
            Ok(batches) => {
                self.connector.require_unchanged().await?;
                Ok(batches)
            }
            Err(error) => Err(guard.explain(&error).await),
        }
    }

    async fn fetch_of(
        &self,
        context: &SessionContext,
        checked: Resolved,
        used: &[usize],
        keys: &[&str],
    ) -> Result<Vec<RecordBatch>, DataFusionError> {
        let list = keys.iter().map(|&key| lit(key)).collect();
        let is_asked = checked.outputs.first().map(|key| key.clone().unalias());
        let column = is_asked.as_ref().and_then(column_of);
        let table = self
            .connector
            .keyed_table(context, used, column, keys)
            .await?;
        let mut frame = context.read_table(table)?;
        for filter in is_asked
            .map(|key| key.in_list(list, false))
            .into_iter()
            .chain(checked.filter)
        {
            frame = frame.filter(filter)?;
        }
        frame.select(checked.outputs)?.collect().await
    }
}

/// Returns the column that a key is, if it is no more than that.
fn column_of(key: &Expr) -> Option<&str> {
    match key {
        Expr::Cast(cast) => column_of(&cast.expr),
        Expr::Column(column) => Some(&column.name),
        _ => None,
    }
}
