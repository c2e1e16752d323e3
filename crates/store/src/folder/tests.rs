#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod crash;

use std::fs;
use std::path::Path;

use sameas_graph::{GraphRevision, Namespace, Revision};
use tempfile::TempDir;
use uuid::Uuid;

use super::{CURRENT, GRAPH, GraphFolder, LOG, SNAPSHOTS, file_names};
use crate::error::{FolderError, PublishError};
use crate::fixture::{NAMESPACE, numbered};

/// A revision whose only reference is named after it.
fn graph(revision: u64) -> GraphRevision {
    let mut graph = numbered(&vec![0; revision as usize]);
    graph.revision = Revision::new(revision);
    graph
}

fn new_folder() -> (TempDir, GraphFolder) {
    let root = tempfile::tempdir().unwrap();
    let folder = GraphFolder::create_or_open(&root.path().join("graph"), NAMESPACE).unwrap();
    (root, folder)
}

fn current_revision(folder: &GraphFolder) -> Option<u64> {
    folder
        .current()
        .unwrap()
        .map(|snapshot| snapshot.revision().get())
}

fn names(folder: &GraphFolder) -> Vec<String> {
    let mut names = file_names(folder.path()).unwrap();
    names.extend(file_names(&folder.path().join(SNAPSHOTS)).unwrap());
    names
}

#[test]
fn a_published_revision_is_current_and_logged() {
    let (_root, folder) = new_folder();
    assert_eq!(current_revision(&folder), None);
    assert_eq!(folder.next_revision().unwrap(), Revision::FIRST);
    let empty = folder.current_token().unwrap();
    let published = folder.publish(&graph(1), 1_000).unwrap();
    assert_eq!(current_revision(&folder), Some(1));
    assert_ne!(folder.current_token().unwrap(), empty);
    assert_eq!(folder.next_revision().unwrap(), Revision::new(2));
    assert_eq!(
        folder.read_current().unwrap().unwrap().published_at_ms,
        1_000
    );
    assert_eq!(published.len, fs::metadata(&published.path).unwrap().len());
    folder.publish(&graph(5), 2_000).unwrap();
    let log = folder.read_log().unwrap();
    let lines: Vec<_> = log
        .iter()
        .map(|line| {
            let count = line.reference_counts.get("crm").copied().unwrap();
            (
                line.revision.get(),
                line.published_at_ms,
                count,
                line.entity_count,
            )
        })
        .collect();
    assert_eq!(lines, [(1, 1_000, 1, 1), (5, 2_000, 5, 1)]);
    let expected = [
        CURRENT,
        GRAPH,
        "lock",
        LOG,
        SNAPSHOTS,
        "0001.sameas",
        "0005.sameas",
    ];
    assert_eq!(names(&folder), expected);
}

#[test]
fn a_snapshot_stays_readable_after_its_file_is_gone() {
    let (_root, folder) = new_folder();
    folder.publish(&graph(1), 0).unwrap();
    let old = folder.current().unwrap().unwrap();
    for revision in 2..=5 {
        folder.publish(&graph(revision), 0).unwrap();
    }
    let kept: Vec<u64> = folder
        .kept_revisions()
        .unwrap()
        .iter()
        .map(|r| r.get())
        .collect();
    assert_eq!(kept, [3, 4, 5]);
    old.verify().unwrap();
    assert!(old.lookup("crm", "k00000").unwrap().is_some());
    let removed = folder.publish(&graph(6), 0).unwrap().removed;
    assert_eq!(removed, [Revision::new(3)]);
}

#[test]
fn only_one_publisher_works_at_a_time() {
    let (_root, folder) = new_folder();
    let publisher = folder.publisher().unwrap();
    assert!(matches!(
        folder.publish(&graph(1), 0),
        Err(PublishError::Busy { .. })
    ));
    publisher.publish(&graph(1), 0).unwrap();
    drop(publisher);
    folder.publish(&graph(2), 0).unwrap();
}

