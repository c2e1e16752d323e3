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
    assert_eq!(folder.published_at_ms().unwrap(), Some(1_000));
    assert_eq!(published.len, fs::metadata(&published.path).unwrap().len());
    folder.publish(&graph(5), 2_000).unwrap();
    let log = folder.publications().unwrap();
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
    let publisher = folder.publisher().unwrap().keeping(1);
    let removed = publisher.publish(&graph(6), 0).unwrap().removed;
    assert_eq!(removed, [3, 4, 5].map(Revision::new));
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
    assert!(matches!(error, PublishError::ReadBack { .. }), "{error}");
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
            folder.publications().err(),
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
    assert!(
        error.to_string().contains("go back to an older snapshot"),
        "{error}"
    );

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

/// Replaces a file as a restore would, leaving mapped bytes alone.
fn rewrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}
