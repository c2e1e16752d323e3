//! Level patterns of random pairs and of the pairs that rules make.

use std::collections::BTreeMap;

use rayon::prelude::*;
use sameas_graph::LevelPattern;
use sameas_record::FieldId;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::TrainSettings;
use crate::blocking::{Block, Blocking, RuleCost};
use crate::compare::Comparer;
use crate::plan::MatchingPlan;
use crate::prepared::Prepared;
use crate::rows::GATHER_LEN;

/// Counts of level patterns, in pattern order; a pattern stands for all pairs that show it.
pub(super) type Patterns = Vec<(LevelPattern, f64)>;

/// Pairs of one rule, of its blocks within the bound or of groups of those over it that one field
/// makes: all, and those that no earlier rule makes.
pub(super) struct RulePatterns {
    pub(super) rule: usize,
    /// The field that the groups agree in.
    pub(super) refined_by: Option<FieldId>,
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
            let (rows, mut gathered) = (prepared.rows(), Vec::new());
            let mut patterns = Counter::default();
            for nodes in nodes.chunks(GATHER_LEN) {
                rows.gather(nodes, &mut gathered);
                let pairs = || {
                    let pairs = nodes.as_chunks::<2>().0.iter().enumerate();
                    pairs.map(|(pair, &[a, b])| {
                        let a = rows.within(&gathered, 2 * pair, a);
                        (a, rows.within(&gathered, 2 * pair + 1, b))
                    })
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

/// Draws pairs evenly from the blocks that it is shown one after the other, however large each is:
/// of so many pairs in a row one, and which is left to a hash.
struct Draws {
    step: u64,
    seed: u64,
    /// The hash of the first block.
    first: Option<u64>,
    /// Pairs of the blocks before, and the next to be drawn, counted alike.
    passed: u64,
    next: u64,
}

impl Draws {
    fn new(step: u64, seed: u64) -> Self {
        Self {
            step,
            seed,
            first: None,
            passed: 0,
            next: 0,
        }
    }

    /// Hands the positions in a block of the pairs that are drawn from it to a consumer.
    fn from(&mut self, block: &Block<'_>, draw: &mut dyn FnMut(usize, usize)) {
        if self.first.is_none() {
            self.first = Some(block.hash(self.seed));
            self.next = self.of_row(0);
        }
        let len = block.nodes.len() as u64;
        let end = self.passed + len * len.saturating_sub(1) / 2;
        while self.next < end {
            let (a, b) = nth_pair(self.next - self.passed);
            draw(b as usize, a as usize);
            self.next = self.of_row(self.next / self.step + 1);
        }
        self.passed = end;
    }

    /// Returns which pair of a row of pairs is drawn.
    fn of_row(&self, row: u64) -> u64 {
        let hash = xxh3_64_with_seed(&row.to_le_bytes(), self.first.unwrap_or(0));
        row * self.step + hash % self.step
    }
}

/// What was drawn from the blocks of a rule that were refined by one field, or not at all.
#[derive(Default)]
struct Drawn {
    all: Counter,
    owned: Counter,
    /// The lengths of the pairs' blocks, summed.
    block_len: u64,
}

/// Looks at the pairs of every rule, or at a sample of them if there are many.
///
/// The groups of blocks over the bound are kept apart by the field they agree in, because it says
/// as little in their pairs as the rule's own fields do.
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
        let step = cost.pairs.div_ceil(share.max(1)).max(1);
        let new = || (Draws::new(step, settings.seed), BTreeMap::new());
        let parts = blocking.map_blocks(rule, new, |(draws, drawn), block| {
            draws.from(&block, &mut |a, b| {
                let (a, b) = (block.row(a), block.row(b));
                if !exclusive.may_pair(a.node, b.node) {
                    return;
                }
                let drawn: &mut Drawn = drawn.entry(blocking.refined_by(&block)).or_default();
                let pattern = comparer.pattern(a, b);
                drawn.all.add(pattern);
                drawn.block_len += block.nodes.len() as u64;
                if blocking.owns(&block, a, b) {
                    drawn.owned.add(pattern);
                }
            });
        });
        let mut by_field: BTreeMap<Option<FieldId>, Vec<Drawn>> = BTreeMap::new();
        for (field, drawn) in parts.into_iter().flat_map(|(_, drawn)| drawn) {
            by_field.entry(field).or_default().push(drawn);
        }
        // A rule without pairs has a pass too, for the report to say so.
        if by_field.is_empty() {
            by_field.insert(None, Vec::new());
        }
        by_field
            .into_iter()
            .map(move |(refined_by, drawn)| RulePatterns::of(rule, refined_by, drawn, step))
    };
    rules.flat_map(of_rule).collect()
}

impl RulePatterns {
    fn of(rule: usize, refined_by: Option<FieldId>, drawn: Vec<Drawn>, step: u64) -> Self {
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
            .for_each(|(_, count)| *count *= step as f64);
        Self {
            rule,
            refined_by,
            all,
            owned,
            pairs,
            block_len: block_len as f64 / pairs.max(1) as f64,
        }
    }
}
