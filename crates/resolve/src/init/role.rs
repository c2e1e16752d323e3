//! What a column means: its role, which decides the field, its kind and how it is compared.

use sameas_matching::Scope;
use sameas_record::FieldKind;

/// The role of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    GivenName,
    MiddleName,
    Surname,
    FullName,
    /// The name of somebody else: a mother, a spouse.
    Relative,
    /// A name of which the context must tell whether a person, an organisation or a thing bears it.
    Name,
    Suffix,
    Gender,
    BirthDate,
    /// Another date that belongs to the entity.
    Date,
    Email,
    Phone,
    Street,
    HouseNumber,
    AddressLine2,
    City,
    State,
    Country,
    Postcode,
    /// A whole address in one line.
    Address,
    Company,
    Identifier,
    Title,
    /// Names of several persons in one text.
    People,
    /// A word or few that many records share: venue, brand, genre, occupation.
    Group,
    Year,
    /// Of a person, in years, when a list was made.
    Age,
    Number,
    /// Where on Earth: latitude and longitude.
    Place,
    Website,
    Text,
    /// A word or few of which nothing more is known.
    Word,
    /// A short code or number that many records share and of which nothing more is known.
    Code,
    /// Something about the row, not about the entity: when it was written, its state.
    Internal,
    /// The answer, not evidence: a cluster or truth label.
    Label,
}

impl Role {
    /// Returns the kind that normalises values of this role.
    pub(super) fn kind(self) -> FieldKind {
        match self {
            Self::GivenName | Self::MiddleName => FieldKind::GivenName,
            Self::Surname => FieldKind::Surname,
            Self::FullName | Self::Name | Self::Relative => FieldKind::FullName,
            Self::BirthDate | Self::Date => FieldKind::Date,
            Self::Email => FieldKind::Email,
            Self::Phone => FieldKind::Phone,
            Self::Street | Self::Address | Self::AddressLine2 => FieldKind::Street,
            Self::City | Self::State | Self::Country => FieldKind::City,
            Self::Postcode => FieldKind::Postcode,
            Self::Company => FieldKind::Company,
            Self::Identifier | Self::HouseNumber | Self::Website | Self::Code => {
                FieldKind::Identifier
            }
            Self::Year | Self::Age | Self::Number => FieldKind::Number,
            Self::Place => FieldKind::Coordinates,
            Self::Suffix
            | Self::Gender
            | Self::Title
            | Self::People
            | Self::Group
            | Self::Text
            | Self::Word
            | Self::Internal
            | Self::Label => FieldKind::Text,
        }
    }

    /// Returns whether the column is no evidence about the entity.
    pub(super) fn is_left_out(self) -> bool {
        matches!(self, Self::Internal | Self::Label)
    }

    /// Returns whether several columns of this role in one source are values of one field.
    pub(super) fn is_multi(self) -> bool {
        matches!(
            self,
            Self::Email | Self::Phone | Self::Identifier | Self::Surname | Self::Company
        )
    }

    /// Returns the scope where it differs from that of the kind.
    pub(super) fn scope(self) -> Option<Scope> {
        match self {
            Self::Suffix | Self::Gender | Self::Age | Self::Title | Self::People => {
                Some(Scope::Person)
            }
            Self::HouseNumber | Self::Website | Self::Code | Self::Relative => {
                Some(Scope::Household)
            }
            _ => None,
        }
    }

