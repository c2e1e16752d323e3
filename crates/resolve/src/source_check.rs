//! What works of each source, what is missing, and what mends it.
//!
//! A source is opened, its names are looked up, its system is asked for rights and indexes, and its
//! keys and times are read once. Of all values one is told: the newest time of a change. It says how
//! far a source has come, as a watermark does, and it is no more of one customer than of another.

mod tally;

use std::time::Duration;

use futures::StreamExt;
use sameas_record::DuplicateKeys;
use sameas_source::{
    Finding, RowCount, ScanError, ScanRequest, Source, SourceSettings, Standing, Topic, UpdatedKind,
};
use serde::Serialize;
use tokio::time::timeout;

use self::tally::{Newest, Tally};
use crate::Settings;
use crate::opened::told;
use crate::report::counted;

/// How long the keys of a source are counted before they are left uncounted.
const COUNTING_TIME_MAX: Duration = Duration::from_mins(1);
/// How long opening and asking may take.
const ASKING_TIME_MAX: Duration = Duration::from_mins(1);

/// A key that every source has.
const ANY_KEY: &str = "'key'";

/// What is known of all sources that were looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SourceCheckReport {
    /// The sources, in the order of the settings.
    pub sources: Vec<SourceCheck>,
}

/// What is known of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SourceCheck {
    /// Its name.
    pub source: String,
    /// Its records after `where`, if they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// The newest of what `updated` says: RFC 3339 in UTC, or a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// What was found, by topic.
    pub findings: Vec<Finding>,
}

/// Why no source could be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceCheckError {
    /// A name that no source has.
    #[error("the settings have no source {name:?}; sources are {known}")]
    UnknownSource {
        /// What was asked for.
        name: String,
        /// The sources there are.
        known: String,
    },
}

impl SourceCheckReport {
    /// Returns whether nothing is missing.
    pub fn is_fine(&self) -> bool {
        let mut findings = self.sources.iter().flat_map(|source| &source.findings);
        findings.all(|finding| finding.standing != Standing::Missing)
    }
}

/// Looks at the sources of the settings, or at the one that is named.
///
/// # Errors
/// A name that no source has. What is wrong with sources is told in the report.
pub async fn check_sources(
    settings: &Settings,
    name: Option<&str>,
    threads: usize,
) -> Result<SourceCheckReport, SourceCheckError> {
    let is_asked = |source: &&SourceSettings| name.is_none_or(|name| source.name == name);
    let asked: Vec<_> = settings.sources.iter().filter(is_asked).collect();
    if let (Some(name), true) = (name, asked.is_empty()) {
        let known = settings.sources.iter().map(|source| source.name.as_str());
        return Err(SourceCheckError::UnknownSource {
            name: name.to_owned(),
            known: known.collect::<Vec<_>>().join(", "),
        });
    }
    let mut sources = Vec::with_capacity(asked.len());
    for source in asked {
        sources.push(check(settings, source, threads).await);
    }
    Ok(SourceCheckReport { sources })
}

async fn check(settings: &Settings, source: &SourceSettings, threads: usize) -> SourceCheck {
    let mut check = SourceCheck {
        source: source.name.clone(),
        records: None,
        newest: None,
        findings: Vec::new(),
    };
    let opening = timeout(ASKING_TIME_MAX, Source::open(source, &settings.base)).await;
    match opening {
        Ok(Ok(opened)) => {
            check.add(Finding::fine(Topic::Opening, "it can be opened"));
            check.look_at(&opened, source, threads).await;
        }
        Ok(Err(error)) => {
            let says = without_name(&source.name, &told(&error));
            let mut finding = Finding::missing(Topic::Opening, says);
            finding.remedy = error.remedy(source);
            check.add(finding);
        }
        Err(_) => check.add(Finding::missing(Topic::Opening, silent())),
    }
    check.findings.sort_by_key(|finding| finding.topic);
    check
}

