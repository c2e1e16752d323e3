//! Small graphs made by hand.

use roaring::RoaringBitmap;
use sameas_graph::{
    ComparisonLegend, Decision, Entity, Evidence, GraphRevision, Legend, LevelLegend, LevelPattern,
    LineageEvent, LineageKind, MatchWeight, Namespace, NodeId, Partition, PastMembership,
    QuarantineReason, ReferenceTable, ReferenceTableBuilder, Revision, RuleId, RuleKind,
    RuleLegend, SourceId, UnifiedId,
};
use uuid::Uuid;

/// Active entities, in cluster order.
pub(crate) const ONE: u128 = 0x11;
pub(crate) const TWO: u128 = 0x12;
pub(crate) const THREE: u128 = 0x13;
pub(crate) const FOUR: u128 = 0x14;
/// Ids that are not active any more.
pub(crate) const MERGED: u128 = 0x21;
pub(crate) const MERGED_TWICE: u128 = 0x22;
pub(crate) const SPLIT: u128 = 0x23;
pub(crate) const RETIRED: u128 = 0x24;
/// An id that was never issued.
pub(crate) const NEVER: u128 = 0x99;

/// The revision of [`world`].
pub(crate) const REVISION: u64 = 3;

/// Returns the text of an id.
pub(crate) fn text(id: u128) -> String {
    Uuid::from_u128(id).hyphenated().to_string()
}

fn id(number: u128) -> UnifiedId {
    UnifiedId::new(Uuid::from_u128(number))
}

/// Three sources, seven references, four entities, and a past.
///
/// ONE is crm A1, shop B1, support C1; TWO is crm A2, shop B2; THREE is crm A3; FOUR is shop B3.
pub(crate) fn world() -> GraphRevision {
    let references = table(&[
        ("crm", &["A1", "A2", "A3"]),
        ("shop", &["B1", "B2", "B3"]),
        ("support", &["C1"]),
    ]);
    let entities = [ONE, TWO, THREE, FOUR];
    let entities = entities.map(|number| Entity {
        id: id(number),
        born: Revision::FIRST,
    });
    let mut since = vec![Revision::FIRST; references.len()];
    since[0] = Revision::new(REVISION);
    GraphRevision {
        revision: Revision::new(REVISION),
        namespace: namespace(),
        references,
        partition: Partition::from_labels(&[0, 1, 2, 0, 1, 5, 0]),
        entities: entities.to_vec(),
        since,
        evidence: evidence(),
        legend: legend(),
        lineage: lineage(),
        past: past(),
        changed: RoaringBitmap::new(),
    }
}

/// A source `crm` whose reference `k00…` has an entity of its own that tells the revision.
pub(crate) fn uniform(revision: u64, count: u32) -> GraphRevision {
    let keys: Vec<String> = (0..count).map(key).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let number = Revision::new(revision);
    let entity = |index: u32| Entity {
        id: id(uniform_id(revision, index)),
        born: number,
    };
    GraphRevision {
        revision: number,
        namespace: namespace(),
        references: table(&[("crm", &keys)]),
        partition: Partition::from_labels(&(0..count).collect::<Vec<u32>>()),
        entities: (0..count).map(entity).collect(),
        since: vec![number; count as usize],
        evidence: Vec::new(),
        legend: legend(),
        lineage: Vec::new(),
        past: Vec::new(),
        changed: RoaringBitmap::new(),
    }
}

