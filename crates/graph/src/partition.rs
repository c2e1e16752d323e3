//! Which nodes form which cluster.

use rayon::prelude::*;

use crate::NodeId;

/// The dense number of a cluster in one revision; clusters are numbered by their smallest node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(u32);

impl ClusterId {
    /// Numbers a cluster.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// Returns the number as stored.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Returns the number for indexing.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A partition of nodes into clusters, in canonical form.
///
/// Clusters are numbered by their smallest node and list their members in node order,
/// so equal partitions are equal values however they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    cluster_of: Vec<u32>,
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Partition {
    /// Makes the canonical partition from any labelling: nodes with one label form one cluster.
    ///
    /// A label is the number of some node of its cluster, as union-find gives it.
    ///
    /// # Panics
    /// Panics if a label is not a node number.
    pub fn from_labels(labels: &[u32]) -> Self {
        const UNSEEN: u32 = u32::MAX;
        let mut number = vec![UNSEEN; labels.len()];
        let mut cluster_of = Vec::with_capacity(labels.len());
        let mut sizes: Vec<u32> = Vec::new();
        for &label in labels {
            let slot = &mut number[label as usize];
            if *slot == UNSEEN {
                *slot = sizes.len() as u32;
                sizes.push(0);
            }
            sizes[*slot as usize] += 1;
            cluster_of.push(*slot);
        }
        let mut starts = Vec::with_capacity(sizes.len() + 1);
        starts.push(0);
        for size in &sizes {
            starts.push(starts[starts.len() - 1] + size);
        }
        let mut next = starts.clone();
        let mut members = vec![0; labels.len()];
        for (node, &cluster) in cluster_of.iter().enumerate() {
            let slot = &mut next[cluster as usize];
            members[*slot as usize] = node as u32;
            *slot += 1;
        }
        Self {
            cluster_of,
            starts,
            members,
        }
    }

    /// Returns how many nodes there are.
    pub fn node_count(&self) -> usize {
        self.cluster_of.len()
    }

    /// Returns how many clusters there are.
    pub fn cluster_count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns the cluster of a node.
    pub fn cluster_of(&self, node: NodeId) -> ClusterId {
        ClusterId::new(self.cluster_of[node.index()])
    }

    /// Returns the members of a cluster in node order.
    pub fn members(&self, cluster: ClusterId) -> &[u32] {
        let (from, to) = (
            self.starts[cluster.index()],
            self.starts[cluster.index() + 1],
        );
        &self.members[from as usize..to as usize]
    }

    /// Returns every cluster with its members, in cluster order.
    pub fn clusters(&self) -> impl Iterator<Item = (ClusterId, &[u32])> {
        (0..self.cluster_count() as u32).map(|index| {
            let cluster = ClusterId::new(index);
            (cluster, self.members(cluster))
        })
    }

    /// Returns what `f` says of each cluster's members, in cluster order.
    pub(crate) fn par_map<T: Send>(&self, f: impl Fn(&[u32]) -> T + Sync) -> Vec<T> {
        let clusters = (0..self.cluster_count() as u32).into_par_iter();
        clusters
            .map(|index| f(self.members(ClusterId::new(index))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn clusters_are_numbered_by_their_smallest_node() {
        let partition = Partition::from_labels(&[3, 1, 1, 3, 4]);
        let members: Vec<&[u32]> = partition.clusters().map(|(_, members)| members).collect();
        assert_eq!(members, [&[0, 3][..], &[1, 2], &[4]]);
        assert_eq!(partition.cluster_of(NodeId::new(3)), ClusterId::new(0));
    }

    #[test]
    fn a_partition_may_have_no_node() {
        let partition = Partition::from_labels(&[]);
        assert_eq!((partition.node_count(), partition.cluster_count()), (0, 0));
    }

    proptest! {
        #[test]
        fn nodes_are_together_if_and_only_if_their_labels_are_equal(labels in vec(0..12_u32, 12)) {
            let partition = Partition::from_labels(&labels);
            let cluster = |node: usize| partition.cluster_of(NodeId::new(node as u32));
            for (a, b) in (0..12).flat_map(|a| (0..12).map(move |b| (a, b))) {
                prop_assert_eq!(cluster(a) == cluster(b), labels[a] == labels[b]);
            }
            for (id, members) in partition.clusters() {
                prop_assert!(members.is_sorted() && !members.is_empty());
                prop_assert!(members.iter().all(|&node| cluster(node as usize) == id));
            }
            let sizes = partition.par_map(<[u32]>::len);
            prop_assert_eq!(sizes.iter().sum::<usize>(), 12);
        }
    }
}
