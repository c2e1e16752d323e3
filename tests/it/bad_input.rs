//! Bad input gets an error that names the place and the remedy, and nothing is lost.
//!
//! One graph is published and served. Each case copies the good files, spoils one thing and
//! rebuilds into that graph: the rebuild says what is wrong, no byte of the graph or its model
//! has changed, and the server answers as before.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sameas_api::v1::{LookupRequest, LookupResponse, Reference};
use sameas_resolve::{JobOptions, RebuildReport, Settings, Shrink};
use sameas_tests::{Layout, Serving, Systems, files_below, options, sameas, told};
use tempfile::TempDir;

/// A value that no error may repeat.
const CANARY: &str = "Zephyranthes";
/// The first record of the CRM.
const FIRST: &str = "C-001000";
/// How long a server may take to see a new revision; it takes much less.
const PATIENCE: Duration = Duration::from_mins(1);
const CRM: &str = "crm/part-0.csv";
const DESK: &str = "desk/part-0.ndjson";
const SHOP: &str = "shop/part-0.parquet";

/// One way to spoil good files.
struct Case {
    name: &'static str,
    spoil: fn(&Spoilt),
    /// What the error has to say: the place, the trouble, the remedy.
    says: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "a missing file",
        spoil: |s| s.settings(r#"uri = "crm/*.csv""#, r#"uri = "crm/part-9.csv""#),
        says: &[
            "source `crm`",
            "crm/part-9.csv",
            "there is no file",
            "check `uri`",
        ],
    },
    Case {
        name: "a glob that matches nothing",
        spoil: |s| fs::remove_file(s.path(CRM)).unwrap(),
        says: &[
            "source `crm`",
            "crm/*.csv",
            "no file matches",
            "check `uri`",
        ],
    },
    Case {
        name: "an empty folder",
        spoil: |s| fs::remove_file(s.path(DESK)).unwrap(),
        says: &[
            "source `desk`",
            "desk",
            "has no file that ends in",
            "name the files",
        ],
    },
    Case {
        name: "an empty file",
        spoil: |s| fs::write(s.path(CRM), "").unwrap(),
        says: &["source `crm`", CRM, "is empty", "with a header"],
    },
    Case {
        name: "a header without rows",
        spoil: |s| {
            let text = s.text(CRM);
            fs::write(s.path(CRM), text.lines().next().unwrap()).unwrap();
        },
        says: &["source `crm`", "has no rows", "check its address"],
    },
    Case {
        name: "a Parquet file without rows",
        spoil: |s| s.shop(|batch| batch.slice(0, 0)),
        says: &["source `shop`", "has no rows", "check its address"],
    },
    Case {
        name: "a condition that no row meets",
        spoil: |s| s.settings(r#"key = "id""#, "key = \"id\"\nwhere = \"id = 'C-0'\""),
        says: &["source `crm`", "has no rows", "its `where` condition"],
    },
    Case {
        name: "an unknown column",
        spoil: |s| s.settings(r#"surname = "last""#, r#"surname = "lats""#),
        says: &[
            "source `crm`",
            r#"no column "lats""#,
            r#"did you mean "last"?"#,
        ],
    },
    Case {
        name: "an unknown column in an expression",
        spoil: |s| s.settings(r#"surname = "last""#, r#"surname = "upper(lats)""#),
        says: &[
            "source `crm`",
            r#"no column "lats" in "upper(lats)""#,
            r#"did you mean "last"?"#,
        ],
    },
    Case {
        name: "a column that was renamed at the source",
        spoil: |s| s.edit(CRM, "id,first,last,", "id,first,family,"),
        says: &["source `crm`", r#"no column "last""#],
    },
    Case {
        name: "a function that does not exist",
        spoil: |s| s.settings(r#"surname = "last""#, r#"surname = "uper(last)""#),
        says: &[
            "source `crm`",
            "uper(last)",
            "neither a column nor a SQL expression",
        ],
    },
    Case {
        name: "a key that is a floating-point number",
        spoil: |s| s.shop(|batch| with_column(batch, "key", &floats(batch.num_rows()))),
        says: &[
            "source `shop`",
            r#"key "key""#,
            "is a floating-point number",
            "cast it",
        ],
    },
    Case {
        name: "a field that is a structure",
        spoil: |s| s.shop(|batch| with_column(batch, "family", &structures(batch.num_rows()))),
        says: &[
            "source `shop`",
            "\"family\"",
            "is a structure",
            "map an expression that gives text",
        ],
    },
    Case {
        name: "a column of two types",
        spoil: |s| {
            s.append(
                DESK,
                &format!("{{\"ticket\":\"D-1\",\"mails\":{{\"{CANARY}\":1}}}}\n"),
            );
        },
        says: &[
            "source `desk`",
            r#"column "mails""#,
            "write all its values as one type",
        ],
    },
    Case {
        name: "a condition that is no condition",
        spoil: |s| s.settings(r#"key = "id""#, "key = \"id\"\nwhere = \"upper(last)\""),
        says: &["source `crm`", "`where`", "upper(last)", "true or false"],
    },
    Case {
        name: "a value that cannot be cast",
        spoil: |s| {
            s.append(CRM, &format!("C-1,{CANARY},,,,,,,,\n"));
            s.settings(
                r#"given_name = "first""#,
                r#"given_name = "cast(first as int)""#,
            );
        },
        says: &["source `crm`", "cannot be cast", "try_cast"],
    },
    Case {
        name: "keys that occur twice",
        spoil: |s| {
            s.append(
                CRM,
                &format!("C-001007,{CANARY},,,,,,,,\nC-001000,,,,,,,,,\n"),
            );
        },
        says: &[
            "source `crm`",
            "2 keys occur more than once",
            "`C-001000`, `C-001007`",
            "make the key unique",
            r#"duplicate_keys = "merge""#,
        ],
    },
    Case {
        name: "records to merge that differ",
        spoil: |s| {
            s.append(CRM, &format!("C-001007,{CANARY},,,,,,,,\n"));
            s.settings(r#"key = "id""#, "key = \"id\"\nduplicate_keys = \"merge\"");
        },
        says: &[
            "source `crm`",
            "1 keys",
            "different values",
            "`C-001007`",
            "make the key unique",
        ],
    },
    Case {
        name: "null keys",
        spoil: |s| {
            s.append(
                DESK,
                &format!("{{\"name\":\"A {CANARY}\"}}\n{{\"ticket\":null}}\n"),
            );
        },
        says: &[
            "source `desk`",
            "2 records have no key",
            "always filled",
            "`where`",
        ],
    },
    Case {
        name: "an empty key",
        spoil: |s| s.append(CRM, &format!(",{CANARY},,,,,,,,\n")),
        says: &[
            "source `crm`",
            "1 records have no key",
            "always filled",
            "`where`",
        ],
    },
    Case {
        name: "a key of 64 KiB",
        spoil: |s| s.append(CRM, &format!("{},{CANARY},,,,,,,,\n", "k".repeat(64 << 10))),
        says: &[
            "source `crm`",
            "1 keys are longer than 1024 bytes",
            "65536",
            "name a shorter key",
        ],
    },
    Case {
        name: "text that is not UTF-8",
        spoil: |s| {
            s.append_bytes(
                CRM,
                &[b"C-1,", CANARY.as_bytes(), b"\xff,,,,,,,,\n"].concat(),
            );
        },
        says: &[
            "source `crm`",
            CRM,
            "line 1",
            "not UTF-8",
            "convert the file",
        ],
    },
    Case {
        name: "a row that is too short",
        spoil: |s| s.append(CRM, &format!("C-1,{CANARY}\n")),
        says: &[
            "source `crm`",
            CRM,
            "line 1",
            "2 cells, the header has 10",
            "complete the record",
        ],
    },
    Case {
        name: "a row that is too long",
        spoil: |s| s.append(CRM, &format!("C-1,{CANARY},,,,,,,,,,\n")),
        says: &[
            "source `crm`",
            CRM,
            "line 1",
            "more than 10 cells",
            "quote cells",
        ],
    },
    Case {
        name: "a quote that is never closed",
        spoil: |s| s.append(CRM, &format!("C-1,\"{CANARY},,,,,,,,\n")),
        says: &[
            "source `crm`",
            CRM,
            "line 1",
            "never closed",
            "close or double it",
        ],
    },
    Case {
        name: "a line that is no JSON",
        spoil: |s| s.append(DESK, &format!("{{\"ticket\":\"D-1\",\"name\":{CANARY}}}\n")),
        says: &[
            "source `desk`",
            DESK,
            "line ",
            "stops being JSON",
            "one whole object a line",
        ],
    },
    Case {
        name: "a Parquet file without its end",
        spoil: |s| s.shorten(SHOP, 100),
        says: &["source `shop`", SHOP, "truncated", "write it again"],
    },
    Case {
        name: "a Parquet file with a hole",
        spoil: |s| {
            let mut bytes = fs::read(s.path(SHOP)).unwrap();
            bytes[4..2_000].fill(0);
            fs::write(s.path(SHOP), bytes).unwrap();
        },
        says: &["source `shop`", SHOP, "damaged", "write it again"],
    },
    Case {
        name: "a source that lost a fourth of its records",
        spoil: |s| s.keep(3, 4),
        says: &[
            "source `crm`",
            "shrank by more than a fifth",
            "check the source",
            "--allow-shrink",
        ],
    },
    Case {
        name: "a key that is a field too and repeats",
        spoil: |s| {
            s.settings(r#"key = "id""#, r#"key = "coalesce(last, 'none')""#);
            s.settings(
                r#"surname = "last""#,
                r#"surname = "coalesce(last, 'none')""#,
            );
        },
        says: &["source `crm`", "occur", "the key is a field too"],
    },
    Case {
        name: "a source whose keys are written another way",
        spoil: |s| s.settings(r#"key = "id""#, r#"key = "'0' || id""#),
        says: &[
            "source `crm`",
            "only 0 of the",
            "written another way",
            "--allow-shrink",
        ],
    },
    Case {
        name: "a source that is gone from the settings",
        spoil: |s| {
            let text = s.text("sameas.toml");
            let (from, to) = (
                text.find("[[source]]\nname = \"desk\""),
                text.find("[graph]"),
            );
            let kept = format!("{}{}", &text[..from.unwrap()], &text[to.unwrap()..]);
            fs::write(s.path("sameas.toml"), kept).unwrap();
        },
        says: &["source `desk`", "has 0 records", "--allow-shrink"],
    },
    Case {
        name: "a misspelt settings key",
        spoil: |s| s.settings("frequency = true", "frequncy = true"),
        says: &["sameas.toml:", "frequncy", r#"did you mean "frequency"?"#],
    },
    Case {
        name: "a settings key of the wrong type",
        spoil: |s| s.settings(r#"key = "id""#, "key = 7"),
        says: &["sameas.toml:", "source[0].key", "expected a text"],
    },
    Case {
        name: "a misspelt level",
        spoil: |s| s.settings("field = \"dob\"", "field = \"dob\"\nlevels = [\"exct\"]"),
        says: &["sameas.toml:", "exct"],
    },
    Case {
        name: "no settings at all",
        spoil: |s| fs::remove_file(s.path("sameas.toml")).unwrap(),
        says: &["sameas.toml", "cannot read the settings file"],
    },
    Case {
        name: "the graph of somebody else",
        spoil: |s| s.settings("00000000005a\"", "00000000005b\""),
        says: &[
            "belongs to another graph",
            "00000000005a",
            "correct [graph] path",
        ],
    },
    Case {
        name: "a model that somebody edited",
        spoil: |s| {
            fs::write(s.path("model.json"), "{").unwrap();
            fs::copy(s.path("sameas.model.key"), s.path("model.key")).unwrap();
            let text = s.text("sameas.toml");
            let model = text
                .lines()
                .find(|line| line.starts_with("model = "))
                .unwrap();
            s.settings(model, "model = \"model.json\"");
        },
        says: &["model.json", "train again with `sameas train`"],
    },
];

/// Good files, a published graph of them, and a server.
struct Good {
    systems: Systems,
    folder: TempDir,
    serving: Serving,
    /// The unified id of the first record of the CRM.
    id: String,
}

/// A copy of the good files, whose settings name the published graph.
struct Spoilt(TempDir);

impl Good {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let systems = Systems::new(150, 7);
        let settings = systems.write(folder.path(), &Layout::default());
        assert_eq!(rebuild(&settings, Shrink::Refuse).unwrap().revision, 1);
        let id = look_up(&settings);
        let serving = Serving::start(&settings, &[]);
        Self {
            systems,
            folder,
            serving,
            id,
        }
    }

    fn copy(&self) -> Spoilt {
        let folder = tempfile::tempdir().unwrap();
        self.systems.write(folder.path(), &Layout::default());
        let copy = Spoilt(folder);
        let place = |name| self.folder.path().join(name);
        let (graph, model) = (place("graph"), place("sameas.model.json"));
        let (graph, model) = (graph.display(), model.display());
        let places = format!("[graph]\npath = \"{graph}\"\nmodel = \"{model}\"");
        copy.settings("[graph]", &places);
        fs::copy(place("sameas.model.key"), copy.path("sameas.model.key")).unwrap();
        copy
    }

    /// Asks a fresh reader, and the server that has been running all the time.
    fn expect_served(&self, revision: u64, after: &str) {
        let settings = self.folder.path().join("sameas.toml");
        assert_eq!(look_up(&settings), self.id, "{after}");
        let answer = wait(self.served(revision));
        let expected = (revision, self.id.clone());
        assert_eq!((answer.revision, answer.unified_id), expected, "{after}");
    }

    /// Looks the record up as soon as a revision is served.
    async fn served(&self, revision: u64) -> LookupResponse {
        let mut client = self.serving.client().await;
        let reference = Reference {
            source: "crm".to_owned(),
            key: FIRST.to_owned(),
        };
        let request = LookupRequest {
            reference: Some(reference),
            min_revision: revision,
            ..LookupRequest::default()
        };
        let began = Instant::now();
        loop {
            match client.lookup(request.clone()).await {
                Ok(answer) => return answer.into_inner(),
                Err(status) => assert!(began.elapsed() < PATIENCE, "{status}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Spoilt {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces the first place of a text.
    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.text(name);
        assert!(text.contains(from), "{name} has no {from}");
        fs::write(self.path(name), text.replacen(from, to, 1)).unwrap();
    }

    fn settings(&self, from: &str, to: &str) {
        self.edit("sameas.toml", from, to);
    }

    fn append(&self, name: &str, text: &str) {
        self.append_bytes(name, text.as_bytes());
    }

    fn append_bytes(&self, name: &str, bytes: &[u8]) {
        let mut file = File::options().append(true).open(self.path(name)).unwrap();
        file.write_all(bytes).unwrap();
    }

    fn shorten(&self, name: &str, by: u64) {
        let file = File::options().write(true).open(self.path(name)).unwrap();
        file.set_len(file.metadata().unwrap().len() - by).unwrap();
    }

    /// Keeps a part of the rows of the CRM.
    fn keep(&self, numerator: usize, denominator: usize) {
        let text = self.text(CRM);
        let row_count = (text.lines().count() - 1) * numerator / denominator;
        let kept: Vec<&str> = text.lines().take(1 + row_count).collect();
        fs::write(self.path(CRM), kept.join("\n")).unwrap();
    }

    /// Writes the shop again.
    fn shop(&self, change: impl Fn(&RecordBatch) -> RecordBatch) {
        let file = File::open(self.path(SHOP)).unwrap();
        let mut batches = ParquetRecordBatchReaderBuilder::try_new(file)
            .unwrap()
            .build()
            .unwrap();
        let batch = change(&batches.next().unwrap().unwrap());
        let file = File::create(self.path(SHOP)).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
}

fn with_column(batch: &RecordBatch, name: &str, column: &ArrayRef) -> RecordBatch {
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let columns = names.zip(batch.columns());
    let columns = columns.map(|(n, old)| {
        (
            n,
            if n == name {
                column.clone()
            } else {
                old.clone()
            },
        )
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

fn floats(len: usize) -> ArrayRef {
    Arc::new(
        (0..len)
            .map(|row| Some(row as f64 + 0.5))
            .collect::<Float64Array>(),
    )
}

fn structures(len: usize) -> ArrayRef {
    let names: StringArray = std::iter::repeat_n(Some(CANARY), len).collect();
    let field = Arc::new(Field::new("now", DataType::Utf8, true));
    Arc::new(StructArray::from(vec![(
        field,
        Arc::new(names) as ArrayRef,
    )]))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

/// Rebuilds through the library; an error is told with its causes.
fn rebuild(settings: &Path, shrink: Shrink) -> Result<RebuildReport, String> {
    let settings = Settings::load(settings).map_err(|error| told(&error))?;
    let options = JobOptions {
        shrink,
        ..options(2)
    };
    wait(sameas_resolve::rebuild(&settings, &options)).map_err(|error| told(&error))
}

/// Asks the binary for the unified id of the first record of the CRM.
fn look_up(settings: &Path) -> String {
    let ran = sameas(settings, &["lookup", "crm", FIRST]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout.trim().to_owned()
}

fn expect_words(name: &str, error: &str, says: &[&str]) {
    for words in says {
        assert!(error.contains(words), "{name}: no {words:?} in: {error}");
    }
    assert!(!error.contains(CANARY), "{name}: a value got out: {error}");
}

#[test]
fn bad_input_names_place_and_remedy_and_the_previous_graph_serves() {
    let good = Good::new();
    let before = files_below(good.folder.path());
    for case in CASES {
        let copy = good.copy();
        (case.spoil)(&copy);
        let settings = copy.path("sameas.toml");
        match rebuild(&settings, Shrink::Refuse) {
            Ok(report) => panic!(
                "{} was published as revision {}",
                case.name, report.revision
            ),
            Err(error) => expect_words(case.name, &error, case.says),
        }
        let ran = sameas(&settings, &["rebuild", "--quiet"]);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(2), ""),
            "{}: {ran:?}",
            case.name
        );
        expect_words(case.name, &ran.stderr, case.says);
        assert!(
            ran.stderr.starts_with("error: "),
            "{}: {}",
            case.name,
            ran.stderr
        );
        assert!(
            files_below(good.folder.path()) == before,
            "{} changed the graph",
            case.name
        );
        good.expect_served(1, case.name);
    }
    // The same files, unspoilt, are published and reach the same server.
    let report = rebuild(&good.copy().path("sameas.toml"), Shrink::Refuse).unwrap();
    assert_eq!((report.revision, report.ids_issued), (2, 0));
    good.expect_served(2, "good files");
}

#[test]
fn what_is_allowed_is_published_and_reported() {
    let good = Good::new();
    let cases: [(&str, fn(&Spoilt), Shrink); 4] = [
        ("equal records are merged", merge_equal, Shrink::Refuse),
        ("a fifth may be lost", |s| s.keep(4, 5), Shrink::Refuse),
        (
            "a cell of 100 MiB counts as missing",
            grow_a_cell,
            Shrink::Refuse,
        ),
        (
            "half may be lost when that is said",
            |s| s.keep(2, 5),
            Shrink::Allow,
        ),
    ];
    for (revision, (name, change, shrink)) in (2..).zip(cases) {
        let copy = good.copy();
        change(&copy);
        let report = rebuild(&copy.path("sameas.toml"), shrink).unwrap();
        assert_eq!(report.revision, revision, "{name}");
        let long = report.sources.iter().flat_map(|s| s.long_values.values());
        let expected = if name.contains("100 MiB") { 2 } else { 0 };
        assert_eq!(long.sum::<u64>(), expected, "{name}");
        good.expect_served(revision, name);
    }
}

/// Repeats a record of the CRM byte by byte and says that this is fine.
fn merge_equal(copy: &Spoilt) {
    let text = copy.text(CRM);
    copy.append(CRM, &format!("{}\n", text.lines().nth(2).unwrap()));
    copy.settings(r#"key = "id""#, "key = \"id\"\nduplicate_keys = \"merge\"");
}

/// Adds a cell of 100 MiB to the CRM and to the shop.
fn grow_a_cell(copy: &Spoilt) {
    const LEN: usize = 100 << 20;
    let mut file = File::options().append(true).open(copy.path(CRM)).unwrap();
    file.write_all(b"C-1,").unwrap();
    file.write_all(&vec![b'x'; LEN]).unwrap();
    file.write_all(b",,,,,,,,\n").unwrap();
    copy.shop(|batch| {
        let names = batch.column_by_name("family").unwrap().as_string::<i32>();
        let long = "y".repeat(LEN);
        let names = names.iter().enumerate();
        let names: StringArray = names
            .map(|(row, name)| if row == 3 { Some(&long[..]) } else { name })
            .collect();
        with_column(batch, "family", &(Arc::new(names) as ArrayRef))
    });
}

/// A file of a folder that lacked a column was read as if it had no values, and a column that was
/// empty throughout split its customers, both in silence.
#[test]
fn a_column_that_a_file_lacks_or_that_is_empty_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("d")).unwrap();
    fs::write(
        path("d/a.csv"),
        "id,last,mail,tel\n1,Quill,q@mail.test,\n2,Zwack,z@mail.test,\n",
    )
    .unwrap();
    fs::write(path("d/b.csv"), "id,last,email,tel\n3,Quill,q@mail.test,\n").unwrap();
    let settings = path("sameas.toml");
    fs::write(
        &settings,
        "[[source]]\nname = \"d\"\nuri = \"d\"\nkey = \"id\"\n[source.fields]\nsurname = \"last\"\nemail = \"mail\"\nphone = \"tel\"\n\
         [[block]]\non = [\"surname\"]\n[[compare]]\nfield = \"surname\"\n[[compare]]\nfield = \"email\"\n[[compare]]\nfield = \"phone\"\n",
    )
    .unwrap();
    let ran = sameas(&settings, &["rebuild"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for said in ["lack the column `mail`", "b.csv"] {
        assert!(ran.stderr.contains(said), "{said}: {ran:?}");
    }
    assert!(ran.stdout.contains("for `phone`"), "{ran:?}");
}

/// A column of dates that are none was taken for missing without a word.
#[test]
fn values_that_cannot_be_read_are_counted_by_source_and_a_part_of_a_name_is_spelt_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(
        path("d.csv"),
        "id,name,born\n1,Dr. Zoë McQuill,1987-13-41\n2,\"ZWACK, Ann\",n/a\n3,Ann Zwack,1987-03-04\n4,Bo Xu,\n",
    )
    .unwrap();
    let settings = path("sameas.toml");
    fs::write(
        &settings,
        "[[source]]\nname = \"d\"\nuri = \"d.csv\"\nkey = \"id\"\n[source.fields]\nsurname = { from = \"name\", part = \"surname\" }\ndob = \"born\"\n\
         [[block]]\non = [\"surname\"]\n[[compare]]\nfield = \"surname\"\n[[compare]]\nfield = \"dob\"\n",
    )
    .unwrap();
    let ran = sameas(&settings, &["rebuild"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("2 values of `dob`"), "{ran:?}");
    assert!(!ran.stdout.contains("`surname`"), "{ran:?}");
    let ran = sameas(&settings, &["profile", "d", "1", "--quiet"]);
    assert!(ran.stdout.contains("McQuill  (d 1)"), "{ran:?}");
    let ran = sameas(&settings, &["profile", "d", "2", "--quiet"]);
    assert!(ran.stdout.contains("ZWACK  (d 2"), "{ran:?}");
}

#[test]
fn a_first_rebuild_that_fails_leaves_nothing_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Systems::new(40, 3).write(folder.path(), &Layout::default());
    let crm = folder.path().join(CRM);
    let good = fs::read(&crm).unwrap();
    fs::write(&crm, "id,first\n1,2,3\n").unwrap();
    rebuild(&settings, Shrink::Refuse).unwrap_err();
    let ran = sameas(&settings, &["lookup", "crm", FIRST]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("run `sameas rebuild` first"),
        "{}",
        ran.stderr
    );
    fs::write(&crm, good).unwrap();
    assert_eq!(rebuild(&settings, Shrink::Refuse).unwrap().revision, 1);
    look_up(&settings);
}

#[test]
fn a_graph_of_another_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Systems::new(40, 3).write(folder.path(), &Layout::default());
    rebuild(&settings, Shrink::Refuse).unwrap();
    let id = look_up(&settings);
    let place = |name: &str| folder.path().join("graph").join(name);
    let newer_text = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains("\"format\": 1"), "{text}");
        text.replace("\"format\": 1", "\"format\": 2").into_bytes()
    };
    let with_format = |bytes: &[u8], format| [&bytes[..8], &[format], &bytes[9..]].concat();
    let newer_header = |bytes: &[u8]| with_format(bytes, 5);
    let older_header = |bytes: &[u8]| with_format(bytes, 3);
    type Other<'n> = &'n dyn Fn(&[u8]) -> Vec<u8>;
    let snapshot = "snapshots/0001.sameas";
    let (text, newer, older) = (
        ["has format 2", "format 1", "use the newer"],
        ["has format 5", "format 4", "use the newer"],
        ["has format 3", "format 4", "use the older"],
    );
    let cases: [(&str, Other<'_>, [&str; 3]); 4] = [
        ("graph.json", &newer_text, text),
        ("current", &newer_text, text),
        (snapshot, &newer_header, newer),
        (snapshot, &older_header, older),
    ];
    for (name, other, words) in cases {
        let bytes = fs::read(place(name)).unwrap();
        fs::write(place(name), other(&bytes)).unwrap();
        let before = files_below(&folder.path().join("graph"));
        for command in [&["rebuild"][..], &["lookup", "crm", FIRST], &["serve"]] {
            let ran = sameas(&settings, command);
            assert_eq!(
                (ran.code, ran.stdout.as_str()),
                (Some(2), ""),
                "{name} {command:?}: {ran:?}"
            );
            expect_words(name, &ran.stderr, &words);
        }
        assert!(
            files_below(&folder.path().join("graph")) == before,
            "{name} was touched"
        );
        fs::write(place(name), bytes).unwrap();
        assert_eq!(look_up(&settings), id, "{name}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Systems::new(40, 3).write(folder.path(), &Layout::default());
    rebuild(&settings, Shrink::Refuse).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = sameas(&settings, &["serve", "--listen", &address]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(2), ""),
        "{}",
        ran.stderr
    );
    expect_words(
        "port",
        &ran.stderr,
        &[&address, "another process", "choose another port"],
    );
    look_up(&settings);
}

/// A small file system of its own; unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts it, or says why that is not allowed.
    fn mount(len: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={len}"), "none"])
            .arg(folder.path());
        match mount.output() {
            Ok(output) if output.status.success() => Ok(Self(folder)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path())
            .status();
    }
}

#[test]
fn a_full_disk_loses_nothing() {
    let disk = match SmallDisk::mount("1m") {
        Ok(disk) => disk,
        Err(why) => {
            // Not captured as print macros are: who runs the tests should see it.
            let _ = writeln!(
                std::io::stderr(),
                "full disk: SKIPPED, tmpfs cannot be mounted: {why}"
            );
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let settings = Systems::new(150, 7).write(folder.path(), &Layout::default());
    let graph = disk.0.path().join("graph");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(
        &settings,
        text.replace("[graph]", &format!("[graph]\npath = {graph:?}")),
    )
    .unwrap();
    rebuild(&settings, Shrink::Refuse).unwrap();
    let id = look_up(&settings);
    let before = files_below(&graph);
    let filler = disk.0.path().join("filler");
    let mut rest = File::create(&filler).unwrap();
    while rest.write_all(&[0; 4_096]).is_ok() {}
    drop(rest);
    for by_binary in [false, true] {
        let error = if by_binary {
            let ran = sameas(&settings, &["rebuild", "--quiet"]);
            assert_eq!(
                (ran.code, ran.stdout.as_str()),
                (Some(2), ""),
                "{}",
                ran.stderr
            );
            ran.stderr
        } else {
            rebuild(&settings, Shrink::Refuse).unwrap_err()
        };
        let place = graph.to_str().unwrap();
        let says = [
            place,
            "the previous revision is still current",
            "No space left",
            "make room",
        ];
        expect_words("full disk", &error, &says);
        assert!(
            files_below(&graph) == before,
            "the full disk changed the graph"
        );
        assert_eq!(look_up(&settings), id);
    }
    fs::remove_file(&filler).unwrap();
    assert_eq!(rebuild(&settings, Shrink::Refuse).unwrap().revision, 2);
    assert_eq!(look_up(&settings), id);
}
