use super::*;

/// Numbers that look drawn and are the same every time (Lehmer's generator, Park and Miller 1988).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0 * 48_271 % 2_147_483_647;
        (self.0 >> 8) as usize % bound
    }

    fn of(&mut self, words: &str) -> String {
        let words: Vec<&str> = words.split(' ').collect();
        words[self.below(words.len())].to_owned()
    }

    /// A word that nobody knows.
    fn word(&mut self) -> String {
        (0..3)
            .map(|_| self.of("ba ke ri to lu sha mon del fir gan vo pel"))
            .collect()
    }

    /// A value of a sort.
    fn value(&mut self, sort: &str) -> String {
        match sort {
            "given" => self.of(
                "anna robert maria james lucas emma david laura peter sofia martin julia thomas clara paul nina henry alice george ruth simon helen victor rosa felix irene oscar diana hugo vera adam judith",
            ),
            "surname" => {
                if self.below(3) == 0 {
                    self.word()
                } else {
                    self.of("smith jones muller garcia rossi dubois jansen nowak silva hansen weber martin moreau bianchi lopez fischer bakker wood green taylor brown schmidt lefebvre ferrari romano kowalski berg lund holm costa")
                }
            }
            "two" => format!("{} {}", self.value("given"), self.value("surname")),
            "lastfirst" => format!("{}, {}", self.value("surname"), self.value("given")),
            "city" => self.of("leeds paris berlin madrid milan oslo boston krakow lyon bremen sevilla turin bergen dallas gdansk york dresden nantes malaga genoa tromso austin lodz hull mainz lille vigo bari"),
            "state" => self.of("nsw vic qld wa sa tas act nt"),
            "date" => format!("{}-{:02}-{:02}", 1_930 + self.below(80), 1 + self.below(12), 1 + self.below(28)),
            "recent" => format!("{:02}/{:02}/20{}", 1 + self.below(12), 1 + self.below(28), 10 + self.below(14)),
            "day" => format!("{}", 1 + self.below(31)),
            "month" => format!("{:02}", 1 + self.below(12)),
            "short" => format!("{}{:02}", self.of("' 19"), self.below(100)),
            "sixdigits" => format!("{:02}{:02}{:02}", self.below(100), 1 + self.below(12), 1 + self.below(28)),
            "initials" => self.of("A.G. K.G. J. A. S.A. B.V."),
            "year" => format!("{}", 1_950 + self.below(70)),
            "street" => format!("{} {} street", 1 + self.below(200), self.word()),
            "whole" => format!("{} {} street, {} {:05}", 1 + self.below(200), self.word(), self.value("city"), 10_000 + self.below(80_000)),
            "zip" => format!("{:05}", self.below(90_000)),
            "phone" => format!("({}) {}-{:04}", 200 + self.below(700), 200 + self.below(700), self.below(10_000)),
            "email" => format!("{}{}@{}.com", self.word(), self.below(90), self.word()),
            "salutation" => self.of("Mr Mrs Dr Ms"),
            "gender" => self.of("M F"),
            "suffix" => self.of("JR SR III II JR"),
            "party" => self.of("DEM REP UNA LIB GRE"),
            "small" => format!("{}", 1 + self.below(100)),
            "price" => format!("{}.{:02}", self.below(900), self.below(100)),
            "degrees" => format!("{}.{:06}", 40 + self.below(9), self.below(1_000_000)),
            "title" => (0..4).map(|_| self.word()).collect::<Vec<_>>().join(" "),
            "long" => (0..14).map(|_| self.word()).collect::<Vec<_>>().join(" "),
            "brand" => self.of("sonora vexel brightline kestrel norvik tamron halden"),
            "cuisine" => self.of("italian french thai bbq vegan diner"),
            "venue" => self.of("proc-a proc-b journal-of-x trans-y workshop-z") + " " + &self.word()[..2],
            "authors" => format!("{}, {}", self.value("two"), self.value("two")),
            "code" => format!("{}{:04}", self.of("AX BK CM DZ"), self.below(10_000)),
            "word" | "town" => self.word(),
            "pages" => format!("{0}-{1}", self.below(300), 300 + self.below(90)),
            _ => panic!("no sort {sort}"),
        }
    }
}

