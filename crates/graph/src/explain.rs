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
