//! Graphs for tests: a small one that fills every section, and random ones.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a fixture may stop at the first surprise"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::Index;
use sameas_graph::{
    ComparisonLegend, Decision, Entity, Evidence, GraphRevision, Legend, LevelLegend, LevelPattern,
    LineageEvent, LineageKind, MatchWeight, Namespace, NodeId, Partition, PastMembership,
    QuarantineReason, ReferenceTable, ReferenceTableBuilder, Revision, RuleId, RuleKind,
    RuleLegend, SourceId, UnifiedId,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::reader::Snapshot;
use crate::writer::write_snapshot;

pub(crate) const NAMESPACE: Namespace =
    Namespace::new(Uuid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef));

/// Weight in hundredths, rule, pattern, and a position in [`DECISIONS`].
type EdgeContent = (i16, u8, u64, usize);

const DECISIONS: [Decision; 6] = [
    Decision::Link,
    Decision::Review,
    Decision::Quarantined(QuarantineReason::OnePerSource),
    Decision::Quarantined(QuarantineReason::CannotLink),
    Decision::Quarantined(QuarantineReason::ClusterSize),
    Decision::Quarantined(QuarantineReason::WeakBridge),
];

/// Returns the bytes of a graph's snapshot.
pub(crate) fn bytes_of(graph: &GraphRevision) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    let written = write_snapshot(graph, &mut out).unwrap();
    assert_eq!(written.len, out.get_ref().len() as u64);
    out.into_inner()
}

/// A snapshot in a folder of its own.
pub(crate) struct OnDisk {
    pub(crate) snapshot: Snapshot,
    pub(crate) path: PathBuf,
    pub(crate) _folder: TempDir,
}

/// Writes and opens a graph.
pub(crate) fn on_disk(graph: &GraphRevision) -> OnDisk {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graph.sameas");
    std::fs::write(&path, bytes_of(graph)).unwrap();
    OnDisk {
        snapshot: Snapshot::open(&path).unwrap(),
        path,
        _folder: folder,
    }
}

/// A graph without references.
pub(crate) fn empty() -> GraphRevision {
    plain(&BTreeMap::new(), &[])
}

/// A graph of these keys by source, clustered by labels, without evidence and history.
pub(crate) fn plain(keys: &BTreeMap<String, BTreeSet<String>>, labels: &[u32]) -> GraphRevision {
    let references = table(keys);
    let partition = Partition::from_labels(labels);
    let entities = (0..partition.cluster_count())
        .map(|cluster| Entity {
            id: id(cluster as u64),
            born: Revision::FIRST,
        })
        .collect();
    GraphRevision {
        revision: Revision::FIRST,
        namespace: NAMESPACE,
        since: vec![Revision::FIRST; references.len()],
        references,
        partition,
        entities,
        evidence: Vec::new(),
        legend: Legend::default(),
        lineage: Vec::new(),
        past: Vec::new(),
        changed: (0..labels.len() as u32).collect(),
    }
}

/// A graph of one source whose keys are `k00000`, `k00001` and so on.
pub(crate) fn numbered(labels: &[u32]) -> GraphRevision {
    let keys = (0..labels.len())
        .map(|number| format!("k{number:05}"))
        .collect();
    plain(&BTreeMap::from([("crm".to_owned(), keys)]), labels)
}

/// A small graph with something in every section that fits beside the others.
pub(crate) fn small() -> GraphRevision {
    let keys = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
    let sources = BTreeMap::from([
        ("crm".to_owned(), keys(&["C-1", "C-2", "C-3", "C-4"])),
        ("desk".to_owned(), keys(&[])),
        ("shop".to_owned(), keys(&["é", "\u{0}", "9", "10"])),
    ]);
    // Nodes: C-1 C-2 C-3 C-4, then \0 10 9 é.
    let mut graph = plain(&sources, &[0, 1, 0, 3, 0, 1, 3, 7]);
    graph.revision = Revision::new(7);
    for (cluster, born) in [1, 7, 3, 7].into_iter().enumerate() {
        graph.entities[cluster].born = Revision::new(born);
    }
    let clusters = &graph.partition;
    graph.since = (0..8)
        .map(|node| graph.entities[clusters.cluster_of(NodeId::new(node)).index()].born)
        .collect();
    graph.since[4] = Revision::new(5);
    graph.since[6] = Revision::new(7);
    graph.evidence = vec![
        edge(0, 2, 8.5, 0, 0),
        edge(0, 4, 3.25, 1, 0),
        edge(1, 2, -1.0, 1, 1),
        edge(1, 5, 12.0, 0, 0),
        edge(2, 4, 9.75, 1, 0),
        edge(3, 4, 6.0, 1, 2),
        edge(3, 6, 7.0, 1, 0),
        edge(5, 7, 6.5, 1, 4),
    ];
    graph.legend = legend();
    graph.lineage = lineage();
    graph.past = past();
    graph.changed = [1, 5, 6, 7].into_iter().collect();
    graph
}

