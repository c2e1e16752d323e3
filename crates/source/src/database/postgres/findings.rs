//! What a user may do at a server, and how it serves.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::server::{address_of, is_near};
use super::{PARTITION_COUNT_MAX, PARTITION_PAGES_MIN, Postgres};
use crate::database::DatabaseFault;
use crate::database::name::{Quotes, TableName};
use crate::descriptor::SourceSettings;
use crate::error::ScanError;
use crate::finding::{Asked, Finding, Topic};
use crate::keys::has_one_text;

/// The role that is proposed where somebody may do more than read.
const READER: &str = "sameas_reader";

const ABOUT_TABLE: &str = "SELECT current_user::text, r.rolsuper, \
    has_table_privilege(c.oid, 'SELECT'), \
    pg_has_role(c.relowner, 'USAGE') OR has_table_privilege(c.oid, 'INSERT') \
    OR has_table_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'DELETE') \
    OR has_table_privilege(c.oid, 'TRUNCATE') OR has_any_column_privilege(c.oid, 'INSERT') \
    OR has_any_column_privilege(c.oid, 'UPDATE'), \
    n.nspname::text, c.relname::text, current_database()::text, c.relkind::text, \
    coalesce((SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl), '') \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_roles r ON r.rolname = current_user WHERE c.oid = $1::text::regclass";

const ABOUT_COLUMNS: &str = "SELECT a.attname::text, \
    has_column_privilege(a.attrelid, a.attnum, 'SELECT'), a.attnotnull, \
    coalesce(bool_or(i.indkey[0] = a.attnum), false), \
    coalesce(bool_or(i.indkey[0] = a.attnum AND i.indisunique AND i.indnkeyatts = 1), false) \
    FROM pg_attribute a LEFT JOIN pg_index i \
    ON i.indrelid = a.attrelid AND i.indisvalid AND i.indpred IS NULL \
    WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped \
    GROUP BY a.attname, a.attrelid, a.attnum, a.attnotnull ORDER BY a.attnum";

/// What the server tells of a relation and of who asks.
struct About {
    user: String,
    is_superuser: bool,
    may_select: bool,
    may_write: bool,
    /// Its full name as SQL.
    relation: String,
    schema: String,
    database: String,
    kind: String,
    /// The version of TLS; empty without.
    tls: String,
    columns: Vec<ColumnRight>,
}

struct ColumnRight {
    name: String,
    may_select: bool,
    is_not_null: bool,
    index: Index,
}

/// The best index that begins with a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Index {
    None,
    Plain,
    /// Of this column alone.
    Unique,
}

impl Postgres {
    /// Tells how the table is read and by which right.
    pub(crate) async fn findings(&self, asked: &Asked<'_>) -> Result<Vec<Finding>, ScanError> {
        let about = self.about().await.map_err(|cause| self.failed(cause))?;
        let mut findings = vec![self.snapshot(&about), self.parallel(asked, &about)];
        findings.push(self.found_by_key(asked, &about));
        findings.extend(self.privileges(asked, &about));
        findings.push(encryption(asked, &about));
        Ok(findings)
    }

    async fn about(&self) -> Result<About, DatabaseFault> {
        let fault = |error: tokio_postgres::Error| DatabaseFault::of(&error, &self.table);
        let session = self.session().await?;
        let client = session.get()?;
        let row = client.query_one(ABOUT_TABLE, &[&self.relation]).await;
        let row = row.map_err(fault)?;
        let columns = client.query(ABOUT_COLUMNS, &[&self.relation]).await;
        let columns = columns.map_err(fault)?;
        let columns: Result<_, _> = columns.iter().map(ColumnRight::of).collect();
        let about = About::of(&row, columns.map_err(fault)?).map_err(fault)?;
        self.keep(session);
        Ok(about)
    }

    fn snapshot(&self, about: &About) -> Finding {
        let says = "yes: all parts see the moment of one exported snapshot";
        if about.may_select && self.size.is_lockable {
            let says = format!("{says}, and the table is locked against TRUNCATE meanwhile");
            return Finding::fine(Topic::Snapshot, says);
        }
        if about.may_select {
            return Finding::fine(Topic::Snapshot, says);
        }
        let says = format!(
            "{says}; the table cannot be locked, so a TRUNCATE meanwhile may show as an empty table: \
             {} may read columns of it and not the table",
            about.user
        );
        Finding::advice(Topic::Snapshot, says).mended_by(format!(
            "GRANT SELECT ON {} TO {};",
            about.relation,
            quoted(&about.user)
        ))
    }

