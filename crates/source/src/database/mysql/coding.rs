//! How values of each type are asked for, and how they come.

use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, TimeUnit};

use crate::database::name::Quotes;
use crate::files::CELL_KEPT_MAX;

/// A column as `SHOW FULL COLUMNS` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its type in the server's words, for example `decimal(10,2) unsigned`.
    pub(crate) type_text: String,
    /// How its texts compare; nothing if they are none.
    pub(crate) collation: Option<String>,
}

/// The form in which a column's values come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// A single bit.
    Bool,
    /// Several bits, taken as a number.
    Bits,
    Int,
    /// Up to twice as large, never negative.
    BigUnsigned,
    /// A year; the year 0 stands for none.
    Year,
    Float32,
    Float64,
    /// A number of so many digits, so many of them behind the point.
    Decimal {
        precision: u8,
        scale: u8,
    },
    Text,
    /// Shown as PostgreSQL shows bytes: `\x` and hexadecimal digits.
    Bytes,
    Date,
    /// Without a time zone.
    Timestamp,
    /// A moment, told in UTC.
    Moment,
}

/// How a column is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    AsItIs,
    /// So many characters or bytes of it.
    Cut(usize),
    /// Turned into text by the server.
    Cast,
    /// A shape in words.
    Shape,
}

impl Column {
    /// Returns the type's own name, and the numbers in brackets behind it.
    fn kind(&self) -> (&str, Vec<u32>) {
        let text = self.type_text.as_str();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric());
        let (kind, rest) = text.split_at(end.unwrap_or(text.len()));
        let inside = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let numbers = inside.map_or("", |(numbers, _)| numbers).split(',');
        (kind, numbers.filter_map(|n| n.parse().ok()).collect())
    }

    /// Returns how its values come; what has no form of its own comes as text, and so do numbers of
    /// more digits than a type in memory holds.
    pub(crate) fn coding(&self) -> Coding {
        let is_unsigned = self.type_text.contains(" unsigned");
        let (kind, numbers) = self.kind();
        match kind {
            "bit" if numbers == [1] => Coding::Bool,
            "bit" => Coding::Bits,
            "bigint" if is_unsigned => Coding::BigUnsigned,
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Coding::Int,
            "year" => Coding::Year,
            "float" => Coding::Float32,
            "double" => Coding::Float64,
            "decimal" => decimal(&numbers).unwrap_or(Coding::Text),
            "date" => Coding::Date,
            "datetime" => Coding::Timestamp,
            "timestamp" => Coding::Moment,
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
                Coding::Bytes
            }
            _ => Coding::Text,
        }
    }

    fn asked(&self) -> Asked {
        match self.kind().0 {
            "mediumtext" | "longtext" => Asked::Cut(CELL_KEPT_MAX),
            "mediumblob" | "longblob" => Asked::Cut(CELL_KEPT_MAX / 2),
            "char" | "varchar" | "tinytext" | "text" | "enum" | "set" | "decimal" => Asked::AsItIs,
            "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
            | "multipolygon" | "geometrycollection" | "geomcollection" => Asked::Shape,
            _ if self.coding() == Coding::Text => Asked::Cast,
            _ => Asked::AsItIs,
        }
    }

    /// Returns what to select; values of any length are cut at the server.
    pub(crate) fn selected(&self) -> String {
        let name = self.quoted();
        match self.asked() {
            Asked::AsItIs => name,
            Asked::Cut(count) => format!("LEFT({name}, {count})"),
            Asked::Cast => format!("LEFT(CAST({name} AS CHAR), {CELL_KEPT_MAX})"),
            Asked::Shape => format!("LEFT(ST_AsText({name}), {CELL_KEPT_MAX})"),
        }
    }

    /// Returns the name as SQL.
    pub(crate) fn quoted(&self) -> String {
        Quotes::Tick.around(&self.name)
    }

    /// Returns the character set of its texts.
    pub(crate) fn charset(&self) -> Option<&str> {
        self.collation.as_deref()?.split('_').next()
    }

    /// Returns whether the column holds texts as they are, not something turned into text.
    pub(crate) fn is_text(&self) -> bool {
        matches!(
            self.kind().0,
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext"
        )
    }

    /// Returns whether its values are identifiers of 128 bits.
    pub(crate) fn is_uuid(&self) -> bool {
        self.kind().0 == "uuid"
    }
}

fn decimal(numbers: &[u32]) -> Option<Coding> {
    let [precision, scale] = numbers else {
        return None;
    };
    let precision = u8::try_from(*precision).ok()?;
    let scale = u8::try_from(*scale).ok()?;
    (precision <= DECIMAL128_MAX_PRECISION).then_some(Coding::Decimal { precision, scale })
}

impl Coding {
    /// Returns the type of the column in memory.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int | Self::Year => DataType::Int64,
            Self::Bits | Self::BigUnsigned => DataType::UInt64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Decimal { precision, scale } => {
                DataType::Decimal128(precision, scale.cast_signed())
            }
            Self::Text | Self::Bytes => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Moment => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_the_server_tells_them() {
        for (type_text, coding, selected) in [
            ("int(10) unsigned zerofill", Coding::Int, "`a``b`"),
            ("bigint unsigned", Coding::BigUnsigned, "`a``b`"),
            ("bit(1)", Coding::Bool, "`a``b`"),
            ("bit(12)", Coding::Bits, "`a``b`"),
            (
                "decimal(38,4)",
                Coding::Decimal {
                    precision: 38,
                    scale: 4,
                },
                "`a``b`",
            ),
            ("decimal(65,30)", Coding::Text, "`a``b`"),
            ("enum('a','b(1) unsigned')", Coding::Text, "`a``b`"),
            ("varchar(40)", Coding::Text, "`a``b`"),
            ("longtext", Coding::Text, "LEFT(`a``b`, 131072)"),
            ("longblob", Coding::Bytes, "LEFT(`a``b`, 65536)"),
            ("varbinary(16)", Coding::Bytes, "`a``b`"),
            ("timestamp(6)", Coding::Moment, "`a``b`"),
            ("datetime /* mariadb-5.3 */", Coding::Timestamp, "`a``b`"),
            (
                "time(3)",
                Coding::Text,
                "LEFT(CAST(`a``b` AS CHAR), 131072)",
            ),
            ("json", Coding::Text, "LEFT(CAST(`a``b` AS CHAR), 131072)"),
            ("point", Coding::Text, "LEFT(ST_AsText(`a``b`), 131072)"),
        ] {
            let column = Column {
                name: "a`b".to_owned(),
                type_text: type_text.to_owned(),
                collation: None,
            };
            assert_eq!(column.coding(), coding, "{type_text}");
            assert_eq!(column.selected(), selected, "{type_text}");
        }
    }
}
