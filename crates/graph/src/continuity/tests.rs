#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::fixture::{Name, name, on_threads, partition, table};
use crate::{ClusterId, EntityState, entity_as_of, past_of};

const NAMESPACE: Namespace = Namespace::new(Uuid::from_u128(0x5a3e_a500));

/// The clusters of one revision, by name.
type Clusters = BTreeSet<BTreeSet<Name>>;

fn next(clusters: &Clusters) -> NextRevision {
    let names: BTreeSet<&Name> = clusters.iter().flatten().collect();
    let numbers: BTreeMap<&Name, u32> = names.iter().copied().zip(0..).collect();
    let numbered: Vec<BTreeSet<u32>> = clusters
        .iter()
        .map(|cluster| cluster.iter().map(|name| numbers[name]).collect())
        .collect();
    NextRevision {
        namespace: NAMESPACE,
        references: table(names),
        partition: partition(&numbered),
        evidence: Vec::new(),
        legend: Legend::default(),
    }
}

/// Returns every revision of a history.
fn revisions(history: &[Clusters]) -> Vec<GraphRevision> {
    let mut revisions: Vec<GraphRevision> = Vec::new();
    for clusters in history {
        revisions.push(succeed(revisions.last(), next(clusters)));
    }
    revisions
}

/// Returns who belongs to which entity since when.
fn memberships(graph: &GraphRevision) -> BTreeMap<Name, (UnifiedId, Revision)> {
    let nodes = (0..graph.references.len() as u32).map(NodeId::new);
    nodes
        .map(|node| {
            let source = graph.references.source_of(node).index();
            let name = (
                graph.references.sources()[source].clone(),
                graph.references.key(node).to_owned(),
            );
            let entity = graph.entities[graph.partition.cluster_of(node).index()].id;
            (name, (entity, graph.since[node.index()]))
        })
        .collect()
}

/// Histories in words: a revision is its clusters, a cluster its references, `a1` is key 1 of a.
mod in_words {
    use super::*;

    fn history(words: &[&[&str]]) -> Vec<GraphRevision> {
        let cluster = |cluster: &&str| cluster.split(' ').map(name).collect();
        let history: Vec<Clusters> = words
            .iter()
            .map(|clusters| clusters.iter().map(cluster).collect())
            .collect();
        revisions(&history)
    }

    fn id(graph: &GraphRevision, text: &str) -> UnifiedId {
        memberships(graph)[&name(text)].0
    }

    fn kinds(graph: &GraphRevision, entity: UnifiedId) -> Vec<(u64, LineageKind)> {
        let events = crate::history(&graph.lineage, entity);
        events
            .iter()
            .map(|event| (event.revision.get(), event.kind.clone()))
            .collect()
    }

    #[test]
    fn a_first_revision_issues_an_id_for_each_cluster_and_lists_no_birth() {
        let graph = &history(&[&["a1 b1", "a2"]])[0];
        assert_eq!(graph.revision, Revision::FIRST);
        let founded = UnifiedId::issue(NAMESPACE, "a", "1", Revision::FIRST);
        assert_eq!((id(graph, "a1"), id(graph, "b1")), (founded, founded));
        assert_ne!(id(graph, "a2"), founded);
        assert!(graph.lineage.is_empty() && graph.past.is_empty());
        assert_eq!(graph.changed.len(), 3);
    }

    /// Revisions 2 and 3 were abandoned for 1: what revision 2 founded under an id is founded
    /// under another by revision 4, because the id says which revision it was born in.
    #[test]
    fn after_going_back_no_number_and_no_id_is_used_again() {
        let abandoned = history(&[&["a1 b1"], &["a1 b1", "a2"], &["a1 b1", "a2"]]);
        let clusters: Clusters = [["a1", "b1"].as_slice(), &["a2"]]
            .map(|cluster| cluster.iter().copied().map(name).collect())
            .into();
        let again = succeed_as(Some(&abandoned[0]), next(&clusters), Revision::new(4));
        assert_eq!(again.revision, Revision::new(4));
        assert_eq!(id(&again, "a1"), id(&abandoned[0], "a1"));
        assert_ne!(id(&again, "a2"), id(&abandoned[1], "a2"));
        assert_eq!(memberships(&again)[&name("a2")].1, Revision::new(4));
    }

