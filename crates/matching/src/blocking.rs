//! Blocks of records that share a key, and the candidate pairs they make.
//!
//! Cost: 8 bytes a key while a rule is sorted (hash bits and node packed in one word), then one
//! look at each pair of a block. No set of pairs is ever held: a pair belongs to the first rule,
//! and within a rule to the first key, that makes it, which two nodes' keys decide.

use rayon::prelude::*;
use sameas_record::Derived;

use crate::plan::{BlockingRule, KeyPart, MatchingPlan};
use crate::prepared::Prepared;
use crate::rows::{GATHER_LEN, NodeRow, Rows, SlotSet};

/// The most keys one record has under one rule.
///
/// Of more, those with the smallest hashes are kept: a choice that depends on their content
/// alone, and two records that share many keys are likely to keep a shared one.
const KEY_COUNT_MAX: usize = 64;

/// How many leading hash bits choose the part in which keys are sorted.
const PART_BITS: u32 = 10;

/// A block, handed to the consumer: the nodes that share a key, ascending.
#[derive(Clone, Copy, Debug)]
pub struct Block<'b> {
    /// The nodes.
    pub nodes: &'b [u32],
    /// The rule.
    pub rule: usize,
    key: u64,
    refined_by: Option<usize>,
    rows: &'b Rows,
    gathered: &'b [u32],
}

impl<'b> Block<'b> {
    /// Returns the nodes with their rows, which were copied side by side.
    pub fn rows(self) -> impl Iterator<Item = NodeRow<'b>> {
        let nodes = self.nodes.iter().enumerate();
        nodes.map(move |(index, &node)| self.rows.within(self.gathered, index, node))
    }

    /// Returns a number from 0 to 1 that depends on the key and a seed alone: a sample takes blocks below a fraction.
    pub fn sample(&self, seed: u64) -> f64 {
        (mix(self.key, seed) >> 11) as f64 / (1u64 << 53) as f64
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
    /// How many pairs of them no refinement makes, at most: those that the refinement which makes
    /// most of a block's pairs leaves out; another may make some of them.
    pub refused_pairs: u64,
    /// Records that have more keys than are used.
    pub cut_records: u64,
}

/// One rule over the records: every node's keys, and which keys are hot.
#[derive(Debug)]
struct PreparedRule<'p> {
    parts: Vec<PreparedPart<'p>>,
    multi: bool,
    /// Where the keys of each node start, and the keys, ascending; for rules with several keys a node.
    key_starts: Vec<u64>,
    keys: Vec<u64>,
    /// Sorted words of (hash bits, node).
    words: Vec<u64>,
    /// The slots in which two nodes agree if and only if the rule makes their pair; only for
    /// rules with one key a node, no block over the bound and slots that fit into bits.
    slots: Option<SlotSet>,
    /// Keys of blocks over the bound, sorted.
    hot: Vec<u64>,
    /// Refined keys over the bound, sorted.
    hot_refined: Vec<u64>,
}

impl PreparedRule<'_> {
    fn slots(&self) -> Option<SlotSet> {
        if self.multi || !self.hot.is_empty() {
            return None;
        }
        self.parts.iter().try_fold(0, |set, part| {
            let slot = part.slot.filter(|&slot| slot < SlotSet::BITS as usize)?;
            Some(set | 1 << slot)
        })
    }

    fn keys(&self, node: usize) -> &[u64] {
        &self.keys[self.key_starts[node] as usize..self.key_starts[node + 1] as usize]
    }
}

#[derive(Debug)]
struct PreparedPart<'p> {
    column: &'p sameas_record::Column,
    derived: &'p Derived,
    rows: &'p Rows,
    /// Where rows hold this part; for parts with at most one value a node.
    slot: Option<usize>,
}

impl PreparedPart<'_> {
    fn single(&self) -> bool {
        self.slot.is_some()
    }

    /// Returns the derived number of a node; for parts with at most one value a node.
    fn id(&self, node: usize) -> u32 {
        self.slot
            .map_or(0, |slot| self.rows.of(node as u32).id(slot))
    }

    /// Returns whether two nodes have the same derived value, and which.
    fn agreed(&self, a: NodeRow<'_>, b: NodeRow<'_>) -> Option<u32> {
        let slot = self.slot?;
        let id = a.id(slot);
        (id != 0 && id == b.id(slot)).then_some(id)
    }

    fn for_each_hash(&self, node: usize, call: &mut dyn FnMut(u64)) {
        if self.single() {
            let id = self.id(node);
            if id != 0 {
                call(self.derived.hash(id));
            }
            return;
        }
        for value in self.column.values(node) {
            self.derived
                .ids(value)
                .iter()
                .for_each(|&id| call(self.derived.hash(id)));
        }
    }
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
}

