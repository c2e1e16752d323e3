//! First settings for somebody's own files: what the columns mean, how they compare, what is
//! compared at all, and when two records are one entity.
//!
//! Every decision is made from the records, without labels, and written down with its reason. No
//! value of a record reaches the file or the report.

mod block;
mod compare;
mod decide;
mod frequent;
mod header;
mod key;
mod known;
mod lexicon;
mod locale;
mod map;
mod moved;
mod recognise;
mod repeats;
mod role;
mod sample;
mod settle;
mod shape;
mod threshold;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sameas_matching::{BlockSettings, FrequencyKey};
use sameas_record::{FieldKind, Records};
use sameas_source::{Encoding, OneOrMany, OpenError, ScanError, Source, SourceSettings};
use serde::Serialize;
use thiserror::Error;

use crate::ingest::{self, OnFailure, Take};
use crate::job::{JobError, JobOptions};
use crate::opened::told;
use crate::report::counted;
use crate::{Settings, SettingsError, model_file};
use block::{Choice, Ground, Reach};
use map::{Fields, Profile};
use sample::SourceSample;

/// The name of the settings file.
const SETTINGS: &str = "sameas.toml";

/// The most records that rules and thresholds are chosen by.
const GROUND_MAX: f64 = 200_000.0;

/// What `init` is asked for.
#[derive(Clone, Debug)]
pub struct InitRequest {
    /// The files, one source each.
    pub files: Vec<PathBuf>,
    /// The folder that gets the settings.
    pub folder: PathBuf,
    /// Key columns: of the source of that name, or of every source where the name is empty.
    pub keys: BTreeMap<String, String>,
    /// Whether settings that are there are replaced.
    pub existing: Existing,
}

impl InitRequest {
    /// Refuses a key for a source that there is not.
    fn check_keys(&self, sources: &[SourceSettings]) -> Result<(), InitError> {
        let is_known = |name: &str| name.is_empty() || sources.iter().any(|s| s.name == name);
        let Some(named) = self.keys.keys().find(|name| !is_known(name)) else {
            return Ok(());
        };
        let known: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        Err(InitError::NoSource {
            named: named.clone(),
            known: known.join(", "),
        })
    }
}

/// What happens to settings that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// They stay, and `init` stops.
    #[default]
    Keep,
    /// They are written anew.
    Replace,
}

