//! How fast six systems are scanned, each beside the same query by its own client or driver.
//!
//! `cargo run --release -p sameas-tests --example measure_scans [-- PEOPLE]`
//!
//! Every system has two records of each of so many people (150,000). Both sides take all columns; the
//! client throws them away, the scan makes Arrow batches of them.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it measures and prints, and ends if something is missing"
)]

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use adbc_core::{Connection as _, Statement as _};

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sameas_source::{ScanRequest, Source, SourceSettings};
use sameas_tests::{MariaDb, Postgres, Table, connect, driver, people};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_stream::StreamExt as _;

const PERSON_COUNT: u32 = 150_000;
const ROUND_COUNT: usize = 5;

/// One system: what it is, who else reads it, and how.
struct System<'s> {
    name: &'s str,
    client: &'s str,
    settings: Value,
    /// Reads all by the client; returns the rows, if it counts them.
    read: Box<dyn Fn() -> Option<usize> + 's>,
}

/// Reads everything once; returns how long it took.
fn scan(runtime: &Runtime, settings: &SourceSettings, parts: usize, rows: usize) -> Duration {
    let request = ScanRequest {
        key: "id".to_owned(),
        columns: Table::COLUMNS[1..]
            .iter()
            .map(|&name| name.to_owned())
            .collect(),
        filter: None,
    };
    runtime.block_on(async {
        let source = Source::open(settings, Path::new("")).await.unwrap();
        let began = Instant::now();
        let streams = source.scan(&request, parts).await.unwrap();
        let counting = streams.into_iter().map(|mut stream| {
            tokio::spawn(async move {
                let mut count = 0;
                while let Some(batch) = stream.next().await {
                    count += batch.unwrap().num_rows();
                }
                count
            })
        });
        let mut count = 0;
        for part in counting.collect::<Vec<_>>() {
            count += part.await.unwrap();
        }
        assert_eq!(count, rows);
        began.elapsed()
    })
}

fn measure(runtime: &Runtime, system: &System<'_>, rows: usize) {
    let mut settings = system.settings.clone();
    let more = json!({ "name": "measured", "key": "id", "fields": {} });
    settings
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let settings: SourceSettings = serde_json::from_value(settings).unwrap();
    let mut least = [Duration::MAX; 3];
    for _ in 0..ROUND_COUNT {
        let began = Instant::now();
        let counted = (system.read)();
        let took = began.elapsed();
        assert_eq!(counted.unwrap_or(rows), rows);
        let ours = [1, 2].map(|parts| scan(runtime, &settings, parts, rows));
        for (least, took) in least.iter_mut().zip([took, ours[0], ours[1]]) {
            *least = took.min(*least);
        }
    }
    let [client, one, two] = least.map(|time| time.as_secs_f64());
    println!(
        "{:<10} {:<24} {client:.3} s   scan in one part {one:.3} s, speed {:.2}   \
         in two {two:.3} s, speed {:.2}   {:.0} thousand rows/s",
        system.name,
        system.client,
        client / one,
        client / two,
        rows as f64 / one.min(two) / 1e3
    );
}

/// Runs a client whose output nobody reads.
fn run(command: &mut Command) -> Option<usize> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
    None
}

fn by_driver(library: &Path, file: &Path, query: &str) -> usize {
    let mut connection = connect(library, file);
    let mut statement = connection.new_statement().unwrap();
    statement.set_sql_query(query).unwrap();
    let batches = statement.execute().unwrap();
    batches.map(|batch| batch.unwrap().num_rows()).sum()
}

fn main() {
    let count = std::env::args().nth(1);
    let count = count.map_or(PERSON_COUNT, |count| count.parse().unwrap());
    let (Some(sqlite), Some(duckdb)) = (driver("sqlite"), driver("duckdb")) else {
        return;
    };
    let (Some(postgres), Some(mariadb)) = (Postgres::start(), MariaDb::start()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (csv, parquet) = (path("customers.csv"), path("customers.parquet"));
    let (lite, duck) = (path("lite.db"), path("duck.db"));
    let table = Table::new("crm", &people(count, 17));
    table.write_csv(&csv);
    table.write_parquet(&parquet);
    table.write_sqlite(&lite);
    table.write_duckdb(&duckdb, &duck);
    table.copy_to_postgres(&postgres);
    table.insert_into_mariadb(&mariadb);
    let query = format!("SELECT {} FROM customers", Table::COLUMNS.join(", "));
    let copy = format!("COPY ({query}) TO STDOUT");
    let port = mariadb.port().to_string();
    let base = |library: &Path, file: &Path| json!({ "driver": library, "uri": file, "table": "customers" });
    let systems = [
        System {
            name: "PostgreSQL",
            client: "psql, COPY",
            settings: json!({ "uri": postgres.uri("postgres"), "table": "customers" }),
            read: Box::new(|| {
                run(Command::new("psql").args(["-q", "-c", &copy, &postgres.uri("postgres")]))
            }),
        },
        System {
            name: "MariaDB",
            client: "mariadb --quick",
            settings: json!({ "uri": mariadb.uri("root"), "table": "customers" }),
            read: Box::new(|| {
                let how = [
                    "--host=127.0.0.1",
                    "--user=root",
                    "--quick",
                    "--batch",
                    "--port",
                ];
                run(Command::new("mariadb")
                    .args(how)
                    .args([&port, "crm", "-e", &query]))
            }),
        },
        System {
            name: "SQLite",
            client: "ADBC driver",
            settings: base(&sqlite, &lite),
            read: Box::new(|| Some(by_driver(&sqlite, &lite, &query))),
        },
        System {
            name: "DuckDB",
            client: "its library, by ADBC",
            settings: base(&duckdb, &duck),
            read: Box::new(|| Some(by_driver(&duckdb, &duck, &query))),
        },
        System {
            name: "Parquet",
            client: "parquet's Arrow reader",
            settings: json!({ "uri": parquet }),
            read: Box::new(|| {
                let file = File::open(&parquet).unwrap();
                let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
                let batches = reader.with_batch_size(8_192).build().unwrap();
                Some(batches.map(|batch| batch.unwrap().num_rows()).sum())
            }),
        },
        System {
            name: "CSV",
            client: "the crate csv",
            settings: json!({ "uri": csv }),
            read: Box::new(|| {
                let mut reader = csv::Reader::from_path(&csv).unwrap();
                Some(reader.records().map(|row| usize::from(row.is_ok())).sum())
            }),
        },
    ];
    println!(
        "{} rows of {} columns, the least of {ROUND_COUNT}",
        table.len(),
        Table::COLUMNS.len()
    );
    let runtime = Runtime::new().unwrap();
    for system in &systems {
        measure(&runtime, system, table.len());
    }
}
