//! The model file as Splink writes it.

use serde::Deserialize;

/// What Splink takes a level for that training never saw.
const NOT_OBSERVED: f64 = 1e-6;

/// The prior that Splink assumes.
const PRIOR: f64 = 0.0001;

/// What `save_model_to_json` of Splink 3 to 5 writes; what does not bear on weights is not read.
#[derive(Debug, Deserialize)]
pub(super) struct SplinkModel {
    pub(super) link_type: String,
    pub(super) comparisons: Vec<SplinkComparison>,
    #[serde(default)]
    pub(super) blocking_rules_to_generate_predictions: Vec<SplinkRule>,
    probability_two_random_records_match: Option<f64>,
    unique_id_column_name: Option<String>,
    sql_dialect: Option<String>,
}

/// A comparison.
#[derive(Debug, Deserialize)]
pub(super) struct SplinkComparison {
    pub(super) output_column_name: Option<String>,
    pub(super) comparison_levels: Vec<SplinkLevel>,
}

/// A level of a comparison.
#[derive(Debug, Deserialize)]
pub(super) struct SplinkLevel {
    pub(super) sql_condition: String,
    pub(super) label_for_charts: Option<String>,
    #[serde(default)]
    pub(super) is_null_level: bool,
    m_probability: Option<Probability>,
    u_probability: Option<Probability>,
    pub(super) tf_adjustment_column: Option<String>,
    pub(super) tf_adjustment_weight: Option<f64>,
    pub(super) tf_minimum_u_value: Option<f64>,
    #[serde(default)]
    pub(super) disable_tf_exact_match_detection: bool,
}

/// A probability, or the words that training did not see the level.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Probability {
    Known(f64),
    NotObserved(#[expect(dead_code, reason = "that it is a text says it all")] String),
}

impl Probability {
    fn value(&self) -> f64 {
        match self {
            Self::Known(probability) => *probability,
            Self::NotObserved(_) => NOT_OBSERVED,
        }
    }
}

/// A blocking rule: SQL, or SQL with more about it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum SplinkRule {
    Sql(String),
    Table {
        blocking_rule: String,
        arrays_to_explode: Option<Vec<String>>,
    },
}

impl SplinkRule {
    pub(super) fn sql(&self) -> &str {
        match self {
            Self::Sql(sql) => sql,
            Self::Table { blocking_rule, .. } => blocking_rule,
        }
    }

    /// Returns the columns whose items are joined one by one.
    pub(super) fn exploded(&self) -> &[String] {
        match self {
            Self::Table {
                arrays_to_explode: Some(columns),
                ..
            } => columns,
            _ => &[],
        }
    }
}

impl SplinkModel {
    pub(super) fn prior(&self) -> f64 {
        self.probability_two_random_records_match.unwrap_or(PRIOR)
    }

    pub(super) fn key_column(&self) -> &str {
        self.unique_id_column_name.as_deref().unwrap_or("unique_id")
    }

    /// Returns what is to be known before anything is looked at.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let dialect = self.sql_dialect.as_deref().unwrap_or("duckdb");
        if dialect != "duckdb" {
            warnings.push(format!(
                "sql_dialect is {dialect}: functions here give what those of DuckDB give, which may differ from {dialect} where a text is not plain ASCII; compare some weights"
            ));
        }
        if self.probability_two_random_records_match.is_none() {
            warnings.push(format!(
                "probability_two_random_records_match is missing: {PRIOR} is taken, as Splink does; set it in the model"
            ));
        }
        if self.link_type == "link_only" {
            warnings.push("link_type is link_only: pairs within a source are never compared, as in Splink; beyond that a cluster holds at most one record of each source ([decide] one_per_source)".to_owned());
        }
        warnings
    }
}

impl SplinkComparison {
    /// Returns its name, or its number.
    pub(super) fn name(&self, index: usize) -> String {
        let name = self.output_column_name.clone();
        name.unwrap_or_else(|| format!("comparison_{}", index + 1))
    }
}

impl SplinkLevel {
    pub(super) fn is_else(&self) -> bool {
        self.sql_condition.trim().eq_ignore_ascii_case("else")
    }

    /// Returns m and u, and whether Splink's assumptions stand for one of them.
    ///
    /// `from_worst` is the number of levels below this one, `count` that of all but null levels.
    pub(super) fn parameters(&self, from_worst: usize, count: usize) -> (f64, f64, bool) {
        let (default_m, default_u) = defaults(from_worst, count);
        let m = self.m_probability.as_ref().map(Probability::value);
        let u = self.u_probability.as_ref().map(Probability::value);
        let is_assumed = m.is_none() || u.is_none();
        let (m, u) = (m.unwrap_or(default_m), u.unwrap_or(default_u));
        // Splink may assume more than 1; the weight is that of the ratio.
        let excess = if is_assumed { u.max(1.0) } else { 1.0 };
        (m / excess, u / excess, is_assumed)
    }
}

/// What Splink assumes of a level that has no parameters (`_default_m_values`, `_default_u_values`
/// of its `comparison_level.py`): m of 0.95 for the best, weights of 10 for it and -5 to 3 for others.
fn defaults(from_worst: usize, count: usize) -> (f64, f64) {
    let is_best = from_worst + 1 == count;
    let m = if is_best {
        0.95
    } else {
        0.05 / (count as f64 - 1.0)
    };
    let weight = match (is_best, count) {
        (true, _) => 10.0,
        (false, ..=2) => -5.0,
        (false, _) => -5.0 + 8.0 * from_worst as f64 / (count as f64 - 2.0),
    };
    (m, m / f64::exp2(weight))
}
