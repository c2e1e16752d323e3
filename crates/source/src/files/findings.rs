//! What files can do and what they lack.

use super::store::DataFile;
use super::{Content, Files, parquet};
use crate::finding::{Asked, Finding, Topic};

/// The bytes of a text file that is worth being cut into several.
const LONG_FILE_LEN: u64 = 1 << 30;

impl Files {
    /// Tells how the files are read.
    pub(crate) async fn findings(&self, asked: &Asked<'_>) -> Vec<Finding> {
        let mut findings = vec![self.files()];
        findings.extend(self.lacking_columns(asked));
        let moment = match self.table {
            Some(_) => "that of the newest version when the source is opened",
            None => {
                "files have none: one that changes while it is read ends the scan, and nothing is published"
            }
        };
        findings.push(Finding::fine(Topic::Snapshot, moment));
        findings.push(self.parts(asked));
        findings.push(self.found_by_key(asked).await);
        findings
    }

    fn files(&self) -> Finding {
        let len: u64 = self.found.iter().map(|file| file.meta.size).sum();
        let format = match self.content {
            Content::Csv { .. } => "CSV",
            Content::Ndjson { .. } => "NDJSON",
            Content::Parquet { .. } => "Parquet",
            Content::Arrow { .. } => "Arrow IPC",
        };
        let mut files = format!(
            "{} of {format}, {} in all",
            counted(self.found.len() as u64, "file"),
            length(len)
        );
        if let Some(table) = &self.table {
            files = format!("version {} of a Delta table: {files}", table.version());
        }
        if self.skipped.count == 0 {
            return Finding::fine(Topic::Files, files);
        }
        let others = counted(self.skipped.count, "other");
        let names = self.skipped.names.join(", ");
        let says = format!("{files}; {others} in the folders not read: {names}");
        Finding::advice(Topic::Files, says)
            .mended_by("name files one by one or by a glob in `uri` to read them")
    }

    /// Tells of mapped columns that only some files have.
    fn lacking_columns<'a>(&'a self, asked: &'a Asked<'_>) -> impl Iterator<Item = Finding> + 'a {
        let names = asked.used.iter().map(|&at| self.schema.field(at).name());
        names.filter_map(|name| {
            let files = self.lacking.get(name)?;
            let says = format!(
                "{} without the column {name:?}: {}",
                counted(files.count, "file"),
                files.names.join(", ")
            );
            let advice = Finding::advice(Topic::Columns, says);
            Some(advice.mended_by("make files that name it otherwise a source of their own"))
        })
    }

    fn parts(&self, asked: &Asked<'_>) -> Finding {
        let (threads, count) = (asked.partition_count, self.found.len());
        let at_once = |most: usize| match most.min(threads) {
            1 => "one part".to_owned(),
            parts => format!("{parts} parts at once"),
        };
        match &self.content {
            Content::Parquet { .. } => Finding::fine(
                Topic::Parts,
                format!("up to {threads} parts at once, cut between row groups"),
            ),
            Content::Arrow { footers } => {
                let blocks = footers.iter().map(|footer| footer.blocks.len()).sum();
                let says = format!("{}, cut between record batches", at_once(blocks));
                Finding::fine(Topic::Parts, says)
            }
            Content::Csv { .. } | Content::Ndjson { .. } => {
                let says = format!(
                    "{}: a file is read as a whole, because a quoted value may hold a line end",
                    at_once(count)
                );
                let is_long = |file: &DataFile| file.meta.size > LONG_FILE_LEN;
                if count < threads && self.found.iter().any(is_long) {
                    let remedy = "write it as Parquet, or as several files, to read it in parts";
                    return Finding::advice(Topic::Parts, says).mended_by(remedy);
                }
                Finding::fine(Topic::Parts, says)
            }
        }
    }

    async fn found_by_key(&self, asked: &Asked<'_>) -> Finding {
        let Some(key) = asked.key else {
            let says = "by a search of all files: the key is an expression";
            return Finding::advice(Topic::Fetch, says)
                .mended_by("write the key as a column of its own and map that");
        };
        let is_searched = |file: &DataFile| !file.has_places();
        match &self.content {
            Content::Csv { .. } | Content::Ndjson { .. } => {
                if self.found.iter().any(is_searched) {
                    let says = "by a search of all files: those that are compressed, or no UTF-8, have no places to jump to";
                    return Finding::advice(Topic::Fetch, says).mended_by(
                        "decompress them and convert them to UTF-8, or write them as Parquet",
                    );
                }
                Finding::fine(
                    Topic::Fetch,
                    "by a search at first, and by remembered places from the second time on in one process",
                )
            }
            Content::Arrow { .. } => {
                let says = "by a search of all files: Arrow IPC has no statistics";
                Finding::advice(Topic::Fetch, says).mended_by("write them as Parquet")
            }
            Content::Parquet { .. } => self.found_in_parquet(key).await,
        }
    }

    /// Tells by what the first file lets row groups be left out.
    async fn found_in_parquet(&self, key: &str) -> Finding {
        let aids = match self.found.first() {
            Some(file) => parquet::aids(file, key).await.unwrap_or_default(),
            None => parquet::Aids::default(),
        };
        let told = |has: bool, what: &'static str| has.then_some(what);
        let has = [
            told(aids.statistics, "statistics of row groups"),
            told(aids.pages, "statistics of pages"),
            told(aids.bloom_filter, "bloom filters"),
        ];
        let has: Vec<_> = has.into_iter().flatten().collect();
        if has.is_empty() {
            let says = "by the key column of all files: they have no statistics of it";
            return Finding::advice(Topic::Fetch, says)
                .mended_by("write them with statistics, or with a bloom filter on the key");
        }
        let says = format!("by {}, then the key column", has.join(", "));
        Finding::fine(Topic::Fetch, says)
    }
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn length(len: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.into_iter().find(|&(size, _)| len >= size);
    match unit {
        Some((size, unit)) => format!("{:.1} {unit}", len as f64 / size as f64),
        None => format!("{len} bytes"),
    }
}
