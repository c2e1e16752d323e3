//! The type of a JSON key, widened record by record.

use std::collections::BTreeMap;
use std::fmt;

use arrow_schema::{DataType, Field, Fields};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::COLUMN_COUNT_MAX;

/// The keys of an object.
pub(crate) type Keys = BTreeMap<String, Shape>;

/// What the values of one key are.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) enum Shape {
    /// Null or absent so far.
    #[default]
    Null,
    /// True or false.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// Any other number.
    Float,
    /// A text.
    Text,
    /// A list.
    List(Box<Shape>),
    /// An object.
    Object(Keys),
    /// Types that do not go together.
    Mixed(Clash),
}

/// Two types that one key has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clash {
    /// The type so far.
    pub(crate) first: &'static str,
    /// The type that does not fit.
    pub(crate) second: &'static str,
    /// Where the second stands: a line of a file.
    pub(crate) line: u64,
    /// The file of the second, once files are brought together.
    pub(crate) file: String,
}

impl fmt::Display for Clash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            first,
            second,
            line,
            file,
        } = self;
        write!(out, "{first} at first and {second} in {file}")?;
        if *line > 0 {
            write!(out, " line {line}")
        } else {
            Ok(())
        }
    }
}

/// Prints the number of keys and not the keys: in map-like objects they are values.
impl fmt::Debug for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(item) => write!(out, "a list of {item:?}"),
            Self::Object(keys) => {
                write!(out, "an object of {} keys: ", keys.len())?;
                out.debug_list().entries(keys.values()).finish()
            }
            Self::Mixed(clash) => write!(out, "{clash}"),
            flat => out.write_str(flat.name()),
        }
    }
}

impl Shape {
    /// Returns the type in words.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Text => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
            Self::Mixed(_) => "of mixed types",
        }
    }

    /// Returns the first clash in the shape or what it holds.
    pub(crate) fn clash(&self) -> Option<&Clash> {
        match self {
            Self::Mixed(clash) => Some(clash),
            Self::List(item) => item.clash(),
            Self::Object(keys) => keys.values().find_map(Self::clash),
            _ => None,
        }
    }

    /// Returns the Arrow type; keys that are always null or empty are text.
    pub(crate) fn data_type(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::List(item) => DataType::new_list(item.data_type(), true),
            Self::Object(keys) if !keys.is_empty() => {
                let field =
                    |(name, shape): (&String, &Self)| Field::new(name, shape.data_type(), true);
                DataType::Struct(keys.iter().map(field).collect::<Fields>())
            }
            Self::Null | Self::Text | Self::Object(_) | Self::Mixed(_) => DataType::Utf8,
        }
    }

    /// Widens the shape so that it also holds what another file's shape holds.
    pub(crate) fn widen(&mut self, other: Self, file: &str) {
        match (&mut *self, other) {
            (Self::Mixed(_), _) | (_, Self::Null) => {}
            (_, Self::Mixed(clash)) => {
                *self = Self::Mixed(Clash {
                    file: file.to_owned(),
                    ..clash
                });
            }
            (Self::List(item), Self::List(other)) => item.widen(*other, file),
            (Self::Object(keys), Self::Object(others)) => {
                for (name, other) in others {
                    keys.entry(name).or_default().widen(other, file);
                }
            }
            (_, other) => self.meet(other, 0, file),
        }
    }

    /// Takes in a value of the given flat shape, or an empty list or object.
    fn meet(&mut self, other: Self, line: u64, file: &str) {
        match (&*self, &other) {
            (Self::Null, _) | (Self::Int, Self::Float) => *self = other,
            (Self::Mixed(_), _)
            | (_, Self::Null)
            | (Self::Bool, Self::Bool)
            | (Self::Int, Self::Int)
            | (Self::Float, Self::Int | Self::Float)
            | (Self::Text, Self::Text)
            | (Self::List(_), Self::List(_))
            | (Self::Object(_), Self::Object(_)) => {}
            _ => {
                let (first, second) = (self.name(), other.name());
                *self = Self::Mixed(Clash {
                    first,
                    second,
                    line,
                    file: file.to_owned(),
                });
            }
        }
    }
}

