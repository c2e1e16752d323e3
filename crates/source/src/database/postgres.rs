//! `PostgreSQL`: tables and views, copied out in binary form.

mod coding;
mod condition;
mod copy;
mod fault;
mod findings;
mod keyed;
mod partition;
mod server;

use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow_schema::{Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::datasource::TableProvider;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::streaming::PartitionStream;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use self::coding::Coding;
pub(crate) use self::findings::grants;
use self::partition::{CopyPartition, begin, share_snapshot};
use self::server::{Server, Session};
use crate::count::RowCount;
use crate::database::DatabaseFault;
use crate::database::name::{Quotes, TableName};
use crate::descriptor::SourceSettings;
use crate::error::{OpenError, ScanError};
use crate::files::CELL_KEPT_MAX;

/// The pages of a table (8 KiB each) up to which its rows are counted; of larger ones the server's
/// own estimate is taken.
const COUNTED_PAGES_MAX: u32 = 1 << 12;

/// The partitions of a table: each takes a session.
const PARTITION_COUNT_MAX: u32 = 8;
/// The pages that a partition has at least.
const PARTITION_PAGES_MIN: u32 = 256;

/// Returns whether an address is one of `PostgreSQL`.
pub fn is_postgres(uri: &str) -> bool {
    let scheme = uri.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        scheme.eq_ignore_ascii_case("postgres") || scheme.eq_ignore_ascii_case("postgresql")
    })
}

/// A table or view as it was when it was opened.
pub(crate) struct Postgres {
    source_name: Arc<str>,
    server: Arc<Server>,
    /// What the settings call it.
    table: Arc<str>,
    /// Its name as SQL.
    relation: String,
    columns: Vec<Column>,
    schema: SchemaRef,
    size: Size,
    /// Sessions that wait for the next fetch.
    idle: Mutex<Vec<Session>>,
}

/// What the server knows of the size of a relation.
struct Size {
    /// Whether it may be locked: foreign tables and materialised views may not.
    is_lockable: bool,
    /// Whether it has pages of its own.
    is_plain: bool,
    pages: u32,
    /// Rows by the server's estimate; negative if it has none.
    tuples: f64,
    /// Of the server: 150,018 is 15.18.
    version: i32,
}

/// A column and how its values come.
#[derive(Clone, PartialEq)]
struct Column {
    name: String,
    type_: Type,
    modifier: i32,
}

impl Column {
    fn coding(&self) -> Coding {
        Coding::of(&self.type_, self.modifier)
    }

    /// Returns what to select; texts of any length are cut at the server.
    fn selected(&self) -> String {
        let name = Quotes::Double.around(&self.name);
        match (Coding::cast(&self.type_, self.modifier), self.coding()) {
            (Some(cast), Coding::Text) => format!("left({name}::{cast}, {CELL_KEPT_MAX})"),
            (Some(cast), _) => format!("{name}::{cast}"),
            // The length of a text stands before it, so that only long ones are looked at.
            (None, Coding::Text) => format!(
                "CASE WHEN octet_length({name}) > {CELL_KEPT_MAX} \
                 THEN left({name}, {CELL_KEPT_MAX}) ELSE {name} END"
            ),
            (None, _) => name,
        }
    }
}

