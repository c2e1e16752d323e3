//! From the addresses in settings to files.

#[cfg(feature = "object-stores")]
mod remote;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::FileType;
use std::path::{Path as LocalPath, PathBuf};
use std::sync::Arc;

use glob::{MatchOptions, Pattern};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

use super::delta::{DeltaFault, DeltaTable, LOG};
use super::format::{extensions, format_of};
use super::store::DataFile;
use crate::descriptor::{FileFormat, SourceSettings};
use crate::error::{OpenError, StoreCause};
use crate::skipped::SkippedFiles;

/// How deep folders are searched; deeper is a loop of links.
const FOLDER_DEPTH_MAX: usize = 32;

const REMOTE_SCHEMES: [&str; 8] = ["s3", "s3a", "gs", "az", "abfs", "abfss", "http", "https"];

const UNKNOWN_SCHEME: &str =
    "its scheme is none of file, s3, gs, az, http, https, postgres and mysql";

const TABLE_INSIDE: &str =
    "it is a Delta table, whose log tells which files count: make it a source of its own";

const GLOB: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The files of a source.
pub(crate) struct Located {
    /// Each once, sorted by name.
    pub(crate) files: Vec<DataFile>,
    pub(crate) skipped: SkippedFiles,
    /// The table that they are, if a log tells so.
    pub(crate) table: Option<DeltaTable>,
}

/// What one address names.
#[derive(Default)]
struct Named {
    files: Vec<DataFile>,
    table: Option<DeltaTable>,
}

#[cfg(feature = "object-stores")]
impl Named {
    fn files(files: Vec<DataFile>) -> Self {
        Self { files, table: None }
    }
}

/// What a folder holds.
#[derive(Default)]
struct Found {
    paths: Vec<PathBuf>,
    skipped: BTreeSet<String>,
}

/// What becomes of a name in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Read,
    Skipped,
    /// Neither read nor told.
    Ignored,
}

