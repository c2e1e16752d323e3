//! Blocks of records that share a key, and the candidate pairs they make.
//!
//! Cost: 8 bytes a key while a rule is sorted (hash bits and node packed in one word), then one
//! look at each pair of a block. No set of pairs is ever held: a pair belongs to the first rule,
//! and within a rule to the first key, that makes it, which two nodes' keys decide.

mod index;
mod keys;
mod refine;
mod rule;
mod window;

use rayon::prelude::*;

pub use self::index::{Brought, KeyIndex};
use self::keys::{chunk_bounds, list_keys, mix, node_of, runs, single_key, sorted_words, truncate};
use self::refine::{Refiner, refined_key};
#[cfg(target_arch = "x86_64")]
pub(crate) use self::rule::Footprint;
use self::rule::{PreparedPart, PreparedRule};
use crate::BudgetSettings;
use crate::plan::{KeyPart, MatchingPlan};
use crate::prepared::Prepared;
use crate::rows::{Agreement, NodeRow, PREFETCH_LEN, Rows};

/// Refined blocks that one thread takes at a time.
const REFINED_CHUNK_LEN: usize = 8_192;

/// A block, handed to the consumer: the nodes that share a key, ascending.
#[derive(Clone, Copy, Debug)]
pub struct Block<'b> {
    /// The nodes.
    pub nodes: &'b [u32],
    /// The rule.
    pub rule: usize,
    /// Whether it is a group of a block over the bound, whose records agree in something else too.
    pub is_refined: bool,
    /// How many pairs of them the rule makes by this key.
    pub pairs: u64,
    key: u64,
    rows: &'b Rows,
}

impl<'b> Block<'b> {
    /// Returns the rows of all nodes.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn all_rows(&self) -> &'b Rows {
        self.rows
    }

    /// Returns the rows of the nodes.
    pub fn rows(self) -> impl Iterator<Item = NodeRow<'b>> {
        self.nodes.iter().map(move |&node| self.rows.of(node))
    }
}

/// Which blocks of a rule are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    All,
    /// Of the blocks within the bound this share, chosen by key and seed alone.
    Sample {
        share: f64,
        seed: u64,
    },
}

impl Choice {
    fn takes(self, (key, is_refined, _): (u64, bool, u64)) -> bool {
        let number = |seed| (mix(key, seed) >> 11) as f64 / (1u64 << 53) as f64;
        match self {
            Self::All => true,
            Self::Sample { share, seed } => !is_refined && number(seed) < share,
        }
    }
}

/// Blocks whose rows were asked of memory at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks<'b> {
    /// The rule.
    pub(crate) rule: usize,
    rows: &'b Rows,
    batch: &'b Batch,
}

impl<'b> Blocks<'b> {
    /// Returns the blocks in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = Block<'b>> {
        let batch = self.batch;
        let starts = std::iter::once(0).chain(batch.blocks.iter().map(|&(_, end)| end));
        let blocks = batch.blocks.iter().zip(starts);
        blocks.map(move |(&((key, is_refined, pairs), end), start)| Block {
            nodes: &batch.nodes[start..end],
            rule: self.rule,
            is_refined,
            pairs,
            key,
            rows: self.rows,
        })
    }
}

/// One oversized block: how many records share the key, and what refining it could not save.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HotKey {
    /// How many records share the key.
    pub len: u64,
    /// How many of its pairs are not compared, at most.
    pub refused_pairs: u64,
}

/// What a rule costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleCost {
    /// Records that have a key.
    pub keyed_records: u64,
    /// Blocks of at least two records.
    pub blocks: u64,
    /// Pairs of all blocks within the bound, and of refined blocks.
    pub pairs: u64,
    /// The largest block.
    pub largest: u64,
    /// Blocks over the bound, largest first, at most ten.
    pub hot: Vec<HotKey>,
    /// How many blocks are over the bound.
    pub hot_count: u64,
    /// How many records they hold; one with several keys counts in each.
    pub hot_records: u64,
    /// How many pairs the groups make that they are cut into; they are among the pairs.
    pub refined_pairs: u64,
    /// How many pairs of them no group holds, at most: those that the part which makes most of a
    /// block's pairs leaves out; another part or another rule may make some of them.
    pub refused_pairs: u64,
    /// Records that have more keys than are used.
    pub cut_records: u64,
}

/// The rules by which two records could meet, by number, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Makers {
    /// Those that make the pair.
    pub made_by: Vec<usize>,
    /// Those whose key the two share in a block over the bound that no refinement saves.
    pub refused_by: Vec<usize>,
}

/// All rules over the records in flight.
#[derive(Debug)]
pub struct Blocking<'p> {
    rules: Vec<PreparedRule<'p>>,
    rows: &'p Rows,
    /// Parts by which oversized blocks are refined.
    refinements: Vec<PreparedPart<'p>>,
    block_len_max: usize,
    node_bits: u32,
    costs: Vec<RuleCost>,
    /// For each rule, those before it.
    earlier: Vec<Earlier>,
}

