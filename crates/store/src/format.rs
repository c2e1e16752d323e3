//! The snapshot file, byte by byte.
//!
//! One file holds one revision. All numbers are little endian. Nothing in it depends on
//! the clock, the machine, the path or the number of threads: equal graphs give equal bytes.
//!
//! ```text
//!          0 ┌────────────────────────────────────────────┐
//!            │ header, 64 bytes                           │
//!            │   0  magic      "SAMEAS\x1a\n"             │
//!            │   8  version    u32, here 4                │
//!            │  12  sections   u32, here 23               │
//!            │  16  file_len   u64                        │
//!            │  24  checksum   u64, xxh3-64 of header     │
//!            │      (these eight bytes as zero) and table │
//!            │  32  zero       32 bytes                   │
//!         64 ├────────────────────────────────────────────┤
//!            │ section table, 32 bytes a section, by id   │
//!            │   0  id         u32                        │
//!            │   4  zero       u32                        │
//!            │   8  offset     u64, a multiple of 128     │
//!            │  16  len        u64                        │
//!            │  24  checksum   u64, xxh3-64 of its bytes  │
//!            │ zeros up to a multiple of 128              │
//!        896 ├────────────────────────────────────────────┤
//!            │ section 1 … section 23, in id order, each  │
//!            │ followed by zeros up to a multiple of 128  │
//!   file_len └────────────────────────────────────────────┘
//! ```
//!
//! # Slots
//!
//! A *slot* numbers a reference inside one file. Slots list cluster after cluster (in
//! cluster order), and the members of a cluster in node order, so the members of an
//! entity lie side by side and one bit a slot (`marks`: "a cluster starts here") is the
//! whole map between references and clusters. N is the number of references, C of
//! clusters, E of edges, R of distinct revision numbers.
//!
//! # Sections
//!
//! | id | name | content |
//! |---:|---|---|
//! | 1 | `meta` | revision u64, namespace 16 bytes, N u64, C u64, E u64, key bytes u64 |
//! | 2 | `sources` | u32 count; each: name (u32 length, bytes), number of references u64; in byte order of the names |
//! | 3 | `legend` | u16 count of comparisons; each: name, u16 count of levels, each: name, weight i16. u16 count of rules; each: name, kind u8 (0 deterministic, 1 blocking). prior, link, review i16; model u64 |
//! | 4 | `revisions` | u64 × R, ascending: what revision indexes point into |
//! | 5 | `arena` | the groups of cell after cell (see below). A group of 1 to 16 entries: their fingerprints u8, and zeros up to 16 bytes; of each entry how many bytes behind the start of the group it starts u16; the entries one after the other. An entry: a 24-bit number (bits 0-12 source, 13-23 key length), since when it belongs to its entity (revision index), the entity's birth (revision index), the entity's unified id 16 bytes, key bytes |
//! | 6 | `positions` | u40 × N: the offset in `arena` of the entry of each slot |
//! | 7 | `directory` | L = ceil(N / 112) lines, at least one, of 32 bytes and 14 cells: the line's base u32, in units of 256 bytes of `arena`: where its first cell starts, rounded down; of each cell how many bytes behind the base it starts u16, 65,535 if they are that or more. An empty cell starts where the next one does, or `arena` ends |
//! | 8 | `order` | u32 × N: the slot of each node (nodes ascend by source name, then key) |
//! | 9 | `marks` | rank bits over slots: the first member of each cluster |
//! | 10 | `id_table` | u32 × (ceil(4 C / 3) + 1): the first slot of the cluster whose id hashes here; all ones is empty |
//! | 11 | `edge_starts` | u32 × (N + 1): the edges of a slot are `edges[starts[s]..starts[s + 1]]` |
//! | 12 | `edges` | u64 × E at the lower of both slots, ascending by the higher one: slot u32 (bits 0-31), weight i16 (32-47), low half of the kind (48-63) |
//! | 13 | `edge_kinds_high` | u16 × E: upper half of the kind; absent unless there are more than 65,536 kinds |
//! | 14 | `kinds` | 16 bytes: pattern u64, rule u8, decision u8 (0 link, 1 review, link refused: 2 one per source, 3 cannot link, 4 cluster size, 5 weak bridge), zero 6 bytes; numbered by first use in evidence order |
//! | 15 | `incoming` | u32: the edges that join two clusters, by higher slot: found from that end, too |
//! | 16 | `lineage` | 32 bytes an event: entity 16 bytes, revision u64, kind u32 (0 born, 1 merged, 2 split, 3 retired, 4 revived), end of its targets u32; by entity, revision |
//! | 17 | `lineage_targets` | 16 bytes: unified ids that events point to |
//! | 18 | `past_sources` | u32 count; each: name; in byte order |
//! | 19 | `past` | 32 bytes a membership that ended: u64 (offset in `past_keys` 40 bits, source 13 bits, key length 11 bits, from the lowest), ended and began (u32 revision indexes), entity 16 bytes; by source, key, ended, began, entity |
//! | 20 | `past_keys` | key bytes of `past`; neighbours with one key share them |
//! | 21 | `changed` | roaring bitmap (portable form) of the slots whose entity changed in this revision |
//! | 22 | `source_sets` | u64 × (sources + 1) ends, then a roaring bitmap a source: its slots |
//! | 23 | `probes` | u32: how many words of `id_table` a search passes over at most |
//!
//! *Rank bits* over N slots are `ceil(N / 32)` words u64: 32 bits below, and above them
//! how many bits are set in all words before. One load answers "is it set" and "how many
//! before". A *revision index* takes 1 byte if R is at most 256, 2 if at most 65,536, else 4.
//!
//! # Looking a reference up
//!
//! The hash is xxh3-64 of the key, seeded with xxh3-64 of the namespace seeded with the
//! source's number: whoever does not know the namespace cannot aim at one cell. The hash times
//! L is a number of 128 bits: its upper half is the line of the directory, and the upper half
//! of 14 times its lower half is the cell in the line. The cell starts where the line says and
//! ends where the next one starts, or, for the last one, where `arena` ends.
//!
//! The entries of a cell ascend by hash, then source, then key, eight on average, and lie in
//! groups of sixteen, of which the last has what is left; an empty cell has no group. The
//! lowest 8 bits of the hash are the fingerprint (zero becomes one). The bytes of an entry
//! decide, and it tells the entity, too. The directory is small enough to stay in the
//! processor's caches, and all that a group usually takes is fetched together, so there is one
//! wait for memory.
//!
//! A cell that starts too far behind its base (where entries take 580 bytes on average) lies
//! somewhere between the start of the last cell of its line that does not and the start of the
//! next line's first one, or the end of `arena`.
//!
//! # Looking a unified id up
//!
//! The hash is xxh3-64 of the id, seeded with xxh3-64 of the namespace seeded with all ones.
//! The upper half of the hash times the number of words chooses a word of `id_table`; a word in
//! use passes on to the next, from the last to the first. The entity of the slot's entry decides.

