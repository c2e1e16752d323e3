//! How values of each type come in binary form.

use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, TimeUnit};
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
    /// A number of so many digits, so many of them behind the point.
    Decimal {
        precision: u8,
        scale: u8,
    },
    Text,
    Date,
    /// Without a time zone.
    Timestamp,
    /// A moment, told in UTC.
    Moment,
    Texts,
}

impl Coding {
    /// Returns how values of a type come; what has no form of its own comes as text, and so do
    /// numbers without a bound, which no type in memory holds.
    ///
    /// The modifier of a bounded number tells both its counts of digits.
    pub(crate) fn of(type_: &Type, modifier: i32) -> Self {
        match *type_ {
            Type::NUMERIC => Self::decimal(modifier).unwrap_or(Self::Text),
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
                Kind::Domain(base) => Self::of(base, modifier),
                _ => Self::Text,
            },
        }
    }

    fn decimal(modifier: i32) -> Option<Self> {
        // PostgreSQL's `numeric_typmod_precision` and `_scale`: precision << 16 | scale, and 4.
        let packed = modifier.checked_sub(4).filter(|packed| *packed >= 0)?;
        let precision = u8::try_from(packed >> 16).ok()?;
        let scale = u8::try_from(packed & 0x7ff).ok()?;
        (precision <= DECIMAL128_MAX_PRECISION && scale <= precision)
            .then_some(Self::Decimal { precision, scale })
    }

    /// Returns the type that a column of this one is cast to, if it is not taken as it is.
    pub(crate) fn cast(type_: &Type, modifier: i32) -> Option<&'static str> {
        match *type_ {
            Type::TEXT | Type::VARCHAR | Type::TEXT_ARRAY | Type::VARCHAR_ARRAY => None,
            Type::OID => Some("int8"),
            _ => match (Self::of(type_, modifier), type_.kind()) {
                (Self::Text, _) => Some("text"),
                (Self::Texts, _) => Some("text[]"),
                (_, Kind::Domain(base)) => Self::cast(base, modifier),
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
            Self::Decimal { precision, scale } => {
                DataType::Decimal128(precision, scale.cast_signed())
            }
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Moment => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Texts => DataType::new_list(DataType::Utf8, true),
        }
    }
}
