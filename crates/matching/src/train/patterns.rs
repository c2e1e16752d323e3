//! Level patterns of random pairs and of the pairs that rules make.

use rayon::prelude::*;
use sameas_graph::LevelPattern;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::TrainSettings;
use crate::blocking::{Blocking, Choice, RuleCost};
use crate::compare::Comparer;
use crate::plan::MatchingPlan;
use crate::prepared::Prepared;
use crate::rows::PREFETCH_LEN;

/// Counts of level patterns, in pattern order; a pattern stands for all pairs that show it.
pub(super) type Patterns = Vec<(LevelPattern, f64)>;

/// Pairs of one rule's blocks within the bound: all, and those that no earlier rule makes.
pub(super) struct RulePatterns {
    pub(super) rule: usize,
    pub(super) all: Patterns,
    pub(super) owned: Patterns,
    /// Pairs looked at; the patterns are counted for all pairs they stand for.
    pub(super) pairs: u64,
    /// How many records the block of a pair holds, on average.
    pub(super) block_len: f64,
}

/// Draws random pairs by hashing their number, so the sample is the same on every machine.
pub(super) fn random_patterns(
    prepared: &Prepared<'_>,
    comparer: &Comparer<'_>,
    settings: &TrainSettings,
) -> Patterns {
    let len = prepared.records.len() as u64;
    let exclusive = prepared.exclusive();
    let all = len * len.saturating_sub(1) / 2;
    let exhaustive = all <= settings.random_pairs_max;
    let chunk = 16_384;
    let chunks: Vec<Patterns> = (0..all.min(settings.random_pairs_max).div_ceil(chunk))
        .into_par_iter()
        .map(|part| {
            let draws = part * chunk..all.min(settings.random_pairs_max).min((part + 1) * chunk);
            let drawn = draws.map(|draw| {
                if exhaustive {
                    nth_pair(draw)
                } else {
                    drawn_pair(draw, len, settings.seed)
                }
            });
            let drawn = drawn.map(|(a, b)| [a as u32, b as u32]);
            let drawn = drawn.filter(|&[a, b]| exclusive.may_pair(a, b));
            let nodes: Vec<u32> = drawn.flatten().collect();
            let rows = prepared.rows();
            let mut patterns = Counter::default();
            for nodes in nodes.chunks(PREFETCH_LEN) {
                rows.prefetch(nodes);
                let pairs = || {
                    let pairs = nodes.as_chunks::<2>().0.iter();
                    pairs.map(|&[a, b]| (rows.of(a), rows.of(b)))
                };
                pairs().for_each(|(a, b)| comparer.prefetch(a, b));
                pairs().for_each(|(a, b)| patterns.add(comparer.pattern(a, b)));
            }
            patterns.sorted()
        })
        .collect();
    merge(chunks)
}

/// Returns the `n`-th pair (a, b) with a > b, counting row by row.
fn nth_pair(n: u64) -> (u64, u64) {
    let mut a = (0.5 + (0.25 + 2.0 * n as f64).sqrt()) as u64;
    while a * (a - 1) / 2 > n {
        a -= 1;
    }
    while a * (a + 1) / 2 <= n {
        a += 1;
    }
    (a, n - a * (a - 1) / 2)
}

fn drawn_pair(draw: u64, len: u64, seed: u64) -> (u64, u64) {
    let hash = |salt: u64| xxh3_64_with_seed(&draw.to_le_bytes(), seed.wrapping_mul(2) + salt);
    (hash(0) % len, hash(1) % len)
}

/// Lists the patterns of a chunk, to be counted at its end: sorting words beats hashing them.
#[derive(Default)]
struct Counter(Vec<LevelPattern>);

impl Counter {
    fn add(&mut self, pattern: LevelPattern) {
        self.0.push(pattern);
    }

    fn sorted(mut self) -> Patterns {
        self.0.sort_unstable();
        self.0
            .chunk_by(|a, b| a == b)
            .map(|run| (run[0], run.len() as f64))
            .collect()
    }
}

fn merge(chunks: impl IntoIterator<Item = Patterns>) -> Patterns {
    let mut all: Patterns = chunks.into_iter().flatten().collect();
    all.sort_unstable_by_key(|&(pattern, _)| pattern);
    all.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    all
}

/// What was drawn from the blocks of a rule.
#[derive(Default)]
struct Drawn {
    all: Counter,
    owned: Counter,
    /// The lengths of the pairs' blocks, summed.
    block_len: u64,
}

/// Looks at the pairs of every rule, or at a sample of its blocks if there are many.
///
/// Groups that oversized blocks were cut into teach nothing: their records agree in a value that is
/// none of the rule's own, and rarely by chance, for the smallest were taken.
pub(super) fn rule_patterns(
    prepared: &Prepared<'_>,
    comparer: &Comparer<'_>,
    blocking: &Blocking<'_>,
    plan: &MatchingPlan,
    settings: &TrainSettings,
) -> Vec<RulePatterns> {
    let exclusive = prepared.exclusive();
    let share = settings.candidate_pairs_max / plan.rules.len().max(1) as u64;
    let rules = blocking.costs().iter().enumerate();
    let of_rule = |(rule, cost): (usize, &RuleCost)| {
        let pairs = cost.pairs - cost.refined_pairs;
        let fraction = (share as f64 / pairs.max(1) as f64).min(1.0);
        let sample = Choice::Sample {
            share: fraction,
            seed: settings.seed,
        };
        let parts = blocking.map_batches(rule, sample, Drawn::default, |drawn, blocks| {
            let mut pairs = Vec::new();
            for block in blocks.iter() {
                for (i, a) in block.rows().enumerate() {
                    let later = block.rows().skip(i + 1);
                    for b in later.filter(|b| exclusive.may_pair(a.node, b.node)) {
                        comparer.prefetch(a, b);
                        pairs.push((block, a, b));
                    }
                }
            }
            for (block, a, b) in pairs {
                let pattern = comparer.pattern(a, b);
                drawn.all.add(pattern);
                drawn.block_len += block.nodes.len() as u64;
                if blocking.owns(&block, a, b) {
                    drawn.owned.add(pattern);
                }
            }
        });
        RulePatterns::of(rule, parts, fraction)
    };
    rules.map(of_rule).collect()
}

impl RulePatterns {
    fn of(rule: usize, drawn: Vec<Drawn>, fraction: f64) -> Self {
        let pairs = drawn.iter().map(|drawn| drawn.all.0.len() as u64).sum();
        let block_len: u64 = drawn.iter().map(|drawn| drawn.block_len).sum();
        let (mut all, mut owned) = (Vec::new(), Vec::new());
        for drawn in drawn {
            all.push(drawn.all.sorted());
            owned.push(drawn.owned.sorted());
        }
        let (mut all, mut owned) = (merge(all), merge(owned));
        all.iter_mut()
            .chain(&mut owned)
            .for_each(|(_, count)| *count /= fraction);
        Self {
            rule,
            all,
            owned,
            pairs,
            block_len: block_len as f64 / pairs.max(1) as f64,
        }
    }
}
