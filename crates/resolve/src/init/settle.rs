//! What a column means beside its neighbours: a name beside a given name is a surname.

use sameas_record::{FieldKind, Locale, Normalizer};

use super::lexicon::field_name;
use super::map::Profile;
use super::recognise::{Meaning, Subject, settle_name};
use super::role::Role;

/// A name that holds another column's value in this share of rows is the whole name.
const HOLDS_MIN: f64 = 0.5;

/// Names of one part have fewer words.
const PART_WORDS_MAX: f64 = 1.6;

/// So many rows are looked at for whether one column holds another's values.
const ROWS_MAX: usize = 2_000;

/// Settles what only the other columns of a source tell.
pub(super) fn settle(profile: &mut Profile) {
    names_beside_parts(profile);
    let subject = subject_of(&profile.meanings);
    for column in 0..profile.meanings.len() {
        let shape = &profile.shapes[column];
        let meaning = &mut profile.meanings[column];
        match meaning.role {
            Role::Name => {
                let (role, field, is_sure) = settle_name(shape, subject);
                meaning.role = role;
                field.clone_into(&mut meaning.field);
                meaning.is_sure &= is_sure;
                meaning.because = format!("a column of names beside the others: {}", role.word());
            }
            Role::Title if subject == Some(Subject::Person) => {
                let is_class = shape.distinct <= 30 && shape.distinct_share() < 0.05;
                if shape.salutation > 0.5 || is_class && shape.len <= 6.0 {
                    leave_out(meaning, "it holds salutations or academic titles");
                }
            }
            // Whose date it is, its name does not say: that of a person's record hardly is the person's.
            Role::Date
                if meaning.field == "date"
                    && matches!(subject, Some(Subject::Person | Subject::Organisation)) =>
            {
                leave_out(
                    meaning,
                    "a date that says nothing of what it is the date of",
                );
            }
            Role::Year if meaning.field == "year" && subject == Some(Subject::Person) => {
                leave_out(
                    meaning,
                    "a year that says nothing of what it is the year of",
                );
            }
            _ => {}
        }
    }
    the_only_dates(profile, subject);
}

fn leave_out(meaning: &mut Meaning, because: &str) {
    meaning.role = Role::Internal;
    meaning.is_sure = false;
    because.clone_into(&mut meaning.because);
}

/// Reads what is called a name beside a given name as the surname, beside a surname as the given
/// name, and as the whole name where it holds the other's values.
fn names_beside_parts(profile: &mut Profile) {
    let is_named = |column: &usize| profile.meanings[*column].score > 0.0;
    let given = profile.best(Role::GivenName).filter(is_named);
    let surname = profile.surname().filter(is_named);
    if given.is_none() && surname.is_none() {
        return;
    }
    for column in 0..profile.meanings.len() {
        let role = profile.meanings[column].role;
        let shape = &profile.shapes[column];
        if column == profile.key
            || !matches!(role, Role::Name | Role::FullName)
            || shape.legal_form > 0.15
        {
            continue;
        }
        let parts = given.iter().chain(&surname);
        let is_whole = parts
            .into_iter()
            .any(|&part| holds(profile, column, part) >= HOLDS_MIN);
        let is_part = shape.words < PART_WORDS_MAX;
        let (role, field, because) = match (given, surname) {
            _ if is_whole => (
                Role::FullName,
                "full_name",
                "it holds the values of the other columns of names",
            ),
            // Spaniards have two surnames.
            (Some(_), None) if is_part || role == Role::Name => (
                Role::Surname,
                "surname",
                "a name beside a given name is the surname",
            ),
            (None, Some(_)) if is_part => (
                Role::GivenName,
                "given_name",
                "a name beside a surname is the given name",
            ),
            _ => continue,
        };
        let meaning = &mut profile.meanings[column];
        meaning.role = role;
        field.clone_into(&mut meaning.field);
        because.clone_into(&mut meaning.because);
    }
}

