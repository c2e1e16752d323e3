#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

/// Settings without a fault; each case of a table changes one line of them.
const GOOD: &str = r#"[graph]
path = "graph"
namespace = "6a1f2c34-90ab-4cde-8f01-23456789abcd"
[[source]]
name = "crm"
uri = "crm.csv"
key = "id"
region = "US"
[source.fields]
surname = "last_name"
email = ["mail", "lower(mail2)"]
[[source]]
name = "shop"
uri = ["shop/*.parquet", "old/shop.parquet"]
key = "customer"
[source.fields]
surname = { from = "name", part = "surname" }
nickname = "nick"
[fields]
nickname = "given_name"
[[compare]]
field = "surname"
[[compare]]
field = "email"
[[block]]
on = ["email"]
[[block]]
on = ["surname.phonetic", "nickname"]
[[rule]]
name = "same mail"
when = "email: exact"
[decide]
link = 0.9
review = 0.5
one_per_source = ["crm"]
[budget]
block_len_max = 200
[serve]
listen = "127.0.0.1:0"
proxies = ["10.0.0.7", "2001:db8::7"]
"#;

fn load(text: &str) -> Result<Settings, SettingsError> {
    Settings::parse(text, Path::new("folder/sameas.toml"))
}

fn refusal(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the case changes a line: {from}");
    load(&GOOD.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn good_settings_are_read() {
    let settings = load(GOOD).unwrap();
    assert_eq!(settings.graph_path(), Path::new("folder/graph"));
    assert_eq!(settings.model_path(), Path::new("folder/sameas.model.json"));
    assert_eq!(settings.sources[1].uris().len(), 2);
    assert_eq!(settings.sources[1].fields.len(), 2);
    assert!(settings.namespace().is_some());
    let proxies: [IpAddr; 2] = ["10.0.0.7", "2001:db8::7"].map(|proxy| proxy.parse().unwrap());
    assert_eq!(settings.proxy_addresses(), proxies);
    let schema = settings.schema();
    let nickname = schema.field_id("nickname").unwrap();
    assert_eq!(schema.field(nickname).kind, FieldKind::GivenName);
}

/// A line of the good settings, what becomes of it, and what the refusal says.
const CASES: &[(&str, &str, &str)] = &[
    // unknown words
    (
        "[graph]",
        "[grpah]",
        "sameas.toml:1:2: grpah: unknown key \"grpah\"; did you mean \"graph\"?",
    ),
    (
        "key = \"id\"",
        "kye = \"id\"",
        ":7:1: source[0].kye: unknown key \"kye\"; did you mean \"key\"?",
    ),
    (
        "part = \"surname\"",
        "part = \"surnam\"",
        ":17:28: source[1].fields.surname.part: \"surnam\" is not a word for this key; did you mean \"surname\"?",
    ),
    (
        "part = \"surname\"",
        "prat = \"surname\"",
        ":17:28: source[1].fields.surname.prat: unknown key \"prat\"; did you mean \"part\"?",
    ),
    (
        "= \"given_name\"",
        "= \"given-name\"",
        ":20:1: fields.nickname: \"given-name\" is not a word for this key; did you mean \"given_name\"?",
    ),
    (
        "field = \"surname\"",
        "field = \"surnme\"",
        ":22:1: compare[0].field: no source maps a field \"surnme\"; did you mean \"surname\"?",
    ),
    (
        "\"surname.phonetic\"",
        "\"surnam.phonetic\"",
        ":28:7: block[1].on[0]: no source maps a field \"surnam\"; did you mean \"surname\"?",
    ),
    (
        "one_per_source = [\"crm\"]",
        "one_per_source = [\"crn\"]",
        ":35:19: decide.one_per_source[0]: no source is named \"crn\"; did you mean \"crm\"?",
    ),
    (
        "[fields]\nnickname",
        "[fields]\nnikname",
        ":20:1: fields.nikname: no source maps a field \"nikname\"; did you mean \"nickname\"?",
    ),
    (
        "[fields]\nnickname",
        "[ignore_shared_by_more_than]\nphon = 500\n[fields]\nnickname",
        ":20:1: ignore_shared_by_more_than.phon: no source maps a field \"phon\"",
    ),
    (
        "[fields]\nnickname",
        "[ignore_shared_by_more_than]\nsurname = 1\n[fields]\nnickname",
        ":20:1: ignore_shared_by_more_than.surname: expected at least 2",
    ),
    (
        "region = \"US\"",
        "zzz = 1",
        ":8:1: source[0].zzz: unknown key \"zzz\"; known here: candidates, date_order, delimiter,",
    ),
    (
        "field = \"email\"",
        "field = \"email\"\nlevels = [\"exact\", \"jaro_winkle >= 0.9\"]",
        ":25:20: compare[1].levels[1]: unknown test `jaro_winkle`, did you mean `jaro_winkler`?",
    ),
    (
        "field = \"email\"",
        "field = \"email\"\nlevels = [\"soft_tfidf >= 0.9\"]",
        ":25:11: compare[1].levels[0]: unknown test `soft_tfidf`, did you mean `soft_tf_idf`?",
    ),
    (
        "field = \"email\"",
        "field = \"email\"\nlevels = [\"monge_elkan >= 90\"]",
        ":25:11: compare[1].levels[0]: `monge_elkan >= 90`: write `monge_elkan >= N` with N from 0 to 1",
    ),
    (
        "field = \"email\"",
        "field = \"email\"\nlevels = [\"km <= 1\"]",
        ":25:11: compare[1].levels[0]: the test needs a field that is coordinates",
    ),
    (
        "field = \"email\"",
        "field = \"email\"\nkind = \"emial\"",
        ":25:1: compare[1].kind: unknown kind of comparison `emial`, did you mean `email`?",
    ),
    (
        "surname.phonetic",
        "surname.fonetic",
        ":28:7: block[1].on[0]: unknown form `fonetic`, did you mean `phonetic`?",
    ),
    (
        "email: exact",
        "emal: exact",
        ":31:1: rule[0].when: no source maps a field `emal`, did you mean `email`?",
    ),
    // wrong types
    (
        "link = 0.9",
        "link = \"high\"",
        ":33:1: decide.link: expected a number, found a text",
    ),
    (
        "uri = \"crm.csv\"",
        "uri = 7",
        ":6:1: source[0].uri: expected a text or a list, found an integer",
    ),
    (
        "block_len_max = 200",
        "block_len_max = -1",
        ":37:1: budget.block_len_max: expected an integer from 0 to 4294967295",
    ),
    (
        "block_len_max = 200",
        "block_len_max = 2.5",
        ":37:1: budget.block_len_max: expected an integer, found a number",
    ),
    (
        "region = \"US\"",
        "delimiter = \";;\"",
        ":8:1: source[0].delimiter: expected one character",
    ),
    (
        "uri = \"crm.csv\"\n",
        "",
        ":4:1: source[0]: the key \"uri\" is missing",
    ),
    ("path = \"graph\"", "path = ", ":2:8: "),
    (
        "path = \"graph\"",
        "path = \"graph\"\npath = \"other\"",
        ":3:1: duplicate key",
    ),
    // what does not fit together
    (
        "6a1f2c34-90ab-4cde-8f01-23456789abcd",
        "mine",
        ":3:1: graph.namespace: expected a UUID",
    ),
    (
        "name = \"shop\"",
        "name = \"crm\"",
        ":13:1: source[1].name: another source is named \"crm\" too",
    ),
    (
        "name = \"shop\"",
        "name = \"\"",
        ":13:1: source[1].name: a source's name is",
    ),
    (
        "name = \"shop\"",
        "name = \"the shop\"",
        ":13:1: source[1].name: a source's name is",
    ),
    (
        "region = \"US\"",
        "region = \"usa\"",
        ":8:1: source[0].region: expected two capital letters of ISO 3166, for example \"DE\"; did you mean \"US\"?",
    ),
    (
        "region = \"US\"",
        "region = \"UK\"",
        ":8:1: source[0].region: no region of ISO 3166 that has telephones is named \"UK\"; did you mean \"GB\"?",
    ),
    (
        "region = \"US\"",
        "region = \"ZZ\"",
        ":8:1: source[0].region: no region of ISO 3166 that has telephones is named \"ZZ\"",
    ),
    (
        "key = \"id\"",
        "key = \" \"",
        ":7:1: source[0].key: names no column",
    ),
    (
        "uri = \"crm.csv\"",
        "uri = []",
        ":6:1: source[0].uri: names no file",
    ),
    (
        "nickname = \"nick\"",
        "nickname = \"nick\"\ncity = \"town\"",
        ":19:1: source[1].fields.city: no comparison, block or rule uses this field",
    ),
    // A form of another field is no use of the field of its name.
    (
        "nickname = \"nick\"",
        "nickname = \"nick\"\nphonetic = \"sound\"",
        ":19:1: source[1].fields.phonetic: no comparison, block or rule uses this field",
    ),
    (
        "field = \"email\"",
        "field = \"surname\"",
        ":23:1: compare[1]: another comparison is named \"surname\" too",
    ),
    (
        "field = \"email\"",
        "field = \"email\"\nkind = \"email\"\nlevels = [\"exact\"]",
        ":26:1: compare[1].levels: both \"kind\" and \"levels\"",
    ),
    (
        "on = [\"email\"]",
        "on = []",
        ":26:1: block[0].on: the list is empty",
    ),
    (
        "link = 0.9",
        "link = 90",
        ":33:1: decide.link: expected a probability between 0 and 1",
    ),
    (
        "link = 0.9",
        "link = nan",
        ":33:1: decide.link: expected a probability between 0 and 1",
    ),
    (
        "review = 0.5",
        "bridge = 1.0",
        ":34:1: decide.bridge: expected a probability from 0, which lets every link, to below 1",
    ),
    (
        "review = 0.5",
        "review = 0.95",
        ":34:1: decide.review: is above \"link\" (0.9)",
    ),
    (
        "127.0.0.1:0",
        "localhost",
        ":39:1: serve.listen: expected an IP address and a port",
    ),
    (
        "\"2001:db8::7\"",
        "\"10.0.0.0/8\"",
        ":40:24: serve.proxies[1]: expected an IP address without a port, for example \"10.0.0.7\"; name each",
    ),
    (
        "\"10.0.0.7\"",
        "\"10.0.0.7:443\"",
        ":40:12: serve.proxies[0]: expected an IP address without a port",
    ),
    (
        "[\"10.0.0.7\", \"2001:db8::7\"]",
        "\"10.0.0.7\"",
        ":40:1: serve.proxies: expected a list, found a text",
    ),
];

#[test]
fn every_refusal_names_file_line_key_and_the_likely_word() {
    let mut wrong = Vec::new();
    for (from, to, expected) in CASES {
        let message = refusal(from, to);
        if !message.starts_with("folder/sameas.toml:") || !message.contains(expected) {
            wrong.push(format!(
                "{to:?}\n  said     {message}\n  expected {expected}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_problems_are_named_at_once_in_line_order() {
    let text = GOOD
        .replace("field = \"surname\"", "field = \"surnme\"")
        .replace("0.5", "5");
    let message = load(&text).unwrap_err().to_string();
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines.len(), 3, "{message}");
    assert!(lines[0].contains("compare[0].field"));
    assert!(lines[1].contains("decide.review: expected a probability"));
    assert!(lines[2].contains("decide.review: is above"));
}

#[test]
fn settings_without_sources_are_refused() {
    let message = load("").unwrap_err().to_string();
    assert!(message.contains(":1:1: source: no source"), "{message}");
}

#[test]
fn a_secret_in_an_address_is_refused_and_not_repeated() {
    let message = refusal("\"crm.csv\"", "\"s3://crm?secret_access_key=hunter2\"");
    assert!(
        message.contains(":6:1: source[0].uri: holds a secret"),
        "{message}"
    );
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn at_most_fifteen_comparisons_are_accepted() {
    let one = "[[compare]]\nfield = \"email\"\n";
    let another = |i| format!("[[compare]]\nname = \"{i}\"\nfield = \"email\"\n");
    let many = (0..16).map(another).collect::<Vec<_>>().concat();
    let message = refusal(one, &many);
    assert!(
        message.contains("compare[15]: 17 comparisons; at most 15"),
        "{message}"
    );
}

#[test]
fn a_missing_file_names_the_flag() {
    let error = Settings::load(Path::new("/nowhere/sameas.toml")).unwrap_err();
    assert!(
        error.to_string().contains("/nowhere/sameas.toml"),
        "{error}"
    );
    assert!(error.to_string().contains("--config"), "{error}");
}

#[test]
fn the_schema_knows_every_table() {
    let schema = json_schema();
    for table in [
        "graph", "source", "fields", "compare", "block", "rule", "decide", "serve",
    ] {
        assert!(
            schema.pointer(&format!("/properties/{table}")).is_some(),
            "{table}"
        );
    }
}
