//! Telephone numbers in international form (ITU-T E.164) where the country is known.

use super::calling_codes::{NUMBERING_PLANS, NumberingPlan};
use super::placeholder::is_filler_digits;
use super::text::without_fraction;

/// A number of fewer digits is none.
const DIGITS_MIN: usize = 5;
/// The most digits of a value that is taken for one number.
const DIGITS_MAX: usize = 18;
/// The most digits of an international number.
const INTERNATIONAL_LEN_MAX: usize = 15;
/// From so many digits on, letters are remarks and further numbers are others.
const WHOLE_LEN_MIN: usize = 7;
/// A number of fewer digits after the code of its country is more likely one without that code.
const AFTER_CODE_LEN_MIN: usize = 7;

/// What is dialled to call abroad where nothing else is known.
const ABROAD: &str = "00";

/// Marks of an extension, the longest first.
const EXTENSION_MARKS: &[&str] = &[
    "extension",
    "durchwahl",
    "poste",
    "extn",
    "ext",
    "app",
    "x",
    "#",
];

/// Returns the region of this code in any case, if it has a numbering plan.
pub(crate) fn region_of(code: &str) -> Option<&'static str> {
    let Numbering(plan) = Numbering::of(Some(code));
    plan.map(|plan| plan.region)
}

/// How numbers without a country code are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbering(Option<&'static NumberingPlan>);

impl Numbering {
    /// Returns the numbering of a region (ISO 3166-1 alpha-2); of none if it is unknown.
    pub(super) fn of(region: Option<&str>) -> Self {
        let is_region = |plan: &&NumberingPlan| {
            region.is_some_and(|region| region.trim().eq_ignore_ascii_case(plan.region))
        };
        Self(NUMBERING_PLANS.iter().find(is_region))
    }

    /// Appends the number: `+` and all digits if the country is known, else the digits alone.
    pub(super) fn push_number(self, folded: &str, out: &mut String) {
        let dialled = Dialled::read(folded);
        if !(DIGITS_MIN..=DIGITS_MAX).contains(&dialled.digits.len()) {
            return;
        }
        match self.resolve(&dialled) {
            Some((_, national)) if is_filler_digits(national) => {}
            Some((code, national)) => {
                out.push('+');
                out.push_str(&code.to_string());
                out.push_str(national);
            }
            None if is_filler_digits(&dialled.digits) => {}
            None => out.push_str(&dialled.digits),
        }
    }

    /// Finds the country code and the national number.
    fn resolve(self, dialled: &Dialled) -> Option<(u16, &str)> {
        let digits = dialled.digits.as_str();
        if dialled.international
            && let Some(number) = international(digits)
        {
            return Some(number);
        }
        let Some(plan) = self.0 else {
            return digits
                .strip_prefix(ABROAD)
                .and_then(plausible_international);
        };
        if let Some(national) = after_own_code(plan, digits) {
            return Some((plan.code, national));
        }
        if let Some(national) = national(plan, digits) {
            return Some((plan.code, national));
        }
        let abroad = digits
            .strip_prefix(plan.abroad)
            .or_else(|| digits.strip_prefix(ABROAD));
        if let Some(number) = abroad.and_then(plausible_international) {
            return Some(number);
        }
        let own = digits.strip_prefix(plan.code.to_string().as_str());
        let own = own
            .map(|rest| without_needless_trunk(plan, rest))
            .filter(|rest| fits(plan, rest));
        own.map(|national| (plan.code, national))
    }
}

/// The digits of a written number, and whether a plus sign stands before them.
#[derive(Debug)]
struct Dialled {
    digits: String,
    international: bool,
}

impl Dialled {
    /// Reads a folded text: what is before the number, extensions, further numbers and the fraction
    /// of a floating-point column are left out.
    fn read(folded: &str) -> Self {
        let folded = without_fraction(folded.trim());
        let start = folded
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(folded.len());
        let international = folded[..start].contains('+');
        let number = first_number(&folded[start..]);
        let digit_count = number.bytes().filter(u8::is_ascii_digit).count();
        let keep_letters = digit_count < WHOLE_LEN_MIN;
        let digit = |c: char| match c {
            '0'..='9' => Some(c),
            'a'..='z' if keep_letters => Some(key_of(c)),
            _ => None,
        };
        Self {
            digits: number.chars().filter_map(digit).collect(),
            international,
        }
    }
}

/// Cuts off extensions, remarks and further numbers.
fn first_number(text: &str) -> &str {
    let mut digit_count = 0;
    for (index, character) in text.char_indices() {
        let rest = &text[index..];
        digit_count += usize::from(character.is_ascii_digit());
        let whole = digit_count >= WHOLE_LEN_MIN;
        let separates = matches!(character, ',' | ';' | '|')
            || (character == '/'
                && rest.bytes().filter(u8::is_ascii_digit).count() >= WHOLE_LEN_MIN);
        let may_extend = digit_count >= DIGITS_MIN && !character.is_ascii_digit();
        if (whole && separates) || (may_extend && is_extension(rest)) {
            return &text[..index];
        }
    }
    text
}

