//! A parsed settings text that knows the line of every key.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Finding, KeyPath, KeyStep, SettingsProblem};

/// TOML with positions.
#[derive(Debug)]
pub(super) struct Document<'t> {
    text: &'t str,
    root: Spanned<DeValue<'t>>,
}

impl<'t> Document<'t> {
    /// Parses a text; what is not TOML is named with its line.
    pub(super) fn parse(text: &'t str) -> Result<Self, Vec<SettingsProblem>> {
        let (root, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            let root = Spanned::new(root.span(), DeValue::Table(root.into_inner()));
            return Ok(Self { text, root });
        }
        let problem = |error: &toml::de::Error| problem_of(text, error);
        Err(errors.iter().map(problem).collect())
    }

    /// Returns the top table.
    pub(super) fn root(&self) -> &Spanned<DeValue<'t>> {
        &self.root
    }

    /// Reads the document as a type.
    pub(super) fn read<T: Deserialize<'t>>(&self) -> Result<T, Vec<SettingsProblem>> {
        let deserializer = toml::de::ValueDeserializer::from(self.root.clone());
        T::deserialize(deserializer).map_err(|error| vec![problem_of(self.text, &error)])
    }

    /// Gives findings their lines, and sorts them by line.
    pub(super) fn locate(&self, findings: Vec<Finding>) -> Vec<SettingsProblem> {
        let mut problems: Vec<_> = findings.into_iter().map(|f| self.problem(f)).collect();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    }

    fn problem(&self, finding: Finding) -> SettingsProblem {
        let (line, column) = position(self.text, self.span(&finding.key).start);
        let Finding {
            key,
            message,
            suggestion,
        } = finding;
        SettingsProblem {
            line,
            column,
            key,
            message,
            suggestion,
        }
    }

    /// Returns where a key stands, or the innermost table that would hold it.
    fn span(&self, path: &KeyPath) -> Range<usize> {
        let mut at = &self.root;
        let mut span = 0..0;
        for step in path.steps() {
            let found = match (step, at.get_ref()) {
                (KeyStep::Key(key), DeValue::Table(table)) => table
                    .get_key_value(key.as_str())
                    .map(|(key, value)| (key.span(), value)),
                (KeyStep::Index(index), DeValue::Array(list)) => {
                    list.get(*index).map(|value| (value.span(), value))
                }
                _ => None,
            };
            let Some((place, value)) = found else {
                return span;
            };
            (span, at) = (place, value);
        }
        span
    }
}

fn problem_of(text: &str, error: &toml::de::Error) -> SettingsProblem {
    let start = error.span().map_or(0, |span| span.start);
    let (line, column) = position(text, start);
    let message = error.message().trim().replace('\n', ", ");
    SettingsProblem {
        line,
        column,
        key: KeyPath::default(),
        message,
        suggestion: None,
    }
}

/// Returns line and column of a byte offset, both from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}
