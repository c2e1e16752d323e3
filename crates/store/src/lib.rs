//! Snapshot files: publish, open, verify, recover.
//!
//! A rebuild hands a [`GraphRevision`](sameas_graph::GraphRevision) to a [`GraphFolder`],
//! which publishes it as a [`Snapshot`]: an immutable, memory-mapped, checksummed file. A
//! published snapshot never changes, and a publication that fails leaves the one before it
//! current. This crate never sees a source or a field value: it could not write one.
//!
//! ```no_run
//! use std::path::Path;
//! use sameas_store::GraphFolder;
//!
//! let folder = GraphFolder::open(Path::new("graph"))?;
//! if let Some(snapshot) = folder.current()? {
//!     match snapshot.lookup("crm", "C-1001")? {
//!         Some(located) => println!("{} since revision {}", located.entity.id, located.since),
//!         None => println!("unknown"),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(clippy::indexing_slicing)]

mod arena;
mod catalog;
mod codec;
mod directory;
mod edge;
mod error;
#[cfg(test)]
mod fixture;
mod folder;
mod format;
mod id_table;
mod key_hash;
mod machine;
mod map;
mod positions;
mod rank_bits;
mod reader;
mod size_breakdown;
mod verify;
mod writer;

pub use catalog::CurrentToken;
pub use codec::SourceSummary;
pub use error::{
    CorruptError, FolderError, OpenError, PublishError, ReadBackError, VerifyError, WriteError,
};
pub use folder::{GraphFolder, Published, Publisher};
pub use format::Section;
pub use reader::{
    EntityView, Located, Member, MemberEvidence, MemberView, Members, Row, Rows, Snapshot,
    SourceHandle,
};
pub use size_breakdown::SizeBreakdown;
pub use writer::{WrittenSnapshot, write_snapshot};
