//! What is compared, and by which levels.

use sameas_matching::{CompareSettings, Scope};
use sameas_record::Records;

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
    for (name, role, _) in &order {
        let has = |field: &str| fields.fields.contains_key(field);
        let is_sure = |name: &str| {
            let mut mapped = fields.fields[name].mapped.values();
            mapped.all(|mapped| mapped.is_sure)
        };
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
            Role::GivenName | Role::Surname | Role::City | Role::Company | Role::Group | Role::Word
        );
        settings.comparisons.push(CompareSettings {
            name: None,
            field: name.clone(),
            kind: None,
            levels: Some(levels),
            level: None,
            missing: None,
            scope: scope(*role, fields.subject, is_sure(name)),
            frequency,
        });
        remarks.push(role.word().to_owned());
    }
    remarks
}

/// Tells what things share with their like: songs an album, articles a brand, papers their authors.
/// They are to each other what a household is. Returns whether anything was told.
///
/// It is told where there are rivals to learn from, for what loses against a match may be its relative;
/// of one list nothing shows which of those that share something are one.
pub(super) fn relatives(settings: &mut Settings, fields: &Fields) -> bool {
    if fields.subject == Subject::Person || settings.sources.len() < 2 {
        return false;
    }
    let mut is_told = false;
    for comparison in &mut settings.comparisons {
        let role = fields.fields.get(&comparison.field).map(|field| field.role);
        let is_shared = match role {
            Some(Role::Group | Role::Word | Role::People) => true,
            // A person, and an organisation, has a day of its own; songs share that of their album.
            Some(Role::Date) => fields.subject == Subject::Thing,
            _ => false,
        };
        if is_shared {
            comparison.scope = Some(Scope::Household);
            is_told = true;
        }
    }
    is_told
}

/// Compares texts by how rare the words are that they share, where each record has rivals.
pub(super) fn among_rivals(settings: &mut Settings, fields: &Fields) {
    for comparison in &mut settings.comparisons {
        let field = fields.fields.get(&comparison.field);
        if let Some(levels) = field.and_then(|field| field.role.levels_among_rivals()) {
            comparison.levels = Some(levels.iter().map(|&level| level.to_owned()).collect());
        }
    }
}

