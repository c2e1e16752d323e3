#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod arena;
mod broken;

use proptest::prelude::*;
use roaring::RoaringBitmap;
use sameas_graph::{
    ClusterId, Decision, EntityState, Evidence, GraphRevision, LevelPattern, LineageKind,
    MatchWeight, NodeId, Revision, RuleId, SourceId, entity_as_of, history, past_of,
};

use super::{Member, MemberEvidence, Snapshot};
use crate::fixture::{bytes_of, empty, graphs, id, numbered, on_disk, small};
use crate::format::Section;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_written_is_loaded(graph in graphs()) {
        let disk = on_disk(&graph);
        disk.snapshot.verify().unwrap();
        prop_assert_eq!(disk.snapshot.load().unwrap(), graph);
    }

    #[test]
    fn every_question_is_answered_from_the_graph(graph in graphs()) {
        let disk = on_disk(&graph);
        Asked { graph: &graph, snapshot: &disk.snapshot }.compare_all();
    }

    #[test]
    fn equal_sets_in_other_clothes_give_equal_bytes(graph in graphs()) {
        let mut other = graph.clone();
        other.changed.optimize();
        other.changed.insert_range(0..90_000);
        other.changed.remove_range(0..90_000);
        other.changed |= &graph.changed;
        prop_assert_eq!(bytes_of(&graph), bytes_of(&other));
    }
}

/// A graph and its snapshot, which must agree on everything.
struct Asked<'a> {
    graph: &'a GraphRevision,
    snapshot: &'a Snapshot,
}

