//! Arrow IPC files: footers and blocks, read by ranges, only the columns asked for decoded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::buffer::Buffer;
use arrow::compute::cast;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::{
    self, Block, CompressionType, FieldNode, Message, MetadataVersion, root_as_footer,
    root_as_message,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use datafusion::common::DataFusionError;
use futures::stream::{Stream, StreamExt, TryStreamExt, iter, once};
use object_store::ObjectStoreExt;

use super::store::DataFile;
use crate::error::ScanError;

/// The length of a footer's length and the magic after it.
const TAIL_LEN: u64 = 10;

/// The rows of a block: the format asks no reader for more.
const ROW_COUNT_MAX: i64 = i32::MAX as i64;

/// The uncompressed bytes of one compressed buffer, which the decoder allocates before it reads:
/// what the 32-bit offsets of a text column can reach.
const UNCOMPRESSED_LEN_MAX: u64 = 1 << 31;

/// The bytes that one byte of LZ4 can stand for: a byte of a match length adds at most 255
/// (LZ4 Block Format, "Match length").
const LZ4_RATIO_MAX: u64 = 255;

/// The bytes that one byte of Zstandard can stand for: no block is under 4 bytes, nor gives over
/// 128 KiB (RFC 8878, 3.1.1.2).
const ZSTD_RATIO_MAX: u64 = 128 * 1024 / 4;

/// The length before a compressed buffer that is stored as it is.
const NOT_COMPRESSED: i64 = -1;

/// What the footer of a file tells.
#[derive(Debug)]
pub(crate) struct ArrowFile {
    pub(crate) schema: SchemaRef,
    pub(crate) row_count: u64,
    pub(crate) blocks: Vec<Block>,
    dictionaries: Vec<Block>,
    version: MetadataVersion,
}

/// Some blocks of one file.
#[derive(Clone, Debug)]
pub(crate) struct ArrowPiece {
    pub(crate) source_name: Arc<str>,
    pub(crate) file: DataFile,
    pub(crate) content: Arc<ArrowFile>,
    pub(crate) blocks: Vec<Block>,
}

/// Reads the footer and the heads of the blocks; a file without them is damaged.
pub(crate) async fn probe(file: &DataFile) -> Option<ArrowFile> {
    let size = file.meta.size;
    let tail = range(file, size.checked_sub(TAIL_LEN)?, TAIL_LEN).await?;
    let footer_len = read_footer_length(tail.as_slice().try_into().ok()?).ok()? as u64;
    let footer = range(file, size.checked_sub(TAIL_LEN + footer_len)?, footer_len).await?;
    let mut found = parse(&footer)?;
    if !found
        .blocks
        .iter()
        .chain(&found.dictionaries)
        .all(|block| is_within(block, size))
    {
        return None;
    }
    for block in &found.blocks {
        let head = range(file, block.offset() as u64, block.metaDataLength() as u64).await?;
        found.row_count = found.row_count.checked_add(row_count(&head)?)?;
    }
    Some(found)
}

fn parse(footer: &[u8]) -> Option<ArrowFile> {
    let footer = root_as_footer(footer).ok()?;
    let schema = footer.schema().filter(|schema| schema.fields().is_some())?;
    let blocks = footer.recordBatches()?.iter().copied().collect();
    let dictionaries = footer
        .dictionaries()
        .map(|all| all.iter().copied().collect());
    Some(ArrowFile {
        schema: Arc::new(fb_to_schema(schema)),
        row_count: 0,
        blocks,
        dictionaries: dictionaries.unwrap_or_default(),
        version: footer.version(),
    })
}

fn is_within(block: &Block, size: u64) -> bool {
    let end = || {
        let head = u64::try_from(block.metaDataLength()).ok()?;
        let body = u64::try_from(block.bodyLength()).ok()?;
        u64::try_from(block.offset())
            .ok()?
            .checked_add(head)?
            .checked_add(body)
    };
    end().is_some_and(|end| end <= size)
}

fn row_count(head: &[u8]) -> Option<u64> {
    u64::try_from(message(head)?.header_as_record_batch()?.length()).ok()
}

fn message(head: &[u8]) -> Option<Message<'_>> {
    // Since Arrow 0.15 a marker precedes the length of the message.
    let is_marked = head.get(..4)? == [0xFF; 4];
    root_as_message(head.get(if is_marked { 8 } else { 4 }..)?).ok()
}

/// Tells whether what the head of a block says goes with its body.
///
/// The decoder asserts it or takes it for granted: ranges within the body, lengths that are none
/// below zero, one length for the batch and its first column, buffers that memory can hold.
fn is_sound(block: &Block, bytes: &[u8]) -> bool {
    let body_len = block.bodyLength();
    let is_within = |buffer: &ipc::Buffer| {
        let end = buffer.offset().checked_add(buffer.length());
        buffer.offset() >= 0 && buffer.length() >= 0 && end.is_some_and(|end| end <= body_len)
    };
    let is_length = |node: &FieldNode| {
        (0..=ROW_COUNT_MAX).contains(&node.length())
            && (0..=node.length()).contains(&node.null_count())
    };
    let check = |(head, body): (_, &[u8])| {
        let message = message(head)?;
        let batch = match message.header_as_dictionary_batch() {
            Some(dictionary) => dictionary.data()?,
            None => message.header_as_record_batch()?,
        };
        let (buffers, nodes) = (batch.buffers()?, batch.nodes()?);
        let first = nodes
            .iter()
            .next()
            .map_or(batch.length(), FieldNode::length);
        let is_decodable = |buffer| match batch.compression() {
            Some(compression) => is_decompressible(compression.codec(), body, buffer),
            None => true,
        };
        let is_sound = first == batch.length()
            && buffers.iter().all(is_within)
            && buffers.iter().all(is_decodable)
            && nodes.iter().all(is_length);
        Some(is_sound)
    };
    let parts = usize::try_from(block.metaDataLength())
        .ok()
        .and_then(|len| bytes.split_at_checked(len));
    parts.and_then(check).unwrap_or(false)
}

