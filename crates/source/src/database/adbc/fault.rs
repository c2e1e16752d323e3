//! What a driver's error means, which has a status, perhaps a SQLSTATE, and words.

use adbc_core::error::{Error, Status};
use arrow_schema::ArrowError;

use super::system::Needed;
use crate::database::{DatabaseFault, SqlState};

impl DatabaseFault {
    /// Tells the fault from an error of a driver; `table` is what was asked for.
    pub(crate) fn of_driver(error: &Error, table: &str) -> Self {
        let state = SqlState::of(error.sqlstate.map(|sign| sign as u8));
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
            "option value",
            "auth type value",
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
        } else if has(&["with version number", "newer version of", "storage version"]) {
            Some(Self::OtherVersion)
        } else if has(&["not a database", "not a valid duckdb database", "malformed"]) {
            Some(Self::OtherFile)
        } else if has(&["database is locked", "set lock on file", "conflicting lock"]) {
            Some(Self::InUse)
        } else if has(&["default credentials", "is empty"]) {
            Some(Self::NoCredentials)
        } else if has(&["constructing client"]) {
            Some(Self::BadCredentials)
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
                "Trying to read a database file with version number 99, but we can only read version number 64.",
                Status::Internal,
                b"\0\0\0\0\0",
                "set `driver` to one of the version that wrote it",
            ),
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
                "[BigQuery] constructing client: invalid character 'h' in hunter2",
                Status::Unknown,
                b"00000",
                "cannot use the credentials",
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
