//! What the fields of a record mean, as settings say it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The semantic kind of a field; it decides how values are normalised and which forms can be derived.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// One or more given names.
    GivenName,
    /// A family name.
    Surname,
    /// A whole personal name in any order.
    FullName,
    /// A calendar date, day precision.
    Date,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A street address line.
    Street,
    /// A city, suburb or region.
    City,
    /// A postal code.
    Postcode,
    /// The name of an organisation.
    Company,
    /// An identifier: a passport, tax, account or serial number.
    Identifier,
    /// Free text: a title, a description.
    Text,
    /// A decimal number.
    Number,
    /// A place on Earth: latitude and longitude in degrees.
    Coordinates,
    /// Compared character by character as the source holds it: nothing is normalised.
    Verbatim,
}

impl FieldKind {
    /// Guesses the kind that a field's name tells; free text when it tells nothing.
    pub fn of_name(name: &str) -> Self {
        const NAMES: &[(FieldKind, &[&str])] = &[
            (
                FieldKind::GivenName,
                &["given_name", "first_name", "forename", "middle_name"],
            ),
            (
                FieldKind::Surname,
                &["surname", "last_name", "family_name", "maiden_name"],
            ),
            (FieldKind::FullName, &["full_name", "name", "person_name"]),
            (
                FieldKind::Date,
                &["date", "dob", "birth_date", "date_of_birth", "birthday"],
            ),
            (FieldKind::Email, &["email", "e_mail", "email_address"]),
            (
                FieldKind::Phone,
                &["phone", "mobile", "telephone", "phone_number", "fax"],
            ),
            (
                FieldKind::Street,
                &[
                    "street",
                    "address",
                    "address_line",
                    "address_1",
                    "address_2",
                ],
            ),
            (
                FieldKind::City,
                &["city", "town", "suburb", "state", "region", "country"],
            ),
            (
                FieldKind::Postcode,
                &["postcode", "postal_code", "zip", "zip_code"],
            ),
            (
                FieldKind::Company,
                &["company", "organisation", "organization", "employer"],
            ),
            (
                FieldKind::Number,
                &["number", "year", "price", "amount", "age"],
            ),
            (
                FieldKind::Coordinates,
                &["coordinates", "lat_lon", "lat_lng", "geo_point", "gps"],
            ),
        ];
        NAMES
            .iter()
            .find(|(_, names)| names.contains(&name))
            .map_or_else(
                || {
                    if name.ends_with("_id") {
                        Self::Identifier
                    } else {
                        Self::Text
                    }
                },
                |(kind, _)| *kind,
            )
    }
}

/// The part of a composite value that a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The first given name of a full name.
    Given,
    /// The given names after the first.
    Middle,
    /// The family name of a full name.
    Surname,
    /// The suffix of a full name: jr, sr, iii.
    Suffix,
    /// The postcode of a whole address in one line.
    Postcode,
    /// What a whole address in one line holds before its city and postcode.
    Street,
}

/// How a date with numbers only, such as 03/04/2001, is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// Day, month, year.
    #[default]
    Dmy,
    /// Month, day, year.
    Mdy,
}

/// What happens to records of one source that share a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateKeys {
    /// The rebuild stops and names some of them.
    #[default]
    Refuse,
    /// Records that are equal in every mapped field count as one; others stop the rebuild.
    Merge,
}

/// What normalisation needs to know about a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Locale {
    /// The region (ISO 3166-1 alpha-2) of phone numbers without a country code.
    pub region: Option<String>,
    /// How dates with numbers only are read.
    #[serde(default)]
    pub date_order: DateOrder,
}

/// One canonical field of the graph, over all sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in the settings.
    pub name: String,
    /// Its kind.
    pub kind: FieldKind,
}

/// All canonical fields, in byte order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    fields: Vec<Field>,
}

/// The number of a field: its position in the [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(u16);

impl FieldId {
    /// Returns the position for indexing.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl Schema {
    /// Makes the schema of these fields; a kind of `None` is guessed from the name.
    pub fn new(fields: &BTreeMap<String, Option<FieldKind>>) -> Self {
        let field = |(name, kind): (&String, &Option<FieldKind>)| Field {
            name: name.clone(),
            kind: kind.unwrap_or_else(|| FieldKind::of_name(name)),
        };
        Self {
            fields: fields.iter().map(field).collect(),
        }
    }

    /// Returns the fields in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Finds a field by name.
    pub fn field_id(&self, name: &str) -> Option<FieldId> {
        let index = self
            .fields
            .binary_search_by(|f| f.name.as_str().cmp(name))
            .ok()?;
        Some(FieldId(index as u16))
    }

    /// Returns a field.
    pub fn field(&self, id: FieldId) -> &Field {
        &self.fields[id.index()]
    }

    /// Returns all field numbers in order.
    pub fn ids(&self) -> impl Iterator<Item = FieldId> + use<> {
        (0..self.fields.len()).map(|i| FieldId(i as u16))
    }
}
