//! ADBC: tables and views of any system that has a driver of Arrow Database Connectivity.
//!
//! Drivers are shared libraries whose calls block, so every call of one runs on tokio's pool for
//! blocking work, of which one source takes a bounded part. Only queries are ever sent, and systems that can open a database for reading only
//! are told to.

mod calls;
mod driver;
mod fault;
mod findings;
mod gate;
mod keyed;
mod options;
mod query;
mod scan;
mod sqlite;
mod system;

use std::path::Path;
use std::sync::Arc;

use adbc_driver_manager::ManagedConnection;
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::datasource::TableProvider;

pub(crate) use self::findings::driver_command;
use self::gate::Gate;
use self::keyed::Binding;
use self::options::Options;
use self::query::{number_of, schema_of};
use self::scan::{Header, QueryPartition};
use self::sqlite::SqliteTable;
use self::system::System;
use crate::count::RowCount;
use crate::database::DatabaseFault;
use crate::database::name::TableName;
use crate::descriptor::SourceSettings;
use crate::error::OpenError;
use crate::request::ScanRequest;

/// The parts of the longest name of a table: catalog, schema, table.
const NAME_PARTS_MAX: usize = 3;

/// A table or view as it was when it was opened.
pub(crate) struct Adbc {
    source_name: Arc<str>,
    place: Arc<str>,
    system: System,
    gate: Gate,
    /// What the settings call it.
    table: Arc<str>,
    /// Its name as SQL, as terms call it.
    relation: String,
    /// What to select for each column.
    selected: Vec<String>,
    schema: SchemaRef,
    row_count: RowCount,
    binding: Binding,
}

/// What is known of a table.
struct Shape {
    columns: Vec<Column>,
    row_count: RowCount,
}

/// A column, and the query's term for it.
struct Column {
    name: String,
    selected: String,
    data_type: DataType,
}

/// The texts of settings that name the columns which are read, in small letters.
struct NamedColumns(Option<Vec<String>>);

impl NamedColumns {
    fn by(settings: &SourceSettings) -> Self {
        if settings.fields.is_empty() {
            return Self(None);
        }
        let (request, _) = ScanRequest::for_settings(settings);
        let texts = request.columns.into_iter().chain([request.key]);
        let texts = texts.chain(request.filter).chain(settings.updated.clone());
        Self(Some(texts.map(|text| text.to_lowercase()).collect()))
    }

    /// Tells whether a column may be read: all may where no field is mapped yet.
    fn may_name(&self, column: &str) -> bool {
        let Self(Some(texts)) = self else {
            return true;
        };
        let column = column.to_lowercase();
        let quoted = column.replace('"', "\"\"");
        texts
            .iter()
            .any(|text| text.contains(&column) || text.contains(&quoted))
    }
}

impl Adbc {
    /// Loads the driver, connects, and learns the columns and the number of rows.
    pub(crate) async fn open(settings: &SourceSettings, base: &Path) -> Result<Self, OpenError> {
        let driver = settings.driver.clone().unwrap_or_default();
        let system = System::of(&driver);
        let name = TableName::of(settings, NAME_PARTS_MAX, system.quotes())?;
        let options = Options::of(settings, base, system)?;
        let place: Arc<str> = options.place(&driver).into();
        let failed = |cause| OpenError::Database {
            source_name: settings.name.clone(),
            place: place.to_string(),
            cause,
        };
        let table: Arc<str> = name.text.as_str().into();
        let relation = match system {
            System::Sqlite => sqlite::aliased(&name.relation),
            _ => name.relation.clone(),
        };
        let (base, entry_point) = (base.to_owned(), settings.entry_point.clone());
        let named = NamedColumns::by(settings);
        let opening = calls::start(&settings.name, move || {
            let entry_point = entry_point.as_deref();
            open_table(&driver, entry_point, &base, options, &name, &named)
        });
        let opened = opening.await.await.unwrap_or(Err(DatabaseFault::Crashed));
        let (gate, shape) = opened.map_err(failed)?;
        let field = |column: &Column| Field::new(&column.name, column.data_type.clone(), true);
        let fields: Vec<_> = shape.columns.iter().map(field).collect();
        Ok(Self {
            source_name: settings.name.as_str().into(),
            place,
            system,
            gate,
            table,
            relation,
            selected: shape.columns.into_iter().map(|c| c.selected).collect(),
            schema: Arc::new(Schema::new(fields)),
            row_count: shape.row_count,
            binding: Binding::default(),
        })
    }

