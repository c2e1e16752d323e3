//! Records by key: the keys are a parameter, never part of the query's text.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;

use arrow_array::RecordBatch;
use futures::StreamExt;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::coding::Coding;
use super::copy::CopyDecoder;
use super::server::Session;
use super::{Column, Postgres};
use crate::database::DatabaseFault;
use crate::database::name::Quotes;
use crate::error::ScanError;
use crate::fetch::FETCHED_ROWS_MAX;
use crate::keys::has_one_text;

/// The sessions that are kept for the next fetch.
const IDLE_COUNT_MAX: usize = 4;

/// The numbers that the server tells without digits.
const NO_DIGITS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// A value in binary form.
struct Raw<'r>(&'r [u8]);

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Postgres {
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
        let key = self.columns.iter().find(|column| column.name == key);
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
        let fault = |error: tokio_postgres::Error| DatabaseFault::of(&error, &self.table);
        let (selected, codings) = self.selection(used);
        let (condition, keys) = condition(key, keys);
        let query = format!("SELECT {selected} FROM {} WHERE {condition}", self.relation);
        let schema = self.schema.project(used);
        let schema = schema.map_err(|_| DatabaseFault::Protocol)?;
        let mut decoder = CopyDecoder::new(Arc::new(schema), &codings);
        let session = self.session().await?;
        let parameters = [(keys, Type::TEXT_ARRAY)];
        let rows = session.get()?.query_typed_raw(&query, parameters).await;
        let mut rows = pin!(rows.map_err(fault)?);
        let (mut batches, mut count) = (Vec::new(), 0);
        while let Some(row) = rows.next().await {
            let row = row.map_err(fault)?;
            if count == 0 && !comes_as(&row, &codings) {
                let table = self.table.to_string();
                return Err(DatabaseFault::Changed { table });
            }
            let fields: Result<Vec<Option<Raw<'_>>>, _> =
                (0..row.len()).map(|at| row.try_get(at)).collect();
            let fields = fields.map_err(|_| DatabaseFault::Protocol)?;
            decoder.push_fields(fields.iter().map(|field| field.as_ref().map(|raw| raw.0)))?;
            count += 1;
            if count > FETCHED_ROWS_MAX {
                let what = "more than 100,000 records of the keys asked for";
                return Err(DatabaseFault::Unreadable { what });
            }
            if decoder.is_full() {
                batches.push(decoder.take_batch()?);
            }
        }
        self.keep(session);
        batches.push(decoder.take_batch()?);
        Ok(batches)
    }

    /// Returns a session that waits, or a new one.
    pub(super) async fn session(&self) -> Result<Session, DatabaseFault> {
        let idle = || self.idle.lock().ok()?.pop();
        while let Some(session) = idle() {
            if !session.is_closed() {
                return Ok(session);
            }
        }
        self.server.connect(&self.table).await
    }

    /// Keeps a session that has nothing to do for the next fetch.
    pub(super) fn keep(&self, session: Session) {
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < IDLE_COUNT_MAX
        {
            idle.push(session);
        }
    }
}

/// Tells whether the columns still are of the types that they had when the table was opened.
fn comes_as(row: &Row, codings: &[Coding]) -> bool {
    let found = row.columns().iter();
    found
        .map(|column| Coding::of(column.type_(), column.type_modifier()))
        .eq(codings.iter().copied())
}

/// Returns the condition that a record has one of the keys, such that an index on the key serves,
/// and the keys to bind: those that a value of its type can have.
fn condition<'k>(key: &Column, keys: &[&'k str]) -> (String, Vec<&'k str>) {
    let name = Quotes::Double.around(&key.name);
    let all = keys.iter().copied();
    match key.type_ {
        Type::INT2 | Type::INT4 | Type::INT8 => {
            let is_number = |key: &&str| key.parse::<i64>().is_ok();
            let condition = format!("{name} = ANY($1::text[]::int8[])");
            (condition, all.filter(is_number).collect())
        }
        Type::UUID => {
            let condition = format!("{name} = ANY($1::text[]::uuid[])");
            (condition, all.filter(is_uuid).collect())
        }
        Type::NUMERIC => {
            let is_sign = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
            let is_number = |key: &&str| key.chars().all(is_sign) && key.parse::<f64>().is_ok();
            let is_number = |key: &&str| is_number(key) || NO_DIGITS.contains(key);
            let condition = format!("{name} = ANY($1::text[]::numeric[])");
            (condition, all.filter(is_number).collect())
        }
        Type::BPCHAR => (format!("{name} = ANY($1::text[]::bpchar[])"), all.collect()),
        Type::TEXT | Type::VARCHAR => (format!("{name} = ANY($1::text[])"), all.collect()),
        _ => (format!("{name}::text = ANY($1::text[])"), all.collect()),
    }
}

/// Tells whether a text is a UUID as the server prints them.
fn is_uuid(text: &&str) -> bool {
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
        let keys = [
            "17",
            "x",
            "6a2f0e7c-43d5-4f53-9d1b-0d8a3b8f5a11",
            "9223372036854775808",
            "-Infinity",
        ];
        for (type_, expected) in [
            (Type::INT4, vec!["17"]),
            (Type::UUID, vec!["6a2f0e7c-43d5-4f53-9d1b-0d8a3b8f5a11"]),
            (Type::TEXT, keys.to_vec()),
            (
                Type::NUMERIC,
                vec!["17", "9223372036854775808", "-Infinity"],
            ),
            (Type::BPCHAR, keys.to_vec()),
        ] {
            let key = Column {
                name: "id".to_owned(),
                type_,
                modifier: -1,
            };
            assert_eq!(condition(&key, &keys).1, expected);
        }
    }
}
