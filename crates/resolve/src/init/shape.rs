//! The shape of a column's values: which normalisers accept them, and how they look.

use sameas_record::{DateOrder, FieldKind, Form, Locale, Normalizer, Part, derive};

/// The most values of a column that are looked at.
const VALUES_MAX: usize = 2_000;

/// Shares, from 0 to 1, of the values that are there; means per value.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// How many values were looked at.
    pub(super) count: usize,
    pub(super) distinct: usize,
    /// Values that stand for a missing one: unknown, n/a.
    pub(super) placeholder: f64,
    pub(super) email: f64,
    pub(super) date: f64,
    pub(super) time_of_day: f64,
    pub(super) year: f64,
    pub(super) number: f64,
    /// Digits and the signs that stand between them in telephone numbers, 7 to 15 digits.
    pub(super) phone: f64,
    /// Those of them with a sign that identifiers do not have.
    pub(super) phone_signs: f64,
    pub(super) web: f64,
    /// Letters, spaces, hyphens, apostrophes and dots only.
    pub(super) letters: f64,
    /// Given names that have a nickname or are one, as any word.
    pub(super) nickname: f64,
    pub(super) legal_form: f64,
    pub(super) house_number: f64,
    pub(super) address: f64,
    pub(super) comma: f64,
    pub(super) digits: f64,
    pub(super) words: f64,
    pub(super) len: f64,
    /// One word of letters and digits with at least one digit.
    pub(super) code: f64,
    pub(super) date_order: DateOrder,
    /// Dates of which the order of day and month is certain, day first and month first.
    pub(super) day_first: usize,
    pub(super) month_first: usize,
    /// Telephone numbers of ten digits in the American way.
    pub(super) american: f64,
}

impl Shape {
    /// Looks at values.
    pub(super) fn of<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut shape = Self::default();
        let mut distinct = std::collections::BTreeSet::new();
        let readers = Readers::new();
        for value in values.take(VALUES_MAX) {
            shape.count += 1;
            distinct.insert(value);
            if readers.text(FieldKind::Text, None, value).is_none() {
                shape.placeholder += 1.0;
                continue;
            }
            shape.add(value, &readers);
        }
        shape.distinct = distinct.len();
        shape.finish();
        shape
    }

    fn add(&mut self, value: &str, readers: &Readers) {
        let is = |holds: bool| f64::from(u8::from(holds));
        let digits = value.chars().filter(char::is_ascii_digit).count();
        let chars = value.chars().count();
        let words = value.split_whitespace().count();
        self.len += chars as f64;
        self.words += words as f64;
        self.digits += digits as f64 / (chars as f64).max(1.0);
        self.comma += is(value.contains(','));
        let is_email = value.contains('@')
            && value
                .rsplit_once('@')
                .is_some_and(|(user, domain)| !user.is_empty() && domain.contains('.'));
        self.email += is(is_email);
        let lower = value.to_ascii_lowercase();
        self.web += is(!is_email
            && (lower.starts_with("http://")
                || lower.starts_with("https://")
                || lower.starts_with("www.")));
        self.time_of_day += is(value.matches(':').count() >= 1 && digits >= 10);
        let year = value.parse::<u32>().ok().filter(|_| chars == 4);
        self.year += is(year.is_some_and(|year| (1_500..=2_100).contains(&year)));
        let number = value.trim_start_matches(['$', '€', '£', '-']).trim();
        self.number += is(digits > 0
            && number
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, '.' | ',')));
        let is_dialled =
            |c: char| c.is_ascii_digit() || matches!(c, ' ' | '+' | '-' | '/' | '(' | ')' | '.');
        let has_signs =
            value.contains(['+', '(', '/']) || value.matches(['-', ' ', '.']).count() >= 2;
        let is_phone = (7..=15).contains(&digits) && value.chars().all(is_dialled);
        self.phone += is(is_phone);
        self.phone_signs += is(is_phone && has_signs);
        self.american += is(digits == 10 && is_phone || value.starts_with("+1") && digits == 11);
        let is_letters = value
            .chars()
            .all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’' | '.' | ','));
        self.letters += is(is_letters);
        self.code += is(words == 1
            && digits > 0
            && value
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.')));
        self.add_read(value, readers, is_letters, &lower);
    }

    fn add_read(&mut self, value: &str, readers: &Readers, is_letters: bool, lower: &str) {
        let is = |holds: bool| f64::from(u8::from(holds));
        let date = readers.text(FieldKind::Date, None, value).filter(|date| {
            let year = date.get(..4).and_then(|year| year.parse::<u32>().ok());
            year.is_some_and(|year| (1_700..=2_100).contains(&year))
        });
        self.date += is(date.is_some() && value.chars().count() >= 6);
        let mut parts = value
            .split(['/', '-', '.'])
            .map(|part| part.parse::<u32>().unwrap_or(0));
        if let (Some(a), Some(b), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        {
            self.day_first += usize::from((13..=31).contains(&a) && (1..=12).contains(&b));
            self.month_first += usize::from((1..=12).contains(&a) && (13..=31).contains(&b));
        }
        if is_letters {
            let known = lower
                .split([' ', ',', '-'])
                .filter(|word| word.len() > 2)
                .any(|word| {
                    let mut count = 0;
                    derive(Form::Nickname, FieldKind::GivenName, word, &mut |_| {
                        count += 1;
                    });
                    count > 1
                });
            self.nickname += is(known);
        }
        let company = readers
            .text(FieldKind::Company, None, value)
            .map_or(0, |text| text.split(' ').count());
        let plain = readers
            .text(FieldKind::Text, None, value)
            .map_or(0, |text| text.split(' ').count());
        self.legal_form += is(company < plain);
        if let Some(street) = readers.text(FieldKind::Street, None, value) {
            let mut number = false;
            derive(Form::HouseNumber, FieldKind::Street, &street, &mut |_| {
                number = true;
            });
            self.house_number += is(number && street.contains(' '));
        }
        let code = readers.text(FieldKind::Postcode, Some(Part::Postcode), value);
        self.address += is(value.contains(',') && code.is_some());
    }

    fn finish(&mut self) {
        let read =
            (self.count as f64 * (1.0 - self.placeholder / (self.count as f64).max(1.0))).max(1.0);
        self.placeholder /= (self.count as f64).max(1.0);
        for share in [
            &mut self.email,
            &mut self.date,
            &mut self.time_of_day,
            &mut self.year,
            &mut self.number,
            &mut self.phone,
            &mut self.phone_signs,
            &mut self.web,
            &mut self.letters,
            &mut self.nickname,
            &mut self.legal_form,
            &mut self.house_number,
            &mut self.address,
            &mut self.comma,
            &mut self.digits,
            &mut self.words,
            &mut self.len,
            &mut self.code,
            &mut self.american,
        ] {
            *share /= read;
        }
        if self.month_first > self.day_first {
            self.date_order = DateOrder::Mdy;
        }
    }

    /// Returns the share of values that differ from one another.
    pub(super) fn distinct_share(&self) -> f64 {
        self.distinct as f64 / (self.count as f64).max(1.0)
    }
}

/// Normalisers that values are shown to.
struct Readers(Locale);

impl Readers {
    fn new() -> Self {
        Self(Locale::default())
    }

    fn text(&self, kind: FieldKind, part: Option<Part>, value: &str) -> Option<String> {
        let mut out = String::new();
        let is_read = Normalizer::new(kind, part, &self.0).normalize(value, &mut out);
        is_read.then_some(out)
    }
}
