//! What a column means, from its name and its values together.

use super::lexicon::{Told, field_name, is_named_number, told_by};
use super::role::Role;
use super::shape::Shape;

/// A name that explains itself by at least this is believed if the values do not contradict.
const NAME_SCORE_MIN: f64 = 0.45;

/// A name that explains itself by this is believed if the values have a form that says the same.
const NAME_HINT_MIN: f64 = 0.3;

/// So few different values among so many are flags.
const FLAGS_MAX: usize = 5;
const FLAGGED_MIN: usize = 50;

/// What was recognised in a column.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    pub(super) role: Role,
    pub(super) field: String,
    /// Whether name and values agree, clearly.
    pub(super) is_sure: bool,
    /// How clearly the column's own name tells it, from 0 (not at all) to 1.
    pub(super) score: f64,
    /// What the meaning was taken from, for a comment.
    pub(super) because: String,
}

/// Recognises a column; what `Name` stands for is decided with its neighbours, by [`settle_name`].
pub(super) fn recognise(name: &str, shape: &Shape, is_unique: bool) -> Meaning {
    let told = told_by(name);
    if shape.email >= 0.7 {
        let score = told.iter().find(|told| told.role == Role::Email);
        return Meaning {
            role: Role::Email,
            field: "email".to_owned(),
            is_sure: true,
            score: score.map_or(0.0, |told| told.score),
            because: "the values are e-mail addresses".to_owned(),
        };
    }
    let fits_well = |told: &Told| {
        let has_form = matches!(
            told.role,
            Role::BirthDate | Role::Date | Role::Phone | Role::Postcode
        );
        told.score >= NAME_SCORE_MIN && fits(told.role, shape) >= 0.5
            || has_form && told.score >= NAME_HINT_MIN && fits(told.role, shape) >= 0.9
    };
    if let Some(best) = told.iter().find(|told| fits_well(told)) {
        let rival = told.iter().find(|other| {
            other.role != best.role
                && other.score > best.score - 0.05
                && fits(other.role, shape) >= 0.5
        });
        let is_sure = best.score >= 0.6 && rival.is_none() && fits(best.role, shape) >= 0.7;
        return by_name(name, best, shape, is_sure);
    }
    if let Some(year) = told.first().and_then(|told| year_of(told, shape)) {
        return year;
    }
    let contradicted = told
        .first()
        .is_some_and(|told| told.score >= NAME_SCORE_MIN);
    by_values(name, shape, is_unique, contradicted)
}

/// Makes a year of what is called a date and holds years alone.
fn year_of(told: &Told, shape: &Shape) -> Option<Meaning> {
    let field = match (told.role, told.field.as_str()) {
        (Role::BirthDate, _) => "birth_year",
        (Role::Date, "date_of_death") => "death_year",
        (Role::Date, "date" | "release_date") => "year",
        _ => return None,
    };
    (told.score >= NAME_SCORE_MIN && shape.year > 0.7).then(|| Meaning {
        role: Role::Year,
        field: field.to_owned(),
        is_sure: told.score >= 0.6,
        score: told.score,
        because: "its name tells a date, and the values are years".to_owned(),
    })
}

fn by_name(name: &str, told: &Told, shape: &Shape, is_sure: bool) -> Meaning {
    let mut role = told.role;
    let mut field = told.field.clone();
    // Half the world writes the house number into the street, and whole addresses into "address".
    if role == Role::Street && shape.address >= 0.5 {
        (role, field) = (Role::Address, "address".to_owned());
    } else if role == Role::Address && shape.address < 0.5 {
        (role, field) = (Role::Street, "street".to_owned());
    }
    let misnamed = match role {
        Role::Title if shape.number > 0.8 => Some("the name tells a title, the values are numbers"),
        Role::Number if shape.number < 0.5 => {
            Some("the name tells a number, the values are none that can be read")
        }
        _ => None,
    };
    if let Some(because) = misnamed {
        return Meaning {
            role: Role::Identifier,
            field: field_name(name),
            is_sure: false,
            score: 0.0,
            because: because.to_owned(),
        };
    }
    let because = format!("its name tells {}, and the values fit", role.word());
    Meaning {
        role,
        field,
        is_sure,
        score: told.score,
        because,
    }
}

