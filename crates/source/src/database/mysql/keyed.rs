//! Records by key: the keys are parameters, never part of the query's text.

use std::iter::repeat_n;
use std::sync::Arc;

use arrow_array::RecordBatch;
use mysql_async::{Params, Value};

use super::coding::{Coding, Column};
use super::rows::Columns;
use super::{Mysql, columns_of};
use crate::database::DatabaseFault;
use crate::error::ScanError;
use crate::fetch::FETCH_KEYS_MAX;
use crate::keys::has_one_text;

/// The records of one fetch: a key column that is no key must not fill the memory.
const ROW_COUNT_MAX: usize = 100_000;
/// Character sets in which some signs have two codes, so that a text is not found again by what it
/// was turned into.
const AMBIGUOUS_CHARSETS: [&str; 6] = ["cp932", "sjis", "eucjpms", "ujis", "big5", "gbk"];
/// The keys of a statement: few numbers, so that the server prepares few statements.
const KEY_COUNTS: [usize; 4] = [1, 10, 100, FETCH_KEYS_MAX];

impl Mysql {
    /// Returns the given columns of the records with these keys, if the key is a column and no date,
    /// time or floating-point number; keys that no value of its type has are found nowhere.
    ///
    /// Records of other keys may be among them: a column may call different texts equal.
    pub(crate) async fn fetch(
        &self,
        used: &[usize],
        key: &str,
        keys: &[&str],
    ) -> Result<Option<Vec<RecordBatch>>, ScanError> {
        let key = self.shape.columns.iter().find(|column| column.name == key);
        let Some(key) = key.filter(|key| has_one_text(&key.coding().data_type())) else {
            return Ok(None);
        };
        let fetched = self.fetch_by(key, used, keys).await;
        fetched.map(Some).map_err(|cause| self.failed(cause))
    }

    async fn fetch_by(
        &self,
        key: &Column,
        used: &[usize],
        keys: &[&str],
    ) -> Result<Vec<RecordBatch>, DatabaseFault> {
        let (selected, codings) = self.selection(used);
        let Condition { term, place, bound } = Condition::of(key);
        let values: Vec<Value> = keys.iter().filter_map(|key| bound.value(key)).collect();
        let schema = self.schema.project(used);
        let schema = schema.map_err(|_| DatabaseFault::NoMysql)?;
        let mut columns = Columns::new(Arc::new(schema), &codings);
        let (mut batches, mut count) = (Vec::new(), 0);
        let mut session = self.session().await?;
        // A column of another type would be asked and read in the wrong way.
        let known = columns_of(&mut session, &self.relation, &self.table).await?;
        if known != self.shape.columns {
            let table = self.table.to_string();
            return Err(DatabaseFault::Changed { table });
        }
        for values in values.chunks(FETCH_KEYS_MAX) {
            let (places, values) = padded(&place, values);
            let query = format!(
                "SELECT {selected} FROM {} WHERE {term} IN ({places}) LIMIT {}",
                self.relation,
                ROW_COUNT_MAX + 1
            );
            let parameters = Params::Positional(values);
            let mut rows = session.ask(&query, parameters, &self.table).await?;
            while let Some(row) = rows.next().await? {
                columns.push(&row)?;
                count += 1;
                if count > ROW_COUNT_MAX {
                    let what = "more than 100,000 records of the keys asked for";
                    return Err(DatabaseFault::Unreadable { what });
                }
                if columns.is_full() {
                    batches.extend(columns.take_batch()?);
                }
            }
        }
        self.keep(session);
        batches.extend(columns.take_batch()?);
        Ok(batches)
    }
}

/// Repeats the last value until there are as many as a statement takes, and returns that many
/// places and the values.
fn padded(place: &str, values: &[Value]) -> (String, Vec<Value>) {
    let fits = |count: &&usize| **count >= values.len();
    let count = KEY_COUNTS.iter().find(fits).copied();
    let missing = count.unwrap_or(values.len()) - values.len();
    let more = values.last().map(|last| repeat_n(last, missing));
    let padded = values.iter().chain(more.into_iter().flatten());
    let places = vec![place; values.len() + missing].join(", ");
    (places, padded.cloned().collect())
}

/// How a key column is asked for keys, such that an index on it serves.
#[derive(Debug, PartialEq)]
pub(super) struct Condition {
    /// What is compared.
    pub(super) term: String,
    /// What stands where a key does.
    place: String,
    bound: Bound,
}

