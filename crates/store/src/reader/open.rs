//! Opening a snapshot: checks of all lengths, none of what lies in between.

use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::source_names::SourceNames;
use super::{HotSections, Inner, Snapshot, SourceHandle, revision_index_width};
use crate::arena::len_bounds;
use crate::codec::{SourceSummary, decode_legend, decode_names, decode_sources};
use crate::directory::{ARENA_LEN_MAX, Line, line_count};
use crate::error::{CorruptError, OpenError};
use crate::format::{
    Entry, ID_LEN, KIND_LEN, LINEAGE_LEN, Meta, PAST_LEN, PREFIX_LEN, Prefix, PrefixError, Section,
    VERSION,
};
use crate::key_hash::KeyHash;
use crate::map::Map;
use crate::positions::POSITION_LEN;
use crate::{id_table, rank_bits};

impl Snapshot {
    /// Opens a snapshot; takes milliseconds at any size, because only header, section table
    /// and the small sections are read.
    ///
    /// # Errors
    /// Refuses what is no snapshot, has an unknown format, was cut, or contradicts itself.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let io = |cause| OpenError::Io {
            path: path.to_owned(),
            cause,
        };
        let len = std::fs::metadata(path).map_err(io)?.len();
        if len == 0 {
            // An empty file cannot be mapped.
            let expected = PREFIX_LEN as u64;
            return Err(OpenError::Length {
                path: path.to_owned(),
                expected,
                found: 0,
            });
        }
        let map = Map::open(path).map_err(io)?;
        let prefix = Prefix::decode(map.bytes()).map_err(|error| explain(path, error))?;
        let inner = read_small_sections(map, &prefix).map_err(|cause| OpenError::Corrupt {
            path: path.to_owned(),
            cause,
        })?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }
}

fn explain(path: &Path, error: PrefixError) -> OpenError {
    let path = path.to_owned();
    match error {
        PrefixError::Foreign => OpenError::NotASnapshot { path },
        PrefixError::Version(found) => OpenError::UnknownFormat {
            path,
            found,
            known: VERSION,
        },
        PrefixError::Length { expected, found } => OpenError::Length {
            path,
            expected,
            found,
        },
        PrefixError::Corrupt(cause) => OpenError::Corrupt { path, cause },
    }
}

fn read_small_sections(map: Map, prefix: &Prefix) -> Result<Inner, CorruptError> {
    let decoded = |section: Section| CorruptError::at(section, 0, "cannot be decoded");
    let small = |section| checked_bytes(map.bytes(), prefix, section);
    let meta = Meta::decode(small(Section::Meta)?).ok_or_else(|| decoded(Section::Meta))?;
    let sources =
        decode_sources(small(Section::Sources)?).ok_or_else(|| decoded(Section::Sources))?;
    let legend = decode_legend(small(Section::Legend)?).ok_or_else(|| decoded(Section::Legend))?;
    let past_sources =
        decode_names(small(Section::PastSources)?).ok_or_else(|| decoded(Section::PastSources))?;
    check_counts(&meta, &sources)?;
    check_lengths(prefix, &meta, sources.len())?;
    let id_probe_max = decode_probes(&meta, small(Section::Probes)?)?;
    let seeds: Vec<u64> = (0..sources.len() as u16)
        .map(|source| KeyHash::seed(&meta.namespace, source))
        .collect();
    let mut source_names = SourceNames::with_room_for(sources.len());
    for ((source, &seed), index) in sources.iter().zip(&seeds).zip(0..) {
        source_names.add(&source.name, SourceHandle { index, seed });
    }
    let index_width = revision_index_width(prefix.entry(Section::Revisions).len);
    let hot = find_hot_sections(&map, prefix).ok_or(CorruptError::at(
        Section::Arena,
        0,
        "a section is not where it should be",
    ))?;
    Ok(Inner {
        map,
        prefix: *prefix,
        meta,
        id_probe_max,
        sources,
        seeds,
        source_names,
        legend,
        past_sources,
        index_width,
        hot,
    })
}

