#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use arrow::ipc::writer::FileWriter;
use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{DictionaryArray, Int64Array, StringArray, StringViewArray, StructArray};
use arrow_schema::{DataType, Field};
use object_store::memory::InMemory;
use object_store::path::Path;

use super::*;

/// Returns a file with a column of each layout, every one with a null.
fn file() -> Vec<u8> {
    let texts = || [Some("x"), None, Some("a text that no view holds in itself")];
    let coded: DictionaryArray<Int32Type> = texts().into_iter().collect();
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value(texts());
    lists.append_null();
    lists.append_value([Some("y")]);
    let field = Arc::new(Field::new("street", DataType::Utf8, true));
    let streets = Arc::new(StringArray::from_iter(texts())) as ArrayRef;
    let columns: [(&str, ArrayRef); 6] = [
        (
            "id",
            Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
        ),
        ("text", Arc::new(StringArray::from_iter(texts()))),
        ("view", Arc::new(StringViewArray::from_iter(texts()))),
        ("coded", Arc::new(coded)),
        ("list", Arc::new(lists.finish())),
        (
            "nested",
            Arc::new(StructArray::from(vec![(field, streets)])),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Reads the columns at the given places, or says why not.
async fn read(bytes: Vec<u8>, columns: &[usize]) -> Result<usize, String> {
    let (store, location) = (Arc::new(InMemory::new()), Path::from("broken.arrow"));
    store.put(&location, bytes.into()).await.unwrap();
    let meta = store.head(&location).await.unwrap();
    let name = location.to_string();
    let file = DataFile { name, store, meta };
    let content = Arc::new(probe(&file).await.ok_or("broken.arrow tells nothing")?);
    let schema = Arc::new(content.schema.project(columns).unwrap());
    let blocks = content.blocks.clone();
    let piece = ArrowPiece {
        source_name: "crm".into(),
        file,
        content,
        blocks,
    };
    let batches = piece.batches(schema).try_collect::<Vec<_>>().await;
    let batches = batches.map_err(|error| ScanError::from_stream("crm", &error).to_string())?;
    Ok(batches.iter().map(RecordBatch::num_rows).sum())
}

/// Returns the places of the bytes that describe the bodies of blocks.
async fn heads() -> Vec<usize> {
    let (store, location) = (Arc::new(InMemory::new()), Path::from("whole.arrow"));
    store.put(&location, file().into()).await.unwrap();
    let meta = store.head(&location).await.unwrap();
    let name = location.to_string();
    let found = probe(&DataFile { name, store, meta }).await.unwrap();
    let blocks = found.dictionaries.iter().chain(&found.blocks);
    blocks
        .flat_map(|block| {
            let start = block.offset() as usize;
            start..start + block.metaDataLength() as usize
        })
        .collect()
}

/// The decoder asserts what the heads of blocks say about their bodies, so a flipped byte ended in
/// a panic. Heads are checked before, and a panic that is left does not get out.
#[tokio::test]
async fn a_flipped_byte_in_the_head_of_a_block_is_damage_with_a_name() {
    let projections: [&[usize]; 4] = [&[0, 1, 2, 3, 4, 5], &[2], &[5], &[]];
    for columns in projections {
        assert_eq!(read(file(), columns).await, Ok(3));
    }
    let mut failed_count = 0;
    for at in heads().await {
        for mask in [0xFF, 0x80, 0x01] {
            let mut broken = file();
            broken[at] ^= mask;
            for columns in projections {
                match read(broken.clone(), columns).await {
                    Ok(rows) => assert_eq!(rows, 3, "{at} ^ {mask:#x}"),
                    Err(error) => {
                        assert!(error.contains("broken.arrow"), "{at} ^ {mask:#x}: {error}");
                        failed_count += 1;
                    }
                }
            }
        }
    }
    assert!(failed_count > 1_000, "{failed_count}");
}
