#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::*;
use crate::fixture::snapshot;

/// Six records of three entities; the graph lacks one, splits one and adds a stranger.
const TRUTH: &str = "source,key,entity\n\
    crm,1,ann\ncrm,2,ann\nshop,1,ann\n\
    crm,3,bob\nshop,2,bob\n\
    shop,9,eve\n";

fn graph() -> Snapshot {
    snapshot(&[
        ("crm", "1", 1),
        ("crm", "2", 1),
        ("shop", "1", 2),
        ("crm", "3", 2),
        ("shop", "2", 2),
        ("shop", "stranger", 2),
    ])
}

fn evaluate_text(graph: &Snapshot, truth: &str) -> Result<Evaluation, EvaluateError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.csv");
    fs::write(&path, truth).unwrap();
    evaluate(graph, &path)
}

fn near(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() < 1e-12,
        "found {found}, expected {expected}"
    );
}

#[test]
fn figures_are_those_worked_out_by_hand() {
    let found = evaluate_text(&graph(), TRUTH).unwrap();
    // Together in the truth: 3 + 1 pairs; in the graph: {1,2} 1 pair, {shop 1, crm 3, shop 2} 3 pairs.
    assert_eq!(
        (found.true_pairs, found.false_pairs, found.missed_pairs),
        (2, 2, 2)
    );
    near(found.pairwise.precision, 0.5);
    near(found.pairwise.recall, 0.5);
    near(found.pairwise.f1, 0.5);
    // Cells: ann has 2 of 2 and 1 of 3, bob 2 of 3, eve 1 of 1.
    near(
        found.b_cubed.precision,
        (2.0 + 1.0 / 3.0 + 4.0 / 3.0 + 1.0) / 6.0,
    );
    near(
        found.b_cubed.recall,
        (4.0 / 3.0 + 1.0 / 3.0 + 2.0 + 1.0) / 6.0,
    );
    // Only eve, who is missing and so stands alone, is exact.
    near(found.exact_cluster.precision, 1.0 / 3.0);
    near(found.exact_cluster.recall, 1.0 / 3.0);
    assert_eq!((found.records, found.missing, found.extra), (6, 1, 1));
    assert_eq!(
        (
            found.true_entities,
            found.found_entities,
            found.largest_found
        ),
        (3, 3, 3)
    );
}

#[test]
fn a_graph_equal_to_the_truth_is_perfect() {
    let graph = snapshot(&[("a", "1", 1), ("a", "2", 1), ("b", "1", 2)]);
    let truth = "entity,ignored,key,source\nx,?,1,a\nx,?,2,a\ny,?,1,b\n";
    let found = evaluate_text(&graph, truth).unwrap();
    for quality in [found.pairwise, found.b_cubed, found.exact_cluster] {
        assert_eq!(
            (quality.precision, quality.recall, quality.f1),
            (1.0, 1.0, 1.0)
        );
    }
}

#[test]
fn a_graph_of_singletons_is_precise_and_misses_all() {
    let graph = snapshot(&[("a", "1", 1), ("a", "2", 2)]);
    let found = evaluate_text(&graph, "source,key,entity\na,1,x\na,2,x\n").unwrap();
    assert_eq!(
        (found.pairwise.precision, found.pairwise.recall),
        (1.0, 0.0)
    );
    assert_eq!((found.pairwise.f1, found.exact_cluster.f1), (0.0, 0.0));
}

#[test]
fn quoted_keys_are_read_as_csv_has_them() {
    let keys = ["a,b", "say \"hi\"", "two\nlines", " blank ", "ünï"];
    let members: Vec<_> = keys.iter().map(|&key| ("s", key, 1)).collect();
    let truth = "source,key,entity\ns,\"a,b\",1\ns,\"say \"\"hi\"\"\",1\ns,\"two\nlines\",1\ns, blank ,1\r\n\"s\",ünï,1\n";
    let found = evaluate_text(&snapshot(&members), truth).unwrap();
    assert_eq!((found.records, found.missing, found.extra), (5, 0, 0));
    assert_eq!(found.true_pairs, 10);
}

