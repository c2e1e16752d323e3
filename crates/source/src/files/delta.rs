//! Delta tables: a log tells which Parquet files are the table now.
//!
//! Follows the Delta transaction log protocol (PROTOCOL.md of the project Delta Lake) as far as a
//! reader has to: commits are JSON, an action a line, in `_delta_log/` under their version; a
//! checkpoint sums all up to its version as Parquet. A table that was written with a feature that
//! readers must know, and this one does not, is refused, as the protocol demands of readers.

mod action;
mod fault;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::FieldRef;
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use percent_encoding::percent_decode_str;
use url::Url;

use self::action::{Action, Add, DeletionVector, Metadata, Protocol};
pub use self::fault::DeltaFault;
use super::store::{DataFile, is_same};
use crate::descriptor::Encoding;

/// The folder of the log, below that of the table.
pub(crate) const LOG: &str = "_delta_log";
const LAST_CHECKPOINT: &str = "_last_checkpoint";
const VERSION_DIGITS: usize = 20;
/// The protocol's reader versions that are known.
const READER_VERSION_MAX: i32 = 3;
/// Reader features that are known, or harmless while nothing is done with them, which is checked.
const FEATURES: [&str; 4] = [
    "columnMapping",
    "deletionVectors",
    "timestampNtz",
    "vacuumProtocolCheck",
];

/// How often a log is read that changes under its reader.
const ATTEMPT_COUNT_MAX: usize = 3;

/// A table as it was at one version.
#[derive(Clone)]
pub(crate) struct DeltaTable {
    store: Arc<dyn ObjectStore>,
    root: Path,
    version: u64,
    /// The file of the log that made the version.
    newest: ObjectMeta,
    /// The columns whose values stand in the log and not in the files.
    pub(crate) partition_fields: Vec<FieldRef>,
    /// The other columns of simple types.
    pub(crate) data_fields: Vec<FieldRef>,
}

/// What the log holds, by version.
#[derive(Default)]
struct Log {
    commits: BTreeMap<u64, ObjectMeta>,
    /// The parts of checkpoints, by version and how many parts there should be.
    checkpoints: BTreeMap<(u64, u32), BTreeMap<u32, ObjectMeta>>,
    /// Whether there are checkpoints of a form that is not read.
    has_others: bool,
    /// The file that tells the version of the last checkpoint.
    last_checkpoint: Option<Path>,
}

/// What all actions so far have made.
#[derive(Default)]
struct State {
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    /// By path and deletion vector: the same file with other rows deleted is another one.
    files: BTreeMap<(String, Option<DeletionVector>), Add>,
}

impl DeltaTable {
    /// Reads the newest version of the table in a folder, and its files; nothing if it has no log.
    ///
    /// Files are named by their table and not by the folders between, which tell values.
    pub(crate) async fn open(
        store: &Arc<dyn ObjectStore>,
        root: &Path,
        shown: &str,
    ) -> Result<Option<(Self, Vec<DataFile>)>, DeltaFault> {
        let mut opened = Self::open_now(store, root, shown).await;
        for _ in 1..ATTEMPT_COUNT_MAX {
            // Writers add to the log and clean up while it is listed and read.
            let is_moving = matches!(
                opened,
                Err(DeltaFault::Gap { .. } | DeltaFault::Gone { .. } | DeltaFault::Store(_))
            );
            if !is_moving {
                break;
            }
            opened = Self::open_now(store, root, shown).await;
        }
        opened
    }

