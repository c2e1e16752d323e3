//! A file being written section by section.

use std::io::{self, Seek, SeekFrom, Write};

use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::WrittenSnapshot;
use crate::format::{ALIGNMENT, Entry, PREFIX_LEN, Prefix, Section};

/// Bytes collected before they are hashed and handed to the system.
const BUFFER_LEN: usize = 1 << 20;

/// Where sections go: counts, hashes and pads them, and writes the header last.
pub(super) struct Output<'w, W> {
    out: &'w mut W,
    buffer: Vec<u8>,
    hasher: Xxh3Default,
    written: u64,
    entries: [Entry; Section::COUNT],
}

impl<'w, W: Write + Seek> Output<'w, W> {
    /// Leaves room for header and section table.
    pub(super) fn start(out: &'w mut W) -> io::Result<Self> {
        out.seek(SeekFrom::Start(0))?;
        out.write_all(&[0; PREFIX_LEN])?;
        Ok(Self {
            out,
            buffer: Vec::with_capacity(BUFFER_LEN),
            hasher: Xxh3Default::new(),
            written: PREFIX_LEN as u64,
            entries: [Entry::default(); Section::COUNT],
        })
    }

    /// Writes one section; sections come in file order.
    pub(super) fn section(
        &mut self,
        section: Section,
        write: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let offset = self.written;
        self.hasher.reset();
        write(self)?;
        self.flush()?;
        let len = self.written - offset;
        let checksum = if len == 0 {
            xxh3_64(&[])
        } else {
            self.hasher.digest()
        };
        let entry = Entry {
            offset,
            len,
            checksum,
        };
        debug_assert_eq!(self.entries[section.index()], Entry::default());
        self.entries[section.index()] = entry;
        let padding = (ALIGNMENT - len % ALIGNMENT) % ALIGNMENT;
        self.out
            .write_all(&[0; ALIGNMENT as usize][..padding as usize])?;
        self.written += padding;
        Ok(())
    }

    /// Appends bytes to the section.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER_LEN {
            self.flush()?;
        }
        if bytes.len() > BUFFER_LEN {
            return self.pass(bytes);
        }
        self.buffer.extend_from_slice(bytes);
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
    pub(super) fn finish(self) -> io::Result<WrittenSnapshot> {
        let prefix = Prefix::new(&self.entries, self.written).encode();
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&prefix)?;
        self.out.flush()?;
        Ok(WrittenSnapshot {
            len: self.written,
            checksum: Prefix::checksum(&prefix),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        self.pass(&buffer)?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}
