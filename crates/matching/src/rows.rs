//! What every pair is asked first, side by side for each node.
//!
//! Cost: four bytes a slot or word and four more, so a node is two or three cache lines. Nodes of a block lie anywhere in
//! memory; [`Rows::prefetch`] asks for the rows of many at once, so that their reads overlap, and
//! all questions that equality answers are then answered from rows alone.

#[cfg(target_arch = "x86_64")]
mod panel;

use std::collections::BTreeMap;

use rayon::prelude::*;
use sameas_record::{Derived, FieldId, Form, Records, ValueId};

#[cfg(target_arch = "x86_64")]
pub(crate) use self::panel::Panel;
use crate::machine::prefetch;
use crate::plan::MatchingPlan;
use crate::similarity::SKETCH_LEN;

/// Rows that are asked for together, at least: enough for their reads to overlap, few enough for
/// the second cache. It is even, so a list of pairs is cut between pairs.
pub(crate) const PREFETCH_LEN: usize = 256;

/// Words that memory hands over at once.
const LINE_LEN: usize = 16;

/// Rows that are filled column by column before the next ones, so that they stay in the cache.
const FILL_LEN: usize = 4_096;

/// The first slots, of which [`Agreement`] knows; comparisons and all but the strangest rules are
/// asked of these.
const AGREEMENT_SLOTS: usize = u32::BITS as usize;

/// The numbers of one node that rules and comparisons look at.
///
/// The first slots are the first values of the comparisons' own fields, in comparison order.
#[derive(Clone, Copy, Debug)]
pub struct NodeRow<'r> {
    /// The node.
    pub node: u32,
    ids: &'r [u32],
    /// Which of the first slots hold a value, one bit a slot.
    present: u32,
    hints: &'r [u32],
}

/// In which of the first slots two rows agree, one bit a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// Both hold the same value.
    pub(crate) equal: u32,
    /// Both hold a value, and not the same.
    pub(crate) unequal: u32,
}

impl<'r> NodeRow<'r> {
    /// Compares the first slots with those of another row, without a jump.
    #[inline]
    pub(crate) fn agreement(self, other: NodeRow<'_>) -> Agreement {
        let slots = self.ids.iter().zip(other.ids).take(AGREEMENT_SLOTS);
        let same = slots
            .enumerate()
            .fold(0, |same, (slot, (x, y))| same | u32::from(x == y) << slot);
        let both = self.present & other.present;
        Agreement {
            equal: both & same,
            unequal: both & !same,
        }
    }

    /// Returns the number in a slot, 0 where there is no value.
    #[inline]
    pub(crate) fn id(self, slot: usize) -> u32 {
        self.ids[slot]
    }

    /// Returns the words from a place among the hints on.
    #[inline]
    pub(crate) fn hints(self, from: usize) -> &'r [u32] {
        &self.hints[from..]
    }

    /// Returns the first value in a slot of a field.
    #[inline]
    pub(crate) fn value(self, slot: usize) -> ValueId {
        ValueId::new(self.ids[slot])
    }
}

/// What lies in a row beside numbers: words that prove most unequal values unlike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hint {
    /// The sketch of a field's only value; [`SKETCH_LEN`] words.
    Sketch(FieldId),
    /// The set of derived values, a bit each, several values to a bit.
    Set(FieldId, Form),
    /// The number of the value in another field, 0 if it has none.
    Crossed(FieldId, FieldId),
    /// The date as days, and with day and month exchanged, as the bits of [`i32`]; two words.
    Days(FieldId),
    /// The set of words, a bit each, several words to a bit.
    Words(FieldId),
}

impl Hint {
    /// Returns how many words it takes.
    fn len(self) -> usize {
        match self {
            Self::Sketch(_) => SKETCH_LEN,
            Self::Days(_) => 2,
            Self::Set(..) | Self::Crossed(..) | Self::Words(_) => 1,
        }
    }

    /// Returns the field whose first value it is of.
    fn field(self) -> FieldId {
        let (Self::Sketch(field)
        | Self::Set(field, _)
        | Self::Crossed(field, _)
        | Self::Days(field)
        | Self::Words(field)) = self;
        field
    }
}

/// The words of a hint, for each value of its field, one after the other.
pub(crate) type HintWords = (Hint, Vec<u32>);

/// The rows of all nodes.
#[derive(Debug)]
pub struct Rows {
    slots: Vec<(FieldId, Form)>,
    /// Each hint and the place of its first word behind the numbers.
    hints: Vec<(Hint, usize)>,
    width: usize,
    ids: Vec<u32>,
}

