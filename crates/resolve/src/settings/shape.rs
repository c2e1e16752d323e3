//! Compares a settings text with its JSON Schema: unknown names, wrong types, missing keys.
//!
//! The schema is derived from the types that serde reads, so this check accepts what
//! serde accepts; unlike serde it goes on after the first problem and knows every
//! name that could stand in a place.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Finding, KeyPath};

/// The most keys of a table that are shown where one is expected.
const KEY_COUNT_SHOWN_MAX: usize = 3;

/// Returns all differences between a document and a schema.
pub(super) fn check(root: &Spanned<DeValue<'_>>, schema: &Value) -> Vec<Finding> {
    let mut shape = Shape {
        schema,
        findings: Vec::new(),
    };
    shape.value(schema, root.get_ref(), &KeyPath::default());
    shape.findings
}

struct Shape<'s> {
    schema: &'s Value,
    findings: Vec<Finding>,
}

impl<'s> Shape<'s> {
    fn value(&mut self, schema: &'s Value, value: &DeValue<'_>, path: &KeyPath) {
        let schema = self.resolve(schema);
        if let Some(words) = words_of(schema) {
            return self.word(&words, value, path);
        }
        if let Some(options) = options_of(schema) {
            return self.option(options, value, path);
        }
        if !admits(schema, value) {
            return self.wrong_type(&[schema], value, path);
        }
        match value {
            DeValue::Table(table) => self.table(schema, table, path),
            DeValue::Array(list) => {
                let Some(items) = schema.get("items") else {
                    return;
                };
                for (index, item) in list.iter().enumerate() {
                    self.value(items, item.get_ref(), &path.with(index));
                }
            }
            DeValue::Integer(_) => self.range(schema, value, path),
            DeValue::String(text) => self.len(schema, text, path),
            _ => {}
        }
    }

    /// Follows references to definitions.
    fn resolve(&self, mut schema: &'s Value) -> &'s Value {
        while let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let pointer = reference.trim_start_matches('#');
            let Some(target) = self.schema.pointer(pointer) else {
                break;
            };
            schema = target;
        }
        schema
    }

    fn word(&mut self, words: &[&str], value: &DeValue<'_>, path: &KeyPath) {
        match value.as_str() {
            Some(word) if words.contains(&word) => {}
            Some(word) => {
                let message = format!("\"{word}\" is not a word for this key");
                let known = words.iter().copied();
                self.findings
                    .push(Finding::unknown(path.clone(), message, word, known));
            }
            None => {
                let found = type_of(value);
                let message = format!("expected one of {}, found {found}", words.join(", "));
                self.findings.push(Finding::new(path.clone(), message));
            }
        }
    }

    /// Checks against the first alternative whose type fits, and whose keys do if any has them.
    fn option(&mut self, options: &'s [Value], value: &DeValue<'_>, path: &KeyPath) {
        let options: Vec<_> = options.iter().map(|option| self.resolve(option)).collect();
        let fit = || options.iter().filter(|option| self.may_be(option, value));
        let keyed = fit().find(|option| has_required(option, value));
        match keyed.or_else(|| fit().next()) {
            Some(option) => self.value(option, value, path),
            None => self.wrong_type(&options, value, path),
        }
    }

    fn may_be(&self, schema: &'s Value, value: &DeValue<'_>) -> bool {
        match options_of(schema) {
            _ if words_of(schema).is_some() => value.is_str(),
            Some(options) => options.iter().any(|o| self.may_be(self.resolve(o), value)),
            None => admits(schema, value),
        }
    }

    fn table(&mut self, schema: &'s Value, table: &DeTable<'_>, path: &KeyPath) {
        let none = serde_json::Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema
            .get("additionalProperties")
            .filter(|others| others.is_object());
        let mut meant = Vec::new();
        for (key, value) in table {
            let (name, path) = (key.get_ref().as_ref(), path.with(key.get_ref().as_ref()));
            if let Some(schema) = properties.and_then(|known| known.get(name)).or(others) {
                self.value(schema, value.get_ref(), &path);
                continue;
            }
            let known = properties.unwrap_or(&none).keys().map(String::as_str);
            let finding = Finding::unknown(path, format!("unknown key \"{name}\""), name, known);
            meant.extend(finding.suggestion.clone());
            self.findings.push(finding);
        }
        let required = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for name in required.filter_map(Value::as_str) {
            if table.get(name).is_none() && !meant.iter().any(|meant| meant == name) {
                let message = format!("the key \"{name}\" is missing");
                self.findings.push(Finding::new(path.clone(), message));
            }
        }
    }

