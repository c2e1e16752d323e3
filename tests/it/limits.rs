//! Sizes at which counters overflow, and skew that would make pairs explode.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sameas_graph::{ReferenceTableBuilder, SourceId};
use sameas_matching::{
    BlockSettings, Blocking, BudgetSettings, CompareSettings, MatchingPlan, Prepared,
};
use sameas_record::{Column, FieldKind, Records, Schema};
use sameas_resolve::{Evaluation, RebuildReport, Settings, evaluate};
use sameas_store::{GraphFolder, Snapshot};
use sameas_tests::{Layout, Systems, options, rebuild, rebuild_with, sameas};

/// Around the most that 16 bits count.
const AROUND_16_BITS: std::ops::RangeInclusive<u32> = 65_534..=65_537;
/// How many records of a hot block share what refines it.
const GROUP_LEN: u32 = 8;

/// Records that all share a phone; every eight of them share a surname too, and none a key.
fn one_phone(len: u32) -> Records {
    let mut builder = ReferenceTableBuilder::new(vec!["crm".to_owned()]);
    for node in 0..len {
        builder.push(SourceId::new(0), &format!("{node:08}"));
    }
    let surnames: Vec<String> = (0..len)
        .map(|node| format!("name{}", node / GROUP_LEN))
        .collect();
    let keys: Vec<String> = (0..len).map(|node| format!("key{node}")).collect();
    let fields = [
        ("key", FieldKind::Identifier),
        ("phone", FieldKind::Phone),
        ("surname", FieldKind::Surname),
    ];
    let fields = fields.map(|(name, kind)| (name.to_owned(), Some(kind)));
    let columns = vec![
        Column::from_texts(keys.iter().map(|key| Some(key.as_str()))),
        Column::from_texts((0..len).map(|_| Some("+14155550100"))),
        Column::from_texts(surnames.iter().map(|name| Some(name.as_str()))),
    ];
    Records::new(
        builder.finish(),
        Schema::new(&BTreeMap::from(fields)),
        columns,
    )
}

/// Compares surnames; blocks on the phone first and on other fields second.
fn plan(records: &Records, second: &[&str]) -> MatchingPlan {
    let compare = CompareSettings {
        field: "surname".to_owned(),
        ..CompareSettings::default()
    };
    let block = |fields: &[&str]| BlockSettings {
        on: fields.iter().map(|&field| field.to_owned()).collect(),
        ..BlockSettings::default()
    };
    let blocks = [block(&["phone"]), block(second)];
    MatchingPlan::new(records.schema(), &[compare], &blocks, &[]).unwrap()
}

fn bound(block_len_max: u32) -> BudgetSettings {
    BudgetSettings {
        block_len_max,
        ..BudgetSettings::default()
    }
}

fn pairs_of(len: u64) -> u64 {
    len * (len - 1) / 2
}

#[test]
fn a_block_within_the_bound_is_whole_at_any_length() {
    for len in AROUND_16_BITS {
        let records = one_phone(len);
        let plan = plan(&records, &["surname"]);
        let prepared = Prepared::new(&records, &plan, &[]);
        let blocking = Blocking::new(&prepared, &plan, &bound(len));
        let cost = &blocking.costs()[0];
        assert_eq!(
            (cost.keyed_records, cost.blocks),
            (u64::from(len), 1),
            "{len}"
        );
        assert_eq!(
            (cost.largest, cost.pairs),
            (u64::from(len), pairs_of(len.into())),
            "{len}"
        );
        assert_eq!((cost.hot_count, cost.refused_pairs), (0, 0), "{len}");
        let blocks = blocking.map_blocks(0, Vec::new, |found: &mut Vec<Vec<u32>>, block| {
            found.push(block.nodes.to_vec());
        });
        let blocks = blocks.concat();
        assert!(
            blocks == [(0..len).collect::<Vec<_>>()],
            "{len}: {} blocks",
            blocks.len()
        );
    }
}

/// Counts the pairs that belong to a rule.
fn owned(blocking: &Blocking<'_>, rule: usize) -> u64 {
    let counts = blocking.map_blocks(
        rule,
        || 0,
        |count, block| {
            for (index, a) in block.rows().enumerate() {
                let after = block.rows().skip(index + 1);
                *count += after.filter(|&b| blocking.owns(&block, a, b)).count() as u64;
            }
        },
    );
    counts.iter().sum()
}

