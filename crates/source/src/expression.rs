//! From texts in settings to expressions over columns.

use std::collections::{BTreeMap, BTreeSet};

use arrow::compute::can_cast_types;
use arrow_schema::{DataType, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError, SchemaError};
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::{Expr, Volatility, cast};
use datafusion::prelude::{SessionContext, ident};
use datafusion::sql::sqlparser::parser::ParserError;

use crate::error::ScanError;
use crate::hint::NameHint;
use crate::kind::kind_of;
use crate::request::ScanRequest;

/// The bytes of an engine's message that an error quotes.
const REASON_LEN_MAX: usize = 400;

/// The most operators of an expression: the engine follows a chain of them step by step, and
/// thousands would exhaust its stack.
const OPERATOR_COUNT_MAX: usize = 200;

/// The columns whose types an error tells.
const MISFIT_COUNT_MAX: usize = 4;

/// Why an expression is refused of which the columns are not known.
const UNPLANNED: &str =
    "it uses SQL that is not supported, or a function that does not take its arguments";

/// What says when a record was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdatedKind {
    /// A date or a point in time.
    Time,
    /// A number, which grows but tells no time: nobody knows its unit.
    Number,
    /// A text, which has to read as a time.
    Text,
}

/// What the texts of a request may refer to.
pub(crate) struct Resolver<'a> {
    pub(crate) source_name: &'a str,
    pub(crate) context: &'a SessionContext,
    pub(crate) schema: &'a SchemaRef,
    /// Columns without a single type, and why.
    pub(crate) conflicts: &'a BTreeMap<String, String>,
    /// The first records of files that may have no header.
    pub(crate) headers: Option<&'a BTreeSet<Vec<String>>>,
    pub(crate) request: &'a ScanRequest,
}

/// A request whose every text is an expression over known columns.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The key, then the columns in the order asked.
    pub(crate) outputs: Vec<Expr>,
    pub(crate) filter: Option<Expr>,
}

impl Resolved {
    /// Returns the positions of the columns that are read, ascending.
    pub(crate) fn used(&self, schema: &SchemaRef) -> Vec<usize> {
        let mut names = BTreeSet::new();
        for expr in self.outputs.iter().chain(&self.filter) {
            names.extend(
                expr.column_refs()
                    .into_iter()
                    .map(|column| column.name.as_str()),
            );
        }
        let is_used = |index: &usize| names.contains(schema.field(*index).name().as_str());
        (0..schema.fields().len()).filter(is_used).collect()
    }
}

