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
        Decision::Quarantined(QuarantineReason::WeakBridge) => 5,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{Name, edge, evidence, name, partition, table, table_over};

    #[test]
    fn sources_without_references_have_no_part_in_it() {
        let names = [name("a1"), name("c1")];
        let partition = partition(&[BTreeSet::from([0, 1])]);
        let sources = ["a", "b", "c"].map(String::from).to_vec();
        let wide = table_over(sources, &names.iter().collect());
        let narrow = table(&names);
        assert_eq!(
            Digest::of_partition(&wide, &partition),
            Digest::of_partition(&narrow, &partition)
        );
    }

    #[test]
    fn every_part_of_an_edge_counts() {
        let quarantined = |reason| edge(0, 1, 5, Decision::Quarantined(reason));
        let plain = edge(0, 1, 5, Decision::Link);
        let edges = [
            plain,
            edge(0, 2, 5, Decision::Link),
            edge(1, 2, 5, Decision::Link),
            edge(0, 1, 6, Decision::Link),
            edge(0, 1, 5, Decision::Review),
            quarantined(QuarantineReason::OnePerSource),
            quarantined(QuarantineReason::CannotLink),
            quarantined(QuarantineReason::ClusterSize),
            quarantined(QuarantineReason::WeakBridge),
            Evidence {
                rule: crate::RuleId::new(1),
                ..plain
            },
            Evidence {
                pattern: plain.pattern.with(9, 3),
                ..plain
            },
        ];
        let digests: BTreeSet<Digest> = edges.map(|edge| Digest::of_evidence(&[edge])).into();
        assert_eq!(digests.len(), edges.len());
    }

    #[test]
    fn a_digest_prints_as_32_digits() {
        assert_eq!(Digest::new(0xab).to_string(), format!("{:0>32}", "ab"));
    }

    fn canonical(names: &BTreeSet<Name>, labels: &[u32]) -> BTreeSet<BTreeSet<Name>> {
        let label = |wanted: u32| {
            let members = names
                .iter()
                .zip(labels)
                .filter(move |(_, label)| **label == wanted);
            members
                .map(|(name, _)| name.clone())
                .collect::<BTreeSet<Name>>()
        };
        [label(0), label(1)]
            .into_iter()
            .filter(|cluster| !cluster.is_empty())
            .collect()
    }

    fn digest(names: &BTreeSet<Name>, labels: &[u32]) -> Digest {
        // A label becomes the first node that bears it.
        let first = |label: &u32| labels.iter().position(|other| other == label);
        let labels: Vec<u32> = labels
            .iter()
            .take(names.len())
            .filter_map(first)
            .map(|node| node as u32)
            .collect();
        Digest::of_partition(&table(names), &Partition::from_labels(&labels))
    }

    proptest! {
        #[test]
        fn digests_are_equal_if_and_only_if_clusters_of_the_same_references_are(
            names in btree_set(("[ab]", "[ab]{1,2}"), 0..4),
            a in vec(0..2_u32, 4),
            b in vec(0..2_u32, 4),
        ) {
            let are_equal = canonical(&names, &a) == canonical(&names, &b);
            prop_assert_eq!(digest(&names, &a) == digest(&names, &b), are_equal);
        }

        #[test]
        fn digests_are_equal_if_and_only_if_references_are(
            a in btree_set(("[ab]", "[ab]{1,2}"), 0..3),
            b in btree_set(("[ab]", "[ab]{1,2}"), 0..3),
        ) {
            prop_assert_eq!(digest(&a, &[0; 3]) == digest(&b, &[0; 3]), a == b);
        }

        #[test]
        fn digests_are_equal_if_and_only_if_evidence_is(a in evidence(3, 3), b in evidence(3, 3)) {
            prop_assert_eq!(Digest::of_evidence(&a) == Digest::of_evidence(&b), a == b);
        }
    }
}
