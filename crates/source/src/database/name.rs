//! Names of tables and columns, quoted so that they are never SQL.

use crate::descriptor::SourceSettings;
use crate::error::OpenError;

/// The table that the settings of a source name.
pub(crate) struct TableName {
    /// What the settings call it.
    pub(crate) text: String,
    /// Its parts, the table's own name last.
    pub(crate) parts: Vec<String>,
    /// Its name as SQL.
    pub(crate) relation: String,
}

/// What a system puts around names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// As the standard says.
    Double,
    /// As BigQuery and Spark do.
    Backtick,
    /// As MySQL and MariaDB do, where nothing else means anything inside.
    Tick,
}

/// Returns what messages call a database: a name with signs of an address may be a password in the
/// wrong place.
pub(crate) fn told_database(name: &str) -> &str {
    if name.contains(['@', ':']) {
        "…"
    } else {
        name
    }
}

impl TableName {
    /// Reads the name of a table of at most so many parts.
    pub(crate) fn of(
        settings: &SourceSettings,
        parts_max: usize,
        quotes: Quotes,
    ) -> Result<Self, OpenError> {
        let source_name = || settings.name.clone();
        let Some(table) = &settings.table else {
            return Err(OpenError::NoTable {
                source_name: source_name(),
            });
        };
        let fit = name_parts(table).filter(|parts| parts.len() <= parts_max);
        let parts = fit.ok_or_else(|| OpenError::TableName {
            source_name: source_name(),
            table: table.clone(),
        })?;
        let quoted: Vec<_> = parts.iter().map(|part| quotes.around(part)).collect();
        Ok(Self {
            text: table.clone(),
            relation: quoted.join("."),
            parts,
        })
    }
}

impl Quotes {
    /// Quotes a name, so that it keeps its case and means nothing else.
    pub(crate) fn around(self, name: &str) -> String {
        match self {
            Self::Double => format!("\"{}\"", name.replace('"', "\"\"")),
            // No system that quotes so has names with a backslash, and to some it would be a sign.
            Self::Backtick => format!("`{}`", name.replace('\\', "").replace('`', "``")),
            Self::Tick => format!("`{}`", name.replace('`', "``")),
        }
    }
}

/// Splits `schema.table`; a part in double quotes may hold anything, and two of them mean one.
fn name_parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = if let Some(inside) = rest.strip_prefix('"') {
            quoted_part(inside)?
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            (part.to_owned(), after)
        };
        if part.is_empty() || part.contains('\0') {
            return None;
        }
        parts.push(part);
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None if after.is_empty() => return Some(parts),
            None => return None,
        }
    }
}

fn quoted_part(inside: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = inside;
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_and_never_sql() {
        for (text, expected) in [
            ("customers", Some(r#""customers""#)),
            ("public.Customers", Some(r#""public"."Customers""#)),
            (r#"crm."odd.name""#, Some(r#""crm"."odd.name""#)),
            (r#""a""b""#, Some(r#""a""b""#)),
            (
                r#"x"; DROP TABLE y; --"#,
                Some(r#""x""; DROP TABLE y; --""#),
            ),
            ("a.b.c", Some(r#""a"."b"."c""#)),
            ("a.", None),
            ("", None),
            (r#""open"#, None),
            (r#""a"b"#, None),
        ] {
            let found = name_parts(text);
            let joined = found.map(|parts| {
                parts
                    .iter()
                    .map(|p| Quotes::Double.around(p))
                    .collect::<Vec<_>>()
            });
            let joined = joined.map(|parts| parts.join("."));
            assert_eq!(joined.as_deref(), expected, "{text}");
        }
        assert_eq!(Quotes::Backtick.around(r"a`; DROP\"), "`a``; DROP`");
        assert_eq!(Quotes::Tick.around(r"a`; DROP\"), r"`a``; DROP\`");
    }
}
