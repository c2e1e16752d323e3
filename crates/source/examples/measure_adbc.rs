//! Measures a scan through the connector beside the same query by the driver alone.
//!
//! `measure_adbc DRIVER FILE TABLE KEY COLUMN…`
#![expect(clippy::print_stdout, reason = "figures are what this prints")]

use std::error::Error;
use std::time::{Duration, Instant};

use adbc_core::options::{AdbcVersion, OptionDatabase, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, Statement as _};
use adbc_driver_manager::{ManagedDatabase, ManagedDriver};
use futures::StreamExt;
use sameas_source::{ScanRequest, Source, SourceSettings};

const RUNS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [driver, file, table, key, columns @ ..] = arguments.as_slice() else {
        return Err("measure_adbc DRIVER FILE TABLE KEY COLUMN…".into());
    };
    let settings = serde_json::json!({
        "name": "it", "driver": driver, "uri": file, "table": table, "key": key, "fields": {},
    });
    let settings: SourceSettings = serde_json::from_value(settings)?;
    let request = ScanRequest {
        key: key.clone(),
        columns: columns.to_vec(),
        filter: None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let (mut alone, mut ours, mut opened) = (Vec::new(), Vec::new(), Vec::new());
    let mut counts = [0, 0];
    for _ in 0..RUNS {
        let database = database(driver, file)?;
        let began = Instant::now();
        counts[0] = by_driver(&database, table, key, columns)?;
        alone.push(began.elapsed());
        drop(database);
        let began = Instant::now();
        let source = runtime.block_on(Source::open(&settings, ".".as_ref()))?;
        opened.push(began.elapsed());
        let began = Instant::now();
        counts[1] = runtime.block_on(by_connector(&source, &request))?;
        ours.push(began.elapsed());
    }
    let ms = |times: &mut Vec<Duration>| {
        times.sort();
        times[RUNS / 2].as_secs_f64() * 1e3
    };
    let (alone, ours, opened) = (ms(&mut alone), ms(&mut ours), ms(&mut opened));
    println!(
        "rows {counts:?}: driver {alone:.1} ms, connector {ours:.1} ms, speed {:.2}; open {opened:.1} ms",
        alone / ours
    );
    Ok(())
}

async fn by_connector(source: &Source, request: &ScanRequest) -> Result<usize, Box<dyn Error>> {
    let mut rows = 0;
    for mut stream in source.scan(request, 1).await? {
        while let Some(batch) = stream.next().await {
            rows += batch?.num_rows();
        }
    }
    Ok(rows)
}

/// Loads the driver and opens the file.
fn database(library: &str, file: &str) -> Result<ManagedDatabase, Box<dyn Error>> {
    let is_duckdb = library.contains("duckdb");
    let (entry, option) = if is_duckdb {
        (Some(&b"duckdb_adbc_init"[..]), "path")
    } else {
        (None, "uri")
    };
    let mut driver = ManagedDriver::load_dynamic_from_filename(library, entry, AdbcVersion::V110)?;
    let options: [(OptionDatabase, OptionValue); 1] = [(option.into(), file.into())];
    Ok(driver.new_database_with_opts(options)?)
}

/// Connects and reads as a program does that knows one driver only.
fn by_driver(
    database: &ManagedDatabase,
    table: &str,
    key: &str,
    columns: &[String],
) -> Result<usize, Box<dyn Error>> {
    let mut statement = database.new_connection()?.new_statement()?;
    let quoted = |name: &str| format!("\"{name}\"");
    let columns: Vec<_> = std::iter::once(quoted(key))
        .chain(columns.iter().map(|column| quoted(column)))
        .collect();
    statement.set_sql_query(format!("SELECT {} FROM {table}", columns.join(", ")))?;
    let mut rows = 0;
    for batch in statement.execute()? {
        rows += batch?.num_rows();
    }
    Ok(rows)
}
