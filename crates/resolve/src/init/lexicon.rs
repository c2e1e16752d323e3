//! Names that columns have in several languages, and the roles they tell.

use sameas_record::{FieldKind, Locale, Normalizer};

use super::role::Role;

/// What a name tells: the role, the field it maps to and how much of the name was understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) role: Role,
    pub(super) field: String,
    /// From 0 to 1.
    pub(super) score: f64,
}

/// Words that say whose or which value it is, not what it is.
const QUALIFIERS: &[&str] = &[
    "primary",
    "main",
    "customer",
    "cust",
    "client",
    "contact",
    "person",
    "personal",
    "member",
    "patient",
    "employee",
    "voter",
    "inventor",
    "owner",
    "user",
    "billing",
    "shipping",
    "home",
    "work",
    "mobile",
    "private",
    "native",
    "legal",
    "current",
    "kunde",
    "kunden",
    "nom",
    "the",
    "of",
    "de",
    "du",
    "di",
    "da",
    "der",
    "des",
    "van",
    "del",
    "la",
    "le",
    "no",
    "nr",
    "value",
    "text",
    "raw",
    "clean",
    "norm",
    "original",
    "res",
    "residence",
    "residential",
    "permanent",
    "registered",
    "official",
    "applicant",
    "subject",
    "holder",
    "secondary",
    "alt",
    "other",
    "klant",
    "cliente",
    "klient",
    "klienta",
    "mailing",
    "postal",
    "birth",
    "str",
];

/// Last words that make a column say something about another one.
const ATTRIBUTES: &[&str] = &[
    "type",
    "typ",
    "tipo",
    "flag",
    "status",
    "count",
    "source",
    "kind",
    "class",
    "version",
    "rank",
    "verified",
    "confidence",
    "format",
    "lang",
    "role",
    "comment",
    "note",
    "notes",
];

