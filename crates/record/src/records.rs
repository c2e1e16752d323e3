//! All records of a job in flight: references and columns, in node order.

use sameas_graph::{ReferenceTable, SourceId};

use crate::{Column, FieldId, Schema};

/// The records of all sources in node order; it lives in memory for one job.
#[derive(Debug)]
pub struct Records {
    references: ReferenceTable,
    schema: Schema,
    pub(crate) columns: Vec<Column>,
    /// Values that were taken for missing, by field and source.
    pub(crate) losses: Vec<Losses>,
}

/// How many values of one field were taken for missing, by source.
#[derive(Debug)]
pub(crate) struct Losses {
    /// Those that cannot be read as what the field holds, or stand for a missing one.
    pub(crate) unreadable: Vec<u64>,
    /// Those that are too long.
    pub(crate) long: Vec<u64>,
}

impl Records {
    /// Joins references with one column per field of the schema.
    ///
    /// # Panics
    /// Panics unless every column has a value id for every node.
    pub fn new(references: ReferenceTable, schema: Schema, columns: Vec<Column>) -> Self {
        assert_eq!(schema.fields().len(), columns.len(), "one column per field");
        assert!(
            columns.iter().all(|c| c.len() == references.len()),
            "one value per node"
        );
        Self {
            references,
            schema,
            columns,
            losses: Vec::new(),
        }
    }

    /// Returns how many values of a field a source has that cannot be read as what the field holds
    /// or stand for a missing one, counted when they were read.
    pub fn unreadable_count(&self, source: SourceId, field: FieldId) -> u64 {
        self.loss(source, field, |losses| &losses.unreadable)
    }

    /// Returns how many values of a field a source has that are longer than
    /// [`CELL_LEN_MAX`](crate::CELL_LEN_MAX), counted when they were read as missing.
    pub fn long_count(&self, source: SourceId, field: FieldId) -> u64 {
        self.loss(source, field, |losses| &losses.long)
    }

    fn loss(&self, source: SourceId, field: FieldId, of: impl Fn(&Losses) -> &Vec<u64>) -> u64 {
        let of_field = self.losses.get(field.index()).map(of);
        of_field
            .and_then(|counts| counts.get(source.index()))
            .copied()
            .unwrap_or(0)
    }

    /// Returns how many records there are.
    pub fn len(&self) -> usize {
        self.references.len()
    }

    /// Returns whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.references.is_empty()
    }

    /// Returns the references.
    pub fn references(&self) -> &ReferenceTable {
        &self.references
    }

    /// Returns the fields.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns the column of a field.
    pub fn column(&self, field: FieldId) -> &Column {
        &self.columns[field.index()]
    }

    /// Takes values of a field that more records share than this for missing; returns the content
    /// hashes of these values.
    ///
    /// What counts is the number of records that have the value, so their order does not matter.
    pub fn ignore_shared(&mut self, field: FieldId, max: u64) -> Vec<u64> {
        self.columns[field.index()].ignore_shared(max)
    }

    /// Takes values of a field with these content hashes for missing.
    pub fn ignore(&mut self, field: FieldId, is_ignored: &dyn Fn(u64) -> bool) {
        self.columns[field.index()].ignore(is_ignored);
    }

    /// Drops the values and keeps the references.
    pub fn into_references(self) -> ReferenceTable {
        self.references
    }
}
