//! What can be wrong with settings, and where.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// One step from a table or list to what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyStep {
    /// The key of a table.
    Key(String),
    /// The position in a list, from 0.
    Index(usize),
}

impl From<&str> for KeyStep {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for KeyStep {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The way from the top of a settings file to one of its keys: `compare[2].field`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPath(Vec<KeyStep>);

impl KeyPath {
    /// Returns the path with one more step.
    #[must_use]
    pub fn with(&self, step: impl Into<KeyStep>) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.into());
        Self(steps)
    }

    /// Returns the steps.
    pub fn steps(&self) -> &[KeyStep] {
        &self.0
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                KeyStep::Index(position) => write!(f, "[{position}]")?,
                KeyStep::Key(key) if index == 0 => f.write_str(key)?,
                KeyStep::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

/// A problem whose line is not looked up yet.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) key: KeyPath,
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

impl Finding {
    pub(super) fn new(key: KeyPath, message: impl Into<String>) -> Self {
        Self {
            key,
            message: message.into(),
            suggestion: None,
        }
    }

    /// A finding about a word that is not one of those that may stand here.
    pub(super) fn unknown<'a>(
        key: KeyPath,
        message: impl Into<String>,
        word: &str,
        known: impl Iterator<Item = &'a str> + Clone,
    ) -> Self {
        let message = message.into();
        let suggestion = sameas_matching::closest(word, known.clone()).map(str::to_owned);
        if suggestion.is_some() {
            return Self {
                key,
                message,
                suggestion,
            };
        }
        let known: Vec<_> = known.collect();
        let message = match known.as_slice() {
            [] => message,
            known => format!("{message}; known here: {}", known.join(", ")),
        };
        Self {
            key,
            message,
            suggestion,
        }
    }
}

/// One thing that is wrong in a settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingsProblem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key it concerns; empty when the text is not TOML.
    pub key: KeyPath,
    /// What is wrong.
    pub message: String,
    /// The word that was likely meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.steps().is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(word) => write!(f, "; did you mean \"{word}\"?"),
            None => Ok(()),
        }
    }
}

/// Why settings cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings file {} ({cause}); name another with --config, or let `sameas init` write one", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The file is too long to be settings.
    #[error("{} has {len} bytes, settings have at most 4 MiB; name another file with --config", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
    },
    /// The file says something that cannot be.
    #[error("{}", lines(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the order of lines.
        problems: Vec<SettingsProblem>,
    },
}

fn lines(path: &std::path::Path, problems: &[SettingsProblem]) -> String {
    let line = |problem: &SettingsProblem| format!("{}:{problem}", path.display());
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}
