//! People who do not exist: households, namesakes, nicknames.

use super::draw::Draw;

/// Given names, each with what friends say.
const GIVEN: &[(&str, &[&str])] = &[
    ("William", &["Bill", "Will"]),
    ("Elizabeth", &["Liz", "Beth"]),
    ("Robert", &["Bob", "Rob"]),
    ("Margaret", &["Peggy", "Maggie"]),
    ("James", &["Jim"]),
    ("Katherine", &["Kate", "Kathy"]),
    ("Michael", &["Mike"]),
    ("Jennifer", &["Jen", "Jenny"]),
    ("Richard", &["Rick", "Dick"]),
    ("Susan", &["Sue"]),
    ("Thomas", &["Tom"]),
    ("Patricia", &["Pat", "Trish"]),
    ("Charles", &["Charlie", "Chuck"]),
    ("Barbara", &["Barb"]),
    ("Joseph", &["Joe"]),
    ("Deborah", &["Debbie", "Deb"]),
    ("Edward", &["Ed", "Ted"]),
    ("Rebecca", &["Becky"]),
    ("Daniel", &["Dan"]),
    ("Victoria", &["Vicky"]),
    ("Anthony", &["Tony"]),
    ("Christine", &["Chris", "Tina"]),
    ("Samuel", &["Sam"]),
    ("Samantha", &["Sam"]),
    ("Alexander", &["Alex"]),
    ("Alexandra", &["Alex", "Sandra"]),
    ("Benjamin", &["Ben"]),
    ("Abigail", &["Abby"]),
    ("Matthew", &["Matt"]),
    ("Jessica", &["Jess"]),
    ("Nicholas", &["Nick"]),
    ("Theresa", &["Terry"]),
    ("Gregory", &["Greg"]),
    ("Pamela", &["Pam"]),
    ("Timothy", &["Tim"]),
    ("Cynthia", &["Cindy"]),
    ("Oliver", &[]),
    ("Grace", &[]),
    ("Felix", &[]),
    ("Hannah", &[]),
    ("Marcus", &[]),
    ("Irene", &[]),
    ("Simon", &[]),
    ("Lucia", &[]),
    ("Adrian", &[]),
    ("Naomi", &[]),
    ("Victor", &[]),
    ("Clara", &[]),
    ("José", &[]),
    ("Zoë", &[]),
];

/// Surnames are made of two parts.
const SURNAME_HEADS: &[&str] = &[
    "Ash", "Black", "Brad", "Carl", "Cros", "Dal", "East", "Fair", "Green", "Hart", "Hol", "King",
    "Lang", "Mar", "Nor", "Oak", "Pem", "Red", "Stan", "Thorn", "Under", "Wal", "West", "Whit",
];
const SURNAME_TAILS: &[&str] = &[
    "ford", "wood", "ley", "ton", "field", "well", "by", "man", "worth", "brook", "ham", "ridge",
];

const STREETS: &[&str] = &[
    "Alder", "Birch", "Canal", "Chapel", "Church", "Elm", "Forge", "Garden", "Harbour", "High",
    "Juniper", "Lake", "Linden", "Market", "Meadow", "Mill", "Orchard", "Quarry", "River",
    "Station",
];

/// Kinds of streets, with how some write them.
pub(super) const STREET_KINDS: &[(&str, &str)] = &[
    ("Street", "St"),
    ("Avenue", "Ave"),
    ("Road", "Rd"),
    ("Lane", "Ln"),
    ("Court", "Ct"),
];

/// Towns, with the head of their postcodes and their area code.
const TOWNS: &[(&str, &str, &str)] = &[
    ("Eastvale", "021", "617"),
    ("Port Linden", "108", "212"),
    ("Marlow Springs", "303", "404"),
    ("Granite Falls", "445", "614"),
    ("Oakhurst", "606", "773"),
    ("Silver Creek", "787", "512"),
    ("Redstone", "802", "303"),
    ("Palmetto", "891", "702"),
];

/// A place where people live together.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) house_number: usize,
    pub(super) street: &'static str,
    pub(super) street_kind: usize,
    pub(super) town: &'static str,
    pub(super) postcode: String,
}

/// Somebody, with everything that a system could know.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) number: usize,
    pub(super) given: &'static str,
    pub(super) nicknames: &'static [&'static str],
    pub(super) surname: String,
    pub(super) born: jiff::civil::Date,
    /// The private address, and the one that came before or is for work.
    pub(super) emails: [String; 2],
    /// Ten digits.
    pub(super) phone: String,
    pub(super) home: Home,
}

/// Makes a population of households.
pub(super) fn population(seed: u64, count: usize) -> Vec<Person> {
    let mut draw = Draw::new(seed);
    let mut people: Vec<Person> = Vec::with_capacity(count);
    while people.len() < count {
        let (home, area_code) = home(&mut draw);
        let surname = surname(&mut draw);
        let first = people.len();
        for member in 0..draw.between(1, 4).min(count - first) {
            let mut person = person(&mut draw, first + member, &home, area_code, &surname);
            if member == 1 && draw.percent(15) {
                person.surname = self::surname(&mut draw);
            }
            if member >= 2 && draw.percent(8) {
                // A junior has the name of a parent.
                (person.given, person.nicknames) = (people[first].given, people[first].nicknames);
            }
            people.push(person);
        }
    }
    people
}

fn home(draw: &mut Draw) -> (Home, &'static str) {
    let &(town, postcode, area_code) = draw.pick(TOWNS);
    let home = Home {
        house_number: draw.between(1, 240),
        street: draw.pick::<&str>(STREETS),
        street_kind: draw.below(STREET_KINDS.len()),
        town,
        postcode: format!("{postcode}{:02}", draw.below(40)),
    };
    (home, area_code)
}

fn surname(draw: &mut Draw) -> String {
    format!(
        "{}{}",
        draw.skewed(SURNAME_HEADS),
        draw.skewed(SURNAME_TAILS)
    )
}

fn person(draw: &mut Draw, number: usize, home: &Home, area_code: &str, surname: &str) -> Person {
    let &(given, nicknames) = draw.skewed(GIVEN);
    let (year, month, day) = (
        draw.between(1940, 2004),
        draw.between(1, 12),
        draw.between(1, 28),
    );
    let born = jiff::civil::date(year as i16, month as i8, day as i8);
    let user = format!("{given}.{surname}")
        .to_lowercase()
        .replace(['é', 'ë'], "e");
    let private = format!("{user}{}@mail.example", draw.between(1, 99));
    let initial = user.chars().next().unwrap_or('x');
    let lower = surname.to_lowercase();
    let other = format!("{initial}{lower}{}@office.example", number % 100);
    Person {
        number,
        given,
        nicknames,
        surname: surname.to_owned(),
        born,
        emails: [private, other],
        // Numbers from 555-0100 to 555-0199 are reserved for fiction; so is, here, all of 555.
        phone: format!("{area_code}555{:04}", draw.below(10_000)),
        home: home.clone(),
    }
}