/// Finds the files that settings name.
pub(crate) async fn locate(
    settings: &SourceSettings,
    base: &LocalPath,
) -> Result<Located, OpenError> {
    let finder = Finder {
        source_name: &settings.name,
        format: settings.format,
        base,
    };
    let uris = settings.uris();
    if uris.iter().all(String::is_empty) {
        return Err(OpenError::NoUri {
            source_name: settings.name.clone(),
        });
    }
    let local = Arc::new(LocalFileSystem::new());
    let (mut files, mut skipped, mut table) = (Vec::new(), BTreeSet::new(), None);
    for uri in uris {
        if let Some(scheme) = remote_scheme(uri) {
            if !REMOTE_SCHEMES.contains(&scheme) {
                return Err(finder.address(uri, UNKNOWN_SCHEME));
            }
            let named = finder.remote(uri, &mut skipped).await?;
            files.extend(named.files);
            table = table.or(named.table);
            continue;
        }
        if let Some(named) = finder.local_table(uri, &local).await? {
            files.extend(named.files);
            table = table.or(named.table);
            continue;
        }
        let found = finder.local(uri)?;
        skipped.extend(found.skipped);
        for path in found.paths {
            files.push(DataFile::local(&settings.name, &local, &path).await?);
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files.dedup_by(|a, b| a.name == b.name && a.meta.location == b.meta.location);
    for file in &files {
        skipped.remove(&file.name);
    }
    if let (Some(_), [first, _, ..]) = (&table, uris) {
        return Err(finder.address(first, "a Delta table is a source of its own: name it alone"));
    }
    // Files that the table has removed lie beside those that it has.
    let log = skipped.iter().find(|name| is_log(name));
    if let Some(folder) = log.and_then(|log| log.rsplit_once(LOG)) {
        return Err(finder.address(folder.0, TABLE_INSIDE));
    }
    let skipped = skipped.into();
    Ok(Located {
        files,
        skipped,
        table,
    })
}

/// Returns the files of this machine that settings name, as far as they can be found.
pub(crate) fn local_files(settings: &SourceSettings, base: &LocalPath) -> Vec<PathBuf> {
    let finder = Finder {
        source_name: &settings.name,
        format: settings.format,
        base,
    };
    let uris = settings.uris().iter();
    let local = uris.filter(|uri| !uri.is_empty() && remote_scheme(uri).is_none());
    local
        .filter_map(|uri| finder.local(uri).ok())
        .flat_map(|found| found.paths)
        .collect()
}

fn remote_scheme(uri: &str) -> Option<&str> {
    let (scheme, _) = uri.split_once("://")?;
    (scheme != "file").then_some(scheme)
}

struct Finder<'a> {
    source_name: &'a str,
    format: Option<FileFormat>,
    base: &'a LocalPath,
}

impl Found {
    fn of(paths: Vec<PathBuf>) -> Self {
        let skipped = BTreeSet::new();
        Self { paths, skipped }
    }
}

impl Finder<'_> {
    fn local(&self, uri: &str) -> Result<Found, OpenError> {
        let path = self.path_of(uri)?;
        match std::fs::metadata(&path) {
            Ok(meta) if meta.is_dir() && path.join(LOG).is_dir() => self.table_files(&path),
            Ok(meta) if meta.is_dir() => self.folder(&path),
            Ok(meta) if meta.is_file() => Ok(Found::of(vec![path])),
            Ok(_) => Err(self.address(uri, "it is neither a file nor a folder")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if has_glob(uri) {
                    self.matching(uri).map(Found::of)
                } else {
                    Err(self.missing(&path.display().to_string()))
                }
            }
            Err(error) => Err(self.unreadable(&path, &error)),
        }
    }

    fn path_of(&self, uri: &str) -> Result<PathBuf, OpenError> {
        if !uri.starts_with("file://") {
            return Ok(self.base.join(uri));
        }
        let url = Url::parse(uri).map_err(|error| self.address(uri, &error.to_string()))?;
        url.to_file_path()
            .map_err(|()| self.address(uri, "it has a host or no absolute path"))
    }

    fn matching(&self, uri: &str) -> Result<Vec<PathBuf>, OpenError> {
        let pattern = self.pattern_of(uri)?;
        let found =
            glob::glob_with(&pattern, GLOB).map_err(|error| self.address(uri, error.msg))?;
        let (mut paths, mut seen) = (Vec::new(), None);
        for path in found {
            let path = path.map_err(|error| self.unreadable(error.path(), error.error()))?;
            let folder = path.parent().unwrap_or(&path);
            if seen.as_deref() != Some(folder) {
                if let Some(table) = table_above(folder) {
                    return Err(self.address(&table.display().to_string(), TABLE_INSIDE));
                }
                seen = Some(folder.to_owned());
            }
            if path.is_file() {
                paths.push(path);
            }
        }
        if paths.is_empty() {
            let pattern = self.base.join(uri).display().to_string();
            return Err(OpenError::NoMatch {
                source_name: self.source_name.to_owned(),
                pattern,
            });
        }
        Ok(paths)
    }

    fn pattern_of(&self, uri: &str) -> Result<String, OpenError> {
        let uri = uri.strip_prefix("file://").unwrap_or(uri);
        if LocalPath::new(uri).is_absolute() {
            return Ok(uri.to_owned());
        }
        let base = self
            .base
            .to_str()
            .ok_or_else(|| self.address(uri, "its folder is not UTF-8"))?;
        let base = if base.is_empty() { "." } else { base };
        Ok(format!("{}/{uri}", Pattern::escape(base)))
    }

    fn folder(&self, folder: &LocalPath) -> Result<Found, OpenError> {
        if let Some(table) = table_above(folder) {
            return Err(self.address(&table.display().to_string(), TABLE_INSIDE));
        }
        let mut found = Found::default();
        self.walk(folder, 0, &mut found)?;
        if found.paths.is_empty() {
            return Err(self.empty_folder(&folder.display().to_string()));
        }
        Ok(found)
    }

    /// Opens a folder of this machine that is a table by its log.
    async fn local_table(
        &self,
        uri: &str,
        local: &Arc<LocalFileSystem>,
    ) -> Result<Option<Named>, OpenError> {
        let path = self.path_of(uri)?;
        if !path.join(LOG).is_dir() {
            return Ok(None);
        }
        let path = path
            .canonicalize()
            .map_err(|error| self.unreadable(&path, &error))?;
        let odd = |_| self.address(uri, "its path is not valid UTF-8 or holds odd characters");
        let root = Path::from_absolute_path(&path).map_err(odd)?;
        let store = Arc::clone(local) as Arc<dyn ObjectStore>;
        let shown = path.display().to_string();
        let named = self.table(&store, &root, &shown).await?;
        // A log without a commit is no reason to take all files for the table.
        let empty = || OpenError::Delta {
            source_name: self.source_name.to_owned(),
            table: shown,
            cause: DeltaFault::Empty,
        };
        named.ok_or_else(empty).map(Some)
    }

    /// Opens a folder that is a table by its log; nothing if it has none.
    async fn table(
        &self,
        store: &Arc<dyn ObjectStore>,
        root: &Path,
        shown: &str,
    ) -> Result<Option<Named>, OpenError> {
        let opened = DeltaTable::open(store, root, shown).await;
        let opened = opened.map_err(|cause| OpenError::Delta {
            source_name: self.source_name.to_owned(),
            table: shown.to_owned(),
            cause,
        })?;
        Ok(opened.map(|(table, files)| Named {
            files,
            table: Some(table),
        }))
    }

    /// Returns the files of a table, those of its log among them.
    fn table_files(&self, folder: &LocalPath) -> Result<Found, OpenError> {
        let log = folder.join(LOG);
        let fail = |error: std::io::Error| self.unreadable(&log, &error);
        let entries = std::fs::read_dir(&log).map_err(fail)?;
        let paths = entries.map(|entry| Ok(entry?.path()));
        let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(fail)?;
        let mut found = Found::default();
        self.walk(folder, 0, &mut found)?;
        paths.extend(found.paths);
        paths.sort();
        Ok(Found::of(paths))
    }

    fn walk(&self, folder: &LocalPath, depth: usize, found: &mut Found) -> Result<(), OpenError> {
        if depth > FOLDER_DEPTH_MAX {
            return Err(self.address(&folder.display().to_string(), "its folders are too deep"));
        }
        let fail = |error: &std::io::Error| self.unreadable(folder, error);
        for entry in std::fs::read_dir(folder).map_err(|error| fail(&error))? {
            let path = entry.map_err(|error| fail(&error))?.path();
            // A link to nowhere has no kind and is no file.
            let kind = std::fs::metadata(&path).map(|meta| meta.file_type());
            let is_folder = kind.as_ref().is_ok_and(FileType::is_dir);
            let name = entry_name(&path);
            let fate = if is_folder {
                fate_of_folder(&name)
            } else {
                self.fate_of_file(&name)
            };
            match fate {
                Fate::Read if is_folder => self.walk(&path, depth + 1, found)?,
                Fate::Read if kind.is_ok_and(|kind| kind.is_file()) => found.paths.push(path),
                Fate::Read | Fate::Skipped => {
                    let slash = if is_folder { "/" } else { "" };
                    found.skipped.insert(format!("{}{slash}", path.display()));
                }
                Fate::Ignored => {}
            }
        }
        Ok(())
    }

    fn fate_of_file(&self, name: &str) -> Fate {
        let format = format_of(name);
        let is_wanted = format.is_some() && (self.format.is_none() || format == self.format);
        match name.as_bytes().first() {
            Some(b'.') => Fate::Ignored,
            Some(b'_') if format.is_none() => Fate::Ignored,
            Some(b'_') => Fate::Skipped,
            _ if is_wanted => Fate::Read,
            _ => Fate::Skipped,
        }
    }

    fn address(&self, uri: &str, reason: &str) -> OpenError {
        OpenError::Address {
            source_name: self.source_name.to_owned(),
            uri: without_secrets(uri),
            reason: reason.to_owned(),
        }
    }

    fn missing(&self, place: &str) -> OpenError {
        OpenError::Missing {
            source_name: self.source_name.to_owned(),
            place: place.to_owned(),
        }
    }

    fn empty_folder(&self, folder: &str) -> OpenError {
        OpenError::EmptyFolder {
            source_name: self.source_name.to_owned(),
            folder: folder.to_owned(),
            extensions: extensions(self.format),
        }
    }

    fn unreadable(&self, path: &LocalPath, error: &std::io::Error) -> OpenError {
        let cause = StoreCause::from_io(error);
        OpenError::Store {
            source_name: self.source_name.to_owned(),
            place: path.display().to_string(),
            cause,
        }
    }
}

