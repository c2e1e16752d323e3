//! The model beside the settings, and the secret of its frequency tokens.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use sameas_matching::{FrequencyKey, MatchingPlan, Model, ModelError};
use serde::{Deserialize, Serialize};

use crate::init::Existing;
use crate::job::JobError;
use crate::report::TrainReport;

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
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(path, error.to_string())),
    };
    let unread = |e| wrong(path, format!("{e}; train again with `sameas train`"));
    let unfit = |cause| JobError::Model {
        path: path.to_owned(),
        cause,
    };
    // First, because another format may lack what this one needs.
    let Format { format: found } = format_of(path, &text)?;
    Model::check_format(found).map_err(unfit)?;
    let model: Model = serde_json::from_str(&text).map_err(unread)?;
    model.check(plan).map_err(unfit)?;
    if model.key_id != key.id() {
        return Err(unfit(ModelError::OtherKey));
    }
    Ok(Some(model))
}

/// What a model file says of itself in every format.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Reads what a file says of itself; a file that says nothing is no model and not ours to replace.
fn format_of(path: &Path, text: &str) -> Result<Format, JobError> {
    serde_json::from_str(text).map_err(|_| {
        wrong(
            path,
            "is there and is no model; name another file in [graph] model, or move it away and train again with `sameas train`"
                .to_owned(),
        )
    })
}

/// Refuses to train into a file that is something else than a model.
pub(crate) fn refuse_other_file(path: &Path) -> Result<(), JobError> {
    match fs::read(path) {
        Ok(bytes) => format_of(path, &String::from_utf8_lossy(&bytes)).map(drop),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(wrong(path, error.to_string())),
    }
}

/// Refuses a model whose key is gone: a new one would hide that.
pub(crate) fn refuse_lost_key(path: &Path) -> Result<(), JobError> {
    let key = key_path(path);
    let is_lost = path.exists() && matches!(key.try_exists(), Ok(false));
    if is_lost {
        let message = format!(
            "its key {} is missing; restore it, or make both anew with `sameas train`",
            key.display()
        );
        return Err(wrong(path, message));
    }
    Ok(())
}

/// Writes the model whole or not at all, and what training saw beside it if it was trained here.
///
/// The model comes last: whoever is killed before has to train again, and then removes what is left.
pub(crate) fn write(
    path: &Path,
    model: &Model,
    trained: Option<&TrainReport>,
) -> Result<(), JobError> {
    if let Some(trained) = trained {
        write_training(path, model, trained)?;
    }
    let mut text =
        serde_json::to_string_pretty(model).expect("a model of finite numbers serialises");
    text.push('\n');
    write_whole(path, text.as_bytes(), 0o644, rename)
}

/// Writes a report beside the model or the graph, whole or not at all.
pub(crate) fn write_report(path: &Path, bytes: &[u8]) -> Result<(), JobError> {
    write_whole(path, bytes, 0o644, rename)
}

/// Returns the file of what training saw that belongs to a model file.
pub(crate) fn training_path(model_path: &Path) -> PathBuf {
    model_path.with_extension("training.json")
}

/// What training saw, with the model that came of it.
#[derive(Serialize, Deserialize)]
struct TrainingRecord {
    /// The digest of the model, hexadecimal.
    model: String,
    report: TrainReport,
}

/// Writes what training saw beside the model, without what differs from run to run.
fn write_training(model_path: &Path, model: &Model, report: &TrainReport) -> Result<(), JobError> {
    let record = TrainingRecord {
        model: format!("{:016x}", model.digest()),
        report: TrainReport {
            stages: Vec::new(),
            ..report.clone()
        },
    };
    let mut text =
        serde_json::to_string_pretty(&record).expect("a report of finite numbers serialises");
    text.push('\n');
    write_report(&training_path(model_path), text.as_bytes())
}

/// Reads what the training of a model saw, if it is kept beside the model file.
pub(crate) fn read_training(model_path: &Path, digest: u64) -> Option<TrainReport> {
    let text = fs::read_to_string(training_path(model_path)).ok()?;
    let record: TrainingRecord = serde_json::from_str(&text).ok()?;
    (record.model == format!("{digest:016x}")).then_some(record.report)
}

/// Reads the model that a revision was weighed by, if the file still holds it.
pub(crate) fn read_by_digest(path: &Path, digest: u64) -> Option<Model> {
    let model: Model = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    (model.digest() == digest).then_some(model)
}

/// Writes settings whole or not at all; those that are there only give way if they are to be replaced.
pub(crate) fn write_settings(path: &Path, text: &str, existing: Existing) -> Result<(), JobError> {
    let folder = folder_of(path);
    fs::create_dir_all(folder).map_err(|error| wrong(folder, error.to_string()))?;
    let place = match existing {
        Existing::Keep => name_if_free,
        Existing::Replace => rename,
    };
    write_whole(path, text.as_bytes(), 0o644, place)
}

