//! The settings as a file that a person wants to keep: what was found, and why, beside each line.

use std::fmt::Write as _;
use std::path::Path;

use sameas_matching::{CompareSettings, Scope};
use sameas_record::{DateOrder, DuplicateKeys, FieldKind};
use sameas_source::{Encoding, FieldMapping, FileFormat, OneOrMany, SourceSettings};

use super::block::Choice;
use super::{Found, InitError};
use crate::{Settings, write_text};

/// Returns the text of the file.
pub(super) fn text(found: &Found, choice: &Choice) -> String {
    let settings = &found.settings;
    let mut out = String::from(
        "# Written by `sameas init`, from the records themselves; edit it, it is yours now.\n\
         # What it was unsure of is marked UNSURE. Then: sameas plan, sameas rebuild.\n",
    );
    for (index, source) in settings.sources.iter().enumerate() {
        source_text(&mut out, index, source, found);
    }
    fields_text(&mut out, settings);
    frequent_text(&mut out, found);
    let _ = writeln!(
        out,
        "\n# What is compared, most telling levels first. Weights are learnt from the records."
    );
    for (comparison, remark) in settings.comparisons.iter().zip(&found.compare) {
        compare_text(&mut out, comparison, remark);
    }
    blocks_text(&mut out, settings, choice);
    decide_text(&mut out, settings, &found.decide, &found.perhaps_once);
    out.push_str("\n[graph]\npath = \"graph\"\nmodel = \"sameas.model.json\"\n");
    out
}

fn string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| string(text)).collect();
    format!("[{}]", texts.join(", "))
}

fn one_or_many(texts: &OneOrMany) -> String {
    match texts {
        OneOrMany::One(text) => string(text),
        OneOrMany::Many(texts) => list(texts),
    }
}

