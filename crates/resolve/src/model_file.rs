//! The model beside the settings, and the secret of its frequency tokens.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sameas_matching::{FrequencyKey, MatchingPlan, Model, ModelError};

use crate::job::JobError;

/// Returns the file of the secret that belongs to a model file.
pub fn key_path(model_path: &Path) -> PathBuf {
    model_path.with_extension("key")
}

/// Reads the model if there is one and checks that it fits the settings.
pub(crate) fn read(
    path: &Path,
    plan: &MatchingPlan,
    key: &FrequencyKey,
) -> Result<Option<Model>, JobError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(path, error.to_string())),
    };
    let model: Model = serde_json::from_str(&text)
        .map_err(|e| wrong(path, format!("{e}; train again with `sameas train`")))?;
    let unfit = |cause| JobError::Model {
        path: path.to_owned(),
        cause,
    };
    model.check(plan).map_err(unfit)?;
    if model.key_id != key.id() {
        return Err(unfit(ModelError::OtherKey));
    }
    Ok(Some(model))
}

/// Writes the model whole or not at all.
pub(crate) fn write(path: &Path, model: &Model) -> Result<(), JobError> {
    let mut text =
        serde_json::to_string_pretty(model).expect("a model of finite numbers serialises");
    text.push('\n');
    write_whole(path, text.as_bytes(), 0o644)
}

/// Reads the secret, or makes it from random bytes for the first model.
pub(crate) fn secret(model_path: &Path, random: [u8; 32]) -> Result<FrequencyKey, JobError> {
    let path = key_path(model_path);
    match fs::read(&path) {
        Ok(bytes) => {
            let bytes: [u8; 32] = bytes.try_into().map_err(|_| {
                wrong(&path, "the key is not 32 bytes long; restore it, or delete it and the model and train again".to_owned())
            })?;
            Ok(FrequencyKey::new(bytes))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            write_whole(&path, &random, 0o600)?;
            Ok(FrequencyKey::new(random))
        }
        Err(error) => Err(wrong(&path, error.to_string())),
    }
}

fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), JobError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    remove_leftovers(path);
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        // Held until the file has its name: one that is not locked has lost its writer.
        file.lock()?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|error: std::io::Error| {
        let _ = fs::remove_file(&temporary);
        wrong(path, format!("cannot be written: {error}"))
    })
}

/// Removes what killed processes left beside a file: temporary files that nobody holds.
fn remove_leftovers(path: &Path) {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let prefix = path.with_extension("tmp-");
    let prefix = prefix.file_name().unwrap_or_default().as_encoded_bytes();
    // What cannot be looked at is not in the way either: the file to come has a name of its own.
    let entries = fs::read_dir(folder.unwrap_or(Path::new(".")))
        .into_iter()
        .flatten()
        .flatten();
    for entry in entries.filter(|e| e.file_name().as_encoded_bytes().starts_with(prefix)) {
        let left = fs::File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        if left {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn wrong(path: &Path, what: String) -> JobError {
    JobError::ModelFile {
        path: path.to_owned(),
        what,
    }
}
