//! A service that only says back what it was told: what gRPC itself costs.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use sameas_api::v1::identity_service_server::{IdentityService, IdentityServiceServer};
use sameas_api::v1::{
    BatchLookupRequest, BatchLookupResponse, ExplainRequest, ExplainResponse, GetEntityRequest,
    GetEntityResponse, GetHistoryRequest, GetHistoryResponse, LookupRequest, LookupResponse,
    StreamLookupRequest, StreamLookupResponse,
};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tonic::codegen::tokio_stream::Empty;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

struct Echo;

/// Serves on one thread, as sameas does on each of its own.
pub(crate) fn one_thread() -> io::Result<SocketAddr> {
    serve(
        "echo-ct",
        Builder::new_current_thread().enable_all().build()?,
    )
}

/// Serves as `#[tokio::main]` does.
pub(crate) fn pool() -> io::Result<SocketAddr> {
    serve(
        "echo-mt",
        Builder::new_multi_thread()
            .thread_name("echo-mt")
            .enable_all()
            .build()?,
    )
}

fn serve(name: &str, runtime: Runtime) -> io::Result<SocketAddr> {
    let socket = StdListener::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(socket).map_err(|error| error.to_string())?;
                let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
                let echo = IdentityServiceServer::new(Echo);
                let served = Server::builder()
                    .add_service(echo)
                    .serve_with_incoming(incoming)
                    .await;
                served.map_err(|error| error.to_string())
            })
        })?;
    Ok(address)
}

#[tonic::async_trait]
impl IdentityService for Echo {
    type StreamLookupStream = Empty<Result<StreamLookupResponse, Status>>;

    async fn lookup(
        &self,
        request: Request<LookupRequest>,
    ) -> Result<Response<LookupResponse>, Status> {
        let key = request.into_inner().reference.unwrap_or_default().key;
        let answer = LookupResponse {
            revision: 1,
            unified_id: key,
            since_revision: 1,
        };
        Ok(Response::new(answer))
    }

    async fn batch_lookup(
        &self,
        _: Request<BatchLookupRequest>,
    ) -> Result<Response<BatchLookupResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn stream_lookup(
        &self,
        _: Request<Streaming<StreamLookupRequest>>,
    ) -> Result<Response<Self::StreamLookupStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_entity(
        &self,
        _: Request<GetEntityRequest>,
    ) -> Result<Response<GetEntityResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn explain(
        &self,
        _: Request<ExplainRequest>,
    ) -> Result<Response<ExplainResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_history(
        &self,
        _: Request<GetHistoryRequest>,
    ) -> Result<Response<GetHistoryResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}
