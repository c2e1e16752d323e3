//! Writes the fixture of the snapshot format: a small graph with something in every section.
//!
//! `cargo run -p sameas-store --example fixture -- tests/golden/formats/snapshot-1.sameas`

use std::error::Error;
use std::fs::File;

use sameas_graph::{
    ClusterId, ComparisonLegend, Decision, Entity, Evidence, GraphRevision, Legend, LevelLegend,
    LevelPattern, LineageEvent, LineageKind, MatchWeight, Namespace, NodeId, Partition,
    PastMembership, QuarantineReason, ReferenceTableBuilder, Revision, RuleId, RuleKind,
    RuleLegend, SourceId, UnifiedId,
};
use sameas_store::write_snapshot;
use uuid::Uuid;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name the file to write")?;
    let mut out = File::create(path)?;
    write_snapshot(&graph(), &mut out)?;
    out.sync_all()?;
    Ok(())
}

fn graph() -> GraphRevision {
    let namespace = Namespace::new(Uuid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef));
    let issue = |key: &str, born| UnifiedId::issue(namespace, "crm", key, Revision::new(born));
    let mut builder = ReferenceTableBuilder::new(vec!["crm".to_owned(), "shop".to_owned()]);
    for (source, key) in [
        (0, "C-1"),
        (0, "C-2"),
        (0, "C-3"),
        (1, "1"),
        (1, "2"),
        (1, "ü"),
    ] {
        builder.push(SourceId::new(source), key);
    }
    let partition = Partition::from_labels(&[0, 1, 2, 0, 1, 0]);
    let entities = vec![
        Entity {
            id: issue("C-1", 1),
            born: Revision::new(1),
        },
        Entity {
            id: issue("C-2", 1),
            born: Revision::new(1),
        },
        Entity {
            id: issue("C-3", 2),
            born: Revision::new(2),
        },
    ];
    let since = (0..6)
        .map(|node| match partition.cluster_of(NodeId::new(node)) {
            _ if node == 5 => Revision::new(3),
            cluster if cluster == ClusterId::new(2) => Revision::new(2),
            _ => Revision::new(1),
        })
        .collect();
    let gone = issue("ü", 1);
    let event = |entity, revision, kind| LineageEvent {
        entity,
        revision: Revision::new(revision),
        kind,
    };
    GraphRevision {
        revision: Revision::new(3),
        namespace,
        references: builder.finish(),
        partition,
        lineage: vec![
            event(gone, 1, LineageKind::Born),
            event(
                gone,
                3,
                LineageKind::Merged {
                    into: entities[0].id,
                },
            ),
        ],
        past: vec![PastMembership {
            source: "shop".to_owned(),
            key: "ü".to_owned(),
            ended: Revision::new(3),
            began: Revision::new(1),
            entity: gone,
        }],
        entities,
        since,
        evidence: evidence(),
        legend: legend(),
        changed: [5].into_iter().collect(),
    }
}

fn evidence() -> Vec<Evidence> {
    let edge = |left, right, bits, rule, decision| Evidence {
        left: NodeId::new(left),
        right: NodeId::new(right),
        weight: MatchWeight::from_bits(bits),
        rule: RuleId::new(rule),
        pattern: LevelPattern::default().with(0, 1).with(1, 2),
        decision,
    };
    vec![
        edge(0, 3, 11.25, 0, Decision::Link),
        edge(1, 3, 1.5, 1, Decision::Review),
        edge(1, 4, 7.0, 1, Decision::Link),
        edge(
            2,
            4,
            5.5,
            1,
            Decision::Quarantined(QuarantineReason::OnePerSource),
        ),
        edge(3, 5, 9.0, 1, Decision::Link),
    ]
}

fn legend() -> Legend {
    let level = |name: &str, bits| LevelLegend {
        name: name.to_owned(),
        weight: MatchWeight::from_bits(bits),
    };
    let levels = || {
        vec![
            level("missing", 0.0),
            level("exact", 9.0),
            level("else", -4.5),
        ]
    };
    let comparison = |name: &str| ComparisonLegend {
        name: name.to_owned(),
        levels: levels(),
    };
    let rule = |name: &str, kind| RuleLegend {
        name: name.to_owned(),
        kind,
    };
    Legend {
        comparisons: vec![comparison("surname"), comparison("birth date")],
        rules: vec![
            rule("same e-mail", RuleKind::Deterministic),
            rule("surname", RuleKind::Blocking),
        ],
        prior: MatchWeight::from_bits(-12.0),
        link: MatchWeight::from_bits(3.17),
        review: MatchWeight::from_bits(0.0),
        model: 42,
    }
}
