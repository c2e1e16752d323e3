use super::*;

/// Derives the values of one value.
fn derived(form: Form, kind: FieldKind, value: &str) -> Vec<String> {
    let mut all = Vec::new();
    derive(form, kind, value, &mut |value| all.push(value.to_owned()));
    all
}

#[test]
fn names_in_messages_are_names_that_parse() {
    for name in Form::names() {
        assert!(Form::parse(name).is_some(), "{name}");
    }
    assert!(Form::names().is_sorted());
}

#[test]
fn forms_are_written_as_they_are_read() {
    for (_, form) in PLAIN {
        assert_eq!(Form::parse(&form.to_string()), Some(*form));
    }
    for len in 1..=AFFIX_LEN_MAX {
        for form in [Form::Prefix(len), Form::Suffix(len)] {
            assert_eq!(Form::parse(&form.to_string()), Some(form));
        }
    }
    for percent in MINHASH_PERCENT {
        for form in [Form::Minhash(percent), Form::WordMinhash(percent)] {
            assert_eq!(Form::parse(&form.to_string()), Some(form));
        }
    }
    for unknown in [
        "",
        "prefix",
        "prefix0",
        "prefix33",
        "prefix-1",
        "last999",
        "years",
        "3",
        "minhash",
        "minhash19",
        "minhash96",
        "word_minhash0.5",
    ] {
        assert_eq!(Form::parse(unknown), None, "{unknown}");
    }
}

#[test]
fn parts_of_values_are_derived() {
    use FieldKind as K;
    let cases: &[(Form, K, &str, &[&str])] = &[
        (Form::Whole, K::Text, "a b", &["a b"]),
        (Form::Whole, K::Text, "", &[]),
        (Form::Initial, K::GivenName, "maria", &["m"]),
        (Form::Prefix(3), K::Surname, "smith", &["smi"]),
        (Form::Prefix(3), K::Surname, "li", &["li"]),
        (Form::Suffix(7), K::Phone, "+17029191300", &["9191300"]),
        (Form::Suffix(20), K::Phone, "+17029191300", &["17029191300"]),
        (Form::Suffix(2), K::Identifier, "AB12", &["12"]),
        (Form::Year, K::Date, "2001-04-03", &["2001"]),
        (Form::Month, K::Date, "2001-04-03", &["04"]),
        (Form::Day, K::Date, "2001-04-03", &["03"]),
        (Form::Year, K::Surname, "smith", &[]),
        (Form::User, K::Email, "ann.lee@mail.org", &["ann.lee"]),
        (Form::Domain, K::Email, "ann.lee@mail.org", &["mail.org"]),
        (
            Form::Tokens,
            K::Email,
            "ann.lee@mail.org",
            &["ann", "lee", "mail", "org"],
        ),
        (Form::Digits, K::Street, "12 king st unit4", &["124"]),
        (Form::Digits, K::Street, "king st", &[]),
        (
            Form::Sorted,
            K::FullName,
            "john adam smith",
            &["adam john smith"],
        ),
        (Form::Tokens, K::Text, "the art of a war", &["art", "war"]),
        (Form::FirstToken, K::FullName, "john adam smith", &["john"]),
        (Form::LastToken, K::FullName, "john adam smith", &["smith"]),
        (Form::HouseNumber, K::Street, "12 king st unit4", &["12"]),
        (Form::HouseNumber, K::Street, "hardenbergstr 87", &["87"]),
        (Form::HouseNumber, K::Street, "32nd st 5b", &["5b"]),
        (Form::HouseNumber, K::Street, "po box 77", &[]),
        (Form::Phonetic, K::Surname, "smith", &["SM0"]),
        (Form::Phonetic, K::Surname, "12", &[]),
    ];
    for (form, kind, value, expected) in cases {
        assert_eq!(derived(*form, *kind, value), *expected, "{form} of {value}");
    }
}

#[test]
fn names_that_sound_alike_share_a_code() {
    for (a, b) in [
        ("smith", "smyth"),
        ("catherine", "katherine"),
        ("philip", "filip"),
    ] {
        let code = |name| derived(Form::Phonetic, FieldKind::GivenName, name);
        assert_eq!(code(a), code(b), "{a} {b}");
        assert_eq!(code(a).len(), 1);
    }
}

#[test]
fn diminutives_meet_their_formal_names() {
    let names = |name| derived(Form::Nickname, FieldKind::GivenName, name);
    let meet = |a, b| names(a).iter().any(|name| names(b).contains(name));
    for (a, b) in [
        ("bob", "robert"),
        ("bobby", "rob"),
        ("alex", "alexander"),
        ("alex", "alexandra"),
        ("peggy", "margaret"),
        ("liz", "elizabeth"),
        ("mhd", "mohammed"),
        ("jack", "john"),
        ("bill j", "william"),
    ] {
        assert!(meet(a, b), "{a} {b}");
    }
    for (a, b) in [
        ("robert", "william"),
        ("john", "robert"),
        ("alexander", "alexandra"),
    ] {
        assert!(!meet(a, b), "{a} {b}");
    }
    assert_eq!(names("zebedee"), ["zebedee"]);
}

#[test]
fn a_diminutive_in_a_full_name_leaves_the_rest() {
    let names = derived(Form::Nickname, FieldKind::FullName, "bob smith");
    assert!(names.contains(&"robert smith".to_owned()));
    assert!(names.contains(&"bob smith".to_owned()));
}
