//! Databases: tables and views, read in one consistent snapshot.

mod adbc;
mod fault;
mod mysql;
mod name;
mod postgres;

pub(crate) use self::adbc::{Adbc, driver_command, is_file_driver};
pub use self::fault::{DatabaseFault, SqlState};
pub use self::mysql::is_mysql;
pub(crate) use self::mysql::{Mysql, grants_of as mysql_grants};
pub use self::postgres::is_postgres;
pub(crate) use self::postgres::{Postgres, grants as postgres_grants};
