//! Prints what a snapshot costs: bytes a reference, and the time to write, open, verify and
//! look up. Times are those of the processor where the system tells them (Linux), so that
//! neighbours on the machine cost little; else those of the clock.
//!
//! `cargo run --release -p sameas-store --example measure_snapshot -- [references] [folder]`

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use roaring::RoaringBitmap;
use sameas_graph::{
    Decision, Entity, Evidence, GraphRevision, Legend, LevelPattern, MatchWeight, Namespace,
    NodeId, Partition, ReferenceTable, ReferenceTableBuilder, Revision, RuleId, SourceId,
    UnifiedId,
};
use sameas_store::{Located, Snapshot, write_snapshot};
use uuid::Uuid;

const SOURCES: [&str; 4] = ["crm", "desk", "loyalty", "shop"];
const NAMESPACE: Namespace = Namespace::new(Uuid::from_u128(0x5a5a));
const LOOKUP_COUNT: usize = 4_000_000;
const BATCH_LEN: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: u32 = arguments
        .next()
        .map_or(Ok(10_000_000), |count| count.parse())?;
    let folder = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let path = folder.join(format!("measure-{}.sameas", std::process::id()));

    let start = Timer::start();
    let graph = graph(count);
    println!(
        "{count} references, {} clusters, {} edges, built in {:.1} s",
        graph.partition.cluster_count(),
        graph.evidence.len(),
        start.elapsed().as_secs_f64()
    );
    let start = Timer::start();
    let mut out = File::create(&path)?;
    let written = write_snapshot(&graph, &mut out)?;
    out.sync_all()?;
    println!(
        "write and sync {:.2} s, {} bytes",
        start.elapsed().as_secs_f64(),
        written.len
    );
    let queries = queries(&graph);
    drop(graph);

    let start = Timer::start();
    let snapshot = Snapshot::open(&path)?;
    println!("open {:.3} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Timer::start();
    snapshot.verify_checksums()?;
    println!("checksums {:.2} s", start.elapsed().as_secs_f64());
    let start = Timer::start();
    snapshot.verify()?;
    println!("verify {:.2} s", start.elapsed().as_secs_f64());
    measure_lookups(&snapshot, &queries)?;
    let start = Timer::start();
    let rows = snapshot.rows().flatten().count();
    println!(
        "{rows} rows in order {:.2} s",
        start.elapsed().as_secs_f64()
    );
    let start = Timer::start();
    black_box(snapshot.load()?);
    println!("load {:.2} s", start.elapsed().as_secs_f64());
    println!("{}", snapshot.size_breakdown());
    std::fs::remove_file(&path)?;
    Ok(())
}

/// Time that the processor has spent on this program since some moment.
#[derive(Clone, Copy)]
struct Timer {
    clock: Instant,
    processor: Option<Duration>,
}

impl Timer {
    fn start() -> Self {
        Self {
            clock: Instant::now(),
            processor: processor_time(),
        }
    }

    fn elapsed(self) -> Duration {
        match processor_time().zip(self.processor) {
            Some((now, start)) => now.saturating_sub(start),
            None => self.clock.elapsed(),
        }
    }
}

fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

fn measure_lookups(snapshot: &Snapshot, queries: &[(usize, String)]) -> Result<(), Box<dyn Error>> {
    let handles = SOURCES.map(|name| snapshot.source_handle(name));
    for round in 0..3 {
        let start = Timer::start();
        let mut found = 0;
        for (source, key) in queries {
            let handle = handles[*source].ok_or("a source is missing")?;
            found += usize::from(snapshot.lookup_in(handle, key)?.is_some());
        }
        report(round, "single, by handle", start, queries.len(), found);

        let start = Timer::start();
        let mut found = 0;
        for (source, key) in queries {
            found += usize::from(snapshot.lookup(SOURCES[*source], key)?.is_some());
        }
        report(round, "single, by name", start, queries.len(), found);

        // Each look-up waits for the one before: the time a lone caller sees.
        let start = Timer::start();
        let mut found = 0;
        let mut next = 0;
        for _ in 0..queries.len() / 4 {
            let (source, key) = &queries[next % queries.len()];
            let located: Located = snapshot
                .lookup(SOURCES[*source], key)?
                .ok_or("a key is missing")?;
            found += 1;
            next += 1 + usize::from(located.entity.id.uuid().as_bytes()[3] & 3);
        }
        report(round, "single, dependent", start, queries.len() / 4, found);

        let batch: Vec<(&str, &str)> = queries
            .iter()
            .map(|(source, key)| (SOURCES[*source], key.as_str()))
            .collect();
        let start = Timer::start();
        let mut found = 0;
        for batch in batch.chunks(BATCH_LEN) {
            found += snapshot.lookup_many(batch)?.iter().flatten().count();
        }
        report(round, "batches of 1,000", start, queries.len(), found);
    }
    Ok(())
}

fn report(round: u32, what: &str, start: Timer, count: usize, found: usize) {
    let each = start.elapsed().as_nanos() as f64 / count as f64;
    println!("round {round}: {what:<18} {each:>7.1} ns a key ({found} found)");
}

