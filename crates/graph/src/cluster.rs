//! Clusters: components of links, taken apart where they would break a constraint or hang by a weak
//! bridge.

use petgraph::unionfind::UnionFind;
use rayon::prelude::*;

use crate::bridge::{self, Bridges, Groups};
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
    Clustering::new(references, constraints, None).run(references.len(), evidence)
}

/// Clusters as [`cluster`] does, and quarantines weak bridges too.
///
/// A component in which some pairs do not link is built up again as well, and a link is refused if
/// the pairs between the two groups of records that it would join weigh too little on average. Two
/// groups once held apart stay apart, whatever they grow to.
///
/// # Panics
/// Panics if evidence or constraints name a node or source that does not exist.
pub fn cluster_without_weak_bridges(
    references: &ReferenceTable,
    evidence: &mut [Evidence],
    constraints: &Constraints,
    bridges: &Bridges<'_>,
) -> Partition {
    Clustering::new(references, constraints, Some(bridges)).run(references.len(), evidence)
}

/// What a revision asks of its clusters.
struct Clustering<'a> {
    rulebook: Rulebook<'a>,
    bridges: Option<&'a Bridges<'a>>,
}

impl<'a> Clustering<'a> {
    fn new(
        references: &'a ReferenceTable,
        constraints: &Constraints,
        bridges: Option<&'a Bridges<'a>>,
    ) -> Self {
        let rulebook = Rulebook::new(references, constraints);
        Self { rulebook, bridges }
    }

    fn run(&self, node_count: usize, evidence: &mut [Evidence]) -> Partition {
        debug_assert!(evidence.is_sorted_by_key(|edge| (edge.left, edge.right)));
        let mut labels = connect(node_count, evidence);
        let components = Partition::from_labels(&labels);
        let chosen = self.chosen(evidence, &components);
        if !chosen.contains(&true) {
            return components;
        }
        let candidates = component::gather(evidence, &components, &chosen);
        let repairs: Vec<Repair> = component::by_cluster(&candidates)
            .into_par_iter()
            .map(|links| self.repair(evidence, &components, links))
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

    /// Marks the components that are built up again.
    fn chosen(&self, evidence: &[Evidence], components: &Partition) -> Vec<bool> {
        let mut chosen = if self.rulebook.is_empty() {
            vec![false; components.cluster_count()]
        } else {
            self.rulebook.broken(components)
        };
        if self.bridges.is_some() {
            let mut link_counts = vec![0_usize; components.cluster_count()];
            for edge in evidence.iter().filter(|e| e.decision == Decision::Link) {
                link_counts[components.cluster_of(edge.left).index()] += 1;
            }
            for (cluster, members) in components.clusters() {
                chosen[cluster.index()] |=
                    bridge::is_suspicious(members.len(), link_counts[cluster.index()]);
            }
        }
        chosen
    }

    fn repair(&self, evidence: &[Evidence], components: &Partition, links: &[Candidate]) -> Repair {
        let members = components.members(links[0].cluster);
        let ends =
            |edge: &Evidence| [edge.left, edge.right].map(|node| component::local(members, node));
        let mut growing = Growing {
            sets: UnionFind::new(members.len()),
            holdings: members
                .iter()
                .map(|&node| self.rulebook.holding(node))
                .collect(),
            groups: self.bridges.map(|bridges| {
                let links = links.iter().map(|link| &evidence[link.edge]);
                let links = links.map(|edge| (ends(edge), edge.weight)).collect();
                Groups::new(bridges, members, links)
            }),
        };
        let mut quarantined = Vec::new();
        for link in links {
            let edge = &evidence[link.edge];
            let roots = ends(edge).map(|member| growing.sets.find_mut(member));
            if roots[0] == roots[1] {
                continue;
            }
            match growing.objection(&self.rulebook, edge, roots) {
                Some(reason) => quarantined.push((link.edge, reason)),
                None => growing.unite(roots),
            }
        }
        Repair {
            labels: labels(members, &mut growing.sets),
            quarantined,
        }
    }
}

/// What is left of a component after unions are refused.
struct Repair {
    /// Every node of the component with the smallest node of its cluster.
    labels: Vec<(u32, u32)>,
    quarantined: Vec<(usize, QuarantineReason)>,
}

/// The clusters of one component while links join them.
struct Growing<'a> {
    sets: UnionFind<u32>,
    /// By root: what its cluster holds.
    holdings: Vec<Holding>,
    groups: Option<Groups<'a>>,
}

