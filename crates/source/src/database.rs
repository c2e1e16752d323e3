//! Databases: tables and views, read in one consistent snapshot.

mod adbc;
mod fault;
mod mysql;
mod name;
mod postgres;

pub(crate) use self::adbc::Adbc;
pub use self::fault::{DatabaseFault, SqlState};
pub(crate) use self::mysql::Mysql;
pub use self::mysql::is_mysql;
pub(crate) use self::postgres::Postgres;
pub use self::postgres::is_postgres;