    async fn open_now(
        store: &Arc<dyn ObjectStore>,
        root: &Path,
        shown: &str,
    ) -> Result<Option<(Self, Vec<DataFile>)>, DeltaFault> {
        let log = Log::list(store, root).await?;
        let Some((version, newest)) = log.newest() else {
            if log.has_others {
                return Err(DeltaFault::feature("v2Checkpoint"));
            }
            return Ok(None);
        };
        if let Some(told) = log
            .last_checkpoint(store)
            .await?
            .filter(|&told| told > version)
        {
            return Err(DeltaFault::Gap { version: told });
        }
        let state = log.replay(store, version, shown).await?;
        let protocol = state.protocol.ok_or(DeltaFault::Empty)?;
        let metadata = state.metadata.ok_or(DeltaFault::Empty)?;
        require_known(&protocol, &metadata)?;
        let partition_fields = metadata.partition_fields()?;
        let there: Vec<ObjectMeta> = store.list(Some(root)).try_collect().await?;
        let there = there.into_iter().map(|meta| (meta.location.clone(), meta));
        let there: BTreeMap<_, _> = there.collect();
        let mut files = Vec::with_capacity(state.files.len());
        for ((path, vector), add) in &state.files {
            if vector.is_some() {
                return Err(DeltaFault::DeletedRows);
            }
            let location = location_of(root, path)?;
            let name = format!("{shown}/{}", location.filename().unwrap_or_default());
            let Some(meta) = there.get(&location).cloned() else {
                return Err(DeltaFault::Gone {
                    file: name,
                    version,
                });
            };
            let values = partition_fields.iter().map(|field| add.value_of(field));
            files.push(DataFile {
                name,
                store: Arc::clone(store),
                meta,
                constants: values.collect::<Result<Vec<ScalarValue>, _>>()?,
                encoding: Encoding::default(),
            });
        }
        if files.is_empty() {
            return Err(DeltaFault::NoRows { version });
        }
        let table = Self {
            store: Arc::clone(store),
            root: root.clone(),
            version,
            newest: newest.clone(),
            partition_fields: partition_fields.into_iter().map(Arc::new).collect(),
            data_fields: metadata.data_fields().into_iter().map(Arc::new).collect(),
        };
        Ok(Some((table, files)))
    }

    /// Returns the version that was opened.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Tells whether some values stand in the log alone.
    pub(crate) fn is_partitioned(&self) -> bool {
        !self.partition_fields.is_empty()
    }

    /// Tells whether the table has no other version than the one that was opened.
    pub(crate) async fn is_current(&self) -> bool {
        let log = Log::list(&self.store, &self.root).await;
        log.is_ok_and(|log| {
            let newest = log.newest();
            newest.is_some_and(|(_, newest)| is_same(newest, &self.newest))
        })
    }
}

impl Log {
    async fn list(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<Self, DeltaFault> {
        let mut log = Self::default();
        let folder = root.clone().join(LOG);
        for meta in store.list_with_delimiter(Some(&folder)).await?.objects {
            let name = meta.location.filename().unwrap_or_default();
            if name == LAST_CHECKPOINT {
                log.last_checkpoint = Some(meta.location);
                continue;
            }
            match Entry::of(name) {
                Some(Entry::Commit(version)) => {
                    log.commits.insert(version, meta);
                }
                Some(Entry::Checkpoint {
                    version,
                    part,
                    parts,
                }) => {
                    let checkpoint = log.checkpoints.entry((version, parts)).or_default();
                    checkpoint.insert(part, meta);
                }
                Some(Entry::OtherCheckpoint) => log.has_others = true,
                None => {}
            }
        }
        log.checkpoints
            .retain(|(_, parts), found| found.keys().copied().eq(1..=*parts));
        Ok(log)
    }

    /// Returns the version of the last checkpoint, if a file tells it: a log that ends before has
    /// lost its end.
    async fn last_checkpoint(
        &self,
        store: &Arc<dyn ObjectStore>,
    ) -> Result<Option<u64>, DeltaFault> {
        let Some(location) = &self.last_checkpoint else {
            return Ok(None);
        };
        let bytes = store.get(location).await?.bytes().await?;
        let told: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
        Ok(told.and_then(|told| told.get("version")?.as_u64()))
    }

    /// Returns the newest version, and a file that tells it.
    fn newest(&self) -> Option<(u64, &ObjectMeta)> {
        let commit = self.commits.last_key_value();
        let commit = commit.map(|(version, meta)| (*version, meta));
        let checkpoint = self.checkpoints.last_key_value();
        let checkpoint = checkpoint
            .and_then(|((version, _), parts)| Some((*version, parts.first_key_value()?.1)));
        match (commit, checkpoint) {
            (Some(commit), Some(checkpoint)) if checkpoint.0 > commit.0 => Some(checkpoint),
            (commit, checkpoint) => commit.or(checkpoint),
        }
    }

    /// Takes the newest checkpoint and all commits after it.
    async fn replay(
        &self,
        store: &Arc<dyn ObjectStore>,
        version: u64,
        shown: &str,
    ) -> Result<State, DeltaFault> {
        let unreadable = |location: &Path, line| DeltaFault::Unreadable {
            file: format!("{shown}/{LOG}/{}", location.filename().unwrap_or_default()),
            line,
        };
        let mut state = State::default();
        let checkpoint = self.checkpoints.last_key_value();
        for part in checkpoint.iter().flat_map(|(_, parts)| parts.values()) {
            let bytes = store.get(&part.location).await?.bytes().await?;
            let read = action::of_checkpoint(bytes, |action| state.take(action));
            read.map_err(|_| unreadable(&part.location, None))??;
        }
        let next = checkpoint.map_or(0, |((version, _), _)| version + 1);
        for version in next..=version {
            let Some(commit) = self.commits.get(&version) else {
                if self.has_others {
                    return Err(DeltaFault::feature("v2Checkpoint"));
                }
                return Err(DeltaFault::Gap { version });
            };
            let bytes = store.get(&commit.location).await?.bytes().await?;
            let read = action::of_commit(&bytes);
            let actions = read.map_err(|line| unreadable(&commit.location, Some(line)))?;
            actions
                .into_iter()
                .try_for_each(|action| state.take(action))?;
        }
        Ok(state)
    }
}

/// A file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Commit(u64),
    /// A part of a checkpoint, and how many parts it has.
    Checkpoint {
        version: u64,
        part: u32,
        parts: u32,
    },
    /// A checkpoint of the second form, which is named by a random id.
    OtherCheckpoint,
}

