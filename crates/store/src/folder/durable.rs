//! Files that are there whole or not at all, even after a power cut.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".tmp";

/// Returns the name a file bears until it is complete.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{SUFFIX}"))
}

/// Returns whether a file never became complete.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(SUFFIX)
}

/// Replaces a file: whoever opens it sees all old or all new bytes.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    prepare(path, bytes)?;
    put_in_place(path)?;
    sync_parent(path)
}

/// Writes and syncs a file under its temporary name; removes it again if that fails.
pub(super) fn prepare(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.inspect_err(|_| discard(path))
}

/// Gives a prepared file its name; removes it if that fails.
pub(super) fn put_in_place(path: &Path) -> io::Result<()> {
    fs::rename(temporary(path), path).inspect_err(|_| discard(path))
}

/// Removes a file that never became complete.
pub(super) fn discard(path: &Path) {
    // If this fails, too, the next publisher removes it.
    drop(fs::remove_file(temporary(path)));
}

/// Creates a folder, and those above it that are missing, so that they outlive a power cut.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|path| !path.exists()).collect();
    fs::create_dir_all(path)?;
    missing.into_iter().rev().try_for_each(sync_parent)
}

/// Makes names in the folder of a file outlive a power cut.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent();
    let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
    sync_folder(parent.unwrap_or(Path::new(".")))
}

/// Makes names in a folder outlive a power cut.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Other systems neither allow nor need it.
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}