    #[test]
    fn ids_outlive_a_rebuild_a_new_record_and_a_new_source_in_front() {
        let graphs = history(&[&["m1 m2", "m3"], &["a1 m1 m2", "a2", "m3"]]);
        for text in ["m1", "m2", "m3"] {
            assert_eq!(
                memberships(&graphs[0])[&name(text)],
                memberships(&graphs[1])[&name(text)]
            );
        }
        assert_eq!(id(&graphs[1], "a1"), id(&graphs[0], "m1"));
        let changed: Vec<u32> = graphs[1].changed.iter().collect();
        assert_eq!(changed, [0, 1], "only the new source's references");
    }

    #[test]
    fn the_heir_is_the_cluster_with_most_references() {
        let graphs = history(&[&["a1 a2 a3"], &["a1", "a2 a3"]]);
        let old = id(&graphs[0], "a1");
        assert_eq!(id(&graphs[1], "a2"), old);
        let parts = BTreeSet::from([old, id(&graphs[1], "a1")]);
        assert_eq!(parts.len(), 2);
        let into = parts.into_iter().collect();
        assert_eq!(
            kinds(&graphs[1], old),
            [(1, LineageKind::Born), (2, LineageKind::Split { into })]
        );
        assert_eq!(graphs[1].state_of(old), EntityState::Active);
    }

    #[test]
    fn of_equal_parts_the_one_with_the_smallest_reference_is_the_heir() {
        let graphs = history(&[&["a1 a2 b1 b2"], &["a2 b1", "a1 b2"]]);
        assert_eq!(id(&graphs[1], "a1"), id(&graphs[0], "a1"));
    }

    #[test]
    fn of_entities_that_merge_the_oldest_stays() {
        let graphs = history(&[&["b1"], &["b1", "a1"], &["a1 b1"]]);
        let (old, young) = (id(&graphs[1], "b1"), id(&graphs[1], "a1"));
        assert_eq!(id(&graphs[2], "a1"), old);
        assert_eq!(
            kinds(&graphs[2], young),
            [
                (2, LineageKind::Born),
                (3, LineageKind::Merged { into: old })
            ]
        );
        assert_eq!(graphs[2].current_ids(young), [old]);
        assert!(kinds(&graphs[2], old).is_empty(), "nothing happened to it");
    }

    #[test]
    fn an_entity_whose_heir_an_older_one_takes_is_split_into_others_and_stays_so() {
        // b's references go to the older a (most of them) and to a cluster of their own.
        let graphs = history(&[
            &["a1"],
            &["a1", "b1 b2 b3"],
            &["a1 b1 b2", "b3"],
            &["a1", "b1 b2 b3"],
        ]);
        let old = id(&graphs[1], "b1");
        let into = BTreeSet::from([id(&graphs[2], "a1"), id(&graphs[2], "b3")]);
        assert_eq!(into.len(), 2);
        assert!(!into.contains(&old));
        let into: Vec<UnifiedId> = into.into_iter().collect();
        assert_eq!(graphs[2].current_ids(old), into);
        assert_ne!(
            id(&graphs[3], "b1"),
            old,
            "an id that was split away never wakes"
        );
    }

    #[test]
    fn an_entity_without_references_retires_and_wakes_when_one_returns() {
        let graphs = history(&[&["a1 a2", "b1"], &["b1"], &["b1", "a2"]]);
        let entity = id(&graphs[0], "a1");
        let retired = EntityState::Retired {
            revision: Revision::new(2),
        };
        assert_eq!(graphs[1].state_of(entity), retired);
        assert!(graphs[1].current_ids(entity).is_empty());
        assert_eq!(id(&graphs[2], "a2"), entity);
        assert_eq!(
            kinds(&graphs[2], entity),
            [
                (1, LineageKind::Born),
                (2, LineageKind::Retired),
                (3, LineageKind::Revived)
            ]
        );
        assert_eq!(memberships(&graphs[2])[&name("a2")].1, Revision::new(3));
    }