use crate::error::CorruptError;

/// The first eight bytes of every snapshot.
pub(crate) const MAGIC: [u8; 8] = *b"SAMEAS\x1a\n";
/// The only version this build reads and writes.
pub(crate) const VERSION: u32 = 4;
/// Bytes before the section table.
pub(crate) const HEADER_LEN: usize = 64;
/// Bytes of one entry of the section table.
pub(crate) const ENTRY_LEN: usize = 32;
/// Bytes before the first section.
pub(crate) const PREFIX_LEN: usize =
    (HEADER_LEN + ENTRY_LEN * Section::COUNT).next_multiple_of(ALIGNMENT as usize);
/// Sections start at multiples of this.
pub(crate) const ALIGNMENT: u64 = 128;
/// The first offset in `past_keys` that an entry of `past` cannot hold.
pub(crate) const PAST_KEYS_LEN_MAX: u64 = 1 << 40;
/// Where the checksum of header and table stands.
const CHECKSUM_AT: usize = 24;

/// Bytes of a unified id.
pub(crate) const ID_LEN: usize = 16;
/// Bytes of an entry of `kinds`.
pub(crate) const KIND_LEN: usize = 16;
/// Bytes of an entry of `lineage`.
pub(crate) const LINEAGE_LEN: usize = 32;
/// Bytes of an entry of `past`.
pub(crate) const PAST_LEN: usize = 32;
/// The most references one file holds; slots above it would collide with "empty".
pub(crate) const REFERENCE_COUNT_MAX: u64 = u32::MAX as u64 - 1;

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Section {
    /// Revision, namespace and counts.
    Meta = 1,
    /// Names of sources and how many references each has.
    Sources,
    /// What levels and rules mean.
    Legend,
    /// Distinct revision numbers.
    Revisions,
    /// References by hash, each with its entity.
    Arena,
    /// From slot to arena entry.
    Positions,
    /// From hashed reference to arena entries.
    Directory,
    /// From node to slot.
    Order,
    /// First members of clusters.
    Marks,
    /// From hashed unified id to first slot.
    IdTable,
    /// Where each slot's edges start.
    EdgeStarts,
    /// Edges.
    Edges,
    /// Upper halves of edge kinds.
    EdgeKindsHigh,
    /// Distinct patterns, rules and decisions.
    Kinds,
    /// Edges between clusters by their higher end.
    Incoming,
    /// Lineage events.
    Lineage,
    /// Ids that lineage events point to.
    LineageTargets,
    /// Source names of ended memberships.
    PastSources,
    /// Ended memberships.
    Past,
    /// Keys of ended memberships.
    PastKeys,
    /// Slots whose entity changed.
    Changed,
    /// Slots of each source.
    SourceSets,
    /// How far a search for a unified id goes.
    Probes,
}

