//! When evidence links, and what never shares a cluster, from what a first model found.

use sameas_matching::Scope;
use sameas_record::FieldKind;

use super::block::Linked;
use crate::Settings;

/// A source holds every entity once if it has at most this many records with a partner
/// within, for each with a partner in another source. Series such as editorials repeat in clean sources.
const WITHIN_SHARE_MAX: f64 = 0.05;

/// So many records with partners in other sources are needed to say anything.
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
        let (Some(&within), Some(&between)) = (
            linked.strong_within.get(rank),
            linked.strong_between.get(rank),
        ) else {
            continue;
        };
        let share = within as f64 / (between as f64).max(1.0);
        let figures =
            format!("{within} records surely have a partner within, {between} in other sources");
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
    apart(settings, linked, &mut remarks);
    remarks
}

/// So many confident pairs must have both values before they say anything.
const COMPARED_MIN: u64 = 5;

/// What one entity has one of, and confident pairs hardly ever differ in, holds clusters apart.
const DIFFERING_MAX: f64 = 0.004;

fn apart(settings: &mut Settings, linked: &Linked, remarks: &mut Vec<String>) {
    let schema = settings.schema();
    for (index, comparison) in settings.comparisons.iter().enumerate() {
        let kind = schema
            .field_id(&comparison.field)
            .map(|id| schema.field(id).kind);
        let is_dated = matches!(kind, Some(FieldKind::Date | FieldKind::Identifier));
        let is_own = is_dated && comparison.scope.is_none_or(|scope| scope == Scope::Person);
        let (compared, differing) = (linked.compared[index], linked.differing[index]);
        // A generational suffix is there to tell relatives apart, however few have one.
        let is_suffix = comparison.field == "suffix";
        let hardly = differing as f64 <= DIFFERING_MAX * compared as f64;
        if !(is_suffix || is_own && compared >= COMPARED_MIN && hardly) {
            continue;
        }
        settings.decide.apart.push(comparison.field.clone());
        let because = if is_suffix {
            "it tells relatives of one name apart".to_owned()
        } else {
            format!("{differing} of {compared} confident pairs differ in it")
        };
        remarks.push(format!(
            "`{}` holds records apart where it differs: {because}",
            comparison.field
        ));
    }
}
