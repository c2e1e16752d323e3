//! A file as memory: the only unsafe code of the workspace.
#![expect(
    unsafe_code,
    reason = "mapping a file is unsafe; this file holds the argument why ours is sound"
)]

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::{Advice, Mmap};

/// A read-only mapping of a whole file.
///
/// Snapshots are immutable by contract: the publisher writes a snapshot under a temporary
/// name, never opens it for writing again once it bears its own name, and replaces or
/// removes it only by name (`rename`, `unlink`), which leaves mapped bytes alone. A
/// stranger who truncates a mapped file breaks that contract; the process is then ended
/// by the system (SIGBUS), it does not read wrong bytes.
#[derive(Debug)]
pub(crate) struct Map {
    mmap: Mmap,
}

impl Map {
    /// Maps a file that is not empty.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the mapping is read-only and shared, and nothing in this program writes to
        // a snapshot after it was renamed to its name, nor truncates one (see the type's
        // contract). All reads go through `&[u8]` and checked casts to integers, for which
        // every bit pattern is valid, so even a file that breaks the contract by changing
        // yields wrong numbers, which readers check, and never a wrong type.
        let mmap = unsafe { Mmap::map(&file)? };
        Ok(Self { mmap })
    }

    /// Returns the bytes of the file.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.mmap
    }

    /// Asks the system to bring all of the file into memory ahead of use.
    pub(crate) fn prefault(&self) -> io::Result<()> {
        self.mmap.advise(Advice::WillNeed)
    }
}
