//! The report of a revision: complete, true to `evaluate`, and without anything it must not hold.

use std::fs;
use std::path::Path;

use sameas_tests::{Layout, Systems, sameas};
use serde_json::Value;

fn run(settings: &Path, arguments: &[&str]) -> String {
    let ran = sameas(settings, arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
    ran.stdout
}

/// Returns the part of a page between two words.
fn between<'p>(page: &'p str, from: &str, to: &str) -> &'p str {
    let rest = page
        .split_once(from)
        .unwrap_or_else(|| panic!("no {from}"))
        .1;
    rest.split(to).next().unwrap()
}

#[test]
fn a_report_shows_what_evaluate_says_and_asks_nobody_for_anything() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Systems::new(80, 9).write(folder.path(), &Layout::default());
    let (truth, page) = (
        settings.with_file_name("truth.csv"),
        folder.path().join("r.html"),
    );
    let (truth, page) = (truth.to_str().unwrap(), page.to_str().unwrap());
    run(&settings, &["rebuild", "--quiet"]);
    let labels = ["--truth", truth, "--trace", "--quiet"];
    let found = run(
        &settings,
        &[&["evaluate", "--format", "json"], &labels[..]].concat(),
    );
    let found: Value = serde_json::from_str(&found).unwrap();
    run(
        &settings,
        &[&["report", "--output", page], &labels[..]].concat(),
    );
    let shown = fs::read_to_string(page).unwrap();
    let f1 = format!("<b>{:.4}</b>", found["pairwise"]["f1"].as_f64().unwrap());
    assert!(shown.contains(&f1), "no {f1}");
    for section in [
        "weights",
        "thresholds",
        "comparisons",
        "pairs",
        "blocking",
        "sources",
        "sizes",
        "quarantine",
        "missed",
        "training",
    ] {
        let body = between(&shown, &format!("<section id=\"{section}\">"), "</section>");
        assert!(body.len() > 80, "{section}: {body}");
    }
    for word in ["<script", "http://", "https://", "src=", "url(", "@import"] {
        assert!(!shown.contains(word), "{word}");
    }
    // At its own threshold a revision is found again from the evidence that it keeps.
    let thresholds = &found["thresholds"];
    let own = thresholds["points"].as_array().unwrap().iter();
    let mut own = own.filter(|point| point["bits"] == thresholds["link_bits"]);
    let own = own.next().unwrap();
    assert_eq!(own["pairwise"], found["pairwise"]);
    assert_eq!(found["trace"]["missed"]["pairs"], found["missed_pairs"]);
    assert_names_no_value(&shown);
    // Two reports on one revision are the same bytes.
    run(
        &settings,
        &[&["report", "--output", page], &labels[..]].concat(),
    );
    assert_eq!(fs::read_to_string(page).unwrap(), shown);
}

/// Nothing that the sources hold of a record but its key stands in a page.
fn assert_names_no_value(page: &str) {
    let page = page.to_lowercase();
    let systems = Systems::new(80, 9);
    let records = systems.records.iter().flatten();
    let values = records.flat_map(|record| {
        let texts = [&record.phone, &record.street, &record.born];
        texts.into_iter().flatten().chain(&record.emails)
    });
    let values: Vec<String> = values.map(|value| value.to_lowercase()).collect();
    assert!(values.len() > 200);
    let told = values.iter().find(|value| page.contains(value.as_str()));
    assert_eq!(told, None);
}

#[test]
fn without_labels_and_without_figures_a_report_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Systems::new(80, 9).write(folder.path(), &Layout::default());
    let page = folder.path().join("r.html");
    run(&settings, &["rebuild", "--quiet"]);
    fs::remove_file(settings.with_file_name("graph").join("figures.json")).unwrap();
    run(&settings, &["report", "--output", page.to_str().unwrap()]);
    let shown = fs::read_to_string(&page).unwrap();
    assert!(shown.contains("precision, expected"));
    assert!(shown.contains("figures of its rebuild are not kept"));
    assert!(!shown.contains("id=\"missed\""));
    let found = run(&settings, &["evaluate", "--format", "json"]);
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["estimate"]["counts_all"], Value::from(false));
    assert_eq!(found.get("pairwise"), None);
}

#[test]
fn a_training_is_shown_with_how_it_came_to_rest() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Systems::new(80, 9).write(folder.path(), &Layout::default());
    let page = folder.path().join("training.html");
    let told = run(
        &settings,
        &["train", "--quiet", "--report", page.to_str().unwrap()],
    );
    assert!(told.contains("converged"), "{told}");
    let shown = fs::read_to_string(&page).unwrap();
    assert!(shown.contains("Passes of training") && shown.contains("Weights by level"));
}