/// The rules before one, by what tells that they make a pair.
#[derive(Debug, Default)]
struct Earlier {
    /// The bits of an [`Agreement`] that say so.
    masks: Vec<u32>,
    /// The rules of which it does not say all.
    others: Vec<usize>,
}

impl Earlier {
    fn than(rule: usize, rules: &[PreparedRule<'_>]) -> Self {
        let mut earlier = Self::default();
        for (number, rule) in rules[..rule].iter().enumerate() {
            match rule.deciding_mask() {
                Some(mask) => earlier.masks.push(mask),
                None => earlier.others.push(number),
            }
        }
        earlier
    }
}

impl<'p> Blocking<'p> {
    /// Computes and sorts the keys of every rule.
    pub fn new(prepared: &'p Prepared<'_>, plan: &MatchingPlan, budget: &BudgetSettings) -> Self {
        let len = prepared.records.len();
        let node_bits = usize::BITS - len.leading_zeros();
        let mut refining: Vec<KeyPart> = Vec::new();
        for part in plan.rules.iter().flat_map(|rule| &rule.parts) {
            if !refining.contains(part) {
                refining.push(*part);
            }
        }
        let refinements = refining.iter();
        let refinements = refinements.map(|&part| PreparedPart::new(prepared, part));
        let refinements = refinements.filter(PreparedPart::single).collect();
        let mut blocking = Self {
            rules: Vec::new(),
            rows: prepared.rows(),
            refinements,
            block_len_max: budget.block_len_max as usize,
            node_bits,
            costs: Vec::new(),
            earlier: Vec::new(),
        };
        for rule in &plan.rules {
            let (rule, cost) = blocking.prepare_rule(PreparedRule::new(prepared, rule), len);
            blocking.rules.push(rule);
            blocking.costs.push(cost);
        }
        // Which pairs are worth making of a block depends on what other rules make.
        for rule in 0..blocking.rules.len() {
            blocking.refine(rule, budget);
        }
        let rules = 0..blocking.rules.len();
        blocking.earlier = rules
            .map(|rule| Earlier::than(rule, &blocking.rules))
            .collect();
        blocking
    }

    /// Returns what each rule costs, in rule order.
    pub fn costs(&self) -> &[RuleCost] {
        &self.costs
    }

    /// Returns the sizes of the largest blocks of a rule, at most ten.
    pub fn largest_blocks(&self, rule: usize) -> Vec<u64> {
        let blocks = runs(&self.rules[rule].words, self.node_bits);
        let mut sizes: Vec<u64> = blocks.map(|run| run.len() as u64).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes.truncate(10);
        sizes
    }

