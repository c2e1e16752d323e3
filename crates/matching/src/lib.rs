//! Blocking, comparisons, weights and training: records in, evidence out.

mod settings;

pub use settings::{
    BlockSettings, BudgetSettings, CompareSettings, DecideSettings, RuleSettings, TrainSettings,
};
