//! `BatchLookup`.

use std::time::Duration;

use sameas_api::v1::{BatchLookupRequest, ErrorReason, LookupResult, Reference};
use sameas_server::REQUEST_LEN_MAX;
use tonic::Code;

use crate::running::{Running, fact, reason};
use crate::world::{self, ONE, REVISION, TWO, text, uniform, uniform_id, world};

fn batch(references: &[(&str, &str)]) -> BatchLookupRequest {
    let references = references.iter().map(|(source, key)| Reference {
        source: (*source).into(),
        key: (*key).into(),
    });
    BatchLookupRequest {
        references: references.collect(),
        min_revision: 0,
    }
}

#[tokio::test]
async fn a_batch_keeps_its_order_and_its_duplicates() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let long = "x".repeat(1_025);
    let asked = [
        ("shop", "B2"),
        ("crm", "A1"),
        ("shop", "B2"),
        ("erp", "A1"),
        ("crm", "nobody"),
        ("crm", ""),
        ("", "A1"),
        ("crm", &long),
        ("crm", "A1"),
    ];
    let answer = client
        .batch_lookup(batch(&asked))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.revision, REVISION);
    let shown: Vec<_> = answer
        .results
        .iter()
        .map(|result| {
            (
                result.error_reason(),
                result.unified_id.clone(),
                result.since_revision,
            )
        })
        .collect();
    let found = |id, since| (ErrorReason::Unspecified, text(id), since);
    let none = |reason| (reason, String::new(), 0);
    let expected = [
        found(TWO, 1),
        found(ONE, 3),
        found(TWO, 1),
        none(ErrorReason::SourceUnknown),
        none(ErrorReason::ReferenceUnknown),
        none(ErrorReason::KeyEmpty),
        none(ErrorReason::FieldMissing),
        none(ErrorReason::KeyTooLong),
        found(ONE, 3),
    ];
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_full_batch_is_answered_and_a_larger_one_refused() {
    let server = Running::start(&uniform(1, 1_000));
    let mut client = server.client().await;
    let keys: Vec<String> = (0..1_001).map(world::key).collect();
    let asked: Vec<_> = keys.iter().rev().map(|key| ("crm", key.as_str())).collect();
    let answer = client
        .batch_lookup(batch(&asked[1..]))
        .await
        .unwrap()
        .into_inner();
    for (index, result) in (0..1_000).rev().zip(&answer.results) {
        assert_eq!(result.unified_id, text(uniform_id(1, index)));
    }
    let status = client.batch_lookup(batch(&asked)).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "BATCH_TOO_LARGE")
    );
    assert_eq!(fact(&status, "max").as_deref(), Some("1000"));
}

#[tokio::test]
async fn the_largest_legal_batch_is_answered() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let (source, key) = ("s".repeat(256), "k".repeat(1_024));
    let answer = client
        .batch_lookup(batch(&vec![(source.as_str(), key.as_str()); 1_000]))
        .await
        .unwrap()
        .into_inner();
    let is_unknown = |result: &LookupResult| result.error_reason() == ErrorReason::SourceUnknown;
    assert_eq!(answer.results.len(), 1_000);
    assert!(answer.results.iter().all(is_unknown));
}

#[tokio::test]
async fn an_empty_batch_has_an_empty_answer_and_a_later_revision_is_not_reached() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let answer = client.batch_lookup(batch(&[])).await.unwrap().into_inner();
    assert_eq!((answer.revision, answer.results.len()), (REVISION, 0));
    let later = BatchLookupRequest {
        min_revision: REVISION + 1,
        ..batch(&[])
    };
    let status = client.batch_lookup(later).await.unwrap_err();
    assert_eq!(reason(&status), "REVISION_NOT_REACHED");
}

#[tokio::test]
async fn a_message_over_the_bound_is_refused() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let key = "x".repeat(REQUEST_LEN_MAX);
    let status = client
        .batch_lookup(batch(&[("crm", &key)]))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "MESSAGE_TOO_LARGE")
    );
    assert_eq!(fact(&status, "max"), Some(REQUEST_LEN_MAX.to_string()));
    client.batch_lookup(batch(&[("crm", "A1")])).await.unwrap();
}

/// Long answers of a connection are made and sent one by one, short ones in groups, and calls that
/// are given up in between hold up nobody.
#[tokio::test]
async fn many_calls_of_one_connection_are_all_answered() {
    let server = Running::start(&uniform(1, 1_000));
    let client = server.client().await;
    let keys: Vec<String> = (0..1_000).map(world::key).collect();
    let all: Vec<_> = keys.iter().map(|key| ("crm", key.as_str())).collect();
    let (whole, short) = (batch(&all), batch(&all[..1]));
    let mut calls = tokio::task::JoinSet::new();
    let mut given_up = tokio::task::JoinSet::new();
    for number in 0..300_usize {
        let request = if number % 3 == 0 { &whole } else { &short }.clone();
        let mut client = client.clone();
        let call = async move {
            let wanted = request.references.len();
            let answer = client.batch_lookup(request).await.unwrap().into_inner();
            (wanted, answer)
        };
        if number % 7 == 0 {
            given_up.spawn(tokio::time::timeout(Duration::from_micros(500), call));
        } else {
            calls.spawn(call);
        }
    }
    let (answers, _) = tokio::join!(calls.join_all(), given_up.join_all());
    assert_eq!(answers.len(), 257);
    for (wanted, answer) in answers {
        assert_eq!(answer.results.len(), wanted);
        let last = answer.results.last().unwrap();
        assert_eq!(last.unified_id, text(uniform_id(1, wanted as u32 - 1)));
    }
}