impl Resolver<'_> {
    /// Resolves all texts of the request, without reading data.
    pub(crate) fn resolve(&self) -> Result<Resolved, ScanError> {
        let (schema, request) = (self.df_schema()?, self.request);
        let mut outputs = vec![self.key(&schema, &request.key)?.alias("key")];
        for (index, text) in request.columns.iter().enumerate() {
            outputs.push(self.field(&schema, text)?.alias(format!("column{index}")));
        }
        let filter = request
            .filter
            .as_deref()
            .map(|text| self.filter(&schema, text))
            .transpose()?;
        Ok(Resolved { outputs, filter })
    }

    /// Resolves what says when a record was changed, and tells what that is.
    pub(crate) fn updated(&self, text: &str) -> Result<UpdatedKind, ScanError> {
        let (_, data_type) = self.expression(&self.df_schema()?, text)?;
        match &data_type {
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Ok(UpdatedKind::Time),
            DataType::Decimal128(..) => Ok(UpdatedKind::Number),
            known if known.is_integer() || known.is_floating() => Ok(UpdatedKind::Number),
            known if known.is_string() => Ok(UpdatedKind::Text),
            other => Err(ScanError::UpdatedType {
                source_name: self.source_name.to_owned(),
                text: text.to_owned(),
                data_type: kind_of(other),
            }),
        }
    }

    fn key(&self, schema: &DFSchema, text: &str) -> Result<Expr, ScanError> {
        let (expr, data_type) = self.expression(schema, text)?;
        // Floating-point numbers are refused because their texts change when a column widens.
        let is_exact = !data_type.is_floating()
            && !data_type.is_nested()
            && can_cast_types(&data_type, &DataType::Utf8);
        if is_exact {
            return Ok(cast(expr, DataType::Utf8));
        }
        Err(ScanError::KeyType {
            source_name: self.source_name.to_owned(),
            text: text.to_owned(),
            data_type: kind_of(&data_type),
        })
    }

    fn field(&self, schema: &DFSchema, text: &str) -> Result<Expr, ScanError> {
        let (expr, data_type) = self.expression(schema, text)?;
        if can_be_field(&data_type) {
            return Ok(expr);
        }
        Err(ScanError::FieldType {
            source_name: self.source_name.to_owned(),
            text: text.to_owned(),
            data_type: kind_of(&data_type),
        })
    }

    fn filter(&self, schema: &DFSchema, text: &str) -> Result<Expr, ScanError> {
        let (expr, data_type) = self.expression(schema, text)?;
        if data_type == DataType::Boolean {
            return Ok(expr);
        }
        Err(ScanError::FilterType {
            source_name: self.source_name.to_owned(),
            text: text.to_owned(),
            data_type: kind_of(&data_type),
        })
    }

    fn expression(&self, schema: &DFSchema, text: &str) -> Result<(Expr, DataType), ScanError> {
        if let Ok(field) = self.schema.field_with_name(text) {
            return Ok((ident(text), field.data_type().clone()));
        }
        if let Some(conflict) = self.conflicts.get(text) {
            return Err(self.mixed(text, conflict));
        }
        if operator_count(text) > OPERATOR_COUNT_MAX {
            let reason =
                "it has more than 200 operators; make a view or a column of it at the source";
            return Err(self.refuse(text, reason));
        }
        let parsed = self.context.parse_sql_expr(text, schema);
        let expr = parsed.map_err(|error| self.explain(text, &error, UNPLANNED))?;
        if let Some(reason) = refusal(&expr) {
            return Err(self.refuse(text, reason));
        }
        let computed = self.context.create_physical_expr(expr.clone(), schema);
        let data_type = computed.and_then(|computed| computed.data_type(schema.as_arrow()));
        let data_type =
            data_type.map_err(|error| self.explain(text, &error, &self.misfit(&expr)))?;
        Ok((expr, data_type))
    }

    fn df_schema(&self) -> Result<DFSchema, ScanError> {
        DFSchema::try_from(self.schema.as_ref().clone()).map_err(|_| ScanError::Engine {
            source_name: self.source_name.to_owned(),
            reason: "the columns cannot be told apart",
        })
    }

    /// Turns the engine's refusal into ours.
    ///
    /// What it says about types lists the fields of structures, and they may be values: of its words
    /// only those are kept that repeat the text it was given, and else it is refused as `otherwise`.
    fn explain(&self, text: &str, error: &DataFusionError, otherwise: &str) -> ScanError {
        match error {
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                self.explain(text, inner, otherwise)
            }
            DataFusionError::Shared(inner) => self.explain(text, inner, otherwise),
            DataFusionError::Collection(errors) if !errors.is_empty() => {
                self.explain(text, &errors[0], otherwise)
            }
            DataFusionError::SchemaError(cause, _) => match cause.as_ref() {
                SchemaError::FieldNotFound { field, .. } => self.unknown(text, &name_of(field)),
                _ => self.refuse(text, "its columns cannot be told apart"),
            },
            DataFusionError::SQL(cause, _) => match cause.as_ref() {
                ParserError::ParserError(words) | ParserError::TokenizerError(words) => {
                    self.refuse(text, words)
                }
                ParserError::RecursionLimitExceeded => self.refuse(text, "it is nested too deeply"),
            },
            DataFusionError::Plan(words) | DataFusionError::Execution(words)
                if repeats_the_text(words) =>
            {
                self.refuse(text, words)
            }
            _ => self.refuse(text, otherwise),
        }
    }

    /// Tells the types of the columns in an expression that no function or operator takes.
    fn misfit(&self, expr: &Expr) -> String {
        let names: BTreeSet<_> = expr.column_refs().into_iter().map(Column::name).collect();
        let kinds: Vec<_> = names
            .into_iter()
            .filter_map(|name| self.schema.field_with_name(name).ok())
            .map(|field| format!("{:?} is {}", field.name(), kind_of(field.data_type())))
            .take(MISFIT_COUNT_MAX)
            .collect();
        let joint = if kinds.is_empty() { "" } else { ": " };
        let kinds = kinds.join(", ");
        format!("a function, operator or cast in it does not take its arguments{joint}{kinds}")
    }

    fn unknown(&self, text: &str, column: &str) -> ScanError {
        let top = column.split('.').next().unwrap_or(column);
        for name in [column, top] {
            if let Some(conflict) = self.conflicts.get(name) {
                return self.mixed(name, conflict);
            }
        }
        let mut hint = self.hint(column);
        if hint.is_empty() {
            hint = self.hint(text);
        }
        ScanError::UnknownColumn {
            source_name: self.source_name.to_owned(),
            text: text.to_owned(),
            column: column.to_owned(),
            hint,
        }
    }

    fn refuse(&self, text: &str, reason: &str) -> ScanError {
        let first = reason
            .lines()
            .next()
            .unwrap_or_default()
            .trim_end_matches('.');
        let mut reason = first[..first.floor_char_boundary(REASON_LEN_MAX)].to_owned();
        if text.contains('[') {
            reason.push_str("; a key of an object is written column.key");
        }
        ScanError::Expression {
            source_name: self.source_name.to_owned(),
            text: text.to_owned(),
            reason,
            hint: self.hint(text),
        }
    }

    fn mixed(&self, column: &str, conflict: &str) -> ScanError {
        ScanError::MixedTypes {
            source_name: self.source_name.to_owned(),
            column: column.to_owned(),
            conflict: conflict.to_owned(),
        }
    }

    /// Offers the columns whose names differ little from a text.
    ///
    /// A CSV file without a header gives values for names. A name of the request in the first record
    /// shows that this file has a header; of other files no name is offered.
    fn hint(&self, text: &str) -> NameHint {
        let Some(headers) = self.headers else {
            let names = self
                .schema
                .fields()
                .iter()
                .map(|field| field.name().as_str());
            return NameHint::closest(text, names);
        };
        let named = self.named();
        let is_header = |names: &&Vec<String>| names.iter().any(|name| named.contains(name));
        let mut proven = headers.iter().filter(is_header).flatten().peekable();
        if proven.peek().is_none() {
            let column_count = self.schema.fields().len();
            return match self.schema.fields().as_ref() {
                [only] if let Some(delimiter) = delimiter_in(only.name()) => {
                    NameHint::Delimiter { delimiter }
                }
                _ => NameHint::NoHeader { column_count },
            };
        }
        NameHint::closest(text, proven.map(String::as_str))
    }

    /// Returns the columns that the texts of the request name exactly.
    fn named(&self) -> BTreeSet<String> {
        let Ok(schema) = self.df_schema() else {
            return BTreeSet::new();
        };
        let mut named = BTreeSet::new();
        let ScanRequest {
            key,
            columns,
            filter,
        } = self.request;
        for text in columns.iter().chain([key]).chain(filter) {
            if self.schema.field_with_name(text).is_ok() {
                named.insert(text.clone());
            } else if operator_count(text) <= OPERATOR_COUNT_MAX
                && let Ok(expr) = self.context.parse_sql_expr(text, &schema)
            {
                named.extend(
                    expr.column_refs()
                        .into_iter()
                        .map(|column| column.name.clone()),
                );
            }
        }
        named
    }
}

