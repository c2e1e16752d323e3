//! Pointers to records, and the sorted table of all of them in one revision.

use std::cmp::Ordering;
use std::ops::Range;

use thiserror::Error;

/// The longest record key accepted, in bytes.
pub const KEY_LEN_MAX: usize = 1_024;

/// The most sources one graph can hold.
pub const SOURCE_COUNT_MAX: usize = 4_096;

/// The number of a source in one revision: its position among the source names in byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u16);

impl SourceId {
    /// Numbers a source by its position in the sorted list of source names.
    pub const fn new(index: u16) -> Self {
        Self(index)
    }

    /// Returns the position in the sorted list of source names.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Why a text cannot be a record key.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The key has no bytes.
    #[error("the key is empty")]
    Empty,
    /// The key is longer than [`KEY_LEN_MAX`].
    #[error("the key is {len} bytes long, at most {KEY_LEN_MAX} are accepted")]
    TooLong {
        /// Length of the refused key in bytes.
        len: usize,
    },
}

/// The key that finds one record in its source: 1 to [`KEY_LEN_MAX`] bytes of UTF-8, compared as bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey(Box<str>);

impl RecordKey {
    /// Accepts a key that is neither empty nor too long.
    ///
    /// # Errors
    /// Refuses an empty key and one of more than [`KEY_LEN_MAX`] bytes.
    pub fn new(key: &str) -> Result<Self, KeyError> {
        match key.len() {
            0 => Err(KeyError::Empty),
            len if len > KEY_LEN_MAX => Err(KeyError::TooLong { len }),
            _ => Ok(Self(key.into())),
        }
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A pointer to one record in one external system.
///
/// A reference is all the graph ever keeps of a record: the source that holds it
/// and the key that finds it there. References order by source, then by key bytes,
/// so sorted runs of one source merge without looking at another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordRef {
    source: SourceId,
    key: RecordKey,
}

impl RecordRef {
    /// Points to the record `key` of `source`.
    pub fn new(source: SourceId, key: RecordKey) -> Self {
        Self { source, key }
    }

    /// Returns the source that holds the record.
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// Returns the key that finds the record in its source.
    pub fn key(&self) -> &RecordKey {
        &self.key
    }
}

/// The dense number of a reference in one revision: its position in the [`ReferenceTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    /// Numbers a reference by its position in the reference table.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// Returns the position as stored.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Returns the position for indexing.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The references of one revision, sorted by source name and then by key bytes, each once.
///
/// A [`NodeId`] is a position in this table, so node order is canonical: it depends
/// on the references alone, never on the order in which they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceTable {
    sources: Vec<String>,
    starts: Vec<u32>,
    offsets: Vec<u64>,
    bytes: Vec<u8>,
}

impl ReferenceTable {
    /// Returns how many references there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Returns whether there is no reference.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the names of all sources in byte order; a [`SourceId`] is a position here.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Returns the number of the source of this name.
    pub fn source_id(&self, name: &str) -> Option<SourceId> {
        let index = self
            .sources
            .binary_search_by(|s| s.as_str().cmp(name))
            .ok()?;
        Some(SourceId::new(index as u16))
    }

    /// Returns the nodes of one source, as a range of node numbers.
    pub fn nodes_of(&self, source: SourceId) -> Range<u32> {
        self.starts[source.index()]..self.starts[source.index() + 1]
    }

    /// Returns the source that holds a node's record.
    pub fn source_of(&self, node: NodeId) -> SourceId {
        let index = self.starts.partition_point(|&start| start <= node.get()) - 1;
        SourceId::new(index as u16)
    }

    /// Returns the key of a node's record.
    ///
    /// # Panics
    /// Panics if the node is not of this table.
    pub fn key(&self, node: NodeId) -> &str {
        std::str::from_utf8(self.key_bytes_of(node))
            .expect("keys are pushed as str, so their bytes are UTF-8")
    }

