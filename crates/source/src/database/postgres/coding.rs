//! How values of each type come in binary form.

use arrow_schema::{DataType, TimeUnit};
use tokio_postgres::types::{Kind, Type};

/// The binary form of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Bool,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Text,
    Date,
    /// Without a time zone.
    Timestamp,
    /// A moment, told in UTC.
    Moment,
    Texts,
}

impl Coding {
    /// Returns how values of a type come; what has no form of its own comes as text.
    pub(crate) fn of(type_: &Type) -> Self {
        match *type_ {
            Type::BOOL => Self::Bool,
            Type::INT2 => Self::Int16,
            Type::INT4 => Self::Int32,
            Type::INT8 | Type::OID => Self::Int64,
            Type::FLOAT4 => Self::Float32,
            Type::FLOAT8 => Self::Float64,
            Type::DATE => Self::Date,
            Type::TIMESTAMP => Self::Timestamp,
            Type::TIMESTAMPTZ => Self::Moment,
            _ => match type_.kind() {
                Kind::Array(_) => Self::Texts,
                Kind::Domain(base) => Self::of(base),
                _ => Self::Text,
            },
        }
    }

    /// Returns the type that a column of this one is cast to, if it is not taken as it is.
    pub(crate) fn cast(type_: &Type) -> Option<&'static str> {
        match *type_ {
            Type::TEXT | Type::VARCHAR | Type::TEXT_ARRAY | Type::VARCHAR_ARRAY => None,
            Type::OID => Some("int8"),
            _ => match (Self::of(type_), type_.kind()) {
                (Self::Text, _) => Some("text"),
                (Self::Texts, _) => Some("text[]"),
                (_, Kind::Domain(base)) => Self::cast(base),
                _ => None,
            },
        }
    }

    /// Returns the type of the column in memory.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Moment => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Texts => DataType::new_list(DataType::Utf8, true),
        }
    }
}