#[test]
fn a_block_over_the_bound_is_refined_and_its_pairs_are_counted_once() {
    for len in AROUND_16_BITS {
        let records = one_phone(len);
        let (groups, rest) = (len / GROUP_LEN, u64::from(len % GROUP_LEN));
        let made =
            u64::from(groups) * pairs_of(GROUP_LEN.into()) + rest * rest.saturating_sub(1) / 2;
        // What a rule on surnames makes by itself, the phone leaves to it.
        for (second, by_phone, by_second) in [
            (&["surname", "key"][..], made, 0),
            (&["surname"][..], 0, made),
        ] {
            let plan = plan(&records, second);
            let prepared = Prepared::new(&records, &plan, &[]);
            let blocking = Blocking::new(&prepared, &plan, &bound(len - 1));
            let cost = &blocking.costs()[0];
            assert_eq!(
                (cost.hot_count, cost.hot[0].len),
                (1, u64::from(len)),
                "{len}"
            );
            assert_eq!((cost.pairs, cost.refined_pairs), (by_phone, by_phone));
            assert_eq!(cost.refused_pairs, pairs_of(len.into()) - by_phone, "{len}");
            let found = (owned(&blocking, 0), owned(&blocking, 1));
            assert_eq!(found, (by_phone, by_second), "{len} {second:?}");
        }
    }
}

/// The same records cost no more pairs than the budget gives them, whatever they share.
#[test]
fn refining_a_block_stays_within_the_budget_and_takes_the_smallest_groups() {
    const LEN: u32 = 3_000;
    let records = one_phone(LEN);
    let plan = plan(&records, &["surname", "key"]);
    let prepared = Prepared::new(&records, &plan, &[]);
    // Groups of eight make 3.5 pairs a record: all of them fit the budget, or none.
    for (per_record, made) in [(0.0, 0), (3.4, 0), (3.5, 10_500), (1e6, 10_500)] {
        let budget = BudgetSettings {
            refined_pairs_per_record_max: per_record,
            ..bound(LEN - 1)
        };
        let blocking = Blocking::new(&prepared, &plan, &budget);
        let cost = &blocking.costs()[0];
        assert_eq!(
            (cost.refined_pairs, cost.pairs),
            (made, made),
            "{per_record}"
        );
        assert_eq!(cost.refused_pairs, pairs_of(LEN.into()) - made);
        assert_eq!(owned(&blocking, 0), made, "{per_record}");
    }
}

/// Writes one chain of records for each length; a record shares one tag with the next.
fn chains(folder: &Path, lens: impl Iterator<Item = u32>) -> PathBuf {
    let mut text = "id,left,right\n".to_owned();
    for len in lens {
        for link in 0..len {
            writeln!(text, "{len}-{link:06},{len}/{link},{len}/{}", link + 1).unwrap();
        }
    }
    fs::write(folder.join("chains.csv"), text).unwrap();
    let path = folder.join("sameas.toml");
    fs::write(&path, CHAIN_SETTINGS).unwrap();
    path
}

const CHAIN_SETTINGS: &str = r#"
[[source]]
name = "chains"
uri = "chains.csv"
key = "id"
[source.fields]
tag = ["left", "right"]
[fields]
tag = "identifier"
[[compare]]
field = "tag"
levels = ["exact"]
[[rule]]
name = "same tag"
when = "tag: exact"
[[block]]
on = ["tag"]
[decide]
cluster_size_max = 100000
"#;

fn snapshot_of(settings: &Path) -> Snapshot {
    let settings = Settings::load(settings).unwrap();
    GraphFolder::open(&settings.graph_path())
        .unwrap()
        .current()
        .unwrap()
        .unwrap()
}

