//! Which references of one revision are references of another.

use rayon::prelude::*;

use crate::{NodeId, ReferenceTable, SourceId};

/// Stands for a node that the other revision does not have.
pub(crate) const ABSENT: u32 = u32::MAX;

/// Nodes that one thread joins at a time; few in tests, so that small tables make several batches.
const BATCH_LEN: usize = if cfg!(test) { 3 } else { 64 * 1024 };

/// The nodes of two reference tables that stand for the same references.
pub(crate) struct Join {
    /// By new node: the old node or [`ABSENT`].
    pub(crate) old_of: Vec<u32>,
    /// By old node: the new node or [`ABSENT`].
    pub(crate) new_of: Vec<u32>,
}

impl Join {
    /// Joins two tables by source name and key: numbers of sources and nodes may differ.
    pub(crate) fn new(old: &ReferenceTable, new: &ReferenceTable) -> Self {
        let mut old_of = vec![ABSENT; new.len()];
        old_of
            .par_chunks_mut(BATCH_LEN)
            .enumerate()
            .for_each(|(batch, slots)| {
                join_batch(old, new, batch * BATCH_LEN, slots);
            });
        let mut new_of = vec![ABSENT; old.len()];
        for (node, &old_node) in old_of.iter().enumerate().filter(|(_, old)| **old != ABSENT) {
            new_of[old_node as usize] = node as u32;
        }
        Self { old_of, new_of }
    }
}

/// Joins the new nodes from `first` on, source by source.
fn join_batch(old: &ReferenceTable, new: &ReferenceTable, first: usize, slots: &mut [u32]) {
    let (mut from, end) = (first as u32, (first + slots.len()) as u32);
    while from < end {
        let source = new.source_of(NodeId::new(from));
        let to = new.nodes_of(source).end.min(end);
        if let Some(old_source) = old.source_id(&new.sources()[source.index()]) {
            let slots = &mut slots[from as usize - first..to as usize - first];
            join_run(old, old_source, new, from, slots);
        }
        from = to;
    }
}

/// Merges a run of one source's new nodes with the old nodes of that source.
fn join_run(
    old: &ReferenceTable,
    old_source: SourceId,
    new: &ReferenceTable,
    from: u32,
    slots: &mut [u32],
) {
    let key = |node: u32| new.key_bytes_of(NodeId::new(node));
    let mut old_nodes = old.lower_bound(old_source, key(from))..old.nodes_of(old_source).end;
    for (node, slot) in (from..).zip(slots) {
        let key = key(node);
        while !old_nodes.is_empty() && old.key_bytes_of(NodeId::new(old_nodes.start)) < key {
            old_nodes.start += 1;
        }
        if old_nodes.is_empty() {
            return;
        }
        if old.key_bytes_of(NodeId::new(old_nodes.start)) == key {
            *slot = old_nodes.start;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{Name, table};

    fn find(names: &BTreeSet<Name>, name: &Name) -> u32 {
        names
            .iter()
            .position(|other| other == name)
            .map_or(ABSENT, |node| node as u32)
    }

    proptest! {
        #[test]
        fn nodes_are_joined_by_name_though_sources_come_and_go(
            old in btree_set(("[a-c]", "[a-c]{1,2}"), 0..20),
            new in btree_set(("[a-c]", "[a-c]{1,2}"), 0..20),
        ) {
            let join = Join::new(&table(&old), &table(&new));
            prop_assert_eq!(join.old_of, new.iter().map(|n| find(&old, n)).collect::<Vec<_>>());
            prop_assert_eq!(join.new_of, old.iter().map(|n| find(&new, n)).collect::<Vec<_>>());
        }
    }
}
