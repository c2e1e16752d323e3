//! Where references lie: what is found, and what verification says of other places.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::group_lens;
use crate::arena::{GROUP_LEN, GroupBuilder};
use crate::directory::{Cell, DirectoryBuilder};
use crate::fixture::{OnDisk, numbered, on_disk, plain, small};
use crate::format::{Entry, PREFIX_LEN, Prefix, Section};
use crate::key_hash::KeyHash;
use crate::positions::{POSITION_LEN, encode};
use crate::reader::Snapshot;

/// Keys of every length that is told apart anywhere, few and many long ones.
fn keys(long: u32) -> impl Strategy<Value = BTreeSet<String>> {
    let lens = prop_oneof![
        20 => 1_usize..40,
        long => prop_oneof![Just(999), Just(1_000), Just(1_024)],
    ];
    let key = (lens, any::<u32>()).prop_map(|(len, number)| {
        let digits = number.to_string();
        digits.chars().cycle().take(len).collect()
    });
    prop::collection::btree_set(key, 0..700)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn each_reference_is_found_and_no_other(
        sources in prop::collection::vec(prop_oneof![keys(1), keys(60)], 1..4),
        absent in keys(5),
    ) {
        let names = ["crm", "desk", "shop"].map(str::to_owned);
        let keys: BTreeMap<String, BTreeSet<String>> = names.into_iter().zip(sources).collect();
        let count = keys.values().map(BTreeSet::len).sum::<usize>() as u32;
        let graph = plain(&keys, &(0..count).collect::<Vec<_>>());
        let disk = on_disk(&graph);
        disk.snapshot.verify().unwrap();
        let pairs = keys.iter().flat_map(|(source, keys)| keys.iter().map(move |key| (source, key)));
        let known: BTreeMap<_, _> = pairs.zip(graph.entities.iter().map(|entity| entity.id)).collect();
        let asked = keys.keys().flat_map(|source| absent.iter().map(move |key| (source, key)));
        let asked: Vec<(&str, &str)> = asked
            .chain(known.keys().copied())
            .map(|(source, key)| (source.as_str(), key.as_str()))
            .collect();
        let found = disk.snapshot.lookup_many(&asked).unwrap();
        for (&(source, key), found) in asked.iter().zip(found) {
            let expected = known.get(&(&source.to_owned(), &key.to_owned())).copied();
            prop_assert_eq!(found.map(|located| located.entity.id), expected);
            prop_assert_eq!(disk.snapshot.lookup(source, key).unwrap(), found);
        }
    }
}

/// Enough references that some cells take two groups, and many groups have equal fingerprints.
#[test]
fn references_of_full_cells_and_of_equal_fingerprints_are_found() {
    let count = 60_000;
    let disk = on_disk(&numbered(&(0..count).collect::<Vec<_>>()));
    let snapshot = &disk.snapshot;
    snapshot.verify().unwrap();
    let full = group_lens(snapshot)
        .iter()
        .filter(|&&len| len == GROUP_LEN)
        .count();
    assert!(full > 10, "{full}");
    let source = snapshot.source_handle("crm").unwrap();
    let mut later = 0;
    for number in 0..count {
        let key = format!("k{number:05}");
        let found = snapshot.lookup_in(source, &key).unwrap().unwrap();
        assert_eq!(snapshot.member(found.member).unwrap().key, key);
        let hash = KeyHash::new(source.seed, key.as_bytes());
        let group = snapshot.directory().start(hash).unwrap();
        let first = snapshot.arena().first_match(group, hash, 0, key.as_bytes());
        if let Ok(found) = first {
            assert!(found.is_some());
        }
        later += usize::from(first.is_err());
        let absent = format!("K{number:05}");
        assert_eq!(snapshot.lookup_in(source, &absent).unwrap(), None);
    }
    // One in a hundred or so is not the first of its fingerprint.
    assert!((300..3_000).contains(&later), "{later}");
}

#[test]
fn a_graph_of_one_reference_knows_it() {
    let disk = on_disk(&numbered(&[0]));
    disk.snapshot.verify().unwrap();
    assert!(disk.snapshot.lookup("crm", "k00000").unwrap().is_some());
    assert_eq!(disk.snapshot.lookup("crm", "k00001").unwrap(), None);
}

