//! `GetEntity`.

use sameas_api::v1::{EntityState, GetEntityRequest, GetEntityResponse};
use tonic::Code;

use crate::running::{Running, fact, reason};
use crate::world::{
    FOUR, MERGED, MERGED_TWICE, NEVER, ONE, RETIRED, REVISION, SPLIT, THREE, crowded, key, text,
    wordy, world,
};

fn request(id: u128) -> GetEntityRequest {
    GetEntityRequest {
        unified_id: text(id),
        ..GetEntityRequest::default()
    }
}

fn keys(answer: &GetEntityResponse) -> Vec<String> {
    let references = answer
        .members
        .iter()
        .map(|member| member.reference.clone().unwrap());
    references
        .map(|reference| format!("{} {}", reference.source, reference.key))
        .collect()
}

#[tokio::test]
async fn an_active_id_has_its_members_by_source_and_key() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let answer = client.get_entity(request(ONE)).await.unwrap().into_inner();
    assert_eq!(answer.revision, REVISION);
    assert_eq!(answer.unified_id, text(ONE));
    assert_eq!(answer.state(), EntityState::Active);
    assert_eq!((answer.born_revision, answer.member_count), (1, 3));
    assert_eq!(keys(&answer), ["crm A1", "shop B1", "support C1"]);
    let since: Vec<_> = answer
        .members
        .iter()
        .map(|member| member.since_revision)
        .collect();
    assert_eq!(since, [3, 1, 1]);
    assert_eq!(answer.next_cursor, "");
    assert!(answer.successor_unified_ids.is_empty());
}

#[tokio::test]
async fn every_id_ever_issued_resolves() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let cases = [
        (MERGED, EntityState::Merged, vec![ONE]),
        (MERGED_TWICE, EntityState::Merged, vec![ONE]),
        (SPLIT, EntityState::Split, vec![THREE, FOUR]),
        (RETIRED, EntityState::Retired, vec![]),
    ];
    for (id, state, successors) in cases {
        let answer = client.get_entity(request(id)).await.unwrap().into_inner();
        assert_eq!(answer.state(), state);
        assert_eq!(answer.born_revision, 1);
        assert_eq!(answer.member_count, 0);
        assert!(answer.members.is_empty());
        let successors: Vec<_> = successors.into_iter().map(text).collect();
        assert_eq!(answer.successor_unified_ids, successors);
    }
}

#[tokio::test]
async fn every_refusal_has_its_code_and_reason() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let with_id = |id: &str| GetEntityRequest {
        unified_id: id.into(),
        ..request(ONE)
    };
    let cases = [
        (request(NEVER), Code::NotFound, "UNIFIED_ID_UNKNOWN"),
        (with_id(""), Code::InvalidArgument, "FIELD_MISSING"),
        (
            with_id("customer 1"),
            Code::InvalidArgument,
            "UNIFIED_ID_MALFORMED",
        ),
        (
            with_id(&text(ONE).replace('-', "")),
            Code::InvalidArgument,
            "UNIFIED_ID_MALFORMED",
        ),
        (
            GetEntityRequest {
                page_size: 1_001,
                ..request(ONE)
            },
            Code::InvalidArgument,
            "PAGE_TOO_LARGE",
        ),
        (
            GetEntityRequest {
                cursor: "00".into(),
                ..request(ONE)
            },
            Code::InvalidArgument,
            "CURSOR_MALFORMED",
        ),
        (
            GetEntityRequest {
                min_revision: REVISION + 1,
                ..request(ONE)
            },
            Code::Unavailable,
            "REVISION_NOT_REACHED",
        ),
    ];
    for (request, code, expected) in cases {
        let status = client.get_entity(request).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (code, expected));
        assert_eq!(fact(&status, "revision"), Some(REVISION.to_string()));
    }
}

#[tokio::test]
async fn the_pages_together_are_the_entity() {
    let server = Running::start(&crowded(1, 2_345));
    let mut client = server.client().await;
    for page_size in [0, 1_000, 999] {
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let request = GetEntityRequest {
                page_size,
                cursor,
                ..request(ONE)
            };
            let answer = client.get_entity(request).await.unwrap().into_inner();
            assert_eq!(answer.member_count, 2_345);
            found.extend(keys(&answer));
            cursor = answer.next_cursor;
            if cursor.is_empty() {
                break;
            }
        }
        let expected: Vec<_> = (0..2_345)
            .map(|index| format!("crm {}", key(index)))
            .collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_page_of_a_megabyte_arrives_whole() {
    let server = Running::start(&wordy(1_000));
    let mut client = server.client().await;
    let request = GetEntityRequest {
        page_size: 1_000,
        ..request(ONE)
    };
    let answer = client.get_entity(request).await.unwrap().into_inner();
    let expected = (0..1_000).map(|index| format!("crm {index:01000}"));
    assert!(keys(&answer).into_iter().eq(expected));
}

#[tokio::test]
async fn a_cursor_dies_with_its_revision() {
    let server = Running::start(&crowded(1, 300));
    let mut client = server.client().await;
    let answer = client.get_entity(request(ONE)).await.unwrap().into_inner();
    assert_eq!(answer.members.len(), 100);
    server.graph.publish(&crowded(2, 300), 0).unwrap();
    server.reached(2).await;
    let next = GetEntityRequest {
        cursor: answer.next_cursor,
        ..request(ONE)
    };
    let status = client.get_entity(next).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Aborted, "CURSOR_EXPIRED")
    );
}
