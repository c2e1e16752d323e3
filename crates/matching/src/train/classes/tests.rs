//! Chances are found again from patterns made by them.

use std::collections::BTreeMap;

use sameas_record::{FieldKind, Schema};

use super::*;
use crate::{BlockSettings, CompareSettings, LevelSettings};

const FIELDS: [(&str, FieldKind); 6] = [
    ("given_name", FieldKind::GivenName),
    ("dob", FieldKind::Date),
    ("member_no", FieldKind::Identifier),
    ("surname", FieldKind::Surname),
    ("phone", FieldKind::Phone),
    ("street", FieldKind::Street),
];
/// Chances of equality: of matches, of strangers, of relatives.
const EQUAL: [(f64, f64, f64); 6] = [
    (0.85, 0.01, 0.01),
    (0.9, 0.001, 0.001),
    (0.7, 0.0001, 0.0001),
    (0.95, 0.002, 0.8),
    (0.6, 0.0005, 0.5),
    (0.75, 0.0002, 0.9),
];

/// Compares the fields for equality alone, and blocks on two of them.
fn plan(fields: &[(&str, FieldKind)], blocks: [&str; 2]) -> MatchingPlan {
    let kinds = fields
        .iter()
        .map(|&(name, kind)| (name.to_owned(), Some(kind)));
    let schema = Schema::new(&kinds.collect::<BTreeMap<_, _>>());
    let compare = fields.iter().map(|&(name, _)| CompareSettings {
        field: name.to_owned(),
        levels: Some(vec!["exact".to_owned()]),
        ..CompareSettings::default()
    });
    let compare: Vec<_> = compare.collect();
    let block = blocks.map(|name| BlockSettings {
        on: vec![name.to_owned()],
        ..BlockSettings::default()
    });
    MatchingPlan::new(&schema, &compare, &block, &[]).expect("the settings are sound")
}

/// The patterns that a rule's pairs show on average, if kinds of pairs have these shares.
fn patterns(equal: &[(f64, f64, f64)], shared: usize, mix: [f64; 3]) -> RulePatterns {
    let chance = |levels: u32, of: fn(&(f64, f64, f64)) -> f64| -> f64 {
        let fields = equal
            .iter()
            .enumerate()
            .filter(|(field, _)| *field != shared);
        fields
            .map(|(field, equal)| match levels >> field & 1 {
                1 => of(equal),
                _ => 1.0 - of(equal),
            })
            .product()
    };
    let all = (0..1_u32 << equal.len()).filter(|levels| levels >> shared & 1 == 1);
    let mut all: Patterns = all
        .map(|levels| {
            let pattern = (0..equal.len()).fold(LevelPattern::default(), |pattern, field| {
                pattern.with(field, if levels >> field & 1 == 1 { 1 } else { 2 })
            });
            let count = mix[0] * chance(levels, |e| e.0)
                + mix[1] * chance(levels, |e| e.2)
                + mix[2] * chance(levels, |e| e.1);
            (pattern, 1e6 * count)
        })
        .collect();
    all.sort_unstable_by_key(|&(pattern, _)| pattern);
    RulePatterns {
        rule: 0,
        owned: all.clone(),
        all,
        pairs: 1_000_000,
        block_len: 10.0,
    }
}

/// The same pairs, as those of the second rule.
fn second(patterns: RulePatterns) -> RulePatterns {
    RulePatterns {
        rule: 1,
        ..patterns
    }
}

fn observed(equal: &[(f64, f64, f64)]) -> Levels {
    equal.iter().map(|e| vec![e.1, 1.0 - e.1]).collect()
}

#[test]
fn what_made_the_pairs_is_found_again() {
    assert_found_again(&plan(&FIELDS[..3], ["given_name", "dob"]));
}

/// Levels in SQL have no clauses, so a comparison that asks a rule's field in SQL was taken
/// for one that the rule does not touch. All fields it looks at count.
#[test]
fn what_made_the_pairs_is_found_again_by_levels_in_sql() {
    let kinds = FIELDS.map(|(name, kind)| (name.to_owned(), Some(kind)));
    let schema = Schema::new(&kinds.into_iter().collect());
    let compare = FIELDS[..3].iter().map(|(name, _)| CompareSettings {
        name: Some((*name).to_owned()),
        field: "phone".to_owned(),
        level: Some(vec![LevelSettings {
            when: format!("{name}_l = {name}_r"),
            ..LevelSettings::default()
        }]),
        missing: Some(format!("{name}_l IS NULL OR {name}_r IS NULL")),
        scope: Some(Scope::Person),
        ..CompareSettings::default()
    });
    let compare: Vec<_> = compare.collect();
    let block = ["given_name", "dob"].map(|name| BlockSettings {
        on: vec![name.to_owned()],
        window: None,
    });
    let plan = MatchingPlan::new(&schema, &compare, &block, &[]);
    assert_found_again(&plan.expect("the settings are sound"));
}

