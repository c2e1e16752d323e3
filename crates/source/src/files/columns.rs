//! The columns that files share, brought to one type each.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::shape::Keys;
use crate::kind::kind_of;

/// The columns of all files, in order of appearance.
#[derive(Default)]
pub(crate) struct Columns {
    found: Vec<Column>,
    indices: BTreeMap<String, usize>,
    conflicts: BTreeMap<String, String>,
}

struct Column {
    name: String,
    data_type: DataType,
    file: String,
}

impl Columns {
    /// Returns the columns that the keys of JSON records make.
    pub(crate) fn of_keys(keys: &Keys) -> Self {
        let mut columns = Self::default();
        for (name, shape) in keys {
            columns.add(name, &shape.data_type(), "");
            if let Some(clash) = shape.clash() {
                columns.conflicts.insert(name.clone(), clash.to_string());
            }
        }
        columns
    }

    /// Adds a column of a file, or brings it together with its namesake in other files.
    pub(crate) fn add(&mut self, name: &str, data_type: &DataType, file: &str) {
        let Some(&index) = self.indices.get(name) else {
            let (name, file) = (name.to_owned(), file.to_owned());
            self.indices.insert(name.clone(), self.found.len());
            self.found.push(Column {
                name,
                data_type: data_type.clone(),
                file,
            });
            return;
        };
        let known = &mut self.found[index];
        if let Some(common) = common_type(&known.data_type, data_type) {
            known.data_type = common;
        } else {
            let (first, second) = (kind_of(&known.data_type), kind_of(data_type));
            let first_file = &known.file;
            let conflict = if first == second {
                format!("{first} in {first_file} and another form of it in {file}")
            } else {
                format!("{first} in {first_file} and {second} in {file}")
            };
            self.conflicts.entry(name.to_owned()).or_insert(conflict);
        }
    }

    /// Returns the columns that have a type, and the reasons why others have none.
    pub(crate) fn finish(self) -> (SchemaRef, BTreeMap<String, String>) {
        let Self {
            found, conflicts, ..
        } = self;
        let fields: Vec<_> = found
            .into_iter()
            .filter(|column| !conflicts.contains_key(&column.name))
            .map(|column| Field::new(column.name, column.data_type, true))
            .collect();
        (Arc::new(Schema::new(fields)), conflicts)
    }
}

/// Returns the type that holds the values of both exactly, if one is at hand.
fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    if a == b || *b == DataType::Null {
        Some(a.clone())
    } else if *a == DataType::Null {
        Some(b.clone())
    } else if is_text(a) && is_text(b) {
        Some(DataType::Utf8View)
    } else if fits_int64(a) && fits_int64(b) {
        Some(DataType::Int64)
    } else {
        None
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => value.is_string(),
        other => other.is_string(),
    }
}

fn fits_int64(data_type: &DataType) -> bool {
    data_type.is_integer() && *data_type != DataType::UInt64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_widen_only_where_no_value_changes() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        assert_eq!(
            common_type(&DataType::Utf8, &dictionary),
            Some(DataType::Utf8View)
        );
        assert_eq!(
            common_type(&DataType::Int8, &DataType::UInt32),
            Some(DataType::Int64)
        );
        assert_eq!(common_type(&DataType::Int64, &DataType::UInt64), None);
        assert_eq!(common_type(&DataType::Int64, &DataType::Float64), None);
        assert_eq!(
            common_type(&DataType::Null, &DataType::Date32),
            Some(DataType::Date32)
        );
    }
}
