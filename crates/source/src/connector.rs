//! What a source is made of: files, or a table of a database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::datasource::TableProvider;
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;

use crate::count::RowCount;
use crate::database::{Adbc, Mysql, Postgres, is_mysql};
use crate::descriptor::SourceSettings;
use crate::error::{OpenError, ScanError};
use crate::fetch::ByKey;
use crate::files::{BATCH_ROWS_MAX, Files};
use crate::finding::{Asked, Finding};
use crate::skipped::SkippedFiles;

/// Everything of a source that depends on the kind of system it lies in.
pub(crate) enum Connector {
    Files(Files),
    Postgres(Postgres),
    Mysql(Mysql),
    Adbc(Adbc),
}

static NO_CONFLICTS: BTreeMap<String, String> = BTreeMap::new();
static NO_LACKING: BTreeMap<String, SkippedFiles> = BTreeMap::new();
static NO_SKIPPED: LazyLock<SkippedFiles> = LazyLock::new(SkippedFiles::default);

impl Connector {
    /// Opens what the settings name.
    pub(crate) async fn open(settings: &SourceSettings, base: &Path) -> Result<Self, OpenError> {
        if settings.driver.is_some() {
            return Ok(Self::Adbc(Adbc::open(settings, base).await?));
        }
        if settings.uris().iter().any(|uri| is_mysql(uri)) {
            return Ok(Self::Mysql(Mysql::open(settings, base).await?));
        }
        if settings.is_database() {
            return Ok(Self::Postgres(Postgres::open(settings, base).await?));
        }
        Ok(Self::Files(Files::open(settings, base).await?))
    }

    /// Returns the columns that have a single type.
    pub(crate) fn schema(&self) -> &SchemaRef {
        match self {
            Self::Files(files) => files.schema(),
            Self::Postgres(table) => table.schema(),
            Self::Mysql(table) => table.schema(),
            Self::Adbc(table) => table.schema(),
        }
    }

    /// Returns the columns that have none, and why.
    pub(crate) fn conflicts(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Files(files) => files.conflicts(),
            Self::Postgres(_) | Self::Mysql(_) | Self::Adbc(_) => &NO_CONFLICTS,
        }
    }

    /// Returns the files that lack a column which others have.
    pub(crate) fn lacking(&self) -> &BTreeMap<String, SkippedFiles> {
        match self {
            Self::Files(files) => files.lacking(),
            Self::Postgres(_) | Self::Mysql(_) | Self::Adbc(_) => &NO_LACKING,
        }
    }

    /// Returns what was not taken from folders.
    pub(crate) fn skipped(&self) -> &SkippedFiles {
        match self {
            Self::Files(files) => files.skipped(),
            Self::Postgres(_) | Self::Mysql(_) | Self::Adbc(_) => &NO_SKIPPED,
        }
    }

    /// Returns the first records of CSV files, which may be values where a header is missing.
    pub(crate) fn headers(&self) -> Option<&BTreeSet<Vec<String>>> {
        match self {
            Self::Files(files) => files.headers(),
            Self::Postgres(_) | Self::Mysql(_) | Self::Adbc(_) => None,
        }
    }

    /// Returns the rows.
    pub(crate) async fn row_count(&self) -> Result<RowCount, ScanError> {
        match self {
            Self::Files(files) => Ok(files.row_count()),
            Self::Postgres(table) => table.row_count().await,
            Self::Mysql(table) => table.row_count().await,
            Self::Adbc(table) => Ok(table.row_count()),
        }
    }

    /// Returns how many files there are; none of a database.
    pub(crate) fn file_count(&self) -> usize {
        match self {
            Self::Files(files) => files.file_count(),
            Self::Postgres(_) | Self::Mysql(_) | Self::Adbc(_) => 0,
        }
    }

    /// Returns how many rows of the given columns make a batch of bounded size.
    pub(crate) fn batch_rows(&self, used: &[usize]) -> usize {
        match self {
            Self::Files(files) => files.batch_rows(used),
            Self::Postgres(_) | Self::Mysql(_) | Self::Adbc(_) => BATCH_ROWS_MAX,
        }
    }

    /// Returns the given columns as a table of at most `partition_count` partitions; rows for which
    /// a condition does not hold may be left out.
    pub(crate) async fn table(
        &self,
        context: &SessionContext,
        used: &[usize],
        partition_count: usize,
        filter: Option<&Expr>,
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        match self {
            Self::Files(files) => files.table(context, used, partition_count),
            Self::Postgres(table) => table.table(used, partition_count, filter).await,
            Self::Mysql(table) => table.table(used).await,
            Self::Adbc(table) => table.table(used),
        }
    }

    /// Returns the columns asked for of all records with these keys, and maybe of others; nothing
    /// if they have to be searched for.
    pub(crate) async fn fetch(
        &self,
        asked: &ByKey<'_>,
    ) -> Result<Option<Vec<RecordBatch>>, DataFusionError> {
        let (used, key, keys) = (asked.used, asked.column, asked.keys);
        Ok(match self {
            Self::Files(files) => files.fetch(asked).await?,
            Self::Postgres(table) => table.fetch(used, key, keys).await?,
            Self::Mysql(table) => table.fetch(used, key, keys).await?,
            Self::Adbc(table) => table.fetch(used, key, keys).await?,
        })
    }

    /// Tells what reading is like, and what would make it better.
    pub(crate) async fn findings(&self, asked: &Asked<'_>) -> Result<Vec<Finding>, ScanError> {
        match self {
            Self::Files(files) => Ok(files.findings(asked).await),
            Self::Postgres(table) => table.findings(asked).await,
            Self::Mysql(table) => table.findings(asked).await,
            Self::Adbc(table) => table.findings(asked).await,
        }
    }

    /// Refuses a scan during which a file changed; a database shows one moment to the whole scan.
    pub(crate) async fn require_unchanged(&self) -> Result<(), ScanError> {
        match self {
            Self::Files(files) => files.require_unchanged().await,
            Self::Postgres(_) | Self::Mysql(_) | Self::Adbc(_) => Ok(()),
        }
    }

    /// Finds the file that an engine's error is about, which the engine does not tell.
    pub(crate) async fn find_damaged(
        &self,
        context: &SessionContext,
        used: &[usize],
    ) -> Option<ScanError> {
        match self {
            Self::Files(files) => files.find_damaged(context, used).await,
            Self::Postgres(_) | Self::Mysql(_) | Self::Adbc(_) => None,
        }
    }
}
