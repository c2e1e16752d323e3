//! What each sample system writes about a person, in its own words.

use jiff::civil::Date;
use serde::Serialize;

use super::Person;
use super::dirt::{called, sometimes_missing, sometimes_swapped, sometimes_typo, street};
use super::draw::Draw;

/// A row of the CRM: kept by hand, one for each customer.
#[derive(Debug, Serialize)]
pub(super) struct CrmRecord {
    pub(super) id: String,
    first_name: String,
    last_name: String,
    birth_date: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    street: Option<String>,
    town: Option<String>,
    zip: Option<String>,
}

impl CrmRecord {
    pub(super) fn new(draw: &mut Draw, number: usize, person: &Person) -> Self {
        let home = &person.home;
        let born = sometimes_swapped(draw, 4, person.born);
        let (area, line) = person.phone.split_at(3);
        let phone = format!("({area}) {}-{}", &line[..3], &line[3..]);
        let street = street(draw, 40, home);
        Self {
            id: format!("C-{number:05}"),
            first_name: called(draw, 8, person),
            last_name: sometimes_typo(draw, 4, &person.surname),
            birth_date: sometimes_missing(draw, 10, born.to_string()),
            email: sometimes_missing(draw, 15, person.emails[0].clone()),
            phone: sometimes_missing(draw, 20, phone),
            street: sometimes_missing(draw, 8, street),
            town: sometimes_missing(draw, 8, home.town.to_owned()),
            zip: sometimes_missing(draw, 5, home.postcode.clone()),
        }
    }
}

/// A line of the shop: typed by the customer, who may have several accounts.
#[derive(Debug, Serialize)]
pub(super) struct ShopRecord {
    pub(super) customer_no: usize,
    name: String,
    emails: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    birthday: Option<String>,
    ship_street: String,
    ship_postcode: String,
    newsletter: bool,
}

impl ShopRecord {
    pub(super) fn new(draw: &mut Draw, number: usize, person: &Person) -> Self {
        let given = called(draw, 25, person);
        let given = sometimes_typo(draw, 4, &given);
        let surname = sometimes_typo(draw, 5, &person.surname);
        let [private, other] = &person.emails;
        let emails = match draw.below(10) {
            0..=5 => vec![private.clone()],
            6..=7 => vec![private.clone(), other.clone()],
            8 => vec![other.clone()],
            _ => vec![private.to_uppercase()],
        };
        let (area, line) = person.phone.split_at(3);
        let mobile = format!("+1 {area} {} {}", &line[..3], &line[3..]);
        let born = person.born;
        let birthday = format!("{:02}/{:02}/{}", born.month(), born.day(), born.year());
        let street = street(draw, 60, &person.home);
        Self {
            customer_no: 70_000 + number,
            name: format!("{given} {surname}"),
            emails,
            mobile: sometimes_missing(draw, 35, mobile),
            birthday: sometimes_missing(draw, 55, birthday),
            ship_street: sometimes_typo(draw, 6, &street),
            ship_postcode: person.home.postcode.clone(),
            newsletter: draw.percent(50),
        }
    }
}

/// A ticket of the support desk: names as they came, no address.
#[derive(Debug)]
pub(super) struct SupportRecord {
    pub(super) ticket: String,
    pub(super) requester: String,
    pub(super) contact_email: Option<String>,
    pub(super) callback: Option<String>,
    pub(super) opened_at_ms: i64,
}

impl SupportRecord {
    pub(super) fn new(draw: &mut Draw, number: usize, person: &Person) -> Self {
        let given = called(draw, 30, person);
        let surname = sometimes_typo(draw, 6, &person.surname);
        let requester = match draw.below(4) {
            0 => format!("{surname}, {given}"),
            1 => format!("{given} {surname}").to_lowercase(),
            2 => format!("{given} {surname}").to_uppercase(),
            _ => format!("{given} {surname}"),
        };
        let has_email = draw.percent(80);
        let email = if draw.percent(75) {
            &person.emails[0]
        } else {
            &person.emails[1]
        };
        // Somebody who left no address left a number.
        let leaves_number = !has_email || draw.percent(40);
        Self {
            ticket: format!("T-{number:06}"),
            requester,
            contact_email: has_email.then(|| email.clone()),
            callback: leaves_number.then(|| person.phone.clone()),
            opened_at_ms: 1_750_000_000_000 + (draw.below(40_000_000) as i64) * 1_000,
        }
    }
}

/// A member of the loyalty programme: from a form, well kept but old.
#[derive(Debug)]
pub(super) struct LoyaltyRecord {
    pub(super) member_no: i64,
    pub(super) given: String,
    pub(super) family: String,
    pub(super) dob: Option<Date>,
    pub(super) mail: Option<String>,
    pub(super) telephone: Option<String>,
    pub(super) address: String,
    pub(super) postcode: String,
}

impl LoyaltyRecord {
    pub(super) fn new(draw: &mut Draw, number: usize, person: &Person) -> Self {
        let given = if draw.percent(6) {
            person.given.chars().take(1).collect()
        } else {
            sometimes_typo(draw, 2, person.given)
        };
        let (area, line) = person.phone.split_at(3);
        let telephone = format!("{area}.{}.{}", &line[..3], &line[3..]);
        let street = street(draw, 20, &person.home);
        Self {
            member_no: 4_000_000 + 7 * number as i64,
            given,
            family: sometimes_typo(draw, 3, &person.surname),
            dob: sometimes_missing(draw, 8, person.born),
            mail: sometimes_missing(draw, 45, person.emails[0].clone()),
            telephone: sometimes_missing(draw, 35, telephone),
            address: format!("{street}, {}", person.home.town),
            postcode: person.home.postcode.clone(),
        }
    }
}
