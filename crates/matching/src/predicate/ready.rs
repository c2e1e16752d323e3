//! Conditions with everything they read at hand.
//!
//! What a condition asks of one value alone (`lower(surname_l)`, a parsed date) is computed once
//! for each distinct value, so that a pair costs its comparisons and distances only.

use rayon::prelude::*;
use sameas_record::{Column, FieldId, Form, ValueId};

use super::value::Value;
use super::{FieldOf, Predicate, Side, Tree};
use crate::prepared::Prepared;
use crate::rows::NodeRow;

/// What stands for a field of one record, or for an expression over it.
#[derive(Debug)]
struct ReadyLeaf<'p> {
    side: Side,
    slot: usize,
    column: &'p Column,
    /// The expression's value for each distinct value of the column.
    computed: Option<Vec<Value<'static>>>,
}

/// A condition with everything it reads at hand.
#[derive(Debug)]
pub(crate) struct ReadyPredicate<'p>(Tree<ReadyLeaf<'p>>);

impl<'p> ReadyPredicate<'p> {
    pub(crate) fn new(prepared: &'p Prepared<'p>, predicate: &Predicate) -> Self {
        let tree = predicate.tree.map(&mut |tree| leaf_of(prepared, tree));
        Self(tree)
    }

    /// Returns whether it holds for a left and a right record.
    pub(crate) fn holds(&self, left: NodeRow<'_>, right: NodeRow<'_>) -> bool {
        let read = |leaf: &ReadyLeaf<'_>| match leaf.side {
            Side::Left => left,
            Side::Right => right,
        };
        self.0.value(&|leaf| leaf.value(read(leaf))).truth() == Some(true)
    }
}

impl ReadyLeaf<'_> {
    fn value(&self, row: NodeRow<'_>) -> Value<'_> {
        let id = row.value(self.slot);
        if let Some(computed) = &self.computed {
            return computed
                .get(id.index())
                .map_or(Value::Null, Value::borrowed);
        }
        if self.column.is_multi_valued() && !id.is_missing() {
            let values = self.column.values(row.node as usize);
            let texts = values.map(|value| Value::text_of(self.column.dictionary().text(value)));
            return Value::List(texts.collect());
        }
        text_of(self.column, id)
    }
}

fn text_of(column: &Column, id: ValueId) -> Value<'_> {
    if id.is_missing() {
        Value::Null
    } else {
        Value::text_of(column.dictionary().text(id))
    }
}

/// Returns the leaf that stands for a tree: a field, or what depends on one field of one record.
fn leaf_of<'p>(prepared: &'p Prepared<'p>, tree: &Tree<FieldOf>) -> Option<ReadyLeaf<'p>> {
    let mut leaves: Vec<FieldOf> = Vec::new();
    tree.visit(&mut |leaf| leaves.push(*leaf));
    let (&first, others) = leaves.split_first()?;
    if others.iter().any(|other| *other != first) {
        return None;
    }
    let column = prepared.field(first.field).column;
    let is_bare = matches!(tree, Tree::Leaf(_));
    if !is_bare && column.is_multi_valued() {
        return None;
    }
    let slot = slot_of(prepared, first.field);
    let computed = (!is_bare).then(|| {
        let ids = 0..column.dictionary().len() as u32;
        let of = |id| {
            tree.value(&|_| text_of(column, ValueId::new(id)))
                .into_owned()
        };
        ids.into_par_iter().map(of).collect()
    });
    Some(ReadyLeaf {
        side: first.side,
        slot,
        column,
        computed,
    })
}

fn slot_of(prepared: &Prepared<'_>, field: FieldId) -> usize {
    let slot = prepared.rows().slot(field, Form::Whole);
    slot.expect("rows hold every field of the plan")
}
