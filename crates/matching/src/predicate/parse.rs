//! From SQL to expressions.

use std::cell::Cell;

use sameas_record::Schema;
use sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr,
    FunctionArguments, Subscript, UnaryOperator, Value as Literal,
};
use sqlparser::dialect::DuckDbDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::function::{self, Function};
use super::moment::{Format, Unit};
use super::pattern::Pattern;
use super::value::Value;
use super::{Comparator, FieldOf, PredicateError, Side, Tree};

/// How deep expressions may nest, and how long a text may be: beyond, recursion could end the process.
const DEPTH_MAX: usize = 64;
/// How many operators may stand in a row, each of which nests what is before it.
const CHAIN_LEN_MAX: usize = 200;
const TEXT_LEN_MAX: usize = 16 * 1024;

type Parsed = Result<Tree<FieldOf>, PredicateError>;

/// Reads a condition.
pub(super) fn parse(text: &str, schema: &Schema) -> Parsed {
    let wrong = |reason: String| PredicateError::Syntax {
        text: text.trim().to_owned(),
        reason,
    };
    if text.len() > TEXT_LEN_MAX {
        return Err(wrong(format!("it is longer than {TEXT_LEN_MAX} bytes")));
    }
    let parser = Parser::new(&DuckDbDialect {}).with_recursion_limit(DEPTH_MAX);
    let mut parser = parser
        .try_with_sql(text)
        .map_err(|error| wrong(error.to_string()))?;
    let expr = parser
        .parse_expr()
        .map_err(|error| wrong(error.to_string()))?;
    let after = parser.peek_token();
    if after.token != Token::EOF {
        return Err(wrong(format!("`{}` was not expected", after.token)));
    }
    let depth = Cell::new(0);
    Reader { schema, depth }.tree(&expr)
}

struct Reader<'s> {
    schema: &'s Schema,
    /// How deep the expression at hand is nested.
    depth: Cell<usize>,
}

