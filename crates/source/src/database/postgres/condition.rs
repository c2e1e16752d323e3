//! Conditions that the server computes before it sends rows.
//!
//! What is written holds for every row for which the condition holds here, and may hold for others:
//! the condition is computed here all the same. Where the server knows a value that is missing here
//! (dates beyond the calendar), it decides what is unknown here, which makes nothing false that was
//! true; only `IS NULL` could, so it is not written of such columns.

use arrow_schema::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use tokio_postgres::types::Type;

use super::Column;
use super::coding::Coding;
use crate::database::name::Quotes;

/// The bytes of a text that a condition compares with: far below where cells are cut.
const TEXT_LEN_MAX: usize = 1 << 10;
/// The bytes of a condition.
const CONDITION_LEN_MAX: usize = 1 << 16;

/// Returns the parts of a condition that mean the same at the server, in its words.
pub(crate) fn condition(filter: &Expr, columns: &[Column]) -> Option<String> {
    let writer = Writer { columns };
    let parts = split_conjunction(filter).into_iter();
    let parts = parts.filter_map(|part| writer.written(part, Place::Top));
    let parts: Vec<_> = parts.collect();
    let condition = parts.join(" AND ");
    (!condition.is_empty() && condition.len() <= CONDITION_LEN_MAX).then_some(condition)
}

/// Where a part of a condition stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It has to hold.
    Top,
    /// It helps to hold.
    Inside,
    /// It has not to hold.
    Negated,
}

struct Writer<'c> {
    columns: &'c [Column],
}

/// A column and how its values compare.
struct Operand {
    /// As it is compared.
    term: String,
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Integer,
    /// Compared for equality only: collations put texts in other orders.
    Text,
    Date,
    Timestamp,
    Moment,
}

impl Writer<'_> {
    /// Returns a condition in the server's words, if all of it means the same there.
    fn written(&self, expr: &Expr, place: Place) -> Option<String> {
        match expr {
            Expr::BinaryExpr(binary) => self.binary(binary, place),
            Expr::Not(inner) => {
                let inner = self.written(inner, Place::Negated)?;
                Some(format!("(NOT {inner})"))
            }
            Expr::IsNull(inner) => Some(format!("({} IS NULL)", self.exact(inner)?)),
            Expr::IsNotNull(inner) => Some(format!("({} IS NOT NULL)", self.exact(inner)?)),
            Expr::InList(list) => self.in_list(list, place),
            Expr::Between(between) => self.between(between),
            Expr::Column(_) => {
                let column = self.operand(expr)?;
                (column.kind == Kind::Bool).then_some(column.term)
            }
            _ => None,
        }
    }

    fn binary(&self, binary: &BinaryExpr, place: Place) -> Option<String> {
        let BinaryExpr { left, op, right } = binary;
        if matches!(op, Operator::And | Operator::Or) {
            let place = match place {
                Place::Top => Place::Inside,
                inner => inner,
            };
            let (left, right) = (self.written(left, place)?, self.written(right, place)?);
            return Some(format!("({left} {op} {right})"));
        }
        let (column, op, value) = match self.operand(left) {
            Some(column) => (column, *op, right),
            None => (self.operand(right)?, op.swap()?, left),
        };
        let sign = column.kind.sign(op)?;
        let value = column.kind.literal(value)?;
        Some(format!("({} {sign} {value})", column.term))
    }

    /// Writes a list where the engine, which joins lists of one column, gives it the meaning that
    /// SQL gives it of null: `x NOT IN (1) OR x NOT IN (2)` is true for it without exception.
    fn in_list(&self, list: &InList, place: Place) -> Option<String> {
        let InList {
            expr,
            list,
            negated,
        } = list;
        let is_same = match place {
            Place::Top => true,
            Place::Inside => !negated,
            Place::Negated => false,
        };
        let column = self.operand(expr).filter(|_| is_same)?;
        let values = list.iter().map(|value| column.kind.literal(value));
        let values: Vec<_> = values.collect::<Option<_>>()?;
        if values.is_empty() {
            return None;
        }
        let not = if *negated { "NOT " } else { "" };
        Some(format!("({} {not}IN ({}))", column.term, values.join(", ")))
    }

    fn between(&self, between: &Between) -> Option<String> {
        let Between {
            expr,
            negated,
            low,
            high,
        } = between;
        let column = self.operand(expr)?;
        column.kind.sign(Operator::Lt)?;
        let (low, high) = (column.kind.literal(low)?, column.kind.literal(high)?);
        let not = if *negated { "NOT " } else { "" };
        Some(format!("({} {not}BETWEEN {low} AND {high})", column.term))
    }

    /// Returns the name of a column that lacks a value here if and only if it does there.
    fn exact(&self, expr: &Expr) -> Option<String> {
        let column = self.operand(expr)?;
        let is_exact = matches!(column.kind, Kind::Bool | Kind::Integer | Kind::Text);
        is_exact.then_some(column.name)
    }

    fn operand(&self, expr: &Expr) -> Option<Operand> {
        let Expr::Column(found) = expr else {
            return None;
        };
        let column = self
            .columns
            .iter()
            .find(|column| column.name == found.name)?;
        let kind = match column.type_ {
            Type::BOOL => Kind::Bool,
            Type::INT2 | Type::INT4 | Type::INT8 => Kind::Integer,
            Type::TEXT | Type::VARCHAR => Kind::Text,
            Type::DATE => Kind::Date,
            Type::TIMESTAMP => Kind::Timestamp,
            Type::TIMESTAMPTZ => Kind::Moment,
            _ => return None,
        };
        let name = Quotes::Double.around(&column.name);
        // Some collations call different texts equal.
        let term = match kind {
            Kind::Text => format!("{name} COLLATE \"C\""),
            _ => name.clone(),
        };
        Some(Operand { term, name, kind })
    }
}

