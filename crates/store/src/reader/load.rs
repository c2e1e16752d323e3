//! A snapshot read back into memory, equal to what was written.

use roaring::RoaringBitmap;
use sameas_graph::{
    Entity, Evidence, GraphRevision, KEY_LEN_MAX, NodeId, Partition, ReferenceTable,
    ReferenceTableBuilder, Revision, SourceId,
};

use super::{Snapshot, Step, WalkOrder};
use crate::edge::EdgeKind;
use crate::error::{CorruptError, VerifyError};
use crate::format::Section;

impl Snapshot {
    /// Reads the whole revision back into memory, after checking every checksum.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn load(&self) -> Result<GraphRevision, VerifyError> {
        self.verify_checksums()?;
        Ok(self.load_unchecked()?)
    }

    fn load_unchecked(&self) -> Result<GraphRevision, CorruptError> {
        let node_of = self.nodes_by_slot()?;
        let partition = self.load_partition(&node_of)?;
        let (entities, since) = self.load_memberships(&partition, &node_of)?;
        Ok(GraphRevision {
            revision: self.revision(),
            namespace: self.namespace(),
            references: self.load_references()?,
            entities,
            partition,
            since,
            evidence: self.load_evidence(&node_of)?,
            legend: self.legend().clone(),
            lineage: (0..self.lineage_count())
                .map(|index| self.lineage_event(index))
                .collect::<Result<_, _>>()?,
            past: (0..self.past_count())
                .map(|index| self.past_membership(index))
                .collect::<Result<_, _>>()?,
            changed: self.load_changed(&node_of)?,
        })
    }

    /// Returns the node of each slot; refuses an order that is no permutation.
    pub(crate) fn nodes_by_slot(&self) -> Result<Vec<u32>, CorruptError> {
        const NONE: u32 = u32::MAX;
        let mut node_of = vec![NONE; self.meta().reference_count as usize];
        for node in 0..self.meta().reference_count {
            let slot = self.slot_of_node(node)?;
            match node_of.get_mut(slot as usize) {
                Some(place) if *place == NONE => *place = node,
                _ => {
                    let what = "two nodes have one slot";
                    return Err(CorruptError::at(Section::Order, u64::from(node), what));
                }
            }
        }
        Ok(node_of)
    }

    fn load_references(&self) -> Result<ReferenceTable, CorruptError> {
        let names = self
            .sources()
            .iter()
            .map(|source| source.name.clone())
            .collect();
        let mut builder = ReferenceTableBuilder::new(names);
        builder.reserve(
            self.meta().reference_count as usize,
            self.meta().key_bytes as usize,
        );
        let mut last: Option<(u16, &[u8])> = None;
        for (step, node) in self.walk(WalkOrder::Nodes).zip(0_u64..) {
            let corrupt = |what| CorruptError::at(Section::Order, node, what);
            let Step { entry, .. } = step?;
            let this = (entry.source, entry.key);
            let is_known = usize::from(entry.source) < self.sources().len();
            if !is_known || !(1..=KEY_LEN_MAX).contains(&entry.key.len()) || last >= Some(this) {
                return Err(corrupt("references are not in order"));
            }
            let key = std::str::from_utf8(entry.key).map_err(|_| corrupt("a key is not UTF-8"))?;
            builder.push(SourceId::new(entry.source), key);
            last = Some(this);
        }
        Ok(builder.finish())
    }

    fn load_partition(&self, node_of: &[u32]) -> Result<Partition, CorruptError> {
        let mut labels = vec![0; node_of.len()];
        let mut last_first = None;
        let mut slot = 0;
        while (slot as usize) < node_of.len() {
            let (first, end) = self.cluster_slots(slot)?;
            let members = node_of
                .get(first as usize..end as usize)
                .unwrap_or_default();
            let is_canonical = first == slot
                && members.is_sorted_by(|a, b| a < b)
                && last_first.as_ref() < Some(&members.first());
            if !is_canonical {
                let what = "clusters are not in order of their smallest nodes";
                return Err(CorruptError::at(Section::Marks, u64::from(slot), what));
            }
            for &node in members {
                if let (Some(label), Some(&smallest)) =
                    (labels.get_mut(node as usize), members.first())
                {
                    *label = smallest;
                }
            }
            last_first = Some(members.first());
            slot = end;
        }
        Ok(Partition::from_labels(&labels))
    }

    /// Returns the entity of each cluster, and since when each node belongs to its own.
    fn load_memberships(
        &self,
        partition: &Partition,
        node_of: &[u32],
    ) -> Result<(Vec<Entity>, Vec<Revision>), CorruptError> {
        if partition.cluster_count() as u64 != self.entity_count() {
            return Err(CorruptError::at(
                Section::Marks,
                0,
                "there is not one entity a cluster",
            ));
        }
        let mut entities = Vec::with_capacity(partition.cluster_count());
        let mut since = vec![Revision::FIRST; node_of.len()];
        for (step, &node) in self.walk(WalkOrder::Slots).zip(node_of) {
            let Step { slot, entry, .. } = step?;
            if self.marks().contains(slot) {
                entities.push(self.entity_in(&entry)?);
            }
            if let Some(place) = since.get_mut(node as usize) {
                *place = self.revision_of(entry.since)?;
            }
        }
        Ok((entities, since))
    }

    fn load_evidence(&self, node_of: &[u32]) -> Result<Vec<Evidence>, CorruptError> {
        let node = |slot: u32| node_of.get(slot as usize).copied().map(NodeId::new);
        let mut evidence = Vec::with_capacity(self.meta().edge_count as usize);
        for slot in 0..self.meta().reference_count {
            for number in self.edges_of(slot)? {
                let edge = self.edge(slot, number)?;
                let EdgeKind {
                    pattern,
                    rule,
                    decision,
                } = edge.kind;
                let ends = node(edge.lower).zip(node(edge.higher));
                let (one, other) = ends.ok_or_else(|| {
                    CorruptError::at(Section::Edges, u64::from(number), "leads to no reference")
                })?;
                let (left, right) = (one.min(other), one.max(other));
                evidence.push(Evidence {
                    left,
                    right,
                    weight: edge.weight,
                    rule,
                    pattern,
                    decision,
                });
            }
        }
        evidence.sort_unstable_by_key(|edge| (edge.left, edge.right));
        Ok(evidence)
    }

    fn load_changed(&self, node_of: &[u32]) -> Result<RoaringBitmap, CorruptError> {
        let slots = self.changed_set()?;
        Ok(slots
            .iter()
            .filter_map(|slot| node_of.get(slot as usize).copied())
            .collect())
    }
}
