//! A graph folder: the snapshots of one graph, and which of them is current.
//!
//! ```text
//! graph.json           format and namespace; written once
//! snapshots/0001.sameas …
//! current              which snapshot is current; replaced as a whole
//! publications.json    what was published when, with references per source; written after `current`
//! figures.json         what reports show of the newest revision; written by the rebuild job
//! lock                 held by whoever publishes
//! ```

mod durable;
mod publisher;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sameas_graph::{GraphRevision, Namespace, Revision};

pub use self::publisher::{Published, Publisher};
use crate::catalog::{
    Current, CurrentToken, Publication, decode_current, decode_graph, decode_log, encode_graph,
    snapshot_name, snapshot_revision,
};
use crate::error::{FolderError, OpenError, PublishError};
use crate::reader::Snapshot;

const GRAPH: &str = "graph.json";
const CURRENT: &str = "current";
const LOG: &str = "publications.json";
const LOCK: &str = "lock";
const SNAPSHOTS: &str = "snapshots";
/// How often `current` is read again when its snapshot was removed in between.
const RETRY_COUNT_MAX: u32 = 5;

/// The folder of one graph.
#[derive(Clone, Debug)]
pub struct GraphFolder {
    path: PathBuf,
    namespace: Namespace,
}

impl GraphFolder {
    /// Opens the folder of a graph, or makes one of this namespace if there is none.
    ///
    /// # Errors
    /// Refuses a path that holds something else, a newer format and what cannot be read.
    pub fn create_or_open(path: &Path, namespace_if_new: Namespace) -> Result<Self, FolderError> {
        match Self::open(path) {
            Err(FolderError::NotAGraph { .. }) => Self::create(path, namespace_if_new),
            opened => opened,
        }
    }

