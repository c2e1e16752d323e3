//! The column whose value finds a record again.

use super::InitError;
use super::lexicon::words;
use super::sample::SourceSample;

/// The key column, and what there is to say about it.
pub(super) struct Key {
    pub(super) column: usize,
    pub(super) remark: String,
}

/// Chooses the key: unique in all rows, never missing, preferably called like one.
pub(super) fn choose(
    source: &str,
    sample: &SourceSample,
    wanted: Option<&str>,
) -> Result<Key, InitError> {
    if let Some(wanted) = wanted {
        let column = sample
            .columns
            .iter()
            .position(|column| column.name == wanted);
        let columns = || sample.columns.iter().map(|column| column.name.as_str());
        let column = column.ok_or_else(|| InitError::NoColumn {
            source_name: source.to_owned(),
            column: wanted.to_owned(),
            known: columns().collect::<Vec<_>>().join(", "),
        })?;
        let remark = if sample.columns[column].is_unique {
            "as `--key` says"
        } else {
            "UNSURE: as `--key` says, but it is not unique and filled in all rows; `rebuild` refuses that, unless `duplicate_keys` says what to do"
        };
        return Ok(Key {
            column,
            remark: remark.to_owned(),
        });
    }
    let unique = (0..sample.columns.len()).filter(|&column| sample.columns[column].is_unique);
    let best = unique.max_by(|&a, &b| {
        let (a_score, b_score) = (
            likeness(source, &sample.columns[a].name),
            likeness(source, &sample.columns[b].name),
        );
        // Of equals the first column is the key more often than the last.
        a_score.total_cmp(&b_score).then(b.cmp(&a))
    });
    let Some(column) = best else {
        return Err(InitError::NoKey {
            source_name: source.to_owned(),
            rows: sample.row_count,
        });
    };
    let rows = sample.row_count;
    let remark = if likeness(source, &sample.columns[column].name) > 0.0 {
        format!("unique and filled in all {rows} rows, and named like a key")
    } else {
        format!("UNSURE: unique and filled in all {rows} rows, but not named like a key")
    };
    Ok(Key { column, remark })
}

/// Returns how much a name looks like that of a key.
fn likeness(source: &str, name: &str) -> f64 {
    const WHOLE: &[&str] = &[
        "id",
        "key",
        "uid",
        "uuid",
        "guid",
        "pk",
        "rowid",
        "recordid",
        "record",
        "nummer",
        "code",
        "nr",
        "no",
        "oid",
        "identifier",
    ];
    let words = words(name);
    let ends = |word: &String| {
        WHOLE.contains(&word.as_str())
            || word.ends_with("id")
            || word.ends_with("key")
            || word.ends_with("nr")
            || word.ends_with("nummer")
            || word.ends_with("code")
    };
    let is_source = words
        .iter()
        .any(|word| word.len() > 2 && source.to_lowercase().contains(word.as_str()));
    match words.as_slice() {
        [one] if one == "id" || one == "key" => 1.0,
        [one] if WHOLE.contains(&one.as_str()) => 0.9,
        [first, ..] if first == "record" || first == "rec" => 0.85,
        [.., last] if ends(last) || last == "number" => {
            if is_source {
                0.8
            } else {
                0.6
            }
        }
        [first, ..] if first == "id" => 0.6,
        [only] if ends(only) => 0.6,
        _ => 0.0,
    }
}
