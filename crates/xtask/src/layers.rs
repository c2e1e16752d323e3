//! Refuses dependencies that would let values and disks meet, or layers point upwards.

use anyhow::Result;

use crate::metadata::DependencyGraph;

const PREFIX: &str = "sameas-";

/// What each of our crates may import of ours. Packages not listed may import any.
const LAYERS: [(&str, &[&str]); 8] = [
    ("graph", &[]),
    ("store", &["graph"]),
    ("record", &["graph"]),
    ("source", &["graph", "record"]),
    ("matching", &["graph", "record"]),
    (
        "resolve",
        &["graph", "store", "record", "source", "matching"],
    ),
    ("api", &[]),
    ("server", &["graph", "store", "api"]),
];

/// Packages that stand outside the product and import what they like.
const OUTSIDE: [&str; 2] = ["tests", "benches"];

/// Crates from elsewhere that only some of ours may name in their manifest.
const HOMES: [(&str, &[&str]); 18] = [
    ("petgraph", &["graph"]),
    ("strsim", &["matching"]),
    ("roaring", &["graph", "store", "matching"]),
    ("rayon", &["graph", "matching", "record", "resolve"]),
    ("tokio", &["source", "resolve", "api", "server", "cli"]),
    ("tonic", &["source", "resolve", "api", "server", "cli"]),
    ("prost", &["api", "server"]),
    ("memmap2", &["store"]),
    ("datafusion", &["source", "resolve", "cli"]),
    ("object_store", &["source"]),
    ("adbc_core", &["source"]),
    ("adbc_driver_manager", &["source"]),
    ("anyhow", &["cli", "xtask"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("tracing-subscriber", &["cli"]),
    ("tempfile", &["cli", "xtask"]),
    ("protox", &["xtask"]),
];

/// What must not even be linked with a crate, however many crates lie between.
const NEVER_LINKED: [(&str, &[&str]); 6] = [
    (
        "graph",
        &[
            "tokio",
            "tonic",
            "memmap2",
            "sameas-record",
            "sameas-source",
            "sameas-matching",
        ],
    ),
    (
        "store",
        &[
            "tokio",
            "tonic",
            "sameas-record",
            "sameas-source",
            "sameas-matching",
        ],
    ),
    (
        "api",
        &[
            "sameas-graph",
            "sameas-record",
            "sameas-source",
            "sameas-matching",
        ],
    ),
    ("record", &["tokio", "tonic", "memmap2", "sameas-store"]),
    ("matching", &["tokio", "tonic", "memmap2", "sameas-store"]),
    // What serves must not be able to hold a value, whatever a client sends.
    (
        "server",
        &[
            "sameas-record",
            "sameas-source",
            "sameas-matching",
            "datafusion",
        ],
    ),
];

/// Fails if the workspace breaks a layer.
pub(crate) fn check() -> Result<()> {
    crate::report("layers", &violations(&DependencyGraph::read()?))
}

/// Returns one line for each dependency that is forbidden.
fn violations(graph: &DependencyGraph) -> Vec<String> {
    let mut found = Vec::new();
    for member in graph.members() {
        let Some(name) = member.strip_prefix(PREFIX) else {
            found.push(format!(
                "{member}: packages of this workspace start with `{PREFIX}`"
            ));
            continue;
        };
        if OUTSIDE.contains(&name) {
            continue;
        }
        for dependency in graph.direct(member) {
            found.extend(forbidden_layer(name, dependency));
            found.extend(forbidden_home(name, dependency));
        }
        found.extend(forbidden_links(name, graph));
    }
    found
}

fn forbidden_layer(name: &str, dependency: &str) -> Option<String> {
    let ours = dependency.strip_prefix(PREFIX)?;
    if OUTSIDE.contains(&ours) || ours == "xtask" || ours == "cli" {
        return Some(format!("{name} -> {ours}: nothing depends on {ours}"));
    }
    let (_, allowed) = LAYERS.iter().find(|(layer, _)| *layer == name)?;
    (!allowed.contains(&ours)).then(|| format!("{name} -> {ours}: may import {allowed:?} of ours"))
}

fn forbidden_home(name: &str, dependency: &str) -> Option<String> {
    let (_, homes) = HOMES.iter().find(|(outside, _)| *outside == dependency)?;
    (!homes.contains(&name)).then(|| format!("{name} -> {dependency}: lives in {homes:?} only"))
}

fn forbidden_links(name: &str, graph: &DependencyGraph) -> Vec<String> {
    let Some((_, never)) = NEVER_LINKED.iter().find(|(layer, _)| *layer == name) else {
        return Vec::new();
    };
    let linked = graph.closure(&format!("{PREFIX}{name}"));
    never
        .iter()
        .filter(|package| linked.contains(*package))
        .map(|package| {
            format!("{name} ..-> {package}: must not be linked, see `cargo tree -i {package}`")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]

    use super::*;

    fn findings(edges: &[(&str, &str)]) -> String {
        violations(&DependencyGraph::planted(edges)).join("\n")
    }

    #[test]
    fn this_workspace_keeps_its_layers() {
        let found = violations(&DependencyGraph::read().unwrap());
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn this_workspace_is_seen_at_all() {
        let graph = DependencyGraph::read().unwrap();
        assert!(graph.members().any(|member| member == "sameas-graph"));
        assert!(graph.closure("sameas-store").contains("sameas-graph"));
        assert!(graph.closure("sameas-server").contains("tokio"));
    }

    #[test]
    fn an_allowed_graph_has_no_finding() {
        let edges = [
            ("sameas-store", "sameas-graph"),
            ("sameas-matching", "sameas-record"),
            ("sameas-server", "tokio"),
            ("sameas-cli", "sameas-source"),
            ("sameas-tests", "anyhow"),
            ("tokio", "petgraph"),
        ];
        assert_eq!(findings(&edges), "");
    }

    #[test]
    fn a_store_that_imports_records_is_refused() {
        let found = findings(&[("sameas-store", "sameas-record")]);
        assert!(
            found.contains("store -> record: may import [\"graph\"] of ours"),
            "{found}"
        );
        assert!(
            found.contains("store ..-> sameas-record: must not be linked"),
            "{found}"
        );
    }

    #[test]
    fn a_value_crate_reached_through_another_crate_is_refused() {
        let found = findings(&[("sameas-store", "between"), ("between", "sameas-source")]);
        assert!(found.contains("store ..-> sameas-source"), "{found}");
    }

    #[test]
    fn a_graph_that_imports_anything_of_ours_is_refused() {
        assert!(findings(&[("sameas-graph", "sameas-api")]).contains("graph -> api"));
    }

    #[test]
    fn an_outside_crate_away_from_home_is_refused() {
        assert!(findings(&[("sameas-record", "strsim")]).contains("record -> strsim"));
        assert!(findings(&[("sameas-store", "petgraph")]).contains("store -> petgraph"));
        assert!(findings(&[("sameas-resolve", "anyhow")]).contains("resolve -> anyhow"));
    }

    #[test]
    fn a_runtime_behind_a_pure_crate_is_refused() {
        let found = findings(&[("sameas-matching", "quiet"), ("quiet", "tokio")]);
        assert!(found.contains("matching ..-> tokio"), "{found}");
    }

    #[test]
    fn a_server_that_imports_jobs_or_reaches_values_is_refused() {
        let found = findings(&[("sameas-server", "sameas-resolve")]);
        assert!(found.contains("server -> resolve: may import"), "{found}");
        let found = findings(&[
            ("sameas-server", "between"),
            ("between", "sameas-record"),
            ("between", "sameas-source"),
            ("between", "sameas-matching"),
            ("between", "datafusion"),
        ]);
        for package in [
            "sameas-record",
            "sameas-source",
            "sameas-matching",
            "datafusion",
        ] {
            assert!(found.contains(&format!("server ..-> {package}")), "{found}");
        }
    }

    #[test]
    fn importing_the_binary_or_the_chores_is_refused() {
        assert!(findings(&[("sameas-server", "sameas-cli")]).contains("server -> cli"));
        assert!(findings(&[("sameas-cli", "sameas-xtask")]).contains("cli -> xtask"));
    }
}
