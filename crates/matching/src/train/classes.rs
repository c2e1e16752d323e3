//! The kinds of pairs, and expectation-maximisation over their level patterns.

use rayon::prelude::*;
use sameas_graph::LevelPattern;
use sameas_record::FieldId;

use super::TrainingPass;
use super::patterns::{Patterns, RulePatterns};
use crate::Scope;
use crate::model::{Interactions, LevelParameters};
use crate::plan::{Comparison, MatchingPlan};

/// The prior of a model for which no two records seem to be of one entity.
pub const PRIOR_MIN: f64 = 1e-15;

/// EM stops when no parameter moves by more than this.
pub(super) const CONVERGED: f64 = 1e-5;
/// EM stops after this many rounds; what it has learnt by then is used.
pub(super) const ROUNDS_MAX: usize = 100;
/// How many pairs the guessed m counts for.
const GUESS_PAIRS: f64 = 2.0;
/// How many labelled pairs all pairs without a label count for.
const UNLABELLED_PAIRS: f64 = 100.0;
/// A pass with fewer pairs teaches nothing.
const PASS_PAIRS_LEAST: f64 = 20.0;
/// A pass is in doubt if it takes more than this share of its pairs for matches, though it has so
/// many of them and their blocks so many records: entities are hardly that large.
const MATCHED_MAX: f64 = 0.99;
const DOUBTED_PAIRS_LEAST: u64 = 1_000;
const DOUBTED_BLOCK_LEN_LEAST: f64 = 10.0;

/// Level probabilities by comparison and level, the missing level left out.
pub(super) type Levels = Vec<Vec<f64>>;

/// Returns m as one would guess it: better levels are likelier between records of one entity.
fn initial_m(plan: &MatchingPlan) -> Levels {
    let of = |comparison: &Comparison| {
        let between = comparison.levels.len() as f64 - 1.0;
        let mut m = vec![0.8];
        m.extend(comparison.levels[1..].iter().map(|_| 0.15 / between));
        m.push(if between > 0.0 { 0.05 } else { 0.2 });
        m
    };
    plan.comparisons.iter().map(of).collect()
}

/// Returns the guess as a few pairs, so that a comparison of which nothing is learnt keeps it.
fn guessed_pairs(plan: &MatchingPlan) -> Levels {
    let mut pairs = initial_m(plan);
    pairs.iter_mut().flatten().for_each(|m| *m *= GUESS_PAIRS);
    pairs
}

/// How likely each level is in each kind of pair.
#[derive(Clone)]
pub(super) struct Classes {
    /// Between records of one entity.
    pub(super) m: Levels,
    /// Between strangers.
    pub(super) u: Levels,
    /// Between records of related entities.
    pub(super) related: Levels,
    pub(super) tells_related: bool,
    /// What strangers share because they share something else.
    pub(super) interactions: Interactions,
    /// The shares of matches, relatives and strangers among the pairs of each rule.
    pub(super) mixes: Vec<[f64; 3]>,
    /// How many labelled pairs of one entity show each level.
    pub(super) labelled: Levels,
}

/// How likely each kind of pair is among random pairs; the rest are strangers.
#[derive(Clone, Copy)]
pub(super) struct Shares {
    pub(super) matched: f64,
    pub(super) related: f64,
}

/// One rule's pairs, as EM sees them: its own fields say nothing there.
struct Pass<'r> {
    patterns: &'r Patterns,
    included: Vec<usize>,
    /// How likely each pattern is between strangers whom the rule brings together.
    strangers: Vec<f64>,
    /// The shares of matches, relatives and strangers.
    mix: [f64; 3],
}

impl Classes {
    pub(super) fn guess(plan: &MatchingPlan, observed: &Levels) -> Self {
        let m = initial_m(plan);
        let mut classes = Self {
            related: m.clone(),
            m,
            u: observed.clone(),
            tells_related: plan.tells_related(),
            interactions: Interactions::none(observed.len()),
            mixes: Vec::new(),
            labelled: observed.iter().map(|u| vec![0.0; u.len()]).collect(),
        };
        classes.pin_related(plan);
        classes
    }

    /// Forgets what was learnt of matches and relatives.
    pub(super) fn guess_again(&mut self, plan: &MatchingPlan) {
        self.m = initial_m(plan);
        self.related.clone_from(&self.m);
    }

    /// Relatives differ like strangers in what is a person's own.
    pub(super) fn pin_related(&mut self, plan: &MatchingPlan) {
        for (index, comparison) in plan.comparisons.iter().enumerate() {
            if comparison.scope == Scope::Person {
                self.related[index].clone_from(&self.u[index]);
            }
        }
    }

