//! Prints how fast records are found by key, beside a search of everything.
//!
//! `cargo run --release -p sameas-source --example measure_fetch -- FOLDER [ROWS]` writes files of so
//! many records (one million) into the folder, if they are not there, and takes one key and six keys from each.

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use sameas_source::{ScanRequest, Source, SourceSettings};

const BATCH_ROWS: u64 = 10_000;
const GROUP_ROWS: usize = 100_000;
const COLUMNS: [&str; 4] = ["id", "name", "mail", "city"];

/// How keys lie in a file.
#[derive(Clone, Copy)]
enum Order {
    Sorted,
    Mixed,
}

impl Order {
    fn record(self, at: u64, rows: u64) -> [String; 4] {
        let id = match self {
            Self::Sorted => at,
            // A step that shares no factor with the usual counts meets every record once.
            Self::Mixed => at * 611_953 % rows,
        };
        [
            format!("C-{id:09}"),
            format!("name {at} of the family {}", at % 977),
            format!("mail{at}@example.com"),
            format!("city {}", at % 5_000),
        ]
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("FOLDER is missing")?;
    let rows: u64 = arguments
        .next()
        .map_or(Ok(1_000_000), |rows| rows.parse())?;
    let folder = Path::new(&folder);
    write_csv(&folder.join("mixed.csv"), rows)?;
    write_parquet(&folder.join("sorted.parquet"), rows, Order::Sorted, false)?;
    write_parquet(&folder.join("mixed.parquet"), rows, Order::Mixed, false)?;
    write_parquet(&folder.join("bloom.parquet"), rows, Order::Mixed, true)?;
    for file in [
        "mixed.csv",
        "sorted.parquet",
        "mixed.parquet",
        "bloom.parquet",
    ] {
        for key_count in [1, 6] {
            measure(folder, file, rows, key_count).await?;
        }
    }
    Ok(())
}

/// Fetches keys that lie all over a file: by a search, as an expression needs it, then by key.
async fn measure(
    folder: &Path,
    file: &str,
    rows: u64,
    key_count: u64,
) -> Result<(), Box<dyn Error>> {
    let keys: Vec<String> = (1..=key_count)
        .map(|at| format!("C-{:09}", rows * at / 7))
        .collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let settings: SourceSettings = serde_json::from_value(serde_json::json!({
        "name": "measured", "uri": file, "key": "id", "fields": {}, "duplicate_keys": "merge",
    }))?;
    let source = Source::open(&settings, folder).await?;
    let request = |key: &str| ScanRequest {
        key: key.to_owned(),
        columns: ["name", "mail", "city"].map(str::to_owned).into(),
        filter: None,
    };
    let mut search = 0.0;
    for (what, key) in [
        ("search", "concat(id, '')"),
        ("search", "concat(id, '')"),
        ("first", "id"),
        ("second", "id"),
        ("third", "id"),
        ("fourth", "id"),
    ] {
        let start = Instant::now();
        let found = source.fetch(&request(key), &keys).await?;
        let seconds = start.elapsed().as_secs_f64();
        let count: usize = found.iter().map(RecordBatch::num_rows).sum();
        if what == "search" {
            search = seconds;
        }
        println!(
            "{file:<16} {what:<7} {count} records in {:>9.3} ms, {:>6.1} times the search",
            seconds * 1e3,
            search / seconds
        );
    }
    Ok(())
}

fn write_csv(path: &Path, rows: u64) -> Result<(), Box<dyn Error>> {
    if path.is_file() {
        return Ok(());
    }
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "{}", COLUMNS.join(","))?;
    for at in 0..rows {
        writeln!(file, "{}", Order::Mixed.record(at, rows).join(","))?;
    }
    Ok(file.flush()?)
}

fn write_parquet(path: &Path, rows: u64, order: Order, bloom: bool) -> Result<(), Box<dyn Error>> {
    if path.is_file() {
        return Ok(());
    }
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_column_bloom_filter_enabled("id".into(), bloom)
        .build();
    let mut writer = None;
    for start in (0..rows).step_by(BATCH_ROWS as usize) {
        let records = (start..rows.min(start + BATCH_ROWS)).map(|at| order.record(at, rows));
        let records: Vec<_> = records.collect();
        let column = |column: usize| -> ArrayRef {
            let texts = records.iter().map(|record| record[column].as_str());
            Arc::new(StringArray::from_iter_values(texts))
        };
        let columns = COLUMNS.iter().enumerate();
        let columns = columns.map(|(at, name)| (*name, column(at), true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(ArrowWriter::try_new(
                File::create(path)?,
                batch.schema(),
                Some(properties.clone()),
            )?),
        };
        writer.write(&batch)?;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(())
}
