//! In-process look-ups by source and key, one by one and in batches, beside a standard map.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sameas_graph::{
    Entity, GraphRevision, Legend, Namespace, NodeId, Partition, ReferenceTable,
    ReferenceTableBuilder, Revision, SourceId, UnifiedId,
};
use sameas_store::{Snapshot, write_snapshot};
use tempfile::TempDir;
use uuid::Uuid;

const SOURCES: [&str; 4] = ["crm", "desk", "loyalty", "shop"];
const SIZES: [u32; 2] = [1_000_000, 10_000_000];
/// Keys asked in a round: enough that they do not stay in the caches.
const QUERY_COUNT: u32 = 1_000_000;
const BATCH_LEN: usize = 1_000;

/// Scatters a number (the finaliser of `MurmurHash3`).
fn scatter(number: u32) -> u32 {
    let number = (number ^ (number >> 16)).wrapping_mul(0x85eb_ca6b);
    let number = (number ^ (number >> 13)).wrapping_mul(0xc2b2_ae35);
    number ^ (number >> 16)
}

/// Keys of 17 bytes, a quarter of them in each source.
fn references(count: u32) -> ReferenceTable {
    let mut builder = ReferenceTableBuilder::new(SOURCES.map(str::to_owned).to_vec());
    builder.reserve(count as usize, count as usize * 17);
    for number in 0..count {
        let source = u64::from(number) * SOURCES.len() as u64 / u64::from(count);
        let key = format!("{number:013}{:04x}", scatter(number) & 0xffff);
        builder.push(SourceId::new(source as u16), &key);
    }
    builder.finish()
}

/// Six entities for ten references, scattered over the table.
fn graph(count: u32) -> GraphRevision {
    let entity_of = |node: u32| scatter(node) % (count / 10 * 6).max(1);
    let mut label_of = vec![u32::MAX; count as usize];
    let labels: Vec<u32> = (0..count)
        .map(|node| {
            let label = &mut label_of[entity_of(node) as usize];
            *label = (*label).min(node);
            *label
        })
        .collect();
    let partition = Partition::from_labels(&labels);
    let entities = (0..partition.cluster_count() as u32)
        .map(|cluster| Entity {
            id: UnifiedId::new(Uuid::from_u64_pair(
                u64::from(scatter(cluster)) << 32,
                cluster.into(),
            )),
            born: Revision::FIRST,
        })
        .collect();
    GraphRevision {
        revision: Revision::FIRST,
        namespace: Namespace::new(Uuid::from_u128(0x5a5a)),
        references: references(count),
        partition,
        entities,
        since: vec![Revision::FIRST; count as usize],
        evidence: Vec::new(),
        legend: Legend::default(),
        lineage: Vec::new(),
        past: Vec::new(),
        changed: (0..count).collect(),
    }
}

fn open(graph: &GraphRevision) -> (TempDir, Snapshot) {
    let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
    let path = folder.path().join("bench.sameas");
    let file = std::fs::File::create(&path).expect("the folder is writable");
    write_snapshot(graph, &mut std::io::BufWriter::new(file)).expect("the graph is consistent");
    let snapshot = Snapshot::open(&path).expect("the snapshot was just written");
    (folder, snapshot)
}

/// Draws references that exist; each key is a text of its own, as a request brings it.
fn queries(graph: &GraphRevision) -> Vec<(&'static str, String)> {
    let count = graph.references.len() as u64;
    (0..QUERY_COUNT)
        .map(|number| {
            let drawn = (u64::from(scatter(number ^ 0xabcd)) * count) >> 32;
            let node = NodeId::new(drawn as u32);
            let source = graph.references.source_of(node).index();
            (SOURCES[source], graph.references.key(node).to_owned())
        })
        .collect()
}

fn bench_lookup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(QUERY_COUNT.into()));
    for size in SIZES {
        let graph = graph(size);
        let queries = queries(&graph);
        let batch: Vec<(&str, &str)> = queries
            .iter()
            .map(|(source, key)| (*source, key.as_str()))
            .collect();
        let (_folder, snapshot) = open(&graph);
        snapshot
            .verify_checksums()
            .expect("the snapshot was just written");
        group.bench_function(BenchmarkId::new("single", size), |bencher| {
            bencher.iter(|| {
                for (source, key) in &batch {
                    black_box(
                        snapshot
                            .lookup(source, key)
                            .expect("the snapshot is intact"),
                    );
                }
            });
        });
        group.bench_function(BenchmarkId::new("batch_1000", size), |bencher| {
            bencher.iter(|| {
                for batch in batch.chunks(BATCH_LEN) {
                    black_box(snapshot.lookup_many(batch).expect("the snapshot is intact"));
                }
            });
        });
        if size == SIZES[0] {
            let naive = naive_maps(&graph);
            group.bench_function(BenchmarkId::new("std_hash_map", size), |bencher| {
                bencher.iter(|| {
                    for (source, key) in &batch {
                        black_box(naive.get(source).and_then(|keys| keys.get(*key)));
                    }
                });
            });
        }
    }
    group.finish();
}

#[expect(
    clippy::disallowed_types,
    reason = "the naive way that ours is measured against"
)]
type NaiveMap = std::collections::HashMap<String, (UnifiedId, Revision)>;

/// The obvious program: for each source a map from key to id.
fn naive_maps(graph: &GraphRevision) -> BTreeMap<&'static str, NaiveMap> {
    let mut maps: BTreeMap<&'static str, NaiveMap> = BTreeMap::new();
    for node in (0..graph.references.len() as u32).map(NodeId::new) {
        let source = SOURCES[graph.references.source_of(node).index()];
        let entity = graph.entities[graph.partition.cluster_of(node).index()];
        let key = graph.references.key(node).to_owned();
        maps.entry(source)
            .or_default()
            .insert(key, (entity.id, entity.born));
    }
    maps
}

criterion_group!(benches, bench_lookup);
criterion_main!(benches);
