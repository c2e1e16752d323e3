#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use arrow_array::builder::{BinaryBuilder, ListBuilder};
use arrow_array::{
    BinaryArray, Date32Array, Float32Array, Float64Array, TimestampMicrosecondArray,
    TimestampMillisecondArray,
};

use super::*;
use crate::{FieldKind, Records, Schema, SourceParts, assemble};

/// Takes in batches of `id` and columns that all feed one field.
fn take_in(
    kind: FieldKind,
    duplicate_keys: DuplicateKeys,
    batches: &[RecordBatch],
) -> Result<Records, IngestError> {
    let schema = Schema::new(&BTreeMap::from([("field".to_owned(), Some(kind))]));
    let column_count = batches[0].num_columns();
    let plan = SourcePlan {
        name: "crm".to_owned(),
        locale: Locale {
            region: Some("US".to_owned()),
            ..Locale::default()
        },
        duplicate_keys,
        columns: std::iter::once("id".to_owned())
            .chain((1..column_count).map(|n| format!("c{n}")))
            .collect(),
        fields: vec![FieldPlan {
            field: schema.field_id("field").unwrap(),
            columns: (1..column_count).collect(),
            part: None,
        }],
    };
    let mut ingest = PartitionIngest::new(&plan);
    for batch in batches {
        ingest.push(batch)?;
    }
    let parts = vec![ingest.finish()];
    assemble(vec![SourceParts { plan, parts }.in_key_order()?], schema)
}

fn batch(keys: &[&str], columns: Vec<ArrayRef>) -> RecordBatch {
    let keys: ArrayRef = Arc::new(keys.iter().map(Some).collect::<StringArray>());
    let columns = std::iter::once(keys).chain(columns).enumerate();
    RecordBatch::try_from_iter(columns.map(|(n, column)| (n.to_string(), column))).unwrap()
}

