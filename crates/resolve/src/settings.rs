//! What users write: one TOML file, checked before any work.

mod caller;
mod database;
mod document;
mod meaning;
mod problem;
mod secret;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use sameas_graph::Namespace;
use sameas_matching::{
    BlockSettings, BudgetSettings, CompareSettings, DecideSettings, RuleSettings, TrainSettings,
};
use sameas_record::{FieldKind, Schema};
use sameas_source::SourceSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::find::FindSettings;
use crate::profile::ProfileSettings;

pub use caller::{CallerRight, CallerSettings, TokenError};
use document::Document;
pub use problem::{KeyPath, KeyStep, SettingsError, SettingsProblem};
pub(crate) use secret::is_inline;

/// The most bytes a settings file may have.
const SETTINGS_LEN_MAX: u64 = 4 << 20;

/// Where the graph and its model lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GraphSettings {
    /// The folder of snapshots, relative to the settings file.
    pub path: PathBuf,
    /// The file of the trained model, relative to the settings file.
    pub model: PathBuf,
    /// The identity of a new graph, a UUID; drawn at random when absent.
    pub namespace: Option<String>,
}

impl Default for GraphSettings {
    fn default() -> Self {
        Self {
            path: "graph".into(),
            model: "sameas.model.json".into(),
            namespace: None,
        }
    }
}

/// Where the server listens, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServeSettings {
    /// An IP address and a port.
    pub listen: String,
    /// IP addresses that speak for many clients, which no bound of one peer holds; instead of
    /// those of this machine.
    pub proxies: Vec<String>,
    /// Only a proxy on the way from clients reaches the address, and it encrypts: then tokens of
    /// callers may be sent to an address that other machines reach.
    pub behind_tls_proxy: bool,
    /// Look-ups of ids need the token of a caller, too, whatever the caller may ask for.
    pub lookup_needs_caller: bool,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:50051".into(),
            proxies: vec!["127.0.0.1".into(), "::1".into()],
            behind_tls_proxy: false,
            lookup_needs_caller: false,
        }
    }
}

/// Everything one settings file says.
///
/// A value that comes from [`Settings::load`] or [`Settings::parse`] has passed every
/// check that needs no data: names are spelt right, fields are mapped and used,
/// thresholds are in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "sameas settings",
    description = "Which systems hold records, and how they match."
)]
pub struct Settings {
    /// Where the graph lies.
    #[serde(default)]
    pub graph: GraphSettings,
    /// The systems that hold records.
    #[serde(default, rename = "source")]
    pub sources: Vec<SourceSettings>,
    /// The kinds of fields whose name does not tell it.
    #[serde(default)]
    pub fields: BTreeMap<String, FieldKind>,
    /// The most records that share a value of a field before it counts as missing: a switchboard's
    /// number, a default address.
    #[serde(default)]
    pub ignore_shared_by_more_than: BTreeMap<String, u64>,
    /// The comparisons, in pattern order.
    #[serde(default, rename = "compare")]
    pub comparisons: Vec<CompareSettings>,
    /// The blocking rules, in order of precedence.
    #[serde(default, rename = "block")]
    pub blocks: Vec<BlockSettings>,
    /// The deterministic rules.
    #[serde(default, rename = "rule")]
    pub rules: Vec<RuleSettings>,
    /// When evidence links.
    #[serde(default)]
    pub decide: DecideSettings,
    /// How the model is trained.
    #[serde(default)]
    pub train: TrainSettings,
    /// What blocking may spend.
    #[serde(default)]
    pub budget: BudgetSettings,
    /// Where the server listens, and to whom.
    #[serde(default)]
    pub serve: ServeSettings,
    /// How profiles are made.
    #[serde(default)]
    pub profile: ProfileSettings,
    /// How records are found.
    #[serde(default)]
    pub find: FindSettings,
    /// Who may ask the server for values.
    #[serde(default, rename = "caller")]
    pub callers: Vec<CallerSettings>,
    /// The folder of the settings file, to which relative paths refer.
    #[serde(skip)]
    pub base: PathBuf,
}

impl Settings {
    /// Reads and checks a settings file.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or names every problem found in it.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let refuse = |cause| SettingsError::Read {
            path: path.to_owned(),
            cause,
        };
        let len = std::fs::metadata(path).map_err(refuse)?.len();
        if len > SETTINGS_LEN_MAX {
            return Err(SettingsError::TooLong {
                path: path.to_owned(),
                len,
            });
        }
        let text = std::fs::read_to_string(path).map_err(refuse)?;
        Self::parse(&text, path)
    }

    /// Checks the text of a settings file that lies, or would lie, at `path`.
    ///
    /// # Errors
    /// Names every problem found: first those of syntax, then unknown names and wrong
    /// types, then what does not fit together.
    pub fn parse(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        parse(text, base).map_err(|problems| SettingsError::Invalid {
            path: path.to_owned(),
            problems,
        })
    }

    /// Returns the folder of the graph.
    pub fn graph_path(&self) -> PathBuf {
        self.base.join(&self.graph.path)
    }

    /// Returns the file of the model.
    pub fn model_path(&self) -> PathBuf {
        self.base.join(&self.graph.model)
    }

    /// Returns the fixed identity of the graph, if the settings give one.
    pub fn namespace(&self) -> Option<Namespace> {
        let text = self.graph.namespace.as_deref()?;
        text.parse().ok().map(Namespace::new)
    }

    /// Returns the address the server listens on; nothing if it is not one.
    pub fn listen_address(&self) -> Option<SocketAddr> {
        self.serve.listen.parse().ok()
    }

    /// Returns the addresses that speak for many clients, without what is none.
    pub fn proxy_addresses(&self) -> Vec<IpAddr> {
        let proxies = self.serve.proxies.iter();
        proxies.filter_map(|proxy| proxy.parse().ok()).collect()
    }

    /// Returns the names of all fields that some source maps.
    pub fn mapped_fields(&self) -> BTreeSet<&str> {
        self.sources
            .iter()
            .flat_map(|s| s.fields.keys().map(String::as_str))
            .collect()
    }

    /// Returns whether a field is mapped for profiles alone.
    pub(crate) fn is_for_profiles_only(&self, field: &str) -> bool {
        self.profile.only.iter().any(|only| only == field)
    }

    /// Returns the canonical fields that are compared, with their kinds.
    pub fn schema(&self) -> Schema {
        let kind = |name: &str| self.fields.get(name).copied();
        let fields = self
            .mapped_fields()
            .into_iter()
            .filter(|name| !self.is_for_profiles_only(name))
            .map(|name| (name.to_owned(), kind(name)));
        Schema::new(&fields.collect())
    }
}

fn parse(text: &str, base: PathBuf) -> Result<Settings, Vec<SettingsProblem>> {
    let document = Document::parse(text)?;
    let problems = shape::check(document.root(), &json_schema());
    if !problems.is_empty() {
        return Err(document.locate(problems));
    }
    let mut settings: Settings = document.read()?;
    settings.base = base;
    let problems = meaning::check(&settings);
    if problems.is_empty() {
        Ok(settings)
    } else {
        Err(document.locate(problems))
    }
}

/// Returns the JSON Schema of settings files, for editors.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Settings).to_value()
}

#[cfg(test)]
mod tests;
