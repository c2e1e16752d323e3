//! Names of relatives, whose parts stand together where another source has the whole.

use std::collections::BTreeSet;

use super::{Draft, Mapped, Profile};
use crate::init::role::Role;

/// Returns the relatives of whom a source has whole names.
pub(super) fn named_in(profile: &Profile) -> impl Iterator<Item = &str> {
    let fields = profile.meanings.iter().map(|meaning| &meaning.field);
    let relatives = fields.filter_map(|field| field.strip_suffix("_name"));
    relatives.filter(|relative| {
        column_of(profile, relative, "name").is_some()
            && column_of(profile, relative, "given_name").is_none()
    })
}

/// Returns the column of a part of a relative's name.
fn column_of(profile: &Profile, relative: &str, part: &str) -> Option<usize> {
    let field = format!("{relative}_{part}");
    (0..profile.meanings.len()).find(|&c| {
        let meaning = &profile.meanings[c];
        let is_one = meaning.role == Role::Relative && meaning.field == field;
        is_one && c != profile.key && profile.useless(c).is_none()
    })
}

/// Maps the names of relatives of which another source has whole names: their parts together.
pub(super) fn map(draft: &mut Draft, whole: &BTreeSet<String>) {
    let profile = draft.profile;
    for relative in whole {
        let column = |part: &str| column_of(profile, relative, part);
        let given = column("given_name");
        // A name beside a given name is the surname.
        let surname = column("surname").or(column("name").filter(|_| given.is_some()));
        let columns: Vec<usize> = given.into_iter().chain(surname).collect();
        if columns.is_empty() || given.is_none() && column("name").is_some() {
            continue;
        }
        let mapped = Mapped {
            mapping: profile.joined(&columns),
            is_sure: columns.iter().all(|&c| profile.meanings[c].is_sure),
            columns,
            remark: "given name and surname together, as another source has them".to_owned(),
        };
        draft.insert(&format!("{relative}_name"), Role::Relative, mapped);
    }
}
