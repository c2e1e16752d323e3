//! What a reading lacks of a revision: sources that a rebuild would refuse to take as they are now.

use sameas_graph::NodeId;
use sameas_store::{CorruptError, Snapshot, SourceSummary};

use super::{FindGap, Finder};
use crate::rebuild::{KEPT_SHARE_LEAST, SHRINK_SHARE_LEAST};

/// The keys of a source that are looked for in the revision.
const SAMPLE_LEN: usize = 1_000;
/// Sources that have more than so many times the records of before are looked at as a whole.
const GROWTH_MAX: u64 = 10;

impl Finder {
    /// Returns the sources that were read and of which the revision knows much more: their records
    /// may be among those that were not found.
    ///
    /// # Errors
    /// Fails if the revision is damaged.
    pub fn lacks(&self, snapshot: &Snapshot) -> Result<Vec<FindGap>, CorruptError> {
        let mut gaps = Vec::new();
        for source in snapshot.sources() {
            let is_known = |gap: &FindGap| gap.source == source.name;
            if source.reference_count == 0 || self.unread().iter().any(is_known) {
                continue;
            }
            if let Some(reason) = self.lack(source, snapshot)? {
                let source = source.name.clone();
                gaps.push(FindGap { source, reason });
            }
        }
        Ok(gaps)
    }

    fn lack(
        &self,
        source: &SourceSummary,
        snapshot: &Snapshot,
    ) -> Result<Option<String>, CorruptError> {
        let shared = &self.shared;
        let is_named = |settings: &sameas_source::SourceSettings| settings.name == source.name;
        if !shared.settings.sources.iter().any(is_named) {
            let reason = "the settings that were read have no source of this name";
            return Ok(Some(reason.to_owned()));
        }
        let references = shared.resident.references();
        let id = references.source_id(&source.name);
        let nodes = id.map_or(0..0, |id| references.nodes_of(id));
        let (now, before) = (nodes.len(), source.reference_count);
        if (now as f64) < SHRINK_SHARE_LEAST * before as f64 {
            return Ok(Some(format!(
                "it has {now} records, and had {before} when the graph was rebuilt"
            )));
        }
        // Of a source that grew very much few keys are known, though all of those before may be.
        let has_grown = now as u64 / GROWTH_MAX > before;
        let step = if has_grown {
            1
        } else {
            now.div_ceil(SAMPLE_LEN).max(1)
        };
        let (mut looked_for, mut known) = (0_usize, 0_usize);
        for node in nodes.step_by(step).map(NodeId::new) {
            let found = snapshot.lookup(&source.name, references.key(node))?;
            looked_for += 1;
            known += usize::from(found.is_some());
        }
        let kept = known as f64 / looked_for.max(1) as f64 * now as f64;
        let has_others = kept < KEPT_SHARE_LEAST * before as f64;
        let reason = "most of its keys are others than when the graph was rebuilt";
        Ok(has_others.then(|| reason.to_owned()))
    }
}
