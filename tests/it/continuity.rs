//! Unified ids across rebuilds of changing sources: the id contract, end to end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sameas_graph::{EntityState, LineageKind, Revision, UnifiedId};
use sameas_resolve::{Settings, evaluate};
use sameas_store::{GraphFolder, Snapshot};
use sameas_tests::{Draw, Layout, Record, Systems, people, rebuild, sameas};
use tempfile::TempDir;

/// Source and key; in the order of the contract's ties.
type Reference = (String, String);

/// Reference to unified id, of one revision.
type Map = BTreeMap<Reference, UnifiedId>;

fn snapshot(settings: &Path) -> Snapshot {
    let folder = GraphFolder::open(&Settings::load(settings).unwrap().graph_path()).unwrap();
    folder.current().unwrap().unwrap()
}

fn map_of(snapshot: &Snapshot) -> Map {
    let rows = snapshot.rows().map(Result::unwrap);
    rows.map(|row| ((row.source.to_owned(), row.key.to_owned()), row.entity.id))
        .collect()
}

/// What may have become of an id that is not active.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Gone {
    Merged(UnifiedId),
    Split(Vec<UnifiedId>),
    Retired,
}

/// The contract kept by hand: nothing but maps, the obvious way.
#[derive(Default)]
struct Ledger {
    /// The map of each revision so far.
    maps: Vec<Map>,
    /// Every id ever issued, and its first revision.
    born: BTreeMap<UnifiedId, u64>,
    /// The ids that are not active.
    gone: BTreeMap<UnifiedId, Gone>,
    /// How often each thing happened.
    seen: BTreeMap<&'static str, u32>,
}

impl Ledger {
    /// Checks a revision against the one before and takes it in.
    fn admit(&mut self, snapshot: &Snapshot) {
        let revision = self.maps.len() as u64 + 1;
        assert_eq!(snapshot.revision(), Revision::new(revision));
        let now = map_of(snapshot);
        let clusters = clusters(&now);
        let claims = self.claims(&now);
        self.check_ids(&clusters, &claims, revision);
        let events = self.pass(&claims, &clusters);
        for (id, kind) in &events {
            let history = snapshot.history(*id).unwrap().unwrap();
            let of_now = history
                .iter()
                .filter(|event| event.revision.get() == revision);
            assert!(
                of_now.clone().any(|event| event.kind == *kind),
                "{id} {kind:?}: {history:?}"
            );
        }
        self.maps.push(now);
        self.check_states(snapshot);
        self.check_past(snapshot);
    }

    /// Returns the references that each old entity has now, if it may carry on: those it had
    /// and those that left it last and return.
    fn claims(&self, now: &Map) -> BTreeMap<UnifiedId, Vec<Reference>> {
        let nothing = Map::new();
        let before = self.maps.last().unwrap_or(&nothing);
        let mut claims: BTreeMap<UnifiedId, Vec<Reference>> = BTreeMap::new();
        for id in before.values() {
            claims.entry(*id).or_default();
        }
        for reference in now.keys() {
            let last = self.maps.iter().rev().find_map(|map| map.get(reference));
            let may = |id: &UnifiedId| matches!(self.gone.get(id), None | Some(Gone::Retired));
            if let Some(id) = last.filter(|id| before.contains_key(reference) || may(id)) {
                claims.entry(*id).or_default().push(reference.clone());
            }
        }
        claims
    }

    fn check_ids(
        &mut self,
        clusters: &BTreeMap<Reference, (UnifiedId, BTreeSet<Reference>)>,
        claims: &BTreeMap<UnifiedId, Vec<Reference>>,
        revision: u64,
    ) {
        let mut wanted: BTreeMap<&Reference, (u64, UnifiedId)> = BTreeMap::new();
        for (id, references) in claims {
            let Some(heir) = heir(references, clusters) else {
                continue;
            };
            let age = (self.born[id], *id);
            let oldest = wanted.entry(heir).or_insert(age);
            *oldest = (*oldest).min(age);
        }
        for (founder, (id, members)) in clusters {
            if let Some((_, expected)) = wanted.get(founder) {
                assert_eq!(id, expected, "revision {revision}, {members:?}")
            } else {
                let reused = self.born.insert(*id, revision);
                assert_eq!(reused, None, "{id} was issued twice");
            }
        }
    }

