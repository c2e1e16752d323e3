//! Checks what a settings file says as a whole: names that must exist, fields that must be used, bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use sameas_graph::{LevelPattern, SOURCE_COUNT_MAX};
use sameas_matching::{CompareSettings, MatchingError, MatchingPlan, Place};
use sameas_record::{is_region, region_meant};
use sameas_source::SourceSettings;

use super::Settings;
use super::caller;
use super::database;
use super::problem::{Finding, KeyPath};
use super::secret;
use crate::model_file::key_path;

/// The most comparisons; one pattern slot stays free for later use.
const COMPARISON_COUNT_MAX: usize = LevelPattern::COMPARISON_COUNT_MAX - 1;

/// The longest name of a source or field, in bytes.
const NAME_LEN_MAX: usize = 64;

/// The largest clusters whose pairs are all looked at for what holds them apart.
const APART_CLUSTER_SIZE_MAX: u32 = 10_000;

/// Returns everything that does not fit together.
pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let mut meaning = Meaning {
        settings,
        mapped: settings.mapped_fields(),
        findings: Vec::new(),
    };
    meaning.graph();
    meaning.sources();
    meaning.comparisons();
    meaning.blocks();
    meaning.rules();
    meaning.decide();
    meaning.bounds();
    meaning.kinds();
    meaning.serve();
    meaning.profile();
    let callers = caller::check(settings, &meaning.mapped);
    meaning.findings.extend(callers);
    // What is unused is known once everything that was written is understood.
    let errors = match plan(settings) {
        Ok(plan) => {
            meaning.use_of_fields(&plan);
            Vec::new()
        }
        Err(errors) => errors,
    };
    let mut findings = meaning.findings;
    for error in errors {
        let key = path_of(&error.place);
        if findings.iter().all(|known| known.key != key) {
            findings.push(Finding::new(key, error.message));
        }
    }
    findings
}

/// Asks `matching` about kinds, levels, forms and rules.
fn plan(settings: &Settings) -> Result<MatchingPlan, Vec<MatchingError>> {
    let Settings {
        comparisons,
        blocks,
        rules,
        ..
    } = settings;
    MatchingPlan::new(&settings.schema(), comparisons, blocks, rules)
}

fn path_of(place: &Place) -> KeyPath {
    let path = top(place.table).with(place.index).with(place.key);
    place.item.map_or(path.clone(), |item| path.with(item))
}

struct Meaning<'s> {
    settings: &'s Settings,
    mapped: BTreeSet<&'s str>,
    findings: Vec<Finding>,
}

