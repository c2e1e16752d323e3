//! `sameas find --input`: whose record is each row of a file?

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord, Writer};
use sameas_resolve::{CsvQuotes, FindError, FindGap, FindQuery, FoundEntity};
use serde::Serialize;

use super::{Search, gap_text, word_of};
use crate::args::Format;
use crate::command::Outcome;
use crate::output;

/// The standing of a row of which nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Unfound {
    /// No entity is likely enough.
    None,
    /// Not all sources were searched.
    Partial,
    /// The row lacks the values that rules look records up by, or too many records share them.
    NotSearched,
    /// The row cannot be looked for: it does not fit the header, or its values are too many or long.
    Refused,
}

impl Unfound {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::NotSearched => "not searched",
            Self::Refused => "refused",
        }
    }
}

/// What a row is answered.
#[derive(Serialize)]
struct RowAnswer {
    /// Its number, from 1, without the header.
    row: u64,
    /// The best entity.
    best: Option<FoundEntity>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unfound: Option<Unfound>,
    /// Why the row was refused or not searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    gaps: Vec<FindGap>,
    unreadable: Vec<String>,
}

impl RowAnswer {
    fn without(row: u64, unfound: Unfound) -> Self {
        Self {
            row,
            best: None,
            unfound: Some(unfound),
            reason: None,
            gaps: Vec::new(),
            unreadable: Vec::new(),
        }
    }
}

/// What is told when all rows are answered.
#[derive(Default)]
struct Tally {
    rows: u64,
    not_searched: u64,
    refused: u64,
    /// Rows that were refused or not searched, and the first of them, by reason.
    reasons: BTreeMap<String, (u64, u64)>,
    /// Rows with a value that cannot be read, by field.
    unreadable: BTreeMap<String, u64>,
    silent: BTreeSet<String>,
}

impl Tally {
    fn count(&mut self, answer: &RowAnswer) {
        self.rows += 1;
        self.not_searched += u64::from(answer.unfound == Some(Unfound::NotSearched));
        self.refused += u64::from(answer.unfound == Some(Unfound::Refused));
        if let Some(reason) = &answer.reason {
            let (count, _) = self
                .reasons
                .entry(reason.clone())
                .or_insert((0, answer.row));
            *count += 1;
        }
        for field in &answer.unreadable {
            *self.unreadable.entry(field.clone()).or_default() += 1;
        }
        for gap in &answer.gaps {
            if self.silent.insert(gap.source.clone()) {
                output::note(&gap_text(gap));
            }
        }
    }

    fn tell(&self, what_would_do: &str) {
        let rows = self.rows;
        for (field, count) in &self.unreadable {
            output::note(&format!(
                "`{field}`: {count} of {rows} rows have a value that cannot be read as what the field holds, or stands for none, so it was not compared"
            ));
        }
        let reasons = self.reasons.values().map(|(count, _)| count);
        let count = (self.not_searched + self.refused).saturating_sub(reasons.sum());
        if count > 0 {
            output::note(&format!("{count} of {rows} rows: {what_would_do}"));
        }
        for (reason, (count, first)) in &self.reasons {
            output::note(&format!(
                "{count} of {rows} rows, row {first} the first: {reason}"
            ));
        }
    }

    /// Refuses to call done what was not.
    fn done(&self) -> Result<Outcome> {
        ensure!(self.silent.is_empty(), "not all sources could be searched");
        ensure!(self.refused == 0, "not all rows could be searched");
        let any = self.rows == 0 || self.not_searched < self.rows;
        ensure!(any, "no row could be searched");
        Ok(Outcome::Done)
    }
}

/// A file of records to look for.
pub(super) struct Rows<'f> {
    path: &'f Path,
    reader: Reader<CsvQuotes<File>>,
    header: StringRecord,
}

impl<'f> Rows<'f> {
    /// Opens a file and reads its header, every name of which must be one of these fields.
    pub(super) fn open(path: &'f Path, fields: &[&str]) -> Result<Self> {
        let place = path.display();
        let file = File::open(path).with_context(|| format!("{place}: cannot be read"))?;
        // Rows that do not fit the header are refused one by one.
        let mut reader = ReaderBuilder::new()
            .flexible(true)
            .from_reader(CsvQuotes::new(file));
        // What is wrong with a header may quote it, if it is a row.
        let header = reader.headers().map_err(|error| match error.kind() {
            csv::ErrorKind::Io(_) => anyhow!("{place}: {}", what_stopped(error)),
            _ => anyhow!("{place}: its first line is no UTF-8; a CSV file whose header names fields is asked for"),
        })?;
        let header = header.clone();
        let known = fields.join(", ");
        if header.is_empty() {
            bail!(
                "{place}: is empty; give a header that names fields ({known}), then a row for each record"
            );
        }
        // A file without a header begins with values, which no error tells.
        if let Some(column) = header.iter().position(|name| !fields.contains(&name)) {
            let separated =
                header.len() == 1 && header.iter().any(|name| name.contains([';', '\t']));
            let hint = if separated {
                "; cells are separated by commas here"
            } else {
                ""
            };
            bail!(
                "{place}: the header names no field in column {}{hint}; fields are {known}",
                column + 1
            );
        }
        Ok(Self {
            path,
            reader,
            header,
        })
    }
}

