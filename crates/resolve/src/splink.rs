//! Settings and model out of the model file of Splink 3, 4 or 5.

mod blocks;
mod columns;
mod document;
mod levels;
mod model;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sameas_matching::{ComparisonParameters, MODEL_FORMAT, MatchingPlan, Model};
use serde::Serialize;
use thiserror::Error;

use crate::init::Existing;
use crate::job::JobError;
use crate::model_file;
use crate::settings::{Settings, SettingsError};

use columns::Columns;
use levels::Imported;
use model::SplinkModel;

/// The most bytes a model file of Splink may have.
const MODEL_LEN_MAX: u64 = 16 << 20;

/// What an import wrote, and what the user must know of it.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ImportReport {
    /// The settings.
    pub settings: PathBuf,
    /// The model.
    pub model: PathBuf,
    /// How many comparisons were carried over.
    pub comparisons: usize,
    /// How many blocking rules were carried over.
    pub blocks: usize,
    /// What is not exactly as it was, each with its place and what to do.
    pub warnings: Vec<String>,
}

impl ImportReport {
    /// Returns the report as text.
    pub fn render(&self) -> String {
        let mut text = format!(
            "{} comparisons and {} blocking rules\nsettings {}\nmodel {}\n",
            self.comparisons,
            self.blocks,
            self.settings.display(),
            self.model.display()
        );
        for warning in &self.warnings {
            text.push_str("warning: ");
            text.push_str(warning);
            text.push('\n');
        }
        text
    }
}

/// Why a model of Splink cannot be carried over; nothing is written then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {} ({cause}); name the file that `save_model_to_json` wrote", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The file is no model of Splink.
    #[error("{} is no model of Splink 3 to 5: {reason}", .path.display())]
    NotSplink {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Parts of the model cannot be carried over.
    #[error("{}", .0.join("\n"))]
    Parts(
        /// Each with its place and what to do.
        Vec<String>,
    ),
    /// There are settings or a model already.
    #[error("{} is there already; pass --force to replace it, or name another folder with --out", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The settings that came of it are not sound.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The settings or the model cannot be written.
    #[error(transparent)]
    Model(#[from] JobError),
}

/// What `import-splink` is asked for.
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// The model file of Splink.
    pub model: PathBuf,
    /// The folder that gets the settings and the model.
    pub folder: PathBuf,
    /// The files that hold the records, one for each data set; without any, the settings name a
    /// file that is to be replaced.
    pub files: Vec<PathBuf>,
    /// Whether settings and a model that are there are replaced.
    pub existing: Existing,
}

/// Writes settings and a model that weigh pairs as a model of Splink does.
///
/// `new_key` is the secret of the model's folder: 32 random bytes.
///
/// # Errors
/// Names everything that cannot be carried over, with its place; nothing is written then, nor if
/// settings or a model are there that nobody asked to replace.
pub fn import_splink(
    request: &ImportRequest,
    new_key: [u8; 32],
) -> Result<ImportReport, ImportError> {
    let path = &request.model;
    let splink = read(path)?;
    let settings_path = request.folder.join("sameas.toml");
    refuse_existing(&settings_path, request.existing)?;
    let mut warnings = splink.warnings();
    let mut problems = Vec::new();
    let mut columns = Columns::of(&splink, &mut problems);
    let blocks = blocks::import(&splink, &mut columns, &mut warnings, &mut problems);
    let comparisons = levels::import(&splink, &columns, &mut warnings, &mut problems);
    document::check_files(&splink, &request.files, &mut warnings, &mut problems);
    if !problems.is_empty() {
        return Err(ImportError::Parts(problems));
    }
    let text = document::write(
        &splink,
        &columns,
        &blocks,
        &comparisons,
        &request.files,
        &mut warnings,
    );
    let settings = Settings::parse(&text, &settings_path)?;
    let plan = MatchingPlan::new(
        &settings.schema(),
        &settings.comparisons,
        &settings.blocks,
        &settings.rules,
    )
    .map_err(JobError::Matching)?;
    let mut model = model_of(&splink, &comparisons, &plan);
    model.check(&plan).map_err(|cause| JobError::Model {
        path: path.to_owned(),
        cause,
    })?;
    let model_path = settings.model_path();
    refuse_existing(&model_path, request.existing)?;
    model_file::refuse_other_file(&model_path)?;
    model_file::write_settings(&settings_path, &text, request.existing)?;
    model.key_id = model_file::secret(&model_path, new_key)?.id();
    model_file::write(&model_path, &model, None)?;
    Ok(ImportReport {
        settings: settings_path,
        model: model_path,
        comparisons: comparisons.len(),
        blocks: blocks.len(),
        warnings,
    })
}

fn refuse_existing(path: &Path, existing: Existing) -> Result<(), ImportError> {
    if path.exists() && existing == Existing::Keep {
        return Err(ImportError::Exists {
            path: path.to_owned(),
        });
    }
    Ok(())
}

fn read(path: &Path) -> Result<SplinkModel, ImportError> {
    let refuse = |cause| ImportError::Read {
        path: path.to_owned(),
        cause,
    };
    let not_splink = |reason: String| ImportError::NotSplink {
        path: path.to_owned(),
        reason,
    };
    let len = std::fs::metadata(path).map_err(refuse)?.len();
    if len > MODEL_LEN_MAX {
        return Err(not_splink(format!("it has {len} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(refuse)?;
    serde_json::from_str(&text).map_err(|error| not_splink(error.to_string()))
}

/// Returns the model, its key still to be named.
fn model_of(splink: &SplinkModel, imported: &[Imported], plan: &MatchingPlan) -> Model {
    let comparisons = imported.iter().zip(&plan.comparisons);
    let comparisons = comparisons.map(|(imported, comparison)| {
        let asked = comparison.conditions.as_ref();
        ComparisonParameters {
            name: comparison.name.clone(),
            field: plan.schema.field(comparison.field).name.clone(),
            kinds: plan.kinds_of(comparison),
            scope: comparison.scope,
            conditions: asked.map_or_else(Vec::new, |asked| asked.describe(&plan.schema)),
            levels: imported.parameters.clone(),
            frequency: None,
        }
    });
    Model {
        format: MODEL_FORMAT,
        prior: splink.prior(),
        related: None,
        records: 0,
        key_id: String::new(),
        comparisons: comparisons.collect(),
        interactions: Vec::new(),
        calibration: None,
        words: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests;
