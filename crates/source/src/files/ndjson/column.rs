//! The columns that JSON values are appended to while they are parsed.

use std::fmt;
use std::sync::Arc;

use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
};
use arrow_array::{Array, ArrayRef, ListArray, StructArray, new_null_array};
use arrow_schema::{DataType, Field, Fields};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::files::CELL_KEPT_MAX;
use crate::files::shape::Shape;
use crate::flaw::Problem;

/// The values of one key; it does not print itself.
pub(super) enum Column {
    /// Nothing but nulls and empty objects.
    Nothing(usize),
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    List {
        ends: Vec<i32>,
        is_valid: Vec<bool>,
        item: Box<Column>,
    },
    Object {
        /// In ascending order.
        keys: Vec<(String, Column)>,
        is_valid: Vec<bool>,
    },
}

/// Looks a key up without keeping it.
pub(super) struct Find<F>(pub(super) F);

impl<'de, F: FnOnce(&str) -> Option<usize>> DeserializeSeed<'de> for Find<F> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<F: FnOnce(&str) -> Option<usize>> Visitor<'_> for Find<F> {
    type Value = Option<usize>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0(key))
    }
}

impl Column {
    pub(super) fn new(shape: &Shape) -> Self {
        match shape {
            Shape::Bool => Self::Bool(BooleanBuilder::new()),
            Shape::Int => Self::Int(Int64Builder::new()),
            Shape::Float => Self::Float(Float64Builder::new()),
            Shape::Text => Self::Text(StringBuilder::new()),
            Shape::List(item) => Self::List {
                ends: vec![0],
                is_valid: Vec::new(),
                item: Box::new(Self::new(item)),
            },
            Shape::Object(keys) if !keys.is_empty() => {
                let key = |(name, shape): (&String, &Shape)| (name.clone(), Self::new(shape));
                Self::Object {
                    keys: keys.iter().map(key).collect(),
                    is_valid: Vec::new(),
                }
            }
            Shape::Null | Shape::Object(_) | Shape::Mixed(_) => Self::Nothing(0),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Nothing(len) => *len,
            Self::Bool(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::List { is_valid, .. } | Self::Object { is_valid, .. } => is_valid.len(),
        }
    }

    pub(super) fn push_null(&mut self) {
        match self {
            Self::Nothing(len) => *len += 1,
            Self::Bool(values) => values.append_null(),
            Self::Int(values) => values.append_null(),
            Self::Float(values) => values.append_null(),
            Self::Text(values) => values.append_null(),
            Self::List {
                ends,
                is_valid,
                item,
            } => {
                ends.push(item.len() as i32);
                is_valid.push(false);
            }
            Self::Object { keys, is_valid } => {
                for (_, column) in keys {
                    column.push_null();
                }
                is_valid.push(false);
            }
        }
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Nothing(len) => new_null_array(&DataType::Utf8, std::mem::take(len)),
            Self::Bool(values) => Arc::new(values.finish()),
            Self::Int(values) => Arc::new(values.finish()),
            Self::Float(values) => Arc::new(values.finish()),
            Self::Text(values) => Arc::new(values.finish()),
            Self::List {
                ends,
                is_valid,
                item,
            } => {
                let items = item.finish();
                let ends = OffsetBuffer::new(std::mem::replace(ends, vec![0]).into());
                let nulls = NullBuffer::from(std::mem::take(is_valid));
                let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
                Arc::new(ListArray::new(field, ends, items, Some(nulls)))
            }
            Self::Object { keys, is_valid } => {
                let (fields, columns): (Vec<_>, Vec<_>) = keys
                    .iter_mut()
                    .map(|(name, column)| {
                        let column = column.finish();
                        (
                            Field::new(name.as_str(), column.data_type().clone(), true),
                            column,
                        )
                    })
                    .unzip();
                let nulls = NullBuffer::from(std::mem::take(is_valid));
                Arc::new(StructArray::new(Fields::from(fields), columns, Some(nulls)))
            }
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Nothing(_) => Shape::Null.name(),
            Self::Bool(_) => Shape::Bool.name(),
            Self::Int(_) => Shape::Int.name(),
            Self::Float(_) => Shape::Float.name(),
            Self::Text(_) => Shape::Text.name(),
            Self::List { .. } => "a list",
            Self::Object { .. } => "an object",
        }
    }
}

