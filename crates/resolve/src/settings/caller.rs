//! Who may ask the server for values: names, rights, and where each token is kept.

use std::collections::{BTreeMap, BTreeSet};
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
        let token = self.token.read(base);
        let token = token.map_err(|cause| TokenError::Secret {
            caller: self.name.clone(),
            cause,
        })?;
        self.check(token.reveal())?;
        Ok(token)
    }

    /// Refuses a token that can be guessed, or that no header carries.
    fn check(&self, token: &str) -> Result<(), TokenError> {
        let (caller, place) = (self.name.clone(), self.place());
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Signs { caller, place });
        }
        let len = token.len();
        if !(TOKEN_LEN_MIN..=TOKEN_LEN_MAX).contains(&len) {
            return Err(TokenError::Len { caller, place, len });
        }
        Ok(())
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
        let texts: Vec<&str> = tokens.iter().map(Secret::reveal).collect();
        match shared(&texts) {
            Some([one, other]) => Err(TokenError::Shared {
                one: self.callers[one].name.clone(),
                other: self.callers[other].name.clone(),
            }),
            None => Ok(tokens),
        }
    }
}

/// Returns the places of a token that stands twice.
fn shared(tokens: &[&str]) -> Option<[usize; 2]> {
    let mut seen = BTreeMap::new();
    let mut numbered = tokens.iter().enumerate();
    numbered.find_map(|(at, token)| Some([seen.insert(token, at)?, at]))
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
    use super::*;

    #[test]
    fn tokens_that_can_be_guessed_or_sent_wrong_are_refused_unquoted() {
        let caller = CallerSettings {
            name: "ui".to_owned(),
            token: SecretPlace {
                env: None,
                file: Some("ui.token".to_owned()),
            },
            ..CallerSettings::default()
        };
        let right = "0123456789abcdef0123456789abcdef";
        assert!(caller.check(right).is_ok());
        let (long, words) = ("x".repeat(513), "two words ".repeat(4));
        for (token, expected) in [
            (&right[1..], "the token in ui.token has 31 characters"),
            (&long, "has 513 characters"),
            (&words, "holds signs that no header carries"),
        ] {
            let said = caller.check(token).err().map(|error| error.to_string());
            let said = said.unwrap_or_default();
            assert!(said.contains(expected), "{said}");
            assert!(!said.contains(token), "{said}");
        }
    }

    #[test]
    fn a_token_of_two_callers_is_found() {
        assert_eq!(shared(&["a", "b", "c", "b"]), Some([1, 3]));
        assert_eq!(shared(&["a", "b", "c"]), None);
    }
}