/// A source of rows: columns and the sorts of their values; `sort?` is often missing, `sort!` once.
fn profile(name: &str, columns: &[(&str, &str)]) -> Profile {
    let mut draw = Draw(4_711);
    let rows = (0..600).map(|row| {
        let values = columns.iter().map(|(_, sort)| {
            let is_missing = match sort.as_bytes() {
                [.., b'?'] => draw.below(10) > 0,
                [.., b'!'] => row == 7,
                _ => false,
            };
            let value = draw.value(sort.trim_end_matches(['?', '!']));
            if is_missing { String::new() } else { value }
        });
        let mut values: Vec<String> = values.collect();
        values.insert(0, format!("k{row}"));
        values
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let mut names = vec!["key"];
    names.extend(columns.iter().map(|(name, _)| *name));
    Profile::new(name.to_owned(), SourceSample::of_rows(&names, &rows), 0)
}

/// The fields of one source and their columns; every column is in a field or left out, once told.
fn mapped(columns: &[(&str, &str)]) -> BTreeMap<String, Vec<String>> {
    let mut profiles = [profile("only", columns)];
    let fields = map(&mut profiles);
    told(&profiles, &fields, 0)
}

fn told(profiles: &[Profile], fields: &Fields, source: usize) -> BTreeMap<String, Vec<String>> {
    let profile = &profiles[source];
    let found = fields.fields.iter().filter_map(|(name, field)| {
        let columns = &field.mapped.get(&source)?.columns;
        let columns = columns.iter().map(|&c| profile.column_name(c).to_owned());
        Some((name.clone(), columns.collect::<Vec<_>>()))
    });
    let found: BTreeMap<String, Vec<String>> = found.collect();
    for column in &profile.sample.columns {
        let in_fields = found.values().any(|columns| columns.contains(&column.name));
        let left_out = &fields.left_out[source];
        let is_left_out = left_out.iter().filter(|(name, _)| *name == column.name);
        assert_eq!(
            usize::from(in_fields || column.name == "key"),
            1 - is_left_out.count(),
            "{} is told of once: {found:?} and left out {left_out:?}",
            column.name
        );
    }
    found
}

/// Checks that fields are made of columns; a field of no column must not be there.
fn check(columns: &[(&str, &str)], expected: &[(&str, &str)]) {
    let found = mapped(columns);
    for (field, columns) in expected {
        let columns: Vec<&str> = columns.split('|').filter(|c| !c.is_empty()).collect();
        let is_found = found.get(*field).map_or(&[][..], Vec::as_slice);
        assert_eq!(is_found, columns, "{field} in {found:#?}");
    }
}

#[test]
fn a_name_beside_a_given_name_is_the_surname_in_every_language() {
    for (given, surname) in [
        ("first_name", "name"),
        ("name", "surname"),
        ("vorname", "name"),
        ("prenom", "nom"),
        ("Prénom", "Nom de famille"),
        ("nombre", "apellidos"),
        ("nome", "cognome"),
        ("nome", "sobrenome"),
        ("voornaam", "naam"),
        ("voornaam", "achternaam"),
        ("förnamn", "efternamn"),
        ("namn", "efternamn"),
        ("fornavn", "navn"),
        ("fornavn", "etternavn"),
        ("etunimi", "nimi"),
        ("imię", "nazwisko"),
        ("jméno", "příjmení"),
        ("meno", "priezvisko"),
        ("keresztnév", "név"),
        ("prenume", "nume"),
        ("ad", "soyad"),
        ("ime", "prezime"),
        ("имя", "фамилия"),
        ("ім'я", "прізвище"),
        ("όνομα", "επώνυμο"),
        ("名", "姓"),
        ("名", "姓氏"),
        ("이름", "성"),
        ("الاسم الأول", "اسم العائلة"),
        ("nama depan", "nama belakang"),
        ("kundenvorname", "kundenname"),
    ] {
        check(
            &[(surname, "surname"), (given, "given"), ("x", "email")],
            &[
                ("given_name", given),
                ("surname", surname),
                ("full_name", ""),
            ],
        );
    }
}

#[test]
fn a_name_that_holds_the_others_is_the_whole_name() {
    // Drawn apart, so only words tell; the whole name comes from nowhere else.
    check(
        &[("name", "two"), ("birthday", "date"), ("town", "city")],
        &[
            ("given_name", "name"),
            ("surname", "name"),
            ("date_of_birth", "birthday"),
        ],
    );
    check(
        &[("name", "two"), ("maiden_name", "surname")],
        &[("given_name", "name"), ("surname", "name|maiden_name")],
    );
    check(
        &[
            ("nom", "surname"),
            ("prenom", "given"),
            ("nom_naissance", "surname"),
        ],
        &[
            ("given_name", "prenom"),
            ("surname", "nom|nom_naissance"),
            ("full_name", ""),
        ],
    );
    check(
        &[("full_name", "two"), ("first_name", "given")],
        &[
            ("given_name", "first_name|full_name"),
            ("surname", "full_name"),
        ],
    );
}

#[test]
fn whole_names_beside_their_parts_say_nothing_more() {
    let mut draw = Draw(815);
    let rows = (0..300).map(|row| {
        let (given, surname) = (draw.value("given"), draw.value("surname"));
        let whole = format!("{given} {surname}");
        [
            format!("k{row}"),
            whole.clone(),
            whole,
            given,
            surname,
            draw.value("date"),
        ]
        .to_vec()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let names = [
        "unique_id",
        "full_name",
        "first_and_surname",
        "first_name",
        "surname",
        "dob",
    ];
    let mut profiles = [Profile::new(
        "only".to_owned(),
        SourceSample::of_rows(&names, &rows),
        0,
    )];
    let fields = map(&mut profiles);
    let names: Vec<&String> = fields.fields.keys().collect();
    assert_eq!(names, ["date_of_birth", "given_name", "surname"]);
}

#[test]
fn a_guess_by_values_never_displaces_what_a_name_tells() {
    check(
        &[
            ("first_name", "given!"),
            ("last_name", "surname"),
            ("party_cd", "party"),
            ("spouse", "given"),
            ("friend", "given"),
        ],
        &[
            ("given_name", "first_name"),
            ("surname", "last_name"),
            ("friend", "friend"),
        ],
    );
    check(
        &[
            ("title", "title!"),
            ("booktitle", "venue"),
            ("author", "authors"),
            ("year", "year"),
        ],
        &[
            ("title", "title"),
            ("venue", "booktitle"),
            ("authors", "author"),
            ("year", "year"),
        ],
    );
}

#[test]
fn nothing_is_mapped_over() {
    check(
        &[
            ("street", "street"),
            ("full_address", "whole"),
            ("shipping_street", "street"),
        ],
        &[
            ("street", "street|full_address"),
            ("postcode", "full_address"),
        ],
    );
    check(
        &[
            ("phone", "phone"),
            ("billing_phone", "phone"),
            ("email", "email"),
            ("work_email", "email"),
        ],
        &[
            ("phone", "phone|billing_phone"),
            ("email", "email|work_email"),
        ],
    );
}

#[test]
fn codes_and_salutations_are_no_names() {
    check(
        &[
            ("c0", "given"),
            ("c1", "surname"),
            ("c2", "state"),
            ("c3", "city"),
            ("c4", "date"),
        ],
        &[
            ("given_name", "c0"),
            ("surname", "c1"),
            ("city", "c3"),
            ("date_of_birth", "c4"),
            ("c2", ""),
        ],
    );
    check(
        &[
            ("title", "salutation"),
            ("first_name", "given"),
            ("last_name", "surname"),
        ],
        &[("title", ""), ("given_name", "first_name")],
    );
    check(
        &[
            ("a", "salutation"),
            ("b", "state"),
            ("c", "email"),
            ("d", "party"),
        ],
        &[("email", "c"), ("given_name", ""), ("title", "")],
    );
}

#[test]
fn numbers_are_read_by_their_form() {
    let found = mapped(&[
        ("a", "price"),
        ("b", "degrees"),
        ("c", "zip"),
        ("d", "code"),
        ("e", "title"),
    ]);
    let mut profiles = [profile(
        "only",
        &[("a", "price"), ("b", "degrees"), ("d", "code")],
    )];
    let fields = map(&mut profiles).fields;
    for (field, role) in [
        ("a", Role::Number),
        ("b", Role::Number),
        ("d", Role::Identifier),
    ] {
        assert_eq!(
            fields.get(field).map(|field| field.role),
            Some(role),
            "{field}"
        );
    }
    assert!(
        found.contains_key("c") && found.contains_key("e"),
        "{found:?}"
    );
}

#[test]
fn columns_of_unknown_meaning_meet_by_their_values() {
    let mut profiles = [
        profile(
            "a",
            &[
                ("x1", "given"),
                ("x2", "town"),
                ("x3", "email"),
                ("y", "brand"),
            ],
        ),
        profile("b", &[("q1", "email"), ("q2", "given"), ("q3", "town")]),
    ];
    // The same towns, though drawn in another order.
    let towns: Vec<Vec<String>> = (0..600)
        .map(|row| vec![format!("k{row}"), format!("{}-town", row % 300)])
        .collect();
    let others: Vec<Vec<String>> = (0..600)
        .map(|row| vec![format!("k{row}"), format!("{}-town", 150 + row % 300)])
        .collect();
    let fields = map(&mut profiles);
    assert_eq!(
        told(&profiles, &fields, 1).get("given_name"),
        Some(&vec!["q2".to_owned()])
    );
    let spelt = |rows: &[Vec<String>]| -> Vec<Vec<String>> {
        let letters = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "") + &roman(text);
        rows.iter()
            .map(|row| vec![row[0].clone(), letters(&row[1])])
            .collect()
    };
    let mut profiles = [
        Profile::new(
            "a".to_owned(),
            SourceSample::of_rows(&["key", "u"], &spelt(&towns)),
            0,
        ),
        Profile::new(
            "b".to_owned(),
            SourceSample::of_rows(&["key", "v"], &spelt(&others)),
            0,
        ),
    ];
    let fields = map(&mut profiles);
    assert_eq!(
        told(&profiles, &fields, 0).get("u"),
        Some(&vec!["u".to_owned()])
    );
    assert_eq!(
        told(&profiles, &fields, 1).get("u"),
        Some(&vec!["v".to_owned()])
    );
}

/// The digits of a text as letters.
fn roman(text: &str) -> String {
    text.bytes()
        .filter(u8::is_ascii_digit)
        .map(|digit| char::from(b'a' + (digit - b'0')))
        .collect()
}

#[test]
fn voters() {
    check(
        &[
            ("county_id", "small"),
            ("county_desc", "town"),
            ("voter_reg_num", "code"),
            ("last_name", "surname"),
            ("first_name", "given!"),
            ("middle_name", "given?"),
            ("name_suffix_lbl", "suffix?"),
            ("res_street_address", "street"),
            ("res_city_desc", "city"),
            ("state_cd", "state"),
            ("zip_code", "zip"),
            ("mail_addr1", "street"),
            ("mail_city", "city"),
            ("full_phone_number", "phone?"),
            ("race_code", "party"),
            ("party_cd", "party"),
            ("gender_code", "gender"),
            ("birth_age", "small"),
            ("birth_state", "state"),
            ("registr_dt", "recent"),
        ],
        &[
            ("given_name", "first_name"),
            ("surname", "last_name"),
            ("middle_name", "middle_name"),
            ("suffix", "name_suffix_lbl"),
            ("street", "res_street_address"),
            ("city", "res_city_desc"),
            ("county", "county_desc"),
            ("state", "state_cd"),
            ("postcode", "zip_code"),
            ("phone", "full_phone_number"),
            ("gender", "gender_code"),
            ("age", "birth_age"),
            ("birth_place", "birth_state"),
            ("company", ""),
            ("ethnicity", ""),
            ("category", ""),
            ("registr_dt", ""),
        ],
    );
}

#[test]
fn persons_of_history() {
    check(
        &[
            ("first_name", "given"),
            ("surname", "surname"),
            ("dob", "date"),
            ("birth_place", "town"),
            ("postcode_fake", "zip"),
            ("gender", "gender"),
            ("occupation", "brand"),
        ],
        &[
            ("given_name", "first_name"),
            ("surname", "surname"),
            ("date_of_birth", "dob"),
            ("birth_place", "birth_place"),
            ("postcode", "postcode_fake"),
            ("gender", "gender"),
            ("occupation", "occupation"),
        ],
    );
    check(
        &[
            ("vorname", "given"),
            ("name", "surname"),
            ("geboren", "year"),
            ("gestorben", "year"),
            ("ort", "city"),
        ],
        &[
            ("given_name", "vorname"),
            ("surname", "name"),
            ("birth_year", "geboren"),
            ("city", "ort"),
        ],
    );
}

#[test]
fn inventors_songs_and_products() {
    check(
        &[
            ("name_first", "given"),
            ("name_last", "surname"),
            ("city", "city"),
            ("country", "state"),
            ("lat", "degrees"),
            ("assignee", "title"),
        ],
        &[
            ("given_name", "name_first"),
            ("surname", "name_last"),
            ("city", "city"),
            ("company", "assignee"),
            ("latitude", "lat"),
        ],
    );
    check(
        &[
            ("number", "small"),
            ("title", "title"),
            ("length", "small"),
            ("artist", "two"),
            ("album", "word"),
            ("year", "year"),
            ("language", "party"),
        ],
        &[
            ("title", "title"),
            ("artist", "artist"),
            ("album", "album"),
            ("year", "year"),
            ("duration", "length"),
            ("given_name", ""),
            ("full_name", ""),
        ],
    );
    check(
        &[
            ("name", "title"),
            ("description", "long"),
            ("manufacturer", "brand"),
            ("price", "price"),
            ("modelno", "code"),
        ],
        &[
            ("title", "name"),
            ("description", "description"),
            ("brand", "manufacturer"),
            ("price", "price"),
            ("model_number", "modelno"),
        ],
    );
}

#[test]
fn restaurants_citations_and_films() {
    check(
        &[
            ("name", "title"),
            ("addr", "street"),
            ("city", "city"),
            ("phone", "phone"),
            ("type", "cuisine"),
        ],
        &[
            ("company", "name"),
            ("street", "addr"),
            ("city", "city"),
            ("phone", "phone"),
        ],
    );
    check(
        &[
            ("author", "authors"),
            ("title", "title"),
            ("journal", "venue"),
            ("volume", "small"),
            ("pages", "pages"),
            ("date", "year"),
            ("publisher", "brand"),
        ],
        &[
            ("authors", "author"),
            ("title", "title"),
            ("venue", "journal"),
            ("year", "date"),
            ("pages", "pages"),
        ],
    );
    check(
        &[
            ("movie", "title"),
            ("director", "two"),
            ("actors", "authors"),
            ("release_date", "date"),
            ("genre", "cuisine"),
        ],
        &[
            ("title", "movie"),
            ("release_date", "release_date"),
            ("category", "genre"),
            ("given_name", ""),
        ],
    );
}

#[test]
fn a_year_and_a_class_of_unknown_name_meet_by_their_values() {
    let mut profiles = [
        profile(
            "a",
            &[
                ("title", "title"),
                ("authors", "authors"),
                ("state", "state"),
                ("year", "year"),
            ],
        ),
        profile(
            "b",
            &[
                ("q1", "title"),
                ("q2", "authors"),
                ("q3", "state"),
                ("q4", "year"),
            ],
        ),
    ];
    let fields = map(&mut profiles);
    let found = told(&profiles, &fields, 1);
    assert_eq!(
        found.get("state"),
        Some(&vec!["q3".to_owned()]),
        "{found:?}"
    );
    assert_eq!(found.get("year"), Some(&vec!["q4".to_owned()]), "{found:?}");
}

/// The month was left out for its few values and the day compared as a code of its own, so dates
/// that differ in one digit were no nearer than any two.
#[test]
fn day_month_and_year_of_birth_are_one_date() {
    for parts in [
        ["by", "bm", "bd"],
        ["birth_year", "birth_month", "birth_day"],
        ["Geburtsjahr", "Monat", "Tag"],
    ] {
        let [year, month, day] = parts;
        let columns = [
            ("fname", "given"),
            ("lname", "surname"),
            (year, "year"),
            (month, "month"),
            (day, "day"),
        ];
        check(&columns, &[("date_of_birth", &parts.join("|"))]);
    }
    let without_day = [("fname", "given"), ("by", "year"), ("bm", "month")];
    check(&without_day, &[("date_of_birth", "")]);
    let of_things = [
        ("title", "title"),
        ("year", "year"),
        ("m", "month"),
        ("d", "day"),
    ];
    check(&of_things, &[("date_of_birth", "")]);
}

/// A year of two digits agreed with no year of four.
#[test]
fn years_of_two_digits_get_their_century() {
    let mut profiles = [profile("only", &[("title", "title"), ("year", "short")])];
    let fields = map(&mut profiles);
    let mapping = &fields.fields["year"].mapped[&0].mapping;
    let FieldMapping::From(OneOrMany::One(text)) = mapping else {
        panic!("{mapping:?}");
    };
    assert!(text.contains("regexp_replace"), "{text}");
}

/// The fields of each of two sources and their columns.
fn both(one: &[(&str, &str)], other: &[(&str, &str)]) -> [BTreeMap<String, Vec<String>>; 2] {
    let mut profiles = [profile("one", one), profile("other", other)];
    let fields = map(&mut profiles);
    [0, 1].map(|source| told(&profiles, &fields, source))
}

/// A street without its number met one with it, and a relative's surname the whole name.
#[test]
fn parts_stand_together_where_another_source_has_the_whole() {
    let names = [("prenom", "given"), ("nom", "surname")];
    let parts = [
        ("nom_pere", "surname"),
        ("prenom_pere", "given"),
        ("rue", "title"),
        ("hausnummer", "small"),
    ];
    let wholes = [("father", "two"), ("street", "street")];
    let [parts, wholes] = both(
        &[names, [parts[0], parts[1]]].concat(),
        &[names, [wholes[0], wholes[1]]].concat(),
    );
    assert_eq!(parts["father_name"], ["prenom_pere", "nom_pere"]);
    assert_eq!(wholes["father_name"], ["father"]);
    let [parts, wholes] = both(
        &[("name", "two"), ("rue", "word"), ("hausnummer", "small")],
        &[("name", "two"), ("street", "street")],
    );
    assert_eq!(parts["street"], ["rue", "hausnummer"]);
    assert_eq!(wholes["street"], ["street"]);
}

/// Two lists without a column in common were refused.
#[test]
fn all_words_are_compared_where_no_column_means_the_same() {
    let [split, joined] = both(
        &[("drug", "word"), ("colour", "title")],
        &[("entry", "long")],
    );
    assert_eq!(split["title"], ["drug", "colour"]);
    assert_eq!(joined["title"], ["entry"]);
}

/// Initials passed for legal forms, and a source of people then for one of firms.
#[test]
fn initials_are_no_legal_forms() {
    let columns = [("voorletters", "initials"), ("achternaam", "surname")];
    check(&columns, &[("company", ""), ("surname", "achternaam")]);
}

/// Numbers of houses were taken for the numbers of records in another source.
#[test]
fn keys_of_other_sources_tell_nothing() {
    let keys = |name: &str, count: usize| {
        let rows = (0..count).map(|row| vec![(row + 1).to_string(), (row % 199 + 1).to_string()]);
        let rows: Vec<Vec<String>> = rows.collect();
        let sample = SourceSample::of_rows(&["nr", name], &rows);
        Profile::new(name.to_owned(), sample, 0)
    };
    let mut profiles = [keys("aa", 600), keys("bb", 600)];
    profiles[0].meanings[1].role = Role::Internal;
    overlap::learn(&mut profiles);
    assert_ne!(profiles[1].meanings[1].field, "nr");
}

/// Six digits passed for a code that no two lists shared.
#[test]
fn dates_of_six_digits_are_dates() {
    let mut profiles = [profile("only", &[("name", "two"), ("dob", "sixdigits")])];
    let fields = map(&mut profiles);
    let mapping = &fields.fields["date_of_birth"].mapped[&0].mapping;
    let FieldMapping::From(OneOrMany::One(text)) = mapping else {
        panic!("{mapping:?}");
    };
    // Year, month and day are written the other way round.
    assert!(text.contains("6, '0'), 5, 2)"), "{text}");
}
