//! `GetHistory`.

use sameas_api::v1::get_history_request::Subject;
use sameas_api::v1::{EntityState, GetEntityRequest, GetHistoryRequest, LineageKind};

use crate::running::{Running, reason, reference};
use crate::world::{
    FOUR, MERGED, MERGED_TWICE, NEVER, ONE, RETIRED, REVISION, SPLIT, THREE, scattered, text,
    uniform_id, world,
};

fn of_id(id: u128) -> GetHistoryRequest {
    GetHistoryRequest {
        subject: Some(Subject::UnifiedId(text(id))),
        min_revision: 0,
    }
}

fn of_reference(source: &str, key: &str) -> GetHistoryRequest {
    let subject = reference(source, key).map(Subject::Reference);
    GetHistoryRequest {
        subject,
        min_revision: 0,
    }
}

#[tokio::test]
async fn an_id_has_its_state_its_successors_and_its_events() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let born = (1, LineageKind::Born, vec![]);
    let cases = [
        (ONE, EntityState::Active, vec![], vec![born.clone()]),
        (
            MERGED_TWICE,
            EntityState::Merged,
            vec![ONE],
            vec![born.clone(), (2, LineageKind::Merged, vec![MERGED])],
        ),
        (
            SPLIT,
            EntityState::Split,
            vec![THREE, FOUR],
            vec![born.clone(), (2, LineageKind::Split, vec![THREE, FOUR])],
        ),
        (
            RETIRED,
            EntityState::Retired,
            vec![],
            vec![born, (2, LineageKind::Retired, vec![])],
        ),
    ];
    for (id, state, successors, events) in cases {
        let answer = client.get_history(of_id(id)).await.unwrap().into_inner();
        assert_eq!((answer.revision, answer.state()), (REVISION, state));
        let texts = |ids: Vec<u128>| ids.into_iter().map(text).collect::<Vec<_>>();
        assert_eq!(answer.successor_count as usize, successors.len());
        assert_eq!(answer.successor_unified_ids, texts(successors));
        let shown: Vec<_> = answer
            .events
            .iter()
            .map(|event| {
                assert_eq!(event.into_count as usize, event.into_unified_ids.len());
                (event.revision, event.kind(), event.into_unified_ids.clone())
            })
            .collect();
        let events: Vec<_> = events
            .into_iter()
            .map(|(revision, kind, into)| (revision, kind, texts(into)))
            .collect();
        assert_eq!(shown, events);
        assert!(answer.memberships.is_empty());
    }
}

#[tokio::test]
async fn a_reference_has_its_memberships_past_and_present() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let cases = [
        ("crm", "A1", vec![(MERGED, 1, 3), (ONE, 3, 0)]),
        ("shop", "B1", vec![(ONE, 1, 0)]),
        ("gone", "Z9", vec![(RETIRED, 1, 2)]),
    ];
    for (source, key, expected) in cases {
        let answer = client
            .get_history(of_reference(source, key))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (answer.state(), answer.events.len()),
            (EntityState::Unspecified, 0)
        );
        let shown: Vec<_> = answer
            .memberships
            .into_iter()
            .map(|membership| {
                assert_eq!(membership.reference, reference(source, key));
                (
                    membership.unified_id,
                    membership.began_revision,
                    membership.ended_revision,
                )
            })
            .collect();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(id, began, ended)| (text(id), began, ended))
            .collect();
        assert_eq!(shown, expected);
    }
}

#[tokio::test]
async fn an_id_that_went_to_very_many_has_the_first_and_their_number() {
    let server = Running::start(&scattered(1_500));
    let mut client = server.client().await;
    let answer = client.get_history(of_id(SPLIT)).await.unwrap().into_inner();
    let texts = |count: u32| (0..count).map(|index| text(uniform_id(1, index)));
    assert_eq!(answer.successor_count, 1_500);
    assert!(answer.successor_unified_ids.into_iter().eq(texts(1_000)));
    let split = &answer.events[0];
    assert_eq!(split.into_count, 1_500);
    assert!(split.into_unified_ids.iter().cloned().eq(texts(100)));
    let request = GetEntityRequest {
        unified_id: text(SPLIT),
        ..GetEntityRequest::default()
    };
    let answer = client.get_entity(request).await.unwrap().into_inner();
    assert_eq!(answer.successor_count, 1_500);
    assert!(answer.successor_unified_ids.into_iter().eq(texts(1_000)));
}

#[tokio::test]
async fn every_refusal_has_its_reason() {
    let server = Running::start(&world());
    let mut client = server.client().await;
    let malformed = Some(Subject::UnifiedId("7".into()));
    let cases = [
        (GetHistoryRequest::default(), "FIELD_MISSING"),
        (
            GetHistoryRequest {
                subject: malformed,
                min_revision: 0,
            },
            "UNIFIED_ID_MALFORMED",
        ),
        (of_id(NEVER), "UNIFIED_ID_UNKNOWN"),
        (of_reference("crm", ""), "KEY_EMPTY"),
        (of_reference("crm", "nobody"), "REFERENCE_UNKNOWN"),
        (of_reference("gone", "nobody"), "SOURCE_UNKNOWN"),
        (
            GetHistoryRequest {
                min_revision: 9,
                ..of_id(ONE)
            },
            "REVISION_NOT_REACHED",
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(
            reason(&client.get_history(request).await.unwrap_err()),
            expected
        );
    }
}
