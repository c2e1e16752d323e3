//! Measures how fast and how well one fuzzy record is found, beside what a rebuild over the same
//! records decides.
//!
//! `cargo run --release -p sameas-resolve --example measure_find -- SETTINGS TRUTH [COUNT]`
//!
//! SETTINGS name sources whose graph is rebuilt already; TRUTH is a CSV file with the columns source, key
//! and entity. COUNT records, 10,000 if it is not given, are drawn from the sources and made fuzzy: a
//! misspelt name, the address of somebody else, half of them without an e-mail address and half
//! without a telephone number. Each is looked for, one at a time. Then they become a source of their own, in a
//! temporary folder, and everything is rebuilt with the same model. Both answers are held to the truth.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

mod fuzzy;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use sameas_graph::Namespace;
use sameas_resolve::{
    FindQuery, Finder, JobOptions, MatchStanding, RankOptions, Settings, Shrink, Silent, Waiting,
    rank, rebuild,
};
use sameas_store::{GraphFolder, Snapshot};

use fuzzy::Fuzzy;

/// The name that the fuzzy records have as a source.
const SOURCE: &str = "zz_fuzzy";

type Failure = Box<dyn Error>;

/// A record of some source: source and key.
type Name = (String, String);

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let usage = "give the settings and the truth";
    let (settings, truth) = (
        arguments.next().ok_or(usage)?,
        arguments.next().ok_or(usage)?,
    );
    let count = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(Path::new(&settings), Path::new(&truth), count))
}

async fn measure(path: &Path, truth: &Path, count: usize) -> Result<(), Failure> {
    let settings = Settings::load(path)?;
    let truth = Truth::read(truth)?;
    let fuzzy = fuzzy::draw(&settings, count).await?;
    println!("{} fuzzy records", fuzzy.len());

    let snapshot = newest(&settings.graph_path())?;
    let started = Instant::now();
    let finder = Finder::load(&settings, &options(2)).await?;
    let [index, values, keys] = finder.bytes();
    let records = finder.reference_count() as u64;
    println!(
        "{records} references indexed in {:.1} s; bytes a reference: index {}, values {}, keys {}",
        started.elapsed().as_secs_f64(),
        index / records,
        values / records,
        keys / records
    );
    let told = RankOptions {
        least: 0.01,
        limit: 10,
        comparisons: finder.visible_comparisons(None),
    };
    let mut times = Vec::new();
    let mut compared = 0;
    let mut found = BTreeMap::new();
    for fuzzy in &fuzzy {
        let query = FindQuery {
            values: fuzzy.values.clone(),
            ..FindQuery::default()
        };
        let started = Instant::now();
        let answer = finder.find(query, Waiting::ToTheEnd).await?;
        let ranked = rank(&answer, finder.legend(), &snapshot, &told)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        compared += answer.candidates.len();
        // A record that matches several entities would bring them together.
        let matching = ranked.iter().filter(|e| e.standing == MatchStanding::Match);
        let mut met = BTreeSet::new();
        for entity in matching {
            let id = entity.unified_id.parse()?;
            met.extend(members(&snapshot, sameas_graph::UnifiedId::new(id))?);
        }
        found.insert(fuzzy.key.clone(), met);
    }
    times.sort_by(f64::total_cmp);
    let quantile = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "one look-up: median {:.3} ms, 90 % {:.3}, 99 % {:.3}, longest {:.3}; {:.1} candidates",
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        quantile(1.0),
        compared as f64 / fuzzy.len() as f64
    );
    truth.judge("find", &fuzzy, &found);

    let folder = tempfile::tempdir()?;
    let both = with_source(path, &settings, &fuzzy, folder.path())?;
    rebuild(&both, &options(2)).await?;
    let snapshot = newest(&both.graph_path())?;
    let mut rebuilt = BTreeMap::new();
    for fuzzy in &fuzzy {
        let located = snapshot.lookup(SOURCE, &fuzzy.key)?.ok_or("it was read")?;
        rebuilt.insert(fuzzy.key.clone(), members(&snapshot, located.entity.id)?);
    }
    truth.judge("rebuild", &fuzzy, &rebuilt);
    let same = fuzzy.iter().filter(|f| found[&f.key] == rebuilt[&f.key]);
    println!("the same answer for {} of {}", same.count(), fuzzy.len());
    Ok(())
}

/// Lists the records of an entity, fuzzy ones left out.
fn members(snapshot: &Snapshot, id: sameas_graph::UnifiedId) -> Result<BTreeSet<Name>, Failure> {
    let entity = snapshot.entity(id)?.ok_or("the entity is there")?;
    let mut members = BTreeSet::new();
    for member in entity.members() {
        let member = member?;
        if member.source != SOURCE {
            members.insert((member.source.to_owned(), member.key.to_owned()));
        }
    }
    Ok(members)
}

