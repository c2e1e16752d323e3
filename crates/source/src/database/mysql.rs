//! `MySQL` and `MariaDB`: tables and views, read row by row in one statement.
//!
//! One statement is one moment: it holds the definition of its tables from before its first look
//! at them until its transaction ends, `InnoDB` shows it what was committed when it first looked, and
//! the engines without transactions are locked against writers while it runs. A server of this kind
//! cannot show one moment to several sessions, so a table is read as one part.

mod coding;
mod fault;
mod findings;
mod keyed;
mod rows;
mod scan;
mod server;

use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow_schema::{Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::datasource::TableProvider;
use mysql_async::{Params, Row, Value};

use self::coding::{Coding, Column};
pub(crate) use self::findings::grants_of;
use self::scan::RowsPartition;
use self::server::{Server, Session};
use crate::count::RowCount;
use crate::database::DatabaseFault;
use crate::database::name::{Quotes, TableName};
use crate::descriptor::SourceSettings;
use crate::error::{OpenError, ScanError};

/// The bytes of a table up to which its rows are counted; of larger ones the server's own estimate
/// is taken.
const COUNTED_LEN_MAX: u64 = 32 << 20;
/// The sessions that are kept for the next fetch.
const IDLE_COUNT_MAX: usize = 4;
/// What stores tables such that one statement sees one moment: by versions of rows, or by a lock of
/// the whole table.
const ENGINES: [&str; 7] = [
    "innodb",
    "rocksdb",
    "myisam",
    "mrg_myisam",
    "aria",
    "memory",
    "csv",
];

/// Returns whether an address is one of `MySQL` or `MariaDB`.
pub fn is_mysql(uri: &str) -> bool {
    let scheme = uri.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        scheme.eq_ignore_ascii_case("mysql") || scheme.eq_ignore_ascii_case("mariadb")
    })
}

/// A table or view as it was when it was opened.
pub(crate) struct Mysql {
    source_name: Arc<str>,
    server: Server,
    /// What the settings call it.
    table: Arc<str>,
    /// Its name as SQL.
    relation: String,
    name: Vec<String>,
    shape: Shape,
    schema: SchemaRef,
    /// Sessions that wait for the next fetch.
    idle: Mutex<Vec<Session>>,
}

/// What the server tells of a relation.
struct Shape {
    columns: Vec<Column>,
    /// What stores it; nothing of a view.
    engine: Option<String>,
    /// Rows by the server's estimate.
    row_estimate: Option<u64>,
    len: Option<u64>,
}

