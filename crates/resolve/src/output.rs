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
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    /// `report --output sameas.toml` replaced the settings with a page.
    #[test]
    fn nothing_that_the_settings_name_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        let text = "[[source]]\nname = \"crm\"\nuri = \"data/*.csv\"\nkey = \"id\"\n[source.fields]\nemail = \"mail\"\n\
                    [[compare]]\nfield = \"email\"\n[[block]]\non = [\"email\"]\n";
        let config = base.join("sameas.toml");
        for name in ["data", "graph"] {
            fs::create_dir(base.join(name)).unwrap();
        }
        for name in ["data/crm.csv", "truth.csv", "sameas.model.json"] {
            fs::write(base.join(name), "id,mail\n").unwrap();
        }
        fs::write(&config, text).unwrap();
        let settings = Settings::load(&config).unwrap();
        let truth = base.join("truth.csv");
        let further = [(config.as_path(), "the settings"), (&truth, "the truth")];
        let told = |name: &str| {
            let output = base.join(name);
            refuse_output(&settings, &further, &output).map_err(|error| error.what)
        };
        for (name, what) in [
            ("sameas.toml", "the settings"),
            ("data/../sameas.toml", "the settings"),
            ("truth.csv", "the truth"),
            ("sameas.model.json", "the model"),
            ("sameas.model.key", "the key of the model"),
            ("graph/report.html", "in the folder of the graph"),
            ("data/crm.csv", "a file of source `crm`"),
        ] {
            assert_eq!(told(name), Err(what.to_owned()), "{name}");
        }
        for name in ["report.html", "data/report.html", "nowhere/report.html"] {
            assert_eq!(told(name), Ok(()), "{name}");
        }
    }
}