fn newest(graph: &Path) -> Result<Snapshot, Failure> {
    let snapshot = GraphFolder::open(graph)?.current()?;
    Ok(snapshot.ok_or("rebuild first")?)
}

fn options(threads: usize) -> JobOptions {
    JobOptions {
        threads,
        shrink: Shrink::Allow,
        new_namespace: Namespace::new(uuid::Uuid::from_u128(1)),
        new_key: [7; 32],
        published_at_ms: 0,
        progress: Arc::new(Silent),
    }
}

/// Writes the fuzzy records as a source and settings that have it beside the others, with the same model.
fn with_source(
    path: &Path,
    settings: &Settings,
    fuzzy: &[Fuzzy],
    folder: &Path,
) -> Result<Settings, Failure> {
    let fields: Vec<&str> = settings.mapped_fields().into_iter().collect();
    let mut writer = csv::Writer::from_path(folder.join("fuzzy.csv"))?;
    writer.write_record(std::iter::once(&"key").chain(&fields))?;
    for fuzzy in fuzzy {
        let value = |field: &&str| fuzzy.values.get(*field).and_then(|v| v.first());
        let values = fields.iter().map(|f| value(f).map_or("", String::as_str));
        writer.write_record(std::iter::once(fuzzy.key.as_str()).chain(values))?;
    }
    writer.flush()?;
    let base = |file: &Path| {
        path.parent()
            .unwrap_or(Path::new(""))
            .join(file)
            .canonicalize()
    };
    let mut document: toml::Table = std::fs::read_to_string(path)?.parse()?;
    let sources = document
        .get_mut("source")
        .and_then(toml::Value::as_array_mut);
    let sources = sources.ok_or("settings have sources")?;
    for source in sources.iter_mut() {
        let uri = source.get("uri").and_then(toml::Value::as_str);
        if let Some(uri) = uri.filter(|uri| !uri.contains("://")) {
            let uri = base(Path::new(uri))?.display().to_string();
            source
                .as_table_mut()
                .ok_or("a table")?
                .insert("uri".to_owned(), uri.into());
        }
    }
    let mut added = toml::Table::new();
    let mapped = fields
        .iter()
        .map(|f| ((*f).to_owned(), toml::Value::from(*f)));
    added.insert("name".to_owned(), SOURCE.into());
    added.insert("uri".to_owned(), "fuzzy.csv".into());
    added.insert("key".to_owned(), "key".into());
    if let Some(region) = sources[0].get("region") {
        added.insert("region".to_owned(), region.clone());
    }
    added.insert("fields".to_owned(), toml::Value::Table(mapped.collect()));
    sources.push(toml::Value::Table(added));
    let model = settings.model_path();
    let names = ["sameas.model.json", "sameas.model.key"];
    let from: [PathBuf; 2] = [model.clone(), sameas_resolve::key_path(&model)];
    for (from, name) in from.iter().zip(names) {
        std::fs::copy(from, folder.join(name))?;
    }
    let graph = toml::Table::from_iter([
        ("path".to_owned(), toml::Value::from("graph")),
        ("model".to_owned(), toml::Value::from("sameas.model.json")),
    ]);
    document.insert("graph".to_owned(), toml::Value::Table(graph));
    let path = folder.join("sameas.toml");
    std::fs::write(&path, document.to_string())?;
    Ok(Settings::load(&path)?)
}

/// Who is who.
struct Truth {
    entity_of: BTreeMap<Name, String>,
    members_of: BTreeMap<String, BTreeSet<Name>>,
}

impl Truth {
    fn read(path: &Path) -> Result<Self, Failure> {
        let (mut entity_of, mut members_of) = (BTreeMap::new(), BTreeMap::new());
        for row in csv::Reader::from_path(path)?.deserialize() {
            let (source, key, entity): (String, String, String) = row?;
            let members: &mut BTreeSet<Name> = members_of.entry(entity.clone()).or_default();
            members.insert((source.clone(), key.clone()));
            entity_of.insert((source, key), entity);
        }
        Ok(Self {
            entity_of,
            members_of,
        })
    }

    /// Prints how well fuzzy records meet the records of their customers, pair by pair.
    fn judge(&self, what: &str, fuzzy: &[Fuzzy], found: &BTreeMap<String, BTreeSet<Name>>) {
        let (mut right, mut told, mut wanted) = (0, 0, 0);
        for fuzzy in fuzzy {
            let entity = self.entity_of.get(&fuzzy.made_of);
            let Some(members) = entity.and_then(|entity| self.members_of.get(entity)) else {
                continue;
            };
            right += found[&fuzzy.key].intersection(members).count();
            told += found[&fuzzy.key].len();
            wanted += members.len();
        }
        let (precision, recall) = (right as f64 / told as f64, right as f64 / wanted as f64);
        let f1 = 2.0 * precision * recall / (precision + recall);
        println!("{what}: precision {precision:.4}, recall {recall:.4}, F1 {f1:.4}");
    }
}