impl Kind {
    /// Returns the sign of a comparison that means the same on both sides.
    fn sign(self, op: Operator) -> Option<&'static str> {
        let is_ordered = !matches!(self, Self::Text | Self::Bool);
        match op {
            Operator::Eq => Some("="),
            Operator::NotEq => Some("<>"),
            Operator::Lt if is_ordered => Some("<"),
            Operator::LtEq if is_ordered => Some("<="),
            Operator::Gt if is_ordered => Some(">"),
            Operator::GtEq if is_ordered => Some(">="),
            _ => None,
        }
    }

    /// Writes a literal as a value of this kind, if it is one without doubt.
    fn literal(self, expr: &Expr) -> Option<String> {
        match (self, constant(expr)?) {
            (Self::Bool, ScalarValue::Boolean(Some(value))) => Some(value.to_string()),
            (Self::Integer, ScalarValue::Int64(Some(value))) => Some(format!("'{value}'::int8")),
            (Self::Text, ScalarValue::Utf8(Some(text))) => quoted(&text),
            (Self::Date, value) => self.time(&value, "date"),
            (Self::Timestamp, value) => self.time(&value, "timestamp"),
            (Self::Moment, value) => self.time(&value, "timestamptz"),
            _ => None,
        }
    }

    fn time(self, value: &ScalarValue, type_name: &str) -> Option<String> {
        let coding = match self {
            Self::Date => Coding::Date,
            Self::Timestamp => Coding::Timestamp,
            _ => Coding::Moment,
        };
        let data_type = coding.data_type();
        // A text that is a time is taken as one here; a date beside a point in time is not written,
        // because it would have to be midnight somewhere.
        let is_text = matches!(value, ScalarValue::Utf8(Some(text)) if is_time(text, self));
        if !is_text && value.data_type() != data_type {
            return None;
        }
        let value = value.cast_to(&data_type).ok()?;
        if value.is_null() {
            return None;
        }
        let ScalarValue::Utf8(Some(text)) = value.cast_to(&DataType::Utf8).ok()? else {
            return None;
        };
        let is_plain = |c: char| c.is_ascii_digit() || "-:.TZ".contains(c);
        text.chars()
            .all(is_plain)
            .then(|| format!("'{text}'::{type_name}"))
    }
}

/// Tells whether a text is a time written in full: `2024-05-01`, or with `T10:00:00` behind it, and
/// `Z` behind that for a moment.
fn is_time(text: &str, kind: Kind) -> bool {
    let shape = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c });
    let shape: String = shape.collect();
    match kind {
        Kind::Date => shape == "0000-00-00",
        Kind::Timestamp => shape == "0000-00-00T00:00:00",
        _ => shape == "0000-00-00T00:00:00Z",
    }
}

