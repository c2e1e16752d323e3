//! Columns that become fields as they are, several of one role together where that makes sense.

use std::collections::BTreeMap;

use sameas_record::Part;
use sameas_source::{FieldMapping, OneOrMany};

use super::whole::share_with_part;
use super::{Draft, Mapped, Profile, one, quoted};
use crate::init::lexicon::MAIDEN_NAME;
use crate::init::role::Role;
use crate::init::shape::ShortOrder;

/// If so many years have two digits it is no slip.
const SHORT_YEARS_MIN: f64 = 0.02;

/// So many values of six digits must be days in one order.
const SHORT_DATES_MIN: f64 = 0.9;

/// The most columns of one field.
const COLUMNS_MAX: usize = 4;

/// Two columns replace each other if this share of rows has the second alone, and far fewer have both.
const ALONE_MIN: f64 = 0.02;

/// Maps every other column.
pub(super) fn plain(draft: &mut Draft) {
    let profile = draft.profile;
    let mut by_field: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (column, meaning) in profile.meanings.iter().enumerate() {
        if draft.taken.contains(&column) {
            continue;
        }
        match profile
            .useless(column)
            .or_else(|| why_left_out(profile, column))
        {
            Some(why) => draft.leave_out(column, why),
            None if meaning.field == MAIDEN_NAME => {
                by_field.entry("surname").or_default().push(column);
            }
            None => by_field.entry(&meaning.field).or_default().push(column),
        }
    }
    for (field, columns) in by_field {
        one_field(draft, field, columns);
    }
}

/// Returns why a column is no evidence by its meaning.
fn why_left_out(profile: &Profile, column: usize) -> Option<String> {
    let meaning = &profile.meanings[column];
    let doubt = if meaning.is_sure { "" } else { " (unsure)" };
    let why = match meaning.role {
        Role::Label => {
            format!("it looks like a label of clusters: the answer, not evidence{doubt}")
        }
        Role::Internal => format!(
            "it is about the row, not the entity: {}{doubt}",
            meaning.because
        ),
        Role::Suffix if share_with_part(profile, column, None, Part::Suffix) == 0.0 => {
            "no value is a generational suffix such as Jr or III".to_owned()
        }
        _ => return None,
    };
    Some(why)
}

fn one_field(draft: &mut Draft, field: &str, mut columns: Vec<usize>) {
    let profile = draft.profile;
    columns.sort_by(|&a, &b| profile.clearness(b).total_cmp(&profile.clearness(a)));
    let best = &profile.meanings[columns[0]];
    let role = best.role;
    let others = draft.fields.get(field).map(|field| field.kind);
    let taken = if draft.has(field) {
        Some(format!("other columns hold {} already", role.word()))
    } else {
        let is_other = others.is_some_and(|kind| kind != role.kind());
        is_other.then(|| format!("`{field}` of another source is not of the same kind"))
    };
    if let Some(why) = taken {
        for column in columns {
            draft.leave_out(column, why.clone());
        }
        return;
    }
    let (same, different): (Vec<usize>, Vec<usize>) = columns
        .into_iter()
        .partition(|&c| profile.meanings[c].role == role);
    let mut remark = best.because.clone();
    let name = |c: usize| profile.column_name(c);
    let (used, from) = if role.is_multi() {
        let used: Vec<usize> = same.iter().copied().take(COLUMNS_MAX).collect();
        let names: Vec<String> = used.iter().map(|&c| name(c).to_owned()).collect();
        if let [name] = names.as_slice() {
            (used, one(name))
        } else {
            remark = format!("{remark}; any of the values may match");
            (used, OneOrMany::Many(names))
        }
    } else {
        let (used, from, told) = either(profile, &same);
        remark = format!("{remark}{told}");
        (used, from)
    };
    let rest = same.iter().chain(&different).filter(|c| !used.contains(c));
    for &column in rest {
        let why = format!("`{}` holds {} already", name(used[0]), role.word());
        draft.leave_out(column, why);
    }
    let has_short_years = used
        .iter()
        .any(|&c| profile.shapes[c].short_year > SHORT_YEARS_MIN);
    let from = match from {
        OneOrMany::One(column) if role == Role::Year && has_short_years && used.len() == 1 => {
            remark = format!("{remark}; years of two digits get their century");
            one(&whole_years(&column))
        }
        OneOrMany::One(column)
            if matches!(role, Role::BirthDate | Role::Date)
                && matches!(used[..], [c] if profile.shapes[c].short_date > SHORT_DATES_MIN) =>
        {
            "the values are dates of six digits".clone_into(&mut remark);
            one(&dotted(&column, profile.shapes[used[0]].short_order))
        }
        other => other,
    };
    // Jr and Junior are one, and titles are no suffixes.
    let mapping = if role == Role::Suffix {
        let part = Part::Suffix;
        FieldMapping::Part { from, part }
    } else {
        FieldMapping::From(from)
    };
    let is_sure = used.iter().all(|&c| profile.meanings[c].is_sure);
    let mapped = Mapped {
        mapping,
        columns: used,
        remark,
        is_sure,
    };
    draft.insert(field, role, mapped);
}

/// Returns the expression that writes a date of six digits with dots.
fn dotted(column: &str, order: ShortOrder) -> String {
    let digits = format!("lpad(cast({} as varchar), 6, '0')", quoted(column));
    let parts = order
        .starts()
        .map(|start| format!("substr({digits}, {}, 2)", start + 1));
    format!(
        "case when {} <> '' then concat_ws('.', {}) end",
        quoted(column),
        parts.join(", ")
    )
}

/// Returns the expression that gives years of two digits their century, as dates of two digits get it.
fn whole_years(column: &str) -> String {
    let text = format!("cast({} as varchar)", quoted(column));
    let last = format!(r"regexp_replace({text}, '^\D?(3[1-9]|[4-9]\d)$', '19\1')");
    format!(r"regexp_replace({last}, '^\D?([0-2]\d|30)$', '20\1')")
}

/// Of several columns of one field, clearest first: the clearest, or beside it the one that is filled where it is not.
fn either(profile: &Profile, columns: &[usize]) -> (Vec<usize>, OneOrMany, String) {
    let name = |c: usize| profile.column_name(c);
    let best = columns[0];
    let other = columns.iter().copied().find(|&c| {
        let share = |has_best: bool| {
            profile
                .sample
                .share_of(|row| row[c].is_some() && row[best].is_some() == has_best)
        };
        let (alone, both) = (share(false), share(true));
        c != best && alone > ALONE_MIN && both < alone / 4.0
    });
    let Some(other) = other else {
        return (vec![best], one(name(best)), String::new());
    };
    let text = format!(
        "coalesce(nullif({}, ''), {})",
        quoted(name(best)),
        quoted(name(other))
    );
    (
        vec![best, other],
        one(&text),
        "; the columns replace each other".to_owned(),
    )
}
