//! From columns to fields: which columns of which sources become one field, and what is left out.

use std::collections::{BTreeMap, BTreeSet};

use sameas_record::{FieldKind, Part};
use sameas_source::{FieldMapping, OneOrMany};

use super::recognise::{Meaning, Subject, recognise, settle_name};
use super::role::Role;
use super::sample::SourceSample;
use super::shape::Shape;

/// Columns of which this share of values is shared mean the same.
const OVERLAP_MIN: f64 = 0.3;

/// A column that fewer rows fill says too little.
const FILLED_MIN: f64 = 0.005;

/// A source while its columns are recognised.
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) sample: SourceSample,
    pub(super) shapes: Vec<Shape>,
    pub(super) meanings: Vec<Meaning>,
    pub(super) key: usize,
}

/// A field of one source: its columns, and a remark for the file.
#[derive(Clone, Debug)]
pub(super) struct Mapped {
    pub(super) mapping: FieldMapping,
    pub(super) columns: Vec<usize>,
    pub(super) remark: String,
    pub(super) is_sure: bool,
}

/// A field of all sources.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) role: Role,
    pub(super) kind: FieldKind,
    /// By source.
    pub(super) mapped: BTreeMap<usize, Mapped>,
}

/// The fields, and why other columns are left out, by source.
#[expect(clippy::struct_field_names, reason = "the fields of records")]
pub(super) struct Fields {
    pub(super) fields: BTreeMap<String, Field>,
    pub(super) left_out: Vec<Vec<(String, String)>>,
    pub(super) subject: Subject,
}

impl Profile {
    pub(super) fn new(name: String, sample: SourceSample, key: usize) -> Self {
        let shapes: Vec<Shape> = (0..sample.columns.len())
            .map(|column| Shape::of(sample.values(column).flatten()))
            .collect();
        let columns = sample.columns.iter().zip(&shapes);
        let mut meanings: Vec<Meaning> = columns
            .map(|(column, shape)| recognise(&column.name, shape, column.is_unique))
            .collect();
        let subject = subject_of(&meanings);
        for (meaning, shape) in meanings.iter_mut().zip(&shapes) {
            if meaning.role == Role::Name {
                let (role, field, is_sure) = settle_name(shape, subject);
                meaning.role = role;
                field.clone_into(&mut meaning.field);
                meaning.is_sure &= is_sure;
                meaning.because = format!("a column of names beside the others: {}", role.word());
            }
        }
        Self {
            name,
            sample,
            shapes,
            meanings,
            key,
        }
    }

    fn column(&self, role: Role) -> Option<usize> {
        (0..self.meanings.len()).find(|&c| c != self.key && self.meanings[c].role == role)
    }
}

fn subject_of(meanings: &[Meaning]) -> Option<Subject> {
    let has = |roles: &[Role]| meanings.iter().any(|m| roles.contains(&m.role));
    let field = |names: &[&str]| meanings.iter().any(|m| names.contains(&m.field.as_str()));
    if has(&[
        Role::GivenName,
        Role::Surname,
        Role::BirthDate,
        Role::Gender,
        Role::FullName,
    ]) {
        return Some(Subject::Person);
    }
    if field(&[
        "price",
        "brand",
        "album",
        "artist",
        "gtin",
        "isbn",
        "duration",
        "venue",
        "model_number",
    ]) || has(&[Role::People, Role::Title])
    {
        return Some(Subject::Thing);
    }
    if has(&[Role::Company]) || field(&["tax_id", "registration_number", "category"]) {
        return Some(Subject::Organisation);
    }
    None
}

/// Maps the columns of all sources.
pub(super) fn map(profiles: &mut [Profile]) -> Fields {
    learn_from_overlap(profiles);
    let mut fields: BTreeMap<String, Field> = BTreeMap::new();
    let mut left_out = vec![Vec::new(); profiles.len()];
    let are_persons = profiles
        .iter()
        .filter(|p| subject_of(&p.meanings) == Some(Subject::Person))
        .count();
    for (source, profile) in profiles.iter().enumerate() {
        let mut taken = BTreeSet::from([profile.key]);
        names(profile, source, &mut fields, &mut taken);
        addresses(profile, source, &mut fields, &mut taken);
        places(profile, source, &mut fields, &mut taken);
        plain(
            profile,
            source,
            &mut fields,
            &mut taken,
            &mut left_out[source],
        );
    }
    let subject = if are_persons * 2 >= profiles.len() {
        Subject::Person
    } else if fields.contains_key("company") && !fields.contains_key("title") {
        Subject::Organisation
    } else {
        Subject::Thing
    };
    if subject == Subject::Person {
        drop_for_persons(profiles, &mut fields, &mut left_out);
    }
    drop_unshared(profiles, &mut fields, &mut left_out);
    Fields {
        fields,
        left_out,
        subject,
    }
}