impl Entry {
    /// Returns what a name stands for: `VERSION.json`, `VERSION.checkpoint.parquet`,
    /// `VERSION.checkpoint.PART.PARTS.parquet` or `VERSION.checkpoint.ID.parquet`, the version of 20
    /// digits.
    fn of(name: &str) -> Option<Self> {
        let words: Vec<&str> = name.split('.').collect();
        let (digits, words) = words.split_first()?;
        let is_version =
            digits.len() == VERSION_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
        // As the protocol has it, a version is a positive number of 64 bits with a sign.
        let version = digits.parse::<i64>().ok().filter(|_| is_version)?;
        let version = u64::try_from(version).ok()?;
        match words {
            ["json"] => Some(Self::Commit(version)),
            ["checkpoint", "parquet"] => Some(Self::Checkpoint {
                version,
                part: 1,
                parts: 1,
            }),
            ["checkpoint", _, "parquet" | "json"] => Some(Self::OtherCheckpoint),
            ["checkpoint", part, parts, "parquet"] => Some(Self::Checkpoint {
                version,
                part: part.parse().ok()?,
                parts: parts.parse().ok()?,
            }),
            _ => None,
        }
    }
}

impl State {
    fn take(&mut self, action: Action) -> Result<(), DeltaFault> {
        if action.sidecar.is_some() {
            return Err(DeltaFault::feature("v2Checkpoint"));
        }
        self.protocol = action.protocol.or(self.protocol.take());
        self.metadata = action.meta_data.or(self.metadata.take());
        if let Some(remove) = action.remove {
            let path = unescaped(&remove.path)?;
            self.files.remove(&(path, remove.deletion_vector));
        }
        if let Some(mut add) = action.add {
            let path = unescaped(&add.path)?;
            self.files.insert((path, add.deletion_vector.take()), add);
        }
        Ok(())
    }
}

