//! The threads that serve, and the health they report together.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use sameas_api::FILE_DESCRIPTOR_SET;
use sameas_api::v1::identity_service_server::{self, IdentityServiceServer};
use sameas_api::v1::{match_service_server, profile_service_server};
use tokio::sync::watch;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::config::{REQUEST_LEN_MAX, RESPONSE_LEN_MAX};
use crate::connection::Deadlines;
use crate::current::Current;
use crate::doors::Doors;
use crate::find::LiveMatches;
use crate::front::{Front, Rules};
use crate::identity::Identity;
use crate::listener::Accepted;
use crate::porter::Porter;
use crate::profile::LiveProfiles;
use crate::server::Drained;
use crate::shutdown::{self, Trigger};
use crate::worker::{Duty, Worker};
use crate::{ServeError, ServerConfig, Values};

/// In how many steps the ages of connections differ, up to twice the age.
const AGE_STEPS: u32 = 32;

/// All workers of a server.
#[derive(Debug)]
pub(crate) struct Crew {
    workers: Vec<Worker>,
    ended: watch::Receiver<usize>,
    health: HealthReporter,
    names: Vec<&'static str>,
    shutdown: Trigger,
    cut: Trigger,
}

impl Crew {
    /// Starts as many workers as the configuration says and reports them healthy.
    pub(crate) async fn start(
        config: &ServerConfig,
        current: &Arc<Current>,
        values: &Values,
    ) -> Result<Self, ServeError> {
        let (shutdown_trigger, shutdown) = shutdown::channel();
        let (cut_trigger, cut) = shutdown::channel();
        let (count, ended) = watch::channel(0);
        let doors = Doors::new(config.requests_in_flight_max, config.streams_open_max);
        let doors = Arc::new(doors);
        let identity = Identity::new(Arc::clone(current));
        let porter = Porter::of(values);
        let profiles = values.profiles.as_ref().map(|profiles| {
            let (current, profiles) = (Arc::clone(current), Arc::clone(profiles));
            LiveProfiles::new(current, profiles, config.profiles_in_flight_max)
        });
        let matches = values.matches.as_ref().map(|matches| {
            let (current, matches) = (Arc::clone(current), Arc::clone(matches));
            LiveMatches::new(current, matches, config.finds_in_flight_max)
        });
        let health = HealthReporter::new();
        let names = names(values);
        report(&health, &names, ServingStatus::Serving).await;
        let start = |number| {
            let front = Front::new(
                service(identity.clone()),
                others(&health, profiles.as_ref(), matches.as_ref()),
                Rules {
                    doors: Arc::clone(&doors),
                    porter: porter.clone(),
                    shutdown: shutdown.clone(),
                    request_deadline: config.request_deadline,
                    stream_deadline: config.stream_idle_deadline,
                },
            );
            let duty = Duty {
                number,
                front,
                age: age(config, number),
                deadlines: Deadlines {
                    preface: config.preface_deadline,
                    // A timer that is always over would never let the thread go.
                    answer: config.answer_deadline.max(Duration::from_millis(1)),
                    age: age(config, number) + config.connection_grace,
                },
                shutdown: shutdown.clone(),
                cut: cut.clone(),
                ended: count.clone(),
            };
            Worker::start(duty).map_err(|cause| ServeError::Threads { cause })
        };
        let workers = (0..worker_count(config))
            .map(start)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            workers,
            ended,
            health,
            names,
            shutdown: shutdown_trigger,
            cut: cut_trigger,
        })
    }

    /// Hands a connection to the worker that has fewest.
    pub(crate) async fn take(&self, accepted: Accepted) {
        if let Some(worker) = self.workers.iter().min_by_key(|worker| worker.open_count()) {
            worker.take(accepted).await;
        }
    }

    /// Waits until some worker has ended.
    pub(crate) async fn any_ended(&self) {
        self.ended_count(1).await;
    }

    async fn ended_count(&self, wanted: usize) {
        let mut ended = self.ended.clone();
        // The only error is that all workers are gone.
        let _ = ended.wait_for(|count| *count >= wanted).await;
    }

    /// Lets open requests end, cuts what takes longer than the deadline, and joins the threads.
    pub(crate) async fn drain(self, deadline: Duration) -> Result<Drained, ServeError> {
        report(&self.health, &self.names, ServingStatus::NotServing).await;
        self.shutdown.fire();
        let all = self.ended_count(self.workers.len());
        let mut connections_cut = 0;
        if tokio::time::timeout(deadline, all).await.is_err() {
            connections_cut = self.workers.iter().map(Worker::open_count).sum();
        }
        self.cut.fire();
        let panicked = self
            .workers
            .into_iter()
            .map(Worker::join)
            .fold(false, |any, one| any | one);
        if panicked {
            Err(ServeError::WorkerDied)
        } else {
            Ok(Drained { connections_cut })
        }
    }
}

fn worker_count(config: &ServerConfig) -> u32 {
    match config.worker_count {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get) as u32,
        count => count as u32,
    }
}

/// The threads' bounds on age differ, so that clients do not all return at once.
fn age(config: &ServerConfig, number: u32) -> Duration {
    config.connection_age + config.connection_age / AGE_STEPS * (number % AGE_STEPS)
}

/// Returns the names of what is served, the empty one for all together.
fn names(values: &Values) -> Vec<&'static str> {
    let mut names = vec!["", identity_service_server::SERVICE_NAME];
    if values.profiles.is_some() {
        names.push(profile_service_server::SERVICE_NAME);
    }
    if values.matches.is_some() {
        names.push(match_service_server::SERVICE_NAME);
    }
    names
}

async fn report(health: &HealthReporter, names: &[&str], status: ServingStatus) {
    for name in names {
        health.set_service_status(name, status).await;
    }
}

/// Every worker has a service of its own, so that threads do not fight over its count of users.
fn service(identity: Identity) -> IdentityServiceServer<Identity> {
    IdentityServiceServer::new(identity)
        .max_decoding_message_size(REQUEST_LEN_MAX)
        .max_encoding_message_size(RESPONSE_LEN_MAX)
}

fn others(
    health: &HealthReporter,
    profiles: Option<&LiveProfiles>,
    matches: Option<&LiveMatches>,
) -> Routes {
    let descriptors = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let compiled = "the descriptors were compiled with this crate";
    let reflection = descriptors().build_v1().expect(compiled);
    // What Python's and older tools ask.
    let reflection_alpha = descriptors().build_v1alpha().expect(compiled);
    let health = HealthServer::new(HealthService::from_health_reporter(health.clone()))
        .max_decoding_message_size(REQUEST_LEN_MAX)
        .max_encoding_message_size(RESPONSE_LEN_MAX);
    let reflection = reflection
        .max_decoding_message_size(REQUEST_LEN_MAX)
        .max_encoding_message_size(RESPONSE_LEN_MAX);
    let reflection_alpha = reflection_alpha
        .max_decoding_message_size(REQUEST_LEN_MAX)
        .max_encoding_message_size(RESPONSE_LEN_MAX);
    let routes = Routes::new(health).add_service(reflection);
    let mut routes = routes.add_service(reflection_alpha);
    if let Some(profiles) = profiles {
        routes = routes.add_service(profiles.service());
    }
    if let Some(matches) = matches {
        routes = routes.add_service(matches.service());
    }
    routes.prepare()
}
