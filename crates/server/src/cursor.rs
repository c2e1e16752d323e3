//! Where the next page of an entity starts, in a form that only this service reads.

use sameas_graph::{Revision, UnifiedId};
use xxhash_rust::xxh3::xxh3_64;

use crate::refusal::Refusal;

/// The form of the bytes below; another form gets another number.
const FORM: u8 = 1;
const FORM_LEN: usize = 1;
/// Form, revision, position, digest.
const LEN: usize = FORM_LEN + 8 + 4 + 8;

/// A position among the members of an entity in one revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The revision in which the position is meant.
    pub(crate) revision: Revision,
    /// How many members come before it.
    pub(crate) position: u32,
}

impl Cursor {
    /// Returns the text that stands for this cursor on this entity.
    pub(crate) fn encode(self, entity: UnifiedId) -> String {
        self.bytes(entity)
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(digit)
            .collect()
    }

    /// Reads a text that `encode` made for this entity.
    pub(crate) fn decode(text: &str, entity: UnifiedId) -> Result<Self, Refusal> {
        let bytes = unhex(text).ok_or(Refusal::CursorMalformed)?;
        let (head, _) = bytes.split_at(FORM_LEN + 8 + 4);
        let (revision, position) = head.split_at(FORM_LEN + 8);
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
        };
        let cursor = Self {
            revision: Revision::new(number(&revision[FORM_LEN..])),
            position: number(position) as u32,
        };
        if cursor.bytes(entity) == bytes {
            Ok(cursor)
        } else {
            Err(Refusal::CursorMalformed)
        }
    }

    /// The digest holds the entity, so that a cursor of one is refused for another.
    fn bytes(self, entity: UnifiedId) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[0] = FORM;
        bytes[1..9].copy_from_slice(&self.revision.get().to_be_bytes());
        bytes[9..13].copy_from_slice(&self.position.to_be_bytes());
        let mut named = [0; 13 + 16];
        named[..13].copy_from_slice(&bytes[..13]);
        named[13..].copy_from_slice(entity.uuid().as_bytes());
        bytes[13..].copy_from_slice(&xxh3_64(&named).to_be_bytes());
        bytes
    }
}

fn digit(half: u8) -> char {
    char::from_digit(u32::from(half), 16).expect("half a byte is one hexadecimal digit")
}

fn unhex(text: &str) -> Option<[u8; LEN]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; LEN];
    if pairs.len() != LEN || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high << 4 | low) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const CURSOR: Cursor = Cursor {
        revision: Revision::new(7),
        position: 1_000,
    };

    fn entity(number: u128) -> UnifiedId {
        UnifiedId::new(Uuid::from_u128(number))
    }

    #[test]
    fn reading_what_was_written_gives_the_same_cursor() {
        let text = CURSOR.encode(entity(1));
        assert_eq!(Cursor::decode(&text, entity(1)), Ok(CURSOR));
    }

    #[test]
    fn a_cursor_of_another_entity_or_with_any_digit_changed_is_refused() {
        let text = CURSOR.encode(entity(1));
        assert_eq!(
            Cursor::decode(&text, entity(2)),
            Err(Refusal::CursorMalformed)
        );
        for index in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[index] = if changed[index] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8_lossy(&changed).into_owned();
            assert!(
                Cursor::decode(&changed, entity(1)).is_err(),
                "digit {index}"
            );
        }
    }

    #[test]
    fn a_text_that_is_no_cursor_is_refused() {
        for text in ["", "0", "zz", "é", &"0".repeat(42), &"0".repeat(9_999)] {
            assert_eq!(
                Cursor::decode(text, entity(1)),
                Err(Refusal::CursorMalformed)
            );
        }
    }
}
