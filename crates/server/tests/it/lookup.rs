//! Lookup and `StreamLookup`.

use sameas_api::v1::{ErrorReason, LookupRequest, StreamLookupRequest};
use tokio_stream::StreamExt;
use tonic::Code;

use crate::running::{Running, fact, reason, reference};
use crate::world::{MERGED, ONE, RETIRED, REVISION, TWO, text, world};

fn request(source: &str, key: &str) -> LookupRequest {
    LookupRequest {
        reference: reference(source, key),
        ..LookupRequest::default()
    }
}

#[tokio::test]
async fn a_known_reference_has_its_entity() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    for (source, key, id, since) in [
        ("crm", "A1", ONE, 3),
        ("support", "C1", ONE, 1),
        ("shop", "B2", TWO, 1),
    ] {
        let answer = client
            .lookup(request(source, key))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.revision, REVISION);
        assert_eq!(answer.unified_id, text(id));
        assert_eq!(answer.since_revision, since);
    }
}

#[tokio::test]
async fn every_refusal_has_its_code_and_reason() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let long = "x".repeat(1_025);
    let cases = [
        (
            LookupRequest::default(),
            Code::InvalidArgument,
            "FIELD_MISSING",
        ),
        (request("", "A1"), Code::InvalidArgument, "FIELD_MISSING"),
        (request("crm", ""), Code::InvalidArgument, "KEY_EMPTY"),
        (request("crm", &long), Code::InvalidArgument, "KEY_TOO_LONG"),
        (request("erp", "A1"), Code::NotFound, "SOURCE_UNKNOWN"),
        (request("crm", "a1"), Code::NotFound, "REFERENCE_UNKNOWN"),
        (
            request("crm", &long[1..]),
            Code::NotFound,
            "REFERENCE_UNKNOWN",
        ),
        (
            LookupRequest {
                min_revision: REVISION + 1,
                ..request("crm", "A1")
            },
            Code::Unavailable,
            "REVISION_NOT_REACHED",
        ),
        (
            LookupRequest {
                as_of_revision: REVISION + 1,
                ..request("crm", "A1")
            },
            Code::OutOfRange,
            "REVISION_IN_FUTURE",
        ),
    ];
    for (request, code, expected) in cases {
        let status = client.lookup(request).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (code, expected));
        assert_eq!(fact(&status, "revision"), Some(REVISION.to_string()));
        assert!(
            !status.message().contains(&long[..9]),
            "no key in a message"
        );
    }
    let missing = client.lookup(LookupRequest::default()).await.unwrap_err();
    assert_eq!(fact(&missing, "field").as_deref(), Some("reference"));
    let missing = client.lookup(request("", "A1")).await.unwrap_err();
    assert_eq!(fact(&missing, "field").as_deref(), Some("source"));
}

#[tokio::test]
async fn a_membership_can_be_asked_as_of_an_earlier_revision() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let mut as_of = async |source, key, revision| {
        let request = LookupRequest {
            as_of_revision: revision,
            ..request(source, key)
        };
        client.lookup(request).await.map(|answer| {
            let answer = answer.into_inner();
            (answer.unified_id, answer.since_revision)
        })
    };
    assert_eq!(as_of("crm", "A1", 1).await.unwrap(), (text(MERGED), 1));
    assert_eq!(as_of("crm", "A1", 2).await.unwrap(), (text(MERGED), 1));
    assert_eq!(as_of("crm", "A1", 3).await.unwrap(), (text(ONE), 3));
    assert_eq!(as_of("shop", "B1", 1).await.unwrap(), (text(ONE), 1));
    // Its source is gone, but not what was true while it was there.
    assert_eq!(as_of("gone", "Z9", 1).await.unwrap(), (text(RETIRED), 1));
    assert_eq!(
        reason(&as_of("gone", "Z9", 2).await.unwrap_err()),
        "SOURCE_UNKNOWN"
    );
}

#[tokio::test]
async fn a_stream_answers_each_message_in_order_and_survives_refusals() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let asked = [
        ("crm", "A1"),
        ("erp", "A1"),
        ("crm", ""),
        ("shop", "B2"),
        ("crm", "A1"),
    ];
    let requests = asked.map(|(source, key)| StreamLookupRequest {
        reference: reference(source, key),
        min_revision: 0,
    });
    let future = StreamLookupRequest {
        min_revision: 9,
        ..requests[0].clone()
    };
    let requests = requests.into_iter().chain([future]);
    let answers = client
        .stream_lookup(tokio_stream::iter(requests))
        .await
        .unwrap();
    let answers: Vec<_> = answers
        .into_inner()
        .collect::<Result<_, _>>()
        .await
        .unwrap();
    let shown: Vec<_> = answers
        .into_iter()
        .map(|answer| {
            assert_eq!(answer.revision, REVISION);
            let result = answer.result.unwrap();
            (
                result.error_reason(),
                result.unified_id,
                result.since_revision,
            )
        })
        .collect();
    let none = |reason| (reason, String::new(), 0);
    let one = (ErrorReason::Unspecified, text(ONE), 3);
    let expected = [
        one.clone(),
        none(ErrorReason::SourceUnknown),
        none(ErrorReason::KeyEmpty),
        (ErrorReason::Unspecified, text(TWO), 1),
        one,
        none(ErrorReason::RevisionNotReached),
    ];
    assert_eq!(shown, expected);
}
