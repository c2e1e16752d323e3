//! What each part of a snapshot costs.

use std::fmt;

use crate::format::Section;
use crate::reader::Snapshot;

/// The bytes of a snapshot by section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeBreakdown {
    /// How many references the bytes are for.
    pub reference_count: u64,
    /// Length of all keys together, which is not counted as cost.
    pub key_bytes: u64,
    /// Length of the file.
    pub file_len: u64,
    /// Length of each section; that of [`Section::Arena`] is given without the keys.
    pub sections: Vec<(Section, u64)>,
}

impl SizeBreakdown {
    /// Returns the bytes a reference costs beside its key.
    pub fn bytes_per_reference(&self) -> f64 {
        self.per_reference(self.file_len.saturating_sub(self.key_bytes))
    }

    fn per_reference(&self, bytes: u64) -> f64 {
        bytes as f64 / self.reference_count.max(1) as f64
    }
}

impl fmt::Display for SizeBreakdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<18}{:>14}{:>14}", "section", "bytes", "a reference")?;
        for &(section, bytes) in &self.sections {
            let each = self.per_reference(bytes);
            writeln!(f, "{:<18}{bytes:>14}{each:>14.3}", section.name())?;
        }
        let known: u64 = self.sections.iter().map(|&(_, bytes)| bytes).sum();
        let rest = self.file_len.saturating_sub(known + self.key_bytes);
        let each = self.per_reference(rest);
        writeln!(f, "{:<18}{rest:>14}{each:>14.3}", "header, padding")?;
        let (cost, each) = (
            self.file_len.saturating_sub(self.key_bytes),
            self.bytes_per_reference(),
        );
        writeln!(f, "{:<18}{cost:>14}{each:>14.3}", "sum beside keys")?;
        let each = self.per_reference(self.key_bytes);
        write!(f, "{:<18}{:>14}{each:>14.3}", "keys", self.key_bytes)
    }
}

impl Snapshot {
    /// Returns what each section costs.
    pub fn size_breakdown(&self) -> SizeBreakdown {
        let key_bytes = self.meta().key_bytes;
        let sections = Section::ALL.map(|section| {
            let len = self.bytes(section).len() as u64;
            let keys = if section == Section::Arena {
                key_bytes
            } else {
                0
            };
            (section, len.saturating_sub(keys))
        });
        SizeBreakdown {
            reference_count: self.reference_count(),
            key_bytes,
            file_len: self.file_len(),
            sections: sections.to_vec(),
        }
    }
}
