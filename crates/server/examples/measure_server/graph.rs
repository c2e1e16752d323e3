//! A graph of many references, two to an entity.

use std::error::Error;
use std::path::Path;

use sameas_graph::{
    Entity, GraphRevision, Legend, Namespace, Partition, ReferenceTableBuilder, Revision, SourceId,
    UnifiedId,
};
use sameas_store::GraphFolder;
use uuid::Uuid;

/// The source of all references.
pub(crate) const SOURCE: &str = "crm";

/// The n-th key.
pub(crate) fn key(index: u32) -> String {
    format!("customer-{index:08}")
}

/// Publishes a graph of so many references.
#[expect(
    clippy::default_trait_access,
    reason = "the benches share this file and do not depend on roaring"
)]
pub(crate) fn publish(path: &Path, count: u32) -> Result<(), Box<dyn Error>> {
    let namespace = Namespace::new(Uuid::from_u128(1));
    let mut references = ReferenceTableBuilder::new(vec![SOURCE.to_owned()]);
    for index in 0..count {
        references.push(SourceId::new(0), &key(index));
    }
    let labels: Vec<u32> = (0..count).map(|index| index / 2 * 2).collect();
    let born = Revision::FIRST;
    let entity = |index: u32| Entity {
        id: UnifiedId::issue(namespace, SOURCE, &key(index), born),
        born,
    };
    let graph = GraphRevision {
        revision: born,
        namespace,
        references: references.finish(),
        partition: Partition::from_labels(&labels),
        entities: (0..count).step_by(2).map(entity).collect(),
        since: vec![born; count as usize],
        evidence: Vec::new(),
        legend: Legend::default(),
        lineage: Vec::new(),
        past: Vec::new(),
        changed: Default::default(),
    };
    GraphFolder::create_or_open(path, namespace)?.publish(&graph, 0)?;
    Ok(())
}