/// Why no settings could be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InitError {
    /// There are settings already.
    #[error("{} is there already; pass --force to replace it, or another --out", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// No file was named.
    #[error("no file was named; name at least one CSV, NDJSON, Parquet or Arrow file")]
    NoFile,
    /// An address that is none of a table, or one that holds a secret; it is not quoted.
    #[error(
        "argument {number} is no file: name files, and tables as postgres://user@host/database#table or mysql://user@host/database#table; leave passwords out (PGPASSWORD, MYSQL_PWD)"
    )]
    Address {
        /// Which of the files, counted from one.
        number: usize,
    },
    /// A path cannot be used as an address.
    #[error("{}: {what}; name a file that is there and may be read", .path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A source cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A source cannot be opened, and it is known what lets it.
    #[error("{says}; this may let it be opened:\n{remedy}")]
    Refused {
        /// What is wrong.
        says: String,
        /// The command, or the statements.
        remedy: String,
    },
    /// A source cannot be read.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// A source has no rows.
    #[error("source `{source_name}` has no rows")]
    NoRows {
        /// The source.
        source_name: String,
    },
    /// No column can be the key.
    #[error(
        "source `{source_name}`: no column is filled and unique in all {rows} rows, so none can be the key; name one with --key {source_name}=COLUMN: rows that share a key count as one record if they are equal"
    )]
    NoKey {
        /// The source.
        source_name: String,
        /// Its rows.
        rows: u64,
    },
    /// A key column that was named is not there.
    #[error("source `{source_name}` has no column `{column}`, which --key names; it has {known}")]
    NoColumn {
        /// The source.
        source_name: String,
        /// The column.
        column: String,
        /// The columns it has.
        known: String,
    },
    /// A key column that was named has no value in some rows.
    #[error(
        "source `{source_name}`: column `{column}`, which --key names, is empty in {missing} of {rows} rows, and a record without a key cannot be found again; name one that is always filled"
    )]
    EmptyKey {
        /// The source.
        source_name: String,
        /// The column.
        column: String,
        /// Rows without a value.
        missing: u64,
        /// All rows.
        rows: u64,
    },
    /// A key was given to a source that there is not.
    #[error("there is no source `{named}`, to which --key gives a column; the sources are {known}")]
    NoSource {
        /// What was named.
        named: String,
        /// The sources.
        known: String,
    },
    /// The columns are named by values, so the first line is a record.
    #[error(
        "source `{source_name}`: {count} of {columns} columns are named like values (an e-mail address, a date, a number), so the file seems to lack its header; put a line with the names of its columns first"
    )]
    NoHeader {
        /// The source.
        source_name: String,
        /// Names that look like values.
        count: usize,
        /// All columns.
        columns: usize,
    },
    /// Nothing of what was read can tell records apart.
    #[error(
        "no column was recognised that could tell whether two records are one entity; write the settings by hand, beginning with those of `sameas demo`"
    )]
    NoField,
    /// No rule brings records together within the budget.
    #[error(
        "no blocking rule stays within the budget and brings any records together; write the settings by hand"
    )]
    NoBlock,
    /// The file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The records cannot be read with what was found.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The settings that were found do not hold together.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl InitError {
    /// Tells whether a text file is not in the encoding that it was read in.
    fn is_of_encoding(&self) -> bool {
        match self {
            Self::Open(OpenError::Flawed { flaw, .. })
            | Self::Scan(ScanError::Flawed { flaw, .. }) => flaw.is_of_encoding(),
            _ => false,
        }
    }
}

/// What was found, for people and for programs.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct InitReport {
    /// The settings file.
    pub settings: PathBuf,
    /// The sources.
    pub sources: Vec<InitSource>,
    /// What is compared.
    pub comparisons: Vec<String>,
    /// The blocking rules, and pairs a record of each, estimated.
    pub blocks: Vec<(String, f64)>,
    /// The share of confident matches that the rules find together.
    pub recall: f64,
    /// How many confident matches there were.
    pub confident: u64,
    /// What was decided without being sure, and other remarks.
    pub remarks: Vec<String>,
}

/// What was found in a source.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct InitSource {
    /// Its name.
    pub source: String,
    /// Its records.
    pub records: u64,
    /// The key column.
    pub key: String,
    /// Fields and the columns they are made of.
    pub fields: Vec<(String, Vec<String>)>,
    /// Columns that were left out.
    pub left_out: Vec<String>,
}

impl InitReport {
    /// Returns the report as text for people.
    pub fn render(&self) -> String {
        use std::fmt::Write as _;
        let mut out = format!("wrote {}\n", self.settings.display());
        for source in &self.sources {
            let _ = writeln!(
                out,
                "source {}: {}, key {}",
                source.source,
                counted(source.records, "record"),
                source.key
            );
            for (field, columns) in &source.fields {
                let _ = writeln!(out, "  {field:<20} {}", columns.join(", "));
            }
            if !source.left_out.is_empty() {
                let _ = writeln!(out, "  left out             {}", source.left_out.join(", "));
            }
        }
        let pairs: f64 = self.blocks.iter().map(|(_, pairs)| pairs).sum();
        let _ = writeln!(
            out,
            "{} blocking rules, about {pairs:.1} pairs a record{}",
            self.blocks.len(),
            match self.confident {
                0 => String::new(),
                _ => format!(
                    ", {:.1} % of what a first model was confident of",
                    self.recall * 100.0
                ),
            }
        );
        for remark in &self.remarks {
            let _ = writeln!(out, "{remark}");
        }
        out
    }
}