impl Growing<'_> {
    /// Returns why a link must not join two clusters, a constraint first.
    fn objection(
        &mut self,
        rulebook: &Rulebook<'_>,
        link: &Evidence,
        roots: [u32; 2],
    ) -> Option<QuarantineReason> {
        let [left, right] = roots.map(|root| &self.holdings[root as usize]);
        let broken = rulebook.objection(left, right);
        broken.or_else(|| {
            let is_weak = self.groups.as_mut()?.is_weak(link, roots);
            is_weak.then_some(QuarantineReason::WeakBridge)
        })
    }

    fn unite(&mut self, [left, right]: [u32; 2]) {
        self.sets.union(left, right);
        let root = self.sets.find_mut(left);
        let other = if root == left { right } else { left };
        let absorbed = std::mem::take(&mut self.holdings[other as usize]);
        self.holdings[root as usize].absorb(absorbed);
        if let Some(groups) = &mut self.groups {
            groups.unite(root, other);
        }
    }
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
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::atomic::{AtomicU32, Ordering};

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{self, Name, edge, link, name, on_threads, table};
    use crate::{MatchWeight, NodeId, ReferenceTableBuilder, SourceId};

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

    /// What a pair weighs that is no link, from -8 to 4 bits: the records would tell.
    fn asked(a: NodeId, b: NodeId) -> MatchWeight {
        assert!(a < b, "the lower node first");
        let mixed = (a.get() * 31 + b.get() * 17) % 13;
        MatchWeight::from_hundredths(100 * (mixed as i16 - 8))
    }

    /// Takes all links best first, asking of each union whether any constraint would break, and
    /// whether the pairs of two groups weigh less than a bound on average.
    fn best_first(
        references: &ReferenceTable,
        evidence: &mut [Evidence],
        constraints: &Constraints,
        least: Option<MatchWeight>,
    ) -> Partition {
        let links: BTreeMap<(NodeId, NodeId), MatchWeight> = evidence
            .iter()
            .filter(|edge| edge.decision == Decision::Link)
            .map(|edge| ((edge.left, edge.right), edge.weight))
            .collect();
        let average = |one: &BTreeSet<u32>, other: &BTreeSet<u32>| {
            let pairs = one
                .iter()
                .flat_map(|&a| other.iter().map(move |&b| (a.min(b), a.max(b))));
            let bits = pairs.map(|(a, b)| {
                let pair = (NodeId::new(a), NodeId::new(b));
                let weight = links.get(&pair).copied();
                weight
                    .unwrap_or_else(|| asked(pair.0, pair.1))
                    .bits()
                    .clamp(-20.0, 20.0)
            });
            bits.sum::<f64>() / (one.len() * other.len()) as f64
        };
        let mut refused: Vec<(BTreeSet<u32>, BTreeSet<u32>)> = Vec::new();
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
            let (one, other) = (&clusters[left], &clusters[right]);
            let parts = |(a, b): &(BTreeSet<u32>, BTreeSet<u32>)| {
                a.is_subset(one) && b.is_subset(other) || a.is_subset(other) && b.is_subset(one)
            };
            let is_doubtful = one.len() > 1 && other.len() > 1 && edge.weight.bits() < 40.0;
            let is_weak = least.is_some_and(|least| {
                is_doubtful
                    && (refused.iter().any(parts) || average(one, other) < least.bits() - 1e-9)
            });
            if let Some(reason) = broken(references, &union, constraints) {
                edge.decision = Decision::Quarantined(reason);
            } else if is_weak {
                edge.decision = Decision::Quarantined(QuarantineReason::WeakBridge);
                refused.push((one.clone(), other.clone()));
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

    /// Draws links of 0 to 45 bits, mostly few.
    fn spread_evidence() -> impl Strategy<Value = Vec<Evidence>> {
        let bits = prop_oneof![8 => 0..12_i16, 1 => 12..46_i16];
        let scale = |(mut evidence, bits): (Vec<Evidence>, Vec<i16>)| {
            for (edge, bits) in evidence.iter_mut().zip(bits) {
                edge.weight = MatchWeight::from_hundredths(100 * bits);
            }
            evidence
        };
        (fixture::evidence(NODE_COUNT, 50), vec(bits, 50)).prop_map(scale)
    }

    /// Two pairs of sure links and a link between them, in a component of four.
    fn bridged(bridge: i16) -> [Evidence; 3] {
        [link(0, 1, 3_000), link(1, 5, bridge), link(5, 6, 2_500)]
    }

    fn clusters_of(mut evidence: [Evidence; 3], others: i16) -> ([Evidence; 3], usize) {
        let weigh = |_, _| MatchWeight::from_hundredths(others);
        let bridges = Bridges {
            least: MatchWeight::default(),
            weigh: &weigh,
        };
        let none = Constraints::default();
        let clusters = cluster_without_weak_bridges(&references(), &mut evidence, &none, &bridges);
        (evidence, clusters.cluster_count())
    }

    #[test]
    fn a_bridge_that_other_pairs_speak_against_gives_way() {
        let (evidence, count) = clusters_of(bridged(900), -301);
        let refused = Decision::Quarantined(QuarantineReason::WeakBridge);
        assert_eq!(evidence[1], edge(1, 5, 900, refused));
        assert_eq!(count, NODE_COUNT as usize - 2);
        let (evidence, count) = clusters_of(bridged(900), -300);
        assert_eq!((evidence, count), (bridged(900), NODE_COUNT as usize - 3));
    }

    /// All pairs of two groups were asked, and held in memory: a chain of thousands of records took
    /// seconds.
    #[test]
    fn large_groups_are_asked_through_some_of_their_members() {
        const LEN: u32 = 400;
        let mut builder = ReferenceTableBuilder::new(vec!["a".to_owned()]);
        for number in 0..2 * LEN {
            builder.push(SourceId::new(0), &format!("{number:04}"));
        }
        let references = builder.finish();
        let chain = (0..2 * LEN - 1).map(|node| {
            let is_bridge = node + 1 == LEN;
            link(node, node + 1, if is_bridge { 400 } else { 900 })
        });
        let mut evidence: Vec<Evidence> = chain.collect();
        let asked = AtomicU32::new(0);
        let weigh = |a: NodeId, b: NodeId| {
            let is_between = a.get() < LEN && b.get() >= LEN;
            asked.fetch_add(u32::from(is_between), Ordering::Relaxed);
            MatchWeight::from_hundredths(if is_between { -500 } else { 500 })
        };
        let bridges = Bridges {
            least: MatchWeight::default(),
            weigh: &weigh,
        };
        let none = Constraints::default();
        let clusters = cluster_without_weak_bridges(&references, &mut evidence, &none, &bridges);
        assert_eq!(clusters.cluster_count(), 2);
        assert!((1..=4_096).contains(&asked.into_inner()));
    }

    #[test]
    fn what_a_rule_links_is_no_weak_bridge() {
        let weight = MatchWeight::OF_RULE.hundredths();
        assert_eq!(clusters_of(bridged(weight), -9_000).0, bridged(weight));
    }

    #[test]
    fn no_pair_outvotes_twenty_others() {
        // One pair at -90 bits counts as -20; two others at 0 and the bridge at 19 or 20.
        let weigh =
            |a: NodeId, _| MatchWeight::from_hundredths(if a.get() == 0 { -9_000 } else { 0 });
        let bridges = Bridges {
            least: MatchWeight::default(),
            weigh: &weigh,
        };
        for (bridge, joins) in [(1_900, false), (2_000, true), (3_900, true)] {
            let mut evidence = [
                link(0, 1, 3_950),
                link(0, 6, 1),
                link(1, 5, bridge),
                link(5, 6, 3_950),
            ];
            let none = Constraints::default();
            cluster_without_weak_bridges(&references(), &mut evidence, &none, &bridges);
            assert_eq!(evidence[2].decision == Decision::Link, joins, "{bridge}");
        }
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
            prop_assert_eq!(partition, best_first(&references, &mut naive, &constraints, None));
            prop_assert_eq!(ours, naive);
        }

        #[test]
        fn weak_bridges_are_those_of_best_first_on_any_number_of_threads(
            evidence in spread_evidence(),
            constraints in prop_oneof![Just(Constraints::default()), constraints()],
            // At most what the lightest link weighs, as bridges may ask.
            least in -300..=0_i16,
            threads in 1..=4_usize,
        ) {
            let references = references();
            let least = MatchWeight::from_hundredths(least);
            let (mut ours, mut naive) = (evidence.clone(), evidence);
            let bridges = Bridges { least, weigh: &asked };
            let partition = on_threads(threads, || {
                cluster_without_weak_bridges(&references, &mut ours, &constraints, &bridges)
            });
            let expected = best_first(&references, &mut naive, &constraints, Some(least));
            prop_assert_eq!(partition, expected);
            prop_assert_eq!(ours, naive);
        }

        #[test]
        fn evidence_elsewhere_moves_no_weak_bridge(
            here in spread_evidence(),
            split in 1..NODE_COUNT,
        ) {
            let references = references();
            let bridges = Bridges { least: MatchWeight::default(), weigh: &asked };
            let constraints = Constraints::default();
            let is_low = |edge: &Evidence| edge.right.get() < split;
            let is_high = |edge: &Evidence| edge.left.get() >= split;
            let mut both: Vec<_> = here.into_iter().filter(|e| is_low(e) || is_high(e)).collect();
            let mut low: Vec<_> = both.iter().copied().filter(is_low).collect();
            cluster_without_weak_bridges(&references, &mut both, &constraints, &bridges);
            cluster_without_weak_bridges(&references, &mut low, &constraints, &bridges);
            both.retain(is_low);
            prop_assert_eq!(both, low);
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