/// Where answers go.
enum Answers {
    Table(Box<Writer<io::Stdout>>),
    Lines,
}

impl Answers {
    fn begin(format: Format) -> Result<Self> {
        if format != Format::Text {
            return Ok(Self::Lines);
        }
        let mut table = Writer::from_writer(io::stdout());
        let header = ["row", "standing", "probability", "unified_id"];
        table.write_record(header).map_err(io::Error::from)?;
        Ok(Self::Table(Box::new(table)))
    }

    fn push(&mut self, answer: &RowAnswer) -> Result<()> {
        let table = match self {
            Self::Table(table) => table,
            Self::Lines => return output::print_text(&serde_json::to_string(answer)?),
        };
        let best = answer.best.as_ref();
        let standing = best.map(|best| word_of(best.standing));
        let unfound = answer.unfound.map_or("", Unfound::word);
        let written = table.write_record([
            answer.row.to_string(),
            standing.unwrap_or(unfound).to_owned(),
            best.map_or_else(String::new, |best| format!("{:.4}", best.probability)),
            best.map_or_else(String::new, |best| best.unified_id.clone()),
        ]);
        written.map_err(io::Error::from)?;
        Ok(())
    }

    fn end(self) -> Result<()> {
        if let Self::Table(mut table) = self {
            table.flush()?;
        }
        Ok(())
    }
}

/// Says what ended the reading of a file, quoting nothing of it.
fn what_stopped(error: csv::Error) -> String {
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => cause.to_string(),
        _ => "it stops being CSV".to_owned(),
    }
}

/// Returns the cells of a row as text, or why they cannot be those of the header.
fn fitting(header: &StringRecord, cells: ByteRecord) -> Result<StringRecord, String> {
    if cells.len() != header.len() {
        let (found, expected) = (cells.len(), header.len());
        return Err(format!(
            "the row has {found} cells, the header {expected}; quote cells that hold a comma"
        ));
    }
    StringRecord::from_byte_record(cells)
        .map_err(|_| "the row is no UTF-8; write the file as UTF-8".to_owned())
}

impl Search<'_> {
    /// Looks for every row of a file, and prints the best entity of each as it is found.
    pub(super) async fn rows(&self, mut rows: Rows<'_>, format: Format) -> Result<Outcome> {
        let place = rows.path.display();
        let mut answers = Answers::begin(format)?;
        let mut tally = Tally::default();
        for (row, cells) in (1..).zip(rows.reader.byte_records()) {
            let cells = cells.map_err(|error| anyhow!("{place}: {}", what_stopped(error)))?;
            let answer = match fitting(&rows.header, cells) {
                Ok(cells) => self.row(row, self.query_of(&rows.header, &cells)).await,
                Err(reason) => Ok(RowAnswer {
                    reason: Some(reason),
                    ..RowAnswer::without(row, Unfound::Refused)
                }),
            };
            let answer = answer.with_context(|| format!("{place}: row {row}"))?;
            tally.count(&answer);
            answers.push(&answer)?;
        }
        answers.end()?;
        tally.tell(&self.finder.what_would_do(None));
        if tally.rows == 0 {
            output::note(&format!("{place}: has no row below its header"));
        }
        tally.done()
    }

    /// Answers one row.
    async fn row(&self, row: u64, query: FindQuery) -> Result<RowAnswer> {
        let found = match self.finder.find(query, self.args.waiting()).await {
            Err(FindError::Nothing { unreadable }) => {
                return Ok(RowAnswer {
                    unreadable,
                    ..RowAnswer::without(row, Unfound::NotSearched)
                });
            }
            Err(error @ FindError::TooCommon { .. }) => {
                return Ok(RowAnswer {
                    reason: Some(error.to_string()),
                    ..RowAnswer::without(row, Unfound::NotSearched)
                });
            }
            Err(error @ (FindError::TooLarge { .. } | FindError::TooManyCandidates)) => {
                return Ok(RowAnswer {
                    reason: Some(error.to_string()),
                    ..RowAnswer::without(row, Unfound::Refused)
                });
            }
            found => found?,
        };
        let is_searched = found.rules_asked > 0;
        let answer = self.answer(found)?;
        let best = answer.entities.into_iter().next();
        let unfound = match &best {
            Some(_) => None,
            None if !is_searched => Some(Unfound::NotSearched),
            None if answer.is_partial => Some(Unfound::Partial),
            None => Some(Unfound::None),
        };
        Ok(RowAnswer {
            row,
            best,
            unfound,
            reason: None,
            gaps: answer.gaps,
            unreadable: answer.unreadable,
        })
    }

    fn query_of(&self, header: &StringRecord, cells: &StringRecord) -> FindQuery {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (field, cell) in header.iter().zip(cells) {
            if !cell.is_empty() {
                let values = values.entry(field.to_owned()).or_default();
                values.push(cell.to_owned());
            }
        }
        FindQuery {
            values,
            source: self.args.source.clone(),
            key: None,
            visible: None,
        }
    }
}
