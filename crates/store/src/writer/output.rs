//! A file being written section by section.

use std::io::{self, Seek, SeekFrom, Write};

use xxhash_rust::xxh3::Xxh3Default;

use super::WrittenSnapshot;
use crate::format::{ALIGNMENT, Entry, PREFIX_LEN, Prefix, Section};

/// Bytes handed to the system at once, at multiples of so many in the file.
///
/// Linux then caches the file in pages of 2 MiB where the file system can (XFS since 5.18,
/// ext4 since 6.16), and a mapping of it needs few entries of the processor's table of pages
/// (TLB): look-ups in ten million references take a sixth less time, batches a fifth.
const CHUNK_LEN: usize = 4 << 20;

/// Where sections go: counts, hashes and pads them, and writes the header last.
pub(super) struct Output<'w, W> {
    out: &'w mut W,
    chunk: Vec<u8>,
    /// How much of the chunk is hashed, or belongs to no section.
    hashed: usize,
    hasher: Xxh3Default,
    /// Bytes before the chunk.
    written: u64,
    entries: [Entry; Section::COUNT],
}

impl<'w, W: Write + Seek> Output<'w, W> {
    /// Leaves room for header and section table.
    pub(super) fn start(out: &'w mut W) -> io::Result<Self> {
        out.seek(SeekFrom::Start(0))?;
        let mut chunk = Vec::with_capacity(CHUNK_LEN);
        chunk.resize(PREFIX_LEN, 0);
        Ok(Self {
            out,
            chunk,
            hashed: PREFIX_LEN,
            hasher: Xxh3Default::new(),
            written: 0,
            entries: [Entry::default(); Section::COUNT],
        })
    }

    /// Writes one section; sections come in file order.
    pub(super) fn section(
        &mut self,
        section: Section,
        write: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let offset = self.len();
        self.hasher.reset();
        write(self)?;
        self.hash();
        let len = self.len() - offset;
        let checksum = self.hasher.digest();
        let entry = Entry {
            offset,
            len,
            checksum,
        };
        debug_assert_eq!(self.entries[section.index()], Entry::default());
        self.entries[section.index()] = entry;
        let padding = (ALIGNMENT - len % ALIGNMENT) % ALIGNMENT;
        self.bytes(&[0; ALIGNMENT as usize][..padding as usize])?;
        self.hashed = self.chunk.len();
        Ok(())
    }

    /// Appends bytes to the section.
    pub(super) fn bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some((head, tail)) = bytes.split_at_checked(CHUNK_LEN - self.chunk.len()) {
            self.chunk.extend_from_slice(head);
            self.flush()?;
            bytes = tail;
        }
        self.chunk.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends a number to the section.
    pub(super) fn u32(&mut self, value: u32) -> io::Result<()> {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends a number to the section.
    pub(super) fn u64(&mut self, value: u64) -> io::Result<()> {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends words that are in file order already.
    pub(super) fn words(&mut self, words: &[u64]) -> io::Result<()> {
        self.bytes(bytemuck::cast_slice(words))
    }

    /// Writes header and section table, now that all is known.
    pub(super) fn finish(mut self) -> io::Result<WrittenSnapshot> {
        self.flush()?;
        let prefix = Prefix::new(&self.entries, self.written).encode();
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&prefix)?;
        self.out.flush()?;
        Ok(WrittenSnapshot {
            len: self.written,
            checksum: Prefix::checksum(&prefix),
        })
    }

    fn len(&self) -> u64 {
        self.written + self.chunk.len() as u64
    }

    fn hash(&mut self) {
        self.hasher.update(&self.chunk[self.hashed..]);
        self.hashed = self.chunk.len();
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hash();
        self.out.write_all(&self.chunk)?;
        self.written += self.chunk.len() as u64;
        self.chunk.clear();
        self.hashed = 0;
        Ok(())
    }
}
