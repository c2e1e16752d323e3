//! What to be wary of in what training learnt, in words.

use super::classes::{Classes, ROUNDS_MAX, ordered, takes_too_many, taught_by};
use super::patterns::RulePatterns;
use super::{Sighting, Training, TrainingPass};
use crate::plan::MatchingPlan;
use crate::weigh::without_literals;

/// A level that weighs fewer bits either way says nothing.
const BITS_LEAST: f64 = 0.5;

/// What was learnt, and from what.
pub(super) struct Doubts<'d> {
    pub(super) plan: &'d MatchingPlan,
    pub(super) classes: &'d Classes,
    pub(super) rules: &'d [RulePatterns],
}

impl Doubts<'_> {
    /// Returns what to be wary of.
    pub(super) fn of(&self, training: &Training) -> Vec<String> {
        let taught: Vec<Vec<usize>> = self
            .rules
            .iter()
            .map(|patterns| taught_by(self.plan, patterns))
            .filter(|taught| !taught.is_empty())
            .collect();
        if training.is_guessed {
            return vec![
                "the likest pairs differ in most of what is compared, so perhaps no two records are of one entity; nothing was learnt from them and m is a guess: if there are duplicates, add blocking rules that find them, or labels".to_owned(),
            ];
        }
        let mut warnings = Vec::new();
        if training.is_by_rivals {
            if training.is_doubtful {
                warnings.push("the rules leave open what a match is, so m was learnt from which candidate of a record is the best, for every source holds each entity once: look at examples before you rely on it".to_owned());
            }
            for (index, sightings) in training.sightings.iter().enumerate() {
                warnings.extend(self.of_comparison(index, sightings, false));
            }
            return warnings;
        }
        for (index, sightings) in training.sightings.iter().enumerate() {
            warnings.extend(self.of_comparison(index, sightings, !taught.is_empty()));
        }
        warnings.extend(training.passes.iter().filter_map(of_pass));
        if training.passes.iter().any(|pass| pass.rounds == ROUNDS_MAX) {
            warnings.push(format!(
                "weights still moved after {ROUNDS_MAX} rounds and are used as they were then; look at them before you rely on them"
            ));
        }
        let is_ordered = |taught: &Vec<usize>| ordered(taught, &self.classes.m, &self.classes.u);
        if taught.is_empty() {
            warnings.push(
                "no blocking rule gave enough pairs to learn m from; the weights are guesses: add blocking rules on different fields".to_owned(),
            );
        } else if !taught.iter().any(is_ordered) {
            warnings.push(
                "equal values speak against one entity in most comparisons, so matches and strangers may have been taken for each other; do not rely on these weights: add blocking rules that bring more matches together".to_owned(),
            );
        }
        warnings
    }

    fn of_comparison(&self, index: usize, seen: &[Sighting], any_taught: bool) -> Vec<String> {
        let mut warnings = Vec::new();
        let name = &self.plan.comparisons[index].name;
        let (m, u) = (&self.classes.m[index], &self.classes.u[index]);
        if m[0] <= u[0] {
            warnings.push(format!(
                "comparison `{name}`: equal values are no likelier between records of one entity; is the field informative?"
            ));
        }
        if any_taught && seen.iter().all(|seen| seen.candidate == 0.0) {
            warnings.push(format!(
                "comparison `{name}`: m is a guess, because every rule that brings pairs with these values together looks at its fields; add a blocking rule on other fields"
            ));
        }
        if let Some((better, worse)) = self.reversed(index, seen) {
            let levels = self.plan.comparisons[index].level_names();
            let bits = |level: usize| (m[level] / u[level]).log2();
            warnings.push(format!(
                "comparison `{name}`: level `{}` weighs {:+.1} bits and speaks against one entity, though `{}` below it weighs {:+.1}; let better levels come first, or join the two",
                without_literals(&levels[better + 1]),
                bits(better),
                without_literals(&levels[worse + 1]),
                bits(worse)
            ));
        }
        warnings
    }

    /// Returns the first level that speaks against one entity though a lower one speaks for it.
    ///
    /// A lower level that speaks for it more strongly is no surprise: exchanged names are rarer
    /// between strangers than equal ones.
    fn reversed(&self, index: usize, seen: &[Sighting]) -> Option<(usize, usize)> {
        let (m, u) = (&self.classes.m[index], &self.classes.u[index]);
        let bits = |level: &usize| (m[*level] / u[*level]).log2();
        let levels = (0..m.len()).filter(|&level| seen[level].candidate > 0.0);
        let levels: Vec<usize> = levels.collect();
        let worse = levels.iter().rposition(|level| bits(level) >= BITS_LEAST)?;
        let better = levels[..worse]
            .iter()
            .find(|level| bits(level) <= -BITS_LEAST);
        Some((*better?, levels[worse]))
    }
}

fn of_pass(pass: &TrainingPass) -> Option<String> {
    takes_too_many(pass).then(|| {
        format!(
            "rule `{}`: nearly all of its pairs are taken for matches, though their blocks hold {:.0} records on average; are entities so large?",
            pass.rule, pass.block_len
        )
    })
}