impl Section {
    /// How many sections a file has.
    pub const COUNT: usize = 23;

    /// All sections in file order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Meta,
        Self::Sources,
        Self::Legend,
        Self::Revisions,
        Self::Arena,
        Self::Positions,
        Self::Directory,
        Self::Order,
        Self::Marks,
        Self::IdTable,
        Self::EdgeStarts,
        Self::Edges,
        Self::EdgeKindsHigh,
        Self::Kinds,
        Self::Incoming,
        Self::Lineage,
        Self::LineageTargets,
        Self::PastSources,
        Self::Past,
        Self::PastKeys,
        Self::Changed,
        Self::SourceSets,
        Self::Probes,
    ];

    /// Returns the section's name in the format description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Sources => "sources",
            Self::Legend => "legend",
            Self::Revisions => "revisions",
            Self::Arena => "arena",
            Self::Positions => "positions",
            Self::Directory => "directory",
            Self::Order => "order",
            Self::Marks => "marks",
            Self::IdTable => "id_table",
            Self::EdgeStarts => "edge_starts",
            Self::Edges => "edges",
            Self::EdgeKindsHigh => "edge_kinds_high",
            Self::Kinds => "kinds",
            Self::Incoming => "incoming",
            Self::Lineage => "lineage",
            Self::LineageTargets => "lineage_targets",
            Self::PastSources => "past_sources",
            Self::Past => "past",
            Self::PastKeys => "past_keys",
            Self::Changed => "changed",
            Self::SourceSets => "source_sets",
            Self::Probes => "probes",
        }
    }

    /// Returns the section's number in the file.
    pub(crate) const fn id(self) -> u32 {
        self as u32
    }

    /// Returns the section's position in the table.
    pub(crate) const fn index(self) -> usize {
        self as usize - 1
    }
}

/// Where one section lies and what its bytes hash to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) checksum: u64,
}

impl Entry {
    /// Returns where the section's padding ends.
    pub(crate) fn padded_end(self) -> Option<u64> {
        self.offset
            .checked_add(self.len)?
            .checked_next_multiple_of(ALIGNMENT)
    }
}

/// Header and section table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    entries: [Entry; Section::COUNT],
    file_len: u64,
}

/// Why the first bytes of a file are not those of a snapshot this build reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrefixError {
    /// The magic bytes are missing.
    Foreign,
    /// The version is not ours.
    Version(u32),
    /// The file is longer or shorter than it says.
    Length { expected: u64, found: u64 },
    /// Header or table contradict themselves.
    Corrupt(CorruptError),
}

impl Prefix {
    /// Describes a file of these sections, which lie one after the other.
    pub(crate) fn new(entries: &[Entry; Section::COUNT], file_len: u64) -> Self {
        Self {
            entries: *entries,
            file_len,
        }
    }

    /// Returns where a section lies.
    pub(crate) fn entry(&self, section: Section) -> Entry {
        self.entries
            .get(section.index())
            .copied()
            .unwrap_or_default()
    }

