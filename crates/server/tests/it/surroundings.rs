//! Health, reflection, and what a server refuses to start with.

use sameas_server::{ServeError, Server, ServerConfig};
use tokio_stream::StreamExt;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::running::{Running, config, published};
use crate::world::world;

const NAME: &str = "sameas.v1.IdentityService";

#[tokio::test]
async fn a_server_is_healthy_until_it_is_asked_to_stop() {
    let mut server = Running::start(&world());
    let mut health = HealthClient::new(server.channel().await);
    let request = |service: &str| HealthCheckRequest {
        service: service.into(),
    };
    for service in ["", NAME] {
        let answer = health.check(request(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }
    let mut watched = health.watch(request("")).await.unwrap().into_inner();
    assert_eq!(
        watched.next().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );
    server.ask_to_stop();
    let then = watched.next().await.unwrap();
    // Whichever comes first: the word that it is not serving, or the end of the stream.
    assert!(then.is_err() || then.is_ok_and(|then| then.status() == ServingStatus::NotServing));
}

#[tokio::test]
async fn reflection_names_the_services() {
    let server = Running::start(&world());
    let mut client = ServerReflectionClient::new(server.channel().await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap();
    let answer = answers.into_inner().next().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("not a list of services: {answer:?}");
    };
    let names: Vec<_> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert!(
        names.contains(&NAME) && names.contains(&"grpc.health.v1.Health"),
        "{names:?}"
    );
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let server = Running::start(&world());
    let mut grpc = tonic::client::Grpc::new(server.channel().await);
    for path in [
        "/sameas.v1.IdentityService/Forget",
        "/sameas.v1.IdentityServices/Lookup",
    ] {
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        let status = grpc
            .unary(tonic::Request::new(()), path.parse().unwrap(), codec)
            .await;
        assert_eq!(
            status.unwrap_err().code(),
            tonic::Code::Unimplemented,
            "{path}"
        );
    }
}

#[test]
fn a_port_in_use_is_named() {
    let server = Running::start(&world());
    let again = ServerConfig {
        listen: server.address,
        ..config()
    };
    let error = Server::bind(again, server.graph.path().to_owned()).unwrap_err();
    assert!(
        matches!(error, ServeError::AddressInUse { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains(&server.address.to_string()),
        "{error}"
    );
}

#[test]
fn an_address_that_others_reach_is_refused_unless_asked_for() {
    let (_folder, graph) = published(&world());
    let open = ServerConfig {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..config()
    };
    let error = Server::bind(open, graph.path().to_owned()).unwrap_err();
    assert!(matches!(error, ServeError::Plaintext { .. }), "{error:?}");
    assert!(error.to_string().contains("insecure_plaintext"), "{error}");
}

#[test]
fn a_folder_without_a_graph_or_without_a_revision_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = Server::bind(config(), folder.path().to_owned()).unwrap_err();
    assert!(matches!(error, ServeError::Folder { .. }), "{error:?}");
    let empty = folder.path().join("graph");
    sameas_store::GraphFolder::create_or_open(&empty, world().namespace).unwrap();
    let error = Server::bind(config(), empty).unwrap_err();
    assert!(error.to_string().contains("sameas rebuild"), "{error}");
}
