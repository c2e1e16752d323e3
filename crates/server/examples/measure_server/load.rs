//! Callers that each have one call open, and what their calls cost.

use std::error::Error;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sameas_api::v1::identity_service_client::IdentityServiceClient;
use sameas_api::v1::{BatchLookupRequest, LookupRequest, Reference};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::KEY_COUNT;
use crate::graph::{SOURCE, key};

/// Keys in a batch.
pub(crate) const BATCH_LEN: u32 = 1_000;
const UNARY_CALLERS: usize = 16;
const BATCH_CALLERS: usize = 4;
/// Spreads the keys asked for over the graph.
const STRIDE: u32 = 7_919;

type Client = IdentityServiceClient<Channel>;

/// What is asked, over how many connections.
#[derive(Clone, Copy)]
pub(crate) enum Load {
    Unary { connections: usize },
    Batch { connections: usize },
}

/// What one round has shown.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    calls: u64,
    elapsed: Duration,
    server: Duration,
}

impl Sample {
    /// Returns calls a second.
    pub(crate) fn rate(&self) -> f64 {
        self.calls as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the processor time of the server for one call, in microseconds.
    pub(crate) fn server_us(&self) -> f64 {
        self.server.as_secs_f64() * 1e6 / self.calls as f64
    }
}

/// Returns the lowest, the middle and the highest of some values.
pub(crate) fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [
        values[0],
        values[values.len() / 2],
        values[values.len() - 1],
    ]
}

/// Puts a server under load for one round, from one thread.
pub(crate) fn run(
    address: SocketAddr,
    threads: &str,
    load: Load,
    round: Duration,
) -> Result<Sample, Box<dyn Error>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (callers, connections) = match load {
            Load::Unary { connections } => (UNARY_CALLERS, connections),
            Load::Batch { connections } => (BATCH_CALLERS, connections),
        };
        let mut clients = Vec::new();
        for _ in 0..connections {
            let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
            clients.push(Client::new(endpoint.connect().await?));
        }
        let (before, start) = (processor_time(threads)?, Instant::now());
        let mut running = JoinSet::new();
        for (number, client) in clients.iter().cycle().take(callers).enumerate() {
            let first = number as u32 * 1_013;
            match load {
                Load::Unary { .. } => {
                    running.spawn(call_unary(client.clone(), first, start + round))
                }
                Load::Batch { .. } => {
                    running.spawn(call_batch(client.clone(), first, start + round))
                }
            };
        }
        let mut calls = 0;
        while let Some(count) = running.join_next().await {
            calls += count??;
        }
        let elapsed = start.elapsed();
        Ok(Sample {
            calls,
            elapsed,
            server: processor_time(threads)?.saturating_sub(before),
        })
    })
}

async fn call_unary(mut client: Client, first: u32, end: Instant) -> Result<u64, Status> {
    let mut calls = 0;
    let mut index = first;
    while Instant::now() < end {
        let request = LookupRequest {
            reference: Some(reference(index)),
            ..LookupRequest::default()
        };
        client.lookup(request).await?;
        index = (index + STRIDE) % KEY_COUNT;
        calls += 1;
    }
    Ok(calls)
}

async fn call_batch(mut client: Client, first: u32, end: Instant) -> Result<u64, Status> {
    let mut calls = 0;
    let references = (0..BATCH_LEN).map(|step| reference((first + step * STRIDE) % KEY_COUNT));
    let request = BatchLookupRequest {
        references: references.collect(),
        min_revision: 0,
    };
    while Instant::now() < end {
        let answer = client.batch_lookup(request.clone()).await?.into_inner();
        if answer
            .results
            .iter()
            .any(|result| result.unified_id.is_empty())
        {
            return Err(Status::not_found("a key that exists"));
        }
        calls += 1;
    }
    Ok(calls)
}

fn reference(index: u32) -> Reference {
    Reference {
        source: SOURCE.to_owned(),
        key: key(index),
    }
}

/// Returns the processor time that threads of this name have used so far (Linux only).
fn processor_time(threads: &str) -> io::Result<Duration> {
    let mut total = Duration::ZERO;
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        let is_counted =
            fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with(threads));
        let spent = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
        let nanoseconds = spent
            .split(' ')
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap_or(0);
        if is_counted {
            total += Duration::from_nanos(nanoseconds);
        }
    }
    Ok(total)
}