impl Reader<'_> {
    fn tree(&self, expr: &Expr) -> Parsed {
        if self.depth.get() == CHAIN_LEN_MAX {
            return Err(PredicateError::TooDeep { max: CHAIN_LEN_MAX });
        }
        self.depth.update(|depth| depth + 1);
        let tree = self.tree_within(expr);
        self.depth.update(|depth| depth - 1);
        tree
    }

    fn tree_within(&self, expr: &Expr) -> Parsed {
        let boxed = |expr: &Expr| self.tree(expr).map(Box::new);
        let one = |function, expr: &Expr| Ok(Tree::Call(function, vec![self.tree(expr)?]));
        match expr {
            Expr::Nested(inner) => self.tree(inner),
            Expr::Identifier(name) => Ok(Tree::Leaf(self.field(&name.value)?)),
            Expr::Value(literal) => Ok(Tree::Constant(constant(&literal.value, expr)?)),
            Expr::BinaryOp { left, op, right } => self.binary(expr, left, op, right),
            Expr::UnaryOp { op, expr: inner } => match op {
                UnaryOperator::Not => Ok(Tree::Not(boxed(inner)?)),
                UnaryOperator::Minus => one(Function::Negate, inner),
                UnaryOperator::Plus => self.tree(inner),
                _ => Err(unsupported(expr)),
            },
            Expr::IsNull(inner) => Ok(Tree::IsNull(boxed(inner)?)),
            Expr::IsNotNull(inner) => Ok(negated(true, Tree::IsNull(boxed(inner)?))),
            Expr::IsTrue(inner) => Ok(Tree::Is(true, boxed(inner)?)),
            Expr::IsNotTrue(inner) => Ok(negated(true, Tree::Is(true, boxed(inner)?))),
            Expr::IsFalse(inner) => Ok(Tree::Is(false, boxed(inner)?)),
            Expr::IsNotFalse(inner) => Ok(negated(true, Tree::Is(false, boxed(inner)?))),
            Expr::InList { .. } | Expr::Between { .. } => self.range(expr),
            Expr::Case { .. } => self.case(expr),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::TryCast | CastKind::DoubleColon,
                expr: inner,
                data_type,
                ..
            } => one(cast(data_type, expr)?, inner),
            Expr::Substring {
                expr: inner,
                substring_from: Some(from),
                substring_for,
                ..
            } => {
                let mut arguments = vec![self.tree(inner)?, self.tree(from)?];
                let len = substring_for.as_deref().map(|len| self.tree(len));
                arguments.extend(len.transpose()?);
                Ok(Tree::Call(Function::Substring, arguments))
            }
            Expr::Trim {
                trim_where: None,
                trim_what: None,
                trim_characters: None,
                expr: inner,
            } => one(Function::Trim, inner),
            Expr::Ceil { expr: inner, .. } => one(Function::Ceil, inner),
            Expr::Floor { expr: inner, .. } => one(Function::Floor, inner),
            Expr::CompoundFieldAccess { root, access_chain } => match &access_chain[..] {
                [AccessExpr::Subscript(Subscript::Index { index })] => Ok(Tree::Call(
                    Function::ListExtract,
                    vec![self.tree(root)?, self.tree(index)?],
                )),
                _ => Err(unsupported(expr)),
            },
            Expr::Function(call) => self.call(expr, call),
            _ => Err(unsupported(expr)),
        }
    }

    /// Reads `IN` and `BETWEEN`.
    fn range(&self, expr: &Expr) -> Parsed {
        let compare = |comparator, a: &Tree<FieldOf>, b: &Expr| {
            let sides = Box::new([a.clone(), self.tree(b)?]);
            Ok(Tree::Compare(comparator, sides))
        };
        match expr {
            Expr::InList {
                expr,
                list,
                negated: not,
            } => {
                let value = self.tree(expr)?;
                let items = list.iter();
                let items = items.map(|item| compare(Comparator::Equal, &value, item));
                let any = Tree::Any(items.collect::<Result<_, PredicateError>>()?);
                Ok(negated(*not, any))
            }
            Expr::Between {
                expr,
                negated: not,
                low,
                high,
            } => {
                let value = self.tree(expr)?;
                let within = vec![
                    compare(Comparator::AtLeast, &value, low)?,
                    compare(Comparator::AtMost, &value, high)?,
                ];
                Ok(negated(*not, Tree::All(within)))
            }
            _ => Err(unsupported(expr)),
        }
    }

    fn case(&self, expr: &Expr) -> Parsed {
        let Expr::Case {
            operand,
            conditions,
            else_result,
            ..
        } = expr
        else {
            return Err(unsupported(expr));
        };
        let operand = operand.as_deref().map(|operand| self.tree(operand));
        let operand = operand.transpose()?;
        let mut branches = Vec::with_capacity(conditions.len());
        for branch in conditions {
            let mut condition = self.tree(&branch.condition)?;
            if let Some(operand) = &operand {
                let sides = Box::new([operand.clone(), condition]);
                condition = Tree::Compare(Comparator::Equal, sides);
            }
            branches.push([condition, self.tree(&branch.result)?]);
        }
        let otherwise = else_result.as_deref().map(|result| self.tree(result));
        let otherwise = otherwise.transpose()?;
        let otherwise = otherwise.unwrap_or(Tree::Constant(Value::Null));
        Ok(Tree::Case(branches, Box::new(otherwise)))
    }

    fn binary(&self, whole: &Expr, left: &Expr, op: &BinaryOperator, right: &Expr) -> Parsed {
        let compare = |comparator| {
            let sides = Box::new([self.tree(left)?, self.tree(right)?]);
            Ok(Tree::Compare(comparator, sides))
        };
        let call = |function| {
            let arguments = vec![self.tree(left)?, self.tree(right)?];
            Ok(Tree::Call(function, arguments))
        };
        match op {
            BinaryOperator::And => Ok(Tree::All(vec![self.tree(left)?, self.tree(right)?])),
            BinaryOperator::Or => Ok(Tree::Any(vec![self.tree(left)?, self.tree(right)?])),
            BinaryOperator::Eq => compare(Comparator::Equal),
            BinaryOperator::NotEq => compare(Comparator::Unequal),
            BinaryOperator::Lt => compare(Comparator::Less),
            BinaryOperator::LtEq => compare(Comparator::AtMost),
            BinaryOperator::Gt => compare(Comparator::More),
            BinaryOperator::GtEq => compare(Comparator::AtLeast),
            BinaryOperator::Plus => call(Function::Add),
            BinaryOperator::Minus => call(Function::Subtract),
            BinaryOperator::Multiply => call(Function::Multiply),
            BinaryOperator::Divide => call(Function::Divide),
            BinaryOperator::Modulo => call(Function::Modulo),
            BinaryOperator::StringConcat => call(Function::Append),
            _ => Err(unsupported(whole)),
        }
    }

    fn call(&self, whole: &Expr, call: &sqlparser::ast::Function) -> Parsed {
        let wrong = |expected: &str| PredicateError::Arguments {
            call: whole.to_string(),
            expected: expected.to_owned(),
        };
        let FunctionArguments::List(list) = &call.args else {
            return Err(unsupported(whole));
        };
        if call.over.is_some() || call.filter.is_some() || list.duplicate_treatment.is_some() {
            return Err(unsupported(whole));
        }
        let mut arguments = Vec::with_capacity(list.args.len());
        for argument in &list.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => {
                    arguments.push(self.tree(expr)?);
                }
                _ => return Err(unsupported(whole)),
            }
        }
        let name = call.name.to_string().trim_matches('"').to_lowercase();
        if function::FIXED.contains(&name.as_str()) {
            return fixed(&name, arguments).map_err(|expected| wrong(&expected));
        }
        let Some((function, least, most)) = function::named(&name) else {
            let suggestion = function::suggestion(&name);
            return Err(PredicateError::Function { name, suggestion });
        };
        if (least..=most).contains(&arguments.len()) {
            return Ok(Tree::Call(function, arguments));
        }
        Err(wrong(&match (least, most) {
            (least, most) if least == most => format!("expected {least} arguments"),
            _ => format!("expected {least} to {most} arguments"),
        }))
    }

    fn field(&self, name: &str) -> Result<FieldOf, PredicateError> {
        let cut = name.len().saturating_sub(2);
        let (stem, side) = name.split_at_checked(cut).unwrap_or((name, ""));
        let side = match side {
            "_l" | "_L" => Some(Side::Left),
            "_r" | "_R" => Some(Side::Right),
            _ => None,
        };
        let found = self.schema.field_id(stem).or_else(|| {
            let mut ids = self.schema.ids();
            ids.find(|&id| self.schema.field(id).name.eq_ignore_ascii_case(stem))
        });
        if let (Some(field), Some(side)) = (found, side) {
            return Ok(FieldOf { field, side });
        }
        let names = self.schema.fields().iter().map(|field| field.name.as_str());
        let suggestion = crate::closest(stem, names).map(|name| format!("{name}_l"));
        let name = name.to_owned();
        Err(PredicateError::Field { name, suggestion })
    }
}

