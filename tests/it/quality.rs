//! How well clusters agree with the truth, by set, at the thresholds the settings name and a
//! model trained without labels.
//!
//! The sets lie in `../shared`, beside the clone; where they do not, nothing can be held to them
//! and the test says so. The generated customers need python3, numpy, pyarrow and `names`, which
//! a virtual environment below `target` gets from the package index.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use sameas_tests::{Ran, sameas};
use serde_json::Value;

/// The sets, and the least pairwise F1 they are held to.
const SETS: [(&str, f64); 6] = [
    ("febrl3", 0.99),
    ("febrl4", 0.995),
    ("fake_1000", 0.88),
    ("dblp_acm", 0.93),
    ("senzing", 0.85),
    (CUSTOMERS, 0.88),
];
/// The set that is generated.
const CUSTOMERS: &str = "customers";
const CUSTOMER_COUNT: &str = "100k";

/// One line of the table.
struct Line {
    set: &'static str,
    bound: f64,
    records: u64,
    precision: f64,
    recall: f64,
    f1: f64,
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the sets lie: beside the clone.
fn shared() -> PathBuf {
    package().join("../../shared")
}

/// Tells people something also when the test passes; print macros would be captured.
fn tell(text: &str) {
    // If stderr is gone nobody is left to tell.
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// A folder that looks to a set's settings as their own place does: `../../../../shared` is
/// where they expect it, and the graph comes to lie beside the copy.
fn place(root: &Path, set: &str) -> PathBuf {
    let beside = root.join("shared");
    if !beside.exists() {
        symlink(fs::canonicalize(shared()).unwrap(), &beside).unwrap();
    }
    let folder = root.join("main/tests/quality").join(set);
    fs::create_dir_all(&folder).unwrap();
    let settings = folder.join("sameas.toml");
    fs::copy(
        package().join("quality").join(set).join("sameas.toml"),
        &settings,
    )
    .unwrap();
    settings
}

fn json(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Rebuilds a set and asks `sameas evaluate`.
fn measure(settings: &Path, truth: &Path, (set, bound): (&'static str, f64)) -> Line {
    let report = json(&sameas(
        settings,
        &["rebuild", "--quiet", "--format", "json"],
    ));
    assert!(report["trained"].is_object(), "{set} was not trained here");
    let truth = truth.to_str().unwrap();
    let found = json(&sameas(
        settings,
        &["evaluate", "--truth", truth, "--format", "json"],
    ));
    assert_eq!(found["missing"], 0, "{set}: {found}");
    let figure = |name: &str| found["pairwise"][name].as_f64().unwrap();
    Line {
        set,
        bound,
        records: report["records"].as_u64().unwrap(),
        precision: figure("precision"),
        recall: figure("recall"),
        f1: figure("f1"),
    }
}

fn table(lines: &[Line]) -> String {
    let mut text = format!(
        "{:<12}{:>9}{:>11}{:>9}{:>9}{:>9}\n",
        "set", "records", "precision", "recall", "F1", "bound"
    );
    for line in lines {
        let Line {
            set,
            bound,
            records,
            precision,
            recall,
            f1,
        } = line;
        let mark = if f1 < bound { "  TOO LOW" } else { "" };
        let _ = writeln!(
            text,
            "{set:<12}{records:>9}{precision:>11.4}{recall:>9.4}{f1:>9.4}{bound:>9.3}{mark}"
        );
    }
    text
}

#[test]
fn clusters_agree_with_the_truth_at_least_as_promised() {
    if !shared().join("data").is_dir() {
        tell("quality: SKIPPED, there are no sets in ../shared/data beside this clone");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let mut lines = Vec::new();
    for (set, bound) in SETS {
        let settings = place(root.path(), set);
        let truth = if set == CUSTOMERS {
            match customers() {
                Ok(data) => bring(&data, settings.parent().unwrap()),
                Err(why) => {
                    tell(&format!(
                        "quality of {set}: SKIPPED, they cannot be generated: {why}"
                    ));
                    continue;
                }
            }
        } else {
            shared().join("data").join(set).join("truth.csv")
        };
        lines.push(measure(&settings, &truth, (set, bound)));
    }
    let table = table(&lines);
    tell(&format!("\n{table}"));
    assert!(lines.iter().all(|line| line.f1 >= line.bound), "\n{table}");
}

/// Links generated files to where the settings look for them; returns the truth.
fn bring(data: &Path, folder: &Path) -> PathBuf {
    for name in ["crm", "shop", "support", "loyalty", "truth"] {
        let file = format!("{name}.parquet");
        symlink(data.join(&file), folder.join(&file)).unwrap();
    }
    folder.join("truth.parquet")
}

/// Generates the customers once for all runs; returns their folder.
fn customers() -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("quality");
    let folder = home.join(format!("{CUSTOMERS}-{CUSTOMER_COUNT}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(&home).map_err(|error| error.to_string())?;
    let python = python(&home.join("venv"))?;
    // Whole or not at all: what was interrupted is never taken for the data.
    let unfinished = home.join(format!("unfinished-{}", std::process::id()));
    let generator = shared().join("gen/gen.py");
    call(
        Command::new(python)
            .arg(generator)
            .arg(&unfinished)
            .args(["--records", CUSTOMER_COUNT]),
    )?;
    fs::rename(&unfinished, &folder).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// Returns a python that has what the generator needs.
fn python(environment: &Path) -> Result<PathBuf, String> {
    let own = environment.join("bin/python3");
    for python in [PathBuf::from("python3"), own.clone()] {
        if call(Command::new(&python).args(["-c", "import numpy, pyarrow, names"])).is_ok() {
            return Ok(python);
        }
    }
    call(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(environment),
    )?;
    let packages = [
        "-m", "pip", "install", "--quiet", "numpy", "pyarrow", "names",
    ];
    call(Command::new(&own).args(packages))?;
    Ok(own)
}

/// Runs a command to its end; if it fails, returns the end of what it said.
fn call(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim().lines().last().unwrap_or_default().to_owned();
    Err(format!(
        "{}: {last}",
        Path::new(command.get_program()).display()
    ))
}
