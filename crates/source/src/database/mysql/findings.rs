//! What a server of this kind does for a table and what it lacks.

use mysql_async::{Params, Value};

use super::keyed::Condition;
use super::server::user_and_database;
use super::{Mysql, number};
use crate::database::DatabaseFault;
use crate::database::name::{Quotes, TableName};
use crate::descriptor::SourceSettings;
use crate::error::ScanError;
use crate::finding::{Asked, Finding, Topic};
use crate::keys::has_one_text;

/// Finds out whether an index that can be asked for one value begins with a column.
const INDEXED: &str = "SELECT COUNT(*) FROM information_schema.statistics \
     WHERE table_schema = ? AND table_name = ? AND column_name = ? AND seq_in_index = 1 \
     AND index_type IN ('BTREE', 'HASH')";
/// What a user who reads may have.
const READING: [&str; 5] = ["USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "PROCESS"];

impl Mysql {
    /// Tells how the table is read, and by which right.
    pub(crate) async fn findings(&self, asked: &Asked<'_>) -> Result<Vec<Finding>, ScanError> {
        let fetch = self.found_by_key(asked).await;
        let fetch = fetch.map_err(|cause| self.failed(cause))?;
        // A proxy may answer nothing but queries of tables.
        let silent = |topic| Finding::advice(topic, "the server does not tell");
        let privileges = self.privileges(asked.settings).await;
        let encryption = self.encryption().await;
        let snapshot = match self.shape.engine {
            Some(_) => "yes: one statement reads all, and a statement sees one moment",
            None => "as far as the tables of the view do: one statement reads all",
        };
        let parts = "one part: servers of this kind show one moment to one session only";
        Ok(vec![
            Finding::fine(Topic::Snapshot, snapshot),
            Finding::fine(Topic::Parts, parts),
            fetch,
            privileges.unwrap_or_else(|_| silent(Topic::Privileges)),
            encryption.unwrap_or_else(|_| silent(Topic::Encryption)),
        ])
    }

    async fn found_by_key(&self, asked: &Asked<'_>) -> Result<Finding, DatabaseFault> {
        let search = "by a search of the whole table";
        let as_text = "make a table that has the key as text or as a whole number";
        let Some(key) = asked.key else {
            let says = format!("{search}: the key is an expression");
            return Ok(Finding::advice(Topic::Fetch, says)
                .mended_by("make the key a column of a table or view, and map that"));
        };
        let Some(column) = self.shape.columns.iter().find(|column| column.name == key) else {
            return Ok(Finding::advice(Topic::Fetch, search));
        };
        let has_one_text = has_one_text(&column.coding().data_type());
        if !has_one_text || Condition::of(column).term != column.quoted() {
            let says = format!("{search}: keys of this type are compared as texts");
            return Ok(Finding::advice(Topic::Fetch, says).mended_by(as_text));
        }
        if self.is_indexed(key).await? {
            let says = "by keys as parameters and an index";
            return Ok(Finding::fine(Topic::Fetch, says));
        }
        if self.shape.engine.is_none() {
            let says = "by keys as parameters; which index of the view's tables serves is up to the server";
            return Ok(Finding::fine(Topic::Fetch, says));
        }
        let says = "by keys as parameters, but without an index: the whole table is read";
        let key = Quotes::Tick.around(key);
        let index = format!("CREATE INDEX sameas_key ON {} ({key});", self.relation);
        Ok(Finding::advice(Topic::Fetch, says).mended_by(index))
    }

    async fn is_indexed(&self, key: &str) -> Result<bool, DatabaseFault> {
        let mut session = self.session().await?;
        let mut name = self.name.iter().rev();
        let table = name.next().cloned().unwrap_or_default();
        let schema = name.next().cloned();
        let schema = schema.unwrap_or_else(|| session.database().to_owned());
        let values = [schema, table, key.to_owned()].map(Value::from);
        let asked = Params::Positional(values.to_vec());
        let rows = session.all(INDEXED, asked, &self.table).await?;
        self.keep(session);
        Ok(rows.first().and_then(|row| number(row, 0)) > Some(0))
    }

    async fn privileges(&self, settings: &SourceSettings) -> Result<Finding, DatabaseFault> {
        let mut session = self.session().await?;
        let grants = "SHOW GRANTS FOR CURRENT_USER";
        let rows = session.all(grants, Params::Empty, &self.table).await?;
        self.keep(session);
        let texts = rows
            .iter()
            .filter_map(|row| row.get_opt::<String, _>(0)?.ok());
        let texts: Vec<String> = texts.collect();
        let more = texts.iter().flat_map(|text| more_than_reading(text));
        let more: Vec<&str> = more.collect();
        if more.is_empty() {
            return Ok(Finding::fine(
                Topic::Privileges,
                "the user may read, and no more",
            ));
        }
        let says = format!(
            "the user may do more than read ({}); every session is read-only, and a user who \
             cannot write is better",
            more.join(", ")
        );
        let advice = Finding::advice(Topic::Privileges, says);
        Ok(match reader_of(settings) {
            Some(statements) => advice.mended_by(statements),
            None => advice,
        })
    }

    async fn encryption(&self) -> Result<Finding, DatabaseFault> {
        let mut session = self.session().await?;
        let asked = "SHOW SESSION STATUS LIKE 'Ssl_cipher'";
        let rows = session.all(asked, Params::Empty, &self.table).await?;
        self.keep(session);
        let cipher = rows
            .first()
            .and_then(|row| row.get_opt::<String, _>(1)?.ok());
        if cipher.is_some_and(|cipher| !cipher.is_empty()) {
            return Ok(Finding::fine(Topic::Encryption, "TLS"));
        }
        if self.server.is_near() {
            let says = "none needed: the server is on this machine";
            return Ok(Finding::fine(Topic::Encryption, says));
        }
        let says = "none: values cross the network in the clear";
        Ok(Finding::advice(Topic::Encryption, says)
            .mended_by("turn on TLS at the server, and leave sslmode out of the address"))
    }
}

/// Returns what a grant allows beside reading; of a role it does not tell what that allows.
fn more_than_reading(grant: &str) -> Vec<&str> {
    let rights = grant.strip_prefix("GRANT ").unwrap_or(grant);
    let Some((rights, _)) = rights.split_once(" ON ") else {
        return vec!["what a role allows"];
    };
    // Rights on single columns name these in brackets, which may hold commas.
    let mut depth = 0;
    let rights = rights.split(|sign: char| {
        depth += i32::from(sign == '(') - i32::from(sign == ')');
        sign == ',' && depth == 0
    });
    let words = rights.map(|right| right.split('(').next().unwrap_or_default().trim());
    words.filter(|word| !READING.contains(word)).collect()
}

/// Returns the table with its database, and the user of the address.
fn table_and_user(settings: &SourceSettings) -> Option<(String, String)> {
    let name = TableName::of(settings, 2, Quotes::Tick).ok()?;
    let (user, database) = user_and_database(settings.uris().first()?)?;
    let table = match name.parts.len() {
        1 => format!("{}.{}", Quotes::Tick.around(&database), name.relation),
        _ => name.relation,
    };
    Some((table, Quotes::Tick.around(&user)))
}

/// Returns the statement that lets the user of a source read its table.
pub(crate) fn grants_of(settings: &SourceSettings) -> Option<String> {
    let (table, user) = table_and_user(settings)?;
    Some(format!("GRANT SELECT ON {table} TO {user};"))
}

/// Returns the statements that make a user who reads the table and does no more.
fn reader_of(settings: &SourceSettings) -> Option<String> {
    let (table, _) = table_and_user(settings)?;
    Some(format!(
        "CREATE USER sameas_reader IDENTIFIED BY '…';\nGRANT SELECT ON {table} TO sameas_reader;"
    ))
}

#[cfg(test)]
mod tests {
    use super::more_than_reading;

    #[test]
    fn rights_are_read_as_servers_write_them() {
        for (grant, expected) in [
            (
                "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*A'",
                vec![],
            ),
            ("GRANT SELECT, SHOW VIEW ON `crm`.* TO `u`@`%`", vec![]),
            (
                "GRANT SELECT (`id`, `updated_at`) ON `crm`.`update_log` TO `u`@`%`",
                vec![],
            ),
            (
                "GRANT SELECT (a), UPDATE (a, b) ON `crm`.`t` TO `u`@`%`",
                vec!["UPDATE"],
            ),
            (
                "GRANT ALL PRIVILEGES ON *.* TO `r`@`%` WITH GRANT OPTION",
                vec!["ALL PRIVILEGES"],
            ),
            (
                "GRANT SELECT, INSERT, FILE ON *.* TO `u`@`%`",
                vec!["INSERT", "FILE"],
            ),
            ("GRANT `writers` TO `u`@`%`", vec!["what a role allows"]),
        ] {
            assert_eq!(more_than_reading(grant), expected, "{grant}");
        }
    }
}
