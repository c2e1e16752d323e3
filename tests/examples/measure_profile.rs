//! How long a profile takes beside one record asked of each system by its own client.
//!
//! `cargo run --release -p sameas-tests --example measure_profile`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it measures and prints, and ends if something is missing"
)]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adbc_core::options::{AdbcVersion, OptionDatabase};
use adbc_core::{Connection as _, Database as _, Driver as _, Statement as _};
use adbc_driver_manager::{ManagedConnection, ManagedDriver};
use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use parquet::arrow::ArrowWriter;
use sameas_api::v1::get_profile_request::Subject;
use sameas_api::v1::profile_service_client::ProfileServiceClient;
use sameas_api::v1::{GetProfileRequest, Reference};
use sameas_resolve::{Profiler, Settings};
use sameas_tests::{Person, Postgres, Serving, driver, people, sameas};
use tonic::Request;

const PERSON_COUNT: u32 = 10_000;
const CALL_COUNT: usize = 200;
const COLUMNS: [&str; 8] = [
    "id", "first", "last", "born", "mail", "tel", "street", "city",
];
const FIELDS: [&str; 7] = [
    "given_name",
    "surname",
    "dob",
    "email",
    "phone",
    "street",
    "city",
];
const TOKEN: &str = "measuring-0123456789abcdef0123456789abcdef";

const MAKE_SQLITE: &str = "
import csv, sqlite3, sys
rows = list(csv.reader(open(sys.argv[1], newline='')))
base = sqlite3.connect(sys.argv[2])
base.execute('CREATE TABLE customers (%s)' % ', '.join(name + ' TEXT' for name in rows[0]))
base.executemany('INSERT INTO customers VALUES (%s)' % ', '.join('?' * len(rows[0])), rows[1:])
base.execute('CREATE UNIQUE INDEX by_id ON customers (id)')
base.commit()
";

/// The records of one system: two a person, who is the same in all of them.
fn rows(system: &str, people: &[Person]) -> Vec<[String; 8]> {
    let of = |person: &Person, nth: u32| {
        [
            format!("{system}-{:06}-{nth}", person.number),
            person.given_name.clone(),
            person.surname.clone(),
            person.born.clone(),
            person.emails[0].clone(),
            person.phone.clone(),
            person.street.clone(),
            person.city.clone(),
        ]
    };
    let both = people.iter().flat_map(|p| [of(p, 0), of(p, 1)]);
    both.collect()
}

fn write_csv(path: &Path, rows: &[[String; 8]]) {
    let mut writer = csv::Writer::from_path(path).unwrap();
    writer.write_record(COLUMNS).unwrap();
    rows.iter()
        .for_each(|row| writer.write_record(row).unwrap());
    writer.flush().unwrap();
}

