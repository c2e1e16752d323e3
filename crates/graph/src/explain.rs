//! Why two references are together: the strongest chain of links between them.

use std::cmp::Reverse;

use petgraph::algo::dijkstra;
use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::unionfind::UnionFind;

use crate::{Decision, Evidence, NodeId};

/// Returns the path of links whose weakest link is strongest, in walking order.
///
/// Among such paths it is the one of fewest links, then of the smallest nodes. The edges are
/// those of one cluster, in any order, each pair at most once; only links are walked. The path
/// from a node to itself is empty; there is none if links do not join the two.
pub fn strongest_path(edges: &[Evidence], from: NodeId, to: NodeId) -> Option<Vec<Evidence>> {
    if from == to {
        return Some(Vec::new());
    }
    let mut links: Vec<Evidence> = edges
        .iter()
        .filter(|edge| edge.decision == Decision::Link)
        .copied()
        .collect();
    links.sort_unstable_by_key(|link| (Reverse(link.weight), link.left, link.right));
    let mut nodes: Vec<NodeId> = links
        .iter()
        .flat_map(|link| [link.left, link.right])
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    let local = |node: NodeId| nodes.binary_search(&node).ok().map(|index| index as u32);
    let (start, goal) = (local(from)?, local(to)?);
    let ends: Vec<[u32; 2]> = links
        .iter()
        .filter_map(|link| Some([local(link.left)?, local(link.right)?]))
        .collect();
    let bottleneck = bottleneck(nodes.len(), &ends, start, goal)?;
    let enough = links.partition_point(|link| link.weight >= links[bottleneck].weight);
    Some(shortest_path(
        &links[..enough],
        &ends[..enough],
        start,
        goal,
    ))
}

/// Returns the first edge, strongest first, that brings start and goal into one set.
fn bottleneck(node_count: usize, ends: &[[u32; 2]], start: u32, goal: u32) -> Option<usize> {
    let mut sets = UnionFind::<u32>::new(node_count);
    ends.iter().position(|&[left, right]| {
        sets.union(left, right);
        sets.equiv(start, goal)
    })
}

/// Walks from start to goal, each step one nearer to the goal and to the smallest such node.
fn shortest_path(links: &[Evidence], ends: &[[u32; 2]], start: u32, goal: u32) -> Vec<Evidence> {
    let graph = UnGraph::<(), (), u32>::from_edges(ends.iter().map(|&[left, right]| (left, right)));
    let distances = dijkstra(&graph, NodeIndex::new(goal as usize), None, |_| 1_u32);
    let distance = |node: NodeIndex| distances.get(&node).copied();
    let mut path = Vec::new();
    let mut here = NodeIndex::new(start as usize);
    while let Some(left) = distance(here).filter(|&left| left > 0) {
        let nearer = graph
            .neighbors(here)
            .filter(|&next| distance(next) == Some(left - 1));
        let next = nearer
            .min()
            .expect("a node at a distance has a neighbour one step nearer");
        let edge = graph
            .find_edge(here, next)
            .expect("neighbours share an edge");
        path.push(links[edge.index()]);
        here = next;
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{edge, evidence, link};

    const NODE_COUNT: u32 = 7;

    /// Returns every simple path of links: its nodes and its links.
    fn paths(
        edges: &[Evidence],
        nodes: &[NodeId],
        to: NodeId,
    ) -> Vec<(Vec<NodeId>, Vec<Evidence>)> {
        let here = nodes[nodes.len() - 1];
        if here == to {
            return vec![(nodes.to_vec(), Vec::new())];
        }
        let mut found = Vec::new();
        for edge in edges.iter().filter(|edge| edge.decision == Decision::Link) {
            let next = match here {
                node if node == edge.left => edge.right,
                node if node == edge.right => edge.left,
                _ => continue,
            };
            if nodes.contains(&next) {
                continue;
            }
            for (nodes, links) in paths(edges, &[nodes, &[next]].concat(), to) {
                found.push((nodes, [&[*edge][..], &links].concat()));
            }
        }
        found
    }

    #[test]
    fn a_chain_of_strong_links_beats_one_weak_link() {
        let edges = [link(0, 1, 900), link(0, 2, 100), link(1, 2, 800)];
        let path = strongest_path(&edges, NodeId::new(2), NodeId::new(0));
        assert_eq!(path, Some(vec![edges[2], edges[0]]));
    }

    #[test]
    fn reviews_are_no_path() {
        let edges = [edge(0, 1, 900, Decision::Review)];
        assert_eq!(strongest_path(&edges, NodeId::new(0), NodeId::new(1)), None);
        assert_eq!(
            strongest_path(&edges, NodeId::new(0), NodeId::new(0)),
            Some(vec![])
        );
    }

    proptest! {
        #[test]
        fn no_path_is_stronger_or_as_strong_and_shorter(
            edges in evidence(NODE_COUNT, 16).prop_shuffle(),
            from in 0..NODE_COUNT,
            to in 0..NODE_COUNT,
        ) {
            let (from, to) = (NodeId::new(from), NodeId::new(to));
            let best = paths(&edges, &[from], to).into_iter().min_by_key(|(nodes, links)| {
                (Reverse(links.iter().map(|link| link.weight).min()), links.len(), nodes.clone())
            });
            prop_assert_eq!(strongest_path(&edges, from, to), best.map(|(_, links)| links));
        }
    }
}
