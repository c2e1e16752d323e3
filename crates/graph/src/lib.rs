//! References, evidence, clusters, unified ids and their lineage.
//!
//! This crate is the pure heart of sameas: it says which references belong to one
//! entity, under which id, why, and what became of every id ever issued. It never
//! performs I/O and cannot hold a field value; the only texts it knows are source
//! names, record keys and the names that settings give to comparisons and rules.

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

pub use cluster::cluster;
pub use constraint::Constraints;
pub use continuity::{NextRevision, succeed};
pub use digest::Digest;
pub use evidence::{Decision, Evidence, LevelPattern, MatchWeight, QuarantineReason, RuleId};
pub use explain::strongest_path;
pub use id::{Namespace, Revision, UnifiedId};
pub use legend::{ComparisonLegend, Legend, LevelLegend, RuleKind, RuleLegend};
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
