//! One record is found as a rebuild would decide, whatever its candidates are read from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sameas_api::v1::match_service_client::MatchServiceClient;
use sameas_api::v1::{Attribute, FindRequest, FindResponse};
use sameas_resolve::{
    Candidate, FindError, FindQuery, Finder, MatchStanding, RankOptions, RecordName, Settings, rank,
};
use sameas_store::GraphFolder;
use sameas_tests::{Layout, Serving, Systems, options, rebuild, sameas};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

fn load(settings: &Settings) -> Finder {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let finder = runtime.block_on(Finder::load(settings, &options(2)));
    finder.unwrap_or_else(|error| panic!("{error}"))
}

fn find(finder: &Finder, query: FindQuery) -> Result<sameas_resolve::Found, FindError> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(finder.find(query, sameas_resolve::Waiting::ToTheEnd))
}

/// The records of the CRM, as its file has them, by the fields that settings make of its columns.
fn queries(folder: &Path, settings: &Settings) -> Vec<FindQuery> {
    let crm = settings.sources.iter().find(|s| s.name == "crm").unwrap();
    let (request, columns) = sameas_source::ScanRequest::for_settings(crm);
    let mut reader = csv::Reader::from_path(folder.join("crm/part-0.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let cell = |row: &csv::StringRecord, name: &str| {
        let column = header.iter().position(|column| column == name).unwrap();
        row[column].to_owned()
    };
    let rows = reader.records().map(|row| row.unwrap());
    rows.map(|row| {
        let value = |column: &usize| cell(&row, &request.columns[*column]);
        let values = crm.fields.keys().zip(&columns).map(|(field, columns)| {
            let values = columns.iter().map(value).filter(|value| !value.is_empty());
            (field.clone(), values.collect())
        });
        FindQuery {
            values: values.collect(),
            source: Some("crm".to_owned()),
            key: Some(cell(&row, &crm.key)),
            visible: None,
        }
    })
    .collect()
}

/// Every record of a source, looked for as if it came anew, weighs against each candidate what a rebuild
/// weighs for the pair; and the same candidates are found and weigh the same if they are fetched.
#[test]
fn what_is_found_weighs_what_a_rebuild_weighs() {
    let folder = tempfile::tempdir().unwrap();
    let path = Systems::new(300, 5).write(folder.path(), &Layout::default());
    rebuild(&path, 2);
    let settings = Settings::load(&path).unwrap();
    let mut fetching = settings.clone();
    for source in &mut fetching.sources[1..] {
        source.candidates = sameas_source::Candidates::Fetch;
    }
    let (finder, fetcher) = (load(&settings), load(&fetching));
    let mut pairs: Vec<(RecordName, RecordName)> = Vec::new();
    let mut found: Vec<Candidate> = Vec::new();
    for (number, query) in queries(folder.path(), &settings).into_iter().enumerate() {
        let own = ("crm".to_owned(), query.key.clone().unwrap());
        let answer = find(&finder, query.clone()).unwrap();
        assert!(
            answer
                .candidates
                .iter()
                .all(|c| (&c.source, &c.key) != (&own.0, &own.1))
        );
        if number % 10 == 0 {
            assert_eq!(find(&fetcher, query).unwrap(), answer, "{own:?}");
        }
        for candidate in answer.candidates {
            pairs.push((
                own.clone(),
                (candidate.source.clone(), candidate.key.clone()),
            ));
            found.push(candidate);
        }
    }
    assert!(pairs.len() > 300, "{} pairs", pairs.len());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let weighed = runtime.block_on(sameas_resolve::weigh(&settings, &options(2), &pairs));
    for ((pair, found), weighed) in pairs.iter().zip(&found).zip(weighed.unwrap()) {
        let weighed = weighed.unwrap();
        assert_eq!(found.pattern, weighed.pattern, "{pair:?}");
        let is_linked = found.linked_by.is_some();
        assert!(
            is_linked || (found.bits - weighed.bits).abs() < 1e-9,
            "{pair:?}"
        );
    }
}

/// Whom a record is linked to in the graph it is found to be of.
#[test]
fn a_record_is_found_to_be_of_its_own_entity() {
    let folder = tempfile::tempdir().unwrap();
    let path = Systems::new(300, 6).write(folder.path(), &Layout::default());
    rebuild(&path, 2);
    let settings = Settings::load(&path).unwrap();
    let finder = load(&settings);
    let snapshot = GraphFolder::open(&settings.graph_path()).unwrap();
    let snapshot = snapshot.current().unwrap().unwrap();
    let told = RankOptions {
        least: 0.0,
        limit: 10,
        comparisons: finder.visible_comparisons(None),
    };
    let (mut of_others, mut same) = (0, 0);
    for query in queries(folder.path(), &settings) {
        let key = query.key.clone().unwrap();
        let located = snapshot.lookup("crm", &key).unwrap().unwrap();
        let id = located.entity.id;
        let members = snapshot.entity(id).unwrap().unwrap().member_count();
        let ranked = rank(
            &find(&finder, query).unwrap(),
            finder.legend(),
            &snapshot,
            &told,
        );
        let ranked = ranked.unwrap();
        for record in ranked.iter().flat_map(|entity| &entity.records) {
            let levels: f64 = record.comparisons.iter().map(|(_, _, bits)| bits).sum();
            let rest = record.adjustment_bits + record.rule_bits;
            let sum = finder.legend().prior.bits() + levels + rest;
            assert!((sum - record.weight_bits).abs() < 0.01, "the bits add up");
        }
        let best = ranked
            .first()
            .filter(|best| best.standing == MatchStanding::Match);
        if members > 1 {
            of_others += 1;
            same += u32::from(best.is_some_and(|best| best.unified_id == id.to_string()));
        }
    }
    // A rebuild weighs bridges and takes one record a source, which one record alone does not show.
    assert!(
        of_others > 100 && same * 100 >= of_others * 97,
        "{same} of {of_others}"
    );
}

#[test]
fn the_command_answers_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = Systems::new(60, 7).write(folder.path(), &Layout::default());
    let early = sameas(&path, &["find", "surname=x", "--quiet"]);
    assert_eq!(early.code, Some(2), "{}", early.stdout);
    assert!(early.stderr.contains("sameas rebuild"), "{}", early.stderr);
    rebuild(&path, 2);
    let settings = Settings::load(&path).unwrap();
    let query = queries(folder.path(), &settings).remove(3);
    let known = query
        .values
        .iter()
        .flat_map(|(field, values)| values.iter().map(move |value| format!("{field}={value}")));
    let known: Vec<String> = known.collect();
    let with = |more: &[&str]| {
        let known = known.iter().map(String::as_str);
        let asked: Vec<&str> = ["find", "--quiet"].into_iter().chain(known).collect();
        sameas(&path, &[&asked[..], more].concat())
    };
    let text = with(&[]);
    assert_eq!(text.code, Some(0), "{}", text.stderr);
    let first = text.stdout.lines().next().unwrap();
    assert!(first.contains("  match, probability "), "{first}");
    assert!(text.stdout.contains("  crm C-"), "{}", text.stdout);
    let json = with(&["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["entities"][0]["standing"], "match");
    assert_eq!(json["is_partial"], false);
    let wrong = [
        (vec!["find", "surnam=x"], "`surnam`"),
        (vec!["find", "canary-4711"], "FIELD=VALUE"),
        (vec!["find", "surname=x", "--source", "crn"], "`crn`"),
        (vec!["find", "surname=?"], "nothing is left to look for"),
        (vec!["find", "--input", "nowhere.csv"], "nowhere.csv"),
    ];
    for (asked, told) in wrong {
        let ran = sameas(&path, &[&asked[..], &["--quiet"]].concat());
        assert_eq!(ran.code, Some(2), "{asked:?}: {}", ran.stdout);
        assert!(ran.stderr.contains(told), "{asked:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    }
    let alone = sameas(&path, &["find", "surname=x", "--quiet"]);
    // Nobody was looked for, so the answer is not no.
    assert_eq!(alone.code, Some(2), "{}", alone.stdout);
    assert!(
        alone.stderr.contains("no blocking rule"),
        "{}",
        alone.stderr
    );
    assert_eq!(alone.stdout, "");
    let alone = sameas(&path, &["find", "surname=x", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&alone.stdout).unwrap();
    assert_eq!(json["is_searched"], false, "{json}");
    assert_eq!(json["entities"], serde_json::json!([]), "{json}");
}

/// The command stopped at the first repeated key of any source, though a look-up needs none of its
/// records.
#[test]
fn a_source_whose_keys_cannot_be_told_apart_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let path = Systems::new(60, 9).write(folder.path(), &Layout::default());
    rebuild(&path, 2);
    let settings = Settings::load(&path).unwrap();
    let queries = queries(folder.path(), &settings);
    let file = folder.path().join("crm/part-0.csv");
    let text = fs::read_to_string(&file).unwrap();
    let last = text.lines().last().unwrap();
    fs::write(&file, format!("{text}{last}\n")).unwrap();
    let finder = load(&settings);
    let unread = finder.unread();
    assert_eq!(unread.len(), 1, "{unread:?}");
    assert_eq!(unread[0].source, "crm");
    assert!(unread[0].reason.contains("1 key"), "{unread:?}");
    let found = find(&finder, queries[3].clone()).unwrap();
    assert_eq!(found.gaps.len(), 1);
    assert!(!found.candidates.is_empty());
    assert!(found.candidates.iter().all(|c| c.source != "crm"));
}

/// Sources that a rebuild would refuse to take as they are: who is not found may be in them.
#[test]
fn a_source_that_lost_much_of_what_the_graph_knows_is_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let path = Systems::new(60, 9).write(folder.path(), &Layout::default());
    rebuild(&path, 2);
    let mut settings = Settings::load(&path).unwrap();
    let snapshot = GraphFolder::open(&settings.graph_path()).unwrap();
    let snapshot = snapshot.current().unwrap().unwrap();
    assert_eq!(load(&settings).lacks(&snapshot).unwrap(), []);

    let file = folder.path().join("crm/part-0.csv");
    let text = fs::read_to_string(&file).unwrap();
    let half = text.lines().count() / 2;
    let cut: Vec<&str> = text.lines().take(half).collect();
    fs::write(&file, cut.join("\n")).unwrap();
    settings.sources.retain(|source| source.name != "desk");
    let gaps = load(&settings).lacks(&snapshot).unwrap();
    let told: Vec<(&str, &str)> = gaps
        .iter()
        .map(|gap| (&*gap.source, &*gap.reason))
        .collect();
    let [("crm", fewer), ("desk", none)] = told[..] else {
        panic!("{told:?}");
    };
    assert!(
        fewer.starts_with(&format!("it has {} records", half - 1)),
        "{fewer}"
    );
    assert!(none.contains("no source of this name"), "{none}");
    let ran = sameas(
        &path,
        &[
            "find",
            "--quiet",
            "surname=Nobody",
            "street=Nowhere",
            "postcode=1",
        ],
    );
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);

    // As many records, by other keys.
    let line = |(number, line): (usize, &str)| match number {
        0 => line.to_owned(),
        _ => format!("x{line}"),
    };
    let others: Vec<String> = text.lines().enumerate().map(line).collect();
    fs::write(&file, others.join("\n")).unwrap();
    let gaps = load(&settings).lacks(&snapshot).unwrap();
    assert!(gaps[0].reason.contains("keys"), "{gaps:?}");
}

#[test]
fn every_row_of_a_file_gets_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = Systems::new(60, 8).write(folder.path(), &Layout::default());
    rebuild(&path, 2);
    let settings = Settings::load(&path).unwrap();
    let queries = queries(folder.path(), &settings);
    let fields: BTreeSet<&String> = queries.iter().flat_map(|q| q.values.keys()).collect();
    let file = folder.path().join("list.csv");
    let mut writer = csv::Writer::from_path(&file).unwrap();
    writer
        .write_record(fields.iter().map(|f| f.as_str()))
        .unwrap();
    let none = [String::new()];
    for query in &queries {
        let value = |field: &&String| query.values[*field].first().unwrap_or(&none[0]).clone();
        writer.write_record(fields.iter().map(value)).unwrap();
    }
    writer.write_record(fields.iter().map(|_| "")).unwrap();
    writer.flush().unwrap();
    let ran = sameas(
        &path,
        &["find", "--quiet", "--input", file.to_str().unwrap()],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut standings: BTreeMap<String, usize> = BTreeMap::new();
    for row in csv::Reader::from_reader(ran.stdout.as_bytes()).records() {
        *standings.entry(row.unwrap()[1].to_owned()).or_default() += 1;
    }
    let rows: usize = standings.values().sum();
    assert_eq!(rows, queries.len() + 1);
    assert_eq!(standings["not searched"], 1, "{standings:?}");
    assert!(standings["match"] * 10 > rows * 9, "{standings:?}");
}

#[test]
fn what_is_wrong_with_a_file_of_rows_is_told_and_costs_no_other_row_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = Systems::new(60, 8).write(folder.path(), &Layout::default());
    rebuild(&path, 2);
    let settings = Settings::load(&path).unwrap();
    let queries = queries(folder.path(), &settings);
    let name = queries[0].values["surname"][0].as_str();
    let file = folder.path().join("list.csv");
    let refused = |text: String, answers: &[&str], told: &str| {
        fs::write(&file, text).unwrap();
        let asked = ["find", "--quiet", "--input", file.to_str().unwrap()];
        let ran = sameas(&path, &asked);
        assert_eq!(ran.code, Some(2), "{told}: {}", ran.stdout);
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
        let given: Vec<&str> = ran.stdout.lines().skip(1).collect();
        assert_eq!(given, answers, "{told}");
    };
    let (long, mail) = ("x".repeat(2 << 20), "nobody@example.org");
    refused(
        format!(
            "surname,email\n{name},\"{}\"\n{name},{mail}\n",
            &long[..200_000]
        ),
        &["1,refused,,", "2,none,,"],
        "1 of 2 rows, row 1 the first: field `email`",
    );
    refused(
        format!("surname,email\na,b,c\n{name},{mail}\n"),
        &["1,refused,,", "2,none,,"],
        "the row has 3 cells, the header 2",
    );
    refused(
        format!("surname\n{name}\n"),
        &["1,not searched,,"],
        "no row could be searched",
    );
    // A quote that is never closed swallows rows, so it ends the file.
    refused(
        format!("surname,email\n{name},{mail}\n\"x,{mail}\n{name},{mail}\n"),
        &["1,none,,"],
        "list.csv: line 3: a quote is opened",
    );
    refused(
        format!("surname,email\n{name},\"{long}\"\n"),
        &[],
        "list.csv: line 2: a quoted cell has more than",
    );
    // A wrong header is told before anything is read.
    fs::rename(folder.path().join("crm"), folder.path().join("gone")).unwrap();
    refused(
        "surname,surnam\na,b\n".to_owned(),
        &[],
        "list.csv: the header names no field in column 2; fields are ",
    );
}

/// The settings of systems, with a level that looks at two fields.
fn with_level_across_fields(path: &Path) -> Settings {
    let text = fs::read_to_string(path).unwrap();
    let plain = "[[compare]]\nfield = \"surname\"\nfrequency = true\n";
    assert!(text.contains(plain), "{text}");
    let across = "[[compare]]\nfield = \"surname\"\nlevel = [\n  \
        { name = \"same and known\", when = \"surname_l = surname_r AND email_r IS NOT NULL\" },\n  \
        { name = \"same\", when = \"surname_l = surname_r\" },\n]\n";
    // Of a pair whose e-mail addresses are missing it says "else".
    let email = "[[compare]]\nfield = \"email\"\n";
    let counting = "[[compare]]\nfield = \"email\"\nmissing = \"surname_l IS NULL\"\nlevel = [\n  \
        { name = \"same\", when = \"email_l = email_r\" },\n]\n";
    assert!(text.contains(email), "{text}");
    let text = text.replace(plain, across).replace(email, counting);
    fs::write(path, text).unwrap();
    Settings::load(path).unwrap()
}

/// Whoever may see some fields learns nothing of the others: neither by a level that looks at both,
/// nor by a rule, nor by a weight.
#[test]
fn what_may_not_be_seen_weighs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = Systems::new(300, 12).write(folder.path(), &Layout::default());
    let settings = with_level_across_fields(&path);
    rebuild(&path, 2);
    let finder = load(&settings);
    let visible = ["given_name", "surname", "street", "postcode"].map(str::to_owned);
    let visible = BTreeSet::from(visible);
    let shown = finder.visible_comparisons(Some(&visible));
    let name = |number: &usize| finder.legend().comparisons[*number].name.clone();
    let names: Vec<String> = shown.iter().map(name).collect();
    assert_eq!(names, ["given_name", "surname", "street", "postcode"]);
    let surname = shown[1];
    let (mut known, mut compared) = (0, 0);
    for query in queries(folder.path(), &settings) {
        let mut some = query.clone();
        some.values.retain(|field, _| visible.contains(field));
        let all_seen = find(&finder, some.clone());
        some.visible = Some(visible.clone());
        let (Ok(all_seen), Ok(found)) = (all_seen, find(&finder, some)) else {
            continue;
        };
        let level = |candidate: &Candidate| candidate.pattern.level(surname);
        known += all_seen.candidates.iter().filter(|c| level(c) == 1).count();
        assert_eq!(all_seen.candidates.len(), found.candidates.len());
        for candidate in found.candidates {
            compared += 1;
            assert_ne!(level(&candidate), 1, "the e-mail address was looked at");
            for number in 0..finder.legend().comparisons.len() {
                let level = candidate.pattern.level(number);
                assert!(shown.contains(&number) || level == 0, "{}", name(&number));
            }
        }
    }
    assert!(known > 50 && compared > 100, "{known} of {compared}");
    let hint = finder.what_would_do(Some(&visible));
    assert!(hint.ends_with("give street and postcode"), "{hint}");
    let hint = finder.what_would_do(Some(&BTreeSet::new()));
    assert!(!hint.contains("street"), "{hint}");
}

