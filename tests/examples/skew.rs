//! A million records that all share one phone, beside the same records without phones.
//!
//! `cargo run --release --locked --example skew -- 1000000 3` makes them, rebuilds both so
//! many times in turn, the model trained each time, and prints the least CPU seconds and time of each, their
//! ratios, and the lines of the report that name the hot rule. It fails if the phone costs more than twice the CPU.
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use sameas_resolve::RebuildReport;
use sameas_tests::{Layout, Systems, rebuild};

/// How many records the systems hold per person, in hundredths.
const RECORDS_PER_100_PEOPLE: u64 = 248;
const SEED: u64 = 26;
/// What sharing a phone may cost.
const RATIO_MAX: f64 = 2.0;

/// Rules of which each finds about as many pairs as there are records.
const BLOCKS: [&[&str]; 6] = [
    &["email"],
    &["phone"],
    &["surname", "dob"],
    &["given_name", "dob"],
    &["postcode", "surname"],
    &["street", "city"],
];

/// The least that rebuilds took.
struct Cost {
    cpu_seconds: f64,
    seconds: f64,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |usual| {
        let given = arguments.next().and_then(|text| text.parse().ok());
        given.unwrap_or(usual)
    };
    let (records, rounds) = (number(1_000_000), number(3));
    let folders = [temporary(), temporary()];
    let people = records * 100 / RECORDS_PER_100_PEOPLE;
    let mut systems = Systems::new(people as u32, SEED);
    let settings = [None, Some("+14155550100")].map(|phone| {
        let all = systems.records.iter_mut().flatten();
        all.for_each(|record| record.phone = phone.map(str::to_owned));
        write(&systems, folders[usize::from(phone.is_some())].path())
    });
    drop(systems);
    let mut costs = [(); 2].map(|()| Cost {
        cpu_seconds: f64::INFINITY,
        seconds: f64::INFINITY,
    });
    let mut skewed = RebuildReport::default();
    for _ in 0..rounds.max(1) {
        for (cost, settings) in costs.iter_mut().zip(&settings) {
            skewed = measure(settings, cost);
        }
    }
    let [plain, hot] = &costs;
    let ratio = hot.cpu_seconds / plain.cpu_seconds;
    println!(
        "{} records: {:.2} CPU s without phones, {:.2} with one ({ratio:.2} times); {:.2} s and {:.2} s ({:.2} times)",
        skewed.records,
        plain.cpu_seconds,
        hot.cpu_seconds,
        plain.seconds,
        hot.seconds,
        hot.seconds / plain.seconds
    );
    let text = skewed.render();
    let named = text.lines().filter(|line| line.contains("refined"));
    named.for_each(|line| println!("{line}"));
    println!("the largest entity has {} records", skewed.largest_cluster);
    if ratio <= RATIO_MAX {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// Writes the systems, with rules of this example's own.
fn write(systems: &Systems, folder: &Path) -> PathBuf {
    let path = systems.write(folder, &Layout::default());
    let text = fs::read_to_string(&path).expect("the settings were just written");
    let rules_from = text.find("[[rule]]").expect("the settings have rules");
    let mut text = text[..rules_from].to_owned();
    for on in BLOCKS {
        text = format!("{text}[[block]]\non = {on:?}\n");
    }
    fs::write(&path, text).expect("the folder is this example's own");
    path
}

/// Rebuilds from nothing, keeps the least it took, and leaves nothing behind.
fn measure(settings: &Path, cost: &mut Cost) -> RebuildReport {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    let report = rebuild(settings, threads);
    cost.seconds = cost.seconds.min(began.elapsed().as_secs_f64());
    let stages = report.stages.iter();
    let cpu_seconds = stages.map(|stage| stage.cpu_seconds).sum();
    cost.cpu_seconds = cost.cpu_seconds.min(cpu_seconds);
    let folder = settings.parent().expect("settings lie in a folder");
    fs::remove_dir_all(folder.join("graph")).expect("a rebuild makes a graph");
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("sameas.model") {
            fs::remove_file(&path).expect("the model is this example's own");
        }
    }
    report
}
