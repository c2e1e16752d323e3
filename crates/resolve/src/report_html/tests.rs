#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::fixture::snapshot;
use crate::{assess, report::ComparisonReport, report::LevelReport};

const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{202e}\n";

#[test]
fn what_comes_from_outside_is_text_and_nothing_else() {
    let graph = snapshot(&[("<b>crm", HOSTILE, 1), ("shop", "2", 1)]);
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth.csv");
    let keys = HOSTILE.replace('"', "\"\"");
    std::fs::write(
        &truth,
        format!("source,key,entity\n<b>crm,\"{keys}\",1\nshop,2,2\nshop,3,1\n"),
    )
    .unwrap();
    let settings = Settings {
        base: folder.path().to_owned(),
        ..Settings::default()
    };
    let assessment = assess(&graph, &settings, Some(&truth)).unwrap();
    let page = report_html(&graph, &settings, &assessment).unwrap();
    assert!(page.contains("&lt;b&gt;crm"));
    assert!(
        !page.contains("<b>crm") && !page.contains("<script"),
        "{page}"
    );
    assert!(!page.contains('\u{202e}'));
}

#[test]
fn a_page_asks_nobody_for_anything() {
    let report = TrainReport {
        comparisons: vec![ComparisonReport {
            comparison: HOSTILE.to_owned(),
            levels: vec![LevelReport::default(); 2],
        }],
        warnings: vec![HOSTILE.to_owned()],
        moves: vec![0.5, 0.01, 1e-6],
        ..TrainReport::default()
    };
    let page = training_html(&report);
    for word in [
        "http://", "https://", "<script", "url(", "@import", "src=", "onload",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("&lt;script&gt;") && page.contains("never seen"));
    for (open, close) in [
        ("<svg", "</svg>"),
        ("<section", "</section>"),
        ("<table", "</table>"),
    ] {
        assert_eq!(page.matches(open).count(), page.matches(close).count());
    }
}

#[test]
fn days_are_those_of_the_calendar() {
    let told = [0, 951_782_400_000, 1_767_225_599_999, 1_795_737_600_000].map(date);
    assert_eq!(
        told,
        ["1970-01-01", "2000-02-29", "2025-12-31", "2026-11-27"]
    );
}