    /// Runs EM over the pairs of all rules together: one m and one kind of relatives, but shares
    /// of their own for each rule (Winkler 1988; Jaro 1989; Larsen and Rubin 2001 for more than
    /// two classes). u is known, and missing levels say nothing.
    ///
    /// Returns what each pass saw, and the largest move of a parameter in each round.
    pub(super) fn fit(
        &mut self,
        plan: &MatchingPlan,
        rules: &[RulePatterns],
    ) -> (Vec<TrainingPass>, Vec<f64>) {
        let passes = rules.iter().map(|patterns| self.pass(plan, patterns));
        let mut passes: Vec<Pass<'_>> = passes.collect();
        let mut moves = Vec::new();
        while moves.len() < ROUNDS_MAX && moves.last().is_none_or(|&moved| moved >= CONVERGED) {
            moves.push(self.round(plan, &mut passes));
        }
        self.mixes = passes.iter().map(|pass| pass.mix).collect();
        let reports = rules.iter().zip(&passes);
        let reports = reports.map(|(patterns, pass)| TrainingPass {
            rule: plan.rules[patterns.rule].name.clone(),
            pairs: patterns.pairs,
            matched: pass.mix[0],
            block_len: patterns.block_len,
            rounds: moves.len(),
            used: pass.usable() && ordered(&pass.included, &self.m, &self.u),
        });
        let reports = reports.map(|pass| TrainingPass {
            used: pass.used && !takes_too_many(&pass),
            ..pass
        });
        (reports.collect(), moves)
    }

    fn pass<'r>(&self, plan: &MatchingPlan, patterns: &'r RulePatterns) -> Pass<'r> {
        let included = included(plan, patterns);
        let personal = included
            .iter()
            .any(|&c| plan.comparisons[c].scope == Scope::Person);
        // Without a person's own fields relatives look like matches; then there are none in this pass.
        let mix = if self.tells_related && personal {
            [0.5, 0.25, 0.25]
        } else {
            [0.5, 0.0, 0.5]
        };
        let strangers = patterns
            .all
            .par_iter()
            .map(|&(pattern, _)| self.chance_of_strangers(pattern, &included));
        Pass {
            patterns: &patterns.all,
            strangers: strangers.collect(),
            included,
            mix,
        }
    }

    /// One round of EM; returns the largest move of a parameter.
    fn round(&mut self, plan: &MatchingPlan, passes: &mut [Pass<'_>]) -> f64 {
        let mut matched = guessed_pairs(plan);
        let mut related = matched.clone();
        let mut moved: f64 = 0.0;
        let expected: Vec<Expected> = passes.par_iter().map(|pass| self.expect(pass)).collect();
        for (pass, expected) in passes.iter_mut().zip(expected) {
            let total: f64 = expected.sums.iter().sum();
            if total <= 0.0 {
                continue;
            }
            add(&mut matched, &expected.matched);
            add(&mut related, &expected.related);
            for (mix, sum) in pass.mix.iter_mut().zip(expected.sums) {
                moved = moved.max((sum / total - *mix).abs());
                *mix = sum / total;
            }
        }
        for (index, comparison) in plan.comparisons.iter().enumerate() {
            let matched = with_labels(&matched[index], &self.labelled[index]);
            moved = moved.max(settle(&mut self.m[index], &matched));
            if comparison.scope != Scope::Person {
                moved = moved.max(settle(&mut self.related[index], &related[index]));
            }
        }
        moved
    }

    /// Moves m to how often matches are expected to show each level; returns the largest move.
    pub(super) fn learn_matches(&mut self, plan: &MatchingPlan, expected: &Levels) -> f64 {
        let mut matched = guessed_pairs(plan);
        add(&mut matched, expected);
        let moves = self.m.iter_mut().zip(&matched);
        moves
            .map(|(m, matched)| settle(m, matched))
            .fold(0.0, f64::max)
    }

    /// Does the same for relatives in what is not a person's own.
    pub(super) fn learn_relatives(&mut self, plan: &MatchingPlan, expected: &Levels) -> f64 {
        let mut related = guessed_pairs(plan);
        add(&mut related, expected);
        let moves = plan.comparisons.iter().enumerate();
        let shared = moves.filter(|(_, comparison)| comparison.scope != Scope::Person);
        shared
            .map(|(index, _)| settle(&mut self.related[index], &related[index]))
            .fold(0.0, f64::max)
    }

    /// Returns how likely a pattern is of relatives.
    pub(super) fn chance_of_relatives(&self, pattern: LevelPattern) -> f64 {
        chance(&self.related, pattern)
    }

    /// Returns how likely a pattern is of a match.
    pub(super) fn chance_of_matches(&self, pattern: LevelPattern) -> f64 {
        chance(&self.m, pattern)
    }

    /// Returns how many pairs of a pass are expected to be of each kind, and at which levels.
    fn expect(&self, pass: &Pass<'_>) -> Expected {
        let zeros: Levels = self.m.iter().map(|m| vec![0.0; m.len()]).collect();
        let mut expected = Expected {
            sums: [0.0; 3],
            matched: zeros.clone(),
            related: zeros,
        };
        if !pass.usable() {
            return expected;
        }
        for (&(pattern, count), &strangers) in pass.patterns.iter().zip(&pass.strangers) {
            let shares = self.shares_of(pattern, &pass.included, pass.mix, strangers);
            for (sum, share) in expected.sums.iter_mut().zip(shares) {
                *sum += share * count;
            }
            for &c in &pass.included {
                if let level @ 1.. = pattern.level(c) as usize {
                    expected.matched[c][level - 1] += shares[0] * count;
                    expected.related[c][level - 1] += shares[1] * count;
                }
            }
        }
        expected
    }

    /// Returns how likely a pattern is of a match, of relatives, of strangers.
    pub(super) fn shares_of(
        &self,
        pattern: LevelPattern,
        included: &[usize],
        mix: [f64; 3],
        strangers: f64,
    ) -> [f64; 3] {
        let mut odds = mix;
        odds[2] *= strangers;
        for &c in included {
            if let level @ 1.. = pattern.level(c) as usize {
                odds[0] *= self.m[c][level - 1];
                odds[1] *= self.related[c][level - 1];
            }
        }
        let total: f64 = odds.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        odds.map(|o| o / total)
    }

    pub(super) fn level_parameters(
        &self,
        index: usize,
        comparison: &Comparison,
    ) -> Vec<LevelParameters> {
        let names = comparison.level_names().into_iter().skip(1).enumerate();
        names
            .map(|(l, level)| LevelParameters {
                level,
                m: self.m[index][l],
                u: self.u[index][l],
                related: self.tells_related.then_some(self.related[index][l]),
            })
            .collect()
    }
}