/// Reads files, decides and writes the settings.
///
/// # Errors
/// Settings that are there, files that cannot be read, and a source without a key.
pub async fn init(request: &InitRequest, options: &JobOptions) -> Result<InitReport, InitError> {
    let path = request.folder.join(SETTINGS);
    if path.exists() && request.existing == Existing::Keep {
        return Err(InitError::Exists { path });
    }
    if request.files.is_empty() {
        return Err(InitError::NoFile);
    }
    write::make_folder(&request.folder)?;
    let mut found = Found::read(request, options).await?;
    let before = found.undecided();
    let mut choice = found.look(options).await?;
    let Undecided { mut fields, .. } = before.clone();
    if moved::bring_back(&choice.moved, &found.profiles, &mut fields) {
        found.take_back(Undecided { fields, ..before });
        choice = found.look(options).await?;
    }
    if choice.rules.is_empty() {
        return Err(InitError::NoBlock);
    }
    let blocks = choice.rules.iter().map(|rule| BlockSettings {
        on: rule.on.clone(),
        ..BlockSettings::default()
    });
    found.settings.blocks = blocks.collect();
    let text = write::text(&found, &choice);
    let settings = Settings::parse(&text, &path)?;
    write::write(&path, &text)?;
    if let Some(aside) = model_file::set_aside(&settings.model_path())? {
        found.decide.push(format!(
            "the model that was there belongs to other settings and is now {}; the next rebuild trains a new one",
            aside.display()
        ));
    }
    Ok(found.report(path, &choice))
}

/// What is known of the files on the way to their settings, with a remark for each line.
struct Found {
    settings: Settings,
    profiles: Vec<Profile>,
    fields: Fields,
    /// On the key of each source, and on the rest of each source.
    keys: Vec<String>,
    sources: Vec<Vec<String>>,
    /// On each field of which some values are ignored.
    frequent: Vec<String>,
    compare: Vec<String>,
    decide: Vec<String>,
    /// Sources of which only the user knows whether they hold each entity once.
    perhaps_once: Vec<String>,
}

/// What decisions change.
#[derive(Clone)]
struct Undecided {
    settings: Settings,
    fields: Fields,
    compare: Vec<String>,
}

impl Found {
    fn undecided(&self) -> Undecided {
        Undecided {
            settings: self.settings.clone(),
            fields: self.fields.clone(),
            compare: self.compare.clone(),
        }
    }

    /// Goes back to before anything was decided, with other fields.
    fn take_back(&mut self, to: Undecided) {
        (self.settings, self.fields, self.compare) = (to.settings, to.fields, to.compare);
        map_into(&mut self.settings, &self.profiles, &self.fields);
    }

    /// Reads the records and decides by them.
    async fn look(&mut self, options: &JobOptions) -> Result<Choice, InitError> {
        let threads = crate::rebuild::threads(options)?;
        let (mut records, share) =
            ground(&self.settings, &self.profiles, options, &threads).await?;
        self.frequent = frequent::ignore(&mut self.settings, &self.fields, &mut records, share);
        options.progress.stage("choose rules", None);
        let secret = FrequencyKey::new(options.new_key);
        Ok(threads.install(|| self.decide(&records, share, &secret))?)
    }

    /// Reads the files and recognises their columns.
    async fn read(request: &InitRequest, options: &JobOptions) -> Result<Self, InitError> {
        options.progress.stage("read", None);
        let mut settings = Settings {
            base: request.folder.clone(),
            ..Settings::default()
        };
        for file in &request.files {
            let source = locale::source_of(file, &request.folder, &settings.sources)?;
            settings.sources.push(source);
        }
        request.check_keys(&settings.sources)?;
        let (mut profiles, mut keys) = (Vec::new(), Vec::new());
        for source in &mut settings.sources {
            let sample = match read(source, &request.folder).await {
                Err(error) if error.is_of_encoding() => {
                    source.encoding = Encoding::Windows1252;
                    let sample = read(source, &request.folder).await?;
                    if sample.has_torn_letters() {
                        return Err(error);
                    }
                    sample
                }
                sample => sample?,
            };
            // Columns of a database always have names.
            if !source.is_database() {
                header::check(&source.name, &sample)?;
            }
            let wanted = request.keys.get(&source.name);
            let wanted = wanted.or_else(|| request.keys.get(""));
            // What the columns mean says which may be the key.
            let mut profile = Profile::new(source.name.clone(), sample, 0);
            let key = key::choose(&profile, wanted.map(String::as_str))?;
            (profile.key, source.duplicate_keys) = (key.column, key.duplicates);
            keys.push(key.remark);
            profiles.push(profile);
        }
        let mut fields = map::map(&mut profiles);
        if fields.fields.is_empty() {
            return Err(InitError::NoField);
        }
        let of_source = profiles.iter().zip(&mut settings.sources);
        let sources = of_source.map(|(profile, source)| locale::settle(profile, source));
        let sources = sources.collect();
        let compare = compare::choose(&mut settings, &profiles, &mut fields);
        map_into(&mut settings, &profiles, &fields);
        Ok(Self {
            settings,
            profiles,
            fields,
            keys,
            sources,
            frequent: Vec::new(),
            compare,
            decide: Vec::new(),
            perhaps_once: Vec::new(),
        })
    }

