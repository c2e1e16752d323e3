//! What a job did, for people and for programs.

mod labels;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sameas_matching::{Interaction, Model, RuleCost, Sighting, Training, without_literals};
use sameas_record::CELL_LEN_MAX;
use serde::{Deserialize, Serialize};

pub use self::labels::LabelsReport;

/// What one stage took.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StageReport {
    /// The stage.
    pub stage: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// CPU time of all threads in seconds.
    pub cpu_seconds: f64,
    /// The most memory the process had held by the end of the stage, in bytes.
    pub peak_bytes: u64,
}

/// What one source gave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SourceReport {
    /// The source.
    pub source: String,
    /// Its records.
    pub records: u64,
    /// Files and folders in its folders that were not read.
    pub skipped_files: u64,
    /// The names of some of them.
    pub skipped_names: Vec<String>,
    /// Its mapped fields of which none of its records has a value.
    #[serde(default)]
    pub empty_fields: Vec<String>,
    /// Values that cannot be read as what their field holds, or stand for a missing one
    /// (`n/a`, `1900-01-01`), by field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable_values: BTreeMap<String, u64>,
    /// Values over the length bound, counted as missing, by field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub long_values: BTreeMap<String, u64>,
}

/// What one field holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FieldReport {
    /// The field.
    pub field: String,
    /// Records that have a value.
    pub present: u64,
    /// Distinct values.
    pub distinct: u64,
}

/// What one rule costs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RuleReport {
    /// The rule.
    pub rule: String,
    /// Records that have a key.
    pub keyed_records: u64,
    /// Pairs its blocks make, also those that an earlier rule makes.
    pub pairs: u64,
    /// Pairs it was the first to make; absent from a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_pairs: Option<u64>,
    /// The largest block.
    pub largest_block: u64,
    /// Blocks over the bound, which were refined.
    pub hot_blocks: u64,
    /// Sizes of the largest of them.
    pub hot_sizes: Vec<u64>,
    /// Pairs of the groups that they were cut into.
    #[serde(default)]
    pub refined_pairs: u64,
    /// Pairs of them that no group holds, at most.
    pub refused_pairs: u64,
    /// Records with so many keys that only some of them are used.
    pub cut_records: u64,
}

impl RuleReport {
    pub(crate) fn of(rule: &str, cost: &RuleCost) -> Self {
        Self {
            rule: rule.to_owned(),
            keyed_records: cost.keyed_records,
            pairs: cost.pairs,
            first_pairs: None,
            largest_block: cost.largest,
            hot_blocks: cost.hot_count,
            hot_sizes: cost.hot.iter().map(|hot| hot.len).collect(),
            refined_pairs: cost.refined_pairs,
            refused_pairs: cost.refused_pairs,
            cut_records: cost.cut_records,
        }
    }
}

/// What a rebuild would cost.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlanReport {
    /// The sources.
    pub sources: Vec<SourceReport>,
    /// The fields.
    pub fields: Vec<FieldReport>,
    /// The rules.
    pub rules: Vec<RuleReport>,
    /// Pairs of all rules.
    pub pairs: u64,
    /// Pairs allowed.
    pub budget: u64,
    /// What the plan itself took.
    pub stages: Vec<StageReport>,
}

/// What one pass of training saw.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PassReport {
    /// The rule whose pairs it looked at.
    pub rule: String,
    /// How many.
    pub pairs: u64,
    /// The share taken for matches.
    pub matched: f64,
    /// Rounds of expectation-maximisation.
    pub rounds: usize,
    /// Whether what it taught can be trusted: it had pairs enough and two comparisons or more to
    /// learn from, equal values speak for one entity in most of those comparisons, and it does not
    /// take nearly all pairs of large blocks for matches.
    ///
    /// A pass that had too little taught nothing. One whose comparisons speak the wrong way round
    /// taught the weights all the same.
    pub plausible: bool,
}

/// The weights of one comparison.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ComparisonReport {
    /// The comparison.
    pub comparison: String,
    /// Level, m, u, weight in bits.
    pub levels: Vec<LevelReport>,
}