#[cfg(not(feature = "object-stores"))]
impl Finder<'_> {
    #[expect(
        clippy::unused_async,
        reason = "a build with object stores awaits their answers"
    )]
    async fn remote(&self, uri: &str, _: &mut BTreeSet<String>) -> Result<Named, OpenError> {
        Err(OpenError::ObjectStoresOff {
            source_name: self.source_name.to_owned(),
            uri: without_secrets(uri),
        })
    }
}

fn has_glob(uri: &str) -> bool {
    uri.contains(['*', '?', '['])
}

/// Returns the table that a folder is, or is in.
fn table_above(folder: &LocalPath) -> Option<&LocalPath> {
    folder.ancestors().find(|folder| folder.join(LOG).is_dir())
}

/// Tells whether a name of what was skipped is that of a Delta table's log.
fn is_log(name: &str) -> bool {
    let folder = name.strip_suffix('/');
    folder.and_then(|folder| folder.rsplit('/').next()) == Some(LOG)
}

fn fate_of_folder(name: &str) -> Fate {
    match name.as_bytes().first() {
        Some(b'.') => Fate::Ignored,
        Some(b'_') => Fate::Skipped,
        _ => Fate::Read,
    }
}

fn entry_name(path: &LocalPath) -> Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// Returns an address without its user, password and query.
fn without_secrets(uri: &str) -> String {
    let uri = uri.split_once('?').map_or(uri, |(address, _)| address);
    match uri.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_secrets() {
        let shown = without_secrets("https://user:hunter2@host/a.csv?sig=abc");
        assert_eq!(shown, "https://host/a.csv");
        assert_eq!(without_secrets("data/a@b.csv"), "data/a@b.csv");
    }
}
