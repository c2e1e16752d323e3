//! One table of customers, as each kind of system keeps it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use adbc_core::options::{AdbcVersion, OptionDatabase, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, Statement as _};
use adbc_driver_manager::{ManagedConnection, ManagedDriver};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use crate::{MariaDb, Person, Postgres};

/// How many rows one statement adds.
const INSERT_ROWS: usize = 10_000;

const MAKE_SQLITE: &str = "
import csv, sqlite3, sys
rows = list(csv.reader(open(sys.argv[1], newline='')))
base = sqlite3.connect(sys.argv[2])
base.execute('CREATE TABLE customers (%s)' % ', '.join(name + ' TEXT' for name in rows[0]))
base.executemany('INSERT INTO customers VALUES (%s)' % ', '.join('?' * len(rows[0])), rows[1:])
base.execute('CREATE UNIQUE INDEX by_id ON customers (id)')
base.commit()
";

/// The records that one system has, two a person, all columns text.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<[String; 8]>,
}

impl Table {
    /// The columns; the first is the key.
    pub const COLUMNS: [&'static str; 8] = [
        "id", "first", "last", "born", "mail", "tel", "street", "city",
    ];

    /// Makes the records of a system, whose keys begin with its name.
    pub fn new(system: &str, people: &[Person]) -> Self {
        let of = |person: &Person, nth: u32| {
            [
                Self::key(system, person.number, nth),
                person.given_name.clone(),
                person.surname.clone(),
                person.born.clone(),
                person.emails[0].clone(),
                person.phone.clone(),
                person.street.clone(),
                person.city.clone(),
            ]
        };
        let both = people.iter().flat_map(|p| [of(p, 0), of(p, 1)]);
        Self {
            rows: both.collect(),
        }
    }

    /// Returns the key of a person's first or second record in a system.
    pub fn key(system: &str, person: u32, nth: u32) -> String {
        format!("{system}-{person:06}-{nth}")
    }

    /// Returns how many records there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes a CSV file.
    pub fn write_csv(&self, path: &Path) {
        let mut writer = csv::Writer::from_path(path).unwrap();
        writer.write_record(Self::COLUMNS).unwrap();
        for row in &self.rows {
            writer.write_record(row).unwrap();
        }
        writer.flush().unwrap();
    }

    /// Writes a Parquet file.
    pub fn write_parquet(&self, path: &Path) {
        let columns = Self::COLUMNS.iter().enumerate().map(|(at, name)| {
            let texts = self.rows.iter().map(|row| row[at].as_str());
            let texts = StringArray::from_iter_values(texts);
            (*name, Arc::new(texts) as ArrayRef)
        });
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let file = File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    /// Writes the table `customers` of a new SQLite file.
    pub fn write_sqlite(&self, path: &Path) {
        let rows = path.with_extension("rows.csv");
        self.write_csv(&rows);
        let made = Command::new("python3")
            .args(["-c", MAKE_SQLITE])
            .args([&rows, path])
            .status();
        assert!(made.unwrap().success());
        fs::remove_file(rows).unwrap();
    }

    /// Writes the table `customers` of a new DuckDB file, by DuckDB's own library.
    pub fn write_duckdb(&self, library: &Path, path: &Path) {
        let rows = path.with_extension("rows.csv");
        self.write_csv(&rows);
        let mut connection = connect(library, path);
        let mut statement = connection.new_statement().unwrap();
        let make = format!(
            "CREATE TABLE customers AS SELECT * FROM read_csv('{}', all_varchar = true)",
            rows.display()
        );
        statement.set_sql_query(make).unwrap();
        statement.execute_update().unwrap();
        fs::remove_file(rows).unwrap();
    }

    /// Makes the table `customers` of a PostgreSQL server.
    pub fn copy_to_postgres(&self, postgres: &Postgres) {
        let mut csv = csv::Writer::from_writer(Vec::new());
        for row in &self.rows {
            csv.write_record(row).unwrap();
        }
        let csv = String::from_utf8(csv.into_inner().unwrap()).unwrap();
        let columns = Self::COLUMNS.map(|name| format!("{name} text")).join(", ");
        postgres.sql(&format!(
            "CREATE TABLE customers ({columns}, PRIMARY KEY (id)); \
             COPY customers FROM STDIN (FORMAT csv);\n{csv}\\.\nANALYZE customers;"
        ));
    }

    /// Makes the table `customers` of a MariaDB server.
    pub fn insert_into_mariadb(&self, mariadb: &MariaDb) {
        let columns = Self::COLUMNS.map(|name| format!("{name} varchar(120)"));
        mariadb.sql(&format!(
            "CREATE TABLE customers ({}, PRIMARY KEY (id))",
            columns.join(", ")
        ));
        for rows in self.rows.chunks(INSERT_ROWS) {
            let mut sql = String::new();
            for row in rows {
                let start = if sql.is_empty() {
                    "INSERT INTO customers VALUES"
                } else {
                    ","
                };
                let cells = row.each_ref().map(|cell| cell.replace('\'', "''"));
                write!(sql, "{start} ('{}')", cells.join("', '")).unwrap();
            }
            mariadb.sql(&sql);
        }
    }
}

/// Opens a SQLite or DuckDB file by an ADBC driver alone.
///
/// # Panics
/// Panics if the driver cannot be loaded or the file cannot be opened.
pub fn connect(library: &Path, file: &Path) -> ManagedConnection {
    let (entry, option) = if library.ends_with("libduckdb.so") {
        (Some(&b"duckdb_adbc_init"[..]), "path")
    } else {
        (None, "uri")
    };
    let loaded = ManagedDriver::load_dynamic_from_filename(library, entry, AdbcVersion::V110);
    let path = file.display().to_string();
    let option: (OptionDatabase, OptionValue) = (option.into(), path.as_str().into());
    let database = loaded.unwrap().new_database_with_opts([option]).unwrap();
    database.new_connection().unwrap()
}
