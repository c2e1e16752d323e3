//! Columns that belong together: whole names and addresses hold several fields, parts of a place or date make one.

use std::collections::{BTreeMap, BTreeSet};

use sameas_record::{FieldKind, Locale, Normalizer, Part};
use sameas_source::{FieldMapping, OneOrMany};

use super::{Draft, FILLED_MIN, Field, Mapped, Profile, one, quoted};
use crate::init::recognise::{Meaning, Subject};
use crate::init::role::Role;
use crate::init::settle::{holds, subject_of};

/// The parts of a date of birth stand in columns so near each other.
const PARTS_SPAN: usize = 4;
/// A column is of years if so many of its values are.
const YEARS_MIN: f64 = 0.9;
/// A column is of days or months if so many of its values can be: slips and marks of missing values
/// are few,
const FITTING_MIN: f64 = 0.95;
/// and so many of all days or months are there: of few records some are missing.
const NEARLY_ALL: f64 = 0.9;

/// A whole name that holds its parts in this share of rows says nothing that they do not.
const HOLDS_MIN: f64 = 0.5;

/// Streets hold their house numbers if this share of them does.
const NUMBERED_MIN: f64 = 0.5;

/// Whole names have middle names worth a field if this share of them does.
const MIDDLE_MIN: f64 = 0.15;

/// The most columns of whole names of one person.
const NAMES_MAX: usize = 4;

/// The columns of a person's names.
struct Names {
    full: usize,
    surname: Option<usize>,
    given: Option<usize>,
    middle: Option<usize>,
}

/// Maps names of persons: parts where a source has whole names, both where it has either.
pub(super) fn names(draft: &mut Draft) {
    let profile = draft.profile;
    let Some(full) = profile.best(Role::FullName) else {
        return;
    };
    let names = Names {
        full,
        surname: profile.surname(),
        given: profile.best(Role::GivenName),
        middle: profile.best(Role::MiddleName),
    };
    match (names.surname, names.given) {
        (Some(surname), Some(given)) => beside_parts(draft, &names, surname, given),
        (None, None) => taken_apart(draft, &names),
        _ => beside_one_part(draft, &names),
    }
}

/// Whole names beside given names and surnames: taken where the parts are missing.
fn beside_parts(draft: &mut Draft, names: &Names, surname: usize, given: usize) {
    let profile = draft.profile;
    let full = names.full;
    let alone = profile
        .sample
        .share_of(|row| row[full].is_some() && row[surname].is_none() && row[given].is_none());
    if alone < FILLED_MIN {
        let why = format!(
            "`{}` and `{}` say it already",
            profile.column_name(given),
            profile.column_name(surname)
        );
        for column in 0..profile.meanings.len() {
            let holds_both = || {
                [surname, given]
                    .iter()
                    .all(|&part| holds(profile, column, part) >= HOLDS_MIN)
            };
            let is_whole = profile.meanings[column].role == Role::FullName;
            if is_whole && column != profile.key && holds_both() {
                draft.leave_out(column, why.clone());
            }
        }
        return;
    }
    let name = |c: usize| quoted(profile.column_name(c));
    let middle = names.middle.map(|c| format!(", {}", name(c)));
    let text = format!(
        "case when {last} <> '' then concat({last}, ', ', concat_ws(' ', {first}{middle})) else coalesce(nullif({full}, ''), {first}) end",
        last = name(surname),
        first = name(given),
        middle = middle.unwrap_or_default(),
        full = name(full),
    );
    let remark = format!(
        "{:.0} % of the rows have the whole name alone, so parts are taken from either",
        alone * 100.0
    );
    insert_parts(draft, names, text, &remark);
}

fn taken_apart(draft: &mut Draft, names: &Names) {
    let text = draft.profile.column_name(names.full).to_owned();
    let remark = "taken apart, so that it compares with given names and surnames";
    if draft.profile.surname_first.contains(&names.full) {
        let remark = format!("{remark}; the surname stands first");
        insert_parts(draft, names, with_comma(&text), &remark);
    } else {
        insert_parts(draft, names, text, remark);
    }
}

