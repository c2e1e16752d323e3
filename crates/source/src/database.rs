//! Databases: tables and views, read in one consistent snapshot.

mod fault;
mod postgres;

pub use self::fault::DatabaseFault;
pub(crate) use self::postgres::{Postgres, is_postgres};
