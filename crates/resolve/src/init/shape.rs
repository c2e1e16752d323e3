//! The shape of a column's values: which normalisers accept them, and how they look.

use std::collections::BTreeMap;

use sameas_record::{DateOrder, FieldKind, Form, Locale, Normalizer, Part, derive};

use super::known;

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
    /// Six digits that can be a day with a year of two digits, in the order that most of them can have.
    pub(super) short_date: f64,
    pub(super) short_order: ShortOrder,
    pub(super) time_of_day: f64,
    pub(super) year: f64,
    /// Years of two digits, behind an apostrophe or not.
    pub(super) short_year: f64,
    pub(super) number: f64,
    /// Those of them that are durations, of minutes and seconds.
    pub(super) duration: f64,
    /// Those of them with a fraction.
    pub(super) decimal: f64,
    /// Numbers that begin with a zero.
    pub(super) zero: f64,
    /// Values of the length that most have.
    pub(super) same_len: f64,
    /// The earliest, the middle and the last year of dates and years.
    pub(super) years: Option<[u32; 3]>,
    /// Digits and the signs that stand between them in telephone numbers, 7 to 15 digits.
    pub(super) phone: f64,
    /// Those of them with a sign that identifiers do not have.
    pub(super) phone_signs: f64,
    pub(super) web: f64,
    /// Letters, spaces, hyphens, apostrophes and dots only.
    pub(super) letters: f64,
    /// Values that hold a known given name as one of their words.
    pub(super) given_name: f64,
    /// Of the different values of one word, shares that are known given names, surnames and cities.
    pub(super) known: Known,
    /// Words that stand before a name: Mr, Frau.
    pub(super) salutation: f64,
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

/// In which order day, month and year stand in six digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ShortOrder {
    #[default]
    Ymd,
    Dmy,
    Mdy,
}

impl ShortOrder {
    const ALL: [Self; 3] = [Self::Ymd, Self::Dmy, Self::Mdy];

    /// Returns where the day, the month and the year begin, counted from zero.
    pub(super) fn starts(self) -> [usize; 3] {
        match self {
            Self::Ymd => [4, 2, 0],
            Self::Dmy => [0, 2, 4],
            Self::Mdy => [2, 0, 4],
        }
    }

    /// Tells whether a value is six digits that can be a day in this order.
    fn fits(self, value: &str) -> bool {
        let part = |start: usize| value.get(start..start + 2)?.parse::<u32>().ok();
        let [day, month, _] = self.starts().map(part);
        value.len() == 6
            && value.bytes().all(|byte| byte.is_ascii_digit())
            && day.is_some_and(|day| (1..=31).contains(&day))
            && month.is_some_and(|month| (1..=12).contains(&month))
    }
}

/// Shares of different values that are known, and how many values those are shares of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) given_name: f64,
    pub(super) surname: f64,
    pub(super) city: f64,
    pub(super) count: usize,
}

impl Known {
    fn of<'a>(values: impl Iterator<Item = &'a str>, readers: &Readers) -> Self {
        let mut known = Self::default();
        for value in values {
            let Some(text) = readers.text(FieldKind::Text, None, value) else {
                continue;
            };
            if text.contains(|c: char| c.is_ascii_digit()) {
                continue;
            }
            let is = |holds: bool| f64::from(u8::from(holds));
            known.count += 1;
            let mut words = text.split(' ');
            known.given_name += is(words.next().is_some_and(known::is_given_name));
            known.surname += is(text.split(' ').any(known::is_surname));
            known.city += is(known::is_city(&text));
        }
        let count = (known.count as f64).max(1.0);
        known.given_name /= count;
        known.surname /= count;
        known.city /= count;
        known
    }
}