/// Returns the share of rows in which the words of one column are among those of another.
pub(super) fn holds(profile: &Profile, whole: usize, part: usize) -> f64 {
    let normalizer = Normalizer::new(FieldKind::Text, None, &Locale::default());
    let read = |value: &str| {
        let mut text = String::new();
        normalizer.normalize(value, &mut text);
        text
    };
    let values = profile
        .sample
        .values(whole)
        .zip(profile.sample.values(part));
    let (mut held, mut all) = (0, 0);
    for (whole, part) in values
        .filter_map(|(whole, part)| whole.zip(part))
        .take(ROWS_MAX)
    {
        let (whole, part) = (read(whole), read(part));
        let is_held = part
            .split(' ')
            .all(|word| whole.split(' ').any(|other| other == word));
        held += usize::from(is_held && whole != part);
        all += 1;
    }
    held as f64 / f64::from(all.max(1))
}

/// Reads the only column of dates, or of years, that no name explains: persons were born then, things were made.
fn the_only_dates(profile: &mut Profile, subject: Option<Subject>) {
    let is_person = subject == Some(Subject::Person);
    let meanings = || profile.meanings.iter().enumerate();
    let knows_birth = meanings().any(|(_, m)| m.role == Role::BirthDate || m.field == "birth_year");
    let knows_year = meanings().any(|(_, m)| m.field == "year");
    // Lives span generations; what happens to records spans years.
    let is_spread = |column: usize| {
        let years = profile.shapes[column].years;
        years.is_some_and(|[first, middle, last]| last - first >= 30 && middle + 8 <= last)
    };
    let only = |role: Role| {
        let mut columns = meanings().filter(|(_, m)| m.role == role && m.score == 0.0);
        columns
            .next()
            .filter(|_| columns.next().is_none())
            .map(|(column, _)| column)
    };
    let mut settled = Vec::new();
    if let Some(column) = only(Role::Date)
        && is_person
        && !knows_birth
        && is_spread(column)
    {
        settled.push((column, Role::BirthDate, "date_of_birth"));
    }
    if let Some(column) = only(Role::Year) {
        if is_person && !knows_birth && settled.is_empty() && is_spread(column) {
            settled.push((column, Role::Year, "birth_year"));
        } else if !is_person && !knows_year {
            settled.push((column, Role::Year, "year"));
        }
    }
    for (column, role, field) in settled {
        let meaning = &mut profile.meanings[column];
        meaning.role = role;
        field.clone_into(&mut meaning.field);
        let because = if is_person {
            "the only ones beside names of persons, spread over generations"
        } else {
            "the only years there are"
        };
        because.clone_into(&mut meaning.because);
    }
}

/// Leaves one column of a role to each source: what only looks like it beside one that is called
/// so, or looks less like it, becomes a field of its own.
pub(super) fn demote(profile: &mut Profile) {
    for role in [
        Role::GivenName,
        Role::Surname,
        Role::FullName,
        Role::MiddleName,
        Role::City,
        Role::Company,
        Role::Street,
        Role::Address,
        Role::BirthDate,
        Role::Postcode,
        Role::Title,
    ] {
        let Some(best) = profile.best(role) else {
            continue;
        };
        for column in 0..profile.meanings.len() {
            let meaning = &profile.meanings[column];
            let is_rival = meaning.role == role
                && meaning.score == 0.0
                && meaning.field == profile.meanings[best].field;
            if column == best || column == profile.key || !is_rival {
                continue;
            }
            let because = format!(
                "it looks like {}, as `{}` does more clearly",
                role.word(),
                profile.sample.columns[best].name
            );
            let field = field_name(&profile.sample.columns[column].name);
            profile.meanings[column] = Meaning {
                role: Role::Word,
                field,
                is_sure: false,
                score: 0.0,
                because,
            };
        }
    }
}

/// Tells whom the records of a source describe; names of columns tell more than values.
pub(super) fn subject_of(meanings: &[Meaning]) -> Option<Subject> {
    let named: Vec<&Meaning> = meanings.iter().filter(|m| m.score > 0.0).collect();
    subject_by(&named).or_else(|| subject_by(&meanings.iter().collect::<Vec<_>>()))
}

fn subject_by(meanings: &[&Meaning]) -> Option<Subject> {
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
