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