/// Names the files of clashes found before files were brought together.
pub(crate) fn name_file(shape: &mut Shape, file: &str) {
    match shape {
        Shape::Mixed(clash) => file.clone_into(&mut clash.file),
        Shape::List(item) => name_file(item, file),
        Shape::Object(keys) => {
            for shape in keys.values_mut() {
                name_file(shape, file);
            }
        }
        _ => {}
    }
}

/// Widens a shape by one value while it is parsed.
pub(crate) struct Widen<'a> {
    pub(crate) shape: &'a mut Shape,
    pub(crate) line: u64,
}

impl Widen<'_> {
    fn take(self, met: Shape) {
        self.shape.meet(met, self.line, "");
    }
}

impl<'de> DeserializeSeed<'de> for Widen<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Widen<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.take(Shape::Bool);
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.take(Shape::Int);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        let fits = i64::try_from(number).is_ok();
        self.take(if fits { Shape::Int } else { Shape::Float });
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.take(Shape::Float);
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.take(Shape::Text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { shape, line } = self;
        shape.meet(Shape::List(Box::default()), line, "");
        match shape {
            Shape::List(item) => {
                while items
                    .next_element_seed(Widen {
                        shape: &mut *item,
                        line,
                    })?
                    .is_some()
                {}
            }
            _ => while items.next_element::<IgnoredAny>()?.is_some() {},
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self { shape, line } = self;
        shape.meet(Shape::Object(Keys::new()), line, "");
        let Shape::Object(keys) = shape else {
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        while let Some(found) = entries.next_key_seed(KeyShape(&mut *keys))? {
            match found {
                Some(shape) => entries.next_value_seed(Widen { shape, line })?,
                None => entries.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

/// Finds the shape of a key, null when the key is new and none when there are too many.
struct KeyShape<'a>(&'a mut Keys);

impl<'de, 'a> DeserializeSeed<'de> for KeyShape<'a> {
    type Value = Option<&'a mut Shape>;

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for KeyShape<'a> {
    type Value = Option<&'a mut Shape>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        if !self.0.contains_key(name) {
            if self.0.len() >= COLUMN_COUNT_MAX {
                return Ok(None);
            }
            self.0.insert(name.to_owned(), Shape::Null);
        }
        Ok(self.0.get_mut(name))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn shape_of_lines(lines: &[&str]) -> Shape {
        let mut shape = Shape::Null;
        for (index, line) in lines.iter().enumerate() {
            let mut parser = serde_json::Deserializer::from_str(line);
            Widen {
                shape: &mut shape,
                line: index as u64 + 1,
            }
            .deserialize(&mut parser)
            .unwrap();
        }
        shape
    }

    #[test]
    fn numbers_widen_and_nulls_fit_everything() {
        let shape = shape_of_lines(&[r#"{"a":1,"b":null}"#, r#"{"a":1.5}"#, r#"{"b":[null,"x"]}"#]);
        let list = Shape::List(Box::new(Shape::Text));
        let expected = [("a".to_owned(), Shape::Float), ("b".to_owned(), list)];
        assert_eq!(shape, Shape::Object(Keys::from(expected)));
    }

    #[test]
    fn a_clash_names_its_line_and_spares_other_keys() {
        let shape = shape_of_lines(&[r#"{"zip":1,"n":1}"#, "{}", r#"{"zip":"x","n":2}"#]);
        let Shape::Object(keys) = shape else {
            panic!("an object")
        };
        let clash = keys["zip"].clash().unwrap();
        assert_eq!(
            (clash.first, clash.second, clash.line),
            ("a whole number", "text", 3)
        );
        assert_eq!(keys["n"], Shape::Int);
    }

    #[test]
    fn shapes_of_files_widen_like_lines() {
        let mut first = shape_of_lines(&[r#"{"a":1,"o":{"x":true}}"#]);
        first.widen(
            shape_of_lines(&[r#"{"a":0.5,"o":{"y":"t"},"c":[]}"#]),
            "b.ndjson",
        );
        let expected = shape_of_lines(&[r#"{"a":1.5,"o":{"x":true,"y":"t"},"c":[]}"#]);
        assert_eq!(first, expected);
        first.widen(shape_of_lines(&[r#"{"a":"t"}"#]), "c.ndjson");
        assert_eq!(first.clash().unwrap().file, "c.ndjson");
    }
}