/// Gives a column of unknown meaning that of another source's column with the same values.
fn learn_from_overlap(profiles: &mut [Profile]) {
    for a in 0..profiles.len() {
        for column in 0..profiles[a].meanings.len() {
            let meaning = &profiles[a].meanings[column];
            let is_open = meaning.role == Role::Unknown
                || meaning.role == Role::Internal && !meaning.is_sure && !meaning.field.is_empty();
            if column == profiles[a].key
                || !is_open && (meaning.is_sure || meaning.role.is_left_out())
            {
                continue;
            }
            let sketch = &profiles[a].sample.columns[column];
            if sketch.distinct() < 30.0 {
                continue;
            }
            let others = profiles.iter().enumerate().filter(|(b, _)| *b != a);
            let best = others
                .flat_map(|(_, p)| p.sample.columns.iter().zip(&p.meanings))
                .filter(|(_, m)| m.is_sure && !m.role.is_left_out() || m.role == Role::Unknown)
                .map(|(other, m)| (sketch.overlap(other), m))
                .filter(|(overlap, _)| *overlap >= OVERLAP_MIN)
                .max_by(|x, y| x.0.total_cmp(&y.0));
            let Some((overlap, known)) = best else {
                continue;
            };
            let mut learnt = known.clone();
            if learnt.role == Role::Unknown {
                learnt.role = Role::Text;
            }
            learnt.is_sure = overlap > 0.6;
            learnt.because = format!(
                "{:.0} % of its values are in another source's column",
                overlap * 100.0
            );
            profiles[a].meanings[column] = learnt;
        }
    }
}

fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

fn one(column: &str) -> OneOrMany {
    OneOrMany::One(column.to_owned())
}

/// Maps names of persons: parts where a source has whole names, both where it has either.
fn names(
    profile: &Profile,
    source: usize,
    fields: &mut BTreeMap<String, Field>,
    taken: &mut BTreeSet<usize>,
) {
    let Some(full) = profile.column(Role::FullName) else {
        return;
    };
    let split = (
        profile.column(Role::Surname),
        profile.column(Role::GivenName),
    );
    let column = |c: usize| profile.sample.columns[c].name.as_str();
    let (from, remark) = match split {
        (Some(last), Some(first)) => {
            let full_alone = profile
                .sample
                .share_of(|row| row[full].is_some() && row[last].is_none() && row[first].is_none());
            if full_alone < 0.004 {
                return;
            }
            let middle = profile
                .column(Role::MiddleName)
                .map(|c| format!(", {}", quoted(column(c))))
                .unwrap_or_default();
            let text = format!(
                "case when {last} <> '' then concat({last}, ', ', concat_ws(' ', {first}{middle})) else coalesce(nullif({full}, ''), {first}) end",
                last = quoted(column(last)),
                first = quoted(column(first)),
                full = quoted(column(full)),
            );
            taken.extend([last, first]);
            taken.extend(profile.column(Role::MiddleName));
            (
                text,
                format!(
                    "{:.0} % of the rows have the whole name alone, so parts are taken from either",
                    full_alone * 100.0
                ),
            )
        }
        _ => (
            column(full).to_owned(),
            "taken apart, so that it compares with given names and surnames".to_owned(),
        ),
    };
    // Every column of whole names is one more name of the person.
    let more = (0..profile.meanings.len())
        .filter(|&c| c != full && profile.meanings[c].role == Role::FullName);
    let more: Vec<usize> = more.collect();
    let mut texts = vec![from];
    texts.extend(more.iter().map(|&c| column(c).to_owned()));
    taken.insert(full);
    taken.extend(&more);
    let from = if texts.len() == 1 {
        one(&texts[0])
    } else {
        OneOrMany::Many(texts)
    };
    let mut parts = vec![
        ("given_name", Part::Given, Role::GivenName),
        ("surname", Part::Surname, Role::Surname),
    ];
    let share = |part: Part| share_with_part(profile, full, split.0, part);
    if profile.column(Role::MiddleName).is_none() && share(Part::Middle) > 0.15 {
        parts.push(("middle_name", Part::Middle, Role::MiddleName));
    }
    if profile.column(Role::Suffix).is_none() && share(Part::Suffix) > 0.002 {
        parts.push(("suffix", Part::Suffix, Role::Suffix));
    }
    for (name, part, role) in parts {
        let mapping = FieldMapping::Part {
            from: from.clone(),
            part,
        };
        let is_sure = profile.meanings[full].is_sure;
        let columns = std::iter::once(full)
            .chain(split.0)
            .chain(split.1)
            .collect();
        let mapped = Mapped {
            mapping,
            columns,
            remark: remark.clone(),
            is_sure,
        };
        insert(fields, name, role, source, mapped);
    }
}