impl Mysql {
    /// Connects, and learns the columns and the size.
    pub(crate) async fn open(settings: &SourceSettings, base: &Path) -> Result<Self, OpenError> {
        let server = Server::from_settings(settings, base)?;
        let TableName {
            text,
            parts,
            relation,
        } = TableName::of(settings, 2, Quotes::Tick)?;
        let opened = async {
            let mut session = server.connect(&text).await?;
            let shape = shape_of(&mut session, &parts, &relation, &text).await?;
            Ok((shape, session))
        };
        let opened: Result<_, DatabaseFault> = opened.await;
        let (shape, session) = opened.map_err(|cause| OpenError::Database {
            source_name: settings.name.clone(),
            place: server.place().to_owned(),
            cause,
        })?;
        let fields = shape
            .columns
            .iter()
            .map(|column| Field::new(&column.name, column.coding().data_type(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self {
            source_name: settings.name.as_str().into(),
            server,
            table: text.into(),
            relation,
            name: parts,
            shape,
            schema,
            idle: Mutex::new(vec![session]),
        })
    }

    /// Returns the columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Asks for the number of rows: counts those of a small table.
    pub(crate) async fn row_count(&self) -> Result<RowCount, ScanError> {
        let Shape {
            row_estimate, len, ..
        } = self.shape;
        if len.is_none_or(|len| len > COUNTED_LEN_MAX) {
            return Ok(row_estimate.map_or(RowCount::Unknown, RowCount::Estimate));
        }
        let counted = self.count().await;
        counted
            .map(RowCount::Exact)
            .map_err(|cause| self.failed(cause))
    }

    async fn count(&self) -> Result<u64, DatabaseFault> {
        let mut session = self.session().await?;
        let query = format!("SELECT COUNT(*) FROM {}", self.relation);
        let rows = session.all(&query, Params::Empty, &self.table).await?;
        let count = rows.first().and_then(|row| number(row, 0));
        self.keep(session);
        count.ok_or(DatabaseFault::NoMysql)
    }

    /// Returns the given columns, as they are at one moment, as a table of one partition.
    pub(crate) async fn table(
        &self,
        used: &[usize],
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let (selected, codings) = self.selection(used);
        let query = format!("SELECT {selected} FROM {}", self.relation);
        let begun = self.begin(&query).await;
        let session = begun.map_err(|cause| self.failed(cause))?;
        let schema = Arc::new(self.schema.project(used)?);
        let partition = RowsPartition {
            source_name: Arc::clone(&self.source_name),
            place: self.server.place().into(),
            session: Mutex::new(Some(session)),
            table: Arc::clone(&self.table),
            schema: Arc::clone(&schema),
            codings: codings.into(),
            query,
        };
        Ok(Arc::new(StreamingTable::try_new(
            schema,
            vec![Arc::new(partition)],
        )?))
    }

    /// Begins a transaction that holds the table and all that a view reads against changes of their
    /// definition and against `TRUNCATE`, and makes sure that the columns are those that are known.
    ///
    /// No snapshot is asked for yet. One from before the hold would show an empty table if somebody
    /// truncated it in between; the statement that reads takes its own when it first looks.
    async fn begin(&self, query: &str) -> Result<Session, DatabaseFault> {
        let mut session = self.session().await?;
        session.allow_scan(&self.table).await?;
        session
            .run("START TRANSACTION READ ONLY", &self.table)
            .await?;
        session
            .run(&format!("{query} LIMIT 0"), &self.table)
            .await?;
        let shape = shape_of(&mut session, &self.name, &self.relation, &self.table).await?;
        if shape.columns != self.shape.columns {
            let table = self.table.to_string();
            return Err(DatabaseFault::Changed { table });
        }
        shape.require_moment(&self.table)?;
        Ok(session)
    }

    /// Returns what to select for these columns, and how their values come.
    fn selection(&self, used: &[usize]) -> (String, Vec<Coding>) {
        let columns = used.iter().filter_map(|&at| self.shape.columns.get(at));
        let selected = columns.map(|column| (column.selected(), column.coding()));
        let (mut terms, codings): (Vec<_>, Vec<_>) = selected.unzip();
        if terms.is_empty() {
            // A query has at least one column; rows are counted by it and it is left out.
            terms.push("1".to_owned());
        }
        (terms.join(", "), codings)
    }

    fn failed(&self, cause: DatabaseFault) -> ScanError {
        ScanError::Database {
            source_name: self.source_name.to_string(),
            place: self.server.place().to_owned(),
            cause,
        }
    }

    /// Returns a session that waits, or a new one.
    async fn session(&self) -> Result<Session, DatabaseFault> {
        let idle = || self.idle.lock().ok()?.pop();
        while let Some(mut session) = idle() {
            if session.is_alive().await {
                return Ok(session);
            }
        }
        self.server.connect(&self.table).await
    }

    /// Keeps a session that has nothing to do for the next fetch.
    fn keep(&self, session: Session) {
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < IDLE_COUNT_MAX
        {
            idle.push(session);
        }
    }
}

impl Shape {
    /// Refuses what changes while a statement reads it.
    fn require_moment(&self, table: &str) -> Result<(), DatabaseFault> {
        let Some(engine) = &self.engine else {
            return Ok(());
        };
        if ENGINES.contains(&engine.to_ascii_lowercase().as_str()) {
            return Ok(());
        }
        let letters = engine.chars().filter(char::is_ascii_alphanumeric);
        Err(DatabaseFault::NoMoment {
            table: table.to_owned(),
            engine: letters.take(32).collect(),
        })
    }
}

async fn columns_of(
    session: &mut Session,
    relation: &str,
    table: &str,
) -> Result<Vec<Column>, DatabaseFault> {
    let query = format!("SHOW FULL COLUMNS FROM {relation}");
    let rows = session.all(&query, Params::Empty, table).await?;
    let column = |row: &Row| {
        Some(Column {
            name: text(row, 0)?,
            type_text: text(row, 1)?,
            collation: text(row, 2),
        })
    };
    let columns: Option<Vec<_>> = rows.iter().map(column).collect();
    columns.ok_or(DatabaseFault::NoMysql)
}

async fn shape_of(
    session: &mut Session,
    name: &[String],
    relation: &str,
    table: &str,
) -> Result<Shape, DatabaseFault> {
    let columns = columns_of(session, relation, table).await?;
    let (database, own) = match name {
        [database, own] => (database.clone(), own.as_str()),
        [own] => (session.database().to_owned(), own.as_str()),
        _ => return Err(DatabaseFault::NoMysql),
    };
    let parameters = vec![Value::from(database), Value::from(own)];
    let query = "SELECT TABLE_NAME, ENGINE, TABLE_ROWS, DATA_LENGTH \
                 FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?";
    let rows = session.all(query, Params::Positional(parameters), table);
    let rows = rows.await?;
    // Names that differ by case only are equal to some servers and not to others.
    let same = rows.iter().find(|row| text(row, 0).as_deref() == Some(own));
    let row = same.or(rows.first());
    Ok(Shape {
        columns,
        engine: row.and_then(|row| text(row, 1)),
        row_estimate: row.and_then(|row| number(row, 2)),
        len: row.and_then(|row| number(row, 3)),
    })
}

fn text(row: &Row, at: usize) -> Option<String> {
    match row.as_ref(at)? {
        Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    }
}

fn number(row: &Row, at: usize) -> Option<u64> {
    match *row.as_ref(at)? {
        Value::Int(number) => u64::try_from(number).ok(),
        Value::UInt(number) => Some(number),
        _ => None,
    }
}
