//! What `sameas init` refuses, and what it leaves as it was.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sameas_tests::{Ran, people, run, sameas};

fn init(out: &Path, more: &[&str], files: &[PathBuf]) -> Ran {
    let mut arguments = vec!["init", "--quiet", "--out", out.to_str().unwrap()];
    arguments.extend(more);
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    run(&arguments)
}

/// Writes people with their number as the key; some of them a second time, with a typo or without.
fn write_people(path: &Path, header: &str, count: u32, twice: u32) {
    let mut text = format!("{header}\n");
    let mut key = 0;
    for (number, person) in people(count, 5).iter().enumerate() {
        let is_twice = (number as u32) < twice;
        for copy in 0..=u32::from(is_twice) {
            key += 1;
            let given = if copy > 0 && number % 2 == 0 {
                format!("{}n", person.given_name)
            } else {
                person.given_name.clone()
            };
            let email = person.emails.first().cloned().unwrap_or_default();
            writeln!(
                text,
                "c{key:05},{given},{},{},{email},{},\"{}\",{},{}",
                person.surname,
                person.born,
                person.phone,
                person.street,
                person.city,
                person.postcode
            )
            .unwrap();
        }
    }
    fs::write(path, text).unwrap();
}

const HEADER: &str = "id,first_name,last_name,birth_date,email,phone,street,city,postcode";

/// A file without a header gave the values of its first record as names of columns, to the
/// settings, to errors and to stdout. It is refused now, and nothing of it is quoted.
#[test]
fn a_file_without_a_header_is_refused_without_a_word_of_it() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("crm.csv");
    let rows = "C1,Anneliese,Zwack,1978-03-04,anneliese.zwack@mail.test,+43 1 5550104\n\
                C2,Bartholomew,Quill,1969-11-30,b.quill@mail.test,+43 1 5550177\n";
    fs::write(&file, rows).unwrap();
    let out = root.path().join("out");
    for more in [&[][..], &["--key", "id"][..], &["--format", "json"][..]] {
        let refused = init(&out, more, std::slice::from_ref(&file));
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("header"), "{refused:?}");
        let told = format!("{}{}", refused.stdout, refused.stderr).to_lowercase();
        for value in ["anneliese", "zwack", "1978", "mail.test", "5550104"] {
            assert!(!told.contains(value), "{value}: {told}");
        }
    }
    assert!(!out.join("sameas.toml").exists());
}

/// A file in which nobody is twice taught that strangers of like names are one person, so hundreds
/// of records were merged; or it was refused, for there was nothing to choose rules by.
#[test]
fn a_file_without_duplicates_gets_settings_that_merge_nobody() {
    let root = tempfile::tempdir().unwrap();
    for count in [60, 400] {
        let (file, out) = (
            root.path().join(format!("crm{count}.csv")),
            root.path().join(format!("out{count}")),
        );
        write_people(&file, HEADER, count, 0);
        let told = init(&out, &[], &[file]);
        assert_eq!(told.code, Some(0), "{told:?}");
        assert!(told.stdout.contains("UNSURE: no"), "{told:?}");
        let settings = out.join("sameas.toml");
        let rebuilt = sameas(&settings, &["rebuild", "--quiet", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&rebuilt.stdout).unwrap();
        assert_eq!(report["links"], 0, "{report:#}");
        assert!(report["rules"].as_array().unwrap().len() >= 4, "{report:#}");
    }
}

#[test]
fn a_key_for_a_source_that_there_is_not_names_the_sources() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("crm.csv");
    write_people(&file, HEADER, 60, 0);
    let refused = init(&root.path().join("out"), &["--key", "cmr=id"], &[file]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("`cmr`"), "{refused:?}");
    assert!(
        refused.stderr.contains("the sources are crm"),
        "{refused:?}"
    );
}

/// `--key` with a column that repeats ended with advice that nothing could follow, since no
/// settings were written.
#[test]
fn a_key_that_repeats_is_written_with_what_makes_it_hold() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("crm.csv");
    write_people(&file, HEADER, 300, 30);
    let text = fs::read_to_string(&file).unwrap();
    let again = text.lines().skip(1).step_by(9);
    let again: Vec<&str> = again.collect();
    fs::write(&file, format!("{text}{}\n", again.join("\n"))).unwrap();
    let out = root.path().join("out");
    let found = init(&out, &["--key", "id"], &[file]);
    assert_eq!(found.code, Some(0), "{found:?}");
    assert!(found.stdout.contains("UNSURE"), "{found:?}");
    let settings = out.join("sameas.toml");
    let text = fs::read_to_string(&settings).unwrap();
    assert!(text.contains("duplicate_keys = \"merge\""), "{text}");
    assert_eq!(sameas(&settings, &["rebuild", "--quiet"]).code, Some(0));
}

/// New settings beside the model of the old ones were refused by the next rebuild.
#[test]
fn the_model_of_settings_that_were_replaced_is_set_aside() {
    let root = tempfile::tempdir().unwrap();
    let (file, out) = (root.path().join("crm.csv"), root.path().join("out"));
    write_people(&file, HEADER, 300, 60);
    let settings = out.join("sameas.toml");
    assert_eq!(init(&out, &[], std::slice::from_ref(&file)).code, Some(0));
    assert_eq!(sameas(&settings, &["rebuild", "--quiet"]).code, Some(0));
    let told = init(&out, &["--force"], &[file]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stdout.contains("sameas.model.old.json"), "{told:?}");
    assert!(out.join("sameas.model.old.json").exists());
    assert!(!out.join("sameas.model.json").exists());
    let again = sameas(&settings, &["rebuild", "--quiet"]);
    assert_eq!(again.code, Some(0), "{again:?}");
}