/// A value that cannot be read is named, and the others are searched by; a source that cannot be
/// read is a gap, and the others are searched.
#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_searched() {
    let folder = tempfile::tempdir().unwrap();
    let path = Systems::new(200, 13).write(folder.path(), &Layout::default());
    rebuild(&path, 2);
    let settings = Settings::load(&path).unwrap();
    let mut query = queries(folder.path(), &settings).remove(2);
    query
        .values
        .insert("dob".to_owned(), vec!["1987-13-41".to_owned()]);
    let whole = load(&settings);
    let found = find(&whole, query.clone()).unwrap();
    assert_eq!(
        (&*found.unreadable, found.gaps.len()),
        (&["dob".to_owned()][..], 0)
    );
    assert!(found.rules_asked > 0);

    let shop = folder.path().join("shop");
    let away = folder.path().join("away");
    fs::rename(&shop, &away).unwrap();
    let partial = load(&settings);
    let found = find(&partial, query).unwrap();
    let gaps: Vec<&str> = found.gaps.iter().map(|gap| gap.source.as_str()).collect();
    assert_eq!(gaps, ["shop"]);
    assert!(found.candidates.iter().all(|c| c.source != "shop"));
    assert!(partial.reference_count() < whole.reference_count());
    let asked = ["find", "--quiet", "city=Nowhere", "dob=1987-13-41"];
    let ran = sameas(&path, &asked);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    for told in [
        "`dob`: a value cannot be read",
        "not all sources could be searched",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    // With none that can be read there is nothing to search.
    for source in ["crm", "desk"] {
        fs::rename(
            folder.path().join(source),
            folder.path().join(format!("{source}-away")),
        )
        .unwrap();
    }
    let ran = sameas(&path, &asked);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(ran.stderr.contains("source `crm`"), "{}", ran.stderr);
}

