//! What `cargo metadata` says about who depends on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::tree;

/// The normal dependencies of every package in the build, by package name.
///
/// Development dependencies are left out: a test may use what the product must not.
#[derive(Clone, Debug, Default)]
pub(crate) struct DependencyGraph {
    edges: BTreeMap<String, BTreeSet<String>>,
    members: BTreeSet<String>,
}

impl DependencyGraph {
    /// Asks cargo for the graph of this workspace on this machine.
    ///
    /// Without a platform cargo would want the packages of all of them, which building and
    /// testing here never downloads. With it, cargo needs the network only where a build would.
    pub(crate) fn read() -> Result<Self> {
        let platform = host(&cargo(&["-vV"])?)?;
        let output = cargo(&[
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform",
            &platform,
        ])?;
        let metadata = serde_json::from_str(&output).context("read cargo metadata")?;
        Self::parse(&metadata).context("cargo metadata has an unexpected shape")
    }

    fn parse(metadata: &Value) -> Option<Self> {
        let mut names = BTreeMap::new();
        for package in metadata["packages"].as_array()? {
            names.insert(package["id"].as_str()?, package["name"].as_str()?);
        }
        let mut graph = Self::default();
        for member in metadata["workspace_members"].as_array()? {
            graph
                .members
                .insert((*names.get(member.as_str()?)?).to_owned());
        }
        for node in metadata["resolve"]["nodes"].as_array()? {
            let from = names.get(node["id"].as_str()?)?;
            for dependency in node["deps"].as_array()? {
                let to = names.get(dependency["pkg"].as_str()?)?;
                if is_normal(dependency) {
                    graph.add(from, to);
                }
            }
        }
        Some(graph)
    }

    /// Adds a dependency.
    pub(crate) fn add(&mut self, from: &str, to: &str) {
        self.edges
            .entry(from.to_owned())
            .or_default()
            .insert(to.to_owned());
    }

    /// Returns the packages of this workspace in name order.
    pub(crate) fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(String::as_str)
    }

    /// Returns what a package names in its manifest, in name order.
    pub(crate) fn direct(&self, package: &str) -> impl Iterator<Item = &str> {
        self.edges
            .get(package)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// Returns everything that is linked with a package, itself excluded.
    pub(crate) fn closure(&self, package: &str) -> BTreeSet<&str> {
        let mut found: BTreeSet<&str> = self.direct(package).collect();
        let mut open: Vec<&str> = found.iter().copied().collect();
        while let Some(next) = open.pop() {
            open.extend(
                self.direct(next)
                    .filter(|dependency| found.insert(dependency)),
            );
        }
        found
    }
}

/// Runs cargo at the root of this repository and returns what it prints.
pub(crate) fn cargo(words: &[&str]) -> Result<String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program)
        .args(words)
        .current_dir(tree::root())
        .output()
        .with_context(|| format!("run cargo {}", words.join(" ")))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "cargo {} failed: {complaint}",
        words.join(" ")
    );
    String::from_utf8(output.stdout).context("read what cargo prints")
}

/// Returns the platform for which this machine builds, as `cargo -vV` names it.
fn host(version: &str) -> Result<String> {
    let mut hosts = version
        .lines()
        .filter_map(|line| line.strip_prefix("host: "));
    let host = hosts.next().context("cargo -vV names no host")?;
    Ok(host.to_owned())
}

/// Cargo gives a dependency kind `null` if it is neither for builds nor for tests.
fn is_normal(dependency: &Value) -> bool {
    dependency["dep_kinds"]
        .as_array()
        .is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
}

#[cfg(test)]
impl DependencyGraph {
    /// Plants a graph whose members are the packages that start with `sameas-`.
    pub(crate) fn planted(edges: &[(&str, &str)]) -> Self {
        let mut graph = Self::default();
        for (from, to) in edges {
            graph.add(from, to);
            let ours = [from, to]
                .into_iter()
                .filter(|name| name.starts_with("sameas-"));
            graph.members.extend(ours.map(|name| (*name).to_owned()));
        }
        graph
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]

    use super::*;

    #[test]
    fn the_platform_is_read_from_what_cargo_says() {
        let version = "cargo 1.95.0\nrelease: 1.95.0\nhost: riscv64gc-unknown-linux-gnu\nos: x\n";
        assert_eq!(host(version).unwrap(), "riscv64gc-unknown-linux-gnu");
        assert!(host("cargo 1.95.0").is_err());
    }

    #[test]
    fn packages_of_other_platforms_are_not_asked_for() {
        let graph = DependencyGraph::read().unwrap();
        let foreign = if cfg!(windows) {
            "rustix"
        } else {
            "windows-sys"
        };
        let users: Vec<_> = graph
            .edges
            .iter()
            .filter(|(_, dependencies)| dependencies.contains(foreign))
            .collect();
        assert!(users.is_empty(), "{users:?}");
    }
}
