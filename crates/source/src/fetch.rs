//! Records by key, read at the moment of asking.

use arrow_array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::prelude::lit;

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
    /// Dropping the future ends the query at the database, too.
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
        let fetched = self.fetch_of(&context, checked, &used, &request.key, keys);
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
        context: &datafusion::prelude::SessionContext,
        checked: Resolved,
        used: &[usize],
        key: &str,
        keys: &[&str],
    ) -> Result<Vec<RecordBatch>, DataFusionError> {
        let table = self.connector.keyed_table(context, used, key, keys).await?;
        let list = keys.iter().map(|&key| lit(key)).collect();
        let is_asked = checked.outputs.first().map(|key| key.clone().unalias());
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
