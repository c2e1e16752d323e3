//! Values that too many records share to tell who somebody is: a switchboard's number, a default.
//!
//! They are found and told by how often they occur; no value reaches the settings.

use sameas_record::Records;

use super::map::Fields;
use super::role::Role;
use crate::Settings;

/// A value that more records share than this share of all, or than so many, identifies nobody.
const SHARE_MAX: f64 = 0.001;
const COUNT_MAX: f64 = 30.0;

/// Where more values than these, or than one in so many, are that frequent, the field means a group.
const VALUES_MAX: usize = 20;
const ONE_IN: usize = 100;

/// Settles which values of fields that identify are taken for missing, takes them out of the
/// sample, a share of all records, and says why.
pub(super) fn ignore(
    settings: &mut Settings,
    fields: &Fields,
    records: &mut Records,
    share: f64,
) -> Vec<String> {
    let bound = rounded((records.len() as f64 / share * SHARE_MAX).max(COUNT_MAX));
    let identifies = |role: Role| matches!(role, Role::Email | Role::Phone | Role::Identifier);
    let identifying = fields
        .fields
        .iter()
        .filter(|(_, field)| identifies(field.role));
    let mut remarks = Vec::new();
    for (name, _) in identifying {
        let Some(field) = records.schema().field_id(name) else {
            continue;
        };
        let counts = records.column(field).counts();
        // Value 0 is the missing one.
        let mut counts: Vec<u32> = counts
            .into_iter()
            .skip(1)
            .filter(|&count| count > 0)
            .collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let is_over = |&count: &u32| f64::from(count) > bound * share;
        let over = counts.partition_point(is_over);
        if over == 0 || over > VALUES_MAX || over * ONE_IN > counts.len() {
            continue;
        }
        records.ignore_shared(field, (bound * share) as u64);
        settings
            .ignore_shared_by_more_than
            .insert(name.clone(), bound as u64);
        let (values, they) = match over {
            1 => ("one value".to_owned(), "it"),
            _ => (format!("{over} values"), "each"),
        };
        remarks.push(format!(
            "UNSURE: {values} of `{name}`, the most frequent in about {:.0} records, tell little of who has {they}, as the number of a switchboard or a default; taken for missing",
            f64::from(counts[0]) / share
        ));
    }
    remarks
}

/// Rounds up to one digit and zeros.
fn rounded(bound: f64) -> f64 {
    let unit = 10_f64.powf(bound.log10().floor());
    (bound / unit).ceil() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_round_numbers_not_below() {
        for (bound, expected) in [
            (30.0, 30.0),
            (31.4, 40.0),
            (100.0, 100.0),
            (1_001.0, 2_000.0),
        ] {
            assert!((rounded(bound) - expected).abs() < 1e-6, "{bound}");
        }
    }
}
