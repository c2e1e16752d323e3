//! Digests by which two revisions are told equal without comparing them.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

use crate::{Decision, Evidence, NodeId, Partition, QuarantineReason, ReferenceTable, SourceId};

/// A 128-bit digest of a canonical form (XXH3; it finds accidents, not forgeries).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(u128);

impl Digest {
    /// Wraps a digest that was taken before.
    pub const fn new(digest: u128) -> Self {
        Self(digest)
    }

    /// Returns the digest as stored.
    pub const fn get(self) -> u128 {
        self.0
    }

    /// Digests which references are together; ids, evidence and sources without references
    /// have no part in it.
    pub fn of_partition(references: &ReferenceTable, partition: &Partition) -> Self {
        let mut hasher = Xxh3::new();
        for (index, name) in references.sources().iter().enumerate() {
            let nodes = references.nodes_of(SourceId::new(index as u16));
            if !nodes.is_empty() {
                update_text(&mut hasher, name.as_bytes());
                hasher.update(&(nodes.len() as u32).to_le_bytes());
            }
            for node in nodes.map(NodeId::new) {
                update_text(&mut hasher, references.key_bytes_of(node));
                hasher.update(&partition.cluster_of(node).get().to_le_bytes());
            }
        }
        Self(hasher.digest128())
    }

    /// Digests evidence, sorted by left and then right node.
    ///
    /// Nodes stand for references, so equal digests say that evidence is equal only between
    /// revisions whose partition digests are equal.
    pub fn of_evidence(evidence: &[Evidence]) -> Self {
        let mut hasher = Xxh3::new();
        for edge in evidence {
            hasher.update(&edge_bytes(edge));
        }
        Self(hasher.digest128())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

fn update_text(hasher: &mut Xxh3, text: &[u8]) {
    hasher.update(&(text.len() as u32).to_le_bytes());
    hasher.update(text);
}

fn edge_bytes(edge: &Evidence) -> [u8; 20] {
    let decision = match edge.decision {
        Decision::Link => 0,
        Decision::Review => 1,
        Decision::Quarantined(QuarantineReason::OnePerSource) => 2,
        Decision::Quarantined(QuarantineReason::CannotLink) => 3,
        Decision::Quarantined(QuarantineReason::ClusterSize) => 4,
    };
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&edge.left.get().to_le_bytes());
    bytes[4..8].copy_from_slice(&edge.right.get().to_le_bytes());
    bytes[8..10].copy_from_slice(&edge.weight.hundredths().to_le_bytes());
    bytes[10] = edge.rule.index() as u8;
    bytes[11..19].copy_from_slice(&edge.pattern.packed().to_le_bytes());
    bytes[19] = decision;
    bytes
}