/// Makes a remark one line: names of columns may hold line ends.
fn line(remark: &str) -> String {
    remark
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn source_text(out: &mut String, index: usize, source: &SourceSettings, found: &Found) {
    let _ = writeln!(out, "\n[[source]]\nname = {}", string(&source.name));
    if let Some(uri) = &source.uri {
        let _ = writeln!(out, "uri = {}", one_or_many(uri));
    }
    if let Some(place) = source
        .password
        .as_ref()
        .and_then(|place| place.env.as_ref())
    {
        let _ = writeln!(out, "password = {{ env = {} }}", string(place));
    }
    if let Some(table) = &source.table {
        let _ = writeln!(out, "table = {}", string(table));
    }
    if let Some(format) = source.format {
        let word = match format {
            FileFormat::Csv => "csv",
            FileFormat::Ndjson => "ndjson",
            FileFormat::Parquet => "parquet",
            FileFormat::Arrow => "arrow",
        };
        let _ = writeln!(out, "format = \"{word}\"");
    }
    let _ = writeln!(
        out,
        "key = {}  # {}",
        string(&source.key),
        line(&found.keys[index])
    );
    if source.duplicate_keys == DuplicateKeys::Merge {
        out.push_str("duplicate_keys = \"merge\"  # rows that are equal count as one record\n");
    }
    if let Some(delimiter) = source.delimiter {
        let _ = writeln!(out, "delimiter = {}", string(&delimiter.to_string()));
    }
    if source.encoding == Encoding::Windows1252 {
        out.push_str("encoding = \"windows-1252\"  # UNSURE: the text is not UTF-8, and most of what is not is this\n");
    }
    if let Some(region) = &source.region {
        let _ = writeln!(out, "region = {}", string(region));
    }
    if source.date_order == DateOrder::Mdy {
        out.push_str("date_order = \"mdy\"\n");
    }
    for remark in &found.sources[index] {
        let _ = writeln!(out, "# {}", line(remark));
    }
    out.push_str("\n[source.fields]\n");
    for (field, mapping) in &source.fields {
        let value = match mapping {
            FieldMapping::From(from) => one_or_many(from),
            FieldMapping::Part { from, part } => {
                let part = serde_json::to_value(part).ok();
                let part = part
                    .as_ref()
                    .and_then(serde_json::Value::as_str)
                    .unwrap_or_default();
                format!(
                    "{{ from = {}, part = {} }}",
                    one_or_many(from),
                    string(part)
                )
            }
        };
        let mapped = found
            .fields
            .fields
            .get(field)
            .and_then(|field| field.mapped.get(&index));
        let remark = mapped.map_or(String::new(), |mapped| {
            let doubt = if mapped.is_sure { "" } else { "UNSURE: " };
            format!("  # {doubt}{}", line(&mapped.remark))
        });
        let _ = writeln!(out, "{field} = {value}{remark}");
    }
    let left_out = &found.fields.left_out[index];
    if !left_out.is_empty() {
        out.push_str("# Left out:\n");
    }
    for (column, why) in left_out {
        let _ = writeln!(out, "#   {}: {}", line(column), line(why));
    }
}

fn fields_text(out: &mut String, settings: &Settings) {
    let named: Vec<_> = settings.fields.iter().collect();
    if named.is_empty() {
        return;
    }
    out.push_str("\n[fields]\n");
    for (name, kind) in named {
        let _ = writeln!(out, "{name} = {}", string(&kind_word(*kind)));
    }
}

fn frequent_text(out: &mut String, found: &Found) {
    if found.frequent.is_empty() {
        return;
    }
    out.push_str(
        "\n# Values that more records share are taken for missing.\n[ignore_shared_by_more_than]\n",
    );
    let ignored = found.settings.ignore_shared_by_more_than.iter();
    for ((field, max), remark) in ignored.zip(&found.frequent) {
        let _ = writeln!(out, "{field} = {max}  # {}", line(remark));
    }
}

fn kind_word(kind: FieldKind) -> String {
    let value = serde_json::to_value(kind).ok();
    value
        .as_ref()
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn compare_text(out: &mut String, comparison: &CompareSettings, remark: &str) {
    out.push_str("\n[[compare]]\n");
    if let Some(name) = &comparison.name {
        let _ = writeln!(out, "name = {}", string(name));
    }
    let remark = if remark.is_empty() {
        String::new()
    } else {
        format!("  # {}", line(remark))
    };
    let _ = writeln!(out, "field = {}{remark}", string(&comparison.field));
    if let Some(levels) = &comparison.levels {
        let one_line = format!("levels = {}", list(levels));
        if one_line.len() <= 110 {
            let _ = writeln!(out, "{one_line}");
        } else {
            out.push_str("levels = [\n");
            for level in levels {
                let _ = writeln!(out, "    {},", string(level));
            }
            out.push_str("]\n");
        }
    }
    if let Some(scope) = comparison.scope {
        let word = match scope {
            Scope::Person => "person",
            Scope::Household => "household",
            Scope::Open => "open",
        };
        let _ = writeln!(out, "scope = \"{word}\"");
    }
    if comparison.frequency {
        out.push_str("frequency = true  # a rare value in common says more than a frequent one\n");
    }
}

fn blocks_text(out: &mut String, settings: &Settings, choice: &Choice) {
    let pairs: f64 = choice.rules.iter().map(|rule| rule.pairs).sum();
    let _ = writeln!(
        out,
        "\n# Which records are compared at all: those that share these. Together about {pairs:.1} pairs a record{}",
        match choice.confident {
            0 => ".\n# No pair of records was sure to be of one entity, so they were chosen by what they cost.".to_owned(),
            _ => format!(
                ",\n# and {:.1} % of the pairs that a first model was confident of. Found counts those, new the ones no rule above finds.",
                choice.recall * 100.0
            ),
        }
    );
    for (block, rule) in settings.blocks.iter().zip(&choice.rules) {
        let hot = match rule.hot_count {
            0 => String::new(),
            count => format!(
                "; {count} keys are hot (about {:.0} records share one) and get refined",
                rule.largest
            ),
        };
        let found = match rule.found {
            0.0 => String::new(),
            found => format!(
                "; found {:.1} %, new {:.1} %",
                found * 100.0,
                rule.newly * 100.0
            ),
        };
        let _ = writeln!(
            out,
            "\n[[block]]\non = {}  # about {:.1} pairs a record{found}{hot}",
            list(&block.on),
            rule.pairs,
        );
    }
}

fn decide_text(out: &mut String, settings: &Settings, remarks: &[String], perhaps_once: &[String]) {
    out.push_str("\n[decide]\n");
    let _ = writeln!(
        out,
        "link = {}  # a probability; raise it where a wrong link costs more than a missed one",
        settings.decide.link
    );
    let _ = writeln!(out, "review = {}", settings.decide.review);
    let _ = writeln!(
        out,
        "bridge = {}  # what all pairs between two groups must reach for a link to join them; 0: any",
        settings.decide.bridge
    );
    for remark in remarks {
        let _ = writeln!(out, "# {}", line(remark));
    }
    if !perhaps_once.is_empty() {
        let all = [&settings.decide.one_per_source, perhaps_once].concat();
        let _ = writeln!(out, "# one_per_source = {}", list(&all));
    }
    if !settings.decide.one_per_source.is_empty() {
        let _ = writeln!(
            out,
            "one_per_source = {}",
            list(&settings.decide.one_per_source)
        );
    }
    if !settings.decide.apart.is_empty() {
        let _ = writeln!(out, "apart = {}", list(&settings.decide.apart));
    }
}

/// Makes the folder that gets the settings.
pub(super) fn make_folder(folder: &Path) -> Result<(), InitError> {
    let made = std::fs::create_dir_all(folder);
    made.map_err(|cause| InitError::Write {
        path: folder.to_owned(),
        cause,
    })
}

/// Writes the settings, whole or not at all.
pub(super) fn write(path: &Path, text: &str) -> Result<(), InitError> {
    write_text(path, text).map_err(|cause| InitError::Write {
        path: path.to_owned(),
        cause,
    })
}
