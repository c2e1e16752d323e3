//! The settings as text.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sameas_matching::{FrequencyBase, LevelSettings};

use super::columns::Columns;
use super::levels::Imported;
use super::model::SplinkModel;

/// Blocks may be so large, and make so many pairs a record, that none is refused that Splink compares.
const BUDGET: &str = "[budget]\n# Splink refuses no pair; lower these once `sameas plan` has shown what the rules make.\npairs_per_record_max = 100000\nblock_len_max = 1000000\n";

/// Compares records of different data sets only.
const LINK_ONLY: &str = "link_only";

/// Says what files the model needs: one that links data sets compares nothing within one file.
pub(super) fn check_files(
    splink: &SplinkModel,
    files: &[PathBuf],
    warnings: &mut Vec<String>,
    problems: &mut Vec<String>,
) {
    if splink.link_type != LINK_ONLY {
        return;
    }
    match files.len() {
        0 => warnings.push(
            "link_type is link_only: once [[source]] names your data sets, list them in [decide] one_per_source, so that only records of different data sets are compared".to_owned(),
        ),
        1 => problems.push(
            "link_type is link_only, which compares records of different data sets, and one file was named; name a file for each data set".to_owned(),
        ),
        _ => {}
    }
}

/// Writes settings.
pub(super) fn write(
    splink: &SplinkModel,
    columns: &Columns,
    blocks: &[Vec<String>],
    comparisons: &[Imported],
    files: &[PathBuf],
    warnings: &mut Vec<String>,
) -> String {
    let mut text = String::from(
        "# Imported from a model of Splink: its levels in SQL, its weights in the model file.\n# Values are compared as the sources hold them; fields of the kind `verbatim` are not normalised.\n\n",
    );
    let sources = sources(files, warnings);
    for (name, uri) in &sources {
        let _ = writeln!(
            text,
            "[[source]]\nname = {}\nuri = {}\nkey = {}\n\n[source.fields]",
            string(name),
            string(uri),
            string(splink.key_column())
        );
        for (field, from) in &columns.sources {
            let _ = writeln!(text, "{field} = {}", string(from));
        }
        text.push('\n');
    }
    text.push_str("[fields]\n");
    for field in columns.sources.keys() {
        let _ = writeln!(text, "{field} = \"verbatim\"");
    }
    for comparison in comparisons {
        write_comparison(&mut text, comparison);
    }
    for keys in blocks {
        let keys: Vec<String> = keys.iter().map(|key| string(key)).collect();
        let _ = writeln!(text, "\n[[block]]\non = [{}]", keys.join(", "));
    }
    text.push_str("\n[decide]\n# Splink leaves thresholds to the caller of its clustering.\nlink = 0.95\nreview = 0.5\n");
    if splink.link_type == LINK_ONLY && sources.len() > 1 {
        let names: Vec<String> = sources.iter().map(|(name, _)| string(name)).collect();
        let _ = writeln!(text, "one_per_source = [{}]", names.join(", "));
    }
    text.push('\n');
    text.push_str(BUDGET);
    text
}

fn write_comparison(text: &mut String, comparison: &Imported) {
    let _ = writeln!(
        text,
        "\n[[compare]]\nname = {}\nfield = {}\nscope = \"open\"\nmissing = {}\nlevel = [",
        string(&comparison.name),
        string(&comparison.field),
        string(&comparison.missing)
    );
    for level in &comparison.levels {
        let _ = writeln!(text, "  {},", table(level));
    }
    text.push_str("]\n");
}

fn table(level: &LevelSettings) -> String {
    let mut text = String::from("{ ");
    if let Some(name) = &level.name {
        let _ = write!(text, "name = {}, ", string(name));
    }
    let _ = write!(text, "when = {}", string(&level.when));
    if let Some(frequency) = &level.frequency {
        let _ = write!(
            text,
            ", frequency = {{ field = {}",
            string(&frequency.field)
        );
        let _ = write!(
            text,
            ", strength = {:?}, floor = {:?}",
            frequency.strength, frequency.floor
        );
        if frequency.base == FrequencyBase::Level {
            text.push_str(", base = \"level\"");
        }
        text.push_str(" }");
    }
    text.push_str(" }");
    text
}

/// Returns the names and addresses of the sources.
fn sources(files: &[PathBuf], warnings: &mut Vec<String>) -> Vec<(String, String)> {
    if files.is_empty() {
        warnings.push("no file was named, so [[source]] names `records.csv`; name your files there, one [[source]] for each data set".to_owned());
        return vec![("records".to_owned(), "records.csv".to_owned())];
    }
    let mut named: Vec<(String, String)> = Vec::new();
    for file in files {
        let stem = stem(file);
        let taken = |name: &String| named.iter().any(|(known, _)| known == name);
        let numbered = (2..).map(|number| format!("{stem}_{number}"));
        let name = std::iter::once(stem.clone())
            .chain(numbered)
            .find(|name| !taken(name));
        let path = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        named.push((name.unwrap_or(stem), path.display().to_string()));
    }
    named
}

/// Returns a file's name up to its first dot, with the letters that sources may have.
fn stem(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split('.').next().filter(|stem| !stem.is_empty());
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    stem.unwrap_or("records")
        .chars()
        .map(plain)
        .take(56)
        .collect()
}

/// Writes a text as TOML does.
fn string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
