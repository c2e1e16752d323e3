//! Canaries: values that occur nowhere else, in every field of four sources.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    StructArray,
};
use arrow::datatypes::{DataType, Field};
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use sameas_api::v1::Reference;
use sameas_record::{FieldKind, Locale, Normalizer};
use sameas_tests::Draw;

/// The sources, named after their formats.
pub(super) const FORMATS: [&str; 4] = ["csv", "ndjson", "parquet", "arrow"];

/// All columns but the key, and the kind of their values; none for columns that no field maps.
const COLUMNS: [(&str, Option<FieldKind>); 17] = [
    ("balance", Some(FieldKind::Number)),
    ("city", Some(FieldKind::City)),
    ("company", Some(FieldKind::Company)),
    ("dob", Some(FieldKind::Date)),
    ("email", Some(FieldKind::Email)),
    ("given_name", Some(FieldKind::GivenName)),
    ("note", Some(FieldKind::Text)),
    ("phone", Some(FieldKind::Phone)),
    ("postcode", Some(FieldKind::Postcode)),
    ("street", Some(FieldKind::Street)),
    ("surname", Some(FieldKind::Surname)),
    ("tax_id", Some(FieldKind::Identifier)),
    ("title", Some(FieldKind::FullName)),
    ("secret_name", None),
    ("secret_mail", None),
    ("secret_number", None),
    ("secret_nest", None),
];

/// Records of each source; the first half shares its values with other sources.
const ROW_COUNT: usize = 40;

/// Values of a column that all sources share.
const SHARED_COUNT: usize = 8;

/// Values by source (or, beyond the sources, shared), column and number.
#[derive(Debug)]
pub(super) struct Flock {
    /// One for each source and column.
    own: Vec<Vec<String>>,
    /// A few for each column, in all sources.
    shared: Vec<Vec<String>>,
}

impl Flock {
    pub(super) fn hatch(seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let mut one = |column: usize| canary(COLUMNS[column].0, &mut draw);
        let columns = 0..COLUMNS.len();
        let own = FORMATS
            .map(|_| columns.clone().map(&mut one).collect())
            .to_vec();
        let shared = columns
            .map(|c| (0..SHARED_COUNT).map(|_| one(c)).collect())
            .collect();
        Self { own, shared }
    }

    /// Returns the canary of one source and column.
    pub(super) fn of(&self, source: &str, column: &str) -> &str {
        let source = FORMATS.iter().position(|name| *name == source).unwrap();
        &self.own[source][COLUMNS
            .iter()
            .position(|(name, _)| *name == column)
            .unwrap()]
    }

    /// Returns all canaries, each with what normalisation makes of it if that is another text.
    pub(super) fn canaries(&self) -> impl Iterator<Item = (&str, Option<String>)> {
        let own = self
            .own
            .iter()
            .flat_map(|columns| columns.iter().zip(COLUMNS));
        let shared = self.shared.iter().zip(COLUMNS);
        let shared = shared.flat_map(|(values, column)| values.iter().map(move |v| (v, column)));
        own.chain(shared)
            .map(|(value, (_, kind))| (value.as_str(), kind.and_then(|k| normalised(value, k))))
    }

    pub(super) fn record_count(&self) -> usize {
        ROW_COUNT * FORMATS.len()
    }

    pub(super) fn references(&self) -> impl Iterator<Item = Reference> {
        let keys = (0..ROW_COUNT).map(key);
        keys.flat_map(|key| {
            FORMATS.map(|source| Reference {
                source: source.into(),
                key: key.clone(),
            })
        })
    }

    /// Returns the value of a cell.
    fn value(&self, source: usize, row: usize, column: usize) -> &str {
        if row == SHARED_ROWS + column {
            return &self.own[source][column];
        }
        &self.shared[column][row % SHARED_COUNT]
    }

