//! SQLite: values have types there and columns have none, so the types are asked of the values.
//!
//! The driver takes a column's type from the first rows and fails at a value of another one, even
//! where those rows were null. So a query says what every column is: those whose values differ are
//! cast, and a row of our own goes before all others and is taken out again.

use std::fmt::Write as _;
use std::sync::Arc;

use adbc_driver_manager::ManagedConnection;
use arrow_array::{
    Array, ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Schema};

use super::query::{number_at, rows_of, texts_of};
use super::{Column, NamedColumns, Shape};
use crate::count::RowCount;
use crate::database::DatabaseFault;
use crate::database::name::{Quotes, TableName};

/// What a query calls the table. SQLite takes a quoted name that is no column for a text, unless it
/// is said of which table it would be a column.
const ALIAS: &str = "\"t\"";
/// The text of the row that goes before all others.
const HEADER_TEXT: &str = "sameas";

/// A table or view, and its columns as they are declared.
pub(crate) struct SqliteTable<'t> {
    table: &'t TableName,
    columns: Vec<Declared>,
}

struct Declared {
    name: String,
    /// Whether it holds texts by its declaration; of other columns the values are asked.
    is_text: bool,
}

/// The kinds of values that a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Real,
    Text,
    Blob,
    /// Values of several kinds, as texts.
    Mixed,
}

impl<'t> SqliteTable<'t> {
    /// Asks for the columns.
    pub(crate) fn of(
        connection: &mut ManagedConnection,
        table: &'t TableName,
    ) -> Result<Self, DatabaseFault> {
        let (own, above) = table.parts.split_last().expect("a name has a part");
        let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let own = literal(own);
        let name = match above.last() {
            Some(schema) => format!("{own}, {}", literal(schema)),
            None => own.clone(),
        };
        let query = format!(
            "SELECT x.name, x.type, coalesce((SELECT min(l.type = 'table') FROM \
             pragma_table_list({own}) l), 0) FROM pragma_table_xinfo({name}) x \
             WHERE x.hidden <> 1 ORDER BY x.cid"
        );
        let mut columns = Vec::new();
        for batch in rows_of(connection, &query, &table.text)? {
            let (names, types) = (texts_of(&batch, 0), texts_of(&batch, 1));
            let (Some(names), Some(types)) = (names, types) else {
                continue;
            };
            let is_table = number_at(&batch, 2) == Some(1);
            columns.extend((0..batch.num_rows()).map(|row| Declared {
                name: names.value(row).to_owned(),
                is_text: is_table && is_text(types.value(row)),
            }));
        }
        if columns.is_empty() {
            let table = table.text.clone();
            return Err(DatabaseFault::NoTable { table });
        }
        Ok(Self { table, columns })
    }

    /// Counts the rows, and asks for the kinds of values that may be read where no declaration tells
    /// them.
    pub(crate) fn shape(
        &self,
        connection: &mut ManagedConnection,
        named: &NamedColumns,
    ) -> Result<Shape, DatabaseFault> {
        let is_asked = |column: &&Declared| !column.is_text && named.may_name(&column.name);
        let TableName { text, relation, .. } = self.table;
        let mut query = "SELECT count(*)".to_owned();
        for column in self.columns.iter().filter(is_asked) {
            let kind = format!("nullif(typeof({}), 'null')", term_of(&column.name));
            let _ = write!(
                query,
                ", coalesce(min({kind}), ''), coalesce(max({kind}), '')"
            );
        }
        let _ = write!(query, " FROM {}", aliased(relation));
        let batches = rows_of(connection, &query, text)?;
        let no_answer = DatabaseFault::Unreadable {
            what: "no number of rows",
        };
        let (Some(answer), true) = (batches.first(), batches.len() == 1) else {
            return Err(no_answer);
        };
        let count = number_at(answer, 0).ok_or(no_answer)?;
        let mut at = 1;
        let columns = self.columns.iter().map(|column| {
            if column.is_text {
                return Kind::Text.column(&column.name);
            }
            if !is_asked(&column) {
                return Kind::Mixed.column(&column.name);
            }
            at += 2;
            let kind = Kind::between(&word_at(answer, at - 2), &word_at(answer, at - 1));
            kind.column(&column.name)
        });
        Ok(Shape {
            columns: columns.collect(),
            row_count: RowCount::Exact(count),
        })
    }
}

impl Kind {
    /// Tells the kind from the first and last of the words for kinds, in their order as words.
    fn between(first: &str, last: &str) -> Self {
        match (first, last) {
            ("integer", "integer") => Self::Integer,
            ("integer" | "real", "real") => Self::Real,
            ("blob", "blob") => Self::Blob,
            ("text", "text") | ("", "") => Self::Text,
            _ => Self::Mixed,
        }
    }

