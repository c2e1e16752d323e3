//! Who may ask the server for values: names, rights, and where each token is kept.

use std::collections::BTreeSet;
use std::path::Path;

use sameas_source::{Secret, SecretError, SecretPlace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Settings;
use super::problem::{Finding, KeyPath};

/// The fewest characters of a token: as many as 128 bits have in hexadecimal digits.
const TOKEN_LEN_MIN: usize = 32;
/// The most characters of a token, so that it fits the headers of a call.
const TOKEN_LEN_MAX: usize = 512;
/// The most callers: the server compares a token with each of theirs.
const CALLER_COUNT_MAX: usize = 1_000;
/// The longest name of a caller, in bytes.
const NAME_LEN_MAX: usize = 64;

/// What a caller may ask for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CallerRight {
    /// Customers by some of their attributes.
    Find,
    /// What the systems say of a customer.
    Profile,
}

/// A program that may ask the server for values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallerSettings {
    /// Its name, which the server logs.
    pub name: String,
    /// Where its token is kept; it is read when the server starts.
    pub token: SecretPlace,
    /// What it may ask for.
    #[serde(default)]
    pub may: Vec<CallerRight>,
    /// The fields that profiles show it; all if absent.
    pub fields: Option<Vec<String>>,
}

/// Why the token of a caller cannot be used. No message quotes it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It could not be had.
    #[error("caller `{caller}`: no token: {cause}")]
    Secret {
        /// The caller.
        caller: String,
        /// Why.
        cause: SecretError,
    },
    /// It is too short or too long.
    #[error(
        "caller `{caller}`: the token in {place} has {len} characters, expected {TOKEN_LEN_MIN} to \
         {TOKEN_LEN_MAX}; `openssl rand -hex 32` makes one"
    )]
    Len {
        /// The caller.
        caller: String,
        /// The variable or file.
        place: String,
        /// How many characters it has.
        len: usize,
    },
    /// A header cannot carry it.
    #[error(
        "caller `{caller}`: the token in {place} holds signs that no header carries, expected \
         visible ASCII without spaces; `openssl rand -hex 32` makes one"
    )]
    Signs {
        /// The caller.
        caller: String,
        /// The variable or file.
        place: String,
    },
    /// Another caller has the same.
    #[error(
        "callers `{one}` and `{other}` have the same token, so the server could not tell them \
         apart; `openssl rand -hex 32` makes another"
    )]
    Shared {
        /// One caller.
        one: String,
        /// The other.
        other: String,
    },
}

impl CallerSettings {
    /// Returns the variable or file of the token.
    fn place(&self) -> String {
        let SecretPlace { env, file } = &self.token;
        env.as_ref().or(file.as_ref()).cloned().unwrap_or_default()
    }

    fn read_token(&self, base: &Path) -> Result<Secret, TokenError> {
        let caller = self.name.clone();
        let token = self.token.read(base);
        let token = token.map_err(|cause| TokenError::Secret {
            caller: caller.clone(),
            cause,
        })?;
        let (text, place) = (token.reveal(), self.place());
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Signs { caller, place });
        }
        if !(TOKEN_LEN_MIN..=TOKEN_LEN_MAX).contains(&text.len()) {
            let len = text.len();
            return Err(TokenError::Len { caller, place, len });
        }
        Ok(token)
    }
}

impl Settings {
    /// Reads the tokens of all callers, in their order.
    ///
    /// # Errors
    /// Tokens that cannot be read, are too short to be safe, or are those of two callers.
    pub fn caller_tokens(&self) -> Result<Vec<Secret>, TokenError> {
        let tokens = self.callers.iter().map(|c| c.read_token(&self.base));
        let tokens: Vec<Secret> = tokens.collect::<Result<_, _>>()?;
        for (at, token) in tokens.iter().enumerate() {
            let same = |other: &Secret| other.reveal() == token.reveal();
            if let Some(first) = tokens[..at].iter().position(same) {
                return Err(TokenError::Shared {
                    one: self.callers[first].name.clone(),
                    other: self.callers[at].name.clone(),
                });
            }
        }
        Ok(tokens)
    }
}