/// The bytes of each section, to be changed and written again.
struct Forger {
    disk: OnDisk,
    sections: Vec<Vec<u8>>,
}

impl Forger {
    fn of(disk: OnDisk) -> Self {
        let sections = Section::ALL.map(|section| disk.snapshot.bytes(section).to_vec());
        Self {
            disk,
            sections: sections.into(),
        }
    }

    fn bytes(&mut self, section: Section) -> &mut Vec<u8> {
        &mut self.sections[section.index()]
    }

    /// Writes a file of these sections with right checksums, and opens it.
    fn open(&self) -> Snapshot {
        let mut entries = [Entry::default(); Section::COUNT];
        let mut file = vec![0; PREFIX_LEN];
        for (entry, bytes) in entries.iter_mut().zip(&self.sections) {
            *entry = Entry {
                offset: file.len() as u64,
                len: bytes.len() as u64,
                checksum: xxhash_rust::xxh3::xxh3_64(bytes),
            };
            file.extend_from_slice(bytes);
            file.resize(file.len().next_multiple_of(128), 0);
        }
        let prefix = Prefix::new(&entries, file.len() as u64).encode();
        file[..PREFIX_LEN].copy_from_slice(&prefix);
        let path = self.disk.path.with_extension("forged");
        std::fs::write(&path, file).unwrap();
        Snapshot::open(&path).unwrap()
    }

    /// Writes the references again, in another order inside of cells or in other groups.
    fn regroup(&mut self, group_len: usize, reversed: bool) {
        let snapshot = self.disk.snapshot.clone();
        let line_count = snapshot.directory().lines().len();
        let mut entries: Vec<_> = (0..snapshot.meta().reference_count)
            .map(|slot| {
                let entry = snapshot.entry(slot).unwrap().1;
                let seed = snapshot.seeds()[usize::from(entry.source)];
                (KeyHash::new(seed, entry.key), slot, entry)
            })
            .collect();
        entries.sort_unstable_by_key(|&(hash, ..)| hash);
        let cell = |hash| Cell::of(hash, line_count);
        let mut directory = DirectoryBuilder::new(entries.len() as u64);
        let mut group = GroupBuilder::default();
        let mut arena = Vec::new();
        for entries in entries.chunk_by_mut(|a, b| cell(a.0) == cell(b.0)) {
            if reversed {
                entries.reverse();
            }
            directory.start(cell(entries[0].0), arena.len() as u64);
            for entries in entries.chunks(group_len) {
                group.clear();
                for (hash, _, entry) in entries {
                    group.push(*hash, entry, 1);
                }
                for ((_, slot, _), start) in entries.iter().zip(group.starts()) {
                    let place = *slot as usize * POSITION_LEN..(*slot as usize + 1) * POSITION_LEN;
                    let position = encode(arena.len() as u64 + start);
                    self.bytes(Section::Positions)[place].copy_from_slice(&position);
                }
                arena.extend(group.parts().concat());
            }
        }
        let lines = directory.finish(arena.len() as u64);
        *self.bytes(Section::Arena) = arena;
        *self.bytes(Section::Directory) = bytemuck::cast_slice(&lines).to_vec();
    }
}

fn complaint(forger: &Forger) -> String {
    forger.open().verify().unwrap_err().to_string()
}

#[test]
fn entries_in_another_order_or_in_more_groups_are_noticed() {
    let mut forger = Forger::of(on_disk(&small()));
    let good = forger.sections.clone();
    assert!(group_lens(&forger.disk.snapshot).iter().any(|&len| len > 1));
    forger.regroup(GROUP_LEN, false);
    assert!(forger.sections == good);
    forger.open().verify().unwrap();
    forger.regroup(GROUP_LEN, true);
    assert!(complaint(&forger).contains("is not in order"));
    forger.regroup(1, false);
    assert!(complaint(&forger).contains("follows one of its cell that has room"));
}

