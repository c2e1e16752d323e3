//! What can go wrong with a database, told without what the server says, which may quote values.

use std::fmt;

use adbc_core::error::{Error, Status};
use arrow_schema::ArrowError;

use crate::database::adbc::Needed;
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
         GRANT CONNECT ON DATABASE … TO …; GRANT USAGE ON SCHEMA … TO …; GRANT SELECT ON {table} TO …"
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
    /// There is no such driver.
    #[error("there is no driver {driver}; {help}")]
    NoDriver {
        /// The driver as the settings name it.
        driver: Box<str>,
        /// Where it was looked for, and how it is had.
        help: Box<str>,
    },
    /// A driver that this machine cannot load.
    #[error(
        "{place} cannot be loaded as a driver: it is no shared library of this system and processor, \
         or a library that it needs is missing"
    )]
    Unloadable {
        /// The library or manifest.
        place: String,
    },
    /// A library that has no driver where one is looked for.
    #[error(
        "{driver} has no such entry point; set `entry_point` to the one its documentation names"
    )]
    NoEntryPoint {
        /// The driver as the settings name it.
        driver: String,
    },
    /// An option is missing.
    #[error("the driver needs {what}; set {option:?} in `options`")]
    NoOption {
        /// The option.
        option: &'static str,
        /// What it stands for.
        what: &'static str,
    },
    /// The driver does not take the options.
    #[error(
        "the driver does not take the options as they are ({options}); check names and values in its documentation"
    )]
    Options {
        /// Their names.
        options: String,
    },
    /// The driver finds no credentials.
    #[error(
        "the driver has no credentials; give what it needs in `options`, with `{{ env = \"…\" }}`"
    )]
    NoCredentials,
    /// The file is of another kind.
    #[error("the file is no database of this kind, or damaged; check `uri` and `driver`")]
    OtherFile,
    /// Somebody else writes.
    #[error("another process holds the database for writing; try again when it has ended")]
    InUse,
    /// A driver refused for another reason.
    #[error(
        "the driver refuses: {what}{state}; what it says itself is left out, for it may quote values"
    )]
    Driver {
        /// The kind of failure.
        what: &'static str,
        /// The SQLSTATE, if there is one.
        state: SqlState,
    },
    /// The driver came to an end that no code is prepared for.
    #[error("the driver crashed; nothing was taken over, run again or with another release of it")]
    Crashed,
    /// The client failed in another way.
    #[error("the server does not answer as PostgreSQL does; check host and port")]
    Protocol,
}

/// The state of a driver's error, if it has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SqlState(Option<[u8; 5]>);

impl fmt::Display for SqlState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => write!(out, " (SQLSTATE {text})"),
            None => Ok(()),
        }
    }
}

impl SqlState {
    /// Takes five signs that are letters and digits, unless they say nothing.
    fn of(error: &Error) -> Self {
        let signs = error.sqlstate.map(|sign| sign as u8);
        let is_state = signs.iter().all(u8::is_ascii_alphanumeric) && signs != *b"00000";
        Self(is_state.then_some(signs))
    }

    fn text(&self) -> Option<&str> {
        self.0
            .as_ref()
            .and_then(|signs| std::str::from_utf8(signs).ok())
    }
}

impl DatabaseFault {
    /// Tells the fault from an error of a driver; `table` is what was asked for.
    pub(crate) fn of_driver(error: &Error, table: &str) -> Self {
        let state = SqlState::of(error);
        let known = state.text().map(|text| Self::of_state(text, table));
        match known {
            None | Some(Self::Refused { .. }) => {}
            Some(known) => return known,
        }
        Self::of_words(&error.message, table).unwrap_or_else(|| match error.status {
            Status::Unauthenticated => Self::Login,
            Status::Unauthorized => Self::Denied {
                table: table.to_owned(),
            },
            Status::Cancelled => Self::Cancelled,
            status => Self::Driver {
                what: words_of(status),
                state,
            },
        })
    }

