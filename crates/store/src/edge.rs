//! One edge of evidence in eight bytes and a shared kind.

use sameas_graph::{Decision, Evidence, LevelPattern, MatchWeight, QuarantineReason, RuleId};

use crate::format::{KIND_LEN, u64_at};

/// What edges share: pattern, rule and decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EdgeKind {
    pub(crate) pattern: LevelPattern,
    pub(crate) rule: RuleId,
    pub(crate) decision: Decision,
}

impl EdgeKind {
    /// Returns the kind of an edge.
    pub(crate) fn of(edge: &Evidence) -> Self {
        Self {
            pattern: edge.pattern,
            rule: edge.rule,
            decision: edge.decision,
        }
    }

    /// Returns the kind's entry.
    pub(crate) fn encode(self) -> [u8; KIND_LEN] {
        let decision: u128 = match self.decision {
            Decision::Link => 0,
            Decision::Review => 1,
            Decision::Quarantined(QuarantineReason::OnePerSource) => 2,
            Decision::Quarantined(QuarantineReason::CannotLink) => 3,
            Decision::Quarantined(QuarantineReason::ClusterSize) => 4,
            Decision::Quarantined(QuarantineReason::WeakBridge) => 5,
        };
        let rule = self.rule.index() as u128;
        let entry = u128::from(self.pattern.packed()) | rule << 64 | decision << 72;
        entry.to_le_bytes()
    }

    /// Reads the entry at an offset.
    pub(crate) fn decode(kinds: &[u8], offset: usize) -> Option<Self> {
        let bytes = kinds.get(offset..offset.checked_add(KIND_LEN)?)?;
        let decision = match *bytes.get(9)? {
            0 => Decision::Link,
            1 => Decision::Review,
            2 => Decision::Quarantined(QuarantineReason::OnePerSource),
            3 => Decision::Quarantined(QuarantineReason::CannotLink),
            4 => Decision::Quarantined(QuarantineReason::ClusterSize),
            5 => Decision::Quarantined(QuarantineReason::WeakBridge),
            _ => return None,
        };
        let pattern = LevelPattern::new(u64_at(bytes, 0)?);
        Some(Self {
            pattern,
            rule: RuleId::new(*bytes.get(8)?),
            decision,
        })
    }
}

/// Packs what is an edge's own.
pub(crate) fn pack_edge(higher: u32, weight: MatchWeight, kind_low: u16) -> u64 {
    let weight = weight.hundredths().cast_unsigned();
    u64::from(higher) | u64::from(weight) << 32 | u64::from(kind_low) << 48
}

/// Returns the higher slot, the weight and the low half of the kind's number.
pub(crate) fn unpack_edge(word: u64) -> (u32, MatchWeight, u16) {
    let weight = ((word >> 32) as u16).cast_signed();
    (
        word as u32,
        MatchWeight::from_hundredths(weight),
        (word >> 48) as u16,
    )
}