fn edge(left: u32, right: u32, bits: f64, rule: u8, decision: usize) -> Evidence {
    Evidence {
        left: NodeId::new(left),
        right: NodeId::new(right),
        weight: MatchWeight::from_bits(bits),
        rule: RuleId::new(rule),
        pattern: LevelPattern::new(0x21).with(2, decision as u8),
        decision: DECISIONS[decision],
    }
}

fn legend() -> Legend {
    let level = |name: &str, bits| LevelLegend {
        name: name.to_owned(),
        weight: MatchWeight::from_bits(bits),
    };
    let rule = |name: &str, kind| RuleLegend {
        name: name.to_owned(),
        kind,
    };
    Legend {
        comparisons: vec![
            ComparisonLegend {
                name: "surname".to_owned(),
                levels: vec![
                    level("missing", 0.0),
                    level("exact", 9.5),
                    level("else", -4.0),
                ],
            },
            ComparisonLegend {
                name: "dob".to_owned(),
                levels: Vec::new(),
            },
        ],
        rules: vec![
            rule("email", RuleKind::Deterministic),
            rule("name", RuleKind::Blocking),
        ],
        prior: MatchWeight::from_bits(-13.0),
        link: MatchWeight::from_bits(3.17),
        review: MatchWeight::from_bits(0.0),
        model: 0xfeed_beef,
    }
}

/// Entity 0 took over entity 100; 101 was split; 102 came, went, and came back as nothing.
fn lineage() -> Vec<LineageEvent> {
    let event = |entity, revision, kind| LineageEvent {
        entity: id(entity),
        revision: Revision::new(revision),
        kind,
    };
    let mut into = vec![id(0), id(2)];
    into.sort_unstable();
    let mut lineage = vec![
        event(100, 1, LineageKind::Born),
        event(100, 5, LineageKind::Merged { into: id(0) }),
        event(101, 1, LineageKind::Born),
        event(101, 3, LineageKind::Split { into }),
        event(102, 1, LineageKind::Born),
        event(102, 2, LineageKind::Retired),
        event(102, 3, LineageKind::Revived),
        event(102, 7, LineageKind::Retired),
    ];
    lineage.sort();
    lineage
}

fn past() -> Vec<PastMembership> {
    let past = |source: &str, key: &str, began, ended, entity| PastMembership {
        source: source.to_owned(),
        key: key.to_owned(),
        ended: Revision::new(ended),
        began: Revision::new(began),
        entity: id(entity),
    };
    vec![
        past("closed", "9", 1, 2, 102),
        past("shop", "\u{0}", 1, 4, 100),
        past("shop", "\u{0}", 4, 5, 101),
        past("shop", "9", 3, 7, 101),
    ]
}

pub(crate) fn id(number: u64) -> UnifiedId {
    UnifiedId::issue(NAMESPACE, "fixture", &number.to_string(), Revision::FIRST)
}

fn table(keys: &BTreeMap<String, BTreeSet<String>>) -> ReferenceTable {
    let mut builder = ReferenceTableBuilder::new(keys.keys().cloned().collect());
    for (source, keys) in keys.values().enumerate() {
        for key in keys {
            builder.push(SourceId::new(source as u16), key);
        }
    }
    builder.finish()
}

