//! Values for callers: who is let in, what is asked for them, and what is bounded.
//!
//! What asks the systems stands for them here; the workspace tests ask real ones.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sameas_api::v1::get_profile_request::Subject;
use sameas_api::v1::profile_service_client::ProfileServiceClient;
use sameas_api::v1::{
    EntityState, ExplainRequest, GetProfileRequest, GetProfileResponse, LookupRequest,
    ProfileField, ProfileGap, ProfileValue, Reference,
};
use sameas_graph::GraphRevision;
use sameas_server::{
    Answering, Callers, ProfileAnswer, ProfileQuestion, Profiles, Right, Rights, ServeError,
    Server, ServerConfig, Values,
};
use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::running::{Running, config, fact, published, reason, reference};
use crate::world::{MERGED, NEVER, ONE, RETIRED, SPLIT, THREE, crowded, text, world};

const ALL: &str = "all-0123456789abcdef0123456789abcdef";
const SOME: &str = "some-0123456789abcdef0123456789abcde";
const NONE: &str = "none-0123456789abcdef0123456789abcde";
const FIELDS: [&str; 3] = ["city", "email", "surname"];

/// Says of every field its own name, and notes what it is asked.
#[derive(Default)]
struct Told {
    fields: Vec<String>,
    asked: Mutex<Vec<ProfileQuestion>>,
    /// How long an answer takes.
    time: Duration,
    /// How long a value is.
    value_len: usize,
}

impl Told {
    fn new() -> Self {
        Self {
            fields: FIELDS.map(str::to_owned).to_vec(),
            value_len: 3,
            ..Self::default()
        }
    }