    fn column(self, name: &str) -> Column {
        let term = term_of(name);
        let (selected, data_type) = match self {
            Self::Integer => (term, DataType::Int64),
            Self::Real => (format!("CAST({term} AS REAL)"), DataType::Float64),
            Self::Blob => (term, DataType::Binary),
            Self::Text => (term, DataType::Utf8),
            Self::Mixed => (format!("CAST({term} AS TEXT)"), DataType::Utf8),
        };
        Column {
            name: name.to_owned(),
            selected,
            data_type,
        }
    }
}

/// Returns the query of the row that goes before all others, and that row.
pub(crate) fn header(schema: &Schema) -> (String, Vec<ArrayRef>) {
    let mut row: Vec<ArrayRef> = Vec::new();
    let mut terms = Vec::new();
    for field in schema.fields() {
        let (term, value): (_, ArrayRef) = match field.data_type() {
            DataType::Int64 => ("0".to_owned(), Arc::new(Int64Array::from(vec![0]))),
            DataType::Float64 => ("0.5".to_owned(), Arc::new(Float64Array::from(vec![0.5]))),
            DataType::Binary => {
                let value = BinaryArray::from_vec(vec![&[0]]);
                ("x'00'".to_owned(), Arc::new(value))
            }
            _ => {
                let value = StringArray::from(vec![HEADER_TEXT]);
                (format!("'{HEADER_TEXT}'"), Arc::new(value))
            }
        };
        terms.push(term);
        row.push(value);
    }
    if terms.is_empty() {
        terms.push("1".to_owned());
        row.push(Arc::new(Int64Array::from(vec![1])));
    }
    (format!("SELECT {}", terms.join(", ")), row)
}

/// Returns the rows after the one that has to be first.
pub(crate) fn without_header(batch: &RecordBatch, row: &[ArrayRef]) -> Option<RecordBatch> {
    let is_header = batch.num_rows() > 0
        && batch.num_columns() == row.len()
        && std::iter::zip(batch.columns(), row)
            .all(|(column, value)| column.slice(0, 1).to_data() == value.to_data());
    is_header.then(|| batch.slice(1, batch.num_rows() - 1))
}

/// Tells whether a column so declared turns what it is given into texts (SQLite's manual,
/// "Determination Of Column Affinity").
fn is_text(declared: &str) -> bool {
    let declared = declared.to_ascii_uppercase();
    let has = |word| declared.contains(word);
    !has("INT") && (has("CHAR") || has("CLOB") || has("TEXT"))
}

/// Returns a table by the name that terms call it.
pub(crate) fn aliased(relation: &str) -> String {
    format!("{relation} AS {ALIAS}")
}

fn term_of(column: &str) -> String {
    format!("{ALIAS}.{}", Quotes::Double.around(column))
}

fn word_at(batch: &RecordBatch, column: usize) -> String {
    let texts = texts_of(batch, column).filter(|texts| !texts.is_empty() && texts.is_valid(0));
    texts.map_or_else(String::new, |texts| texts.value(0).to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use arrow_schema::Field;

    use super::*;

    #[test]
    fn kinds_are_told_by_the_first_and_last_word() {
        for (first, last, expected) in [
            ("", "", Kind::Text),
            ("integer", "integer", Kind::Integer),
            ("integer", "real", Kind::Real),
            ("integer", "text", Kind::Mixed),
            ("blob", "blob", Kind::Blob),
            ("blob", "integer", Kind::Mixed),
        ] {
            assert_eq!(Kind::between(first, last), expected, "{first} to {last}");
        }
        assert!(is_text("varchar(20)") && is_text("TEXT") && !is_text("CHARINT"));
    }

    #[test]
    fn only_the_row_that_has_to_be_first_is_taken_out() {
        let fields = vec![
            Field::new("id", DataType::Int64, true),
            Field::new("name", DataType::Utf8, true),
        ];
        let schema = Arc::new(Schema::new(fields));
        let (query, row) = header(&schema);
        assert_eq!(query, "SELECT 0, 'sameas'");
        let batch = |ids: Vec<i64>, names: Vec<Option<&str>>| {
            let columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from(ids)),
                Arc::new(StringArray::from(names)),
            ];
            RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
        };
        let rest = without_header(&batch(vec![0, 7], vec![Some("sameas"), None]), &row);
        assert_eq!(rest.unwrap(), batch(vec![7], vec![None]));
        let other = without_header(&batch(vec![0, 7], vec![None, None]), &row);
        assert!(other.is_none());
    }
}
