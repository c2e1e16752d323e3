//! What can be wrong with a snapshot, a publication or a graph folder.

use std::io;
use std::path::PathBuf;

use sameas_graph::{Namespace, Revision};
use thiserror::Error;

use crate::format::Section;

/// What helps when a published snapshot is not what it was; said by whichever error names the
/// damage, so that a chain of causes says it once. A rebuild does not help: it follows the
/// current revision, because ids must stay, and so has to read it.
pub(crate) const GO_BACK: &str = "`sameas verify` tells which revisions are sound, `sameas verify --go-back REVISION` makes one of them current";

/// A snapshot contradicts itself; nothing it says can be trusted.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("snapshot is corrupt: {part}, item {index}: {what}; {GO_BACK}")]
pub struct CorruptError {
    part: &'static str,
    index: u64,
    what: &'static str,
}

impl CorruptError {
    pub(crate) const fn new(part: &'static str, index: u64, what: &'static str) -> Self {
        Self { part, index, what }
    }

    pub(crate) const fn at(section: Section, index: u64, what: &'static str) -> Self {
        Self {
            part: section.name(),
            index,
            what,
        }
    }
}

/// Why a snapshot cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be read.
    #[error("snapshot {path}: cannot be read; restore it from a backup, or go back: {GO_BACK}")]
    Io {
        /// The snapshot.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The file is something else.
    #[error(
        "{path}: is not a sameas snapshot (its first bytes are not those of one); restore it from a backup, or go back: {GO_BACK}"
    )]
    NotASnapshot {
        /// The file.
        path: PathBuf,
    },
    /// Another version of sameas wrote it.
    #[error(
        "snapshot {path}: has format {found}, this build reads format {known}; use the {age} sameas that wrote it, or name another graph folder in [graph] path",
        age = age(*found, *known)
    )]
    UnknownFormat {
        /// The snapshot.
        path: PathBuf,
        /// The version in the file.
        found: u32,
        /// The version this build reads.
        known: u32,
    },
    /// The file was cut or grown.
    #[error("snapshot {path}: ends at byte {found}, its header says {expected}; {GO_BACK}")]
    Length {
        /// The snapshot.
        path: PathBuf,
        /// The length the header gives.
        expected: u64,
        /// The length of the file.
        found: u64,
    },
    /// The file contradicts itself.
    #[error("snapshot {path}: cannot be trusted")]
    Corrupt {
        /// The snapshot.
        path: PathBuf,
        /// What is wrong.
        #[source]
        cause: CorruptError,
    },
}

/// Why a snapshot does not pass verification.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// Bytes have changed since they were written.
    #[error("snapshot is corrupt: checksum of section `{section}` is {found:016x}, written was {expected:016x}; {GO_BACK}", section = section.name())]
    Checksum {
        /// The section whose bytes changed.
        section: Section,
        /// The checksum when written.
        expected: u64,
        /// The checksum now.
        found: u64,
    },
    /// The bytes are as written, but contradict each other.
    #[error(transparent)]
    Structure(#[from] CorruptError),
}

/// Why a graph cannot be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Writing failed.
    #[error(
        "snapshot of revision {revision}: cannot be written; make room on the disk or mend it, and rebuild again"
    )]
    Io {
        /// The revision.
        revision: Revision,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The graph contradicts itself.
    #[error(
        "revision {revision}: is inconsistent and was not written: {what} (item {index}); this is a defect of sameas, please report it"
    )]
    Inconsistent {
        /// The revision.
        revision: Revision,
        /// Which rule is broken.
        what: &'static str,
        /// Where.
        index: u64,
    },
    /// The graph does not fit the format.
    #[error(
        "revision {revision}: has {count} {what}, a snapshot holds at most {max}; nothing was written; rebuild with less, or with several graphs"
    )]
    TooLarge {
        /// The revision.
        revision: Revision,
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: u64,
        /// How many fit.
        max: u64,
    },
}