/// Words of a name, role, and the field; an empty field takes the name of the role.
type Entry = (Role, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const ENTRIES: &[Entry] = &[
    (Role::GivenName, "given_name", &["given name", "givenname", "given names", "first name", "firstname", "fname", "forename", "forenames", "first", "given", "vorname", "vornamen", "prenom", "prenoms", "nombre de pila", "primer nombre", "nombres", "nome proprio", "primeiro nome", "voornaam", "voornamen", "roepnaam", "imie", "imiona", "name first", "jmeno", "fornavn", "fornamn", "etunimi", "keresztnev", "ad", "prenume"]),
    (Role::MiddleName, "middle_name", &["middle name", "middlename", "middle", "mname", "middle initial", "mi", "second name", "zweiter vorname", "deuxieme prenom", "segundo nombre", "secondo nome", "drugie imie", "tussenvoegsel"]),
    (Role::Surname, "surname", &["surname", "last name", "lastname", "lname", "family name", "familyname", "last", "sname", "maiden name", "nachname", "familienname", "zuname", "geburtsname", "nom de famille", "nom famille", "apellido", "apellidos", "primer apellido", "cognome", "sobrenome", "apelido", "ultimo nome", "achternaam", "familienaam", "nazwisko", "prijmeni", "etternavn", "efternamn", "sukunimi", "efternavn", "vezeteknev", "soyad", "name last", "nume"]),
    (Role::FullName, "full_name", &["full name", "fullname", "person name", "name full", "display name", "vollname", "vollstandiger name", "nom complet", "nombre completo", "nome completo", "volledige naam", "imie nazwisko", "imie i nazwisko", "nombre y apellidos", "nom prenom", "vor und nachname", "ansprechpartner", "contact name", "contact person", "inventor", "author name", "patient name", "voter name", "kundenname", "customer name"]),
    (Role::Name, "name", &["name", "nome", "nombre", "nom", "naam", "nazwa", "bezeichnung", "denominazione", "designation", "naziv", "navn", "namn"]),
    (Role::Suffix, "suffix", &["suffix", "name suffix", "generation", "namenszusatz", "sfx"]),
    (Role::Gender, "gender", &["gender", "sex", "geschlecht", "sexe", "genre personne", "sexo", "sesso", "geslacht", "plec", "genero"]),
    (Role::BirthDate, "date_of_birth", &["date of birth", "dateofbirth", "birth date", "birthdate", "birthday", "dob", "born", "geburtsdatum", "geburtstag", "geb datum", "gebdatum", "date de naissance", "date naissance", "naissance", "fecha de nacimiento", "fecha nacimiento", "nacimiento", "data di nascita", "data nascita", "data de nascimento", "data nascimento", "nascimento", "geboortedatum", "data urodzenia", "urodzenia", "fodselsdato", "fodelsedatum", "birth dt", "bday"]),
    (Role::Year, "birth_year", &["birth year", "year of birth", "yob", "geburtsjahr", "annee de naissance", "annee naissance", "ano de nacimiento", "anno di nascita", "anno nascita", "ano nascimento", "geboortejaar", "rok urodzenia"]),
    (Role::City, "birth_place", &["birth place", "birthplace", "place of birth", "geburtsort", "lieu de naissance", "lieu naissance", "lugar de nacimiento", "luogo di nascita", "luogo nascita", "geboorteplaats", "miejsce urodzenia", "local de nascimento"]),
    (Role::Date, "date_of_death", &["date of death", "death date", "dod", "sterbedatum", "todesdatum", "date de deces", "fecha de defuncion", "data di morte", "overlijdensdatum", "data zgonu"]),
    (Role::Email, "email", &["email", "e mail", "mail", "email address", "mailadresse", "emailadresse", "courriel", "adresse email", "adresse mail", "correo", "correo electronico", "posta elettronica", "emailadres", "adres email", "poczta"]),
    (Role::Phone, "phone", &["phone", "telephone", "tel", "mobile", "cell", "cellphone", "mobile phone", "phone number", "telephone number", "fon", "telefon", "telefonnummer", "handy", "handynummer", "mobil", "mobilnummer", "rufnummer", "portable", "telephone portable", "telefono", "movil", "celular", "cellulare", "telefone", "telemovel", "telefoon", "telefoonnummer", "gsm", "komorka", "numer telefonu", "fax"]),
    (Role::HouseNumber, "house_number", &["house number", "house no", "street number", "street no", "building number", "hausnummer", "hausnr", "haus nr", "numero de rue", "numero rue", "numero civico", "civico", "huisnummer", "numer domu", "nr domu", "numero de casa", "number street"]),
    (Role::AddressLine2, "address_2", &["address 2", "address line 2", "address2", "addr2", "addr 2", "addr line 2", "adresszusatz", "complement adresse", "apartment", "unit", "flat", "complemento", "toevoeging", "address 3", "address line 3"]),
    (Role::Street, "street", &["street", "street address", "street name", "address 1", "address line 1", "address1", "addr1", "addr 1", "addr line1", "addr line 1", "address line1", "address line", "strasse", "strassenname", "str", "rue", "voie", "calle", "via", "indirizzo", "rua", "morada", "logradouro", "straat", "straatnaam", "ulica", "direccion", "domicilio", "endereco"]),
    (Role::Address, "address", &["address", "addr", "full address", "addr full", "address full", "adresse", "anschrift", "adres", "adresa", "location address"]),
    (Role::City, "city", &["city", "town", "suburb", "locality", "municipality", "stadt", "ort", "wohnort", "ortschaft", "gemeinde", "ville", "commune", "localite", "ciudad", "localidad", "poblacion", "municipio", "citta", "comune", "localita", "cidade", "localidade", "stad", "plaats", "woonplaats", "gemeente", "miasto", "miejscowosc", "mesto", "district"]),
    (Role::State, "state", &["state", "province", "region", "county", "bundesland", "departement", "provincia", "estado", "regione", "provincie", "wojewodztwo", "prov", "territory", "precinct"]),
    (Role::Country, "country", &["country", "nation", "nationality", "land", "staat", "pays", "pais", "paese", "kraj", "country code"]),
    (Role::Postcode, "postcode", &["postcode", "postal code", "post code", "postalcode", "zip", "zip code", "zipcode", "plz", "postleitzahl", "code postal", "cp", "codigo postal", "cap", "cep", "postcode pc6", "kod pocztowy", "postkod", "postnummer", "addr postal code", "pcode"]),
    (Role::Company, "company", &["company", "company name", "organisation", "organization", "org", "business", "business name", "employer", "firm", "corporation", "name org", "org name", "firma", "firmenname", "firmenbezeichnung", "unternehmen", "unternehmensname", "arbeitgeber", "entreprise", "societe", "raison sociale", "denomination", "empresa", "razon social", "azienda", "ragione sociale", "societa", "ditta", "razao social", "bedrijf", "bedrijfsnaam", "handelsnaam", "przedsiebiorstwo", "nazwa firmy", "spolka", "institution", "assignee", "account name", "supplier", "supplier name", "vendor", "vendor name", "lieferant", "fournisseur", "proveedor", "restaurant", "restaurant name", "hotel", "hotel name", "venue name", "trade name", "legal name"]),
    (Role::Identifier, "national_id", &["ssn", "ssn number", "social security number", "social security", "soc sec id", "soc sec", "sin", "nino", "national id", "national id number", "national insurance", "personal number", "personnummer", "sozialversicherungsnummer", "svnr", "personalausweis", "numero de securite sociale", "nir", "dni", "nif", "nie", "codice fiscale", "cpf", "bsn", "pesel", "id card", "nhs number", "nhs", "medicare"]),
    (Role::Identifier, "passport", &["passport", "passport number", "passport no", "reisepass", "passnummer", "passeport", "pasaporte", "passaporto", "passaporte", "paspoort", "paszport"]),
    (Role::Identifier, "driving_licence", &["driver license", "drivers license number", "drivers license", "driving licence", "license number", "licence number", "fuhrerschein", "permis de conduire", "rijbewijs"]),
    (Role::Identifier, "tax_id", &["tax id", "tax number", "tax id number", "tin", "ein", "vat", "vat number", "vat id", "steuernummer", "ust id", "ustid", "umsatzsteuer id", "ustidnr", "umsatzsteuer", "siren", "siret", "cif", "partita iva", "p iva", "piva", "cnpj", "btw nummer", "btw", "nip", "tva", "numero tva", "steuer id", "abn"]),
    (Role::Identifier, "registration_number", &["registration number", "company number", "company registration", "register number", "handelsregister", "handelsregisternummer", "hrb", "rcs", "kvk", "kvk nummer", "krs", "regon", "lei", "lei number", "duns"]),
    (Role::Identifier, "iban", &["iban", "bank account", "account number", "kontonummer", "bban"]),
    (Role::Identifier, "isbn", &["isbn", "isbn13", "isbn10", "issn"]),
    (Role::Identifier, "doi", &["doi"]),
    (Role::Identifier, "gtin", &["gtin", "ean", "ean13", "upc", "barcode", "asin"]),
    (Role::Identifier, "isrc", &["isrc", "iswc"]),
    (Role::Identifier, "model_number", &["model", "model number", "modelno", "model no", "mpn", "part number", "sku", "artikelnummer", "modell", "modele", "modello", "modelo"]),
    (Role::Title, "title", &["title", "product name", "product title", "product", "item", "item name", "song", "song title", "track", "track name", "track title", "song name", "titel", "titre", "titulo", "titolo", "tytul", "produkt", "produktname", "artikel", "artikelbezeichnung", "produit", "producto", "prodotto", "produto", "paper title", "book title", "movie", "film", "movie title", "work", "name title", "lied"]),
    (Role::People, "authors", &["author", "authors", "autor", "autoren", "auteur", "auteurs", "autore", "autori", "autores", "creators", "inventors", "director", "directors", "actors", "cast", "star", "verfasser", "regie"]),
    (Role::Group, "artist", &["artist", "artist name", "band", "performer", "singer", "interpret", "kunstler", "artiste", "artista", "artiest", "wykonawca", "composer"]),
    (Role::Group, "album", &["album", "album name", "album title", "release"]),
    (Role::Group, "venue", &["venue", "journal", "conference", "booktitle", "publication", "zeitschrift", "revue", "revista", "rivista"]),
    (Role::Group, "publisher", &["publisher", "verlag", "editeur", "editorial", "editore", "editora", "uitgever", "wydawca", "label name", "record label"]),
    (Role::Group, "brand", &["brand", "brand name", "manufacturer", "maker", "marke", "hersteller", "marque", "fabricant", "marca", "fabricante", "produttore", "merk", "fabrikant", "producent"]),
    (Role::Group, "category", &["category", "genre", "cuisine", "kategorie", "categorie", "categoria", "rubrik", "industry", "branche", "sector", "segment", "ipc", "art", "kuche", "product category"]),
    (Role::Group, "occupation", &["occupation", "profession", "job", "job title", "beruf", "metier", "profesion", "professione", "beroep", "zawod"]),
    (Role::Year, "year", &["year", "jahr", "annee", "ano", "anno", "jaar", "rok", "release year", "publication year", "pub year", "erscheinungsjahr"]),
    (Role::Date, "release_date", &["release date", "publication date", "published", "founded", "founding date", "grundungsdatum", "erscheinungsdatum"]),
    (Role::Number, "price", &["price", "list price", "preis", "prix", "precio", "prezzo", "preco", "prijs", "cena"]),
    (Role::Number, "duration", &["duration", "runtime", "dauer", "duree", "duracion", "durata", "playtime"]),
    (Role::Place, "coordinates", &["coordinates", "coordinate", "lat lon", "lat lng", "lat long", "latlng", "latlon", "geo point", "gps", "koordinaten", "coordonnees", "coordenadas", "coordinate gps"]),
    (Role::Number, "latitude", &["latitude", "lat", "breitengrad"]),
    (Role::Number, "longitude", &["longitude", "lon", "lng", "long", "langengrad"]),
    (Role::Text, "pages", &["pages", "seiten", "page numbers"]),
    (Role::Text, "description", &["description", "beschreibung", "descripcion", "descrizione", "descricao", "omschrijving", "opis", "abstract", "summary", "details"]),
    (Role::Website, "website", &["website", "web", "url", "homepage", "site", "webseite", "internet", "site web", "sitio web", "domain"]),
    (Role::Internal, "", &["created", "created at", "updated", "updated at", "modified", "modified at", "last modified", "timestamp", "created on", "updated on", "inserted", "inserted at", "deleted", "is deleted", "last login", "lastlogin", "signup date", "registration date", "registered at", "erstellt", "erstellt am", "geandert", "geandert am", "anlagedatum", "status", "active", "is active", "enabled", "version", "etl", "load date", "batch", "batch id", "row", "row number", "rownum", "index", "hash", "checksum", "amount", "balance", "umsatz", "betrag", "comment", "comments", "note", "notes", "bemerkung", "password", "language", "sprache", "record type", "type", "date", "salutation", "anrede", "civilite", "tratamiento", "aanhef", "opt in", "newsletter", "rating", "score", "votes", "reviews", "count"]),
    (Role::Label, "", &["cluster", "cluster id", "clusterid", "entity", "entity id", "entityid", "truth", "true id", "gold", "gold id", "golden id", "ground truth", "label", "is match", "match id", "duplicate of", "dup id", "group id", "rec id", "unified id", "master id", "unique id", "uniqueid", "person truth", "same as"]),
];

/// Splits a column's name into lower-case ASCII words.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(name.len() + 8);
    let mut previous = ' ';
    for character in name.chars() {
        let is_new = character.is_uppercase() && previous.is_lowercase()
            || character.is_ascii_digit() && previous.is_alphabetic();
        if is_new || !character.is_alphanumeric() {
            spaced.push(' ');
        }
        if character.is_alphanumeric() {
            spaced.push(character);
        }
        previous = character;
    }
    let mut text = String::new();
    Normalizer::new(FieldKind::City, None, &Locale::default()).normalize(&spaced, &mut text);
    // An umlaut may be written out: straße and strasse, führerschein and fuehrerschein.
    let text = text
        .replace("ue", "u")
        .replace("ae", "a")
        .replace("oe", "o");
    text.split_whitespace().map(str::to_owned).collect()
}

