#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::Range;

use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{DictionaryArray, Int64Array, StringArray, StringViewArray, StructArray};
use arrow_schema::{DataType, Field};
use object_store::memory::InMemory;
use object_store::path::Path;

use super::*;

const CODECS: [CompressionType; 2] = [CompressionType::LZ4_FRAME, CompressionType::ZSTD];

/// Returns a file with a column of each layout, every one with a null.
fn file() -> Vec<u8> {
    written(1, None)
}

/// Returns the same rows, again and again so that buffers get smaller, compressed.
fn compressed(codec: CompressionType) -> Vec<u8> {
    written(12, Some(codec))
}

fn written(times: usize, codec: Option<CompressionType>) -> Vec<u8> {
    let texts = || {
        let once = [Some("x"), None, Some("a text that no view holds in itself")];
        once.repeat(times)
    };
    let coded: DictionaryArray<Int32Type> = texts().into_iter().collect();
    let mut lists = ListBuilder::new(StringBuilder::new());
    for _ in 0..times {
        lists.append_value([Some("x"), None, Some("a longer text")]);
        lists.append_null();
        lists.append_value([Some("y")]);
    }
    let field = Arc::new(Field::new("street", DataType::Utf8, true));
    let streets = Arc::new(StringArray::from_iter(texts())) as ArrayRef;
    let columns: [(&str, ArrayRef); 6] = [
        (
            "id",
            Arc::new(Int64Array::from([Some(1), None, Some(3)].repeat(times))),
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
    let options = IpcWriteOptions::default().try_with_compression(codec);
    let mut writer =
        FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options.unwrap()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Counts the rows of the columns at the given places, or says why not.
async fn read(bytes: Vec<u8>, columns: &[usize]) -> Result<usize, String> {
    let batches = batches(bytes, columns).await?;
    Ok(batches.iter().map(RecordBatch::num_rows).sum())
}

async fn batches(bytes: Vec<u8>, columns: &[usize]) -> Result<Vec<RecordBatch>, String> {
    let (store, location) = (Arc::new(InMemory::new()), Path::from("broken.arrow"));
    store.put(&location, bytes.into()).await.unwrap();
    let meta = store.head(&location).await.unwrap();
    let name = location.to_string();
    let file = DataFile {
        name,
        store,
        meta,
        constants: Vec::new(),
        encoding: crate::Encoding::default(),
    };
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
    batches.map_err(|error| ScanError::from_stream("crm", &error).to_string())
}

/// Returns the blocks of a file, those of dictionaries first.
async fn blocks(bytes: Vec<u8>) -> Vec<Block> {
    let (store, location) = (Arc::new(InMemory::new()), Path::from("whole.arrow"));
    store.put(&location, bytes.into()).await.unwrap();
    let meta = store.head(&location).await.unwrap();
    let name = location.to_string();
    let found = probe(&DataFile {
        name,
        store,
        meta,
        constants: Vec::new(),
        encoding: crate::Encoding::default(),
    })
    .await
    .unwrap();
    [found.dictionaries, found.blocks].concat()
}

/// Returns where the head of a block and where its body begins and ends.
fn bounds(block: &Block) -> [usize; 3] {
    let start = block.offset() as usize;
    let body = start + block.metaDataLength() as usize;
    [start, body, body + block.bodyLength() as usize]
}

/// Returns where the lengths before compressed buffers are.
fn prefixes(bytes: &[u8], block: &Block) -> Vec<usize> {
    let [head, body, _] = bounds(block);
    let message = message(&bytes[head..body]).unwrap();
    let batch = match message.header_as_dictionary_batch() {
        Some(dictionary) => dictionary.data().unwrap(),
        None => message.header_as_record_batch().unwrap(),
    };
    let buffers = batch.buffers().unwrap().iter();
    let filled = buffers.filter(|buffer| buffer.length() > 0);
    filled
        .map(|buffer| body + buffer.offset() as usize)
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
    for [start, body, _] in blocks(file()).await.iter().map(bounds) {
        for (what, broken) in flipped(&file(), start..body) {
            for columns in projections {
                failed_count += failures(&what, &broken, columns, 3).await;
            }
        }
    }
    assert!(failed_count > 1_000, "{failed_count}");
}

/// Returns the file with one byte changed, for each of the places, and what was changed.
fn flipped(whole: &[u8], places: Range<usize>) -> impl Iterator<Item = (String, Vec<u8>)> {
    let flips = places.flat_map(|at| [0xFF, 0x80, 0x01].map(|mask| (at, mask)));
    flips.map(|(at, mask)| {
        let mut broken = whole.to_vec();
        broken[at] ^= mask;
        (format!("{at} ^ {mask:#x}"), broken)
    })
}

/// Returns 1 if the file is refused by name, and 0 if it has so many rows.
async fn failures(what: &str, broken: &[u8], columns: &[usize], row_count: usize) -> usize {
    match read(broken.to_vec(), columns).await {
        Ok(rows) => {
            assert_eq!(rows, row_count, "{what}");
            0
        }
        Err(error) => {
            assert!(error.contains("broken.arrow"), "{what}: {error}");
            1
        }
    }
}

/// Compressed blocks were refused as damaged, though Feather files of pandas have no others. They
/// are now read, with the lengths before their buffers checked.
#[tokio::test]
async fn compressed_blocks_read_as_those_that_are_not() {
    let columns = [0, 1, 2, 3, 4, 5];
    let plain = batches(written(12, None), &columns).await.unwrap();
    for codec in CODECS {
        let bytes = compressed(codec);
        let mut packed_count = 0;
        for at in blocks(bytes.clone()).await {
            let lens = prefixes(&bytes, &at);
            let lens = lens.iter().map(|&at| bytes[at..].first_chunk().unwrap());
            packed_count += lens.filter(|len| i64::from_le_bytes(**len) > 0).count();
        }
        assert!(packed_count > 5, "{codec:?}: {packed_count}");
        assert_eq!(batches(bytes, &columns).await.unwrap(), plain, "{codec:?}");
    }
}

#[tokio::test]
async fn a_flipped_byte_in_a_compressed_block_never_gets_out_as_a_panic() {
    for codec in CODECS {
        let whole = compressed(codec);
        let mut failed_count = 0;
        for [start, _, end] in blocks(whole.clone()).await.iter().map(bounds) {
            for (what, broken) in flipped(&whole, start..end) {
                failed_count += failures(&what, &broken, &[0, 1, 2, 3, 4, 5], 36).await;
            }
        }
        assert!(failed_count > 1_000, "{codec:?}: {failed_count}");
    }
}

/// The decoder allocates what the length before a buffer says, and a process without the memory
/// ends there. Lengths are checked before, also those of columns that nobody asked for.
#[tokio::test]
async fn a_length_that_a_compressed_buffer_cannot_have_is_damage_with_a_name() {
    for codec in CODECS {
        let whole = compressed(codec);
        let blocks = blocks(whole.clone()).await;
        for at in blocks.iter().flat_map(|block| prefixes(&whole, block)) {
            for len in [-2, i64::MIN, i64::MAX, 1 << 40, 1 << 30] {
                let mut broken = whole.clone();
                broken[at..at + 8].copy_from_slice(&len.to_le_bytes());
                let what = format!("{codec:?} at {at}: {len}");
                assert_eq!(failures(&what, &broken, &[], 36).await, 1, "{what}");
            }
        }
    }
}

#[test]
fn the_length_before_a_compressed_buffer_has_bounds() {
    let (lz4, zstd) = (CompressionType::LZ4_FRAME, CompressionType::ZSTD);
    let cases = [
        (lz4, 8 + 10, 2_550, true),
        (lz4, 8 + 10, 2_551, false),
        (zstd, 8 + 10, 327_680, true),
        (zstd, 8 + 10, 327_681, false),
        (lz4, 1 << 40, 1 << 31, true),
        (lz4, 1 << 40, (1 << 31) + 1, false),
        (zstd, 8, 0, true),
        (zstd, 8, 1, false),
        (zstd, 8, -1, true),
        (zstd, 8, -2, false),
        (zstd, 7, -1, false),
        (zstd, 0, -2, true),
        (CompressionType(7), 8, 0, false),
    ];
    for (codec, buffer_len, len, is_fine) in cases {
        let buffer = ipc::Buffer::new(0, buffer_len);
        let found = is_decompressible(codec, &i64::to_le_bytes(len), &buffer);
        assert_eq!(found, is_fine, "{codec:?}, {buffer_len}, {len}");
    }
}
