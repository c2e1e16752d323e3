//! What a driver does and what it lacks.

use super::Adbc;
use super::calls;
use super::driver::place_of;
use super::query::{rows_of, texts_of};
use super::system::System;
use crate::database::DatabaseFault;
use crate::database::name::TableName;
use crate::descriptor::SourceSettings;
use crate::error::ScanError;
use crate::finding::{Asked, Finding, Topic};

/// A key that is asked for to see whether the driver takes parameters; whether there is such a
/// record does not matter.
const PROBE: &str = "0";

impl Adbc {
    /// Tells how the table is read and by which driver.
    pub(crate) async fn findings(&self, asked: &Asked<'_>) -> Result<Vec<Finding>, ScanError> {
        let driver = asked.settings.driver.as_deref().unwrap_or_default();
        let found = match place_of(driver, asked.base) {
            Some(place) => format!("{driver} is {}", place.display()),
            None => format!("{driver} is a library of the system"),
        };
        let snapshot = "yes: one query reads all, and a query sees one moment";
        let parts = "one part: it is one query";
        Ok(vec![
            Finding::fine(Topic::Driver, found),
            Finding::fine(Topic::Snapshot, snapshot),
            Finding::fine(Topic::Parts, parts),
            self.found_by_key(asked).await?,
            self.privileges(asked.settings),
            self.encryption(asked.settings),
        ])
    }

    async fn found_by_key(&self, asked: &Asked<'_>) -> Result<Finding, ScanError> {
        let search = "by a search of the whole table";
        let Some(key) = asked.key else {
            let says = format!("{search}: the key is an expression");
            return Ok(Finding::advice(Topic::Fetch, says)
                .mended_by("make the key a column of a table or view, and map that"));
        };
        if !self.can_bind(key) {
            let says = format!("{search}: keys of this type are not bound");
            return Ok(Finding::advice(Topic::Fetch, says)
                .mended_by("make a view that has the key as text or as a whole number"));
        }
        if self.fetch(asked.used, key, &[PROBE]).await?.is_none() {
            let says = format!("{search}: the driver does not take keys as parameters");
            return Ok(
                Finding::advice(Topic::Fetch, says).mended_by("use a newer release of the driver")
            );
        }
        let bound = "by keys as parameters";
        if self.system != System::Sqlite {
            let says = format!("{bound}; which index or statistics serve is up to the system");
            return Ok(Finding::fine(Topic::Fetch, says));
        }
        let plan = self
            .sqlite_plan(key)
            .await
            .map_err(|cause| self.failed(cause))?;
        if plan.iter().any(|step| step.starts_with("SEARCH")) {
            return Ok(Finding::fine(Topic::Fetch, format!("{bound} and an index")));
        }
        let column = self.system.quotes().around(key);
        let name = TableName::of(asked.settings, super::NAME_PARTS_MAX, self.system.quotes());
        let table = name.ok().and_then(|name| name.parts.last().cloned());
        let table = self.system.quotes().around(&table.unwrap_or_default());
        let index = format!("CREATE INDEX sameas_key ON {table} ({column});");
        let says = format!("{bound}, but without an index: the whole table is read");
        Ok(Finding::advice(Topic::Fetch, says).mended_by(index))
    }

    /// Returns the steps by which SQLite finds records of a key.
    async fn sqlite_plan(&self, key: &str) -> Result<Vec<String>, DatabaseFault> {
        let at = self.schema.index_of(key).unwrap_or_default();
        let term = self.selected.get(at).cloned().unwrap_or_default();
        let query = format!(
            "EXPLAIN QUERY PLAN SELECT {term} FROM {} WHERE {term} IN (NULL, NULL)",
            self.relation
        );
        let (gate, table) = (self.gate.clone(), self.table.to_string());
        let planning = calls::start(&self.source_name, move || {
            let mut connection = gate.connect()?;
            let batches = rows_of(&mut connection, &query, &table)?;
            let steps = batches.iter().filter_map(|batch| texts_of(batch, 3));
            let texts = |steps: arrow_array::StringArray| {
                let texts = steps.iter().flatten().map(str::to_owned);
                texts.collect::<Vec<_>>()
            };
            Ok(steps.flat_map(texts).collect())
        });
        planning.await.await.unwrap_or(Err(DatabaseFault::Crashed))
    }

    fn privileges(&self, settings: &SourceSettings) -> Finding {
        if matches!(self.system, System::Sqlite | System::DuckDb) {
            return Finding::fine(Topic::Privileges, "the database is opened for reading only");
        }
        let says = "drivers do not tell what a user may do; nothing but SELECT is sent, and a user \
                    who may do no more is better";
        let advice = Finding::advice(Topic::Privileges, says);
        match self.grants(settings) {
            Some(grants) => advice.mended_by(grants),
            None => advice,
        }
    }

    /// Returns what a role needs to read the table, in the words of systems that have them.
    fn grants(&self, settings: &SourceSettings) -> Option<String> {
        let quotes = self.system.quotes();
        let name = TableName::of(settings, super::NAME_PARTS_MAX, quotes).ok()?;
        let quoted = |name: &String| quotes.around(name);
        let relation = &self.relation;
        match (self.system, name.parts.as_slice()) {
            (System::Snowflake, [database, schema, _]) => Some(format!(
                "CREATE ROLE sameas_reader;\n\
                 GRANT USAGE ON DATABASE {0} TO ROLE sameas_reader;\n\
                 GRANT USAGE ON SCHEMA {0}.{1} TO ROLE sameas_reader;\n\
                 GRANT SELECT ON TABLE {relation} TO ROLE sameas_reader;",
                quoted(database),
                quoted(schema)
            )),
            (System::BigQuery, _) => Some(format!(
                "GRANT `roles/bigquery.dataViewer` ON TABLE {relation} TO \"user:…\";"
            )),
            (System::Postgres | System::MySqlLike, _) => {
                Some(format!("GRANT SELECT ON {relation} TO sameas_reader;"))
            }
            _ => None,
        }
    }

    fn encryption(&self, settings: &SourceSettings) -> Finding {
        let uri = settings.uris().first().map_or("", String::as_str);
        match self.system {
            System::Sqlite | System::DuckDb if !uri.contains("://") && !uri.starts_with("md:") => {
                Finding::fine(
                    Topic::Encryption,
                    "none needed: the database is a file here",
                )
            }
            System::FlightSql if uri.starts_with("grpc://") || uri.starts_with("grpc+tcp://") => {
                let says = "none: values cross the network in the clear";
                Finding::advice(Topic::Encryption, says).mended_by("write `uri` with grpc+tls://")
            }
            _ => Finding::fine(Topic::Encryption, "as the driver and its options say"),
        }
    }
}

/// Returns the command that installs the driver of a source.
pub(crate) fn driver_command(settings: &SourceSettings) -> Option<String> {
    System::of(settings.driver.as_deref()?).install()
}