    /// Returns the columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the rows that the table had when it was opened.
    pub(crate) fn row_count(&self) -> RowCount {
        self.row_count
    }

    /// Returns the given columns as a table of one partition: one query sees one moment.
    pub(crate) fn table(&self, used: &[usize]) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let partition = self.partition(used, "", None)?;
        Ok(Arc::new(StreamingTable::try_new(
            Arc::clone(&partition.schema),
            vec![Arc::new(partition)],
        )?))
    }

    /// Returns the query of the given columns under a condition, which has a sign for each column
    /// of `bound`.
    fn partition(
        &self,
        used: &[usize],
        condition: &str,
        bound: Option<RecordBatch>,
    ) -> Result<QueryPartition, ArrowError> {
        let schema = Arc::new(self.schema.project(used)?);
        let terms = used.iter().filter_map(|&at| self.selected.get(at));
        let mut terms: Vec<&str> = terms.map(String::as_str).collect();
        if terms.is_empty() {
            // A query has at least one column; rows are counted by it and it is left out.
            terms.push("1");
        }
        let terms = terms.join(", ");
        let query = format!("SELECT {terms} FROM {}{condition}", self.relation);
        let (query, header) = match self.system {
            System::Sqlite => {
                let (first, row) = sqlite::header(&schema);
                (format!("{first} UNION ALL {query}"), Header::Row(row))
            }
            _ => (query, Header::None),
        };
        Ok(QueryPartition {
            source_name: Arc::clone(&self.source_name),
            place: Arc::clone(&self.place),
            table: Arc::clone(&self.table),
            system: self.system,
            gate: self.gate.clone(),
            schema,
            query: query.into(),
            header,
            bound,
        })
    }
}

/// Tells whether what a driver opens are files of this machine.
pub(crate) fn is_file_driver(driver: &str) -> bool {
    matches!(System::of(driver), System::Sqlite | System::DuckDb)
}

/// Loads a driver, connects, and learns of the table.
fn open_table(
    driver: &str,
    entry_point: Option<&str>,
    base: &Path,
    options: Options,
    table: &TableName,
    named: &NamedColumns,
) -> Result<(Gate, Shape), DatabaseFault> {
    let system = System::of(driver);
    let loaded = driver::load(driver, entry_point, base, system)?;
    let gate = Gate::open(loaded, options, system)?;
    let mut connection = gate.connect()?;
    let shape = match system {
        System::Sqlite => SqliteTable::of(&mut connection, table)?.shape(&mut connection, named)?,
        _ => told_shape(&mut connection, system, table)?,
    };
    Ok((gate, shape))
}

/// Learns the columns from a query that gives no row.
fn told_shape(
    connection: &mut ManagedConnection,
    system: System,
    table: &TableName,
) -> Result<Shape, DatabaseFault> {
    let TableName { text, relation, .. } = table;
    let empty = format!("SELECT * FROM {relation} WHERE 1 = 0");
    let schema = schema_of(connection, &empty, text)?;
    let column = |field: &Arc<Field>| {
        let term = system.quotes().around(field.name());
        let (selected, data_type) = match field.data_type() {
            // Whole numbers of 39 digits are told as decimal ones of 38, and lose a digit.
            DataType::Decimal128(38, 0) if system == System::DuckDb => {
                (format!("CAST({term} AS VARCHAR)"), DataType::Utf8)
            }
            told => (term, taken_as(told)),
        };
        Column {
            name: field.name().clone(),
            selected,
            data_type,
        }
    };
    let columns = schema.fields().iter().map(column).collect();
    let count = number_of(
        connection,
        &format!("SELECT count(*) FROM {relation}"),
        text,
    )?;
    let row_count = RowCount::Exact(count);
    Ok(Shape { columns, row_count })
}

/// Returns the type that a column is taken as: moments are told in UTC, whatever zone a session has.
fn taken_as(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("UTC".into())),
        other => other.clone(),
    }
}