impl Asked<'_> {
    fn compare_all(&self) {
        let Self { graph, snapshot } = self;
        assert_eq!(snapshot.revision(), graph.revision);
        assert_eq!(snapshot.namespace(), graph.namespace);
        assert_eq!(snapshot.legend(), &graph.legend);
        assert_eq!(snapshot.reference_count(), graph.references.len() as u64);
        self.compare_lookups();
        self.compare_entities();
        self.compare_evidence();
        self.compare_history();
        self.compare_sets();
    }

    fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.graph.references.len() as u32).map(NodeId::new)
    }

    fn name(&self, node: NodeId) -> (&str, &str) {
        let references = &self.graph.references;
        (
            &references.sources()[references.source_of(node).index()],
            references.key(node),
        )
    }

    fn member(&self, node: NodeId) -> Member {
        let (source, key) = self.name(node);
        self.snapshot.lookup(source, key).unwrap().unwrap().member
    }

    /// Returns which slots an edge joins.
    fn slots(&self, edge: &MemberEvidence) -> (u32, u32) {
        let slot = |member| self.snapshot.slot_of(member).unwrap();
        (slot(edge.left), slot(edge.right))
    }

    fn compare_lookups(&self) {
        let mut wanted: Vec<(&str, &str)> = Vec::new();
        let mut expected = Vec::new();
        for node in self.nodes() {
            let (source, key) = self.name(node);
            let found = self.snapshot.lookup(source, key).unwrap().unwrap();
            let cluster = self.graph.partition.cluster_of(node);
            assert_eq!(found.entity, self.graph.entities[cluster.index()]);
            assert_eq!(found.since, self.graph.since[node.index()]);
            let row = self.snapshot.rows().nth(node.index()).unwrap().unwrap();
            assert_eq!((row.source, row.key), (source, key));
            assert_eq!((row.entity, row.since), (found.entity, found.since));
            let view = self.snapshot.member(found.member).unwrap();
            assert_eq!(
                (view.source, view.key, view.since),
                (source, key, found.since)
            );
            wanted.extend([
                (source, key),
                ("nowhere", key),
                (source, "no such key"),
                (source, ""),
            ]);
            expected.extend([Some(found), None, None, None]);
        }
        assert_eq!(self.snapshot.lookup_many(&wanted).unwrap(), expected);
        assert_eq!(self.snapshot.rows().count(), self.graph.references.len());
    }

    fn compare_entities(&self) {
        for cluster in (0..self.graph.partition.cluster_count() as u32).map(ClusterId::new) {
            let entity = self.graph.entities[cluster.index()];
            let view = self.snapshot.entity(entity.id).unwrap().unwrap();
            let members: Vec<_> = view.members().map(Result::unwrap).collect();
            let names: Vec<_> = members
                .iter()
                .map(|member| (member.source, member.key))
                .collect();
            let nodes = self
                .graph
                .partition
                .members(cluster)
                .iter()
                .map(|&node| NodeId::new(node));
            let expected: Vec<_> = nodes.map(|node| self.name(node)).collect();
            assert_eq!((view.entity(), names), (entity, expected));
            assert_eq!(view.member_count() as usize, members.len());
            for (position, member) in members.iter().enumerate() {
                let rest: Vec<_> = view
                    .members_from(position as u32)
                    .map(Result::unwrap)
                    .collect();
                assert_eq!(rest, members[position..]);
                let same = self.snapshot.entity_of(member.member).unwrap();
                assert_eq!(same.entity(), entity);
            }
        }
        assert!(self.snapshot.entity(id(u64::MAX)).unwrap().is_none());
    }

    /// Returns evidence by member instead of by node.
    fn as_member_evidence(&self, edge: &Evidence) -> MemberEvidence {
        let ends = [self.member(edge.left), self.member(edge.right)];
        let Evidence {
            weight,
            rule,
            pattern,
            decision,
            ..
        } = *edge;
        let mut ends = ends.map(|end| (self.snapshot.slot_of(end).unwrap(), end));
        ends.sort_unstable();
        MemberEvidence {
            left: ends[0].1,
            right: ends[1].1,
            weight,
            rule,
            pattern,
            decision,
        }
    }

    fn compare_evidence(&self) {
        let all: Vec<_> = self
            .graph
            .evidence
            .iter()
            .map(|e| self.as_member_evidence(e))
            .collect();
        for edge in &all {
            for (one, other) in [(edge.left, edge.right), (edge.right, edge.left)] {
                assert_eq!(
                    self.snapshot.evidence_between(one, other).unwrap(),
                    Some(*edge)
                );
            }
        }
        for node in self.nodes() {
            let member = self.member(node);
            let mut touching: Vec<_> = all
                .iter()
                .filter(|edge| edge.left == member || edge.right == member)
                .copied()
                .collect();
            touching.sort_unstable_by_key(|edge| self.slots(edge));
            assert_eq!(self.snapshot.evidence_of(member).unwrap(), touching);
            let inside = |edge: &&MemberEvidence| {
                [edge.left, edge.right].into_iter().all(|end| {
                    let entity = self.snapshot.entity_of(end).unwrap().entity();
                    entity == self.snapshot.entity_of(member).unwrap().entity()
                })
            };
            let mut among: Vec<_> = all.iter().filter(inside).copied().collect();
            among.sort_unstable_by_key(|edge| self.slots(edge));
            assert_eq!(self.snapshot.cluster_evidence(member).unwrap(), among);
        }
    }

    fn compare_history(&self) {
        let graph = self.graph;
        let issued = graph.entities.iter().map(|entity| entity.id);
        for id in issued.chain((0..60).map(id)) {
            let recorded = history(&graph.lineage, id).to_vec();
            let mut told = self.snapshot.history(id).unwrap().unwrap_or_default();
            if told.len() > recorded.len() {
                assert_eq!(told.remove(0).kind, LineageKind::Born);
            }
            assert_eq!(told, recorded);
        }
        let moved = graph
            .past
            .iter()
            .map(|past| (past.source.as_str(), past.key.as_str()));
        for (source, key) in moved.chain(self.nodes().map(|node| self.name(node))) {
            let past = past_of(&graph.past, source, key);
            assert_eq!(self.snapshot.past_memberships(source, key).unwrap(), past);
            let current = self.snapshot.lookup(source, key).unwrap();
            let current = current.map(|located| (located.entity.id, located.since));
            for revision in (0..8).map(Revision::new) {
                let expected = entity_as_of(past, current, revision);
                let told = self.snapshot.entity_as_of(source, key, revision).unwrap();
                assert_eq!(told, expected);
            }
        }
    }

    fn compare_sets(&self) {
        let slots = |nodes: &mut dyn Iterator<Item = u32>| {
            let slots = nodes.map(|node| {
                let member = self.member(NodeId::new(node));
                self.snapshot.slot_of(member).unwrap()
            });
            slots.collect::<RoaringBitmap>()
        };
        let changed = slots(&mut self.graph.changed.iter());
        assert_eq!(self.snapshot.changed_set().unwrap(), changed);
        for source in 0..self.snapshot.sources().len() as u16 {
            let of_source = self.graph.references.nodes_of(SourceId::new(source));
            let expected = slots(&mut of_source.into_iter());
            assert_eq!(self.snapshot.source_set(source).unwrap(), expected);
        }
    }
}

