//! Synthetic people with known truth.

use crate::Draw;

const ONSETS: &[&str] = &[
    "b", "br", "d", "dr", "f", "g", "gl", "h", "k", "kr", "l", "m", "n", "p", "pl", "r", "s", "st",
    "t", "tr", "v", "z",
];
const VOWELS: &[&str] = &["a", "e", "i", "o", "u", "ai", "ei", "ou"];
const ENDINGS: &[&str] = &["", "n", "r", "s", "l", "m", "k", "t"];
const CITIES: &[&str] = &["dremmel", "oukast", "plirn", "vosteig", "zanbrou"];
const STREET_KINDS: &[&str] = &["road", "lane", "street", "avenue"];

/// A person, as the systems should know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Tells people apart; two records are of one customer if and only if they share it.
    pub number: u32,
    /// The given name.
    pub given_name: String,
    /// The family name; relatives share it.
    pub surname: String,
    /// The date of birth, `YYYY-MM-DD`.
    pub born: String,
    /// One to three addresses.
    pub emails: Vec<String>,
    /// The telephone number, in E.164.
    pub phone: String,
    /// The street with the house number.
    pub street: String,
    /// One of a handful of cities, so that blocks of a city are hot.
    pub city: String,
    /// The postcode; it tells the city.
    pub postcode: String,
}

/// Makes so many people; about one in eight lives with the one before.
pub fn people(count: u32, seed: u64) -> Vec<Person> {
    let mut draw = Draw::new(seed);
    let names: Vec<String> = (0..count / 6 + 12).map(|_| word(&mut draw)).collect();
    let surnames: Vec<String> = (0..count / 3 + 20).map(|_| word(&mut draw)).collect();
    let mut made: Vec<Person> = Vec::with_capacity(count as usize);
    for number in 0..count {
        let mut person = person(number, &names, &surnames, &mut draw);
        if let Some(relative) = made.last()
            && draw.chance(0.12)
        {
            person.surname.clone_from(&relative.surname);
            person.street.clone_from(&relative.street);
            person.city.clone_from(&relative.city);
            person.postcode.clone_from(&relative.postcode);
        }
        made.push(person);
    }
    made
}

fn person(number: u32, names: &[String], surnames: &[String], draw: &mut Draw) -> Person {
    // The lower half of the names is drawn twice as often: some values are frequent.
    let skewed = |draw: &mut Draw, len: usize| {
        let index = draw.below(len);
        if draw.chance(0.5) { index / 4 } else { index }
    };
    let given_name = names[skewed(draw, names.len())].clone();
    let surname = surnames[skewed(draw, surnames.len())].clone();
    let (year, month, day) = (
        1940 + draw.below(65),
        1 + draw.below(12),
        1 + draw.below(28),
    );
    let email = |n: usize| format!("{given_name}.{surname}{number}@mail{n}.example");
    let emails = (0..=draw.below(3)).map(email).collect();
    let city = draw.below(CITIES.len());
    let street = format!(
        "{} {} {}",
        1 + draw.below(180),
        draw.pick(surnames),
        draw.pick(STREET_KINDS)
    );
    Person {
        number,
        born: format!("{year:04}-{month:02}-{day:02}"),
        emails,
        phone: format!("+1415{:07}", 2_000_000 + draw.below(7_900_000)),
        street,
        city: CITIES[city].to_owned(),
        postcode: format!("{city}{:04}", draw.below(400)),
        given_name,
        surname,
    }
}

/// Returns a word of two or three syllables, capitalised.
fn word(draw: &mut Draw) -> String {
    let mut word = String::new();
    for _ in 0..2 + draw.below(2) {
        word.push_str(draw.pick::<&str>(ONSETS));
        word.push_str(draw.pick::<&str>(VOWELS));
    }
    word.push_str(draw.pick::<&str>(ENDINGS));
    let first = word.remove(0).to_ascii_uppercase();
    word.insert(0, first);
    word
}
