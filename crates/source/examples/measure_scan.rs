//! Prints how fast a source is scanned: a table of a database, or files.
//!
//! `cargo run --release -p sameas-source --example measure_scan -- URI KEY COLUMN,… [TABLE] [partitions]`

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use futures::TryStreamExt;
use futures::future::try_join_all;
use sameas_source::{ScanRequest, Source, SourceSettings};

const ROUND_COUNT: u32 = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or_else(|| format!("{what} is missing"));
    let (uri, key, columns) = (next("URI")?, next("KEY")?, next("COLUMN,…")?);
    let table = next("TABLE").ok();
    let partitions = next("partitions").map_or(Ok(1), |count| count.parse())?;
    let settings: SourceSettings = serde_json::from_value(serde_json::json!({
        "name": "measured", "uri": uri, "table": table, "key": key, "fields": {},
    }))?;
    let request = ScanRequest {
        key,
        columns: columns.split(',').map(str::to_owned).collect(),
        filter: None,
    };
    let source = Source::open(&settings, Path::new("")).await?;
    for _ in 0..ROUND_COUNT {
        let start = Instant::now();
        let streams = source.scan(&request, partitions).await?;
        let counts = streams.into_iter().map(|stream| {
            tokio::spawn(stream.try_fold(
                0,
                |count, batch| async move { Ok(count + batch.num_rows()) },
            ))
        });
        let counts = try_join_all(counts).await?;
        let rows: usize = counts.into_iter().sum::<Result<usize, _>>()?;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{rows} rows in {seconds:.3} s, {:.0} rows/s",
            rows as f64 / seconds
        );
    }
    Ok(())
}
