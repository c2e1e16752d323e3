//! Look-ups over gRPC on loopback, beside an echo server that does nothing.

#[expect(
    dead_code,
    reason = "the example beside which this file lies measures more servers"
)]
#[path = "../../crates/server/examples/measure_server/echo.rs"]
mod echo;
#[path = "../../crates/server/examples/measure_server/graph.rs"]
mod graph;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sameas_api::v1::identity_service_client::IdentityServiceClient;
use sameas_api::v1::{BatchLookupRequest, LookupRequest, Reference};
use sameas_server::{Server, ServerConfig};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

type Client = IdentityServiceClient<Channel>;

const KEY_COUNT: u32 = 1_000_000;
const CALLER_COUNT: u64 = 16;
const BATCH_LEN: u32 = 1_000;
/// Spreads the keys asked for over the graph.
const STRIDE: u32 = 7_919;

fn serve(criterion: &mut Criterion) {
    let (_folder, sameas) = start();
    let echo = echo::one_thread().expect("a thread can be started");
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    unary(criterion, &runtime, "lookup/16", sameas);
    unary(criterion, &runtime, "echo/16", echo);
    batch(criterion, &runtime, sameas);
}

fn start() -> (TempDir, SocketAddr) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("graph");
    graph::publish(&path, KEY_COUNT).expect("the graph can be published");
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = ServerConfig {
        listen,
        ..ServerConfig::default()
    };
    let bound = Server::bind(config, path).expect("the graph can be served");
    let address = bound.local_addr();
    std::thread::spawn(move || bound.serve(std::future::pending()));
    (folder, address)
}

fn unary(criterion: &mut Criterion, runtime: &Runtime, name: &str, address: SocketAddr) {
    let client = connect(runtime, address);
    let mut group = criterion.benchmark_group("serve");
    group.throughput(Throughput::Elements(1));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| runtime.block_on(call_many(&client, count)));
    });
    group.finish();
}

fn batch(criterion: &mut Criterion, runtime: &Runtime, address: SocketAddr) {
    let mut client = connect(runtime, address);
    let references = (0..BATCH_LEN).map(|step| reference(step * STRIDE));
    let request = BatchLookupRequest {
        references: references.collect(),
        min_revision: 0,
    };
    let mut group = criterion.benchmark_group("serve");
    group.throughput(Throughput::Elements(u64::from(BATCH_LEN)));
    group.bench_function("batch_lookup/1000", |bencher| {
        bencher.iter(|| {
            runtime
                .block_on(client.batch_lookup(request.clone()))
                .expect("an answer")
        });
    });
    group.finish();
}

fn connect(runtime: &Runtime, address: SocketAddr) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address is a URI");
    let connected = runtime.block_on(endpoint.tcp_nodelay(true).connect());
    Client::new(connected.expect("the server listens"))
}

/// Shares the calls out among the callers and returns how long they took together.
async fn call_many(client: &Client, count: u64) -> Duration {
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLER_COUNT {
        let share = count / CALLER_COUNT + u64::from(caller < count % CALLER_COUNT);
        callers.spawn(call(client.clone(), caller as u32, share));
    }
    while let Some(ended) = callers.join_next().await {
        ended.expect("a caller ends");
    }
    start.elapsed()
}

async fn call(mut client: Client, first: u32, count: u64) {
    let mut index = first;
    for _ in 0..count {
        let reference = Some(reference(index));
        let request = LookupRequest {
            reference,
            ..LookupRequest::default()
        };
        client.lookup(request).await.expect("an answer");
        index = index.wrapping_add(STRIDE);
    }
}

fn reference(index: u32) -> Reference {
    Reference {
        source: graph::SOURCE.to_owned(),
        key: graph::key(index % KEY_COUNT),
    }
}

criterion_group!(benches, serve);
criterion_main!(benches);
