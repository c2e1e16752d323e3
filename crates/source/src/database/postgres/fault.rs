//! What an error of the client means, which has a SQLSTATE, a failed connection, or words.

use std::error::Error;
use std::io;

use crate::database::DatabaseFault;

impl DatabaseFault {
    /// Tells the fault from an error of the client; `table` is what was asked for.
    pub(crate) fn of(error: &tokio_postgres::Error, table: &str) -> Self {
        if let Some(state) = error.code() {
            return Self::of_state(state.code(), table);
        }
        // The client's kinds are told by their texts alone, which are its own.
        let mut told = String::new();
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(current) = cause {
            if let Some(io) = current.downcast_ref::<io::Error>() {
                return Self::of_io(io);
            }
            told.push_str(&current.to_string());
            cause = current.source();
        }
        if error.is_closed() {
            Self::Lost
        } else if told.contains("password missing") {
            Self::NoPassword
        } else if told.contains("TLS") || told.contains("SSL") {
            Self::Encryption
        } else if told.contains("timeout") || told.contains("timed out") {
            let reason = "timed out".to_owned();
            Self::Unreachable { reason }
        } else {
            Self::Protocol
        }
    }
}
