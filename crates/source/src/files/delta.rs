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

use self::action::{Action, Add, DeletionVector, Metadata, Protocol};
pub use self::fault::DeltaFault;
use super::store::DataFile;

/// The folder of the log, below that of the table.
pub(crate) const LOG: &str = "_delta_log";
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

/// A table as it was at one version.
#[derive(Clone, Debug)]
pub(crate) struct DeltaTable {
    store: Arc<dyn ObjectStore>,
    root: Path,
    version: u64,
    /// The columns whose values stand in the log and not in the files.
    pub(crate) partition_fields: Vec<FieldRef>,
}

/// What the log holds, by version.
#[derive(Default)]
struct Log {
    commits: BTreeMap<u64, ObjectMeta>,
    /// The parts that a version's checkpoint should have, and those there are.
    checkpoints: BTreeMap<u64, (usize, Vec<ObjectMeta>)>,
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
    /// `name` says how messages name a file.
    pub(crate) async fn open(
        store: &Arc<dyn ObjectStore>,
        root: &Path,
        name: impl Fn(&Path) -> String,
    ) -> Result<Option<(Self, Vec<DataFile>)>, DeltaFault> {
        let log = Log::list(store, root).await?;
        let Some(version) = log.version() else {
            return Ok(None);
        };
        let state = log.replay(store, version, &name).await?;
        let protocol = state.protocol.ok_or(DeltaFault::Empty)?;
        let metadata = state.metadata.ok_or(DeltaFault::Empty)?;
        require_known(&protocol, &metadata)?;
        let partition_fields = metadata.partition_fields()?;
        let there: Vec<ObjectMeta> = store.list(Some(root)).try_collect().await?;
        let there: BTreeMap<_, _> = there
            .into_iter()
            .map(|meta| (meta.location.clone(), meta))
            .collect();
        let mut files = Vec::with_capacity(state.files.len());
        for add in state.files.values() {
            let location = location_of(root, &add.path)?;
            if add.deletion_vector.is_some() {
                return Err(DeltaFault::DeletedRows);
            }
            let meta = there.get(&location).cloned();
            let file = name(&location);
            let meta = meta.ok_or_else(|| DeltaFault::Gone {
                file: file.clone(),
                version,
            })?;
            let values = partition_fields.iter().map(|field| add.value_of(field));
            files.push(DataFile {
                name: file,
                store: Arc::clone(store),
                meta,
                constants: values.collect::<Result<Vec<ScalarValue>, _>>()?,
            });
        }
        let table = Self {
            store: Arc::clone(store),
            root: root.clone(),
            version,
            partition_fields: partition_fields.into_iter().map(Arc::new).collect(),
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

    /// Tells whether the table has no newer version than the one that was opened.
    pub(crate) async fn is_current(&self) -> bool {
        let log = Log::list(&self.store, &self.root).await;
        log.is_ok_and(|log| log.version() == Some(self.version))
    }
}

impl Log {
    async fn list(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<Self, DeltaFault> {
        let mut log = Self::default();
        let mut listed = store.list(Some(&root.clone().join(LOG)));
        while let Some(meta) = listed.try_next().await? {
            let name = meta.location.filename().unwrap_or_default();
            match Entry::of(name) {
                Some(Entry::Commit(version)) => {
                    log.commits.insert(version, meta);
                }
                Some(Entry::Checkpoint(version, part_count)) => {
                    let checkpoint = log.checkpoints.entry(version).or_default();
                    checkpoint.0 = part_count;
                    checkpoint.1.push(meta);
                }
                None => {}
            }
        }
        log.checkpoints
            .retain(|_, (part_count, parts)| parts.len() == *part_count);
        Ok(log)
    }

    /// Returns the newest version.
    fn version(&self) -> Option<u64> {
        let commit = self.commits.last_key_value().map(|(version, _)| *version);
        let checkpoint = self.checkpoints.last_key_value();
        commit.max(checkpoint.map(|(version, _)| *version))
    }

    /// Takes the newest checkpoint and all commits after it.
    async fn replay(
        &self,
        store: &Arc<dyn ObjectStore>,
        version: u64,
        name: impl Fn(&Path) -> String,
    ) -> Result<State, DeltaFault> {
        let mut state = State::default();
        let checkpoint = self.checkpoints.last_key_value();
        for part in checkpoint.iter().flat_map(|(_, (_, parts))| parts) {
            let bytes = store.get(&part.location).await?.bytes().await?;
            let unreadable = || DeltaFault::Unreadable {
                file: name(&part.location),
                line: None,
            };
            let actions = action::of_checkpoint(bytes).map_err(|_| unreadable())?;
            actions
                .into_iter()
                .try_for_each(|action| state.take(action))?;
        }
        let next = checkpoint.map_or(0, |(version, _)| version + 1);
        for version in next..=version {
            let commit = self
                .commits
                .get(&version)
                .ok_or(DeltaFault::Gap { version })?;
            let bytes = store.get(&commit.location).await?.bytes().await?;
            let actions = action::of_commit(&bytes).map_err(|line| DeltaFault::Unreadable {
                file: name(&commit.location),
                line: Some(line),
            })?;
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
    /// A part of a checkpoint that has so many.
    Checkpoint(u64, usize),
}

impl Entry {
    /// Returns what a name stands for; `20 digits.json`, `20 digits.checkpoint.parquet`, and parts
    /// of `20 digits.checkpoint.part.parts.parquet`.
    fn of(name: &str) -> Option<Self> {
        let mut words = name.split('.');
        let version = words
            .next()
            .filter(|digits| digits.len() == VERSION_DIGITS)?;
        let version = version.parse().ok()?;
        match (
            words.next()?,
            words.next(),
            words.next(),
            words.next(),
            words.next(),
        ) {
            ("json", None, ..) => Some(Self::Commit(version)),
            ("checkpoint", Some("parquet"), None, ..) => Some(Self::Checkpoint(version, 1)),
            ("checkpoint", Some(_), Some(parts), Some("parquet"), None) => {
                Some(Self::Checkpoint(version, parts.parse().ok()?))
            }
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
            self.files.remove(&(remove.path, remove.deletion_vector));
        }
        if let Some(add) = action.add {
            let key = (add.path.clone(), add.deletion_vector.clone());
            self.files.insert(key, add);
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
    match metadata.configuration.get("delta.columnMapping.mode") {
        Some(mode) if mode != "none" => Err(DeltaFault::feature("columnMapping")),
        _ => Ok(()),
    }
}

/// Returns where a file of the log lies; its path is escaped as in addresses.
fn location_of(root: &Path, path: &str) -> Result<Path, DeltaFault> {
    let unescaped = percent_decode_str(path).decode_utf8();
    let unescaped = unescaped.map_err(|_| DeltaFault::Elsewhere)?;
    if unescaped.contains("://") || unescaped.starts_with('/') {
        return Err(DeltaFault::Elsewhere);
    }
    // What leads out of a folder is no path of a store's.
    Path::parse(format!("{root}/{unescaped}")).map_err(|_| DeltaFault::Elsewhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_log_tell_what_they_are() {
        let version = "00000000000000000010";
        let of = |rest: &str| Entry::of(&format!("{version}.{rest}"));
        assert_eq!(of("json"), Some(Entry::Commit(10)));
        assert_eq!(of("checkpoint.parquet"), Some(Entry::Checkpoint(10, 1)));
        let part = "checkpoint.0000000001.0000000003.parquet";
        assert_eq!(of(part), Some(Entry::Checkpoint(10, 3)));
        for other in [
            "crc",
            "00000000000000000012.compacted.json",
            "checkpoint.80a083e8-7026.parquet",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(Entry::of("_last_checkpoint"), None);
        assert_eq!(Entry::of("10.json"), None);
    }

    #[test]
    fn paths_of_the_log_stay_below_the_table() {
        let root = Path::from("lake/customers");
        let of = |path: &str| location_of(&root, path).ok();
        let path = of("country=D%20E/part-0%25.parquet");
        let path = path.map(String::from);
        let expected = "lake/customers/country=D E/part-0%.parquet";
        assert_eq!(path.as_deref(), Some(expected));
        for path in [
            "/etc/passwd",
            "../other/a.parquet",
            "s3://lake/a.parquet",
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