const CLERK: &str = "canarytokenqc0123456789abcdef0123456789";

async fn ask(channel: &Channel, known: &[(&str, &str)]) -> Result<FindResponse, Status> {
    let attributes = known.iter().map(|(field, value)| Attribute {
        field: (*field).to_owned(),
        value: (*value).to_owned(),
    });
    let mut request = Request::new(FindRequest {
        attributes: attributes.collect(),
        ..FindRequest::default()
    });
    let shown = format!("Bearer {CLERK}").parse().unwrap();
    request.metadata_mut().insert("authorization", shown);
    let answer = MatchServiceClient::new(channel.clone()).find(request).await;
    answer.map(tonic::Response::into_inner)
}

/// Asks until the server has read what it searches.
async fn ask_until(
    channel: &Channel,
    known: &[(&str, &str)],
    is_enough: impl Fn(&FindResponse) -> bool,
) -> FindResponse {
    let began = Instant::now();
    loop {
        match ask(channel, known).await {
            Ok(answer) if is_enough(&answer) => return answer,
            Ok(_) => {}
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(60), "never");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The same over the wire: a caller that may see some fields is told of those alone; a source
/// that was down when the server began is searched once it is back.
#[tokio::test]
async fn a_server_finds_with_what_it_can_read_for_callers_that_may_see_some_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = Systems::new(200, 14).write(folder.path(), &Layout::default());
    let rebuilt = sameas(&path, &["rebuild", "--quiet"]);
    assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.stderr);
    let settings = Settings::load(&path).unwrap();
    let query = queries(folder.path(), &settings).remove(5);
    fs::write(folder.path().join("clerk.token"), CLERK).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let caller = "\n[[caller]]\nname = \"clerk\"\ntoken = { file = \"clerk.token\" }\nmay = [\"find\"]\n\
                  fields = [\"surname\", \"given_name\", \"street\", \"postcode\", \"dob\"]\n";
    fs::write(&path, text + caller).unwrap();
    let (shop, away) = (folder.path().join("shop"), folder.path().join("away"));
    fs::rename(&shop, &away).unwrap();
    let server = Serving::start(&path, &[]);
    let channel = server.channel().await;
    let value = |field: &str| query.values[field].first().map_or("", String::as_str);
    let known = [
        ("surname", value("surname")),
        ("street", value("street")),
        ("postcode", value("postcode")),
        ("dob", "1987-13-41"),
    ];
    let answer = ask_until(&channel, &known, |_| true).await;
    let gaps: Vec<&str> = answer.gaps.iter().map(|gap| gap.source.as_str()).collect();
    assert_eq!(gaps, ["shop"]);
    assert_eq!(answer.unreadable_fields, ["dob"]);
    let told = answer.entities.iter().flat_map(|entity| &entity.references);
    let told: BTreeSet<&str> = told
        .flat_map(|reference| &reference.comparisons)
        .map(|comparison| comparison.comparison.as_str())
        .collect();
    let seen = ["dob", "given_name", "postcode", "street", "surname"];
    assert_eq!(told, BTreeSet::from(seen));
    let hidden = ask(&channel, &[("email", "a@b.example")])
        .await
        .unwrap_err();
    assert_eq!(hidden.code(), Code::PermissionDenied);
    let little = ask(&channel, &[("given_name", "x")]).await.unwrap_err();
    assert_eq!(little.code(), Code::InvalidArgument, "{little:?}");
    for field in ["email", "phone", "city"] {
        assert!(!little.message().contains(field), "{little:?}");
    }
    fs::rename(&away, &shop).unwrap();
    ask_until(&channel, &known, |answer| answer.gaps.is_empty()).await;
    // What is new in the sources is not read yet when somebody is the first to ask after a revision.
    let rebuilt = sameas(&path, &["rebuild", "--quiet"]);
    assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.stderr);
    let answer = ask_until(&channel, &known, |answer| answer.revision == 2).await;
    assert_eq!(answer.gaps.len(), 3, "{answer:?}");
    ask_until(&channel, &known, |answer| answer.gaps.is_empty()).await;
    let said = server.stop().stderr;
    assert!(said.contains("shop"), "{said}");
}