/// Returns what seems to part the columns of a header that was read as one.
fn delimiter_in(name: &str) -> Option<char> {
    let signs = [';', '\t', '|'].into_iter();
    let count = |sign: &char| name.matches(*sign).count();
    let found = signs.filter(|sign| count(sign) > 0);
    found.max_by_key(count)
}

/// A name with a dot is parsed as a qualified one; this is how it was written.
fn name_of(column: &Column) -> String {
    match &column.relation {
        Some(relation) => format!("{relation}.{}", column.name),
        None => column.name.clone(),
    }
}

/// Tells whether the engine misses a function or a key of an object: it names what the text names.
fn repeats_the_text(words: &str) -> bool {
    let first = words.lines().next().unwrap_or_default();
    first.starts_with("Invalid function '")
        || (first.starts_with("Field ") && first.ends_with(" not found in struct"))
}

/// Tells whether values of a type read as a text or as a list of texts.
fn can_be_field(data_type: &DataType) -> bool {
    let is_text =
        |data_type: &DataType| !data_type.is_nested() && can_cast_types(data_type, &DataType::Utf8);
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            is_text(item.data_type())
        }
        other => is_text(other),
    }
}

/// Tells why an expression is no scalar expression over the columns of one record, if so.
fn refusal(expr: &Expr) -> Option<&'static str> {
    let mut found = None;
    let walked = expr.apply(|part| {
        found = refusal_of(part);
        Ok(if found.is_some() {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    if walked.is_err() {
        Some("it cannot be followed")
    } else {
        found
    }
}

/// Counts the signs and words outside of quotes that join two expressions.
fn operator_count(text: &str) -> usize {
    let unquoted = text.split(['\'', '"']).step_by(2);
    let is_sign = |c: char| "|:+-*/%<>=!~^&#".contains(c);
    let in_part = |part: &str| {
        let signs = part.split(|c| !is_sign(c)).filter(|run| !run.is_empty());
        let words = part.split(|c: char| !c.is_alphanumeric() && c != '_');
        let words = words.filter(|word| ["and", "or"].iter().any(|w| word.eq_ignore_ascii_case(w)));
        signs.count() + words.count()
    };
    unquoted.map(in_part).sum()
}

/// Tells whether an alias is how the engine writes a function that is called by its second name.
fn is_call(alias: &Alias) -> bool {
    matches!(*alias.expr, Expr::ScalarFunction(_)) && alias.name.ends_with(')')
}

fn refusal_of(part: &Expr) -> Option<&'static str> {
    match part {
        Expr::AggregateFunction(_) | Expr::GroupingSet(_) => {
            Some("aggregates look at more than one record")
        }
        Expr::WindowFunction(_) => Some("window functions look at more than one record"),
        Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::ScalarSubquery(_)
        | Expr::SetComparison(_) => Some("subqueries look at more than one record"),
        Expr::Alias(alias) if !is_call(alias) => {
            Some("it ends in a second name; put a column's name in double quotes")
        }
        Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => {
            Some(
                "it calls a function of time or chance; results must follow from the records alone",
            )
        }
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::Literal(..)
        | Expr::BinaryExpr(_)
        | Expr::Like(_)
        | Expr::SimilarTo(_)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::ScalarFunction(_)
        | Expr::InList(_) => None,
        _ => Some("only columns, literals, operators, case, cast and scalar functions are allowed"),
    }
}
