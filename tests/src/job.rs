//! Jobs run in the test's own process.

use std::path::Path;
use std::sync::Arc;

use sameas_graph::Namespace;
use sameas_resolve::{JobError, JobOptions, RebuildReport, Settings, Shrink, Silent};
use uuid::Uuid;

/// Returns options in which nothing is left to chance: identity, key and clock are fixed.
pub fn options(threads: usize) -> JobOptions {
    JobOptions {
        threads,
        shrink: Shrink::Allow,
        new_namespace: Namespace::new(Uuid::from_u128(0x5a)),
        new_key: [7; 32],
        published_at_ms: 1_700_000_000_000,
        progress: Arc::new(Silent),
    }
}

/// Rebuilds the graph of a settings file with so many threads.
///
/// # Panics
/// Panics if the settings are wrong or the rebuild fails.
pub fn rebuild(settings: &Path, threads: usize) -> RebuildReport {
    rebuild_with(settings, &options(threads)).unwrap_or_else(|error| panic!("{error}"))
}

/// Rebuilds the graph of a settings file.
///
/// # Errors
/// As the job itself.
pub fn rebuild_with(settings: &Path, options: &JobOptions) -> Result<RebuildReport, JobError> {
    let settings = Settings::load(settings).unwrap_or_else(|error| panic!("{error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.threads)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(sameas_resolve::rebuild(&settings, options))
}
