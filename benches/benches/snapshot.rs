//! Writing, opening and verifying snapshots.

use std::hint::black_box;
use std::io::Cursor;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sameas_graph::{
    Decision, Entity, Evidence, GraphRevision, Legend, LevelPattern, MatchWeight, Namespace,
    NodeId, Partition, ReferenceTable, ReferenceTableBuilder, Revision, RuleId, SourceId,
    UnifiedId,
};
use sameas_store::{Snapshot, write_snapshot};
use uuid::Uuid;

const SOURCES: [&str; 4] = ["crm", "desk", "loyalty", "shop"];
const SIZES: [u32; 2] = [100_000, 1_000_000];

/// Scatters a number (the finaliser of `MurmurHash3`).
fn scatter(number: u32) -> u32 {
    let number = (number ^ (number >> 16)).wrapping_mul(0x85eb_ca6b);
    let number = (number ^ (number >> 13)).wrapping_mul(0xc2b2_ae35);
    number ^ (number >> 16)
}

fn references(count: u32) -> ReferenceTable {
    let mut builder = ReferenceTableBuilder::new(SOURCES.map(str::to_owned).to_vec());
    for number in 0..count {
        let source = u64::from(number) * SOURCES.len() as u64 / u64::from(count);
        let key = format!("{number:013}{:04x}", scatter(number) & 0xffff);
        builder.push(SourceId::new(source as u16), &key);
    }
    builder.finish()
}

/// Entities of two references each, half the table apart, and two edges a reference.
fn graph(count: u32) -> GraphRevision {
    let half = count / 2;
    let labels: Vec<u32> = (0..count).map(|node| node % half).collect();
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
        evidence: evidence(half),
        legend: Legend::default(),
        lineage: Vec::new(),
        past: Vec::new(),
        changed: (0..count).collect(),
    }
}

/// One link inside each entity and three edges to neighbours that wait for review.
fn evidence(half: u32) -> Vec<Evidence> {
    let edge = |left: u32, right: u32, decision| Evidence {
        left: NodeId::new(left),
        right: NodeId::new(right),
        weight: MatchWeight::from_hundredths((scatter(left ^ right) % 1_000) as i16),
        rule: RuleId::new((left % 8) as u8),
        pattern: LevelPattern::new(u64::from(scatter(left) & 0x333)),
        decision,
    };
    (0..half)
        .flat_map(|node| {
            let near = (1..=3).map(move |step| edge(node, node + step, Decision::Review));
            near.chain([edge(node, node + half, Decision::Link)])
        })
        .collect()
}

fn bench_snapshot(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(5));
    for size in SIZES {
        let graph = graph(size);
        group.throughput(Throughput::Elements(size.into()));
        group.bench_function(BenchmarkId::new("write", size), |bencher| {
            bencher.iter(|| {
                let mut out = Cursor::new(Vec::new());
                write_snapshot(&graph, &mut out).expect("the graph is consistent");
                black_box(out)
            });
        });
        let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
        let path = folder.path().join("bench.sameas");
        let mut file = std::fs::File::create(&path).expect("the folder is writable");
        write_snapshot(&graph, &mut file).expect("the graph is consistent");
        group.bench_function(BenchmarkId::new("open", size), |bencher| {
            bencher.iter(|| Snapshot::open(&path).expect("the snapshot was just written"));
        });
        let snapshot = Snapshot::open(&path).expect("the snapshot was just written");
        group.bench_function(BenchmarkId::new("checksums", size), |bencher| {
            bencher.iter(|| snapshot.verify_checksums().expect("the snapshot is intact"));
        });
        group.bench_function(BenchmarkId::new("verify", size), |bencher| {
            bencher.iter(|| snapshot.verify().expect("the snapshot is intact"));
        });
    }
    group.finish();
}

criterion_group!(benches, bench_snapshot);
criterion_main!(benches);