#[test]
fn an_entity_has_as_many_records_as_it_takes_up_to_the_bound() {
    let folder = tempfile::tempdir().unwrap();
    let settings = chains(folder.path(), AROUND_16_BITS);
    let report = rebuild(&settings, 2);
    let chain_count = AROUND_16_BITS.count() as u64;
    assert_eq!((report.clusters, report.quarantined), (chain_count, 0));
    assert_eq!(report.largest_cluster, u64::from(*AROUND_16_BITS.end()));
    let snapshot = snapshot_of(&settings);
    let mut ids = Vec::new();
    for len in AROUND_16_BITS {
        let ends = [0, len / 2, len - 1].map(|link| format!("{len}-{link:06}"));
        let ends = ends.map(|key| snapshot.lookup("chains", &key).unwrap().unwrap());
        assert!(
            ends.iter().all(|end| end.entity.id == ends[0].entity.id),
            "{len}"
        );
        let entity = snapshot.entity(ends[0].entity.id).unwrap().unwrap();
        assert_eq!(
            (entity.member_count(), entity.members().count()),
            (len, len as usize)
        );
        ids.push(ends[0].entity.id);
    }
    ids.dedup();
    assert_eq!(ids.len() as u64, chain_count);
    drop(snapshot);
    // The default bound cuts them, says so, and each id goes on in one of the parts.
    let text = CHAIN_SETTINGS.replace("cluster_size_max = 100000", "");
    fs::write(&settings, text).unwrap();
    let report = rebuild(&settings, 2);
    assert!(
        report.largest_cluster <= 1_000,
        "{}",
        report.largest_cluster
    );
    assert!(
        report.quarantined >= report.clusters - chain_count,
        "{}",
        report.quarantined
    );
    assert_eq!((report.ids_kept, report.splits), (chain_count, chain_count));
}

/// A component is too large for all its pairs to be looked at; its clusters are not.
#[test]
fn what_must_not_differ_does_not_in_a_component_of_any_size() {
    const LEN: u32 = 2_300;
    let folder = tempfile::tempdir().unwrap();
    let mut text = "id,left,right,dob\n".to_owned();
    for link in 0..LEN {
        // Every fifth record is somebody else, so no long stretch may stay whole.
        let year = 1950 + link % 5 / 4 * 23;
        writeln!(text, "{link:06},t{link},t{},{year}-03-04", link + 1).unwrap();
    }
    fs::write(folder.path().join("chains.csv"), text).unwrap();
    let settings = folder.path().join("sameas.toml");
    let compared = "[[compare]]\nfield = \"dob\"\n[[rule]]";
    let text = CHAIN_SETTINGS
        .replace("[fields]", "dob = \"dob\"\n[fields]\ndob = \"date\"")
        .replace("[[rule]]", compared)
        .replace("cluster_size_max = 100000", "apart = [\"dob\"]");
    fs::write(&settings, text).unwrap();
    let report = rebuild(&settings, 2);
    assert!(report.largest_cluster <= 4, "{}", report.largest_cluster);
    assert!(
        report.clusters >= u64::from(LEN) * 2 / 5 - 1,
        "{}",
        report.clusters
    );
    let snapshot = snapshot_of(&settings);
    let entity = |link: u32| {
        let found = snapshot.lookup("chains", &format!("{link:06}"));
        found.unwrap().unwrap().entity.id
    };
    for other in (4..LEN - 1).step_by(5) {
        assert_ne!(entity(other - 1), entity(other), "{other}");
        assert_ne!(entity(other), entity(other + 1), "{other}");
    }
}

/// Which keys of a record with many are used depends on their content alone.
#[test]
fn keys_beyond_the_bound_are_counted_and_chosen_by_content() {
    let words = |from: u32| {
        (from..from + 90)
            .map(|n| format!("word{n}"))
            .collect::<Vec<_>>()
    };
    let titles = |order: &dyn Fn(Vec<String>) -> Vec<String>| {
        let titles = [words(0), words(10), vec!["word15".to_owned()]];
        titles.map(|title| order(title).join(" "))
    };
    let pairs = |titles: [String; 3]| {
        let mut builder = ReferenceTableBuilder::new(vec!["crm".to_owned()]);
        for node in 0..3 {
            builder.push(SourceId::new(0), &format!("{node}"));
        }
        let fields = BTreeMap::from([("title".to_owned(), Some(FieldKind::Text))]);
        let columns = vec![Column::from_texts(titles.iter().map(|t| Some(t.as_str())))];
        let records = Records::new(builder.finish(), Schema::new(&fields), columns);
        let compare = CompareSettings {
            field: "title".to_owned(),
            ..CompareSettings::default()
        };
        let block = BlockSettings {
            on: vec!["title.tokens".to_owned()],
            ..BlockSettings::default()
        };
        let plan = MatchingPlan::new(records.schema(), &[compare], &[block], &[]).unwrap();
        let prepared = Prepared::new(&records, &plan, &[]);
        let blocking = Blocking::new(&prepared, &plan, &bound(10));
        let cost = blocking.costs()[0].clone();
        assert_eq!((cost.keyed_records, cost.cut_records), (3, 2));
        cost.pairs
    };
    let forwards = pairs(titles(&|title| title));
    let backwards = pairs(titles(&|title| title.into_iter().rev().collect()));
    assert_eq!(forwards, backwards);
    assert!(
        forwards > 40,
        "shared keys are kept on both sides: {forwards}"
    );
}