fn write_parquet(path: &Path, rows: &[[String; 8]]) {
    let fields = COLUMNS.map(|name| Field::new(name, DataType::Utf8, false));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let column = |at: usize| {
        let texts = rows.iter().map(|row| row[at].as_str());
        Arc::new(StringArray::from_iter_values(texts)) as _
    };
    let columns = (0..COLUMNS.len()).map(column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn settings(postgres: &Postgres, sqlite: &Path) -> String {
    let mut text = String::new();
    let places = [
        (
            "crm",
            format!(
                "uri = \"{}\"\ntable = \"customers\"",
                postgres.uri("postgres")
            ),
        ),
        ("desk", "uri = \"desk.parquet\"".to_owned()),
        (
            "shop",
            format!(
                "driver = \"{}\"\nuri = \"shop.db\"\ntable = \"customers\"",
                sqlite.display()
            ),
        ),
    ];
    for (name, place) in places {
        write!(
            text,
            "[[source]]\nname = \"{name}\"\nkey = \"id\"\n{place}\n[source.fields]\n\
             given_name = \"first\"\nsurname = \"last\"\ndob = \"born\"\nemail = \"mail\"\n\
             phone = \"tel\"\nstreet = \"street\"\ncity = \"city\"\n"
        )
        .unwrap();
    }
    text + "[profile]\nonly = [\"given_name\", \"surname\", \"dob\", \"phone\", \"street\", \"city\"]\n\
            [[block]]\non = [\"email\"]\n[[rule]]\nname = \"email\"\nwhen = \"email: exact\"\n\
            [[caller]]\nname = \"ui\"\ntoken = { file = \"token\" }\nmay = [\"profile\"]\n"
}

/// Prints the median and the ninth decile.
fn told(name: &str, mut times: Vec<Duration>) -> f64 {
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (median, late) = (ms(times[times.len() / 2]), ms(times[times.len() * 9 / 10]));
    println!("{name:<44} median {median:8.3} ms   p90 {late:8.3} ms");
    median
}

/// One record of SQLite, as its driver is asked.
fn ask_sqlite(connection: &mut ManagedConnection, key: &str) {
    let mut statement = connection.new_statement().unwrap();
    let query = format!("SELECT {} FROM customers WHERE id = ?", COLUMNS.join(", "));
    statement.set_sql_query(query).unwrap();
    let schema = Schema::new(vec![Field::new("id", DataType::Utf8, false)]);
    let keys = Arc::new(StringArray::from(vec![key]));
    let keys = RecordBatch::try_new(Arc::new(schema), vec![keys]).unwrap();
    statement.bind(keys).unwrap();
    let rows: usize = statement
        .execute()
        .unwrap()
        .map(|batch| batch.unwrap().num_rows())
        .sum();
    assert_eq!(rows, 1);
}

fn main() {
    let (Some(postgres), Some(sqlite)) = (Postgres::start(), driver("sqlite")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let people = people(PERSON_COUNT, 17);
    write_csv(&path("crm.csv"), &rows("crm", &people));
    let csv = fs::read_to_string(path("crm.csv")).unwrap();
    let columns = COLUMNS.map(|name| format!("{name} text")).join(", ");
    postgres.sql(&format!(
        "CREATE TABLE customers ({columns}, PRIMARY KEY (id)); \
         COPY customers FROM STDIN (FORMAT csv, HEADER);\n{csv}\\.\nANALYZE customers;"
    ));
    write_csv(&path("shop.csv"), &rows("shop", &people));
    let made = Command::new("python3")
        .args(["-c", MAKE_SQLITE])
        .args([path("shop.csv"), path("shop.db")])
        .status();
    assert!(made.unwrap().success());
    write_parquet(&path("desk.parquet"), &rows("desk", &people));
    fs::write(path("token"), TOKEN).unwrap();
    fs::write(path("sameas.toml"), settings(&postgres, &sqlite)).unwrap();
    let rebuilt = sameas(&path("sameas.toml"), &["rebuild", "--quiet"]);
    assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.stderr);

    let numbers = (0..CALL_COUNT).map(|at| at as u32 * 37 % PERSON_COUNT);
    let numbers: Vec<u32> = numbers.collect();
    let key = |system: &str, number: u32| format!("{system}-{number:06}-1");
    let runtime = tokio::runtime::Runtime::new().unwrap();

    let mut driver =
        ManagedDriver::load_dynamic_from_filename(&sqlite, None, AdbcVersion::V110).unwrap();
    let place = path("shop.db").display().to_string();
    let option = (OptionDatabase::Uri, place.as_str().into());
    let database = driver.new_database_with_opts([option]).unwrap();
    let mut connection = database.new_connection().unwrap();
    ask_sqlite(&mut connection, &key("shop", 1));
    let shop = numbers.iter().map(|&number| {
        let began = Instant::now();
        ask_sqlite(&mut connection, &key("shop", number));
        began.elapsed()
    });
    let shop = told("SQLite by its driver, one record", shop.collect());

    let (crm, desk) = runtime.block_on(async {
        let uri = postgres.uri("postgres");
        let (client, connection) = tokio_postgres::connect(&uri, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let query = format!("SELECT {} FROM customers WHERE id = $1", COLUMNS.join(", "));
        let query = client.prepare(&query).await.unwrap();
        let mut crm = Vec::new();
        for &number in &numbers {
            let began = Instant::now();
            client
                .query_one(&query, &[&key("crm", number)])
                .await
                .unwrap();
            crm.push(began.elapsed());
        }
        let context = SessionContext::new();
        let file = path("desk.parquet").display().to_string();
        let options = ParquetReadOptions::default();
        context
            .register_parquet("desk", file, options)
            .await
            .unwrap();
        let mut desk = Vec::new();
        for &number in &numbers {
            let began = Instant::now();
            let key = key("desk", number);
            let query = format!("SELECT {} FROM desk WHERE id = '{key}'", COLUMNS.join(", "));
            let rows = context.sql(&query).await.unwrap().collect().await.unwrap();
            assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
            desk.push(began.elapsed());
        }
        (crm, desk)
    });
    let crm = told("PostgreSQL by tokio-postgres, one record", crm);
    let desk = told("Parquet by DataFusion, one record", desk);
    let slowest = shop.max(crm).max(desk);

    // What a profile of one system's two records takes, without the server.
    let profiler = Profiler::new(Settings::load(&path("sameas.toml")).unwrap());
    let fields = FIELDS.map(str::to_owned);
    for systems in [&["crm"][..], &["shop"], &["desk"], &["crm", "shop", "desk"]] {
        let mut times = Vec::new();
        for &number in &numbers {
            let members = systems.iter().flat_map(|system| {
                let key = |nth: u32| format!("{system}-{number:06}-{nth}");
                [(system.to_string(), key(0)), (system.to_string(), key(1))]
            });
            let members: Vec<_> = members.collect();
            let began = Instant::now();
            let asked = profiler.profile(&members, &fields, Duration::from_secs(60));
            let profile = runtime.block_on(asked).unwrap();
            times.push(began.elapsed());
            assert!(!profile.is_partial(), "{profile:?}");
        }
        told(&format!("Profiler, two records each of {systems:?}"), times);
    }

    let server = Serving::start(&path("sameas.toml"), &[]);
    let times = runtime.block_on(async {
        let mut client = ProfileServiceClient::new(server.channel().await);
        let mut times = Vec::new();
        for &number in [7].iter().chain(&numbers) {
            let mut request = Request::new(GetProfileRequest {
                subject: Some(Subject::Reference(Reference {
                    source: "crm".into(),
                    key: key("crm", number),
                })),
                ..GetProfileRequest::default()
            });
            let shown = format!("Bearer {TOKEN}").parse().unwrap();
            request.metadata_mut().insert("authorization", shown);
            let began = Instant::now();
            let profile = client.get_profile(request).await.unwrap().into_inner();
            times.push(began.elapsed());
            assert_eq!((profile.members.len(), profile.gaps.len()), (6, 0));
        }
        times
    });
    told("GetProfile, the first call", times[..1].to_vec());
    let profile = told("GetProfile, 6 records of 3 systems", times[1..].to_vec());
    println!(
        "GetProfile takes {:.2} times the slowest",
        profile / slowest
    );
}