impl Shape {
    /// Looks at values.
    pub(super) fn of<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut shape = Self::default();
        let mut distinct: BTreeMap<&str, usize> = BTreeMap::new();
        let mut years = Vec::new();
        let mut short_dates = [0.0; 3];
        let readers = Readers::new();
        for value in values.take(VALUES_MAX) {
            shape.count += 1;
            *distinct.entry(value).or_default() += 1;
            if readers.text(FieldKind::Text, None, value).is_none() {
                shape.placeholder += 1.0;
                continue;
            }
            shape.add(value, &readers);
            for (count, order) in short_dates.iter_mut().zip(ShortOrder::ALL) {
                *count += f64::from(u8::from(order.fits(value)));
            }
            years.extend(year_of(value, &readers));
        }
        for (count, order) in short_dates.into_iter().zip(ShortOrder::ALL) {
            if count > shape.short_date {
                (shape.short_date, shape.short_order) = (count, order);
            }
        }
        shape.distinct = distinct.len();
        shape.known = Known::of(distinct.keys().copied(), &readers);
        let mut lens: BTreeMap<usize, usize> = BTreeMap::new();
        for (value, count) in &distinct {
            *lens.entry(value.chars().count()).or_default() += count;
        }
        shape.same_len =
            lens.values().max().map_or(0.0, |&most| most as f64) / (shape.count as f64).max(1.0);
        years.sort_unstable();
        // One in fifty at either end may be a slip.
        let at = |share: usize| years.get(years.len() * share / 50).copied();
        shape.years = at(1).zip(at(25)).zip(at(49)).map(|((a, b), c)| [a, b, c]);
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
        let short = value.strip_prefix(['\'', '’']).unwrap_or(value);
        self.short_year += is(short.len() == 2 && short.bytes().all(|b| b.is_ascii_digit()));
        let number = value.trim_start_matches(['$', '€', '£', '-']);
        let number = number.trim_end_matches(['%', '€', '£']).trim();
        // What is read as more than the number it begins with was in several units.
        let first = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        let read = readers
            .text(FieldKind::Number, None, value)
            .filter(|_| first > 0);
        let is_plain =
            |text: &str| text.trim_start_matches('0') == value[..first].trim_start_matches('0');
        let is_duration = value.contains([':', 'm', 'h'])
            && read.is_some_and(|text| !text.contains(['.', '-']) && !is_plain(&text));
        self.duration += is(is_duration);
        self.number += is(is_duration
            || digits > 0
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
        self.american += is(is_phone && is_american(value));
        self.zero += is(value.starts_with('0') && digits > 1);
        let fraction = number.rsplit_once(['.', ',']).map(|(_, fraction)| fraction);
        self.decimal += is(fraction.is_some_and(|digits| {
            !digits.is_empty() && digits.len() != 3 && digits.bytes().all(|b| b.is_ascii_digit())
        }));
        let is_letters = value
            .chars()
            .all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’' | '.' | ','));
        self.letters += is(is_letters);
        self.code += is(words == 1
            && digits > 0
            && value
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.')));
        self.add_read(value, readers, is_letters, digits == chars);
    }

    fn add_read(&mut self, value: &str, readers: &Readers, is_letters: bool, is_digits: bool) {
        let is = |holds: bool| f64::from(u8::from(holds));
        let date = readers.text(FieldKind::Date, None, value).filter(|date| {
            let year = date.get(..4).and_then(|year| year.parse::<u32>().ok());
            // Digits alone may be a number that happens to read as a day of long ago.
            let first = if is_digits { 1_700 } else { 1_000 };
            year.is_some_and(|year| (first..=2_100).contains(&year))
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
            let lower = value.to_lowercase();
            let known = lower
                .split([' ', ',', '-'])
                .filter(|word| word.len() > 2)
                .any(known::is_given_name);
            self.given_name += is(known);
            self.salutation += is(readers.is_salutation(value));
        }
        let company = readers
            .text(FieldKind::Company, None, value)
            .map_or(0, |text| text.split(' ').count());
        let plain = readers
            .text(FieldKind::Text, None, value)
            .map_or(0, |text| text.split(' ').count());
        // Initials read like legal forms: A.G. is a person.
        let has_word = value
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| word.chars().count() >= 3);
        self.legal_form += is(company < plain && has_word);
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
            &mut self.short_date,
            &mut self.time_of_day,
            &mut self.year,
            &mut self.short_year,
            &mut self.number,
            &mut self.duration,
            &mut self.phone,
            &mut self.phone_signs,
            &mut self.web,
            &mut self.letters,
            &mut self.given_name,
            &mut self.salutation,
            &mut self.decimal,
            &mut self.zero,
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

/// Returns the year of a date or of a year alone.
fn year_of(value: &str, readers: &Readers) -> Option<u32> {
    let year = |text: &str| text.parse().ok().filter(|year| (1..=2_200).contains(year));
    if value.len() == 4 {
        return year(value);
    }
    let date = readers.text(FieldKind::Date, None, value)?;
    year(date.get(..4)?)
}

/// Tells whether a telephone number is one of North America: ten digits, of which neither the area
/// nor the exchange begins with 0 or 1.
fn is_american(value: &str) -> bool {
    let digits: Vec<u8> = value.bytes().filter(u8::is_ascii_digit).collect();
    let national = match digits.as_slice() {
        [b'1', national @ ..] if national.len() == 10 => national,
        national => national,
    };
    let is_dialled = !value.starts_with('+') || value.starts_with("+1");
    is_dialled
        && national.len() == 10
        && [0, 3]
            .iter()
            .all(|&at| (b'2'..=b'9').contains(&national[at]))
}

/// Normalisers that values are shown to.
struct Readers(Locale);

impl Readers {
    fn new() -> Self {
        Self(Locale::default())
    }

    /// Tells whether a value is what may stand before a name and is none.
    fn is_salutation(&self, value: &str) -> bool {
        const NAME: &str = "quux";
        value.len() <= 12
            && self
                .text(FieldKind::FullName, None, &format!("{value} {NAME}"))
                .is_some_and(|read| read == NAME)
    }

    fn text(&self, kind: FieldKind, part: Option<Part>, value: &str) -> Option<String> {
        let mut out = String::new();
        let is_read = Normalizer::new(kind, part, &self.0).normalize(value, &mut out);
        is_read.then_some(out)
    }
}