impl SourceCheck {
    fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Looks at what was opened.
    async fn look_at(&mut self, source: &Source, settings: &SourceSettings, threads: usize) {
        let Some(request) = self.names(source, settings) else {
            return;
        };
        let updated = match source.updated_kind() {
            Ok(kind) => kind,
            Err(error) => {
                self.refuse(Topic::Updated, &error);
                None
            }
        };
        match timeout(ASKING_TIME_MAX, source.findings(&request, threads)).await {
            Ok(Ok(findings)) => self.findings.extend(findings),
            Ok(Err(error)) => self.refuse(Topic::Opening, &error),
            Err(_) => self.add(Finding::missing(Topic::Opening, silent())),
        }
        if self.may_not_read() {
            return;
        }
        let mut counted = ScanRequest {
            key: request.key,
            columns: Vec::new(),
            filter: request.filter,
        };
        let updated = updated.zip(settings.updated.as_ref());
        counted
            .columns
            .extend(updated.map(|(_, text)| text.clone()));
        let counting = tally(source, &counted, threads);
        match timeout(COUNTING_TIME_MAX, counting).await {
            Ok(Ok(tally)) => {
                self.rows(&tally);
                self.key(&tally, settings);
                self.updated(&tally, updated);
            }
            Ok(Err(error)) => self.refuse(Topic::Rows, &error),
            Err(_) => self.uncounted(source.row_count().await.ok()),
        }
    }

    /// Looks up every name and expression by itself, and returns the request of those that are
    /// there; none if the key is not.
    fn names(&mut self, source: &Source, settings: &SourceSettings) -> Option<ScanRequest> {
        let (asked, _) = ScanRequest::for_settings(settings);
        let has_key = !self.lacks(source, Topic::Key, &of(&asked.key, &[], None), &asked);
        // The other names are looked up beside something that is there.
        let key = if has_key { &asked.key } else { ANY_KEY };
        let mut found = Vec::new();
        for text in &asked.columns {
            let alone = of(key, std::slice::from_ref(text), None);
            let others = asked.columns.iter().cloned();
            let among = ScanRequest {
                columns: [text.clone()].into_iter().chain(others).collect(),
                ..of(key, &[], None)
            };
            if !self.lacks(source, Topic::Columns, &alone, &among) {
                found.push(text.clone());
            }
        }
        let mut filter = None;
        if asked.filter.is_some() {
            let alone = of(key, &[], asked.filter.as_ref());
            let among = of(key, &found, asked.filter.as_ref());
            if !self.lacks(source, Topic::Columns, &alone, &among) {
                filter = asked.filter.as_ref();
            }
        }
        if found.len() == asked.columns.len() {
            let says = format!("all {} that are mapped are there", found.len());
            self.add(Finding::fine(Topic::Columns, says));
        }
        has_key.then(|| of(&asked.key, &found, filter))
    }

    /// Tells whether what a request asks for is not there, and says so in the words of a request
    /// that asks for it first and for more: other names tell what a name may mean.
    fn lacks(
        &mut self,
        source: &Source,
        topic: Topic,
        alone: &ScanRequest,
        among: &ScanRequest,
    ) -> bool {
        let Err(error) = source.check(alone) else {
            return false;
        };
        self.refuse(topic, &source.check(among).err().unwrap_or(error));
        true
    }

    fn refuse(&mut self, topic: Topic, error: &ScanError) {
        let says = without_name(&self.source, &told(error));
        self.add(Finding::missing(topic, says));
    }

    /// Tells whether a right is missing without which nothing can be read.
    fn may_not_read(&self) -> bool {
        let is_denied = |finding: &Finding| {
            finding.topic == Topic::Privileges && finding.standing == Standing::Missing
        };
        self.findings.iter().any(is_denied)
    }

    fn rows(&mut self, tally: &Tally) {
        self.records = Some(tally.count());
        self.add(match tally.count() {
            0 => Finding::missing(Topic::Rows, "there is no record, or `where` holds for none"),
            count => Finding::fine(Topic::Rows, counted(count, "record")),
        });
    }

    fn uncounted(&mut self, told: Option<RowCount>) {
        let seconds = COUNTING_TIME_MAX.as_secs();
        let says = match told {
            Some(RowCount::Exact(count)) => format!("{count} rows"),
            Some(RowCount::Estimate(count)) => format!("about {count} rows"),
            _ => "unknown".to_owned(),
        };
        let says = format!("{says}; keys and times were not all read within {seconds} s");
        self.add(Finding::advice(Topic::Rows, says));
    }

