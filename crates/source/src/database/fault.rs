//! What can go wrong with a database, told without what the server says, which may quote values.

use std::{fmt, io};

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
        "the server asks for a password; set `password = {{ env = \"…\" }}` or `{{ file = \"…\" }}`, \
         and for `sameas init` PGPASSWORD or MYSQL_PWD"
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
        "the user may not read {table}; its owner may grant CONNECT on the database, USAGE on the \
         schema and SELECT on the table: `sameas source check` prints the statements"
    )]
    Denied {
        /// The table as the settings name it.
        table: String,
    },
    /// The user may not read the table of a system that has no schemas, or there is none: to a user
    /// without rights such a system does not say which.
    #[error(
        "there is no such table or database, or the user may not read it; check {table} and the end of \
         `uri`, and if both are right, run as somebody who may grant it: GRANT SELECT ON {table} TO …, \
         and EXECUTE on the functions that a view calls"
    )]
    NotGranted {
        /// The table as the settings name it.
        table: String,
    },
    /// The server wants a way of logging in that the client does not know.
    #[error(
        "the server asks for a way of logging in that is not known here; \
         give the user a password of the kind mysql_native_password or caching_sha2_password"
    )]
    LoginKind,
    /// Tables of this kind change while they are read.
    #[error(
        "{table} is stored by {engine}, which shows a scan no single moment; \
         read a copy of it in InnoDB (ALTER TABLE … ENGINE = InnoDB)"
    )]
    NoMoment {
        /// The table as the settings name it.
        table: String,
        /// What stores it.
        engine: String,
    },
    /// Somebody ended the query.
    #[error("somebody ended the query at the server; ask who did it, and run again")]
    Killed,
    /// The query took longer than it may.
    #[error(
        "the query took longer than it may; records are found quickly by a key with an index, \
         and views that compute for long should be tables"
    )]
    TooLong,
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
    /// The driver has credentials of another kind than it expects, or damaged ones.
    #[error(
        "the driver cannot use the credentials; check that what `options` name is whole, and of the \
         kind that its documentation asks for"
    )]
    BadCredentials,
    /// The file is of another kind.
    #[error("the file is no database of this kind, or damaged; check `uri` and `driver`")]
    OtherFile,
    /// The file is of a version that the driver does not read.
    #[error(
        "the file was written by another version of its system than the driver's; set `driver` to \
         one of the version that wrote it, or a newer one"
    )]
    OtherVersion,
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
    /// The driver takes no parameters.
    #[error("the driver takes no parameters, so records cannot be asked for by key")]
    NoParameters,
    /// The driver came to an end that no code is prepared for.
    #[error("the driver crashed; nothing was taken over, run again or with another release of it")]
    Crashed,
    /// The client failed in another way.
    #[error("the server does not answer as PostgreSQL does; check host and port")]
    Protocol,
    /// Something else answers than the scheme of the address says.
    #[error("the server does not answer as MySQL or MariaDB does; check scheme, host and port")]
    NoMysql,
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
    pub(crate) fn of(signs: [u8; 5]) -> Self {
        let is_state = signs.iter().all(u8::is_ascii_alphanumeric) && signs != *b"00000";
        Self(is_state.then_some(signs))
    }

    pub(crate) fn text(&self) -> Option<&str> {
        self.0
            .as_ref()
            .and_then(|signs| std::str::from_utf8(signs).ok())
    }
}

impl DatabaseFault {
    /// Tells the fault by its SQLSTATE; `table` is what was asked for.
    pub(crate) fn of_state(code: &str, table: &str) -> Self {
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

    /// Tells the fault from a failure of the network.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        use io::ErrorKind;
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

    /// Returns that nobody answers, and why.
    pub(crate) fn unreachable(reason: &str) -> Self {
        Self::Unreachable {
            reason: reason.to_owned(),
        }
    }
}
