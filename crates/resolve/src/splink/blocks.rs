//! Blocking rules: which equalities of a join become keys.

use std::collections::BTreeSet;

use sqlparser::ast::{BinaryOperator, Expr};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Word};

use super::columns::{Columns, push, tokens};
use super::model::SplinkModel;

/// How deep rules may nest.
const DEPTH_MAX: usize = 64;

/// The longest prefix that a key may be.
const PREFIX_LEN_MAX: u64 = 32;

/// One side of an equality: what it is without `l.` or `r.`.
#[derive(Debug, PartialEq)]
struct Operand {
    /// SQL over columns, all quoted.
    sql: String,
    /// The column, if it is nothing else.
    column: Option<String>,
    /// The column and the length, if it is a prefix.
    prefix: Option<(String, u64)>,
    is_left: bool,
}

/// Carries blocking rules over, as lists of keys.
pub(super) fn import(
    splink: &SplinkModel,
    columns: &mut Columns,
    warnings: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> Vec<Vec<String>> {
    let mut blocks: Vec<Vec<String>> = Vec::new();
    for (index, rule) in splink
        .blocking_rules_to_generate_predictions
        .iter()
        .enumerate()
    {
        let sql = rule.sql().trim();
        let place = format!("blocking rule {} (`{sql}`)", index + 1);
        let Some(expr) = parsed(sql) else {
            problems.push(format!("{place}: is not SQL; mend it in the model"));
            continue;
        };
        if !rule.exploded().is_empty() {
            warnings.push(format!(
                "{place}: lists are joined item by item; map a list of texts to {}, whose every item is a key here",
                rule.exploded().join(", ")
            ));
        }
        let mut equalities = Vec::new();
        let mut filters = Vec::new();
        conjuncts(&expr, &mut |part| match equality(part) {
            Some(pair) => equalities.push(pair),
            None => filters.push(part.to_string()),
        });
        let (keys, crossed) = keys_of(equalities, columns, index, &place, warnings);
        filters.extend(crossed);
        if keys.is_empty() {
            warnings.push(format!(
                "{place}: is left out, for it has no equality of the same column or expression on both sides; add a [[block]] that finds such pairs"
            ));
            continue;
        }
        if !filters.is_empty() {
            warnings.push(format!(
                "{place}: `{}` is not asked, so more pairs are compared than in Splink",
                filters.join("` and `")
            ));
        }
        blocks.push(keys);
    }
    if blocks.is_empty() {
        problems.push("no blocking rule can be carried over, so no pair would be compared; add one such as `l.surname = r.surname` to blocking_rules_to_generate_predictions".to_owned());
    }
    blocks
}

fn parsed(sql: &str) -> Option<Expr> {
    let parser = Parser::new(&GenericDialect {}).with_recursion_limit(DEPTH_MAX);
    let mut parser = parser.try_with_sql(sql).ok()?;
    let expr = parser.parse_expr().ok()?;
    (parser.peek_token().token == Token::EOF).then_some(expr)
}

fn conjuncts<'e>(expr: &'e Expr, see: &mut dyn FnMut(&'e Expr)) {
    match expr {
        Expr::Nested(inner) => conjuncts(inner, see),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            conjuncts(left, see);
            conjuncts(right, see);
        }
        other => see(other),
    }
}

/// Returns the operands of an equality between the two records, the left record's first.
fn equality(expr: &Expr) -> Option<(Operand, Operand)> {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::Eq,
        right,
    } = expr
    else {
        return None;
    };
    let (a, b) = (operand(left)?, operand(right)?);
    match (a.is_left, b.is_left) {
        (true, false) => Some((a, b)),
        (false, true) => Some((b, a)),
        _ => None,
    }
}

fn operand(expr: &Expr) -> Option<Operand> {
    let tokens = tokens(&expr.to_string()).ok()?;
    let mut sql = String::new();
    let mut sides = BTreeSet::new();
    let mut names = Vec::new();
    let mut rest = &tokens[..];
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        match (token, after) {
            (Token::Word(side), [Token::Period, Token::Word(column), after @ ..])
                if matches!(side.value.as_str(), "l" | "r") =>
            {
                sides.insert(side.value.clone());
                names.push(column.value.clone());
                sql.push_str(&quoted(&column.value));
                rest = after;
            }
            _ => push(token, &mut sql),
        }
    }
    let side = sides.first().filter(|_| sides.len() == 1)?;
    let column = match &names[..] {
        [name] if sql == quoted(name) => Some(name.clone()),
        _ => None,
    };
    let prefix = match &names[..] {
        [name] => prefix_len(expr).map(|len| (name.clone(), len)),
        _ => None,
    };
    Some(Operand {
        sql,
        column,
        prefix,
        is_left: side == "l",
    })
}

/// Returns how many characters `substr(column, 1, N)` takes.
fn prefix_len(expr: &Expr) -> Option<u64> {
    let Expr::Substring {
        expr,
        substring_from: Some(from),
        substring_for: Some(len),
        ..
    } = expr
    else {
        return None;
    };
    let is_column = matches!(**expr, Expr::CompoundIdentifier(_));
    let len = len.to_string().parse().ok()?;
    let fits = is_column && from.to_string() == "1" && (1..=PREFIX_LEN_MAX).contains(&len);
    fits.then_some(len)
}

/// Returns the keys of the equalities, and the texts of those that make none.
fn keys_of(
    mut equalities: Vec<(Operand, Operand)>,
    columns: &mut Columns,
    rule: usize,
    place: &str,
    warnings: &mut Vec<String>,
) -> (Vec<String>, Vec<String>) {
    let (mut keys, mut rest) = (Vec::new(), Vec::new());
    while !equalities.is_empty() {
        let (left, right) = equalities.remove(0);
        if left.sql == right.sql {
            keys.push(key_of(&left, columns, rule, place, warnings));
            continue;
        }
        let is_opposite = |(a, b): &(Operand, Operand)| a.sql == right.sql && b.sql == left.sql;
        let Some(opposite) = equalities.iter().position(is_opposite) else {
            rest.push(format!("l: {} = r: {}", left.sql, right.sql));
            continue;
        };
        equalities.remove(opposite);
        let (a, b) = (&left.sql, &right.sql);
        // Equal for two records whose two values are the same in either order.
        let sql = format!(
            "CASE WHEN {a} <= {b} THEN {a} || chr(31) || {b} ELSE {b} || chr(31) || {a} END"
        );
        keys.push(columns.computed(&format!("key_{}", rule + 1), sql));
        warnings.push(format!(
            "{place}: exchanged columns are one key in either order, so records that agree in both columns are compared too"
        ));
    }
    (keys, rest)
}

fn key_of(
    operand: &Operand,
    columns: &mut Columns,
    rule: usize,
    place: &str,
    warnings: &mut Vec<String>,
) -> String {
    if let Some(column) = &operand.column {
        return columns.field(column);
    }
    if let Some((column, len)) = &operand.prefix {
        return format!("{}.prefix{len}", columns.field(column));
    }
    warnings.push(format!(
        "{place}: `{}` is computed by the source's SQL engine; `sameas plan` says whether it can",
        operand.sql
    ));
    columns.computed(&format!("key_{}", rule + 1), operand.sql.clone())
}

fn quoted(column: &str) -> String {
    Token::Word(Word {
        value: column.to_owned(),
        quote_style: Some('"'),
        keyword: sqlparser::keywords::Keyword::NoKeyword,
    })
    .to_string()
}