/// A key that very many records share is not looked at, which must not pass for "nobody".
#[test]
fn what_too_many_records_share_finds_nobody_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (0..300).map(|n| format!("{n},Johnson,j{n}@example.org\n"));
    let text = format!("id,surname,email\n{}", rows.collect::<String>());
    fs::write(folder.path().join("crm.csv"), text).unwrap();
    let settings = "[[source]]\nname = \"crm\"\nuri = \"crm.csv\"\nkey = \"id\"\n\
        [source.fields]\nsurname = \"surname\"\nemail = \"email\"\n\
        [[compare]]\nfield = \"surname\"\n[[compare]]\nfield = \"email\"\n\
        [[block]]\non = [\"surname\"]\n[[block]]\non = [\"email\"]\n";
    let path = folder.path().join("sameas.toml");
    fs::write(&path, settings).unwrap();
    rebuild(&path, 2);
    let alone = sameas(&path, &["find", "surname=Johnson", "--quiet"]);
    assert_eq!(alone.code, Some(2), "{}", alone.stdout);
    let told = "so many records share `surname` with it that none of them is compared";
    assert!(alone.stderr.contains(told), "{}", alone.stderr);
    // Another rule is asked as well, and its answer is one.
    let both = [
        "find",
        "surname=Johnson",
        "email=eve@example.org",
        "--quiet",
    ];
    assert_eq!(sameas(&path, &both).code, Some(1));
    let file = folder.path().join("list.csv");
    fs::write(&file, "surname,email\nJohnson,\nJohnson,eve@example.org\n").unwrap();
    let ran = sameas(
        &path,
        &["find", "--quiet", "--input", file.to_str().unwrap()],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let answers: Vec<&str> = ran.stdout.lines().skip(1).collect();
    assert_eq!(answers, ["1,not searched,,", "2,none,,"]);
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
}
