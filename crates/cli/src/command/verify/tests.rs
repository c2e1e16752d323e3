#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use clap::Parser;
use sameas_graph::{
    Constraints, Legend, Namespace, NextRevision, ReferenceTableBuilder, SourceId, cluster, succeed,
};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::args::Args;

/// The files that tell what was published.
const TOLD_BY: [&str; 2] = ["current", "publications.json"];

/// A graph of three revisions.
struct Graph {
    _root: TempDir,
    folder: GraphFolder,
    /// The files that tell what was published, as they were when the second revision was current.
    second: [Vec<u8>; 2],
}

impl Graph {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let namespace = Namespace::new(Uuid::from_u128(42));
        let folder = GraphFolder::create_or_open(&root.path().join("graph"), namespace).unwrap();
        let publisher = folder.publisher().unwrap();
        let mut second = <[Vec<u8>; 2]>::default();
        for revision in 1..=3 {
            let previous = publisher.previous().unwrap();
            let graph = succeed(previous.as_ref(), next(namespace));
            assert_eq!(graph.revision.get(), revision);
            publisher.publish(&graph, 0).unwrap();
            if revision == 2 {
                second = TOLD_BY.map(|name| fs::read(folder.path().join(name)).unwrap());
            }
        }
        drop(publisher);
        Self {
            _root: root,
            folder,
            second,
        }
    }

    /// Changes one byte of a revision's snapshot, so that it cannot even be opened.
    fn damage(&self, revision: u64) {
        let name = format!("snapshots/{revision:04}.sameas");
        let path = self.folder.path().join(name);
        let mut bytes = fs::read(&path).unwrap();
        // The checksum of header and section table.
        bytes[24] ^= 1;
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    }

    /// Leaves what a publisher leaves that died before the third revision was current.
    fn die_before_the_third_is_current(&self) {
        for (name, bytes) in TOLD_BY.iter().zip(&self.second) {
            fs::write(self.folder.path().join(name), bytes).unwrap();
        }
    }

    /// Returns the revisions that `verify` tells of, and the one to which it would go back.
    fn verified(&self, all: bool) -> (Vec<Option<u64>>, Option<u64>) {
        let shared = Args::parse_from(["sameas", "verify"]).shared;
        let found = revisions(&self.folder, all).unwrap();
        let remedy = Remedy::of(&shared, &found).and_then(|remedy| remedy.go_back);
        (found.iter().map(|found| found.revision).collect(), remedy)
    }
}

fn next(namespace: Namespace) -> NextRevision {
    let mut builder = ReferenceTableBuilder::new(vec!["crm".to_owned()]);
    builder.push(SourceId::new(0), "1");
    let references = builder.finish();
    let mut evidence = Vec::new();
    let partition = cluster(&references, &mut evidence, &Constraints::default());
    NextRevision {
        namespace,
        references,
        partition,
        evidence,
        legend: Legend::default(),
    }
}

/// `verify` recommended a revision that `--go-back` then removed before it looked for it.
#[test]
fn a_revision_that_never_became_current_is_nothing_to_go_back_to() {
    let graph = Graph::new();
    graph.die_before_the_third_is_current();
    assert_eq!(graph.verified(true), (vec![Some(2), Some(1)], None));
    // A snapshot that cannot be opened does not tell its number as the newest.
    graph.damage(2);
    let found = (vec![None, Some(2), Some(1)], Some(1));
    assert_eq!(graph.verified(false), found);
    fs::remove_file(graph.folder.path().join("snapshots/0002.sameas")).unwrap();
    assert_eq!(graph.verified(false), (vec![None, Some(1)], Some(1)));
    let publisher = graph.folder.publisher().unwrap();
    assert!(publisher.go_back_to(Revision::new(3), 9).is_err());
    publisher.go_back_to(Revision::new(1), 9).unwrap();
    assert_eq!(graph.verified(false), (vec![Some(1)], None));
}

#[test]
fn without_a_current_every_sound_revision_may_be_gone_back_to() {
    let graph = Graph::new();
    let current = graph.folder.path().join("current");
    let everything = (vec![None, Some(3), Some(2), Some(1)], Some(3));
    fs::write(&current, "{").unwrap();
    assert_eq!(graph.verified(false), everything);
    fs::remove_file(&current).unwrap();
    assert_eq!(graph.verified(false), everything);
    let publisher = graph.folder.publisher().unwrap();
    publisher.go_back_to(Revision::new(3), 9).unwrap();
}

#[test]
fn a_revision_above_the_one_gone_back_to_may_be_gone_to_again() {
    let graph = Graph::new();
    let publisher = graph.folder.publisher().unwrap();
    publisher.go_back_to(Revision::new(2), 9).unwrap();
    graph.damage(2);
    let found = (vec![None, Some(3), Some(2), Some(1)], Some(3));
    assert_eq!(graph.verified(false), found);
    publisher.go_back_to(Revision::new(3), 9).unwrap();
}

#[test]
fn kept_revisions_are_named_by_runs() {
    for (kept, told) in [
        (&[][..], "none is kept"),
        (&[3], "kept is 3"),
        (&[2, 3, 4], "kept are 2 to 4"),
        (&[1, 4, 5], "kept are 1, 4 to 5"),
    ] {
        assert_eq!(kept_text(kept), told);
    }
}
