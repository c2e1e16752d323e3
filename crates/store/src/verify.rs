//! Every byte and every rule of a snapshot, checked.

use roaring::RoaringBitmap;
use sameas_graph::KEY_LEN_MAX;

use crate::arena::{ArenaEntry, GROUP_LEN, fingerprint};
use crate::directory::{Cell, DirectoryBuilder};
use crate::edge::EdgeKind;
use crate::error::{CorruptError, VerifyError};
use crate::format::{Entry, ID_LEN, KIND_LEN, LINEAGE_LEN, Section, u32_at};
use crate::key_hash::KeyHash;
use crate::reader::{Snapshot, Step, WalkOrder, is_intact};

/// What the arena has been found to hold so far.
struct ArenaChecker<'s> {
    snapshot: &'s Snapshot,
    last: Option<(KeyHash, u16, &'s [u8])>,
    /// The cell of the last group, and how many entries that group has.
    last_group: Option<(Cell, usize)>,
    directory: DirectoryBuilder,
    starts: EntryStarts,
}

impl ArenaChecker<'_> {
    /// Checks the group at an offset, and returns where the next one starts.
    fn check_group(&mut self, offset: u64) -> Result<u64, CorruptError> {
        let arena = self.snapshot.arena();
        let group = self.snapshot.group_at(offset)?;
        let mut end = group.entries_start();
        for at in 0..group.count {
            let holds = |holds, what| self::holds(Section::Arena, end, holds, what);
            holds(group.start(at) == Some(end), "its group leads elsewhere")?;
            let entry = self.snapshot.entry_at(end)?;
            let hash = self.snapshot.hash_of(&entry, end)?;
            let told = group
                .matches(fingerprint(hash))
                .any(|match_at| match_at == at);
            holds(told, "has another fingerprint")?;
            let this = Some((hash, entry.source, entry.key));
            holds(self.last < this, "is not in order")?;
            self.last = this;
            let cell = Cell::of(hash, self.directory.line_count());
            if at == 0 {
                self.start_group(cell, group.count, offset)?;
            }
            let same = self.last_group.is_some_and(|(other, _)| other == cell);
            holds(same, "is in a group of another cell")?;
            self.starts.insert(end);
            end += arena.entry_len(entry.key);
        }
        Ok(end)
    }

    fn start_group(&mut self, cell: Cell, count: usize, offset: u64) -> Result<(), CorruptError> {
        match self.last_group {
            Some((last, last_count)) if last == cell => {
                let what = "follows one of its cell that has room";
                holds(Section::Arena, offset, last_count == GROUP_LEN, what)?;
            }
            _ => self.directory.start(cell, offset),
        }
        self.last_group = Some((cell, count));
        Ok(())
    }
}

/// Where entries start in an arena: a bit a byte.
struct EntryStarts {
    bits: Vec<u64>,
    count: u64,
}

impl EntryStarts {
    fn new(arena_len: u64) -> Self {
        Self {
            bits: vec![0; arena_len.div_ceil(64) as usize],
            count: 0,
        }
    }

    fn insert(&mut self, offset: u64) {
        if let Some(word) = self.bits.get_mut((offset / 64) as usize) {
            *word |= 1 << (offset % 64);
            self.count += 1;
        }
    }

    /// Returns whether an entry that was not removed before starts at an offset.
    fn remove(&mut self, offset: u64) -> bool {
        let Some(word) = self.bits.get_mut((offset / 64) as usize) else {
            return false;
        };
        let bit = 1 << (offset % 64);
        let was_set = *word & bit != 0;
        *word &= !bit;
        was_set
    }
}

impl Snapshot {
    /// Checks all checksums and that everything in the file fits together: every key and
    /// every id finds itself, ranks are right, offsets lead somewhere, order is canonical.
    ///
    /// # Errors
    /// Says which section's bytes changed, or what contradicts itself.
    pub fn verify(&self) -> Result<(), VerifyError> {
        self.verify_checksums()?;
        self.verify_revisions()?;
        self.verify_marks()?;
        let starts = self.verify_arena()?;
        let source_of = self.verify_slots(starts)?;
        self.verify_order()?;
        let between = self.verify_edges()?;
        self.verify_incoming(&between)?;
        self.verify_lineage()?;
        self.verify_past()?;
        Ok(self.verify_sets(&source_of)?)
    }

    /// Checks that no byte has changed since the file was written.
    ///
    /// # Errors
    /// Says which section's bytes changed.
    pub fn verify_checksums(&self) -> Result<(), VerifyError> {
        for section in Section::ALL {
            if !is_intact(self, section) {
                let expected = self.prefix().entry(section).checksum;
                let found = xxhash_rust::xxh3::xxh3_64(self.bytes(section));
                return Err(VerifyError::Checksum {
                    section,
                    expected,
                    found,
                });
            }
            let entry = self.prefix().entry(section);
            if !self.padding(entry).iter().all(|&byte| byte == 0) {
                return Err(CorruptError::at(section, 0, "is followed by bytes").into());
            }
        }
        Ok(())
    }

