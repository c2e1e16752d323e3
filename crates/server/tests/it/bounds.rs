//! What one client can take from the others.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sameas_api::v1::{LookupRequest, StreamLookupRequest};
use sameas_server::ServerConfig;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::running::{PATIENCE, Running, config, endless_request, reason, reference};
use crate::world::world;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A SETTINGS frame that sets nothing (RFC 9113, section 6.5).
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const MAX_CONCURRENT_STREAMS: u16 = 3;

fn request() -> LookupRequest {
    LookupRequest {
        reference: reference("crm", "A1"),
        ..LookupRequest::default()
    }
}

fn connect(server: &Running) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Waits until the server hangs up, and returns how long that took.
fn until_cut(mut stream: TcpStream) -> Duration {
    let start = Instant::now();
    let mut buffer = [0; 4_096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return start.elapsed(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return start.elapsed(),
            Ok(_) => {}
            Err(error) => panic!("not cut: {error}"),
        }
    }
}

#[test]
fn the_settings_frame_bounds_the_streams_of_a_connection() {
    let server = Running::start(&world());
    let mut stream = connect(&server);
    stream.write_all(PREFACE).unwrap();
    stream.write_all(&SETTINGS).unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[3], 4, "the first frame is SETTINGS");
    let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut payload).unwrap();
    let settings: Vec<(u16, u32)> = payload
        .as_chunks::<6>()
        .0
        .iter()
        .map(|&[a, b, c, d, e, f]| (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f])))
        .collect();
    assert!(
        settings.contains(&(MAX_CONCURRENT_STREAMS, 100)),
        "{settings:?}"
    );
}

#[test]
fn a_silent_connection_is_cut_after_the_deadline() {
    let deadline = Duration::from_millis(300);
    let server = Running::with(
        &world(),
        ServerConfig {
            preface_deadline: deadline,
            ..config()
        },
    );
    let silent = connect(&server);
    let mut slow = connect(&server);
    slow.write_all(&PREFACE[..7]).unwrap();
    let waited = until_cut(silent);
    assert!(waited < PATIENCE / 2, "cut after {waited:?}");
    until_cut(slow);
}

#[tokio::test]
async fn a_connection_that_greeted_outlives_the_deadline() {
    let deadline = Duration::from_millis(50);
    let server = Running::with(
        &world(),
        ServerConfig {
            preface_deadline: deadline,
            ..config()
        },
    );
    let mut stream = connect(&server);
    stream.write_all(PREFACE).unwrap();
    stream.write_all(&SETTINGS).unwrap();
    stream.set_read_timeout(Some(deadline * 4)).unwrap();
    let mut buffer = [0; 4_096];
    loop {
        match stream.read(&mut buffer) {
            Ok(count) => assert!(count > 0, "cut although it greeted"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_request_that_does_not_arrive_is_ended() {
    let deadline = Duration::from_millis(100);
    let server = Running::with(
        &world(),
        ServerConfig {
            request_deadline: deadline,
            ..config()
        },
    );
    let status = endless_request(server.channel().await).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(reason(&status), "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_full_house_refuses_at_once_and_recovers() {
    let config = ServerConfig {
        requests_in_flight_max: 1,
        ..config()
    };
    let server = Running::with(&world(), config);
    let mut client = server.client().await;
    let channel = server.channel().await;
    // It may meet one of our own requests inside, so it knocks until it is let in.
    let endless = tokio::spawn(async move {
        loop {
            let _ = endless_request(channel.clone()).await;
        }
    });
    let start = Instant::now();
    let status = loop {
        match client.lookup(request()).await {
            Err(status) => break status,
            Ok(_) => assert!(start.elapsed() < PATIENCE, "never full"),
        }
    };
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::ResourceExhausted, "OVERLOADED")
    );
    endless.abort();
    while client.lookup(request()).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "never free again");
    }
}

#[tokio::test]
async fn open_streams_are_counted() {
    let server = Running::with(
        &world(),
        ServerConfig {
            streams_open_max: 1,
            ..config()
        },
    );
    let mut client = server.client().await;
    let open = || {
        let (sender, receiver) = tokio::sync::mpsc::channel::<StreamLookupRequest>(1);
        (sender, ReceiverStream::new(receiver))
    };
    let (sender, requests) = open();
    let first = client.stream_lookup(requests).await.unwrap();
    let status = client.stream_lookup(open().1).await.unwrap_err();
    assert_eq!(reason(&status), "OVERLOADED");
    client.lookup(request()).await.unwrap();
    drop((sender, first));
    let start = Instant::now();
    while client.stream_lookup(open().1).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "the place is never free again");
    }
}

#[tokio::test]
async fn one_address_has_its_bound_of_connections() {
    let config = ServerConfig {
        connections_per_peer_max: 1,
        ..config()
    };
    let server = Running::with(&world(), config);
    let mut client = server.client().await;
    client.lookup(request()).await.unwrap();
    until_cut(connect(&server));
    client.lookup(request()).await.unwrap();
}