/// Returns how likely a pattern is where levels are so likely.
fn chance(levels: &Levels, pattern: LevelPattern) -> f64 {
    let levels = levels.iter().enumerate();
    levels
        .filter_map(|(index, of)| of.get(usize::from(pattern.level(index)).checked_sub(1)?))
        .product()
}

/// What one pass expects.
struct Expected {
    sums: [f64; 3],
    matched: Levels,
    related: Levels,
}

fn add(sums: &mut Levels, more: &Levels) {
    for (sum, more) in sums.iter_mut().flatten().zip(more.iter().flatten()) {
        *sum += more;
    }
}

impl Pass<'_> {
    fn usable(&self) -> bool {
        is_enough(&self.included, self.patterns)
    }
}

/// Returns the sums beside which labelled pairs count as they should: what nobody labelled is the
/// prior (Dirichlet's) that labels have to outweigh, as strong as so many pairs, however many it is.
fn with_labels(sums: &[f64], labelled: &[f64]) -> Vec<f64> {
    if labelled.iter().all(|&count| count <= 0.0) {
        return sums.to_vec();
    }
    let total: f64 = sums.iter().sum();
    let both = sums.iter().zip(labelled);
    both.map(|(sum, labelled)| UNLABELLED_PAIRS * sum / total + labelled)
        .collect()
}

/// Moves probabilities to their shares of the sums; returns the largest move.
fn settle(probabilities: &mut [f64], sums: &[f64]) -> f64 {
    let total: f64 = sums.iter().sum();
    let mut moved: f64 = 0.0;
    for (probability, sum) in probabilities.iter_mut().zip(sums) {
        let next = (sum / total).max(1e-9);
        moved = moved.max((next - *probability).abs());
        *probability = next;
    }
    moved
}

