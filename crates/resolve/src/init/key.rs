//! The column whose value finds a record again.
//!
//! Keys are kept in clear, in the graph, in exports and in logs, so a column that holds what is a
//! person's own is one only if nothing else is unique.

use sameas_record::DuplicateKeys;

use super::InitError;
use super::lexicon::{told_by, words};
use super::map::Profile;
use super::role::Role;

/// A name that tells a role by at least this is believed.
const NAME_SCORE_MIN: f64 = 0.45;

/// Identifiers that are a person's own, by the fields they map to.
pub(super) const PERSONAL: [&str; 5] = [
    "national_id",
    "passport",
    "driving_licence",
    "tax_id",
    "iban",
];

/// The key column, and what there is to say about it.
pub(super) struct Key {
    pub(super) column: usize,
    pub(super) remark: String,
    /// What happens to rows that share a key.
    pub(super) duplicates: DuplicateKeys,
}

/// How well a column serves as a key, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fitness {
    /// It says who a person is, or how to reach them.
    Personal,
    /// It says something else about the entity.
    Content,
    /// It says nothing but which record it is.
    Plain,
}

/// Chooses the key: unique in all rows, never missing, nothing personal, preferably called like one.
pub(super) fn choose(profile: &Profile, wanted: Option<&str>) -> Result<Key, InitError> {
    let (source, columns) = (&profile.name, &profile.sample.columns);
    if let Some(wanted) = wanted {
        return as_wanted(profile, wanted);
    }
    let unique = (0..columns.len()).filter(|&column| columns[column].is_unique);
    let best = unique.max_by(|&a, &b| {
        let by_name = |column: usize| likeness(source, &columns[column].name);
        fitness(profile, a)
            .cmp(&fitness(profile, b))
            .then(by_name(a).total_cmp(&by_name(b)))
            // Of equals the first column is the key more often than the last.
            .then(b.cmp(&a))
    });
    let rows = profile.sample.row_count;
    let Some(column) = best else {
        return Err(InitError::NoKey {
            source_name: source.clone(),
            rows,
        });
    };
    let is_named = likeness(source, &columns[column].name) > 0.0;
    let remark = match fitness(profile, column) {
        Fitness::Personal => format!(
            "UNSURE: nothing else is unique and filled in all {rows} rows, but it looks personal, and keys are kept in clear in the graph and in exports; better add a column of numbers to the file, or name another with --key"
        ),
        _ if is_named => {
            format!("unique and filled in all {rows} rows, and named like a key")
        }
        _ => format!("UNSURE: unique and filled in all {rows} rows, but not named like a key"),
    };
    Ok(Key {
        column,
        remark,
        duplicates: DuplicateKeys::Refuse,
    })
}

fn as_wanted(profile: &Profile, wanted: &str) -> Result<Key, InitError> {
    let (source_name, columns) = (profile.name.clone(), &profile.sample.columns);
    let rows = profile.sample.row_count;
    let Some(column) = columns.iter().position(|column| column.name == wanted) else {
        let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        return Err(InitError::NoColumn {
            source_name,
            column: wanted.to_owned(),
            known: known.join(", "),
        });
    };
    let found = &columns[column];
    if found.filled < rows {
        return Err(InitError::EmptyKey {
            source_name,
            column: wanted.to_owned(),
            missing: rows - found.filled,
            rows,
        });
    }
    let (mut remark, duplicates) = if found.is_unique {
        ("as `--key` says".to_owned(), DuplicateKeys::Refuse)
    } else {
        let told = "UNSURE: as `--key` says, but rows share a key; those that are equal count as one record, others stop a rebuild";
        (told.to_owned(), DuplicateKeys::Merge)
    };
    if fitness(profile, column) == Fitness::Personal {
        remark.push_str(
            "; it looks personal, and keys are kept in clear in the graph and in exports",
        );
    }
    Ok(Key {
        column,
        remark,
        duplicates,
    })
}

/// Returns how well a column serves as a key, by what its name and its values tell.
fn fitness(profile: &Profile, column: usize) -> Fitness {
    let (meaning, shape) = (&profile.meanings[column], &profile.shapes[column]);
    let name = &profile.sample.columns[column].name;
    let told = told_by(name).into_iter().next();
    let told = told.filter(|told| told.score >= NAME_SCORE_MIN);
    let is_personal = |role: Role, field: &str| match role {
        Role::Identifier => is_personal_number(field, name),
        Role::GivenName
        | Role::MiddleName
        | Role::Surname
        | Role::FullName
        | Role::Relative
        | Role::People
        | Role::BirthDate
        | Role::Date
        | Role::Email
        | Role::Phone => true,
        _ => false,
    };
    let looks_personal = shape.email > 0.5
        || shape.phone > 0.8 && shape.phone_signs > 0.3
        || shape.time_of_day > 0.5
        || shape.date > 0.85 && shape.number < 0.5;
    if looks_personal
        || is_personal(meaning.role, &meaning.field)
        || told.is_some_and(|told| is_personal(told.role, &told.field))
    {
        return Fitness::Personal;
    }
    match meaning.role {
        Role::Identifier | Role::Number | Role::Age | Role::Year | Role::Label | Role::Internal => {
            Fitness::Plain
        }
        Role::Word | Role::Code if shape.words < 1.5 => Fitness::Plain,
        _ => Fitness::Content,
    }
}