    fn key(&mut self, tally: &Tally, settings: &SourceSettings) {
        let mut flaws = 0;
        if tally.keyless > 0 {
            let says = format!("{} records have no key, and stop a rebuild", tally.keyless);
            let remedy = format!("where = {:?}", format!("{} is not null", settings.key));
            self.add(Finding::missing(Topic::Key, says).mended_by(remedy));
            flaws += 1;
        }
        let repeated = tally.repeated();
        if repeated > 0 {
            let says = format!("{repeated} records repeat a key of another");
            flaws += 1;
            self.add(match settings.duplicate_keys {
                DuplicateKeys::Refuse => {
                    let says = format!("{says}, and stop a rebuild");
                    let remedy = "duplicate_keys = \"merge\", if such records are equal";
                    Finding::missing(Topic::Key, says).mended_by(remedy)
                }
                DuplicateKeys::Merge => {
                    let says = format!("{says}; those that are equal count as one");
                    Finding::advice(Topic::Key, says)
                }
            });
        }
        if flaws == 0 {
            self.add(Finding::fine(Topic::Key, "every record has one of its own"));
        }
    }

    fn updated(&mut self, tally: &Tally, updated: Option<(UpdatedKind, &String)>) {
        let Some((kind, text)) = updated else {
            return;
        };
        self.newest = tally.newest().map(|newest| newest.to_string());
        let newest = match &self.newest {
            Some(newest) => format!("the newest is {newest}"),
            None => "no record has one".to_owned(),
        };
        let unread = tally.unread;
        self.add(match (kind, tally.newest()) {
            (UpdatedKind::Number, _) => {
                let says =
                    format!("{text:?} holds numbers, {newest}; they tell an order and no age");
                let remedy = format!(
                    "updated = \"\"\"to_timestamp_seconds({})\"\"\"",
                    sql_of(text)
                );
                Finding::advice(Topic::Updated, says).mended_by(remedy)
            }
            (UpdatedKind::Text, None) if unread > 0 => {
                let says = format!("{text:?} holds texts that do not read as times");
                let column = sql_of(text);
                let remedy =
                    format!("updated = \"\"\"to_timestamp({column}, '%d.%m.%Y %H:%M')\"\"\"");
                Finding::missing(Topic::Updated, says).mended_by(remedy)
            }
            (_, None) => Finding::advice(Topic::Updated, format!("{text:?}: {newest}")),
            (_, Some(Newest::Number(_) | Newest::Time(_))) if unread > 0 => {
                let says = format!("{newest}; {unread} texts of {text:?} do not read as times");
                Finding::advice(Topic::Updated, says)
            }
            _ => Finding::fine(Topic::Updated, newest),
        });
    }
}

fn of(key: &str, columns: &[String], filter: Option<&String>) -> ScanRequest {
    ScanRequest {
        key: key.to_owned(),
        columns: columns.to_vec(),
        filter: filter.cloned(),
    }
}

/// Reads all keys, and what says when records were changed.
async fn tally(source: &Source, request: &ScanRequest, threads: usize) -> Result<Tally, ScanError> {
    let streams = source.scan(request, threads).await?;
    // Dropped with this future, so that no scan goes on when the time is over.
    let mut parts = tokio::task::JoinSet::new();
    for mut stream in streams {
        let name = source.name().to_owned();
        parts.spawn(async move {
            let mut tally = Tally::default();
            while let Some(batch) = stream.next().await {
                tally.take(&batch.map_err(|error| ScanError::from_stream(&name, &error))?);
            }
            Ok::<_, ScanError>(tally)
        });
    }
    let mut all = Tally::default();
    while let Some(part) = parts.join_next().await {
        let failed = |_| ScanError::Engine {
            source_name: source.name().to_owned(),
            reason: "the engine failed while reading",
        };
        all.join(part.map_err(failed)??);
    }
    all.finish();
    Ok(all)
}

fn silent() -> String {
    format!("no answer within {} s", ASKING_TIME_MAX.as_secs())
}

/// Leaves out the name of the source, under which the text stands anyway.
fn without_name(name: &str, text: &str) -> String {
    let own = format!("source `{name}`: ");
    text.strip_prefix(&own).unwrap_or(text).to_owned()
}

/// Returns a column or expression as SQL names it: a column whose name is more than a word is quoted.
fn sql_of(text: &str) -> String {
    let is_word = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == '_');
    let is_name = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || "_ ".contains(c))
    };
    if !is_word(text) && is_name(text) {
        return format!("\"{text}\"");
    }
    text.to_owned()
}
