//! Memory for numbers that are read here and there.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// Numbers in large pages, where the system has them: most reads of a row would else wait for the
/// page's address, too.
#[derive(Debug)]
pub(super) struct Words(MmapMut);

impl Words {
    /// Returns so many zeros.
    ///
    /// # Panics
    /// Panics if the system has no memory for them.
    pub(super) fn zeros(len: usize) -> Self {
        let map = MmapMut::map_anon(len * size_of::<u32>());
        let map = map.expect("the system should have memory for rows");
        // It is only slower without.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Self(map)
    }
}

impl Deref for Words {
    type Target = [u32];

    #[inline]
    fn deref(&self) -> &[u32] {
        bytemuck::cast_slice(&self.0)
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [u32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_zeros_as_asked_for_can_be_written() {
        for len in [0, 1, 5_000] {
            let mut words = Words::zeros(len);
            assert_eq!(*words, vec![0; len]);
            words.fill(u32::MAX);
            assert_eq!(*words, vec![u32::MAX; len]);
        }
    }
}
