//! What stands in the folders of a source and is not read.

use std::collections::BTreeSet;

/// The names that are kept of skipped files.
const NAME_COUNT_MAX: usize = 5;

/// What stands in the folders of a source and is not read.
///
/// Skipped are files that begin with `_`, files without the extension of a format that is read here,
/// links to nowhere and, if the source has a format, files of another one. A folder that begins with `_` is not looked
/// into and counts once. Not told are names that begin with a dot, and names that begin with `_` and
/// have no such extension: the marks that writers leave, like `_SUCCESS`. Files that are named one by
/// one or by a glob are never skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedFiles {
    /// How many there are.
    pub count: u64,
    /// The first five of them by name; folders end in a slash.
    pub names: Vec<String>,
}

impl From<BTreeSet<String>> for SkippedFiles {
    fn from(found: BTreeSet<String>) -> Self {
        let count = found.len() as u64;
        let names = found.into_iter().take(NAME_COUNT_MAX).collect();
        Self { count, names }
    }
}