/// Tells whether the length before a compressed buffer is one that its bytes can have.
fn is_decompressible(codec: CompressionType, body: &[u8], buffer: &ipc::Buffer) -> bool {
    let ratio_max = match codec {
        CompressionType::LZ4_FRAME => LZ4_RATIO_MAX,
        CompressionType::ZSTD => ZSTD_RATIO_MAX,
        _ => return false,
    };
    let (start, len) = (buffer.offset() as usize, buffer.length() as u64);
    // An empty buffer has no length before it.
    if len == 0 {
        return true;
    }
    let Some(compressed_len) = len.checked_sub(size_of::<i64>() as u64) else {
        return false;
    };
    let prefix = body.get(start..).and_then(|bytes| bytes.first_chunk());
    let len_max = UNCOMPRESSED_LEN_MAX.min(compressed_len.saturating_mul(ratio_max));
    prefix.is_some_and(|prefix| match i64::from_le_bytes(*prefix) {
        NOT_COMPRESSED => true,
        len => u64::try_from(len).is_ok_and(|len| len <= len_max),
    })
}

/// Runs the decoder on bytes that may be damaged.
///
/// What a head says about nested columns is only known on the way, and the decoder answers some of
/// it with a panic. It keeps no state that a panic could leave half written: what fails here is
/// dropped by the caller.
fn contained<T>(decode: impl FnOnce() -> Result<T, ArrowError>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(decode)).ok()?.ok()
}

async fn range(file: &DataFile, start: u64, len: u64) -> Option<Vec<u8>> {
    let bytes = file
        .store
        .get_range(&file.meta.location, start..start + len)
        .await
        .ok()?;
    (bytes.len() as u64 == len).then(|| bytes.to_vec())
}

impl ArrowPiece {
    /// Returns the batches of the blocks, with the columns of `schema`; absent ones are null.
    pub(crate) fn batches(
        self,
        schema: SchemaRef,
    ) -> impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send {
        let piece = Arc::new(self);
        let open = async move {
            let decoder = Arc::new(piece.decoder(&schema).await?);
            let blocks = piece.blocks.clone();
            let read = move |block| {
                let (piece, decoder) = (Arc::clone(&piece), Arc::clone(&decoder));
                let schema = Arc::clone(&schema);
                async move { piece.read(&decoder, block, &schema).await }
            };
            Ok::<_, ScanError>(iter(blocks).then(read))
        };
        once(open).map_err(DataFusionError::from).try_flatten()
    }

    async fn decoder(&self, schema: &Schema) -> Result<FileDecoder, ScanError> {
        let file_schema = &self.content.schema;
        let mut decoder = FileDecoder::new(Arc::clone(file_schema), self.content.version)
            .with_projection(projection(file_schema, schema));
        for block in &self.content.dictionaries {
            let bytes = self.block(block).await?;
            contained(|| decoder.read_dictionary(block, &bytes)).ok_or_else(|| self.damaged())?;
        }
        Ok(decoder)
    }

    async fn read(
        &self,
        decoder: &FileDecoder,
        block: Block,
        schema: &SchemaRef,
    ) -> Result<RecordBatch, DataFusionError> {
        let bytes = self.block(&block).await?;
        let found = contained(|| decoder.read_record_batch(&block, &bytes));
        let batch = found.flatten().ok_or_else(|| self.damaged())?;
        Ok(adapt(&batch, schema)?)
    }

    async fn block(&self, block: &Block) -> Result<Buffer, ScanError> {
        let start = block.offset() as u64;
        let len = block.metaDataLength() as u64 + block.bodyLength() as u64;
        let location = &self.file.meta.location;
        let bytes = self
            .file
            .store
            .get_range(location, start..start + len)
            .await;
        let bytes = bytes.map_err(|error| self.file.unreadable(&self.source_name, &error))?;
        if bytes.len() as u64 != len || !is_sound(block, &bytes) {
            return Err(self.damaged());
        }
        Ok(Buffer::from(bytes))
    }

    fn damaged(&self) -> ScanError {
        let (source_name, file) = (self.source_name.to_string(), self.file.name.clone());
        ScanError::Damaged { source_name, file }
    }
}

fn projection(file_schema: &Schema, schema: &Schema) -> Vec<usize> {
    schema
        .fields()
        .iter()
        .filter_map(|field| file_schema.index_of(field.name()).ok())
        .collect()
}

/// Brings a batch to the schema that all files share.
fn adapt(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        })
        .collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

#[cfg(test)]
mod tests;