/// One entity whose references have keys of a thousand bytes.
pub(crate) fn wordy(count: u32) -> GraphRevision {
    let keys: Vec<String> = (0..count).map(|index| format!("{index:01000}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    GraphRevision {
        references: table(&[("crm", &keys)]),
        ..crowded(1, count)
    }
}

/// One entity that holds all references of a source `crm`.
pub(crate) fn crowded(revision: u64, count: u32) -> GraphRevision {
    let mut graph = uniform(revision, count);
    graph.partition = Partition::from_labels(&vec![0; count as usize]);
    graph.entities = vec![Entity {
        id: id(ONE),
        born: Revision::new(revision),
    }];
    graph
}

/// As many entities, all of which were SPLIT once.
pub(crate) fn scattered(count: u32) -> GraphRevision {
    let mut graph = uniform(1, count);
    let into = graph.entities.iter().map(|entity| entity.id).collect();
    graph.lineage = vec![LineageEvent {
        entity: id(SPLIT),
        revision: Revision::FIRST,
        kind: LineageKind::Split { into },
    }];
    graph
}

/// The n-th key of [`uniform`].
pub(crate) fn key(index: u32) -> String {
    format!("k{index:06}")
}

/// The n-th id of [`uniform`] in a revision.
pub(crate) fn uniform_id(revision: u64, index: u32) -> u128 {
    u128::from(revision) << 64 | u128::from(index)
}

fn namespace() -> Namespace {
    Namespace::new(Uuid::from_u128(7))
}

fn table(sources: &[(&str, &[&str])]) -> ReferenceTable {
    let names = sources.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut builder = ReferenceTableBuilder::new(names);
    for (index, (_, keys)) in (0..).zip(sources) {
        for key in *keys {
            builder.push(SourceId::new(index), key);
        }
    }
    builder.finish()
}

fn legend() -> Legend {
    let level = |name: &str, bits: f64| LevelLegend {
        name: name.into(),
        weight: MatchWeight::from_bits(bits),
    };
    let name = ComparisonLegend {
        name: "name".into(),
        levels: vec![
            level("missing", 0.0),
            level("exact", 8.0),
            level("else", -3.0),
        ],
    };
    let email = ComparisonLegend {
        name: "email".into(),
        levels: vec![
            level("missing", 0.0),
            level("exact", 9.0),
            level("else", -2.0),
        ],
    };
    let rule = |name: &str, kind| RuleLegend {
        name: name.into(),
        kind,
    };
    Legend {
        comparisons: vec![name, email],
        rules: vec![
            rule("same tax id", RuleKind::Deterministic),
            rule("name", RuleKind::Blocking),
        ],
        prior: MatchWeight::from_bits(-12.0),
        link: MatchWeight::from_bits(3.32),
        review: MatchWeight::from_bits(0.0),
        model: 0xabc,
    }
}

fn evidence() -> Vec<Evidence> {
    let edge = |left, right, bits, rule, levels: [u8; 2], decision| Evidence {
        left: NodeId::new(left),
        right: NodeId::new(right),
        weight: MatchWeight::from_bits(bits),
        rule: RuleId::new(rule),
        pattern: LevelPattern::default()
            .with(0, levels[0])
            .with(1, levels[1]),
        decision,
    };
    let refused = Decision::Quarantined(QuarantineReason::OnePerSource);
    vec![
        edge(0, 1, 5.5, 1, [1, 1], refused),
        edge(0, 3, 6.25, 1, [1, 1], Decision::Link),
        edge(1, 4, 20.0, 0, [2, 0], Decision::Link),
        edge(2, 5, 1.0, 1, [1, 0], Decision::Review),
        edge(3, 6, 4.0, 1, [1, 1], Decision::Link),
    ]
}

fn lineage() -> Vec<LineageEvent> {
    let event = |entity, revision, kind| LineageEvent {
        entity: id(entity),
        revision: Revision::new(revision),
        kind,
    };
    vec![
        event(MERGED, 1, LineageKind::Born),
        event(MERGED, 3, LineageKind::Merged { into: id(ONE) }),
        event(MERGED_TWICE, 1, LineageKind::Born),
        event(MERGED_TWICE, 2, LineageKind::Merged { into: id(MERGED) }),
        event(SPLIT, 1, LineageKind::Born),
        event(
            SPLIT,
            2,
            LineageKind::Split {
                into: vec![id(THREE), id(FOUR)],
            },
        ),
        event(RETIRED, 1, LineageKind::Born),
        event(RETIRED, 2, LineageKind::Retired),
    ]
}

fn past() -> Vec<PastMembership> {
    let ended = |source: &str, key: &str, began, ended, entity| PastMembership {
        source: source.into(),
        key: key.into(),
        ended: Revision::new(ended),
        began: Revision::new(began),
        entity: id(entity),
    };
    vec![
        ended("crm", "A1", 1, 3, MERGED),
        ended("gone", "Z9", 1, 2, RETIRED),
    ]
}
