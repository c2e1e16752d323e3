//! A revision published while serving.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sameas_api::v1::{BatchLookupRequest, LookupRequest, StreamLookupRequest};
use sameas_store::GraphFolder;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use crate::running::{Client, Running, published, reference};
use crate::world::{key, text, uniform, uniform_id};

const COUNT: u32 = 200;
const LAST: u64 = 12;

fn request() -> LookupRequest {
    LookupRequest {
        reference: reference("crm", &key(7)),
        ..LookupRequest::default()
    }
}

/// Asks in batches until told to stop, and returns the revisions that answered.
async fn ask(mut client: Client, stop: Arc<AtomicBool>) -> Vec<u64> {
    let references = (0..COUNT)
        .filter_map(|index| reference("crm", &key(index)))
        .collect();
    let batch = BatchLookupRequest {
        references,
        min_revision: 0,
    };
    let mut revisions = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let answer = client
            .batch_lookup(batch.clone())
            .await
            .unwrap()
            .into_inner();
        for (index, result) in (0..COUNT).zip(&answer.results) {
            assert_eq!(
                result.unified_id,
                text(uniform_id(answer.revision, index)),
                "one revision"
            );
            assert_eq!(result.since_revision, answer.revision);
        }
        revisions.push(answer.revision);
    }
    revisions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_under_load_drops_no_request_and_mixes_no_revisions() {
    let server = Running::start(&uniform(1, COUNT));
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(tokio::spawn(ask(server.client().await, Arc::clone(&stop))));
    }
    for revision in 2..=LAST {
        server.graph.publish(&uniform(revision, COUNT), 0).unwrap();
        server.reached(revision).await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        let revisions = client.await.unwrap();
        assert!(revisions.is_sorted(), "a client never goes back in time");
        assert!(revisions.len() > 1);
    }
}

#[tokio::test]
async fn an_open_stream_sees_the_new_revision() {
    let server = Running::start(&uniform(1, COUNT));
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let mut client = server.client().await;
    let answers = client
        .stream_lookup(ReceiverStream::new(receiver))
        .await
        .unwrap();
    let mut answers = answers.into_inner();
    let request = StreamLookupRequest {
        reference: reference("crm", &key(7)),
        min_revision: 0,
    };
    for revision in 1..=2 {
        sender.send(request.clone()).await.unwrap();
        let answer = answers.next().await.unwrap().unwrap();
        assert_eq!(answer.revision, revision);
        assert_eq!(
            answer.result.unwrap().unified_id,
            text(uniform_id(revision, 7))
        );
        server
            .graph
            .publish(&uniform(revision + 1, COUNT), 0)
            .unwrap();
        server.reached(revision + 1).await;
    }
}

#[tokio::test]
async fn a_broken_publication_leaves_the_old_revision_serving() {
    let server = Running::start(&uniform(1, COUNT));
    let mut client = server.client().await;
    let pointer = server.graph.path().join("current");
    let good = fs::read(&pointer).unwrap();
    for broken in [b"".as_slice(), b"{", &[0xff; 999]] {
        fs::write(&pointer, broken).unwrap();
        for _ in 0..50 {
            let answer = client.lookup(request()).await.unwrap().into_inner();
            assert_eq!(answer.revision, 1);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    fs::write(&pointer, good).unwrap();
    server.graph.publish(&uniform(2, COUNT), 0).unwrap();
    server.reached(2).await;
}

#[tokio::test]
async fn a_snapshot_with_changed_bytes_is_not_served_until_it_is_whole() {
    let server = Running::start(&uniform(1, COUNT));
    let mut client = server.client().await;
    // The next revision is made elsewhere and broken before this server can see it.
    let (_elsewhere, other) = published(&uniform(1, COUNT));
    other.publish(&uniform(2, COUNT), 0).unwrap();
    let file = |graph: &GraphFolder| graph.path().join("snapshots").join("0002.sameas");
    let whole = fs::read(file(&other)).unwrap();
    let mut broken = whole.clone();
    broken[whole.len() / 2] ^= 1;
    fs::write(file(&server.graph), broken).unwrap();
    fs::copy(
        other.path().join("current"),
        server.graph.path().join("current"),
    )
    .unwrap();
    let is_refused = server
        .graph
        .current()
        .unwrap()
        .is_none_or(|snapshot| snapshot.verify().is_err());
    assert!(is_refused, "the fault must be one");
    for _ in 0..50 {
        let answer = client.lookup(request()).await.unwrap().into_inner();
        assert_eq!(answer.revision, 1);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Renamed and not rewritten: the server may have the broken file mapped.
    fs::rename(file(&other), file(&server.graph)).unwrap();
    server.reached(2).await;
}