#[test]
fn the_small_graph_fills_every_section_that_is_not_for_size() {
    let disk = on_disk(&small());
    for (section, len) in disk.snapshot.size_breakdown().sections {
        assert_eq!(
            len == 0,
            section == Section::EdgeKindsHigh,
            "{}",
            section.name()
        );
    }
    disk.snapshot.verify().unwrap();
}

#[test]
fn an_empty_graph_knows_nothing() {
    let disk = on_disk(&empty());
    disk.snapshot.verify().unwrap();
    assert_eq!(disk.snapshot.lookup("crm", "1").unwrap(), None);
    assert_eq!(disk.snapshot.rows().count(), 0);
    assert_eq!(disk.snapshot.load().unwrap(), empty());
}

#[test]
fn keys_are_compared_as_bytes() {
    let keys = ["A", "a", "\u{e9}", "e\u{301}", "1", "1 "].map(str::to_owned);
    let mut graph = numbered(&[0, 1, 2, 3, 4, 5]);
    let plain = crate::fixture::plain(
        &[("crm".to_owned(), keys.clone().into())].into(),
        &[0, 1, 2, 3, 4, 5],
    );
    graph.references = plain.references;
    let disk = on_disk(&graph);
    let ids: std::collections::BTreeSet<_> = keys
        .iter()
        .map(|key| disk.snapshot.lookup("crm", key).unwrap().unwrap().entity.id)
        .collect();
    assert_eq!(ids.len(), keys.len());
    assert_eq!(disk.snapshot.lookup("CRM", "A").unwrap(), None);
}

#[test]
fn a_batch_with_repeats_answers_each_item_by_itself() {
    let disk = on_disk(&small());
    let batch = [
        ("crm", "C-1"),
        ("shop", "9"),
        ("crm", "C-1"),
        ("crm", "?"),
        ("shop", "9"),
    ];
    let single: Vec<_> = batch
        .iter()
        .map(|(source, key)| disk.snapshot.lookup(source, key).unwrap())
        .collect();
    assert_eq!(disk.snapshot.lookup_many(&batch).unwrap(), single);
}

/// Clusters about 65,536 members: a count in 16 bits would wrap.
#[test]
fn large_clusters_are_whole() {
    for len in [65_534_u32, 65_535, 65_536, 65_537] {
        let mut labels = vec![1_u32; len as usize + 2];
        labels[0] = 0;
        labels[len as usize + 1] = 0;
        let mut graph = numbered(&labels);
        graph.evidence = star(len);
        let disk = on_disk(&graph);
        disk.snapshot.verify().unwrap();
        let found = disk.snapshot.lookup("crm", "k00001").unwrap().unwrap();
        let view = disk.snapshot.entity(found.entity.id).unwrap().unwrap();
        assert_eq!(view.member_count(), len);
        assert_eq!(view.members().map(Result::unwrap).count(), len as usize);
        let last = format!("k{len:05}");
        let found_last = disk.snapshot.lookup("crm", &last).unwrap().unwrap();
        assert_eq!(found_last.entity, found.entity);
        let batch = disk.snapshot.lookup_many(&[("crm", &last)]).unwrap();
        assert_eq!(batch, [Some(found_last)]);
        assert_eq!(
            disk.snapshot.evidence_of(found.member).unwrap().len(),
            len as usize - 1
        );
        assert_eq!(disk.snapshot.load().unwrap(), graph);
    }
}

/// Edges from node 1 to all others of its cluster, each with a pattern of its own.
fn star(len: u32) -> Vec<Evidence> {
    (2..=len)
        .map(|right| Evidence {
            left: NodeId::new(1),
            right: NodeId::new(right),
            weight: MatchWeight::from_bits(5.0),
            rule: RuleId::new(0),
            pattern: LevelPattern::new(u64::from(right)),
            decision: Decision::Link,
        })
        .collect()
}