#[test]
fn an_old_revision_or_one_of_another_graph_is_not_published() {
    let (_root, folder) = new_folder();
    folder.publish(&graph(2), 0).unwrap();
    for revision in [1, 2] {
        let error = folder.publish(&graph(revision), 0).unwrap_err();
        assert!(matches!(error, PublishError::Stale { .. }), "{error}");
    }
    let mut other = graph(3);
    other.namespace = Namespace::new(Uuid::from_u128(1));
    assert!(matches!(
        folder.publish(&other, 0),
        Err(PublishError::OtherGraph { .. })
    ));
    assert_eq!(current_revision(&folder), Some(2));
}

#[test]
fn a_graph_that_contradicts_itself_is_not_published() {
    let (_root, folder) = new_folder();
    folder.publish(&graph(1), 0).unwrap();
    let before = names(&folder);
    let mut broken = graph(2);
    broken.since.pop();
    assert!(matches!(
        folder.publish(&broken, 0),
        Err(PublishError::Write { .. })
    ));
    assert_eq!(
        (current_revision(&folder), names(&folder)),
        (Some(1), before)
    );
}

#[test]
fn going_back_makes_an_older_snapshot_current_without_reusing_numbers() {
    let (_root, folder) = new_folder();
    for revision in 1..=3 {
        folder.publish(&graph(revision), 0).unwrap();
    }
    let publisher = folder.publisher().unwrap();
    publisher.go_back_to(Revision::new(2), 9).unwrap();
    assert_eq!(current_revision(&folder), Some(2));
    assert_eq!(folder.next_revision().unwrap(), Revision::new(4));
    assert!(matches!(
        publisher.publish(&graph(3), 0),
        Err(PublishError::Stale { .. })
    ));
    let error = publisher.go_back_to(Revision::new(9), 9).unwrap_err();
    assert!(matches!(error, PublishError::NotSound { .. }), "{error}");
    // The remedy for a `current` that cannot be read.
    fs::write(folder.path().join(CURRENT), "{").unwrap();
    publisher.go_back_to(Revision::new(3), 9).unwrap();
    assert_eq!(current_revision(&folder), Some(3));
}

#[test]
fn a_folder_is_made_once_and_belongs_to_one_graph() {
    let (root, folder) = new_folder();
    let other = Namespace::new(Uuid::from_u128(7));
    let again = GraphFolder::create_or_open(folder.path(), other).unwrap();
    assert_eq!(again.namespace(), NAMESPACE);
    again.expect_namespace(NAMESPACE).unwrap();
    assert!(matches!(
        again.expect_namespace(other),
        Err(FolderError::OtherGraph { .. })
    ));
    let missing = root.path().join("missing");
    assert!(matches!(
        GraphFolder::open(&missing),
        Err(FolderError::NotAGraph { .. })
    ));
    fs::create_dir(&missing).unwrap();
    fs::write(missing.join("customers.csv"), "id").unwrap();
    let occupied = GraphFolder::create_or_open(&missing, other);
    assert!(matches!(occupied, Err(FolderError::Occupied { .. })));
}

#[test]
fn an_interrupted_creation_is_completed() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join(SNAPSHOTS)).unwrap();
    fs::write(root.path().join("lock"), "").unwrap();
    fs::write(root.path().join(".graph.json.tmp"), "{\"for").unwrap();
    GraphFolder::create_or_open(root.path(), NAMESPACE).unwrap();
    let folder = GraphFolder::open(root.path()).unwrap();
    folder.publish(&graph(1), 0).unwrap();
    assert_eq!(
        names(&folder),
        [CURRENT, GRAPH, "lock", LOG, SNAPSHOTS, "0001.sameas"]
    );
}

