//! Publications that die, fail or run out of disk at every step.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use sameas_graph::Revision;

use super::super::publisher::Step;
use super::super::{GraphFolder, SNAPSHOTS};
use super::{current_revision, graph, names, new_folder};
use crate::error::{PublishError, WriteError};
use crate::fixture::{NAMESPACE, numbered};

const STEPS: [Step; 10] = [
    Step::WriteSnapshot,
    Step::SyncSnapshot,
    Step::ReadBack,
    Step::NameSnapshot,
    Step::SyncSnapshots,
    Step::WriteCurrent,
    Step::NameCurrent,
    Step::SyncFolder,
    Step::WriteLog,
    Step::Remove,
];

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What a process that dies at a step leaves is a folder in which the old revision is current
/// up to the swap and the new one after it, and in which the next publication succeeds.
#[test]
fn a_publisher_that_dies_at_any_step_loses_nothing() {
    for crash in STEPS {
        let (root, folder) = new_folder();
        folder.publish(&graph(1), 1).unwrap();
        let left = root.path().join("left");
        let mut fired = false;
        let publisher = folder.publisher().unwrap();
        publisher
            .publish_with(&graph(2), 2, &mut |step| {
                if step == crash {
                    fired = true;
                    copy_folder(folder.path(), &left);
                }
                Ok(())
            })
            .unwrap();
        assert!(fired, "{crash:?}");

        let left = GraphFolder::open(&left).unwrap();
        let expected = if crash > Step::NameCurrent { 2 } else { 1 };
        assert_eq!(current_revision(&left), Some(expected), "{crash:?}");
        let logged = if crash > Step::WriteLog { 2 } else { 1 };
        assert_eq!(lines(&left).len() as u64, logged, "{crash:?}");
        let next = left.next_revision().unwrap();
        left.publish(&graph(next.get()), 3).unwrap();
        assert_eq!(current_revision(&left), Some(expected + 1), "{crash:?}");
        assert_eq!(lines(&left).len() as u64, expected + 1);
        let leftovers: Vec<_> = names(&left)
            .into_iter()
            .filter(|name| name.starts_with('.'))
            .collect();
        assert_eq!(leftovers, [""; 0], "{crash:?}");
        let kept: Vec<u64> = left
            .kept_revisions()
            .unwrap()
            .iter()
            .map(|r| r.get())
            .collect();
        assert_eq!(kept, (1..=expected + 1).collect::<Vec<_>>(), "{crash:?}");
    }
}

/// Returns the lines of the log that tell of published revisions.
fn lines(folder: &GraphFolder) -> Vec<Revision> {
    let latest = folder.read_current().unwrap().map(|current| current.latest);
    let lines = folder.read_log().unwrap().into_iter();
    lines
        .map(|line| line.revision)
        .filter(|&line| Some(line) <= latest)
        .collect()
}

#[test]
fn a_first_publication_that_dies_at_any_step_recovers_by_itself() {
    for crash in STEPS {
        let (root, folder) = new_folder();
        let left = root.path().join("left");
        let publisher = folder.publisher().unwrap();
        publisher
            .publish_with(&graph(1), 1, &mut |step| {
                if step == crash {
                    copy_folder(folder.path(), &left);
                }
                Ok(())
            })
            .unwrap();
        let left = GraphFolder::open(&left).unwrap();
        let expected = (crash > Step::NameCurrent).then_some(1);
        assert_eq!(current_revision(&left), expected, "{crash:?}");
        let publisher = left.publisher().unwrap();
        let previous = publisher.previous().unwrap().map(|graph| graph.revision);
        assert_eq!(previous, expected.map(Revision::new), "{crash:?}");
        let next = left.next_revision().unwrap();
        publisher.publish(&graph(next.get()), 2).unwrap();
        assert_eq!(current_revision(&left), Some(next.get()), "{crash:?}");
        assert_eq!(lines(&left).len() as u64, next.get(), "{crash:?}");
    }
}

/// Half-written files under temporary names, and a snapshot that never became current.
#[test]
fn leftovers_are_cleared_by_the_next_publisher_and_ignored_by_readers() {
    let (_root, folder) = new_folder();
    folder.publish(&graph(1), 1).unwrap();
    let snapshots = folder.path().join(SNAPSHOTS);
    fs::write(snapshots.join(".0003.sameas.tmp"), "SAMEAS").unwrap();
    fs::write(snapshots.join("0002.sameas"), "SAMEAS").unwrap();
    fs::write(folder.path().join(".current.tmp"), "{").unwrap();
    fs::write(folder.path().join(".publications.json.tmp"), "{").unwrap();
    assert_eq!(current_revision(&folder), Some(1));
    folder.publish(&graph(2), 2).unwrap();
    let kept = folder.kept_revisions().unwrap();
    assert_eq!(kept, [1, 2].map(Revision::new));
    assert!(!names(&folder).iter().any(|name| name.starts_with('.')));
}