    fn padding(&self, entry: Entry) -> &[u8] {
        let end = entry.padded_end().unwrap_or_default();
        self.file()
            .get((entry.offset + entry.len) as usize..end as usize)
            .unwrap_or_default()
    }

    fn verify_revisions(&self) -> Result<(), CorruptError> {
        let revisions: &[u64] = self.words(Section::Revisions);
        let sorted = revisions.is_sorted_by(|&a, &b| u64::from_le(a) < u64::from_le(b));
        holds(Section::Revisions, 0, sorted, "are not sorted")
    }

    fn verify_marks(&self) -> Result<(), CorruptError> {
        let meta = self.meta();
        let consistent = self
            .marks()
            .is_consistent(meta.reference_count, meta.cluster_count);
        holds(
            Section::Marks,
            0,
            consistent,
            "ranks do not count the marks",
        )?;
        let starts = meta.reference_count == 0 || self.marks().contains(0);
        holds(
            Section::Marks,
            0,
            starts,
            "the first reference starts no cluster",
        )
    }

    /// Checks the arena group after group: entries ascend by hash, each is well-formed and told
    /// by its group, and the directory leads to each.
    ///
    /// Returns where entries start.
    fn verify_arena(&self) -> Result<EntryStarts, CorruptError> {
        let arena = self.arena();
        let mut checker = ArenaChecker {
            snapshot: self,
            last: None,
            last_group: None,
            directory: DirectoryBuilder::new(self.reference_count()),
            starts: EntryStarts::new(arena.len()),
        };
        let mut offset = 0;
        while offset < arena.len() {
            offset = checker.check_group(offset)?;
        }
        let ArenaChecker {
            directory, starts, ..
        } = checker;
        let complete = starts.count == self.reference_count();
        let what = "does not hold each reference once";
        holds(Section::Arena, starts.count, complete, what)?;
        let leads = directory.finish(arena.len()) == self.directory().lines();
        holds(Section::Directory, 0, leads, "leads astray")?;
        Ok(starts)
    }

    /// Checks an entry and returns the hash of its reference.
    fn hash_of(&self, entry: &ArenaEntry<'_>, offset: u64) -> Result<KeyHash, CorruptError> {
        let holds = |holds, what| self::holds(Section::Arena, offset, holds, what);
        let is_key = (1..=KEY_LEN_MAX).contains(&entry.key.len());
        holds(
            is_key && std::str::from_utf8(entry.key).is_ok(),
            "its key is none",
        )?;
        let exists = self.numbered_revision(entry.since).is_some()
            && self.numbered_revision(entry.born).is_some();
        holds(exists, "points to no revision")?;
        let seed = self.seeds().get(usize::from(entry.source));
        let unknown = || CorruptError::at(Section::Arena, offset, "its source is unknown");
        Ok(KeyHash::new(*seed.ok_or_else(unknown)?, entry.key))
    }

    /// Checks that each slot has an entry of its own, and that those of one cluster agree on the
    /// entity, which its id finds.
    ///
    /// Returns the source of each slot.
    fn verify_slots(&self, mut starts: EntryStarts) -> Result<Vec<u16>, CorruptError> {
        let mut sources = Vec::with_capacity(self.meta().reference_count as usize);
        let mut entity = None;
        for step in self.walk(WalkOrder::Slots) {
            let Step {
                slot,
                offset,
                entry,
            } = step?;
            let own = starts.remove(offset);
            holds(
                Section::Positions,
                slot.into(),
                own,
                "its entry is none of its own",
            )?;
            let this = Some((entry.id, entry.born));
            if self.marks().contains(slot) {
                entity = this;
                let found = self.finds_itself(&entry.id, slot);
                let what = "an id does not find its cluster";
                holds(Section::IdTable, slot.into(), found, what)?;
            }
            let what = "members of one cluster belong to two entities";
            holds(Section::Arena, slot.into(), entity == this, what)?;
            sources.push(entry.source);
        }
        let used = self.id_table().used() == self.entity_count();
        holds(Section::IdTable, 0, used, "does not hold each id once")?;
        Ok(sources)
    }

    /// Returns whether an id leads to this slot, and to no other that bears it, too.
    fn finds_itself(&self, id: &[u8], slot: u32) -> bool {
        let bears_it = |first| Ok::<_, CorruptError>(self.entry(first)?.1.id == id);
        self.id_table()
            .candidates(&self.meta().namespace, id)
            .take_while(|&first| first == slot || bears_it(first) == Ok(false))
            .any(|first| first == slot)
    }

