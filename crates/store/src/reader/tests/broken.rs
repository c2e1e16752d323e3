//! Files that were cut, flipped or forged.

use std::hint::black_box;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use sameas_graph::Revision;
use xxhash_rust::xxh3::xxh3_64;

use super::{Member, Snapshot};
use crate::error::OpenError;
use crate::fixture::{OnDisk, bytes_of, graphs, id, on_disk, small};
use crate::format::{ENTRY_LEN, HEADER_LEN, PREFIX_LEN, Section};

/// Takes an answer or an error.
fn asked<T>(answer: T) {
    black_box(answer);
}

/// Asks a snapshot everything; answers and errors are both fine, panics are not.
fn ask_everything(snapshot: &Snapshot) {
    let count = snapshot.reference_count().min(64) as u32;
    let first = snapshot.member_at(0).unwrap_or(Member(0));
    let members = (0..count).filter_map(|slot| snapshot.member_at(slot).ok());
    for member in members.chain([Member(0), Member(u64::MAX)]) {
        asked(snapshot.member(member));
        asked(snapshot.evidence_of(member));
        asked(snapshot.cluster_evidence(member));
        asked(snapshot.evidence_between(member, first));
        asked(snapshot.strongest_path(first, member));
        if let Ok(view) = snapshot.entity_of(member) {
            asked(view.members().take(100).collect::<Vec<_>>());
        }
    }
    let names: Vec<String> = snapshot
        .sources()
        .iter()
        .map(|source| source.name.clone())
        .collect();
    for source in &names {
        for key in ["C-1", "C-2", "C-3", "C-4", "\u{0}", "9", "10", "é", "none"] {
            asked(snapshot.lookup(source, key));
            asked(snapshot.lookup_many(&[(source, key), ("none", key)]));
            asked(snapshot.past_memberships(source, key));
            asked(snapshot.entity_as_of(source, key, Revision::new(3)));
        }
    }
    asked(snapshot.past_memberships("closed", "9"));
    for number in [0, 1, 2, 3, 100, 101, 102, 200] {
        asked(
            snapshot
                .entity(id(number))
                .map(|view| view.map(|view| view.members().count())),
        );
        asked(snapshot.history(id(number)));
        asked(snapshot.current_ids(id(number)));
    }
    asked(snapshot.rows().collect::<Vec<_>>());
    asked(snapshot.changed_set());
    (0..=names.len()).for_each(|source| asked(snapshot.source_set(source as u16)));
    asked(snapshot.load());
    asked(snapshot.size_breakdown().to_string());
}

/// Writes bytes over a file that no snapshot maps any more.
fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

