//! Files that are cut short at any moment of a rebuild (promise P3).

use std::fs::{self, File};
use std::thread;
use std::time::Instant;

use sameas_tests::{Draw, Layout, Systems, sameas};

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
    let began = Instant::now();
    assert_eq!(rebuild().code, Some(0));
    let took = began.elapsed();
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
