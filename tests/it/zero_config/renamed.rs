//! The shared sets under other headers: quality must hang on the records, not on English words.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::f1_of;

/// Headers of a set in another language, or without any; and the least pairwise F1.
const FAKE_1000: &[(&str, &str, f64)] = &[
    ("english", "key,first_name,name,dob,city,email", 0.95),
    (
        "french",
        "identifiant,prenom,nom,date_naissance,ville,courriel",
        0.95,
    ),
    (
        "german",
        "kundennr,vorname,name,geburtsdatum,ort,e_mail",
        0.95,
    ),
    (
        "swedish",
        "kundnr,förnamn,efternamn,födelsedatum,ort,e-post",
        0.95,
    ),
    (
        "spanish",
        "codigo,nombre,apellidos,fecha_nacimiento,ciudad,correo",
        0.95,
    ),
    (
        "russian",
        "ключ,имя,фамилия,дата_рождения,город,почта",
        0.95,
    ),
    ("japanese", "キー,名,姓,生年月日,市区町村,メール", 0.95),
    ("opaque", "k,c0,c1,c2,c3,c4", 0.94),
];

const FEBRL1: &[(&str, &str, f64)] = &[
    (
        "french",
        "id,prenom,nom,numero_rue,rue,complement_adresse,ville,code_postal,region,date_naissance,numero_securite_sociale",
        0.99,
    ),
    (
        "german",
        "id,vorname,name,hausnummer,strasse,adresszusatz,ort,plz,bundesland,geburtsdatum,sozialversicherungsnummer",
        0.99,
    ),
    (
        "swedish",
        "id,fornamn,namn,husnummer,gata,adress_2,postort,postnummer,län,födelsedatum,personnummer",
        0.99,
    ),
    (
        "spanish",
        "id,nombre,apellidos,numero_calle,calle,complemento,ciudad,codigo_postal,provincia,fecha_nacimiento,dni",
        0.99,
    ),
    ("opaque", "k,c0,c1,c2,c3,c4,c5,c6,c7,c8,c9", 0.98),
];

#[test]
fn quality_hangs_on_the_records_and_not_on_the_language_of_the_headers() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    if !data.is_dir() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let mut table = format!("{:<12}{:<12}{:>9}{:>9}\n", "set", "headers", "F1", "bound");
    let mut is_low = false;
    for (set, headers) in [("fake_1000", FAKE_1000), ("febrl1", FEBRL1)] {
        let text = fs::read_to_string(data.join(set).join("records.csv")).unwrap();
        let (_, rows) = text.split_once('\n').unwrap();
        for (language, header, bound) in headers {
            let folder = root.path().join(set).join(language);
            fs::create_dir_all(&folder).unwrap();
            let file = folder.join("records.csv");
            fs::write(&file, format!("{header}\n{rows}")).unwrap();
            let truth = data.join(set).join("truth.csv");
            let f1 = f1_of(&folder.join("out"), &[file], &truth);
            let mark = if f1 < *bound { "  TOO LOW" } else { "" };
            is_low |= f1 < *bound;
            let _ = writeln!(table, "{set:<12}{language:<12}{f1:>9.4}{bound:>9.3}{mark}");
        }
    }
    // Print macros would be captured.
    let _ = std::io::stderr().write_all(format!("\n{table}").as_bytes());
    assert!(!is_low, "\n{table}");
}