/// Whom a field belongs to: names are an organisation's or a thing's own, like a person's. Codes of
/// which nothing more is known may be anybody's.
fn scope(role: Role, subject: Subject, is_sure: bool) -> Option<Scope> {
    match role {
        Role::Identifier if !is_sure => Some(Scope::Open),
        Role::Company if subject == Subject::Organisation => Some(Scope::Person),
        // What persons wrote or own is told of all who had a part in it.
        Role::Title | Role::People if subject == Subject::Person => Some(Scope::Household),
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

/// Two values of one place agree in this share of records where one decides the other.
const DEPENDENT_MIN: f64 = 0.8;

/// What another field says already is left out if this share of the records that have it have the other too.
const TOGETHER_MIN: f64 = 0.9;

/// Looks at the records for what hangs together: parts of an address that say the same twice, and
/// a street that means something at its postcode only.
pub(super) fn refine(
    settings: &mut Settings,
    records: &Records,
    profiles: &[Profile],
    fields: &mut Fields,
    remarks: &mut Vec<String>,
) {
    for (comparison, remark) in settings.comparisons.iter().zip(&mut *remarks) {
        let share = share_with(records, &comparison.field) * 100.0;
        *remark = format!("{remark}; {share:.0} % of the records have one");
    }
    let postcode = field_with(fields, &[Role::Postcode]);
    let city = field_with(fields, &[Role::City]);
    for (part, by) in [
        (city.clone(), postcode.clone()),
        (field_with(fields, &[Role::State]), postcode.clone()),
        (field_with(fields, &[Role::State]), city),
    ] {
        let (Some(part), Some(by)) = (part, by) else {
            continue;
        };
        let share = dependence(records, &by, &part);
        // Where the postcode is missing the city is all there is.
        let is_said = share >= DEPENDENT_MIN && together(records, &part, &by) >= TOGETHER_MIN;
        if is_said && fields.fields.contains_key(&part) {
            let why = format!(
                "`{by}` says it already, in {:.0} % of the records",
                share * 100.0
            );
            leave_out(fields, profiles, &part, &why);
            if let Some(index) = settings.comparisons.iter().position(|c| c.field == part) {
                settings.comparisons.remove(index);
                remarks.remove(index);
            }
        }
    }
    let street = field_with(fields, &[Role::Street, Role::Address]);
    if let (Some(street), Some(postcode)) = (street, postcode)
        && together(records, &postcode, &street) >= 0.5
    {
        let by_street = share_with(records, &street) > share_with(records, &postcode);
        join_address(settings, remarks, [&street, &postcode], by_street);
    }
}

fn field_with(fields: &Fields, roles: &[Role]) -> Option<String> {
    let mut found = fields
        .fields
        .iter()
        .filter(|(_, field)| roles.contains(&field.role));
    found.next().map(|(name, _)| name.clone())
}

/// Compares street and postcode as one: both together say little more than the street alone.
///
/// The comparison is of the one that more records have: where it is missing, nothing is said.
fn join_address(
    settings: &mut Settings,
    remarks: &mut Vec<String>,
    [street, postcode]: [&str; 2],
    by_street: bool,
) {
    let (kept, other) = if by_street {
        (street, postcode)
    } else {
        (postcode, street)
    };
    let position = |settings: &Settings, field: &str| {
        settings.comparisons.iter().position(|c| c.field == field)
    };
    let (Some(of_other), Some(_)) = (position(settings, other), position(settings, kept)) else {
        return;
    };
    settings.comparisons.remove(of_other);
    remarks.remove(of_other);
    let Some(index) = position(settings, kept) else {
        return;
    };
    let [of_street, of_postcode] = if by_street {
        [String::new(), format!("{postcode}: ")]
    } else {
        [format!("{street}: "), String::new()]
    };
    let both = |street: &str, postcode: &str| {
        let [street, postcode] = [
            format!("{of_street}{street}"),
            format!("{of_postcode}{postcode}"),
        ];
        let [own, others] = if by_street {
            [street, postcode]
        } else {
            [postcode, street]
        };
        format!("{own} and {others}")
    };
    let levels = [
        both("exact", "exact"),
        both("damerau <= 2", "damerau <= 1"),
        both("jaro_winkler >= 0.88", "exact"),
        format!("{of_street}exact"),
        both("same house_number", "exact"),
        format!("{of_postcode}exact"),
        format!("{of_postcode}damerau <= 1"),
    ];
    if let (Some(comparison), Some(remark)) =
        (settings.comparisons.get_mut(index), remarks.get_mut(index))
    {
        comparison.name = Some("address".to_owned());
        comparison.levels = Some(levels.to_vec());
        *remark = format!(
            "{remark}; compared with `{other}` as one, because neither says much beside the other"
        );
    }
}

/// Returns the share of records whose value of one field is the usual one for their value of another.
fn dependence(records: &Records, by: &str, part: &str) -> f64 {
    let schema = records.schema();
    let (Some(by), Some(part)) = (schema.field_id(by), schema.field_id(part)) else {
        return 0.0;
    };
    let ids = records
        .column(by)
        .first_ids()
        .iter()
        .zip(records.column(part).first_ids());
    let mut pairs: Vec<(u32, u32)> = ids
        .map(|(&a, &b)| (a, b))
        .filter(|&(a, b)| a != 0 && b != 0)
        .collect();
    pairs.sort_unstable();
    let (mut usual, mut all) = (0, 0);
    for group in pairs
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|group| group.len() > 1)
    {
        let most = group.chunk_by(|a, b| a == b).map(<[_]>::len).max();
        // One of each group is usual by being there.
        usual += most.unwrap_or(1) - 1;
        all += group.len() - 1;
    }
    if all < 30 {
        return 0.0;
    }
    usual as f64 / all as f64
}

/// Returns the share of records that have a field.
fn share_with(records: &Records, field: &str) -> f64 {
    let Some(field) = records.schema().field_id(field) else {
        return 0.0;
    };
    let ids = records.column(field).first_ids();
    let present = ids.iter().filter(|id| **id != 0).count();
    present as f64 / (ids.len() as f64).max(1.0)
}

/// Returns the share of records with one field that have the other too.
fn together(records: &Records, field: &str, other: &str) -> f64 {
    let schema = records.schema();
    let (Some(field), Some(other)) = (schema.field_id(field), schema.field_id(other)) else {
        return 0.0;
    };
    let ids = records
        .column(field)
        .first_ids()
        .iter()
        .zip(records.column(other).first_ids());
    let present: Vec<bool> = ids
        .filter(|(id, _)| **id != 0)
        .map(|(_, other)| *other != 0)
        .collect();
    present.iter().filter(|both| **both).count() as f64 / (present.len() as f64).max(1.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sameas_source::SourceSettings;

    use super::*;
    use crate::init::map::Field;

    /// The scopes of fields in so many lists, once what things share is told.
    fn scopes(subject: Subject, sources: usize) -> Vec<Option<Scope>> {
        let roles = [
            ("album", Role::Group),
            ("authors", Role::People),
            ("title", Role::Title),
            ("year", Role::Year),
        ];
        let field = |role: Role| Field {
            role,
            kind: role.kind(),
            mapped: BTreeMap::new(),
        };
        let fields = Fields {
            fields: roles
                .map(|(name, role)| (name.to_owned(), field(role)))
                .into(),
            left_out: Vec::new(),
            subject,
        };
        let comparisons = roles.map(|(name, role)| CompareSettings {
            field: name.to_owned(),
            scope: scope(role, subject, true),
            ..CompareSettings::default()
        });
        let mut settings = Settings {
            sources: vec![SourceSettings::default(); sources],
            comparisons: comparisons.to_vec(),
            ..Settings::default()
        };
        relatives(&mut settings, &fields);
        let comparisons = settings.comparisons.into_iter();
        comparisons.map(|comparison| comparison.scope).collect()
    }

    /// All songs of an album were one song, for nothing told that they share it.
    #[test]
    fn things_share_their_group_with_their_like_where_there_are_rivals() {
        let (own, shared) = (Some(Scope::Person), Some(Scope::Household));
        assert_eq!(scopes(Subject::Thing, 2), [shared, shared, own, None]);
        assert_eq!(scopes(Subject::Thing, 1), [None, own, own, None]);
        assert_eq!(scopes(Subject::Person, 2), [None, shared, shared, None]);
    }
}
