//! `sameas find`: whose record is this?

mod rows;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args as ClapArgs;
use sameas_resolve::{
    FindGap, FindQuery, Finder, Found, FoundEntity, FoundRecord, MatchStanding, RankOptions,
    Shrink, Waiting, counted, rank,
};
use sameas_store::Snapshot;
use serde::Serialize;

use self::rows::Rows;
use super::Outcome;
use crate::args::{Format, Shared};
use crate::explanation::ADJUSTMENT;
use crate::output::{self, Answer, one_line};
use crate::{graph, job};

/// What `find` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct FindArgs {
    /// What is known of the record: a field of the settings and its value, as `surname=Miller`.
    #[arg(value_name = "FIELD=VALUE", required_unless_present = "input")]
    known: Vec<String>,
    /// Looks for every row of a CSV file instead, whose header names fields, and prints a row for each.
    #[arg(long, value_name = "FILE", conflicts_with = "known")]
    input: Option<PathBuf>,
    /// The source that the record is of: its values are read as those of the source.
    #[arg(long)]
    source: Option<String>,
    /// The key of the record in that source; it is not compared with itself.
    #[arg(long, requires = "source", conflicts_with = "input")]
    key: Option<String>,
    /// Shows entities of at least this probability.
    #[arg(long, value_name = "PROBABILITY", default_value_t = 0.1, value_parser = probability)]
    least: f64,
    /// Shows so many entities at most.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// How long a source that is asked for candidates may take, in milliseconds; when absent, as in
    /// the settings, and files of this machine are read to their end.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    timeout: Option<u64>,
}

impl FindArgs {
    fn waiting(&self) -> Waiting {
        let within = |ms| Waiting::Within(Duration::from_millis(ms));
        self.timeout.map_or(Waiting::ToTheEnd, within)
    }
}

fn probability(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let is_one = (0.0..=1.0).contains(&number);
    is_one
        .then_some(number)
        .ok_or_else(|| "not from 0 to 1".to_owned())
}

/// What was found, and the revision that says whose records these are.
#[derive(Serialize)]
struct FindAnswer {
    revision: u64,
    /// Whether some blocking rule has a key of the record; without one nothing can be found.
    is_searched: bool,
    is_partial: bool,
    gaps: Vec<FindGap>,
    /// Fields whose value cannot be read; it was taken for missing.
    unreadable: Vec<String>,
    /// What any two records weigh before they are compared.
    prior_bits: f64,
    entities: Vec<FoundEntity>,
}

impl Answer for FindAnswer {
    fn text(&self) -> String {
        let mut text = String::new();
        for entity in &self.entities {
            let _ = writeln!(
                text,
                "{}  {}, probability {:.4}, {} as of revision {}",
                entity.unified_id,
                word_of(entity.standing),
                entity.probability,
                counted(entity.record_count, "record"),
                self.revision
            );
            for record in &entity.records {
                push_record(&mut text, record, self.prior_bits);
            }
        }
        for gap in &self.gaps {
            let _ = writeln!(text, "{}", gap_text(gap));
        }
        text
    }
}

fn gap_text(gap: &FindGap) -> String {
    format!("{}: not or not wholly searched, {}", gap.source, gap.reason)
}

fn word_of(standing: MatchStanding) -> &'static str {
    match standing {
        MatchStanding::Match => "match",
        MatchStanding::Review => "for review",
        MatchStanding::Unlikely => "unlikely",
        MatchStanding::HeldApart => "held apart",
    }
}

fn push_record(text: &mut String, record: &FoundRecord, prior_bits: f64) {
    let _ = write!(
        text,
        "  {} {}: {:+.1} bits, prior {prior_bits:+.1}",
        record.source,
        one_line(&record.key),
        record.weight_bits
    );
    let said = record.comparisons.iter();
    for (comparison, level, bits) in said.filter(|(_, level, _)| level != "missing") {
        let _ = write!(text, ", {comparison} {level} {bits:+.1}");
    }
    for (what, bits) in [
        (ADJUSTMENT, record.adjustment_bits),
        ("the rule", record.rule_bits),
    ] {
        // Levels are kept in hundredths, so some of those are left where there is nothing to tell.
        if bits.abs() >= 0.05 {
            let _ = write!(text, ", {what} {bits:+.1}");
        }
    }
    if let Some(rule) = &record.linked_by {
        let _ = write!(text, "; linked by rule {rule}");
    }
    if let Some(comparison) = &record.held_apart_by {
        let _ = write!(text, "; {comparison} differs and must not");
    }
    text.push('\n');
}