impl Rows {
    /// Lays out the first value of every field that the plan looks at, and every derived value of
    /// which a node has at most one.
    pub(crate) fn new(
        records: &Records,
        plan: &MatchingPlan,
        derived: &BTreeMap<(FieldId, Form), Derived>,
        words: &[HintWords],
    ) -> Self {
        let own = plan.comparisons.iter().map(|c| (c.field, Form::Whole));
        let mut slots: Vec<(FieldId, Form)> = own.collect();
        let fields = plan.used_fields().into_iter().map(|f| (f, Form::Whole));
        let single = derived.iter().filter(|((field, form), derived)| {
            *form != Form::Whole && !derived.is_multi() && !records.column(*field).is_multi_valued()
        });
        for slot in fields.chain(single.map(|(&slot, _)| slot)) {
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
        let columns: Vec<(&[u32], Option<&Derived>)> = slots
            .iter()
            .map(|&(field, form)| {
                let derived = derived.get(&(field, form));
                let derived = derived.filter(|_| form != Form::Whole);
                (records.column(field).first_ids(), derived)
            })
            .collect();
        let ahead = slots.len() + 1;
        let mut width = ahead;
        let mut hints = Vec::new();
        for (hint, _) in words {
            hints.push((*hint, width - ahead));
            width += hint.len();
        }
        let hinted: Vec<(usize, usize, &[u32], &[u32])> = words
            .iter()
            .zip(&hints)
            .map(|((hint, words), (_, at))| {
                let values = records.column(hint.field()).first_ids();
                (ahead + at, hint.len(), values, &words[..])
            })
            .collect();
        let mut ids = vec![0; width * records.len()];
        let chunks = ids.par_chunks_mut((width * FILL_LEN).max(1));
        chunks.enumerate().for_each(|(chunk, ids)| {
            for (slot, (values, derived)) in columns.iter().enumerate() {
                let places = ids.iter_mut().skip(slot).step_by(width);
                let values = places.zip(&values[chunk * FILL_LEN..]);
                for (id, &value) in values {
                    *id = derived.map_or(value, |of| of.single(ValueId::new(value)));
                }
            }
            for row in ids.chunks_exact_mut(width) {
                let first = row[..columns.len()].iter().take(AGREEMENT_SLOTS);
                let bits = first
                    .enumerate()
                    .map(|(slot, &id)| u32::from(id != 0) << slot);
                row[columns.len()] = bits.sum();
            }
            for &(at, len, values, words) in &hinted {
                let rows = ids.chunks_exact_mut(width);
                for (row, &value) in rows.zip(&values[chunk * FILL_LEN..]) {
                    let words = &words[value as usize * len..][..len];
                    row[at..at + len].copy_from_slice(words);
                }
            }
        });
        Self {
            slots,
            hints,
            width,
            ids,
        }
    }

    /// Returns where a node's only derived value stands; for whole values, where its first stands.
    pub(crate) fn slot(&self, field: FieldId, form: Form) -> Option<usize> {
        self.slots.iter().position(|slot| *slot == (field, form))
    }

    /// Returns the bits by which an [`Agreement`] tells of these slots, if it tells of all.
    pub(crate) fn agreement_mask(slots: &[usize]) -> Option<u32> {
        let mut bits = slots
            .iter()
            .map(|&slot| (slot < AGREEMENT_SLOTS).then(|| 1 << slot));
        bits.try_fold(0, |mask, bit| Some(mask | bit?))
    }

    /// Returns which word of a row is the first of its hints.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn first_hint(&self) -> usize {
        self.slots.len() + 1
    }

    /// Tells whether rows hold hints at all.
    pub(crate) fn has_hints(&self) -> bool {
        !self.hints.is_empty()
    }

    /// Returns where a hint's words stand, if rows hold it.
    pub(crate) fn hint(&self, hint: Hint) -> Option<usize> {
        let found = self.hints.iter().find(|(other, _)| *other == hint);
        found.map(|(_, at)| *at)
    }

    /// Returns the row of a node.
    #[inline]
    pub fn of(&self, node: u32) -> NodeRow<'_> {
        let (ids, rest) = self.words(node).split_at(self.slots.len());
        let (&present, hints) = rest.split_first().unwrap_or((&0, &[]));
        NodeRow {
            node,
            ids,
            present,
            hints,
        }
    }

    /// Returns all words of a node: the slots, which of the first hold a value, the hints.
    #[inline]
    pub(crate) fn words(&self, node: u32) -> &[u32] {
        &self.ids[node as usize * self.width..][..self.width]
    }

    /// Asks memory for the rows of nodes that are looked at soon.
    pub(crate) fn prefetch(&self, nodes: &[u32]) {
        for &node in nodes {
            let start = node as usize * self.width;
            let lines = (start..start + self.width).step_by(LINE_LEN);
            lines.for_each(|word| prefetch(&self.ids, word));
            prefetch(&self.ids, start + self.width - 1);
        }
    }
}

#[cfg(test)]
impl<'r> NodeRow<'r> {
    /// Makes a row of numbers alone.
    pub(crate) fn of_ids(ids: &'r [u32]) -> Self {
        let bits = ids.iter().take(AGREEMENT_SLOTS).enumerate();
        Self {
            node: 0,
            ids,
            present: bits.map(|(slot, &id)| u32::from(id != 0) << slot).sum(),
            hints: &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_agree_in_the_first_slots_that_both_fill() {
        let mut x = [0; 40];
        let mut y = [0; 40];
        (x[1], y[1]) = (7, 7);
        (x[2], y[2]) = (7, 8);
        (x[3], y[31], x[31]) = (9, 5, 5);
        (x[32], y[32], x[33], y[33]) = (1, 1, 1, 2);
        let agreement = NodeRow::of_ids(&x).agreement(NodeRow::of_ids(&y));
        assert_eq!(agreement.equal, 1 << 1 | 1 << 31);
        assert_eq!(agreement.unequal, 1 << 2);
    }

    #[test]
    fn slots_that_no_agreement_tells_of_make_no_mask() {
        assert_eq!(Rows::agreement_mask(&[0, 31]), Some(1 | 1 << 31));
        assert_eq!(Rows::agreement_mask(&[]), Some(0));
        assert_eq!(Rows::agreement_mask(&[1, 32]), None);
    }
}
