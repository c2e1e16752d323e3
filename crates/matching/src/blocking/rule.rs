//! One rule over the records: every node's keys, and which of them are hot.

use sameas_record::{Column, Derived, Form};

use super::keys::{single_key, truncate};
use super::refine::RefinedBlocks;
use super::window::Window;
use crate::machine::prefetch;
use crate::plan::{BlockingRule, KeyPart};
use crate::prepared::Prepared;
use crate::rows::{Agreement, Hint, NodeRow, Rows};

/// One rule over the records: every node's keys, and which keys are hot.
#[derive(Debug)]
pub(super) struct PreparedRule<'p> {
    pub(super) parts: Vec<PreparedPart<'p>>,
    /// Whether a node may have several keys.
    pub(super) multi: bool,
    /// Where the keys of each node start, and the keys, ascending; for rules with several keys a node.
    pub(super) key_starts: Vec<u64>,
    pub(super) keys: Vec<u64>,
    /// Sorted words of (hash bits, node).
    pub(super) words: Vec<u64>,
    /// Where nodes stand, if the rule brings neighbours together; it has no keys then.
    pub(super) window: Option<Window>,
    /// The slots of the parts of which a node has at most one value: nodes that share a key agree
    /// in them, and share a key if they do unless the rule has other parts.
    slots: Vec<usize>,
    /// The same slots as bits of an [`Agreement`], if it knows of all.
    mask: Option<u32>,
    /// Where rows hold the sets of derived values of the other parts.
    sets: Vec<usize>,
    /// The slots of those parts' whole values, if rows hold all their sets: nodes that share a key
    /// by these sets, and have the same values, have all keys in common.
    wholes: Option<Vec<usize>>,
    /// Keys of blocks over the bound, sorted.
    pub(super) hot: Vec<u64>,
    /// What those blocks are cut into.
    pub(super) refined: RefinedBlocks,
}

impl<'p> PreparedRule<'p> {
    /// Finds the parts of a rule; keys and blocks are not computed yet.
    pub(super) fn new(prepared: &'p Prepared<'_>, rule: &BlockingRule) -> Self {
        let parts: Vec<_> = rule
            .parts
            .iter()
            .map(|&part| PreparedPart::new(prepared, part))
            .collect();
        let window = rule
            .window
            .map(|len| Window::new(prepared, &rule.parts, len));
        let slots: Vec<usize> = parts.iter().filter_map(|part| part.slot).collect();
        let several = parts.iter().filter(|part| !part.single());
        let wholes: Option<Vec<usize>> = several.map(PreparedPart::whole_of_set).collect();
        Self {
            multi: window.is_some() || !parts.iter().all(PreparedPart::single),
            wholes: wholes.filter(|wholes| window.is_none() && !wholes.is_empty()),
            window,
            mask: Rows::agreement_mask(&slots),
            slots,
            sets: parts.iter().filter_map(|part| part.set).collect(),
            parts,
            key_starts: Vec::new(),
            keys: Vec::new(),
            words: Vec::new(),
            hot: Vec::new(),
            refined: RefinedBlocks::default(),
        }
    }

    /// Tells whether two nodes agree in all slots of the rule, and may share a value of the other
    /// parts, or whether they are neighbours.
    #[inline]
    pub(super) fn agrees(&self, a: NodeRow<'_>, b: NodeRow<'_>, agreement: Agreement) -> bool {
        let equal = |&slot: &usize| a.id(slot) == b.id(slot) && a.id(slot) != 0;
        let shares = |&at: &usize| a.hints(at)[0] & b.hints(at)[0] != 0;
        if let Some(window) = &self.window {
            return window.key(a.node, b.node).is_some();
        }
        let is_equal = match self.mask {
            Some(mask) => agreement.equal & mask == mask,
            None => self.slots.iter().all(equal),
        };
        is_equal && self.sets.iter().all(shares)
    }

    /// Returns the bits of an [`Agreement`] that tell of all pairs that the rule makes, if there are such.
    pub(super) fn deciding_mask(&self) -> Option<u32> {
        self.mask.filter(|_| !self.multi && self.hot.is_empty())
    }

    /// Tells whether two nodes that agree surely have all keys in common, though each has several.
    #[inline]
    fn shares_all_keys(&self, a: NodeRow<'_>, b: NodeRow<'_>) -> bool {
        let wholes = self.wholes.as_ref();
        wholes.is_some_and(|wholes| wholes.iter().all(|&slot| a.id(slot) == b.id(slot)))
    }

    /// Tells whether a pair that agrees is made, if that can be seen from its rows.
    #[inline]
    pub(super) fn surely_makes(&self, a: NodeRow<'_>, b: NodeRow<'_>) -> bool {
        self.hot.is_empty() && (!self.multi || self.shares_all_keys(a, b))
    }

