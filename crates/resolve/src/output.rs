//! Where a report or an export may be written: never over a file that the settings name.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::settings::Settings;
use crate::{key_path, model_file};

/// Why a file is not written.
#[derive(Debug, Error)]
#[error("{} is {what}, which writing would destroy; name another file", .path.display())]
pub struct OutputError {
    /// The file.
    pub path: PathBuf,
    /// What it is to the settings.
    pub what: String,
}

/// Refuses to write over what the settings name, or over one of further files.
///
/// # Errors
/// Says what the file is: the settings, the model or what belongs to it, a source, or one of the
/// further files; and anything in the folder of the graph.
pub fn refuse_output(
    settings: &Settings,
    further: &[(&Path, &str)],
    output: &Path,
) -> Result<(), OutputError> {
    let refuse = |what: String| OutputError {
        path: output.to_owned(),
        what,
    };
    let Some(found) = whole(output) else {
        return Ok(());
    };
    let is = |path: &Path| whole(path).is_some_and(|path| path == found);
    if let Some((_, what)) = further.iter().find(|(path, _)| is(path)) {
        return Err(refuse((*what).to_owned()));
    }
    let model = settings.model_path();
    let beside = [
        (model.clone(), "the model"),
        (key_path(&model), "the key of the model"),
        (
            model_file::training_path(&model),
            "what training saw of the model",
        ),
    ];
    if let Some((_, what)) = beside.iter().find(|(path, _)| is(path)) {
        return Err(refuse((*what).to_owned()));
    }
    if whole(&settings.graph_path()).is_some_and(|graph| found.starts_with(graph)) {
        return Err(refuse("in the folder of the graph".to_owned()));
    }
    let mut sources = settings.sources.iter();
    let source = sources.find(|source| {
        let files = source.local_files(&settings.base);
        files.iter().any(|file| is(file))
    });
    match source {
        Some(source) => Err(refuse(format!("a file of source `{}`", source.name))),
        None => Ok(()),
    }
}

/// Returns a path without links and detours; of a file that is still to come, by its folder.
fn whole(path: &Path) -> Option<PathBuf> {
    if let Ok(path) = path.canonicalize() {
        return Some(path);
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
    Some(folder.join(path.file_name()?))
}

#[cfg(test)]
mod tests;
