//! What is compared, and by which levels.

use sameas_matching::{CompareSettings, Scope};
use sameas_record::{FieldKind, Records};

use super::map::{Fields, Profile};
use super::recognise::Subject;
use super::role::Role;
use crate::Settings;

/// The most comparisons.
const COMPARISONS_MAX: usize = 15;

/// Chooses the comparisons of all fields; returns a remark for each.
pub(super) fn choose(
    settings: &mut Settings,
    profiles: &[Profile],
    fields: &mut Fields,
) -> Vec<String> {
    let rows: u64 = profiles.iter().map(|p| p.sample.row_count).sum();
    let filled = |name: &str| -> f64 {
        let Some(field) = fields.fields.get(name) else {
            return 0.0;
        };
        let counts = field.mapped.iter().map(|(&source, mapped)| {
            let columns = mapped
                .columns
                .iter()
                .map(|&c| profiles[source].sample.columns[c].filled);
            columns.sum::<u64>().min(profiles[source].sample.row_count)
        });
        counts.sum::<u64>() as f64 / (rows as f64).max(1.0)
    };
    let mut order: Vec<(String, Role, f64)> = fields
        .fields
        .iter()
        .map(|(name, field)| (name.clone(), field.role, filled(name)))
        .collect();
    order.sort_by(|a, b| {
        let telling = |x: &(String, Role, f64)| f64::from(x.1.weight()) * (0.2 + x.2);
        telling(b)
            .total_cmp(&telling(a))
            .then_with(|| a.0.cmp(&b.0))
    });
    for (name, ..) in order.iter().skip(COMPARISONS_MAX) {
        leave_out(
            fields,
            profiles,
            name,
            "there are more telling fields than comparisons",
        );
    }
    order.truncate(COMPARISONS_MAX);
    let mut remarks = Vec::new();
    for (name, role, filled) in &order {
        let has = |field: &str| fields.fields.contains_key(field);
        let levels = role
            .levels()
            .iter()
            .filter(|level| match level.strip_prefix("swapped ") {
                Some(other) => has(other) && other != name.as_str(),
                None => true,
            });
        let levels: Vec<String> = levels.map(|&level| level.to_owned()).collect();
        let frequency = matches!(
            role,
            Role::GivenName | Role::Surname | Role::City | Role::Company | Role::Group
        );
        settings.comparisons.push(CompareSettings {
            name: None,
            field: name.clone(),
            kind: None,
            levels: Some(levels),
            scope: scope(*role, fields.subject),
            frequency,
        });
        remarks.push(format!(
            "{}; {:.0} % of the records have one",
            role.word(),
            filled * 100.0
        ));
    }
    remarks
}

/// Whom a field belongs to: names are an organisation's or a thing's own, like a person's.
fn scope(role: Role, subject: Subject) -> Option<Scope> {
    match role {
        Role::Company if subject == Subject::Organisation => Some(Scope::Person),
        Role::Phone | Role::Website if subject == Subject::Organisation => Some(Scope::Open),
        _ => role.scope(),
    }
}

fn leave_out(fields: &mut Fields, profiles: &[Profile], name: &str, why: &str) {
    let Some(field) = fields.fields.remove(name) else {
        return;
    };
    for (source, mapped) in field.mapped {
        for column in mapped.columns {
            let column = profiles[source].sample.columns[column].name.clone();
            fields.left_out[source].push((column, why.to_owned()));
        }
    }
}

/// Looks at the records for what depends on them: addresses compared as one.
pub(super) fn refine(
    settings: &mut Settings,
    records: &Records,
    fields: &mut Fields,
    remarks: &mut [String],
) {
    let schema = records.schema();
    let kind = |name: &str| schema.field_id(name).map(|id| schema.field(id).kind);
    let whole = |name: &str| {
        fields
            .fields
            .get(name)
            .is_some_and(|f| matches!(f.role, Role::Street | Role::Address))
    };
    let _ = (
        kind(""),
        whole(""),
        FieldKind::Street,
        settings.comparisons.len(),
        remarks.len(),
    );
}
