//! Opens the graph that settings name.

use anyhow::{Context, Result};
use sameas_graph::UnifiedId;
use sameas_resolve::Settings;
use sameas_store::{GraphFolder, Located, Snapshot};

/// Opens the graph's folder.
pub(crate) fn folder(settings: &Settings) -> Result<GraphFolder> {
    let folder = GraphFolder::open(&settings.graph_path())?;
    if let Some(namespace) = settings.namespace() {
        folder.expect_namespace(namespace)?;
    }
    Ok(folder)
}

/// Opens the newest revision once its bytes are checked: a damaged one would answer wrongly.
pub(crate) fn snapshot(settings: &Settings) -> Result<Snapshot> {
    let path = settings.graph_path();
    let snapshot = folder(settings)?.current()?;
    let snapshot = snapshot.with_context(|| {
        format!(
            "{}: nothing is published yet; run `sameas rebuild` first",
            path.display()
        )
    })?;
    snapshot.verify_checksums().with_context(|| {
        format!(
            "revision {} is damaged, so nothing is read from it; `sameas verify` says what helps",
            snapshot.revision().get()
        )
    })?;
    Ok(snapshot)
}

/// Finds a reference, or says what is not there.
pub(crate) fn find(
    snapshot: &Snapshot,
    source: &str,
    key: &str,
) -> Result<std::result::Result<Located, String>> {
    if let Some(located) = snapshot.lookup(source, key)? {
        return Ok(Ok(located));
    }
    let revision = snapshot.revision();
    if snapshot.source_handle(source).is_some() {
        return Ok(Err(format!(
            "{source} has no record {key} in revision {revision}"
        )));
    }
    let known: Vec<_> = snapshot
        .sources()
        .iter()
        .map(|source| source.name.as_str())
        .collect();
    let known = known.join(", ");
    Ok(Err(format!(
        "no source is named {source} in revision {revision}; sources are {known}"
    )))
}

/// Reads a unified id.
pub(crate) fn unified_id(text: &str) -> Result<UnifiedId> {
    let uuid = text
        .parse()
        .with_context(|| format!("{text}: is not a unified id (a UUID)"))?;
    Ok(UnifiedId::new(uuid))
}
