//! Refuses what a compiler accepts but this repository does not.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::tree;

/// Names that say nothing about what a file holds.
const NAMES_FORBIDDEN: [&str; 11] = [
    "common", "core", "util", "utils", "helper", "helpers", "misc", "types", "manager", "managers",
    "mod",
];

/// Folders whose code sees field values and therefore no disk.
const VALUE_FOLDERS: [&str; 2] = ["crates/record/src", "crates/matching/src"];

/// What opens a file or speaks to another machine.
const DISK_WORDS: [&str; 7] = [
    "std::fs",
    "fs::",
    "std::os::fd",
    "File::",
    "OpenOptions",
    "tempfile",
    "std::net",
];

/// The folder of the jobs, which see values while they read and keep no files of their own.
const JOB_FOLDER: &str = "crates/resolve/src";

/// Who writes there nevertheless: the model and its secret, what the user exports, and first settings.
const JOB_WRITERS: [&str; 3] = ["model_file.rs", "export.rs", "init/write.rs"];

/// What makes, changes or removes files.
const WRITE_WORDS: [&str; 13] = [
    "File::create",
    "File::options",
    "OpenOptions",
    "fs::write",
    "fs::copy",
    "fs::rename",
    "fs::create_dir",
    "fs::remove",
    "fs::hard_link",
    "fs::set_permissions",
    "DirBuilder",
    "unix::fs::symlink",
    "tempfile",
];

/// Files of the jobs that only tests compile.
const JOB_TEST_STEMS: [&str; 2] = ["tests", "fixture"];

/// The files that may reach below the type system.
const UNSAFE_HOMES: [&str; 5] = [
    "crates/matching/src/machine.rs",
    "crates/matching/src/similarity/vectors.rs",
    "crates/matching/src/weigh/screen.rs",
    "crates/store/src/machine.rs",
    "crates/store/src/map.rs",
];

/// What `.gitattributes` has to say about generated files.
const GENERATED_MARK: (&str, &str) = ("crates/api/src/generated/", "linguist-generated");

/// Fails if a file breaks a habit.
pub(crate) fn check() -> Result<()> {
    crate::report("tidy", &findings()?)
}

fn findings() -> Result<Vec<String>> {
    let root = tree::root();
    let mut found = Vec::new();
    for file in tree::rust_files()? {
        let path = root.join(&file);
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        found.extend(untidy(&file, &text));
    }
    let attributes = fs::read_to_string(root.join(".gitattributes")).unwrap_or_default();
    if !marks_generated(&attributes) {
        found.push(format!(
            ".gitattributes: {} is not marked as generated",
            GENERATED_MARK.0
        ));
    }
    Ok(found)
}

/// Returns one line for each habit that a file breaks.
fn untidy(file: &Path, text: &str) -> Vec<String> {
    let shown = file.display();
    let mut found = Vec::new();
    let stem = file
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    if stem
        .as_deref()
        .is_some_and(|stem| NAMES_FORBIDDEN.contains(&stem))
    {
        found.push(format!(
            "{shown}: the name does not say which noun the file defines"
        ));
    }
    let is_test = stem.as_deref() == Some("tests");
    if !is_test && !text.starts_with("//!") {
        found.push(format!("{shown}: does not start with a `//!` header"));
    }
    let may_write = may_write(file);
    let sees_values = VALUE_FOLDERS.iter().any(|folder| file.starts_with(folder));
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        if sees_values && let Some(word) = DISK_WORDS.iter().find(|word| code.contains(*word)) {
            found.push(format!(
                "{shown}:{number}: `{word}` where field values are seen"
            ));
        }
        if !may_write && let Some(word) = WRITE_WORDS.iter().find(|word| code.contains(*word)) {
            found.push(format!(
                "{shown}:{number}: `{word}` in a job, outside {JOB_WRITERS:?}"
            ));
        }
        if !UNSAFE_HOMES.iter().any(|home| file == Path::new(home)) && has_word(code, "unsafe") {
            found.push(format!(
                "{shown}:{number}: `unsafe` outside {UNSAFE_HOMES:?}"
            ));
        }
    }
    found
}