impl Meaning<'_> {
    fn say(&mut self, key: KeyPath, message: impl Into<String>) {
        self.findings.push(Finding::new(key, message));
    }

    fn graph(&mut self) {
        let graph = &self.settings.graph;
        if graph.namespace.is_some() && self.settings.namespace().is_none() {
            self.say(key("graph", "namespace"), "expected a UUID");
        }
        if graph.path.as_os_str().is_empty() {
            self.say(
                key("graph", "path"),
                "the folder is empty; name one, for example \"graph\"",
            );
        }
        if graph.model.as_os_str().is_empty() {
            let message = "the file is empty; name one, for example \"sameas.model.json\"";
            self.say(key("graph", "model"), message);
        } else if key_path(&graph.model) == graph.model {
            let message = "the name ends in .key, as that of the model's secret beside it does; name a file such as \"sameas.model.json\"";
            self.say(key("graph", "model"), message);
        } else if graph.model.starts_with(&graph.path) {
            let message = "lies in the folder of the graph, which holds nothing but the graph; name a file outside it";
            self.say(key("graph", "model"), message);
        }
    }

    fn serve(&mut self) {
        if self.settings.listen_address().is_none() {
            let message = "expected an IP address and a port, for example \"127.0.0.1:50051\"";
            self.say(key("serve", "listen"), message);
        }
        for (index, proxy) in self.settings.serve.proxies.iter().enumerate() {
            if proxy.parse::<IpAddr>().is_err() {
                let message = "expected an IP address without a port, for example \"10.0.0.7\"; name each proxy, not their network";
                self.say(key("serve", "proxies").with(index), message);
            }
        }
    }

    fn sources(&mut self) {
        let sources = &self.settings.sources;
        if sources.is_empty() {
            self.say(
                top("source"),
                "no source; add a [[source]] table for each system",
            );
        }
        if sources.len() > SOURCE_COUNT_MAX {
            let message = format!("{} sources; at most {SOURCE_COUNT_MAX}", sources.len());
            self.say(top("source"), message);
        }
        let mut seen = BTreeSet::new();
        for (index, source) in sources.iter().enumerate() {
            let path = top("source").with(index);
            if !seen.insert(source.name.as_str()) {
                let message = format!("another source is named \"{}\" too", source.name);
                self.say(path.with("name"), message);
            }
            self.source(source, &path);
        }
    }

    fn source(&mut self, source: &SourceSettings, path: &KeyPath) {
        if !is_name(&source.name, b"_-.") {
            let message = "a source's name is 1 to 64 letters, digits, '_', '-' or '.'";
            self.say(path.with("name"), message);
        }
        if source.key.trim().is_empty() {
            self.say(
                path.with("key"),
                "names no column; say which column holds the record's key",
            );
        }
        self.findings.extend(database::check(source, path));
        self.addresses(source, &path.with("uri"));
        if source
            .delimiter
            .is_some_and(|delimiter| !delimiter.is_ascii())
        {
            self.say(path.with("delimiter"), "expected an ASCII character");
        }
        if let Some(region) = source.region.as_deref() {
            self.region(region, path.with("region"));
        }
        let fields = path.with("fields");
        if source.fields.is_empty() {
            let message = format!(
                "source \"{}\" maps no field, so nothing can match",
                source.name
            );
            self.say(fields.clone(), message);
        }
        for field in source.fields.keys().filter(|field| !is_name(field, b"_")) {
            let message = "a field's name is 1 to 64 letters, digits or '_'";
            self.say(fields.with(field.as_str()), message);
        }
    }

    fn region(&mut self, region: &str, path: KeyPath) {
        if is_region(region) {
            return;
        }
        let is_code = region.len() == 2 && region.bytes().all(|b| b.is_ascii_uppercase());
        let message = if is_code {
            format!("no region of ISO 3166 that has telephones is named \"{region}\"")
        } else {
            "expected two capital letters of ISO 3166, for example \"DE\"".to_owned()
        };
        let suggestion = region_meant(region).map(str::to_owned);
        self.findings.push(Finding {
            key: path,
            message,
            suggestion,
        });
    }

    fn addresses(&mut self, source: &SourceSettings, path: &KeyPath) {
        let uris = source.uris();
        let is_empty = source.uri.is_some() && uris.is_empty();
        if is_empty || uris.iter().any(|uri| uri.trim().is_empty()) {
            self.say(
                path.clone(),
                "names no file; give a file, a glob, a folder or an address",
            );
        }
        if uris
            .iter()
            .any(|uri| secret::is_inline(uri) || secret::is_inline_without_scheme(uri))
        {
            let message = "holds a secret; leave it out here and give it by the environment";
            self.say(path.clone(), message);
        }
    }

    fn comparisons(&mut self) {
        let comparisons = &self.settings.comparisons;
        if comparisons.is_empty() && self.settings.rules.is_empty() {
            self.say(
                top("compare"),
                "nothing to decide by; add a [[compare]] or [[rule]] table",
            );
        }
        if comparisons.len() > COMPARISON_COUNT_MAX {
            let path = top("compare").with(COMPARISON_COUNT_MAX);
            let message = format!(
                "{} comparisons; at most {COMPARISON_COUNT_MAX}",
                comparisons.len()
            );
            self.say(path, message);
        }
        let mut seen = BTreeMap::new();
        for (index, comparison) in comparisons.iter().enumerate() {
            let path = top("compare").with(index);
            self.field(&comparison.field, path.with("field"));
            let name = comparison.name.as_ref().unwrap_or(&comparison.field);
            if seen.insert(name, index).is_some() {
                let message = format!("another comparison is named \"{name}\" too; set \"name\"");
                self.say(path.clone(), message);
            }
            self.levels(comparison, &path);
        }
    }

    fn levels(&mut self, comparison: &CompareSettings, path: &KeyPath) {
        let Some(levels) = &comparison.levels else {
            return;
        };
        if comparison.kind.is_some() {
            let message = "both \"kind\" and \"levels\" are set; keep one of them";
            self.say(path.with("levels"), message);
        }
        if levels.is_empty() {
            let message = "the list is empty; leave it out or name at least one level";
            self.say(path.with("levels"), message);
        }
    }

    fn blocks(&mut self) {
        let blocks = &self.settings.blocks;
        if blocks.is_empty() {
            let message = "no blocking rule, so no pair is ever compared; add a [[block]] table";
            self.say(top("block"), message);
        }
        for (index, block) in blocks.iter().enumerate() {
            let path = top("block").with(index).with("on");
            if block.on.is_empty() {
                self.say(path.clone(), "the list is empty; name at least one field");
            }
            for (position, form) in block.on.iter().enumerate() {
                let field = form.split('.').next().unwrap_or(form);
                self.field(field, path.with(position));
            }
        }
    }

    fn rules(&mut self) {
        let mut seen = BTreeSet::new();
        for (index, rule) in self.settings.rules.iter().enumerate() {
            let path = top("rule").with(index);
            if rule.name.trim().is_empty() {
                self.say(path.with("name"), "the name is empty; reports need one");
            } else if !seen.insert(rule.name.as_str()) {
                let message = format!("another rule is named \"{}\" too", rule.name);
                self.say(path.with("name"), message);
            }
        }
    }

    fn decide(&mut self) {
        let decide = &self.settings.decide;
        for (name, probability) in [("link", decide.link), ("review", decide.review)] {
            if !(probability > 0.0 && probability < 1.0) {
                let message = "expected a probability between 0 and 1, both excluded";
                self.say(key("decide", name), message);
            }
        }
        if decide.review > decide.link {
            let message = format!("is above \"link\" ({}); review starts lower", decide.link);
            self.say(key("decide", "review"), message);
        }
        if !(0.0..1.0).contains(&decide.bridge) {
            let message = "expected a probability from 0, which lets every link, to below 1";
            self.say(key("decide", "bridge"), message);
        }
        if decide.cluster_size_max < 2 {
            self.say(key("decide", "cluster_size_max"), "expected at least 2");
        }
        if !decide.apart.is_empty() && decide.cluster_size_max > APART_CLUSTER_SIZE_MAX {
            let message = format!(
                "expected at most {APART_CLUSTER_SIZE_MAX} beside \"apart\", which looks at all pairs of a cluster"
            );
            self.say(key("decide", "cluster_size_max"), message);
        }
        let known = self
            .settings
            .sources
            .iter()
            .map(|source| source.name.as_str());
        let compared = self.settings.comparisons.iter();
        let compared = compared.map(|c| c.name.as_deref().unwrap_or(&c.field));
        for (index, name) in decide.apart.iter().enumerate() {
            if compared.clone().any(|compared| compared == name) {
                continue;
            }
            let path = key("decide", "apart").with(index);
            let message = format!("no comparison is named \"{name}\"");
            self.findings
                .push(Finding::unknown(path, message, name, compared.clone()));
        }
        for (index, name) in decide.one_per_source.iter().enumerate() {
            if known.clone().any(|known| known == name) {
                continue;
            }
            let path = key("decide", "one_per_source").with(index);
            let message = format!("no source is named \"{name}\"");
            self.findings
                .push(Finding::unknown(path, message, name, known.clone()));
        }
    }

    fn bounds(&mut self) {
        let (train, budget) = (&self.settings.train, &self.settings.budget);
        for (path, number) in [
            (key("train", "random_pairs_max"), train.random_pairs_max),
            (
                key("train", "candidate_pairs_max"),
                train.candidate_pairs_max,
            ),
            (
                key("budget", "pairs_per_record_max"),
                budget.pairs_per_record_max,
            ),
        ] {
            if number == 0 {
                self.say(path, "expected at least 1");
            }
        }
        if budget.block_len_max < 2 {
            self.say(key("budget", "block_len_max"), "expected at least 2");
        }
        let refined = budget.refined_pairs_per_record_max;
        if !(refined.is_finite() && refined >= 0.0) {
            let path = key("budget", "refined_pairs_per_record_max");
            self.say(path, "expected a number of at least 0");
        }
    }

    fn field(&mut self, name: &str, path: KeyPath) {
        if self.mapped.contains(name) {
            return;
        }
        let message = format!("no source maps a field \"{name}\"");
        let known = self.mapped.iter().copied();
        self.findings
            .push(Finding::unknown(path, message, name, known));
    }

    fn profile(&mut self) {
        let profile = &self.settings.profile;
        if profile.timeout_ms == 0 {
            self.say(key("profile", "timeout_ms"), "expected at least 1");
        }
        if self.settings.find.timeout_ms == 0 {
            self.say(key("find", "timeout_ms"), "expected at least 1");
        }
        let known = self.settings.sources.iter().map(|s| s.name.as_str());
        for (index, name) in profile.order.iter().enumerate() {
            if known.clone().any(|known| known == name) {
                continue;
            }
            let path = key("profile", "order").with(index);
            let message = format!("no source is named \"{name}\"");
            self.findings
                .push(Finding::unknown(path, message, name, known.clone()));
        }
        for (index, name) in profile.only.iter().enumerate() {
            self.field(name, key("profile", "only").with(index));
        }
        for name in profile.keep.keys() {
            self.field(name, key("profile", "keep").with(name.as_str()));
        }
    }

    fn kinds(&mut self) {
        for name in self.settings.fields.keys() {
            self.field(name, key("fields", name));
        }
        for (name, &max) in &self.settings.ignore_shared_by_more_than {
            let path = key("ignore_shared_by_more_than", name);
            if max < 2 {
                let message = "expected at least 2: what one record has alone joins nothing";
                self.say(path.clone(), message);
            }
            self.field(name, path);
        }
    }

    /// Every mapped field must matter: one that nothing reads is a misspelling or a forgotten rule.
    fn use_of_fields(&mut self, plan: &MatchingPlan) {
        let used = plan.used_fields();
        let used: BTreeSet<&str> = used
            .iter()
            .map(|&id| plan.schema.field(id).name.as_str())
            .collect();
        let settings = self.settings;
        for (index, source) in settings.sources.iter().enumerate() {
            let unused = source
                .fields
                .keys()
                .filter(|field| !used.contains(field.as_str()))
                .filter(|field| !settings.is_for_profiles_only(field));
            for field in unused {
                let path = top("source")
                    .with(index)
                    .with("fields")
                    .with(field.as_str());
                let message = "no comparison, block or rule uses this field; use it, remove it, or name it in [profile] only";
                self.say(path, message);
            }
        }
    }
}

fn top(name: &str) -> KeyPath {
    KeyPath::default().with(name)
}

fn key(table: &str, name: &str) -> KeyPath {
    top(table).with(name)
}

fn is_name(name: &str, punctuation: &[u8]) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || punctuation.contains(&byte);
    !name.is_empty() && name.len() <= NAME_LEN_MAX && name.bytes().all(is_fit)
}
