//! What a source can do and what it lacks, each with what mends it.

use std::path::Path;

use serde::Serialize;

use crate::database::DatabaseFault;
use crate::descriptor::SourceSettings;
use crate::error::{OpenError, ScanError};
use crate::request::ScanRequest;
use crate::scan::Source;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// The shared library that speaks to a system.
    Driver,
    /// Whether the source can be opened.
    Opening,
    /// The files that there are.
    Files,
    /// The columns that are mapped.
    Columns,
    /// The key, and whether it tells records apart.
    Key,
    /// The records.
    Rows,
    /// When records were changed last.
    Updated,
    /// Whether a scan sees one moment.
    Snapshot,
    /// How many parts of a scan are read at once.
    Parts,
    /// How records are found by key.
    Fetch,
    /// What the user may do.
    Privileges,
    /// Whether others can read along.
    Encryption,
}

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// As it should be.
    Fine,
    /// It works, and could be better.
    Advice,
    /// It does not work.
    Missing,
}

/// Something that is known of a source; it holds no value of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub topic: Topic,
    /// How that stands.
    pub standing: Standing,
    /// What was found.
    pub says: String,
    /// The command, or the statement, that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// Tells what is as it should be.
    pub fn fine(topic: Topic, says: impl Into<String>) -> Self {
        Self::of(topic, Standing::Fine, says)
    }

    /// Tells what works and could be better.
    pub fn advice(topic: Topic, says: impl Into<String>) -> Self {
        Self::of(topic, Standing::Advice, says)
    }

    /// Tells what does not work.
    pub fn missing(topic: Topic, says: impl Into<String>) -> Self {
        Self::of(topic, Standing::Missing, says)
    }

    /// Adds the command or statement that mends it.
    #[must_use]
    pub fn mended_by(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn of(topic: Topic, standing: Standing, says: impl Into<String>) -> Self {
        Self {
            topic,
            standing,
            says: says.into(),
            remedy: None,
        }
    }
}

/// What a request reads, as those who look for flaws need it.
pub(crate) struct Asked<'a> {
    pub(crate) settings: &'a SourceSettings,
    /// The folder where relative addresses start.
    pub(crate) base: &'a Path,
    /// The positions of the columns that are read.
    pub(crate) used: &'a [usize],
    /// The column that is the key, if the key is no expression.
    pub(crate) key: Option<&'a str>,
    pub(crate) partition_count: usize,
}

impl Source {
    /// Tells what reading a request from this source is like: how, by which right, and what would
    /// make it better.
    ///
    /// # Errors
    ///
    /// Names in the request that are not there; what a database fails with.
    pub async fn findings(
        &self,
        request: &ScanRequest,
        partition_count: usize,
    ) -> Result<Vec<Finding>, ScanError> {
        let context = crate::scan::context(1, crate::files::BATCH_ROWS_MAX);
        let checked = self.resolve(&context, request)?;
        let used = checked.used(self.connector.schema());
        let key = checked.outputs.first().map(|key| key.clone().unalias());
        let key = key.as_ref().and_then(crate::fetch::column_of);
        let asked = Asked {
            settings: &self.settings,
            base: &self.base,
            used: &used,
            key: key.and_then(crate::fetch::name_of),
            partition_count,
        };
        self.connector.findings(&asked).await
    }
}

impl OpenError {
    /// Returns the command, or the statements, that let a source be opened, if one is known.
    pub fn remedy(&self, settings: &SourceSettings) -> Option<String> {
        let Self::Database { cause, .. } = self else {
            return None;
        };
        match cause {
            DatabaseFault::NoDriver { .. } => crate::database::driver_command(settings),
            DatabaseFault::NotGranted { .. } => crate::database::mysql_grants(settings),
            DatabaseFault::Denied { .. } => crate::database::postgres_grants(settings),
            _ => None,
        }
    }
}
