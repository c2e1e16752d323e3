//! One record is found as a rebuild would decide, whatever its candidates are read from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sameas_resolve::{
    Candidate, FindError, FindQuery, Finder, MatchStanding, RecordName, Settings, rank,
};
use sameas_store::GraphFolder;
use sameas_tests::{Layout, Systems, options, rebuild, sameas};

fn load(settings: &Settings) -> Finder {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let finder = runtime.block_on(Finder::load(settings, &options(2)));
    finder.unwrap_or_else(|error| panic!("{error}"))
}

fn find(finder: &Finder, query: FindQuery) -> Result<sameas_resolve::Found, FindError> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(finder.find(query, std::time::Duration::MAX))
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
            0.0,
            10,
        );
        let ranked = ranked.unwrap();
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
    assert_eq!(alone.code, Some(1), "{}", alone.stdout);
    assert!(
        alone.stderr.contains("no blocking rule"),
        "{}",
        alone.stderr
    );
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
    assert_eq!(standings["none"], 1, "{standings:?}");
    assert!(standings["match"] * 10 > rows * 9, "{standings:?}");
    fs::write(&file, "surname,surnam\na,b\n").unwrap();
    let ran = sameas(
        &path,
        &["find", "--quiet", "--input", file.to_str().unwrap()],
    );
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(
        ran.stderr
            .contains("list.csv: the header names no field in column 2; fields are "),
        "{}",
        ran.stderr
    );
}
