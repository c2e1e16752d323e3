//! The records that a truth names, with the entity and the cluster of each.

use std::path::Path;

use hashbrown::HashTable;
use sameas_graph::{NodeId, Partition, ReferenceTable};
use xxhash_rust::xxh3::Xxh3Default;

use super::agreement::Agreement;
use super::rows::Rows;
use super::{EvaluateError, Evaluation};

const COLUMNS: [&str; 3] = ["source", "key", "entity"];

/// The node of a record that the graph lacks, and the entity of a node that the truth lacks.
pub(crate) const NO_NODE: u32 = u32::MAX;

/// A truth, read whole: per record 16 bytes of digest, its entity and its node.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    records: Codes,
    entities: Vec<u32>,
    nodes: Vec<u32>,
    /// The source of the first record, for telling what does not fit.
    first_source: String,
    /// Rows without an entity, which say nothing, and the first of them.
    blank: Option<(u64, u64)>,
    /// Records of sources that the graph does not know, and the first such source.
    strange: Option<(u64, String)>,
    extra: u64,
}

impl Truth {
    /// Reads a truth, Parquet by its extension, else CSV, and finds its records in a graph.
    pub(crate) fn read(path: &Path, references: &ReferenceTable) -> Result<Self, EvaluateError> {
        let mut reading = Reading {
            truth: Self::default(),
            entities: Codes::default(),
            references,
        };
        let rows = Rows::new(path, "source, key and entity");
        rows.read(COLUMNS, &mut |row, texts| reading.add(&rows, row, texts))?;
        let mut truth = reading.truth;
        if truth.entities.is_empty() {
            let path = path.to_owned();
            return Err(match truth.blank {
                Some((rows, _)) => EvaluateError::NoEntity { path, rows },
                None => EvaluateError::Empty { path },
            });
        }
        truth.nodes = vec![NO_NODE; truth.entities.len()];
        truth.locate(path, references)
    }

    /// Finds the records in a graph.
    ///
    /// # Errors
    /// Refuses a truth of which the graph holds no record: it could say nothing about it.
    fn locate(mut self, path: &Path, references: &ReferenceTable) -> Result<Self, EvaluateError> {
        for node in (0..references.len() as u32).map(NodeId::new) {
            let source = references.source_of(node).index();
            let digest = record_digest(&references.sources()[source], references.key(node));
            match self.records.find(digest) {
                Some(record) => self.nodes[record as usize] = node.get(),
                None => self.extra += 1,
            }
        }
        if self.missing() < self.nodes.len() as u64 {
            return Ok(self);
        }
        Err(EvaluateError::NothingShared {
            path: path.to_owned(),
            records: self.nodes.len() as u64,
            named: self.first_source,
            sources: references.sources().join(", "),
        })
    }

    /// Returns how many records the graph lacks.
    fn missing(&self) -> u64 {
        let lacking = self.nodes.iter().filter(|&&node| node == NO_NODE);
        lacking.count() as u64
    }

    /// Compares entities with clusters. A record that the graph lacks stands alone.
    pub(crate) fn compare(&self, partition: &Partition) -> Evaluation {
        let mut lonely = partition.cluster_count() as u32..;
        let cluster = |&node: &u32| match node {
            NO_NODE => lonely.next().unwrap_or(NO_NODE),
            node => partition.cluster_of(NodeId::new(node)).get(),
        };
        let clusters: Vec<u32> = self.nodes.iter().map(cluster).collect();
        let agreement = Agreement::new(&self.entities, &clusters);
        let mut evaluation = agreement.evaluation(self.missing(), self.extra);
        evaluation.warnings.extend(self.blank_warning());
        evaluation
    }

    fn blank_warning(&self) -> Option<String> {
        let (count, first) = self.blank?;
        let (rows, have) = if count == 1 {
            ("row", "has")
        } else {
            ("rows", "have")
        };
        Some(format!(
            "{count} {rows} of the file {have} no entity and do not count; the first is row {first}"
        ))
    }

    /// Returns what to be wary of where these entities teach.
    pub(crate) fn label_warnings(&self) -> Vec<String> {
        let records = self.nodes.len() as u64;
        let missing = unknown_warning("records", (self.missing(), records), self.strange.as_ref());
        self.blank_warning().into_iter().chain(missing).collect()
    }

