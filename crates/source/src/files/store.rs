//! Where files stand: the local file system, or an object store when the build has them.

use std::fmt;
use std::path::Path as LocalPath;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::format::{Compression, compression_of};
use crate::descriptor::Encoding;
use crate::error::{OpenError, ScanError, StoreCause};

/// A file as it was when the source was opened.
#[derive(Clone)]
pub(crate) struct DataFile {
    /// The file as messages name it.
    pub(crate) name: String,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) meta: ObjectMeta,
    /// The values of columns that a table keeps beside its files.
    pub(crate) constants: Vec<ScalarValue>,
    /// How its text is encoded, if it is text.
    pub(crate) encoding: Encoding,
}

/// Prints no place and no constant, which are values.
impl fmt::Debug for DataFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("DataFile")
            .field("name", &self.name)
            .field("size", &self.meta.size)
            .finish_non_exhaustive()
    }
}

impl DataFile {
    /// Looks at a file of the local file system.
    pub(crate) async fn local(
        source_name: &str,
        store: &Arc<LocalFileSystem>,
        path: &LocalPath,
    ) -> Result<Self, OpenError> {
        let name = path.display().to_string();
        let fail = |cause| OpenError::Store {
            source_name: source_name.to_owned(),
            place: name.clone(),
            cause,
        };
        let canonical = path
            .canonicalize()
            .map_err(|error| fail(StoreCause::from_io(&error)))?;
        let location = Path::from_absolute_path(&canonical).map_err(|_| OpenError::Address {
            source_name: source_name.to_owned(),
            uri: name.clone(),
            reason: "its path is not valid UTF-8 or holds odd characters".to_owned(),
        })?;
        let meta = store
            .head(&location)
            .await
            .map_err(|error| fail(StoreCause::new(&error)))?;
        Ok(Self {
            store: Arc::clone(store) as Arc<dyn ObjectStore>,
            meta,
            name,
            constants: Vec::new(),
            encoding: Encoding::default(),
        })
    }

    /// Tells whether a record is found where it stands among the bytes: they are those of the text.
    pub(crate) fn has_places(&self) -> bool {
        compression_of(&self.name) == Compression::None && self.encoding == Encoding::Utf8
    }

    /// Refuses the file if it is not as it was when the source was opened.
    pub(crate) async fn require_unchanged(&self, source_name: &str) -> Result<(), ScanError> {
        let changed = || ScanError::Changed {
            source_name: source_name.to_owned(),
            file: self.name.clone(),
        };
        match self.store.head(&self.meta.location).await {
            Ok(now) if is_same(&self.meta, &now) => Ok(()),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Err(changed()),
            Err(error) => Err(self.unreadable(source_name, &error)),
        }
    }

    /// Returns a store's failure as an error of the scan.
    pub(crate) fn unreadable(&self, source_name: &str, error: &object_store::Error) -> ScanError {
        self.failed(source_name, StoreCause::new(error))
    }

    /// Returns a failure to read as an error of the scan.
    pub(crate) fn failed(&self, source_name: &str, cause: StoreCause) -> ScanError {
        ScanError::Store {
            source_name: source_name.to_owned(),
            file: self.name.clone(),
            cause,
        }
    }
}

/// Tells whether a file is as it was. Stores tell more of an object alone than of one in a list, and
/// the same otherwise: quotes around tags, fractions of seconds.
pub(crate) fn is_same(before: &ObjectMeta, now: &ObjectMeta) -> bool {
    let differs = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => a.trim_matches('"') != b.trim_matches('"'),
        _ => false,
    };
    let have_tags = before.e_tag.is_some() && now.e_tag.is_some();
    before.size == now.size
        && (have_tags || before.last_modified == now.last_modified)
        && !differs(&before.e_tag, &now.e_tag)
        && !differs(&before.version, &now.version)
}
