#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sameas_record::Schema;

use super::{Predicate, PredicateError};

fn schema() -> Schema {
    let names = ["first_name", "surname", "dob", "lat"];
    Schema::new(&names.iter().map(|&name| (name.to_owned(), None)).collect())
}

fn parse(text: &str) -> Result<Predicate, PredicateError> {
    Predicate::parse(text, &schema())
}

#[test]
fn order_matters_only_where_the_two_records_are_asked_different_things() {
    for (text, expected) in [
        ("first_name_l = first_name_r", true),
        (
            "\"first_name_l\" = \"surname_r\" AND \"first_name_r\" = \"surname_l\"",
            true,
        ),
        ("first_name_l = surname_r OR surname_l = first_name_r", true),
        ("first_name_l = surname_r", false),
        (
            "abs(epoch(try_strptime(dob_l, '%Y')) - epoch(try_strptime(dob_r, '%Y'))) <= 1",
            true,
        ),
        ("lat_l - lat_r < 1", false),
        ("levenshtein(first_name_l, first_name_r) <= 2", true),
    ] {
        assert_eq!(parse(text).unwrap().is_symmetric(), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_asked_is_named_with_what_can() {
    for (text, expected) in [
        (
            "jaro_winkler(surname_l, surname_r) > 0.9",
            "did you mean `jaro_winkler_similarity`",
        ),
        ("surnam_l = surname_r", "did you mean `surname_l`"),
        ("surname = surname_r", "`surname`"),
        ("surname_l = (select 1)", "not supported"),
        ("surname_l =", "is not SQL"),
        ("surname_l = surname_r)", "was not expected"),
        ("try_strptime(dob_l, '%Q') is null", "`%Q` is not known"),
        (
            "regexp_extract(dob_l, '(') = ''",
            "not a regular expression",
        ),
        ("levenshtein(dob_l) < 1", "expected 2 arguments"),
    ] {
        let told = parse(text).unwrap_err().to_string();
        assert!(told.contains(expected), "{text}: {told}");
    }
}

#[test]
fn nested_beyond_measure_is_refused() {
    let text = format!(
        "{}surname_l{} = surname_r",
        "(".repeat(5000),
        ")".repeat(5000)
    );
    assert!(matches!(parse(&text), Err(PredicateError::Syntax { .. })));
}
