//! Blocking, comparisons, weights and training: records in, evidence out.

mod apart;
mod blocking;
mod compare;
mod day;
mod find;
mod hints;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod language;
mod machine;
mod memo;
mod model;
mod place;
mod plan;
mod predicate;
mod prepared;
mod rows;
mod settings;
mod sieve;
mod similarity;
mod train;
mod weigh;
mod words;

pub use apart::{Apart, Clustered};
pub use blocking::{Block, Blocking, Brought, HotKey, KeyIndex, Makers, RuleCost};
pub use compare::Comparer;
pub use day::civil_of_days;
pub use find::{Judge, Judged, ValueCounts};
pub use language::{Clause, Condition, LanguageError, Test, parse_form, parse_key_part};
pub use model::{
    Calibration, ComparisonParameters, FrequencyKey, FrequencyTable, Interaction, LevelParameters,
    MODEL_FORMAT, MODEL_FORMAT_OLDEST, Model, ModelError, squared_error,
};
pub use plan::{
    BlockingRule, Comparison, FieldTest, KeyPart, Level, LevelFrequency, MatchingError,
    MatchingPlan, PairConditions, Place,
};
pub use predicate::{Predicate, PredicateError};
pub use prepared::{Exclusive, Prepared, PreparedField};
pub use rows::{NodeRow, Rows};
pub use settings::{
    BlockSettings, BudgetSettings, CompareSettings, DecideSettings, FrequencyBase,
    LevelFrequencySettings, LevelSettings, RIVAL_PAIRS_MAX, RuleSettings, Scope, TrainSettings,
};
pub use similarity::{
    COMPARED_LEN_MAX, Signature, agrees_in_initials, closest, damerau, damerau_within, jaccard,
    jaro, jaro_winkler, jaro_winkler_may_reach, jaro_winkler_reaches, levenshtein,
    levenshtein_may_be_within, levenshtein_within, overlap,
};
pub use train::{
    HeldOut, Known, Labels, PRIOR_MIN, Sighting, Training, TrainingPass, rival_probabilities, train,
};
pub use weigh::{PairWeight, Threshold, Weighed, Weigher, legend, without_literals};