/// Returns what does not fit together in the callers.
pub(super) fn check(settings: &Settings, mapped: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let callers = KeyPath::default().with("caller");
    if settings.callers.len() > CALLER_COUNT_MAX {
        let message = format!(
            "{} callers; at most {CALLER_COUNT_MAX}",
            settings.callers.len()
        );
        findings.push(Finding::new(callers.clone(), message));
    }
    if settings.serve.lookup_needs_caller && settings.callers.is_empty() {
        let message = "nobody could look anything up; add a [[caller]] table";
        let path = KeyPath::default().with("serve");
        findings.push(Finding::new(path.with("lookup_needs_caller"), message));
    }
    let mut seen = BTreeSet::new();
    for (index, caller) in settings.callers.iter().enumerate() {
        let path = callers.with(index);
        if !seen.insert(caller.name.as_str()) {
            let message = format!("another caller is named \"{}\" too", caller.name);
            findings.push(Finding::new(path.with("name"), message));
        }
        findings.extend(of_caller(settings, caller, &path, mapped));
    }
    findings
}

fn of_caller(
    settings: &Settings,
    caller: &CallerSettings,
    path: &KeyPath,
    mapped: &BTreeSet<&str>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |key: KeyPath, message: &str| findings.push(Finding::new(key, message));
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let name = &caller.name;
    if name.is_empty() || name.len() > NAME_LEN_MAX || !name.bytes().all(is_fit) {
        let message = "a caller's name is 1 to 64 letters, digits, '_', '-' or '.'";
        say(path.with("name"), message);
    }
    if caller.token.env.is_some() == caller.token.file.is_some() {
        let message =
            "names no place or two; expected { env = \"CRM_TOKEN\" } or { file = \"crm.token\" }";
        say(path.with("token"), message);
    }
    if caller.may.is_empty() && !settings.serve.lookup_needs_caller {
        let message = "allows nothing; name what the caller asks for, \"find\" or \"profile\"";
        say(path.with("may"), message);
    }
    let Some(fields) = &caller.fields else {
        return findings;
    };
    if fields.is_empty() {
        let message = "shows no field; name some, or leave it out to show all";
        say(path.with("fields"), message);
    }
    for (at, field) in fields.iter().enumerate() {
        if mapped.contains(field.as_str()) {
            continue;
        }
        let message = format!("no source maps a field \"{field}\"");
        let key = path.with("fields").with(at);
        let known = mapped.iter().copied();
        findings.push(Finding::unknown(key, message, field, known));
    }
    findings
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn settings(folder: &Path, tokens: &[&str]) -> Settings {
        let callers = tokens.iter().enumerate().map(|(index, token)| {
            let name = format!("c{index}");
            std::fs::write(folder.join(&name), token).unwrap();
            let token = SecretPlace {
                env: None,
                file: Some(name.clone()),
            };
            CallerSettings {
                name,
                token,
                ..CallerSettings::default()
            }
        });
        Settings {
            callers: callers.collect(),
            base: folder.to_owned(),
            ..Settings::default()
        }
    }

    #[test]
    fn tokens_that_can_be_guessed_sent_wrong_or_mistaken_are_refused_unquoted() {
        let folder = tempfile::tempdir().unwrap();
        let right = "0123456789abcdef0123456789abcdef";
        let read = |tokens: &[&str]| settings(folder.path(), tokens).caller_tokens();
        let tokens = read(&[&format!("{right}\n"), "fedcba9876543210fedcba9876543210"]);
        assert_eq!(tokens.unwrap()[0].reveal(), right);
        for (tokens, expected) in [
            (&[&right[1..]][..], "the token in c0 has 31 characters"),
            (&[&"x".repeat(513)], "has 513 characters"),
            (&[&"two words ".repeat(4)], "holds signs"),
            (&[""], "c0 is empty"),
            (
                &[right, "fedcba9876543210fedcba9876543210", right],
                "callers `c0` and `c2` have the same token",
            ),
        ] {
            let error = read(tokens).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            let quoted = tokens.iter().any(|t| !t.is_empty() && error.contains(*t));
            assert!(!quoted, "{error}");
        }
    }
}
