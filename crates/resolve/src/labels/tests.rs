#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sameas_graph::{ReferenceTableBuilder, SourceId};

use super::*;

fn references() -> ReferenceTable {
    let mut builder = ReferenceTableBuilder::new(vec!["a".to_owned(), "b".to_owned()]);
    for (source, key) in [(0, "1"), (0, "2"), (1, "1"), (1, "2")] {
        builder.push(SourceId::new(source), key);
    }
    builder.finish()
}

fn read_text(text: &str) -> Result<Labels, EvaluateError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.csv");
    std::fs::write(&path, text).unwrap();
    read(&path, &references())
}

#[test]
fn pairs_and_entities_are_told_apart_by_their_columns() {
    let header = "source_l,key_l,source_r,key_r,is_match\n";
    let read = read_text(&format!("{header}a,1,b,1,true\na,2,b,1,0\na,9,b,1,no\n")).unwrap();
    let Known::Pairs(pairs) = read.known else {
        panic!("pairs");
    };
    assert!(read.warnings[0].starts_with("1 of the 3 labelled pairs"));
    let expected = [(0, 2, true), (1, 2, false)];
    let expected = expected.map(|(a, b, m)| (NodeId::new(a), NodeId::new(b), m));
    assert_eq!(pairs, expected);
    let read = read_text("source,key,entity\na,2,x\nb,2,x\n").unwrap();
    assert!(read.warnings.is_empty(), "{:?}", read.warnings);
    let Known::Entities(entities) = read.known else {
        panic!("entities");
    };
    assert_eq!(entities, [None, Some(0), None, Some(0)]);
}

#[test]
fn what_is_wrong_with_labels_is_named() {
    let header = "source_l,key_l,source_r,key_r,is_match\n";
    for (text, says) in [
        (
            format!("{header}a,1,b,1,perhaps\n"),
            "row 1: has an is_match",
        ),
        (
            format!("{header}a,1,b,1,1\na,2,b,2,1\nb,1,a,1,0\n"),
            "row 3: says the opposite of an earlier record",
        ),
        (
            format!("{header}a,1,a,1,1\n"),
            "row 1: names one record twice",
        ),
        (format!("{header}x,1,b,1,1\n"), "it names the source \"x\""),
        (header.to_owned(), "names no record"),
        (
            "source_l,key_l,is_match\na,1,1\n".to_owned(),
            "no column \"source_r\"",
        ),
        ("key\n1\n".to_owned(), "no column \"source\""),
        (
            "source_l,key_l,source_r,key_r,match\na,1,b,1,1\n".to_owned(),
            "source_r, key_r and is_match",
        ),
        (format!("{header}a,,b,1,1\n"), "row 1: has an empty key"),
        (format!("{header}a,1, ,1,1\n"), "row 1: has an empty source"),
        (
            "source,key,entity\na,1,\na,2, \n".to_owned(),
            "none of the 2 rows",
        ),
    ] {
        let error = read_text(&text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}, not {says}");
    }
}

/// Empty cells of a sheet that somebody had half filled in were one entity: they taught that
/// strangers are one. Rows without an entity now teach nothing, and are counted.
#[test]
fn rows_without_an_entity_teach_nothing() {
    let read = read_text("source,key,entity\na,1,x\na,2,\nb,1,x\nb,2, \n").unwrap();
    let Known::Entities(entities) = read.known else {
        panic!("entities");
    };
    assert_eq!(entities, [Some(0), None, Some(0), None]);
    let warning = &read.warnings[0];
    assert!(
        warning.starts_with("2 rows") && warning.ends_with("row 2"),
        "{warning}"
    );
}

/// A third of the labels named a source that there is not, and nothing said so.
#[test]
fn labels_of_unknown_sources_are_counted() {
    let read = read_text("source,key,entity\na,1,x\nb,1,x\ncrm,1,x\na,9,y\n").unwrap();
    let warning = &read.warnings[0];
    for words in ["2 of the 4 labelled records", "1 name a source", "\"crm\""] {
        assert!(warning.contains(words), "{warning}");
    }
}
