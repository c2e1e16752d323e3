//! Values over gRPC: who gets them, what is read for them, and what happens if a system is down.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sameas_api::v1::get_profile_request::Subject;
use sameas_api::v1::profile_service_client::ProfileServiceClient;
use sameas_api::v1::{GetProfileRequest, GetProfileResponse, ProfileMemberState, Reference};
use sameas_tests::{Layout, Postgres, Scanner, Serving, Systems, paths_below, sameas};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::postgres::{in_all_systems, must, settings_over};

const UI: &str = "canarytokenqu0123456789abcdef0123456789";
const BILLING: &str = "canarytokenqb0123456789abcdef0123456789";
const NOBODY: &str = "canarytokenqn0123456789abcdef0123456789";

/// Adds callers to settings: one that may see all, one that may see two fields, one that may not.
fn with_callers(settings: &Path, timeout_ms: u64) -> PathBuf {
    let folder = settings.parent().unwrap();
    for (file, token) in [("ui", UI), ("billing", BILLING), ("finder", NOBODY)] {
        fs::write(folder.join(format!("{file}.token")), format!("{token}\n")).unwrap();
    }
    let text = fs::read_to_string(settings).unwrap();
    let more = format!(
        "\n[profile]\ntimeout_ms = {timeout_ms}\norder = [\"crm\"]\n\
         [[caller]]\nname = \"ui\"\ntoken = {{ file = \"ui.token\" }}\nmay = [\"profile\"]\n\
         [[caller]]\nname = \"billing\"\ntoken = {{ file = \"billing.token\" }}\n\
         may = [\"profile\"]\nfields = [\"city\", \"surname\"]\n\
         [[caller]]\nname = \"finder\"\ntoken = {{ file = \"finder.token\" }}\nmay = [\"find\"]\n"
    );
    let path = folder.join("callers.toml");
    fs::write(&path, text + &more).unwrap();
    path
}

async fn ask(
    channel: &Channel,
    token: Option<&str>,
    key: &str,
    fields: &[&str],
) -> Result<GetProfileResponse, Status> {
    let mut request = Request::new(GetProfileRequest {
        subject: Some(Subject::Reference(Reference {
            source: "crm".into(),
            key: key.into(),
        })),
        fields: fields.iter().map(|&field| field.to_owned()).collect(),
        include_alternatives: true,
        ..GetProfileRequest::default()
    });
    if let Some(token) = token {
        let shown = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", shown);
    }
    let mut client = ProfileServiceClient::new(channel.clone());
    let answer = client.get_profile(request).await;
    answer.map(tonic::Response::into_inner)
}

fn value<'a>(answer: &'a GetProfileResponse, field: &str) -> &'a str {
    let mut fields = answer.fields.iter();
    let field = fields.find(|f| f.field == field);
    let value = field.and_then(|field| field.value.as_ref());
    value.map_or("", |value| &value.value)
}

/// Calls a method of a service that need not be there.
async fn call(channel: &Channel, path: &'static str) -> Code {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let mut request = Request::new(());
    let shown = format!("Bearer {UI}").parse().unwrap();
    request.metadata_mut().insert("authorization", shown);
    let path = path.parse().unwrap();
    grpc.unary(request, path, codec).await.unwrap_err().code()
}

