//! Regular expressions as RE2 reads them.

use regex::Regex;

/// A compiled regular expression.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Pattern {
    /// Compiles a pattern; the error says what is wrong with it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        Regex::new(&as_re2(text))
            .map(Self)
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
                _ => "not a regular expression".to_owned(),
            })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Returns what a group of the first match holds; empty where there is none.
    pub(super) fn extract(&self, text: &str, group: usize) -> String {
        let captures = self.0.captures(text);
        let found = captures.as_ref().and_then(|captures| captures.get(group));
        found.map_or_else(String::new, |found| found.as_str().to_owned())
    }

    /// Returns how many groups there are, the whole match included.
    pub(super) fn group_count(&self) -> usize {
        self.0.captures_len()
    }
}

/// In RE2 the classes `\d`, `\w`, `\s` and the boundary `\b` know ASCII alone.
fn as_re2(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('w') => out.push_str("[0-9A-Za-z_]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            Some('s') => out.push_str("[\\t\\n\\f\\r ]"),
            Some('S') => out.push_str("[^\\t\\n\\f\\r ]"),
            Some('b') => out.push_str("(?-u:\\b)"),
            Some('B') => out.push_str("(?-u:\\B)"),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}
