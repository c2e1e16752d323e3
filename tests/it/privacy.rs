//! No value leaves memory (promise P1): canaries in every field of every source, searched in
//! every byte that runs leave behind.

mod flock;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use sameas_api::v1::get_history_request::Subject;
use sameas_api::v1::{
    BatchLookupRequest, ExplainRequest, GetEntityRequest, GetHistoryRequest, LookupRequest,
    Reference, StreamLookupRequest,
};
use sameas_tests::{Draw, Leak, Ran, Scanner, Serving, disguises, paths_below, sameas};

use flock::{FORMATS, Flock};

/// The canaries of all tests here, and the scanner that knows them.
fn flock() -> &'static (Flock, Scanner) {
    static FLOCK: OnceLock<(Flock, Scanner)> = OnceLock::new();
    FLOCK.get_or_init(|| {
        let flock = Flock::hatch(1);
        let scanner = Scanner::new(flock.canaries());
        (flock, scanner)
    })
}

fn assert_clean(leaks: &[Leak], what: &str) {
    let shown: Vec<_> = leaks.iter().take(4).collect();
    assert!(leaks.is_empty(), "{what}: {} leaks: {shown:?}", leaks.len());
}

fn assert_said_nothing(ran: &Ran, what: &str) {
    let (_, scanner) = flock();
    assert_clean(
        &scanner.scan("stdout", ran.stdout.as_bytes()),
        &format!("{what}\n{}", ran.stdout),
    );
    assert_clean(
        &scanner.scan("stderr", ran.stderr.as_bytes()),
        &format!("{what}\n{}", ran.stderr),
    );
}

/// Scans all that lies in the folder but the sources themselves.
fn scan_what_is_left(folder: &Path) -> Vec<Leak> {
    let (_, scanner) = flock();
    let left = paths_below(folder)
        .into_iter()
        .filter(|path| !path.starts_with("data"));
    left.flat_map(|path| {
        let name = path.to_string_lossy().into_owned();
        let bytes = fs::read(folder.join(&path)).unwrap();
        [
            scanner.scan("a file's name", name.as_bytes()),
            scanner.scan(&name, &bytes),
        ]
        .concat()
    })
    .collect()
}

/// Runs a command as talkatively as can be.
fn run(settings: &Path, arguments: &[&str]) -> Ran {
    let ran = sameas(
        settings,
        &[arguments, &["--log-level", "trace", "--threads", "2"]].concat(),
    );
    assert_said_nothing(&ran, &format!("sameas {}", arguments.join(" ")));
    ran
}