/// Returns whether a file may hold code that writes files, as far as jobs are concerned.
fn may_write(file: &Path) -> bool {
    let Ok(file) = file.strip_prefix(JOB_FOLDER) else {
        return true;
    };
    JOB_WRITERS.iter().any(|writer| file == Path::new(writer))
        || JOB_TEST_STEMS
            .iter()
            .any(|stem| file.file_stem().is_some_and(|found| found == *stem))
}

/// Returns whether a word occurs on its own; text in quotes does not count.
fn has_word(code: &str, word: &str) -> bool {
    let unquoted: String = code.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    unquoted
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|part| part == word)
}

fn marks_generated(attributes: &str) -> bool {
    let (folder, mark) = GENERATED_MARK;
    attributes
        .lines()
        .any(|line| line.starts_with(folder) && line.contains(mark))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]

    use super::*;

    fn finding(file: &str, text: &str) -> String {
        untidy(Path::new(file), text).join("\n")
    }

    #[test]
    fn this_repository_is_tidy() {
        let found = findings().unwrap();
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn a_file_named_after_nothing_is_refused() {
        assert!(finding("crates/graph/src/utils.rs", "//! X.").contains("noun"));
        assert!(finding("crates/graph/src/cluster/mod.rs", "//! X.").contains("noun"));
    }

    #[test]
    fn a_missing_header_is_refused() {
        assert!(finding("crates/graph/src/id.rs", "use std::fmt;").contains("header"));
    }

    #[test]
    fn a_disk_beside_values_is_refused_but_not_elsewhere() {
        let text = "//! X.\nlet f = std::fs::read(path);";
        assert!(finding("crates/record/src/column.rs", text).contains(":2: `std::fs`"));
        assert_eq!(finding("crates/store/src/writer.rs", text), "");
    }

    #[test]
    fn a_disk_under_another_name_is_refused_beside_values() {
        let text = "//! X.\nuse std::{fs, io};\nfs::write(path, bytes)?;";
        for folder in VALUE_FOLDERS {
            let found = finding(&format!("{folder}/column.rs"), text);
            assert!(found.contains(":3: `fs::`"), "{found}");
        }
    }

    #[test]
    fn a_job_writes_only_the_model_and_the_export() {
        for line in [
            "fs::write(path, bytes)?;",
            "let file = File::create(path)?;",
            "let folder = tempfile::tempdir()?;",
            "std::fs::create_dir_all(path)?;",
        ] {
            let text = format!("//! X.\n{line}");
            let found = finding("crates/resolve/src/rebuild.rs", &text);
            assert!(
                found.contains(":2: `") && found.contains("in a job"),
                "{found}"
            );
            for writer in [
                "model_file.rs",
                "export.rs",
                "settings/tests.rs",
                "fixture.rs",
            ] {
                assert_eq!(finding(&format!("crates/resolve/src/{writer}"), &text), "");
            }
            // A part of a writer is a file of its own and not named above.
            assert!(!finding("crates/resolve/src/export/parts.rs", &text).is_empty());
        }
        let reads = "//! X.\nlet file = File::open(path)?;";
        assert_eq!(finding("crates/resolve/src/evaluate.rs", reads), "");
    }

    #[test]
    fn unsafe_has_its_homes_and_prose_is_not_code() {
        let text = "//! X.\nlet x = unsafe { y };";
        assert!(finding("crates/graph/src/id.rs", text).contains(":2: `unsafe`"));
        for home in UNSAFE_HOMES {
            assert_eq!(finding(home, text), "");
        }
        let prose = "//! X.\n// unsafe would be wrong here\nlet unsafe_code = \"unsafe\";";
        assert_eq!(finding("crates/graph/src/id.rs", prose), "");
    }
}