#[tokio::test]
async fn values_go_to_callers_alone_and_nothing_else_is_read() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_, tables) = settings_over(&postgres, &Systems::new(300, 11), folder.path());
    must(&sameas(&tables, &["rebuild", "--quiet"]));
    let (key, id) = in_all_systems(&tables);
    postgres.sql(&format!(
        "UPDATE customers SET city = 'Canaryville' WHERE id = '{key}'"
    ));
    let settings = with_callers(&tables, 5_000);
    let server = Serving::start(&settings, &[]);
    let channel = server.channel().await;
    for (token, fields, code) in [
        (None, &[][..], Code::Unauthenticated),
        (Some("wrong"), &[], Code::Unauthenticated),
        (Some(NOBODY), &[], Code::PermissionDenied),
        (Some(BILLING), &["email"], Code::PermissionDenied),
        (Some(UI), &["emial"], Code::InvalidArgument),
    ] {
        let refused = ask(&channel, token, &key, fields).await.unwrap_err();
        assert_eq!(refused.code(), code, "{token:?}: {refused:?}");
        assert!(!format!("{refused:?}").contains("canarytoken"));
    }
    let all = ask(&channel, Some(UI), &key, &[]).await.unwrap();
    assert_eq!((all.unified_id.as_str(), all.gaps.len()), (id.as_str(), 0));
    assert_eq!(value(&all, "city"), "Canaryville");
    let city = all.fields.iter().find(|f| f.field == "city").unwrap();
    let from = &city.value.as_ref().unwrap().references[0];
    assert_eq!((&*from.source, &*from.key), ("crm", &*key));
    assert_eq!(city.alternative_count as usize, city.alternatives.len());
    assert!(city.alternative_count > 0, "the others disagree");
    let read = ProfileMemberState::Read;
    assert!(all.members.len() >= 3 && all.members.iter().all(|m| m.state() == read));

    let some = ask(&channel, Some(BILLING), &key, &[]).await.unwrap();
    let names: Vec<_> = some.fields.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(names, ["city", "surname"]);
    // What the server was asked last, by the session that is kept for the next profile.
    let asked = || {
        postgres.sql(
            "SELECT query FROM pg_stat_activity WHERE application_name = 'sameas' \
             ORDER BY query_start DESC LIMIT 1",
        )
    };
    let columns = |query: &str| -> Vec<&'static str> {
        let all = [
            "id", "first", "last", "born", "mail", "mail2", "tel", "street", "city", "zip",
        ];
        let named = |column: &&str| query.contains(&format!("\"{column}\""));
        all.into_iter().filter(named).collect()
    };
    assert_eq!(columns(&asked()), ["id", "last", "city"], "{}", asked());
    ask(&channel, Some(UI), &key, &["phone"]).await.unwrap();
    assert_eq!(columns(&asked()), ["id", "tel"], "{}", asked());
    // One session serves them all.
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sameas'";
    assert_eq!(postgres.sql(sessions).trim(), "1");
    // A column of another type is seen, whatever the source was opened as; so is one that is gone.
    postgres.sql(
        "ALTER TABLE customers ADD zip2 int; UPDATE customers SET zip2 = 7; \
         ALTER TABLE customers RENAME zip TO old_zip; ALTER TABLE customers RENAME zip2 TO zip",
    );
    let changed = ask(&channel, Some(UI), &key, &["postcode"]).await.unwrap();
    assert_eq!((value(&changed, "postcode"), changed.gaps.len()), ("7", 0));
    postgres.sql("ALTER TABLE customers DROP zip");
    let gone = ask(&channel, Some(UI), &key, &["postcode"]).await.unwrap();
    assert_eq!(gone.gaps.len(), 1, "{gone:?}");
    let other = ask(&channel, Some(UI), &key, &["city"]).await.unwrap();
    assert_eq!(value(&other, "city"), "Canaryville");
    server.stop();

    let methods = [
        "/sameas.v1.ProfileService/GetProfile",
        "/sameas.v1.MatchService/Find",
    ];
    for (settings, arguments) in [(&settings, &["--lookup-only"][..]), (&tables, &[])] {
        let server = Serving::start(settings, arguments);
        let channel = server.channel().await;
        for method in methods {
            assert_eq!(
                call(&channel, method).await,
                Code::Unimplemented,
                "{method}"
            );
        }
    }
}

