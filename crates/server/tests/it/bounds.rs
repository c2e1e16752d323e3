//! What one client can take from the others.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::pin::pin;
use std::time::{Duration, Instant};

use sameas_api::v1::{GetEntityRequest, LookupRequest, LookupResponse, StreamLookupRequest};
use sameas_server::ServerConfig;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::running::{
    Client, PATIENCE, Running, config, endless_request, reason, reason_if_any, reference,
};
use crate::world::{ONE, text, wordy, world};

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
    let deadline = Duration::from_secs(1);
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
    stream.set_read_timeout(Some(deadline * 3 / 2)).unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_ended_when_its_client_stops_waiting() {
    let server = Running::start(&world());
    let mut grpc = tonic::client::Grpc::new(server.channel().await);
    grpc.ready().await.unwrap();
    let mut request = tonic::Request::new(tokio_stream::pending::<LookupRequest>());
    request.set_timeout(Duration::from_secs(1));
    let path = "/sameas.v1.IdentityService/Lookup".parse().unwrap();
    let codec = ProstCodec::<LookupRequest, LookupResponse>::default();
    let mut call = pin!(grpc.client_streaming(request, path, codec));
    let sent = tokio::time::timeout(Duration::from_millis(300), &mut call);
    assert!(sent.await.is_err(), "nobody answers what has not arrived");
    // The client would give up by itself at the same time. Unless it is asked: then it looks
    // first whether there is an answer.
    std::thread::sleep(Duration::from_secs(2));
    let status = call.await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused_with_a_reason() {
    let server = Running::start(&world());
    let mut grpc = tonic::client::Grpc::new(server.channel().await);
    // Its first field is a number, where that of a request is a reference.
    let other = LookupResponse {
        revision: 1,
        ..LookupResponse::default()
    };
    let codec = ProstCodec::<LookupResponse, LookupResponse>::default;
    let path = "/sameas.v1.IdentityService/Lookup".parse().unwrap();
    grpc.ready().await.unwrap();
    let unary = grpc.unary(tonic::Request::new(other.clone()), path, codec());
    let unary = unary.await.unwrap_err();
    let path = "/sameas.v1.IdentityService/StreamLookup".parse().unwrap();
    grpc.ready().await.unwrap();
    let requests = tonic::Request::new(tokio_stream::once(other));
    let answers = grpc.streaming(requests, path, codec()).await.unwrap();
    let stream = answers.into_inner().next().await.unwrap().unwrap_err();
    for status in [unary, stream] {
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, "MESSAGE_MALFORMED")
        );
    }
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
async fn every_call_that_streams_is_counted() {
    let server = Running::with(
        &world(),
        ServerConfig {
            streams_open_max: 1,
            ..config()
        },
    );
    let mut client = server.client().await;
    let mut health = HealthClient::new(server.channel().await);
    let mut reflection = ServerReflectionClient::new(server.channel().await);
    let refused = |status: Status| assert_eq!(reason(&status), "OVERLOADED");
    let watch = HealthCheckRequest::default();

    let watched = health.watch(watch.clone()).await.unwrap();
    refused(
        client
            .stream_lookup(tokio_stream::pending())
            .await
            .unwrap_err(),
    );
    refused(health.watch(watch.clone()).await.unwrap_err());
    let reflect = reflection.server_reflection_info(tokio_stream::pending());
    refused(reflect.await.unwrap_err());
    client.lookup(request()).await.unwrap();
    health.check(watch.clone()).await.unwrap();

    drop(watched);
    let start = Instant::now();
    let reflected = loop {
        let reflect = reflection.server_reflection_info(tokio_stream::pending());
        match reflect.await {
            Ok(reflected) => break reflected,
            Err(_) => assert!(start.elapsed() < PATIENCE, "the place is never free again"),
        }
    };
    refused(health.watch(watch).await.unwrap_err());
    drop(reflected);
}

#[tokio::test]
async fn one_peer_fills_half_of_the_house_unless_it_is_a_proxy() {
    for (proxies, is_refused) in [(Vec::new(), true), (config().proxies, false)] {
        let server = Running::with(
            &world(),
            ServerConfig {
                streams_open_max: 2,
                proxies,
                ..config()
            },
        );
        let (mut one, mut other) = (server.client().await, server.client().await);
        let first = one.stream_lookup(tokio_stream::pending()).await.unwrap();
        let second = other.stream_lookup(tokio_stream::pending()).await;
        assert_eq!(second.is_err(), is_refused);
        other.lookup(request()).await.unwrap();
        drop((first, second));
    }
}

/// A client that opens only so large a window for answers.
async fn closed(server: &Running, window_len: u32) -> Client {
    let endpoint = Channel::from_shared(format!("http://{}", server.address)).unwrap();
    let endpoint = endpoint.initial_stream_window_size(window_len);
    Client::new(endpoint.connect().await.unwrap())
}

fn impatient() -> ServerConfig {
    ServerConfig {
        requests_in_flight_max: 1,
        answer_deadline: Duration::from_millis(100),
        ..config()
    }
}