/// Returns whether an identifier is a person's own; numbers of accounts are so only at a bank.
fn is_personal_number(field: &str, name: &str) -> bool {
    const BANK: &[&str] = &["iban", "bban", "bank", "kontonummer"];
    let is_of_bank = || words(name).iter().any(|word| BANK.contains(&word.as_str()));
    PERSONAL.contains(&field) && (field != "iban" || is_of_bank())
}

/// Returns how much a name looks like that of a key.
fn likeness(source: &str, name: &str) -> f64 {
    const WHOLE: &[&str] = &[
        "id",
        "key",
        "uid",
        "uuid",
        "guid",
        "pk",
        "rowid",
        "recordid",
        "record",
        "nummer",
        "code",
        "nr",
        "no",
        "oid",
        "identifier",
        "ref",
        "reference",
    ];
    let words = words(name);
    let ends = |word: &String| {
        WHOLE.contains(&word.as_str())
            || word.ends_with("id")
            || word.ends_with("key")
            || word.ends_with("nr")
            || word.ends_with("nummer")
            || word.ends_with("code")
    };
    let is_source = words
        .iter()
        .any(|word| word.len() > 2 && source.to_lowercase().contains(word.as_str()));
    match words.as_slice() {
        [one] if one == "id" || one == "key" => 1.0,
        [one] if WHOLE.contains(&one.as_str()) => 0.9,
        [first, ..] if first == "record" || first == "rec" => 0.85,
        [.., last] if ends(last) || last == "number" => {
            if is_source {
                0.8
            } else {
                0.6
            }
        }
        [first, ..] if first == "id" => 0.6,
        [only] if ends(only) => 0.6,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::SourceSample;
    use super::*;

    /// Columns of a list of people, each with its values in five rows.
    fn profile(columns: &[(&str, [&str; 5])]) -> Profile {
        let columns = columns.iter().map(|(name, values)| (*name, &values[..]));
        Profile::new("people".to_owned(), SourceSample::of(columns), 0)
    }

    fn chosen(columns: &[(&str, [&str; 5])], wanted: Option<&str>) -> (String, String) {
        let profile = profile(columns);
        let key = choose(&profile, wanted).expect("a column is unique");
        (profile.sample.columns[key.column].name.clone(), key.remark)
    }

    const SSN: (&str, [&str; 5]) = (
        "ssn_number",
        [
            "078-05-1120",
            "219-09-9999",
            "457-55-5462",
            "078-05-1121",
            "219-09-9998",
        ],
    );
    const PHONE: (&str, [&str; 5]) = (
        "phone_number",
        [
            "0555 010 11",
            "0555 010 12",
            "0555 010 13",
            "0555 010 14",
            "0555 010 15",
        ],
    );
    const EMAIL: (&str, [&str; 5]) = (
        "email",
        ["a@b.test", "c@b.test", "d@b.test", "e@b.test", "f@b.test"],
    );
    const NAME: (&str, [&str; 5]) = (
        "full_name",
        ["Ann Lee", "Bob Ray", "Carl Oz", "Dora Fox", "Eve Nash"],
    );
    const REF: (&str, [&str; 5]) = ("member_ref", ["m-1", "m-2", "m-3", "m-4", "m-5"]);
    const NUMBER: (&str, [&str; 5]) = ("customer_no", ["1", "2", "3", "4", "5"]);
    const CITY: (&str, [&str; 5]) = ("city", ["Graz", "Graz", "Wien", "Linz", "Linz"]);

    /// The first column that was unique became the key, and with it social security numbers,
    /// telephone numbers and e-mail addresses stood in clear in the graph and its exports.
    #[test]
    fn what_is_personal_is_no_key_where_anything_else_is_unique() {
        assert_eq!(chosen(&[SSN, NAME, REF], None).0, "member_ref");
        assert_eq!(chosen(&[PHONE, NUMBER], None).0, "customer_no");
        let plain = ("zz", ["q1", "q2", "q3", "q4", "q5"]);
        let (key, remark) = chosen(&[EMAIL, SSN, PHONE, NAME, plain], None);
        assert_eq!(key, "zz");
        assert!(remark.starts_with("UNSURE"), "{remark}");
    }

    #[test]
    fn a_personal_key_says_that_keys_are_kept_in_clear() {
        let (_, remark) = chosen(&[NAME, EMAIL, CITY], None);
        assert!(
            remark.starts_with("UNSURE") && remark.contains("in clear"),
            "{remark}"
        );
        let (key, remark) = chosen(&[NUMBER, EMAIL], Some("email"));
        assert_eq!(key, "email");
        assert!(remark.contains("in clear"), "{remark}");
    }

    /// A column that repeats was taken for the key and then refused for repeating.
    #[test]
    fn a_key_that_repeats_is_merged_if_somebody_wants_it() {
        let profile = profile(&[NAME, CITY]);
        let key = choose(&profile, Some("city")).expect("the column is filled");
        assert_eq!(key.duplicates, DuplicateKeys::Merge);
        assert!(key.remark.starts_with("UNSURE"), "{}", key.remark);
    }
}
