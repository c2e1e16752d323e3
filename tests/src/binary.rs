//! The `sameas` binary, and what it says when it is run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;
use std::{env, fs, str};

/// What a run of the binary left behind.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit code; nothing if a signal ended it.
    pub code: Option<i32>,
    /// What it printed as data.
    pub stdout: String,
    /// What it printed beside.
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// Returns the path of the binary that belongs to the sources as they are now.
///
/// A test run of the whole workspace has built it; a run of this package alone has not, so then
/// it is built here, once.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let path = profile_folder().join(format!("sameas{}", env::consts::EXE_SUFFIX));
        if !is_current(&path) {
            build();
        }
        assert!(path.is_file(), "{}: was not built", path.display());
        path
    })
}

/// Runs the binary to its end.
pub fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Ran {
    let output = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    output.unwrap().into()
}

/// Runs a command of the binary on a settings file.
pub fn sameas(settings: &Path, arguments: &[&str]) -> Ran {
    let mut all: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    all.extend([OsStr::new("--config"), settings.as_os_str()]);
    run(&all)
}

/// Returns `target/debug` or its like: the folder above that of the test's or example's executable.
fn profile_folder() -> PathBuf {
    let executable = env::current_exe().unwrap();
    let deps = executable.parent().unwrap();
    let is_deps = ["deps", "examples"]
        .map(OsStr::new)
        .map(Some)
        .contains(&deps.file_name());
    if is_deps {
        deps.parent().unwrap().to_owned()
    } else {
        deps.to_owned()
    }
}

/// Tells whether the binary is there and younger than all that it is made from.
fn is_current(binary: &Path) -> bool {
    let Ok(built) = fs::metadata(binary).and_then(|found| found.modified()) else {
        return false;
    };
    let crates = workspace().join("crates");
    let made_from = [
        "api", "cli", "graph", "matching", "record", "resolve", "server", "source", "store",
    ];
    made_from.iter().all(|name| {
        let folder = crates.join(name);
        let sources = crate::paths_below(&folder.join("src"))
            .into_iter()
            .map(|p| folder.join("src").join(p));
        let mut inputs = sources.chain([folder.join("Cargo.toml")]);
        inputs.all(|input| changed(&input) <= built)
    })
}

fn changed(path: &Path) -> SystemTime {
    fs::metadata(path)
        .and_then(|found| found.modified())
        .unwrap()
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Builds the binary in the profile and target folder of this test.
fn build() {
    let folder = profile_folder();
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    // All members, as for a test run of the workspace: dependencies are taken with the features
    // of that run and not built again.
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(workspace())
        .args([
            "build",
            "--workspace",
            "--bin",
            "sameas",
            "--profile",
            profile,
        ])
        .arg("--target-dir")
        .arg(folder.parent().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the binary cannot be built:\n{said}"
    );
}
