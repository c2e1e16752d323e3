//! What a column means, from its name and its values together.

use super::lexicon::{Told, field_name, told_by};
use super::role::Role;
use super::shape::Shape;

/// A name that explains itself by at least this is believed if the values do not contradict.
const NAME_SCORE_MIN: f64 = 0.45;

/// What was recognised in a column.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    pub(super) role: Role,
    pub(super) field: String,
    /// Whether name and values agree, clearly.
    pub(super) is_sure: bool,
    /// What the meaning was taken from, for a comment.
    pub(super) because: String,
}

/// Recognises a column; what `Name` stands for is decided with its neighbours, by [`settle_name`].
pub(super) fn recognise(name: &str, shape: &Shape, is_unique: bool) -> Meaning {
    let told = told_by(name);
    if shape.email >= 0.7 {
        return meaning(
            Role::Email,
            "email",
            true,
            "the values are e-mail addresses",
        );
    }
    let named = told
        .iter()
        .find(|told| told.score >= NAME_SCORE_MIN && fits(told.role, shape) >= 0.5);
    if let Some(best) = named {
        let rival = told.iter().find(|other| {
            other.role != best.role
                && other.score > best.score - 0.05
                && fits(other.role, shape) >= 0.5
        });
        let is_sure = best.score >= 0.6 && rival.is_none() && fits(best.role, shape) >= 0.7;
        return by_name(name, best, shape, is_sure);
    }
    let contradicted = told
        .first()
        .is_some_and(|told| told.score >= NAME_SCORE_MIN);
    by_values(name, shape, is_unique, contradicted)
}

fn meaning(role: Role, field: &str, is_sure: bool, because: &str) -> Meaning {
    Meaning {
        role,
        field: field.to_owned(),
        is_sure,
        because: because.to_owned(),
    }
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
    if role == Role::Title && shape.number > 0.8 {
        return meaning(
            Role::Identifier,
            &field_name(name),
            false,
            "the name tells a title, the values are numbers",
        );
    }
    let because = format!("its name tells {}, and the values fit", role.word());
    Meaning {
        role,
        field,
        is_sure,
        because,
    }
}

/// Returns how well values fit a role, from 0 to 1.
pub(super) fn fits(role: Role, shape: &Shape) -> f64 {
    let not = |share: f64| 1.0 - share;
    match role {
        Role::Email => shape.email,
        Role::BirthDate | Role::Date => shape.date,
        Role::Year => shape.year,
        Role::Number => shape
            .number
            .max(not(shape.letters) * f64::from(u8::from(shape.digits > 0.3))),
        Role::Place => f64::from(u8::from(shape.digits > 0.3)),
        Role::Phone => shape.phone.max(if shape.digits > 0.6 { 0.7 } else { 0.0 }),
        // Names that were made unknowable ("Name17") are names still, but not surely.
        Role::GivenName | Role::Surname | Role::FullName | Role::MiddleName => {
            not(shape.digits.min(1.0) * 1.4).max(shape.letters)
        }
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
        Role::Identifier => {
            if shape.words < 2.0 {
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
        Role::Title | Role::Company | Role::Name | Role::People | Role::Address => {
            not(shape.date).min(not(shape.email))
        }
        _ => 1.0,
    }
}

fn by_values(name: &str, shape: &Shape, is_unique: bool, contradicted: bool) -> Meaning {
    let field = field_name(name);
    let because = |what: &str| {
        if contradicted {
            format!("its name tells something else, but {what}")
        } else {
            format!("its name tells nothing, but {what}")
        }
    };
    let guess = |role: Role, field: &str, what: &str| Meaning {
        role,
        field: field.to_owned(),
        is_sure: false,
        because: because(what),
    };
    if shape.count == 0 || shape.distinct <= 1 && shape.count > 10 {
        return guess(Role::Internal, "", "it holds one value or none");
    }
    if shape.time_of_day > 0.5 {
        return guess(Role::Internal, "", "the values are points in time");
    }
    if shape.web > 0.7 {
        return guess(Role::Website, "website", "the values are web addresses");
    }
    if shape.date > 0.85 && shape.year < 0.5 {
        return guess(Role::Date, &field, "the values are dates");
    }
    if shape.phone > 0.8 && shape.phone_signs > 0.3 {
        return guess(
            Role::Phone,
            "phone",
            "the values look like telephone numbers",
        );
    }
    if shape.year > 0.9 {
        return guess(Role::Year, &field, "the values are years");
    }
    if shape.address > 0.6 && shape.words >= 4.0 {
        return guess(
            Role::Address,
            "address",
            "the values look like whole addresses",
        );
    }
    if shape.house_number > 0.7 && shape.words >= 2.0 && shape.words < 6.0 {
        return guess(
            Role::Street,
            "street",
            "the values look like streets with house numbers",
        );
    }
    if shape.legal_form > 0.25 {
        return guess(Role::Company, "company", "the values end in legal forms");
    }
    if shape.letters > 0.9 && shape.nickname > 0.15 && shape.words < 4.0 {
        if shape.words > 1.5 {
            return guess(
                Role::FullName,
                "full_name",
                "the values look like names of persons",
            );
        }
        return guess(
            Role::GivenName,
            "given_name",
            "the values look like given names",
        );
    }
    if shape.code > 0.8 && shape.distinct_share() > 0.5 {
        return guess(Role::Identifier, &field, "the values look like codes");
    }
    if shape.number > 0.9 {
        let role = if is_unique {
            Role::Identifier
        } else {
            Role::Number
        };
        return guess(role, &field, "the values are numbers");
    }
    if shape.distinct <= 20 || shape.distinct_share() < 0.01 {
        return guess(Role::Internal, "", "few values repeat, which says little");
    }
    if shape.words >= 2.5 && shape.distinct_share() > 0.3 {
        return guess(Role::Text, &field, "the values are words");
    }
    guess(Role::Unknown, &field, "neither do the values")
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
    let looks_personal = shape.letters > 0.85 && shape.nickname > 0.2 && shape.words < 4.0;
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
}
