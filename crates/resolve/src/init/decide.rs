//! When evidence links, and what never shares a cluster, from what a first model found.

use super::block::Linked;
use crate::Settings;

/// A source holds every entity once if it has at most this many confident pairs within, for each between,
/// of the stronger half.
const WITHIN_SHARE_MAX: f64 = 0.01;

/// So many pairs between sources are needed to say anything.
const BETWEEN_MIN: u64 = 20;

/// Decides and says why.
pub(super) fn choose(settings: &mut Settings, linked: &Linked) -> Vec<String> {
    let mut remarks = Vec::new();
    for source in &settings.sources {
        // Sources are numbered by name among all references.
        let rank = settings
            .sources
            .iter()
            .filter(|other| other.name < source.name)
            .count();
        let (Some(&within), Some(&between)) = (linked.strong_within.get(rank), linked.strong_between.get(rank))
        else {
            continue;
        };
        let share = within as f64 / (between as f64).max(1.0);
        let figures = format!("{within} very confident pairs within, {between} with other sources");
        if between >= BETWEEN_MIN && share <= WITHIN_SHARE_MAX {
            settings.decide.one_per_source.push(source.name.clone());
            remarks.push(format!(
                "`{}` seems to hold each entity once: {figures} in the sample",
                source.name
            ));
        } else if settings.sources.len() > 1 {
            remarks.push(format!(
                "`{}` repeats entities: {figures} in the sample",
                source.name
            ));
        }
    }
    remarks
}