#[test]
fn an_error_at_any_step_leaves_the_previous_revision_and_nothing_else() {
    for failing in STEPS {
        let (_root, folder) = new_folder();
        folder.publish(&graph(1), 1).unwrap();
        let before = names(&folder);
        let published = folder
            .publisher()
            .unwrap()
            .publish_with(&graph(2), 2, &mut |step| {
                if step == failing {
                    Err(io::ErrorKind::StorageFull.into())
                } else {
                    Ok(())
                }
            });
        match failing {
            Step::SyncFolder => {
                assert!(matches!(published, Err(PublishError::Unconfirmed { .. })));
                assert_eq!(current_revision(&folder), Some(2));
            }
            // The next publisher writes the line.
            Step::WriteLog => {
                published.unwrap();
                assert_eq!(current_revision(&folder), Some(2));
                assert_eq!(lines(&folder).len(), 1);
            }
            // Old snapshots that cannot be removed are no failure.
            Step::Remove => assert_eq!(published.unwrap().removed, []),
            _ => {
                let error = published.unwrap_err();
                assert!(
                    error.to_string().contains("still current"),
                    "{failing:?}: {error}"
                );
                assert_eq!(current_revision(&folder), Some(1), "{failing:?}");
                assert_eq!(names(&folder), before, "{failing:?}");
                assert_eq!(lines(&folder).len(), 1);
            }
        }
        folder.publish(&graph(3), 3).unwrap();
        assert_eq!(current_revision(&folder), Some(3), "{failing:?}");
        let current = u64::from(failing >= Step::SyncFolder);
        assert_eq!(lines(&folder).len() as u64, 2 + current, "{failing:?}");
    }
}

/// A `current` of the revision before passed for that of a publisher that died, so that the newest
/// revision was removed and its number and ids were given away again.
#[test]
fn a_current_that_is_one_revision_old_is_refused_and_costs_nothing() {
    let (_root, folder) = new_folder();
    folder.publish(&graph(1), 1).unwrap();
    let current = folder.path().join(super::super::CURRENT);
    let old = fs::read(&current).unwrap();
    folder.publish(&graph(2), 2).unwrap();
    fs::write(&current, old).unwrap();
    let publisher = folder.publisher().unwrap();
    assert!(publisher.previous().is_err());
    assert!(publisher.publish(&graph(2), 3).is_err());
    assert_eq!(folder.kept_revisions().unwrap().len(), 2);
    publisher.go_back_to(Revision::new(2), 4).unwrap();
    assert_eq!(current_revision(&folder), Some(2));
    publisher.publish(&graph(3), 5).unwrap();
}

/// A file system of a megabyte, unmounted when dropped.
struct TinyDisk<'p> {
    path: &'p Path,
}

impl<'p> TinyDisk<'p> {
    fn mount(path: &'p Path) -> Option<Self> {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(path)
            .status();
        status
            .is_ok_and(|status| status.success())
            .then_some(Self { path })
    }
}

impl Drop for TinyDisk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.path).status());
    }
}

#[test]
fn a_full_disk_leaves_the_previous_revision_current() {
    let root = tempfile::tempdir().unwrap();
    let Some(disk) = TinyDisk::mount(root.path()) else {
        report_skipped();
        return;
    };
    let folder = GraphFolder::create_or_open(&disk.path.join("graph"), NAMESPACE).unwrap();
    folder.publish(&graph(1), 1).unwrap();
    let before = names(&folder);
    let mut large = numbered(&(0..40_000).collect::<Vec<_>>());
    large.revision = Revision::new(2);
    let error = folder.publish(&large, 2).unwrap_err();
    let is_full = match &error {
        PublishError::Write {
            cause: WriteError::Io { cause, .. },
            ..
        }
        | PublishError::Io { cause, .. } => cause.kind() == io::ErrorKind::StorageFull,
        _ => false,
    };
    assert!(is_full, "{error}");
    assert_eq!(
        (current_revision(&folder), names(&folder)),
        (Some(1), before)
    );
    // Not a byte is left: neither a snapshot nor the log nor `current` fits.
    let filler = disk.path.join("filler");
    drop(fs::write(&filler, vec![1; 2 << 20]));
    folder.publish(&graph(2), 2).unwrap_err();
    assert_eq!(current_revision(&folder), Some(1));
    fs::remove_file(&filler).unwrap();
    folder.publish(&graph(2), 2).unwrap();
    assert_eq!(current_revision(&folder), Some(2));
}

#[expect(
    clippy::print_stderr,
    reason = "a test that proves nothing has to say so"
)]
fn report_skipped() {
    eprintln!("skipped: mounting a small file system needs root");
}
