//! Entities that a link would join and that a constraint or the rest of the evidence holds apart.

use std::collections::BTreeMap;

use sameas_graph::{Decision, Evidence, NodeId, QuarantineReason};

use super::markup::{Html, bits, count, table};
use super::{Content, Section, note, paragraph};
use crate::evaluate::missed::named;

/// Components that are shown, at most.
const SHOWN_MAX: usize = 10;
/// References of a component that are named, at most.
const NAMED_MAX: usize = 4;

/// Entities that refused links would join, directly or through others.
#[derive(Default)]
struct Component {
    clusters: Vec<u32>,
    refused: u64,
    strongest: f64,
    reasons: Vec<&'static str>,
}

/// What was refused.
pub(super) fn section(content: &Content<'_>) -> Section {
    let mut components = components(content);
    let total = components.len();
    let refused: u64 = components.iter().map(|component| component.refused).sum();
    components.sort_by(|a, b| {
        let size = b.clusters.len().cmp(&a.clusters.len());
        size.then(b.refused.cmp(&a.refused))
            .then(a.clusters.cmp(&b.clusters))
    });
    components.truncate(SHOWN_MAX);
    let body = if components.is_empty() {
        paragraph("No link of those that the revision keeps was refused.")
    } else {
        let rows = components.iter().map(|component| row(content, component));
        let head = [
            "records, for example",
            "entities",
            "records",
            "refused links",
            "strongest",
            "reason",
        ];
        Html::join([
            paragraph(&format!(
                "A link says that these entities are one; a constraint, or what all pairs between them say together, is against it. Each is held apart until a person, a source or a setting decides. There are {} such components with {} refused links; the largest are shown.",
                count(total as u64),
                count(refused)
            )),
            table("Quarantined components", &head, rows.collect()),
            note("Counted over the refused links that the revision keeps, eight a record at most."),
        ])
    };
    Section {
        anchor: "quarantine",
        title: "Quarantine",
        body,
    }
}

fn row(content: &Content<'_>, component: &Component) -> Vec<Html> {
    let clusters = component.clusters.iter();
    let members: Vec<u32> = clusters
        .flat_map(|&cluster| {
            content
                .graph
                .partition
                .members(sameas_graph::ClusterId::new(cluster))
        })
        .copied()
        .collect();
    let examples = members
        .iter()
        .take(NAMED_MAX)
        .enumerate()
        .map(|(index, &node)| {
            let reference = named(&content.graph.references, NodeId::new(node));
            let separator = if index > 0 { ", " } else { "" };
            Html::join([
                Html::text(separator),
                Html::text(&reference.source),
                Html::fixed(" "),
                Html::element("code", reference.key),
            ])
        });
    let more = if members.len() > NAMED_MAX {
        ", \u{2026}"
    } else {
        ""
    };
    vec![
        Html::join(examples.chain([Html::text(more)])),
        count(component.clusters.len() as u64).into(),
        count(members.len() as u64).into(),
        count(component.refused).into(),
        bits(component.strongest).into(),
        component.reasons.join("; ").into(),
    ]
}

/// Gathers refused links into components of the entities that they would join.
fn components(content: &Content<'_>) -> Vec<Component> {
    let partition = &content.graph.partition;
    let refused: Vec<(&Evidence, QuarantineReason)> = content
        .graph
        .evidence
        .iter()
        .filter_map(|edge| match edge.decision {
            Decision::Quarantined(reason) => Some((edge, reason)),
            Decision::Link | Decision::Review => None,
        })
        .collect();
    let ends =
        |edge: &Evidence| [edge.left, edge.right].map(|node| partition.cluster_of(node).get());
    // Where each entity points to; the smallest entity of a component points to itself.
    let mut parents: BTreeMap<u32, u32> = BTreeMap::new();
    for (edge, _) in &refused {
        let [one, other] = ends(edge).map(|cluster| root(&parents, cluster));
        parents.insert(one.max(other), one.min(other));
        parents.insert(one.min(other), one.min(other));
    }
    let mut components: BTreeMap<u32, Component> = BTreeMap::new();
    for (edge, reason) in refused {
        let [one, other] = ends(edge);
        let component = components.entry(root(&parents, one)).or_default();
        component.clusters.extend([one, other]);
        component.refused += 1;
        component.strongest = component.strongest.max(edge.weight.bits());
        if !component.reasons.contains(&told(reason)) {
            component.reasons.push(told(reason));
        }
    }
    let mut components: Vec<Component> = components.into_values().collect();
    for component in &mut components {
        component.clusters.sort_unstable();
        component.clusters.dedup();
    }
    components
}

fn root(parents: &BTreeMap<u32, u32>, mut cluster: u32) -> u32 {
    while let Some(&parent) = parents.get(&cluster).filter(|&&parent| parent != cluster) {
        cluster = parent;
    }
    cluster
}

fn told(reason: QuarantineReason) -> &'static str {
    match reason {
        QuarantineReason::OnePerSource => "two records of a source that holds each customer once",
        QuarantineReason::CannotLink => "values that must not differ do",
        QuarantineReason::ClusterSize => "the entity would be too large",
        QuarantineReason::WeakBridge => "the pairs between two groups of records speak against it",
    }
}
