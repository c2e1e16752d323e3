use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sameas_graph::{ReferenceTableBuilder, SourceId};
use sameas_record::{Column, FieldKind, Records, Schema};

use crate::blocking::Blocking;
use crate::plan::MatchingPlan;
use crate::prepared::Prepared;
use crate::{
    BlockSettings, BudgetSettings, CompareSettings, Comparer, FrequencyKey, Threshold,
    TrainSettings, Weigher, train,
};

type Row = (Option<String>, Option<String>);

fn records(rows: &[Row]) -> Records {
    let mut builder = ReferenceTableBuilder::new(vec!["crm".to_owned()]);
    for node in 0..rows.len() {
        builder.push(SourceId::new(0), &format!("{node:06}"));
    }
    let fields = ["surname", "title"].map(|name| (name.to_owned(), Some(FieldKind::Text)));
    let surnames = rows.iter().map(|row| row.0.as_deref());
    let titles = rows.iter().map(|row| row.1.as_deref());
    let columns = vec![Column::from_texts(surnames), Column::from_texts(titles)];
    let schema = Schema::new(&BTreeMap::from(fields));
    Records::new(builder.finish(), schema, columns)
}

/// Blocks on neighbours first, on equal titles second, and on other neighbours last.
fn plan(records: &Records, window: u32) -> MatchingPlan {
    let compare = CompareSettings {
        field: "surname".to_owned(),
        ..CompareSettings::default()
    };
    let block = |on: &[&str], window: Option<u32>| BlockSettings {
        on: on.iter().map(|&part| part.to_owned()).collect(),
        window,
    };
    let blocks = [
        block(&["surname.prefix3", "title"], Some(window)),
        block(&["title"], None),
        block(&["surname"], Some(2)),
    ];
    MatchingPlan::new(records.schema(), &[compare], &blocks, &[]).expect("the settings are sound")
}

/// Returns the pairs of each rule the obvious way, those of earlier rules included.
fn naive(rows: &[Row], window: usize) -> [BTreeSet<(u32, u32)>; 3] {
    let neighbours = |key: &dyn Fn(&Row) -> Option<(String, String)>, window: usize| {
        let nodes = (0..).zip(rows);
        let keyed = nodes.filter_map(|(node, row): (u32, _)| Some((key(row)?, node)));
        let mut sorted: Vec<((String, String), u32)> = keyed.collect();
        sorted.sort();
        let pairs = (0..sorted.len()).flat_map(|i| (i + 1..sorted.len()).map(move |j| (i, j)));
        let near = pairs.filter(|(i, j)| j - i < window);
        let nodes = near.map(|(i, j)| (sorted[i].1, sorted[j].1));
        nodes.map(|(a, b)| (a.min(b), a.max(b))).collect()
    };
    let prefix = |row: &Row| {
        let prefix = row.0.as_ref()?.chars().take(3).collect();
        Some((prefix, row.1.clone()?))
    };
    let surname = |row: &Row| Some((row.0.clone()?, String::new()));
    let count = rows.len() as u32;
    let all = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
    let title = |node: u32| rows[node as usize].1.as_ref();
    let equal = all.filter(|&(a, b)| title(a).is_some() && title(a) == title(b));
    [
        neighbours(&prefix, window),
        equal.collect(),
        neighbours(&surname, 2),
    ]
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let text = || prop::option::weighted(0.9, "[ab]{1,4}");
    prop::collection::vec((text(), text()), 0..60)
}

