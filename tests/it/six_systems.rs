//! One settings file over six kinds of sources: rebuilt, served, searched, explained, and asked for
//! profiles.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use sameas_api::v1 as wire;
use sameas_api::v1::match_service_client::MatchServiceClient;
use sameas_api::v1::profile_service_client::ProfileServiceClient;
use sameas_tests::{MariaDb, Postgres, Record, Serving, Systems, driver, sameas};
use tonic::{Code, Request};

use crate::adbc::{MAKE_SQLITE, MATCHING, Place, python, source, write_csv};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const NAMES: [&str; 6] = ["csv", "duckdb", "mariadb", "parquet", "postgres", "sqlite"];

/// Gives every system a share of the records, so that most people are in several.
fn shares() -> [Vec<Record>; 6] {
    let systems = Systems::new(400, 17);
    let mut shares: [Vec<Record>; 6] = Default::default();
    for (system, records) in systems.records.into_iter().enumerate() {
        for (number, record) in records.into_iter().enumerate() {
            shares[system * 2 + number % 2].push(record);
        }
    }
    shares
}

fn rows(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let own = |row: &csv::StringRecord| row.iter().map(str::to_owned).collect::<Vec<_>>();
    let header = own(reader.headers().unwrap());
    let rows = reader.records().map(|row| own(&row.unwrap()));
    (header, rows.collect())
}

