//! `sameas find --input`: whose record is each row of a file?

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use csv::{Reader, StringRecord, Writer};
use sameas_resolve::{FindError, FindGap, FindQuery, FoundEntity};
use serde::Serialize;

use super::{Search, word_of};
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
    /// The row lacks the values that rules look records up by.
    NotSearched,
}

impl Unfound {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::NotSearched => "not searched",
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
    gaps: Vec<FindGap>,
    unreadable: Vec<String>,
}

/// What is told when all rows are answered.
#[derive(Default)]
struct Tally {
    rows: u64,
    not_searched: u64,
    /// Rows with a value that cannot be read, by field.
    unreadable: BTreeMap<String, u64>,
    silent: BTreeSet<String>,
}

impl Tally {
    fn count(&mut self, answer: &RowAnswer) {
        self.rows += 1;
        self.not_searched += u64::from(answer.unfound == Some(Unfound::NotSearched));
        for field in &answer.unreadable {
            *self.unreadable.entry(field.clone()).or_default() += 1;
        }
        for gap in &answer.gaps {
            if self.silent.insert(gap.source.clone()) {
                output::note(&format!("{}: not searched, {}", gap.source, gap.reason));
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
        let count = self.not_searched;
        if count > 0 {
            output::note(&format!("{count} of {rows} rows: {what_would_do}"));
        }
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
        table.write_record(["row", "standing", "probability", "unified_id"])?;
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
        table.write_record([
            answer.row.to_string(),
            standing.unwrap_or(unfound).to_owned(),
            best.map_or_else(String::new, |best| format!("{:.4}", best.probability)),
            best.map_or_else(String::new, |best| best.unified_id.clone()),
        ])?;
        Ok(())
    }

    fn end(self) -> Result<()> {
        if let Self::Table(mut table) = self {
            table.flush()?;
        }
        Ok(())
    }
}

impl Search<'_> {
    /// Looks for every row of a file, and prints the best entity of each as it is found.
    pub(super) async fn rows(&self, path: &Path, format: Format) -> Result<Outcome> {
        let place = path.display();
        let mut reader =
            Reader::from_path(path).with_context(|| format!("{place}: cannot be read"))?;
        let header = self.header(&mut reader, path)?;
        let mut answers = Answers::begin(format)?;
        let mut tally = Tally::default();
        for (row, cells) in (1..).zip(reader.records()) {
            // What is wrong with a row may quote it, so its number alone is told.
            let cells = cells.map_err(|_| {
                anyhow!("{place}: row {row} has other cells than the header, or is no UTF-8")
            })?;
            let query = self.query_of(&header, &cells);
            let answer = self.row(row, query).await;
            let answer = answer.with_context(|| format!("{place}: row {row}"))?;
            tally.count(&answer);
            answers.push(&answer)?;
        }
        answers.end()?;
        tally.tell(&self.finder.what_would_do(None));
        if tally.rows == 0 {
            output::note(&format!("{place}: has no row below its header"));
        }
        ensure!(tally.silent.is_empty(), "not all sources could be searched");
        Ok(Outcome::Done)
    }

    /// Reads the header, every name of which must be a field.
    fn header(&self, reader: &mut Reader<File>, path: &Path) -> Result<StringRecord> {
        let place = path.display();
        // What is wrong with a header may quote it, if it is a row.
        let header = reader.headers().map_err(|_| {
            anyhow!("{place}: its first line is no UTF-8; a CSV file whose header names fields is asked for")
        })?;
        let fields: Vec<&str> = self.finder.fields().collect();
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
        Ok(header.clone())
    }

    /// Answers one row.
    async fn row(&self, row: u64, query: FindQuery) -> Result<RowAnswer> {
        let not_searched = |unreadable| RowAnswer {
            row,
            best: None,
            unfound: Some(Unfound::NotSearched),
            gaps: Vec::new(),
            unreadable,
        };
        let found = match self.finder.find(query, Duration::MAX).await {
            Err(FindError::Nothing { unreadable }) => {
                return Ok(not_searched(unreadable));
            }
            found => found?,
        };
        let unreadable = found.unreadable.clone();
        let Some(answer) = self.answer(found)? else {
            return Ok(not_searched(unreadable));
        };
        let best = answer.entities.into_iter().next();
        let unfound = match (&best, answer.is_partial) {
            (Some(_), _) => None,
            (None, true) => Some(Unfound::Partial),
            (None, false) => Some(Unfound::None),
        };
        Ok(RowAnswer {
            row,
            best,
            unfound,
            gaps: answer.gaps,
            unreadable,
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
