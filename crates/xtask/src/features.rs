//! Whoever builds what is shipped and then all members compiles nothing twice: what is not shipped
//! asks of shared dependencies for no feature that is not asked for anyway. Dependencies for tests
//! alone are not looked at.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::metadata::cargo;

/// Fails if a dependency is taken with other features once all members are built.
pub(crate) fn check() -> Result<()> {
    crate::report(
        "features",
        &differing(&tree(&[])?, &tree(&["--workspace"])?),
    )
}

/// Returns a line for each dependency with its features, those of this machine's compiler left out.
fn tree(members: &[&str]) -> Result<String> {
    let words = [
        "tree",
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
    ];
    let format = ["--format", "{p} {f}"];
    cargo(&[&words[..], &format[..], members].concat())
}

fn differing(shipped: &str, all: &str) -> Vec<String> {
    let name = |line: &str| line.split(" v").next().unwrap_or_default().to_owned();
    let version = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    // A line that stands for a subtree shown above ends with a star.
    let line = |line: &str| line.trim_end_matches(" (*)").to_owned();
    let lines = |tree: &str| tree.lines().map(line).collect::<BTreeSet<_>>();
    let (shipped, all) = (lines(shipped), lines(all));
    let shared: BTreeSet<String> = shipped.iter().map(|line| version(line)).collect();
    let others = all.difference(&shipped);
    let others = others.filter(|line| shared.contains(&version(line)));
    let told = others.map(|line| {
        let name = name(line);
        format!("{name}: members that are not shipped ask for other features of it: {line}")
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn dependencies_have_the_same_features_whatever_is_built() {
        let found = differing(&tree(&[]).unwrap(), &tree(&["--workspace"]).unwrap());
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn another_feature_of_a_shared_dependency_is_told() {
        let shipped = "sameas-cli v0.1.0 (/work)\nmemchr v2.8.3 alloc,std";
        let all =
            "memchr v2.8.3 alloc,default,std\nproptest v1.12.0 std\nsameas-cli v0.1.0 (/work)";
        let found = differing(shipped, all);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("memchr: "), "{found:?}");
        assert!(differing(shipped, shipped).is_empty());
    }
}
