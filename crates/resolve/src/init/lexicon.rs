//! What the name of a column tells, in several languages.

mod entries;

use std::sync::LazyLock;

use sameas_record::{FieldKind, Locale, Normalizer};

use super::role::Role;
pub(super) use entries::MAIDEN_NAME;
use entries::{ATTRIBUTES, ENTRIES, FORM_WORDS, NUMBER_WORDS, QUALIFIERS, RELATIVES, SECONDARY};

/// What a name tells: the role, the field it maps to and how much of the name was understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) role: Role,
    pub(super) field: String,
    /// From 0 to 1.
    pub(super) score: f64,
}

/// A name that agrees but for the gaps between its words is told a little less.
const JOINED_SCORE: f64 = 0.94;

/// The phrases of an entry, folded as names of columns are.
struct Folded {
    role: Role,
    field: &'static str,
    phrases: Vec<Vec<String>>,
}

static FOLDED: LazyLock<Vec<Folded>> = LazyLock::new(|| {
    let folded = ENTRIES.iter().map(|&(role, field, phrases)| Folded {
        role,
        field,
        phrases: phrases.iter().map(|phrase| spelt(words(phrase))).collect(),
    });
    folded.collect()
});

/// Splits a column's name into lower-case ASCII words.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(name.len() + 8);
    let mut previous = ' ';
    for character in name.chars() {
        let is_new = character.is_uppercase() && previous.is_lowercase()
            || character.is_ascii_digit() && previous.is_alphabetic();
        if is_new || !character.is_alphanumeric() {
            spaced.push(' ');
        }
        if character.is_alphanumeric() {
            spaced.push(character);
        }
        previous = character;
    }
    let mut text = String::new();
    Normalizer::new(FieldKind::Text, None, &Locale::default()).normalize(&spaced, &mut text);
    text.split_whitespace().map(str::to_owned).collect()
}

/// Takes written-out umlauts back: straße and strasse, führerschein and fuehrerschein.
fn spelt(words: Vec<String>) -> Vec<String> {
    let mut words = words;
    for word in &mut words {
        *word = word
            .replace("ue", "u")
            .replace("ae", "a")
            .replace("oe", "o");
    }
    words
}

/// Returns a name of letters, digits and underscores for a column's field: its own where it is one.
pub(super) fn field_name(column: &str) -> String {
    let is_usual = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut name =
        if column.chars().all(is_usual) && column.starts_with(|c: char| c.is_alphabetic()) {
            column.to_owned()
        } else {
            words(column).join("_")
        };
    name.retain(|c| c.is_ascii_alphanumeric() || c == '_');
    name.truncate(60);
    if name.is_empty() {
        "field".to_owned()
    } else {
        name
    }
}

/// Tells whether a name ends in a word for numbers that are names: id, code, no.
pub(super) fn is_named_number(name: &str) -> bool {
    words(name)
        .last()
        .is_some_and(|last| NUMBER_WORDS.contains(&last.as_str()))
}

/// Returns what a column's name tells, best first.
pub(super) fn told_by(name: &str) -> Vec<Told> {
    let plain = words(name);
    let is_listed = |list: &[&str], word: &String| list.contains(&word.as_str());
    let is_attribute =
        plain.len() > 1 && plain.last().is_some_and(|last| is_listed(ATTRIBUTES, last));
    let relative = plain.iter().find_map(|word| relative_of(word));
    let mut own: Vec<Word> = plain
        .iter()
        .map(|word| Word {
            text: spelt(vec![word.clone()]).concat(),
            weight: match word {
                _ if word.bytes().all(|b| b.is_ascii_digit()) => DIGITS_WEIGHT,
                _ if is_listed(FORM_WORDS, word) => 0.1,
                _ if is_listed(SECONDARY, word) => 0.6,
                _ if is_listed(QUALIFIERS, word) => 0.3,
                _ if relative_of(word).is_some() => 0.3,
                _ => full_weight(word),
            },
            says_number: is_listed(NUMBER_WORDS, word),
        })
        .collect();
    weigh_phrases(&mut own);
    let mut told: Vec<Told> = Vec::new();
    for entry in &*FOLDED {
        let scores = entry
            .phrases
            .iter()
            .map(|phrase| agreement(entry.role, phrase, &own));
        let score = scores.fold(0.0, f64::max);
        if score > 0.0 {
            told.push(Told {
                role: entry.role,
                field: entry.field.to_owned(),
                score,
            });
        }
    }
    if let Some(relative) = relative {
        of_relative(&mut told, name, relative);
        // A column that is called by nothing else holds the name.
        let is_plain = |word: &String| {
            relative_of(word).is_some()
                || is_listed(FORM_WORDS, word)
                || is_listed(QUALIFIERS, word)
        };
        if plain.iter().all(is_plain) {
            told.push(Told {
                role: Role::Relative,
                field: format!("{relative}_name"),
                score: 1.0,
            });
        }
    }
    if is_attribute && told.iter().all(|told| told.score < JOINED_SCORE) {
        told.insert(
            0,
            Told {
                role: Role::Internal,
                field: String::new(),
                score: 0.9,
            },
        );
    }
    told.sort_by(|a, b| b.score.total_cmp(&a.score));
    told
}

