//! Runs jobs: settings in, report out.

use std::future::Future;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use sameas_graph::Namespace;
use sameas_resolve::{JobOptions, Settings, Shrink};
use tokio::runtime::Runtime;

use crate::args::Shared;
use crate::progress;

/// How long what a job left behind may take to end.
const PARTING_TIME_MAX: Duration = Duration::from_secs(2);

/// Reads the settings that the command line names.
pub(crate) fn settings(shared: &Shared) -> Result<Settings> {
    Ok(Settings::load(&shared.config)?)
}

/// Refuses to write over the settings, over what they name and over further files.
pub(crate) fn refuse_output(
    shared: &Shared,
    settings: &Settings,
    further: &[(&Path, &str)],
    output: &Path,
) -> Result<()> {
    let further = [&[(shared.config.as_path(), "the settings")], further].concat();
    Ok(sameas_resolve::refuse_output(settings, &further, output)?)
}

/// Returns how many threads to use.
pub(crate) fn thread_count(shared: &Shared) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    shared.threads.map_or_else(processors, usize::from)
}

/// Returns what a job is given: random identities, the time, and somebody who listens.
pub(crate) fn options(shared: &Shared, shrink: Shrink) -> Result<JobOptions> {
    let (mut namespace, mut new_key) = ([0; 16], [0; 32]);
    getrandom::fill(&mut namespace).context("draw a random identity")?;
    getrandom::fill(&mut new_key).context("draw a random key")?;
    let namespace = uuid::Builder::from_random_bytes(namespace).into_uuid();
    Ok(JobOptions {
        threads: thread_count(shared),
        shrink,
        new_namespace: Namespace::new(namespace),
        new_key,
        published_at_ms: now_ms()?,
        progress: progress::suited(shared),
    })
}

/// Runs a job to its end.
pub(crate) fn run<T>(shared: &Shared, job: impl Future<Output = T>) -> Result<T> {
    let runtime = runtime(shared)?;
    let ended = runtime.block_on(job);
    // A driver that does not come back must not hold up the end.
    runtime.shutdown_timeout(PARTING_TIME_MAX);
    Ok(ended)
}

/// Makes the runtime that reads sources and asks servers.
pub(crate) fn runtime(shared: &Shared) -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(thread_count(shared))
        .enable_all()
        .build()
        .context("start threads")
}

/// Returns the time in milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock is read here and passed to the job"
)]
pub(crate) fn now_ms() -> Result<u64> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock is before 1970")?;
    Ok(now.as_millis() as u64)
}