/// Appends one value to a column while it is parsed.
pub(super) struct Fill<'a> {
    pub(super) column: &'a mut Column,
    pub(super) name: &'a str,
    pub(super) refusal: &'a mut Option<Problem>,
}

impl Fill<'_> {
    fn refuse<E: serde::de::Error>(self, found: &'static str) -> Result<(), E> {
        let (key, expected) = (self.name.to_owned(), self.column.kind());
        *self.refusal = Some(Problem::Kind {
            key,
            expected,
            found,
        });
        Err(E::custom(""))
    }
}

impl<'de> DeserializeSeed<'de> for Fill<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fill<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.column.push_null();
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        match self.column {
            Column::Bool(values) => values.append_value(value),
            _ => return self.refuse(Shape::Bool.name()),
        }
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        match self.column {
            Column::Int(values) => values.append_value(value),
            Column::Float(values) => values.append_value(value as f64),
            _ => return self.refuse(Shape::Int.name()),
        }
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        match (i64::try_from(value), &mut *self.column) {
            (Ok(value), _) => self.visit_i64(value),
            (Err(_), Column::Float(values)) => {
                values.append_value(value as f64);
                Ok(())
            }
            (Err(_), _) => self.refuse("a whole number beyond 64 bits"),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        match self.column {
            Column::Float(values) => values.append_value(value),
            _ => return self.refuse(Shape::Float.name()),
        }
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        match self.column {
            Column::Text(values) => {
                values.append_value(&value[..value.floor_char_boundary(CELL_KEPT_MAX)]);
            }
            _ => return self.refuse(Shape::Text.name()),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self {
            column,
            name,
            refusal,
        } = self;
        let Column::List {
            ends,
            is_valid,
            item,
        } = column
        else {
            return Fill {
                column,
                name,
                refusal,
            }
            .refuse("a list");
        };
        loop {
            let into = Fill {
                column: &mut *item,
                name,
                refusal: &mut *refusal,
            };
            if items.next_element_seed(into)?.is_none() {
                break;
            }
        }
        ends.push(item.len() as i32);
        is_valid.push(true);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self {
            column,
            name,
            refusal,
        } = self;
        let (keys, is_valid) = match column {
            Column::Object { keys, is_valid } => (keys, is_valid),
            Column::Nothing(len) => {
                *len += 1;
                return skip_empty(entries, name, refusal);
            }
            _ => {
                return Fill {
                    column,
                    name,
                    refusal,
                }
                .refuse("an object");
            }
        };
        while let Some(found) = entries.next_key_seed(Find(|key: &str| {
            keys.binary_search_by(|(known, _)| known.as_str().cmp(key))
                .ok()
        }))? {
            let Some((_, column)) = found.and_then(|index| keys.get_mut(index)) else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if column.len() > is_valid.len() {
                *refusal = Some(Problem::RepeatedKey {
                    key: name.to_owned(),
                });
                return Err(A::Error::custom(""));
            }
            entries.next_value_seed(Fill {
                column,
                name,
                refusal: &mut *refusal,
            })?;
        }
        is_valid.push(true);
        for (_, column) in keys {
            if column.len() < is_valid.len() {
                column.push_null();
            }
        }
        Ok(())
    }
}

fn skip_empty<'de, A: MapAccess<'de>>(
    mut entries: A,
    name: &str,
    refusal: &mut Option<Problem>,
) -> Result<(), A::Error> {
    if entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_none() {
        return Ok(());
    }
    let (expected, found) = ("an object without keys", "an object");
    *refusal = Some(Problem::Kind {
        key: name.to_owned(),
        expected,
        found,
    });
    Err(A::Error::custom(""))
}