    /// Chooses rules, constraints and threshold by the records.
    fn decide(
        &mut self,
        records: &Records,
        share: f64,
        secret: &FrequencyKey,
    ) -> Result<Choice, JobError> {
        let settings = &mut self.settings;
        compare::refine(
            settings,
            records,
            &self.profiles,
            &mut self.fields,
            &mut self.compare,
        );
        map_into(settings, &self.profiles, &self.fields);
        let mut choice = Ground::new(settings, records, share, secret).choose(&self.fields)?;
        if compare::relatives(settings, &self.fields) {
            // Relatives explain what else would leave open what a match is.
            let is_doubtful = choice.is_doubtful;
            let ground = Ground::new(settings, records, share, secret);
            choice = ground.choose(&self.fields)?;
            choice.is_doubtful = is_doubtful;
        }
        let said = decide::choose(settings, self.fields.subject, &choice);
        (self.decide, self.perhaps_once) = (said.remarks, said.perhaps_once);
        if said.reach == Reach::Wide {
            compare::among_rivals(settings, &self.fields);
        }
        if !settings.decide.one_per_source.is_empty() {
            // Pairs within a clean source are none: what finds and costs is another thing now.
            let ground = Ground::new(settings, records, share, secret).reaching(said.reach);
            choice = ground.choose(&self.fields)?;
        }
        if choice.by_cost {
            self.decide.push(match choice.confident {
                0 => "UNSURE: no two records seem to be of one entity, so rules and threshold are the usual ones; run init again once there are duplicates".to_owned(),
                count => format!(
                    "UNSURE: only {count} pairs seem to be of one entity, too few to choose rules and threshold by; run init again once there are more"
                ),
            });
        } else if !choice.rules.is_empty() {
            let ground = Ground::new(settings, records, share, secret);
            let [link, expected, best, usual] = ground.threshold(&choice)?;
            settings.decide.link = link;
            settings.decide.review = settings.decide.review.min(link);
            let because = if expected < best {
                ": the lowest that promises little less, for low probabilities of the best candidate are too low"
            } else {
                ""
            };
            self.decide.push(format!(
                "link: clusters of an expected F1 of {expected:.3} at {link}, {usual:.3} at 0.9, as far as the model's probabilities hold{because}"
            ));
        }
        Ok(choice)
    }
}

async fn read(settings: &SourceSettings, base: &Path) -> Result<SourceSample, InitError> {
    let source = Source::open(settings, base).await;
    let source = source.map_err(|error| match error.remedy(settings) {
        Some(remedy) => InitError::Refused {
            says: told(&error),
            remedy,
        },
        None => InitError::Open(error),
    })?;
    let sample = SourceSample::read(&source).await?;
    if sample.row_count == 0 {
        return Err(InitError::NoRows {
            source_name: settings.name.clone(),
        });
    }
    Ok(sample)
}

