#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sameas_graph::{ReferenceTableBuilder, SourceId};
use sameas_record::{Column, FieldKind, Records, Schema};

use super::*;
use crate::blocking::Blocking;
use crate::{BlockSettings, CompareSettings, RuleSettings, TrainSettings, train};

/// Values nearer to a threshold may fall on either side, for the oracle sums in another order.
const NEAR: f64 = 1e-9;

/// Makes records of one field.
fn records(kind: FieldKind, values: &[Option<String>]) -> Records {
    let mut builder = ReferenceTableBuilder::new(vec!["crm".to_owned()]);
    for node in 0..values.len() {
        builder.push(SourceId::new(0), &format!("{node:04}"));
    }
    let fields = BTreeMap::from([("field".to_owned(), Some(kind))]);
    let column = Column::from_texts(values.iter().map(Option::as_deref));
    Records::new(builder.finish(), Schema::new(&fields), vec![column])
}

fn plan_of(records: &Records, levels: &[String]) -> MatchingPlan {
    let compare = CompareSettings {
        field: "field".to_owned(),
        levels: Some(levels.to_vec()),
        ..CompareSettings::default()
    };
    let block = BlockSettings {
        on: vec!["field.prefix1".to_owned()],
        window: None,
    };
    MatchingPlan::new(records.schema(), &[compare], &[block], &[]).unwrap()
}

fn within(block_len_max: u32) -> crate::BudgetSettings {
    crate::BudgetSettings {
        block_len_max,
        ..crate::BudgetSettings::default()
    }
}

/// The set of words of a value.
fn set(value: &str) -> BTreeSet<&str> {
    sameas_record::words(value).collect()
}

/// Returns what a word weighs among values, the slow way.
fn weight_among(values: &[Option<String>]) -> impl Fn(&str) -> f64 + use<'_> {
    let present: Vec<&str> = values.iter().flatten().map(String::as_str).collect();
    let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
    for word in present.iter().flat_map(|value| set(value)) {
        *counts.entry(word).or_default() += 1.0;
    }
    let (listed, others): (BTreeMap<_, f64>, BTreeMap<_, f64>) =
        counts.into_iter().partition(|(_, count)| *count >= 4.0);
    let total = (present.len() as f64).max(1.0);
    let rest = others.values().sum::<f64>().max(1.0) / (others.len() as f64).max(1.0);
    move |word| {
        let count = listed.get(word).copied().unwrap_or(rest);
        (1.0 + total / count).ln()
    }
}

fn length(words: &BTreeSet<&str>, weight: &impl Fn(&str) -> f64) -> f64 {
    words.iter().map(|w| weight(w).powi(2)).sum::<f64>().sqrt()
}

fn tf_idf(a: &str, b: &str, weight: &impl Fn(&str) -> f64) -> f64 {
    let (a, b) = (set(a), set(b));
    let common = a.intersection(&b).map(|w| weight(w).powi(2)).sum::<f64>();
    common / (length(&a, weight) * length(&b, weight))
}

/// Returns the word that is most alike, the first in byte order of several.
fn closest<'w>(words: &BTreeSet<&'w str>, alike: impl Fn(&str) -> f64) -> Option<(&'w str, f64)> {
    let alike = words.iter().map(|word| (*word, alike(word)));
    alike.fold(None, |best, next| match best {
        Some((_, likeness)) if likeness >= next.1 => best,
        _ => Some(next),
    })
}

fn soft_tf_idf(a: &str, b: &str, weight: &impl Fn(&str) -> f64) -> f64 {
    let (a, b) = (set(a), set(b));
    let (first, second) = if a <= b { (&a, &b) } else { (&b, &a) };
    let shared = first.intersection(second).map(|w| weight(w).powi(2));
    let mut sum = shared.sum::<f64>();
    let first_alone: BTreeSet<&str> = first.difference(second).copied().collect();
    let second_alone: BTreeSet<&str> = second.difference(first).copied().collect();
    for word in &first_alone {
        let alike = |one: &str, other: &str| strsim::jaro_winkler(one, other);
        let Some((other, likeness)) = closest(&second_alone, |other| alike(word, other)) else {
            continue;
        };
        let back = closest(&first_alone, |one| alike(one, other));
        if likeness >= 0.9 && back.is_some_and(|(mutual, _)| mutual == *word) {
            sum += weight(word) * weight(other) * likeness;
        }
    }
    sum / (length(&a, weight) * length(&b, weight))
}

