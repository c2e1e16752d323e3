//! Values in flight while a condition is looked at.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use super::moment;

/// A value of SQL; texts that stand where numbers are wanted are read as numbers.
#[derive(Clone, PartialEq)]
pub(super) enum Value<'v> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'v, str>),
    /// Microseconds since 1970.
    Moment(i64),
    List(Vec<Value<'v>>),
}

/// Says what kind of value it is and not which.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool",
            Self::Number(_) => "Number",
            Self::Text(_) => "Text",
            Self::Moment(_) => "Moment",
            Self::List(_) => "List",
        })
    }
}

impl<'v> Value<'v> {
    pub(super) fn text_of(text: &'v str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(super) fn owned(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the value without copying its texts.
    pub(super) fn borrowed(&'v self) -> Value<'v> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::text_of(text),
            Self::Moment(moment) => Value::Moment(*moment),
            Self::List(values) => Value::List(values.iter().map(Value::borrowed).collect()),
        }
    }

    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(truth),
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::owned(text.into_owned()),
            Self::Moment(moment) => Value::Moment(moment),
            Self::List(values) => Value::List(values.into_iter().map(Value::into_owned).collect()),
        }
    }

    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            Self::Number(number) => Some(*number != 0.0),
            Self::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "1" | "yes" => Some(true),
                "false" | "f" | "0" | "no" => Some(false),
                _ => None,
            },
            Self::Null | Self::Moment(_) | Self::List(_) => None,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Bool(truth) => Some(f64::from(u8::from(*truth))),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Null | Self::Moment(_) | Self::List(_) => None,
        }
    }

    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Bool(truth) => Some(Cow::Owned(truth.to_string())),
            Self::Moment(moment) => Some(Cow::Owned(moment::written(*moment))),
            Self::Null | Self::List(_) => None,
        }
    }

    pub(super) fn moment(&self) -> Option<i64> {
        match self {
            Self::Moment(moment) => Some(*moment),
            Self::Text(text) => moment::of_iso(text),
            _ => None,
        }
    }

    /// Returns the items of a list; a single value is a list of one.
    pub(super) fn into_items(self) -> Option<Vec<Value<'v>>> {
        match self {
            Self::Null => None,
            Self::List(values) => Some(values),
            single => Some(vec![single]),
        }
    }

    /// Orders two values that are not null.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => None,
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Moment(_), _) | (_, Self::Moment(_)) => {
                Some(self.moment()?.cmp(&other.moment()?))
            }
            (Self::Text(a), Self::Text(b)) => match (self.number(), other.number()) {
                (Some(x), Some(y)) if a != b => Some(order_of_numbers(x, y)),
                _ => Some(a.cmp(b)),
            },
            (Self::List(a), Self::List(b)) => {
                let differing = a.iter().zip(b).find_map(|(a, b)| {
                    let order = a.order(b)?;
                    (order != Ordering::Equal).then_some(order)
                });
                Some(differing.unwrap_or(a.len().cmp(&b.len())))
            }
            _ => Some(order_of_numbers(self.number()?, other.number()?)),
        }
    }

    /// Returns whether two values are equal; texts are if all their characters are.
    pub(super) fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(a == b),
            _ => Some(self.order(other)? == Ordering::Equal),
        }
    }
}

/// Not-a-number equals itself and is more than all numbers.
fn order_of_numbers(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}