#[test]
fn no_value_is_left_behind_by_any_command() {
    let (flock, scanner) = flock();
    let folder = tempfile::tempdir().unwrap();
    let settings = flock.write(folder.path());
    let in_data = scanner.scan_folder(&folder.path().join("data"));
    for (value, _) in flock.canaries() {
        assert!(
            in_data.iter().any(|leak| leak.value == value),
            "{value} was not planted"
        );
    }
    assert_eq!(run(&settings, &["plan"]).code, Some(0));
    for format in ["text", "json"] {
        let ran = run(&settings, &["rebuild", "--format", format]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    assert_eq!(run(&settings, &["train", "--format", "json"]).code, Some(0));
    assert_eq!(run(&settings, &["verify", "--all"]).code, Some(0));
    let map = run(&settings, &["export"]).stdout;
    let map_file = folder.path().join("map.parquet");
    assert_eq!(
        run(
            &settings,
            &["export", "--output", map_file.to_str().unwrap()]
        )
        .code,
        Some(0)
    );
    let rows: Vec<Vec<&str>> = map
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(rows.len(), flock.record_count());
    for pair in rows.windows(2).step_by(rows.len() / 4) {
        for format in ["text", "json"] {
            let explain = [
                "explain", pair[0][0], pair[0][1], pair[1][0], pair[1][1], "--format", format,
            ];
            assert_eq!(run(&settings, &explain).code, Some(0));
            assert_eq!(
                run(&settings, &["entity", pair[0][2], "--format", format]).code,
                Some(0)
            );
        }
        assert_eq!(
            run(&settings, &["lookup", pair[0][0], pair[0][1]]).code,
            Some(0)
        );
    }
    assess(&settings, folder.path(), &rows);
    start_anew(folder.path());
    assert_clean(&scan_what_is_left(folder.path()), "files");
    assert_catches_a_planted_leak(folder.path());
}

/// Measures, traces and reports.
fn assess(settings: &Path, folder: &Path, rows: &[Vec<&str>]) {
    // Of the rows of one key, so that some pairs of the truth are found and others missed.
    let truth = rows
        .iter()
        .map(|row| format!("{},{},{}\n", row[0], row[1], row[1]));
    let path = folder.join("truth.csv");
    let text = format!("source,key,entity\n{}", truth.collect::<String>());
    fs::write(&path, text).unwrap();
    let labels = ["--truth", path.to_str().unwrap(), "--trace"];
    for labels in [&[][..], &labels[..2], &labels[..]] {
        for format in ["text", "json"] {
            let evaluate = [&["evaluate", "--format", format], labels].concat();
            assert_eq!(run(settings, &evaluate).code, Some(0));
        }
        let page = folder.join(format!("report-{}.html", labels.len()));
        let report = [&["report", "--output", page.to_str().unwrap()], labels].concat();
        assert_eq!(run(settings, &report).code, Some(0));
        assert!(page.exists());
    }
    let page = folder.join("training.html");
    let train = ["train", "--report", page.to_str().unwrap()];
    assert_eq!(run(settings, &train).code, Some(0));
    assert!(page.exists());
}

/// Makes settings: of the files, and of a model of Splink.
fn start_anew(folder: &Path) {
    let file = |name: &str| folder.join("data").join(name);
    let out = folder.join("init");
    let files = ["csv.csv", "ndjson.ndjson", "parquet.parquet", "arrow.arrow"].map(file);
    let mut init = vec!["init", "--out", out.to_str().unwrap()];
    init.extend(files.iter().map(|path| path.to_str().unwrap()));
    let settings = out.join("sameas.toml");
    for format in ["text", "json"] {
        let again = [&init[..], &["--force", "--format", format]].concat();
        assert_eq!(run(&settings, &again).code, Some(0));
    }
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("splink/fake_1000/model.json");
    let out = folder.join("splink");
    let model = fixture.to_str().unwrap();
    let csv = file("csv.csv");
    let import = [
        "import-splink",
        model,
        csv.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    assert_eq!(run(&out.join("sameas.toml"), &import).code, Some(0));
}

/// What was found clean would not have been with one canary in it.
fn assert_catches_a_planted_leak(folder: &Path) {
    let (flock, _) = flock();
    let (value, _) = flock.canaries().next().unwrap();
    let snapshot = folder.join("graph/snapshots/0002.sameas");
    let mut bytes = fs::read(&snapshot).unwrap();
    let middle = bytes.len() / 2;
    bytes.splice(middle..middle, value.bytes());
    fs::write(&snapshot, bytes).unwrap();
    let leaks = scan_what_is_left(folder);
    let found = |leak: &Leak| leak.value == value && leak.offset == middle;
    assert!(leaks.iter().any(found), "{leaks:?}");
}

#[test]
fn no_value_is_told_by_the_server() {
    let (flock, _) = flock();
    let folder = tempfile::tempdir().unwrap();
    let settings = flock.write(folder.path());
    assert_eq!(run(&settings, &["rebuild"]).code, Some(0));
    let serving = Serving::start(&settings, &["--log-level", "trace"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answers = runtime.block_on(ask_everything(&serving, flock));
    assert!(
        answers.contains("ComparisonEvidence"),
        "no evidence is told"
    );
    let (_, scanner) = self::flock();
    assert_clean(&scanner.scan("answers", answers.as_bytes()), "answers");
    let ran = serving.stop();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_said_nothing(&ran, "serve");
    assert_clean(&scan_what_is_left(folder.path()), "files");
}

/// Makes every call, known and unknown, and returns all answers and refusals as text.
async fn ask_everything(serving: &Serving, flock: &Flock) -> String {
    let mut client = serving.client().await;
    let mut said = String::new();
    let references: Vec<Reference> = flock.references().collect();
    let mut tell = |answer: String| said.push_str(&answer);
    for pair in references.windows(2) {
        let (left, right) = (Some(pair[0].clone()), Some(pair[1].clone()));
        let lookup = LookupRequest {
            reference: left.clone(),
            ..LookupRequest::default()
        };
        let found = client.lookup(lookup).await.unwrap().into_inner();
        tell(format!("{found:?}"));
        let explain = ExplainRequest {
            left: left.clone(),
            right,
            min_revision: 0,
        };
        tell(format!("{:?}", client.explain(explain).await.unwrap()));
        let unified_id = found.unified_id;
        let entity = GetEntityRequest {
            unified_id: unified_id.clone(),
            ..GetEntityRequest::default()
        };
        tell(format!("{:?}", client.get_entity(entity).await.unwrap()));
        for subject in [
            Subject::UnifiedId(unified_id),
            Subject::Reference(pair[0].clone()),
        ] {
            let history = GetHistoryRequest {
                subject: Some(subject),
                min_revision: 0,
            };
            tell(format!("{:?}", client.get_history(history).await.unwrap()));
        }
    }
    let batch = BatchLookupRequest {
        references: references.clone(),
        min_revision: 0,
    };
    tell(format!("{:?}", client.batch_lookup(batch).await.unwrap()));
    let stream = references.into_iter();
    let stream = stream.map(|r| StreamLookupRequest {
        reference: Some(r),
        min_revision: 0,
    });
    let mut answers = client
        .stream_lookup(tokio_stream::iter(stream))
        .await
        .unwrap()
        .into_inner();
    while let Some(answer) = answers.message().await.unwrap() {
        tell(format!("{answer:?}"));
    }
    for (source, key) in [("csv", "nobody"), ("nowhere", "K-01")] {
        let reference = Some(Reference {
            source: source.into(),
            key: key.into(),
        });
        let lookup = LookupRequest {
            reference,
            ..LookupRequest::default()
        };
        tell(format!("{:?}", client.lookup(lookup).await.unwrap_err()));
    }
    said
}

/// Writes the flock, spoils it, and returns what the rebuild says when it fails.
fn spoilt(spoil: impl FnOnce(&Path, &mut String)) -> Ran {
    let (flock, _) = flock();
    let folder = tempfile::tempdir().unwrap();
    let path = flock.write(folder.path());
    let mut settings = fs::read_to_string(&path).unwrap();
    spoil(&folder.path().join("data"), &mut settings);
    fs::write(&path, &settings).unwrap();
    let ran = run(&path, &["rebuild"]);
    assert_clean(&scan_what_is_left(folder.path()), &settings);
    ran
}

fn assert_fails(what: &str, told: &str, spoil: impl FnOnce(&Path, &mut String)) {
    let ran = spoilt(spoil);
    assert_eq!(ran.code, Some(2), "{what} is no failure: {}", ran.stderr);
    assert!(ran.stderr.contains(told), "{what}: {}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{what}: {}", ran.stderr);
}

fn append(file: &Path, bytes: &[u8]) {
    let mut all = fs::read(file).unwrap();
    all.extend_from_slice(bytes);
    fs::write(file, all).unwrap();
}

/// Applies an edit to the bytes of a file.
fn edit(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

#[test]
fn no_value_is_quoted_from_broken_text_files() {
    let (flock, _) = flock();
    let [name, note] = [flock.of("csv", "surname"), flock.of("csv", "note")];
    let csv = |data: &Path| data.join("csv.csv");
    let json = |data: &Path| data.join("ndjson.ndjson");
    assert_fails("a ragged row", "cells", |data, _| {
        append(&csv(data), format!("K-99,{name},{note}\n").as_bytes());
    });
    assert_fails("a long row", "cells", |data, _| {
        append(
            &csv(data),
            format!("K-99{}\n", format!(",{name}").repeat(60)).as_bytes(),
        );
    });
    assert_fails("an open quote", "quote", |data, _| {
        append(&csv(data), format!("K-99,\"{name},{note}\n").as_bytes());
    });
    assert_fails("a stray quote", "quote", |data, _| {
        append(&csv(data), format!("K-99,\"{name}\"{note},\n").as_bytes());
    });
    assert_fails("no UTF-8", "UTF-8", |data, _| {
        append(
            &csv(data),
            &[name.as_bytes(), b"\xff\xfe,", note.as_bytes()].concat(),
        );
    });
    assert_fails("no header", "there is no column", |data, _| {
        edit(&csv(data), |bytes| {
            let header = bytes.iter().position(|&byte| byte == b'\n').unwrap();
            bytes.drain(..=header);
        });
    });
    assert_fails(
        "no header and a value twice in the first row",
        "",
        |data, _| {
            fs::write(csv(data), format!("K-1,{name},{name}\nK-2,{note},{note}\n")).unwrap();
        },
    );
    assert_fails("JSON as CSV", "", |data, _| {
        fs::copy(json(data), csv(data)).unwrap();
    });
    assert_fails("CSV as JSON", "JSON", |data, _| {
        fs::copy(csv(data), json(data)).unwrap();
    });
    assert_fails("half an object", "JSON", |data, _| {
        append(
            &json(data),
            format!("{{\"key\": \"K-99\", \"surname\": \"{name}\", \"no").as_bytes(),
        );
    });
    assert_fails("a list of values", "JSON", |data, _| {
        append(
            &json(data),
            format!("[\"{name}\", \"{note}\"]\n").as_bytes(),
        );
    });
    assert_fails("a key of an object, twice", "twice", |data, _| {
        let line = format!("{{\"key\": \"K-99\", \"note\": \"{name}\", \"note\": \"{note}\"}}\n");
        append(&json(data), line.as_bytes());
    });
    let ran = spoilt(|data, _| {
        let line = format!("{{\"key\": \"K-99\", \"{name}\": 1, \"{name}\": 2}}\n");
        append(&json(data), line.as_bytes());
    });
    assert_eq!(
        ran.code,
        Some(0),
        "keys that nothing maps do not matter: {}",
        ran.stderr
    );
    assert_fails("an object for a text", "", |data, _| {
        let line = format!("{{\"key\": \"K-99\", \"surname\": {{\"{name}\": \"{note}\"}}}}\n");
        append(&json(data), line.as_bytes());
    });
}

#[test]
fn no_value_is_quoted_from_broken_binary_files() {
    for (file, told) in [("parquet.parquet", "parquet"), ("arrow.arrow", "arrow")] {
        assert_fails("a truncated file", told, |data, _| {
            edit(&data.join(file), |bytes| bytes.truncate(bytes.len() / 2));
        });
        assert_fails("a file of another format", told, |data, _| {
            fs::copy(data.join("csv.csv"), data.join(file)).unwrap();
        });
        // Damage within the data may go unnoticed in numbers; what matters is what is said.
        for seed in 0..6 {
            let ran = spoilt(|data, _| {
                edit(&data.join(file), |bytes| {
                    let mut draw = Draw::new(seed);
                    let start = draw.below(bytes.len() - 64);
                    bytes[start..start + 48]
                        .iter_mut()
                        .for_each(|byte| *byte = draw.below(256) as u8);
                });
            });
            assert!(
                !ran.stderr.contains("panicked"),
                "{file}, seed {seed}: {}",
                ran.stderr
            );
        }
    }
}

#[test]
fn no_value_is_quoted_when_an_expression_fails() {
    const FAILING: [&str; 9] = [
        "cast(note as bigint)",
        "cast(surname as date)",
        "cast(email as timestamp)",
        "cast(company as boolean)",
        "cast(street as decimal(10, 2))",
        "cast(city as double) / 0",
        "1 / (character_length(note) - character_length(note))",
        "to_timestamp(surname)",
        "cast(concat(surname, email) as interval)",
    ];
    for (index, expression) in FAILING.into_iter().enumerate() {
        // Each expression on one format, and the casts on all.
        for (number, format) in FORMATS.iter().enumerate() {
            if index > 1 && number != index % FORMATS.len() {
                continue;
            }
            let what = format!("{expression} in {format}");
            assert_fails(&what, &format!("source `{format}`"), |_, settings| {
                map(settings, format, &format!("title = \"{expression}\""));
            });
        }
    }
    assert_fails("a condition", "source `csv`", |_, settings| {
        *settings = settings.replacen(
            "key = \"key\"",
            "key = \"key\"\nwhere = \"cast(note as int) > 0\"",
            1,
        );
    });
    assert_fails("a key", "source `csv`", |_, settings| {
        *settings = settings.replacen(
            "key = \"key\"",
            "key = \"cast(cast(note as int) as varchar)\"",
            1,
        );
    });
    let ran = spoilt(|_, settings| map(settings, "csv", "title = \"try_cast(note as bigint)\""));
    assert_eq!(ran.code, Some(0), "the way out is open: {}", ran.stderr);
}

/// Puts a mapping of `title` in the place of a source's own.
fn map(settings: &mut String, source: &str, mapping: &str) {
    let at = settings.find(&format!("name = \"{source}\"")).unwrap();
    let line = at + settings[at..].find("title = ").unwrap();
    let end = line + settings[line..].find('\n').unwrap();
    settings.replace_range(line..end, mapping);
}

#[test]
fn no_value_is_quoted_when_records_are_refused() {
    let (flock, _) = flock();
    let name = flock.of("csv", "surname");
    assert_fails("two records of one key", "more than once", |data, _| {
        let text = fs::read_to_string(data.join("csv.csv")).unwrap();
        let row = text.lines().nth(1).unwrap();
        append(&data.join("csv.csv"), format!("{row}\n").as_bytes());
    });
    assert_fails(
        "two different records of one key",
        "more than once with different",
        |data, settings| {
            *settings = settings.replacen(
                "key = \"key\"",
                "key = \"key\"\nduplicate_keys = \"merge\"",
                1,
            );
            let text = fs::read_to_string(data.join("csv.csv")).unwrap();
            let mut rows = text.lines().skip(1);
            let (one, other) = (rows.next().unwrap(), rows.next().unwrap());
            let key = one.split(',').next().unwrap();
            let mixed = format!("{key}{}\n", &other[other.find(',').unwrap()..]);
            append(&data.join("csv.csv"), mixed.as_bytes());
        },
    );
    assert_fails("no key", "no key", |data, _| {
        let text = fs::read_to_string(data.join("csv.csv")).unwrap();
        let row = text.lines().nth(1).unwrap();
        append(
            &data.join("csv.csv"),
            &row.as_bytes()[row.find(',').unwrap()..],
        );
    });
    assert_fails(
        "a column that is not there",
        "there is no column",
        |_, settings| {
            map(settings, "csv", "title = \"surnam\"");
        },
    );
    assert_fails("a value where a column should stand", "", |_, settings| {
        // What settings say may be repeated; it must not be a canary to be told from a leak.
        map(settings, "csv", "title = \"surname + 'x' + 1\"");
    });
    assert_fails("too many pairs", "budget", |_, settings| {
        *settings = settings.replace("pairs_per_record_max = 100000", "pairs_per_record_max = 1");
    });
    let ran = spoilt(|data, _| {
        append(
            &data.join("csv.csv"),
            format!("K-99,{}\n", name.repeat(9_000)).as_bytes(),
        );
    });
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn the_scanner_catches_every_disguise() {
    let (flock, scanner) = flock();
    let mut draw = Draw::new(3);
    let mut noise = || (0..200).map(|_| draw.below(256) as u8).collect::<Vec<u8>>();
    let mut caught = std::collections::BTreeSet::new();
    for (value, normalised) in flock.canaries().step_by(7) {
        for disguise in disguises(value, normalised.as_deref()) {
            let bytes = [noise(), disguise.bytes.clone(), noise()].concat();
            let leaks = scanner.scan("planted", &bytes);
            assert!(
                leaks.iter().any(|leak| leak.offset == 200),
                "{value}: {disguise:?}"
            );
            caught.insert(disguise.name);
        }
    }
    for class in [
        "raw",
        "lower",
        "upper",
        "bare",
        "reversed",
        "digits",
        "normalised",
        "word",
    ] {
        assert!(caught.iter().any(|name| name.starts_with(class)), "{class}");
    }
    for class in [
        "UTF-16LE",
        "UTF-16BE",
        "hexadecimal",
        "base64 at 0",
        "base64 at 1",
        "base64 at 2",
        "percent",
        "MD5",
        "SHA-1",
        "SHA-256",
        "SHA-512",
        "BLAKE3",
        "XXH3-64",
        "XXH3-128",
        "SipHash-1-3",
        "SipHash-2-4",
        "decimal",
        "i64",
        "f64",
    ] {
        assert!(caught.iter().any(|name| name.contains(class)), "{class}");
    }
    for _ in 0..2_000 {
        let leaks = scanner.scan("noise", &noise());
        assert!(leaks.is_empty(), "{leaks:?}");
    }
}
