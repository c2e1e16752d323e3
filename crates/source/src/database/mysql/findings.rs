//! What a server of this kind does for a table and what it lacks.

use mysql_async::{Params, Value};

use super::{Mysql, number};
use crate::database::DatabaseFault;
use crate::database::name::{Quotes, TableName};
use crate::descriptor::SourceSettings;
use crate::error::ScanError;
use crate::finding::{Asked, Finding, Topic};

/// Finds out whether an index begins with a column.
const INDEXED: &str = "SELECT COUNT(*) FROM information_schema.statistics \
     WHERE table_schema = ? AND table_name = ? AND column_name = ? AND seq_in_index = 1";
/// What a user who only reads does not need.
const WRITING: [&str; 8] = [
    "ALL PRIVILEGES",
    "INSERT",
    "UPDATE",
    "DELETE",
    "DROP",
    "ALTER",
    "CREATE",
    "SUPER",
];

impl Mysql {
    /// Tells how the table is read, and by which right.
    pub(crate) async fn findings(&self, asked: &Asked<'_>) -> Result<Vec<Finding>, ScanError> {
        let found = async {
            let fetch = self.found_by_key(asked).await?;
            let privileges = self.privileges(asked.settings).await?;
            Ok::<_, DatabaseFault>([fetch, privileges, self.encryption().await?])
        };
        let [fetch, privileges, encryption] = found.await.map_err(|cause| self.failed(cause))?;
        let snapshot = "yes: one statement reads all, and a statement sees one moment";
        let parts = "one part: servers of this kind show one moment to one session only";
        Ok(vec![
            Finding::fine(Topic::Snapshot, snapshot),
            Finding::fine(Topic::Parts, parts),
            fetch,
            privileges,
            encryption,
        ])
    }

    async fn found_by_key(&self, asked: &Asked<'_>) -> Result<Finding, DatabaseFault> {
        let search = "by a search of the whole table";
        let Some(key) = asked.key else {
            let says = format!("{search}: the key is an expression");
            return Ok(Finding::advice(Topic::Fetch, says)
                .mended_by("make the key a column of a table or view, and map that"));
        };
        let Some(column) = self.shape.columns.iter().find(|column| column.name == key) else {
            return Ok(Finding::advice(Topic::Fetch, search));
        };
        if column.coding().data_type().is_temporal() {
            let says = format!("{search}: the key is a date or a time");
            return Ok(Finding::advice(Topic::Fetch, says)
                .mended_by("make a view that has the key as text or as a whole number"));
        }
        let mut session = self.session().await?;
        let mut name = self.name.iter().rev();
        let table = name.next().cloned().unwrap_or_default();
        let schema = name.next().cloned();
        let schema = schema.unwrap_or_else(|| session.database().to_owned());
        let values = [schema, table, key.to_owned()].map(Value::from);
        let asked = Params::Positional(values.to_vec());
        let rows = session.all(INDEXED, asked, &self.table).await?;
        self.keep(session);
        let is_indexed = rows.first().and_then(|row| number(row, 0)) > Some(0);
        if is_indexed {
            return Ok(Finding::fine(
                Topic::Fetch,
                "by keys as parameters and an index",
            ));
        }
        if self.shape.engine.is_none() {
            let says = "by keys as parameters; which index of the view's tables serves is up to the server";
            return Ok(Finding::fine(Topic::Fetch, says));
        }
        let says = "by keys as parameters, but without an index: the whole table is read";
        let index = format!(
            "CREATE INDEX sameas_key ON {} ({});",
            self.relation,
            Quotes::Tick.around(key)
        );
        Ok(Finding::advice(Topic::Fetch, says).mended_by(index))
    }

    async fn privileges(&self, settings: &SourceSettings) -> Result<Finding, DatabaseFault> {
        let mut session = self.session().await?;
        let grants = "SHOW GRANTS FOR CURRENT_USER";
        let rows = session.all(grants, Params::Empty, &self.table).await?;
        self.keep(session);
        let texts = rows
            .iter()
            .filter_map(|row| row.get_opt::<String, _>(0)?.ok());
        // What stands behind ON is a name.
        let rights = texts.map(|text| text.split(" ON ").next().unwrap_or_default().to_uppercase());
        let writes = rights
            .into_iter()
            .any(|right| WRITING.iter().any(|word| right.contains(word)));
        if !writes {
            return Ok(Finding::fine(Topic::Privileges, "the user may not write"));
        }
        let says =
            "the user may write; every session is read-only, and a user who cannot is better";
        let advice = Finding::advice(Topic::Privileges, says);
        Ok(match grants_of(settings) {
            Some(grants) => advice.mended_by(grants),
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
        let says = "none: values cross the network in the clear, unless it is this machine's own";
        Ok(Finding::advice(Topic::Encryption, says)
            .mended_by("turn on TLS at the server, and see README.md, Databases"))
    }
}

/// Returns what a user needs to read the table.
pub(crate) fn grants_of(settings: &SourceSettings) -> Option<String> {
    let name = TableName::of(settings, 2, Quotes::Tick).ok()?;
    let relation = name.relation;
    Some(format!(
        "CREATE USER 'sameas_reader'@'%' IDENTIFIED BY '…';\nGRANT SELECT ON {relation} TO 'sameas_reader'@'%';"
    ))
}