    /// Hands every block of a rule within the bound, and every group of the others, to a consumer, in parallel.
    ///
    /// The results come in key order, groups last, so they do not depend on the number of threads.
    pub fn map_blocks<T: Send>(
        &self,
        rule: usize,
        make: impl Fn() -> T + Sync,
        visit: impl Fn(&mut T, Block<'_>) + Sync,
    ) -> Vec<T> {
        self.map_batches(rule, Choice::All, make, |state, blocks| {
            blocks.iter().for_each(|block| visit(state, block));
        })
    }

    /// Like [`Blocking::map_blocks`], but chooses among blocks before their rows are asked of memory,
    /// and hands over several at once, in order.
    pub(crate) fn map_batches<T: Send>(
        &self,
        rule: usize,
        choice: Choice,
        make: impl Fn() -> T + Sync,
        visit: impl Fn(&mut T, Blocks<'_>) + Sync,
    ) -> Vec<T> {
        let words = &self.rules[rule].words;
        let refined = &self.rules[rule].refined;
        let bounds = chunk_bounds(words, self.node_bits);
        let chunks = bounds.par_windows(2).map(|bound| {
            let mut visitor = Visitor::new(self, (rule, choice), make(), &visit);
            for run in runs(&words[bound[0]..bound[1]], self.node_bits) {
                if self.is_within(&self.rules[rule], run) {
                    let pairs = self.pairs_of(&self.rules[rule], run);
                    visitor.push((run[0] >> self.node_bits, false, pairs), self.nodes(run));
                }
            }
            visitor.finish()
        });
        let starts = (0..refined.len())
            .into_par_iter()
            .step_by(REFINED_CHUNK_LEN);
        let refined_chunks = starts.map(|from| {
            let mut visitor = Visitor::new(self, (rule, choice), make(), &visit);
            for index in from..refined.len().min(from + REFINED_CHUNK_LEN) {
                let (key, nodes) = refined.get(index);
                let len = nodes.len() as u64;
                visitor.push((key, true, len * (len - 1) / 2), nodes.iter().copied());
            }
            visitor.finish()
        });
        chunks.chain(refined_chunks).collect()
    }

    /// Returns whether this block is where the pair belongs: no earlier rule and no earlier key makes it.
    pub fn owns(&self, block: &Block<'_>, a: NodeRow<'_>, b: NodeRow<'_>) -> bool {
        self.owns_agreeing(block, (a, b), a.agreement(b))
    }

    /// Does the same for two rows that were compared.
    #[inline]
    pub(crate) fn owns_agreeing(
        &self,
        block: &Block<'_>,
        (a, b): (NodeRow<'_>, NodeRow<'_>),
        agreement: Agreement,
    ) -> bool {
        let earlier = &self.earlier[block.rule];
        let mut masks = earlier.masks.iter();
        if masks.any(|mask| agreement.equal & mask == *mask) {
            return false;
        }
        let makes = |rule: &usize| {
            let rule = &self.rules[*rule];
            rule.agrees(a, b, agreement)
                && (rule.surely_makes(a, b) || self.first_key(rule, a, b).is_some())
        };
        if earlier.others.iter().any(makes) {
            return false;
        }
        let rule = &self.rules[block.rule];
        // Two different keys can share the hash bits of a word; such pairs are no candidates.
        if !rule.agrees(a, b, agreement) {
            return false;
        }
        if !rule.multi && !block.is_refined {
            return true;
        }
        if rule.surely_makes(a, b) {
            return self.is_first_of(block, a.node);
        }
        self.first_key(rule, a, b) == Some(block.key)
    }

    /// Tells whether this block is the first of its rule in which a node is; for rules without
    /// blocks over the bound.
    pub(crate) fn is_first_of(&self, block: &Block<'_>, node: u32) -> bool {
        let first = self.rules[block.rule].keys(node as usize).first();
        first.is_some_and(|&key| truncate(key, self.node_bits) == block.key)
    }

    /// Returns what the agreement of two rows tells of a rule.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn footprint(&self, rule: usize) -> Footprint<'_> {
        self.rules[rule].footprint()
    }

    /// Says which rules make a pair and which would, were the block they share not too large.
    ///
    /// Whether two records of one source may pair at all is not asked here.
    pub fn makers(&self, a: u32, b: u32) -> Makers {
        let (a, b) = (self.rows.of(a), self.rows.of(b));
        let mut makers = Makers::default();
        for (number, rule) in self.rules.iter().enumerate() {
            if self.first_key(rule, a, b).is_some() {
                makers.made_by.push(number);
            } else if rule.shares_key(a, b) {
                makers.refused_by.push(number);
            }
        }
        makers
    }

    /// Returns the smallest key by which a rule makes a pair, or the first group of its block.
    fn first_key(&self, rule: &PreparedRule<'_>, a: NodeRow<'_>, b: NodeRow<'_>) -> Option<u64> {
        if let Some(window) = &rule.window {
            let key = window.key(a.node, b.node)?;
            return Some(truncate(key, self.node_bits));
        }
        if !rule.multi {
            if rule.parts.iter().any(|part| part.agreed(a, b).is_none()) {
                return None;
            }
            if rule.hot.is_empty() {
                return Some(0);
            }
            let key = truncate(single_key(rule, a.node as usize)?, self.node_bits);
            return self.made_by(rule, key, a, b);
        }
        let (keys_a, keys_b) = (rule.keys(a.node as usize), rule.keys(b.node as usize));
        let (mut i, mut j) = (0, 0);
        while i < keys_a.len() && j < keys_b.len() {
            match keys_a[i].cmp(&keys_b[j]) {
                std::cmp::Ordering::Less => i += 1,
                std::cmp::Ordering::Greater => j += 1,
                std::cmp::Ordering::Equal => {
                    let key = truncate(keys_a[i], self.node_bits);
                    if let Some(made) = self.made_by(rule, key, a, b) {
                        return Some(made);
                    }
                    i += 1;
                    j += 1;
                }
            }
        }
        None
    }

    fn made_by(
        &self,
        rule: &PreparedRule<'_>,
        key: u64,
        a: NodeRow<'_>,
        b: NodeRow<'_>,
    ) -> Option<u64> {
        if !rule.is_hot(key) {
            return Some(key);
        }
        let parts = self.refinements.iter().enumerate();
        let mut parts = parts.filter(|(index, _)| rule.refined.uses(*index));
        parts.find_map(|(index, part)| {
            let refined = refined_key(key, index, part.derived.hash(part.agreed(a, b)?));
            rule.refined.contains(refined).then_some(refined)
        })
    }

    /// Tells whether a block is taken whole; neighbours never are too many.
    fn is_within(&self, rule: &PreparedRule<'_>, run: &[u64]) -> bool {
        run.len() <= self.block_len_max || rule.window.is_some()
    }

    /// Returns how many pairs of a block a rule makes by its key.
    fn pairs_of(&self, rule: &PreparedRule<'_>, run: &[u64]) -> u64 {
        let len = run.len() as u64;
        let window = rule.window.as_ref();
        window.map_or(len * (len - 1) / 2, |window| {
            window.pairs_of(self.nodes(run))
        })
    }

    fn nodes<'n>(&self, run: &'n [u64]) -> impl Iterator<Item = u32> + use<'n> {
        let node_bits = self.node_bits;
        run.iter().map(move |&word| node_of(word, node_bits))
    }

