//! Levels and scopes that come with a kind of field.

use sameas_record::FieldKind;

use crate::Scope;

pub(super) fn scope_of(kind: FieldKind) -> Scope {
    match kind {
        FieldKind::GivenName | FieldKind::FullName | FieldKind::Date | FieldKind::Identifier => {
            Scope::Person
        }
        FieldKind::Surname
        | FieldKind::Email
        | FieldKind::Phone
        | FieldKind::Street
        | FieldKind::City
        | FieldKind::Postcode
        | FieldKind::Coordinates
        | FieldKind::Company => Scope::Household,
        FieldKind::Text | FieldKind::Number | FieldKind::Verbatim => Scope::Open,
    }
}

const PRESETS: &[(&str, FieldKind, &[&str])] = &[
    (
        "given_name",
        FieldKind::GivenName,
        &[
            "exact",
            "same nickname",
            "jaro_winkler >= 0.92",
            "initial",
            "jaro_winkler >= 0.85",
        ],
    ),
    (
        "surname",
        FieldKind::Surname,
        &[
            "exact",
            "jaro_winkler >= 0.92",
            "overlap >= 1",
            "jaro_winkler >= 0.85",
        ],
    ),
    (
        "full_name",
        FieldKind::FullName,
        &[
            "exact",
            "same sorted",
            "jaro_winkler >= 0.92",
            "overlap >= 1",
            "jaccard >= 0.5",
        ],
    ),
    (
        "date",
        FieldKind::Date,
        &[
            "exact",
            "transposed",
            "damerau <= 1",
            "days <= 31",
            "years <= 1",
        ],
    ),
    (
        "email",
        FieldKind::Email,
        &["exact", "damerau <= 1", "same user", "jaro_winkler >= 0.92"],
    ),
    (
        "phone",
        FieldKind::Phone,
        &["exact", "damerau <= 1", "same last7"],
    ),
    (
        "street",
        FieldKind::Street,
        &["exact", "damerau <= 2", "overlap >= 1", "jaccard >= 0.5"],
    ),
    ("city", FieldKind::City, &["exact", "jaro_winkler >= 0.92"]),
    (
        "postcode",
        FieldKind::Postcode,
        &["exact", "damerau <= 1", "same prefix3"],
    ),
    (
        "company",
        FieldKind::Company,
        &[
            "exact",
            "same sorted",
            "jaro_winkler >= 0.92",
            "overlap >= 1",
            "jaccard >= 0.5",
        ],
    ),
    (
        "identifier",
        FieldKind::Identifier,
        &["exact", "damerau <= 1", "damerau <= 2"],
    ),
    (
        "text",
        FieldKind::Text,
        &[
            "exact",
            "jaccard >= 0.8",
            "jaccard >= 0.6",
            "jaccard >= 0.4",
            "jaccard >= 0.2",
        ],
    ),
    (
        "number",
        FieldKind::Number,
        &["exact", "difference <= 1", "percent <= 5"],
    ),
    (
        "coordinates",
        FieldKind::Coordinates,
        &["exact", "km <= 0.1", "km <= 1", "km <= 10"],
    ),
    (
        "verbatim",
        FieldKind::Verbatim,
        &["exact", "jaro_winkler >= 0.92", "jaro_winkler >= 0.85"],
    ),
];

pub(super) fn preset(kind: FieldKind) -> &'static [&'static str] {
    PRESETS
        .iter()
        .find(|(_, k, _)| *k == kind)
        .expect("every kind has a preset")
        .2
}

pub(super) fn preset_of_name(name: &str) -> Option<&'static [&'static str]> {
    PRESETS
        .iter()
        .find(|(n, ..)| *n == name)
        .map(|(.., levels)| *levels)
}

pub(super) fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, ..)| *name)
}
