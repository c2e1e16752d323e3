//! What an error of the client means: the server's number for it, a failed connection, or a kind.
//!
//! The numbers are those of the manuals, "Server Error Message Reference" of MySQL and "MariaDB
//! Error Codes"; both share them below 1900 and go their own ways above.

use mysql_async::{DriverError, Error, IoError, ServerError};

use crate::database::{DatabaseFault, SqlState};

impl DatabaseFault {
    /// Tells the fault from an error of the client; `table` is what was asked for.
    pub(crate) fn of_mysql(error: &Error, table: &str) -> Self {
        match error {
            Error::Server(error) => Self::of_number(error, table),
            Error::Io(IoError::Io(error)) if error.get_ref().is_some_and(is_codec) => Self::NoMysql,
            Error::Io(IoError::Io(error)) => Self::of_io(error),
            Error::Io(IoError::Tls(_)) => Self::Encryption,
            Error::Driver(error) => Self::of_client(error),
            Error::Other(_) | Error::Url(_) => Self::NoMysql,
        }
    }

    fn of_client(error: &DriverError) -> Self {
        match error {
            DriverError::ConnectionClosed => Self::Lost,
            DriverError::NoClientSslFlagFromServer => Self::Encryption,
            DriverError::UnknownAuthPlugin { .. }
            | DriverError::MysqlOldPasswordDisabled
            | DriverError::CleartextPluginDisabled => Self::LoginKind,
            DriverError::PacketTooLarge => Self::Unreadable {
                what: "a record of more than 64 MiB",
            },
            DriverError::LocalInfile(_) => Self::Unreadable {
                what: "a request for a file of this machine, which was refused",
            },
            _ => Self::NoMysql,
        }
    }

    fn of_number(error: &ServerError, table: &str) -> Self {
        let table = table.to_owned();
        match error.code {
            // Of access and of hosts.
            1045 | 1698 | 1130 | 1862 | 3118 | 4151 => Self::Login,
            1251 | 1275 | 1524 | 1863 | 3167 => Self::LoginKind,
            3159 => Self::Encryption,
            1049 => Self::NoDatabase,
            1044 | 1142 | 1143 | 1227 | 1345 | 1370 => Self::NotGranted { table },
            1109 | 1146 => Self::NoTable { table },
            1054 | 1412 | 1615 => Self::Changed { table },
            1040 | 1203 | 1226 => Self::Crowded,
            1053 | 1077 | 1079 => Self::Stopping,
            1205 | 1206 | 3572 => Self::Locked,
            1317 | 1927 => Self::Killed,
            1969 | 3024 => Self::TooLong,
            1158..=1161 => Self::Lost,
            number => {
                let state = error.state.as_bytes().try_into().map(SqlState::of);
                let state = state.unwrap_or_default();
                let code = format!("{}, error {number}", state.text().unwrap_or("HY000"));
                Self::Refused { code }
            }
        }
    }
}

/// Tells whether what came is no packet of the protocol.
fn is_codec(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.to_string().starts_with("Packet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_told_without_its_words() {
        for (code, state, says) in [
            (1045, "28000", "refuses user or password"),
            (1146, "42S02", "no table or view t;"),
            (1292, "22007", "SQLSTATE 22007, error 1292;"),
            (1690, "hunter2", "SQLSTATE HY000, error 1690;"),
            (1927, "70100", "somebody ended the query"),
        ] {
            let error = Error::Server(ServerError {
                code,
                message: "key hunter2".to_owned(),
                state: state.to_owned(),
            });
            let said = DatabaseFault::of_mysql(&error, "t").to_string();
            assert!(said.contains(says), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
