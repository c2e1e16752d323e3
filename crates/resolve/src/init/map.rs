//! From columns to fields: which columns of which sources become one field, and what is left out.

mod days;
mod overlap;
mod plain;
mod relatives;
mod whole;
mod words;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use sameas_record::FieldKind;
use sameas_source::{FieldMapping, OneOrMany};

use super::lexicon::MAIDEN_NAME;
use super::recognise::{Meaning, Subject, recognise};
use super::role::Role;
use super::sample::SourceSample;
use super::settle::{demote, settle, subject_of};
use super::shape::Shape;

/// A column that fewer rows fill says too little.
const FILLED_MIN: f64 = 0.005;

/// A source while its columns are recognised.
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) sample: SourceSample,
    pub(super) shapes: Vec<Shape>,
    pub(super) meanings: Vec<Meaning>,
    pub(super) key: usize,
    /// Columns of whole names that begin with the surname, though no comma tells it.
    surname_first: BTreeSet<usize>,
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
#[derive(Clone)]
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
        let meanings = columns
            .map(|(column, shape)| recognise(&column.name, shape, column.is_unique))
            .collect();
        let mut profile = Self {
            name,
            sample,
            shapes,
            meanings,
            key,
            surname_first: BTreeSet::new(),
        };
        settle(&mut profile);
        profile
    }

    /// Returns the column that most clearly has a role, if any can be used.
    pub(super) fn best(&self, role: Role) -> Option<usize> {
        self.best_of(|meaning| meaning.role == role)
    }

    /// Returns the column of surnames that is not of names at birth, which the other one is beside.
    pub(super) fn surname(&self) -> Option<usize> {
        self.best_of(|meaning| meaning.role == Role::Surname && meaning.field != MAIDEN_NAME)
    }

    fn best_of(&self, is_meant: impl Fn(&Meaning) -> bool) -> Option<usize> {
        let columns = (0..self.meanings.len())
            .filter(|&c| c != self.key && is_meant(&self.meanings[c]) && self.useless(c).is_none());
        columns.max_by(|&a, &b| self.clearness(a).total_cmp(&self.clearness(b)))
    }

    /// Orders columns of one role: by how surely and clearly their names tell it, then by how many rows fill them.
    fn clearness(&self, column: usize) -> Clearness {
        let meaning = &self.meanings[column];
        Clearness {
            is_named: meaning.is_sure && meaning.score > 0.0,
            score: meaning.score,
            filled: self.sample.columns[column].filled,
            order: Reverse(column),
        }
    }

    /// Returns why a column can be no field, whatever it means.
    fn useless(&self, column: usize) -> Option<String> {
        let info = &self.sample.columns[column];
        let shape = &self.shapes[column];
        if !info.is_readable {
            Some("its type cannot be a field".to_owned())
        } else if info.filled == 0 {
            Some("it is empty".to_owned())
        } else if (info.filled as f64) < FILLED_MIN * self.sample.row_count as f64 {
            Some(format!(
                "{} of {} rows have a value, too few to say much",
                info.filled, self.sample.row_count
            ))
        } else if shape.distinct <= 1 && shape.count > 10 {
            Some("it holds the same value everywhere".to_owned())
        } else {
            None
        }
    }

    fn column_name(&self, column: usize) -> &str {
        &self.sample.columns[column].name
    }

    /// Maps several columns as one text, the words of one behind those of another.
    fn joined(&self, columns: &[usize]) -> FieldMapping {
        let names = columns.iter().map(|&c| quoted(self.column_name(c)));
        let names: Vec<String> = names.collect();
        FieldMapping::From(one(&format!("concat_ws(' ', {})", names.join(", "))))
    }
}

/// How clearly a column has its role.
#[derive(Clone, Copy, Debug)]
struct Clearness {
    is_named: bool,
    score: f64,
    filled: u64,
    order: Reverse<usize>,
}

impl Clearness {
    fn total_cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by_name = self.is_named.cmp(&other.is_named);
        by_name
            .then(self.score.total_cmp(&other.score))
            .then(self.filled.cmp(&other.filled))
            .then(self.order.cmp(&other.order))
    }
}

/// The fields of one source while they are put together.
struct Draft<'a> {
    profile: &'a Profile,
    source: usize,
    fields: &'a mut BTreeMap<String, Field>,
    /// Columns that are told of already: the key, those of fields, those that are left out.
    taken: BTreeSet<usize>,
    left_out: &'a mut Vec<(String, String)>,
}

impl Draft<'_> {
    fn has(&self, field: &str) -> bool {
        let field = self.fields.get(field);
        field.is_some_and(|field| field.mapped.contains_key(&self.source))
    }

    /// Adds a field of the source; no field is ever mapped twice.
    fn insert(&mut self, name: &str, role: Role, mapped: Mapped) {
        let field = self.fields.entry(name.to_owned());
        let field = field.or_insert_with(|| Field {
            role,
            kind: role.kind(),
            mapped: BTreeMap::new(),
        });
        self.taken.extend(&mapped.columns);
        let before = field.mapped.insert(self.source, mapped);
        assert!(
            before.is_none(),
            "a field of a source is mapped once: whoever adds one asks before"
        );
    }

    fn leave_out(&mut self, column: usize, why: String) {
        self.taken.insert(column);
        let name = self.profile.column_name(column).to_owned();
        self.left_out.push((name, why));
    }
}

/// Maps the columns of all sources.
pub(super) fn map(profiles: &mut [Profile]) -> Fields {
    words::learn(profiles);
    overlap::learn(profiles);
    days::learn(profiles);
    profiles.iter_mut().for_each(demote);
    let has_numbered_streets = profiles.iter().any(whole::has_numbered_streets);
    let relatives = profiles.iter().flat_map(relatives::named_in);
    let relatives: BTreeSet<String> = relatives.map(str::to_owned).collect();
    let mut fields: BTreeMap<String, Field> = BTreeMap::new();
    let mut left_out = vec![Vec::new(); profiles.len()];
    let are_persons = profiles
        .iter()
        .filter(|p| subject_of(&p.meanings) == Some(Subject::Person))
        .count();
    for ((source, profile), left_out) in profiles.iter().enumerate().zip(&mut left_out) {
        let mut draft = Draft {
            profile,
            source,
            fields: &mut fields,
            taken: BTreeSet::from([profile.key]),
            left_out,
        };
        whole::names(&mut draft);
        relatives::map(&mut draft, &relatives);
        whole::addresses(&mut draft);
        if has_numbered_streets {
            whole::streets(&mut draft);
        }
        whole::birth_dates(&mut draft);
        whole::places(&mut draft);
        plain::plain(&mut draft);
    }
    let mut subject = if are_persons * 2 >= profiles.len() {
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
    if fields.is_empty() {
        whole::texts(profiles, &mut fields, &mut left_out);
        subject = Subject::Thing;
    }
    Fields {
        fields,
        left_out,
        subject,
    }
}

pub(super) fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

fn one(column: &str) -> OneOrMany {
    OneOrMany::One(column.to_owned())
}

/// Leaves out classes of records, which say nothing about a person.
fn drop_for_persons(
    profiles: &[Profile],
    fields: &mut BTreeMap<String, Field>,
    left_out: &mut [Vec<(String, String)>],
) {
    let classes = ["category", "ethnicity"].map(|name| fields.remove(name));
    for (source, mapped) in classes.into_iter().flatten().flat_map(|field| field.mapped) {
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

#[cfg(test)]
mod tests;