#[test]
fn a_newer_folder_is_refused() {
    let (_root, folder) = new_folder();
    folder.publish(&graph(1), 0).unwrap();
    for name in [CURRENT, LOG, GRAPH] {
        let path = folder.path().join(name);
        let old = fs::read_to_string(&path).unwrap();
        fs::write(&path, "{\"format\": 2, \"shape\": \"new\"}").unwrap();
        let errors = [
            GraphFolder::open(folder.path()).err(),
            folder.current().err(),
            folder.read_log().err(),
        ];
        let refused = errors.into_iter().flatten().any(|error| {
            matches!(
                error,
                FolderError::UnknownFormat {
                    found: 2,
                    known: 1,
                    ..
                }
            )
        });
        assert!(refused, "{name}");
        fs::write(&path, old).unwrap();
    }
}

#[test]
fn a_broken_current_snapshot_is_named_with_its_remedy() {
    let (_root, folder) = new_folder();
    folder.publish(&graph(1), 0).unwrap();
    let path = folder.publish(&graph(2), 0).unwrap().path;
    let good = fs::read(&path).unwrap();

    rewrite(&path, good.get(..100).unwrap());
    let error = folder.current().unwrap_err();
    assert!(
        matches!(error, FolderError::CurrentUnusable { .. }),
        "{error}"
    );
    assert!(told(&error).contains("--go-back REVISION"), "{error}");

    let older = fs::read(folder.path().join(SNAPSHOTS).join("0001.sameas")).unwrap();
    rewrite(&path, &older);
    assert!(matches!(
        folder.current(),
        Err(FolderError::CurrentReplaced { .. })
    ));

    fs::remove_file(&path).unwrap();
    assert!(matches!(
        folder.current(),
        Err(FolderError::CurrentUnusable { .. })
    ));

    for text in [
        "",
        "{}",
        "null",
        "{\"format\":1}",
        "{\"format\":1,\"file\":\"../x\",\"revision\":1,\"latest\":1,\"checksum\":\"0\",\"published_at_ms\":0}",
    ] {
        fs::write(folder.path().join(CURRENT), text).unwrap();
        assert!(
            matches!(folder.current(), Err(FolderError::Broken { .. })),
            "{text}"
        );
    }
}

#[test]
fn what_follows_a_revision_that_was_gone_back_to_leaves_a_sound_one_beside_it() {
    let (_root, folder) = new_folder();
    for revision in 1..=3 {
        folder.publish(&graph(revision), 0).unwrap();
    }
    let publisher = folder.publisher().unwrap();
    publisher.go_back_to(Revision::new(1), 9).unwrap();
    let next = folder.next_revision().unwrap();
    let removed = publisher.publish(&graph(next.get()), 9).unwrap().removed;
    assert_eq!(removed, [Revision::new(2)], "1 was current until now");
}

#[test]
fn a_damaged_current_revision_is_named_with_its_file_and_nothing_follows_it() {
    let (_root, folder) = new_folder();
    folder.publish(&graph(1), 0).unwrap();
    let path = folder.publish(&graph(2), 0).unwrap().path;
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).unwrap() ^= 1;
    rewrite(&path, &bytes);
    let publisher = folder.publisher().unwrap();
    let error = publisher.previous().unwrap_err();
    let told = told(&error);
    for words in [path.to_str().unwrap(), "revision 2", "--go-back REVISION"] {
        assert!(told.contains(words), "no {words} in {told}");
    }
    let error = publisher.go_back_to(Revision::new(2), 0).unwrap_err();
    assert!(matches!(error, PublishError::NotSound { .. }), "{error}");
    publisher.go_back_to(Revision::new(1), 0).unwrap();
    assert_eq!(publisher.previous().unwrap(), Some(graph(1)));
}