    fn parallel(&self, asked: &Asked<'_>, about: &About) -> Finding {
        let (threads, count) = (
            asked.partition_count,
            self.part_count(asked.partition_count),
        );
        let parts = match count {
            1 => "one part".to_owned(),
            count => format!("{count} parts at once, a session each"),
        };
        let pages = self.size.pages / PARTITION_PAGES_MIN;
        let why = if !self.size.is_plain {
            let kind = about.kind();
            return Finding::advice(Topic::Parts, format!("{parts}: {kind} is read as a whole"))
                .mended_by("name a plain table, or make a source of each part");
        } else if self.size.version < 140_000 {
            "; servers before version 14 do not cut tables by row addresses".to_owned()
        } else if count >= threads {
            format!("; --threads are {threads}")
        } else if pages < PARTITION_COUNT_MAX {
            "; the table is small".to_owned()
        } else {
            format!("; {PARTITION_COUNT_MAX} at most")
        };
        Finding::fine(Topic::Parts, parts + &why)
    }

    fn found_by_key(&self, asked: &Asked<'_>, about: &About) -> Finding {
        let search = "by a search of the whole table";
        let column = asked.key.and_then(|key| {
            let known = self.columns.iter().find(|column| column.name == key)?;
            let right = about.columns.iter().find(|column| column.name == key)?;
            Some((known, right))
        });
        let Some((known, right)) = column else {
            let says = format!("{search}: the key is an expression");
            return Finding::advice(Topic::Fetch, says)
                .mended_by("make the key a column, generated if need be, with an index");
        };
        if !has_one_text(&known.coding().data_type()) {
            let says = format!("{search}: the key is a date, a time or a floating-point number");
            return Finding::advice(Topic::Fetch, says).mended_by("map a key of another type");
        }
        let name = quoted(&right.name);
        let compares_itself = matches!(
            known.type_,
            Type::INT2
                | Type::INT4
                | Type::INT8
                | Type::UUID
                | Type::NUMERIC
                | Type::BPCHAR
                | Type::TEXT
                | Type::VARCHAR
        );
        if !compares_itself {
            let says = format!("{search}: keys of this type are compared as texts");
            let index = format!("CREATE INDEX ON {} (({name}::text));", about.relation);
            return Finding::advice(Topic::Fetch, says).mended_by(index);
        }
        if !self.size.is_plain && right.index == Index::None {
            let says = format!(
                "by bound keys; whether an index serves is up to {} and its tables",
                about.kind()
            );
            return Finding::fine(Topic::Fetch, says);
        }
        if right.index != Index::None {
            let unique = match right.index {
                Index::Unique => "the unique",
                _ => "an",
            };
            let says = format!("by bound keys and {unique} index on {name}");
            return Finding::fine(Topic::Fetch, says);
        }
        let says = format!("{search}: {name} has no index");
        let unique = if right.is_not_null { "UNIQUE " } else { "" };
        Finding::advice(Topic::Fetch, says).mended_by(format!(
            "CREATE {unique}INDEX CONCURRENTLY ON {} ({name});",
            about.relation
        ))
    }

    fn privileges(&self, asked: &Asked<'_>, about: &About) -> Vec<Finding> {
        let mut findings = Vec::new();
        let user = quoted(&about.user);
        let used = asked.used.iter().filter_map(|&at| self.columns.get(at));
        let is_denied = |name: &str| {
            let right = about.columns.iter().find(|column| column.name == name);
            right.is_some_and(|column| !column.may_select)
        };
        let denied = used.filter(|column| is_denied(&column.name));
        let denied: Vec<_> = denied.map(|column| quoted(&column.name)).collect();
        if !denied.is_empty() {
            let denied = denied.join(", ");
            let says = format!("{} may not read {denied}", about.user);
            let grant = format!("GRANT SELECT ({denied}) ON {} TO {user};", about.relation);
            findings.push(Finding::missing(Topic::Privileges, says).mended_by(grant));
        }
        if about.is_superuser || about.may_write {
            let may = if about.is_superuser {
                "is a superuser"
            } else {
                "may also write to the table"
            };
            let says = format!(
                "{} {may}; sessions here can only read, and a role that may do no more is better",
                about.user
            );
            let statements = format!(
                "CREATE ROLE {READER} LOGIN;\n\\password {READER}\n{}",
                about.grants(READER)
            );
            findings.push(Finding::advice(Topic::Privileges, says).mended_by(statements));
        } else if findings.is_empty() {
            let says = format!("{} may read what is mapped and write nothing", about.user);
            findings.push(Finding::fine(Topic::Privileges, says));
        }
        findings
    }
}