/// Waits until somebody else is in the house, and then until nobody is.
async fn until_full_and_free(server: &Running) {
    let mut client = server.client().await;
    let start = Instant::now();
    while reason_if_any(client.lookup(request()).await) != "OVERLOADED" {
        assert!(start.elapsed() < PATIENCE, "never full");
    }
    let start = Instant::now();
    while reason_if_any(client.lookup(request()).await) == "OVERLOADED" {
        assert!(start.elapsed() < PATIENCE, "never free again");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_taken_gives_its_place_back() {
    let server = Running::with(&world(), impatient());
    let mut client = closed(&server, 0).await;
    let knocking = tokio::spawn(async move {
        // Refusals need no window.
        while reason_if_any(client.lookup(request()).await) == "OVERLOADED" {}
    });
    until_full_and_free(&server).await;
    knocking.await.unwrap();
}

#[tokio::test]
async fn a_long_answer_that_is_taken_byte_by_byte_gives_its_place_back() {
    let server = Running::with(&wordy(1_000), impatient());
    let mut client = closed(&server, 1).await;
    let whole = GetEntityRequest {
        unified_id: text(ONE),
        page_size: 1_000,
        ..GetEntityRequest::default()
    };
    let knocking = tokio::spawn(async move {
        loop {
            let answer = client.get_entity(whole.clone()).await;
            assert!(answer.is_err(), "never taken in time");
            if reason_if_any(answer) != "OVERLOADED" {
                break;
            }
        }
    });
    until_full_and_free(&server).await;
    knocking.await.unwrap();
}

#[tokio::test]
async fn a_message_of_a_stream_that_is_not_taken_gives_its_place_back() {
    let server = Running::with(&world(), impatient());
    let mut client = closed(&server, 0).await;
    let knocking = tokio::spawn(async move {
        loop {
            let requests = tokio_stream::once(stream_request()).chain(tokio_stream::pending());
            if let Ok(mut answers) = client.stream_lookup(requests).await {
                break answers.get_mut().next().await.unwrap().is_err();
            }
        }
    });
    until_full_and_free(&server).await;
    assert!(knocking.await.unwrap());
}

fn stream_request() -> StreamLookupRequest {
    StreamLookupRequest {
        reference: reference("crm", "A1"),
        min_revision: 0,
    }
}

#[tokio::test]
async fn a_client_that_takes_its_answers_keeps_its_connection() {
    let server = Running::with(
        &world(),
        ServerConfig {
            answer_deadline: Duration::from_millis(20),
            ..config()
        },
    );
    let mut client = server.client().await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let answers = client.stream_lookup(ReceiverStream::new(receiver)).await;
    let mut answers = answers.unwrap().into_inner();
    for _ in 0..20 {
        sender.send(stream_request()).await.unwrap();
        answers.next().await.unwrap().unwrap();
        client.lookup(request()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_idle_stream_is_ended_and_a_busy_one_or_a_watch_is_not() {
    // Long enough for a busy machine to send the next message of the busy stream.
    let deadline = Duration::from_millis(1_500);
    let server = Running::with(
        &world(),
        ServerConfig {
            stream_idle_deadline: deadline,
            ..config()
        },
    );
    let mut health = HealthClient::new(server.channel().await);
    let watched = health.watch(HealthCheckRequest::default()).await.unwrap();
    let mut watched = watched.into_inner();
    watched.next().await.unwrap().unwrap();
    let mut client = server.client().await;
    let start = Instant::now();
    let idle = client.stream_lookup(tokio_stream::pending()).await.unwrap();
    let mut idle = idle.into_inner();
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let busy = client.stream_lookup(ReceiverStream::new(receiver)).await;
    let mut busy = busy.unwrap().into_inner();

    let status = loop {
        sender.send(stream_request()).await.unwrap();
        busy.next().await.unwrap().unwrap();
        let ended = tokio::time::timeout(Duration::from_millis(20), idle.next());
        match ended.await {
            Ok(ended) => break ended.unwrap().unwrap_err(),
            Err(_) => assert!(start.elapsed() < PATIENCE, "never ended"),
        }
    };
    assert!(deadline <= start.elapsed());
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
    let status = busy.next().await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let more = tokio::time::timeout(deadline / 4, watched.next());
    assert!(more.await.is_err(), "a watch has nothing to say");
}

#[tokio::test]
async fn a_stream_and_a_watch_end_when_their_client_stops_waiting() {
    let server = Running::start(&world());
    let time = Duration::from_millis(700);
    let mut asked = tonic::Request::new(tokio_stream::pending());
    asked.set_timeout(time);
    let mut client = server.client().await;
    let mut stream = client.stream_lookup(asked).await.unwrap().into_inner();
    let mut asked = tonic::Request::new(HealthCheckRequest::default());
    asked.set_timeout(time);
    let mut health = HealthClient::new(server.channel().await);
    let mut watched = health.watch(asked).await.unwrap().into_inner();
    watched.next().await.unwrap().unwrap();
    let start = Instant::now();
    let ended = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap();
    let watch = tokio::time::timeout(PATIENCE, watched.next())
        .await
        .unwrap();
    for status in [ended.unwrap().unwrap_err(), watch.unwrap().unwrap_err()] {
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
        );
    }
    assert!(start.elapsed() < PATIENCE / 2);
}

#[tokio::test]
async fn a_connection_ends_at_its_age_whatever_is_open_on_it() {
    let server = Running::with(
        &world(),
        ServerConfig {
            worker_count: 1,
            connection_age: Duration::from_secs(1),
            connection_grace: Duration::from_millis(100),
            ..config()
        },
    );
    let mut health = HealthClient::new(server.channel().await);
    let watched = health.watch(HealthCheckRequest::default()).await.unwrap();
    let mut watched = watched.into_inner();
    watched.next().await.unwrap().unwrap();
    let cut = tokio::time::timeout(PATIENCE, watched.next());
    assert!(cut.await.expect("never cut").is_none_or(|end| end.is_err()));
}

#[tokio::test]
async fn one_address_has_its_bound_of_connections() {
    let config = ServerConfig {
        connections_per_peer_max: 1,
        proxies: Vec::new(),
        ..config()
    };
    let server = Running::with(&world(), config);
    let mut client = server.client().await;
    client.lookup(request()).await.unwrap();
    until_cut(connect(&server));
    client.lookup(request()).await.unwrap();
}
