//! What helps to correct a name that no column has.

use std::fmt;

use datafusion::common::utils::datafusion_strsim::levenshtein;

/// The similar names that a hint offers.
const CLOSEST_COUNT_MAX: usize = 3;

/// What helps to correct a name that no column has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameHint {
    /// Columns with similar names, best first; none if no name is similar.
    Closest(Vec<String>),
    /// No header of the CSV files has any name of the request, so they may be records: their cells
    /// are counted and not quoted.
    NoHeader {
        /// The columns that the first lines of the files make.
        column_count: usize,
    },
    /// The CSV files have one column, in whose name another delimiter stands.
    Delimiter {
        /// The delimiter.
        delimiter: char,
    },
}

impl NameHint {
    /// Offers the names that differ little from a text.
    pub(crate) fn closest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Self {
        let folded = text.trim_matches('"').to_lowercase();
        let mut near: Vec<_> = names
            .filter_map(|name| {
                let distance = levenshtein(&folded, &name.to_lowercase());
                let bound = folded.chars().count().max(name.chars().count()).div_ceil(3);
                (distance <= bound.min(5)).then_some((distance, name))
            })
            .collect();
        near.sort_unstable();
        near.dedup();
        let near = near.into_iter().take(CLOSEST_COUNT_MAX);
        Self::Closest(near.map(|(_, name)| name.to_owned()).collect())
    }

    /// Tells whether there is nothing to offer.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Closest(names) if names.is_empty())
    }
}

/// Continues the sentence of an error, or adds nothing.
impl fmt::Display for NameHint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = match self {
            Self::Closest(names) => names,
            Self::Delimiter { delimiter } => {
                let written = delimiter.to_string();
                return write!(
                    out,
                    "; the lines were read as one column, in whose name {written:?} stands: \
                     put delimiter = {written:?} under this [[source]]"
                );
            }
            Self::NoHeader { column_count } => {
                return write!(
                    out,
                    "; there are {column_count} columns and none has a mapped name: \
                     do the files begin with a header line?"
                );
            }
        };
        for (index, name) in names.iter().enumerate() {
            let joint = if index == 0 { "; did you mean" } else { " or" };
            write!(out, "{joint} {name:?}")?;
        }
        out.write_str(if names.is_empty() { "" } else { "?" })
    }
}
