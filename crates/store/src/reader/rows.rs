//! The identity map, row by row.

use sameas_graph::{Entity, Revision};

use super::Snapshot;
use super::slots::{Step, Walk, WalkOrder};
use crate::error::CorruptError;
use crate::format::Section;

/// One row of the identity map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'s> {
    /// The name of the source.
    pub source: &'s str,
    /// The key of the record.
    pub key: &'s str,
    /// The entity it belongs to.
    pub entity: Entity,
    /// Since when it does.
    pub since: Revision,
}

/// All references of a snapshot by source name and then key bytes.
#[derive(Clone, Debug)]
pub struct Rows<'s> {
    snapshot: &'s Snapshot,
    walk: Walk<'s>,
}

impl Snapshot {
    /// Returns all references by source name and then key bytes.
    pub fn rows(&self) -> Rows<'_> {
        Rows {
            snapshot: self,
            walk: self.walk(WalkOrder::Nodes),
        }
    }

    /// Returns the slot of a node.
    pub(crate) fn slot_of_node(&self, node: u32) -> Result<u32, CorruptError> {
        let order: &[u32] = self.words(Section::Order);
        let slot = order.get(node as usize).map(|&slot| u32::from_le(slot));
        slot.filter(|&slot| slot < self.meta().reference_count)
            .ok_or_else(|| {
                CorruptError::at(Section::Order, u64::from(node), "leads to no reference")
            })
    }

    fn row<'s>(&'s self, step: Step<'s>) -> Result<Row<'s>, CorruptError> {
        let entity = self.entity_in(&step.entry)?;
        let member = self.member_view(step.offset, step.entry)?;
        Ok(Row {
            source: member.source,
            key: member.key,
            entity,
            since: member.since,
        })
    }
}

impl<'s> Iterator for Rows<'s> {
    type Item = Result<Row<'s>, CorruptError>;

    fn next(&mut self) -> Option<Self::Item> {
        let snapshot: &'s Snapshot = self.snapshot;
        let step = self.walk.next()?;
        Some(step.and_then(|step| snapshot.row(step)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.walk.left() as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rows<'_> {}
