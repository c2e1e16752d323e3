//! The functions of conditions; each gives what the function of `DuckDB` gives.

use std::collections::BTreeSet;

use super::moment::{self, Format, Unit};
use super::pattern::Pattern;
use super::value::Value;
use crate::similarity;

/// A function, with what is fixed when the condition is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Function {
    Levenshtein,
    Damerau,
    Jaro,
    JaroWinkler,
    Jaccard,
    Hamming,
    Lower,
    Upper,
    Trim,
    Substring,
    Left,
    Right,
    Length,
    Concat,
    Append,
    Replace,
    Reverse,
    SplitPart,
    Contains,
    StartsWith,
    EndsWith,
    RegexpExtract(Pattern, usize),
    RegexpMatches(Pattern),
    Coalesce,
    NullIf,
    Greatest,
    Least,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Negate,
    Abs,
    Sin,
    Cos,
    Acos,
    Radians,
    Sqrt,
    Ln,
    Log2,
    Power,
    Round,
    Floor,
    Ceil,
    ToNumber,
    ToFloat,
    ToWhole,
    ToText,
    ToMoment,
    Strptime(Format),
    Epoch,
    DateDiff(Unit),
    Year,
    Month,
    Day,
    ListIntersect,
    ListHasAny,
    ListContains,
    ListExtract,
}

/// Names, functions, and the fewest and most arguments; in byte order.
const NAMED: &[(&str, Function, usize, usize)] = &[
    ("abs", Function::Abs, 1, 1),
    ("acos", Function::Acos, 1, 1),
    ("array_contains", Function::ListContains, 2, 2),
    ("array_extract", Function::ListExtract, 2, 2),
    ("array_has_any", Function::ListHasAny, 2, 2),
    ("array_intersect", Function::ListIntersect, 2, 2),
    ("array_length", Function::Length, 1, 1),
    ("ceil", Function::Ceil, 1, 1),
    ("coalesce", Function::Coalesce, 1, 64),
    ("concat", Function::Concat, 1, 64),
    ("contains", Function::Contains, 2, 2),
    ("cos", Function::Cos, 1, 1),
    ("damerau_levenshtein", Function::Damerau, 2, 2),
    ("day", Function::Day, 1, 1),
    ("ends_with", Function::EndsWith, 2, 2),
    ("epoch", Function::Epoch, 1, 1),
    ("floor", Function::Floor, 1, 1),
    ("greatest", Function::Greatest, 1, 64),
    ("hamming", Function::Hamming, 2, 2),
    ("ifnull", Function::Coalesce, 2, 2),
    ("jaccard", Function::Jaccard, 2, 2),
    ("jaro_similarity", Function::Jaro, 2, 2),
    ("jaro_winkler_similarity", Function::JaroWinkler, 2, 2),
    ("least", Function::Least, 1, 64),
    ("left", Function::Left, 2, 2),
    ("len", Function::Length, 1, 1),
    ("length", Function::Length, 1, 1),
    ("levenshtein", Function::Levenshtein, 2, 2),
    ("list_contains", Function::ListContains, 2, 2),
    ("list_extract", Function::ListExtract, 2, 2),
    ("list_has_any", Function::ListHasAny, 2, 2),
    ("list_intersect", Function::ListIntersect, 2, 2),
    ("ln", Function::Ln, 1, 1),
    ("log2", Function::Log2, 1, 1),
    ("lower", Function::Lower, 1, 1),
    ("mod", Function::Modulo, 2, 2),
    ("month", Function::Month, 1, 1),
    ("nullif", Function::NullIf, 2, 2),
    ("power", Function::Power, 2, 2),
    ("radians", Function::Radians, 1, 1),
    ("replace", Function::Replace, 3, 3),
    ("reverse", Function::Reverse, 1, 1),
    ("right", Function::Right, 2, 2),
    ("round", Function::Round, 1, 1),
    ("sin", Function::Sin, 1, 1),
    ("split_part", Function::SplitPart, 3, 3),
    ("sqrt", Function::Sqrt, 1, 1),
    ("starts_with", Function::StartsWith, 2, 2),
    ("substr", Function::Substring, 2, 3),
    ("substring", Function::Substring, 2, 3),
    ("trim", Function::Trim, 1, 1),
    ("upper", Function::Upper, 1, 1),
    ("year", Function::Year, 1, 1),
];

