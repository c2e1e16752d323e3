//! Where records stand in text files, remembered in memory between fetches.
//!
//! Cost: a pass over the keys of all files at the second fetch, and 16 bytes a record from then on.
//! Of a key a keyed hash is kept, not the key. A place is a hint: the record that is found there has
//! to have the key, and a file that is not as it was is passed over again.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use futures::stream::{StreamExt, TryStreamExt, iter};
use object_store::{ObjectMeta, ObjectStoreExt};
use tokio::sync::Mutex;

use super::csv::CsvDecoder;
use super::ndjson::NdjsonDecoder;
use super::piece::TextReading;
use super::shape::Shape;
use super::store::{DataFile, is_same};
use super::text::{Chunks, Decoder, flawed, stopped};
use super::{BATCH_ROWS_MAX, RECORD_LEN_MAX};
use crate::error::ScanError;
use crate::fetch::FETCHED_ROWS_MAX;
use crate::keys::texts_of;
use crate::task::to_the_end;

/// The records whose places are remembered: 512 MiB at most.
const PLACE_COUNT_MAX: usize = 32 << 20;
/// The bytes that are read of a record at first.
const FIRST_LEN: u64 = 16 << 10;
/// How often places are learnt anew because others stand there.
const ATTEMPT_COUNT_MAX: usize = 2;
/// The records that are read at a time.
const READ_COUNT_MAX: usize = 16;

/// The places of a source's records. They hold hashes of keys and do not print themselves.
#[derive(Default)]
pub(crate) struct Places {
    /// Its key is drawn when the process first asks.
    hasher: RandomState,
    /// Locked by the pass that goes on, if one does.
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The column that was asked for last; the first fetch by it is a search.
    key: Option<String>,
    is_full: bool,
    files: Vec<Arc<FilePlaces>>,
}

/// The places of the records of one file.
struct FilePlaces {
    meta: ObjectMeta,
    /// The names in the header of a CSV file.
    header: Vec<String>,
    /// Hash and place of each record, by hash.
    places: Vec<(u64, u64)>,
}

/// A text file and how it is read.
pub(crate) struct TextFile<'f> {
    pub(crate) file: &'f DataFile,
    pub(crate) reading: TextReading,
}

/// What the record at a place should be.
struct Place {
    hash: u64,
    start: u64,
}