fn negated(not: bool, tree: Tree<FieldOf>) -> Tree<FieldOf> {
    if not { Tree::Not(Box::new(tree)) } else { tree }
}

fn unsupported(expr: &Expr) -> PredicateError {
    PredicateError::Unsupported {
        part: expr.to_string(),
    }
}

fn constant(literal: &Literal, expr: &Expr) -> Result<Value<'static>, PredicateError> {
    Ok(match literal {
        Literal::Number(digits, _) => Value::Number(digits.parse().map_err(|_| unsupported(expr))?),
        Literal::SingleQuotedString(text) => Value::owned(text.clone()),
        Literal::Boolean(truth) => Value::Bool(*truth),
        Literal::Null => Value::Null,
        _ => return Err(unsupported(expr)),
    })
}

fn cast(data_type: &DataType, expr: &Expr) -> Result<Function, PredicateError> {
    let name = data_type.to_string().to_ascii_uppercase();
    let word = name.split(['(', ' ']).next().unwrap_or_default();
    Ok(match word {
        "DOUBLE" | "FLOAT8" | "DECIMAL" | "NUMERIC" => Function::ToNumber,
        "FLOAT" | "REAL" | "FLOAT4" => Function::ToFloat,
        "INT" | "INTEGER" | "BIGINT" | "SMALLINT" | "TINYINT" | "HUGEINT" => Function::ToWhole,
        "TEXT" | "VARCHAR" | "STRING" | "CHAR" => Function::ToText,
        "DATE" | "TIMESTAMP" | "DATETIME" => Function::ToMoment,
        _ => return Err(unsupported(expr)),
    })
}

/// Makes the call of a function some of whose arguments must be fixed.
fn fixed(name: &str, mut arguments: Vec<Tree<FieldOf>>) -> Result<Tree<FieldOf>, String> {
    let text = |tree: &Tree<FieldOf>, what: &str| match tree {
        Tree::Constant(Value::Text(text)) => Ok(text.clone().into_owned()),
        _ => Err(format!("expected {what} as a fixed text")),
    };
    match (name, &arguments[..]) {
        ("date_diff" | "datediff", [unit, _, _]) => {
            let unit = match text(unit, "the unit")?.as_str() {
                "day" => Unit::Day,
                "month" => Unit::Month,
                "year" => Unit::Year,
                other => return Err(format!("unit `{other}` is not day, month or year")),
            };
            let moments = arguments.split_off(1);
            Ok(Tree::Call(Function::DateDiff(unit), moments))
        }
        ("strptime" | "try_strptime", [_, format]) => {
            let format = Format::new(&text(format, "the format")?)?;
            arguments.truncate(1);
            Ok(Tree::Call(Function::Strptime(format), arguments))
        }
        ("regexp_matches", [_, pattern]) => {
            let pattern = Pattern::new(&text(pattern, "the pattern")?)?;
            arguments.truncate(1);
            Ok(Tree::Call(Function::RegexpMatches(pattern), arguments))
        }
        ("regexp_extract", [_, pattern, group @ ..]) if group.len() < 2 => {
            let pattern = Pattern::new(&text(pattern, "the pattern")?)?;
            let group = match group {
                [] => 0,
                [Tree::Constant(Value::Number(group))] => *group as usize,
                _ => return Err("expected the number of a group".to_owned()),
            };
            if group >= pattern.group_count() {
                return Err(format!("the pattern has no group {group}"));
            }
            arguments.truncate(1);
            Ok(Tree::Call(
                Function::RegexpExtract(pattern, group),
                arguments,
            ))
        }
        ("date_diff" | "datediff", _) => Err("expected a unit and two dates".to_owned()),
        ("strptime" | "try_strptime", _) => Err("expected a text and a format".to_owned()),
        _ => Err("expected a text, a pattern and, to extract, a group".to_owned()),
    }
}