/// Bytes of the first group of the small graph's arena, by what they say.
#[test]
fn each_byte_of_a_group_is_checked() {
    let mut forger = Forger::of(on_disk(&small()));
    let good = forger.sections.clone();
    let snapshot = forger.disk.snapshot.clone();
    let group = snapshot.group_at(0).unwrap();
    let entry = group.entries_start() as usize;
    for (offset, what) in [
        (0, "has another fingerprint"),
        (group.count, "its group leads elsewhere"),
        (GROUP_LEN - 1, "no group starts here"),
        (GROUP_LEN, "its group leads elsewhere"),
        (entry, ""),
        (entry + 1, ""),
        (entry + 3, "points to no revision"),
        (entry + 4, "points to no revision"),
        (entry + 5, ""),
        (entry + 20, ""),
        (entry + 21, ""),
    ] {
        forger.bytes(Section::Arena)[offset] ^= 0xa5;
        let said = complaint(&forger);
        assert!(said.contains(what), "{offset}: {said}");
        forger.sections.clone_from(&good);
    }
}

#[test]
fn members_that_do_not_agree_on_their_entity_are_noticed() {
    let mut forger = Forger::of(on_disk(&small()));
    let good = forger.sections.clone();
    // Slot 1 is no first one.
    let entry = forger.disk.snapshot.entry(1).unwrap().0 as usize;
    for offset in [4, 5, 20] {
        forger.bytes(Section::Arena)[entry + offset] ^= 1;
        let said = complaint(&forger);
        assert!(
            said.contains("members of one cluster belong to two entities"),
            "{offset}: {said}"
        );
        forger.sections.clone_from(&good);
    }
}

#[test]
fn positions_that_lead_to_no_entry_or_to_one_twice_are_noticed() {
    let mut forger = Forger::of(on_disk(&small()));
    let good = forger.sections.clone();
    let first = good[Section::Positions.index()][..POSITION_LEN].to_vec();
    forger.bytes(Section::Positions)[POSITION_LEN..2 * POSITION_LEN].copy_from_slice(&first);
    assert!(complaint(&forger).contains("its entry is none of its own"));
    for position in [1, u64::from(u32::MAX), (1 << 40) - 1] {
        forger.sections.clone_from(&good);
        forger.bytes(Section::Positions)[..POSITION_LEN].copy_from_slice(&encode(position));
        assert!(forger.open().verify().is_err(), "{position}");
    }
    // Two members of one cluster in each other's place.
    forger.sections.clone_from(&good);
    forger.bytes(Section::Positions)[..2 * POSITION_LEN].rotate_left(POSITION_LEN);
    assert!(forger.open().verify().is_err());
}

#[test]
fn each_byte_of_the_directory_is_checked() {
    let mut forger = Forger::of(on_disk(&small()));
    for offset in 0..forger.bytes(Section::Directory).len() {
        forger.bytes(Section::Directory)[offset] ^= 1;
        let said = complaint(&forger);
        assert!(
            said.contains("directory, item 0: leads astray"),
            "{offset}: {said}"
        );
        forger.bytes(Section::Directory)[offset] ^= 1;
    }
}

/// Long keys fill a line so that most of its cells start too far from its base to tell.
#[test]
fn a_line_of_long_keys_leads_to_each_of_them() {
    let keys: BTreeSet<String> = (0..112).map(|number| format!("{number:01024}")).collect();
    let sources = BTreeMap::from([("crm".to_owned(), keys.clone())]);
    let disk = on_disk(&plain(&sources, &(0..112).collect::<Vec<_>>()));
    disk.snapshot.verify().unwrap();
    let source = disk.snapshot.source_handle("crm").unwrap();
    let is_far = |key: &&String| {
        let hash = KeyHash::new(source.seed, key.as_bytes());
        disk.snapshot.directory().start(hash).is_none()
    };
    assert!(keys.iter().filter(is_far).count() > 30);
    for key in &keys {
        let found = disk.snapshot.lookup("crm", key).unwrap().unwrap();
        assert_eq!(disk.snapshot.member(found.member).unwrap().key, key);
    }
    assert_eq!(
        disk.snapshot.lookup("crm", &"0".repeat(1_023)).unwrap(),
        None
    );
}