/// How a key is bound; a key that no value of the column's type can be is not bound at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    AsItIs,
    Whole,
    /// The digits of a decimal number.
    Digits,
    Bool,
    Uuid,
    /// The hexadecimal digits of bytes.
    Bytes,
}

impl Condition {
    pub(super) fn of(key: &Column) -> Self {
        let name = key.quoted();
        let (term, place, bound) = match key.coding() {
            Coding::Int | Coding::Year | Coding::BigUnsigned | Coding::Bits => {
                (name, "?".to_owned(), Bound::Whole)
            }
            // A text beside a number would turn both into floating-point numbers.
            Coding::Decimal { precision, scale } => {
                let place = format!("CAST(? AS DECIMAL({precision},{scale}))");
                (name, place, Bound::Digits)
            }
            Coding::Bool => (name, "?".to_owned(), Bound::Bool),
            Coding::Bytes => (name, "UNHEX(?)".to_owned(), Bound::Bytes),
            _ if key.is_uuid() => (name, "?".to_owned(), Bound::Uuid),
            _ if key.is_text() && !is_ambiguous(key) => (name, "?".to_owned(), Bound::AsItIs),
            _ => {
                let term = format!("CONVERT(CAST({name} AS CHAR) USING utf8mb4)");
                (term, "?".to_owned(), Bound::AsItIs)
            }
        };
        Self { term, place, bound }
    }
}

impl Bound {
    fn value(self, key: &str) -> Option<Value> {
        match self {
            Self::AsItIs => Some(Value::from(key)),
            Self::Whole => {
                let signed = key.parse().map(Value::Int);
                signed.or_else(|_| key.parse().map(Value::UInt)).ok()
            }
            Self::Digits => {
                let is_sign = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
                let is_number = key.chars().all(is_sign) && key.parse::<f64>().is_ok();
                is_number.then(|| Value::from(key))
            }
            Self::Bool => key.parse::<bool>().map(|bit| Value::Int(bit.into())).ok(),
            Self::Uuid => is_uuid(key).then(|| Value::from(key)),
            Self::Bytes => {
                let digits = key.strip_prefix("\\x")?;
                let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                let are_bytes = digits.len().is_multiple_of(2) && digits.bytes().all(is_digit);
                are_bytes.then(|| Value::from(digits))
            }
        }
    }
}

fn is_ambiguous(key: &Column) -> bool {
    let charset = key.charset().unwrap_or_default();
    AMBIGUOUS_CHARSETS.contains(&charset)
}

/// Tells whether a text is a UUID as the server prints them.
fn is_uuid(text: &str) -> bool {
    let is_right = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_the_type_can_have_are_bound() {
        let uuid = "6a2f0e7c-43d5-4f53-9d1b-0d8a3b8f5a11";
        let keys = ["17", "x' OR 1", uuid, "18446744073709551615", "\\x0aff"];
        for (type_text, term, place, expected) in [
            ("int(11)", "`id`", "?", vec!["17", keys[3]]),
            ("uuid", "`id`", "?", vec![uuid]),
            ("varchar(9)", "`id`", "?", keys.to_vec()),
            (
                "decimal(20,0)",
                "`id`",
                "CAST(? AS DECIMAL(20,0))",
                vec!["17", keys[3]],
            ),
            ("binary(2)", "`id`", "UNHEX(?)", vec![keys[4]]),
            (
                "enum('a')",
                "CONVERT(CAST(`id` AS CHAR) USING utf8mb4)",
                "?",
                keys.to_vec(),
            ),
        ] {
            let key = Column {
                name: "id".to_owned(),
                type_text: type_text.to_owned(),
                collation: None,
            };
            let condition = Condition::of(&key);
            assert_eq!(condition.term, term);
            assert_eq!(condition.place, place);
            let bound = |key: &&&str| condition.bound.value(key).is_some();
            let bound: Vec<&str> = keys.iter().filter(bound).copied().collect();
            assert_eq!(bound, expected, "{type_text}");
        }
    }

    #[test]
    fn statements_are_of_few_lengths() {
        let values = vec![Value::Int(1), Value::Int(2)];
        let (places, padded) = padded("?", &values);
        assert_eq!(places, ["?"; 10].join(", "));
        assert_eq!((padded.len(), &padded[9]), (10, &Value::Int(2)));
    }
}