/// Rebuilds, and holds the result to the truth.
fn rebuilt(systems: &Systems, folder: &Path) -> (RebuildReport, Evaluation, f64) {
    let settings = systems.write(folder, &Layout::default());
    let began = Instant::now();
    let report = rebuild(&settings, 2);
    let seconds = began.elapsed().as_secs_f64();
    (
        report,
        evaluate(&snapshot_of(&settings), &folder.join("truth.csv")).unwrap(),
        seconds,
    )
}

#[test]
fn a_value_that_all_records_share_costs_little_and_joins_nobody() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut systems = Systems::new(8_200, 11);
    let (plain, before, seconds) = rebuilt(&systems, folders[0].path());
    for record in systems.records.iter_mut().flatten() {
        record.phone = Some("+14155550100".to_owned());
    }
    let (skewed, after, skewed_seconds) = rebuilt(&systems, folders[1].path());
    let len = systems.len() as u64;
    assert!(len > 20_000, "{len}");
    let rule = skewed
        .rules
        .iter()
        .find(|rule| rule.rule == "phone")
        .unwrap();
    assert_eq!((rule.hot_blocks, &rule.hot_sizes[..]), (1, &[len][..]));
    assert!(rule.refused_pairs > pairs_of(len) * 99 / 100, "{rule:?}");
    let named = format!(
        "1 blocks refined (largest {len}) to {} pairs, at most {} pairs refused",
        rule.refined_pairs, rule.refused_pairs
    );
    assert!(
        skewed.render().contains(&named),
        "{named}\n{}",
        skewed.render()
    );
    // The block makes as many pairs as the budget gives its records, by default four for each.
    let per_record = BudgetSettings::default().refined_pairs_per_record_max;
    assert!(rule.refined_pairs > 0, "{rule:?}");
    assert!(
        rule.refined_pairs as f64 <= per_record * len as f64,
        "{rule:?}"
    );
    assert!(
        skewed.pairs <= plain.pairs + rule.refined_pairs,
        "{} pairs, {} before",
        skewed.pairs,
        plain.pairs
    );
    assert!(skewed.largest_cluster <= 12, "{}", skewed.largest_cluster);
    let (before, after) = (before.pairwise.f1, after.pairwise.f1);
    assert!(after > before - 0.1, "F1 {after}, {before} before");
    // Weighing all pairs of the block would take minutes; the rest is for busy machines.
    assert!(
        skewed_seconds < 5.0 * seconds + 20.0,
        "{skewed_seconds} s, {seconds} s before"
    );
}

#[test]
fn a_plan_over_the_budget_is_refused_before_it_is_spent() {
    let folder = tempfile::tempdir().unwrap();
    let systems = Systems::new(60, 5);
    let settings = systems.write(folder.path(), &Layout::default());
    rebuild(&settings, 2);
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(
        &settings,
        text.replace("[budget]", "[budget]\npairs_per_record_max = 1"),
    )
    .unwrap();
    let error = rebuild_with(&settings, &options(2))
        .unwrap_err()
        .to_string();
    for words in [
        "more than the budget",
        "rule `",
        "largest blocks hold",
        "make it narrower",
        "[budget]",
    ] {
        assert!(error.contains(words), "no {words:?} in: {error}");
    }
    let found = sameas(&settings, &["lookup", "crm", "C-001000"]);
    assert_eq!(found.code, Some(0), "{}", found.stderr);
}