/// Random graphs of up to 40 references.
pub(crate) fn graphs() -> impl Strategy<Value = GraphRevision> {
    let keys = prop::collection::btree_map(
        source_name(),
        prop::collection::btree_set(key(), 0..10),
        0..5,
    );
    let labels = prop::collection::vec(any::<Index>(), 40);
    let edges = prop::collection::vec((any::<[Index; 2]>(), edge_content()), 0..40);
    let times = prop::collection::vec((revision(), revision(), any::<bool>()), 80);
    let history = prop::collection::vec((0_u64..60, revision(), lineage_kind()), 0..12);
    let past = prop::collection::vec(past_membership(), 0..12);
    let rest = (revision(), any::<u128>(), random_legend(), any::<u64>());
    (keys, labels, edges, times, history, past, rest).prop_map(
        |(keys, labels, edges, times, history, past, (revision, namespace, legend, changed))| {
            let count = keys.values().map(BTreeSet::len).sum::<usize>();
            let labels: Vec<u32> = labels
                .iter()
                .take(count)
                .map(|label| label.index(count) as u32)
                .collect();
            let mut graph = plain(&keys, &labels);
            graph.revision = revision;
            graph.namespace = Namespace::new(Uuid::from_u128(namespace));
            graph.legend = legend;
            for (entity, (born, _, _)) in graph.entities.iter_mut().zip(&times) {
                entity.born = *born;
            }
            for node in 0..count {
                let cluster = graph.partition.cluster_of(NodeId::new(node as u32));
                let (_, joined, is_late) = times[40 + node];
                let born = graph.entities[cluster.index()].born;
                graph.since[node] = if is_late { joined } else { born };
            }
            graph.evidence = evidence(count, edges);
            graph.lineage = history
                .into_iter()
                .map(|(entity, revision, kind)| LineageEvent {
                    entity: id(entity),
                    revision,
                    kind,
                })
                .collect();
            graph.lineage.sort();
            graph.past = past;
            graph.past.sort();
            graph.changed = (0..count as u32)
                .filter(|node| changed >> node & 1 == 1)
                .collect();
            graph
        },
    )
}

fn evidence(count: usize, edges: Vec<([Index; 2], EdgeContent)>) -> Vec<Evidence> {
    let mut distinct = BTreeMap::new();
    for (ends, (weight, rule, pattern, decision)) in edges {
        let [one, other] = if count < 2 {
            continue;
        } else {
            ends.map(|end| end.index(count) as u32)
        };
        if one != other {
            let (left, right) = (NodeId::new(one.min(other)), NodeId::new(one.max(other)));
            let evidence = Evidence {
                left,
                right,
                weight: MatchWeight::from_hundredths(weight),
                rule: RuleId::new(rule),
                pattern: LevelPattern::new(pattern),
                decision: DECISIONS[decision],
            };
            distinct.insert((left, right), evidence);
        }
    }
    distinct.into_values().collect()
}

fn source_name() -> impl Strategy<Value = String> {
    prop_oneof![Just("crm".to_owned()), Just("shop".to_owned()), "\\PC{0,6}"]
}

fn key() -> impl Strategy<Value = String> {
    let long = (1_000_usize..=1_024).prop_map(|len| "x".repeat(len));
    let odd = prop::collection::vec(any::<char>(), 1..20).prop_map(String::from_iter);
    prop_oneof![4 => "[0-9]{1,6}", 4 => odd, 1 => long]
}

fn revision() -> impl Strategy<Value = Revision> {
    prop_oneof![3 => 1_u64..6, 1 => any::<u64>()].prop_map(Revision::new)
}

fn edge_content() -> impl Strategy<Value = EdgeContent> {
    let pattern = prop_oneof![0_u64..3, any::<u64>()];
    (any::<i16>(), any::<u8>(), pattern, 0..DECISIONS.len())
}

fn lineage_kind() -> impl Strategy<Value = LineageKind> {
    prop_oneof![
        Just(LineageKind::Born),
        (0_u64..60).prop_map(|into| LineageKind::Merged { into: id(into) }),
        prop::collection::vec(0_u64..60, 0..4).prop_map(|into| LineageKind::Split {
            into: into
                .into_iter()
                .map(id)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
        }),
        Just(LineageKind::Retired),
        Just(LineageKind::Revived),
    ]
}

fn past_membership() -> impl Strategy<Value = PastMembership> {
    (source_name(), key(), revision(), revision(), 0_u64..60).prop_map(
        |(source, key, ended, began, entity)| PastMembership {
            source,
            key,
            ended,
            began,
            entity: id(entity),
        },
    )
}

fn random_legend() -> impl Strategy<Value = Legend> {
    let weight = || any::<i16>().prop_map(MatchWeight::from_hundredths);
    let level = ("\\PC{0,6}", weight()).prop_map(|(name, weight)| LevelLegend { name, weight });
    let comparison = ("\\PC{0,6}", prop::collection::vec(level, 0..3))
        .prop_map(|(name, levels)| ComparisonLegend { name, levels });
    let kind = prop_oneof![Just(RuleKind::Deterministic), Just(RuleKind::Blocking)];
    let rule = ("\\PC{0,6}", kind).prop_map(|(name, kind)| RuleLegend { name, kind });
    let lists = (
        prop::collection::vec(comparison, 0..3),
        prop::collection::vec(rule, 0..3),
    );
    (lists, [weight(), weight(), weight()], any::<u64>()).prop_map(
        |((comparisons, rules), [prior, link, review], model)| Legend {
            comparisons,
            rules,
            prior,
            link,
            review,
            model,
        },
    )
}