impl Postgres {
    /// Connects, and learns the columns and the size.
    pub(crate) async fn open(settings: &SourceSettings, base: &Path) -> Result<Self, OpenError> {
        let server = Server::from_settings(settings, base)?;
        let TableName { text, relation, .. } = TableName::of(settings, 2, Quotes::Double)?;
        let table = text;
        let opened = async {
            let session = server.connect(&table).await?;
            let columns = columns_of(session.get()?, &relation, &table).await?;
            let size = size_of(session.get()?, &relation, &table).await?;
            Ok((columns, size, session))
        };
        let opened: Result<_, DatabaseFault> = opened.await;
        let (columns, size, session) = opened.map_err(|cause| OpenError::Database {
            source_name: settings.name.clone(),
            place: server.place().to_owned(),
            cause,
        })?;
        let fields = columns
            .iter()
            .map(|column| Field::new(&column.name, column.coding().data_type(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self {
            source_name: settings.name.as_str().into(),
            server: Arc::new(server),
            table: table.into(),
            relation,
            columns,
            schema,
            size,
            idle: Mutex::new(vec![session]),
        })
    }

    /// Returns the columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Asks for the number of rows: counts those of a small table.
    pub(crate) async fn row_count(&self) -> Result<RowCount, ScanError> {
        let Size {
            is_plain,
            pages,
            tuples,
            ..
        } = self.size;
        if !is_plain {
            return Ok(RowCount::Unknown);
        }
        if pages > COUNTED_PAGES_MAX {
            let is_known = tuples >= 0.0;
            let estimate = is_known.then_some(RowCount::Estimate(tuples as u64));
            return Ok(estimate.unwrap_or(RowCount::Unknown));
        }
        let counted = self.count().await;
        counted
            .map(RowCount::Exact)
            .map_err(|cause| self.failed(cause))
    }

    async fn count(&self) -> Result<u64, DatabaseFault> {
        let fault = |error: tokio_postgres::Error| DatabaseFault::of(&error, &self.table);
        let session = self.session().await?;
        let query = format!("SELECT count(*) FROM {}", self.relation);
        let row = session.get()?.query_one(&query, &[]).await.map_err(fault)?;
        let count: i64 = row.try_get(0).map_err(fault)?;
        self.keep(session);
        Ok(count.unsigned_abs())
    }

    /// Returns the given columns, as they are at one moment, as a table of at most
    /// `partition_count` partitions, without rows for which a condition does not hold, as far as
    /// the server can tell that.
    pub(crate) async fn table(
        &self,
        used: &[usize],
        partition_count: usize,
        filter: Option<&Expr>,
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let sessions = self.sessions(self.part_count(partition_count)).await;
        let sessions = sessions.map_err(|cause| self.failed(cause))?;
        let schema = Arc::new(self.schema.project(used)?);
        let (selected, codings) = self.selection(used);
        let codings: Arc<[Coding]> = codings.into();
        let place: Arc<str> = self.server.place().into();
        let filter = filter.and_then(|filter| condition::condition(filter, &self.columns));
        let conditions = self.parts(sessions.len(), filter.as_deref());
        let parts = conditions.into_iter().zip(sessions).map(|(part, session)| {
            Arc::new(CopyPartition {
                source_name: Arc::clone(&self.source_name),
                place: Arc::clone(&place),
                session: Mutex::new(Some(session)),
                table: Arc::clone(&self.table),
                schema: Arc::clone(&schema),
                codings: Arc::clone(&codings),
                query: format!(
                    "COPY (SELECT {selected} FROM {}{part}) TO STDOUT (FORMAT binary)",
                    self.relation
                ),
            }) as Arc<dyn PartitionStream>
        });
        Ok(Arc::new(StreamingTable::try_new(
            Arc::clone(&schema),
            parts.collect(),
        )?))
    }

    /// Returns what to select for these columns, and how their values come.
    fn selection(&self, used: &[usize]) -> (String, Vec<Coding>) {
        let columns = used.iter().filter_map(|&at| self.columns.get(at));
        let selected = columns.map(|column| (column.selected(), column.coding()));
        let (terms, codings): (Vec<_>, Vec<_>) = selected.unzip();
        (terms.join(", "), codings)
    }

    fn failed(&self, cause: DatabaseFault) -> ScanError {
        ScanError::Database {
            source_name: self.source_name.to_string(),
            place: self.server.place().to_owned(),
            cause,
        }
    }

    /// Returns how many parts the table is read in at most.
    fn part_count(&self, partition_count: usize) -> usize {
        // Ranges of row addresses are scanned as such since version 14.
        let can_cut = self.size.is_plain && self.size.version >= 140_000;
        let pages = if can_cut { self.size.pages } else { 0 };
        let most = (pages / PARTITION_PAGES_MIN).clamp(1, PARTITION_COUNT_MAX);
        partition_count.clamp(1, most as usize)
    }

    /// Returns the conditions that cut the table into parts of about as many pages each, together
    /// with one that all rows have to meet.
    fn parts(&self, count: usize, filter: Option<&str>) -> Vec<String> {
        let (pages, count) = (self.size.pages, count as u32);
        let edge = |part: u32| u64::from(pages) * u64::from(part) / u64::from(count);
        let from = |part: u32| (part > 0).then(|| format!("ctid >= '({},0)'::tid", edge(part)));
        // The last part has no end, so pages that were added meanwhile are in it.
        let to = |part: u32| (part < count).then(|| format!("ctid < '({},0)'::tid", edge(part)));
        (0..count)
            .map(|part| {
                let bounds = from(part).into_iter().chain(to(part + 1));
                let bounds: Vec<_> = bounds.chain(filter.map(str::to_owned)).collect();
                if bounds.is_empty() {
                    return String::new();
                }
                format!(" WHERE {}", bounds.join(" AND "))
            })
            .collect()
    }

    /// Opens a session a part, fewer if the server has no more or if somebody waits to change the
    /// table, fixes the moment that all of them see, and makes sure that the columns are those
    /// that are known.
    ///
    /// All locks are had before: a session that asked for its lock later would wait behind a
    /// `TRUNCATE` that waits for the others, for ever.
    async fn sessions(&self, count: usize) -> Result<Vec<Session>, DatabaseFault> {
        let lock = self.size.is_lockable.then_some(self.relation.as_str());
        let first = self.session().await?;
        begin(&first, lock, "30s", &self.table).await?;
        let mut sessions = vec![first];
        while sessions.len() < count {
            let another = async {
                let session = self.server.connect(&self.table).await?;
                begin(&session, lock, "300ms", &self.table).await?;
                Ok(session)
            };
            match another.await {
                Ok(session) => sessions.push(session),
                Err(DatabaseFault::Locked | DatabaseFault::Crowded) => break,
                Err(fault) => return Err(fault),
            }
        }
        share_snapshot(&sessions, &self.table).await?;
        if let Some(first) = sessions.first() {
            let columns = columns_of(first.get()?, &self.relation, &self.table).await?;
            if columns != self.columns {
                let table = self.table.to_string();
                return Err(DatabaseFault::Changed { table });
            }
        }
        Ok(sessions)
    }
}

async fn columns_of(
    client: &Client,
    relation: &str,
    table: &str,
) -> Result<Vec<Column>, DatabaseFault> {
    let query = format!("SELECT * FROM {relation} LIMIT 0");
    let prepared = client.prepare(&query).await;
    let prepared = prepared.map_err(|error| DatabaseFault::of(&error, table))?;
    let column = |column: &tokio_postgres::Column| Column {
        name: column.name().to_owned(),
        type_: column.type_().clone(),
        modifier: column.type_modifier(),
    };
    Ok(prepared.columns().iter().map(column).collect())
}

/// Asks for the size of a relation, without counting.
async fn size_of(client: &Client, relation: &str, table: &str) -> Result<Size, DatabaseFault> {
    let fault = |error: tokio_postgres::Error| DatabaseFault::of(&error, table);
    let query = "SELECT relkind::text, \
                 coalesce(pg_relation_size(oid) / current_setting('block_size')::int8, 0), \
                 reltuples::float8, current_setting('server_version_num')::int \
                 FROM pg_class WHERE oid = $1::text::regclass";
    let row = client.query_one(query, &[&relation]).await.map_err(fault)?;
    let kind: String = row.try_get(0).map_err(fault)?;
    let pages: i64 = row.try_get(1).map_err(fault)?;
    Ok(Size {
        is_lockable: matches!(kind.as_str(), "r" | "p" | "v"),
        is_plain: matches!(kind.as_str(), "r" | "m"),
        pages: u32::try_from(pages).unwrap_or(u32::MAX),
        tuples: row.try_get(2).map_err(fault)?,
        version: row.try_get(3).map_err(fault)?,
    })
}
