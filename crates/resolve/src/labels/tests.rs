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
    let Labels::Pairs(pairs) =
        read_text(&format!("{header}a,1,b,1,true\na,2,b,1,0\na,9,b,1,no\n")).unwrap()
    else {
        panic!("pairs");
    };
    let expected = [(0, 2, true), (1, 2, false)];
    let expected = expected.map(|(a, b, m)| (NodeId::new(a), NodeId::new(b), m));
    assert_eq!(pairs, expected);
    let Labels::Entities(entities) = read_text("source,key,entity\na,2,x\nb,2,x\n").unwrap() else {
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
    ] {
        let error = read_text(&text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}, not {says}");
    }
}
