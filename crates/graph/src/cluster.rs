//! Clusters: components of links, taken apart where they would break a constraint.

use petgraph::unionfind::UnionFind;
use rayon::prelude::*;

use crate::component::{self, Candidate};
use crate::constraint::{Holding, Rulebook};
use crate::{
    Constraints, Decision, Evidence, Partition, QuarantineReason, ReferenceTable, connect,
};

/// Clusters references by their links, and quarantines each link that would break a constraint.
///
/// The evidence is sorted by left and then right node, each pair at most once. A component that
/// meets the constraints is a cluster as it is. Any other is built up again from its strongest
/// link to its weakest (ties by pair), and a link whose union would break a constraint is refused
/// and marked with the reason. Components do not see each other, so evidence that is added
/// elsewhere changes nothing here.
///
/// # Panics
/// Panics if evidence or constraints name a node or source that does not exist.
pub fn cluster(
    references: &ReferenceTable,
    evidence: &mut [Evidence],
    constraints: &Constraints,
) -> Partition {
    debug_assert!(evidence.is_sorted_by_key(|edge| (edge.left, edge.right)));
    let mut labels = connect(references.len(), evidence);
    let components = Partition::from_labels(&labels);
    let rulebook = Rulebook::new(references, constraints);
    if rulebook.is_empty() {
        return components;
    }
    let broken = rulebook.broken(&components);
    if !broken.contains(&true) {
        return components;
    }
    let candidates = component::gather(evidence, &components, &broken);
    let repairs: Vec<Repair> = component::by_cluster(&candidates)
        .into_par_iter()
        .map(|links| repair(&rulebook, evidence, &components, links))
        .collect();
    for repair in repairs {
        for (node, label) in repair.labels {
            labels[node as usize] = label;
        }
        for (edge, reason) in repair.quarantined {
            evidence[edge].decision = Decision::Quarantined(reason);
        }
    }
    Partition::from_labels(&labels)
}

/// What is left of a component after the unions that break a constraint are refused.
struct Repair {
    /// Every node of the component with the smallest node of its cluster.
    labels: Vec<(u32, u32)>,
    quarantined: Vec<(usize, QuarantineReason)>,
}

fn repair(
    rulebook: &Rulebook<'_>,
    evidence: &[Evidence],
    components: &Partition,
    links: &[Candidate],
) -> Repair {
    let members = components.members(links[0].cluster);
    let mut holdings: Vec<Holding> = members.iter().map(|&node| rulebook.holding(node)).collect();
    let mut sets = UnionFind::<u32>::new(members.len());
    let mut quarantined = Vec::new();
    for link in links {
        let edge = &evidence[link.edge];
        let left = sets.find_mut(component::local(members, edge.left));
        let right = sets.find_mut(component::local(members, edge.right));
        if left == right {
            continue;
        }
        match rulebook.objection(&holdings[left as usize], &holdings[right as usize]) {
            Some(reason) => quarantined.push((link.edge, reason)),
            None => unite(&mut sets, &mut holdings, left, right),
        }
    }
    Repair {
        labels: labels(members, &mut sets),
        quarantined,
    }
}

fn unite(sets: &mut UnionFind<u32>, holdings: &mut [Holding], left: u32, right: u32) {
    sets.union(left, right);
    let root = sets.find_mut(left);
    let other = if root == left { right } else { left };
    let absorbed = std::mem::take(&mut holdings[other as usize]);
    holdings[root as usize].absorb(absorbed);
}