/// Names of functions whose further arguments are fixed texts.
pub(super) const FIXED: [&str; 6] = [
    "date_diff",
    "datediff",
    "regexp_extract",
    "regexp_matches",
    "strptime",
    "try_strptime",
];

/// Lists the functions for messages.
pub(super) fn names() -> String {
    let names = NAMED.iter().map(|(name, ..)| *name).chain(FIXED);
    names
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns the name that may have been meant.
pub(super) fn suggestion(name: &str) -> Option<String> {
    let mut names = NAMED.iter().map(|(name, ..)| *name).chain(FIXED);
    let close = crate::closest(name, names.clone());
    let longer = || names.find(|known| known.starts_with(name));
    close.or_else(longer).map(str::to_owned)
}

/// Returns the function of a name, and how few and many arguments it takes.
pub(super) fn named(name: &str) -> Option<(Function, usize, usize)> {
    let index = NAMED.binary_search_by_key(&name, |(name, ..)| name).ok()?;
    let (_, function, least, most) = NAMED.get(index)?;
    Some((function.clone(), *least, *most))
}

impl Function {
    /// Tells whether the order of two arguments does not matter.
    ///
    /// Jaro's similarity may differ in rare pairs of which one side's matched characters depend on
    /// where matching begins; the order there is that of the records.
    pub(super) fn commutes(&self) -> bool {
        matches!(
            self,
            Self::Levenshtein
                | Self::Damerau
                | Self::Jaro
                | Self::JaroWinkler
                | Self::Jaccard
                | Self::Hamming
                | Self::Greatest
                | Self::Least
                | Self::Add
                | Self::Multiply
                | Self::ListIntersect
                | Self::ListHasAny
        )
    }

    /// Returns what the function gives; null for arguments it does not take.
    pub(super) fn call<'v>(&self, mut arguments: Vec<Value<'v>>) -> Value<'v> {
        match self {
            Self::Coalesce => {
                let known = arguments.into_iter().find(|value| !value.is_null());
                return known.unwrap_or(Value::Null);
            }
            Self::Greatest | Self::Least => return self.extreme(arguments),
            Self::Concat => {
                let texts = arguments.iter().filter_map(Value::text);
                return Value::owned(texts.collect());
            }
            Self::NullIf => {
                if let [a, b] = &arguments[..]
                    && a.equals(b) == Some(true)
                {
                    return Value::Null;
                }
                return arguments.drain(..).next().unwrap_or(Value::Null);
            }
            _ => {}
        }
        if arguments.iter().any(Value::is_null) {
            return Value::Null;
        }
        let called = match &arguments[..] {
            [a] => self.of_one(a),
            [a, b] => self.of_two(a, b),
            [a, b, c] => self.of_three(a, b, c),
            _ => None,
        };
        called.unwrap_or(Value::Null)
    }

    fn extreme<'v>(&self, arguments: Vec<Value<'v>>) -> Value<'v> {
        let wins = |new: &Value<'v>, old: &Value<'v>| match new.order(old) {
            Some(order) if *self == Self::Greatest => order.is_gt(),
            Some(order) => order.is_lt(),
            None => false,
        };
        let known = arguments.into_iter().filter(|value| !value.is_null());
        let best = known.reduce(|best, value| if wins(&value, &best) { value } else { best });
        best.unwrap_or(Value::Null)
    }

    fn of_one<'v>(&self, a: &Value<'v>) -> Option<Value<'v>> {
        let number = |of: fn(f64) -> f64| Some(Value::Number(of(a.number()?)));
        match self {
            Self::Lower => Some(Value::owned(a.text()?.to_lowercase())),
            Self::Upper => Some(Value::owned(a.text()?.to_uppercase())),
            Self::Trim => Some(Value::owned(a.text()?.trim_matches(' ').to_owned())),
            Self::Reverse => Some(Value::owned(a.text()?.chars().rev().collect())),
            Self::Length => Some(Value::Number(match a {
                Value::List(values) => values.len() as f64,
                single => single.text()?.chars().count() as f64,
            })),
            Self::RegexpExtract(pattern, group) => {
                Some(Value::owned(pattern.extract(&a.text()?, *group)))
            }
            Self::RegexpMatches(pattern) => Some(Value::Bool(pattern.is_match(&a.text()?))),
            Self::Negate => number(|x| -x),
            Self::Abs => number(f64::abs),
            Self::Sin => number(f64::sin),
            Self::Cos => number(f64::cos),
            Self::Acos => number(f64::acos),
            Self::Radians => number(f64::to_radians),
            Self::Sqrt => number(f64::sqrt),
            Self::Ln => number(f64::ln),
            Self::Log2 => number(f64::log2),
            Self::Round | Self::ToWhole => number(f64::round),
            Self::Floor => number(f64::floor),
            Self::Ceil => number(f64::ceil),
            Self::ToNumber => number(|x| x),
            Self::ToFloat => number(|x| f64::from(x as f32)),
            Self::ToText => Some(Value::owned(a.text()?.into_owned())),
            Self::ToMoment => Some(Value::Moment(a.moment()?)),
            Self::Strptime(format) => Some(Value::Moment(format.parse(&a.text()?)?)),
            Self::Epoch => Some(Value::Number(a.moment()? as f64 / 1e6)),
            Self::Year | Self::Month | Self::Day => {
                let [year, month, day] = moment::civil_of(a.moment()?);
                Some(Value::Number(match self {
                    Self::Year => year,
                    Self::Month => month,
                    _ => day,
                } as f64))
            }
            _ => None,
        }
    }

    fn of_two<'v>(&self, a: &Value<'v>, b: &Value<'v>) -> Option<Value<'v>> {
        let number = |of: fn(f64, f64) -> f64| Some(Value::Number(of(a.number()?, b.number()?)));
        let texts =
            |of: fn(&str, &str) -> Option<f64>| Some(Value::Number(of(&a.text()?, &b.text()?)?));
        match self {
            Self::Levenshtein => texts(|a, b| Some(levenshtein(a, b))),
            Self::Damerau => texts(|a, b| {
                let distance = strsim::damerau_levenshtein(bounded(a), bounded(b));
                Some(distance as f64)
            }),
            Self::Jaro => texts(|a, b| Some(jaro(a, b))),
            Self::JaroWinkler => texts(|a, b| Some(jaro_winkler(a, b))),
            Self::Jaccard => texts(jaccard),
            Self::Hamming => texts(|a, b| Some(strsim::hamming(a, b).ok()? as f64)),
            Self::Add => number(|a, b| a + b),
            Self::Subtract => number(|a, b| a - b),
            Self::Multiply => number(|a, b| a * b),
            Self::Divide => number(|a, b| a / b),
            Self::Modulo => number(|a, b| a % b),
            Self::Power => number(f64::powf),
            Self::Append => Some(Value::owned(format!("{}{}", a.text()?, b.text()?))),
            Self::Left => Some(Value::owned(left(&a.text()?, b.number()?))),
            Self::Right => {
                let reversed: String = a.text()?.chars().rev().collect();
                Some(Value::owned(
                    left(&reversed, b.number()?).chars().rev().collect(),
                ))
            }
            Self::Substring => Some(Value::owned(substring(
                &a.text()?,
                b.number()?,
                f64::INFINITY,
            ))),
            Self::Contains => Some(Value::Bool(a.text()?.contains(&*b.text()?))),
            Self::StartsWith => Some(Value::Bool(a.text()?.starts_with(&*b.text()?))),
            Self::EndsWith => Some(Value::Bool(a.text()?.ends_with(&*b.text()?))),
            Self::DateDiff(unit) => {
                let difference = moment::difference(*unit, a.moment()?, b.moment()?);
                Some(Value::Number(difference as f64))
            }
            Self::ListIntersect => Some(Value::List(intersection(a, b)?)),
            Self::ListHasAny => Some(Value::Bool(!intersection(a, b)?.is_empty())),
            Self::ListContains => {
                let items = a.clone().into_items()?;
                Some(Value::Bool(items.iter().any(|a| a.equals(b) == Some(true))))
            }
            Self::ListExtract => element(a, b.number()?),
            _ => None,
        }
    }

    fn of_three<'v>(&self, a: &Value<'v>, b: &Value<'v>, c: &Value<'v>) -> Option<Value<'v>> {
        let text = a.text()?;
        Some(Value::owned(match self {
            Self::Substring => substring(&text, b.number()?, c.number()?),
            Self::Replace if b.text()?.is_empty() => text.into_owned(),
            Self::Replace => text.replace(&*b.text()?, &c.text()?),
            Self::SplitPart => split_part(&text, &b.text()?, c.number()?),
            _ => return None,
        }))
    }
}

