//! Generates the wire types of `sameas-api` from `proto/`, without protoc.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use protox::Compiler;

use crate::tree;

/// The descriptors of all messages, which reflection serves.
const DESCRIPTOR_FILE: &str = "sameas.v1.bin";

/// Messages that hold values of records: they do not print themselves, `sameas-api` says how.
const VALUES: [&str; 2] = ["sameas.v1.Attribute", "sameas.v1.ProfileValue"];

/// Rewrites the generated files.
pub(crate) fn write() -> Result<()> {
    let target = generated_folder();
    fs::create_dir_all(&target).with_context(|| format!("create {}", target.display()))?;
    generate(&target)?;
    crate::say(&format!("codegen: wrote {}", target.display()));
    Ok(())
}

/// Fails if the committed files are not those that `write` would make.
pub(crate) fn check() -> Result<()> {
    let fresh = tempfile::tempdir().context("create a temporary folder")?;
    generate(fresh.path())?;
    let findings = differences(&generated_folder(), fresh.path())?;
    ensure!(
        findings.is_empty(),
        "codegen: run `cargo xtask codegen`, these differ from proto/: {}",
        findings.join(", ")
    );
    crate::say("codegen: ok");
    Ok(())
}

fn generated_folder() -> PathBuf {
    tree::root().join("crates/api/src/generated")
}

fn generate(target: &Path) -> Result<()> {
    let root = tree::root().join("proto");
    let protos: Vec<PathBuf> = tree::files_below(&root)?
        .into_iter()
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "proto")
        })
        .collect();
    ensure!(
        !protos.is_empty(),
        "no .proto file below {}",
        root.display()
    );
    let mut compiler = Compiler::new([&root]).context("open proto/")?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&protos).context("compile proto/")?;
    tonic_prost_build::configure()
        .out_dir(target)
        .skip_debug(VALUES)
        .compile_fds(compiler.file_descriptor_set())
        .context("generate Rust from proto/")?;
    // Comments would only make the served descriptors larger.
    compiler.include_source_info(false);
    let file = target.join(DESCRIPTOR_FILE);
    fs::write(&file, compiler.encode_file_descriptor_set())
        .with_context(|| format!("write {}", file.display()))
}

fn differences(committed: &Path, fresh: &Path) -> Result<Vec<String>> {
    let mut names = names_in(committed)?;
    names.extend(names_in(fresh)?);
    names.sort();
    names.dedup();
    names.retain(|name| fs::read(committed.join(name)).ok() != fs::read(fresh.join(name)).ok());
    Ok(names)
}

fn names_in(folder: &Path) -> Result<Vec<String>> {
    let files = tree::files_below(folder)?;
    Ok(files
        .iter()
        .filter_map(|file| file.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]

    use super::*;

    #[test]
    fn what_is_committed_is_what_proto_says() {
        check().unwrap();
    }

    #[test]
    fn generating_twice_gives_the_same_bytes() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        generate(one.path()).unwrap();
        generate(two.path()).unwrap();
        assert!(differences(one.path(), two.path()).unwrap().is_empty());
    }

    #[test]
    fn an_edited_or_missing_file_is_found() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        generate(one.path()).unwrap();
        generate(two.path()).unwrap();
        fs::write(one.path().join(DESCRIPTOR_FILE), b"edited").unwrap();
        fs::remove_file(two.path().join("sameas.v1.rs")).unwrap();
        let found = differences(one.path(), two.path()).unwrap();
        assert_eq!(found, [DESCRIPTOR_FILE, "sameas.v1.rs"]);
    }
}