fn require_known(protocol: &Protocol, metadata: &Metadata) -> Result<(), DeltaFault> {
    let features = protocol.reader_features.iter().flatten();
    let known: BTreeSet<&str> = FEATURES.into();
    if let Some(unknown) = { features }.find(|feature| !known.contains(feature.as_str())) {
        return Err(DeltaFault::feature(unknown));
    }
    if protocol.min_reader_version > READER_VERSION_MAX {
        let version = protocol.min_reader_version;
        return Err(DeltaFault::ReaderVersion { version });
    }
    match metadata.property("delta.columnMapping.mode") {
        Some(mode) if mode != "none" => Err(DeltaFault::feature("columnMapping")),
        _ => Ok(()),
    }
}

/// Returns the path of a file below its table; in the log it is escaped as in addresses.
fn unescaped(path: &str) -> Result<String, DeltaFault> {
    // An address of its own has a scheme.
    if Url::parse(path).is_ok() {
        return Err(DeltaFault::Elsewhere);
    }
    let path = percent_decode_str(path).decode_utf8();
    Ok(path.map_err(|_| DeltaFault::Elsewhere)?.into_owned())
}

/// Returns where a file lies; what leads out of a folder is no path of a store's.
fn location_of(root: &Path, path: &str) -> Result<Path, DeltaFault> {
    if path.starts_with('/') {
        return Err(DeltaFault::Elsewhere);
    }
    Path::parse(format!("{root}/{path}")).map_err(|_| DeltaFault::Elsewhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_log_tell_what_they_are() {
        let version = "00000000000000000010";
        let of = |rest: &str| Entry::of(&format!("{version}.{rest}"));
        assert_eq!(of("json"), Some(Entry::Commit(10)));
        let checkpoint = |part, parts| Entry::Checkpoint {
            version: 10,
            part,
            parts,
        };
        assert_eq!(of("checkpoint.parquet"), Some(checkpoint(1, 1)));
        let part = "checkpoint.0000000002.0000000003.parquet";
        assert_eq!(of(part), Some(checkpoint(2, 3)));
        let other = "checkpoint.80a083e8-7026.parquet";
        assert_eq!(of(other), Some(Entry::OtherCheckpoint));
        for other in ["crc", "00000000000000000012.compacted.json"] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(Entry::of("99999999999999999999.json"), None);
        assert_eq!(Entry::of("_last_checkpoint"), None);
        assert_eq!(Entry::of("10.json"), None);
    }

    #[test]
    fn paths_of_the_log_stay_below_the_table() {
        let root = Path::from("lake/customers");
        let of = |path: &str| location_of(&root, &unescaped(path).ok()?).ok();
        let path = of("country=D%20E/part-0%25.parquet");
        let path = path.map(String::from);
        let expected = "lake/customers/country=D E/part-0%.parquet";
        assert_eq!(path.as_deref(), Some(expected));
        for path in [
            "/etc/passwd",
            "../other/a.parquet",
            "s3://lake/a.parquet",
            "file:/tmp/a.parquet",
            "a/%2e%2e/b",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
    }

    #[test]
    fn the_last_word_on_a_file_counts() {
        let mut state = State::default();
        let mut take = |line: &str| {
            let actions = action::of_commit(line.as_bytes());
            actions
                .unwrap_or_default()
                .into_iter()
                .try_for_each(|action| state.take(action))
        };
        assert!(take(r#"{"add":{"path":"a","partitionValues":{}}}"#).is_ok());
        assert!(take(r#"{"add":{"path":"b","partitionValues":{}}}"#).is_ok());
        assert!(take(r#"{"remove":{"path":"a"}}"#).is_ok());
        assert!(take(r#"{"commitInfo":{"operation":"x"}}"#).is_ok());
        assert!(take(r#"{"sidecar":{"path":"c"}}"#).is_err());
        // Rows of `b` are deleted, told in either order.
        let vector = r#""deletionVector":{"storageType":"u","pathOrInlineDv":"x","offset":1}"#;
        let add = format!(r#"{{"add":{{"path":"b","partitionValues":{{}},{vector}}}}}"#);
        assert!(take(&format!("{add}\n{}", r#"{"remove":{"path":"b"}}"#)).is_ok());
        let paths = state
            .files
            .into_keys()
            .map(|(path, vector)| (path, vector.is_some()));
        assert_eq!(paths.collect::<Vec<_>>(), [("b".to_owned(), true)]);
    }
}