impl<'p> Blocking<'p> {
    /// Computes and sorts the keys of every rule.
    pub fn new(prepared: &'p Prepared<'_>, plan: &MatchingPlan, block_len_max: u32) -> Self {
        let len = prepared.records.len();
        let node_bits = usize::BITS - len.leading_zeros();
        let mut refining: Vec<KeyPart> = Vec::new();
        for part in plan.rules.iter().flat_map(|rule| &rule.parts) {
            if !refining.contains(part) {
                refining.push(*part);
            }
        }
        let refinements = refining.iter().map(|&part| prepare_part(prepared, part));
        let refinements = refinements.filter(PreparedPart::single).collect();
        let mut blocking = Self {
            rules: Vec::new(),
            rows: prepared.rows(),
            refinements,
            block_len_max: block_len_max as usize,
            node_bits,
            costs: Vec::new(),
        };
        for rule in &plan.rules {
            let (rule, cost) = blocking.prepare_rule(prepared, rule);
            blocking.rules.push(rule);
            blocking.costs.push(cost);
        }
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

    /// Hands every block of a rule within the bound, and every refined block, to a consumer, in parallel.
    ///
    /// The results come in key order, so they do not depend on the number of threads.
    pub fn map_blocks<T: Send>(
        &self,
        rule: usize,
        make: impl Fn() -> T + Sync,
        visit: impl Fn(&mut T, Block<'_>) + Sync,
    ) -> Vec<T> {
        let words = &self.rules[rule].words;
        let bounds = chunk_bounds(words, self.node_bits);
        bounds
            .par_windows(2)
            .map(|bound| {
                let mut state = make();
                let mut batch = Batch::default();
                let mut visit = |block: Block<'_>| visit(&mut state, block);
                for run in runs(&words[bound[0]..bound[1]], self.node_bits) {
                    self.visit_run(rule, run, &mut batch, &mut visit);
                }
                self.visit_batch(rule, &mut batch, &mut visit);
                state
            })
            .collect()
    }

    /// Returns whether this block is where the pair belongs: no earlier rule and no earlier key makes it.
    pub fn owns(&self, block: &Block<'_>, a: NodeRow<'_>, b: NodeRow<'_>) -> bool {
        let agreed = a.agreed(b);
        let makes = |rule: &PreparedRule<'_>| match rule.slots {
            Some(slots) => agreed & slots == slots,
            None => self.first_key(rule, a, b).is_some(),
        };
        if self.rules[..block.rule].iter().any(makes) {
            return false;
        }
        let rule = &self.rules[block.rule];
        match rule.slots {
            // Two different keys can share the hash bits of a word; such pairs are no candidates.
            Some(slots) => agreed & slots == slots,
            None => self.first_key(rule, a, b) == Some((block.key, block.refined_by)),
        }
    }

    /// Returns the smallest key, and refinement, by which a rule makes a pair.
    fn first_key(
        &self,
        rule: &PreparedRule<'_>,
        a: NodeRow<'_>,
        b: NodeRow<'_>,
    ) -> Option<(u64, Option<usize>)> {
        if !rule.multi {
            if rule.parts.iter().any(|part| part.agreed(a, b).is_none()) {
                return None;
            }
            if rule.hot.is_empty() {
                return Some((0, None));
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
    ) -> Option<(u64, Option<usize>)> {
        if rule.hot.binary_search(&key).is_err() {
            return Some((key, None));
        }
        let refined = self.refinements.iter().enumerate().find(|(index, part)| {
            part.agreed(a, b).is_some_and(|id| {
                let refined = refined_key(key, *index, part.derived.hash(id));
                rule.hot_refined.binary_search(&refined).is_err()
            })
        });
        refined.map(|(index, _)| (key, Some(index)))
    }

    fn prepare_rule<'r>(
        &self,
        prepared: &'r Prepared<'_>,
        rule: &BlockingRule,
    ) -> (PreparedRule<'r>, RuleCost) {
        let parts: Vec<_> = rule
            .parts
            .iter()
            .map(|&p| prepare_part(prepared, p))
            .collect();
        let multi = !parts.iter().all(PreparedPart::single);
        let mut rule = PreparedRule {
            parts,
            multi,
            key_starts: Vec::new(),
            keys: Vec::new(),
            words: Vec::new(),
            slots: None,
            hot: Vec::new(),
            hot_refined: Vec::new(),
        };
        let mut cost = RuleCost::default();
        if multi {
            cost.cut_records = list_keys(&mut rule, prepared.records.len());
        }
        let (words, keyed_records) = sorted_words(&rule, prepared.records.len(), self.node_bits);
        rule.words = words;
        cost.keyed_records = keyed_records;
        let mut hot_runs = Vec::new();
        for run in runs(&rule.words, self.node_bits) {
            let len = run.len() as u64;
            cost.blocks += 1;
            cost.largest = cost.largest.max(len);
            if run.len() <= self.block_len_max {
                cost.pairs += len * (len - 1) / 2;
            } else {
                hot_runs.push(run);
            }
        }
        let (mut hot, mut hot_refined) = (Vec::new(), Vec::new());
        for run in hot_runs {
            let key = run[0] >> self.node_bits;
            hot.push(key);
            let made = self.measure_hot(run, key, &mut hot_refined);
            let len = run.len() as u64;
            let most = made.iter().copied().max().unwrap_or(0);
            let refused_pairs = len * (len - 1) / 2 - most;
            cost.pairs += made.iter().sum::<u64>();
            cost.hot_count += 1;
            cost.refused_pairs += refused_pairs;
            cost.hot.push(HotKey { len, refused_pairs });
        }
        cost.hot.sort_unstable_by(|a, b| b.cmp(a));
        cost.hot.truncate(10);
        hot_refined.sort_unstable();
        rule.hot = hot;
        rule.hot_refined = hot_refined;
        rule.slots = rule.slots();
        (rule, cost)
    }

    /// Returns how many pairs of an oversized block each refinement makes, and lists the refined
    /// keys that stay too large.
    fn measure_hot(&self, run: &[u64], key: u64, hot_refined: &mut Vec<u64>) -> Vec<u64> {
        let refinements = self.refinements.iter().enumerate();
        refinements
            .map(|(index, part)| {
                let mut made = 0;
                let nodes = run.iter().map(|&word| node_of(word, self.node_bits));
                for group in refined_groups(part, nodes) {
                    let len = group.len() as u64;
                    if group.len() <= self.block_len_max {
                        made += len * (len - 1) / 2;
                    } else {
                        let hash = part.derived.hash(part.id(group[0].1 as usize));
                        hot_refined.push(refined_key(key, index, hash));
                    }
                }
                made
            })
            .collect()
    }

    /// Adds a block to those that are visited together, or visits the parts of an oversized one.
    fn visit_run(
        &self,
        rule: usize,
        run: &[u64],
        batch: &mut Batch,
        visit: &mut dyn FnMut(Block<'_>),
    ) {
        let key = run[0] >> self.node_bits;
        let members = || run.iter().map(|&word| node_of(word, self.node_bits));
        if run.len() <= self.block_len_max {
            batch.push((key, None), members());
            if batch.nodes.len() >= GATHER_LEN {
                self.visit_batch(rule, batch, visit);
            }
            return;
        }
        for (index, part) in self.refinements.iter().enumerate() {
            for group in refined_groups(part, members()) {
                if group.len() <= self.block_len_max {
                    batch.push((key, Some(index)), group.iter().map(|&(_, node)| node));
                    self.visit_batch(rule, batch, visit);
                }
            }
        }
    }

    /// Copies the rows of several blocks at once, visits the blocks and forgets them.
    fn visit_batch(&self, rule: usize, batch: &mut Batch, visit: &mut dyn FnMut(Block<'_>)) {
        self.rows.gather(&batch.nodes, &mut batch.gathered);
        let width = self.rows.width();
        let mut from = 0;
        for ((key, refined_by), end) in batch.blocks.drain(..) {
            visit(Block {
                nodes: &batch.nodes[from..end],
                rule,
                key,
                refined_by,
                rows: self.rows,
                gathered: &batch.gathered[from * width..end * width],
            });
            from = end;
        }
        batch.nodes.clear();
    }
}

/// Blocks that are visited together, in order.
#[derive(Debug, Default)]
struct Batch {
    nodes: Vec<u32>,
    gathered: Vec<u32>,
    /// Key, refinement and where the nodes end, of each block.
    blocks: Vec<((u64, Option<usize>), usize)>,
}

impl Batch {
    fn push(&mut self, made_by: (u64, Option<usize>), nodes: impl Iterator<Item = u32>) {
        self.nodes.extend(nodes);
        self.blocks.push((made_by, self.nodes.len()));
    }
}

/// Groups nodes by a part's derived value; groups of one are left out.
fn refined_groups(
    part: &PreparedPart<'_>,
    nodes: impl Iterator<Item = u32>,
) -> Vec<Vec<(u64, u32)>> {
    let keyed = nodes.filter(|&node| part.id(node as usize) != 0);
    let mut keyed: Vec<(u64, u32)> = keyed
        .map(|node| (part.derived.hash(part.id(node as usize)), node))
        .collect();
    keyed.sort_unstable();
    keyed
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|g| g.len() > 1)
        .map(<[_]>::to_vec)
        .collect()
}

fn refined_key(key: u64, refinement: usize, hash: u64) -> u64 {
    mix(mix(key, refinement as u64 + 1), hash)
}

fn prepare_part<'r>(prepared: &'r Prepared<'_>, part: KeyPart) -> PreparedPart<'r> {
    let column = prepared.field(part.field).column;
    let slot = prepared.rows().slot(part.field, part.form);
    PreparedPart {
        column,
        derived: prepared.derived(part.field, part.form),
        rows: prepared.rows(),
        // Of a field with several values rows hold the first alone.
        slot: slot.filter(|_| !column.is_multi_valued()),
    }
}

/// Mixes two hashes into one (the finaliser of `SplitMix64` over their combination).
fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.rotate_left(26) ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns the keys of a node, ascending, and whether it has more; none if a part of the rule is
/// missing.
fn keys_of(rule: &PreparedRule<'_>, node: usize) -> (Vec<u64>, bool) {
    let (mut keys, mut is_cut) = (vec![0], false);
    let mut hashes = Vec::new();
    for (index, part) in rule.parts.iter().enumerate() {
        hashes.clear();
        part.for_each_hash(node, &mut |hash| hashes.push(hash));
        is_cut |= keep_smallest(&mut hashes);
        let keyed = hashes.iter().flat_map(|&hash| {
            let with = move |&key: &u64| mix(key ^ (index as u64 + 1), hash);
            keys.iter().map(with)
        });
        keys = keyed.collect();
        is_cut |= keep_smallest(&mut keys);
    }
    let is_cut = is_cut && !keys.is_empty();
    (keys, is_cut)
}

/// Sorts hashes and keeps the smallest of them; tells whether there were more.
fn keep_smallest(hashes: &mut Vec<u64>) -> bool {
    hashes.sort_unstable();
    hashes.dedup();
    let is_cut = hashes.len() > KEY_COUNT_MAX;
    hashes.truncate(KEY_COUNT_MAX);
    is_cut
}

fn single_key(rule: &PreparedRule<'_>, node: usize) -> Option<u64> {
    let mut key = 0;
    for (index, part) in rule.parts.iter().enumerate() {
        let id = part.id(node);
        if id == 0 {
            return None;
        }
        key = mix(key ^ (index as u64 + 1), part.derived.hash(id));
    }
    Some(key)
}

/// Computes the keys of all nodes once, for rules under which a node has several; returns how many
/// nodes have more than are used.
fn list_keys(rule: &mut PreparedRule<'_>, len: usize) -> u64 {
    let chunk_len = 16_384;
    let chunks: Vec<(Vec<u64>, Vec<u32>, u64)> = (0..len.div_ceil(chunk_len))
        .into_par_iter()
        .map(|chunk| {
            let (mut keys, mut counts) = (Vec::new(), Vec::with_capacity(chunk_len));
            let mut cut = 0;
            for node in chunk * chunk_len..len.min((chunk + 1) * chunk_len) {
                let (of_node, is_cut) = keys_of(rule, node);
                counts.push(of_node.len() as u32);
                keys.extend(of_node);
                cut += u64::from(is_cut);
            }
            (keys, counts, cut)
        })
        .collect();
    rule.key_starts = vec![0];
    let mut cut_records = 0;
    for (keys, counts, cut) in chunks {
        cut_records += cut;
        rule.keys.extend(keys);
        for count in counts {
            let start = rule.key_starts[rule.key_starts.len() - 1];
            rule.key_starts.push(start + u64::from(count));
        }
    }
    cut_records
}

/// Drops the low bits of a key, as packing a node beside it does.
fn truncate(key: u64, node_bits: u32) -> u64 {
    key >> node_bits
}

fn node_of(word: u64, node_bits: u32) -> u32 {
    (word & ((1 << node_bits) - 1)) as u32
}

fn pack(key: u64, node: usize, node_bits: u32) -> u64 {
    (key >> node_bits << node_bits) | node as u64
}

/// Returns all (key, node) words of a rule, sorted, and how many nodes have a key.
fn sorted_words(rule: &PreparedRule<'_>, len: usize, node_bits: u32) -> (Vec<u64>, u64) {
    let chunk_len = 65_536;
    let parts: Vec<(Vec<u64>, u64)> = (0..len.div_ceil(chunk_len))
        .into_par_iter()
        .map(|chunk| {
            let nodes = chunk * chunk_len..len.min((chunk + 1) * chunk_len);
            let mut words = Vec::with_capacity(nodes.len());
            let mut keyed = 0;
            for node in nodes {
                let from = words.len();
                if rule.multi {
                    words.extend(rule.keys(node).iter().map(|&k| pack(k, node, node_bits)));
                } else if let Some(key) = single_key(rule, node) {
                    words.push(pack(key, node, node_bits));
                }
                keyed += u64::from(words.len() > from);
            }
            (words, keyed)
        })
        .collect();
    let keyed = parts.iter().map(|(_, keyed)| keyed).sum();
    let chunks: Vec<Vec<u64>> = parts.into_iter().map(|(words, _)| words).collect();
    (partition_sort(&chunks), keyed)
}

/// Sorts words by scattering them on their leading bits and sorting each part in parallel.
fn partition_sort(chunks: &[Vec<u64>]) -> Vec<u64> {
    let parts = 1 << PART_BITS;
    let part_of = |word: u64| (word >> (64 - PART_BITS)) as usize;
    let mut starts = vec![0usize; parts + 1];
    for &word in chunks.iter().flatten() {
        starts[part_of(word) + 1] += 1;
    }
    for part in 0..parts {
        starts[part + 1] += starts[part];
    }
    let mut sorted = vec![0; starts[parts]];
    let mut next = starts.clone();
    for &word in chunks.iter().flatten() {
        let slot = &mut next[part_of(word)];
        sorted[*slot] = word;
        *slot += 1;
    }
    let mut slices = Vec::with_capacity(parts);
    let mut rest = &mut sorted[..];
    for part in 0..parts {
        let (head, tail) = rest.split_at_mut(starts[part + 1] - starts[part]);
        slices.push(head);
        rest = tail;
    }
    slices.into_par_iter().for_each(<[u64]>::sort_unstable);
    sorted
}

/// Returns the runs of words that share a key, if they hold at least two.
fn runs(words: &[u64], node_bits: u32) -> impl Iterator<Item = &[u64]> {
    words
        .chunk_by(move |a, b| a >> node_bits == b >> node_bits)
        .filter(|run| run.len() > 1)
}

/// Cuts words into pieces for parallel work, never within a key.
fn chunk_bounds(words: &[u64], node_bits: u32) -> Vec<usize> {
    const CHUNK_LEN: usize = 32_768;
    let mut bounds = vec![0];
    let mut at = CHUNK_LEN;
    while at < words.len() {
        let key = words[at - 1] >> node_bits;
        at += words[at..].partition_point(|&word| word >> node_bits == key);
        bounds.push(at);
        at += CHUNK_LEN;
    }
    if bounds[bounds.len() - 1] < words.len() {
        bounds.push(words.len());
    }
    bounds
}
