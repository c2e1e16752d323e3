//! The trained model: what each level says, how likely a match is, how frequent frequent values are.

mod calibration;
mod interaction;

use std::collections::BTreeMap;

use sameas_record::FieldKind;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use crate::Scope;
use crate::plan::{Comparison, MatchingPlan};

pub use calibration::{Calibration, squared_error};
pub use interaction::Interaction;
pub(crate) use interaction::Interactions;

/// The version of the model's file form.
pub const MODEL_FORMAT: u32 = 3;

/// The oldest form that is read. It knows neither words nor interactions nor calibration and is weighed without.
pub const MODEL_FORMAT_OLDEST: u32 = 2;

/// Values or words listed in a frequency table, at most.
pub(crate) const FREQUENT_COUNT_MAX: usize = 10_000;
/// Values or words listed in a frequency table occur at least this often.
pub(crate) const FREQUENT_LEAST: u32 = 4;

/// The trained parameters of one level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelParameters {
    /// As the settings write the level; `else` for the last.
    pub level: String,
    /// The chance of the level between two records of one entity, both values present.
    pub m: f64,
    /// The chance of the level between records of two strangers, both values present.
    pub u: f64,
    /// The chance of the level between records of two related entities; `u` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related: Option<f64>,
}

impl LevelParameters {
    /// Returns what this level says about a pair that falls into it.
    ///
    /// The weight is `log2(m / u)` (Fellegi and Sunter 1969): how much likelier the level is
    /// between two records of one entity than between records of two. Evidence stays in
    /// bits because weights of independent comparisons add and probabilities do not.
    pub fn bits(&self) -> f64 {
        (self.m / self.u).log2()
    }

    /// Returns how much likelier the level is within an entity than between related ones, in bits.
    pub fn bits_against_related(&self) -> f64 {
        (self.m / self.related.unwrap_or(self.u)).log2()
    }
}

/// The trained parameters of one comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonParameters {
    /// The comparison's name.
    pub name: String,
    /// The field whose values it compares.
    pub field: String,
    /// The kind of every field that its levels look at.
    pub kinds: BTreeMap<String, FieldKind>,
    /// Whom its values belong to.
    pub scope: Scope,
    /// What its levels ask in SQL, the missing level first; empty if they are in the level language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// Its levels, best first, without the missing level.
    pub levels: Vec<LevelParameters>,
    /// How frequent its values are, if equal values weigh by frequency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<FrequencyTable>,
}

impl ComparisonParameters {
    /// Takes all weight from the comparison: every level says as much for as against a pair.
    pub fn mute(&mut self) {
        for level in &mut self.levels {
            (level.m, level.related) = (level.u, None);
        }
        self.frequency = None;
    }

    /// Says in what it was trained for another question than this comparison asks.
    ///
    /// The name is not enough: with other values, other normal forms or other people to tell apart,
    /// a level of the same name weighs something else.
    fn difference(&self, plan: &MatchingPlan, comparison: &Comparison) -> Option<String> {
        let name = &comparison.name;
        if self.name != *name {
            return Some(format!("`{}` instead of `{name}`", self.name));
        }
        let field = &plan.schema.field(comparison.field).name;
        if self.field != *field {
            return Some(format!(
                "field `{}` of `{name}` instead of `{field}`",
                self.field
            ));
        }
        if !self
            .levels
            .iter()
            .map(|l| &l.level)
            .eq(&comparison.level_names()[1..])
        {
            return Some(format!("levels of `{name}`"));
        }
        let asked = comparison.conditions.as_ref();
        let asked = asked.map_or_else(Vec::new, |asked| asked.describe(&plan.schema));
        if self.conditions != asked {
            return Some(format!("conditions of `{name}`"));
        }
        if self.kinds != plan.kinds_of(comparison) {
            return Some(format!("kinds of the fields of `{name}`"));
        }
        if self.scope != comparison.scope {
            return Some(format!("scope of `{name}`"));
        }
        (self.frequency.is_some() != comparison.frequency).then(|| format!("frequency of `{name}`"))
    }

    /// Names a part that holds a number which is no probability.
    fn improbable_part(&self) -> Option<String> {
        let sound =
            |l: &&LevelParameters| probable(l.m) && probable(l.u) && l.related.is_none_or(probable);
        if let Some(level) = self.levels.iter().find(|level| !sound(level)) {
            return Some(format!("level `{}`", level.level));
        }
        let table = self.frequency.as_ref()?;
        (!table.is_probable()).then(|| "frequency of values".to_owned())
    }
}