    /// Returns the bytes of the key of a node's record, by which references are ordered.
    pub fn key_bytes_of(&self, node: NodeId) -> &[u8] {
        let (from, to) = (self.offsets[node.index()], self.offsets[node.index() + 1]);
        &self.bytes[from as usize..to as usize]
    }

    /// Returns how many references of a source in another table are in this one too.
    pub fn kept_of(&self, other: &Self, source: &str) -> usize {
        let (Some(here), Some(there)) = (self.source_id(source), other.source_id(source)) else {
            return 0;
        };
        // Both are sorted by key.
        let mut ours = self.nodes_of(here).peekable();
        let mut kept = 0;
        for theirs in other.nodes_of(there) {
            let key = other.key_bytes_of(NodeId::new(theirs));
            while ours
                .next_if(|&node| self.key_bytes_of(NodeId::new(node)) < key)
                .is_some()
            {}
            let is_kept = ours.next_if(|&node| self.key_bytes_of(NodeId::new(node)) == key);
            kept += usize::from(is_kept.is_some());
        }
        kept
    }

    /// Finds the node of a reference by binary search.
    pub fn find(&self, source: SourceId, key: &str) -> Option<NodeId> {
        let node = self.lower_bound(source, key.as_bytes());
        let node = (node < self.nodes_of(source).end).then_some(NodeId::new(node))?;
        (self.key_bytes_of(node) == key.as_bytes()).then_some(node)
    }

