#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn schema() -> Schema {
    let fields = [
        ("dob", FieldKind::Date),
        ("email", FieldKind::Email),
        ("home", FieldKind::Coordinates),
        ("passport", FieldKind::Identifier),
        ("surname", FieldKind::Surname),
    ];
    Schema::new(
        &fields
            .map(|(name, kind)| (name.to_owned(), Some(kind)))
            .into(),
    )
}

fn compare(field: &str, level: &str) -> CompareSettings {
    CompareSettings {
        field: field.to_owned(),
        levels: Some(vec!["exact".to_owned(), level.to_owned()]),
        ..CompareSettings::default()
    }
}

#[test]
fn a_window_wants_a_length_and_one_value_a_record() {
    for (on, window, problem) in [
        ("surname", 1, "window: expected a number from 2 to 100"),
        ("surname", 101, "window: expected a number from 2 to 100"),
        (
            "surname.tokens",
            5,
            "on: a window needs one value a record to sort by, and `tokens` has several; use `sorted` or another form",
        ),
        ("surname.sorted", 5, ""),
    ] {
        let block = BlockSettings {
            on: vec![on.to_owned()],
            window: Some(window),
        };
        let plan = MatchingPlan::new(
            &schema(),
            &[compare("surname", "jaro_winkler >= 0.9")],
            &[block],
            &[],
        );
        let found = plan.map(|plan| plan.rules[0].name.clone());
        match found {
            Ok(name) => assert_eq!((name.as_str(), problem), ("surname.sorted (window 5)", "")),
            Err(errors) => {
                assert_eq!(errors.len(), 1, "{errors:?}");
                let told = format!("{}: {}", errors[0].place.key, errors[0].message);
                assert_eq!(told, problem);
            }
        }
    }
}

fn blocks(count: usize) -> Vec<BlockSettings> {
    let block = BlockSettings {
        on: vec!["email".to_owned()],
        ..BlockSettings::default()
    };
    vec![block; count]
}

fn rules(count: usize) -> Vec<RuleSettings> {
    let rule = |index| RuleSettings {
        name: format!("rule {index}"),
        when: "email: exact".to_owned(),
    };
    (0..count).map(rule).collect()
}

/// Evidence names its rule in one byte, so the 257th rule was taken for the first. More than 256
/// are now refused, at the first that is too many.
#[test]
fn more_rules_than_evidence_can_name_are_refused() {
    let plan =
        |rule: usize, block: usize| MatchingPlan::new(&schema(), &[], &blocks(block), &rules(rule));
    for (rule, block) in [(0, 256), (256, 0), (6, 250)] {
        assert_eq!(plan(rule, block).unwrap().rules.len(), 256);
    }
    for (rule, block, table, index) in [
        (0, 257, "block", 256),
        (6, 251, "block", 250),
        (257, 0, "rule", 256),
        (300, 5, "rule", 256),
    ] {
        let errors = plan(rule, block).unwrap_err();
        let [error] = &errors[..] else {
            panic!("{errors:?}");
        };
        assert_eq!((error.place.table, error.place.index), (table, index));
        let says = format!("{rule} rules and {block} blocks are more than 256 together; remove");
        assert!(error.message.starts_with(&says), "{error}");
    }
}

/// Tests of tokens were accepted for fields that have none, where they never hold.
#[test]
fn tests_of_tokens_need_a_field_that_has_tokens() {
    let plan =
        |field: &str, level: &str| MatchingPlan::new(&schema(), &[compare(field, level)], &[], &[]);
    for level in ["jaccard >= 0.5", "overlap >= 1"] {
        for field in ["surname", "email"] {
            assert!(plan(field, level).is_ok(), "{field}: {level}");
        }
        for field in ["dob", "passport"] {
            let errors = plan(field, level).unwrap_err();
            assert_eq!(errors[0].place.item, Some(1), "{field}: {level}");
            let says = "needs a field that is of words or e-mail";
            assert!(errors[0].message.contains(says), "{}", errors[0]);
        }
        assert!(plan("surname", &format!("dob: {level}")).is_err());
    }
}

#[test]
fn tests_of_words_and_places_need_fields_that_have_them() {
    let plan =
        |field: &str, level: &str| MatchingPlan::new(&schema(), &[compare(field, level)], &[], &[]);
    let words = ["tf_idf >= 0.5", "soft_tf_idf >= 0.5", "monge_elkan >= 0.5"];
    for (levels, fits, does_not, says) in [
        (&words[..], "email", "dob", "of words or e-mail"),
        (&["initials"], "surname", "email", "of words"),
        (
            &["km <= 0.5"],
            "home",
            "surname",
            "coordinates (`latitude,longitude`)",
        ),
    ] {
        for level in levels {
            assert!(plan(fits, level).is_ok(), "{fits}: {level}");
            assert!(plan("passport", &format!("{fits}: {level}")).is_ok());
            let errors = plan(does_not, level).unwrap_err();
            let says = format!("needs a field that is {says}, `{does_not}` is");
            assert!(errors[0].message.contains(&says), "{}", errors[0]);
        }
    }
    for level in [
        "km <= -1",
        "km <= 30000",
        "km >= 1",
        "tf_idf >= 1.5",
        "initials >= 1",
        "tf_idf",
    ] {
        assert!(plan("surname", level).is_err(), "{level}");
    }
    // A field of coordinates brings its levels along.
    let home = CompareSettings {
        field: "home".to_owned(),
        ..CompareSettings::default()
    };
    let plan = MatchingPlan::new(&schema(), &[home], &[], &[]).unwrap();
    let levels = &plan.comparisons[0].level_names();
    assert_eq!(levels[1..5], ["exact", "km <= 0.1", "km <= 1", "km <= 10"]);
    assert_eq!(plan.comparisons[0].scope, Scope::Household);
}

#[test]
fn a_kind_that_does_not_fit_the_field_is_refused_where_it_stands() {
    let street = CompareSettings {
        field: "passport".to_owned(),
        kind: Some("street".to_owned()),
        ..CompareSettings::default()
    };
    let errors = MatchingPlan::new(&schema(), &[street], &[], &[]).unwrap_err();
    let place = &errors[0].place;
    assert_eq!(
        (place.table, place.key, place.item),
        ("compare", "kind", None)
    );
}

#[test]
fn used_fields_are_those_that_tests_and_keys_name() {
    let compared = [compare("surname", "passport: exact")];
    let block = BlockSettings {
        on: vec!["dob.year".to_owned()],
        ..BlockSettings::default()
    };
    let plan = MatchingPlan::new(&schema(), &compared, &[block], &[]).unwrap();
    let names = plan.used_fields();
    let names = names.iter().map(|&id| schema().field(id).name.clone());
    assert_eq!(names.collect::<Vec<_>>(), ["dob", "passport", "surname"]);
}