fn probable(p: f64) -> bool {
    p > 0.0 && p <= 1.0
}

/// How frequent values or words are: frequent ones under keyed tokens that are attached to no reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrequencyTable {
    /// The chance that a record with a value has any one of the unlisted values, on average.
    pub rest: f64,
    /// The chance of each frequent value, by the hexadecimal token of the value.
    pub frequent: BTreeMap<String, f64>,
}

impl FrequencyTable {
    /// Returns whether all shares are above 0, for a value weighs by the reciprocal of its own.
    fn is_probable(&self) -> bool {
        let mut shares = self.frequent.values().chain([&self.rest]);
        shares.all(|&share| probable(share))
    }

    fn round(&mut self) {
        self.rest = rounded(self.rest);
        let shares = self.frequent.values_mut();
        shares.for_each(|share| *share = rounded(*share));
    }
}

/// A trained model, readable by people; it holds no value and no unkeyed digest of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The version of this form.
    pub format: u32,
    /// The chance that two random records are one entity.
    pub prior: f64,
    /// The chance that two random records are of two related entities; absent if the comparisons cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related: Option<f64>,
    /// How many records the model was trained on.
    pub records: u64,
    /// Identifies the key of the frequency tokens, without telling it.
    pub key_id: String,
    /// The comparisons in the order of the settings.
    pub comparisons: Vec<ComparisonParameters>,
    /// What two comparisons say twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interactions: Vec<Interaction>,
    /// What labels made of its bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How frequent words are, by the name of each field whose words weigh by their rarity.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, FrequencyTable>,
}

/// Why a model does not fit the settings.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelError {
    /// The model was written by another version.
    #[error(
        "the model has format {found}, this version reads formats {MODEL_FORMAT_OLDEST} to {MODEL_FORMAT}; train again with `sameas train`"
    )]
    Format {
        /// The format found.
        found: u32,
    },
    /// The comparisons or their levels changed since training.
    #[error(
        "the model was trained for other comparisons ({what}); train again with `sameas train`"
    )]
    Differs {
        /// The first difference.
        what: String,
    },
    /// A parameter is no probability.
    #[error(
        "the model's {what} is not a probability above 0 and at most 1; train again with `sameas train`"
    )]
    NotProbability {
        /// Which parameter.
        what: String,
    },
    /// Something that belongs to no single comparison cannot be used.
    #[error("the model's {what}; train again with `sameas train`")]
    Unsound {
        /// What is wrong.
        what: &'static str,
    },
    /// The key that made the model's frequency tokens is another one.
    #[error(
        "the model's frequency tokens were made with another key; restore the key file or train again with `sameas train`"
    )]
    OtherKey,
}

impl Model {
    /// Checks that the model speaks of exactly these comparisons and holds probabilities.
    ///
    /// # Errors
    /// Names the first difference and the remedy.
    pub fn check(&self, plan: &MatchingPlan) -> Result<(), ModelError> {
        Self::check_format(self.format)?;
        if self.comparisons.len() != plan.comparisons.len() {
            let what = format!(
                "{} comparisons in the model, {} in the settings",
                self.comparisons.len(),
                plan.comparisons.len()
            );
            return Err(ModelError::Differs { what });
        }
        for (trained, comparison) in self.comparisons.iter().zip(&plan.comparisons) {
            if let Some(what) = trained.difference(plan, comparison) {
                return Err(ModelError::Differs { what });
            }
            if let Some(part) = trained.improbable_part() {
                let what = format!("`{}`, {part}", trained.name);
                return Err(ModelError::NotProbability { what });
            }
        }
        for field in plan.weighed_word_fields() {
            let field = &plan.schema.field(field).name;
            let Some(table) = self.words.get(field) else {
                let what = format!("frequencies of the words of `{field}`");
                return Err(ModelError::Differs { what });
            };
            if !table.is_probable() {
                let what = format!("frequencies of the words of `{field}`");
                return Err(ModelError::NotProbability { what });
            }
        }
        self.check_shared()?;
        let related = self.related.unwrap_or(0.0);
        if self.prior > 0.0 && self.prior < 1.0 && (0.0..1.0).contains(&related) {
            Ok(())
        } else {
            Err(ModelError::NotProbability {
                what: "prior".to_owned(),
            })
        }
    }

    /// Checks that a model file of this form can be read.
    ///
    /// # Errors
    /// Names the form and the remedy.
    pub fn check_format(found: u32) -> Result<(), ModelError> {
        if (MODEL_FORMAT_OLDEST..=MODEL_FORMAT).contains(&found) {
            Ok(())
        } else {
            Err(ModelError::Format { found })
        }
    }