/// A system with two duplicates in a hundred was held to have none, for good.
#[test]
fn a_system_with_a_few_duplicates_is_not_declared_clean() {
    let root = tempfile::tempdir().unwrap();
    let files = ["crm", "shop"].map(|name| root.path().join(format!("{name}.csv")));
    write_people(&files[0], HEADER, 2_000, 40);
    write_people(&files[1], HEADER, 2_000, 0);
    let out = root.path().join("out");
    let found = init(&out, &[], &files);
    assert_eq!(found.code, Some(0), "{found:?}");
    let text = fs::read_to_string(out.join("sameas.toml")).unwrap();
    let clean = text.lines().find(|line| line.starts_with("one_per_source"));
    assert_eq!(clean, Some("one_per_source = [\"shop\"]"), "{text}");
}

#[test]
fn a_report_does_not_replace_the_settings() {
    let root = tempfile::tempdir().unwrap();
    let (file, out) = (root.path().join("crm.csv"), root.path().join("out"));
    write_people(&file, HEADER, 200, 40);
    let settings = out.join("sameas.toml");
    assert_eq!(init(&out, &[], std::slice::from_ref(&file)).code, Some(0));
    assert_eq!(sameas(&settings, &["rebuild", "--quiet"]).code, Some(0));
    for (command, flag, path) in [
        ("report", "--output", &settings),
        ("report", "--output", &file),
        ("train", "--report", &settings),
        ("export", "--output", &file),
    ] {
        let before = fs::read(path).unwrap();
        let refused = sameas(
            &settings,
            &[command, flag, path.to_str().unwrap(), "--quiet"],
        );
        assert_eq!(refused.code, Some(2), "{command}: {refused:?}");
        assert!(refused.stderr.contains("name another file"), "{refused:?}");
        assert_eq!(fs::read(path).unwrap(), before, "{command}");
    }
}

/// A switchboard's number, shared by three records of a hundred, is told by how often it occurs,
/// and taken for missing.
#[test]
fn a_value_that_many_records_share_is_ignored_and_not_named() {
    let root = tempfile::tempdir().unwrap();
    let (file, out) = (root.path().join("crm.csv"), root.path().join("out"));
    write_people(&file, HEADER, 1_500, 300);
    let text = fs::read_to_string(&file).unwrap();
    let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
    let phone = |row: &str| row.split(',').nth(5).unwrap().to_owned();
    let switchboard = phone(&rows[700]);
    for number in (1..rows.len()).step_by(30) {
        rows[number] = rows[number].replace(&phone(&rows[number]), &switchboard);
    }
    fs::write(&file, rows.join("\n")).unwrap();
    let found = init(&out, &[], &[file]);
    assert_eq!(found.code, Some(0), "{found:?}");
    assert!(found.stdout.contains("one value of `phone`"), "{found:?}");
    let settings = out.join("sameas.toml");
    let text = fs::read_to_string(&settings).unwrap();
    assert!(
        text.contains("[ignore_shared_by_more_than]\nphone = 30 "),
        "{text}"
    );
    let digits = |text: &str| {
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    assert!(!digits(&text).contains(&digits(&switchboard)), "{text}");
    let told = sameas(&settings, &["rebuild"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stderr.contains("field `phone`: 1 values"), "{told:?}");
}

/// A file of an older system was refused whole, because its letters are bytes that are no UTF-8.
#[test]
fn a_file_in_windows_1252_is_read_and_a_damaged_one_refused() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("kunden.csv");
    write_people(&file, HEADER, 60, 20);
    let text = fs::read_to_string(&file).unwrap();
    let utf8 = text.replace('e', "é");
    let windows = utf8.chars().map(|c| u8::try_from(u32::from(c)).unwrap());
    let windows: Vec<u8> = windows.collect();
    let out = root.path().join("out");
    let header = HEADER.replace('e', "é");
    let windows = [HEADER.as_bytes(), &windows[header.chars().count()..]].concat();
    fs::write(&file, windows).unwrap();
    let done = init(&out, &["--key", "id"], std::slice::from_ref(&file));
    assert_eq!(done.code, Some(0), "{done:?}");
    let settings = fs::read_to_string(out.join("sameas.toml")).unwrap();
    assert!(
        settings.contains("encoding = \"windows-1252\"  # UNSURE"),
        "{settings}"
    );
    let config = out.join("sameas.toml");
    let done = run(&["rebuild", "--quiet", "--config", config.to_str().unwrap()]);
    assert_eq!(done.code, Some(0), "{done:?}");

    let damaged = [HEADER, &utf8[header.len()..]].concat();
    let damaged = [damaged.as_bytes(), b"c99999,Ann\xE9,,,,,,,\n"].concat();
    fs::write(&file, damaged).unwrap();
    let refused = init(&out, &["--force"], std::slice::from_ref(&file));
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("not UTF-8"), "{}", refused.stderr);
}