    /// Returns the comparison levels, best first.
    pub(super) fn levels(self) -> &'static [&'static str] {
        match self {
            Self::GivenName => &[
                "exact",
                "swapped surname",
                "same nickname",
                "jaro_winkler >= 0.92",
                "initial",
                "jaro_winkler >= 0.8",
            ],
            Self::MiddleName => &["exact", "initial", "jaro_winkler >= 0.88"],
            Self::Surname => &[
                "exact",
                "swapped given_name",
                "jaro_winkler >= 0.92",
                "overlap >= 1",
                "jaro_winkler >= 0.8",
            ],
            Self::FullName | Self::Name | Self::Relative => &[
                "exact",
                "same sorted",
                "jaro_winkler >= 0.92",
                "overlap >= 1",
                "jaccard >= 0.5",
                "overlap >= 0.5",
            ],
            Self::BirthDate | Self::Date => &[
                "exact",
                "transposed",
                "damerau <= 1",
                "days <= 31",
                "years <= 1",
            ],
            Self::Email => &["exact", "damerau <= 1", "same user", "jaro_winkler >= 0.9"],
            Self::Phone => &["exact", "damerau <= 1", "same last7"],
            Self::Street | Self::Address | Self::AddressLine2 | Self::Word => &[
                "exact",
                "jaro_winkler >= 0.92",
                "overlap >= 1",
                "jaro_winkler >= 0.8",
            ],
            Self::City => &["exact", "jaro_winkler >= 0.92", "jaro_winkler >= 0.8"],
            Self::State | Self::Country | Self::Suffix | Self::Gender => &["exact"],
            Self::Postcode | Self::HouseNumber | Self::Identifier | Self::Website | Self::Code => {
                &["exact", "damerau <= 1"]
            }
            Self::Company => &[
                "exact",
                "same sorted",
                "jaro_winkler >= 0.92",
                "overlap >= 1",
                "jaccard >= 0.5",
                "overlap >= 0.5",
                "jaccard >= 0.2",
            ],
            Self::Title | Self::Text | Self::Internal | Self::Label => &[
                "exact",
                "jaccard >= 0.8",
                "jaccard >= 0.6",
                "jaccard >= 0.4",
                "jaccard >= 0.2",
            ],
            Self::People => &[
                "exact",
                "jaccard >= 0.8",
                "jaccard >= 0.5",
                "overlap >= 0.5",
                "jaccard >= 0.2",
            ],
            Self::Group => &[
                "exact",
                "overlap >= 1",
                "jaro_winkler >= 0.9",
                "jaccard >= 0.3",
            ],
            Self::Year => &["exact", "difference <= 1"],
            Self::Age => &[
                "exact",
                "difference <= 1",
                "difference <= 2",
                "difference <= 5",
            ],
            Self::Place => &["exact", "km <= 0.1", "km <= 1", "km <= 10"],
            Self::Number => &["exact", "percent <= 2", "percent <= 10", "percent <= 30"],
        }
    }

    /// Returns the levels by which texts are compared that rivals have in common but for few words: how rare
    /// these are tells the partner from the others.
    pub(super) fn levels_among_rivals(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Title => Some(&[
                "exact",
                "tf_idf >= 0.9",
                "tf_idf >= 0.8",
                "tf_idf >= 0.7",
                "tf_idf >= 0.6",
                "tf_idf >= 0.5",
                "tf_idf >= 0.4",
                "tf_idf >= 0.3",
                "tf_idf >= 0.2",
            ]),
            Self::Text => Some(&[
                "exact",
                "tf_idf >= 0.8",
                "tf_idf >= 0.6",
                "tf_idf >= 0.4",
                "tf_idf >= 0.2",
            ]),
            _ => None,
        }
    }

    /// Returns how much it says, for keeping the most telling where there are too many; 0 to 9.
    pub(super) fn weight(self) -> u8 {
        match self {
            Self::GivenName
            | Self::Surname
            | Self::BirthDate
            | Self::Email
            | Self::Identifier
            | Self::Title
            | Self::Company
            | Self::FullName
            | Self::Name => 9,
            Self::Phone | Self::Postcode | Self::Street | Self::Address | Self::People => 8,
            Self::City | Self::Year | Self::Age | Self::Website | Self::Group | Self::Place => 6,
            Self::MiddleName
            | Self::HouseNumber
            | Self::AddressLine2
            | Self::Date
            | Self::Relative
            | Self::Word => 5,
            Self::Suffix | Self::Gender | Self::Number => 4,
            Self::Text | Self::State | Self::Code => 3,
            _ => 1,
        }
    }

    /// Returns what the role is called in comments.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::GivenName => "a given name",
            Self::MiddleName => "a middle name",
            Self::Surname => "a surname",
            Self::FullName => "a whole personal name",
            Self::Relative => "the name of a relative",
            Self::Name => "a name",
            Self::Suffix => "a generational suffix",
            Self::Gender => "a gender",
            Self::BirthDate => "a date of birth",
            Self::Date => "a date",
            Self::Email => "an e-mail address",
            Self::Phone => "a telephone number",
            Self::Street => "a street address",
            Self::HouseNumber => "a house number",
            Self::AddressLine2 => "a further line of an address",
            Self::City => "a city",
            Self::State => "a state or region",
            Self::Country => "a country",
            Self::Postcode => "a postcode",
            Self::Address => "a whole address",
            Self::Company => "the name of an organisation",
            Self::Identifier => "an identifier",
            Self::Title => "a title",
            Self::People => "names of persons",
            Self::Group => "a group that records share",
            Self::Year => "a year",
            Self::Age => "an age",
            Self::Number => "a number",
            Self::Place => "a place on Earth",
            Self::Website => "a web address",
            Self::Text => "text",
            Self::Word => "words of unknown meaning",
            Self::Code => "a code of unknown meaning",
            Self::Internal => "about the row, not the entity",
            Self::Label => "a label of clusters",
        }
    }
}
