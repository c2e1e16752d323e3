//! References, evidence, clusters, unified ids and their lineage.
//!
//! This crate is the pure heart of sameas: it says which references belong to one
//! entity, under which id, why, and what became of every id ever issued. It never
//! performs I/O and cannot hold a field value; the only texts it knows are source
//! names, record keys and the names that settings give to comparisons and rules.

mod evidence;
mod id;
mod legend;
mod lineage;
mod partition;
mod reference;
mod revision;

pub use evidence::{Decision, Evidence, LevelPattern, MatchWeight, QuarantineReason, RuleId};
pub use id::{Namespace, Revision, UnifiedId};
pub use legend::{ComparisonLegend, Legend, LevelLegend, RuleKind, RuleLegend};
pub use lineage::{LineageEvent, LineageKind, PastMembership};
pub use partition::{ClusterId, Partition};
pub use reference::{
    KeyError, NodeId, RecordKey, RecordRef, ReferenceTable, ReferenceTableBuilder, SourceId,
    KEY_LEN_MAX, SOURCE_COUNT_MAX,
};
pub use revision::{Entity, GraphRevision};