    /// Returns the first node of a source whose key is not less, or the end of its nodes.
    pub(crate) fn lower_bound(&self, source: SourceId, key: &[u8]) -> u32 {
        let Range {
            start: mut low,
            end: mut high,
        } = self.nodes_of(source);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key_bytes_of(NodeId::new(middle)) < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Returns the length of all keys together in bytes.
    pub fn key_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// Builds a [`ReferenceTable`] from references that arrive in order.
#[derive(Debug)]
pub struct ReferenceTableBuilder {
    table: ReferenceTable,
}

impl ReferenceTableBuilder {
    /// Starts a table over these source names.
    ///
    /// # Panics
    /// Panics unless the names are strictly ascending and at most [`SOURCE_COUNT_MAX`].
    pub fn new(sources: Vec<String>) -> Self {
        assert!(
            sources.len() <= SOURCE_COUNT_MAX,
            "settings bound the number of sources"
        );
        assert!(
            sources.is_sorted_by(|a, b| a < b),
            "source names are sorted and distinct"
        );
        let starts = Vec::with_capacity(sources.len() + 1);
        let table = ReferenceTable {
            sources,
            starts,
            offsets: vec![0],
            bytes: Vec::new(),
        };
        Self { table }
    }

    /// Makes room for this many more references with this many bytes of keys.
    pub fn reserve(&mut self, references: usize, key_bytes: usize) {
        self.table.offsets.reserve(references);
        self.table.bytes.reserve(key_bytes);
    }

    /// Appends a reference; sources come in order and the keys of one source ascend.
    ///
    /// # Panics
    /// Panics if the reference is not greater than the one before it or its key is out of bounds.
    pub fn push(&mut self, source: SourceId, key: &str) -> NodeId {
        let table = &mut self.table;
        assert!(
            source.index() < table.sources.len(),
            "the source was named at the start"
        );
        assert!(
            !key.is_empty() && key.len() <= KEY_LEN_MAX,
            "keys are checked at the rim"
        );
        let node = NodeId::new(u32::try_from(table.len()).expect("fewer than 2^32 references"));
        // While building, `starts` holds the sources opened so far and the last of them is open.
        match table.starts.len().cmp(&(source.index() + 1)) {
            Ordering::Greater => panic!("sources ascend"),
            Ordering::Equal if table.starts[source.index()] < node.get() => {
                let previous = table.key_bytes_of(NodeId::new(node.get() - 1));
                assert!(previous < key.as_bytes(), "keys of one source ascend");
            }
            _ => table.starts.resize(source.index() + 1, node.get()),
        }
        table.bytes.extend_from_slice(key.as_bytes());
        table.offsets.push(table.bytes.len() as u64);
        node
    }

    /// Ends the table.
    pub fn finish(mut self) -> ReferenceTable {
        let len = self.table.len() as u32;
        let source_count = self.table.sources.len();
        self.table.starts.resize(source_count + 1, len);
        self.table
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    fn table(sources: &[(&str, &[&str])]) -> ReferenceTable {
        let names = sources.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut builder = ReferenceTableBuilder::new(names);
        for (index, (_, keys)) in sources.iter().enumerate() {
            for key in *keys {
                builder.push(SourceId::new(index as u16), key);
            }
        }
        builder.finish()
    }

    fn panics(work: impl FnOnce() + std::panic::UnwindSafe) -> bool {
        std::panic::catch_unwind(work).is_err()
    }

    #[test]
    fn sources_without_references_are_empty_ranges_wherever_they_stand() {
        let table = table(&[
            ("a", &[]),
            ("b", &["1", "2"]),
            ("c", &[]),
            ("d", &["1"]),
            ("e", &[]),
        ]);
        let ranges: Vec<_> = (0..5)
            .map(|source| table.nodes_of(SourceId::new(source)))
            .collect();
        assert_eq!(ranges, [0..0, 0..2, 2..2, 2..3, 3..3]);
        let sources: Vec<_> = (0..3)
            .map(|n| table.source_of(NodeId::new(n)).index())
            .collect();
        assert_eq!(sources, [1, 1, 3]);
    }

    #[test]
    fn a_table_may_hold_no_reference_and_no_source() {
        assert!(table(&[]).is_empty());
        let table = table(&[("a", &[])]);
        assert_eq!(table.nodes_of(SourceId::new(0)), 0..0);
        assert_eq!(table.find(SourceId::new(0), "1"), None);
    }

    #[test]
    fn keys_that_differ_in_case_or_normal_form_are_different_references() {
        let table = table(&[("a", &["A", "a", "e\u{301}", "\u{e9}"])]);
        let found: Vec<_> = ["A", "a", "e\u{301}", "\u{e9}", "E"]
            .map(|key| table.find(SourceId::new(0), key).map(NodeId::get))
            .into();
        assert_eq!(found, [Some(0), Some(1), Some(2), Some(3), None]);
    }

    #[test]
    fn references_out_of_order_are_refused() {
        assert!(panics(|| drop(table(&[("a", &["2", "1"])]))));
        assert!(panics(|| drop(table(&[("a", &["1", "1"])]))));
        assert!(panics(|| drop(table(&[("b", &[]), ("a", &[])]))));
        assert!(panics(|| drop(table(&[("a", &[""])]))));
        assert!(panics(|| {
            let mut builder = ReferenceTableBuilder::new(vec!["a".into(), "b".into()]);
            builder.push(SourceId::new(1), "1");
            builder.push(SourceId::new(0), "2");
        }));
        assert!(panics(|| {
            let mut builder = ReferenceTableBuilder::new(vec!["a".into()]);
            builder.push(SourceId::new(1), "1");
        }));
    }

    proptest! {
        #[test]
        fn every_reference_is_found_where_it_was_put(
            sources in vec(btree_set("[a-c]{1,3}", 0..8), 0..5),
        ) {
            let names = (0..sources.len()).map(|index| format!("s{index}")).collect();
            let mut builder = ReferenceTableBuilder::new(names);
            let mut expected = Vec::new();
            for (index, keys) in sources.iter().enumerate() {
                for key in keys {
                    let source = SourceId::new(index as u16);
                    expected.push((builder.push(source, key), source, key.clone()));
                }
            }
            let table = builder.finish();
            prop_assert_eq!(table.len(), expected.len());
            for (index, (node, source, key)) in expected.iter().enumerate() {
                prop_assert_eq!(node.index(), index);
                prop_assert_eq!(table.source_of(*node), *source);
                prop_assert_eq!(table.key(*node), key.as_str());
                prop_assert_eq!(table.find(*source, key), Some(*node));
                prop_assert!(table.nodes_of(*source).contains(&node.get()));
            }
        }
    }
}