/// Why a graph folder cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A file of the folder cannot be read or written.
    #[error(
        "graph folder: cannot {action} {path}; make room or mend the disk, then run it again; the revision before goes on serving"
    )]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The path holds no graph.
    #[error(
        "{path}: is not a graph folder (it has no graph.json); run `sameas rebuild` to make one, or correct [graph] path"
    )]
    NotAGraph {
        /// The folder.
        path: PathBuf,
    },
    /// The path holds other things.
    #[error("{path}: is neither empty nor a graph folder; name a new folder in [graph] path")]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A newer sameas made the folder.
    #[error(
        "graph folder {path}: has format {found}, this build knows format {known}; use the newer sameas that made it"
    )]
    UnknownFormat {
        /// The folder.
        path: PathBuf,
        /// The version in graph.json.
        found: u32,
        /// The version this build knows.
        known: u32,
    },
    /// The folder belongs to another graph.
    #[error("graph folder {path}: belongs to another graph ({found} instead of {expected}); correct [graph] path", found = found.uuid(), expected = expected.uuid())]
    OtherGraph {
        /// The folder.
        path: PathBuf,
        /// The namespace the caller expects.
        expected: Namespace,
        /// The namespace of the folder.
        found: Namespace,
    },
    /// One of the folder's small files cannot be understood.
    #[error("{path}: cannot be understood ({what}); {remedy}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The current snapshot cannot be opened.
    #[error("graph folder {folder}: the current revision {revision} cannot be opened")]
    CurrentUnusable {
        /// The folder.
        folder: PathBuf,
        /// The revision that is current.
        revision: Revision,
        /// Why.
        #[source]
        cause: OpenError,
    },
    /// The current snapshot is not the one that was published.
    #[error(
        "graph folder {folder}: file {file} is not the snapshot that was published as revision {revision}; restore it from a backup, or go back: {GO_BACK}"
    )]
    CurrentReplaced {
        /// The folder.
        folder: PathBuf,
        /// The snapshot's file name.
        file: String,
        /// The revision that is current.
        revision: Revision,
    },
    /// The bytes of the current snapshot have changed since it was published.
    #[error(
        "{path}: the current revision {revision} is damaged, and no revision can follow it, because ids must stay"
    )]
    CurrentDamaged {
        /// The snapshot.
        path: PathBuf,
        /// The revision that is current.
        revision: Revision,
        /// What is wrong.
        #[source]
        cause: VerifyError,
    },
    /// More was published than `current` tells of.
    #[error(
        "graph folder {folder}: its file `current` is missing or older than revision {found}, which was published; nothing was changed; restore `current` from a backup, or go back: {GO_BACK}"
    )]
    CurrentLost {
        /// The folder.
        folder: PathBuf,
        /// The highest revision of which there is a trace.
        found: Revision,
    },
}

/// Why a revision was not published.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Another process publishes.
    #[error(
        "graph folder {path}: another process is rebuilding or publishing (it holds {path}/lock); wait for it to end"
    )]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The revision was made from another graph.
    #[error("graph folder {path}: the revision belongs to another graph and was not published")]
    OtherGraph {
        /// The folder.
        path: PathBuf,
    },
    /// A revision as new was published meanwhile.
    #[error(
        "graph folder {path}: revision {revision} is not newer than the current {current}; another rebuild was published meanwhile, run the rebuild again"
    )]
    Stale {
        /// The folder.
        path: PathBuf,
        /// The revision that was to be published.
        revision: Revision,
        /// The revision that is current.
        current: Revision,
    },
    /// A revision cannot become current again.
    #[error(
        "graph folder {path}: revision {revision} is not sound and did not become current; nothing was changed"
    )]
    NotSound {
        /// The folder.
        path: PathBuf,
        /// The revision that was asked for.
        revision: Revision,
        /// Why.
        #[source]
        cause: ReadBackError,
    },
    /// The graph cannot be written.
    #[error("graph folder {path}: nothing was published, the previous revision is still current")]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        cause: WriteError,
    },
    /// A step failed before the revision became current.
    #[error(
        "graph folder {folder}: cannot {action} {path}; nothing was published, the previous revision is still current; make room or mend the disk, then run it again"
    )]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// What was written does not read back.
    #[error(
        "graph folder {path}: the new snapshot did not read back and was not published; check the disk"
    )]
    ReadBack {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        cause: ReadBackError,
    },
    /// The revision is current, but the system could not promise that it outlives a power cut.
    #[error(
        "graph folder {path}: revision {revision} is current, but the folder could not be synced: after a power cut the previous one may be; check the disk and publish again"
    )]
    Unconfirmed {
        /// The folder.
        path: PathBuf,
        /// The revision.
        revision: Revision,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// Why a snapshot that was just written does not read back.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadBackError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It does not pass verification.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

/// Returns how old the program is that wrote a format, beside this one.
fn age(found: u32, known: u32) -> &'static str {
    if found < known { "older" } else { "newer" }
}