/// Gives a model of other settings another name, and tells it if there was one.
///
/// What training saw of it stays where it is: it names the model that it belongs to. So does the
/// key, which the next model takes over.
pub(crate) fn set_aside(path: &Path) -> Result<Option<PathBuf>, JobError> {
    refuse_other_file(path)?;
    let aside = path.with_extension("old.json");
    match fs::rename(path, &aside) {
        Ok(()) => Ok(Some(aside)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(path, format!("cannot be set aside: {error}"))),
    }
}

/// Reads the secret, or makes it from random bytes for the first model.
pub(crate) fn secret(model_path: &Path, random: [u8; 32]) -> Result<FrequencyKey, JobError> {
    let path = key_path(model_path);
    if let Some(key) = read_secret(&path)? {
        return Ok(key);
    }
    write_whole(&path, &random, 0o600, name_if_free)?;
    // Another process may have been first; the tokens of both must be made with one key.
    read_secret(&path)?.ok_or_else(|| wrong(&path, "was removed while it was made".to_owned()))
}

fn read_secret(path: &Path) -> Result<Option<FrequencyKey>, JobError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(path, error.to_string())),
    };
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| {
        wrong(
            path,
            "the key is not 32 bytes long; restore it, or delete it and the model and train again"
                .to_owned(),
        )
    })?;
    Ok(Some(FrequencyKey::new(bytes)))
}

/// Gives a temporary file its name.
type Place = fn(&Path, &Path) -> io::Result<()>;

/// Replaces the file of this name, if there is one.
fn rename(temporary: &Path, path: &Path) -> io::Result<()> {
    fs::rename(temporary, path)
}

/// Leaves the file of this name, if there is one.
fn name_if_free(temporary: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        Ok(()) => fs::remove_file(temporary),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => fs::remove_file(temporary),
        // Some file systems know no second name of a file.
        Err(_) => fs::rename(temporary, path),
    }
}

/// Writes a file that is there whole or not at all, even after a power cut.
fn write_whole(path: &Path, bytes: &[u8], mode: u32, place: Place) -> Result<(), JobError> {
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
        place(&temporary, path)?;
        fs::File::open(folder_of(path))?.sync_all()
    };
    write().map_err(|error: io::Error| {
        let _ = fs::remove_file(&temporary);
        wrong(
            path,
            format!("cannot be written: {error}; make room or mend the disk, then run it again"),
        )
    })
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Removes what killed processes left beside a file: temporary files that nobody holds.
fn remove_leftovers(path: &Path) {
    let prefix = path.with_extension("tmp-");
    let prefix = prefix.file_name().unwrap_or_default().as_encoded_bytes();
    // What cannot be looked at is not in the way either: the file to come has a name of its own.
    let entries = fs::read_dir(folder_of(path))
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// Two processes that made the first key each replaced the other's, and one had made its tokens
    /// with a key that was gone. The first key now stays, and whoever comes later reads it.
    #[test]
    fn the_first_key_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = key_path(&folder.path().join("m.json"));
        // Both have found no key and go on to make one.
        write_whole(&path, &[1; 32], 0o600, name_if_free).unwrap();
        write_whole(&path, &[2; 32], 0o600, name_if_free).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [1; 32]);
        let read = secret(&folder.path().join("m.json"), [3; 32]).unwrap();
        assert_eq!(read.id(), FrequencyKey::new([1; 32]).id());
        let names = fs::read_dir(folder.path()).unwrap();
        assert_eq!(names.count(), 1, "nothing temporary is left");
    }

    /// `train` replaced whatever `[graph] model` named, be it a source.
    #[test]
    fn a_file_that_is_no_model_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crm.csv");
        assert!(refuse_other_file(&path).is_ok());
        fs::write(&path, "id,surname\n17,smith\n").unwrap();
        let refused = refuse_other_file(&path).unwrap_err().to_string();
        assert!(refused.contains("is no model"), "{refused}");
        assert!(!refused.contains("smith"), "{refused}");
        fs::write(&path, r#"{ "format": 1 }"#).unwrap();
        assert!(refuse_other_file(&path).is_ok());
    }

    /// A rebuild made a new key beside a model whose key was gone, which hid that it was.
    #[test]
    fn a_lost_key_is_not_made_anew_beside_its_model() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.json");
        assert!(refuse_lost_key(&path).is_ok());
        fs::write(&path, "{}").unwrap();
        let refused = refuse_lost_key(&path).unwrap_err().to_string();
        assert!(refused.contains("m.key is missing"), "{refused}");
        secret(&path, [1; 32]).unwrap();
        assert!(refuse_lost_key(&path).is_ok());
    }

    #[test]
    fn a_key_that_is_made_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("m.json");
        secret(&model, [1; 32]).unwrap();
        let mode = fs::metadata(key_path(&model)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_model_of_another_format_says_so_whatever_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.json");
        fs::write(
            &path,
            r#"{ "format": 1, "comparisons": [{ "name": "email" }] }"#,
        )
        .unwrap();
        let plan = MatchingPlan::new(&sameas_record::Schema::default(), &[], &[], &[]).unwrap();
        let error = read(&path, &plan, &FrequencyKey::new([0; 32])).unwrap_err();
        let JobError::Model { cause, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(cause, ModelError::Format { found: 1 });
    }
}