    /// Says what became of every old entity.
    fn pass(
        &mut self,
        claims: &BTreeMap<UnifiedId, Vec<Reference>>,
        clusters: &BTreeMap<Reference, (UnifiedId, BTreeSet<Reference>)>,
    ) -> Vec<(UnifiedId, LineageKind)> {
        let id_of: BTreeMap<&Reference, UnifiedId> = clusters
            .values()
            .flat_map(|(id, of)| of.iter().map(move |r| (r, *id)))
            .collect();
        let active: BTreeSet<UnifiedId> = clusters.values().map(|(id, _)| *id).collect();
        let mut events = Vec::new();
        for (&id, references) in claims {
            let into: BTreeSet<UnifiedId> = references.iter().map(|r| id_of[r]).collect();
            let into: Vec<UnifiedId> = into.into_iter().collect();
            let was_gone = self.gone.remove(&id).is_some();
            let carried = active.contains(&id);
            let (name, gone, kind) = match &into[..] {
                [] => ("retired", Some(Gone::Retired), Some(LineageKind::Retired)),
                [one] if *one == id => ("kept", None, None),
                [one] => (
                    "merged",
                    Some(Gone::Merged(*one)),
                    Some(LineageKind::Merged { into: *one }),
                ),
                _ => (
                    "split",
                    Some(Gone::Split(into.clone())),
                    Some(LineageKind::Split { into }),
                ),
            };
            *self.seen.entry(name).or_default() += 1;
            events.extend(kind.map(|kind| (id, kind)));
            if carried && was_gone {
                *self.seen.entry("revived").or_default() += 1;
                events.push((id, LineageKind::Revived));
            }
            if let Some(gone) = gone.filter(|_| !carried) {
                self.gone.insert(id, gone);
            }
        }
        events
    }

    /// Every id ever issued resolves, to what the ledger knows.
    fn check_states(&self, snapshot: &Snapshot) {
        let now = self.maps.last().unwrap();
        for (&id, &born) in &self.born {
            let state = snapshot.state_of(id).unwrap();
            let expected = match (self.gone.get(&id), &state) {
                (None, EntityState::Active) => true,
                (Some(Gone::Retired), EntityState::Retired { .. }) => true,
                (Some(Gone::Merged(into)), EntityState::Merged { into: found, .. }) => {
                    into == found
                }
                (Some(Gone::Split(into)), EntityState::Split { into: found, .. }) => into == found,
                _ => false,
            };
            assert!(expected, "{id}: {:?}, but {state:?}", self.gone.get(&id));
            let history = snapshot.history(id).unwrap().unwrap();
            assert_eq!(
                (&history[0].kind, history[0].revision.get()),
                (&LineageKind::Born, born)
            );
            let current = snapshot.current_ids(id).unwrap();
            assert!(
                current
                    .iter()
                    .all(|id| now.values().any(|active| active == id))
            );
        }
        let never = UnifiedId::new(uuid::Uuid::from_u128(1));
        assert_eq!(snapshot.state_of(never).unwrap(), EntityState::Unknown);
    }

    /// Every reference that ever was answers for every revision, and says since when.
    fn check_past(&self, snapshot: &Snapshot) {
        let all: BTreeSet<&Reference> = self.maps.iter().flat_map(BTreeMap::keys).collect();
        for reference in all {
            let (source, key) = reference;
            let ids: Vec<_> = self
                .maps
                .iter()
                .map(|map| map.get(reference).copied())
                .collect();
            for (number, expected) in (1..).zip(&ids) {
                let found = snapshot
                    .entity_as_of(source, key, Revision::new(number))
                    .unwrap();
                assert_eq!(found, *expected, "{source} {key} as of {number}");
            }
            let located = snapshot.lookup(source, key).unwrap();
            let last = ids[ids.len() - 1];
            assert_eq!(located.map(|located| located.entity.id), last);
            if let Some(located) = located {
                let unbroken = ids.iter().rev().take_while(|&&id| id == last).count();
                assert_eq!(
                    located.since.get(),
                    (ids.len() - unbroken) as u64 + 1,
                    "{source} {key}"
                );
            }
        }
    }
}

/// Returns each cluster, its id and members, under its smallest reference.
fn clusters(map: &Map) -> BTreeMap<Reference, (UnifiedId, BTreeSet<Reference>)> {
    let mut by_id: BTreeMap<UnifiedId, BTreeSet<Reference>> = BTreeMap::new();
    for (reference, id) in map {
        by_id.entry(*id).or_default().insert(reference.clone());
    }
    by_id
        .into_iter()
        .map(|(id, of)| (of.first().unwrap().clone(), (id, of)))
        .collect()
}

