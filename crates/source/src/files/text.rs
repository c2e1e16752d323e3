//! Text files: chunks read and decompressed ahead of the decoder, batches out.

use std::io::{self, Read};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use datafusion::common::DataFusionError;
use flate2::read::MultiGzDecoder;
use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt, try_unfold};
use object_store::{GetResultPayload, ObjectStoreExt};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::csv::CsvDecoder;
use super::encoding::FromWindows1252;
use super::format::{Compression, compression_of};
use super::ndjson::NdjsonDecoder;
use super::store::DataFile;
use crate::descriptor::Encoding;
use crate::error::{ScanError, StoreCause};
use crate::flaw::{Flaw, Problem};

/// The bytes read and decoded in one go.
pub(crate) const CHUNK_LEN: usize = 1 << 20;

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";
const UTF16_MARKS: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];

/// Why no further chunk came.
#[derive(Debug)]
pub(crate) enum ChunkError {
    /// The store failed.
    Store(StoreCause),
    /// The bytes are not what they should be.
    Problem(Problem),
}

/// A reader, and what it read last.
type ReadAhead = (Box<dyn Read + Send>, io::Result<Vec<u8>>);

/// The content of a file, decompressed and without a byte order mark.
pub(crate) struct Chunks {
    compression: Compression,
    ahead: Option<JoinHandle<ReadAhead>>,
    is_first: bool,
    mark_len: u64,
}

/// A decoder of either text format.
pub(crate) enum Decoder {
    Csv(CsvDecoder),
    Ndjson(NdjsonDecoder),
}

impl Chunks {
    /// Starts to read a file.
    pub(crate) async fn open(file: &DataFile) -> Result<Self, ChunkError> {
        let store_failed = |error| ChunkError::Store(StoreCause::new(&error));
        let got = file
            .store
            .get(&file.meta.location)
            .await
            .map_err(store_failed)?;
        let raw: Box<dyn Read + Send> = match got.payload {
            GetResultPayload::File(file, _) => Box::new(file),
            GetResultPayload::Stream(stream) => {
                Box::new(Download::new(stream.map_ok(|bytes| bytes.to_vec()).boxed()))
            }
        };
        let compression = compression_of(&file.name);
        let reader: Box<dyn Read + Send> = match compression {
            Compression::None | Compression::Unknown => raw,
            Compression::Gzip => Box::new(MultiGzDecoder::new(raw)),
            Compression::Zstd => Box::new(
                zstd::Decoder::new(raw)
                    .map_err(|error| ChunkError::Store(StoreCause::from_io(&error)))?,
            ),
        };
        let reader = match file.encoding {
            Encoding::Utf8 => reader,
            Encoding::Windows1252 => Box::new(FromWindows1252::new(reader)),
        };
        Ok(Self::start(reader, compression))
    }

    fn start(reader: Box<dyn Read + Send>, compression: Compression) -> Self {
        Self {
            compression,
            ahead: Some(read_ahead(reader)),
            is_first: true,
            mark_len: 0,
        }
    }

    /// Returns the bytes of the mark before the first chunk, once that has come.
    pub(crate) fn mark_len(&self) -> u64 {
        self.mark_len
    }

    /// Returns the next chunk; all but the last have [`CHUNK_LEN`] bytes.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, ChunkError> {
        let Some(ahead) = self.ahead.take() else {
            return Ok(None);
        };
        let (reader, read) = ahead.await.map_err(|_| ChunkError::Store(interrupted()))?;
        let mut chunk = read.map_err(|error| self.explain(&error))?;
        if chunk.is_empty() {
            return Ok(None);
        }
        self.ahead = Some(read_ahead(reader));
        if std::mem::take(&mut self.is_first) {
            let len = chunk.len();
            drop_mark(&mut chunk)?;
            self.mark_len = (len - chunk.len()) as u64;
        }
        Ok(Some(chunk))
    }

    fn explain(&self, error: &io::Error) -> ChunkError {
        let from_store = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<object_store::Error>());
        match (from_store, self.compression) {
            (Some(inner), _) => ChunkError::Store(StoreCause::new(inner)),
            (None, Compression::Gzip | Compression::Zstd) => {
                ChunkError::Problem(Problem::Compressed)
            }
            (None, _) => ChunkError::Store(StoreCause::from_io(error)),
        }
    }
}

fn read_ahead(mut reader: Box<dyn Read + Send>) -> JoinHandle<ReadAhead> {
    tokio::task::spawn_blocking(move || {
        let mut chunk = Vec::with_capacity(CHUNK_LEN);
        let read = reader
            .by_ref()
            .take(CHUNK_LEN as u64)
            .read_to_end(&mut chunk);
        (reader, read.map(|_| chunk))
    })
}

fn interrupted() -> StoreCause {
    StoreCause::from_io(&io::ErrorKind::Interrupted.into())
}

fn drop_mark(chunk: &mut Vec<u8>) -> Result<(), ChunkError> {
    if UTF16_MARKS.iter().any(|mark| chunk.starts_with(mark)) {
        return Err(ChunkError::Problem(Problem::Utf16));
    }
    if chunk.starts_with(UTF8_MARK) {
        chunk.drain(..UTF8_MARK.len());
    }
    Ok(())
}

