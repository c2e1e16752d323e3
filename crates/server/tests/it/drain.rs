//! How a server ends.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use sameas_api::v1::{LookupRequest, StreamLookupRequest};
use sameas_server::{Server, ServerConfig, asked_to_stop};
use tokio::signal::unix::{SignalKind, signal};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::running::{
    PATIENCE, Running, config, endless_request, published, reason, reason_if_any, reference,
};
use crate::world::world;

/// Much less than the time a server has to drain: it must not need it.
const SOON: Duration = Duration::from_secs(5);

/// Time enough to drain: a server that needs it all has not drained by itself.
fn patient() -> ServerConfig {
    ServerConfig {
        drain_deadline: PATIENCE,
        ..config()
    }
}

fn request() -> LookupRequest {
    LookupRequest {
        reference: reference("crm", "A1"),
        ..LookupRequest::default()
    }
}

#[tokio::test]
async fn an_open_stream_does_not_keep_the_server() {
    let server = Running::with(&world(), patient());
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let mut client = server.client().await;
    let answers = client
        .stream_lookup(ReceiverStream::new(receiver))
        .await
        .unwrap();
    let mut answers = answers.into_inner();
    let request = StreamLookupRequest {
        reference: reference("crm", "A1"),
        min_revision: 0,
    };
    sender.send(request).await.unwrap();
    answers.next().await.unwrap().unwrap();
    let stopped = tokio::task::spawn_blocking(move || server.stop());
    let status = answers.next().await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unavailable, "SHUTTING_DOWN")
    );
    let (drained, took) = stopped.await.unwrap();
    assert_eq!(drained.connections_cut, 0);
    assert!(took < SOON, "{took:?}");
}

#[tokio::test]
async fn an_idle_server_stops_at_once_and_refuses_new_connections() {
    let server = Running::with(&world(), patient());
    let mut client = server.client().await;
    client.lookup(request()).await.unwrap();
    let address = server.address;
    let (drained, took) = tokio::task::spawn_blocking(move || server.stop())
        .await
        .unwrap();
    assert_eq!(drained.connections_cut, 0);
    assert!(took < SOON, "{took:?}");
    assert!(
        TcpStream::connect(address).is_err(),
        "the port is free again"
    );
}

#[tokio::test]
async fn what_does_not_end_is_cut_at_the_deadline() {
    // Long enough for a busy machine to close the other connection.
    let deadline = Duration::from_secs(1);
    let config = ServerConfig {
        requests_in_flight_max: 1,
        drain_deadline: deadline,
        ..config()
    };
    let server = Running::with(&world(), config);
    let channel = server.channel().await;
    // It may meet one of our own requests inside, so it knocks until it is let in.
    let endless = tokio::spawn(async move {
        while reason_if_any(endless_request(channel.clone()).await) == "OVERLOADED" {}
    });
    let mut client = server.client().await;
    let start = Instant::now();
    // The request must be in the house, or there would be nothing to cut.
    while client.lookup(request()).await.is_ok() {
        assert!(start.elapsed() < PATIENCE, "never in the house");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(client);
    let (drained, took) = tokio::task::spawn_blocking(move || server.stop())
        .await
        .unwrap();
    assert_eq!(drained.connections_cut, 1);
    assert!(deadline <= took && took < SOON, "{took:?}");
    endless.await.unwrap();
}

#[tokio::test]
async fn a_signal_stops_the_server() {
    // Taken first, so that the signal cannot end the test itself.
    let mut seen = signal(SignalKind::terminate()).unwrap();
    let (_folder, graph) = published(&world());
    let bound = Server::bind(config(), graph.path().to_owned()).unwrap();
    let address = bound.local_addr();
    let (waiting, waits) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        bound.serve(async {
            let mut stop = std::pin::pin!(asked_to_stop());
            // Polled once, it listens; only then may the signal come.
            let listening = tokio::time::timeout(Duration::ZERO, &mut stop).await;
            assert!(listening.is_err());
            let _ = waiting.send(());
            stop.await.unwrap();
        })
    });
    waits.await.unwrap();
    TcpStream::connect(address).unwrap();
    let own = std::process::id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &own])
            .status()
            .unwrap()
            .success()
    );
    seen.recv().await;
    let start = Instant::now();
    while !thread.is_finished() {
        assert!(start.elapsed() < PATIENCE, "still serving");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    thread.join().unwrap().unwrap();
}