    #[test]
    fn a_reference_that_returns_counts_for_the_active_entity_it_left() {
        // a2 and a3 outvote a1 only together with a3, which was away.
        let graphs = history(&[&["a1 a2 a3"], &["a1 a2"], &["a1", "a2 a3"]]);
        assert_eq!(id(&graphs[2], "a3"), id(&graphs[0], "a1"));
        assert_ne!(id(&graphs[2], "a1"), id(&graphs[0], "a1"));
    }

    #[test]
    fn a_reference_that_returns_does_not_wake_a_merged_id() {
        let graphs = history(&[
            &["a1"],
            &["a1", "b1 b2"],
            &["a1", "b1"],
            &["a1 b1"],
            &["a1 b1", "b2"],
        ]);
        let (old, merged) = (id(&graphs[0], "a1"), id(&graphs[1], "b1"));
        assert_eq!(graphs[4].current_ids(merged), [old]);
        assert!(![old, merged].contains(&id(&graphs[4], "b2")));
    }

    #[test]
    fn a_retired_entity_whose_references_return_to_an_older_one_merges_into_it() {
        let graphs = history(&[&["a1"], &["a1", "b1"], &["a1"], &["a1 b1"]]);
        let (old, entity) = (id(&graphs[0], "a1"), id(&graphs[1], "b1"));
        assert_eq!(id(&graphs[3], "b1"), old);
        let into = LineageKind::Merged { into: old };
        assert_eq!(kinds(&graphs[3], entity).last(), Some(&(4, into)));
    }

    #[test]
    fn a_reference_that_founds_again_founds_another_id() {
        // a1 founds in 1, joins the older z in 2 (its id is merged), and stands alone in 3.
        let graphs = history(&[&["z1"], &["a1", "z1"], &["a1 z1 z2"], &["a1", "z1 z2"]]);
        let (first, second) = (id(&graphs[1], "a1"), id(&graphs[3], "a1"));
        assert_ne!(first, second);
        assert_eq!(graphs[3].current_ids(first), [id(&graphs[3], "z1")]);
    }

    #[test]
    fn a_source_that_goes_and_comes_back_finds_its_ids_again() {
        let graphs = history(&[
            &["a1 b1", "b2", "c1"],
            &["a1", "c1"],
            &["a1 b1", "b2", "c1"],
        ]);
        for text in ["a1", "b1", "b2", "c1"] {
            assert_eq!(id(&graphs[2], text), id(&graphs[0], text), "{text}");
        }
    }

    #[test]
    fn a_graph_may_become_empty_and_begin_again() {
        let graphs = history(&[&["a1"], &[], &["a1"]]);
        assert_eq!(id(&graphs[2], "a1"), id(&graphs[0], "a1"));
    }
}

/// The id contract told with sets and maps, one entity at a time.
#[derive(Default)]
struct Model {
    revision: u64,
    current: BTreeMap<Name, (UnifiedId, u64)>,
    left_last: BTreeMap<Name, UnifiedId>,
    born: BTreeMap<UnifiedId, u64>,
    retired: BTreeSet<UnifiedId>,
    events: BTreeSet<LineageEvent>,
    past: BTreeSet<PastMembership>,
}

impl Model {
    fn succeed(&mut self, clusters: &Clusters) {
        self.revision += 1;
        let mut heirs: BTreeMap<UnifiedId, BTreeMap<&BTreeSet<Name>, usize>> = BTreeMap::new();
        let mut claims: BTreeMap<&BTreeSet<Name>, BTreeSet<(u64, UnifiedId)>> = BTreeMap::new();
        let active: BTreeSet<UnifiedId> = self.current.values().map(|member| member.0).collect();
        for entity in active.union(&self.retired) {
            let counts: BTreeMap<&BTreeSet<Name>, usize> = clusters
                .iter()
                .map(|cluster| {
                    (
                        cluster,
                        cluster
                            .iter()
                            .filter(|n| self.was(n) == Some(*entity))
                            .count(),
                    )
                })
                .filter(|(_, count)| *count > 0)
                .collect();
            let most = counts.values().max();
            // Sets order by their smallest element first, and clusters are disjoint.
            if let Some((heir, _)) = counts.iter().find(|(_, count)| Some(*count) == most) {
                claims
                    .entry(heir)
                    .or_default()
                    .insert((self.born[entity], *entity));
            }
            heirs.insert(*entity, counts);
        }
        let mut carriers: BTreeMap<&BTreeSet<Name>, UnifiedId> = BTreeMap::new();
        for cluster in clusters {
            let oldest = claims
                .get(cluster)
                .and_then(BTreeSet::first)
                .map(|claim| claim.1);
            carriers.insert(cluster, oldest.unwrap_or_else(|| self.issue(cluster)));
        }
        for (entity, counts) in heirs {
            let into: BTreeSet<UnifiedId> =
                counts.keys().map(|cluster| carriers[cluster]).collect();
            self.tell(entity, active.contains(&entity), &into);
        }
        self.move_members(&carriers);
    }