/// Maps whole addresses: taken apart into street and postcode, or put beside the columns of both.
fn addresses(
    profile: &Profile,
    source: usize,
    fields: &mut BTreeMap<String, Field>,
    taken: &mut BTreeSet<usize>,
) {
    let Some(whole) = profile.column(Role::Address) else {
        return;
    };
    let name = |c: usize| profile.sample.columns[c].name.as_str();
    let parts = [
        (Role::Street, "street", Part::Street),
        (Role::Postcode, "postcode", Part::Postcode),
    ];
    for (role, field, part) in parts {
        let beside = profile.column(role);
        let from = match beside {
            None => name(whole).to_owned(),
            // A column of its own comes first, except that half of them lack what the whole has.
            Some(own) => format!(
                "coalesce(nullif({}, ''), {})",
                quoted(name(own)),
                quoted(name(whole))
            ),
        };
        let remark = match beside {
            None => "taken from the whole address".to_owned(),
            Some(_) => "from the whole address where it is missing".to_owned(),
        };
        taken.extend(beside);
        let columns = beside.into_iter().chain([whole]).collect();
        let is_sure = profile.meanings[whole].is_sure;
        let mapping = FieldMapping::Part {
            from: one(&from),
            part,
        };
        insert(
            fields,
            field,
            role,
            source,
            Mapped {
                mapping,
                columns,
                remark,
                is_sure,
            },
        );
    }
    taken.insert(whole);
}

/// Maps latitude and longitude as one place: how near two records are, neither tells alone.
fn places(
    profile: &Profile,
    source: usize,
    fields: &mut BTreeMap<String, Field>,
    taken: &mut BTreeSet<usize>,
) {
    let column = |field: &str| {
        (0..profile.meanings.len()).find(|&c| {
            let info = &profile.sample.columns[c];
            c != profile.key
                && profile.meanings[c].field == field
                && info.is_readable
                && info.filled > 0
        })
    };
    let (Some(latitude), Some(longitude)) = (column("latitude"), column("longitude")) else {
        return;
    };
    let name = |c: usize| quoted(&profile.sample.columns[c].name);
    let text = format!("concat({}, ' ', {})", name(latitude), name(longitude));
    let mapped = Mapped {
        mapping: FieldMapping::From(one(&text)),
        columns: vec![latitude, longitude],
        remark: "latitude and longitude together are a place".to_owned(),
        is_sure: profile.meanings[latitude].is_sure && profile.meanings[longitude].is_sure,
    };
    insert(fields, "coordinates", Role::Place, source, mapped);
    taken.extend([latitude, longitude]);
}

