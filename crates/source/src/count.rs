//! How many rows a source has.

use std::ops::Add;

/// The number of rows of a source, before any condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowCount {
    /// Counted.
    Exact(u64),
    /// Projected from a sample.
    Estimate(u64),
    /// Not known without a scan.
    Unknown,
}

impl Add for RowCount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Exact(a), Self::Exact(b)) => Self::Exact(a.saturating_add(b)),
            (Self::Exact(a) | Self::Estimate(a), Self::Exact(b) | Self::Estimate(b)) => {
                Self::Estimate(a.saturating_add(b))
            }
        }
    }
}
