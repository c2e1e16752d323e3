//! Addresses of object stores.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use glob::Pattern;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use super::{DataFile, Fate, Finder, GLOB, Named, fate_of_folder, without_secrets};
use crate::descriptor::Encoding;
use crate::error::{OpenError, StoreCause};

/// The objects that one address may name.
struct Remote<'a> {
    finder: &'a Finder<'a>,
    uri: &'a str,
    origin: String,
    store: Arc<dyn ObjectStore>,
}

impl Finder<'_> {
    pub(super) async fn remote(
        &self,
        uri: &str,
        skipped: &mut BTreeSet<String>,
    ) -> Result<Named, OpenError> {
        let (literal, pattern) = split_glob(uri);
        let url = Url::parse(literal).map_err(|error| self.address(uri, &error.to_string()))?;
        if url.query().is_some() {
            return Err(self.address(
                uri,
                "query strings are not sent; use the store's own scheme",
            ));
        }
        let (store, path) = object_store::parse_url_opts(&url, options(&url))
            .map_err(|error| self.store_failed(uri, &error))?;
        let origin = without_secrets(literal)
            .trim_end_matches(path.as_ref())
            .to_owned();
        let origin = origin.trim_end_matches('/').to_owned();
        let remote = Remote {
            finder: self,
            uri,
            origin,
            store: Arc::from(store),
        };
        match pattern {
            Some(pattern) => Ok(Named::files(remote.matching(&path, pattern).await?)),
            None => remote.object_or_folder(&path, skipped).await,
        }
    }

    fn store_failed(&self, uri: &str, error: &object_store::Error) -> OpenError {
        let cause = StoreCause::new(error);
        OpenError::Store {
            source_name: self.source_name.to_owned(),
            place: without_secrets(uri),
            cause,
        }
    }
}

impl Remote<'_> {
    async fn matching(&self, prefix: &Path, pattern: &str) -> Result<Vec<DataFile>, OpenError> {
        let separator = if prefix.as_ref().is_empty() { "" } else { "/" };
        let pattern = format!("{}{separator}{pattern}", Pattern::escape(prefix.as_ref()));
        let pattern =
            Pattern::new(&pattern).map_err(|error| self.finder.address(self.uri, error.msg))?;
        let found = self
            .list(prefix, |name| pattern.matches_with(name, GLOB))
            .await?;
        if found.is_empty() {
            let pattern = without_secrets(self.uri);
            let source_name = self.finder.source_name.to_owned();
            return Err(OpenError::NoMatch {
                source_name,
                pattern,
            });
        }
        Ok(found)
    }

    async fn object_or_folder(
        &self,
        path: &Path,
        skipped: &mut BTreeSet<String>,
    ) -> Result<Named, OpenError> {
        if !self.uri.ends_with('/') {
            match self.store.head(path).await {
                Ok(meta) => return Ok(Named::files(vec![self.file(meta)])),
                Err(object_store::Error::NotFound { .. }) if !self.uri.starts_with("http") => {}
                Err(object_store::Error::NotFound { .. }) => {
                    return Err(self.finder.missing(&without_secrets(self.uri)));
                }
                Err(error) => return Err(self.finder.store_failed(self.uri, &error)),
            }
        }
        let shown = without_secrets(self.uri);
        let shown = shown.trim_end_matches('/');
        if let Some(table) = self.finder.table(&self.store, path, shown).await? {
            return Ok(table);
        }
        let prefix_len = path.as_ref().len();
        let is_wanted = |name: &str| {
            let (fate, told) = self.fate(name, prefix_len);
            if fate == Fate::Skipped {
                skipped.insert(format!("{}/{told}", self.origin));
            }
            fate == Fate::Read
        };
        let found = self.list(path, is_wanted).await?;
        if found.is_empty() {
            return Err(self.finder.empty_folder(shown));
        }
        Ok(Named::files(found))
    }

    /// Returns what becomes of an object of a folder, and the name that tells it: its own, or that of
    /// the folder in the way.
    fn fate<'a>(&self, name: &'a str, prefix_len: usize) -> (Fate, &'a str) {
        let folder_ends = name.match_indices('/').map(|(at, _)| at);
        let mut start = prefix_len;
        for end in folder_ends.filter(|&end| end > prefix_len) {
            match fate_of_folder(name[start..end].trim_start_matches('/')) {
                Fate::Read => start = end + 1,
                fate => return (fate, &name[..=end]),
            }
        }
        let file = name[start..].trim_start_matches('/');
        (self.finder.fate_of_file(file), name)
    }

    async fn list(
        &self,
        prefix: &Path,
        mut is_wanted: impl FnMut(&str) -> bool,
    ) -> Result<Vec<DataFile>, OpenError> {
        let listed: Vec<ObjectMeta> = self
            .store
            .list(Some(prefix))
            .filter(|meta| {
                let keep = meta
                    .as_ref()
                    .map_or(true, |meta| is_wanted(meta.location.as_ref()));
                std::future::ready(keep)
            })
            .try_collect()
            .await
            .map_err(|error| self.finder.store_failed(self.uri, &error))?;
        Ok(listed.into_iter().map(|meta| self.file(meta)).collect())
    }

    fn file(&self, meta: ObjectMeta) -> DataFile {
        let name = format!("{}/{}", self.origin, meta.location);
        DataFile {
            name,
            store: Arc::clone(&self.store),
            meta,
            constants: Vec::new(),
            encoding: Encoding::default(),
        }
    }
}