/// How much of a text is compared, in characters: the cost grows with the product of two lengths.
const CHARACTERS_MAX: usize = 1_024;

fn bounded(text: &str) -> &str {
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Texts beyond what kernels compare go through the reference.
fn levenshtein(a: &str, b: &str) -> f64 {
    let (a, b) = (bounded(a), bounded(b));
    if a.len().max(b.len()) > similarity::COMPARED_LEN_MAX {
        return strsim::levenshtein(a, b) as f64;
    }
    f64::from(similarity::levenshtein(a, b))
}

/// Two empty texts have nothing in common.
fn jaro(a: &str, b: &str) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let (a, b) = (bounded(a), bounded(b));
    if a.len().max(b.len()) > similarity::COMPARED_LEN_MAX {
        return strsim::jaro(a, b);
    }
    similarity::jaro(a, b)
}

/// The bonus for a common prefix is added with one rounding, as `DuckDB` 2 does (a fused
/// multiply-add), where the kernel of the level language rounds twice: the last bit may differ.
fn jaro_winkler(a: &str, b: &str) -> f64 {
    const BOOST_THRESHOLD: f64 = 0.7;
    const PREFIX_LEN_MAX: usize = 4;
    let similarity = jaro(a, b);
    if similarity <= BOOST_THRESHOLD {
        return similarity;
    }
    let together = a.chars().zip(b.chars()).take(PREFIX_LEN_MAX);
    let prefix_len = together.take_while(|(a, b)| a == b).count();
    (0.1 * prefix_len as f64).mul_add(1.0 - similarity, similarity)
}

