//! Publishing: whole or not at all.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sameas_graph::{GraphRevision, Revision};

use super::{CURRENT, GraphFolder, LOCK, LOG, SNAPSHOTS, durable, file_names, io_error, open_lock};
use crate::catalog::{
    Current, Publication, encode_current, encode_log, snapshot_name, snapshot_revision,
};
use crate::error::{FolderError, PublishError, ReadBackError};
use crate::reader::Snapshot;
use crate::writer::write_snapshot;

/// Snapshots that are kept, the current one included.
const KEPT_COUNT: usize = 3;

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The revision, which is now current.
    pub revision: Revision,
    /// Its file.
    pub path: PathBuf,
    /// The length of the file in bytes.
    pub len: u64,
    /// The snapshot's checksum.
    pub checksum: u64,
    /// The older revisions whose snapshots were removed.
    pub removed: Vec<Revision>,
}

/// The steps of a publication, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// The snapshot is about to be written under its temporary name.
    WriteSnapshot,
    /// It is written and about to be synced.
    SyncSnapshot,
    /// It is synced and about to be read back.
    ReadBack,
    /// It is good and about to get its name.
    NameSnapshot,
    /// It has its name and the folder is about to be synced.
    SyncSnapshots,
    /// The new `current` is about to be written under its temporary name.
    WriteCurrent,
    /// It is about to get its name: the revision becomes current here.
    NameCurrent,
    /// The revision is current and the folder is about to be synced.
    SyncFolder,
    /// The log is about to be written.
    WriteLog,
    /// Old snapshots are about to be removed.
    Remove,
}

/// Called before each step; tests let it fail or copy the folder as a crash would leave it.
pub(super) type Probe<'p> = &'p mut dyn FnMut(Step) -> io::Result<()>;

/// The right to publish into one folder, until dropped.
#[derive(Debug)]
pub struct Publisher {
    folder: GraphFolder,
    lock: File,
}

