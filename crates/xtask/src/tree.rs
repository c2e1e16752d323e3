//! Where the files of this repository are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Returns the top folder of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("this crate lies in crates/xtask")
        .to_path_buf()
}

/// Returns every Rust file that people write, relative to the root, sorted.
pub(crate) fn rust_files() -> Result<Vec<PathBuf>> {
    let root = root();
    let mut files = Vec::new();
    for top in ["crates", "tests", "benches"] {
        collect(&root.join(top), &mut files)?;
    }
    let mut relative: Vec<PathBuf> = files
        .into_iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|file| file.strip_prefix(&root).map(Path::to_path_buf).ok())
        .collect();
    relative.sort();
    Ok(relative)
}

/// Returns every file below a folder, sorted.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("list {}", folder.display()))?
            .path();
        if !path.is_dir() {
            files.push(path);
        } else if !is_foreign(&path) {
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// Generated and built files are nobody's writing.
fn is_foreign(folder: &Path) -> bool {
    folder
        .file_name()
        .is_some_and(|name| name == "target" || name == "generated")
}