    /// Returns the entity of every node of a graph, as far as the truth names it.
    pub(crate) fn entity_of_nodes(&self, count: usize) -> Vec<Option<u32>> {
        let mut entities = vec![None; count];
        for (&entity, &node) in self.entities.iter().zip(&self.nodes) {
            if let Some(place) = entities.get_mut(node as usize) {
                *place = Some(entity);
            }
        }
        entities
    }

    /// Returns the nodes of every entity of which the graph holds two records or more, and how
    /// many pairs of the truth the graph lacks a record of.
    pub(crate) fn entities(&self) -> (Vec<Vec<u32>>, u64) {
        let mut members: Vec<(u32, u32)> = self
            .entities
            .iter()
            .copied()
            .zip(self.nodes.iter().copied())
            .collect();
        members.sort_unstable();
        let (mut entities, mut lacking) = (Vec::new(), 0);
        for run in members.chunk_by(|a, b| a.0 == b.0) {
            let nodes = run.iter().map(|&(_, node)| node);
            let nodes: Vec<u32> = nodes.filter(|&node| node != NO_NODE).collect();
            lacking += pairs_of(run.len()) - pairs_of(nodes.len());
            if nodes.len() > 1 {
                entities.push(nodes);
            }
        }
        (entities, lacking)
    }
}

/// Says how many labels are of records that there are not, and the source that explains some.
pub(crate) fn unknown_warning(
    what: &str,
    (unknown, all): (u64, u64),
    strange: Option<&(u64, String)>,
) -> Option<String> {
    let strange = strange.map_or_else(String::new, |(count, first)| {
        format!("; {count} name a source that the settings do not have, first \"{first}\"")
    });
    (unknown > 0).then(|| {
        format!(
            "{unknown} of the {all} labelled {what} ({:.1} %) are not in the sources and teach nothing{strange}; are source and key spelt as in the settings?",
            100.0 * unknown as f64 / all as f64
        )
    })
}

/// Returns how many pairs so many records make.
pub(crate) fn pairs_of(len: usize) -> u64 {
    let len = len as u64;
    len * len.saturating_sub(1) / 2
}

struct Reading<'r> {
    truth: Truth,
    entities: Codes,
    references: &'r ReferenceTable,
}

impl Reading<'_> {
    fn add(
        &mut self,
        rows: &Rows<'_>,
        row: u64,
        [source, key, entity]: [&str; 3],
    ) -> Result<(), EvaluateError> {
        if row == 1 {
            source.clone_into(&mut self.truth.first_source);
        }
        rows.refuse_blank(row, [("source", source), ("key", key)])?;
        // An empty cell of a sheet is a row that nobody has looked at yet, not an entity.
        if entity.trim().is_empty() {
            self.truth.blank.get_or_insert((0, row)).0 += 1;
            return Ok(());
        }
        let (_, is_new) = self.truth.records.insert(record_digest(source, key));
        if !is_new {
            return Err(rows.error(row, "names a record that an earlier row names too"));
        }
        if self.references.source_id(source).is_none() {
            let strange = self.truth.strange.get_or_insert((0, source.to_owned()));
            strange.0 += 1;
        }
        let (entity, _) = self.entities.insert(digest(&[entity]));
        self.truth.entities.push(entity);
        Ok(())
    }
}

/// Numbers distinct 128-bit values in the order of their first use.
#[derive(Debug, Default)]
struct Codes {
    values: Vec<u128>,
    table: HashTable<u32>,
}

impl Codes {
    fn find(&self, value: u128) -> Option<u32> {
        self.table
            .find(value as u64, |&code| self.values[code as usize] == value)
            .copied()
    }

    /// Returns the code of a value, and whether the value is new.
    fn insert(&mut self, value: u128) -> (u32, bool) {
        if let Some(code) = self.find(value) {
            return (code, false);
        }
        let code = u32::try_from(self.values.len()).expect("a graph has fewer than 2^32 records");
        self.values.push(value);
        let values = &self.values;
        self.table
            .insert_unique(value as u64, code, |&code| values[code as usize] as u64);
        (code, true)
    }
}

fn record_digest(source: &str, key: &str) -> u128 {
    digest(&[source, key])
}

/// Digests texts with their lengths, so that no two lists look alike.
fn digest(texts: &[&str]) -> u128 {
    let mut hasher = Xxh3Default::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.digest128()
}