/// A graph whose `current` was lost looked like one that never published: its next rebuild
/// was revision 1 with new ids, and the one after that removed all older snapshots.
#[test]
fn a_lost_current_is_refused_and_nothing_is_removed() {
    let (_root, folder) = new_folder();
    for revision in 1..=3 {
        folder.publish(&graph(revision), 0).unwrap();
    }
    fs::remove_file(folder.path().join(CURRENT)).unwrap();
    let before = names(&folder);
    let lost = |error: FolderError| {
        assert!(matches!(error, FolderError::CurrentLost { found, .. } if found.get() == 3));
        assert!(told(&error).contains("--go-back REVISION"), "{error}");
    };
    lost(folder.current().unwrap_err());
    lost(folder.next_revision().unwrap_err());
    lost(folder.publisher().unwrap().previous().unwrap_err());
    for revision in [1, 4] {
        let error = folder.publish(&graph(revision), 0).unwrap_err();
        assert!(
            matches!(error, PublishError::Folder(FolderError::CurrentLost { .. })),
            "{error}"
        );
    }
    assert_eq!(names(&folder), before);

    let publisher = folder.publisher().unwrap();
    publisher.go_back_to(Revision::new(2), 9).unwrap();
    assert_eq!(folder.next_revision().unwrap(), Revision::new(4));
    publisher.publish(&graph(4), 9).unwrap();
    // The newest snapshots may be gone with it: the log still knows their numbers.
    drop(publisher);
    for name in ["snapshots/0003.sameas", "snapshots/0004.sameas", CURRENT] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    lost_at(&folder, 4);
    let publisher = folder.publisher().unwrap();
    publisher.go_back_to(Revision::new(2), 9).unwrap();
    assert_eq!(folder.next_revision().unwrap(), Revision::new(5));
}

fn lost_at(folder: &GraphFolder, revision: u64) {
    let error = folder.current().unwrap_err();
    assert!(
        matches!(error, FolderError::CurrentLost { found, .. } if found.get() == revision),
        "{error}"
    );
}

#[test]
fn a_current_from_an_old_backup_removes_nothing() {
    let (_root, folder) = new_folder();
    folder.publish(&graph(1), 0).unwrap();
    let old = fs::read(folder.path().join(CURRENT)).unwrap();
    for revision in 2..=3 {
        folder.publish(&graph(revision), 0).unwrap();
    }
    fs::write(folder.path().join(CURRENT), old).unwrap();
    let before = names(&folder);
    let error = folder.publish(&graph(2), 0).unwrap_err();
    assert!(
        matches!(error, PublishError::Folder(FolderError::CurrentLost { .. })),
        "{error}"
    );
    assert_eq!(names(&folder), before);
    folder
        .publisher()
        .unwrap()
        .go_back_to(Revision::new(3), 9)
        .unwrap();
    folder.publish(&graph(4), 0).unwrap();
}

/// Returns an error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let cause = error.source().map_or_else(String::new, told);
    format!("{error}: {cause}")
}

/// Replaces a file as a restore would, leaving mapped bytes alone.
fn rewrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_current_that_contradicts_itself_removes_nothing() {
    let (_root, folder) = new_folder();
    for revision in 1..=3 {
        folder.publish(&graph(revision), 0).unwrap();
    }
    let current = fs::read_to_string(folder.path().join(CURRENT)).unwrap();
    let wrong = [
        ("\"latest\": 3", "\"latest\": 2"),
        ("\"latest\": 3", "\"latest\": 18446744073709551615"),
        ("\"revision\": 3", "\"revision\": 2"),
        ("0003.sameas", "0002.sameas"),
    ];
    for (right, wrong) in wrong {
        assert!(current.contains(right), "{current}");
        rewrite(
            &folder.path().join(CURRENT),
            current.replacen(right, wrong, 1).as_bytes(),
        );
        let before = names(&folder);
        let error = folder.publish(&graph(4), 0).unwrap_err();
        assert!(told(&error).contains("--go-back"), "{}", told(&error));
        assert_eq!(names(&folder), before);
    }
    let publisher = folder.publisher().unwrap();
    publisher.go_back_to(Revision::new(3), 9).unwrap();
    publisher.publish(&graph(4), 0).unwrap();
}
