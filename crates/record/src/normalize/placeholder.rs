//! Values that people and systems write where they know none.
//!
//! A placeholder shared by thousands of records would link them, so it counts as missing. The
//! tables are general knowledge of forms and databases and err on the side of keeping a value:
//! surnames such as Null or Nil are given up, names such as Na or Nan are not.

use super::word_filter::WordFilter;
use crate::FieldKind;

/// The longest entry of the tables below in bytes; longer texts are in none of them.
pub(super) const WORD_LEN_MAX: usize = 14;

/// Words that mean "no value" in a field of any kind; in byte order.
static ANYWHERE: Table = Table::new(&[
    "blank",
    "empty",
    "missing",
    "n / a",
    "n.a",
    "n/a",
    "n\\a",
    "nil",
    "no data",
    "no value",
    "none",
    "not applicable",
    "not available",
    "not given",
    "not known",
    "not provided",
    "not specified",
    "null",
    "tba",
    "tbc",
    "tbd",
    "unavailable",
    "undefined",
    "unk",
    "unknown",
    "unspecified",
]);

/// Words that mean "no value" except where a person may bear them; in byte order.
static NOT_IN_NAMES: Table = Table::new(&["-", "na", "nan", "xx", "xxx"]);

/// Words that are no person's and no organisation's name; in byte order.
static ONLY_IN_NAMES: Table = Table::new(&[
    "anonymous",
    "asdf",
    "do not use",
    "donotuse",
    "dummy",
    "first name",
    "firstname",
    "fname",
    "last name",
    "lastname",
    "lname",
    "no name",
    "noname",
    "qwerty",
    "surname",
    "test",
    "test test",
    "tester",
    "testing",
    "unnamed",
]);

/// Days that databases and forms fill in: epochs, lowest and highest dates; in byte order.
static DATES: Table = Table::new(&[
    "0001-01-01",
    "1111-11-11",
    "1753-01-01",
    "1899-12-30",
    "1899-12-31",
    "1900-01-01",
    "1970-01-01",
    "2222-02-02",
    "2999-12-31",
    "9999-01-01",
    "9999-12-31",
]);

/// Mailboxes that nobody reads; in byte order.
static UNREAD_USERS: Table = Table::new(&[
    "do-not-reply",
    "do.not.reply",
    "do_not_reply",
    "donotreply",
    "no-email",
    "no-reply",
    "no.email",
    "no.reply",
    "no_email",
    "no_reply",
    "noemail",
    "nomail",
    "noreply",
]);

/// Words that, on both sides of the @, make an address up; in byte order.
static MADE_UP: Table = Table::new(&[
    "a", "aa", "abc", "asdf", "email", "example", "fake", "mail", "na", "no", "noemail", "nomail",
    "none", "null", "test", "unknown", "x", "xx", "xxx", "xyz",
]);

/// Tells whether a folded value of a field stands for a missing one.
pub(super) fn stands_for_missing(kind: FieldKind, folded: &str) -> bool {
    let text = folded.trim_matches(|c: char| !c.is_alphanumeric());
    if text.is_empty() || ANYWHERE.lists(text) {
        return true;
    }
    match kind {
        FieldKind::GivenName | FieldKind::Surname | FieldKind::FullName => {
            ONLY_IN_NAMES.lists(text) || is_one_letter_repeated(text)
        }
        FieldKind::City | FieldKind::Company | FieldKind::Street => {
            NOT_IN_NAMES.lists(text) || is_one_letter_repeated(text)
        }
        _ => NOT_IN_NAMES.lists(text),
    }
}

/// A table and what refuses most texts before it is searched.
struct Table {
    words: &'static [&'static str],
    filter: WordFilter,
}

impl Table {
    const fn new(words: &'static [&'static str]) -> Self {
        let filter = WordFilter::of(words);
        Self { words, filter }
    }

    fn lists(&self, text: &str) -> bool {
        self.filter.may_hold(text) && self.words.binary_search(&text).is_ok()
    }
}

/// Tells whether a date in ISO form is one that systems fill in.
pub(super) fn is_filler_date(date: &str) -> bool {
    DATES.lists(date)
}

/// Tells whether digits were typed to fill a field: one digit repeated, or digits in order.
pub(super) fn is_filler_digits(digits: &str) -> bool {
    const FILLER_LEN_MIN: usize = 5;
    digits.len() >= FILLER_LEN_MIN && (is_repeated(digits) || is_run(digits))
}

/// Tells whether an e-mail address reaches nobody.
pub(super) fn is_filler_email(user: &str, domain: &str) -> bool {
    let host = domain.split('.').next().unwrap_or(domain);
    UNREAD_USERS.lists(user) || (MADE_UP.lists(user) && MADE_UP.lists(host))
}

/// Tells whether all characters are equal; an empty text has none that differ.
pub(super) fn is_repeated(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next();
    characters.all(|character| Some(character) == first)
}

/// Tells whether a text is `xx` or one letter three times or more.
fn is_one_letter_repeated(text: &str) -> bool {
    let long_enough = text.len() >= 3 || text.len() == 2 && text.starts_with('x');
    long_enough && text.starts_with(|c: char| c.is_ascii_lowercase()) && is_repeated(text)
}

/// Tells whether each digit is one more than the one before, or one less; nine is followed by zero.
fn is_run(digits: &str) -> bool {
    let steps_by = |step: u8| {
        let pairs = digits.as_bytes().windows(2);
        pairs
            .into_iter()
            .all(|pair| (pair[0] - b'0' + step) % 10 == pair[1] - b'0')
    };
    steps_by(1) || steps_by(9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order() {
        for table in [
            &ANYWHERE,
            &NOT_IN_NAMES,
            &ONLY_IN_NAMES,
            &DATES,
            &UNREAD_USERS,
            &MADE_UP,
        ] {
            let table = table.words;
            assert!(table.is_sorted_by(|a, b| a < b), "{table:?}");
            let longest = table.iter().map(|word| word.len()).max();
            assert!(longest <= Some(WORD_LEN_MAX), "{table:?}");
        }
    }
}
