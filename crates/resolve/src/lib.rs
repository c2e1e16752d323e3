//! The jobs that join records and the graph: plan, train, rebuild, export, evaluate.
//!
//! A job reads settings, asks sources, lets `matching` and `graph` work, and publishes a
//! whole revision or nothing. It knows no wire types and keeps no files of its own.

mod evaluate;
mod export;
#[cfg(test)]
mod fixture;
mod ingest;
mod init;
mod job;
mod model_file;
mod rebuild;
mod report;
mod settings;

pub use evaluate::{EvaluateError, Evaluation, Quality, evaluate};
pub use export::{ExportError, ExportReport, export, export_csv};
pub use init::{Existing, InitError, InitReport, InitRequest, InitSource, init};
pub use job::{JobError, JobOptions, Progress, Shrink, Silent};
pub use model_file::key_path;
pub use rebuild::{plan, rebuild, train};
pub use report::{
    ComparisonReport, FieldReport, LevelReport, PassReport, PlanReport, RebuildReport, RuleReport,
    SourceReport, StageReport, TrainReport,
};
pub use settings::{
    GraphSettings, KeyPath, KeyStep, ServeSettings, Settings, SettingsError, SettingsProblem,
    json_schema,
};