/// Returns the value of a literal, or of `DATE '…'` and its like.
fn constant(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Negative(inner) => match constant(inner)? {
            ScalarValue::Int64(Some(value)) => Some(ScalarValue::Int64(Some(value.checked_neg()?))),
            _ => None,
        },
        Expr::Cast(cast) => match (constant(&cast.expr)?, cast.field.data_type()) {
            (ScalarValue::Utf8(Some(text)), DataType::Date32) if is_time(&text, Kind::Date) => {
                ScalarValue::Utf8(Some(text))
                    .cast_to(&DataType::Date32)
                    .ok()
            }
            _ => None,
        },
        _ => None,
    }
}

/// Writes a text so that no setting of the server changes what it means.
fn quoted(text: &str) -> Option<String> {
    if text.len() > TEXT_LEN_MAX || text.contains('\0') {
        return None;
    }
    let escaped = text.replace('\\', "\\\\").replace('\'', "''");
    Some(format!("E'{escaped}'::text"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::Arc;

    use arrow_schema::{Field, Schema};
    use datafusion::common::DFSchema;

    use super::*;

    fn pushed(text: &str) -> Option<String> {
        let columns = [
            ("n", Type::INT4),
            ("Name", Type::TEXT),
            ("ok", Type::BOOL),
            ("born", Type::DATE),
            ("at", Type::TIMESTAMPTZ),
            ("padded", Type::BPCHAR),
            ("free", Type::NUMERIC),
        ];
        let columns = columns.map(|(name, type_)| Column {
            name: name.to_owned(),
            type_,
            modifier: -1,
        });
        let fields = columns
            .iter()
            .map(|column| Field::new(&column.name, column.coding().data_type(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let context = crate::scan::context(1, 1);
        let schema = DFSchema::try_from(schema).unwrap();
        let filter = context.parse_sql_expr(text, &schema).unwrap();
        condition(&filter, &columns)
    }

    #[test]
    fn what_means_the_same_is_written_anew() {
        for (text, expected) in [
            ("n > 5", r#"("n" > '5'::int8)"#),
            ("5 >= n and ok", r#"("n" <= '5'::int8) AND "ok""#),
            (
                "n between -1 and 3",
                r#"("n" BETWEEN '-1'::int8 AND '3'::int8)"#,
            ),
            ("n not in (1, 2)", r#"("n" NOT IN ('1'::int8, '2'::int8))"#),
            (
                r"Name = 'O''Brien \ '",
                r#"("Name" COLLATE "C" = E'O''Brien \\ '::text)"#,
            ),
            (
                "not (Name <> 'x' or n is null)",
                r#"(NOT (("Name" COLLATE "C" <> E'x'::text) OR ("n" IS NULL)))"#,
            ),
            ("born < '2000-01-01'", r#"("born" < '2000-01-01'::date)"#),
            (
                "born >= DATE '2000-01-01'",
                r#"("born" >= '2000-01-01'::date)"#,
            ),
            (
                "at > '2024-01-01T00:00:00Z'",
                r#"("at" > '2024-01-01T00:00:00Z'::timestamptz)"#,
            ),
            // Of a conjunction what can be is written.
            ("n = 1 and lower(Name) = 'x'", r#"("n" = '1'::int8)"#),
        ] {
            assert_eq!(pushed(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_may_mean_something_else_stays_here() {
        for text in [
            "Name < 'x'",
            "Name between 'a' and 'b'",
            "Name like 'x%'",
            "Name = n",
            "n = 1.5",
            "n = '1'",
            "padded = 'x'",
            "free > 5",
            "born is null",
            "born = '1.2.2000'",
            "at > '2024-01-01'",
            "n = 1 or lower(Name) = 'x'",
            "not (n = 1 and lower(Name) = 'x')",
            "ok > false",
            "n = null",
            "n not in (1) or n not in (2)",
            "not (n in (1) and n in (2))",
        ] {
            assert_eq!(pushed(text), None, "{text}");
        }
    }
}