/// Returns the expression that puts a comma behind the surname that stands first, and what belongs to it.
fn with_comma(column: &str) -> String {
    const PARTICLES: &str =
        "de|da|do|dos|di|del|della|dal|dalla|degli|lo|la|le|el|al|van|von|der|den|ter|du|st";
    format!(
        r"regexp_replace({}, '^((?:(?:{PARTICLES}) +)*[^ ,]+) +([^,]+)$', '\1, \2', 'i')",
        quoted(column)
    )
}

/// Whole names beside a column of given names or of surnames alone: what is missing comes from the whole.
fn beside_one_part(draft: &mut Draft, names: &Names) {
    let profile = draft.profile;
    let full = quoted(profile.column_name(names.full));
    let mut parts = Vec::new();
    for (own, field, role, part) in [
        (names.given, "given_name", Role::GivenName, Part::Given),
        (names.surname, "surname", Role::Surname, Part::Surname),
    ] {
        let from = match own.map(|own| quoted(profile.column_name(own))) {
            None => full.clone(),
            Some(own) if part == Part::Given => format!("coalesce(nullif({own}, ''), {full})"),
            // What stands before a comma is a surname, whatever it is.
            Some(own) => format!("case when {own} <> '' then concat({own}, ',') else {full} end"),
        };
        let columns = own.into_iter().chain([names.full]).collect();
        parts.push((field, role, part, from, columns));
    }
    for (field, role, part, from, columns) in parts {
        let mapped = Mapped {
            mapping: FieldMapping::Part {
                from: one(&from),
                part,
            },
            columns,
            remark: "from its own column or from the whole name".to_owned(),
            is_sure: profile.meanings[names.full].is_sure,
        };
        draft.insert(field, role, mapped);
    }
}

fn insert_parts(draft: &mut Draft, names: &Names, text: String, remark: &str) {
    let profile = draft.profile;
    let full = names.full;
    // Every column of whole names is one more name of the person.
    let more = (0..profile.meanings.len()).filter(|&c| {
        c != full
            && c != profile.key
            && profile.meanings[c].role == Role::FullName
            && profile.useless(c).is_none()
    });
    let more: Vec<usize> = more.take(NAMES_MAX - 1).collect();
    let mut texts = vec![text];
    texts.extend(more.iter().map(|&c| profile.column_name(c).to_owned()));
    // What one may bear beside the surname: the name at birth.
    let surnames = (0..profile.meanings.len()).filter(|&c| {
        Some(c) != names.surname
            && c != profile.key
            && profile.meanings[c].role == Role::Surname
            && profile.useless(c).is_none()
    });
    let surnames: Vec<usize> = surnames.take(NAMES_MAX - 1).collect();
    let mut parts = vec![
        ("given_name", Part::Given, Role::GivenName),
        ("surname", Part::Surname, Role::Surname),
    ];
    let share = |part: Part| share_with_part(profile, full, names.surname, part);
    let is_joined = texts[0].starts_with("case ");
    let of_column = |c: usize| {
        profile
            .sample
            .share_of(move |row: &[Option<Box<str>>]| row[c].is_some())
    };
    let middle = names.middle.map_or_else(|| share(Part::Middle), of_column);
    let has_middle = middle > MIDDLE_MIN && (is_joined || names.middle.is_none());
    if has_middle {
        parts.push(("middle_name", Part::Middle, Role::MiddleName));
    }
    if profile.best(Role::Suffix).is_none() && share(Part::Suffix) > FILLED_MIN {
        parts.push(("suffix", Part::Suffix, Role::Suffix));
    }
    for (name, part, role) in parts {
        let mut texts = texts.clone();
        let mut columns = vec![full];
        columns.extend(&more);
        if is_joined {
            columns.extend(names.surname.iter().chain(&names.given));
            columns.extend(&names.middle);
        }
        if part == Part::Surname {
            let own = surnames.iter().map(|&c| {
                let column = quoted(profile.column_name(c));
                format!("case when {column} <> '' then concat({column}, ',') end")
            });
            texts.extend(own);
            columns.extend(&surnames);
        }
        let from = if texts.len() == 1 {
            one(&texts[0])
        } else {
            OneOrMany::Many(texts)
        };
        let mapped = Mapped {
            mapping: FieldMapping::Part { from, part },
            columns,
            remark: remark.to_owned(),
            is_sure: profile.meanings[full].is_sure,
        };
        draft.insert(name, role, mapped);
    }
}

