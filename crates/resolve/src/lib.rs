//! The jobs that join records and the graph: plan, train, rebuild, export, evaluate.
//!
//! A job reads settings, asks sources, lets `matching` and `graph` work, and publishes a
//! whole revision or nothing. It knows no wire types and keeps no files of its own.

mod settings;
mod evaluate;
mod export;
#[cfg(test)]
mod fixture;

pub use evaluate::{EvaluateError, Evaluation, Quality, evaluate};
pub use export::{ExportError, ExportReport, export, export_csv};
pub use settings::{
    GraphSettings, KeyPath, KeyStep, ServeSettings, Settings, SettingsError, SettingsProblem,
    json_schema,
};