impl Publisher {
    pub(super) fn start(folder: GraphFolder) -> Result<Self, PublishError> {
        let path = folder.path.join(LOCK);
        let lock = open_lock(&path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(PublishError::Busy {
                    path: folder.path.clone(),
                });
            }
            Err(TryLockError::Error(cause)) => return Err(io_error("lock", &path, cause).into()),
        }
        let publisher = Self { folder, lock };
        publisher.clear_leftovers()?;
        publisher.complete_log();
        Ok(publisher)
    }

    /// Writes the line of the log that a publisher left out that died once its revision was current.
    fn complete_log(&self) {
        let Ok(Some(current)) = self.folder.read_current() else {
            return;
        };
        let Ok(log) = self.folder.read_log() else {
            return;
        };
        let is_logged = log.iter().any(|line| line.revision >= current.latest);
        if is_logged || current.revision < current.latest {
            return;
        }
        if let Ok(snapshot) = self.folder.open_current(&current) {
            // What cannot be written now is left to the next publisher.
            drop(self.write_log(&snapshot, current.published_at_ms, &mut |_| Ok(())));
        }
    }

    /// Loads the revision that the next one follows, if any was ever published.
    ///
    /// # Errors
    /// Refuses a current revision that is damaged and a `current` that is lost: what follows
    /// nothing would issue new ids to everybody.
    pub fn previous(&self) -> Result<Option<GraphRevision>, FolderError> {
        self.folder.next_revision()?;
        let Some(snapshot) = self.folder.current()? else {
            return Ok(None);
        };
        let revision = snapshot.revision();
        let loaded = snapshot.load();
        loaded
            .map(Some)
            .map_err(|cause| FolderError::CurrentDamaged {
                path: self.folder.snapshot_path(&snapshot_name(revision)),
                revision,
                cause,
            })
    }

    /// Publishes a revision, as [`GraphFolder::publish`] does.
    ///
    /// # Errors
    /// As [`GraphFolder::publish`].
    pub fn publish(
        &self,
        graph: &GraphRevision,
        published_at_ms: u64,
    ) -> Result<Published, PublishError> {
        self.publish_with(graph, published_at_ms, &mut |_| Ok(()))
    }

    /// Makes the snapshot of a kept revision current again, after verifying it; removes nothing.
    ///
    /// # Errors
    /// Refuses a revision whose snapshot is not kept or not sound.
    pub fn go_back_to(
        &self,
        revision: Revision,
        published_at_ms: u64,
    ) -> Result<Published, PublishError> {
        let path = self.folder.snapshot_path(&snapshot_name(revision));
        let snapshot = self
            .read_back(&path, revision)
            .map_err(|error| match error {
                PublishError::ReadBack { path, cause } => PublishError::NotSound {
                    path,
                    revision,
                    cause,
                },
                error => error,
            })?;
        let latest = self.latest()?.unwrap_or(revision);
        self.make_current(&snapshot, latest, published_at_ms, &mut |_| Ok(()))?;
        Ok(published(&snapshot, path, Vec::new()))
    }

    /// Returns the highest revision of which the folder holds a trace, so that no number is
    /// used again.
    fn latest(&self) -> Result<Option<Revision>, PublishError> {
        // Going back is the remedy for a `current` that is broken or lost, too.
        let remediable = |error| match error {
            FolderError::Broken { .. } | FolderError::CurrentLost { .. } => Ok(None),
            error => Err(error),
        };
        let current = self.folder.read_current().or_else(remediable)?;
        let current = current.map(|current| current.latest);
        let kept = self.folder.kept_revisions()?;
        let logged = self.folder.read_log().unwrap_or_default();
        let logged = logged.into_iter().map(|line| line.revision);
        Ok(current.into_iter().chain(kept).chain(logged).max())
    }

    pub(super) fn publish_with(
        &self,
        graph: &GraphRevision,
        published_at_ms: u64,
        probe: Probe<'_>,
    ) -> Result<Published, PublishError> {
        let before = self.refuse_unfit(graph)?;
        let before = before.map(|before| before.revision);
        let path = self.folder.snapshot_path(&snapshot_name(graph.revision));
        let snapshot = self
            .make_snapshot(graph, &path, probe)
            .inspect_err(|_| durable::discard(&path))?;
        match self.make_current(&snapshot, graph.revision, published_at_ms, probe) {
            Ok(()) => {
                // The next publisher writes the line that is missing if this fails.
                drop(self.write_log(&snapshot, published_at_ms, probe));
                let removed =
                    probe(Step::Remove).map_or_else(|_| Vec::new(), |()| self.remove_old(before));
                Ok(published(&snapshot, path, removed))
            }
            Err(error @ PublishError::Unconfirmed { .. }) => Err(error),
            Err(error) => {
                remove_unpublished(&path);
                Err(error)
            }
        }
    }

    /// Refuses a revision that may not follow, and returns what is current.
    fn refuse_unfit(&self, graph: &GraphRevision) -> Result<Option<Current>, PublishError> {
        let path = self.folder.path.clone();
        if graph.namespace != self.folder.namespace {
            return Err(PublishError::OtherGraph { path });
        }
        let current = self.folder.read_current()?;
        let latest = current.as_ref().map(|current| current.latest);
        self.folder.refuse_lost(latest)?;
        match latest {
            Some(latest) if graph.revision <= latest => Err(PublishError::Stale {
                path,
                revision: graph.revision,
                current: latest,
            }),
            _ => Ok(current),
        }
    }

    /// Writes, syncs, reads back and names a snapshot.
    fn make_snapshot(
        &self,
        graph: &GraphRevision,
        path: &Path,
        probe: Probe<'_>,
    ) -> Result<Snapshot, PublishError> {
        let temporary = durable::temporary(path);
        let io = |action, cause| self.io(action, path, cause);
        probe(Step::WriteSnapshot).map_err(|cause| io("write", cause))?;
        let mut file = File::create(&temporary).map_err(|cause| io("create", cause))?;
        write_snapshot(graph, &mut file).map_err(|cause| PublishError::Write {
            path: self.folder.path.clone(),
            cause,
        })?;
        probe(Step::SyncSnapshot)
            .and_then(|()| file.sync_all())
            .map_err(|cause| io("sync", cause))?;
        drop(file);
        probe(Step::ReadBack).map_err(|cause| io("read back", cause))?;
        let snapshot = self.read_back(&temporary, graph.revision)?;
        probe(Step::NameSnapshot)
            .and_then(|()| durable::put_in_place(path))
            .map_err(|cause| io("rename", cause))?;
        probe(Step::SyncSnapshots)
            .and_then(|()| durable::sync_parent(path))
            .inspect_err(|_| remove_unpublished(path))
            .map_err(|cause| io("sync the folder of", cause))?;
        Ok(snapshot)
    }

    fn read_back(&self, path: &Path, revision: Revision) -> Result<Snapshot, PublishError> {
        let read = || -> Result<Snapshot, ReadBackError> {
            let snapshot = Snapshot::open(path)?;
            snapshot.verify()?;
            Ok(snapshot)
        };
        let snapshot = read().map_err(|cause| PublishError::ReadBack {
            path: self.folder.path.clone(),
            cause,
        })?;
        if snapshot.namespace() != self.folder.namespace || snapshot.revision() != revision {
            return Err(PublishError::OtherGraph {
                path: self.folder.path.clone(),
            });
        }
        Ok(snapshot)
    }

    fn write_log(
        &self,
        snapshot: &Snapshot,
        published_at_ms: u64,
        probe: Probe<'_>,
    ) -> Result<(), PublishError> {
        let path = self.folder.path.join(LOG);
        let mut publications = self.folder.read_log()?;
        let counts = snapshot
            .sources()
            .iter()
            .map(|s| (s.name.clone(), s.reference_count));
        publications.push(Publication {
            revision: snapshot.revision(),
            published_at_ms,
            reference_counts: counts.collect(),
            entity_count: snapshot.entity_count(),
        });
        probe(Step::WriteLog)
            .and_then(|()| durable::replace(&path, &encode_log(&publications)))
            .map_err(|cause| self.io("write", &path, cause))
    }

    fn make_current(
        &self,
        snapshot: &Snapshot,
        latest: Revision,
        published_at_ms: u64,
        probe: Probe<'_>,
    ) -> Result<(), PublishError> {
        let path = self.folder.path.join(CURRENT);
        let revision = snapshot.revision();
        let current = Current {
            file: snapshot_name(revision),
            revision,
            latest,
            checksum: snapshot.checksum(),
            published_at_ms,
        };
        probe(Step::WriteCurrent)
            .and_then(|()| durable::prepare(&path, &encode_current(&current)))
            .map_err(|cause| self.io("write", &path, cause))?;
        probe(Step::NameCurrent)
            .inspect_err(|_| durable::discard(&path))
            .and_then(|()| durable::put_in_place(&path))
            .map_err(|cause| self.io("rename", &path, cause))?;
        probe(Step::SyncFolder)
            .and_then(|()| durable::sync_parent(&path))
            .map_err(|cause| PublishError::Unconfirmed {
                path: self.folder.path.clone(),
                revision,
                cause,
            })
    }

    /// Removes the oldest snapshots, but neither the current one nor the one before it, which
    /// after going back is not the second newest; what cannot be removed is left to the next
    /// publisher.
    fn remove_old(&self, before: Option<Revision>) -> Vec<Revision> {
        let kept = self.folder.kept_revisions().unwrap_or_default();
        let surplus = kept.len().saturating_sub(KEPT_COUNT);
        let old = kept
            .into_iter()
            .filter(|&revision| Some(revision) != before)
            .take(surplus);
        old.filter(|&revision| {
            fs::remove_file(self.folder.snapshot_path(&snapshot_name(revision))).is_ok()
        })
        .collect()
    }

    /// Removes what a publisher that died has left: files that never became complete, and
    /// snapshots that never became current.
    fn clear_leftovers(&self) -> Result<(), PublishError> {
        for folder in [self.folder.path.clone(), self.folder.path.join(SNAPSHOTS)] {
            let names = file_names(&folder).map_err(|cause| io_error("list", &folder, cause))?;
            for name in names.iter().filter(|name| durable::is_temporary(name)) {
                let path = folder.join(name);
                fs::remove_file(&path).map_err(|cause| io_error("remove", &path, cause))?;
            }
        }
        // Without a `current` that can be trusted nothing says which snapshots are leftovers.
        let Ok(Some(current)) = self.folder.read_current() else {
            return Ok(());
        };
        if self.folder.refuse_lost(Some(current.latest)).is_err() {
            return Ok(());
        }
        let snapshots = self.folder.path.join(SNAPSHOTS);
        let names = file_names(&snapshots).map_err(|cause| io_error("list", &snapshots, cause))?;
        for name in names {
            if snapshot_revision(&name).is_some_and(|revision| revision > current.latest) {
                let path = snapshots.join(name);
                fs::remove_file(&path).map_err(|cause| io_error("remove", &path, cause))?;
            }
        }
        Ok(())
    }

    fn io(&self, action: &'static str, path: &Path, cause: io::Error) -> PublishError {
        let (folder, path) = (self.folder.path.clone(), path.to_owned());
        PublishError::Io {
            folder,
            action,
            path,
            cause,
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // Closing the file would not do: a child process that is being started at this
        // moment holds a copy of the handle, and with it the lock.
        drop(self.lock.unlock());
    }
}

/// Removes a snapshot that has its name already but did not become current.
fn remove_unpublished(path: &Path) {
    // If this fails, too, the next publisher removes it.
    drop(fs::remove_file(path));
}

fn published(snapshot: &Snapshot, path: PathBuf, removed: Vec<Revision>) -> Published {
    Published {
        revision: snapshot.revision(),
        path,
        len: snapshot.file_len(),
        checksum: snapshot.checksum(),
        removed,
    }
}