    /// The entity a reference counts for: its present one, else the one it left last.
    fn was(&self, name: &Name) -> Option<UnifiedId> {
        match self.current.get(name) {
            Some(member) => Some(member.0),
            None => self.left_last.get(name).copied(),
        }
    }

    fn issue(&mut self, cluster: &BTreeSet<Name>) -> UnifiedId {
        let (source, key) = cluster.first().unwrap();
        let id = UnifiedId::issue(NAMESPACE, source, key, Revision::new(self.revision));
        assert!(
            self.born.insert(id, self.revision).is_none(),
            "an id is issued once"
        );
        id
    }

    fn tell(&mut self, entity: UnifiedId, was_active: bool, into: &BTreeSet<UnifiedId>) {
        let is_carried = into.contains(&entity);
        let into: Vec<UnifiedId> = into.iter().copied().collect();
        let mut kinds = Vec::new();
        match into[..] {
            [] if was_active => kinds.push(LineageKind::Retired),
            [] => return,
            [only] if only != entity => kinds.push(LineageKind::Merged { into: only }),
            [_] => {}
            _ => kinds.push(LineageKind::Split { into: into.clone() }),
        }
        if is_carried && !was_active {
            kinds.push(LineageKind::Revived);
        }
        self.retired.remove(&entity);
        if kinds.contains(&LineageKind::Retired) {
            self.retired.insert(entity);
        }
        if !kinds.is_empty() {
            let born = Revision::new(self.born[&entity]);
            self.events.insert(LineageEvent {
                entity,
                revision: born,
                kind: LineageKind::Born,
            });
        }
        let revision = Revision::new(self.revision);
        self.events
            .extend(kinds.into_iter().map(|kind| LineageEvent {
                entity,
                revision,
                kind,
            }));
    }

    fn move_members(&mut self, carriers: &BTreeMap<&BTreeSet<Name>, UnifiedId>) {
        let mut current = BTreeMap::new();
        for (cluster, &entity) in carriers {
            for name in *cluster {
                let stayed = self.current.get(name).filter(|member| member.0 == entity);
                let member = stayed.copied().unwrap_or((entity, self.revision));
                current.insert(name.clone(), member);
            }
        }
        for (name, &(entity, began)) in &self.current {
            if current.get(name) != Some(&(entity, began)) {
                self.left_last.insert(name.clone(), entity);
                self.past.insert(PastMembership {
                    source: name.0.clone(),
                    key: name.1.clone(),
                    ended: Revision::new(self.revision),
                    began: Revision::new(began),
                    entity,
                });
            }
        }
        self.current = current;
    }
}

/// What happens to the references between two revisions.
#[derive(Clone, Debug)]
enum Change {
    /// A reference comes to the cluster of this label, or moves there.
    Put(usize, u8),
    /// A reference goes.
    Take(usize),
    /// All references of a source go.
    Clear(usize),
    /// All references of one label get another.
    Merge(u8, u8),
}