/// Tells whether a text is a mark of an extension and its number.
fn is_extension(text: &str) -> bool {
    let Some(number) = EXTENSION_MARKS
        .iter()
        .find_map(|mark| text.strip_prefix(mark))
    else {
        return false;
    };
    number
        .trim_start_matches([' ', '.', ':', '=', '-'])
        .starts_with(|c: char| c.is_ascii_digit())
}

/// Returns the key of a letter on a telephone (ITU-T E.161).
fn key_of(letter: char) -> char {
    match letter {
        'a'..='c' => '2',
        'd'..='f' => '3',
        'g'..='i' => '4',
        'j'..='l' => '5',
        'm'..='o' => '6',
        'p'..='s' => '7',
        't'..='v' => '8',
        _ => '9',
    }
}

/// Reads digits after a plus sign: whoever writes one means it, so the length may be wrong.
fn international(digits: &str) -> Option<(u16, &str)> {
    let (plan, rest) = plan_of(digits)?;
    let national = without_needless_trunk(plan, rest);
    let digit_count = digits.len() - rest.len() + national.len();
    let bounded = (DIGITS_MIN..=INTERNATIONAL_LEN_MAX).contains(&digit_count);
    bounded.then_some((plan.code, national))
}

/// Reads digits after an international prefix, which could be digits of a number: the length must fit.
fn plausible_international(digits: &str) -> Option<(u16, &str)> {
    let (plan, rest) = plan_of(digits)?;
    let national = without_needless_trunk(plan, rest);
    fits(plan, national).then_some((plan.code, national))
}

/// Finds the country whose code begins the digits; no code begins another.
fn plan_of(digits: &str) -> Option<(&'static NumberingPlan, &str)> {
    (1..=3).find_map(|len| {
        let (code, rest) = digits.split_at_checked(len)?;
        let code: u16 = code.parse().ok().filter(|_| !code.starts_with('0'))?;
        let index = NUMBERING_PLANS.partition_point(|plan| plan.code < code);
        let plan = NUMBERING_PLANS
            .get(index)
            .filter(|plan| plan.code == code)?;
        Some((plan, rest))
    })
}

/// Reads a number that begins with the code of its own country, without a plus sign.
///
/// Where numbers have many lengths (Germany, Austria, Italy, Indonesia), it would fit as a number
/// dialled within the country too; but that one would begin with the trunk prefix.
fn after_own_code<'d>(plan: &NumberingPlan, digits: &'d str) -> Option<&'d str> {
    if plan.len_min == plan.len_max || !plan.trunk.is_empty() && digits.starts_with(plan.trunk) {
        return None;
    }
    let rest = digits.strip_prefix(plan.code.to_string().as_str())?;
    let rest = without_needless_trunk(plan, rest);
    let is_whole = rest.len() >= AFTER_CODE_LEN_MIN && fits(plan, rest);
    // Without a trunk prefix nothing but its beginning tells a number from its code and another.
    (is_whole && (!plan.trunk.is_empty() || begins_a_number(plan, rest))).then_some(rest)
}

/// Tells whether a number of a country without a trunk prefix begins as its numbers do.
fn begins_a_number(plan: &NumberingPlan, national: &str) -> bool {
    match plan.region {
        // Italian numbers keep their zero; those of mobile telephones begin with a three.
        "IT" | "SM" | "VA" => {
            national.starts_with('0') || national.starts_with('3') && national.len() >= 9
        }
        _ => false,
    }
}

/// Reads a number as dialled within a country.
fn national<'d>(plan: &NumberingPlan, digits: &'d str) -> Option<&'d str> {
    if plan.abroad.len() > 1 && digits.starts_with(plan.abroad) {
        return None;
    }
    let stripped = digits.strip_prefix(plan.trunk).unwrap_or(digits);
    [stripped, digits]
        .into_iter()
        .find(|number| fits(plan, number))
}

/// Cuts off a trunk prefix that was written after the country code.
fn without_needless_trunk<'d>(plan: &NumberingPlan, digits: &'d str) -> &'d str {
    if begins_no_number(plan.trunk) {
        return digits.trim_start_matches(plan.trunk);
    }
    let stripped = digits.strip_prefix(plan.trunk).unwrap_or(digits);
    if !fits(plan, digits) && fits(plan, stripped) {
        stripped
    } else {
        digits
    }
}

/// Tells whether no national number begins with the trunk prefix of its country.
fn begins_no_number(trunk: &str) -> bool {
    matches!(trunk, "0" | "1")
}

/// Tells whether a national number has a form that its country uses.
fn fits(plan: &NumberingPlan, national: &str) -> bool {
    (usize::from(plan.len_min)..=usize::from(plan.len_max)).contains(&national.len())
        && !(begins_no_number(plan.trunk) && national.starts_with(plan.trunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_in_order_of_their_code() {
        assert!(NUMBERING_PLANS.is_sorted_by_key(|plan| plan.code));
    }
}
