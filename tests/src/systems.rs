//! Three systems that know the same people differently: CSV, NDJSON and Parquet.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Builder, ListBuilder, RecordBatch, StringArray, StringBuilder};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use serde_json::json;

use crate::{Draw, Person, people};

/// The names of the systems.
pub const SOURCES: [&str; 3] = ["crm", "desk", "shop"];

/// What one system knows of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key in its system.
    pub key: String,
    /// The number of the person it is of.
    pub person: u32,
    /// The given name, as written there.
    pub given_name: Option<String>,
    /// The family name, as written there.
    pub surname: Option<String>,
    /// The date of birth, `YYYY-MM-DD`.
    pub born: Option<String>,
    /// The e-mail addresses it has.
    pub emails: Vec<String>,
    /// The telephone number.
    pub phone: Option<String>,
    /// The street.
    pub street: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// The postcode.
    pub postcode: Option<String>,
}

/// The records of all systems, in the order of [`SOURCES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Systems {
    /// The records of each system, in the order they are written.
    pub records: [Vec<Record>; 3],
}

/// How the same records are laid out in files and settings.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Files per system.
    pub files: usize,
    /// Rows per row group and record batch.
    pub batch_rows: usize,
    /// The order in which settings list the systems.
    pub order: [usize; 3],
    /// More settings, appended as they are.
    pub more: String,
}

impl Default for Layout {
    fn default() -> Self {
        let (files, batch_rows) = (1, 8_192);
        Self {
            files,
            batch_rows,
            order: [0, 1, 2],
            more: String::new(),
        }
    }
}

impl Systems {
    /// Makes the records of so many people: two to three each on average, with dirt.
    pub fn new(person_count: u32, seed: u64) -> Self {
        let mut draw = Draw::new(seed ^ 0x5157);
        let mut systems = Self {
            records: [Vec::new(), Vec::new(), Vec::new()],
        };
        for person in people(person_count, seed) {
            for (system, share) in [(0, 0.9), (1, 0.7), (2, 0.8)] {
                if draw.chance(share) {
                    systems.know(system, &person, &mut draw);
                }
            }
            // Shops and desks know some people twice.
            if draw.chance(0.1) {
                systems.know(1 + draw.below(2), &person, &mut draw);
            }
        }
        systems
    }

    /// Adds a record of a person to a system.
    pub fn know(&mut self, system: usize, person: &Person, draw: &mut Draw) {
        let prefix = ["C", "D", "S"][system];
        let key = format!("{prefix}-{:06}", 1_000 + 7 * self.records[system].len());
        self.records[system].push(record(key, person, draw));
    }

    /// Returns how many records there are.
    pub fn len(&self) -> usize {
        self.records.iter().map(Vec::len).sum()
    }

    /// Returns whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Brings the records of each system into another order.
    pub fn shuffle(&mut self, seed: u64) {
        let mut draw = Draw::new(seed);
        self.records
            .iter_mut()
            .for_each(|records| draw.shuffle(records));
    }

    /// Writes all systems, their settings and the truth; returns the settings file.
    pub fn write(&self, folder: &Path, layout: &Layout) -> PathBuf {
        for (system, records) in self.records.iter().enumerate() {
            let below = folder.join(SOURCES[system]);
            let _ = fs::remove_dir_all(&below);
            fs::create_dir_all(&below).unwrap();
            let len = records.len().div_ceil(layout.files.max(1)).max(1);
            for (number, part) in records.chunks(len).enumerate() {
                write_part(system, part, &below.join(format!("part-{number}")), layout);
            }
        }
        fs::write(folder.join("truth.csv"), self.truth()).unwrap();
        let path = folder.join("sameas.toml");
        fs::write(&path, settings(layout)).unwrap();
        path
    }

