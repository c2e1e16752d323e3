//! References, evidence, clusters, unified ids and their lineage.
//!
//! This crate is the pure heart of sameas: it says which references belong to one
//! entity, under which id, why, and what became of every id ever issued. It never
//! performs I/O and cannot hold a field value; the only texts it knows are source
//! names, record keys and the names that settings give to comparisons and rules.
//!
//! ```
//! use sameas_graph::{
//!     Constraints, Decision, Evidence, Legend, LevelPattern, MatchWeight, Namespace,
//!     NextRevision, ReferenceTableBuilder, Retention, RuleId, SourceId, cluster, retain, succeed,
//! };
//!
//! let mut builder = ReferenceTableBuilder::new(vec!["crm".into(), "shop".into()]);
//! let left = builder.push(SourceId::new(0), "17");
//! let right = builder.push(SourceId::new(1), "A-4");
//! let references = builder.finish();
//! let mut evidence = vec![Evidence {
//!     left,
//!     right,
//!     weight: MatchWeight::from_bits(12.5),
//!     rule: RuleId::new(0),
//!     pattern: LevelPattern::default().with(0, 2),
//!     decision: Decision::Link,
//! }];
//! let partition = cluster(&references, &mut evidence, &Constraints::default());
//! let evidence = retain(evidence, &partition, Retention::default());
//! let namespace = Namespace::new(uuid::Uuid::from_u128(42));
//! let legend = Legend::default();
//! let next = NextRevision { namespace, references, partition, evidence, legend };
//! let graph = succeed(None, next);
//! assert_eq!(graph.entities.len(), 1);
//! assert_eq!(graph.current_ids(graph.entities[0].id), [graph.entities[0].id]);
//! ```

mod bridge;
mod cluster;
mod component;
mod constraint;
mod continuity;
mod digest;
mod evidence;
mod explain;
#[cfg(test)]
mod fixture;
mod id;
mod join;
mod legend;
mod lineage;
mod partition;
mod reference;
mod retain;
mod revision;
mod state;
mod union_find;

pub use bridge::Bridges;
pub use cluster::{cluster, cluster_without_weak_bridges};
pub use constraint::Constraints;
pub use continuity::{NextRevision, succeed, succeed_as};
pub use digest::Digest;
pub use evidence::{
    Decision, Evidence, LevelPattern, MatchWeight, QuarantineReason, RuleId, probability_of,
};
pub use explain::strongest_path;
pub use id::{Namespace, Revision, UnifiedId};
pub use legend::{ComparisonLegend, Legend, LevelLegend, Remainder, RuleKind, RuleLegend};
pub use lineage::{LineageEvent, LineageKind, PastMembership, entity_as_of, history, past_of};
pub use partition::{ClusterId, Partition};
pub use reference::{
    KEY_LEN_MAX, KeyError, NodeId, RecordKey, RecordRef, ReferenceTable, ReferenceTableBuilder,
    SOURCE_COUNT_MAX, SourceId,
};
pub use retain::{Retention, retain};
pub use revision::{Entity, GraphRevision};
pub use state::{EntityState, current_ids};
pub use union_find::connect;