fn monge_elkan(a: &str, b: &str) -> f64 {
    let (mut a, mut b) = (set(a), set(b));
    if a > b {
        (a, b) = (b, a);
    }
    let best_of_b = |w: &&str| {
        a.iter()
            .map(|o| strsim::jaro_winkler(o, w))
            .fold(0.0, f64::max)
    };
    let best_of_a = |w: &&str| {
        b.iter()
            .map(|o| strsim::jaro_winkler(w, o))
            .fold(0.0, f64::max)
    };
    let mean_a = a.iter().map(best_of_a).sum::<f64>() / a.len() as f64;
    let mean_b = b.iter().map(best_of_b).sum::<f64>() / b.len() as f64;
    f64::midpoint(mean_a, mean_b)
}

/// Tells whether the words of the shorter value stand for words of the longer one, trying all ways.
fn initials(a: &str, b: &str) -> bool {
    fn fits(shorter: &[&str], longer: &[&str]) -> bool {
        let Some((word, shorter_rest)) = shorter.split_first() else {
            return true;
        };
        (0..longer.len()).any(|at| {
            let other = longer[at];
            let initial = (word.chars().count() == 1 || other.chars().count() == 1)
                && word.chars().next() == other.chars().next();
            (*word == other || initial) && fits(shorter_rest, &longer[at + 1..])
        })
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (a.split(' ').collect(), b.split(' ').collect());
    if a.len() <= b.len() {
        fits(&a, &b)
    } else {
        fits(&b, &a)
    }
}

/// Holds the level of every pair, both ways round, to what an oracle measures; `levels` are
/// thresholds from the highest on.
fn hold_to(
    test: &str,
    kind: FieldKind,
    values: &[Option<String>],
    measure: &dyn Fn(&str, &str) -> f64,
) -> Result<(), TestCaseError> {
    let thresholds = [1.0, 0.95, 0.9, 0.8, 0.7, 0.5, 0.3, 0.1];
    let levels = thresholds.map(|threshold| format!("{test} >= {threshold}"));
    let records = records(kind, values);
    let plan = plan_of(&records, &levels);
    let prepared = Prepared::new(&records, &plan, &[]);
    let blocking = Blocking::new(&prepared, &plan, &within(1_000));
    let key = FrequencyKey::new([7; 32]);
    let counting = Comparer::new(&prepared, &plan);
    let settings = TrainSettings::default();
    let (model, _) = train(
        &prepared, &counting, &blocking, &plan, &settings, &key, None,
    );
    prop_assert_eq!(model.check(&plan), Ok(()));
    let of_model = Comparer::of_model(&prepared, &plan, &model, &key);
    let row = |node: usize| prepared.rows().of(node as u32);
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate().filter(|(j, _)| *j != i) {
            let level = of_model.level(0, row(i), row(j));
            let (Some(a), Some(b)) = (a, b) else {
                prop_assert_eq!(level, 0);
                continue;
            };
            let alike = if set(a).is_empty() || set(b).is_empty() {
                0.0
            } else {
                measure(a, b)
            };
            let near = |threshold: &f64| (alike - threshold).abs() < NEAR;
            let equal_words = set(a) == set(b);
            prop_assert_eq!(level, of_model.level(0, row(j), row(i)), "{} {}", a, b);
            if thresholds.iter().any(near) && !equal_words {
                continue;
            }
            let above = |threshold: &f64| alike + NEAR >= *threshold;
            let expected = thresholds
                .iter()
                .position(above)
                .unwrap_or(thresholds.len())
                + 1;
            prop_assert_eq!(
                usize::from(level),
                expected,
                "{} of {:?} {:?}: {}",
                test,
                a,
                b,
                alike
            );
            prop_assert_eq!(level, counting.level(0, row(i), row(j)));
            let tests = of_model.comparisons[0].levels.iter().flatten();
            for (test, threshold) in tests.zip(thresholds) {
                // The sieve may let through what does not hold, but never refuses what does.
                let through = test.mesh.lets_through(row(i), row(j));
                prop_assert!(through || alike < threshold, "{} {}", a, b);
                prop_assert_eq!(holds_for(test, (row(i), row(j))), alike + NEAR >= threshold);
            }
        }
    }
    Ok(())
}