/// Maps whole addresses: taken apart into street and postcode, or put beside the columns of both.
pub(super) fn addresses(draft: &mut Draft) {
    let profile = draft.profile;
    let Some(whole) = profile.best(Role::Address) else {
        return;
    };
    let name = |c: usize| profile.column_name(c);
    for (role, field, part) in [
        (Role::Street, "street", Part::Street),
        (Role::Postcode, "postcode", Part::Postcode),
    ] {
        let beside = profile.best(role);
        let (from, remark) = match beside {
            None => (
                name(whole).to_owned(),
                "taken from the whole address".to_owned(),
            ),
            // A column of its own comes first, except that half of them lack what the whole has.
            Some(own) => (
                format!(
                    "coalesce(nullif({}, ''), {})",
                    quoted(name(own)),
                    quoted(name(whole))
                ),
                "from the whole address where it is missing".to_owned(),
            ),
        };
        let mapped = Mapped {
            mapping: FieldMapping::Part {
                from: one(&from),
                part,
            },
            columns: beside.into_iter().chain([whole]).collect(),
            remark,
            is_sure: profile.meanings[whole].is_sure,
        };
        draft.insert(field, role, mapped);
    }
}

/// Maps all words of each source as one text, where no column of one means what a column of another
/// does: what one source has in columns another has in a sentence.
pub(super) fn texts(
    profiles: &[Profile],
    fields: &mut BTreeMap<String, Field>,
    left_out: &mut [Vec<(String, String)>],
) {
    let mut mapped = BTreeMap::new();
    for (source, profile) in profiles.iter().enumerate() {
        let is_content = |c: &usize| {
            let shape = &profile.shapes[*c];
            *c != profile.key
                && profile.useless(*c).is_none()
                && profile.meanings[*c].role != Role::Label
                && shape.number < 0.5
                && shape.date < 0.5
        };
        let columns: Vec<usize> = (0..profile.meanings.len()).filter(is_content).collect();
        if columns.is_empty() {
            return;
        }
        let entry = Mapped {
            mapping: profile.joined(&columns),
            columns,
            remark:
                "no column means surely what one of another source does, so all words are compared"
                    .to_owned(),
            is_sure: false,
        };
        mapped.insert(source, entry);
    }
    for (source, entry) in &mapped {
        let is_used = |name: &String| {
            let mut columns = entry.columns.iter();
            columns.any(|&c| profiles[*source].column_name(c) == name)
        };
        left_out[*source].retain(|(name, _)| !is_used(name));
    }
    let role = Role::Title;
    let field = Field {
        role,
        kind: role.kind(),
        mapped,
    };
    fields.insert("title".to_owned(), field);
}

/// Tells whether a source writes house numbers into the street.
pub(super) fn has_numbered_streets(profile: &Profile) -> bool {
    let column = profile
        .best(Role::Address)
        .or_else(|| profile.best(Role::Street));
    column.is_some_and(|column| profile.shapes[column].house_number >= NUMBERED_MIN)
}

/// Maps street and house number as one where another source writes them so: what has a column of its own
/// here meets nothing there.
pub(super) fn streets(draft: &mut Draft) {
    let profile = draft.profile;
    let (Some(street), Some(number)) =
        (profile.best(Role::Street), profile.best(Role::HouseNumber))
    else {
        return;
    };
    if draft.has("street") || has_numbered_streets(profile) {
        return;
    }
    let name = |c: usize| quoted(profile.column_name(c));
    // A number without its street is no address.
    let text = format!(
        "case when {street} <> '' then concat_ws(' ', {street}, nullif(cast({number} as varchar), '')) end",
        street = name(street),
        number = name(number),
    );
    let mapped = Mapped {
        mapping: FieldMapping::From(one(&text)),
        columns: vec![street, number],
        remark: "street and house number together, as another source has them".to_owned(),
        is_sure: profile.meanings[street].is_sure,
    };
    draft.insert("street", Role::Street, mapped);
}