#[test]
fn more_kinds_of_edges_and_revisions_than_fit_two_bytes_are_kept_apart() {
    let count = 66_000_u32;
    let mut graph = numbered(&(0..count).collect::<Vec<_>>());
    for (index, entity) in graph.entities.iter_mut().enumerate() {
        entity.born = Revision::new(index as u64 + 1);
        graph.since[index] = entity.born;
    }
    graph.evidence = star(count - 1);
    for edge in &mut graph.evidence {
        edge.left = NodeId::new(0);
    }
    let disk = on_disk(&graph);
    disk.snapshot.verify().unwrap();
    let breakdown = disk.snapshot.size_breakdown().sections;
    let len = |section: Section| breakdown[section.index()].1;
    assert_eq!(len(Section::EdgeKindsHigh), 2 * graph.evidence.len() as u64);
    assert_eq!(
        len(Section::Arena),
        arena_len(&disk.snapshot, u64::from(count), 4)
    );
    assert_eq!(disk.snapshot.load().unwrap(), graph);
}

#[test]
fn a_revision_index_of_each_width_leads_to_its_revision() {
    for (count, width) in [(255, 1), (256, 1), (257, 2), (65_536, 2), (65_537, 4)] {
        let mut graph = numbered(&(0..count).collect::<Vec<_>>());
        for (index, entity) in graph.entities.iter_mut().enumerate() {
            entity.born = Revision::new(index as u64 * 3 + 1);
            graph.since[index] = entity.born;
        }
        let disk = on_disk(&graph);
        let arena = disk.snapshot.size_breakdown().sections[Section::Arena.index()].1;
        assert_eq!(arena, arena_len(&disk.snapshot, u64::from(count), width));
        assert_eq!(disk.snapshot.load().unwrap(), graph);
    }
}

/// Returns how long an arena is beside its keys: an entry takes an id, two indices, three bytes
/// for source and length and two that say where it starts, a group sixteen fingerprints.
fn arena_len(snapshot: &Snapshot, count: u64, index_width: u64) -> u64 {
    let groups = group_lens(snapshot).len() as u64;
    (16 + 2 * index_width + 3 + 2) * count + 16 * groups
}

/// Returns how many entries each group of the arena has.
fn group_lens(snapshot: &Snapshot) -> Vec<usize> {
    let mut lens = Vec::new();
    let mut offset = 0;
    while offset < snapshot.arena().len() {
        let group = snapshot.group_at(offset).unwrap();
        let last = group.start(group.count - 1).unwrap();
        let key = snapshot.entry_at(last).unwrap().key;
        offset = last + snapshot.arena().entry_len(key);
        lens.push(group.count);
    }
    lens
}

#[test]
fn an_id_leads_to_where_its_references_went() {
    let disk = on_disk(&small());
    let snapshot = &disk.snapshot;
    let mut split = vec![id(0), id(2)];
    split.sort_unstable();
    for (asked, leads) in [
        (0, vec![id(0)]),
        (100, vec![id(0)]),
        (101, split),
        (102, vec![]),
        (5, vec![]),
    ] {
        assert_eq!(snapshot.current_ids(id(asked)).unwrap(), leads, "{asked}");
    }
    let retired = EntityState::Retired {
        revision: Revision::new(7),
    };
    assert_eq!(snapshot.state_of(id(102)).unwrap(), retired);
    assert_eq!(snapshot.state_of(id(5)).unwrap(), EntityState::Unknown);
    assert_eq!(snapshot.history(id(5)).unwrap(), None);
    let born = &snapshot.history(id(2)).unwrap().unwrap()[0];
    assert_eq!(
        (born.revision, &born.kind),
        (Revision::new(3), &LineageKind::Born)
    );
}

#[test]
fn the_strongest_path_goes_round_a_weak_link() {
    let disk = on_disk(&small());
    let member = |source, key| disk.snapshot.lookup(source, key).unwrap().unwrap().member;
    let (from, to) = (member("crm", "C-1"), member("shop", "\u{0}"));
    let path = disk.snapshot.strongest_path(from, to).unwrap().unwrap();
    let bits: Vec<f64> = path.iter().map(|edge| edge.weight.bits()).collect();
    assert_eq!(bits, [8.5, 9.75]);
    assert_eq!(
        disk.snapshot
            .strongest_path(from, member("crm", "C-2"))
            .unwrap(),
        None
    );
}

/// The bytes of the small graph are fixed: whoever changes them changes the format.
#[test]
fn format_4_has_not_changed() {
    let bytes = bytes_of(&small());
    assert_eq!(
        format!(
            "{:016x} {}",
            xxhash_rust::xxh3::xxh3_64(&bytes),
            bytes.len()
        ),
        "e8997af6c907fdd7 4096"
    );
}