/// Spreads numbers over all 64 bits (the finaliser of `SplitMix64`, Steele et al. 2014).
fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Keys in random order, each of a reference that exists, allocated in another order than asked.
fn queries(graph: &GraphRevision) -> Vec<(usize, String)> {
    let count = graph.references.len() as u64;
    (0..LOOKUP_COUNT as u64)
        .map(|number| {
            let node = NodeId::new((scramble(number ^ 0xabcd) % count) as u32);
            let source = graph.references.source_of(node).index();
            (source, graph.references.key(node).to_owned())
        })
        .collect()
}

fn graph(count: u32) -> GraphRevision {
    let references = references(count);
    let partition = partition(count);
    let entities: Vec<Entity> = (0..partition.cluster_count() as u64)
        .map(|cluster| Entity {
            id: UnifiedId::new(Uuid::from_u64_pair(scramble(cluster), scramble(!cluster))),
            born: Revision::new(1 + scramble(cluster) % 40),
        })
        .collect();
    // One reference in ten joined its entity after its birth.
    let since = (0..count)
        .map(|node| {
            let born = entities[partition.cluster_of(NodeId::new(node)).index()].born;
            if scramble(u64::from(node)).is_multiple_of(10) {
                Revision::new(41)
            } else {
                born
            }
        })
        .collect();
    let evidence = evidence(&partition);
    let changed: RoaringBitmap = (0..count)
        .filter(|&node| scramble(u64::from(node)).is_multiple_of(50))
        .collect();
    GraphRevision {
        revision: Revision::new(42),
        namespace: NAMESPACE,
        references,
        partition,
        entities,
        since,
        evidence,
        legend: Legend::default(),
        lineage: Vec::new(),
        past: Vec::new(),
        changed,
    }
}

/// Keys of 17 bytes, a quarter of them in each source.
fn references(count: u32) -> ReferenceTable {
    let mut builder = ReferenceTableBuilder::new(SOURCES.map(str::to_owned).to_vec());
    builder.reserve(count as usize, count as usize * 17);
    for (source, from) in SOURCES.iter().enumerate() {
        let end = u64::from(count) * (source as u64 + 1) / SOURCES.len() as u64;
        let start = u64::from(count) * source as u64 / SOURCES.len() as u64;
        for number in start..end {
            let tail = scramble(number) & 0xffff;
            builder.push(
                SourceId::new(source as u16),
                &format!("{from:.2}{number:011}{tail:04x}"),
            );
        }
    }
    builder.finish()
}

/// Clusters of 1 to 4 references, 1.67 on average, scattered over the table.
fn partition(count: u32) -> Partition {
    let mut order: Vec<(u64, u32)> = (0..count)
        .map(|node| (scramble(u64::from(node) ^ 0x77), node))
        .collect();
    order.sort_unstable();
    let mut labels = vec![0; count as usize];
    let mut at = 0;
    while at < order.len() {
        let size = match scramble(at as u64) % 100 {
            0..58 => 1,
            58..83 => 2,
            83..93 => 3,
            _ => 4,
        };
        let members = &order[at..order.len().min(at + size)];
        for &(_, node) in members {
            labels[node as usize] = members[0].1;
        }
        at += size;
    }
    Partition::from_labels(&labels)
}

/// Two edges a reference: all pairs inside clusters, then reviews with other clusters.
fn evidence(partition: &Partition) -> Vec<Evidence> {
    let count = partition.node_count() as u64;
    let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(count as usize * 2);
    for cluster in (0..partition.cluster_count() as u32).map(sameas_graph::ClusterId::new) {
        let members = partition.members(cluster);
        for (at, &left) in members.iter().enumerate() {
            pairs.extend(members[at + 1..].iter().map(|&right| (left, right)));
        }
    }
    let inside = pairs.len();
    let mut number = 0;
    while pairs.len() < 2 * count as usize {
        let drawn = (scramble(number) % count, scramble(!number) % count);
        number += 1;
        if drawn.0 != drawn.1 {
            pairs.push((drawn.0.min(drawn.1) as u32, drawn.0.max(drawn.1) as u32));
        }
    }
    println!(
        "{inside} edges inside clusters, {} between",
        pairs.len() - inside
    );
    pairs.sort_unstable();
    pairs.dedup();
    pairs
        .into_iter()
        .map(|(left, right)| {
            let (left, right) = (NodeId::new(left), NodeId::new(right));
            let random = scramble(u64::from(left.get()) << 32 | u64::from(right.get()));
            let together = partition.cluster_of(left) == partition.cluster_of(right);
            let bits = if together { 6.0 } else { 1.0 } + (random % 1_000) as f64 / 100.0;
            Evidence {
                left,
                right,
                weight: MatchWeight::from_bits(bits),
                rule: RuleId::new((random >> 20) as u8 & 7),
                pattern: LevelPattern::new((random >> 32) & 0x333),
                decision: if together {
                    Decision::Link
                } else {
                    Decision::Review
                },
            }
        })
        .collect()
}