    /// Checks what belongs to no single comparison.
    fn check_shared(&self) -> Result<(), ModelError> {
        let unsound = |what: &'static str| Err(ModelError::Unsound { what });
        let bits = self.interactions.iter().map(|interaction| interaction.bits);
        if !bits.clone().all(|bits| bits.is_finite() && bits >= 0.0) {
            return unsound("interactions have bits that are no finite number from 0 on");
        }
        if Interactions::resolve(&self.interactions, &self.comparisons).is_none() {
            return unsound("interactions name comparisons or levels that it has not");
        }
        match self.calibration {
            Some(calibration) if !calibration.is_sound() => unsound("calibration does not rise"),
            _ => Ok(()),
        }
    }

    /// Returns the model with at most twelve digits a parameter.
    ///
    /// Readers of decimal numbers differ in the last bit of longer ones. So short, every number
    /// is read as it was written, and a rebuild by the file gives the bytes of the rebuild that
    /// trained it.
    #[must_use]
    pub fn rounded(mut self) -> Self {
        for parameters in &mut self.comparisons {
            for level in &mut parameters.levels {
                level.m = rounded(level.m);
                level.u = rounded(level.u);
                level.related = level.related.map(rounded);
            }
            if let Some(table) = &mut parameters.frequency {
                table.round();
            }
        }
        for interaction in &mut self.interactions {
            interaction.bits = rounded(interaction.bits);
        }
        if let Some(calibration) = &mut self.calibration {
            calibration.slope = rounded(calibration.slope);
            calibration.offset = rounded(calibration.offset.abs()).copysign(calibration.offset);
        }
        self.words.values_mut().for_each(FrequencyTable::round);
        self.prior = rounded(self.prior);
        self.related = self.related.map(rounded);
        self
    }

    /// Returns the weight of two random records being one entity, in bits: the log odds of the prior.
    pub fn prior_bits(&self) -> f64 {
        (self.prior / (1.0 - self.prior)).log2()
    }

    /// Returns the log odds of two random records being one entity rather than two related ones, in bits.
    pub fn prior_bits_against_related(&self) -> Option<f64> {
        let related = self.related.filter(|&related| related > 0.0)?;
        Some((self.prior / related).log2())
    }

    /// Returns a digest of all parameters, by which evidence names its model.
    ///
    /// # Panics
    /// Never: a model of finite numbers always serialises.
    pub fn digest(&self) -> u64 {
        xxh3_64(&serde_json::to_vec(self).expect("a model of finite numbers serialises"))
    }
}

/// Keeps twelve digits of a probability, fewer if they stand beyond the 22nd decimal: what is
/// left is a whole number below 2^53 over a power of ten that a float holds exactly, so that one
/// division reads it (Clinger 1990).
fn rounded(probability: f64) -> f64 {
    const DIGITS_MAX: i32 = 12;
    const DECIMALS_MAX: i32 = 22;
    if probability <= 0.0 || !probability.is_finite() {
        return probability;
    }
    let place = probability.log10().floor() as i32;
    let decimals = (DIGITS_MAX - 1 - place).clamp(0, DECIMALS_MAX);
    let text = format!("{probability:.*}", decimals as usize);
    let rounded = text.parse().unwrap_or(probability);
    if rounded > 0.0 { rounded } else { probability }
}

/// The secret that makes frequency tokens; without it they say nothing about a value.
#[derive(Clone)]
pub struct FrequencyKey([u8; 32]);

impl std::fmt::Debug for FrequencyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FrequencyKey(secret)")
    }
}

impl FrequencyKey {
    /// Wraps 32 random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns a public name of the key.
    pub fn id(&self) -> String {
        let hash = blake3::keyed_hash(&self.0, b"sameas key id");
        hash.to_hex()[..16].to_owned()
    }

    /// Returns the 128-bit token of a comparison's value (keyed BLAKE3, length-prefixed name).
    pub fn token(&self, comparison: &Comparison, value: &str) -> String {
        self.token_within(comparison.name.len() as u64, &comparison.name, value)
    }

    /// Returns the 128-bit token of a word of a field; it is no token of a value.
    pub fn word_token(&self, field: &str, word: &str) -> String {
        // No name is so long, so no value has the same bytes before it.
        self.token_within(!(field.len() as u64), field, word)
    }

    fn token_within(&self, mark: u64, name: &str, text: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&mark.to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(text.as_bytes());
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

#[cfg(test)]
mod tests;
