//! The profile of an entity: what its systems say of it, asked at the moment of asking.
//!
//! Every source is asked for its own members, all at once, each with a deadline; of all values of
//! a field one survives, by a rule, and what differs stays beside it. A source that does not
//! answer in time leaves a gap that is told. Nothing is kept.

mod profiler;
mod survive;
mod value;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::profiler::{Profiler, profile};
pub(crate) use self::value::{Cells, Moment};

/// Which value of a field survives when records differ.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Survivorship {
    /// That of the first source in `order`.
    #[default]
    SourceOrder,
    /// That of the record changed last, told by the `updated` column of its source.
    MostRecent,
    /// The one that most records agree on.
    MostFrequent,
    /// The one with the most characters.
    Longest,
}

/// How profiles are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileSettings {
    /// How long a source may take to answer, in milliseconds.
    pub timeout_ms: u64,
    /// The sources, most trusted first; sources that are not named follow in the order of the
    /// settings. Decides, too, where a rule leaves a tie.
    pub order: Vec<String>,
    /// Fields that profiles alone show: mapped, but not compared, and not read by a rebuild.
    pub only: Vec<String>,
    /// The rule of each field; `source_order` where none is set.
    pub keep: BTreeMap<String, Survivorship>,
}

impl Default for ProfileSettings {
    fn default() -> Self {
        Self {
            timeout_ms: 2_000,
            order: Vec::new(),
            only: Vec::new(),
            keep: BTreeMap::new(),
        }
    }
}

/// A record of the entity, and whether its system told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProfileMember {
    /// Its source.
    pub source: String,
    /// Its key.
    pub key: String,
    /// What became of asking for it.
    pub state: MemberState,
}

impl ProfileMember {
    fn is_unread(&self) -> bool {
        matches!(self.state, MemberState::Late(_) | MemberState::Unread(_))
    }
}

/// What became of asking for a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum MemberState {
    /// It was read.
    Read,
    /// Its system has no such record any more, or `where` leaves it out.
    Gone,
    /// Its system did not tell in time, which the reason names.
    Late(String),
    /// Its system did not tell; the reason names no value.
    Unread(String),
}

/// A value and where it comes from. `Debug` prints no value.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ProfileValue {
    /// The value as its system has it.
    pub value: String,
    /// The records that say so, source and key, best first: the first says it in these letters,
    /// the others in letters that mean the same.
    pub records: Vec<(String, String)>,
    /// When the first record was changed, if its source says so (RFC 3339, UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<String>,
}

/// What is known of one field. `Debug` prints no value.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ProfileField {
    /// Its canonical name.
    pub field: String,
    /// The rule that chose the value.
    pub rule: Survivorship,
    /// The value that survives, then those that differ from it; none if no record has one.
    pub values: Vec<ProfileValue>,
}

/// What the systems of an entity say of it. `Debug` prints no value.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// The fields, by name.
    pub fields: Vec<ProfileField>,
    /// The records, in the order asked.
    pub members: Vec<ProfileMember>,
}

impl fmt::Debug for ProfileValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ProfileValue")
            .field("record_count", &self.records.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ProfileField {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ProfileField")
            .field("field", &self.field)
            .field("value_count", &self.values.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Profile")
            .field("field_count", &self.fields.len())
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

impl Profile {
    /// Returns whether some system did not tell what it has.
    pub fn is_partial(&self) -> bool {
        self.members.iter().any(ProfileMember::is_unread)
    }

    /// Returns whether no system told anything.
    pub fn is_silent(&self) -> bool {
        self.members.iter().all(ProfileMember::is_unread)
    }
}

/// Why no profile could be made at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// A field that no source maps.
    #[error("no source has the field {field:?}; fields are {known}")]
    UnknownField {
        /// What was asked for.
        field: String,
        /// The fields there are.
        known: String,
    },
}