    /// Opens the folder of a graph.
    ///
    /// # Errors
    /// Refuses a path that holds no graph, a newer format and what cannot be read.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let file = path.join(GRAPH);
        match read_if_there(&file)? {
            None => Err(FolderError::NotAGraph {
                path: path.to_owned(),
            }),
            Some(bytes) => {
                let namespace = decode_graph(path, &file, &bytes)?;
                Ok(Self {
                    path: path.to_owned(),
                    namespace,
                })
            }
        }
    }

    fn create(path: &Path, namespace: Namespace) -> Result<Self, FolderError> {
        let snapshots = path.join(SNAPSHOTS);
        refuse_occupied(path)?;
        durable::create_folder(&snapshots)
            .map_err(|cause| io_error("create", &snapshots, cause))?;
        let lock_path = path.join(LOCK);
        let lock = open_lock(&lock_path)?;
        lock.lock()
            .map_err(|cause| io_error("lock", &lock_path, cause))?;
        let created = Self::create_locked(path, namespace);
        // Closing the file would not do, see the publisher.
        drop(lock.unlock());
        created
    }

    fn create_locked(path: &Path, namespace: Namespace) -> Result<Self, FolderError> {
        // Another process may have been faster while this one waited for the lock.
        match Self::open(path) {
            Err(FolderError::NotAGraph { .. }) => {}
            opened => return opened,
        }
        let file = path.join(GRAPH);
        durable::replace(&file, &encode_graph(namespace))
            .map_err(|cause| io_error("write", &file, cause))?;
        Ok(Self {
            path: path.to_owned(),
            namespace,
        })
    }

    /// Returns where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the identity of the graph.
    pub fn namespace(&self) -> Namespace {
        self.namespace
    }

    /// Refuses the folder if it belongs to another graph than the caller expects.
    ///
    /// # Errors
    /// Says which graph it is.
    pub fn expect_namespace(&self, expected: Namespace) -> Result<(), FolderError> {
        if self.namespace == expected {
            return Ok(());
        }
        let (path, found) = (self.path.clone(), self.namespace);
        Err(FolderError::OtherGraph {
            path,
            expected,
            found,
        })
    }

    /// Opens the current snapshot, if a revision was ever published.
    ///
    /// # Errors
    /// Says why the current snapshot cannot be used, and what to do.
    pub fn current(&self) -> Result<Option<Snapshot>, FolderError> {
        let mut read = self.read_current()?;
        for _ in 0..RETRY_COUNT_MAX {
            let Some(current) = read else { return Ok(None) };
            let opened = self.open_current(&current);
            if !opened.as_ref().is_err_and(is_missing) {
                return opened.map(Some);
            }
            // A publisher may have removed it after `current` was read.
            let again = self.read_current()?;
            if again.as_ref() == Some(&current) {
                return opened.map(Some);
            }
            read = again;
        }
        read.map(|current| self.open_current(&current)).transpose()
    }

    /// Returns what changes whenever another snapshot becomes current; reads one small file.
    ///
    /// # Errors
    /// Passes on what the system says.
    pub fn current_token(&self) -> Result<CurrentToken, FolderError> {
        let bytes = read_if_there(&self.path.join(CURRENT))?;
        Ok(CurrentToken::of(bytes.as_deref()))
    }

    /// Returns the number that the next revision must have at least.
    ///
    /// # Errors
    /// Says why `current` cannot be understood, or that it is lost.
    pub fn next_revision(&self) -> Result<Revision, FolderError> {
        let latest = self.read_current()?.map(|current| current.latest);
        self.refuse_lost(latest)?;
        Ok(latest.map_or(Revision::FIRST, Revision::next))
    }

    /// Returns the revisions whose snapshots are kept, ascending.
    ///
    /// # Errors
    /// Passes on what the system says.
    pub fn kept_revisions(&self) -> Result<Vec<Revision>, FolderError> {
        let folder = self.path.join(SNAPSHOTS);
        let names = file_names(&folder).map_err(|cause| io_error("list", &folder, cause))?;
        let mut revisions: Vec<Revision> = names
            .iter()
            .filter_map(|name| snapshot_revision(name))
            .collect();
        revisions.sort_unstable();
        Ok(revisions)
    }

    /// Opens the snapshot of a kept revision.
    ///
    /// # Errors
    /// Says why it cannot be opened.
    pub fn snapshot(&self, revision: Revision) -> Result<Snapshot, OpenError> {
        Snapshot::open(&self.snapshot_path(&snapshot_name(revision)))
    }

    /// Takes the right to publish until the publisher is dropped, and clears away what a
    /// publisher that died has left.
    ///
    /// # Errors
    /// Refuses while another publisher is at work.
    pub fn publisher(&self) -> Result<Publisher, PublishError> {
        Publisher::start(self.clone())
    }

    /// Publishes a revision: writes, syncs, reads back, and only then makes it current.
    ///
    /// # Errors
    /// Unless the error is [`PublishError::Unconfirmed`], the previous revision is still
    /// current and nothing is left behind.
    pub fn publish(
        &self,
        graph: &GraphRevision,
        published_at_ms: u64,
    ) -> Result<Published, PublishError> {
        self.publisher()?.publish(graph, published_at_ms)
    }

    fn snapshot_path(&self, name: &str) -> PathBuf {
        self.path.join(SNAPSHOTS).join(name)
    }

    /// Reads `current`; refuses to take a lost one for a graph that never published.
    fn read_current(&self) -> Result<Option<Current>, FolderError> {
        let read = self.read_current_file()?;
        if read.is_some() {
            return Ok(read);
        }
        match self.refuse_lost(None) {
            Ok(()) => Ok(None),
            // A publisher may have been at work between the two looks.
            Err(lost) => self.read_current_file()?.map(Some).ok_or(lost),
        }
    }

    fn read_current_file(&self) -> Result<Option<Current>, FolderError> {
        let path = self.path.join(CURRENT);
        let bytes = read_if_there(&path)?;
        bytes
            .map(|bytes| decode_current(&self.path, &path, &bytes))
            .transpose()
    }

    /// Reads the publication log, oldest first, with what a publisher that died left in it.
    fn read_log(&self) -> Result<Vec<Publication>, FolderError> {
        let path = self.path.join(LOG);
        match read_if_there(&path)? {
            Some(bytes) => decode_log(&self.path, &path, &bytes),
            None => Ok(Vec::new()),
        }
    }

    /// Refuses a folder that holds more than a publisher can leave that died before its
    /// revision became current: one snapshot of the next revision, and no line of the log.
    fn refuse_lost(&self, latest: Option<Revision>) -> Result<(), FolderError> {
        let next = latest.map_or(Revision::FIRST, Revision::next);
        let kept = self.kept_revisions()?;
        let logged = self.read_log()?.into_iter().map(|line| line.revision);
        let logged: Vec<Revision> = logged.filter(|&line| Some(line) > latest).collect();
        let found = kept.into_iter().chain(logged.iter().copied()).max();
        match found {
            Some(found) if found > next || !logged.is_empty() => Err(FolderError::CurrentLost {
                folder: self.path.clone(),
                found,
            }),
            _ => Ok(()),
        }
    }

    fn open_current(&self, current: &Current) -> Result<Snapshot, FolderError> {
        let revision = current.revision;
        let snapshot = Snapshot::open(&self.snapshot_path(&current.file)).map_err(|cause| {
            FolderError::CurrentUnusable {
                folder: self.path.clone(),
                revision,
                cause,
            }
        })?;
        let is_published = snapshot.checksum() == current.checksum
            && snapshot.revision() == revision
            && snapshot.namespace() == self.namespace;
        if is_published {
            return Ok(snapshot);
        }
        let (folder, file) = (self.path.clone(), current.file.clone());
        Err(FolderError::CurrentReplaced {
            folder,
            file,
            revision,
        })
    }
}

fn is_missing(error: &FolderError) -> bool {
    match error {
        FolderError::CurrentUnusable {
            cause: OpenError::Io { cause, .. },
            ..
        } => cause.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Refuses a folder that holds more than an interrupted creation leaves.
fn refuse_occupied(path: &Path) -> Result<(), FolderError> {
    let names = match file_names(path) {
        Ok(names) => names,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(io_error("list", path, cause)),
    };
    let is_ours = |name: &String| name == LOCK || name == SNAPSHOTS || durable::is_temporary(name);
    if names.iter().all(is_ours) {
        Ok(())
    } else {
        Err(FolderError::Occupied {
            path: path.to_owned(),
        })
    }
}

fn open_lock(path: &Path) -> Result<File, FolderError> {
    let opened = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    opened.map_err(|cause| io_error("open", path, cause))
}

/// Returns the names in a folder, sorted; names that are not UTF-8 are none of ours.
fn file_names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FolderError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(io_error("read", path, cause)),
    }
}

fn io_error(action: &'static str, path: &Path, cause: io::Error) -> FolderError {
    FolderError::Io {
        action,
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests;