/// Returns the cluster that has most of these references, of equals the one that starts first.
fn heir<'c>(
    references: &[Reference],
    clusters: &'c BTreeMap<Reference, (UnifiedId, BTreeSet<Reference>)>,
) -> Option<&'c Reference> {
    let mut best = None;
    for (founder, (_, members)) in clusters {
        let count = references.iter().filter(|r| members.contains(*r)).count();
        if count > 0 && best.is_none_or(|(most, _)| count > most) {
            best = Some((count, founder));
        }
    }
    best.map(|(_, founder)| founder)
}

/// Changes a few records of every sort: some leave, some return, some come, some turn into others.
fn change(systems: &mut Systems, away: &mut Vec<(usize, Record)>, draw: &mut Draw) {
    let strangers = people(400, 77);
    for (system, record) in away.split_off(away.len() / 2) {
        systems.records[system].push(record);
    }
    for system in 0..3 {
        let leavers = draw.below(12);
        for _ in 0..leavers {
            let index = draw.below(systems.records[system].len());
            away.push((system, systems.records[system].swap_remove(index)));
        }
    }
    for number in 0..25 {
        let (from, to) = (some_record(systems, draw), some_record(systems, draw));
        let model = systems.records[from.0][from.1].clone();
        let changed = &mut systems.records[to.0][to.1];
        let key = changed.key.clone();
        *changed = Record { key, ..model };
        if number % 3 == 0 {
            let system = 1 + draw.below(2);
            let prefix = draw.number();
            systems.know(system, draw.clone().pick(&strangers), draw);
            systems.records[system].last_mut().unwrap().key = format!("N-{prefix:016x}");
        }
    }
}

fn some_record(systems: &Systems, draw: &mut Draw) -> (usize, usize) {
    let system = draw.below(3);
    (system, draw.below(systems.records[system].len()))
}

#[test]
fn ids_keep_the_contract_over_a_history_of_changes() {
    let folder = tempfile::tempdir().unwrap();
    let mut systems = Systems::new(120, 21);
    let (mut ledger, mut draw, mut away) = (Ledger::default(), Draw::new(5), Vec::new());
    for revision in 1..=7 {
        let settings = systems.write(folder.path(), &Layout::default());
        rebuild(&settings, 2);
        let snapshot = snapshot(&settings);
        ledger.admit(&snapshot);
        if revision == 1 {
            let found = evaluate(&snapshot, &folder.path().join("truth.csv")).unwrap();
            assert!(
                found.pairwise.f1 > 0.9,
                "these clusters are none: {found:?}"
            );
        }
        change(&mut systems, &mut away, &mut draw);
    }
    for event in ["kept", "merged", "split", "retired", "revived"] {
        assert!(
            ledger.seen.get(event) > Some(&2),
            "hardly any {event}: {:?}",
            ledger.seen
        );
    }
}

/// A graph in which records are one customer if and only if they share an e-mail address.
struct Labelled {
    folder: TempDir,
}

impl Labelled {
    const SETTINGS: &str = r#"
[graph]
namespace = "00000000-0000-0000-0000-00000000005a"
[[source]]
name = "a"
uri = "a.csv"
key = "id"
[source.fields]
email = "email"
[[source]]
name = "b"
uri = "b.csv"
key = "id"
[source.fields]
email = "email"
[[compare]]
field = "email"
levels = ["exact"]
[[rule]]
name = "same address"
when = "email: exact"
[[block]]
on = ["email"]
"#;

    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("sameas.toml"), Self::SETTINGS).unwrap();
        Self { folder }
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("sameas.toml")
    }

    /// Rebuilds over records such as `a1=x b1=x a2=y`: source, key, label.
    fn rebuild(&self, records: &str) -> Snapshot {
        for source in ["a", "b"] {
            let mut text = "id,email\n".to_owned();
            // One record that is always there and never matters keeps the source from being empty.
            writeln!(text, "0,{source}@nowhere.example").unwrap();
            for record in records
                .split_whitespace()
                .filter(|record| record.starts_with(source))
            {
                let (key, label) = record[1..].split_once('=').unwrap();
                writeln!(text, "{key},{label}@somewhere.example").unwrap();
            }
            fs::write(self.folder.path().join(format!("{source}.csv")), text).unwrap();
        }
        rebuild(&self.settings(), 1);
        snapshot(&self.settings())
    }
}

