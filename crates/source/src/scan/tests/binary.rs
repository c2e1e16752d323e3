//! Values of every Arrow type, scanned.

use std::fs::File;

use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int32Array, Int64Array, PrimitiveArray, StringArray, StructArray,
};
use arrow_schema::{DataType, Field};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;

use super::*;

fn columns(ids: std::ops::Range<i64>) -> Vec<(&'static str, ArrayRef)> {
    let count = (ids.end - ids.start) as usize;
    let texts: StringArray = ids
        .clone()
        .map(|id| (id % 7 != 0).then(|| format!("name {id}")))
        .collect();
    let cities: DictionaryArray<Int32Type> = ids
        .clone()
        .map(|id| ["Bonn", "Köln"][id as usize % 2])
        .collect();
    let mut tags = ListBuilder::new(StringBuilder::new());
    for id in ids.clone() {
        tags.values().append_value(format!("t{id}"));
        tags.values().append_null();
        tags.append(id % 3 != 0);
    }
    let streets: StringArray = ids.clone().map(|id| Some(format!("street {id}"))).collect();
    let field = Arc::new(Field::new("street", DataType::Utf8, true));
    let address = StructArray::from(vec![(field, Arc::new(streets) as ArrayRef)]);
    let stamps = ids.clone().map(|id| id * 1_000_000);
    let stamps = PrimitiveArray::<TimestampMicrosecondType>::from_iter_values(stamps);
    let prices = Decimal128Array::from_iter_values(ids.clone().map(i128::from))
        .with_precision_and_scale(10, 2);
    vec![
        ("id", Arc::new(Int64Array::from_iter_values(ids.clone()))),
        ("Name", Arc::new(texts)),
        ("city", Arc::new(cities)),
        ("tags", Arc::new(tags.finish())),
        ("address", Arc::new(address)),
        ("born", Arc::new(Date32Array::from(vec![11_000; count]))),
        ("seen", Arc::new(stamps)),
        ("price", Arc::new(prices.unwrap())),
        ("ok", Arc::new(BooleanArray::from(vec![true; count]))),
    ]
}

pub(super) fn batch(columns: Vec<(&'static str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

pub(super) fn write_parquet(path: &Path, batches: &[RecordBatch], group_rows: usize) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batches[0].schema(), Some(properties)).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.close().unwrap();
}

pub(super) fn write_arrow(path: &Path, batches: &[RecordBatch]) {
    let file = File::create(path).unwrap();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(file, &batches[0].schema()).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
}

