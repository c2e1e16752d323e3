//! Blocks of records that share a key, and the candidate pairs they make.
//!
//! Cost: 8 bytes a key while a rule is sorted (hash bits and node packed in one word), then one
//! look at each pair of a block. No set of pairs is ever held: a pair belongs to the first rule,
//! and within a rule to the first key, that makes it, which two nodes' keys decide.

mod keys;

use rayon::prelude::*;
use sameas_record::{Derived, FieldId};

use self::keys::{chunk_bounds, list_keys, mix, node_of, runs, single_key, sorted_words, truncate};
use crate::plan::{BlockingRule, KeyPart, MatchingPlan};
use crate::prepared::Prepared;
use crate::rows::{GATHER_LEN, Hint, NodeRow, Rows};

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

    /// Returns a node with its row, by its position in the block.
    pub(crate) fn row(self, index: usize) -> NodeRow<'b> {
        self.rows.within(self.gathered, index, self.nodes[index])
    }

    /// Returns a number that depends on the key and a seed alone.
    pub(crate) fn hash(self, seed: u64) -> u64 {
        mix(self.key, seed)
    }
}

/// Blocks whose rows were copied at once.
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
        let (batch, width) = (self.batch, self.rows.width());
        let starts = std::iter::once(0).chain(batch.blocks.iter().map(|&(_, end)| end));
        let blocks = batch.blocks.iter().zip(starts);
        blocks.map(move |(&((key, refined_by), end), start)| Block {
            nodes: &batch.nodes[start..end],
            rule: self.rule,
            key,
            refined_by,
            rows: self.rows,
            gathered: &batch.gathered[start * width..end * width],
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
    /// How many pairs of them no refinement makes, at most: those that the refinement which makes
    /// most of a block's pairs leaves out; another may make some of them.
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
    /// The slots of the parts of which a node has at most one value: nodes that share a key agree
    /// in them, and share a key if they do unless the rule has other parts.
    slots: Vec<usize>,
    /// Where rows hold the sets of derived values of the other parts.
    sets: Vec<usize>,
    /// Keys of blocks over the bound, sorted.
    hot: Vec<u64>,
    /// Refined keys over the bound, sorted.
    hot_refined: Vec<u64>,
}

impl PreparedRule<'_> {
    /// Tells whether two nodes agree in all slots of the rule, and may share a value of the other parts.
    #[inline]
    fn agrees(&self, a: NodeRow<'_>, b: NodeRow<'_>) -> bool {
        let equal = |&slot: &usize| a.id(slot) == b.id(slot) && a.id(slot) != 0;
        let shares = |&at: &usize| a.hints(at)[0] & b.hints(at)[0] != 0;
        self.slots.iter().all(equal) && self.sets.iter().all(shares)
    }

    fn keys(&self, node: usize) -> &[u64] {
        &self.keys[self.key_starts[node] as usize..self.key_starts[node + 1] as usize]
    }
}

#[derive(Debug)]
struct PreparedPart<'p> {
    field: FieldId,
    column: &'p sameas_record::Column,
    derived: &'p Derived,
    rows: &'p Rows,
    /// Where rows hold this part; for parts with at most one value a node.
    slot: Option<usize>,
    /// Where rows hold the set of derived values; for other parts of fields with one value a node.
    set: Option<usize>,
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
        self.map_batches(rule, make, |state, blocks| {
            blocks.iter().for_each(|block| visit(state, block));
        })
    }

    /// Like [`Blocking::map_blocks`], but hands over several blocks at once, in order.
    pub(crate) fn map_batches<T: Send>(
        &self,
        rule: usize,
        make: impl Fn() -> T + Sync,
        visit: impl Fn(&mut T, Blocks<'_>) + Sync,
    ) -> Vec<T> {
        let words = &self.rules[rule].words;
        let bounds = chunk_bounds(words, self.node_bits);
        bounds
            .par_windows(2)
            .map(|bound| {
                let mut state = make();
                let mut batch = Batch::default();
                let mut visit = |blocks: Blocks<'_>| visit(&mut state, blocks);
                for run in runs(&words[bound[0]..bound[1]], self.node_bits) {
                    self.visit_run(rule, run, &mut batch, &mut visit);
                }
                self.visit_batch(rule, &mut batch, &mut visit);
                state
            })
            .collect()
    }

    /// Returns the field in which the nodes of a block agree beside those of its rule, if it is a
    /// group of a block over the bound.
    pub(crate) fn refined_by(&self, block: &Block<'_>) -> Option<FieldId> {
        block.refined_by.map(|part| self.refinements[part].field)
    }

    /// Returns whether this block is where the pair belongs: no earlier rule and no earlier key makes it.
    pub fn owns(&self, block: &Block<'_>, a: NodeRow<'_>, b: NodeRow<'_>) -> bool {
        let makes = |rule: &PreparedRule<'_>| {
            rule.agrees(a, b)
                && (!rule.multi && rule.hot.is_empty() || self.first_key(rule, a, b).is_some())
        };
        if self.rules[..block.rule].iter().any(makes) {
            return false;
        }
        let rule = &self.rules[block.rule];
        // Two different keys can share the hash bits of a word; such pairs are no candidates.
        if !rule.agrees(a, b) {
            return false;
        }
        if !rule.multi && block.refined_by.is_none() {
            return true;
        }
        self.first_key(rule, a, b) == Some((block.key, block.refined_by))
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
            } else if shares_key(rule, a, b) {
                makers.refused_by.push(number);
            }
        }
        makers
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
            slots: Vec::new(),
            sets: Vec::new(),
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
        rule.slots = rule.parts.iter().filter_map(|part| part.slot).collect();
        rule.sets = rule.parts.iter().filter_map(|part| part.set).collect();
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
        visit: &mut dyn FnMut(Blocks<'_>),
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
    fn visit_batch(&self, rule: usize, batch: &mut Batch, visit: &mut dyn FnMut(Blocks<'_>)) {
        self.rows.gather(&batch.nodes, &mut batch.gathered);
        visit(Blocks {
            rule,
            rows: self.rows,
            batch,
        });
        batch.blocks.clear();
        batch.nodes.clear();
    }
}

/// Returns whether two nodes have a key in common, however many others share it.
fn shares_key(rule: &PreparedRule<'_>, a: NodeRow<'_>, b: NodeRow<'_>) -> bool {
    if rule.multi {
        let keys = rule.keys(b.node as usize);
        let mut wanted = rule.keys(a.node as usize).iter();
        return wanted.any(|key| keys.binary_search(key).is_ok());
    }
    rule.parts.iter().all(|part| part.agreed(a, b).is_some())
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
    let set = prepared.rows().hint(Hint::Set(part.field, part.form));
    PreparedPart {
        field: part.field,
        column,
        derived: prepared.derived(part.field, part.form),
        rows: prepared.rows(),
        // Of a field with several values rows hold the first alone.
        slot: slot.filter(|_| !column.is_multi_valued()),
        set: set.filter(|_| slot.is_none() && !column.is_multi_valued()),
    }
}