const SOURCES: [&str; 3] = ["a", "b", "c"];
const KEYS_PER_SOURCE: usize = 4;
const NAME_COUNT: usize = SOURCES.len() * KEYS_PER_SOURCE;
const LABEL_COUNT: u8 = 6;

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (0..NAME_COUNT, 0..LABEL_COUNT).prop_map(|(name, label)| Change::Put(name, label)),
        3 => (0..NAME_COUNT).prop_map(Change::Take),
        1 => (0..SOURCES.len()).prop_map(Change::Clear),
        2 => (0..LABEL_COUNT, 0..LABEL_COUNT).prop_map(|(from, to)| Change::Merge(from, to)),
    ]
}

fn apply(labels: &mut [Option<u8>], change: &Change) {
    match *change {
        Change::Put(name, label) => labels[name] = Some(label),
        Change::Take(name) => labels[name] = None,
        Change::Clear(source) => {
            labels[source * KEYS_PER_SOURCE..(source + 1) * KEYS_PER_SOURCE].fill(None);
        }
        Change::Merge(from, to) => {
            labels
                .iter_mut()
                .filter(|label| **label == Some(from))
                .for_each(|l| *l = Some(to));
        }
    }
}

fn clusters(labels: &[Option<u8>], prefix: &str) -> Clusters {
    let mut clusters: BTreeMap<u8, BTreeSet<Name>> = BTreeMap::new();
    for (index, label) in labels.iter().enumerate() {
        let (source, key) = (SOURCES[index / KEYS_PER_SOURCE], index % KEYS_PER_SOURCE);
        if let Some(label) = label {
            let name = (format!("{prefix}{source}"), key.to_string());
            clusters.entry(*label).or_default().insert(name);
        }
    }
    clusters.into_values().collect()
}

/// Draws histories of five to ten revisions, mostly of small changes.
fn history_of(prefix: &'static str) -> impl Strategy<Value = Vec<Clusters>> {
    let first = vec(option::of(0..LABEL_COUNT), NAME_COUNT);
    let changes = vec(vec(change(), 0..6), 4..10);
    (first, changes).prop_map(move |(mut labels, changes)| {
        let mut history = vec![clusters(&labels, prefix)];
        for changes in &changes {
            for change in changes {
                apply(&mut labels, change);
            }
            history.push(clusters(&labels, prefix));
        }
        history
    })
}

