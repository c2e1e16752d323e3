//! Union-find beside petgraph's, constrained clustering, retention and naming.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use petgraph::unionfind::UnionFind;
use sameas_graph::{
    Constraints, Decision, Evidence, GraphRevision, Legend, LevelPattern, MatchWeight, Namespace,
    NextRevision, NodeId, Partition, ReferenceTable, ReferenceTableBuilder, Retention, RuleId,
    SourceId, cluster, connect, retain, succeed,
};

const SIZES: [u32; 2] = [100_000, 1_000_000];
const SOURCE_COUNT: u32 = 4;

/// Scatters a number (the finaliser of `MurmurHash3`).
fn scatter(number: u32) -> u32 {
    let number = (number ^ (number >> 16)).wrapping_mul(0x85eb_ca6b);
    let number = (number ^ (number >> 13)).wrapping_mul(0xc2b2_ae35);
    number ^ (number >> 16)
}

/// Links each node to the next of its entity: six entities for ten nodes, scattered over all
/// nodes; salt moves some nodes to another entity.
fn links(node_count: u32, salt: u32) -> Vec<Evidence> {
    let entity = |node: u32| {
        let drift = if scatter(node ^ 0x5a5a).is_multiple_of(100) {
            salt
        } else {
            0
        };
        scatter(node.wrapping_add(drift)) % (node_count / 10 * 6)
    };
    let mut last = vec![u32::MAX; node_count as usize];
    let mut links = Vec::new();
    for node in 0..node_count {
        let last = &mut last[entity(node) as usize];
        if *last != u32::MAX {
            links.push(link(*last, node));
        }
        *last = node;
    }
    links.sort_unstable_by_key(|link| (link.left, link.right));
    links
}

fn link(left: u32, right: u32) -> Evidence {
    Evidence {
        left: NodeId::new(left),
        right: NodeId::new(right),
        weight: MatchWeight::from_hundredths((scatter(left ^ right) % 2_000) as i16),
        rule: RuleId::new(0),
        pattern: LevelPattern::default(),
        decision: Decision::Link,
    }
}

fn references(node_count: u32) -> ReferenceTable {
    let sources = (0..SOURCE_COUNT)
        .map(|source| format!("source-{source}"))
        .collect();
    let mut builder = ReferenceTableBuilder::new(sources);
    for node in 0..node_count {
        let source = node / node_count.div_ceil(SOURCE_COUNT);
        builder.push(SourceId::new(source as u16), &format!("customer-{node:08}"));
    }
    builder.finish()
}

fn revision(previous: Option<&GraphRevision>, node_count: u32, salt: u32) -> GraphRevision {
    succeed(previous, next(node_count, salt))
}

fn next(node_count: u32, salt: u32) -> NextRevision {
    let evidence = links(node_count, salt);
    NextRevision {
        namespace: namespace(),
        references: references(node_count),
        partition: Partition::from_labels(&connect(node_count as usize, &evidence)),
        evidence,
        legend: Legend::default(),
    }
}

fn namespace() -> Namespace {
    Namespace::new(uuid::Uuid::from_u128(0x5a3e_a500))
}

fn petgraph_labels(node_count: u32, links: &[Evidence]) -> Vec<u32> {
    let mut sets = UnionFind::<u32>::new(node_count as usize);
    for link in links {
        sets.union(link.left.get(), link.right.get());
    }
    sets.into_labeling()
}

fn union_find(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cluster");
    for size in SIZES {
        let links = links(size, 0);
        group.throughput(Throughput::Elements(u64::from(size)));
        group.bench_function(BenchmarkId::new("union_find", size), |bencher| {
            bencher.iter(|| connect(size as usize, black_box(&links)));
        });
        group.bench_function(BenchmarkId::new("union_find_petgraph", size), |bencher| {
            bencher.iter(|| petgraph_labels(size, black_box(&links)));
        });
    }
    group.finish();
}

fn constrained(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cluster");
    for size in SIZES {
        let (references, links) = (references(size), links(size, 0));
        let constraints = Constraints {
            one_per_source: (0..2).map(SourceId::new).collect(),
            cluster_size_max: 5,
            ..Constraints::default()
        };
        group.throughput(Throughput::Elements(u64::from(size)));
        group.bench_function(BenchmarkId::new("constrained", size), |bencher| {
            let run = |mut links: Vec<Evidence>| cluster(&references, &mut links, &constraints);
            bencher.iter_batched(|| links.clone(), run, BatchSize::LargeInput);
        });
        let partition = cluster(&references, &mut links.clone(), &Constraints::default());
        group.bench_function(BenchmarkId::new("retain", size), |bencher| {
            let run = |links| retain(links, &partition, Retention::default());
            bencher.iter_batched(|| links.clone(), run, BatchSize::LargeInput);
        });
    }
    group.finish();
}

fn naming(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cluster");
    for size in SIZES {
        let first = revision(None, size, 0);
        group.throughput(Throughput::Elements(u64::from(size)));
        for (name, previous) in [("found", None), ("succeed", Some(&first))] {
            let next = next(size, 1);
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                let run = |next| succeed(previous, next);
                bencher.iter_batched(|| next.clone(), run, BatchSize::LargeInput);
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3));
    targets = union_find, constrained, naming
}
criterion_main!(benches);