/// Returns whom a word stands for, if that is a relative.
fn relative_of(word: &str) -> Option<&'static str> {
    let of = RELATIVES.iter().find(|(_, words)| words.contains(&word));
    of.map(|(relative, _)| *relative)
}

/// Makes of what is said of a relative a field of its own: a mother's name is not the person's.
fn of_relative(told: &mut [Told], name: &str, relative: &str) {
    for told in told {
        let (role, field) = match told.role {
            Role::GivenName => (Role::Relative, format!("{relative}_given_name")),
            Role::Surname => (Role::Relative, format!("{relative}_surname")),
            Role::FullName | Role::Name | Role::People => {
                (Role::Relative, format!("{relative}_name"))
            }
            Role::MiddleName => (Role::Relative, field_name(name)),
            Role::BirthDate | Role::Date => (Role::Date, field_name(name)),
            _ => continue,
        };
        (told.role, told.field) = (role, field);
    }
}

/// Digits say which of several a column is.
const DIGITS_WEIGHT: f64 = 0.2;

/// Returns the weight of a word that means something: long words mean a little more.
fn full_weight(word: &str) -> f64 {
    1.0 + word.len() as f64 / 10.0
}

/// Gives words their full weight that qualify alone but mean something together: a postal code.
fn weigh_phrases(words: &mut [Word]) {
    let is_there = |words: &[Word], wanted: &String| words.iter().any(|word| word.text == *wanted);
    let phrases = FOLDED.iter().flat_map(|entry| &entry.phrases);
    for phrase in phrases.filter(|phrase| phrase.len() > 1) {
        if !phrase.iter().all(|wanted| is_there(words, wanted)) {
            continue;
        }
        for word in words.iter_mut().filter(|word| phrase.contains(&word.text)) {
            if word.text.bytes().any(|b| !b.is_ascii_digit()) {
                word.weight = full_weight(&word.text);
                word.says_number = false;
            }
        }
    }
}

/// A word of a column's name.
struct Word {
    text: String,
    /// How much of the meaning it bears.
    weight: f64,
    says_number: bool,
}

impl Word {
    fn weight(&self, role: Role) -> f64 {
        if matches!(role, Role::Identifier | Role::Phone) && self.says_number {
            self.weight.min(0.3)
        } else {
            self.weight
        }
    }
}