/// The weight of one level.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LevelReport {
    /// The level.
    pub level: String,
    /// Its chance within an entity.
    pub m: f64,
    /// Its chance between entities.
    pub u: f64,
    /// `log2(m / u)`.
    pub bits: f64,
    /// Random pairs that showed it; u is learnt from them.
    #[serde(default)]
    pub random_pairs: u64,
    /// Candidate pairs that showed it, of matches or not, in each pass that teaches its comparison;
    /// m is learnt from them.
    #[serde(default)]
    pub candidate_pairs: u64,
}

impl LevelReport {
    /// Returns what the weight lacks evidence for, if it does.
    pub fn doubt(&self) -> Option<&'static str> {
        match (self.random_pairs, self.candidate_pairs) {
            (_, 0) => Some("never seen in a candidate pair that could teach it: m is a guess"),
            (0, _) => Some("never seen in a random pair: u is bounded, not counted"),
            _ => None,
        }
    }
}

/// What training found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TrainReport {
    /// Records it looked at.
    pub records: u64,
    /// Random pairs drawn.
    pub random_pairs: u64,
    /// One pass a rule, and one for each field by which its oversized blocks were refined.
    pub passes: Vec<PassReport>,
    /// Whether expectation-maximisation came to rest: no parameter moved by more than 0.00001.
    #[serde(default)]
    pub converged: bool,
    /// The largest move of any parameter, round by round.
    #[serde(default)]
    pub moves: Vec<f64>,
    /// The chance that two random records are one entity.
    pub prior: f64,
    /// The weights.
    pub comparisons: Vec<ComparisonReport>,
    /// What two comparisons say twice, by which weights are less than their sum.
    #[serde(default)]
    pub interactions: Vec<Interaction>,
    /// What labels were used for, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelsReport>,
    /// What to be wary of.
    pub warnings: Vec<String>,
    /// What each stage took.
    pub stages: Vec<StageReport>,
}

impl TrainReport {
    pub(crate) fn of(model: &Model, training: Training, link: f64) -> Self {
        let pass = |pass: sameas_matching::TrainingPass| PassReport {
            rule: pass.rule,
            pairs: pass.pairs,
            matched: pass.matched,
            rounds: pass.rounds,
            plausible: pass.used,
        };
        let level = |(level, seen): (&sameas_matching::LevelParameters, &Sighting)| LevelReport {
            level: without_literals(&level.level),
            m: level.m,
            u: level.u,
            bits: level.bits(),
            random_pairs: seen.random.round() as u64,
            candidate_pairs: seen.candidate.round() as u64,
        };
        let comparisons = model.comparisons.iter().zip(&training.sightings);
        let comparisons = comparisons.map(|(comparison, seen)| ComparisonReport {
            comparison: comparison.name.clone(),
            levels: comparison.levels.iter().zip(seen).map(level).collect(),
        });
        let of_labels = |labels| LabelsReport::of(&labels, model.calibration, link);
        let labels = training.labels.map(of_labels);
        let mut warnings = training.warnings;
        warnings.extend(labels.as_ref().and_then(|labels| labels.warning(link)));
        let last = training.moves.last();
        Self {
            records: model.records,
            random_pairs: training.random_pairs,
            passes: training.passes.into_iter().map(pass).collect(),
            prior: model.prior,
            converged: last.is_some_and(|&moved| moved < Training::CONVERGED),
            comparisons: comparisons.collect(),
            interactions: model.interactions.iter().map(shown).collect(),
            labels,
            moves: training.moves,
            warnings,
            stages: Vec::new(),
        }
    }
}

fn shown(interaction: &Interaction) -> Interaction {
    let mut shown = interaction.clone();
    shown.levels = shown.levels.map(|level| without_literals(&level));
    shown
}

