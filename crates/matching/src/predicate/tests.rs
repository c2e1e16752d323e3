#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sameas_record::Schema;

use super::value::Value;
use super::{Predicate, PredicateError, Side, parse::parse as tree_of};

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
fn long_conditions_neither_end_the_process_nor_take_long() {
    let many = |len| vec!["surname_l = surname_r"; len].join(" and ");
    assert!(parse(&many(150)).unwrap().is_symmetric());
    let told = parse(&many(600)).unwrap_err().to_string();
    assert!(told.contains("at most 200 operators"), "{told}");
    let sum = format!("lat_l = {}", vec!["1"; 8_000].join("+"));
    assert!(parse(&sum).is_err());
    // Each side of each equality could be that of the other.
    let nested = (0..12).fold("surname_l = surname_r".to_owned(), |inner, _| {
        format!("(({inner}) = (dob_l = dob_r))")
    });
    assert!(parse(&nested).unwrap().is_symmetric());
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

/// What stands in a file of `tests/splink/make.py`, line by line.
fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.split_terminator('\n').skip(1).map(cells).collect()
}

/// Holds calls to the columns of what `DuckDB` gave; two columns are the left and the right record's value.
fn hold_to_duckdb(rows: &[Vec<String>], left: usize, right: usize, calls: &[(usize, &str)]) {
    let schema = Schema::new(&[("x".to_owned(), None)].into_iter().collect());
    for (column, call) in calls {
        let tree = tree_of(call, &schema).unwrap();
        for row in rows {
            let value = tree.value(&|leaf| {
                Value::text_of(match leaf.side {
                    Side::Left => &row[left],
                    Side::Right => &row[right],
                })
            });
            let expected = row[*column].as_str();
            let same = match &value {
                Value::Null => expected == "NULL",
                Value::Number(number) => expected.parse() == Ok(*number),
                other => other.text().as_deref() == Some(expected),
            };
            let (a, b) = (&row[left], &row[right]);
            assert!(
                same,
                "{call} of {a:?} and {b:?} is {:?}, not {expected}",
                value.text()
            );
        }
    }
}

#[test]
fn functions_give_what_those_of_duckdb_give_bit_by_bit() {
    let rows = rows(include_str!("../../../../tests/splink/functions.tsv"));
    assert_eq!(rows.len(), 6_000);
    let calls = [
        (2, "levenshtein(x_l, x_r)"),
        (3, "damerau_levenshtein(x_l, x_r)"),
        (4, "jaro_similarity(x_l, x_r)"),
        (5, "jaro_winkler_similarity(x_l, x_r)"),
        (6, "jaccard(x_l, x_r)"),
        (7, "substr(x_l, 2, 3)"),
        (8, "left(x_r, -1)"),
        (9, "lower(x_r)"),
        (10, "reverse(x_l)"),
        (11, "regexp_extract(x_l, '^\\w+')"),
        (12, "split_part(x_l, ' ', 2)"),
    ];
    hold_to_duckdb(&rows, 0, 1, &calls);
}

#[test]
fn dates_are_read_as_duckdb_reads_them() {
    let rows = rows(include_str!("../../../../tests/splink/dates.tsv"));
    assert_eq!(rows.len(), 4_500);
    let calls = [
        (1, "epoch(try_strptime(x_l, '%Y-%m-%d'))"),
        (2, "epoch(try_strptime(x_l, '%Y%m%d'))"),
        (3, "epoch(try_strptime(x_l, '%d-%m-%Y'))"),
    ];
    hold_to_duckdb(&rows, 0, 0, &calls);
}