    /// Returns the truth as CSV: source, key, entity.
    pub fn truth(&self) -> String {
        let mut text = "source,key,entity\n".to_owned();
        for (name, records) in SOURCES.iter().zip(&self.records) {
            for record in records {
                writeln!(text, "{name},{},{}", record.key, record.person).unwrap();
            }
        }
        text
    }
}

fn record(key: String, person: &Person, draw: &mut Draw) -> Record {
    let mut dirty = |text: &str, missing: f64, typo: f64| {
        if draw.chance(missing) {
            return None;
        }
        let wrong = draw.chance(typo);
        Some(if wrong {
            with_typo(text, draw)
        } else {
            text.to_owned()
        })
    };
    let given_name = dirty(&person.given_name, 0.04, 0.08);
    let surname = dirty(&person.surname, 0.02, 0.08);
    let born = dirty(&person.born, 0.15, 0.0);
    let phone = dirty(&person.phone, 0.25, 0.0);
    let street = dirty(&person.street, 0.1, 0.1);
    let city = dirty(&person.city, 0.05, 0.0);
    let postcode = dirty(&person.postcode, 0.1, 0.0);
    let mut emails = person.emails.clone();
    draw.shuffle(&mut emails);
    emails.truncate(draw.below(emails.len() + 1));
    Record {
        key,
        person: person.number,
        given_name,
        surname,
        born,
        emails,
        phone,
        street,
        city,
        postcode,
    }
}

/// Exchanges two neighbouring letters, or drops one.
fn with_typo(text: &str, draw: &mut Draw) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let at = 1 + draw.below(letters.len() - 2);
    if draw.chance(0.5) {
        letters.swap(at, at + 1);
    } else {
        letters.remove(at);
    }
    letters.into_iter().collect()
}

fn write_part(system: usize, records: &[Record], path: &Path, layout: &Layout) {
    match system {
        0 => write_csv(records, &path.with_extension("csv")),
        1 => write_ndjson(records, &path.with_extension("ndjson")),
        _ => write_parquet(records, &path.with_extension("parquet"), layout.batch_rows),
    }
}

/// The CRM: two columns for e-mail addresses, dates day first.
fn write_csv(records: &[Record], path: &Path) {
    let mut writer = csv::Writer::from_path(path).unwrap();
    let header = [
        "id", "first", "last", "born", "mail", "mail2", "tel", "street", "city", "zip",
    ];
    writer.write_record(header).unwrap();
    for record in records {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let mail = |n: usize| record.emails.get(n).cloned().unwrap_or_default();
        let row = [
            record.key.clone(),
            text(&record.given_name),
            text(&record.surname).to_uppercase(),
            day_first(record.born.as_deref()),
            mail(0),
            mail(1),
            text(&record.phone),
            text(&record.street),
            text(&record.city),
            text(&record.postcode),
        ];
        writer.write_record(row).unwrap();
    }
    writer.flush().unwrap();
}

fn day_first(born: Option<&str>) -> String {
    let parts: Vec<&str> = born.unwrap_or_default().split('-').rev().collect();
    parts.join(".")
}

/// The desk: one full name, a list of e-mail addresses.
fn write_ndjson(records: &[Record], path: &Path) {
    let mut text = String::new();
    for record in records {
        let names = [&record.given_name, &record.surname];
        let names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
        // A lone name would be read as a surname whichever it is.
        let name = (names.len() == 2).then(|| names.join(" "));
        let object = json!({
            "ticket": record.key, "name": name, "mails": record.emails, "tel": record.phone,
            "street": record.street, "city": record.city, "zip": record.postcode,
            "dob": record.born,
        });
        writeln!(text, "{object}").unwrap();
    }
    fs::write(path, text).unwrap();
}