fn is_refused(path: &Path) -> bool {
    match Snapshot::open(path) {
        Err(_) => true,
        Ok(snapshot) => {
            ask_everything(&snapshot);
            snapshot.verify().is_err()
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let OnDisk {
        snapshot,
        path,
        _folder,
    } = on_disk(&small());
    drop(snapshot);
    let good = std::fs::read(&path).unwrap();
    let mut bytes = good.clone();
    for at in 0..good.len() {
        // All bits where positions and lengths stand, two of every other byte.
        let bits = if at < PREFIX_LEN {
            0..8
        } else {
            at % 7..at % 7 + 2
        };
        for bit in bits {
            bytes[at] ^= 1 << bit;
            put(&path, &bytes);
            assert!(is_refused(&path), "bit {bit} of byte {at}");
            bytes[at] = good[at];
        }
    }
}

#[test]
fn every_truncated_or_grown_file_is_refused_when_opened() {
    let OnDisk {
        snapshot,
        path,
        _folder,
    } = on_disk(&small());
    drop(snapshot);
    let good = std::fs::read(&path).unwrap();
    for len in 0..good.len() {
        put(&path, &good[..len]);
        let error = Snapshot::open(&path).unwrap_err();
        let expected = matches!(error, OpenError::Length { .. })
            || matches!(error, OpenError::NotASnapshot { .. });
        assert!(expected, "{len}: {error}");
    }
    let mut longer = good.clone();
    longer.push(0);
    put(&path, &longer);
    assert!(matches!(
        Snapshot::open(&path),
        Err(OpenError::Length { .. })
    ));
}

/// Sets checksums right again, as a forger would.
fn seal(bytes: &mut [u8]) {
    for section in Section::ALL {
        let at = HEADER_LEN + ENTRY_LEN * section.index();
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        let (offset, len) = (number(at + 8), number(at + 16));
        if let Some(content) = offset
            .checked_add(len)
            .and_then(|end| bytes.get(offset..end))
        {
            let checksum = xxh3_64(content).to_le_bytes();
            bytes[at + 24..at + 32].copy_from_slice(&checksum);
        }
    }
    bytes[24..32].fill(0);
    let checksum = xxh3_64(&bytes[..PREFIX_LEN]).to_le_bytes();
    bytes[24..32].copy_from_slice(&checksum);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn a_forged_file_never_causes_a_panic(
        graph in prop_oneof![Just(small()), graphs()],
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        words in prop::collection::vec((any::<Index>(), any::<u64>()), 0..2),
    ) {
        let OnDisk { snapshot, path, _folder } = on_disk(&graph);
        drop(snapshot);
        let mut bytes = bytes_of(&graph);
        for (at, value) in changes {
            let at = 32 + at.index(bytes.len() - 32);
            bytes[at] = value;
        }
        for (at, value) in words {
            let at = (32 + at.index(bytes.len() - 40)) / 8 * 8;
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        seal(&mut bytes);
        put(&path, &bytes);
        if let Ok(snapshot) = Snapshot::open(&path) {
            asked(snapshot.verify());
            ask_everything(&snapshot);
        }
    }
}

/// One change to each section that leaves all checksums right, and contradicts the rest.
#[test]
fn verification_notices_what_checksums_cannot() {
    let OnDisk {
        snapshot,
        path,
        _folder,
    } = on_disk(&small());
    let places: Vec<(Section, usize, usize)> = Section::ALL
        .into_iter()
        .map(|section| {
            let entry = snapshot.prefix().entry(section);
            (section, entry.offset as usize, entry.len as usize)
        })
        .collect();
    drop(snapshot);
    let good = std::fs::read(&path).unwrap();
    for (section, offset, len) in places {
        // What these say is free: no other section repeats it.
        let free = [
            Section::Legend,
            Section::EdgeKindsHigh,
            Section::LineageTargets,
            Section::PastKeys,
            Section::Changed,
        ];
        if free.contains(&section) {
            continue;
        }
        let mut bytes = good.clone();
        let target = match section {
            // The counts come after revision and namespace.
            Section::Meta => offset + 24,
            // The last revision, name or id could be any larger one.
            Section::Revisions | Section::PastSources | Section::Past => offset,
            _ => offset + len - 1,
        };
        bytes[target] ^= 0x55;
        seal(&mut bytes);
        put(&path, &bytes);
        let refused = Snapshot::open(&path).map_or(true, |snapshot| snapshot.verify().is_err());
        assert!(refused, "{}", section.name());
    }
}

#[test]
fn other_files_and_other_formats_are_named() {
    let OnDisk {
        snapshot,
        path,
        _folder,
    } = on_disk(&small());
    drop(snapshot);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = 3;
    put(&path, &bytes);
    let error = Snapshot::open(&path).unwrap_err();
    assert!(
        matches!(
            error,
            OpenError::UnknownFormat {
                found: 3,
                known: 4,
                ..
            }
        ),
        "{error}"
    );
    put(&path, b"id,name\n1,x\n");
    assert!(matches!(
        Snapshot::open(&path),
        Err(OpenError::NotASnapshot { .. })
    ));
    let missing = path.with_file_name("missing");
    assert!(matches!(
        Snapshot::open(&missing),
        Err(OpenError::Io { .. })
    ));
    assert!(matches!(
        Snapshot::open(path.parent().unwrap()),
        Err(OpenError::Io { .. })
    ));
}

#[test]
fn an_edge_that_leads_to_no_reference_is_an_error() {
    let OnDisk {
        snapshot,
        path,
        _folder,
    } = on_disk(&small());
    let offset = snapshot.prefix().entry(Section::Edges).offset as usize;
    drop(snapshot);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[offset..offset + 4].copy_from_slice(&8_u32.to_le_bytes());
    seal(&mut bytes);
    put(&path, &bytes);
    let snapshot = Snapshot::open(&path).unwrap();
    let first = snapshot.member_at(0).unwrap();
    assert!(snapshot.cluster_evidence(first).is_err());
    assert!(snapshot.evidence_of(first).is_err());
}

/// Opens the small graph with some bytes of a section changed and all checksums made right.
fn forged(section: Section, changes: &[(usize, &[u8])], ask: impl FnOnce(&Snapshot)) {
    let OnDisk {
        snapshot,
        path,
        _folder,
    } = on_disk(&small());
    let start = snapshot.prefix().entry(section).offset as usize;
    drop(snapshot);
    let mut bytes = std::fs::read(&path).unwrap();
    for (offset, change) in changes {
        let at = start + offset;
        assert_ne!(&bytes[at..at + change.len()], *change);
        bytes[at..at + change.len()].copy_from_slice(change);
    }
    seal(&mut bytes);
    put(&path, &bytes);
    ask(&Snapshot::open(&path).unwrap());
}

#[test]
fn an_id_that_leads_to_no_cluster_is_an_error() {
    let snapshot = on_disk(&small());
    let first = snapshot.snapshot.member_at(0).unwrap();
    let known = snapshot.snapshot.entity_of(first).unwrap();
    let known = known.entity().id;
    let len = snapshot.snapshot.prefix().entry(Section::IdTable).len as usize;
    // Slot 8 is none of the eight, and slot 1 is no first one.
    for slot in [8_u32, 1] {
        let words = slot.to_le_bytes().repeat(len / 4);
        forged(Section::IdTable, &[(0, &words)], |snapshot| {
            assert!(snapshot.entity(known).is_err(), "{slot}");
            assert!(snapshot.verify().is_err(), "{slot}");
        });
    }
}

#[test]
fn a_legend_that_no_pattern_can_hold_is_refused() {
    let mut graph = small();
    let comparison = graph.legend.comparisons[0].clone();
    graph.legend.comparisons = vec![comparison; 17];
    let written = crate::write_snapshot(&graph, &mut std::io::Cursor::new(Vec::new()));
    assert!(written.is_err());
    let bytes = crate::codec::encode_legend(&graph.legend);
    assert_eq!(crate::codec::decode_legend(&bytes), None);
}