/// Values of few words that are often alike, some of many words.
fn values() -> impl Strategy<Value = Vec<Option<String>>> {
    let word = prop_oneof![
        4 => "(martha|marhta|dixon|dicksonx|jones|johnson|jonson|acme|the|of)",
        2 => "[ab]{1,4}",
        1 => "[a-zé]{1,12}",
    ];
    let few = proptest::collection::vec(word.clone(), 0..5);
    let many = proptest::collection::vec(word, 5..30);
    let value = prop_oneof![6 => few, 1 => many].prop_map(|words| words.join(" "));
    let value = value.prop_map(|value| Some(value).filter(|value| !value.is_empty()));
    proptest::collection::vec(value, 2..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn words_weigh_as_the_oracle_weighs_them(values in values()) {
        let weight = weight_among(&values);
        hold_to("tf_idf", FieldKind::Text, &values, &|a, b| tf_idf(a, b, &weight))?;
    }

    #[test]
    fn soft_words_weigh_as_the_oracle_weighs_them(values in values()) {
        let weight = weight_among(&values);
        hold_to("soft_tf_idf", FieldKind::Company, &values, &|a, b| soft_tf_idf(a, b, &weight))?;
    }

    #[test]
    fn closest_words_are_those_of_the_oracle(values in values()) {
        hold_to("monge_elkan", FieldKind::FullName, &values, &monge_elkan)?;
    }

    #[test]
    fn initials_agree_as_the_oracle_says(
        a in "[abc]{1,2}( [abc]{1,2}){0,4}",
        b in "[abc]{1,2}( [abc]{1,2}){0,4}",
    ) {
        prop_assert_eq!(similarity::agrees_in_initials(&a, &b), initials(&a, &b));
        prop_assert_eq!(similarity::agrees_in_initials(&b, &a), initials(&a, &b));
    }
}

/// Returns the level of every pair of values, in order.
fn levels_of(kind: FieldKind, levels: &[&str], values: &[&str]) -> Vec<u8> {
    let values: Vec<_> = values
        .iter()
        .map(|value| Some((*value).to_owned()))
        .collect();
    let records = records(kind, &values);
    let levels: Vec<String> = levels.iter().map(|&level| level.to_owned()).collect();
    let plan = plan_of(&records, &levels);
    let prepared = Prepared::new(&records, &plan, &[]);
    let comparer = Comparer::new(&prepared, &plan);
    let row = |node: usize| prepared.rows().of(node as u32);
    let pairs = (0..values.len()).flat_map(|i| (i + 1..values.len()).map(move |j| (i, j)));
    pairs
        .map(|(i, j)| comparer.level(0, row(i), row(j)))
        .collect()
}

#[test]
fn names_that_initials_shorten_agree() {
    let agree = |a, b| levels_of(FieldKind::FullName, &["initials"], &[a, b]) == [1];
    for (a, b) in [
        ("j smith", "john smith"),
        ("j a smith", "john adam smith"),
        ("john smith", "john adam smith"),
        ("anna", "anna maria"),
        ("maria", "anna maria"),
        ("j r tolkien", "john ronald reuel tolkien"),
        ("john r tolkien", "j ronald tolkien"),
    ] {
        assert!(agree(a, b) && agree(b, a), "{a}, {b}");
    }
    for (a, b) in [
        ("j smith", "anna smith"),
        ("j smith", "john smyth"),
        ("smith john", "john smith"),
        ("jo smith", "john smith"),
    ] {
        assert!(!agree(a, b) && !agree(b, a), "{a}, {b}");
    }
}

#[test]
fn words_are_alike_as_published() {
    // Jaro-Winkler of martha and marhta is 0.961 (Winkler 1990), of dixon and dicksonx 0.813.
    let levels = |test: &str, least: [f64; 2], a, b| {
        let levels = least.map(|least| format!("{test} >= {least}"));
        levels_of(
            FieldKind::Text,
            &levels.each_ref().map(String::as_str),
            &[a, b],
        )[0]
    };
    assert_eq!(levels("monge_elkan", [0.962, 0.961], "martha", "marhta"), 2);
    assert_eq!(
        levels(
            "monge_elkan",
            [0.888, 0.887],
            "martha dixon",
            "dicksonx marhta"
        ),
        2
    );
    // Both words weigh the same, and only the first pair is close enough.
    assert_eq!(
        levels(
            "soft_tf_idf",
            [0.481, 0.480],
            "martha dixon",
            "dicksonx marhta"
        ),
        2
    );
    assert_eq!(levels("tf_idf", [0.51, 0.49], "red lamp", "lamp blue"), 2);
    assert_eq!(levels("tf_idf", [1.0, 0.5], "red lamp", "lamp red"), 1);
}

#[test]
fn rare_words_say_more_than_frequent_ones() {
    let mut values: Vec<String> = (0..40).map(|n| format!("acme word{n}")).collect();
    values.extend(["acme zenith", "acme nadir", "blue zenith"].map(str::to_owned));
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let levels = levels_of(
        FieldKind::Company,
        &["tf_idf >= 0.5", "tf_idf >= 0.01"],
        &values,
    );
    let len = values.len();
    let at = |i: usize, j: usize| levels[i * len - i * (i + 1) / 2 + j - i - 1];
    assert_eq!(at(40, 41), 2, "acme is in nearly all");
    assert_eq!(at(40, 42), 1, "zenith is in two");
    assert_eq!(at(41, 42), 3, "nothing is shared");
}

/// Two words are as close to a third; which of them is its partner must not depend on the order of
/// values, and decides the weight where one is rarer.
#[test]
fn of_two_words_as_close_the_first_in_byte_order_is_the_partner() {
    let mut values = vec!["johnsan acme", "johnsen johnson acme"];
    values.extend(["johnson"; 8]);
    let values: Vec<_> = values
        .iter()
        .map(|value| Some((*value).to_owned()))
        .collect();
    let weight = weight_among(&values);
    let (a, b) = ("johnsan acme", "johnsen johnson acme");
    assert_eq!(
        strsim::jaro_winkler("johnsan", "johnsen").to_bits(),
        strsim::jaro_winkler("johnsan", "johnson").to_bits()
    );
    let likeness = strsim::jaro_winkler("johnsan", "johnsen");
    let partners = weight("johnsan") * weight("johnsen") * likeness + weight("acme").powi(2);
    let cosine = partners / (length(&set(a), &weight) * length(&set(b), &weight));
    let levels = [cosine + 1e-6, cosine - 1e-6].map(|least| format!("soft_tf_idf >= {least}"));
    let levels = levels.each_ref().map(String::as_str);
    let texts: Vec<&str> = values.iter().flatten().map(String::as_str).collect();
    assert_eq!(levels_of(FieldKind::Text, &levels, &texts)[0], 2);
    let swapped: Vec<&str> = [b, a]
        .into_iter()
        .chain(texts[2..].iter().copied())
        .collect();
    assert_eq!(levels_of(FieldKind::Text, &levels, &swapped)[0], 2);
}

#[test]
fn places_are_near_as_the_crow_flies() {
    let kind = FieldKind::Coordinates;
    let munich = [
        "48.137154,11.576124",
        "48.1375,11.5755",
        "48.3539,11.7861",
        "52.52,13.405",
    ];
    let levels = levels_of(
        kind,
        &["exact", "km <= 0.1", "km <= 30", "km <= 505"],
        &munich,
    );
    assert_eq!(levels, [2, 3, 4, 3, 4, 4]);
}

#[test]
fn many_words_of_hostile_values_are_compared_in_part() {
    let value = |from: u32| {
        let words: Vec<String> = (from..from + 5_000).map(|n| format!("w{n:05}")).collect();
        words.join(" ")
    };
    let (a, b) = (value(0), value(5_000));
    for test in [
        "monge_elkan >= 0.99",
        "soft_tf_idf >= 0.99",
        "tf_idf >= 0.01",
    ] {
        assert_eq!(
            levels_of(FieldKind::Text, &[test], &[&a, &b]),
            [2],
            "{test}"
        );
    }
}

/// A rule that asks of words has no comparison in the model, but needs their frequencies.
#[test]
fn a_model_without_the_words_of_a_rule_is_refused() {
    let values = ["red lamp", "lamp red", "blue lamp"].map(|value| Some(value.to_owned()));
    let records = records(FieldKind::Text, &values);
    let plan = plan_of(&records, &["exact".to_owned()]);
    let prepared = Prepared::new(&records, &plan, &[]);
    let blocking = Blocking::new(&prepared, &plan, &within(10));
    let comparer = Comparer::new(&prepared, &plan);
    let key = FrequencyKey::new([7; 32]);
    let settings = TrainSettings::default();
    let (mut model, _) = train(
        &prepared, &comparer, &blocking, &plan, &settings, &key, None,
    );
    assert!(model.words.is_empty() && model.check(&plan).is_ok());
    let rule = RuleSettings {
        name: "titles".to_owned(),
        when: "field: same sorted and field: tf_idf >= 0.9".to_owned(),
    };
    let compare = CompareSettings {
        field: "field".to_owned(),
        levels: Some(vec!["exact".to_owned()]),
        ..CompareSettings::default()
    };
    let plan = MatchingPlan::new(records.schema(), &[compare], &[], &[rule]).unwrap();
    let error = model.check(&plan).unwrap_err().to_string();
    assert!(
        error.contains("frequencies of the words of `field`"),
        "{error}"
    );
    assert!(error.contains("sameas train"), "{error}");
    let prepared = Prepared::new(&records, &plan, &[]);
    let words = prepared.field(plan.comparisons[0].field).words();
    let column = records.column(plan.comparisons[0].field);
    model
        .words
        .insert("field".to_owned(), words.table(column, "field", &key));
    assert_eq!(model.check(&plan), Ok(()));
    let comparer = Comparer::of_model(&prepared, &plan, &model, &key);
    let row = |node: u32| prepared.rows().of(node);
    assert_eq!(comparer.rule_that_links(0, row(0), row(1)), Some(0));
    assert_eq!(comparer.rule_that_links(0, row(0), row(2)), None);
}