/// Writes the fields into the settings of the sources.
fn map_into(settings: &mut Settings, profiles: &[Profile], fields: &Fields) {
    for (index, source) in settings.sources.iter_mut().enumerate() {
        let mapped = fields.fields.iter().filter_map(|(name, field)| {
            field
                .mapped
                .get(&index)
                .map(|mapped| (name.clone(), mapped.mapping.clone()))
        });
        source.fields = mapped.collect();
        source
            .key
            .clone_from(&profiles[index].sample.columns[profiles[index].key].name);
    }
    let told = |name: &str, kind: FieldKind| FieldKind::of_name(name) == kind;
    let kinds = fields
        .fields
        .iter()
        .filter(|(name, field)| !told(name, field.kind));
    settings.fields = kinds
        .map(|(name, field)| (name.clone(), field.kind))
        .collect();
}

/// Reads a share of all records with the fields that were found.
async fn ground(
    settings: &Settings,
    profiles: &[Profile],
    options: &JobOptions,
    threads: &rayon::ThreadPool,
) -> Result<(Records, f64), InitError> {
    options.progress.stage("sample", None);
    let rows: u64 = profiles
        .iter()
        .map(|profile| profile.sample.row_count)
        .sum();
    let share = (GROUND_MAX / rows as f64).min(1.0);
    let take = if share < 1.0 {
        Take::Share(share)
    } else {
        Take::All
    };
    let schema = settings.schema();
    let sources = ingest::open(settings, &schema, &*options.progress, &mut OnFailure::Stop).await?;
    let scanned = ingest::scan(sources, options, take, &mut OnFailure::Stop).await?;
    let records = threads.install(|| scanned.assemble(schema, &mut OnFailure::Stop))?;
    Ok((records, share))
}

impl Found {
    fn report(self, path: PathBuf, choice: &Choice) -> InitReport {
        let source = |(index, profile): (usize, &Profile)| {
            let mapped = self.fields.fields.iter().filter_map(|(name, field)| {
                let columns = field.mapped.get(&index)?.columns.iter();
                let columns = columns.map(|&column| profile.sample.columns[column].name.clone());
                Some((name.clone(), columns.collect()))
            });
            let left_out = self.fields.left_out[index].iter();
            InitSource {
                source: profile.name.clone(),
                records: profile.sample.row_count,
                key: self.settings.sources[index].key.clone(),
                fields: mapped.collect(),
                left_out: left_out.map(|(column, _)| column.clone()).collect(),
            }
        };
        let rules = choice.rules.iter();
        let keys = self.settings.sources.iter().zip(&self.keys);
        let unsure =
            keys.filter(|(_, remark)| remark.contains("UNSURE") || remark.contains("in clear"));
        let unsure = unsure.map(|(source, remark)| {
            format!("source {}, key {}: {remark}", source.name, source.key)
        });
        let unsure: Vec<String> = unsure.collect();
        InitReport {
            settings: path,
            sources: self.profiles.iter().enumerate().map(source).collect(),
            comparisons: self
                .settings
                .comparisons
                .iter()
                .map(|c| c.field.clone())
                .collect(),
            blocks: rules
                .map(|rule| (rule.on.join(" + "), rule.pairs))
                .collect(),
            recall: choice.recall,
            confident: choice.confident,
            remarks: [unsure, self.frequent, self.decide].concat(),
        }
    }
}

/// Returns an address of a file that holds from a folder: relative if both are on one tree.
fn address(file: &Path, folder: &Path) -> Result<OneOrMany, InitError> {
    let refuse = |what: String| InitError::Path {
        path: file.to_owned(),
        what,
    };
    let whole =
        |path: &Path| std::fs::canonicalize(path).map_err(|error| refuse(error.to_string()));
    let (file_path, folder_path) = (whole(file)?, whole(folder)?);
    let shared = file_path
        .components()
        .zip(folder_path.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = folder_path.components().count() - shared;
    let mut relative = PathBuf::new();
    for _ in 0..up {
        relative.push("..");
    }
    relative.extend(file_path.components().skip(shared));
    let text = relative
        .to_str()
        .ok_or_else(|| refuse("the path is not UTF-8".to_owned()))?;
    Ok(OneOrMany::One(text.to_owned()))
}