/// Returns the address up to the folder of the first `*` or `[`, and the rest as a glob.
fn split_glob(uri: &str) -> (&str, Option<&str>) {
    let Some(first) = uri.find(['*', '[']) else {
        return (uri, None);
    };
    let folder_end = uri[..first].rfind('/').map_or(first, |slash| slash + 1);
    (&uri[..folder_end], Some(&uri[folder_end..]))
}

/// Returns what the environment says about stores: credentials are never part of settings.
fn options(url: &Url) -> Vec<(String, String)> {
    let is_known = |key: &str| {
        ["AWS_", "GOOGLE_", "AZURE_"]
            .iter()
            .any(|prefix| key.starts_with(prefix))
    };
    let mut options: Vec<_> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(key, _)| is_known(key))
        .collect();
    if url.scheme() == "http" {
        options.push(("allow_http".to_owned(), "true".to_owned()));
    }
    options
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use object_store::memory::InMemory;

    use super::*;

    /// Names that begin with `_` in the address itself hid all objects below.
    #[tokio::test]
    async fn objects_of_a_folder_are_read_told_or_passed_over_by_their_names_below_it() {
        let store = InMemory::new();
        for name in [
            "a.csv",
            "sub/b.csv",
            "_late.csv",
            "c.txt",
            "_old/d.csv",
            "_SUCCESS",
            ".x.csv",
        ] {
            let location = Path::from(format!("_in/{name}"));
            store.put(&location, "id\n1\n".into()).await.unwrap();
        }
        let (source_name, format, base) = ("crm", None, "".as_ref());
        let finder = Finder {
            source_name,
            format,
            base,
        };
        let (uri, origin) = ("s3://bucket/_in/", "s3://bucket".to_owned());
        let store = Arc::new(store);
        let remote = Remote {
            finder: &finder,
            uri,
            origin,
            store,
        };
        let mut skipped = BTreeSet::new();
        let found = remote
            .object_or_folder(&Path::from("_in"), &mut skipped)
            .await
            .unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|file| file.meta.location.as_ref())
            .collect();
        assert_eq!(found, ["_in/a.csv", "_in/sub/b.csv"]);
        let told = ["_late.csv", "_old/", "c.txt"].map(|name| format!("s3://bucket/_in/{name}"));
        assert!(skipped.iter().eq(&told), "{skipped:?}");
    }
}