/// Returns a name of letters, digits and underscores for a column's field.
pub(super) fn field_name(column: &str) -> String {
    let mut name = words(column).join("_");
    name.retain(|c| c.is_ascii_alphanumeric() || c == '_');
    name.truncate(60);
    if name.is_empty() {
        "field".to_owned()
    } else {
        name
    }
}

/// Returns what a column's name tells, best first.
pub(super) fn told_by(name: &str) -> Vec<Told> {
    let words = words(name);
    let mut told: Vec<Told> = Vec::new();
    let is_attribute = words.len() > 1
        && words
            .last()
            .is_some_and(|last| ATTRIBUTES.contains(&last.as_str()));
    for (role, field, phrases) in ENTRIES {
        let best = phrases.iter().map(|phrase| agreement(phrase, &words));
        let score = best.fold(0.0, f64::max);
        if score > 0.0 {
            told.push(Told {
                role: *role,
                field: (*field).to_owned(),
                score,
            });
        }
    }
    if is_attribute && told.iter().all(|told| told.score < 0.99) {
        told.insert(
            0,
            Told {
                role: Role::Internal,
                field: String::new(),
                score: 0.9,
            },
        );
    }
    told.sort_by(|a, b| b.score.total_cmp(&a.score));
    told
}

/// Returns how much of a name a phrase explains, from 0 to 1; words that qualify count little.
fn agreement(phrase: &str, words: &[String]) -> f64 {
    let phrase = phrase
        .replace("ue", "u")
        .replace("ae", "a")
        .replace("oe", "o");
    let wanted: Vec<&str> = phrase.split(' ').collect();
    let joined = words.concat();
    if joined == phrase.replace(' ', "") {
        return 1.0;
    }
    let weight = |word: &str| match word {
        _ if word.bytes().all(|b| b.is_ascii_digit()) => 0.2,
        _ if QUALIFIERS.contains(&word) => 0.5,
        _ => 1.0 + word.len() as f64 / 10.0,
    };
    let total: f64 = words.iter().map(|word| weight(word)).sum();
    if wanted
        .iter()
        .all(|wanted| words.iter().any(|word| word == wanted))
    {
        let mut found: f64 = wanted.iter().map(|wanted| weight(wanted).max(1.0)).sum();
        // The last word of a name is what it is; the others say which.
        if words
            .last()
            .is_some_and(|last| !wanted.contains(&last.as_str()) && weight(last) > 0.5)
        {
            found *= 0.6;
        }
        return (found / total.max(found)).min(0.99);
    }
    // Languages that join words: `kundenvorname`, `lieferstrasse`.
    let ends = |word: &&String| {
        wanted.len() == 1
            && phrase.len() >= 5
            && word.len() > phrase.len()
            && word.ends_with(&phrase)
    };
    match words.iter().find(ends) {
        Some(word) => 0.9 * weight(word) / total.max(1.0),
        None => 0.0,
    }
}