    /// Computes the keys of a rule and what its blocks cost; those over the bound are not refined yet.
    fn prepare_rule<'r>(
        &self,
        mut rule: PreparedRule<'r>,
        len: usize,
    ) -> (PreparedRule<'r>, RuleCost) {
        let mut cost = RuleCost::default();
        if rule.multi && rule.window.is_none() {
            cost.cut_records = list_keys(&mut rule, len);
        }
        (rule.words, cost.keyed_records) = sorted_words(&rule, len, self.node_bits);
        for run in runs(&rule.words, self.node_bits) {
            let len = run.len() as u64;
            cost.blocks += 1;
            cost.largest = cost.largest.max(len);
            if self.is_within(&rule, run) {
                cost.pairs += self.pairs_of(&rule, run);
            } else {
                cost.hot_records += len;
                rule.hot.push(run[0] >> self.node_bits);
            }
        }
        (rule, cost)
    }

    /// Cuts the blocks of a rule that are over the bound.
    fn refine(&mut self, rule: usize, budget: &BudgetSettings) {
        if self.rules[rule].hot.is_empty() {
            return;
        }
        let (refined, pairs, mut keys) = self.refiner(budget).refine(rule, &self.hot_runs(rule));
        let cost = &mut self.costs[rule];
        cost.hot_count = keys.len() as u64;
        cost.pairs += pairs;
        cost.refined_pairs = pairs;
        cost.refused_pairs = keys.iter().map(|key| key.refused_pairs).sum();
        keys.sort_unstable_by(|a, b| b.cmp(a));
        keys.truncate(10);
        cost.hot = keys;
        self.rules[rule].refined = refined;
    }
}

impl<'p> Blocking<'p> {
    fn refiner<'r>(&'r self, budget: &'r BudgetSettings) -> Refiner<'r, 'p> {
        Refiner {
            rules: &self.rules,
            parts: &self.refinements,
            budget,
            node_bits: self.node_bits,
        }
    }

    /// Returns the blocks of a rule that are over the bound.
    fn hot_runs(&self, rule: usize) -> Vec<&[u64]> {
        let runs = runs(&self.rules[rule].words, self.node_bits);
        let hot = runs.filter(|run| !self.is_within(&self.rules[rule], run));
        hot.collect()
    }
}

/// Hands the blocks of one piece of work to a consumer, the rows of many asked for together.
struct Visitor<'v, 'p, T, V> {
    blocking: &'v Blocking<'p>,
    rule: usize,
    choice: Choice,
    state: T,
    visit: &'v V,
    batch: Batch,
}

impl<'v, 'p, T, V: Fn(&mut T, Blocks<'_>)> Visitor<'v, 'p, T, V> {
    fn new(
        blocking: &'v Blocking<'p>,
        (rule, choice): (usize, Choice),
        state: T,
        visit: &'v V,
    ) -> Self {
        Self {
            blocking,
            rule,
            choice,
            state,
            visit,
            batch: Batch::default(),
        }
    }

    fn push(&mut self, key: (u64, bool, u64), nodes: impl Iterator<Item = u32>) {
        if !self.choice.takes(key) {
            return;
        }
        self.batch.nodes.extend(nodes);
        self.batch.blocks.push((key, self.batch.nodes.len()));
        if self.batch.nodes.len() >= PREFETCH_LEN {
            self.visit_batch();
        }
    }

    fn finish(mut self) -> T {
        self.visit_batch();
        self.state
    }

    /// Asks memory for the rows of the blocks at once, visits the blocks and forgets them.
    fn visit_batch(&mut self) {
        let (rows, batch) = (self.blocking.rows, &mut self.batch);
        rows.prefetch(&batch.nodes);
        self.blocking.rules[self.rule].prefetch(&batch.nodes);
        let blocks = Blocks {
            rule: self.rule,
            rows,
            batch,
        };
        (self.visit)(&mut self.state, blocks);
        batch.blocks.clear();
        batch.nodes.clear();
    }
}

/// Blocks that are visited together, in order.
#[derive(Debug, Default)]
struct Batch {
    nodes: Vec<u32>,
    /// Key, whether it is a group of a refined block, pairs, and where the nodes end, of each block.
    blocks: Vec<((u64, bool, u64), usize)>,
}