const TEXTS: [&str; 9] = [
    "Name",
    "city",
    "tags",
    "address.street",
    "get_field(address, 'street')",
    "born",
    "seen",
    "price",
    "ok",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_formats_pass_types_through_and_count_rows() {
    let folder = Folder::new();
    let whole = batch(columns(0..30_001));
    let batches = [whole.slice(0, 30_000), whole.slice(30_000, 1)];
    write_parquet(&folder.path("a.parquet"), &batches, 5_000);
    write_arrow(&folder.path("a.arrow"), &batches);
    let mut all = Vec::new();
    for uri in ["a.parquet", "a.arrow"] {
        let source = folder.open(uri).await.unwrap();
        assert_eq!(source.row_count().await.unwrap(), RowCount::Exact(30_001));
        let found = rows(&source, &request("id", &TEXTS), 1).await.unwrap();
        assert_eq!(found.len(), 30_001);
        let first = table(&[[
            "1",
            "name 1",
            "Köln",
            "[t1, ]",
            "street 1",
            "street 1",
            "2000-02-13",
            "1970-01-01T00:00:01",
            "0.01",
            "true",
        ]]);
        assert!(found.contains(&first[0]), "{:?}", found[1]);
        assert!(rows(&source, &request("id", &TEXTS), 4).await.unwrap() == found);
        all.push(found);
    }
    assert!(all[0] == all[1]);
}

#[tokio::test]
async fn truncated_files_are_named() {
    let folder = Folder::new();
    let batches = [batch(columns(0..1_000))];
    write_parquet(&folder.path("whole.parquet"), &batches, 100);
    write_arrow(&folder.path("whole.arrow"), &batches);
    for name in ["parquet", "arrow"] {
        let whole = std::fs::read(folder.path(&format!("whole.{name}"))).unwrap();
        for len in [1, 4, 9, 100, whole.len() / 2, whole.len() - 1] {
            folder.write(&format!("cut.{name}"), &whole[..len]);
            let error = folder.open(&format!("cut.{name}")).await.unwrap_err();
            assert!(matches!(error, OpenError::Damaged { .. }), "{len}: {error}");
            assert!(error.to_string().contains(&format!("cut.{name}")));
        }
    }
    folder.write("text.parquet", "id,name\n1,x\n");
    assert!(matches!(
        folder.open("text.parquet").await,
        Err(OpenError::Damaged { .. })
    ));
}

#[tokio::test]
async fn flipped_bytes_end_in_an_error_or_in_rows_but_never_in_a_panic() {
    let folder = Folder::new();
    let texts: StringArray = (0..2_000)
        .map(|row| Some(format!("{CANARY} {row}")))
        .collect();
    let ids = Int64Array::from_iter_values(0..2_000);
    let batches = [batch(vec![
        ("id", Arc::new(ids)),
        ("name", Arc::new(texts)),
    ])];
    write_parquet(&folder.path("whole.parquet"), &batches, 500);
    write_arrow(&folder.path("whole.arrow"), &batches);
    let mut failed = 0;
    for name in ["parquet", "arrow"] {
        let whole = std::fs::read(folder.path(&format!("whole.{name}"))).unwrap();
        for step in 0..60 {
            let mut broken = whole.clone();
            let at = whole.len() * step / 60;
            broken[at] ^= 0xA5;
            let uri = format!("broken.{name}");
            folder.write(&uri, &broken);
            failed += usize::from(folder.rows(&uri, "id", &["name"]).await.is_err());
        }
    }
    assert!(failed > 0);
}

#[tokio::test]
async fn a_damaged_page_names_its_file_among_many() {
    let folder = Folder::new();
    let batches = [batch(columns(0..2_000))];
    write_parquet(&folder.path("a.parquet"), &batches, 500);
    let mut broken = std::fs::read(folder.path("a.parquet")).unwrap();
    let len = broken.len() / 4;
    broken[4..len].fill(0xFF);
    folder.write("b.parquet", &broken);
    let error = folder.rows("*.parquet", "id", &["Name"]).await.unwrap_err();
    assert!(error.contains("b.parquet is damaged"), "{error}");
}

#[tokio::test]
async fn files_with_other_columns_or_order_are_joined_by_name() {
    let first = batch(vec![
        ("id", Arc::new(Int32Array::from(vec![1]))),
        ("name", Arc::new(StringArray::from(vec!["x"]))),
        ("n", Arc::new(Int64Array::from(vec![1]))),
    ]);
    let second = batch(vec![
        ("extra", Arc::new(StringArray::from(vec!["e"]))),
        (
            "name",
            Arc::new(arrow_array::LargeStringArray::from(vec!["y"])),
        ),
        ("id", Arc::new(Int64Array::from(vec![2]))),
        ("n", Arc::new(Float64Array::from(vec![1.5]))),
    ]);
    let folder = Folder::new();
    write_parquet(&folder.path("a.parquet"), std::slice::from_ref(&first), 10);
    write_parquet(&folder.path("b.parquet"), std::slice::from_ref(&second), 10);
    write_arrow(&folder.path("a.arrow"), &[first]);
    write_arrow(&folder.path("b.arrow"), &[second]);
    for uri in ["*.parquet", "*.arrow"] {
        let found = folder.rows(uri, "id", &["name", "extra"]).await.unwrap();
        assert_eq!(found, table(&[["1", "x", ""], ["2", "y", "e"]]));
        let error = folder.rows(uri, "id", &["n"]).await.unwrap_err();
        assert!(
            error.contains("\"n\" has no single type: a whole number in"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn huge_parquet_cells_make_small_batches() {
    let cells: Vec<_> = (0..20)
        .map(|row| format!("{row}").repeat(4 << 20))
        .collect();
    let ids = Int64Array::from_iter_values(0..20);
    let names = StringArray::from_iter_values(&cells);
    let batches = [batch(vec![
        ("id", Arc::new(ids)),
        ("name", Arc::new(names)),
    ])];
    let folder = Folder::new();
    write_parquet(&folder.path("a.parquet"), &batches, 1_000);
    let source = folder.open("a.parquet").await.unwrap();
    let streams = source.scan(&request("id", &["name"]), 1).await.unwrap();
    for stream in streams {
        for batch in stream.try_collect::<Vec<_>>().await.unwrap() {
            assert!(batch.num_rows() <= 4, "{}", batch.num_rows());
        }
    }
    assert_eq!(
        rows(&source, &request("id", &[]), 2).await.unwrap().len(),
        20
    );
}