/// Returns the comparisons that say something in the pairs of a pass: those that look at no field
/// in which the pairs agree because of how they were made.
fn included(plan: &MatchingPlan, patterns: &RulePatterns) -> Vec<usize> {
    let parts = plan.rules[patterns.rule].parts.iter();
    let agreed: Vec<FieldId> = parts.map(|part| part.field).collect();
    let touches = |comparison: &Comparison| {
        agreed.contains(&comparison.field) || comparison.fields().any(|f| agreed.contains(&f))
    };
    (0..plan.comparisons.len())
        .filter(|&c| !touches(&plan.comparisons[c]))
        .collect()
}

fn is_enough(included: &[usize], patterns: &Patterns) -> bool {
    let pairs: f64 = patterns.iter().map(|(_, count)| count).sum();
    included.len() >= 2 && pairs >= PASS_PAIRS_LEAST
}

/// Returns the comparisons that a pass teaches, if it has fields and pairs enough to teach any.
pub(super) fn taught_by(plan: &MatchingPlan, patterns: &RulePatterns) -> Vec<usize> {
    let included = included(plan, patterns);
    if is_enough(&included, &patterns.all) {
        included
    } else {
        Vec::new()
    }
}

/// Tells whether a pass takes so many pairs for matches that its strangers are likely among them.
pub(super) fn takes_too_many(pass: &TrainingPass) -> bool {
    pass.matched > MATCHED_MAX
        && pass.pairs >= DOUBTED_PAIRS_LEAST
        && pass.block_len >= DOUBTED_BLOCK_LEN_LEAST
}

/// Guards against switched labels: equality must speak for a match in most comparisons.
pub(super) fn ordered(included: &[usize], m: &Levels, u: &Levels) -> bool {
    let speaks_for = included.iter().filter(|&&c| m[c][0] > u[c][0]).count();
    2 * speaks_for > included.len()
}

/// Guards against a kind of pairs that only share something: records of one entity agree, at least
/// in part, in most of what is compared.
///
/// Where no two records are of one entity EM still parts the pairs in two, for example into those of
/// like given names and the e-mail addresses made of them, and the others.
pub(super) fn agree(compared: &[usize], m: &Levels, u: &Levels) -> bool {
    let differ = |c: &&usize| match (m[**c].last(), u[**c].last()) {
        // Where the last level speaks for a match, it is not difference that it stands for.
        (Some(m), Some(u)) => *m > 0.5 && *m < 2.0 * u,
        _ => false,
    };
    2 * compared.iter().filter(differ).count() <= compared.len()
}

/// Finds the shares at which the matches and relatives expected among all candidate pairs are those they say there are.
pub(super) fn estimate_shares(
    rules: &[RulePatterns],
    classes: &Classes,
    total: f64,
    start: f64,
) -> Shares {
    let all: Vec<usize> = (0..classes.m.len()).collect();
    let related = if classes.tells_related { start } else { 0.0 };
    let mut shares = Shares {
        matched: start,
        related,
    };
    let owned = rules.iter().flat_map(|rule| &rule.owned);
    let owned: Vec<(LevelPattern, f64, f64)> = owned
        .map(|&(pattern, count)| (pattern, count, classes.chance_of_strangers(pattern, &all)))
        .collect();
    for _ in 0..ROUNDS_MAX {
        let mix = [
            shares.matched,
            shares.related,
            1.0 - shares.matched - shares.related,
        ];
        let mut sums = [0.0; 2];
        for &(pattern, count, strangers) in &owned {
            let of = classes.shares_of(pattern, &all, mix, strangers);
            sums[0] += of[0] * count;
            sums[1] += of[1] * count;
        }
        let next = Shares {
            matched: (sums[0] / total).clamp(PRIOR_MIN, 0.45),
            related: (sums[1] / total).clamp(0.0, 0.45),
        };
        let moved = (next.matched / shares.matched - 1.0)
            .abs()
            .max((next.related - shares.related).abs() / next.related.max(1e-15));
        shares = next;
        if moved < CONVERGED {
            break;
        }
    }
    shares
}

/// Takes the pairs of matches and of relatives out of what random pairs showed.
pub(super) fn corrected_u(observed: &Levels, classes: &Classes, shares: Shares) -> Levels {
    let correct = |c: usize| {
        let levels = 0..observed[c].len();
        let left: Vec<f64> = levels
            .map(|l| {
                let others =
                    shares.matched * classes.m[c][l] + shares.related * classes.related[c][l];
                (observed[c][l] - others).max(observed[c][l] * 0.05)
            })
            .collect();
        let total: f64 = left.iter().sum();
        left.iter()
            .map(|share| (share / total).max(1e-12))
            .collect()
    };
    (0..observed.len()).map(correct).collect()
}

#[cfg(test)]
mod tests;