/// Maps latitude and longitude as one place: how near two records are, neither tells alone.
pub(super) fn places(draft: &mut Draft) {
    let profile = draft.profile;
    let column = |field: &str| {
        (0..profile.meanings.len()).find(|&c| {
            let info = &profile.sample.columns[c];
            let is_told = c == profile.key || profile.meanings[c].field != field;
            !is_told && info.is_readable && info.filled > 0
        })
    };
    let (Some(latitude), Some(longitude)) = (column("latitude"), column("longitude")) else {
        return;
    };
    let name = |c: usize| quoted(profile.column_name(c));
    let text = format!("concat({}, ' ', {})", name(latitude), name(longitude));
    let mapped = Mapped {
        mapping: FieldMapping::From(one(&text)),
        columns: vec![latitude, longitude],
        remark: "latitude and longitude together are a place".to_owned(),
        is_sure: profile.meanings[latitude].is_sure && profile.meanings[longitude].is_sure,
    };
    draft.insert("coordinates", Role::Place, mapped);
}

/// Maps day, month and year of birth in columns of their own as one date: a month alone tells little,
/// and how near two dates are no part tells.
pub(super) fn birth_dates(draft: &mut Draft) {
    let profile = draft.profile;
    let is_asked = subject_of(&profile.meanings) == Some(Subject::Person)
        && profile.best(Role::BirthDate).is_none();
    let count = profile.meanings.len();
    let parts = (0..count.saturating_sub(2)).find_map(|first| {
        let beside = first..(first + PARTS_SPAN).min(count);
        let only = |is_part: &dyn Fn(usize) -> bool| {
            let mut found = beside
                .clone()
                .filter(|&c| c != profile.key && profile.useless(c).is_none() && is_part(c))
                .filter(|&c| !is_of_another_day(&profile.meanings[c]));
            found.next().filter(|_| found.next().is_none())
        };
        let year = only(&|c| profile.shapes[c].year >= YEARS_MIN)?;
        let month = only(&|c| has_all_of(profile, c, 12))?;
        let day = only(&|c| has_all_of(profile, c, 31))?;
        Some([year, month, day])
    });
    let Some(parts) = parts.filter(|_| is_asked) else {
        return;
    };
    // Whole numbers, however they are stored.
    let whole = |&c: &usize| {
        let column = quoted(profile.column_name(c));
        format!("cast(try_cast(try_cast({column} as double) as bigint) as varchar)")
    };
    let names: Vec<String> = parts.iter().map(whole).collect();
    let mapped = Mapped {
        mapping: FieldMapping::From(one(&format!("concat_ws('-', {})", names.join(", ")))),
        columns: parts.to_vec(),
        remark: "year, month and day together are a date".to_owned(),
        is_sure: false,
    };
    draft.insert("date_of_birth", Role::BirthDate, mapped);
}

/// Tells whether a name says that a column is of a day on which nobody was born.
fn is_of_another_day(meaning: &Meaning) -> bool {
    meaning.score > 0.0 && matches!(meaning.role, Role::Internal | Role::Date)
}

/// Tells whether the values of a column are the numbers from one to `last`, nearly all of them.
fn has_all_of(profile: &Profile, column: usize, last: u32) -> bool {
    let values = profile.sample.values(column).flatten();
    let numbers: Vec<Option<u32>> = values
        .map(|value| value.trim_end_matches(".0").parse().ok())
        .collect();
    let is_one = |number: &u32| (1..=last).contains(number);
    let known: Vec<u32> = numbers.iter().flatten().copied().filter(is_one).collect();
    let distinct: BTreeSet<u32> = known.iter().copied().collect();
    known.len() as f64 >= FITTING_MIN * numbers.len() as f64
        && distinct.len() as f64 >= NEARLY_ALL * f64::from(last)
}

/// Returns the share of names that have a part.
pub(super) fn share_with_part(
    profile: &Profile,
    full: usize,
    last: Option<usize>,
    part: Part,
) -> f64 {
    let normalizer = Normalizer::new(FieldKind::FullName, Some(part), &Locale::default());
    let values = profile
        .sample
        .values(full)
        .zip(profile.sample.values(last.unwrap_or(full)));
    let mut counts = [0.0, 0.0];
    for value in values.filter_map(|(full, last)| full.or(last)).take(2_000) {
        counts[0] += 1.0;
        let mut out = String::new();
        counts[1] += f64::from(u8::from(normalizer.normalize(value, &mut out)));
    }
    counts[1] / f64::max(counts[0], 1.0)
}
