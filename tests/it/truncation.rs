//! Files that are cut short at any moment of a rebuild (promise P3).

use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use sameas_resolve::Settings;
use sameas_source::{ScanError, ScanRequest, Source, SourceSettings};
use sameas_tests::{Draw, Layout, Systems, sameas};
use tokio_stream::StreamExt as _;

use crate::sources::texts;

/// How many rebuilds have a file cut short while they run.
const CUT_COUNT: usize = 200;

/// So many at least have to notice, or the cuts come too late to show anything.
const NOTICED_MIN: usize = CUT_COUNT / 4;

/// What there is of each system.
const FILES: [&str; 3] = [
    "crm/part-0.csv",
    "desk/part-0.ndjson",
    "shop/part-0.parquet",
];

#[test]
fn a_file_that_is_cut_short_publishes_nothing_torn_and_deletes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Systems::new(400, 6).write(folder.path(), &Layout::default());
    let rebuild = || sameas(&settings, &["rebuild", "--quiet"]);
    let export = || sameas(&settings, &["export"]).stdout;
    assert_eq!(rebuild().code, Some(0));
    // The least of several: cuts that come after the end of a rebuild show nothing.
    let timed = || {
        let began = Instant::now();
        assert_eq!(rebuild().code, Some(0));
        began.elapsed()
    };
    let took = (0..5).map(|_| timed()).min().unwrap();
    let before = export();
    let files = FILES.map(|name| {
        let path = folder.path().join(name);
        let whole = fs::read(&path).unwrap();
        (path, whole)
    });
    let current = folder.path().join("graph/current");
    let mut draw = Draw::new(79);
    let mut noticed = 0;
    for number in 0..CUT_COUNT {
        let (path, whole) = &files[number % files.len()];
        let pointed = fs::read(&current).unwrap();
        // What is left is less than a source may shrink to.
        let len = draw.below(whole.len() * 3 / 4);
        let wait = took.mul_f64(draw.fraction());
        let ran = thread::scope(|scope| {
            let running = scope.spawn(rebuild);
            thread::sleep(wait);
            let file = File::options().write(true).open(path).unwrap();
            file.set_len(len as u64).unwrap();
            running.join().unwrap()
        });
        match ran.code {
            // All of it was read before.
            Some(0) => assert_eq!(export(), before, "cut {number}"),
            Some(2) => {
                noticed += 1;
                let source = FILES[number % files.len()].split('/').next().unwrap();
                assert!(
                    ran.stderr.contains(source),
                    "cut {number} after {wait:?} to {len} bytes: {}",
                    ran.stderr
                );
                assert_eq!(fs::read(&current).unwrap(), pointed, "cut {number}");
            }
            _ => panic!("cut {number} after {wait:?} to {len} bytes: {ran:?}"),
        }
        fs::write(path, whole).unwrap();
    }
    assert!(noticed >= NOTICED_MIN, "{noticed} of {CUT_COUNT} noticed");
    assert_eq!(export(), before);
}

/// Cuts files by a little, which no count of records would show, at a random moment of a scan: after
/// so many batches. Returns how many scans noticed.
async fn scans_of_files_that_lose_their_end(settings: &Settings, folder: &Path) -> usize {
    let mut draw = Draw::new(80);
    let mut noticed = 0;
    for number in 0..CUT_COUNT {
        let source = &settings.sources[number % FILES.len()];
        let path = folder.join(FILES[number % FILES.len()]);
        let whole = fs::read(&path).unwrap();
        let (request, _) = ScanRequest::for_settings(source);
        let records = texts(&scan(source, folder, &request, || {}).await.unwrap());
        let lost = 1 + draw.below(whole.len() / 20);
        let mut before = draw.below(12);
        let cut = || {
            if before == 0 {
                let file = File::options().write(true).open(&path).unwrap();
                file.set_len((whole.len() - lost) as u64).unwrap();
            }
            before = before.wrapping_sub(1);
        };
        match scan(source, folder, &request, cut).await {
            Ok(batches) => assert_eq!(texts(&batches), records, "cut {number} of {lost} bytes"),
            Err(error) => {
                noticed += 1;
                assert!(error.contains(&source.name), "cut {number}: {error}");
            }
        }
        fs::write(&path, whole).unwrap();
    }
    noticed
}

/// Scans a source in one go, and does something before each batch.
async fn scan(
    source: &SourceSettings,
    folder: &Path,
    request: &ScanRequest,
    mut between: impl FnMut(),
) -> Result<Vec<RecordBatch>, String> {
    let open = Source::open(source, folder).await.unwrap();
    let mut batches = Vec::new();
    between();
    let streams = open.scan(request, 1).await;
    for mut stream in streams.map_err(|error| error.to_string())? {
        between();
        while let Some(batch) = stream.next().await {
            batches.push(batch.map_err(|e| ScanError::from_stream(&source.name, &e).to_string())?);
            between();
        }
    }
    Ok(batches)
}

#[test]
fn a_scan_of_a_file_that_loses_its_end_is_whole_or_fails() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout {
        batch_rows: 256,
        ..Layout::default()
    };
    let path = Systems::new(6_000, 15).write(folder.path(), &layout);
    let settings = Settings::load(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let scans = scans_of_files_that_lose_their_end(&settings, folder.path());
    let noticed = runtime.unwrap().block_on(scans);
    assert!(noticed >= NOTICED_MIN, "{noticed} of {CUT_COUNT} noticed");
}