fn texts<const N: usize>(values: [&str; N]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Lists the values of every record, in node order.
fn values(records: &Records) -> Vec<Vec<String>> {
    let column = records.column(records.schema().field_id("field").unwrap());
    let text = |value| column.dictionary().text(value).to_owned();
    (0..records.len())
        .map(|node| column.values(node).map(text).collect())
        .collect()
}

fn refusal(kind: FieldKind, column: ArrayRef) -> String {
    let keys: Vec<String> = (0..column.len()).map(|n| n.to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let batch = batch(&keys, vec![column]);
    let taken = take_in(kind, DuplicateKeys::Refuse, &[batch]);
    taken.unwrap_err().to_string()
}

/// Further values are listed column by column, but were looked up as if they stood row by row:
/// records that differ in them were merged, and equal ones refused. They are now sorted by row.
#[test]
fn records_of_one_key_are_compared_in_all_their_columns() {
    let columns = |third: [&str; 3]| {
        let columns = vec![texts(["a", "b", "a"]), texts(["p", "q", "p"]), texts(third)];
        vec![batch(&["k", "m", "k"], columns)]
    };
    let merge = |batches: &[RecordBatch]| take_in(FieldKind::Text, DuplicateKeys::Merge, batches);
    let records = merge(&columns(["x", "y", "x"])).unwrap();
    assert_eq!(values(&records), [["a", "p", "x"], ["b", "q", "y"]]);
    let error = merge(&columns(["x", "y", "z"])).unwrap_err();
    assert!(
        matches!(error, IngestError::ConflictingKeys { count: 1, .. }),
        "{error}"
    );
}

#[test]
fn records_of_one_key_are_compared_across_batches() {
    let part = |third| {
        let columns = vec![texts(["a"]), texts(["p"]), texts([third])];
        batch(&["k"], columns)
    };
    let merge = |batches: &[RecordBatch]| take_in(FieldKind::Text, DuplicateKeys::Merge, batches);
    assert_eq!(merge(&[part("x"), part("x")]).unwrap().len(), 1);
    assert!(merge(&[part("x"), part("y")]).is_err());
}

/// Numbers that passed through a floating-point column ended in `.0`, whose digit a telephone
/// number took for its own. Whole numbers are now written without a fraction.
#[test]
fn whole_numbers_of_floating_point_columns_have_no_fraction() {
    let phones = vec![4_155_550_100.0, 4_155_550_101.0];
    let wide: ArrayRef = Arc::new(Float64Array::from(phones.clone()));
    let mut lists =
        arrow_array::builder::ListBuilder::new(arrow_array::builder::Float64Builder::new());
    for &phone in &phones {
        lists.values().append_value(phone);
        lists.append(true);
    }
    let lists: ArrayRef = Arc::new(lists.finish());
    for column in [wide, lists] {
        let batch = batch(&["1", "2"], vec![column]);
        let records = take_in(FieldKind::Phone, DuplicateKeys::Refuse, &[batch]).unwrap();
        assert_eq!(values(&records), [["+14155550100"], ["+14155550101"]]);
    }
    let dates: ArrayRef = Arc::new(Float64Array::from(vec![20_010_403.0]));
    let records = take_in(
        FieldKind::Date,
        DuplicateKeys::Refuse,
        &[batch(&["1"], vec![dates])],
    );
    assert_eq!(values(&records.unwrap()), [["2001-04-03"]]);
    let numbers: ArrayRef = Arc::new(Float32Array::from(vec![0.1, 1e16, 17.0]));
    let records = take_in(
        FieldKind::Text,
        DuplicateKeys::Refuse,
        &[batch(&["1", "2", "3"], vec![numbers])],
    );
    assert_eq!(
        values(&records.unwrap()),
        [["0 1"], ["10000000000000000"], ["17"]]
    );
}

/// A lax cast turned bytes that are no text into missing values. They now stop the rebuild.
#[test]
fn bytes_that_are_no_text_are_refused_and_counted() {
    let bytes: Vec<Option<&[u8]>> = vec![Some(b"fine"), None, Some(b"\xffcanary"), Some(b"\xfe")];
    let message = refusal(FieldKind::Text, Arc::new(BinaryArray::from(bytes)));
    for says in ["`crm`", "`c1`", "2 or more cells of type Binary", "UTF-8"] {
        assert!(message.contains(says), "{message}");
    }
    assert!(!message.contains("canary"), "{message}");
}

#[test]
fn lists_with_bytes_that_are_no_text_are_refused_and_counted() {
    let mut lists = ListBuilder::new(BinaryBuilder::new());
    lists.append_value([Some(b"fine"), None]);
    lists.append_value([Some(b"fine"), Some(b"\xffbad")]);
    let message = refusal(FieldKind::Text, Arc::new(lists.finish()));
    assert!(
        message.contains("1 or more cells of type List"),
        "{message}"
    );
    assert!(message.contains("UTF-8"), "{message}");
}

/// A date out of range fails a lax cast too, so its whole type was called unfit. Its cells are now
/// counted, and the type is blamed only if no cell of it could be text.
#[test]
fn dates_and_times_that_cannot_be_text_are_refused_and_counted() {
    let cells = || [Some(0), None, Some(i64::MAX), Some(i64::MIN)];
    let columns: [(ArrayRef, &str); 4] = [
        (
            Arc::new(TimestampMillisecondArray::from_iter(cells())),
            "2 or more cells of type Timestamp",
        ),
        (
            Arc::new(TimestampMicrosecondArray::from_iter(cells()).with_timezone("+02:00")),
            "2 or more cells of type Timestamp",
        ),
        (
            Arc::new(TimestampMillisecondArray::from(vec![Some(0), None]).with_timezone("No/Zone")),
            "1 or more cells of type Timestamp",
        ),
        (
            Arc::new(Date32Array::from(vec![Some(0), None, Some(i32::MAX)])),
            "1 or more cells of type Date32",
        ),
    ];
    for (column, cells) in columns {
        let message = refusal(FieldKind::Date, column);
        for says in ["`crm`", "`c1`", cells, "out of range", "mend the source"] {
            assert!(message.contains(says), "{message}");
        }
        assert!(!message.contains("UTF-8"), "{message}");
    }
}

#[test]
fn bytes_that_are_text_are_read() {
    let bytes: Vec<Option<&[u8]>> = vec![Some(b"fine"), None];
    let batch = batch(&["1", "2"], vec![Arc::new(BinaryArray::from(bytes))]);
    let records = take_in(FieldKind::Text, DuplicateKeys::Refuse, &[batch]).unwrap();
    assert_eq!(values(&records), [vec!["fine"], vec![]]);
}

/// The refusal of a long key quoted its beginning, which is a value if `key` names the wrong
/// column. It now tells count and length.
#[test]
fn a_key_that_is_too_long_is_not_quoted() {
    let long = format!("canary {}", "x".repeat(KEY_LEN_MAX));
    let longer = format!("{long}x");
    let batch = batch(&[&long, &longer, "3"], vec![texts(["a", "b", "c"])]);
    let error = take_in(FieldKind::Text, DuplicateKeys::Refuse, &[batch]).unwrap_err();
    let message = error.to_string();
    let says = format!(
        "2 keys are longer than {KEY_LEN_MAX} bytes, the longest has {}",
        longer.len()
    );
    assert!(message.contains(&says), "{message}");
    assert!(!message.contains("canary"), "{message}");
}