/// Returns how much of a name a phrase explains, from 0 to 1; words that qualify count little.
fn agreement(role: Role, phrase: &[String], words: &[Word]) -> f64 {
    if words.iter().map(|word| &word.text).eq(phrase) {
        return 1.0;
    }
    let joined: String = words.iter().map(|word| word.text.as_str()).collect();
    if joined == phrase.concat() {
        return JOINED_SCORE;
    }
    let total: f64 = words.iter().map(|word| word.weight(role)).sum();
    let found = phrase
        .iter()
        .map(|wanted| words.iter().find(|word| word.text == *wanted));
    if let Some(found) = found.collect::<Option<Vec<&Word>>>() {
        let is_only = phrase.len() == 1;
        let least = if is_only { 1.0 } else { 0.0 };
        let mut found: f64 = found.iter().map(|word| word.weight(role).max(least)).sum();
        // The last word of a name is what it is; the others say which.
        let is_beside = |last: &Word| !phrase.contains(&last.text) && last.weight(role) > 0.6;
        if words.last().is_some_and(is_beside) {
            found *= 0.6;
        }
        return (found / total.max(found)).min(0.99);
    }
    // Languages that join words: `kundenvorname`, `lieferstrasse`.
    let [phrase] = phrase else {
        return 0.0;
    };
    let ends = |word: &&Word| {
        phrase.len() >= 5 && word.text.len() > phrase.len() && word.text.ends_with(phrase.as_str())
    };
    match words.iter().find(ends) {
        Some(word) => 0.9 * word.weight(role) / total.max(1.0),
        None => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(name: &str) -> (Role, String) {
        let told = told_by(name).into_iter().find(|told| told.score >= 0.45);
        told.map_or((Role::Word, String::new()), |told| (told.role, told.field))
    }

    #[test]
    fn names_of_columns_tell_their_role_in_many_languages() {
        for (role, names) in [
            (
                Role::GivenName,
                "first_name FirstName vorname Prénom nombres voornaam imię förnamn fornavn etunimi keresztnév prenume 名",
            ),
            (
                Role::Surname,
                "last_name Nachname nom_de_famille apellidos cognome sobrenome achternaam nazwisko efternamn etternavn příjmení sukunimi soyad фамилия 姓 姓氏 nom_de_naissance",
            ),
            (
                Role::Name,
                "name Name nom nombre nome naam nazwa namn navn имя 이름 名前",
            ),
            (
                Role::FullName,
                "full_name NOMBRE_COMPLETO 姓名 氏名 ФИО nom_prenom 성명 first_and_surname",
            ),
            (
                Role::BirthDate,
                "dob date_of_birth Geburtsdatum date_naissance fecha_nacimiento data_di_nascita fødselsdato födelsedatum дата_рождения 出生日期 生年月日",
            ),
            (
                Role::City,
                "city Ort ville ciudad città miasto postort город 城市 res_city_desc mail_city",
            ),
            (
                Role::Postcode,
                "ADDR_POSTAL_CODE zip_code PLZ code_postal cap kod_pocztowy postnummer 郵便番号 mail_zipcode",
            ),
            (
                Role::Phone,
                "phone Telefonnummer téléphone teléfono телефон 电话 full_phone_number full_phone_num tel_nr",
            ),
            (Role::Email, "email e-mail E_Mail courriel почта メール"),
            (
                Role::Street,
                "street Straße rue calle via ulica gatuadress улица res_street_address",
            ),
            (Role::Gender, "gender_code Geschlecht sexe пол 性别"),
            (Role::Suffix, "name_suffix_lbl suffix"),
            (Role::State, "state_cd county_desc Bundesland"),
            (
                Role::Group,
                "booktitle journal artist manufacturer race_code party_cd",
            ),
            (
                Role::Title,
                "title book_title Titel product_name song_title",
            ),
            (
                Role::Identifier,
                "soc_sec_id ssn_number lei_number tax_id_number passport_no NATIONAL_ID_NUMBER",
            ),
            (Role::Internal, "salutation phone_type Anrede created_by"),
            (Role::Label, "cluster_id person_truth entity_id"),
            (
                Role::Relative,
                "mother_name mothers_maiden_name father_first_name nom_conjoint",
            ),
        ] {
            for name in names.split(' ') {
                assert_eq!(best(name).0, role, "{name}: {:?}", told_by(name));
            }
        }
    }

    #[test]
    fn the_first_of_two_addresses_is_told_better() {
        for (role, better, worse) in [
            (Role::Street, "res_street_address", "mail_addr1"),
            (Role::Street, "street", "shipping_street"),
            (Role::City, "res_city_desc", "mail_city"),
            (Role::Phone, "home_phone", "other_phone"),
        ] {
            let score = |name: &str| {
                let told = told_by(name).into_iter().find(|told| told.role == role);
                told.map_or(0.0, |told| told.score)
            };
            assert!(score(better) > score(worse), "{better} and {worse}");
            assert!(score(worse) >= 0.6, "{worse}: {}", score(worse));
        }
    }

    #[test]
    fn fields_keep_the_words_of_their_columns() {
        assert_eq!(field_name("customer value"), "customer_value");
        assert_eq!(field_name("Größe"), "grosse");
        assert_eq!(field_name("c0"), "c0");
        assert_eq!(field_name("\u{1f984}"), "field");
    }
}