    /// Returns what the agreement of two rows tells of the rule.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn footprint(&self) -> Footprint<'_> {
        // Neighbours need not agree in anything.
        let has_keys = self.window.is_none();
        Footprint {
            slots: if has_keys { &self.slots } else { &[] },
            sets: if has_keys { &self.sets } else { &[] },
            wholes: self.wholes.as_deref(),
            decides: !self.multi,
            is_always_made: self.hot.is_empty(),
        }
    }

    /// Returns the keys of a node, ascending; for rules with several keys a node.
    pub(super) fn keys(&self, node: usize) -> &[u64] {
        &self.keys[self.key_starts[node] as usize..self.key_starts[node + 1] as usize]
    }

    /// Asks memory for the keys of nodes; for rules with several keys a node.
    pub(super) fn prefetch(&self, nodes: &[u32]) {
        if self.key_starts.is_empty() {
            return;
        }
        for &node in nodes {
            prefetch(&self.key_starts, node as usize);
        }
        for &node in nodes {
            prefetch(&self.keys, self.key_starts[node as usize] as usize);
        }
    }

    /// Tells whether the block of a key, cut to the bits of a word, is over the bound.
    pub(super) fn is_hot(&self, key: u64) -> bool {
        self.hot.binary_search(&key).is_ok()
    }

    /// Tells whether the block of a node's only key is over the bound.
    pub(super) fn is_hot_for(&self, node: u32, node_bits: u32) -> bool {
        let key = single_key(self, node as usize);
        key.is_some_and(|key| self.is_hot(truncate(key, node_bits)))
    }

    /// Returns whether two nodes have a key in common, however many others share it.
    pub(super) fn shares_key(&self, a: NodeRow<'_>, b: NodeRow<'_>) -> bool {
        if let Some(window) = &self.window {
            return window.key(a.node, b.node).is_some();
        }
        if self.multi {
            let keys = self.keys(b.node as usize);
            let mut wanted = self.keys(a.node as usize).iter();
            return wanted.any(|key| keys.binary_search(key).is_ok());
        }
        self.parts.iter().all(|part| part.agreed(a, b).is_some())
    }
}

/// What can be told of a rule by the slots in which two rows agree.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint<'p> {
    /// Only nodes that agree in these slots,
    pub(crate) slots: &'p [usize],
    /// and whose sets, which stand at these places among the hints, have a bit in common, share a
    /// key.
    pub(crate) sets: &'p [usize],
    /// Whether all such nodes do.
    pub(crate) decides: bool,
    /// Slots, if there are any: such nodes that agree in these, too, have all keys in common.
    pub(crate) wholes: Option<&'p [usize]>,
    /// Whether all that share a key are made a pair.
    pub(crate) is_always_made: bool,
}

/// A derived value of the records that rules look at.
#[derive(Debug)]
pub(super) struct PreparedPart<'p> {
    pub(super) part: KeyPart,
    pub(super) derived: &'p Derived,
    column: &'p Column,
    rows: &'p Rows,
    /// Where rows hold this part; for parts with at most one value a node.
    slot: Option<usize>,
    /// Where rows hold the set of derived values; for other parts of fields with one value a node.
    set: Option<usize>,
}

impl<'p> PreparedPart<'p> {
    pub(super) fn new(prepared: &'p Prepared<'_>, part: KeyPart) -> Self {
        let column = prepared.field(part.field).column;
        let slot = prepared.rows().slot(part.field, part.form);
        let set = prepared.rows().hint(Hint::Set(part.field, part.form));
        Self {
            part,
            column,
            derived: prepared.derived(part.field, part.form),
            rows: prepared.rows(),
            // Of a field with several values rows hold the first alone.
            slot: slot.filter(|_| !column.is_multi_valued()),
            set: set.filter(|_| slot.is_none() && !column.is_multi_valued()),
        }
    }

    /// Tells whether a node has at most one value.
    pub(super) fn single(&self) -> bool {
        self.slot.is_some()
    }

    /// Returns the slot of the whole value of which rows hold the set of derived values.
    fn whole_of_set(&self) -> Option<usize> {
        self.set?;
        self.rows.slot(self.part.field, Form::Whole)
    }

    /// Returns the derived number of a node; for parts with at most one value a node.
    pub(super) fn id(&self, node: usize) -> u32 {
        self.slot
            .map_or(0, |slot| self.rows.of(node as u32).id(slot))
    }

    /// Returns whether two nodes have the same derived value, and which.
    pub(super) fn agreed(&self, a: NodeRow<'_>, b: NodeRow<'_>) -> Option<u32> {
        let slot = self.slot?;
        let id = a.id(slot);
        (id != 0 && id == b.id(slot)).then_some(id)
    }

    pub(super) fn for_each_hash(&self, node: usize, call: &mut dyn FnMut(u64)) {
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