/// The shop: typed columns.
fn write_parquet(records: &[Record], path: &Path, batch_rows: usize) {
    let texts = |of: fn(&Record) -> &Option<String>| -> ArrayRef {
        Arc::new(
            records
                .iter()
                .map(|r| of(r).as_deref())
                .collect::<StringArray>(),
        )
    };
    let mut emails = ListBuilder::new(StringBuilder::new());
    let mut born = Date32Builder::new();
    for record in records {
        record
            .emails
            .iter()
            .for_each(|email| emails.values().append_value(email));
        emails.append(!record.emails.is_empty());
        born.append_option(record.born.as_deref().map(days_since_1970));
    }
    let keys: StringArray = records.iter().map(|r| Some(r.key.as_str())).collect();
    let columns: [(&str, ArrayRef); 9] = [
        ("key", Arc::new(keys)),
        ("given", texts(|r| &r.given_name)),
        ("family", texts(|r| &r.surname)),
        ("emails", Arc::new(emails.finish())),
        ("phone", texts(|r| &r.phone)),
        ("line1", texts(|r| &r.street)),
        ("town", texts(|r| &r.city)),
        ("postcode", texts(|r| &r.postcode)),
        ("dob", Arc::new(born.finish())),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder();
    let properties = properties
        .set_max_row_group_row_count(Some(batch_rows))
        .build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Counts days by walking the calendar; slow and obvious.
fn days_since_1970(date: &str) -> i32 {
    let number = |part: &str| part.parse::<i32>().unwrap();
    let (year, month, day) = (number(&date[..4]), number(&date[5..7]), number(&date[8..]));
    let leap = |year: i32| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let len_of_year = |year| if leap(year) { 366 } else { 365 };
    let february = if leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: i32 = match year {
        1970.. => (1970..year).map(len_of_year).sum(),
        _ => -(year..1970).map(len_of_year).sum::<i32>(),
    };
    years + months[..month as usize - 1].iter().sum::<i32>() + day - 1
}

fn settings(layout: &Layout) -> String {
    let mut text = String::new();
    for system in layout.order {
        text.push_str(SOURCE_SETTINGS[system]);
    }
    text.push_str(MATCHING_SETTINGS);
    text.push_str(&layout.more);
    text
}

const SOURCE_SETTINGS: [&str; 3] = [
    r#"
[[source]]
name = "crm"
uri = "crm/*.csv"
key = "id"
region = "US"
[source.fields]
given_name = "first"
surname = "last"
dob = "born"
email = ["mail", "mail2"]
phone = "tel"
street = "street"
city = "city"
postcode = "zip"
"#,
    r#"
[[source]]
name = "desk"
uri = "desk"
format = "ndjson"
key = "ticket"
region = "US"
[source.fields]
given_name = { from = "name", part = "given" }
surname = { from = "name", part = "surname" }
email = "mails"
phone = "tel"
street = "street"
city = "city"
postcode = "zip"
dob = "dob"
"#,
    r#"
[[source]]
name = "shop"
uri = "shop/*.parquet"
key = "key"
region = "US"
[source.fields]
given_name = "given"
surname = "family"
email = "emails"
phone = "phone"
street = "line1"
city = "town"
postcode = "postcode"
dob = "dob"
"#,
];

/// Rules of all sorts: deterministic, over several values a record, over tokens, and a hot one.
const MATCHING_SETTINGS: &str = r#"
[graph]
namespace = "00000000-0000-0000-0000-00000000005a"

[[compare]]
field = "given_name"
frequency = true
[[compare]]
field = "surname"
frequency = true
[[compare]]
field = "dob"
[[compare]]
field = "email"
[[compare]]
field = "phone"
[[compare]]
field = "street"
[[compare]]
field = "postcode"

[[rule]]
name = "same e-mail and date of birth"
when = "email: exact and dob: exact"

[[block]]
on = ["email"]
[[block]]
on = ["phone"]
[[block]]
on = ["surname.phonetic", "dob.year"]
[[block]]
on = ["street.tokens", "postcode.prefix3"]
[[block]]
on = ["city"]

[decide]
one_per_source = ["crm"]

[budget]
block_len_max = 24
"#;
