//! Partitions of all sources in, records in node order out.

use std::sync::Arc;

use rayon::prelude::*;
use sameas_graph::{ReferenceTable, ReferenceTableBuilder, SourceId};

use crate::column::MoreValues;
use crate::ingest::{EXAMPLE_COUNT_MAX, Keys, RawColumn};
use crate::records::Losses;
use crate::{
    Column, Dictionary, DuplicateKeys, FieldId, IngestError, Normalizer, RawPart, Records, Schema,
    SourcePlan, ValueId,
};

/// Distinct values of one chunk are normalised in parallel with those of others.
const CHUNK_LEN: usize = 8_192;

/// The partitions of one source, with the plan they were read by.
#[derive(Debug)]
pub struct SourceParts {
    /// The plan.
    pub plan: SourcePlan,
    /// The partitions, in any order.
    pub parts: Vec<RawPart>,
}

impl SourceParts {
    /// Sorts the rows of the source by key.
    ///
    /// # Errors
    /// Refuses missing, overlong and duplicate keys, naming source, count and some keys, and more
    /// rows than can be numbered.
    pub fn in_key_order(self) -> Result<KeyedSource, IngestError> {
        refuse_too_many(self.parts.iter().map(RawPart::len))?;
        refuse_bad_keys(&self)?;
        let order = order_by_key(&self)?;
        Ok(KeyedSource { read: self, order })
    }
}

/// A source whose every row has a key that is its alone.
#[derive(Debug)]
pub struct KeyedSource {
    read: SourceParts,
    /// The rows by key.
    order: Vec<u32>,
}

/// Numbers all references, normalises every distinct value once and gives each field its column.
///
/// # Errors
/// Refuses more records than can be numbered.
pub fn assemble(mut keyed: Vec<KeyedSource>, schema: Schema) -> Result<Records, IngestError> {
    keyed.sort_by(|a, b| a.read.plan.name.cmp(&b.read.plan.name));
    refuse_too_many(keyed.iter().map(|source| source.order.len()))?;
    let (mut sources, orders): (Vec<_>, Vec<_>) = keyed
        .into_iter()
        .map(|source| (source.read, source.order))
        .unzip();
    let references = reference_table(&sources, &orders);
    drop_keys(&mut sources);
    let rows_of_fields = take_columns(&mut sources, &schema);
    let (columns, losses) = rows_of_fields
        .into_par_iter()
        .zip(schema.ids().collect::<Vec<_>>())
        .map(|(parts, field)| build_column(parts, field, &schema, &sources, &orders))
        .unzip();
    let mut records = Records::new(references, schema, columns);
    records.losses = losses;
    Ok(records)
}

fn refuse_too_many(counts: impl Iterator<Item = usize>) -> Result<(), IngestError> {
    let count: u64 = counts.map(|count| count as u64).sum();
    if count >= u64::from(u32::MAX) {
        return Err(IngestError::TooManyRecords { count });
    }
    Ok(())
}

fn refuse_bad_keys(source: &SourceParts) -> Result<(), IngestError> {
    let source_name = || source.plan.name.clone();
    let count: u64 = source.parts.iter().map(|p| p.missing_keys).sum();
    if count > 0 {
        return Err(IngestError::MissingKeys {
            source_name: source_name(),
            count,
        });
    }
    let count: u64 = source.parts.iter().map(|p| p.long_keys).sum();
    if count == 0 {
        return Ok(());
    }
    let longest = source.parts.iter().map(|p| p.longest_key).max();
    Err(IngestError::KeyTooLong {
        source_name: source_name(),
        count,
        len: longest.unwrap_or_default(),
    })
}

/// Where the rows of one source lie: partition by partition, numbered through.
struct Rows<'a> {
    parts: &'a [RawPart],
    bases: Vec<u32>,
}

impl<'a> Rows<'a> {
    fn of(parts: &'a [RawPart]) -> Self {
        let mut bases = vec![0];
        for part in parts {
            bases.push(bases[bases.len() - 1] + part.columns_len());
        }
        Self { parts, bases }
    }

    fn len(&self) -> usize {
        self.bases[self.parts.len()] as usize
    }

    fn locate(&self, row: u32) -> (&'a RawPart, usize) {
        let part = self.bases.partition_point(|&base| base <= row) - 1;
        (&self.parts[part], (row - self.bases[part]) as usize)
    }

    fn key(&self, row: u32) -> &'a str {
        let (part, row) = self.locate(row);
        part.keys.get(row)
    }
}

impl RawPart {
    fn columns_len(&self) -> u32 {
        self.columns
            .first()
            .map_or(self.keys.len(), |c| c.first.len()) as u32
    }
}