/// Shared characters over all characters, each counted once; empty texts have none to share.
fn jaccard(a: &str, b: &str) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let characters = |text: &str| text.chars().collect::<BTreeSet<char>>();
    let (a, b) = (characters(a), characters(b));
    let shared = a.intersection(&b).count();
    Some(shared as f64 / (a.len() + b.len() - shared) as f64)
}

/// The first so many characters, or all but the last so many if the number is negative.
fn left(text: &str, len: f64) -> String {
    let count = text.chars().count() as f64;
    let len = if len < 0.0 {
        (count + len).max(0.0)
    } else {
        len
    };
    text.chars().take(len as usize).collect()
}

/// Characters from a position on; the first is 1, negative positions count from the end.
fn substring(text: &str, from: f64, len: f64) -> String {
    let count = text.chars().count() as f64;
    let from = if from < 0.0 {
        (count + from).max(0.0)
    } else {
        from - 1.0
    };
    let (from, to) = (from, from + len);
    let (from, to) = (from.min(to).max(0.0), from.max(to).max(0.0));
    text.chars()
        .skip(from as usize)
        .take((to - from) as usize)
        .collect()
}

fn split_part(text: &str, separator: &str, index: f64) -> String {
    let parts: Vec<&str> = text.split(separator).collect();
    let at = if index < 0.0 {
        parts.len() as f64 + index
    } else {
        index - 1.0
    };
    let part = (at >= 0.0).then(|| parts.get(at as usize)).flatten();
    part.copied().unwrap_or_default().to_owned()
}

/// The distinct items that two lists share.
fn intersection<'v>(a: &Value<'v>, b: &Value<'v>) -> Option<Vec<Value<'v>>> {
    let (a, b) = (a.clone().into_items()?, b.clone().into_items()?);
    let mut shared: Vec<Value<'v>> = Vec::new();
    for item in b {
        let is_new = shared.iter().all(|known| known.equals(&item) != Some(true));
        if is_new && a.iter().any(|other| other.equals(&item) == Some(true)) {
            shared.push(item);
        }
    }
    Some(shared)
}

/// The item or character at a position from 1, or from the end if negative.
fn element<'v>(list: &Value<'v>, index: f64) -> Option<Value<'v>> {
    if let Value::Text(text) = list {
        let found = substring(text, index, 1.0);
        return (index != 0.0).then(|| Value::owned(found));
    }
    let items = list.clone().into_items()?;
    let at = if index < 0.0 {
        items.len() as f64 + index
    } else {
        index - 1.0
    };
    (at >= 0.0)
        .then(|| items.get(at as usize).cloned())
        .flatten()
}