#[tokio::test]
async fn a_system_that_is_down_or_held_leaves_a_gap_and_a_call_that_ends_ends_its_query() {
    let Some(mut postgres) = Postgres::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_, tables) = settings_over(&postgres, &Systems::new(300, 11), folder.path());
    must(&sameas(&tables, &["rebuild", "--quiet"]));
    let (key, _) = in_all_systems(&tables);
    let server = Serving::start(&with_callers(&tables, 8_000), &[]);
    let channel = server.channel().await;
    ask(&channel, Some(UI), &key, &[]).await.unwrap();

    // A call whose client goes ends what the server of the source was asked.
    let held = "BEGIN; LOCK TABLE customers IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(8); COMMIT";
    let holder = thread::spawn({
        let psql = postgres.session();
        move || psql(held)
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE application_name = 'sameas' AND state = 'active'";
    let reach = |count: &str| {
        let began = Instant::now();
        while postgres.sql(waiting).trim() != count {
            assert!(began.elapsed() < Duration::from_secs(4), "never {count}");
            thread::sleep(Duration::from_millis(20));
        }
    };
    thread::sleep(Duration::from_millis(300));
    let calling = tokio::spawn({
        let (channel, key) = (channel.clone(), key.clone());
        async move { ask(&channel, Some(UI), &key, &[]).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    reach("1");
    calling.abort();
    assert!(calling.await.unwrap_err().is_cancelled());
    // The client has to run for its word to reach the server.
    tokio::time::sleep(Duration::from_millis(100)).await;
    reach("0");
    // While the table is held, what the others say comes within the deadline of the call.
    let mut late = Request::new(GetProfileRequest {
        subject: Some(Subject::Reference(Reference {
            source: "crm".into(),
            key: key.clone(),
        })),
        ..GetProfileRequest::default()
    });
    // The client itself gives up then.
    late.set_timeout(Duration::from_secs(2));
    let shown = format!("Bearer {UI}").parse().unwrap();
    late.metadata_mut().insert("authorization", shown);
    let mut client = ProfileServiceClient::new(channel.clone());
    let late = client.get_profile(late).await.unwrap().into_inner();
    assert_eq!(late.gaps[0].source, "crm");
    assert!(late.gaps[0].reason.contains("no answer within"), "{late:?}");
    assert!(
        !value(&late, "surname").is_empty(),
        "the others told theirs"
    );
    holder.join().unwrap();

    postgres.stop();
    let down = ask(&channel, Some(UI), &key, &[]).await.unwrap();
    assert_eq!(down.gaps.len(), 1, "{down:?}");
    assert!(
        down.gaps[0].reason.contains("cannot be read now"),
        "{down:?}"
    );
    assert!(
        !value(&down, "surname").is_empty(),
        "the others told theirs"
    );
    postgres.resume();
    let back = ask(&channel, Some(UI), &key, &[]).await.unwrap();
    assert!(back.gaps.is_empty(), "{back:?}");
    let said = server.stop().stderr;
    assert!(said.contains("does not answer"), "{said}");
}

#[tokio::test]
async fn no_value_and_no_token_is_told_to_anybody_else() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let values = ["Canarysurnamexq", "77 Canarystreetwz", "Canarycityjv"];
    let secrets = values.iter().chain(&[UI, BILLING, NOBODY, WRONG]);
    let scanner = Scanner::new(secrets.map(|value| (*value, None)));
    let folder = tempfile::tempdir().unwrap();
    let (_, tables) = settings_over(&postgres, &Systems::new(200, 9), folder.path());
    let [surname, street, city] = values;
    postgres.sql(&format!(
        "UPDATE customers SET last = '{surname}', street = '{street}', city = '{city}'"
    ));
    must(&sameas(&tables, &["rebuild", "--quiet"]));
    let key = postgres.sql("SELECT min(id) FROM customers");
    let server = Serving::start(&with_callers(&tables, 2_000), &["--log-level", "trace"]);
    let channel = server.channel().await;
    let told = ask(&channel, Some(UI), key.trim(), &[]).await.unwrap();
    for (field, expected) in [("surname", surname), ("street", street), ("city", city)] {
        assert_eq!(value(&told, field), expected);
    }
    for (token, fields) in [
        (WRONG, &[][..]),
        (NOBODY, &[]),
        (BILLING, &["street"]),
        (UI, &["Canarysurnamexq"]),
    ] {
        let refused = ask(&channel, Some(token), key.trim(), fields).await;
        let refused = format!("{:?}", refused.unwrap_err());
        let leaks = scanner.scan("status", refused.as_bytes());
        assert!(leaks.is_empty(), "{leaks:?} in {refused}");
    }
    let ran = server.stop();
    assert!(ran.stderr.contains("wrong token"), "{}", ran.stderr);
    for text in [&ran.stdout, &ran.stderr] {
        let leaks = scanner.scan("log", text.as_bytes());
        assert!(leaks.is_empty(), "{leaks:?} in {text}");
    }
    let left = paths_below(folder.path()).into_iter();
    for path in left.filter(|path| path.starts_with("graph")) {
        let leaks = scanner.scan("at rest", &fs::read(folder.path().join(&path)).unwrap());
        assert!(leaks.is_empty(), "{}: {leaks:?}", path.display());
    }
}

const WRONG: &str = "canarytokenqw0123456789abcdef0123456789";

#[test]
fn what_is_wrong_with_callers_is_told_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let files = Systems::new(40, 3).write(folder.path(), &Layout::default());
    must(&sameas(&files, &["rebuild", "--quiet"]));
    let settings = with_callers(&files, 2_000);
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(folder.path().join("short"), "canary-short").unwrap();
    let open = ["serve", "--listen", "0.0.0.0:0", "--insecure-plaintext"];
    let refused = sameas(&settings, &open);
    let expected = "set `behind_tls_proxy = true` under [serve]";
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    for (from, to, expected) in [
        (
            "\"ui.token\"",
            "\"short\"",
            "the token in short has 12 characters, expected 32 to 512; `openssl rand -hex 32`",
        ),
        (
            "{ file = \"ui.token\" }",
            "{ env = \"NO_SUCH_TOKEN\" }",
            "caller `ui`: no token: the environment variable NO_SUCH_TOKEN is not set",
        ),
        (
            "\"ui.token\"",
            "\"billing.token\"",
            "callers `ui` and `billing` have the same token",
        ),
        ("\"surname\"]", "\"surnam\"]", "did you mean \"surname\"?"),
        (
            "may = [\"find\"]",
            "may = [\"finds\"]",
            "caller[2].may[0]: \"finds\" is not a word for this key; did you mean \"find\"?",
        ),
        (
            "may = [\"find\"]",
            "may = []",
            "caller[2].may: allows nothing",
        ),
        (
            "{ file = \"ui.token\" }",
            "{ file = \"a\", env = \"b\" }",
            "caller[0].token: names no place or two",
        ),
        (
            "{ file = \"ui.token\" }",
            "\"canary-token-0123456789abcdef0123456789\"",
            "caller[0].token: expected a table such as { env = … } or { file = … }, found a text",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&settings, text.replacen(from, to, 1)).unwrap();
        let ran = sameas(&settings, &["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(ran.code, Some(2), "{to}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{to}: {}", ran.stderr);
        assert!(!ran.stderr.contains("canary"), "{to}: {}", ran.stderr);
    }
}
