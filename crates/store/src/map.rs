//! A file as memory.
#![expect(
    unsafe_code,
    reason = "mapping a file is unsafe; this file holds the argument why ours is sound"
)]

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use bytemuck::Pod;
use memmap2::Mmap;

/// A read-only mapping of a whole file.
///
/// Snapshots are immutable by contract: the publisher writes a snapshot under a temporary
/// name, never opens it for writing again once it bears its own name, and replaces or
/// removes it only by name (`rename`, `unlink`), which leaves mapped bytes alone. A
/// stranger who truncates a mapped file breaks that contract; the process is then ended
/// by the system (SIGBUS), it does not read wrong bytes.
#[derive(Debug)]
pub(crate) struct Map {
    mmap: Arc<Mmap>,
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
        // What is read from disk comes in large pages, too, where the system can; else all
        // works as well, only slower.
        #[cfg(target_os = "linux")]
        let _ = mmap.advise(memmap2::Advice::HugePage);
        Ok(Self {
            mmap: Arc::new(mmap),
        })
    }

    /// Returns the bytes of the file.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.mmap
    }

    /// Returns part of the file as numbers, or nothing if it is not within the file, not
    /// aligned or no whole number of them.
    pub(crate) fn slice<T: Pod>(&self, range: Range<usize>) -> Option<MapSlice<T>> {
        let items: &[T] = bytemuck::try_cast_slice(self.mmap.get(range)?).ok()?;
        let (start, len) = (items.as_ptr(), items.len());
        Some(MapSlice {
            start,
            len,
            _mmap: Arc::clone(&self.mmap),
        })
    }
}

/// Part of a mapped file, checked once and then as quick to reach as a slice.
///
/// Finding a section by its place in the table and checking it costs about fifteen
/// instructions, and a look-up visits three sections; without that cost the processor can
/// start on the next look-up while this one still waits for memory.
pub(crate) struct MapSlice<T> {
    start: *const T,
    len: usize,
    _mmap: Arc<Mmap>,
}

// SAFETY: a slice of the mapping is shared, read-only memory of plain numbers that belongs to
// no thread, and the mapping itself may be moved between threads and read from many.
unsafe impl<T: Pod + Send + Sync> Send for MapSlice<T> {}
// SAFETY: as for `Send`.
unsafe impl<T: Pod + Send + Sync> Sync for MapSlice<T> {}

impl<T: Pod> Deref for MapSlice<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `start` and `len` were taken from a valid `&[T]` inside the mapping, whose
        // bytes neither move nor change (see `Map`) and stay mapped while `_mmap` lives, that
        // is, at least as long as the borrow of `self`.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T> fmt::Debug for MapSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MapSlice({} items)", self.len)
    }
}
