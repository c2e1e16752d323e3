//! What must be true of a graph before it is written.

use sameas_graph::{GraphRevision, KEY_LEN_MAX, LevelPattern, LineageKind, NodeId};

use crate::arena::len_bounds;
use crate::directory::ARENA_LEN_MAX;
use crate::error::WriteError;
use crate::format::{PAST_KEYS_LEN_MAX, REFERENCE_COUNT_MAX};

/// The most source names of ended memberships one file holds.
const PAST_SOURCE_COUNT_MAX: u64 = 1 << 13;

/// Refuses a graph that contradicts itself or does not fit the format.
pub(super) fn check(graph: &GraphRevision) -> Result<(), WriteError> {
    let checker = Checker { graph };
    checker.check_counts()?;
    checker.check_evidence()?;
    checker.check_legend()?;
    checker.check_lineage()?;
    checker.check_past()
}

struct Checker<'g> {
    graph: &'g GraphRevision,
}

impl Checker<'_> {
    fn check_counts(&self) -> Result<(), WriteError> {
        let graph = self.graph;
        let reference_count = graph.references.len();
        self.fits("references", reference_count as u64, REFERENCE_COUNT_MAX)?;
        let arena_len = arena_len_max(reference_count as u64, graph.references.key_bytes());
        self.fits("bytes of references", arena_len, ARENA_LEN_MAX)?;
        self.fits("edges", graph.evidence.len() as u64, u64::from(u32::MAX))?;
        let counts = [
            (
                graph.partition.node_count(),
                "the partition covers another number of references",
            ),
            (
                graph.since.len(),
                "`since` covers another number of references",
            ),
        ];
        for (count, what) in counts {
            self.holds(count == reference_count, what, count)?;
        }
        let (entities, clusters) = (graph.entities.len(), graph.partition.cluster_count());
        self.holds(
            entities == clusters,
            "there is not one entity a cluster",
            entities,
        )?;
        let beyond = graph
            .changed
            .max()
            .filter(|&node| node as usize >= reference_count);
        self.holds(
            beyond.is_none(),
            "a changed node does not exist",
            beyond.unwrap_or(0) as usize,
        )
    }

    fn check_evidence(&self) -> Result<(), WriteError> {
        let mut last: Option<(NodeId, NodeId)> = None;
        for (index, edge) in self.graph.evidence.iter().enumerate() {
            let pair = (edge.left, edge.right);
            let exists = edge.right.index() < self.graph.references.len();
            self.holds(
                exists,
                "an edge points to a node that does not exist",
                index,
            )?;
            self.holds(
                pair.0 < pair.1,
                "an edge does not go from lower to higher node",
                index,
            )?;
            self.holds(
                last < Some(pair),
                "evidence is not sorted by distinct pairs",
                index,
            )?;
            last = Some(pair);
        }
        Ok(())
    }

    fn check_legend(&self) -> Result<(), WriteError> {
        let legend = &self.graph.legend;
        let comparison_max = LevelPattern::COMPARISON_COUNT_MAX as u64;
        let level_max = LevelPattern::LEVEL_COUNT_MAX as u64;
        self.fits(
            "comparisons",
            legend.comparisons.len() as u64,
            comparison_max,
        )?;
        self.fits("rules", legend.rules.len() as u64, u64::from(u16::MAX))?;
        let levels = legend
            .comparisons
            .iter()
            .map(|comparison| comparison.levels.len())
            .max();
        self.fits(
            "levels of one comparison",
            levels.unwrap_or(0) as u64,
            level_max,
        )
    }

    fn check_lineage(&self) -> Result<(), WriteError> {
        let lineage = &self.graph.lineage;
        let sorted = lineage.is_sorted_by_key(|event| (event.entity, event.revision));
        self.holds(sorted, "lineage is not sorted by entity and revision", 0)?;
        let targets = lineage.iter().map(|event| match &event.kind {
            LineageKind::Split { into } => into.len() as u64,
            LineageKind::Merged { .. } => 1,
            LineageKind::Born | LineageKind::Retired | LineageKind::Revived => 0,
        });
        self.fits(
            "targets of lineage events",
            targets.sum(),
            u64::from(u32::MAX),
        )
    }

    fn check_past(&self) -> Result<(), WriteError> {
        let past = &self.graph.past;
        self.holds(past.is_sorted(), "past memberships are not sorted", 0)?;
        let (mut sources, mut key_bytes) = (0, 0);
        let mut last = None;
        for (index, membership) in past.iter().enumerate() {
            let len = membership.key.len();
            let is_key = (1..=KEY_LEN_MAX).contains(&len);
            self.holds(is_key, "a past membership has a key that is none", index)?;
            key_bytes += len as u64;
            if last.replace(&membership.source) != Some(&membership.source) {
                sources += 1;
            }
        }
        self.fits(
            "sources of past memberships",
            sources,
            PAST_SOURCE_COUNT_MAX,
        )?;
        self.fits(
            "bytes of keys of past memberships",
            key_bytes,
            PAST_KEYS_LEN_MAX,
        )
    }

    fn holds(&self, holds: bool, what: &'static str, index: usize) -> Result<(), WriteError> {
        let revision = self.graph.revision;
        let index = index as u64;
        if holds {
            Ok(())
        } else {
            Err(WriteError::Inconsistent {
                revision,
                what,
                index,
            })
        }
    }

    fn fits(&self, what: &'static str, count: u64, max: u64) -> Result<(), WriteError> {
        let revision = self.graph.revision;
        if count <= max {
            Ok(())
        } else {
            Err(WriteError::TooLarge {
                revision,
                what,
                count,
                max,
            })
        }
    }
}

/// Returns how many bytes the references take at most, whatever the revisions.
fn arena_len_max(reference_count: u64, key_bytes: u64) -> u64 {
    len_bounds(reference_count, key_bytes, size_of::<u32>())
        .map_or(u64::MAX, |(_, longest)| longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_that_no_position_could_tell_are_refused() {
        // A billion references have room for keys of 990 bytes, not for longest ones.
        let count = 1_u64 << 30;
        assert!(arena_len_max(count, count * KEY_LEN_MAX as u64) > ARENA_LEN_MAX);
        assert!(arena_len_max(count, count * 990) < ARENA_LEN_MAX);
        assert_eq!(arena_len_max(count, u64::MAX), u64::MAX);
    }
}