/// A download as a blocking reader, so that one decompressor serves files and downloads.
struct Download {
    runtime: Handle,
    stream: BoxStream<'static, object_store::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Download {
    fn new(stream: BoxStream<'static, object_store::Result<Vec<u8>>>) -> Self {
        Self {
            runtime: Handle::current(),
            stream,
            piece: io::Cursor::default(),
        }
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.runtime.block_on(self.stream.next()) {
                Some(piece) => self.piece = io::Cursor::new(piece.map_err(io::Error::other)?),
                None => return Ok(0),
            }
        }
    }
}

impl Decoder {
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        match self {
            Self::Csv(decoder) => decoder.decode(input),
            Self::Ndjson(decoder) => decoder.decode(input),
        }
    }

    pub(crate) fn finish(&mut self) -> Result<(), Flaw> {
        match self {
            Self::Csv(decoder) => decoder.finish(),
            Self::Ndjson(decoder) => decoder.finish(),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Csv(decoder) => decoder.is_full(),
            Self::Ndjson(decoder) => decoder.is_full(),
        }
    }

    pub(crate) fn row_count(&self) -> usize {
        match self {
            Self::Csv(decoder) => decoder.row_count(),
            Self::Ndjson(decoder) => decoder.row_count(),
        }
    }

    pub(crate) fn line(&self) -> u64 {
        match self {
            Self::Csv(decoder) => decoder.line(),
            Self::Ndjson(decoder) => decoder.line(),
        }
    }

    pub(crate) fn take_batch(&mut self) -> Result<RecordBatch, ArrowError> {
        match self {
            Self::Csv(decoder) => decoder.take_batch(),
            Self::Ndjson(decoder) => decoder.take_batch(),
        }
    }

    pub(crate) fn keep_starts(&mut self) {
        match self {
            Self::Csv(decoder) => decoder.keep_starts(),
            Self::Ndjson(decoder) => decoder.keep_starts(),
        }
    }

    pub(crate) fn take_starts(&mut self) -> Vec<u64> {
        match self {
            Self::Csv(decoder) => decoder.take_starts(),
            Self::Ndjson(decoder) => decoder.take_starts(),
        }
    }

    /// Returns the names in the header of a CSV file, once it is read.
    pub(crate) fn header(&self) -> &[String] {
        match self {
            Self::Csv(decoder) => decoder.header().unwrap_or_default(),
            Self::Ndjson(_) => &[],
        }
    }
}

/// One file on its way through its decoder.
struct TextScan {
    source_name: Arc<str>,
    file: DataFile,
    chunks: Chunks,
    decoder: Decoder,
    chunk: Vec<u8>,
    at: usize,
    is_ended: bool,
}

/// Returns the batches of one file.
pub(crate) fn batches(
    source_name: Arc<str>,
    file: DataFile,
    decoder: Decoder,
) -> impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send {
    let open = async move {
        let chunks = match Chunks::open(&file).await {
            Ok(chunks) => chunks,
            Err(error) => return Err(stopped(&source_name, &file, 1, error)),
        };
        let (chunk, at, is_ended) = (Vec::new(), 0, false);
        let scan = TextScan {
            source_name,
            file,
            chunks,
            decoder,
            chunk,
            at,
            is_ended,
        };
        Ok(try_unfold(scan, |mut scan| async move {
            Ok(scan.next_batch().await?.map(|batch| (batch, scan)))
        }))
    };
    futures::stream::once(open)
        .map_err(DataFusionError::from)
        .try_flatten()
}

impl TextScan {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>, DataFusionError> {
        loop {
            if self.at < self.chunk.len() {
                let used = self.decoder.decode(&self.chunk[self.at..]);
                self.at += used.map_err(|flaw| self.flawed(flaw))?;
            } else if self.is_ended {
                let has_rows = self.decoder.row_count() > 0;
                return if has_rows {
                    Ok(Some(self.decoder.take_batch()?))
                } else {
                    Ok(None)
                };
            } else {
                self.refill().await?;
            }
            if self.decoder.is_full() {
                return Ok(Some(self.decoder.take_batch()?));
            }
        }
    }

    async fn refill(&mut self) -> Result<(), ScanError> {
        self.at = 0;
        let next = self.chunks.next().await;
        match next {
            Ok(Some(chunk)) => self.chunk = chunk,
            Ok(None) => {
                self.chunk = Vec::new();
                self.is_ended = true;
                self.decoder.finish().map_err(|flaw| self.flawed(flaw))?;
            }
            Err(error) => {
                return Err(stopped(
                    &self.source_name,
                    &self.file,
                    self.decoder.line(),
                    error,
                ));
            }
        }
        Ok(())
    }

    fn flawed(&self, flaw: Flaw) -> ScanError {
        flawed(&self.source_name, &self.file, flaw)
    }
}

pub(crate) fn stopped(
    source_name: &str,
    file: &DataFile,
    line: u64,
    error: ChunkError,
) -> ScanError {
    match error {
        ChunkError::Store(cause) => file.failed(source_name, cause),
        ChunkError::Problem(problem) => flawed(source_name, file, Flaw::new(line, problem)),
    }
}

pub(crate) fn flawed(source_name: &str, file: &DataFile, flaw: Flaw) -> ScanError {
    ScanError::Flawed {
        source_name: source_name.to_owned(),
        file: file.name.clone(),
        flaw,
    }
}
