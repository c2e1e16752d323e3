//! Which agreements bring each other about between strangers, from level patterns.
//!
//! A log-linear model of strangers with interactions of two comparisons at a time (Thibaudeau 1993;
//! Winkler 1993), fitted by pseudo-likelihood (Besag 1975): the level of one comparison is foretold
//! from the levels of the others. That holds among random pairs, and among the pairs of a rule as
//! well for comparisons that the rule does not touch, however the rule selected them. Random pairs
//! know what is frequent, rules what is rare.

use rayon::prelude::*;
use sameas_graph::LevelPattern;

use super::classes::Levels;
use super::patterns::Patterns;
use crate::model::Interactions;

/// Rounds of fitting between two rounds of expectation-maximisation.
const ROUNDS: usize = 6;
/// Of a count no more is believed than it surely shows: its lower end, one-sided 95 %.
const Z: f64 = 1.645;
/// Several comparisons may foretell one level, so each moves half way.
const STEP: f64 = 0.5;
/// What two levels say twice and is less than this, in bits, is left alone.
const BITS_LEAST: f64 = 0.25;
/// Patterns counted together.
const CHUNK: usize = 2_048;

/// Patterns of pairs that were drawn one way.
pub(super) struct Sample<'p> {
    pub(super) patterns: &'p Patterns,
    /// How many pairs drawn show each pattern and are of strangers, as far as one knows.
    pub(super) strangers: Vec<f64>,
    /// The comparisons whose levels had no part in the drawing.
    pub(super) free: Vec<usize>,
}

impl Sample<'_> {
    /// Lists the patterns that strangers show and that say anything for a match.
    fn rows<'s>(
        &'s self,
        count: usize,
        speaks: &'s (dyn Fn(usize, u8) -> bool + Sync),
    ) -> impl Iterator<Item = Row<'s>> + 's {
        let patterns = self.patterns.iter().zip(&self.strangers);
        let rows = patterns.map(|(&(pattern, _), &strangers)| Row {
            pattern,
            strangers,
            free: &self.free,
        });
        let says = move |pattern: LevelPattern| {
            (0..count).any(|c| pattern.level(c) > 0 && speaks(c, pattern.level(c)))
        };
        rows.filter(move |row| row.strangers > 1e-6 && says(row.pattern))
    }
}

struct Row<'s> {
    pattern: LevelPattern,
    strangers: f64,
    free: &'s [usize],
}

