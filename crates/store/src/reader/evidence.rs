//! Why members are together, and why others are not.

use std::ops::Range;

use sameas_graph::{Decision, Evidence, LevelPattern, MatchWeight, NodeId, RuleId, strongest_path};

use super::{Member, Snapshot};
use crate::edge::{EdgeKind, unpack_edge};
use crate::error::CorruptError;
use crate::format::{KIND_LEN, Section};

/// What the records of two members said about each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberEvidence {
    /// One member: in one entity the first by source and key.
    pub left: Member,
    /// The other member.
    pub right: Member,
    /// The posterior weight, prior included.
    pub weight: MatchWeight,
    /// The rule that fired, or the first that made the pair.
    pub rule: RuleId,
    /// The level each comparison gave.
    pub pattern: LevelPattern,
    /// What was decided.
    pub decision: Decision,
}

/// An edge between two slots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) lower: u32,
    pub(crate) higher: u32,
    pub(crate) weight: MatchWeight,
    pub(crate) kind: EdgeKind,
}

impl Snapshot {
    /// Returns all evidence that touches a member: links, reviews and quarantined links.
    ///
    /// Costs a binary search for each lower member of the cluster, and its own edges.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn evidence_of(&self, member: Member) -> Result<Vec<MemberEvidence>, CorruptError> {
        let slot = self.slot_of(member)?;
        let (first, end) = self.cluster_slots(slot)?;
        let mut found = Vec::new();
        for lower in first..slot.min(end) {
            found.extend(self.edge_to(lower, slot)?);
        }
        for number in self.incoming_of(slot)? {
            found.push(self.edge(self.lower_slot(number)?, number)?);
        }
        for number in self.edges_of(slot)? {
            found.push(self.edge(slot, number)?);
        }
        found.sort_unstable_by_key(|edge: &Edge| (edge.lower, edge.higher));
        self.with_members(found)
    }

    /// Returns the evidence between two members, in either order, if any was kept.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn evidence_between(
        &self,
        one: Member,
        other: Member,
    ) -> Result<Option<MemberEvidence>, CorruptError> {
        let (one, other) = (self.slot_of(one)?, self.slot_of(other)?);
        let edge = self.edge_to(one.min(other), one.max(other))?;
        edge.map(|edge| self.with_ends(&edge)).transpose()
    }

    /// Returns the evidence among the members of the entity that this member belongs to.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn cluster_evidence(&self, member: Member) -> Result<Vec<MemberEvidence>, CorruptError> {
        self.with_members(self.cluster_edges(self.slot_of(member)?)?)
    }

    /// Returns the edges inside the cluster of a slot.
    fn cluster_edges(&self, slot: u32) -> Result<Vec<Edge>, CorruptError> {
        let (first, end) = self.cluster_slots(slot)?;
        let mut found = Vec::new();
        for lower in first..end {
            for number in self.edges_of(lower)? {
                let edge = self.edge(lower, number)?;
                if edge.higher < end {
                    found.push(edge);
                }
            }
        }
        Ok(found)
    }

    /// Returns the chain of links between two members whose weakest link is strongest.
    ///
    /// There is none if they belong to different entities.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn strongest_path(
        &self,
        from: Member,
        to: Member,
    ) -> Result<Option<Vec<MemberEvidence>>, CorruptError> {
        let (from, to) = (self.slot_of(from)?, self.slot_of(to)?);
        if self.first_of(from)? != self.first_of(to)? {
            return Ok(None);
        }
        // Inside one cluster slots ascend as nodes do, so they stand in for them.
        let edges: Vec<Evidence> = self
            .cluster_edges(from)?
            .into_iter()
            .map(between_nodes)
            .collect();
        let path = strongest_path(&edges, NodeId::new(from), NodeId::new(to));
        path.map(|path| self.with_members(path.into_iter().map(between_slots)))
            .transpose()
    }

    fn with_members(
        &self,
        edges: impl IntoIterator<Item = Edge>,
    ) -> Result<Vec<MemberEvidence>, CorruptError> {
        edges
            .into_iter()
            .map(|edge| self.with_ends(&edge))
            .collect()
    }

    fn with_ends(&self, edge: &Edge) -> Result<MemberEvidence, CorruptError> {
        let EdgeKind {
            pattern,
            rule,
            decision,
        } = edge.kind;
        Ok(MemberEvidence {
            left: self.member_at(edge.lower)?,
            right: self.member_at(edge.higher)?,
            weight: edge.weight,
            rule,
            pattern,
            decision,
        })
    }

    /// Returns the numbers of the edges that lead from a slot to higher ones.
    pub(crate) fn edges_of(&self, slot: u32) -> Result<Range<u32>, CorruptError> {
        let starts: &[u32] = self.words(Section::EdgeStarts);
        let at = slot as usize;
        let bounds = match starts.get(at..at + 2) {
            Some(&[from, to]) => Some(u32::from_le(from)..u32::from_le(to)),
            _ => None,
        };
        bounds
            .filter(|bounds| bounds.start <= bounds.end && bounds.end <= self.meta().edge_count)
            .ok_or_else(|| {
                CorruptError::at(
                    Section::EdgeStarts,
                    u64::from(slot),
                    "edges end where none are",
                )
            })
    }

    /// Returns an edge of which the lower slot is known.
    pub(crate) fn edge(&self, lower: u32, number: u32) -> Result<Edge, CorruptError> {
        let corrupt = |what| CorruptError::at(Section::Edges, u64::from(number), what);
        let word = self.edge_word(number)?;
        let (higher, weight, kind_low) = unpack_edge(word);
        let high: &[u16] = self.words(Section::EdgeKindsHigh);
        let kind_high = high
            .get(number as usize)
            .map_or(0, |&high| u16::from_le(high));
        let kind = usize::from(kind_high) << 16 | usize::from(kind_low);
        let kind = EdgeKind::decode(self.bytes(Section::Kinds), kind * KIND_LEN)
            .ok_or_else(|| corrupt("has no kind"))?;
        if higher <= lower || higher >= self.meta().reference_count {
            return Err(corrupt("does not lead to a higher slot"));
        }
        Ok(Edge {
            lower,
            higher,
            weight,
            kind,
        })
    }

    fn edge_word(&self, number: u32) -> Result<u64, CorruptError> {
        let words: &[u64] = self.words(Section::Edges);
        words
            .get(number as usize)
            .copied()
            .map(u64::from_le)
            .ok_or_else(|| {
                CorruptError::at(Section::Edges, u64::from(number), "an edge does not exist")
            })
    }

    fn edge_to(&self, lower: u32, higher: u32) -> Result<Option<Edge>, CorruptError> {
        let bounds = self.edges_of(lower)?;
        let words: &[u64] = self.words(Section::Edges);
        let list = words
            .get(bounds.start as usize..bounds.end as usize)
            .unwrap_or_default();
        let found = list.binary_search_by(|&word| (u64::from_le(word) as u32).cmp(&higher));
        found
            .ok()
            .map(|at| self.edge(lower, bounds.start + at as u32))
            .transpose()
    }

    /// Returns the lower slot of an edge.
    pub(crate) fn lower_slot(&self, number: u32) -> Result<u32, CorruptError> {
        let starts: &[u32] = self.words(Section::EdgeStarts);
        let after = starts.partition_point(|&start| u32::from_le(start) <= number);
        let slot = after.checked_sub(1).filter(|_| after < starts.len());
        slot.map(|slot| slot as u32).ok_or_else(|| {
            CorruptError::at(
                Section::EdgeStarts,
                u64::from(number),
                "an edge starts nowhere",
            )
        })
    }

    /// Returns the numbers of the edges that lead to a slot from other clusters.
    fn incoming_of(&self, slot: u32) -> Result<Vec<u32>, CorruptError> {
        let incoming: &[u32] = self.words(Section::Incoming);
        let mut low = 0;
        let mut high = incoming.len();
        while low < high {
            let middle = low + (high - low) / 2;
            if self
                .incoming_target(middle)?
                .is_some_and(|(_, target)| target < slot)
            {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut numbers = Vec::new();
        while let Some((number, target)) = self.incoming_target(low)?
            && target == slot
        {
            numbers.push(number);
            low += 1;
        }
        Ok(numbers)
    }

    /// Returns the number and the higher slot of the n-th edge between clusters.
    pub(crate) fn incoming_target(
        &self,
        position: usize,
    ) -> Result<Option<(u32, u32)>, CorruptError> {
        let incoming: &[u32] = self.words(Section::Incoming);
        let Some(&number) = incoming.get(position) else {
            return Ok(None);
        };
        let number = u32::from_le(number);
        Ok(Some((number, unpack_edge(self.edge_word(number)?).0)))
    }
}

fn between_nodes(edge: Edge) -> Evidence {
    let EdgeKind {
        pattern,
        rule,
        decision,
    } = edge.kind;
    Evidence {
        left: NodeId::new(edge.lower),
        right: NodeId::new(edge.higher),
        weight: edge.weight,
        rule,
        pattern,
        decision,
    }
}

fn between_slots(edge: Evidence) -> Edge {
    Edge {
        lower: edge.left.get(),
        higher: edge.right.get(),
        weight: edge.weight,
        kind: EdgeKind::of(&edge),
    }
}
