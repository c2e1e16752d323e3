//! Labels that somebody has: pairs of records, or the entities of records.

use std::collections::BTreeMap;
use std::path::Path;

use sameas_graph::{NodeId, ReferenceTable};
use sameas_matching::{Known, Labels};

use crate::evaluate::EvaluateError;
use crate::evaluate::rows::Rows;
use crate::evaluate::truth::{Truth, unknown_warning};

const COLUMNS: [&str; 5] = ["source_l", "key_l", "source_r", "key_r", "is_match"];
const NEEDS: &str =
    "source_l, key_l, source_r, key_r and is_match for pairs, or source, key and entity";

/// Reads labels: pairs if the file has a column `is_match`, else entities like a truth.
///
/// # Errors
/// Names the file and what is wrong with it. Labels of which the records at hand hold none are refused.
pub(crate) fn read(path: &Path, references: &ReferenceTable) -> Result<Labels, EvaluateError> {
    let rows = Rows::new(path, NEEDS);
    if !rows.has("is_match")? {
        let truth = Truth::read(path, references)?;
        return Ok(Labels {
            known: Known::Entities(truth.entity_of_nodes(references.len())),
            warnings: truth.label_warnings(),
        });
    }
    let find = |source: &str, key: &str| -> Option<NodeId> {
        references.find(references.source_id(source)?, key)
    };
    let (mut pairs, mut count, mut first_source) = (Vec::new(), 0, String::new());
    let mut strange: Option<(u64, String)> = None;
    let mut said: BTreeMap<(NodeId, NodeId), bool> = BTreeMap::new();
    rows.read(COLUMNS, &mut |row,
                             [
        source_l,
        key_l,
        source_r,
        key_r,
        is_match,
    ]| {
        let is_match = match is_match.to_ascii_lowercase().as_str() {
            "true" | "1" | "1.0" | "yes" => true,
            "false" | "0" | "0.0" | "no" => false,
            _ => return Err(rows.error(row, "has an is_match that is neither true nor false")),
        };
        rows.refuse_blank(row, [("source_l", source_l), ("key_l", key_l)])?;
        rows.refuse_blank(row, [("source_r", source_r), ("key_r", key_r)])?;
        let mut sources = [source_l, source_r].into_iter();
        if let Some(source) = sources.find(|source| references.source_id(source).is_none()) {
            strange.get_or_insert((0, source.to_owned())).0 += 1;
        }
        if row == 1 {
            source_l.clone_into(&mut first_source);
        }
        count = row;
        if let (Some(a), Some(b)) = (find(source_l, key_l), find(source_r, key_r)) {
            if a == b {
                return Err(rows.error(row, "names one record twice"));
            }
            if *said.entry((a.min(b), a.max(b))).or_insert(is_match) != is_match {
                return Err(rows.error(
                    row,
                    "says the opposite of an earlier record about the same pair",
                ));
            }
            pairs.push((a, b, is_match));
        }
        Ok(())
    })?;
    match (count, pairs.is_empty()) {
        (0, _) => Err(EvaluateError::Empty {
            path: path.to_owned(),
        }),
        (_, true) => Err(EvaluateError::NothingShared {
            path: path.to_owned(),
            records: count,
            named: first_source,
            sources: references.sources().join(", "),
        }),
        (_, false) => {
            let unknown = count - pairs.len() as u64;
            let warning = unknown_warning("pairs", (unknown, count), strange.as_ref());
            Ok(Labels {
                known: Known::Pairs(pairs),
                warnings: warning.into_iter().collect(),
            })
        }
    }
}

#[cfg(test)]
mod tests;
