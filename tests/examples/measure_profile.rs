//! How long a profile takes beside one record asked of each system by its own client.
//!
//! `cargo run --release -p sameas-tests --example measure_profile`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it measures and prints, and ends if something is missing"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use adbc_core::{Connection as _, Statement as _};
use adbc_driver_manager::ManagedConnection;
use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use sameas_api::v1::get_profile_request::Subject;
use sameas_api::v1::profile_service_client::ProfileServiceClient;
use sameas_api::v1::{GetProfileRequest, Reference};
use sameas_resolve::{Profiler, Settings, Waiting};
use sameas_tests::{Postgres, Serving, Table, connect, driver, people, sameas};
use tempfile::TempDir;
use tonic::Request;

const PERSON_COUNT: u32 = 10_000;
const CALL_COUNT: usize = 200;
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
    let query = format!(
        "SELECT {} FROM customers WHERE id = ?",
        Table::COLUMNS.join(", ")
    );
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

/// The systems, with two records of every person each, and a graph over them.
struct Place {
    folder: TempDir,
    postgres: Postgres,
    sqlite: PathBuf,
}

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn make() -> Option<Self> {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            postgres: Postgres::start()?,
            sqlite: driver("sqlite")?,
        };
        let people = people(PERSON_COUNT, 17);
        Table::new("crm", &people).copy_to_postgres(&place.postgres);
        Table::new("shop", &people).write_sqlite(&place.path("shop.db"));
        Table::new("desk", &people).write_parquet(&place.path("desk.parquet"));
        fs::write(place.path("token"), TOKEN).unwrap();
        let text = settings(&place.postgres, &place.sqlite);
        fs::write(place.path("sameas.toml"), text).unwrap();
        let rebuilt = sameas(&place.path("sameas.toml"), &["rebuild", "--quiet"]);
        assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.stderr);
        Some(place)
    }

    fn sqlite(&self, numbers: &[u32]) -> Vec<Duration> {
        let mut connection = connect(&self.sqlite, &self.path("shop.db"));
        ask_sqlite(&mut connection, &key("shop", 1));
        let ask = |&number: &u32| {
            let began = Instant::now();
            ask_sqlite(&mut connection, &key("shop", number));
            began.elapsed()
        };
        numbers.iter().map(ask).collect()
    }

    async fn postgres(&self, numbers: &[u32]) -> Vec<Duration> {
        let uri = self.postgres.uri("postgres");
        let connected = tokio_postgres::connect(&uri, tokio_postgres::NoTls).await;
        let (client, connection) = connected.unwrap();
        tokio::spawn(connection);
        let query = format!(
            "SELECT {} FROM customers WHERE id = $1",
            Table::COLUMNS.join(", ")
        );
        let query = client.prepare(&query).await.unwrap();
        let mut times = Vec::new();
        for &number in numbers {
            let began = Instant::now();
            let key = key("crm", number);
            client.query_one(&query, &[&key]).await.unwrap();
            times.push(began.elapsed());
        }
        times
    }

    async fn parquet(&self, numbers: &[u32]) -> Vec<Duration> {
        let context = SessionContext::new();
        let file = self.path("desk.parquet").display().to_string();
        let options = ParquetReadOptions::default();
        let registered = context.register_parquet("desk", file, options).await;
        registered.unwrap();
        let mut times = Vec::new();
        for &number in numbers {
            let began = Instant::now();
            let key = key("desk", number);
            let query = format!(
                "SELECT {} FROM desk WHERE id = '{key}'",
                Table::COLUMNS.join(", ")
            );
            let rows = context.sql(&query).await.unwrap().collect().await.unwrap();
            assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
            times.push(began.elapsed());
        }
        times
    }

    /// Asks for two records of each person in each of the systems, without the server.
    async fn profiler(&self, systems: &[&str], numbers: &[u32]) -> Vec<Duration> {
        let profiler = Profiler::new(Settings::load(&self.path("sameas.toml")).unwrap());
        let fields = FIELDS.map(str::to_owned);
        let mut times = Vec::new();
        for &number in [1].iter().chain(numbers) {
            let members = systems.iter().flat_map(|system| {
                let key = |nth: u32| Table::key(system, number, nth);
                [0, 1].map(|nth| ((*system).to_owned(), key(nth)))
            });
            let members: Vec<_> = members.collect();
            let began = Instant::now();
            let asked =
                profiler.profile(&members, &fields, Waiting::Within(Duration::from_mins(1)));
            let profile = asked.await.unwrap();
            times.push(began.elapsed());
            assert!(!profile.is_partial(), "{profile:?}");
        }
        // The first one opens the sources.
        times.split_off(1)
    }

    async fn server(&self, numbers: &[u32]) -> Vec<Duration> {
        let server = Serving::start(&self.path("sameas.toml"), &[]);
        let mut client = ProfileServiceClient::new(server.channel().await);
        let mut times = Vec::new();
        for &number in [1].iter().chain(numbers) {
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
    }
}

fn key(system: &str, number: u32) -> String {
    Table::key(system, number, 1)
}

fn main() {
    let Some(place) = Place::make() else {
        return;
    };
    let numbers = (0..CALL_COUNT).map(|at| at as u32 * 37 % PERSON_COUNT);
    let numbers: Vec<u32> = numbers.collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shop = told("SQLite by its driver, one record", place.sqlite(&numbers));
    let (crm, desk) = (place.postgres(&numbers), place.parquet(&numbers));
    let crm = told(
        "PostgreSQL by tokio-postgres, one record",
        runtime.block_on(crm),
    );
    let desk = told("Parquet by DataFusion, one record", runtime.block_on(desk));
    for systems in [&["crm"][..], &["shop"], &["desk"], &["crm", "shop", "desk"]] {
        let times = runtime.block_on(place.profiler(systems, &numbers));
        told(&format!("Profiler, two records each of {systems:?}"), times);
    }
    let mut times = runtime.block_on(place.server(&numbers));
    let others = times.split_off(1);
    told("GetProfile, the first call", times);
    let profile = told("GetProfile, 6 records of 3 systems", others);
    let slowest = shop.max(crm).max(desk);
    println!(
        "GetProfile takes {:.2} times the slowest",
        profile / slowest
    );
}
