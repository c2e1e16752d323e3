//! Pointers to records, and the sorted table of all of them in one revision.

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
        let index = self.sources.binary_search_by(|s| s.as_str().cmp(name)).ok()?;
        Some(SourceId::new(index as u16))
    }

    /// Returns the nodes of one source, as a range of node numbers.
    pub fn nodes_of(&self, source: SourceId) -> std::ops::Range<u32> {
        self.starts[source.index()]..self.starts[source.index() + 1]
    }

    /// Returns the source that holds a node's record.
    pub fn source_of(&self, node: NodeId) -> SourceId {
        let index = self.starts.partition_point(|&start| start <= node.get()) - 1;
        SourceId::new(index as u16)
    }

    /// Returns the key of a node's record.
    pub fn key(&self, node: NodeId) -> &str {
        let (from, to) = (self.offsets[node.index()], self.offsets[node.index() + 1]);
        std::str::from_utf8(&self.bytes[from as usize..to as usize])
            .expect("keys are pushed as str, so their bytes are UTF-8")
    }

    /// Finds the node of a reference by binary search.
    pub fn find(&self, source: SourceId, key: &str) -> Option<NodeId> {
        let nodes = self.nodes_of(source);
        let (mut low, mut high) = (nodes.start, nodes.end);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.key(NodeId::new(middle)).cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(NodeId::new(middle)),
            }
        }
        None
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
        assert!(sources.len() <= SOURCE_COUNT_MAX, "settings bound the number of sources");
        assert!(sources.is_sorted_by(|a, b| a < b), "source names are sorted and distinct");
        let table = ReferenceTable { sources, starts: vec![0], offsets: vec![0], bytes: Vec::new() };
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
        assert!(source.index() < table.sources.len(), "the source was named at the start");
        assert!(!key.is_empty() && key.len() <= KEY_LEN_MAX, "keys are checked at the rim");
        let node = NodeId::new(u32::try_from(table.len()).expect("fewer than 2^32 references"));
        let open = table.starts.len() - 1;
        assert!(source.index() >= open.saturating_sub(1) || table.is_empty(), "sources ascend");
        if source.index() < table.starts.len() - 1 {
            let previous = table.key(NodeId::new(node.get() - 1));
            assert!(previous < key, "keys of one source ascend");
        }
        while table.starts.len() <= source.index() {
            table.starts.push(node.get());
        }
        if table.starts.len() == source.index() + 1 {
            // The first key of this source: its end is set when the next source starts.
            table.starts.push(node.get());
        }
        table.bytes.extend_from_slice(key.as_bytes());
        table.offsets.push(table.bytes.len() as u64);
        let last = table.starts.len() - 1;
        table.starts[last] = node.get() + 1;
        node
    }

    /// Ends the table.
    pub fn finish(mut self) -> ReferenceTable {
        let len = self.table.len() as u32;
        while self.table.starts.len() <= self.table.sources.len() {
            self.table.starts.push(len);
        }
        self.table
    }
}