/// Learns the first three fields from pairs of two rules.
fn assert_found_again(plan: &MatchingPlan) {
    let (fields, equal) = (&FIELDS[..3], &EQUAL[..3]);
    assert!(!plan.tells_related());
    let rules = [
        patterns(equal, 0, [0.1, 0.0, 0.9]),
        second(patterns(equal, 1, [0.4, 0.0, 0.6])),
    ];
    let mut classes = Classes::guess(plan, &observed(equal));
    let (passes, _) = classes.fit(plan, &rules);
    for ((name, _), (found, (m, ..))) in fields.iter().zip(classes.m.iter().zip(equal)) {
        assert!(
            (found[0] - m).abs() < 0.01,
            "{name}: {found:?}, {m} made them"
        );
    }
    for (pass, matched) in passes.iter().zip([0.1, 0.4]) {
        assert!((pass.matched - matched).abs() < 0.01, "{pass:?}");
        assert!(pass.used && pass.rounds < ROUNDS_MAX, "{pass:?}");
    }
}

/// The mean of what labels say and what all others say, who count for a hundred pairs.
#[test]
fn labels_outweigh_pairs_without_a_label_as_they_become_many() {
    let (fields, equal) = (&FIELDS[..3], &EQUAL[..3]);
    let plan = plan(fields, ["given_name", "dob"]);
    let rules = [
        patterns(equal, 0, [0.1, 0.0, 0.9]),
        second(patterns(equal, 1, [0.4, 0.0, 0.6])),
    ];
    // Member numbers are equal in 0.7 of the matches that made the pairs, in half of the labels.
    for (count, expected) in [(0.0, 0.7), (10.0, 0.682), (100.0, 0.6), (10_000.0, 0.502)] {
        let mut classes = Classes::guess(&plan, &observed(equal));
        classes.labelled[2] = vec![count / 2.0; 2];
        classes.fit(&plan, &rules);
        let found = classes.m[2][0];
        // What labels teach moves what the others are taken for, too.
        assert!((found - expected).abs() < 0.02, "{count} labels: {found}");
    }
}

#[test]
fn relatives_are_told_from_matches() {
    let plan = plan(&FIELDS, ["surname", "street"]);
    assert!(plan.tells_related());
    let rules = [
        patterns(&EQUAL, 3, [0.1, 0.1, 0.8]),
        second(patterns(&EQUAL, 5, [0.3, 0.4, 0.3])),
    ];
    let mut classes = Classes::guess(&plan, &observed(&EQUAL));
    let (passes, _) = classes.fit(&plan, &rules);
    for (index, (name, _)) in FIELDS.iter().enumerate() {
        let (m, _, related) = EQUAL[index];
        let found = (classes.m[index][0], classes.related[index][0]);
        assert!(
            (found.0 - m).abs() < 0.02,
            "{name}: m {found:?}, {m} made them"
        );
        assert!(
            (found.1 - related).abs() < 0.02,
            "{name}: {found:?}, {related}"
        );
    }
    assert!((passes[0].matched - 0.1).abs() < 0.01, "{passes:?}");
    assert!((passes[1].matched - 0.3).abs() < 0.01, "{passes:?}");
}

#[test]
fn the_shares_of_all_pairs_are_found_again() {
    let equal = &EQUAL[..3];
    let plan = plan(&FIELDS[..3], ["given_name", "dob"]);
    let rules = [patterns(equal, 0, [0.1, 0.0, 0.9])];
    let mut classes = Classes::guess(&plan, &observed(equal));
    classes.m = equal.iter().map(|e| vec![e.0, 1.0 - e.0]).collect();
    // A hundredth of all strangers share a given name; the rule's hundred thousand matches
    // are the only ones that blocking can see.
    let total = 0.9e6 / 0.01;
    let shares = estimate_shares(&rules, &classes, total, 1e-6);
    let found = shares.matched * total;
    assert!(
        (found / 1e5 - 1.0).abs() < 0.05,
        "{found} of 100,000 matches"
    );
}

/// Strangers of like given names and the e-mail addresses made of them were taken for matches.
#[test]
fn pairs_that_differ_in_most_are_no_matches() {
    let of = |differing: [f64; 4]| differing.map(|share| vec![1.0 - share, share]).to_vec();
    let (all, u) = ([0, 1, 2, 3], of([0.97, 0.98, 0.97, 0.99]));
    assert!(agree(&all, &of([0.1, 0.2, 0.6, 0.7]), &u));
    let parted = of([0.1, 0.6, 0.97, 0.99]);
    assert!(!agree(&all, &parted, &u));
    assert!(agree(&all[..1], &parted, &u), "the others were guessed");
    let turned = of([0.03, 0.02, 0.03, 0.01]);
    assert!(
        agree(&all, &parted, &turned),
        "the last levels stand for equality"
    );
}
