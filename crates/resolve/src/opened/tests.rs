#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[tokio::test]
async fn an_opening_that_was_given_up_is_found_done() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.ndjson"), "{\"id\": 1}\n").unwrap();
    let settings = serde_json::json!({ "name": "a", "uri": "a.ndjson", "key": "id", "fields": {} });
    let sources = [serde_json::from_value(settings).unwrap()];
    let opened = OpenedSources::new(&sources, folder.path());
    let slot = &opened.slots["a"];
    let mut first = Box::pin(slot.open(folder.path()));
    assert!(futures::poll!(&mut first).is_pending());
    drop(first);
    let (_, was_open) = slot.open(folder.path()).await.ok().unwrap();
    assert!(was_open);
}
