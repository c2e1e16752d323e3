//! Four sample systems with one population: another schema and other dirt in each.
//!
//! Everything is made up from a fixed seed: the same files on every machine.

mod dirt;
mod draw;
mod people;
mod record;
mod systems;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use people::Person;
use systems::SystemFiles;

/// The settings of the demo, which are also a place to start from.
const SETTINGS: &str = include_str!("demo/sameas.toml");

/// How many people the sample systems know.
const PEOPLE_COUNT: usize = 700;

/// Chooses the population and its dirt.
const SEED: u64 = 20_261_123;

/// The folder of the demo.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The settings file.
    pub(crate) settings: PathBuf,
    /// The truth about who is who.
    pub(crate) truth: PathBuf,
    /// Records that the systems hold of one person: source and key.
    pub(crate) guest: Vec<(&'static str, String)>,
    /// How many records each system holds.
    pub(crate) counts: Vec<(&'static str, usize)>,
}

/// What the folder of the sample systems is called until it is whole.
const UNFINISHED: &str = ".sameas-demo-unfinished";

/// Makes the folder, or finds what an earlier demo made and leaves it as it is.
///
/// # Errors
/// Refuses a folder that holds other things.
pub(crate) fn prepare(folder: &Path) -> Result<Sample> {
    let people = people::population(SEED, PEOPLE_COUNT);
    let files = SystemFiles::of(&people, SEED);
    let (settings, data) = (folder.join("sameas.toml"), folder.join("data"));
    if !settings.exists() {
        refuse_other_things(folder)?;
        let failed = || format!("write the sample systems to {}", folder.display());
        let unfinished = folder.join(UNFINISHED);
        fs::create_dir_all(&unfinished).with_context(failed)?;
        files.write(&unfinished).with_context(failed)?;
        fs::rename(&unfinished, &data).with_context(failed)?;
        // Last, so that a folder with settings is a whole one.
        fs::write(&settings, SETTINGS).with_context(failed)?;
    }
    Ok(Sample {
        settings,
        truth: data.join("truth.csv"),
        guest: files.guest(&people),
        counts: files.counts(),
    })
}

fn refuse_other_things(folder: &Path) -> Result<()> {
    let Ok(mut entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    // What an earlier demo did not finish is no other thing; what somebody else may have named is.
    let is_other = |name: &std::ffi::OsStr| name != UNFINISHED;
    let other = entries.any(|entry| entry.is_ok_and(|entry| is_other(&entry.file_name())));
    ensure!(
        !other,
        "{}: holds other things; name another folder with --dir",
        folder.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests;