impl About {
    fn of(row: &Row, columns: Vec<ColumnRight>) -> Result<Self, tokio_postgres::Error> {
        let (schema, table): (String, String) = (row.try_get(4)?, row.try_get(5)?);
        Ok(Self {
            user: row.try_get(0)?,
            is_superuser: row.try_get(1)?,
            may_select: row.try_get(2)?,
            may_write: row.try_get(3)?,
            relation: format!("{}.{}", quoted(&schema), quoted(&table)),
            schema,
            database: row.try_get(6)?,
            kind: row.try_get(7)?,
            tls: row.try_get(8)?,
            columns,
        })
    }

    fn kind(&self) -> &'static str {
        match self.kind.as_str() {
            "v" => "a view",
            "m" => "a materialised view",
            "p" => "a partitioned table",
            "f" => "a foreign table",
            _ => "a table",
        }
    }

    /// Returns what a role needs to read the table.
    fn grants(&self, role: &str) -> String {
        let (database, schema) = (quoted(&self.database), quoted(&self.schema));
        statements(&database, &schema, &self.relation, role)
    }
}

impl ColumnRight {
    fn of(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            name: row.try_get(0)?,
            may_select: row.try_get(1)?,
            is_not_null: row.try_get(2)?,
            index: match (row.try_get(3)?, row.try_get(4)?) {
                (_, true) => Index::Unique,
                (true, _) => Index::Plain,
                _ => Index::None,
            },
        })
    }
}

fn encryption(asked: &Asked<'_>, about: &About) -> Finding {
    if !about.tls.is_empty() {
        let says = format!("{}, with a certificate that is trusted here", about.tls);
        return Finding::fine(Topic::Encryption, says);
    }
    if asked
        .settings
        .uris()
        .first()
        .is_some_and(|uri| is_near(uri))
    {
        return Finding::fine(Topic::Encryption, "none, within this machine");
    }
    let says = "none: values cross the network in the clear";
    Finding::advice(Topic::Encryption, says)
        .mended_by("remove `?sslmode=disable` from `uri`, and set `ssl = on` at the server")
}

/// Returns what lets the user of the settings read their table, as its owner runs it.
pub(crate) fn grants(settings: &SourceSettings) -> Option<String> {
    let (user, database) = address_of(settings.uris().first()?)?;
    let table = TableName::of(settings, 2, Quotes::Double).ok()?;
    let schema = match table.parts.as_slice() {
        [schema, _] => quoted(schema),
        _ => quoted("public"),
    };
    let (database, user) = (quoted(&database), quoted(&user));
    Some(statements(&database, &schema, &table.relation, &user))
}

fn statements(database: &str, schema: &str, relation: &str, role: &str) -> String {
    format!(
        "GRANT CONNECT ON DATABASE {database} TO {role};\n\
         GRANT USAGE ON SCHEMA {schema} TO {role};\n\
         GRANT SELECT ON {relation} TO {role};"
    )
}

/// Quotes a name where that is needed.
fn quoted(name: &str) -> String {
    let is_plain =
        |(at, c): (usize, char)| c.is_ascii_lowercase() || c == '_' || at > 0 && c.is_ascii_digit();
    if !name.is_empty() && name.chars().enumerate().all(is_plain) && !RESERVED.contains(&name) {
        return name.to_owned();
    }
    Quotes::Double.around(name)
}

/// Names of tables, columns and users that are words of SQL.
const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "default",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "into",
    "lateral",
    "leading",
    "limit",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "primary",
    "references",
    "select",
    "some",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "when",
    "where",
    "window",
    "with",
];
