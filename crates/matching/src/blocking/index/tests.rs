use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sameas_graph::{ReferenceTableBuilder, SourceId};
use sameas_record::{Column, FieldKind, Records, Schema};

use crate::blocking::Blocking;
use crate::plan::MatchingPlan;
use crate::prepared::Prepared;
use crate::{BlockSettings, BudgetSettings, CompareSettings};

/// Surname, title, town.
type Row = [Option<String>; 3];

fn records(rows: &[Row]) -> Records {
    let mut builder = ReferenceTableBuilder::new(vec!["crm".to_owned()]);
    for node in 0..rows.len() {
        builder.push(SourceId::new(0), &format!("{node:06}"));
    }
    let fields = ["surname", "title", "town"].map(|f| (f.to_owned(), Some(FieldKind::Text)));
    let columns = (0..3).map(|f| Column::from_texts(rows.iter().map(move |row| row[f].as_deref())));
    let schema = Schema::new(&BTreeMap::from(fields));
    Records::new(builder.finish(), schema, columns.collect())
}

fn plan(records: &Records, rules: &[(&[&str], Option<u32>)]) -> MatchingPlan {
    let compare = CompareSettings {
        field: "surname".to_owned(),
        ..CompareSettings::default()
    };
    let block = |&(on, window): &(&[&str], Option<u32>)| BlockSettings {
        on: on.iter().map(|&part| part.to_owned()).collect(),
        window,
    };
    let blocks: Vec<BlockSettings> = rules.iter().map(block).collect();
    MatchingPlan::new(records.schema(), &[compare], &blocks, &[]).expect("the settings are sound")
}

/// Returns the partners of every record in a blocking of all of them.
fn partners(records: &Records, plan: &MatchingPlan) -> Vec<BTreeSet<u32>> {
    let prepared = Prepared::new(records, plan, &[]);
    let blocking = Blocking::new(&prepared, plan, &BudgetSettings::default());
    let mut partners = vec![BTreeSet::new(); records.len()];
    for a in 0..records.len() as u32 {
        for b in (0..records.len() as u32).filter(|&b| b != a) {
            if !blocking.makers(a, b).made_by.is_empty() {
                partners[a as usize].insert(b);
            }
        }
    }
    partners
}

/// Returns what an index of all other records finds for one of them, and how many rules it asks.
fn found(rows: &[Row], one: usize, rules: &[(&[&str], Option<u32>)]) -> (BTreeSet<u32>, usize) {
    found_without(rows, one, rules, &[])
}

/// Returns what is found for whoever may not see some fields.
fn found_without(
    rows: &[Row],
    one: usize,
    rules: &[(&[&str], Option<u32>)],
    hidden: &[&str],
) -> (BTreeSet<u32>, usize) {
    let mut others = rows.to_vec();
    let probe = records(&[others.remove(one)]);
    let others = records(&others);
    let plan = plan(&others, rules);
    let budget = BudgetSettings::default();
    let prepared = Prepared::new(&others, &plan, &[]);
    let index = Blocking::new(&prepared, &plan, &budget).into_index(&budget);
    let probe = Prepared::without_hints(&probe, &plan, &[]);
    let hidden = hidden
        .iter()
        .filter_map(|&name| others.schema().field_id(name));
    let hidden: Vec<_> = hidden.collect();
    let brought = index.candidates(&probe, &plan, Some(&others), &hidden, others.len());
    let (nodes, asked) = (brought.nodes, brought.rules_asked);
    assert!(brought.rules_cut.len() <= asked);
    assert!(nodes.is_sorted());
    let numbered = |node: u32| if node as usize >= one { node + 1 } else { node };
    (nodes.into_iter().map(numbered).collect(), asked)
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let text = || prop::option::weighted(0.9, "[ab]{1,3}( [ab]{2})?");
    prop::collection::vec([text(), text(), text()], 2..40)
}

proptest! {
    #[test]
    fn a_record_that_comes_later_finds_whom_it_would_have_met(rows in rows()) {
        let rules: &[(&[&str], Option<u32>)] = &[
            (&["surname.prefix3", "title"], None),
            (&["title.tokens"], None),
            (&["town", "surname.initial"], None),
        ];
        let all = records(&rows);
        let partners = partners(&all, &plan(&all, rules));
        for (one, partners) in partners.iter().enumerate() {
            let (found, asked) = found(&rows, one, rules);
            prop_assert_eq!(&found, partners, "record {}", one);
            prop_assert!(asked > 0 || found.is_empty());
        }
    }

    #[test]
    fn it_stands_among_the_neighbours_it_would_have_had(len in 2_usize..60, window in 2_u32..9) {
        let row = |n: usize| [Some(format!("n{:04}", n * 7_919 % 1_000)), None, None];
        let rows: Vec<Row> = (0..len).map(row).collect();
        let rules: &[(&[&str], Option<u32>)] = &[(&["surname"], Some(window))];
        let all = records(&rows);
        let partners = partners(&all, &plan(&all, rules));
        for (one, partners) in partners.iter().enumerate() {
            prop_assert_eq!(&found(&rows, one, rules).0, partners, "record {}", one);
        }
    }
}

/// A block over the bound is refined; whom a new record shares a second value with is found, were it one
/// record, which made no group by itself.
#[test]
fn in_a_block_over_the_bound_those_are_found_that_share_a_second_value() {
    let text = |text: &str| Some(text.to_owned());
    let title = |n: usize| match n {
        7 | 8 => "shared".to_owned(),
        n => format!("t{n}"),
    };
    let mut rows: Vec<Row> = (0..300)
        .map(|n| [text("smith"), text(&title(n)), text("rome")])
        .collect();
    let rules: &[(&[&str], Option<u32>)] = &[(&["surname"], None), (&["title", "town"], None)];
    for (title, expected) in [("t5", vec![5]), ("shared", vec![7, 8]), ("new", vec![])] {
        rows.push([text("smith"), text(title), text("oslo")]);
        let (found, asked) = found(&rows, 300, rules);
        assert_eq!(found, BTreeSet::from_iter(expected), "{title}");
        assert_eq!(asked, 2);
        rows.pop();
    }
}

/// The groups that a block over the bound was cut into hang on the values of every field that cuts:
/// how many share one decides which groups of another are taken.
#[test]
fn a_block_over_the_bound_tells_nothing_of_a_field_that_may_not_be_seen() {
    let text = |text: &str| Some(text.to_owned());
    let mut rows: Vec<Row> = (0..300)
        .map(|n| [text("smith"), text(&format!("t{n}")), text("rome")])
        .collect();
    rows[9][0] = text("miller");
    rows.push([text("smith"), text("t5"), None]);
    let rules: &[(&[&str], Option<u32>)] = &[(&["surname"], None), (&["title", "town"], None)];
    let smith = found_without(&rows, 300, rules, &[]);
    assert_eq!(smith, (BTreeSet::from([5]), 1));
    let smith = found_without(&rows, 300, rules, &["town"]);
    assert_eq!(smith, (BTreeSet::new(), 1));
    // A block within the bound is nobody's secret.
    rows.push([text("miller"), None, None]);
    let miller = found_without(&rows, 301, rules, &["town"]);
    assert_eq!(miller, (BTreeSet::from([9]), 1));
}