    /// Checks that nodes ascend by source and key, and clusters by node.
    fn verify_order(&self) -> Result<(), CorruptError> {
        let node_of = self.nodes_by_slot()?;
        let mut previous: Option<(u16, &[u8])> = None;
        let mut counts = vec![0_u64; self.sources().len()];
        for (step, node) in self.walk(WalkOrder::Nodes).zip(0..) {
            let Step { entry, .. } = step?;
            let this = Some((entry.source, entry.key));
            holds(
                Section::Order,
                node,
                previous < this,
                "references are not sorted",
            )?;
            previous = this;
            if let Some(count) = counts.get_mut(usize::from(entry.source)) {
                *count += 1;
            }
        }
        let counted = counts
            .into_iter()
            .eq(self.sources().iter().map(|s| s.reference_count));
        holds(
            Section::Sources,
            0,
            counted,
            "counts are not those of the references",
        )?;
        let marks = self.marks();
        let mut last_first = None;
        let mut last = None;
        for (slot, &node) in node_of.iter().enumerate() {
            let first = marks.contains(slot as u32);
            let before = if first { last_first } else { last };
            let ascends = before < Some(node);
            holds(
                Section::Marks,
                slot as u64,
                ascends,
                "clusters are not sorted by nodes",
            )?;
            last = Some(node);
            if first {
                last_first = last;
            }
        }
        Ok(())
    }

    /// Checks all edges and returns the numbers of those between clusters.
    fn verify_edges(&self) -> Result<RoaringBitmap, CorruptError> {
        let kinds = self.bytes(Section::Kinds);
        for (index, kind) in kinds.as_chunks::<KIND_LEN>().0.iter().enumerate() {
            let reads_back = EdgeKind::decode(kind, 0).is_some_and(|read| read.encode() == *kind);
            holds(
                Section::Kinds,
                index as u64,
                reads_back,
                "is no kind of edge",
            )?;
        }
        let mut between = RoaringBitmap::new();
        let mut next = 0;
        for slot in 0..self.meta().reference_count {
            let numbers = self.edges_of(slot)?;
            let holds = |holds, what| self::holds(Section::EdgeStarts, slot.into(), holds, what);
            holds(numbers.start == next, "edges belong to no reference")?;
            next = numbers.end;
            let cluster = self.cluster_of(slot)?;
            let mut last = None;
            for number in numbers {
                let higher = self.edge(slot, number)?.higher;
                holds(last < Some(higher), "edges are not sorted")?;
                last = Some(higher);
                if self.cluster_of(higher)? != cluster {
                    between.insert(number);
                }
            }
        }
        let complete = next == self.meta().edge_count;
        holds(Section::EdgeStarts, 0, complete, "edges are left over")?;
        Ok(between)
    }

    fn verify_incoming(&self, between: &RoaringBitmap) -> Result<(), CorruptError> {
        let mut position = 0;
        let mut last = None;
        while let Some((number, target)) = self.incoming_target(position)? {
            let holds = |holds, what| self::holds(Section::Incoming, position as u64, holds, what);
            holds(last < Some((target, number)), "is not sorted")?;
            holds(between.contains(number), "does not join two clusters")?;
            last = Some((target, number));
            position += 1;
        }
        let complete = position as u64 == between.len();
        holds(
            Section::Incoming,
            0,
            complete,
            "misses an edge between clusters",
        )
    }

    fn verify_lineage(&self) -> Result<(), CorruptError> {
        let mut last = None;
        for index in 0..self.lineage_count() {
            let event = self.lineage_event(index)?;
            let this = Some((event.entity, event.revision));
            holds(
                Section::Lineage,
                index as u64,
                last <= this,
                "is not sorted",
            )?;
            last = this;
        }
        let entries = self.bytes(Section::Lineage).as_chunks::<LINEAGE_LEN>().0;
        let end = entries
            .last()
            .map_or(Some(0), |entry| u32_at(entry, 28))
            .unwrap_or_default();
        let all = end as usize == self.bytes(Section::LineageTargets).len() / ID_LEN;
        holds(
            Section::LineageTargets,
            u64::from(end),
            all,
            "ids belong to no event",
        )
    }

    fn verify_past(&self) -> Result<(), CorruptError> {
        let mut last = None;
        for index in 0..self.past_count() {
            let this = Some(self.past_membership(index)?);
            holds(Section::Past, index as u64, last <= this, "is not sorted")?;
            last = this;
        }
        Ok(())
    }

    fn verify_sets(&self, source_of: &[u16]) -> Result<(), CorruptError> {
        self.changed_set()?;
        for (index, source) in self.sources().iter().enumerate() {
            let set = self.source_set(index as u16)?;
            let complete = set.len() == source.reference_count;
            let what = "a set does not hold each reference of its source";
            holds(Section::SourceSets, index as u64, complete, what)?;
            for slot in set {
                let source = source_of.get(slot as usize).copied();
                let same = source.map(usize::from) == Some(index);
                holds(
                    Section::SourceSets,
                    u64::from(slot),
                    same,
                    "a set has a foreign member",
                )?;
            }
        }
        Ok(())
    }
}

fn holds(
    section: Section,
    index: u64,
    holds: bool,
    what: &'static str,
) -> Result<(), CorruptError> {
    if holds {
        Ok(())
    } else {
        Err(CorruptError::at(section, index, what))
    }
}
