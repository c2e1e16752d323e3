//! How queries come to a database.

use std::sync::Arc;

use adbc_core::error::Error;
use adbc_core::{Database as _, Driver as _};
use adbc_driver_manager::{ManagedConnection, ManagedDatabase, ManagedDriver};

use super::options::Options;
use super::query::rows_of;
use super::system::System;
use crate::database::DatabaseFault;

/// How long SQLite waits for a lock that somebody holds who writes, in milliseconds; by itself not
/// at all. It is less than a source of a profile may take unless settings say otherwise.
const SQLITE_PATIENCE: &str = "PRAGMA busy_timeout = 1000";

/// Where connections are had.
#[derive(Clone)]
pub(crate) struct Gate {
    way: Arc<Way>,
    /// The database, if it stays open. DuckDB's is opened for each connection: while it is open its
    /// file is locked against who writes, and one that took the file's place is not seen.
    kept: Option<ManagedDatabase>,
}

struct Way {
    driver: ManagedDriver,
    options: Options,
    system: System,
}

impl Gate {
    /// Opens the database.
    pub(crate) fn open(
        driver: ManagedDriver,
        options: Options,
        system: System,
    ) -> Result<Self, DatabaseFault> {
        let way = Way {
            driver,
            options,
            system,
        };
        let database = way.open()?;
        Ok(Self {
            way: Arc::new(way),
            kept: (system != System::DuckDb).then_some(database),
        })
    }

    /// Returns a new connection, which keeps its database open.
    pub(crate) fn connect(&self) -> Result<ManagedConnection, DatabaseFault> {
        let way = &self.way;
        let database = match &self.kept {
            Some(database) => database.clone(),
            None => way.open()?,
        };
        let connection = database.new_connection();
        let mut connection = connection.map_err(|error| way.refused(&error))?;
        if way.system == System::Sqlite {
            rows_of(&mut connection, SQLITE_PATIENCE, "")?;
        }
        Ok(connection)
    }
}

impl Way {
    fn open(&self) -> Result<ManagedDatabase, DatabaseFault> {
        let pairs = self.options.clone().into_pairs();
        let opened = self.driver.clone().new_database_with_opts(pairs);
        opened.map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &Error) -> DatabaseFault {
        let names = self.options.names();
        let fault = DatabaseFault::of_options(error, self.system.lacking(&names), &names);
        match fault {
            // A warehouse's host is made of its account.
            DatabaseFault::Unreachable { .. } if self.system == System::Snowflake => {
                let reason = "no host of this account answers".to_owned();
                DatabaseFault::Unreachable { reason }
            }
            fault => fault,
        }
    }
}