/// Labels each member with the smallest member of its set.
fn labels(members: &[u32], sets: &mut UnionFind<u32>) -> Vec<(u32, u32)> {
    const UNSEEN: u32 = u32::MAX;
    let mut smallest = vec![UNSEEN; members.len()];
    let label = |(index, &node): (usize, &u32)| {
        let slot = &mut smallest[sets.find_mut(index as u32) as usize];
        if *slot == UNSEEN {
            *slot = node;
        }
        (node, *slot)
    };
    members.iter().enumerate().map(label).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{self, Name, edge, link, name, on_threads, table};
    use crate::{NodeId, SourceId};

    const NODE_COUNT: u32 = 14;

    /// Fourteen references: five of source a, five of b, four of c.
    fn references() -> ReferenceTable {
        let names: Vec<Name> = (0..NODE_COUNT)
            .map(|n| name(&format!("{}{}", ["a", "b", "c"][n as usize / 5], n)))
            .collect();
        let names: Vec<Name> = names
            .into_iter()
            .map(|(source, key)| (source, format!("{key:0>2}")))
            .collect();
        table(&names)
    }

    /// Takes all links best first, asking of each union whether any constraint would break.
    fn best_first(
        references: &ReferenceTable,
        evidence: &mut [Evidence],
        constraints: &Constraints,
    ) -> Partition {
        let mut clusters: Vec<BTreeSet<u32>> =
            (0..NODE_COUNT).map(|node| BTreeSet::from([node])).collect();
        let mut order: Vec<&mut Evidence> = evidence
            .iter_mut()
            .filter(|edge| edge.decision == Decision::Link)
            .collect();
        order.sort_by_key(|edge| (-i32::from(edge.weight.hundredths()), edge.left, edge.right));
        for edge in order {
            let of = |node: NodeId| {
                clusters
                    .iter()
                    .position(|cluster| cluster.contains(&node.get()))
                    .expect("all nodes")
            };
            let (left, right) = (of(edge.left), of(edge.right));
            if left == right {
                continue;
            }
            let union: BTreeSet<u32> = &clusters[left] | &clusters[right];
            if let Some(reason) = broken(references, &union, constraints) {
                edge.decision = Decision::Quarantined(reason);
            } else {
                clusters[left] = union;
                clusters.remove(right);
            }
        }
        fixture::partition(&clusters)
    }

    fn broken(
        references: &ReferenceTable,
        cluster: &BTreeSet<u32>,
        constraints: &Constraints,
    ) -> Option<QuarantineReason> {
        let holds = |node: NodeId| cluster.contains(&node.get());
        if constraints
            .cannot_link
            .iter()
            .any(|&(a, b)| a != b && holds(a) && holds(b))
        {
            return Some(QuarantineReason::CannotLink);
        }
        let count = |source: &SourceId| {
            cluster
                .iter()
                .filter(|&&n| references.source_of(NodeId::new(n)) == *source)
                .count()
        };
        if constraints
            .one_per_source
            .iter()
            .any(|source| count(source) > 1)
        {
            return Some(QuarantineReason::OnePerSource);
        }
        let is_large = cluster.len() > constraints.cluster_size_max as usize;
        is_large.then_some(QuarantineReason::ClusterSize)
    }

    fn constraints() -> impl Strategy<Value = Constraints> {
        let sources = prop::sample::subsequence(vec![0_u16, 1, 2], 0..=2);
        let apart = vec((0..NODE_COUNT, 0..NODE_COUNT), 0..4);
        (sources, apart, prop_oneof![Just(u32::MAX), 1..8_u32]).prop_map(|(sources, apart, max)| {
            Constraints {
                one_per_source: sources.into_iter().map(SourceId::new).collect(),
                cannot_link: apart
                    .into_iter()
                    .map(|(a, b)| (NodeId::new(a), NodeId::new(b)))
                    .collect(),
                cluster_size_max: max,
            }
        })
    }

    #[test]
    fn the_weakest_link_of_a_chain_gives_way() {
        let references = references();
        let mut evidence = [link(0, 5, 300), link(5, 10, 200), link(6, 10, 250)];
        let constraints = Constraints {
            one_per_source: vec![SourceId::new(1)],
            ..Constraints::default()
        };
        let partition = cluster(&references, &mut evidence, &constraints);
        let reason = Decision::Quarantined(QuarantineReason::OnePerSource);
        assert_eq!(evidence[1], edge(5, 10, 200, reason));
        let members: Vec<_> = partition.clusters().map(|(_, m)| m.to_vec()).collect();
        assert!(members.contains(&vec![0, 5]) && members.contains(&vec![6, 10]));
    }

    #[test]
    fn a_link_inside_a_cluster_stays_a_link() {
        let references = references();
        let mut evidence = [
            link(0, 5, 300),
            link(0, 10, 300),
            link(0, 11, 1),
            link(5, 10, 100),
        ];
        let constraints = Constraints {
            cluster_size_max: 3,
            ..Constraints::default()
        };
        cluster(&references, &mut evidence, &constraints);
        let links = evidence.map(|edge| edge.decision == Decision::Link);
        assert_eq!(links, [true, true, false, true]);
    }

    #[test]
    fn clusters_as_large_as_the_bound_are_left_alone() {
        let references = references();
        let mut evidence = [link(0, 1, 1), link(1, 2, 1), link(5, 6, 1)];
        let constraints = Constraints {
            cluster_size_max: 3,
            ..Constraints::default()
        };
        let partition = cluster(&references, &mut evidence, &constraints);
        assert_eq!(
            partition.members(partition.cluster_of(NodeId::new(0))),
            [0, 1, 2]
        );
    }

    proptest! {
        #[test]
        fn clusters_and_refusals_are_those_of_best_first_on_any_number_of_threads(
            evidence in fixture::evidence(NODE_COUNT, 40),
            constraints in constraints(),
            threads in 1..=4_usize,
        ) {
            let references = references();
            let (mut ours, mut naive) = (evidence.clone(), evidence);
            let partition = on_threads(threads, || cluster(&references, &mut ours, &constraints));
            prop_assert_eq!(partition, best_first(&references, &mut naive, &constraints));
            prop_assert_eq!(ours, naive);
        }

        #[test]
        fn clustering_again_changes_nothing(
            evidence in fixture::evidence(NODE_COUNT, 40),
            constraints in constraints(),
        ) {
            let references = references();
            let mut once = evidence;
            let partition = cluster(&references, &mut once, &constraints);
            let mut twice = once.clone();
            prop_assert_eq!(cluster(&references, &mut twice, &constraints), partition);
            prop_assert_eq!(twice, once);
        }
    }
}
