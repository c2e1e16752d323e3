//! Comparisons and their levels.

use sameas_matching::{
    FrequencyBase, LevelFrequencySettings, LevelParameters, LevelSettings, Predicate,
};
use sameas_record::{FieldKind, Schema};

use super::columns::Columns;
use super::model::{SplinkComparison, SplinkLevel, SplinkModel};

/// A comparison with its parameters.
#[derive(Debug)]
pub(super) struct Imported {
    pub(super) name: String,
    pub(super) field: String,
    pub(super) missing: String,
    pub(super) levels: Vec<LevelSettings>,
    /// Those of the levels, and of "else".
    pub(super) parameters: Vec<LevelParameters>,
}

/// Who hears what is wrong or different, and where.
struct Importer<'a> {
    columns: &'a Columns,
    schema: Schema,
    warnings: &'a mut Vec<String>,
    problems: &'a mut Vec<String>,
}

/// Carries all comparisons over.
pub(super) fn import(
    splink: &SplinkModel,
    columns: &Columns,
    warnings: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> Vec<Imported> {
    let fields = columns.sources.keys();
    let fields = fields.map(|field| (field.clone(), Some(FieldKind::Verbatim)));
    let mut importer = Importer {
        columns,
        schema: Schema::new(&fields.collect()),
        warnings,
        problems,
    };
    let comparisons = splink.comparisons.iter().enumerate();
    comparisons
        .filter_map(|(index, comparison)| importer.comparison(&comparison.name(index), comparison))
        .collect()
}

impl Importer<'_> {
    fn comparison(&mut self, name: &str, comparison: &SplinkComparison) -> Option<Imported> {
        let Some(end) = comparison
            .comparison_levels
            .iter()
            .position(SplinkLevel::is_else)
        else {
            self.problems.push(format!(
                "comparison `{name}` has no level ELSE, so some pairs have no weight; add one in the model"
            ));
            return None;
        };
        let (listed, rest) = comparison.comparison_levels.split_at(end);
        let otherwise = rest.first()?;
        let count = listed.iter().filter(|level| !level.is_null_level).count() + 1;
        let mut imported = Imported {
            name: name.to_owned(),
            field: String::new(),
            missing: String::new(),
            levels: Vec::new(),
            parameters: Vec::new(),
        };
        let mut missing: Vec<String> = Vec::new();
        let mut sound = true;
        for level in listed {
            let place = format!("comparison `{name}`, level `{}`", label(level));
            let Some(predicate) = self.predicate(&place, level) else {
                sound = false;
                continue;
            };
            if imported.field.is_empty() {
                let first = predicate.fields().first().copied();
                imported.field =
                    first.map_or_else(String::new, |field| self.schema.field(field).name.clone());
            }
            if level.is_null_level {
                missing.push(after(&imported.levels, predicate.text()));
                continue;
            }
            let from_worst = count - 1 - imported.levels.len();
            let name = level.label_for_charts.as_deref();
            imported.parameters.push(LevelParameters {
                level: name.unwrap_or(predicate.text()).trim().to_owned(),
                ..self.parameters(&place, level, from_worst, count)
            });
            let frequency = self.frequency(&place, level, comparison);
            imported.levels.push(LevelSettings {
                name: level.label_for_charts.clone(),
                when: predicate.text().to_owned(),
                frequency,
            });
        }
        let place = format!("comparison `{name}`, level ELSE");
        let parameters = self.parameters(&place, otherwise, 0, count);
        imported.parameters.push(LevelParameters {
            level: "else".to_owned(),
            ..parameters
        });
        imported.missing = match missing.len() {
            0 => "FALSE".to_owned(),
            1 => missing.concat(),
            _ => format!("({})", missing.join(") OR (")),
        };
        if sound && imported.levels.is_empty() {
            self.problems.push(format!(
                "comparison `{name}` has no level but null and ELSE; remove it"
            ));
            sound = false;
        }
        sound.then_some(imported)
    }

    fn predicate(&mut self, place: &str, level: &SplinkLevel) -> Option<Predicate> {
        let sql = self.columns.over_fields(&level.sql_condition);
        match Predicate::parse(&sql, &self.schema) {
            Ok(predicate) => {
                if !predicate.is_symmetric() {
                    self.warnings.push(format!(
                        "{place}: asks different things of the two records; the left record here is the one whose source and key sort first as text, in Splink the one whose id is smaller; write the condition for both orders if that matters"
                    ));
                }
                Some(predicate)
            }
            Err(error) => {
                self.problems.push(format!(
                    "{place}: {error}; write it otherwise in the model, or remove the level"
                ));
                None
            }
        }
    }

    fn parameters(
        &mut self,
        place: &str,
        level: &SplinkLevel,
        from_worst: usize,
        count: usize,
    ) -> LevelParameters {
        let (m, u, is_assumed) = level.parameters(from_worst, count);
        if is_assumed {
            self.warnings.push(format!(
                "{place}: was not trained; what Splink assumes is taken (m = {m:.4}, u = {u:.4})"
            ));
        }
        for (symbol, probability) in [("m", m), ("u", u)] {
            if !(probability > 0.0 && probability <= 1.0) {
                self.problems.push(format!(
                    "{place}: {symbol} is {probability}, which is no probability above 0 and at most 1; train the level or set {symbol}_probability in the model"
                ));
            }
        }
        LevelParameters {
            level: String::new(),
            m,
            u,
            related: None,
        }
    }

    fn frequency(
        &mut self,
        place: &str,
        level: &SplinkLevel,
        comparison: &SplinkComparison,
    ) -> Option<LevelFrequencySettings> {
        let column = level.tf_adjustment_column.as_deref()?;
        let strength = level.tf_adjustment_weight.unwrap_or(1.0);
        if strength == 0.0 {
            return None;
        }
        let field = self.columns.known(column)?.to_owned();
        let base = if level.disable_tf_exact_match_detection {
            FrequencyBase::Level
        } else {
            FrequencyBase::Exact
        };
        let is_exact = |level: &SplinkLevel| {
            let sql = self.columns.over_fields(&level.sql_condition);
            let predicate = Predicate::parse(&sql, &self.schema).ok();
            let exact = predicate.and_then(|predicate| predicate.exact_field());
            exact.is_some_and(|id| self.schema.field(id).name == field)
        };
        if base == FrequencyBase::Exact && !comparison.comparison_levels.iter().any(is_exact) {
            self.problems.push(format!(
                "{place}: term frequencies of `{column}` need a level that is nothing but its equality, as in Splink; add one in the model, or set disable_tf_exact_match_detection"
            ));
        }
        Some(LevelFrequencySettings {
            field,
            strength,
            floor: level.tf_minimum_u_value.unwrap_or(0.0),
            base,
        })
    }
}

/// Returns a null condition that stands after other levels: it decides only where they do not hold.
fn after(levels: &[LevelSettings], missing: &str) -> String {
    let earlier: Vec<&str> = levels.iter().map(|level| level.when.as_str()).collect();
    if earlier.is_empty() {
        return missing.to_owned();
    }
    format!("({missing}) AND (({})) IS NOT TRUE", earlier.join(") OR ("))
}

fn label(level: &SplinkLevel) -> String {
    let name = level.label_for_charts.as_deref();
    name.unwrap_or(&level.sql_condition).trim().to_owned()
}