/// What a rebuild did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RebuildReport {
    /// The revision it published.
    pub revision: u64,
    /// Records taken in.
    pub records: u64,
    /// The sources.
    pub sources: Vec<SourceReport>,
    /// The fields.
    pub fields: Vec<FieldReport>,
    /// Values over the length bound, counted as missing, of all fields together.
    pub long_cells: u64,
    /// The rules.
    pub rules: Vec<RuleReport>,
    /// Distinct candidate pairs.
    pub pairs: u64,
    /// Candidate pairs that the bound refused before their levels were known, from 0 to 1.
    pub pruned_share: f64,
    /// Candidate pairs per second of the weighing stage.
    pub pairs_per_second: f64,
    /// Pairs that link.
    pub links: u64,
    /// Those of them that the revision keeps: enough to hold and explain every cluster.
    pub links_kept: u64,
    /// Pairs that wait for review.
    pub review: u64,
    /// Those of them that the revision keeps: the strongest of each record.
    pub review_kept: u64,
    /// Links that were refused.
    pub quarantined: u64,
    /// Those of them that the revision keeps: the strongest of each record.
    pub quarantined_kept: u64,
    /// Refused links that are weak bridges between groups of records.
    #[serde(default)]
    pub weak_bridges: u64,
    /// Clusters, which are the entities.
    pub clusters: u64,
    /// References of the largest cluster.
    pub largest_cluster: u64,
    /// Ids that were kept from the previous revision.
    pub ids_kept: u64,
    /// Ids that were issued.
    pub ids_issued: u64,
    /// Entities that were merged into others.
    pub merges: u64,
    /// Entities whose references went to several.
    pub splits: u64,
    /// Entities of which no reference is left.
    pub retired: u64,
    /// What training found, if the rebuild trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained: Option<TrainReport>,
    /// Bytes of the snapshot file.
    pub snapshot_bytes: u64,
    /// What each stage took.
    pub stages: Vec<StageReport>,
}

impl PlanReport {
    /// Returns the report as text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        render_sources(&mut text, &self.sources);
        render_fields(&mut text, &self.fields);
        render_rules(&mut text, &self.rules);
        line(
            &mut text,
            "candidate pairs",
            format!("{} of at most {}", self.pairs, self.budget),
        );
        text
    }
}

impl TrainReport {
    /// Returns the report as text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        line(&mut text, "records", self.records);
        line(&mut text, "random pairs", self.random_pairs);
        line(&mut text, "prior", format!("{:.3e}", self.prior));
        let rest = match (self.converged, self.moves.last()) {
            (true, _) => format!("after {} rounds", self.moves.len()),
            (false, Some(moved)) => format!(
                "no: a parameter still moved by {moved:.1e} in round {}",
                self.moves.len()
            ),
            (false, None) => "no: there was nothing to learn from".to_owned(),
        };
        line(&mut text, "converged", rest);
        for pass in &self.passes {
            let doubt = if pass.plausible {
                ""
            } else {
                ", in doubt: too few pairs, too many matches, or equal values speak against one entity"
            };
            let what = format!(
                "{} pairs, {:.1} % matched, {} rounds{doubt}",
                pass.pairs,
                100.0 * pass.matched,
                pass.rounds
            );
            line(&mut text, &format!("pass {}", pass.rule), what);
        }
        for comparison in &self.comparisons {
            let _ = writeln!(text, "{}", comparison.comparison);
            for level in &comparison.levels {
                let _ = writeln!(
                    text,
                    "    {:32} m {:.6}  u {:.8}  {:+7.2} bits{}",
                    level.level,
                    level.m,
                    level.u,
                    level.bits,
                    level
                        .doubt()
                        .map_or_else(String::new, |doubt| format!("  {doubt}"))
                );
            }
        }
        self.render_interactions(&mut text);
        if let Some(labels) = &self.labels {
            labels.render(&mut text);
        }
        self.warnings
            .iter()
            .for_each(|warning| line(&mut text, "warning", warning));
        text
    }

    fn render_interactions(&self, text: &mut String) {
        if self.interactions.is_empty() {
            return;
        }
        let _ = writeln!(
            text,
            "said twice: strangers who share one share the other, so a pair that shows both weighs so much less"
        );
        for interaction in &self.interactions {
            let ([one, other], [i, j]) = (&interaction.comparisons, &interaction.levels);
            let both = format!("{one}: {i}, {other}: {j}");
            let _ = writeln!(text, "    {both:68} {:+7.2} bits", -interaction.bits);
        }
    }
}

