//! A server that runs for one test.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sameas_api::v1::identity_service_client::IdentityServiceClient;
use sameas_api::v1::{LookupRequest, LookupResponse, Reference};
use sameas_graph::GraphRevision;
use sameas_server::{Drained, ServeError, Server, ServerConfig, Values};
use sameas_store::GraphFolder;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::Status;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;

pub(crate) type Client = IdentityServiceClient<Channel>;

/// Long enough for a busy machine; nothing waits this long unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Running {
    /// Removed with the server.
    _folder: TempDir,
    pub(crate) graph: GraphFolder,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<Drained, ServeError>>>,
}

/// Any free port of this machine, and a quick eye on the graph folder.
pub(crate) fn config() -> ServerConfig {
    ServerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        poll_interval: Duration::from_millis(5),
        worker_count: 2,
        // A test that ends blocks its clients, which then cannot say goodbye.
        drain_deadline: Duration::from_millis(50),
        ..ServerConfig::default()
    }
}

/// Publishes a graph in a folder of its own.
pub(crate) fn published(graph: &GraphRevision) -> (TempDir, GraphFolder) {
    let folder = tempfile::tempdir().unwrap();
    let opened = GraphFolder::create_or_open(&folder.path().join("graph"), graph.namespace);
    let opened = opened.unwrap();
    opened.publish(graph, 0).unwrap();
    (folder, opened)
}

impl Running {
    pub(crate) fn start(graph: &GraphRevision) -> Self {
        Self::with(graph, config())
    }

    pub(crate) fn with(graph: &GraphRevision, config: ServerConfig) -> Self {
        Self::offering(graph, config, Values::default())
    }

    pub(crate) fn offering(graph: &GraphRevision, config: ServerConfig, values: Values) -> Self {
        let (folder, graph) = published(graph);
        let bound = Server::bind_with(config, graph.path().to_owned(), values).unwrap();
        let address = bound.local_addr();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            bound.serve(async {
                let _ = stopped.await;
            })
        });
        Self {
            _folder: folder,
            graph,
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = format!("http://{}", self.address);
        Channel::from_shared(endpoint)
            .unwrap()
            .tcp_nodelay(true)
            .connect()
            .await
            .unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        IdentityServiceClient::new(self.channel().await)
    }

    /// Waits until a revision is served.
    pub(crate) async fn reached(&self, revision: u64) {
        let mut client = self.client().await;
        let start = Instant::now();
        let request = LookupRequest {
            reference: reference("no such source", "x"),
            min_revision: revision,
            as_of_revision: 0,
        };
        while reason(&client.lookup(request.clone()).await.unwrap_err()) != "SOURCE_UNKNOWN" {
            assert!(
                start.elapsed() < PATIENCE,
                "revision {revision} is never served"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Asks it to stop, as a signal would.
    pub(crate) fn ask_to_stop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
    }

    /// Asks it to stop and returns how it ended, and how long that took.
    pub(crate) fn stop(mut self) -> (Drained, Duration) {
        let start = Instant::now();
        self.ask_to_stop();
        let drained = self.thread.take().unwrap().join().unwrap().unwrap();
        (drained, start.elapsed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ask_to_stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "every message field of a request is optional"
)]
pub(crate) fn reference(source: &str, key: &str) -> Option<Reference> {
    Some(Reference {
        source: source.into(),
        key: key.into(),
    })
}

/// Returns the reason that a status carries.
pub(crate) fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    let info = info.unwrap_or_else(|| panic!("no reason: {status:?}"));
    assert_eq!(info.domain, "sameas.v1");
    info.reason
}

/// Returns the reason why there is no answer, or nothing if there is one or no reason.
pub(crate) fn reason_if_any<T>(answer: Result<T, Status>) -> String {
    let info = answer.err().and_then(|s| s.get_details_error_info());
    info.map(|info| info.reason).unwrap_or_default()
}

/// Returns one of the facts beside the reason.
pub(crate) fn fact(status: &Status, name: &str) -> Option<String> {
    status.get_details_error_info()?.metadata.get(name).cloned()
}

/// Makes a unary call whose request never comes.
pub(crate) async fn endless_request(channel: Channel) -> Result<LookupResponse, Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let request = tonic::Request::new(tokio_stream::pending::<LookupRequest>());
    let path = "/sameas.v1.IdentityService/Lookup".parse().unwrap();
    let codec = ProstCodec::<LookupRequest, LookupResponse>::default();
    grpc.client_streaming(request, path, codec)
        .await
        .map(tonic::Response::into_inner)
}
