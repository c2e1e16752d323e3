//! Names of organisations.

use super::text::{push_joined, push_words, replaced};

/// Legal forms that are dropped wherever they stand after the first word; in byte order.
const LEGAL_FORMS: &[&str] = &[
    "ab",
    "aktiebolag",
    "aktiengesellschaft",
    "aps",
    "asbl",
    "bhd",
    "bv",
    "bvba",
    "cjsc",
    "corp",
    "corporation",
    "cvba",
    "ehf",
    "eireli",
    "eood",
    "eurl",
    "ev",
    "gbr",
    "gesmbh",
    "gmbh",
    "inc",
    "incorporated",
    "jsc",
    "kft",
    "kgaa",
    "lda",
    "limitada",
    "limited",
    "limitee",
    "llc",
    "llp",
    "ltd",
    "ltda",
    "ltee",
    "mbh",
    "nv",
    "nyrt",
    "oao",
    "ohg",
    "ojsc",
    "ood",
    "ooo",
    "oy",
    "oyj",
    "pao",
    "partgmbb",
    "pjsc",
    "plc",
    "pllc",
    "pte",
    "pty",
    "pvt",
    "sarl",
    "sas",
    "sasu",
    "sdn",
    "snc",
    "sprl",
    "srl",
    "sro",
    "tbk",
    "ug",
    "vof",
    "zao",
    "zrt",
];

/// Legal forms that are also ordinary words and are dropped only at the end; in byte order.
const TRAILING_FORMS: &[&str] = &[
    "ag", "and", "as", "asa", "co", "company", "cv", "de", "doo", "ek", "kg", "kk", "lp", "oo",
    "pc", "private", "sa", "se", "sl", "spa", "the", "z",
];

/// What stands before a name and is dropped there: articles, and the legal forms of Russia; in byte order.
const LEADING_WORDS: &[&str] = &["oao", "ooo", "pao", "the", "zao"];

/// What is written to what is kept; in byte order.
const WORDS: &[(&str, &str)] = &[
    ("assn", "association"),
    ("assoc", "association"),
    ("associates", "association"),
    ("bros", "brothers"),
    ("centre", "center"),
    ("ctr", "center"),
    ("dept", "department"),
    ("grp", "group"),
    ("hosp", "hospital"),
    ("inst", "institute"),
    ("int", "international"),
    ("intl", "international"),
    ("mfg", "manufacturing"),
    ("mgmt", "management"),
    ("natl", "national"),
    ("org", "organization"),
    ("organisation", "organization"),
    ("services", "service"),
    ("svc", "service"),
    ("svcs", "service"),
    ("sys", "systems"),
    ("tech", "technology"),
    ("technologies", "technology"),
    ("univ", "university"),
];

/// Appends the name without its legal form.
pub(super) fn push_company(folded: &str, out: &mut String) {
    let mut text = String::with_capacity(folded.len());
    push_words(&spelt_out(folded), &mut text);
    // The Polish form is the only one of several words that are no forms by themselves.
    if text.ends_with(" sp z oo") {
        text.truncate(text.len() - " sp z oo".len());
    }
    let mut words: Vec<&str> = text.split(' ').map(|word| replaced(WORDS, word)).collect();
    let leading = words
        .iter()
        .take_while(|word| LEADING_WORDS.binary_search(word).is_ok());
    let leading = leading.count();
    words.drain(..leading.min(words.len() - 1));
    let mut index = 0;
    words.retain(|word| {
        index += 1;
        index == 1 || LEGAL_FORMS.binary_search(word).is_err()
    });
    while words.len() > 1
        && words
            .last()
            .is_some_and(|word| TRAILING_FORMS.binary_search(word).is_ok())
    {
        words.pop();
    }
    push_joined(words.into_iter(), out);
}

/// Writes `&` and `+` as a word and joins letters that dots or a stroke separate: `s.a.` as `sa`, `a/s` as `as`.
fn spelt_out(folded: &str) -> String {
    let mut text = String::with_capacity(folded.len() + 8);
    let mut previous = [' '; 2];
    for character in folded.chars() {
        match character {
            '&' | '+' => text.push_str(" and "),
            '.' | '/' if previous[1].is_alphabetic() && !previous[0].is_alphanumeric() => {}
            _ => text.push(character),
        }
        previous = [previous[1], character];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order() {
        assert!(LEGAL_FORMS.is_sorted());
        assert!(TRAILING_FORMS.is_sorted());
        assert!(LEADING_WORDS.is_sorted());
        assert!(WORDS.is_sorted(), "{WORDS:?}");
    }
}