    fn range(&mut self, schema: &Value, value: &DeValue<'_>, path: &KeyPath) {
        let Some(integer) = value.as_integer() else {
            return;
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let max = match schema.get("format").and_then(Value::as_str) {
            Some("uint32") => i128::from(u32::MAX),
            _ => i128::from(i64::MAX),
        };
        let min = schema
            .get("minimum")
            .and_then(Value::as_f64)
            .map_or(i128::MIN, |min| min as i128);
        if number.is_none_or(|number| !(min..=max).contains(&number)) {
            let message = format!("expected an integer from {min} to {max}");
            self.findings.push(Finding::new(path.clone(), message));
        }
    }

    fn len(&mut self, schema: &Value, text: &str, path: &KeyPath) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
        let len = text.chars().count() as u64;
        let (min, max) = (
            bound("minLength").unwrap_or(0),
            bound("maxLength").unwrap_or(u64::MAX),
        );
        if len < min || len > max {
            let message = match (min, max) {
                (1, 1) => "expected one character".to_owned(),
                _ => format!("expected {min} to {max} characters"),
            };
            self.findings.push(Finding::new(path.clone(), message));
        }
    }

    fn wrong_type(&mut self, schemas: &[&'s Value], value: &DeValue<'_>, path: &KeyPath) {
        let mut expected = Vec::new();
        for schema in schemas {
            self.expected(schema, &mut expected);
        }
        let found = type_of(value);
        let keys: Vec<String> = schemas.iter().flat_map(|s| self.keys_of_small(s)).collect();
        let such_as = match &*keys {
            [] => String::new(),
            keys => format!(" such as {}", keys.join(" or ")),
        };
        let expected = expected.join(" or ");
        let message = format!("expected {expected}{such_as}, found {found}");
        self.findings.push(Finding::new(path.clone(), message));
    }

    /// Returns what tables look like that have few keys and need none of them: one will do.
    fn keys_of_small(&self, schema: &'s Value) -> Vec<String> {
        let schema = self.resolve(schema);
        let options = options_of(schema).into_iter().flatten();
        let mut tables: Vec<String> = options.flat_map(|o| self.keys_of_small(o)).collect();
        let properties = schema.get("properties").and_then(Value::as_object);
        let is_small =
            |keys: &usize| *keys <= KEY_COUNT_SHOWN_MAX && schema.get("required").is_none();
        if let Some(properties) = properties.filter(|properties| is_small(&properties.len())) {
            tables.extend(properties.keys().map(|name| format!("{{ {name} = … }}")));
        }
        tables
    }

    fn expected(&self, schema: &'s Value, into: &mut Vec<&'static str>) {
        let schema = self.resolve(schema);
        for option in options_of(schema).into_iter().flatten() {
            self.expected(option, into);
        }
        for name in types_of(schema).filter_map(name_of) {
            if !into.contains(&name) {
                into.push(name);
            }
        }
    }
}

/// Tells whether a table has all keys that a schema requires.
fn has_required(schema: &Value, value: &DeValue<'_>) -> bool {
    let (Some(table), Some(required)) = (value.as_table(), schema.get("required")) else {
        return false;
    };
    let required = required.as_array().into_iter().flatten();
    let mut names = required.filter_map(Value::as_str);
    names.all(|name| table.get(name).is_some())
}

/// Returns the words of an enumeration.
fn words_of(schema: &Value) -> Option<Vec<&str>> {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().map(Value::as_str).collect();
    }
    let options = options_of(schema)?;
    let mut words = Vec::new();
    for option in options {
        match (
            option.get("const"),
            option.get("enum").and_then(Value::as_array),
        ) {
            (Some(word), _) => words.push(word.as_str()?),
            (None, Some(more)) => words.extend(more.iter().filter_map(Value::as_str)),
            (None, None) => return None,
        }
    }
    Some(words)
}

fn options_of(schema: &Value) -> Option<&[Value]> {
    let options = schema.get("anyOf").or_else(|| schema.get("oneOf"))?;
    options.as_array().map(Vec::as_slice)
}

fn types_of(schema: &Value) -> impl Iterator<Item = &str> {
    let types = schema.get("type");
    let one = types.and_then(Value::as_str);
    let many = types
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    one.into_iter().chain(many)
}

fn admits(schema: &Value, value: &DeValue<'_>) -> bool {
    types_of(schema).any(|name| match value {
        DeValue::String(_) => name == "string",
        DeValue::Integer(_) => name == "integer" || name == "number",
        DeValue::Float(_) => name == "number",
        DeValue::Boolean(_) => name == "boolean",
        DeValue::Array(_) => name == "array",
        DeValue::Table(_) => name == "object",
        DeValue::Datetime(_) => false,
    })
}

fn name_of(json_type: &str) -> Option<&'static str> {
    match json_type {
        "string" => Some("a text"),
        "integer" => Some("an integer"),
        "number" => Some("a number"),
        "boolean" => Some("true or false"),
        "array" => Some("a list"),
        "object" => Some("a table"),
        _ => None,
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
