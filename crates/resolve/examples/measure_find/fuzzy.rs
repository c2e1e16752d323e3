//! Records of sources, made fuzzy.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow_array::{Array, StringArray};
use futures::StreamExt;
use sameas_resolve::Settings;
use sameas_source::{FieldMapping, ScanRequest, Source, SourceSettings};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Failure, Name};

/// A fuzzy record.
pub(super) struct Fuzzy {
    /// Its own key.
    pub(super) key: String,
    /// The record that it was made of.
    pub(super) made_of: Name,
    /// Values by field.
    pub(super) values: BTreeMap<String, Vec<String>>,
}

/// Draws records of the sources whose fields are plain columns, and makes them fuzzy.
pub(super) async fn draw(settings: &Settings, count: usize) -> Result<Vec<Fuzzy>, Failure> {
    let mut drawn: Vec<(u64, Fuzzy)> = Vec::new();
    for source in &settings.sources {
        let is_plain = |mapping: &FieldMapping| matches!(mapping, FieldMapping::From(_));
        if source.fields.values().all(is_plain) {
            draw_of(settings, source, count, &mut drawn).await?;
        }
    }
    drawn.sort_by_key(|(hash, _)| *hash);
    drawn.truncate(count);
    let others: Vec<_> = drawn
        .iter()
        .map(|(_, fuzzy)| fuzzy.values.clone())
        .collect();
    let len = drawn.len();
    for (index, (hash, fuzzy)) in drawn.iter_mut().enumerate() {
        blur(*hash, &mut fuzzy.values, &others[(index + 1) % len]);
        fuzzy.key = format!("f{index:06}");
    }
    Ok(drawn.into_iter().map(|(_, fuzzy)| fuzzy).collect())
}

async fn draw_of(
    settings: &Settings,
    source: &SourceSettings,
    count: usize,
    drawn: &mut Vec<(u64, Fuzzy)>,
) -> Result<(), Failure> {
    let (request, columns) = ScanRequest::for_settings(source);
    let opened = Source::open(source, &settings.base).await?;
    for mut stream in opened.scan(&request, 1).await? {
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let texts = batch.columns().iter().map(|column| {
                let texts = cast(column, &DataType::Utf8)?;
                Ok::<StringArray, Failure>(texts.as_string::<i32>().clone())
            });
            let texts: Vec<StringArray> = texts.collect::<Result<_, _>>()?;
            for row in 0..batch.num_rows() {
                let key = texts[0].value(row);
                let hash = xxh3_64_with_seed(key.as_bytes(), source.name.len() as u64);
                // About three times as many as are wanted, whatever the source holds.
                if hash % 1_000_000 > 3 * count as u64 {
                    continue;
                }
                let fields = source.fields.keys().zip(&columns);
                let value = |columns: &Vec<usize>| {
                    let column = &texts[columns.first()? + 1];
                    (column.is_valid(row)).then(|| column.value(row).to_owned())
                };
                let values = fields.filter_map(|(f, c)| Some((f.clone(), vec![value(c)?])));
                let fuzzy = Fuzzy {
                    key: String::new(),
                    made_of: (source.name.clone(), key.to_owned()),
                    values: values.collect(),
                };
                drawn.push((hash, fuzzy));
            }
        }
    }
    Ok(())
}

/// Misspells a name, takes the address of another record, and leaves some values out.
fn blur(
    hash: u64,
    values: &mut BTreeMap<String, Vec<String>>,
    other: &BTreeMap<String, Vec<String>>,
) {
    let mut dice = hash | 1;
    let mut roll = |sides: u64| {
        dice = dice
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (dice >> 33) % sides
    };
    let name = if roll(2) == 0 {
        "given_name"
    } else {
        "surname"
    };
    if let Some(text) = values.get_mut(name).and_then(|v| v.first_mut()) {
        let mut letters: Vec<char> = text.chars().collect();
        if letters.len() > 2 {
            let at = 1 + roll(letters.len() as u64 - 1) as usize;
            match roll(3) {
                0 => letters.swap(at - 1, at),
                1 => letters[at] = (b'a' + roll(26) as u8) as char,
                _ => drop(letters.remove(at)),
            }
        }
        *text = letters.into_iter().collect();
    }
    for field in ["street", "postcode", "city"] {
        match other.get(field) {
            Some(value) => values.insert(field.to_owned(), value.clone()),
            None => values.remove(field),
        };
    }
    for field in ["email", "phone"] {
        if roll(2) == 0 {
            values.remove(field);
        }
    }
}
