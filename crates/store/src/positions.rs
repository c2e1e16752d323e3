//! Where the arena entry of each slot starts: 40 bits a slot.

/// Bytes of a position.
pub(crate) const POSITION_LEN: usize = 5;

/// The offset of an entry, little endian as it lies in the file.
pub(crate) type Position = [u8; POSITION_LEN];

/// Returns an offset, which is below 2^40, as it lies in the file.
pub(crate) fn encode(offset: u64) -> Position {
    let [low @ .., _, _, _] = offset.to_le_bytes();
    low
}

/// Reads an offset.
#[inline]
pub(crate) fn decode(position: Position) -> u64 {
    let [low @ .., high] = position;
    u64::from(u32::from_le_bytes(low)) | u64::from(high) << u32::BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_offset_below_a_tebibyte_is_kept() {
        for offset in [0, 1, 255, 256, (1 << 32) + 7, (1 << 40) - 1] {
            assert_eq!(decode(encode(offset)), offset);
        }
    }
}