impl RebuildReport {
    /// Returns the report as text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        line(&mut text, "revision", self.revision);
        render_sources(&mut text, &self.sources);
        render_fields(&mut text, &self.fields);
        render_rules(&mut text, &self.rules);
        let pruned = format!(
            "{} ({:.1} % ruled out before they were compared in full)",
            self.pairs,
            100.0 * self.pruned_share
        );
        line(&mut text, "candidate pairs", pruned);
        line(
            &mut text,
            "pairs per second",
            format!("{:.0}", self.pairs_per_second),
        );
        let decided = format!(
            "{} links ({} kept), {} for review ({} kept), {} quarantined ({} kept)",
            self.links,
            self.links_kept,
            self.review,
            self.review_kept,
            self.quarantined,
            self.quarantined_kept
        );
        line(&mut text, "evidence", decided);
        if self.weak_bridges > 0 {
            let refused = format!(
                "{} links refused, for the pairs between the two groups of records speak against them",
                self.weak_bridges
            );
            line(&mut text, "weak bridges", refused);
        }
        line(
            &mut text,
            "entities",
            format!(
                "{}, the largest has {} records",
                self.clusters, self.largest_cluster
            ),
        );
        let ids = format!(
            "{} kept, {} issued, {} merged, {} split, {} retired",
            self.ids_kept, self.ids_issued, self.merges, self.splits, self.retired
        );
        line(&mut text, "ids", ids);
        if let Some(trained) = &self.trained {
            trained
                .warnings
                .iter()
                .for_each(|warning| line(&mut text, "warning", warning));
        }
        for stage in &self.stages {
            let what = format!(
                "{:.2} s, {:.2} CPU s, peak {} MiB",
                stage.seconds,
                stage.cpu_seconds,
                stage.peak_bytes >> 20
            );
            line(&mut text, &stage.stage, what);
        }
        text
    }
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{name:28} {value}");
}

/// Says which files are not read; nothing if all are.
pub(crate) fn skipped_text(count: u64, names: &[String]) -> Option<String> {
    let others = if count > names.len() as u64 {
        ", …"
    } else {
        ""
    };
    let files = if count == 1 { "file" } else { "files" };
    (count > 0).then(|| format!("{count} {files} not read ({}{others})", names.join(", ")))
}

/// Returns a count and what was counted, in the plural unless it is one.
pub fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn render_sources(text: &mut String, sources: &[SourceReport]) {
    for source in sources {
        let skipped = skipped_text(source.skipped_files, &source.skipped_names)
            .map_or_else(String::new, |told| format!(", {told}"));
        line(
            text,
            &format!("source {}", source.source),
            format!("{}{skipped}", counted(source.records, "record")),
        );
        for (field, count) in &source.unreadable_values {
            let what = format!(
                "{count} values of `{field}` cannot be read as such, or stand for none; taken for missing"
            );
            line(text, &format!("source {}", source.source), what);
        }
        for (field, count) in &source.long_values {
            let what = format!(
                "{count} values of `{field}` are longer than {} KiB; taken for missing, unless an expression takes less of them",
                CELL_LEN_MAX / 1024
            );
            line(text, &format!("source {}", source.source), what);
        }
        for field in &source.empty_fields {
            let what = format!(
                "source {}: no record has a value that can be read for `{field}`; check its column, or take the field out",
                source.source
            );
            line(text, "warning", what);
        }
    }
}

fn render_fields(text: &mut String, fields: &[FieldReport]) {
    for field in fields {
        let what = format!("{} present, {} distinct", field.present, field.distinct);
        line(text, &format!("field {}", field.field), what);
    }
}

fn render_rules(text: &mut String, rules: &[RuleReport]) {
    for rule in rules {
        let first = rule
            .first_pairs
            .map_or_else(String::new, |n| format!(", first for {n}"));
        let hot = if rule.hot_blocks > 0 {
            format!(
                ", {} blocks refined (largest {}) to {} pairs, at most {} pairs refused",
                rule.hot_blocks,
                rule.hot_sizes
                    .iter()
                    .take(10)
                    .map(u64::to_string)
                    .collect::<Vec<_>>()
                    .join(" "),
                rule.refined_pairs,
                rule.refused_pairs
            )
        } else {
            String::new()
        };
        let cut = match rule.cut_records {
            0 => String::new(),
            records => format!(", not all keys of {records} records used"),
        };
        let what = format!(
            "{} pairs{first}, largest block {}{hot}{cut}",
            rule.pairs, rule.largest_block
        );
        line(text, &format!("rule {}", rule.rule), what);
    }
}
