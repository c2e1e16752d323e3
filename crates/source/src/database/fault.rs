//! What can go wrong with a database, told without what the server says, which may quote values.

use crate::secret::SecretError;

/// A failure of a database, with its remedy.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseFault {
    /// The secret that the settings name is not there.
    #[error("no password: {0}")]
    Secret(#[from] SecretError),
    /// Nobody answers at the address.
    #[error("it does not answer ({reason}); check host and port, and that the server runs")]
    Unreachable {
        /// The kind of failure.
        reason: String,
    },
    /// The server wants a password and the settings name none.
    #[error(
        "the server asks for a password; set `password = {{ env = \"…\" }}` or `{{ file = \"…\" }}`"
    )]
    NoPassword,
    /// The server does not let the user in.
    #[error(
        "the server refuses user or password; check both, and the server's rules for this host"
    )]
    Login,
    /// The connection cannot be encrypted.
    #[error(
        "no encrypted connection: the server offers none, or its certificate is not trusted here; \
         name its authority's certificate in SSL_CERT_FILE, or add `?sslmode=disable` to the address"
    )]
    Encryption,
    /// The database does not exist.
    #[error("there is no such database on the server; check the end of `uri`")]
    NoDatabase,
    /// The table or view does not exist.
    #[error("there is no table or view {table}; check `table`, with its schema")]
    NoTable {
        /// The table as the settings name it.
        table: String,
    },
    /// The user may not read the table.
    #[error(
        "the user may not read {table}; run as its owner: \
         GRANT USAGE ON SCHEMA … TO …; GRANT SELECT ON {table} TO …"
    )]
    Denied {
        /// The table as the settings name it.
        table: String,
    },
    /// The server has no connection left.
    #[error("the server has no connection left; close others, or run with fewer --threads")]
    Crowded,
    /// The server is stopping or starting.
    #[error("the server is stopping or starting; try again when it runs")]
    Stopping,
    /// Somebody holds the table.
    #[error("another transaction holds the table; try again when it has ended")]
    Locked,
    /// The query was cancelled from outside, or took longer than the server allows.
    #[error("the query was cancelled; raise statement_timeout for the user, or ask who did it")]
    Cancelled,
    /// The connection broke.
    #[error("the connection broke while reading; nothing was taken over, run again")]
    Lost,
    /// The columns are others than when the source was opened.
    #[error("the columns of {table} changed meanwhile; run again")]
    Changed {
        /// The table as the settings name it.
        table: String,
    },
    /// The server sent what cannot be read.
    #[error("the server sent {what}; make a view that leaves it out or casts it to text")]
    Unreadable {
        /// What it is, without the value.
        what: &'static str,
    },
    /// The server refused for another reason.
    #[error("the server refuses with SQLSTATE {code}; its log says why")]
    Refused {
        /// The state.
        code: String,
    },
    /// The client failed in another way.
    #[error("the server does not answer as PostgreSQL does; check host and port")]
    Protocol,
}

impl DatabaseFault {
    /// Tells the fault from an error of the client; `table` is what was asked for.
    pub(crate) fn of(error: &tokio_postgres::Error, table: &str) -> Self {
        if let Some(state) = error.code() {
            return Self::of_state(state.code(), table);
        }
        // The client's kinds are told by their texts alone, which are its own.
        let mut told = String::new();
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(current) = cause {
            if let Some(io) = current.downcast_ref::<std::io::Error>() {
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

    fn of_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        // What rustls refuses comes as invalid data.
        match error.kind() {
            ErrorKind::InvalidData => Self::Encryption,
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
                Self::Lost
            }
            kind => Self::Unreachable {
                reason: kind.to_string(),
            },
        }
    }

    fn of_state(code: &str, table: &str) -> Self {
        let table = table.to_owned();
        match code {
            "28P01" | "28000" => Self::Login,
            "3D000" => Self::NoDatabase,
            "42P01" | "3F000" | "42602" => Self::NoTable { table },
            "42501" => Self::Denied { table },
            "42703" => Self::Changed { table },
            "53300" => Self::Crowded,
            "55P03" => Self::Locked,
            "57014" => Self::Cancelled,
            "57P01" | "57P02" | "57P03" => Self::Stopping,
            code => Self::Refused {
                code: code.to_owned(),
            },
        }
    }
}