    /// Tells the fault from an error of a driver that was given options and those names.
    pub(crate) fn of_options(error: &Error, needed: Option<Needed>, names: &[String]) -> Self {
        if let Some(Needed { option, what }) = needed {
            return Self::NoOption { option, what };
        }
        let text = error.message.to_ascii_lowercase();
        let words = [
            "database option",
            "unknown option",
            "not recognized",
            "unrecognized",
        ];
        if words.iter().any(|words| text.contains(words)) {
            let options = names.join(", ");
            return Self::Options { options };
        }
        Self::of_driver(error, "")
    }

    /// Tells the fault from an error in the midst of a driver's rows.
    pub(crate) fn of_rows(error: &ArrowError, table: &str) -> Self {
        let text = error.to_string();
        if text.contains("Type mismatch") {
            let what = "a value of another type than its column";
            return Self::Unreadable { what };
        }
        Self::of_words(&text, table).unwrap_or(Self::Lost)
    }

    /// Tells the fault from words of drivers that have neither status nor state for it.
    fn of_words(text: &str, table: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if has(&["column"]) && has(&["no such", "not found", "does not exist"]) {
            let table = table.to_owned();
            Some(Self::Changed { table })
        } else if has(&["no such table", "unknown table"])
            || has(&["table", "view", "schema", "object"]) && has(&["does not exist", "not found"])
        {
            let table = table.to_owned();
            Some(Self::NoTable { table })
        } else if has(&["not a database", "not a valid duckdb database", "malformed"]) {
            Some(Self::OtherFile)
        } else if has(&["database is locked", "set lock on file", "conflicting lock"]) {
            Some(Self::InUse)
        } else if has(&["default credentials", "is empty"]) {
            Some(Self::NoCredentials)
        } else if has(&[
            "connection refused",
            "no such host",
            "unavailable",
            "unreachable",
        ]) {
            let reason = "no connection".to_owned();
            Some(Self::Unreachable { reason })
        } else if has(&["interrupt"]) {
            Some(Self::Cancelled)
        } else {
            None
        }
    }

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
            // What looks up names has no kind of its own.
            ErrorKind::Other => Self::unreachable("no such host, or no network"),
            kind if kind.to_string() == "uncategorized error" => {
                Self::unreachable("no such host, or no network")
            }
            kind => Self::unreachable(&kind.to_string()),
        }
    }

    fn unreachable(reason: &str) -> Self {
        Self::Unreachable {
            reason: reason.to_owned(),
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

/// Returns a status in plain words.
fn words_of(status: Status) -> &'static str {
    match status {
        Status::NotImplemented => "it cannot do what was asked",
        Status::NotFound => "something that the settings name is not there",
        Status::AlreadyExists => "something is there already",
        Status::InvalidArguments => "a name or an option is not as it expects",
        Status::InvalidState => "it was not told enough; an option is missing",
        Status::InvalidData | Status::Integrity => "it met data that it cannot read",
        Status::IO => "it cannot reach its system",
        Status::Timeout => "it waited for its system too long",
        _ => "it or its system failed inside",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str, status: Status, state: [u8; 5]) -> Error {
        let mut error = Error::with_message_and_status(message, status);
        error.sqlstate = state.map(|sign| sign as std::ffi::c_char);
        error
    }

    #[test]
    fn what_a_driver_says_is_told_without_its_words() {
        for (message, status, state, says) in [
            (
                "no such table: x",
                Status::InvalidArguments,
                b"\0\0\0\0\0",
                "no table or view t;",
            ),
            (
                "key hunter2",
                Status::Internal,
                b"42P01",
                "no table or view t;",
            ),
            (
                "key hunter2",
                Status::Unauthenticated,
                b"00000",
                "user or password",
            ),
            (
                "key hunter2",
                Status::IO,
                b"08001",
                "reach its system (SQLSTATE 08001)",
            ),
            (
                "key hunter2",
                Status::Unknown,
                b"\0'; \0",
                "failed inside; what",
            ),
            (
                "[SQLite] database is locked",
                Status::IO,
                b"00000",
                "another process",
            ),
        ] {
            let said = DatabaseFault::of_driver(&error(message, status, *state), "t").to_string();
            assert!(said.contains(says), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