/// Returns the rows of a source in key order, one row a key.
fn order_by_key(source: &SourceParts) -> Result<Vec<u32>, IngestError> {
    let rows = Rows::of(&source.parts);
    let shared = shared_prefix_len(&rows);
    // Eight bytes behind what all keys share decide almost every comparison without touching a key.
    let mut order: Vec<(u64, u32)> = (0..rows.len() as u32)
        .into_par_iter()
        .map(|row| (prefix_word(&rows.key(row).as_bytes()[shared..]), row))
        .collect();
    order.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| rows.key(a.1).cmp(rows.key(b.1))));
    let mut order: Vec<u32> = order.into_iter().map(|(_, row)| row).collect();
    let repeated = |pair: &&[u32]| rows.key(pair[0]) == rows.key(pair[1]);
    let merging = source.plan.duplicate_keys == DuplicateKeys::Merge;
    let refused =
        |pair: &&[u32]| repeated(pair) && !(merging && rows_equal(&rows, pair[0], pair[1]));
    let mut keys: Vec<&str> = order
        .windows(2)
        .filter(refused)
        .map(|pair| rows.key(pair[0]))
        .collect();
    keys.dedup();
    if !keys.is_empty() {
        let source_name = source.plan.name.clone();
        let count = keys.len() as u64;
        // A key that is a field as well is a value of a record, which no error tells.
        let is_field =
            matches!(&source.plan.columns[..], [key, others @ ..] if others.contains(key));
        let told = if is_field { 0 } else { EXAMPLE_COUNT_MAX };
        let named = keys.iter().take(told);
        let examples = named.map(|key| format!("`{}`", short(key))).collect();
        return Err(if merging {
            IngestError::ConflictingKeys {
                source_name,
                count,
                examples,
            }
        } else {
            IngestError::DuplicateKeys {
                source_name,
                count,
                examples,
            }
        });
    }
    order.dedup_by(|b, a| rows.key(*a) == rows.key(*b));
    Ok(order)
}

fn short(key: &str) -> String {
    key.chars().take(64).collect()
}

fn shared_prefix_len(rows: &Rows<'_>) -> usize {
    if rows.len() == 0 {
        return 0;
    }
    let first = rows.key(0).as_bytes();
    (1..rows.len() as u32).fold(first.len(), |shared, row| {
        let key = rows.key(row).as_bytes();
        first[..shared]
            .iter()
            .zip(key)
            .take_while(|(a, b)| a == b)
            .count()
    })
}

fn prefix_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = bytes.len().min(8);
    word[..len].copy_from_slice(&bytes[..len]);
    u64::from_be_bytes(word)
}

fn rows_equal(rows: &Rows<'_>, a: u32, b: u32) -> bool {
    let ((part_a, row_a), (part_b, row_b)) = (rows.locate(a), rows.locate(b));
    part_a
        .columns
        .iter()
        .zip(&part_b.columns)
        .all(|(column_a, column_b)| raw_texts(column_a, row_a).eq(raw_texts(column_b, row_b)))
}

fn raw_texts(column: &RawColumn, row: usize) -> impl Iterator<Item = &str> {
    let from = column.more.partition_point(|&(r, _)| (r as usize) < row);
    let more = column.more[from..]
        .iter()
        .take_while(move |&&(r, _)| r as usize == row);
    std::iter::once(column.first[row])
        .chain(more.map(|&(_, id)| id))
        .map(|id| column.dictionary.text(ValueId::new(id)))
}

fn reference_table(sources: &[SourceParts], orders: &[Vec<u32>]) -> ReferenceTable {
    let names = sources.iter().map(|s| s.plan.name.clone()).collect();
    let mut builder = ReferenceTableBuilder::new(names);
    for (index, (source, order)) in sources.iter().zip(orders).enumerate() {
        let rows = Rows::of(&source.parts);
        builder.reserve(
            order.len(),
            order.iter().map(|&row| rows.key(row).len()).sum(),
        );
        for &row in order {
            builder.push(SourceId::new(index as u16), rows.key(row));
        }
    }
    builder.finish()
}

fn drop_keys(sources: &mut [SourceParts]) {
    for part in sources.iter_mut().flat_map(|s| &mut s.parts) {
        let len = part.keys.len();
        if part.columns.is_empty() {
            // A partition without columns still needs its row count.
            part.columns.push(Arc::new(RawColumn {
                first: vec![0; len],
                ..RawColumn::default()
            }));
        }
        part.keys = Keys::default();
    }
}

/// The raw columns that feed one field: source, partition's first row in that source, column.
type FieldParts = Vec<(usize, u32, Arc<RawColumn>)>;

fn take_columns(sources: &mut [SourceParts], schema: &Schema) -> Vec<FieldParts> {
    let mut taken: Vec<FieldParts> = schema.ids().map(|_| Vec::new()).collect();
    for (index, source) in sources.iter_mut().enumerate() {
        let bases = Rows::of(&source.parts).bases;
        for (part, base) in source.parts.iter_mut().zip(bases) {
            let columns = std::mem::take(&mut part.columns);
            let (_, of_field) = source.plan.raw_columns();
            for (plan, raw) in source.plan.fields.iter().zip(of_field) {
                taken[plan.field.index()].push((index, base, Arc::clone(&columns[raw])));
            }
        }
    }
    taken
}