    fn last(&self) -> ProfileQuestion {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

impl Profiles for Told {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn profile(&self, question: ProfileQuestion) -> Answering<ProfileAnswer> {
        self.asked.lock().unwrap().push(question.clone());
        let (time, value) = (self.time, "x".repeat(self.value_len));
        Box::pin(async move {
            tokio::time::sleep(time).await;
            let fields = question.fields.into_iter().map(|field| ProfileField {
                field,
                value: Some(ProfileValue {
                    value: value.clone(),
                    ..ProfileValue::default()
                }),
                ..ProfileField::default()
            });
            let gap = ProfileGap {
                source: "shop".into(),
                reason: "it is closed".into(),
                member_count: 1,
            };
            Ok(ProfileAnswer {
                fields: fields.collect(),
                members: Vec::new(),
                gaps: vec![gap],
            })
        })
    }
}

fn callers() -> Callers {
    let mut callers = Callers::new([5; 32]);
    let profile = || [Right::Profile].into();
    let all = Rights {
        may: profile(),
        fields: None,
    };
    let some = Rights {
        may: profile(),
        fields: Some(["city".to_owned()].into()),
    };
    callers.admit("all", ALL, all);
    callers.admit("some", SOME, some);
    callers.admit("none", NONE, Rights::default());
    callers
}

fn serving(graph: &GraphRevision, told: &Arc<Told>, config: ServerConfig) -> Running {
    let values = Values::new(callers()).with_profiles(Arc::<Told>::clone(told));
    Running::offering(graph, config, values)
}

fn of(id: u128) -> GetProfileRequest {
    GetProfileRequest {
        subject: Some(Subject::UnifiedId(text(id))),
        ..GetProfileRequest::default()
    }
}

fn with_token<T>(message: T, token: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let shown: AsciiMetadataValue = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", shown);
    }
    request
}

async fn ask(
    server: &Running,
    token: Option<&str>,
    request: GetProfileRequest,
) -> Result<GetProfileResponse, Status> {
    let mut client = ProfileServiceClient::new(server.channel().await);
    let answer = client.get_profile(with_token(request, token)).await;
    answer.map(tonic::Response::into_inner)
}

fn fields_of(answer: &GetProfileResponse) -> Vec<&str> {
    answer.fields.iter().map(|f| f.field.as_str()).collect()
}

#[tokio::test]
async fn only_callers_with_the_right_are_answered_and_see_their_fields() {
    let told = Arc::new(Told::new());
    let server = serving(&world(), &told, config());
    for token in [None, Some("wrong"), Some(&ALL[1..])] {
        let refused = ask(&server, token, of(ONE)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{token:?}");
        assert_eq!(reason(&refused), "CALLER_UNKNOWN");
    }
    let refused = ask(&server, Some(NONE), of(ONE)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(reason(&refused), "CALLER_NOT_ALLOWED");
    assert_eq!(fact(&refused, "setting").unwrap(), "may");
    assert!(told.asked.lock().unwrap().is_empty(), "nobody was asked");

    let answer = ask(&server, Some(ALL), of(ONE)).await.unwrap();
    assert_eq!(fields_of(&answer), FIELDS);
    assert_eq!((answer.revision, answer.unified_id), (3, text(ONE)));
    assert_eq!(answer.gaps[0].reason, "it is closed");
    let members = [("crm", "A1"), ("shop", "B1"), ("support", "C1")];
    let members = members.map(|(source, key)| (source.to_owned(), key.to_owned()));
    assert_eq!(told.last().members, members);

    let answer = ask(&server, Some(SOME), of(ONE)).await.unwrap();
    assert_eq!(fields_of(&answer), ["city"]);
    assert_eq!(told.last().fields, ["city"], "no more was asked for");
    let asking = |fields: &[&str]| GetProfileRequest {
        fields: fields.iter().map(|&f| f.to_owned()).collect(),
        ..of(ONE)
    };
    let hidden = ask(&server, Some(SOME), asking(&["city", "email"])).await;
    let hidden = hidden.unwrap_err();
    assert_eq!(hidden.code(), Code::PermissionDenied);
    assert_eq!(fact(&hidden, "setting").unwrap(), "fields");
    let unknown = ask(&server, Some(ALL), asking(&["city", "ctiy"])).await;
    let unknown = unknown.unwrap_err();
    assert_eq!(reason(&unknown), "FIELD_UNKNOWN");
    assert_eq!(fact(&unknown, "field").unwrap(), "fields[1]");
    let many = ask(&server, Some(ALL), asking(&["city"; 257])).await;
    assert_eq!(reason(&many.unwrap_err()), "TOO_MANY_FIELDS");
    // Look-ups stay open to everybody.
    let lookup = LookupRequest {
        reference: reference("crm", "A1"),
        ..LookupRequest::default()
    };
    server.client().await.lookup(lookup).await.unwrap();
}

#[tokio::test]
async fn ids_that_are_not_active_are_answered_as_get_entity_does() {
    let told = Arc::new(Told::new());
    let server = serving(&world(), &told, config());
    for (id, state, successors) in [
        (MERGED, EntityState::Merged, vec![text(ONE)]),
        (SPLIT, EntityState::Split, vec![text(THREE), text(0x14)]),
        (RETIRED, EntityState::Retired, Vec::new()),
    ] {
        let answer = ask(&server, Some(ALL), of(id)).await.unwrap();
        assert_eq!(answer.state(), state);
        assert_eq!(answer.unified_id, text(id));
        assert_eq!(answer.successor_unified_ids, successors);
        assert!(answer.fields.is_empty() && answer.gaps.is_empty());
    }
    assert!(told.asked.lock().unwrap().is_empty(), "nobody was asked");
    let by = |source: &str, key: &str| GetProfileRequest {
        subject: Some(Subject::Reference(Reference {
            source: source.into(),
            key: key.into(),
        })),
        ..GetProfileRequest::default()
    };
    let answer = ask(&server, Some(ALL), by("shop", "B1")).await.unwrap();
    assert_eq!(answer.unified_id, text(ONE));
    assert_eq!(answer.state(), EntityState::Active);
    for (request, expected) in [
        (of(NEVER), "UNIFIED_ID_UNKNOWN"),
        (by("shop", "none"), "REFERENCE_UNKNOWN"),
        (by("shopp", "B1"), "SOURCE_UNKNOWN"),
        (by("shop", ""), "KEY_EMPTY"),
        (GetProfileRequest::default(), "FIELD_MISSING"),
    ] {
        let refused = ask(&server, Some(ALL), request).await.unwrap_err();
        assert_eq!(reason(&refused), expected);
    }
    let early = GetProfileRequest {
        min_revision: 4,
        ..of(ONE)
    };
    let early = ask(&server, Some(ALL), early).await.unwrap_err();
    assert_eq!(reason(&early), "REVISION_NOT_REACHED");
}

#[tokio::test]
async fn a_profile_is_bounded_in_number_time_and_size() {
    let slow = Arc::new(Told {
        time: Duration::from_millis(400),
        ..Told::new()
    });
    let one = ServerConfig {
        profiles_in_flight_max: 1,
        ..config()
    };
    let server = serving(&world(), &slow, one);
    let (first, second) = tokio::join!(
        ask(&server, Some(ALL), of(ONE)),
        ask(&server, Some(ALL), of(ONE))
    );
    let refused = [first.err(), second.err()].into_iter().flatten();
    let refused: Vec<_> = refused.map(|status| reason(&status)).collect();
    assert_eq!(refused, ["OVERLOADED"]);
    // The systems get the time of the call, less what the way back takes.
    let mut request = with_token(of(ONE), Some(ALL));
    request.set_timeout(Duration::from_secs(2));
    let mut client = ProfileServiceClient::new(server.channel().await);
    client.get_profile(request).await.unwrap();
    let time = slow.last().time;
    assert!(time > Duration::from_millis(1_500) && time < Duration::from_secs(2));

    let large = crowded(1, 1_001);
    let server = serving(&large, &slow, config());
    let refused = ask(&server, Some(ALL), of(ONE)).await.unwrap_err();
    assert_eq!(reason(&refused), "ENTITY_TOO_LARGE");
    assert_eq!(fact(&refused, "max").unwrap(), "1000");

    let wordy = Arc::new(Told {
        value_len: 2 << 20,
        ..Told::new()
    });
    let server = serving(&world(), &wordy, config());
    let refused = ask(&server, Some(ALL), of(ONE)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason(&refused), "ANSWER_TOO_LARGE");
}

#[tokio::test]
async fn a_wrong_token_waits_and_a_right_one_does_not() {
    let told = Arc::new(Told::new());
    let server = serving(&world(), &told, config());
    let began = Instant::now();
    let wrong = ask(&server, Some("wrong"), of(ONE)).await;
    assert_eq!(reason(&wrong.unwrap_err()), "CALLER_UNKNOWN");
    assert!(began.elapsed() >= Duration::from_secs(1));
    // Many wrong ones at once hold nobody else up.
    let mut wrong = tokio::task::JoinSet::new();
    for _ in 0..99 {
        let mut client = ProfileServiceClient::new(server.channel().await);
        let request = with_token(of(ONE), Some("wrong"));
        wrong.spawn(async move { client.get_profile(request).await.unwrap_err() });
    }
    ask(&server, Some(ALL), of(ONE)).await.unwrap();
    let refused = wrong.join_all().await;
    let busy = refused
        .iter()
        .filter(|status| reason(status) == "OVERLOADED");
    assert_eq!(busy.count(), 99 - 64);
}

#[tokio::test]
async fn lookups_need_a_caller_where_the_settings_say_so() {
    let values = Values::new(callers()).with_caller_for_lookups();
    let server = Running::offering(&world(), config(), values);
    let lookup = || LookupRequest {
        reference: reference("crm", "A1"),
        ..LookupRequest::default()
    };
    let mut client = server.client().await;
    let refused = client.lookup(lookup()).await.unwrap_err();
    assert_eq!(reason(&refused), "CALLER_UNKNOWN");
    let answer = client.lookup(with_token(lookup(), Some(NONE))).await;
    assert_eq!(answer.unwrap().into_inner().unified_id, text(ONE));
    // Values are still not offered.
    let status = ask(&server, Some(ALL), of(ONE)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    // What was said of fields that one may not see is as good as the fields.
    let explain = || ExplainRequest {
        left: reference("crm", "A1"),
        right: reference("shop", "B1"),
        ..ExplainRequest::default()
    };
    client
        .explain(with_token(explain(), Some(ALL)))
        .await
        .unwrap();
    let refused = client.explain(with_token(explain(), Some(SOME))).await;
    let refused = refused.unwrap_err();
    assert_eq!(reason(&refused), "CALLER_NOT_ALLOWED");
    assert_eq!(fact(&refused, "setting").unwrap(), "fields");
}

#[test]
fn tokens_are_not_taken_where_others_could_read_them() {
    let (_folder, graph) = published(&world());
    let bind = |insecure_plaintext, behind_tls_proxy, values| {
        let open = ServerConfig {
            listen: "0.0.0.0:0".parse().unwrap(),
            insecure_plaintext,
            behind_tls_proxy,
            ..config()
        };
        Server::bind_with(open, graph.path().to_owned(), values)
    };
    let profiles = || Values::new(callers()).with_profiles(Arc::new(Told::new()));
    let lookups = || Values::new(callers()).with_caller_for_lookups();
    for values in [profiles(), lookups()] {
        let error = bind(true, false, values).unwrap_err();
        assert!(
            matches!(error, ServeError::TokensInClear { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("behind_tls_proxy"), "{error}");
    }
    bind(false, true, profiles()).unwrap();
    bind(true, false, Values::default()).unwrap();
}

/// The health service knew the service of look-ups only.
#[tokio::test]
async fn health_knows_what_is_served_and_no_more() {
    let told = Arc::new(Told::new());
    let server = serving(&world(), &told, config());
    let mut health = HealthClient::new(server.channel().await);
    for (service, is_served) in [
        ("sameas.v1.ProfileService", true),
        ("sameas.v1.MatchService", false),
    ] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = health
            .check(request)
            .await
            .map(|answer| answer.into_inner().status());
        if is_served {
            assert_eq!(answer.unwrap(), ServingStatus::Serving);
        } else {
            assert_eq!(answer.unwrap_err().code(), Code::NotFound);
        }
    }
}