/// Returns how well values fit a role, from 0 to 1.
pub(super) fn fits(role: Role, shape: &Shape) -> f64 {
    let not = |share: f64| 1.0 - share;
    match role {
        Role::Email => shape.email,
        Role::BirthDate | Role::Date => shape.date.max(shape.short_date),
        Role::Year => shape.year + shape.short_year,
        Role::Age => shape.number,
        Role::Number => shape
            .number
            .max(not(shape.letters) * f64::from(u8::from(shape.digits > 0.3))),
        Role::Place => f64::from(u8::from(shape.digits > 0.3)),
        Role::Phone => shape.phone.max(if shape.digits > 0.6 { 0.7 } else { 0.0 }),
        // Whether there is a spouse is no name.
        Role::Relative if shape.distinct <= FLAGS_MAX && shape.count > FLAGGED_MIN => 0.0,
        // Names that were made unknowable ("Name17") are names still, but not surely.
        Role::GivenName
        | Role::Surname
        | Role::FullName
        | Role::MiddleName
        | Role::Name
        | Role::Relative => not(shape.digits.min(1.0) * 1.4).max(shape.letters),
        Role::City | Role::State | Role::Country | Role::Gender | Role::Suffix => {
            not(shape.digits).max(if shape.distinct <= 60 { 0.7 } else { 0.0 })
        }
        Role::Street => not(shape.number).min(if shape.words >= 1.2 { 1.0 } else { 0.6 }),
        Role::HouseNumber => {
            if shape.len <= 8.0 && shape.digits > 0.3 {
                1.0
            } else {
                0.0
            }
        }
        Role::Postcode => {
            if shape.len <= 11.0 && shape.digits > 0.25 {
                1.0
            } else {
                0.0
            }
        }
        // Long numbers are written in groups: DE02 1203 0000 ...
        Role::Identifier => {
            if shape.words < 2.0 || shape.digits > 0.6 {
                1.0
            } else {
                0.3
            }
        }
        Role::Website => shape.web.max(if shape.words < 1.2 && shape.letters < 0.5 {
            0.8
        } else {
            0.0
        }),
        Role::Title | Role::Company | Role::People | Role::Address => {
            not(shape.date).min(not(shape.email))
        }
        // A number among classes is a code: it says which class, not how alike two are.
        Role::Group => not(shape.number),
        _ => 1.0,
    }
}

fn by_values(name: &str, shape: &Shape, is_unique: bool, contradicted: bool) -> Meaning {
    let own = field_name(name);
    let guess = |role: Role, field: &str, what: &str| Meaning {
        role,
        field: field.to_owned(),
        is_sure: false,
        score: 0.0,
        because: if contradicted {
            format!("its name tells something else, but {what}")
        } else {
            format!("its name tells nothing, but {what}")
        },
    };
    if shape.count == 0 || shape.distinct <= 1 && shape.count > 10 {
        return guess(Role::Internal, "", "it holds one value or none");
    }
    if let Some((role, field, what)) = by_signs(shape) {
        return guess(role, if field.is_empty() { &own } else { field }, what);
    }
    if let Some((role, field, what)) = by_known_names(shape) {
        return guess(role, field, what);
    }
    if shape.number > 0.9 || shape.code > 0.8 {
        let (role, what) = by_digits(name, shape, is_unique);
        let field = match role {
            Role::Internal => "",
            Role::Number if shape.duration > 0.5 => "duration",
            _ => &own,
        };
        return guess(role, field, what);
    }
    if repeats(shape) {
        return guess(Role::Internal, "", "few values repeat, which says little");
    }
    if shape.words >= 2.5 && shape.distinct_share() > 0.3 || shape.len > WORD_LEN_MAX {
        return guess(Role::Text, &own, "the values are words");
    }
    guess(
        Role::Word,
        &own,
        "the values differ, so they are compared as words",
    )
}

/// Longer values are texts.
const WORD_LEN_MAX: f64 = 60.0;

/// Tells whether so few values occur that they make classes of records.
fn repeats(shape: &Shape) -> bool {
    shape.distinct <= 20 || shape.distinct_share() < 0.01
}

/// Recognises values by signs that nothing else has; an empty field stands for the column's own.
fn by_signs(shape: &Shape) -> Option<(Role, &'static str, &'static str)> {
    if shape.salutation > 0.7 {
        return Some((Role::Internal, "", "the values are salutations"));
    }
    if shape.time_of_day > 0.5 {
        return Some((Role::Internal, "", "the values are points in time"));
    }
    if shape.web > 0.7 {
        return Some((Role::Website, "website", "the values are web addresses"));
    }
    if shape.date > 0.85 && shape.year < 0.5 {
        return Some((Role::Date, "", "the values are dates"));
    }
    if shape.phone > 0.8 && shape.phone_signs > 0.3 && shape.decimal < 0.3 {
        let what = "the values look like telephone numbers";
        return Some((Role::Phone, "phone", what));
    }
    if shape.year > 0.9 {
        return Some((Role::Year, "", "the values are years"));
    }
    if shape.address > 0.6 && shape.words >= 4.0 {
        let what = "the values look like whole addresses";
        return Some((Role::Address, "address", what));
    }
    if shape.house_number > 0.7 && shape.words >= 2.0 && shape.words < 6.0 {
        let what = "the values look like streets with house numbers";
        return Some((Role::Street, "street", what));
    }
    if shape.legal_form > 0.25 {
        return Some((Role::Company, "company", "the values end in legal forms"));
    }
    None
}

/// Different values of which this share is known are such values.
const KNOWN_MIN: f64 = 0.08;

