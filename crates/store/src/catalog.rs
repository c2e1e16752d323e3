//! The small files of a graph folder: what it is, what is current, what was published.

use std::collections::BTreeMap;
use std::path::Path;

use sameas_graph::{Namespace, Revision};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{FolderError, GO_BACK};

/// The version of the folder's layout that this build knows.
pub(crate) const FOLDER_FORMAT: u32 = 1;
/// Publications the log remembers.
const PUBLICATION_COUNT_MAX: usize = 1_000;
const GRAPH_REMEDY: &str = "restore it from a backup";
const LOG_REMEDY: &str =
    "remove it: only the record of past publications is lost, no reference and no id";

/// Tells one state of the folder's `current` file from another; cheap enough to poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CurrentToken(Option<u64>);

impl CurrentToken {
    /// Returns the token of a `current` file, if there is one.
    pub(crate) fn of(current: Option<&[u8]>) -> Self {
        Self(current.map(xxh3_64))
    }
}

/// One line of the publication log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    /// The revision that was published.
    pub(crate) revision: Revision,
    /// When, in milliseconds since 1970, as the publisher gave it.
    pub(crate) published_at_ms: u64,
    /// How many references each source had.
    pub(crate) reference_counts: BTreeMap<String, u64>,
    /// How many entities there were.
    pub(crate) entity_count: u64,
}

/// What the `current` file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Current {
    pub(crate) file: String,
    pub(crate) revision: Revision,
    /// The highest revision ever published: above `revision` after going back.
    pub(crate) latest: Revision,
    pub(crate) checksum: u64,
    pub(crate) published_at_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphForm {
    format: u32,
    namespace: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CurrentForm {
    format: u32,
    file: String,
    revision: u64,
    latest: u64,
    checksum: String,
    published_at_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogForm {
    format: u32,
    publications: Vec<PublicationForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicationForm {
    revision: u64,
    published_at_ms: u64,
    entities: u64,
    references: BTreeMap<String, u64>,
}

/// Returns the content of `graph.json`.
pub(crate) fn encode_graph(namespace: Namespace) -> Vec<u8> {
    encode(&GraphForm {
        format: FOLDER_FORMAT,
        namespace: namespace.uuid().to_string(),
    })
}

/// Reads `graph.json`.
pub(crate) fn decode_graph(
    folder: &Path,
    path: &Path,
    bytes: &[u8],
) -> Result<Namespace, FolderError> {
    let form: GraphForm = decode(folder, path, bytes, GRAPH_REMEDY)?;
    let namespace = Uuid::parse_str(&form.namespace);
    namespace
        .map(Namespace::new)
        .map_err(|_| broken(path, "the namespace is no UUID", GRAPH_REMEDY))
}

/// Returns the content of `current`.
pub(crate) fn encode_current(current: &Current) -> Vec<u8> {
    encode(&CurrentForm {
        format: FOLDER_FORMAT,
        file: current.file.clone(),
        revision: current.revision.get(),
        latest: current.latest.get(),
        checksum: format!("{:016x}", current.checksum),
        published_at_ms: current.published_at_ms,
    })
}

/// Reads `current`.
pub(crate) fn decode_current(
    folder: &Path,
    path: &Path,
    bytes: &[u8],
) -> Result<Current, FolderError> {
    let form: CurrentForm = decode(folder, path, bytes, GO_BACK)?;
    let checksum = u64::from_str_radix(&form.checksum, 16)
        .map_err(|_| broken(path, "the checksum is no hexadecimal number", GO_BACK))?;
    if snapshot_revision(&form.file) != Some(Revision::new(form.revision)) {
        let what = "it names no snapshot of its revision";
        return Err(broken(path, what, GO_BACK));
    }
    if !(form.revision..u64::MAX).contains(&form.latest) {
        let what = "its latest revision is older than its own, or has none after it";
        return Err(broken(path, what, GO_BACK));
    }
    Ok(Current {
        file: form.file,
        revision: Revision::new(form.revision),
        latest: Revision::new(form.latest),
        checksum,
        published_at_ms: form.published_at_ms,
    })
}

/// Returns the content of the publication log, its oldest lines left out if there are too many.
pub(crate) fn encode_log(publications: &[Publication]) -> Vec<u8> {
    let skipped = publications.len().saturating_sub(PUBLICATION_COUNT_MAX);
    let publications = publications
        .iter()
        .skip(skipped)
        .map(|publication| PublicationForm {
            revision: publication.revision.get(),
            published_at_ms: publication.published_at_ms,
            entities: publication.entity_count,
            references: publication.reference_counts.clone(),
        });
    encode(&LogForm {
        format: FOLDER_FORMAT,
        publications: publications.collect(),
    })
}

/// Reads the publication log.
pub(crate) fn decode_log(
    folder: &Path,
    path: &Path,
    bytes: &[u8],
) -> Result<Vec<Publication>, FolderError> {
    let form: LogForm = decode(folder, path, bytes, LOG_REMEDY)?;
    let publications = form.publications.into_iter().map(|form| Publication {
        revision: Revision::new(form.revision),
        published_at_ms: form.published_at_ms,
        reference_counts: form.references,
        entity_count: form.entities,
    });
    Ok(publications.collect())
}

/// Returns the file name of a revision's snapshot.
pub(crate) fn snapshot_name(revision: Revision) -> String {
    format!("{:04}.sameas", revision.get())
}

/// Returns the revision that a snapshot's file name stands for.
pub(crate) fn snapshot_revision(name: &str) -> Option<Revision> {
    let revision = Revision::new(name.strip_suffix(".sameas")?.parse().ok()?);
    let is_named = snapshot_name(revision) == name && revision.get() < u64::MAX;
    is_named.then_some(revision)
}

fn encode(form: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(form).expect("texts and numbers always serialise");
    bytes.push(b'\n');
    bytes
}

fn decode<T: DeserializeOwned>(
    folder: &Path,
    path: &Path,
    bytes: &[u8],
    remedy: &'static str,
) -> Result<T, FolderError> {
    let not_json = |error: serde_json::Error| broken(path, &error.to_string(), remedy);
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(not_json)?;
    // The version comes first: a newer file may have fields that are unknown here.
    let format = value.get("format").and_then(serde_json::Value::as_u64);
    match format.and_then(|format| u32::try_from(format).ok()) {
        Some(FOLDER_FORMAT) => serde_json::from_value(value).map_err(not_json),
        Some(found) => {
            let (path, known) = (folder.to_owned(), FOLDER_FORMAT);
            Err(FolderError::UnknownFormat { path, found, known })
        }
        None => Err(broken(path, "it has no format number", remedy)),
    }
}

fn broken(path: &Path, what: &str, remedy: &'static str) -> FolderError {
    FolderError::Broken {
        path: path.to_owned(),
        what: what.to_owned(),
        remedy,
    }
}
