//! Small graphs for tests.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rayon::ThreadPoolBuilder;

use crate::{
    Decision, Evidence, LevelPattern, MatchWeight, NodeId, Partition, ReferenceTable,
    ReferenceTableBuilder, RuleId, SourceId,
};

/// A reference by name: source and key.
pub(crate) type Name = (String, String);

/// Returns the table of these references; a source is named only if it has one.
pub(crate) fn table<'a>(names: impl IntoIterator<Item = &'a Name>) -> ReferenceTable {
    let names: BTreeSet<&Name> = names.into_iter().collect();
    let sources: BTreeSet<&String> = names.iter().map(|(source, _)| source).collect();
    table_over(sources.into_iter().cloned().collect(), &names)
}

/// Returns the table of these references over these sources.
pub(crate) fn table_over(sources: Vec<String>, names: &BTreeSet<&Name>) -> ReferenceTable {
    let numbers: BTreeMap<String, u16> = sources.iter().cloned().zip(0..).collect();
    let mut builder = ReferenceTableBuilder::new(sources);
    for (source, key) in names {
        builder.push(SourceId::new(numbers[source]), key);
    }
    builder.finish()
}

/// Returns the name of a reference that is written as its source, one letter, and its key.
pub(crate) fn name(text: &str) -> Name {
    let (source, key) = text.split_at(1);
    (source.to_owned(), key.to_owned())
}

pub(crate) fn edge(left: u32, right: u32, hundredths: i16, decision: Decision) -> Evidence {
    Evidence {
        left: NodeId::new(left),
        right: NodeId::new(right),
        weight: MatchWeight::from_hundredths(hundredths),
        rule: RuleId::new(0),
        pattern: LevelPattern::default(),
        decision,
    }
}

pub(crate) fn link(left: u32, right: u32, hundredths: i16) -> Evidence {
    edge(left, right, hundredths, Decision::Link)
}

/// Draws sorted evidence over some nodes, each pair at most once, with few distinct weights.
pub(crate) fn evidence(
    node_count: u32,
    edge_count_max: usize,
) -> impl Strategy<Value = Vec<Evidence>> {
    let decision = prop_oneof![4 => Just(Decision::Link), 1 => Just(Decision::Review)];
    let drawn = (0..node_count, 1..node_count, 0..4_i16, decision);
    proptest::collection::vec(drawn, 0..edge_count_max).prop_map(move |drawn| {
        let pairs: BTreeMap<(u32, u32), Evidence> = drawn
            .into_iter()
            .map(|(node, step, weight, decision)| {
                let other = (node + step) % node_count;
                let (left, right) = (node.min(other), node.max(other));
                ((left, right), edge(left, right, weight, decision))
            })
            .collect();
        pairs.into_values().collect()
    })
}

/// Returns the partition with these clusters, in any order.
pub(crate) fn partition(clusters: &[BTreeSet<u32>]) -> Partition {
    let mut labels = BTreeMap::new();
    for cluster in clusters {
        labels.extend(
            cluster
                .iter()
                .map(|&node| (node, *cluster.first().unwrap())),
        );
    }
    Partition::from_labels(&labels.into_values().collect::<Vec<_>>())
}

/// Runs work on a pool of its own of this many threads.
pub(crate) fn on_threads<T: Send>(count: usize, work: impl FnOnce() -> T + Send) -> T {
    ThreadPoolBuilder::new()
        .num_threads(count)
        .build()
        .unwrap()
        .install(work)
}
