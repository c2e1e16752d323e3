//! What users write about matching: comparisons, blocking rules, deterministic rules, decisions.

use sameas_graph::MatchWeight;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whom the values of a field belong to.
///
/// People of one household or office share e-mail addresses, telephones and homes, so equality
/// of such values tells a customer from a stranger but not from a relative. Training therefore
/// knows a third kind of pair beside matches and strangers: related records, which agree on
/// what a household shares and differ like strangers in what is a person's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To one person: given names, dates of birth, identifiers.
    Person,
    /// To a household or an office: surnames, addresses, telephones, e-mail.
    Household,
    /// Neither is known.
    Open,
}

/// One comparison: a question about a pair, with graded answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompareSettings {
    /// A name for reports; the field's name when absent.
    pub name: Option<String>,
    /// The field that levels speak of unless they name another.
    pub field: String,
    /// A named list of levels (`name`, `date`, `email`, …); the field's kind decides when absent.
    pub kind: Option<String>,
    /// The levels, best first, in the level language; instead of `kind`.
    ///
    /// A level is tests joined by `and`, each of the comparison's field unless `FIELD:` stands
    /// before it: `exact`, `same FORM`, `jaro_winkler >= N`, `levenshtein <= N`, `damerau <= N`,
    /// `initial`, `initials`, `swapped FIELD`, `jaccard >= N`, `overlap >= N`, `tf_idf >= N`,
    /// `soft_tf_idf >= N`, `monge_elkan >= N`, `transposed`, `days <= N`, `months <= N`,
    /// `years <= N`, `difference <= N`, `percent <= N`, `km <= N`.
    pub levels: Option<Vec<String>>,
    /// The levels, best first, as conditions in SQL; instead of `levels` and `kind`.
    pub level: Option<Vec<LevelSettings>>,
    /// Beside `level`: the condition in SQL under which a pair says nothing; that a value of the
    /// field is missing when absent.
    pub missing: Option<String>,
    /// Whom the field's values belong to; the field's kind decides when absent.
    pub scope: Option<Scope>,
    /// Whether rare values weigh more than frequent ones when they are equal.
    #[serde(default)]
    pub frequency: bool,
}

/// One level that is asked in SQL.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelSettings {
    /// A name for reports; the condition when absent.
    pub name: Option<String>,
    /// The condition: `FIELD_l` is the value of one record, `FIELD_r` that of the other.
    pub when: String,
    /// Lets rare values weigh more than frequent ones.
    pub frequency: Option<LevelFrequencySettings>,
}

/// How the frequency of a value changes the weight of a level.
///
/// The level weighs `strength * log2(u / max(f, floor))` bits more, where `f` is the share of
/// records that have the value (the larger share if two values differ), among the records at hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelFrequencySettings {
    /// The field whose values count.
    pub field: String,
    /// How much of the change counts, from 0 to 1 and more.
    #[serde(default = "one")]
    pub strength: f64,
    /// The least share a value counts with.
    #[serde(default)]
    pub floor: f64,
    /// Whose u the share is compared with.
    #[serde(default)]
    pub base: FrequencyBase,
}

fn one() -> f64 {
    1.0
}

/// Whose u the share of a value is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FrequencyBase {
    /// That of the comparison's level that is nothing but equality of the field.
    #[default]
    Exact,
    /// That of the level itself.
    Level,
}

/// One blocking rule: records that share all these derived values are compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockSettings {
    /// Fields with an optional form: `surname.phonetic`, `dob.year`, `email`.
    pub on: Vec<String>,
    /// Compares each record with so many of its neighbours, itself counted, in the order of these values
    /// instead of those that share them; records of equal values are in the order of their references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
}

/// One deterministic rule: a pair for which it holds is linked at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// A name for reports.
    pub name: String,
    /// Tests joined by `and`, in the level language: `email: exact and surname: exact`.
    pub when: String,
}

/// When evidence links, and what a cluster may hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DecideSettings {
    /// The probability from which a pair links.
    pub link: f64,
    /// The probability from which a pair is kept for review.
    pub review: f64,
    /// The probability that two groups of records are of one customer, by all pairs between them
    /// together, below which no single link joins them; 0 lets every link. It counts as `link`
    /// where it is above. A lone record is no group, and what a deterministic rule links stays linked.
    pub bridge: f64,
    /// Sources that hold each customer at most once.
    pub one_per_source: Vec<String>,
    /// Comparisons whose lowest level holds two records apart: records that differ in them never
    /// share a cluster, directly or through others. Values that are missing hold nothing apart.
    pub apart: Vec<String>,
    /// The most references of one cluster; at most 10,000 beside `apart`, which looks at all pairs
    /// of a cluster.
    pub cluster_size_max: u32,
}

impl Default for DecideSettings {
    fn default() -> Self {
        Self {
            link: 0.9,
            review: 0.5,
            bridge: 0.5,
            one_per_source: Vec::new(),
            apart: Vec::new(),
            cluster_size_max: 1_000,
        }
    }
}

impl DecideSettings {
    /// Returns what the pairs between two groups must weigh on average, unless every link is let.
    pub fn bridge_weight(&self) -> Option<MatchWeight> {
        let bridge = self.bridge.min(self.link);
        (bridge > 0.0).then(|| MatchWeight::from_bits((bridge / (1.0 - bridge)).log2()))
    }
}

/// The candidate pairs that are judged beside each other take 36 bytes each, these 150 MB; so many teach
/// by their rules.
pub const RIVAL_PAIRS_MAX: u64 = 4_000_000;

/// How the model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSettings {
    /// The most random pairs drawn to estimate u.
    pub random_pairs_max: u64,
    /// About how many candidate pairs are looked at to estimate m, at most: rules share them evenly,
    /// and of the blocks of a rule that makes more a sample is drawn. Blocks are drawn whole, so the
    /// sample can hold more or fewer pairs.
    pub candidate_pairs_max: u64,
    /// Of more candidate pairs nothing is learnt from which candidate of a record is the best, though
    /// all sources hold each entity once.
    pub rival_pairs_max: u64,
    /// Chooses the sample.
    pub seed: u64,
    /// Whether agreements that bring each other about between strangers, such as names and the
    /// e-mail addresses made of them, are found and counted once.
    pub interactions: bool,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            random_pairs_max: 500_000,
            candidate_pairs_max: 500_000,
            rival_pairs_max: RIVAL_PAIRS_MAX,
            seed: 1,
            interactions: true,
        }
    }
}

/// What blocking may spend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetSettings {
    /// The most candidate pairs per record, on average; a plan that exceeds it is refused.
    pub pairs_per_record_max: u64,
    /// The most records of one block; larger blocks are refined, and what cannot be refined is reported.
    pub block_len_max: u32,
    /// The most pairs that refining a larger block makes, per record in it: those of records that share
    /// another value with the fewest.
    pub refined_pairs_per_record_max: f64,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            pairs_per_record_max: 200,
            block_len_max: 200,
            refined_pairs_per_record_max: 4.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_must_reach_even_odds_but_never_more_than_links() {
        let weight = |bridge, link| {
            let decide = DecideSettings {
                link,
                bridge,
                ..DecideSettings::default()
            };
            decide.bridge_weight().map(MatchWeight::hundredths)
        };
        assert_eq!(
            DecideSettings::default().bridge_weight(),
            Some(MatchWeight::default())
        );
        assert_eq!(weight(0.9, 0.99), Some(317));
        assert_eq!(weight(0.9, 0.8), Some(200));
        assert_eq!(weight(0.0, 0.8), None);
    }
}