fn id(snapshot: &Snapshot, reference: &str) -> UnifiedId {
    let (source, key) = reference.split_at(1);
    snapshot.lookup(source, key).unwrap().unwrap().entity.id
}

#[test]
fn ids_survive_additions_and_tell_of_merges_and_splits() {
    let graph = Labelled::new();
    let first = graph.rebuild("a1=x b1=x a2=y b2=y a3=z");
    let [x, y, z] = ["a1", "a2", "a3"].map(|reference| id(&first, reference));
    assert_eq!(id(&first, "b1"), x);
    assert!(x != y && y != z && x != z);

    let second = graph.rebuild("a1=x b1=x a2=y b2=y b3=y a3=z a4=w");
    assert_eq!(
        ["a1", "b2", "b3", "a3"].map(|reference| id(&second, reference)),
        [x, y, y, z]
    );
    assert!(![x, y, z].contains(&id(&second, "a4")));

    // The customer y takes over x: it has more references, but x and y are equally old.
    let third = graph.rebuild("a1=y b1=y a2=y b2=y b3=y a4=w");
    let one = id(&third, "a1");
    let (kept, lost) = (x.min(y), x.max(y));
    assert_eq!(one, kept, "of equally old ids the smaller is kept");
    let revision = Revision::new(3);
    assert_eq!(
        third.state_of(lost).unwrap(),
        EntityState::Merged {
            into: kept,
            revision
        }
    );
    assert_eq!(
        third.state_of(z).unwrap(),
        EntityState::Retired { revision }
    );
    assert!(third.lookup("a", "3").unwrap().is_none());
    assert_eq!(
        third.entity_as_of("a", "3", Revision::new(2)).unwrap(),
        Some(z)
    );
    assert_eq!(third.entity_as_of("a", "3", revision).unwrap(), None);

    // What was merged never wakes; what was retired does.
    let fourth = graph.rebuild("a1=x b1=x a2=y b2=y b3=y a3=z a4=w");
    assert_eq!(id(&fourth, "a2"), kept, "most of its references are there");
    let fresh = id(&fourth, "a1");
    assert!(![x, y, z].contains(&fresh));
    assert_eq!(id(&fourth, "a3"), z);
    let told = fourth.history(kept).unwrap().unwrap();
    let mut into = vec![kept, fresh];
    into.sort_unstable();
    assert_eq!(told.last().unwrap().kind, LineageKind::Split { into });
    assert_eq!(
        fourth.history(z).unwrap().unwrap().last().unwrap().kind,
        LineageKind::Revived
    );
    let ids: Vec<_> = (1..=4)
        .map(|r| fourth.entity_as_of("a", "1", Revision::new(r)).unwrap())
        .collect();
    assert_eq!(ids, [Some(x), Some(x), Some(kept), Some(fresh)]);
}

#[test]
fn the_exported_map_agrees_with_lookups() {
    let folder = tempfile::tempdir().unwrap();
    let mut systems = Systems::new(60, 8);
    let settings = systems.write(folder.path(), &Layout::default());
    rebuild(&settings, 2);
    change(&mut systems, &mut Vec::new(), &mut Draw::new(1));
    systems.write(folder.path(), &Layout::default());
    rebuild(&settings, 2);
    let snapshot = snapshot(&settings);
    let ran = sameas(&settings, &["export"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut lines = ran.stdout.lines();
    assert_eq!(lines.next(), Some("source,key,unified_id,since"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), systems.len());
    for row in &rows {
        let located = snapshot.lookup(row[0], row[1]).unwrap().unwrap();
        assert_eq!(located.entity.id.to_string(), row[2]);
        assert_eq!(located.since.to_string(), row[3]);
    }
    for row in rows.iter().step_by(rows.len() / 3) {
        let ran = sameas(&settings, &["lookup", row[0], row[1]]);
        assert_eq!(
            (ran.code, ran.stdout.trim()),
            (Some(0), row[2]),
            "{}",
            ran.stderr
        );
        let as_of = snapshot
            .entity_as_of(row[0], row[1], Revision::FIRST)
            .unwrap();
        let ran = sameas(&settings, &["lookup", row[0], row[1], "--as-of", "1"]);
        let expected = as_of.map(|id| id.to_string()).unwrap_or_default();
        assert_eq!(ran.stdout.trim(), expected, "{}", ran.stderr);
    }
}
