//! Types in words that name no field.

use arrow_schema::DataType;

/// Returns a type in words.
///
/// Arrow's own words for a structure list its fields, and where objects are used as maps those are
/// values; here a structure is told by its kind alone.
pub(crate) fn kind_of(data_type: &DataType) -> String {
    match value_type(data_type) {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            let (_, many) = words(value_type(item.data_type()));
            format!("a list of {many}")
        }
        other => words(other).0.to_owned(),
    }
}

/// Looks through encodings that do not change what a value is.
fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, value) => value_type(value),
        DataType::RunEndEncoded(_, values) => value_type(values.data_type()),
        other => other,
    }
}

/// Returns the words for one value and for many.
fn words(data_type: &DataType) -> (&'static str, &'static str) {
    match data_type {
        DataType::Null => ("null", "nulls"),
        DataType::Boolean => ("true or false", "true or false"),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            ("a floating-point number", "floating-point numbers")
        }
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => ("a decimal number", "decimal numbers"),
        DataType::Date32 | DataType::Date64 => ("a date", "dates"),
        DataType::Time32(_) | DataType::Time64(_) => ("a time of day", "times of day"),
        DataType::Timestamp(..) => ("a point in time", "points in time"),
        DataType::Duration(_) | DataType::Interval(_) => ("a span of time", "spans of time"),
        DataType::Struct(_) => ("a structure", "structures"),
        DataType::Map(..) => ("a map", "maps"),
        DataType::Union(..) => ("a value of several types", "values of several types"),
        other if other.is_integer() => ("a whole number", "whole numbers"),
        other if other.is_string() => ("text", "texts"),
        other if other.is_binary() => ("bytes", "bytes"),
        _ => ("a list", "lists"),
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::{Field, Fields};

    use super::*;

    #[test]
    fn nested_types_name_no_field() {
        let structure = DataType::Struct(Fields::from(vec![Field::new("x", DataType::Utf8, true)]));
        let list = DataType::new_list(structure.clone(), true);
        let of_lists = DataType::new_large_list(list.clone(), true);
        let coded = DataType::Dictionary(Box::new(DataType::Int8), Box::new(structure.clone()));
        for (data_type, expected) in [
            (structure, "a structure"),
            (list, "a list of structures"),
            (of_lists, "a list of lists"),
            (coded, "a structure"),
            (DataType::UInt64, "a whole number"),
            (DataType::Utf8View, "text"),
            (DataType::FixedSizeBinary(4), "bytes"),
            (DataType::new_list(DataType::Utf8, true), "a list of texts"),
        ] {
            assert_eq!(kind_of(&data_type), expected);
        }
    }
}