fn assert_equals_model(graph: &GraphRevision, model: &Model) -> Result<(), TestCaseError> {
    let current: BTreeMap<Name, (UnifiedId, u64)> = memberships(graph)
        .into_iter()
        .map(|(name, (entity, since))| (name, (entity, since.get())))
        .collect();
    prop_assert_eq!(&current, &model.current);
    prop_assert_eq!(
        &graph.lineage,
        &model.events.iter().cloned().collect::<Vec<_>>()
    );
    prop_assert_eq!(&graph.past, &model.past.iter().cloned().collect::<Vec<_>>());
    for entity in &graph.entities {
        prop_assert_eq!(entity.born.get(), model.born[&entity.id]);
    }
    let moved = current
        .values()
        .zip(0_u32..)
        .filter(|(member, _)| member.1 == model.revision);
    prop_assert_eq!(
        &graph.changed,
        &moved.map(|(_, node)| node).collect::<RoaringBitmap>()
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_revision_is_what_the_contract_says(history in history_of("")) {
        let mut model = Model::default();
        let mut previous: Option<GraphRevision> = None;
        for clusters in &history {
            model.succeed(clusters);
            let graph = succeed(previous.as_ref(), next(clusters));
            assert_equals_model(&graph, &model)?;
            previous = Some(graph);
        }
    }

    #[test]
    fn ids_are_never_reused_and_resolve_for_ever(history in history_of("")) {
        let mut issued: BTreeSet<UnifiedId> = BTreeSet::new();
        for graph in revisions(&history) {
            let active: BTreeSet<UnifiedId> = graph.entities.iter().map(|e| e.id).collect();
            prop_assert_eq!(active.len(), graph.entities.len(), "one cluster for each id");
            for entity in &graph.entities {
                prop_assert_eq!(entity.born == graph.revision, issued.insert(entity.id));
            }
            for &id in &issued {
                let state = graph.state_of(id);
                prop_assert_ne!(&state, &EntityState::Unknown);
                prop_assert_eq!(state == EntityState::Active, active.contains(&id));
                let current = graph.current_ids(id);
                prop_assert!(current.iter().all(|id| active.contains(id)));
                prop_assert!(!active.contains(&id) || current == [id]);
            }
        }
    }

    #[test]
    fn memberships_can_be_asked_as_of_any_revision(history in history_of("")) {
        let graphs = revisions(&history);
        let last = graphs.last().unwrap();
        let current = memberships(last);
        let names: BTreeSet<Name> = history.iter().flatten().flatten().cloned().collect();
        for graph in &graphs {
            let then = memberships(graph);
            for name in &names {
                let past = past_of(&last.past, &name.0, &name.1);
                let entity = entity_as_of(past, current.get(name).copied(), graph.revision);
                prop_assert_eq!(entity, then.get(name).map(|member| member.0));
            }
        }
    }

    #[test]
    fn unrelated_references_never_change_an_id(ours in history_of("m"), theirs in history_of("")) {
        let together: Vec<Clusters> =
            ours.iter().zip(&theirs).map(|(ours, theirs)| ours | theirs).collect();
        for (alone, together) in revisions(&ours).iter().zip(revisions(&together)) {
            let mut members = memberships(&together);
            members.retain(|name, _| name.0.starts_with('m'));
            prop_assert_eq!(memberships(alone), members);
            let of_theirs = |event: &LineageEvent| {
                crate::history(&alone.lineage, event.entity).is_empty()
            };
            let lineage: Vec<_> =
                together.lineage.iter().filter(|event| !of_theirs(event)).cloned().collect();
            prop_assert_eq!(&alone.lineage, &lineage);
        }
    }

    #[test]
    fn threads_change_nothing(history in history_of("")) {
        let one = on_threads(1, || revisions(&history));
        for threads in 2..=4 {
            prop_assert_eq!(&on_threads(threads, || revisions(&history)), &one);
        }
    }

    #[test]
    fn a_rebuild_of_the_same_changes_nothing_but_the_number(history in history_of("")) {
        let graphs = revisions(&history);
        let last = graphs.last().unwrap();
        let again = succeed(Some(last), next(history.last().unwrap()));
        prop_assert!(again.changed.is_empty());
        prop_assert_eq!(again.revision, last.revision.next());
        let renumbered =
            GraphRevision { revision: last.revision, changed: last.changed.clone(), ..again };
        prop_assert_eq!(&renumbered, last);
    }

    #[test]
    fn a_cluster_that_stays_as_it_is_keeps_its_id_unless_references_return(
        history in history_of(""),
    ) {
        let graphs = revisions(&history);
        for (old, new) in graphs.iter().zip(&graphs[1..]) {
            let (before, after) = (memberships(old), memberships(new));
            let returns = |name: &&Name| {
                !before.contains_key(*name) && !past_of(&old.past, &name.0, &name.1).is_empty()
            };
            if after.keys().any(|name| returns(&name)) {
                continue;
            }
            let entities = by_entity(&after);
            let clusters: BTreeSet<&BTreeSet<Name>> = entities.values().collect();
            for (entity, names) in by_entity(&before) {
                prop_assert_eq!(clusters.contains(&names), entities.get(&entity) == Some(&names));
            }
        }
    }
}

fn by_entity(
    members: &BTreeMap<Name, (UnifiedId, Revision)>,
) -> BTreeMap<UnifiedId, BTreeSet<Name>> {
    let mut entities: BTreeMap<UnifiedId, BTreeSet<Name>> = BTreeMap::new();
    for (name, (entity, _)) in members {
        entities.entry(*entity).or_default().insert(name.clone());
    }
    entities
}

#[test]
fn clusters_are_numbered_as_entities_are_listed() {
    let clusters: Clusters = ["a1 a2", "a3"]
        .map(|c| c.split(' ').map(name).collect())
        .into();
    let graph = succeed(None, next(&clusters));
    let cluster = graph.partition.cluster_of(NodeId::new(2));
    assert_eq!(cluster, ClusterId::new(1));
    let id = UnifiedId::issue(NAMESPACE, "a", "3", Revision::FIRST);
    assert_eq!(
        graph.entities[cluster.index()],
        Entity {
            id,
            born: Revision::FIRST
        }
    );
}