    /// Returns the length of the file.
    pub(crate) fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Returns the bytes before the first section.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PREFIX_LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(Section::COUNT as u32).to_le_bytes());
        bytes.extend_from_slice(&self.file_len.to_le_bytes());
        bytes.resize(HEADER_LEN, 0);
        for (section, entry) in Section::ALL.iter().zip(&self.entries) {
            bytes.extend_from_slice(&section.id().to_le_bytes());
            bytes.extend_from_slice(&0_u32.to_le_bytes());
            bytes.extend_from_slice(&entry.offset.to_le_bytes());
            bytes.extend_from_slice(&entry.len.to_le_bytes());
            bytes.extend_from_slice(&entry.checksum.to_le_bytes());
        }
        bytes.resize(PREFIX_LEN, 0);
        let checksum = prefix_checksum(&bytes);
        if let Some(place) = bytes.get_mut(CHECKSUM_AT..CHECKSUM_AT + 8) {
            place.copy_from_slice(&checksum.to_le_bytes());
        }
        bytes
    }

    /// Reads header and table of a file, and checks all they say about it.
    pub(crate) fn decode(file: &[u8]) -> Result<Self, PrefixError> {
        let found = file.len() as u64;
        if file.get(..MAGIC.len()) != Some(&MAGIC) {
            return Err(PrefixError::Foreign);
        }
        let version = u32_at(file, 8).ok_or(PrefixError::Foreign)?;
        if version != VERSION {
            return Err(PrefixError::Version(version));
        }
        let shortest = PREFIX_LEN as u64;
        let file_len = u64_at(file, 16).ok_or(PrefixError::Length {
            expected: shortest,
            found,
        })?;
        let Some(prefix) = file.get(..PREFIX_LEN) else {
            return Err(PrefixError::Length {
                expected: shortest.max(file_len),
                found,
            });
        };
        if u64_at(prefix, CHECKSUM_AT) != Some(prefix_checksum(prefix)) {
            return Err(corrupt(
                "the checksum of header and section table does not match",
            ));
        }
        if file_len != found {
            return Err(PrefixError::Length {
                expected: file_len,
                found,
            });
        }
        Self::decode_table(prefix, file_len)
    }

    fn decode_table(prefix: &[u8], file_len: u64) -> Result<Self, PrefixError> {
        if u32_at(prefix, 12) != Some(Section::COUNT as u32) {
            return Err(corrupt(
                "the number of sections is not that of this version",
            ));
        }
        let mut entries = [Entry::default(); Section::COUNT];
        let mut end = PREFIX_LEN as u64;
        for (section, entry) in Section::ALL.iter().zip(&mut entries) {
            let at = HEADER_LEN + ENTRY_LEN * section.index();
            let read = |offset| u64_at(prefix, at + offset).unwrap_or_default();
            *entry = Entry {
                offset: read(8),
                len: read(16),
                checksum: read(24),
            };
            if u32_at(prefix, at) != Some(section.id()) || entry.offset != end {
                return Err(corrupt("the section table is not in order"));
            }
            end = match entry.padded_end() {
                Some(next) if next <= file_len => next,
                _ => return Err(corrupt("a section ends after the file")),
            };
        }
        if end != file_len {
            return Err(corrupt("bytes follow the last section"));
        }
        Ok(Self { entries, file_len })
    }

    /// Returns the checksum that stands in an encoded prefix; it covers the whole file,
    /// because it covers the checksum of each section.
    pub(crate) fn checksum(file: &[u8]) -> u64 {
        u64_at(file, CHECKSUM_AT).unwrap_or_default()
    }
}

/// Counts and bounds that all other sections are measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) revision: u64,
    pub(crate) namespace: [u8; ID_LEN],
    pub(crate) reference_count: u32,
    pub(crate) cluster_count: u32,
    pub(crate) edge_count: u32,
    pub(crate) key_bytes: u64,
}

impl Meta {
    /// Bytes of the section.
    pub(crate) const LEN: usize = 56;

    /// Returns the section's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.extend_from_slice(&self.revision.to_le_bytes());
        bytes.extend_from_slice(&self.namespace);
        for count in [self.reference_count, self.cluster_count, self.edge_count] {
            bytes.extend_from_slice(&u64::from(count).to_le_bytes());
        }
        bytes.extend_from_slice(&self.key_bytes.to_le_bytes());
        bytes
    }

    /// Reads the section.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::LEN {
            return None;
        }
        let count = |at| u64_at(bytes, at).and_then(|count| u32::try_from(count).ok());
        let reference_count = count(24)?;
        Some(Self {
            revision: u64_at(bytes, 0)?,
            namespace: bytes.get(8..8 + ID_LEN)?.try_into().ok()?,
            reference_count: Some(reference_count)
                .filter(|&n| u64::from(n) <= REFERENCE_COUNT_MAX)?,
            cluster_count: count(32).filter(|&clusters| clusters <= reference_count)?,
            edge_count: count(40)?,
            key_bytes: u64_at(bytes, 48)?,
        })
    }
}

/// Returns how many bytes a revision index takes.
pub(crate) fn index_width(revision_count: usize) -> usize {
    match revision_count {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

/// Reads a number, or nothing if the bytes end before it.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Reads a number, or nothing if the bytes end before it.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Reads a number, or nothing if the bytes end before it.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn prefix_checksum(prefix: &[u8]) -> u64 {
    let mut bytes = prefix.to_vec();
    if let Some(place) = bytes.get_mut(CHECKSUM_AT..CHECKSUM_AT + 8) {
        place.fill(0);
    }
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

fn corrupt(what: &'static str) -> PrefixError {
    PrefixError::Corrupt(CorruptError::new("section table", 0, what))
}
