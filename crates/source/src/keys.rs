//! Keys as values of the type that their column has.

use std::sync::Arc;

use arrow::compute::{CastOptions, cast_with_options, filter};
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray, StringArray};
use arrow_schema::DataType;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::prelude::lit;

/// Returns the keys that a column of a type can have, as values of that type.
///
/// A key whose text comes back in other letters, as `007` does from a number, is the key of no
/// record and left out. Nothing is returned for types whose texts are not surely the same
/// everywhere, such as points in time.
pub(crate) fn typed(keys: &[&str], data_type: &DataType) -> Option<ArrayRef> {
    let texts = StringArray::from_iter_values(keys);
    let is_exact = data_type.is_integer()
        || data_type.is_string()
        || matches!(data_type, DataType::Decimal128(..) | DataType::Date32);
    if !is_exact {
        return None;
    }
    let null_if_unfit = CastOptions::default();
    let values = cast_with_options(&texts, data_type, &null_if_unfit).ok()?;
    let back = cast_with_options(&values, &DataType::Utf8, &null_if_unfit).ok()?;
    let back = back.as_string_opt::<i32>()?;
    let is_same = std::iter::zip(&texts, back).map(|(text, back)| Some(text == back));
    let is_same: BooleanArray = is_same.collect();
    filter(&values, &is_same).ok()
}

/// Tells whether a system and this program write values of a type in the same letters: points in
/// time and floating-point numbers have one text there and another here.
pub(crate) fn has_one_text(data_type: &DataType) -> bool {
    !data_type.is_temporal() && !data_type.is_floating()
}

/// Returns the condition that a column of a type is one of the keys, if it is told by values.
pub(crate) fn condition(
    column: &Expr,
    keys: &[&str],
    data_type: &DataType,
) -> Result<Option<Expr>, DataFusionError> {
    let Some(values) = values(keys, data_type)? else {
        return Ok(None);
    };
    if values.is_empty() {
        return Ok(Some(lit(false)));
    }
    let literals = values.into_iter().map(lit).collect();
    Ok(Some(column.clone().in_list(literals, false)))
}

/// Returns what [`typed`] does, value by value.
pub(crate) fn values(
    keys: &[&str],
    data_type: &DataType,
) -> Result<Option<Vec<ScalarValue>>, DataFusionError> {
    let value_of = |values: ArrayRef| {
        let value = |at| ScalarValue::try_from_array(&values, at);
        (0..values.len()).map(value).collect()
    };
    typed(keys, data_type).map(value_of).transpose()
}

/// Returns a column of keys as texts.
pub(crate) fn texts_of(keys: &ArrayRef) -> Option<Arc<StringArray>> {
    let texts = cast_with_options(keys, &DataType::Utf8, &CastOptions::default()).ok()?;
    Some(Arc::new(texts.as_string_opt::<i32>()?.clone()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn only_keys_that_come_back_in_the_same_letters_are_asked_for() {
        let keys = [
            "7",
            "007",
            "+7",
            " 7",
            "7.0",
            "7.00",
            "300",
            "1980-05-06",
            "1980-5-6",
            "x'%",
            "",
        ];
        for (data_type, expected) in [
            (DataType::Int8, vec!["7"]),
            (DataType::UInt64, vec!["7", "300"]),
            (DataType::Decimal128(9, 2), vec!["7.00"]),
            (DataType::Date32, vec!["1980-05-06"]),
            (DataType::Utf8View, keys.to_vec()),
        ] {
            let values = typed(&keys, &data_type).unwrap();
            assert_eq!(values.data_type(), &data_type);
            let texts = texts_of(&values).unwrap();
            let texts: Vec<_> = texts.iter().flatten().collect();
            assert_eq!(texts, expected, "{data_type}");
        }
        assert!(typed(&keys, &DataType::Boolean).is_none());
    }
}
