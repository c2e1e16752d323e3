//! What strangers show, and what they share because they share something else.

use sameas_graph::LevelPattern;
use sameas_record::FieldKind;

use super::classes::{Classes, Shares, taught_by};
use super::dependence::{self, Sample};
use super::patterns::{Patterns, RulePatterns};
use crate::Scope;
use crate::plan::{Comparison, MatchingPlan};

/// What becomes of relatives when strangers are counted.
#[derive(Clone, Copy)]
enum Kin {
    /// They are told from strangers.
    Told,
    /// They count as strangers.
    Strangers,
}

impl Classes {
    /// Returns how likely strangers show some levels of a pattern, given its others.
    ///
    /// Exact but for what three comparisons or more say thrice.
    pub(super) fn chance_of_strangers(&self, pattern: LevelPattern, included: &[usize]) -> f64 {
        let count = self.u.len();
        let given: Vec<(usize, u8)> = (0..count)
            .filter(|c| !included.contains(c) && pattern.level(*c) > 0)
            .map(|c| (c, pattern.level(c)))
            .collect();
        let mut chance = 1.0;
        for &c in included {
            if let level @ 1.. = usize::from(pattern.level(c)) {
                chance *= if given.is_empty() || self.interactions.active().is_empty() {
                    self.u[c][level - 1]
                } else {
                    dependence::foretold(c, &given, &self.u, &self.interactions)[level - 1]
                };
            }
        }
        let both = self.interactions.active().iter();
        let bits = both
            .filter(|(a, b)| included.contains(a) && included.contains(b))
            .map(|&(a, b)| {
                self.interactions
                    .between((a, pattern.level(a)), (b, pattern.level(b)))
            });
        chance * bits.sum::<f64>().exp2()
    }

    /// Finds what strangers share because they share something else.
    ///
    /// Only those are asked whom even the model without interactions takes for strangers: it
    /// takes too many pairs for matches, so that no match lends its agreements to strangers.
    /// A rule on what is a person's own finds relatives by chance alone; whoever seems to be one
    /// among its pairs is a stranger of that name.
    pub(super) fn relate(
        &mut self,
        plan: &MatchingPlan,
        random: &Patterns,
        rules: &[RulePatterns],
        shares: Shares,
    ) {
        let all: Vec<usize> = (0..self.m.len()).collect();
        let mix = [
            shares.matched,
            shares.related,
            1.0 - shares.matched - shares.related,
        ];
        let mut samples = vec![self.sample(random, &all, mix, Kin::Told)];
        for (patterns, mix) in rules.iter().zip(&self.mixes) {
            let included = taught_by(plan, patterns);
            if included.is_empty() {
                continue;
            }
            let is_own = |c: &usize| plan.comparisons[*c].scope == Scope::Person;
            let kin = if all.iter().filter(|c| !included.contains(c)).any(is_own) {
                Kin::Strangers
            } else {
                Kin::Told
            };
            let mut sample = self.sample(&patterns.all, &included, *mix, kin);
            // A sampled pair is one witness, whatever it stands for.
            let stand_for: f64 = patterns.all.iter().map(|(_, count)| count).sum();
            let drawn = patterns.pairs as f64 / stand_for;
            sample
                .strangers
                .iter_mut()
                .for_each(|count| *count *= drawn);
            samples.push(sample);
        }
        let speaks = |c: usize, level: u8| {
            let level = usize::from(level);
            level < self.m[c].len() && self.m[c][level - 1] > self.u[c][level - 1]
        };
        let may_interact = |a: usize, b: usize| may_interact(plan, a, b);
        dependence::fit(
            &samples,
            &self.u,
            &mut self.interactions,
            &speaks,
            &may_interact,
        );
    }

    /// Counts the pairs of strangers that show each pattern, as the model without interactions sees them.
    fn sample<'p>(
        &self,
        patterns: &'p Patterns,
        included: &[usize],
        mix: [f64; 3],
        kin: Kin,
    ) -> Sample<'p> {
        let strangers = patterns.iter().map(|&(pattern, count)| {
            let levels = included.iter().map(|&c| (c, usize::from(pattern.level(c))));
            let present = levels.filter(|&(_, level)| level > 0);
            let chance = present.map(|(c, level)| self.u[c][level - 1]).product();
            let shares = self.shares_of(pattern, included, mix, chance);
            match kin {
                Kin::Told => shares[2] * count,
                Kin::Strangers => (shares[1] + shares[2]) * count,
            }
        });
        Sample {
            patterns,
            strangers: strangers.collect(),
            free: included.to_vec(),
        }
    }
}

/// Tells whether strangers may share what two comparisons look at because of each other.
///
/// A person's own and a household's are shared together by relatives, who are told apart from
/// strangers already; what else shares both are matches that are not found yet. But an e-mail
/// address, though a household may share one, is often made of its owner's names.
fn may_interact(plan: &MatchingPlan, a: usize, b: usize) -> bool {
    let [a, b] = [a, b].map(|c| &plan.comparisons[c]);
    let is_kin = |one: &Comparison, other: &Comparison| {
        one.scope == Scope::Person && other.scope == Scope::Household
    };
    let kind = |comparison: &Comparison| plan.schema.field(comparison.field).kind;
    let is_name = |comparison: &Comparison| {
        matches!(
            kind(comparison),
            FieldKind::GivenName | FieldKind::Surname | FieldKind::FullName
        )
    };
    let is_named_after =
        |one: &Comparison, other: &Comparison| kind(one) == FieldKind::Email && is_name(other);
    !(is_kin(a, b) || is_kin(b, a)) || is_named_after(a, b) || is_named_after(b, a)
}
