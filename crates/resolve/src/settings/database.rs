//! Checks what a source says about the database it lies in, and about the driver that reads it.

use sameas_source::{Encoding, OptionSetting, SourceSettings, is_mysql, is_postgres};

use super::problem::{Finding, KeyPath};
use super::secret;

/// Returns what does not fit together in the source at a path.
pub(super) fn check(source: &SourceSettings, path: &KeyPath) -> Vec<Finding> {
    let mut findings = match &source.driver {
        Some(driver) => of_driver(source, driver, path),
        None => without_driver(source, path),
    };
    findings.extend(if source.is_database() {
        of_database(source, path)
    } else {
        of_files(source, path)
    });
    findings
}

fn of_database(source: &SourceSettings, path: &KeyPath) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |key: KeyPath, message: &str| findings.push(Finding::new(key, message));
    if source.uris().len() > 1 {
        let message = "a database has one address; make each table a source";
        say(path.with("uri"), message);
    }
    if source.table.is_none() {
        let message = "the key \"table\" is missing; it names a table or view of the database, \
                       for example \"public.customers\"";
        say(path.clone(), message);
    }
    let message = "is of files, and the source is a database; remove it";
    if source.format.is_some() {
        say(path.with("format"), message);
    }
    if source.delimiter.is_some() {
        say(path.with("delimiter"), message);
    }
    if source.encoding != Encoding::default() {
        say(path.with("encoding"), message);
    }
    findings
}

fn of_files(source: &SourceSettings, path: &KeyPath) -> Vec<Finding> {
    if source.table.is_none() && source.password.is_none() {
        return Vec::new();
    }
    let message = "\"table\" and \"password\" are for databases, and \"uri\" names none; \
                   expected postgres://user@host:5432/database or mysql://user@host:3306/database";
    vec![Finding::new(path.with("uri"), message)]
}

fn of_driver(source: &SourceSettings, driver: &str, path: &KeyPath) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |key: KeyPath, message: &str| findings.push(Finding::new(key, message));
    if driver.trim().is_empty() {
        let message = "names no driver; give its name or path, for example \"adbc_driver_sqlite\"";
        say(path.with("driver"), message);
    }
    let uris = source.uris();
    for (is_own, system) in [
        (is_postgres as fn(&str) -> bool, "PostgreSQL"),
        (is_mysql, "MySQL"),
    ] {
        if uris.iter().any(|uri| is_own(uri)) {
            let message = format!(
                "stands beside an address of {system}, which needs none; remove \"driver\""
            );
            say(path.with("driver"), &message);
        }
    }
    let options = path.with("options");
    for (name, value) in &source.options {
        if name == "uri" && !uris.is_empty() || name == "password" && source.password.is_some() {
            let message = format!("is set beside \"{name}\" of the source; keep one of them");
            say(options.with(name.as_str()), &message);
        }
        let OptionSetting::Text(text) = value else {
            continue;
        };
        if secret::is_option(name) || secret::is_inline(text) {
            let message = "holds a secret; name the place where it is kept: { env = \"…\" } or { file = \"…\" }";
            say(options.with(name.as_str()), message);
        }
    }
    findings
}

/// Returns what only a driver could use, or do without.
fn without_driver(source: &SourceSettings, path: &KeyPath) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |key: KeyPath, message: &str| findings.push(Finding::new(key, message));
    if source.uri.is_none() {
        say(path.clone(), "the key \"uri\" is missing");
    }
    let message = "is for a driver, and the source names none; add \"driver\" or remove it";
    if source.entry_point.is_some() {
        say(path.with("entry_point"), message);
    }
    if !source.options.is_empty() {
        say(path.with("options"), message);
    }
    findings
}