    /// Writes all sources below `data`, and settings beside; returns the settings.
    pub(super) fn write(&self, folder: &Path) -> PathBuf {
        let data = folder.join("data");
        fs::create_dir_all(&data).unwrap();
        self.write_csv(&data.join("csv.csv"));
        self.write_ndjson(&data.join("ndjson.ndjson"));
        let batch = self.batch(2);
        let file = File::create(data.join("parquet.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let batch = self.batch(3);
        let file = File::create(data.join("arrow.arrow")).unwrap();
        let mut writer = FileWriter::try_new(file, &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        let path = folder.join("sameas.toml");
        fs::write(&path, settings()).unwrap();
        path
    }

    fn write_csv(&self, path: &Path) {
        let mut writer = csv::Writer::from_path(path).unwrap();
        let header = std::iter::once("key").chain(COLUMNS.iter().map(|(name, _)| *name));
        writer.write_record(header).unwrap();
        for row in 0..ROW_COUNT {
            let cells = (0..COLUMNS.len()).map(|column| self.value(0, row, column).to_owned());
            writer
                .write_record(std::iter::once(key(row)).chain(cells))
                .unwrap();
        }
        writer.flush().unwrap();
    }

    fn write_ndjson(&self, path: &Path) {
        let mut text = String::new();
        for row in 0..ROW_COUNT {
            let mut object = serde_json::json!({ "key": key(row) });
            for (column, (name, kind)) in COLUMNS.iter().enumerate() {
                let value = self.value(1, row, column);
                object[name] = match (*name, kind) {
                    ("email", _) => serde_json::json!([value]),
                    ("secret_nest", _) => serde_json::json!({ "deep": [{ "deeper": value }] }),
                    ("balance" | "secret_number", _) => value.parse::<i64>().unwrap().into(),
                    _ => value.into(),
                };
            }
            writeln!(text, "{object}").unwrap();
        }
        fs::write(path, text).unwrap();
    }

    fn batch(&self, source: usize) -> RecordBatch {
        let keys = (0..ROW_COUNT).map(|row| Some(key(row)));
        let mut columns: Vec<(&str, ArrayRef)> =
            vec![("key", Arc::new(keys.collect::<StringArray>()))];
        for (column, (name, _)) in COLUMNS.iter().enumerate() {
            let values = || (0..ROW_COUNT).map(|row| self.value(source, row, column));
            columns.push((name, array_of(name, values())));
        }
        RecordBatch::try_from_iter(columns).unwrap()
    }
}

/// The first of the rows in which a source has values of its own.
const SHARED_ROWS: usize = ROW_COUNT / 2;

/// Returns a column of the type that its name asks for.
fn array_of<'v>(name: &str, values: impl Iterator<Item = &'v str>) -> ArrayRef {
    match name {
        "balance" => Arc::new(
            values
                .map(|v| v.parse::<i64>().unwrap())
                .collect::<Int64Array>(),
        ),
        "secret_number" => Arc::new(
            values
                .map(|v| v.parse::<f64>().unwrap())
                .collect::<Float64Array>(),
        ),
        "email" => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            values.for_each(|value| {
                lists.values().append_value(value);
                lists.append(true);
            });
            Arc::new(lists.finish())
        }
        "secret_nest" => {
            let inner: ArrayRef = Arc::new(values.map(Some).collect::<StringArray>());
            let field = Arc::new(Field::new("deep", DataType::Utf8, true));
            Arc::new(StructArray::from(vec![(field, inner)]))
        }
        _ => Arc::new(values.map(Some).collect::<StringArray>()),
    }
}

fn key(row: usize) -> String {
    format!("K-{row:02}")
}

/// Makes a value that passes for one of its column and occurs nowhere by chance.
fn canary(column: &str, draw: &mut Draw) -> String {
    let mut word = |len: usize| -> String {
        // Every second letter a vowel: normalisation takes it for a word.
        let letter = |index: usize| {
            if index.is_multiple_of(2) {
                b"bdfgjklmnpqrstvwxz".as_slice()
            } else {
                b"aeiouy"
            }
        };
        (0..len)
            .map(|index| char::from(*draw.pick(letter(index))))
            .collect()
    };
    let first = word(11);
    let second = word(9);
    let digits = |draw: &mut Draw, len| {
        (0..len)
            .map(|_| char::from(b'1' + draw.below(9) as u8))
            .collect::<String>()
    };
    match column {
        // Sixteen digits: more than chance, and exact as a float.
        "balance" | "secret_number" => format!("4{}", digits(draw, 15)),
        "dob" => format!(
            "19{:02}-{:02}-{:02}",
            draw.below(30),
            1 + draw.below(12),
            1 + draw.below(28)
        ),
        "email" | "secret_mail" => format!("{first}@{second}.test"),
        "phone" => format!("(415) 2{}-{}", digits(draw, 2), digits(draw, 4)),
        "postcode" => format!("q{}x{}", digits(draw, 4), digits(draw, 4)),
        "street" => format!("{} {} Road", draw.below(900) + 1, capital(&first)),
        "company" => format!("{} {} Ltd", capital(&first), capital(&second)),
        "tax_id" => format!("TX-{}-{}", second.to_uppercase(), digits(draw, 5)),
        "note" => format!("{first} asked for {second} again"),
        "title" => format!("{} {}", capital(&first), capital(&second)),
        _ => capital(&first),
    }
}

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

fn normalised(value: &str, kind: FieldKind) -> Option<String> {
    let locale = Locale {
        region: Some("US".to_owned()),
        ..Locale::default()
    };
    let mut text = String::new();
    let is_some = Normalizer::new(kind, None, &locale).normalize(value, &mut text);
    (is_some && text != value).then_some(text)
}

fn settings() -> String {
    let mapped = || {
        COLUMNS
            .iter()
            .filter_map(|(name, kind)| kind.map(|kind| (name, kind)))
    };
    let mut text = String::new();
    for format in FORMATS {
        let head = "key = \"key\"\nregion = \"US\"\n[source.fields]\n";
        write!(
            text,
            "[[source]]\nname = \"{format}\"\nuri = \"data/{format}.{format}\"\n{head}"
        )
        .unwrap();
        for (name, _) in mapped() {
            writeln!(text, "{name} = \"{name}\"").unwrap();
        }
    }
    text.push_str("[fields]\n");
    for (name, kind) in mapped() {
        writeln!(text, "{name} = {}", serde_json::to_value(kind).unwrap()).unwrap();
    }
    for (name, _) in mapped() {
        writeln!(text, "[[compare]]\nfield = \"{name}\"\nfrequency = true").unwrap();
        if *name == "note" {
            // The model lists how frequent words are, beside values.
            writeln!(text, "levels = [\"exact\", \"soft_tf_idf >= 0.5\"]").unwrap();
        }
    }
    for block in [
        "email",
        "phone",
        "surname.phonetic",
        "note.tokens",
        "company",
    ] {
        writeln!(text, "[[block]]\non = [\"{block}\"]").unwrap();
    }
    text.push_str("[[rule]]\nname = \"one tax id\"\nwhen = \"tax_id: exact\"\n");
    text.push_str("[budget]\npairs_per_record_max = 100000\nblock_len_max = 30\n");
    text.push_str("[graph]\nnamespace = \"00000000-0000-0000-0000-00000000005a\"\n");
    text
}