/// Returns the share of names that have a part.
fn share_with_part(profile: &Profile, full: usize, last: Option<usize>, part: Part) -> f64 {
    let normalizer = sameas_record::Normalizer::new(
        FieldKind::FullName,
        Some(part),
        &sameas_record::Locale::default(),
    );
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

fn insert(
    fields: &mut BTreeMap<String, Field>,
    name: &str,
    role: Role,
    source: usize,
    mapped: Mapped,
) {
    let field = fields.entry(name.to_owned()).or_insert_with(|| Field {
        role,
        kind: role.kind(),
        mapped: BTreeMap::new(),
    });
    field.mapped.insert(source, mapped);
}

/// Maps every other column, several of one role together where that makes sense.
fn plain(
    profile: &Profile,
    source: usize,
    fields: &mut BTreeMap<String, Field>,
    taken: &mut BTreeSet<usize>,
    left_out: &mut Vec<(String, String)>,
) {
    let mut by_field: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (column, meaning) in profile.meanings.iter().enumerate() {
        if taken.contains(&column) {
            continue;
        }
        let info = &profile.sample.columns[column];
        let why = if !info.is_readable {
            Some("its type cannot be a field".to_owned())
        } else if info.filled == 0 {
            Some("it is empty".to_owned())
        } else if (info.filled as f64) < FILLED_MIN * profile.sample.row_count as f64 {
            Some(format!(
                "{} of {} rows have a value, too few to say much",
                info.filled, profile.sample.row_count
            ))
        } else if profile.shapes[column].distinct <= 1 && profile.shapes[column].count > 10 {
            Some("it holds the same value everywhere".to_owned())
        } else if meaning.role.is_left_out() {
            let doubt = if meaning.is_sure { "" } else { " (unsure)" };
            Some(match meaning.role {
                Role::Label => {
                    format!("it looks like a label of clusters: the answer, not evidence{doubt}")
                }
                Role::Internal => format!(
                    "it is about the row, not the entity: {}{doubt}",
                    meaning.because
                ),
                _ => format!(
                    "what it means was not recognised: {}{doubt}",
                    meaning.because
                ),
            })
        } else {
            None
        };
        match why {
            Some(why) => left_out.push((info.name.clone(), why)),
            None => by_field.entry(&meaning.field).or_default().push(column),
        }
    }
    for (field, columns) in by_field {
        let role = profile.meanings[columns[0]].role;
        let name = |c: usize| profile.sample.columns[c].name.as_str();
        let is_sure = columns.iter().all(|&c| profile.meanings[c].is_sure);
        let mut remark = profile.meanings[columns[0]].because.clone();
        let used: Vec<usize>;
        let mapping = if columns.len() == 1 {
            used = columns.clone();
            FieldMapping::From(one(name(columns[0])))
        } else if role.is_multi() {
            used = columns.iter().copied().take(4).collect();
            remark = format!("{remark}; any of the values may match");
            FieldMapping::From(OneOrMany::Many(
                used.iter().map(|&c| name(c).to_owned()).collect(),
            ))
        } else {
            let (kept, mapping, told) = either(profile, &columns);
            used = kept;
            remark = format!("{remark}{told}");
            mapping
        };
        for &column in columns.iter().filter(|c| !used.contains(c)) {
            let why = format!("`{}` holds {} already", name(used[0]), role.word());
            left_out.push((name(column).to_owned(), why));
        }
        let mapped = Mapped {
            mapping,
            columns: used,
            remark,
            is_sure,
        };
        insert(fields, field, role, source, mapped);
    }
}

/// Several columns of one field: the fullest, or the first that is filled where they replace each other.
fn either(profile: &Profile, columns: &[usize]) -> (Vec<usize>, FieldMapping, String) {
    let filled = |&c: &usize| profile.sample.columns[c].filled;
    let name = |c: usize| profile.sample.columns[c].name.as_str();
    let best = columns
        .iter()
        .copied()
        .max_by_key(|c| (filled(c), std::cmp::Reverse(*c)))
        .unwrap_or(columns[0]);
    let other = columns.iter().copied().find(|&c| {
        let alone = profile
            .sample
            .share_of(|row| row[c].is_some() && row[best].is_none());
        let both = profile
            .sample
            .share_of(|row| row[c].is_some() && row[best].is_some());
        c != best && alone > 0.02 && both < alone / 4.0
    });
    match other {
        Some(other) => {
            let text = format!(
                "coalesce(nullif({}, ''), {})",
                quoted(name(best)),
                quoted(name(other))
            );
            (
                vec![best, other],
                FieldMapping::From(one(&text)),
                "; the columns replace each other".to_owned(),
            )
        }
        None => (
            vec![best],
            FieldMapping::From(one(name(best))),
            String::new(),
        ),
    }
}

/// Leaves out classes of records, which say nothing about a person.
fn drop_for_persons(
    profiles: &[Profile],
    fields: &mut BTreeMap<String, Field>,
    left_out: &mut [Vec<(String, String)>],
) {
    let Some(field) = fields.remove("category") else {
        return;
    };
    for (source, mapped) in field.mapped {
        for column in mapped.columns {
            let column = profiles[source].sample.columns[column].name.clone();
            left_out[source].push((
                column,
                "a class of records says little about a person (unsure)".to_owned(),
            ));
        }
    }
}

/// Leaves out what cannot match: fields of one source among several, and identifiers that no two rows share.
fn drop_unshared(
    profiles: &[Profile],
    fields: &mut BTreeMap<String, Field>,
    left_out: &mut [Vec<(String, String)>],
) {
    let mut drop = Vec::new();
    for (name, field) in fields.iter() {
        let only = field.mapped.len() == 1 && profiles.len() > 1;
        let columns: Vec<_> = field
            .mapped
            .iter()
            .flat_map(|(&source, mapped)| {
                mapped
                    .columns
                    .iter()
                    .map(move |&c| &profiles[source].sample.columns[c])
            })
            .collect();
        let all_unique = columns.iter().all(|c| c.is_unique);
        let overlaps = columns
            .iter()
            .enumerate()
            .any(|(i, a)| columns[i + 1..].iter().any(|b| a.overlap(b) > 0.001));
        let is_idle_code = field.role == Role::Identifier && all_unique && !overlaps;
        let is_weak = !matches!(
            field.role,
            Role::GivenName
                | Role::Surname
                | Role::BirthDate
                | Role::Email
                | Role::Phone
                | Role::Suffix
                | Role::MiddleName
                | Role::Identifier
        );
        let why = if is_idle_code {
            "every row has a value of its own and no other source shares them"
        } else if only && is_weak {
            "no other source has it"
        } else {
            continue;
        };
        drop.push((name.clone(), why));
    }
    for (name, why) in drop {
        let Some(field) = fields.remove(&name) else {
            continue;
        };
        for (source, mapped) in field.mapped {
            for column in mapped.columns {
                left_out[source].push((
                    profiles[source].sample.columns[column].name.clone(),
                    why.to_owned(),
                ));
            }
        }
    }
}