impl Places {
    /// Returns the records with these keys, the given columns of them, if the places of all are
    /// known; `None` at the first fetch, and if files are compressed, in another encoding or have too many records.
    pub(crate) async fn fetch(
        &self,
        source_name: &str,
        files: &[TextFile<'_>],
        schema: &SchemaRef,
        key: &str,
        keys: &[&str],
    ) -> Result<Option<Vec<RecordBatch>>, ScanError> {
        let is_searched = |text: &TextFile<'_>| !text.file.has_places();
        let Ok(key_at) = schema.index_of(key) else {
            return Ok(None);
        };
        if files.iter().any(is_searched) {
            return Ok(None);
        }
        let key_schema = schema.project(&[key_at]);
        let key_schema = Arc::new(key_schema.unwrap_or_else(|_| Schema::empty()));
        let mut hashes: Vec<u64> = keys.iter().map(|key| self.hash(key)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let mut stale = None;
        for _ in 0..ATTEMPT_COUNT_MAX {
            let known = self.known(source_name, files, key, &key_schema);
            let Some(known) = known.await? else {
                return Ok(None);
            };
            stale = None;
            let mut batches = Vec::new();
            for (text, known) in std::iter::zip(files, &known) {
                let wanted = known.wanted(&hashes);
                if batches.len() + wanted.len() > FETCHED_ROWS_MAX {
                    let source_name = source_name.to_owned();
                    return Err(ScanError::TooManyFetched { source_name });
                }
                match known.read(source_name, text, schema, &wanted).await {
                    Ok(found) if self.have_keys(&found, key_at, &wanted) => batches.extend(found),
                    Ok(_) | Err(ScanError::Flawed { .. }) => stale = Some(text),
                    Err(error) => return Err(error),
                }
            }
            // Something else stands there than what the pass saw.
            let Some(text) = stale else {
                return Ok(Some(batches));
            };
            self.state.lock().await.forget(text.file);
        }
        match stale {
            Some(text) => Err(text.changed(source_name)),
            None => Ok(None),
        }
    }

    /// Returns the places of all files, after a pass over those that are not known.
    async fn known(
        &self,
        source_name: &str,
        files: &[TextFile<'_>],
        key: &str,
        key_schema: &SchemaRef,
    ) -> Result<Option<Vec<Arc<FilePlaces>>>, ScanError> {
        let mut state = Arc::clone(&self.state).lock_owned().await;
        if state.key.as_deref() != Some(key) {
            *state = State {
                key: Some(key.to_owned()),
                ..State::default()
            };
            return Ok(None);
        }
        state.keep_only(files);
        let unknown = files.iter().filter(|text| state.of(text.file).is_none());
        let passes: Vec<(Pass, Decoder)> = unknown
            .map(|text| {
                let pass = Pass {
                    source_name: source_name.to_owned(),
                    file: text.file.clone(),
                    hasher: self.hasher.clone(),
                };
                let decoder = text.reading.decoder(Arc::clone(key_schema), BATCH_ROWS_MAX);
                (pass, decoder)
            })
            .collect();
        if !passes.is_empty() && !state.is_full {
            // Large files take longer than a caller waits: the next one finds what was learnt.
            let learning = async move {
                for (pass, decoder) in passes {
                    let places = pass.places(decoder).await?;
                    state.keep(places);
                    if state.is_full {
                        break;
                    }
                }
                Ok::<_, ScanError>(state)
            };
            state = to_the_end(learning).await?;
        }
        if state.is_full {
            return Ok(None);
        }
        Ok(files.iter().map(|text| state.of(text.file)).collect())
    }

    fn hash(&self, key: &str) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Tells whether each record has the key whose place was asked for.
    fn have_keys(&self, found: &[RecordBatch], key_at: usize, wanted: &[Place]) -> bool {
        let has_key = |(batch, place): (&RecordBatch, &Place)| {
            let texts = batch.columns().get(key_at).and_then(texts_of);
            texts.is_some_and(|texts| {
                texts.len() == 1 && texts.is_valid(0) && self.hash(texts.value(0)) == place.hash
            })
        };
        found.len() == wanted.len() && std::iter::zip(found, wanted).all(has_key)
    }
}

/// A pass over one file.
struct Pass {
    source_name: String,
    file: DataFile,
    hasher: RandomState,
}

impl Pass {
    /// Reads the keys of the file from its beginning to its end, and where their records stand.
    async fn places(&self, mut decoder: Decoder) -> Result<FilePlaces, ScanError> {
        let (source_name, file) = (self.source_name.as_str(), &self.file);
        decoder.keep_starts();
        let flaw = |flaw| flawed(source_name, file, flaw);
        let opened = Chunks::open(file).await;
        let mut chunks = opened.map_err(|error| stopped(source_name, file, 1, error))?;
        let mut places = Vec::new();
        loop {
            let chunk = chunks.next().await;
            let chunk = chunk.map_err(|error| stopped(source_name, file, decoder.line(), error))?;
            let Some(chunk) = chunk else { break };
            let mut at = 0;
            while at < chunk.len() {
                at += decoder.decode(&chunk[at..]).map_err(flaw)?;
                if decoder.is_full() {
                    self.note(&mut decoder, chunks.mark_len(), &mut places);
                }
            }
        }
        decoder.finish().map_err(flaw)?;
        self.note(&mut decoder, chunks.mark_len(), &mut places);
        file.require_unchanged(source_name).await?;
        places.sort_unstable();
        places.shrink_to_fit();
        Ok(FilePlaces {
            meta: file.meta.clone(),
            header: decoder.header().to_vec(),
            places,
        })
    }

    /// Notes the places of the records that were decoded.
    fn note(&self, decoder: &mut Decoder, mark_len: u64, places: &mut Vec<(u64, u64)>) {
        let starts = decoder.take_starts();
        let texts = decoder.take_batch().ok();
        let texts = texts.and_then(|batch| texts_of(batch.columns().first()?));
        for (key, start) in std::iter::zip(texts.iter().flat_map(|texts| texts.iter()), starts) {
            if let Some(key) = key {
                places.push((self.hasher.hash_one(key), start + mark_len));
            }
        }
    }
}

impl State {
    /// Forgets files that are gone or not as they were.
    fn keep_only(&mut self, files: &[TextFile<'_>]) {
        let is_there = |known: &FilePlaces| files.iter().any(|text| known.is_of(text.file));
        self.files.retain(|known| is_there(known));
    }

    fn of(&self, file: &DataFile) -> Option<Arc<FilePlaces>> {
        self.files.iter().find(|known| known.is_of(file)).cloned()
    }

    fn forget(&mut self, file: &DataFile) {
        self.files.retain(|known| !known.is_of(file));
    }

    /// Keeps the places of a file, unless that makes too many.
    fn keep(&mut self, places: FilePlaces) {
        let count: usize = self.files.iter().map(|known| known.places.len()).sum();
        if count + places.places.len() > PLACE_COUNT_MAX {
            self.is_full = true;
            self.files.clear();
        } else {
            self.files.push(Arc::new(places));
        }
    }
}

impl FilePlaces {
    fn is_of(&self, file: &DataFile) -> bool {
        self.meta.location == file.meta.location && is_same(&self.meta, &file.meta)
    }

    /// Returns the places of the keys with these hashes, in the order of the file.
    fn wanted(&self, hashes: &[u64]) -> Vec<Place> {
        let mut wanted = Vec::new();
        for &hash in hashes {
            let first = self.places.partition_point(|&(other, _)| other < hash);
            let same = self.places.iter().skip(first);
            let same = same.take_while(|&&(other, _)| other == hash);
            wanted.extend(same.map(|&(hash, start)| Place { hash, start }));
        }
        wanted.sort_unstable_by_key(|place| place.start);
        wanted
    }

    /// Reads the records at the places of these keys, each a batch.
    async fn read(
        &self,
        source_name: &str,
        text: &TextFile<'_>,
        schema: &SchemaRef,
        wanted: &[Place],
    ) -> Result<Vec<RecordBatch>, ScanError> {
        let reads = wanted.iter().map(|place| async {
            let mut decoder = text
                .reading
                .decoder_within(Arc::clone(schema), &self.header);
            text.read_one(source_name, &mut decoder, place.start)
                .await?;
            let taken = decoder.take_batch();
            taken.map_err(|_| text.changed(source_name))
        });
        let reads: Vec<_> = reads.collect();
        iter(reads).buffered(READ_COUNT_MAX).try_collect().await
    }
}

impl TextFile<'_> {
    /// Decodes the record that begins at a place.
    async fn read_one(
        &self,
        source_name: &str,
        decoder: &mut Decoder,
        start: u64,
    ) -> Result<(), ScanError> {
        let end = self.file.meta.size;
        let (mut at, mut len) = (start, FIRST_LEN);
        while !decoder.is_full() && at < end && at - start <= RECORD_LEN_MAX as u64 {
            let until = end.min(at + len);
            let range = self
                .file
                .store
                .get_range(&self.file.meta.location, at..until);
            let bytes = range.await.map_err(|error| match error {
                // A file that became shorter.
                object_store::Error::Generic { .. } | object_store::Error::NotFound { .. } => {
                    self.changed(source_name)
                }
                error => self.file.unreadable(source_name, &error),
            })?;
            let decoded = decoder.decode(&bytes);
            decoded.map_err(|flaw| flawed(source_name, self.file, flaw))?;
            (at, len) = (until, len * 4);
        }
        if decoder.is_full() {
            return Ok(());
        }
        let ended = decoder.finish();
        ended.map_err(|flaw| flawed(source_name, self.file, flaw))
    }

    fn changed(&self, source_name: &str) -> ScanError {
        ScanError::Changed {
            source_name: source_name.to_owned(),
            file: self.file.name.clone(),
        }
    }
}

impl TextReading {
    /// Makes a decoder of a whole file.
    pub(crate) fn decoder(&self, schema: SchemaRef, row_limit: usize) -> Decoder {
        match self {
            Self::Csv { delimiter } => Decoder::Csv(CsvDecoder::new(*delimiter, schema, row_limit)),
            Self::Ndjson { keys } => {
                let is_read = |(name, _): &(&String, &Shape)| schema.index_of(name).is_ok();
                let keys = keys.iter().filter(is_read);
                let keys = keys.map(|(name, shape)| (name.clone(), shape.clone()));
                Decoder::Ndjson(NdjsonDecoder::new(&keys.collect(), schema, row_limit))
            }
        }
    }

    /// Makes a decoder of one record in the midst of a file with this header.
    fn decoder_within(&self, schema: SchemaRef, header: &[String]) -> Decoder {
        match self {
            Self::Csv { delimiter } => Decoder::Csv(CsvDecoder::within(*delimiter, schema, header)),
            Self::Ndjson { keys } => Decoder::Ndjson(NdjsonDecoder::new(keys, schema, 1)),
        }
    }
}