proptest! {
    #[test]
    fn neighbours_are_those_of_the_naive_way(rows in rows(), window in 2_u32..9) {
        let records = records(&rows);
        let plan = plan(&records, window);
        let prepared = Prepared::new(&records, &plan, &[]);
        // Blocks of neighbours may be longer than the bound.
        let budget = BudgetSettings { block_len_max: 60, ..BudgetSettings::default() };
        let blocking = Blocking::new(&prepared, &plan, &budget);
        let expected = naive(&rows, window as usize);
        let mut earlier = BTreeSet::new();
        for (rule, expected) in expected.iter().enumerate() {
            let cost = &blocking.costs()[rule];
            prop_assert_eq!(cost.pairs, expected.len() as u64, "rule {}", rule);
            let found = blocking.map_blocks(rule, Vec::new, |found: &mut Vec<_>, block| {
                for (index, a) in block.rows().enumerate() {
                    let after = block.rows().skip(index + 1);
                    let owned = after.filter(|&b| blocking.owns(&block, a, b));
                    found.extend(owned.map(|b| (a.node.min(b.node), a.node.max(b.node))));
                }
            });
            let mut found = found.concat();
            found.sort_unstable();
            let first: Vec<(u32, u32)> = expected.difference(&earlier).copied().collect();
            prop_assert_eq!(found, first, "each pair once, under its first rule");
            earlier.extend(expected);
        }
        for &(a, b) in &earlier {
            let made = (0..3).filter(|&rule| expected[rule].contains(&(a, b)));
            prop_assert_eq!(blocking.makers(a, b).made_by, made.collect::<Vec<_>>());
        }
    }
}

/// Neighbours that agree in nothing are candidates too, whether pairs are looked at one by one or
/// eight at a time.
#[test]
fn neighbours_are_weighed_like_other_pairs() {
    let rows: Vec<Row> = (0..400)
        .map(|n| {
            (
                Some(format!("{:03}", n * 7 % 200)),
                Some(format!("t{}", n % 9)),
            )
        })
        .collect();
    let records = records(&rows);
    for window in [2, 3, 6, 20] {
        let plan = plan(&records, window);
        let prepared = Prepared::new(&records, &plan, &[]);
        let blocking = Blocking::new(&prepared, &plan, &BudgetSettings::default());
        let comparer = Comparer::new(&prepared, &plan);
        let key = FrequencyKey::new([7; 32]);
        let settings = TrainSettings::default();
        let (model, _) = train(
            &prepared, &comparer, &blocking, &plan, &settings, &key, None,
        );
        let threshold = Threshold {
            link: 300.0,
            review: -300.0,
        };
        let weigher = || Weigher::new(&prepared, &comparer, &plan, &model, &key, threshold);
        let [one, eight] = [usize::MAX, 2].map(|len| {
            let weigher = weigher().with_screened_len(len);
            weigher.weigh_all(&blocking, plan.rules.len(), &|_| {})
        });
        let expected = naive(&rows, window as usize);
        let all: BTreeSet<_> = expected.iter().flatten().collect();
        assert_eq!(one.evidence.len(), all.len());
        assert_eq!(one.pairs_of_rule[0], expected[0].len() as u64);
        assert_eq!(eight.pairs_of_rule, one.pairs_of_rule, "window {window}");
        assert_eq!(eight.evidence, one.evidence, "window {window}");
    }
}

#[test]
fn neighbours_are_told_of_as_many_as_there_are() {
    let rows: Vec<Row> = (0..1_000)
        .map(|n| (Some(format!("{:03}", n * 7 % 1_000)), Some(format!("t{n}"))))
        .collect();
    let records = records(&rows);
    for window in [2, 3, 64, 100] {
        let plan = plan(&records, window);
        let prepared = Prepared::new(&records, &plan, &[]);
        // Even where blocks of neighbours are longer than the bound.
        let budget = BudgetSettings {
            block_len_max: 10,
            ..BudgetSettings::default()
        };
        let blocking = Blocking::new(&prepared, &plan, &budget);
        let told = blocking.map_blocks(0, || 0, |told, block| *told += block.pairs);
        let (count, window) = (1_000, u64::from(window));
        let pairs = (window - 1) * count - window * (window - 1) / 2;
        let cost = &blocking.costs()[0];
        assert_eq!((told.iter().sum::<u64>(), cost.pairs), (pairs, pairs));
        assert_eq!((cost.keyed_records, cost.hot_count), (count, 0));
    }
}