/// Returns the column of a field, and how many values of each source it lacks.
fn build_column(
    parts: FieldParts,
    field: FieldId,
    schema: &Schema,
    sources: &[SourceParts],
    orders: &[Vec<u32>],
) -> (Column, Losses) {
    let mut losses = Losses {
        unreadable: vec![0; sources.len()],
        long: vec![0; sources.len()],
    };
    let mut dictionary = Dictionary::default();
    let mut by_row: Vec<Vec<u32>> = vec![Vec::new(); sources.len()];
    let mut more_by_row: Vec<Vec<(u32, u32)>> = vec![Vec::new(); sources.len()];
    for (source, base, column) in parts {
        let plan = &sources[source].plan;
        let part = plan
            .fields
            .iter()
            .find(|f| f.field == field)
            .and_then(|f| f.part);
        let normalizer = Normalizer::new(schema.field(field).kind, part, &plan.locale);
        let map = normalize_into(&mut dictionary, &column.dictionary, &normalizer);
        let rows = &mut by_row[source];
        rows.resize(base as usize, 0);
        rows.extend(column.first.iter().map(|&id| map[id as usize]));
        let all = column
            .first
            .iter()
            .chain(column.more.iter().map(|(_, id)| id));
        let is_blank = |id: u32| column.dictionary.text(ValueId::new(id)).trim().is_empty();
        let is_unreadable = |id: &&u32| **id != 0 && map[**id as usize] == 0 && !is_blank(**id);
        // A value that lacks a part can be read all the same.
        if part.is_none() {
            losses.unreadable[source] += all.filter(is_unreadable).count() as u64;
        }
        losses.long[source] += column.long_cells;
        let more = column
            .more
            .iter()
            .map(|&(row, id)| (base + row, map[id as usize]));
        more_by_row[source].extend(more.filter(|&(_, id)| id != 0));
    }
    dictionary.seal();
    let order = orders.iter().zip(&by_row).flat_map(|(order, rows)| {
        order
            .iter()
            .map(|&row| rows.get(row as usize).copied().unwrap_or(0))
    });
    let mut first: Vec<u32> = order.collect();
    let more = more_values(&mut first, &mut more_by_row, orders);
    let column = Column {
        dictionary,
        first,
        more,
    };
    (column, losses)
}

/// Interns the normalised form of every raw value and returns raw number to normalised number.
fn normalize_into(target: &mut Dictionary, raw: &Dictionary, normalizer: &Normalizer) -> Vec<u32> {
    let chunks: Vec<(String, Vec<usize>)> = (0..raw.len().div_ceil(CHUNK_LEN))
        .into_par_iter()
        .map(|chunk| {
            let (mut texts, mut ends) = (String::new(), Vec::with_capacity(CHUNK_LEN));
            let mut text = String::new();
            for id in chunk * CHUNK_LEN..raw.len().min((chunk + 1) * CHUNK_LEN) {
                text.clear();
                if id > 0 && normalizer.normalize(raw.text(ValueId::new(id as u32)), &mut text) {
                    texts.push_str(&text);
                }
                ends.push(texts.len());
            }
            (texts, ends)
        })
        .collect();
    let mut map = Vec::with_capacity(raw.len());
    for (texts, ends) in chunks {
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let values = starts.zip(&ends).map(|(from, &end)| &texts[from..end]);
        // An empty normalised value is a missing one.
        let present: Vec<&str> = values.clone().filter(|value| !value.is_empty()).collect();
        let mut ids = Vec::with_capacity(present.len());
        target.intern_all(&present, &mut ids);
        let mut ids = ids.into_iter();
        map.extend(values.map(|value| match value {
            "" => 0,
            _ => ids.next().expect("every present value has a number"),
        }));
    }
    map
}

/// Lists the further values by node; a value equal to an earlier one of its node is dropped.
fn more_values(
    first: &mut [u32],
    more_by_row: &mut [Vec<(u32, u32)>],
    orders: &[Vec<u32>],
) -> Option<MoreValues> {
    if more_by_row.iter().all(Vec::is_empty) {
        return None;
    }
    let mut more = MoreValues {
        starts: vec![0],
        ids: Vec::new(),
    };
    let rows = orders.iter().zip(more_by_row).flat_map(|(order, listed)| {
        listed.sort_by_key(|&(row, _)| row);
        let listed = &*listed;
        order.iter().map(move |&row| {
            let from = listed.partition_point(|&(r, _)| r < row);
            listed[from..]
                .iter()
                .take_while(move |&&(r, _)| r == row)
                .map(|&(_, id)| id)
        })
    });
    for (node, values) in rows.enumerate() {
        let from = more.ids.len();
        for id in values {
            if first[node] == 0 {
                first[node] = id;
            } else if first[node] != id && !more.ids[from..].contains(&id) {
                more.ids.push(id);
            }
        }
        let end = u32::try_from(more.ids.len()).expect("fewer than 2^32 further values");
        more.starts.push(end);
    }
    (!more.ids.is_empty()).then_some(more)
}
