//! What is looked for, checked and normalised.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sameas_record::{FieldKind, Locale, Normalizer, Records, VALUE_LEN_MAX};
use sameas_source::SourceSettings;
use thiserror::Error;

use super::Shared;

/// The values that one query may have of one field.
const VALUE_COUNT_MAX: usize = 16;
/// The bytes of all values of one query.
const TEXT_LEN_MAX: usize = VALUE_LEN_MAX;

/// A record to look for. `Debug` prints no value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FindQuery {
    /// Values by canonical field, as people write them.
    pub values: BTreeMap<String, Vec<String>>,
    /// The source that the record is of, if it is of one: it says how telephone numbers and dates
    /// are read, and a source that holds each customer once has no other record of this one.
    pub source: Option<String>,
    /// The key of the record in that source; it is not compared with itself.
    pub key: Option<String>,
    /// The fields by which records are weighed; all if none are named. Whoever may not see a field
    /// must not learn of it from a weight either.
    pub visible: Option<BTreeSet<String>>,
}

impl fmt::Debug for FindQuery {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FindQuery")
            .field("fields", &self.values.keys())
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Why a record cannot be looked for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindError {
    /// A field that is not compared.
    #[error("there is no field `{field}` to compare by; fields are {known}")]
    UnknownField {
        /// What was given.
        field: String,
        /// The fields there are.
        known: String,
    },
    /// A source that the settings do not have.
    #[error("no source is named `{source_name}`; sources are {known}")]
    UnknownSource {
        /// What was given.
        source_name: String,
        /// The sources there are.
        known: String,
    },
    /// Too many values of a field, or one that is too long.
    #[error(
        "field `{field}` has more than {VALUE_COUNT_MAX} values, or all fields together more than {TEXT_LEN_MAX} bytes"
    )]
    TooLarge {
        /// The field.
        field: String,
    },
    /// Too many references share a key with the record.
    #[error("too many records come into question; give fewer values of a field")]
    TooManyCandidates,
    /// So many references share each of its keys that none is compared.
    #[error(
        "so many records share {shared} with it that none of them is compared; give more fields"
    )]
    TooCommon {
        /// The rules whose keys they are.
        shared: String,
    },
    /// A look-up ended by a defect of ours.
    #[error("the look-up has failed by a defect of sameas")]
    Defect,
    /// No field has a value that can be read.
    #[error(
        "nothing is left to look for: no field has a value that can be read as what the field holds{}",
        among(.unreadable)
    )]
    Nothing {
        /// The fields that have a value which cannot be read.
        unreadable: Vec<String>,
    },
}

fn among(unreadable: &[String]) -> String {
    match unreadable {
        [] => String::new(),
        fields => format!(", neither {}", fields.join(" nor ")),
    }
}

impl Shared {
    /// Reads a query as a record, and names the fields that have a value which cannot be read.
    pub(super) fn probe(&self, query: &FindQuery) -> Result<(Records, Vec<String>), FindError> {
        let locale = self.locale(query.source.as_deref())?;
        let mut unreadable = Vec::new();
        let mut lists = vec![Vec::new(); self.schema.fields().len()];
        let mut text_len = 0;
        for (field, values) in &query.values {
            let id = self.schema.field_id(field);
            let id = id.ok_or_else(|| self.unknown_field(field))?;
            text_len += values.iter().map(String::len).sum::<usize>();
            if values.len() > VALUE_COUNT_MAX || text_len > TEXT_LEN_MAX {
                let field = field.clone();
                return Err(FindError::TooLarge { field });
            }
            let normalizer = Normalizer::new(self.schema.field(id).kind, None, &locale);
            let mut is_readable = true;
            for value in values {
                let mut text = String::new();
                if normalizer.normalize(value, &mut text) {
                    lists[id.index()].push(text);
                } else {
                    is_readable &= value.trim().is_empty();
                }
            }
            if !is_readable {
                unreadable.push(field.clone());
            }
        }
        if lists.iter().flatten().all(String::is_empty) {
            return Err(FindError::Nothing { unreadable });
        }
        let mut probe = Records::of_one(self.schema.clone(), &lists);
        for (field, ignored) in &self.ignored {
            probe.ignore(*field, &|hash| ignored.contains(&hash));
        }
        Ok((probe, unreadable))
    }

    /// Returns how values are read: as those of the source, or as all sources agree.
    fn locale(&self, source: Option<&str>) -> Result<Locale, FindError> {
        let sources = &self.settings.sources;
        let Some(name) = source else {
            return Ok(common_locale(sources, &self.settings.fields));
        };
        let named = sources.iter().find(|source| source.name == name);
        let named = named.ok_or_else(|| {
            let known = sources.iter().map(|source| source.name.as_str());
            FindError::UnknownSource {
                source_name: name.to_owned(),
                known: known.collect::<Vec<_>>().join(", "),
            }
        })?;
        Ok(named.locale())
    }

    fn unknown_field(&self, field: &str) -> FindError {
        let known = self.schema.fields().iter().map(|field| field.name.as_str());
        FindError::UnknownField {
            field: field.to_owned(),
            known: known.collect::<Vec<_>>().join(", "),
        }
    }
}

/// Returns how the values of a record of no source are read. A source without telephone numbers has
/// no say in how they are read.
fn common_locale(sources: &[SourceSettings], kinds: &BTreeMap<String, FieldKind>) -> Locale {
    let sources = sources.iter();
    let is_phone = |field: &String| {
        let known = kinds.get(field).copied();
        known.unwrap_or_else(|| FieldKind::of_name(field)) == FieldKind::Phone
    };
    let with_phones = sources
        .clone()
        .filter(|source| source.fields.keys().any(is_phone));
    let orders = sources.map(|source| source.date_order);
    Locale {
        region: agreed(with_phones.map(|source| &source.region))
            .cloned()
            .flatten(),
        date_order: agreed(orders).unwrap_or_default(),
    }
}

/// Returns what all say, if they say the same.
fn agreed<T: PartialEq>(mut said: impl Iterator<Item = T>) -> Option<T> {
    let first = said.next()?;
    said.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use sameas_record::DateOrder;
    use sameas_source::{FieldMapping, OneOrMany};

    use super::*;

    fn locale_of(sources: &[(Option<&str>, DateOrder, &str)]) -> Locale {
        let sources = sources.iter().map(|&(region, date_order, field)| {
            let column = FieldMapping::From(OneOrMany::One("x".to_owned()));
            SourceSettings {
                region: region.map(str::to_owned),
                date_order,
                fields: [(field.to_owned(), column)].into(),
                ..SourceSettings::default()
            }
        });
        common_locale(&sources.collect::<Vec<_>>(), &BTreeMap::new())
    }

    #[test]
    fn values_of_no_source_are_read_as_all_sources_agree() {
        let (plain, other) = (DateOrder::Dmy, DateOrder::Mdy);
        let us = (Some("US"), plain, "phone");
        let region = |sources: &[_]| locale_of(sources).region;
        assert_eq!(region(&[us, us]).as_deref(), Some("US"));
        // Another order of dates, or a source without numbers, says nothing of telephones.
        let silent = (None, other, "email");
        assert_eq!(region(&[us, silent]).as_deref(), Some("US"));
        assert_eq!(region(&[us, (Some("DE"), plain, "phone")]), None);
        assert_eq!(region(&[us, (None, plain, "phone")]), None);
        assert_eq!(region(&[silent]), None);
        let order = |sources: &[_]| locale_of(sources).date_order;
        assert_eq!(order(&[silent, silent]), other);
        assert_eq!(order(&[us, silent]), plain);
    }
}
