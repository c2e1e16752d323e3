//! The columns that a model speaks of, the fields that stand for them, and SQL with the one in place
//! of the other.

use std::collections::BTreeMap;

use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

use super::model::SplinkModel;

/// The columns of a model and the fields they become.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// What a source maps each field to: a column, or SQL over columns.
    pub(super) sources: BTreeMap<String, String>,
    /// The field of each column.
    fields: BTreeMap<String, String>,
}

impl Columns {
    /// Collects what the levels look at.
    pub(super) fn of(splink: &SplinkModel, problems: &mut Vec<String>) -> Self {
        let mut columns = Self::default();
        for (index, comparison) in splink.comparisons.iter().enumerate() {
            let levels = comparison.comparison_levels.iter();
            for level in levels.filter(|level| !level.is_else()) {
                match tokens(&level.sql_condition) {
                    Ok(tokens) => sided(&tokens).for_each(|(column, _)| {
                        columns.field(column);
                    }),
                    Err(reason) => problems.push(format!(
                        "comparison `{}`: `{}` is not SQL ({reason}); mend it in the model",
                        comparison.name(index),
                        level.sql_condition.trim()
                    )),
                }
                if let Some(column) = &level.tf_adjustment_column {
                    columns.field(unquoted(column));
                }
            }
        }
        columns
    }

    /// Returns the field of a column, named after it as far as its letters go.
    pub(super) fn field(&mut self, column: &str) -> String {
        if let Some(field) = self.fields.get(column) {
            return field.clone();
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let stem: String = column.chars().map(plain).take(56).collect();
        let field = self.free(&stem);
        self.fields.insert(column.to_owned(), field.clone());
        self.sources.insert(field.clone(), column.to_owned());
        field
    }

    /// Adds a field that a source computes.
    pub(super) fn computed(&mut self, stem: &str, sql: String) -> String {
        let known = self.sources.iter().find(|(_, known)| **known == sql);
        if let Some((field, _)) = known {
            return field.clone();
        }
        let field = self.free(stem);
        self.sources.insert(field.clone(), sql);
        field
    }

    fn free(&self, stem: &str) -> String {
        let numbered = (2..).map(|number| format!("{stem}_{number}"));
        let mut names = std::iter::once(stem.to_owned()).chain(numbered);
        let free = names.find(|name| !self.sources.contains_key(name));
        free.expect("numbers do not end")
    }

    /// Returns the field of a column that levels look at.
    pub(super) fn known(&self, column: &str) -> Option<&str> {
        self.fields.get(unquoted(column)).map(String::as_str)
    }

    /// Returns SQL over fields instead of columns, on one line.
    pub(super) fn over_fields(&self, sql: &str) -> String {
        let tokens = tokens(sql).unwrap_or_default();
        let mut words = sided(&tokens).peekable();
        let mut text = String::with_capacity(sql.len());
        for (index, token) in tokens.iter().enumerate() {
            let word = words.next_if(|(_, at)| *at == index);
            match (token, word) {
                (Token::Word(word), Some((column, _))) => {
                    let field = self.known(column).unwrap_or(column);
                    let side = if is_right(&word.value) { "_r" } else { "_l" };
                    let quote = if field.starts_with(|c: char| c.is_ascii_digit()) {
                        "\""
                    } else {
                        ""
                    };
                    text.extend([quote, field, side, quote]);
                }
                _ => push(token, &mut text),
            }
        }
        text.trim().to_owned()
    }
}

/// Writes a token as SQL; what stands between tokens is one space.
pub(super) fn push(token: &Token, text: &mut String) {
    match token {
        Token::Whitespace(_) if text.is_empty() || text.ends_with(' ') => {}
        Token::Whitespace(_) => text.push(' '),
        Token::SingleQuotedString(inner) => {
            text.extend(["'", &inner.replace('\'', "''"), "'"]);
        }
        other => text.push_str(&other.to_string()),
    }
}

/// Takes SQL apart.
pub(super) fn tokens(sql: &str) -> Result<Vec<Token>, String> {
    let mut tokenizer = Tokenizer::new(&GenericDialect {}, sql);
    tokenizer.tokenize().map_err(|error| error.to_string())
}

/// Lists the words that end in `_l` or `_r` and call no function: their column and position.
fn sided(tokens: &[Token]) -> impl Iterator<Item = (&str, usize)> {
    tokens.iter().enumerate().filter_map(|(index, token)| {
        let Token::Word(Word { value, .. }) = token else {
            return None;
        };
        let is_call = matches!(tokens.get(index + 1), Some(Token::LParen));
        let cut = value.len().checked_sub(2)?;
        let (stem, side) = value.split_at_checked(cut)?;
        let is_sided = matches!(side, "_l" | "_r" | "_L" | "_R") && !stem.is_empty();
        (is_sided && !is_call).then_some((stem, index))
    })
}

fn is_right(word: &str) -> bool {
    word.ends_with(['r', 'R'])
}

/// Returns a name without its quotes.
pub(super) fn unquoted(name: &str) -> &str {
    name.trim().trim_matches(['"', '`'])
}