/// What is looked for.
enum Asked<'a> {
    One(FindQuery),
    Rows(Rows<'a>),
}

pub(super) fn run(shared: &Shared, args: &FindArgs) -> Result<Outcome> {
    let mut settings = job::settings(shared)?;
    settings.find.timeout_ms = args.timeout.unwrap_or(settings.find.timeout_ms);
    let asked = match &args.input {
        None => Asked::One(query(args)?),
        Some(path) => {
            let schema = settings.schema();
            let fields: Vec<&str> = schema.fields().iter().map(|f| f.name.as_str()).collect();
            Asked::Rows(Rows::open(path, &fields)?)
        }
    };
    let snapshot = graph::snapshot(&settings)?;
    let options = job::options(shared, Shrink::Refuse)?;
    job::run(shared, async {
        let finder = Finder::load(&settings, &options).await?;
        let search = Search {
            finder: &finder,
            lacking: finder.lacks(&snapshot)?,
            snapshot: &snapshot,
            args,
        };
        match asked {
            Asked::One(query) => search.one(query, shared.format).await,
            Asked::Rows(rows) => search.rows(rows, shared.format).await,
        }
    })?
}

fn query(args: &FindArgs) -> Result<FindQuery> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for known in &args.known {
        let (field, value) = known.split_once('=').with_context(|| {
            "an argument is not FIELD=VALUE, for example surname=Miller".to_owned()
        })?;
        ensure!(!field.is_empty(), "an argument has no field before its `=`");
        values
            .entry(field.to_owned())
            .or_default()
            .push(value.to_owned());
    }
    Ok(FindQuery {
        values,
        source: args.source.clone(),
        key: args.key.clone(),
        visible: None,
    })
}

fn note_unreadable(fields: &[String]) {
    for field in fields {
        output::note(&format!(
            "`{field}`: a value cannot be read as what the field holds, or stands for none, so it was not compared"
        ));
    }
}

/// A finder, and what its answers are told by.
struct Search<'s> {
    finder: &'s Finder,
    /// The sources of which the revision knows more than was read.
    lacking: Vec<FindGap>,
    snapshot: &'s Snapshot,
    args: &'s FindArgs,
}

impl Search<'_> {
    /// Looks for one record and prints what was found.
    async fn one(&self, query: FindQuery, format: Format) -> Result<Outcome> {
        let found = self.finder.find(query, self.args.waiting()).await?;
        note_unreadable(&found.unreadable);
        let answer = self.answer(found)?;
        output::print(format, &answer)?;
        // Nobody was asked for, so the answer is not no.
        ensure!(answer.is_searched, self.finder.what_would_do(None));
        if !answer.entities.is_empty() {
            return Ok(Outcome::Done);
        }
        // Who was not asked may have had it, so the answer is not no.
        ensure!(answer.gaps.is_empty(), "not all sources could be searched");
        output::note("no entity of this probability");
        Ok(Outcome::No)
    }

    /// Tells what was found.
    fn answer(&self, found: Found) -> Result<FindAnswer> {
        let options = RankOptions {
            least: self.args.least,
            limit: self.args.limit.into(),
            comparisons: self.finder.visible_comparisons(None),
        };
        let entities = rank(&found, self.finder.legend(), self.snapshot, &options)?;
        let mut gaps = found.gaps;
        for lack in &self.lacking {
            if gaps.iter().all(|gap| gap.source != lack.source) {
                gaps.push(lack.clone());
            }
        }
        Ok(FindAnswer {
            revision: self.snapshot.revision().get(),
            is_searched: found.rules_asked > 0,
            is_partial: !gaps.is_empty(),
            gaps,
            unreadable: found.unreadable,
            prior_bits: self.finder.legend().prior.bits(),
            entities,
        })
    }
}