#[test]
fn parquet_is_read_like_csv_whatever_the_type_of_its_ids() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.parquet");
    let columns: [(&str, ArrayRef); 3] = [
        ("entity", Arc::new(Int64Array::from(vec![7, 7, 7, 8, 8, 9]))),
        (
            "source",
            Arc::new(StringArray::from(vec![
                "crm", "crm", "shop", "crm", "shop", "shop",
            ])),
        ),
        ("key", Arc::new(Int64Array::from(vec![1, 2, 1, 3, 2, 9]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let found = evaluate(&graph(), &path).unwrap();
    assert_eq!(found, evaluate_text(&graph(), TRUTH).unwrap());
    fs::write(&path, "not parquet").unwrap();
    let message = evaluate(&graph(), &path).unwrap_err().to_string();
    assert!(message.contains("cannot be read as Parquet"), "{message}");
}

#[test]
fn refusals_name_file_row_and_reason() {
    let cases = [
        ("source,key\n", "has no column \"entity\""),
        ("source,key,entity\n", "names no record"),
        ("", "has no column \"source\""),
        (
            "source,key,entity\na,1,x\na,1,y\n",
            "row 2: names a record that an earlier row names too",
        ),
        ("source,key,entity\na,,x\n", "row 1: has an empty key"),
        (" source,key,entity\n", "has no column \"source\""),
        ("source,key,entity\n,1,x\n", "row 1: has an empty source"),
        ("source,key,entity\na,1,\n", "has an entity"),
        (
            "source_l,key_l,source_r,key_r,is_match\n",
            "`evaluate --truth` reads none",
        ),
        (
            "source,key,entity\na,1,x\na,2\n",
            "row 2: has more or fewer columns than the header",
        ),
    ];
    for (truth, expected) in cases {
        let message = evaluate_text(&graph(), truth).unwrap_err().to_string();
        assert!(
            message.contains("truth.csv") && message.contains(expected),
            "{message}"
        );
    }
    let message = evaluate(&graph(), Path::new("/nowhere.csv"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("/nowhere.csv"), "{message}");
}

#[test]
fn text_shows_every_measure() {
    let text = evaluate_text(&graph(), TRUTH).unwrap().render();
    for line in [
        "pairwise",
        "b-cubed",
        "exact cluster",
        "records 6, missing in the graph 1",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

/// `evaluate` said 1.0 where the graph held no record of the truth: every record stood alone in
/// both. It now refuses and says what to spell otherwise.
#[test]
fn a_truth_that_shares_nothing_with_the_graph_is_refused() {
    let truth = "source,key,entity\ncmr,1,x\ncmr,2,x\n";
    let message = evaluate_text(&graph(), truth).unwrap_err().to_string();
    for words in [
        "none of the 2 records",
        "\"cmr\"",
        "crm, shop",
        "as the settings do",
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn what_the_figures_do_not_mean_is_said() {
    let found = evaluate_text(&graph(), TRUTH).unwrap();
    assert!(found.warnings[0].contains("lacks 1 of the 6"), "{found:?}");
    let alone = snapshot(&[("a", "1", 1), ("a", "2", 2)]);
    let found = evaluate_text(&alone, "source,key,entity\na,1,x\na,2,x\n").unwrap();
    assert!(found.warnings[0].contains("precision 1 says nothing"));
}

/// Empty cells were one entity, so strangers were pairs that the graph missed.
#[test]
fn rows_without_an_entity_do_not_count() {
    let truth = format!("{TRUTH}shop,7,\nshop,stranger, \n");
    let found = evaluate_text(&graph(), &truth).unwrap();
    let mut expected = evaluate_text(&graph(), TRUTH).unwrap();
    expected
        .warnings
        .push("2 rows of the file have no entity and do not count; the first is row 7".to_owned());
    assert_eq!(found, expected);
}

#[test]
fn missed_pairs_are_named_by_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.csv");
    fs::write(&path, TRUTH).unwrap();
    let found = assess(&graph(), &crate::Settings::default(), Some(&path)).unwrap();
    let missed = found.missed_pairs().unwrap();
    let told: Vec<_> = missed.reasons.iter().map(|r| (r.reason, r.pairs)).collect();
    assert_eq!(told, [("no_evidence", 2)]);
    let example = &missed.reasons[0].examples[0];
    assert_eq!(
        (example.left.key.as_str(), example.right.source.as_str()),
        ("1", "shop")
    );
    let counted = found.evaluation.as_ref().map(|found| found.missed_pairs);
    assert_eq!(counted, Some(missed.pairs));
}
