//! Looks for values, in any disguise, in whatever bytes a program left behind.

use std::path::Path;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::{disguises, files_below};

/// A value found where none may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// What was searched: a file, or the name of a text.
    pub place: String,
    /// Where in it, in bytes.
    pub offset: usize,
    /// The value, as it was planted.
    pub value: String,
    /// What it looks like there.
    pub disguise: String,
}

/// Knows all disguises of all planted values; one pass over the bytes finds any of them.
#[derive(Debug)]
pub struct Scanner {
    automaton: AhoCorasick,
    /// Value and disguise, by pattern.
    names: Vec<(String, String)>,
}

impl Scanner {
    /// Learns the disguises of values, each with what normalisation makes of it, if that differs.
    pub fn new<'v>(planted: impl IntoIterator<Item = (&'v str, Option<String>)>) -> Self {
        let (mut patterns, mut names) = (Vec::new(), Vec::new());
        for (value, normalised) in planted {
            for disguise in disguises(value, normalised.as_deref()) {
                patterns.push(disguise.bytes);
                names.push((value.to_owned(), disguise.name));
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&patterns)
            .unwrap();
        Self { automaton, names }
    }

    /// Returns how many patterns it searches for.
    pub fn pattern_count(&self) -> usize {
        self.names.len()
    }

    /// Returns what it finds in bytes.
    pub fn scan(&self, place: &str, bytes: &[u8]) -> Vec<Leak> {
        let found = self.automaton.find_overlapping_iter(bytes);
        found
            .map(|found| {
                let (value, disguise) = self.names[found.pattern().as_usize()].clone();
                Leak {
                    place: place.to_owned(),
                    offset: found.start(),
                    value,
                    disguise,
                }
            })
            .collect()
    }

    /// Returns what it finds in the files below a folder, and in their names.
    pub fn scan_folder(&self, folder: &Path) -> Vec<Leak> {
        let mut leaks = Vec::new();
        for (path, bytes) in files_below(folder) {
            let name = path.to_string_lossy();
            leaks.extend(self.scan(&format!("name of {name}"), name.as_bytes()));
            leaks.extend(self.scan(&name, &bytes));
        }
        leaks
    }
}