/// Fits interactions, beginning with those known so far. Only levels that speak for a match, all
/// but the last of a comparison at most, are asked: `speaks(comparison, level)`. Two comparisons of
/// which `may_interact` says no are left independent.
pub(super) fn fit(
    samples: &[Sample<'_>],
    u: &Levels,
    interactions: &mut Interactions,
    speaks: &(dyn Fn(usize, u8) -> bool + Sync),
    may_interact: &(dyn Fn(usize, usize) -> bool + Sync),
) {
    let (mut observed, mut largest) = (Cells::new(u.len()), Cells::new(u.len()));
    let mut rows: Vec<Row<'_>> = Vec::new();
    for sample in samples {
        let begin = rows.len();
        rows.extend(sample.rows(u.len(), speaks));
        let mut seen = Cells::new(u.len());
        for row in &rows[begin..] {
            row.observe(speaks, &mut seen);
        }
        observed.add(&seen);
        largest.raise_to(&seen);
    }
    for _ in 0..ROUNDS {
        let parts: Vec<Cells> = rows
            .par_chunks(CHUNK)
            .map(|rows| {
                let mut expected = Cells::new(u.len());
                for row in rows {
                    row.expect(u, interactions, speaks, &observed, &mut expected);
                }
                expected
            })
            .collect();
        let mut expected = Cells::new(u.len());
        for part in parts {
            expected.add(&part);
        }
        step(
            (&observed, &largest),
            &expected,
            u,
            interactions,
            may_interact,
        );
    }
    prune(u, interactions);
}

/// Moves every interaction towards what was observed, between none and full dependence.
///
/// Samples share pairs, so that only the largest witnesses how sure their counts are.
fn step(
    (observed, largest): (&Cells, &Cells),
    expected: &Cells,
    u: &Levels,
    interactions: &mut Interactions,
    may_interact: &(dyn Fn(usize, usize) -> bool + Sync),
) {
    for (a, b, i, j) in levels(u).filter(|&(a, b, ..)| may_interact(a, b)) {
        let seen = observed.at((a, i), (b, j));
        if seen <= 0.0 {
            continue;
        }
        let witnesses = largest.at((a, i), (b, j));
        let sure = seen * (1.0 - Z / witnesses.sqrt()).max(1e-6);
        let foretold = expected.at((a, i), (b, j));
        if foretold <= 0.0 {
            continue;
        }
        let most = -u[a][usize::from(i) - 1]
            .max(u[b][usize::from(j) - 1])
            .log2();
        let bits = interactions.between((a, i), (b, j)) + STEP * (sure / foretold).log2();
        interactions.set((a, i), (b, j), bits.clamp(0.0, most.max(0.0)));
    }
}

fn prune(u: &Levels, interactions: &mut Interactions) {
    let all = interactions.clone();
    *interactions = Interactions::none(u.len());
    for (a, b, i, j) in levels(u) {
        let bits = all.between((a, i), (b, j));
        if bits >= BITS_LEAST {
            interactions.set((a, i), (b, j), bits);
        }
    }
}

/// Lists two comparisons, the lower one first, with a level of each.
fn levels(u: &Levels) -> impl Iterator<Item = (usize, usize, u8, u8)> {
    let of = |c: usize| 1..=u[c].len() as u8;
    let pairs = (0..u.len()).flat_map(move |a| (a + 1..u.len()).map(move |b| (a, b)));
    pairs.flat_map(move |(a, b)| of(a).flat_map(move |i| of(b).map(move |j| (a, b, i, j))))
}

impl Row<'_> {
    /// Lists the comparisons that may foretell another one's level here.
    fn telling<'s>(
        &'s self,
        node: usize,
        count: usize,
        speaks: &'s (dyn Fn(usize, u8) -> bool + Sync),
    ) -> impl Iterator<Item = (usize, u8)> + 's {
        let levels = (0..count).map(|c| (c, self.pattern.level(c)));
        levels.filter(move |&(c, level)| c != node && level > 0 && speaks(c, level))
    }

    /// A pair of free comparisons is asked both ways round and counts half each time.
    fn share(&self, context: usize) -> f64 {
        if self.free.contains(&context) {
            0.5
        } else {
            1.0
        }
    }

    fn observe(&self, speaks: &(dyn Fn(usize, u8) -> bool + Sync), observed: &mut Cells) {
        for &node in self.free {
            let level = self.pattern.level(node);
            if level > 0 && speaks(node, level) {
                for context in self.telling(node, observed.comparison_count, speaks) {
                    *observed.at_mut(context, (node, level)) +=
                        self.strangers * self.share(context.0);
                }
            }
        }
    }

    fn expect(
        &self,
        u: &Levels,
        interactions: &Interactions,
        speaks: &(dyn Fn(usize, u8) -> bool + Sync),
        observed: &Cells,
        expected: &mut Cells,
    ) {
        for &node in self.free {
            if self.pattern.level(node) == 0 {
                continue;
            }
            let telling = self.telling(node, u.len(), speaks);
            let telling: Vec<(usize, u8)> = telling
                .filter(|&(c, i)| observed.any((c, i), node))
                .collect();
            if telling.is_empty() {
                continue;
            }
            let chances = foretold(node, &telling, u, interactions);
            for &context in &telling {
                let pairs = self.strangers * self.share(context.0);
                for (j, chance) in (1..).zip(&chances) {
                    *expected.at_mut(context, (node, j)) += pairs * chance;
                }
            }
        }
    }
}

/// Returns the chances of a comparison's levels between strangers who show other levels.
pub(super) fn foretold(
    node: usize,
    telling: &[(usize, u8)],
    u: &Levels,
    interactions: &Interactions,
) -> Vec<f64> {
    let lift = |j: u8| -> f64 {
        let bits = telling
            .iter()
            .map(|&context| interactions.between(context, (node, j)));
        bits.sum()
    };
    let odds = (1..).zip(&u[node]).map(|(j, u)| u * lift(j).exp2());
    let odds: Vec<f64> = odds.collect();
    let total: f64 = odds.iter().sum();
    odds.into_iter().map(|odds| odds / total).collect()
}

/// Counts by two comparisons and a level of each.
struct Cells {
    comparison_count: usize,
    counts: Vec<f64>,
}

impl Cells {
    fn new(comparison_count: usize) -> Self {
        Self {
            comparison_count,
            counts: vec![0.0; comparison_count * comparison_count * 256],
        }
    }