/// Recognises names of persons and places by those that many bear. Codes of states and parties
/// are short and few, so names must be neither.
fn by_known_names(shape: &Shape) -> Option<(Role, &'static str, &'static str)> {
    let known = shape.known;
    let is_telling = known.count >= 10
        && shape.distinct > 20.min(shape.count / 3)
        && shape.len > 3.0
        && shape.letters > 0.9;
    if !is_telling || shape.words >= 3.5 {
        return None;
    }
    if shape.words > 1.5 {
        let is_city = known.city >= KNOWN_MIN && known.city > known.given_name;
        let is_full = shape.given_name > 0.25 && (known.given_name > 0.2 || shape.comma > 0.5);
        return if is_city {
            Some((Role::City, "city", "the values hold known cities"))
        } else if is_full {
            let what = "the values look like names of persons";
            Some((Role::FullName, "full_name", what))
        } else {
            None
        };
    }
    let best = [
        (
            known.given_name,
            Role::GivenName,
            "given_name",
            "the values look like given names",
        ),
        (
            known.surname,
            Role::Surname,
            "surname",
            "the values look like surnames",
        ),
        (
            known.city,
            Role::City,
            "city",
            "the values hold known cities",
        ),
    ]
    .into_iter()
    .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= KNOWN_MIN).then_some((best.1, best.2, best.3))
}

/// Recognises what numbers and codes are by their length and by how often they repeat.
fn by_digits(name: &str, shape: &Shape, is_unique: bool) -> (Role, &'static str) {
    let is_number = shape.number > 0.9;
    let is_whole = shape.decimal < 0.05;
    let is_fixed = shape.same_len > 0.9 || shape.zero > 0.03;
    if is_number && shape.duration > 0.5 {
        return (Role::Number, "the values are durations");
    }
    if is_number && !is_whole {
        return (Role::Number, "the values are numbers with fractions");
    }
    if is_unique || shape.distinct_share() > 0.5 && (!is_number || is_fixed && shape.len >= 6.0) {
        return (Role::Identifier, "the values look like codes");
    }
    if repeats(shape) {
        return (Role::Internal, "few values repeat, which says little");
    }
    if !is_number || is_named_number(name) || is_fixed && shape.len >= 3.0 {
        return (Role::Code, "the values look like codes that records share");
    }
    (Role::Number, "the values are numbers")
}

/// What the other columns of a source tell about whom its records describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Person,
    Organisation,
    Thing,
}

/// Decides what bears a column that is called just "name".
pub(super) fn settle_name(shape: &Shape, subject: Option<Subject>) -> (Role, &'static str, bool) {
    let looks_personal = shape.letters > 0.85 && shape.given_name > 0.3 && shape.words < 4.0;
    match subject {
        _ if shape.legal_form > 0.15 => (Role::Company, "company", true),
        Some(Subject::Thing) => (Role::Title, "title", true),
        Some(Subject::Person) => (Role::FullName, "full_name", true),
        Some(Subject::Organisation) if !looks_personal => (Role::Company, "company", true),
        _ if looks_personal => (Role::FullName, "full_name", subject.is_none()),
        _ if shape.words > 4.0 => (Role::Title, "title", false),
        _ => (Role::Company, "company", false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role_of(name: &str, values: &[&str]) -> (Role, bool) {
        let found = recognise(name, &Shape::of(values.iter().copied()), false);
        (found.role, found.is_sure)
    }

    #[test]
    fn a_clear_name_holds_for_pseudonyms_though_not_surely_and_not_for_numbers() {
        let names = ["Ann", "Bob", "Carla", "David"];
        assert_eq!(role_of("first_name", &names), (Role::GivenName, true));
        let pseudonyms = ["Name17", "Name18", "Name103", "Name4"];
        assert_eq!(role_of("first_name", &pseudonyms), (Role::GivenName, false));
        assert_eq!(role_of("nachname", &pseudonyms), (Role::Surname, false));
        let (role, is_sure) = role_of("nachname", &["4711", "4712", "4713", "4714"]);
        assert!(role != Role::Surname && !is_sure, "{role:?}");
    }

    /// Minutes and seconds passed for codes, so two lists of songs had no length in common.
    #[test]
    fn a_duration_is_a_number_however_it_is_written() {
        let seconds = ["273", "169", "185", "255"];
        assert_eq!(role_of("duration", &seconds).0, Role::Number);
        let minutes = ["4:33", "2:49", "3:05", "4:15"];
        assert_eq!(role_of("duration", &minutes), (Role::Number, true));
        assert_eq!(role_of("t", &minutes).0, Role::Number);
        let units = ["4m 33sec", "2m 49sec", "3m 5sec", "4m 15sec"];
        assert_eq!(role_of("length", &units), (Role::Number, true));
        let terms = ["GO:0008150", "GO:0003674", "GO:0005575", "GO:0016020"];
        assert_ne!(role_of("t", &terms).0, Role::Number);
        let ages = ["30 months", "12 months", "7 months", "18 months"];
        assert!(!role_of("t", &ages).1);
    }
}
