//! Snapshots for tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use sameas_graph::{
    ClusterId, Entity, GraphRevision, Legend, Namespace, NodeId, Partition, ReferenceTableBuilder,
    Revision, SourceId, UnifiedId,
};
use sameas_store::{Snapshot, write_snapshot};

/// Makes a snapshot of these references, each with the label of its cluster.
pub(crate) fn snapshot(members: &[(&str, &str, u32)]) -> Snapshot {
    let members: BTreeMap<_, _> = members
        .iter()
        .map(|&(s, k, label)| ((s, k), label))
        .collect();
    let sources: BTreeSet<_> = members
        .keys()
        .map(|&(source, _)| source.to_owned())
        .collect();
    let sources: Vec<_> = sources.into_iter().collect();
    let mut builder = ReferenceTableBuilder::new(sources.clone());
    let mut first = BTreeMap::new();
    let mut labels = Vec::new();
    for (&(source, key), label) in &members {
        let id = SourceId::new(sources.iter().position(|name| name == source).unwrap() as u16);
        let node = builder.push(id, key).get();
        labels.push(*first.entry(label).or_insert(node));
    }
    let namespace = Namespace::new(uuid::Uuid::from_u128(7));
    let references = builder.finish();
    let partition = Partition::from_labels(&labels);
    let entity = |cluster| {
        let founder = NodeId::new(partition.members(ClusterId::new(cluster as u32))[0]);
        let source = &sources[references.source_of(founder).index()];
        let id = UnifiedId::issue(namespace, source, references.key(founder), Revision::FIRST);
        Entity {
            id,
            born: Revision::FIRST,
        }
    };
    let graph = GraphRevision {
        revision: Revision::FIRST,
        namespace,
        entities: (0..partition.cluster_count()).map(entity).collect(),
        since: vec![Revision::FIRST; labels.len()],
        evidence: Vec::new(),
        legend: Legend::default(),
        lineage: Vec::new(),
        past: Vec::new(),
        changed: (0..labels.len() as u32).collect(),
        references,
        partition,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot");
    write_snapshot(&graph, &mut std::fs::File::create(&path).unwrap()).unwrap();
    Snapshot::open(&path).unwrap()
}