fn find_hot_sections(map: &Map, prefix: &Prefix) -> Option<HotSections> {
    let range = |section: Section| {
        let Entry { offset, len, .. } = prefix.entry(section);
        offset as usize..(offset + len) as usize
    };
    Some(HotSections {
        arena: map.slice(range(Section::Arena))?,
        positions: map.slice(range(Section::Positions))?,
        directory: map.slice(range(Section::Directory))?,
        marks: map.slice(range(Section::Marks))?,
        revisions: map.slice(range(Section::Revisions))?,
    })
}

/// Returns the bytes of a section whose checksum matches.
fn checked_bytes<'a>(
    file: &'a [u8],
    prefix: &Prefix,
    section: Section,
) -> Result<&'a [u8], CorruptError> {
    let Entry {
        offset,
        len,
        checksum,
    } = prefix.entry(section);
    let bytes = file
        .get(offset as usize..(offset + len) as usize)
        .unwrap_or_default();
    if xxh3_64(bytes) == checksum {
        Ok(bytes)
    } else {
        Err(CorruptError::at(section, 0, "its checksum does not match"))
    }
}

fn check_counts(meta: &Meta, sources: &[SourceSummary]) -> Result<(), CorruptError> {
    let sum = sources
        .iter()
        .try_fold(0_u64, |sum, s| sum.checked_add(s.reference_count));
    if sum != Some(u64::from(meta.reference_count)) {
        return Err(CorruptError::at(
            Section::Sources,
            0,
            "counts do not add up",
        ));
    }
    if sources.len() > sameas_graph::SOURCE_COUNT_MAX {
        return Err(CorruptError::at(Section::Sources, 0, "there are too many"));
    }
    Ok(())
}

/// Checks the length of each section against the counts.
fn check_lengths(prefix: &Prefix, meta: &Meta, source_count: usize) -> Result<(), CorruptError> {
    let references = u64::from(meta.reference_count);
    let clusters = u64::from(meta.cluster_count);
    let edges = u64::from(meta.edge_count);
    let bits = 8 * rank_bits::word_count(meta.reference_count) as u64;
    let len = |section: Section| prefix.entry(section).len;
    let width = revision_index_width(len(Section::Revisions));
    let arena = len_bounds(references, meta.key_bytes, width);
    let arena_fits = arena.is_some_and(|(shortest, longest)| {
        (shortest..=longest.min(ARENA_LEN_MAX)).contains(&len(Section::Arena))
    });
    holds(Section::Arena, arena_fits)?;
    let words = id_table::word_count(clusters);
    for (section, expected) in [
        (Section::Positions, POSITION_LEN as u64 * references),
        (
            Section::Directory,
            size_of::<Line>() as u64 * line_count(references),
        ),
        (Section::Order, 4 * references),
        (Section::Marks, bits),
        (Section::IdTable, 4 * words),
        (Section::EdgeStarts, 4 * (references + 1)),
        (Section::Edges, 8 * edges),
    ] {
        holds(section, len(section) == expected)?;
    }
    let high = len(Section::EdgeKindsHigh);
    holds(Section::EdgeKindsHigh, high == 0 || high == 2 * edges)?;
    for (section, step) in [
        (Section::Revisions, 8),
        (Section::Kinds, KIND_LEN as u64),
        (Section::Incoming, 4),
        (Section::Lineage, LINEAGE_LEN as u64),
        (Section::LineageTargets, ID_LEN as u64),
        (Section::Past, PAST_LEN as u64),
    ] {
        holds(section, len(section).is_multiple_of(step))?;
    }
    holds(
        Section::SourceSets,
        len(Section::SourceSets) >= 8 * (source_count as u64 + 1),
    )
}

/// Returns how far a search for an id goes at most, which is not over more than there is.
fn decode_probes(meta: &Meta, bytes: &[u8]) -> Result<u32, CorruptError> {
    let words = id_table::word_count(u64::from(meta.cluster_count));
    let id_max = bytes.try_into().ok().map(u32::from_le_bytes);
    let id_max = id_max.filter(|&id_max| u64::from(id_max) < words);
    id_max.ok_or_else(|| wrong_bound(Section::Probes))
}

fn holds(section: Section, holds: bool) -> Result<(), CorruptError> {
    if holds {
        Ok(())
    } else {
        Err(wrong_bound(section))
    }
}

fn wrong_bound(section: Section) -> CorruptError {
    CorruptError::at(section, 0, "has the wrong length or bound")
}
