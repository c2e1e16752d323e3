//! The jobs that join records and the graph: plan, train, rebuild, export, evaluate.
//!
//! A job reads settings, asks sources, lets `matching` and `graph` work, and publishes a
//! whole revision or nothing. It knows no wire types and keeps no files of its own.

mod csv_quotes;
mod evaluate;
mod export;
mod figures;
mod find;
#[cfg(test)]
mod fixture;
mod ingest;
mod init;
mod job;
mod labels;
mod model_file;
mod opened;
mod output;
mod profile;
mod rebuild;
mod report;
mod report_html;
mod settings;
mod source_check;
mod splink;
mod weigh;

pub use csv_quotes::CsvQuotes;
pub use evaluate::{
    Assessment, Estimate, EvaluateError, Evaluation, Interval, MissedPairs, MissedReason,
    NamedPair, NamedReference, Quality, Reliability, ReliabilityPoint, ThresholdPoint, Thresholds,
    assess, evaluate,
};
pub use export::{ExportError, ExportReport, export, export_csv, write_text};
pub use figures::{Captures, LevelCount, RebuildFigures, WeightBin};
pub use find::{
    Candidate, FindError, FindGap, FindQuery, FindSettings, Finder, Found, FoundEntity,
    FoundRecord, MatchStanding, RankOptions, rank,
};
pub use init::{Existing, InitError, InitReport, InitRequest, InitSource, init};
pub use job::{JobError, JobOptions, Progress, Shrink, Silent};
pub use model_file::key_path;
pub use opened::Waiting;
pub use output::{OutputError, refuse_output};
pub use profile::{
    MemberState, Profile, ProfileError, ProfileField, ProfileMember, ProfileSettings, ProfileValue,
    Profiler, Survivorship, profile,
};
pub use rebuild::{RuleTrace, Trace, plan, rebuild, trace, train};
pub use report::{
    ComparisonReport, FieldReport, LabelsReport, LevelReport, PassReport, PlanReport,
    RebuildReport, RuleReport, SourceReport, StageReport, TrainReport, counted,
};
pub use report_html::{report_html, training_html};
pub use sameas_source::{Finding, Standing, Topic};
pub use settings::{
    CallerRight, CallerSettings, GraphSettings, KeyPath, KeyStep, ServeSettings, Settings,
    SettingsError, SettingsProblem, TokenError, json_schema,
};
pub use source_check::{SourceCheck, SourceCheckError, SourceCheckReport, check_sources};
pub use splink::{ImportError, ImportReport, ImportRequest, import_splink};
pub use weigh::{RecordName, weigh};