fn to_parquet(csv: &Path, parquet: &Path) {
    let (header, rows) = rows(csv);
    let columns = header.iter().enumerate().map(|(at, name)| {
        let cell = |row: &Vec<String>| Some(row[at].clone()).filter(|cell| !cell.is_empty());
        let cells: StringArray = rows.iter().map(cell).collect();
        (name.clone(), Arc::new(cells) as ArrayRef)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = fs::File::create(parquet).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Makes a table of a CSV file's columns, all texts, by statements that both servers understand.
fn statements(csv: &Path, text: &str) -> [String; 2] {
    let (header, rows) = rows(csv);
    let quoted = |cell: &String| match cell.as_str() {
        "" => "NULL".to_owned(),
        cell => format!("'{}'", cell.replace('\\', "\\\\").replace('\'', "''")),
    };
    let columns = header.iter().skip(1).map(|name| format!("{name} {text}"));
    let columns: Vec<String> = columns.collect();
    let rows = rows.iter().map(|row| {
        let cells: Vec<String> = row.iter().map(quoted).collect();
        format!("({})", cells.join(", "))
    });
    let rows: Vec<String> = rows.collect();
    [
        // The word `key` is one of SQL's own.
        format!(
            "CREATE TABLE customers (id {text} PRIMARY KEY, {});",
            columns.join(", ")
        ),
        format!("INSERT INTO customers VALUES {};", rows.join(",\n")),
    ]
}

/// Rebuilds, and returns the references of every unified id.
fn entities(settings: &Path, map: &Path) -> BTreeMap<String, BTreeSet<(String, String)>> {
    for arguments in [
        &["rebuild", "--quiet"][..],
        &["export", "--output", map.to_str().unwrap()],
    ] {
        let ran = sameas(settings, arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    let mut entities: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for row in csv::Reader::from_path(map).unwrap().records() {
        let row = row.unwrap();
        let members = entities.entry(row[2].to_owned()).or_default();
        members.insert((row[0].to_owned(), row[1].to_owned()));
    }
    entities
}

fn with_token<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let shown = format!("Bearer {TOKEN}").parse().unwrap();
    request.metadata_mut().insert("authorization", shown);
    request
}

fn attributes(values: &[(&str, &str)]) -> Vec<wire::Attribute> {
    let attribute = |&(field, value): &(&str, &str)| wire::Attribute {
        field: field.to_owned(),
        value: value.to_owned(),
    };
    values.iter().map(attribute).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn six_systems_are_one_graph() {
    let (Some(sqlite), Some(duckdb)) = (driver("sqlite"), driver("duckdb")) else {
        return;
    };
    let (Some(postgres), Some(mariadb)) = (Postgres::start(), MariaDb::start()) else {
        return;
    };
    let place = Place::new();
    let shares = shares();
    let file = |name: &str| place.path(&format!("{name}.csv"));
    for (name, records) in NAMES.iter().zip(&shares) {
        write_csv(&file(name), records);
    }
    python(MAKE_SQLITE, &[&file("sqlite"), &place.path("sqlite.db")]);
    let make = format!(
        "CREATE TABLE customers AS SELECT * FROM read_csv('{}', all_varchar = true)",
        file("duckdb").display()
    );
    place.duckdb(&duckdb, "base.duckdb", &[&make]);
    to_parquet(&file("parquet"), &place.path("customers.parquet"));
    for statement in statements(&file("postgres"), "text") {
        postgres.sql(&statement);
    }
    for statement in statements(&file("mariadb"), "varchar(120)") {
        mariadb.sql(&statement);
    }

    let graph = "[graph]\npath = \"graph\"\nnamespace = \"00000000-0000-0000-0000-00000000005a\"\n";
    let files = NAMES.map(|name| source(name, &format!("uri = \"{name}.csv\"")));
    let as_files = place.path("files.toml");
    fs::write(&as_files, format!("{graph}{}{MATCHING}", files.concat())).unwrap();
    let expected = entities(&as_files, &place.path("files-map.csv"));

    let table =
        |uri: &str| format!("uri = \"{uri}\"\ntable = \"customers\"\ncandidates = \"fetch\"");
    let by_driver = |library: &Path, path: &str| {
        let (library, path) = (library.display(), place.path(path));
        format!(
            "driver = \"{library}\"\nuri = \"{}\"\ntable = \"customers\"",
            path.display()
        )
    };
    let places = [
        "uri = \"csv.csv\"\ncandidates = \"fetch\"".to_owned(),
        by_driver(&duckdb, "base.duckdb"),
        table(&mariadb.uri("root")),
        "uri = \"customers.parquet\"\ncandidates = \"fetch\"".to_owned(),
        table(&postgres.uri("postgres")),
        by_driver(&sqlite, "sqlite.db"),
    ];
    let live = std::iter::zip(NAMES, &places).map(|(name, place)| {
        let text = source(name, place);
        match name {
            "mariadb" | "postgres" => text.replace("key = \"key\"", "key = \"id\""),
            _ => text,
        }
    });
    let caller =
        "[[caller]]\nname = \"ui\"\ntoken = { file = \"token\" }\nmay = [\"find\", \"profile\"]\n";
    fs::write(place.path("token"), TOKEN).unwrap();
    let as_systems = place.path("systems.toml");
    let text = format!("{graph}{}{MATCHING}{caller}", live.collect::<String>());
    fs::write(&as_systems, text).unwrap();
    let found = entities(&as_systems, &place.path("systems-map.csv"));
    assert_eq!(found, expected, "ids stay, so the clusters are the same");

    // Somebody whom most systems know, by a record that at least names her.
    let record = |(source, key): &(String, String)| {
        let system = NAMES.iter().position(|name| name == source).unwrap();
        shares[system]
            .iter()
            .find(|record| record.key == *key)
            .unwrap()
    };
    let systems_of = |members: &BTreeSet<(String, String)>| {
        let systems: BTreeSet<&String> = members.iter().map(|(source, _)| source).collect();
        systems.len()
    };
    let named = |(_, members): &(&String, &BTreeSet<(String, String)>)| {
        let known = |r: &Record| r.surname.is_some() && r.born.is_some() && !r.emails.is_empty();
        members.iter().map(record).any(known)
    };
    let (id, members) = found
        .iter()
        .filter(named)
        .max_by_key(|(_, m)| systems_of(m))
        .unwrap();
    assert!(systems_of(members) >= 3, "{members:?}");
    let known = |r: &&Record| r.surname.is_some() && r.born.is_some() && !r.emails.is_empty();
    let one = members.iter().map(record).find(known).unwrap();

    let server = Serving::start(&as_systems, &[]);
    let channel = server.channel().await;
    let mut finder = MatchServiceClient::new(channel.clone());
    let surname = one.surname.clone().unwrap();
    let misspelt = format!("{surname}x");
    let values = [
        ("surname", misspelt.as_str()),
        ("dob", one.born.as_deref().unwrap()),
        ("email", &one.emails[0]),
    ];
    let request = wire::FindRequest {
        attributes: attributes(&values),
        ..wire::FindRequest::default()
    };
    let began = Instant::now();
    let answer = loop {
        match finder.find(with_token(request.clone())).await {
            Ok(answer) => break answer.into_inner(),
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                assert!(began.elapsed() < Duration::from_mins(1), "{status:?}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    assert!(answer.gaps.is_empty(), "{:?}", answer.gaps);
    let best = &answer.entities[0];
    assert_eq!(&best.unified_id, id, "{answer:?}");
    assert_eq!(best.standing(), wire::FindStanding::Match, "{best:?}");
    assert_eq!(best.reference_count as usize, members.len());

    let mut profiles = ProfileServiceClient::new(channel.clone());
    let request = wire::GetProfileRequest {
        subject: Some(wire::get_profile_request::Subject::UnifiedId(id.clone())),
        include_alternatives: true,
        ..wire::GetProfileRequest::default()
    };
    let profile = profiles.get_profile(with_token(request.clone())).await;
    let profile = profile.unwrap().into_inner();
    assert!(profile.gaps.is_empty(), "{:?}", profile.gaps);
    let is_read = |m: &wire::ProfileMember| m.state() == wire::ProfileMemberState::Read;
    assert!(profile.members.iter().all(is_read), "{:?}", profile.members);
    assert_eq!(profile.members.len(), members.len());

    for (values, code) in [
        (vec![("surnam", "x")], Code::InvalidArgument),
        (vec![("surname", "x")], Code::InvalidArgument),
        (vec![("surname", "?")], Code::InvalidArgument),
    ] {
        let attributes = attributes(&values);
        let request = wire::FindRequest {
            attributes,
            ..wire::FindRequest::default()
        };
        let refused = finder.find(with_token(request.clone())).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused:?}");
        let unknown = finder.find(request).await.unwrap_err();
        assert_eq!(unknown.code(), Code::Unauthenticated, "{unknown:?}");
    }

    let mut pair = members.iter();
    let [(a, a_key), (b, b_key)] = [pair.next().unwrap(), pair.next().unwrap()];
    let explained = sameas(&as_systems, &["explain", a, a_key, b, b_key]);
    assert_eq!(explained.code, Some(0), "{}", explained.stderr);

    // A system that is down leaves a gap, and the rest is the answer.
    drop(mariadb);
    let answer = finder.find(with_token(wire::FindRequest {
        attributes: attributes(&values),
        ..wire::FindRequest::default()
    }));
    let answer = answer.await.unwrap().into_inner();
    assert!(
        answer.gaps.iter().all(|gap| gap.source == "mariadb"),
        "{:?}",
        answer.gaps
    );
    let in_mariadb = members.iter().any(|(source, _)| source == "mariadb");
    assert_eq!(answer.gaps.len(), usize::from(in_mariadb), "{members:?}");
    let profile = profiles
        .get_profile(with_token(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        profile.gaps.len(),
        usize::from(in_mariadb),
        "{:?}",
        profile.gaps
    );
}
