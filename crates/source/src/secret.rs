//! Secrets: named in settings, kept elsewhere.

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret is kept: one of both; settings never hold one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretPlace {
    /// A variable of the environment.
    pub env: Option<String>,
    /// A file that holds nothing else; relative paths start at the folder of the settings file.
    pub file: Option<String>,
}

/// Why a secret could not be had.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The variable is missing or no text.
    #[error("the environment variable {name} is not set; set it where sameas runs")]
    Unset {
        /// The variable.
        name: String,
    },
    /// The file cannot be read.
    #[error("the file {file} cannot be read ({reason}); write the secret into it, alone")]
    Unreadable {
        /// The file.
        file: String,
        /// The kind of failure.
        reason: String,
    },
    /// The settings name no place, or two.
    #[error("no place or two are named for it; expected {{ env = \"…\" }} or {{ file = \"…\" }}")]
    Place,
    /// There is nothing in it.
    #[error("{place} is empty; write the secret into it")]
    Empty {
        /// The variable or file.
        place: String,
    },
}

/// A secret in memory; it does not print itself.
pub struct Secret(String);

/// Prints no more than that there is one.
impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

impl Secret {
    /// Returns the secret, to hand it on.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// The bytes of a file that is a secret.
const FILE_LEN_MAX: u64 = 64 << 10;

impl SecretPlace {
    /// Reads the secret; relative paths start at `base`.
    ///
    /// # Errors
    /// A variable or file that is missing, empty or no text, and a place that is none or two.
    pub fn read(&self, base: &Path) -> Result<Secret, SecretError> {
        let (text, place) = match (&self.env, &self.file) {
            (Some(name), None) => {
                let unset = |_| SecretError::Unset { name: name.clone() };
                (std::env::var(name).map_err(unset)?, name)
            }
            (None, Some(file)) => {
                let unreadable = |error: std::io::Error| SecretError::Unreadable {
                    file: file.clone(),
                    reason: error.kind().to_string(),
                };
                let path = base.join(file);
                let meta = std::fs::metadata(&path).map_err(unreadable)?;
                if !meta.is_file() || meta.len() > FILE_LEN_MAX {
                    return Err(SecretError::Unreadable {
                        file: file.clone(),
                        reason: "it is no file of at most 64 KiB".to_owned(),
                    });
                }
                (std::fs::read_to_string(path).map_err(unreadable)?, file)
            }
            _ => return Err(SecretError::Place),
        };
        // Editors end a file with a line break that is no part of the secret.
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            let place = place.clone();
            return Err(SecretError::Empty { place });
        }
        Ok(Secret(secret.to_owned()))
    }

    /// Returns the file of the secret if everybody on the machine may read it (on Unix).
    pub fn exposed_file(&self, base: &Path) -> Option<&str> {
        let file = self.file.as_deref()?;
        let meta = std::fs::metadata(base.join(file)).ok()?;
        is_open(&meta).then_some(file)
    }
}

#[cfg(unix)]
fn is_open(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    // Groups are made to share secrets by; everybody else is not.
    meta.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn is_open(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_secret_is_read_from_a_file_without_its_line_break() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "two words\r\n").unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let place = |env: Option<&str>, file: Option<&str>| SecretPlace {
            env: env.map(str::to_owned),
            file: file.map(str::to_owned),
        };
        let read = |file: &str| place(None, Some(file)).read(folder.path());
        assert_eq!(read("secret").map(|s| s.0).unwrap(), "two words");
        assert!(matches!(read("empty"), Err(SecretError::Empty { .. })));
        assert!(matches!(read("none"), Err(SecretError::Unreadable { .. })));
        let unset = place(Some("SAMEAS_NO_SUCH_VARIABLE"), None).read(folder.path());
        assert!(matches!(unset, Err(SecretError::Unset { .. })));
        for (env, file) in [(None, None), (Some("A"), Some("b"))] {
            let read = place(env, file).read(folder.path());
            assert!(matches!(read, Err(SecretError::Place)));
        }
    }
    #[cfg(unix)]
    #[test]
    fn a_file_that_everybody_may_read_is_told() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "words").unwrap();
        let place = SecretPlace {
            env: None,
            file: Some("secret".to_owned()),
        };
        for (mode, told) in [(0o644, Some("secret")), (0o640, None), (0o600, None)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(place.exposed_file(folder.path()), told, "{mode:o}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(place.exposed_file(folder.path()), None);
    }
}
