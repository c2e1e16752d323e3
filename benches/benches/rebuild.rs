//! A whole rebuild: Parquet and text in, a published revision out, the model trained before.
//!
//! A million records take minutes; they are measured with `SAMEAS_BENCH_LARGE=1`.
#![expect(
    clippy::print_stderr,
    reason = "the stages of a rebuild are shown beside its time"
)]

use std::path::Path;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sameas_resolve::{JobOptions, RebuildReport};
use sameas_tests::{Layout, Systems, options, rebuild_with};

const SIZES: [u64; 2] = [10_000, 1_000_000];
/// How many records the sample systems hold per person, in hundredths.
const RECORDS_PER_100_PEOPLE: u64 = 248;
const SEED: u64 = 26;

fn all_threads() -> JobOptions {
    options(std::thread::available_parallelism().map_or(1, usize::from))
}

/// Removes the graph, so that the next rebuild is a first one, and keeps the model.
fn forget(graph: &Path) {
    if graph.exists() {
        std::fs::remove_dir_all(graph).expect("the graph is this bench's own");
    }
}

fn run(settings: &Path) -> RebuildReport {
    rebuild_with(settings, &all_threads()).expect("the sample systems are sound")
}

fn rebuild(criterion: &mut Criterion) {
    let large = std::env::var_os("SAMEAS_BENCH_LARGE").is_some();
    let mut group = criterion.benchmark_group("rebuild");
    for size in SIZES.into_iter().filter(|&size| large || size <= 10_000) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let systems = Systems::new((size * 100 / RECORDS_PER_100_PEOPLE) as u32, SEED);
        let settings = systems.write(folder.path(), &Layout::default());
        let graph = folder.path().join("graph");
        let len = systems.len() as u64;
        drop(systems);
        let report = run(&settings);
        eprintln!(
            "{} records, {} pairs; stages of the first run:",
            report.records, report.pairs
        );
        for stage in &report.stages {
            let mib = stage.peak_bytes >> 20;
            eprintln!(
                "  {:10} {:8.3} s, peak {mib} MiB",
                stage.stage, stage.seconds
            );
        }
        group.throughput(Throughput::Elements(len));
        group.bench_function(BenchmarkId::new("first", size), |bencher| {
            bencher.iter_batched(
                || forget(&graph),
                |()| run(&settings),
                BatchSize::PerIteration,
            );
        });
        group.bench_function(BenchmarkId::new("next", size), |bencher| {
            bencher.iter(|| run(&settings));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(5));
    targets = rebuild
}
criterion_main!(benches);