    fn place(&self, one: (usize, u8), other: (usize, u8)) -> usize {
        let ((a, i), (b, j)) = if one.0 < other.0 {
            (one, other)
        } else {
            (other, one)
        };
        (a * self.comparison_count + b) * 256 + usize::from(i) * 16 + usize::from(j)
    }

    fn at(&self, one: (usize, u8), other: (usize, u8)) -> f64 {
        self.counts[self.place(one, other)]
    }

    fn at_mut(&mut self, one: (usize, u8), other: (usize, u8)) -> &mut f64 {
        let place = self.place(one, other);
        &mut self.counts[place]
    }

    /// Tells whether a level was seen with any level of a comparison.
    fn any(&self, one: (usize, u8), node: usize) -> bool {
        (1..16).any(|j| self.at(one, (node, j)) > 0.0)
    }

    fn raise_to(&mut self, more: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&more.counts) {
            *count = count.max(*more);
        }
    }

    fn add(&mut self, more: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&more.counts) {
            *count += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chance of each level of three comparisons: equal, alike, else.
    const U: [[f64; 3]; 3] = [[0.01, 0.02, 0.97], [0.02, 0.03, 0.95], [0.05, 0.05, 0.9]];

    fn u() -> Levels {
        U.iter().map(|u| u.to_vec()).collect()
    }

    /// Ten million pairs of strangers, of whom those at two levels are so many times more than
    /// chance has it, with the chance of every pattern worked out one by one.
    fn strangers(lift: f64) -> Patterns {
        let levels = 0..27_u32;
        let all = levels.map(|n| [n % 3, n / 3 % 3, n / 9]);
        let odds = |levels: &[u32; 3]| {
            let chance: f64 = (0..3).map(|c| U[c][levels[c] as usize]).product();
            chance * if levels[..2] == [0, 1] { lift } else { 1.0 }
        };
        let total: f64 = all.clone().map(|levels| odds(&levels)).sum();
        let pattern = |levels: &[u32; 3]| {
            (0..3).fold(LevelPattern::default(), |pattern, c| {
                pattern.with(c, levels[c] as u8 + 1)
            })
        };
        all.map(|levels| (pattern(&levels), 1e7 * odds(&levels) / total))
            .collect()
    }

    fn found(patterns: &Patterns, free: Vec<usize>, rounds: usize) -> Interactions {
        let sample = Sample {
            strangers: patterns.iter().map(|(_, count)| *count).collect(),
            patterns,
            free,
        };
        let mut interactions = Interactions::none(3);
        for _ in 0..rounds {
            fit(
                &[Sample {
                    strangers: sample.strangers.clone(),
                    patterns,
                    free: sample.free.clone(),
                }],
                &u(),
                &mut interactions,
                &|_, level| level < 3,
                &|_, _| true,
            );
        }
        interactions
    }

    #[test]
    fn independent_comparisons_say_nothing_twice() {
        let found = found(&strangers(1.0), vec![0, 1, 2], 3);
        assert_eq!(found.active(), []);
    }

    #[test]
    fn what_made_two_levels_meet_is_found_again() {
        for free in [vec![0, 1, 2], vec![1, 2], vec![0, 2]] {
            let found = found(&strangers(16.0), free.clone(), 3);
            assert_eq!(found.active(), [(0, 1)], "{free:?}");
            let bits = found.between((0, 1), (1, 2));
            assert!((bits - 4.0).abs() < 0.2, "{free:?}: {bits}, 4 made them");
            assert!(found.between((0, 1), (1, 1)).abs() < 1e-9);
        }
    }

    /// A rule on the first comparison sees equal pairs alone, and finds the same.
    #[test]
    fn what_a_rule_selects_by_does_not_bend_what_it_finds() {
        let mut patterns = strangers(16.0);
        patterns.retain(|(pattern, _)| pattern.level(0) == 1);
        let bits = found(&patterns, vec![1, 2], 3).between((0, 1), (1, 2));
        assert!((bits - 4.0).abs() < 0.2, "{bits}, 4 made them");
    }

    /// Two pairs where one tenth of one was to be expected may be chance.
    #[test]
    fn a_handful_of_pairs_proves_nothing() {
        let mut patterns = strangers(16.0);
        for (_, count) in &mut patterns {
            *count *= 4e-5;
        }
        let found = found(&patterns, vec![0, 1, 2], 3);
        assert_eq!(found.active(), []);
    }
}
