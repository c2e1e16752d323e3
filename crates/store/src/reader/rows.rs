//! The identity map, row by row.

use sameas_graph::{Entity, Revision};

use super::Snapshot;
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
    next: u32,
}

impl Snapshot {
    /// Returns all references by source name and then key bytes.
    pub fn rows(&self) -> Rows<'_> {
        Rows {
            snapshot: self,
            next: 0,
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

    fn row(&self, node: u32) -> Result<Row<'_>, CorruptError> {
        let (offset, entry) = self.entry(self.slot_of_node(node)?)?;
        let entity = self.entity_at(offset, &entry)?;
        let member = self.member_view(offset, entry)?;
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
        if self.next >= self.snapshot.meta().reference_count {
            return None;
        }
        let row = self.snapshot.row(self.next);
        self.next += 1;
        Some(row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.snapshot.meta().reference_count - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rows<'_> {}
