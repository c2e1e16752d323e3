//! Who may ask for values, known by a token.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use blake3::Hash;

/// The longest token that is looked at, in bytes.
const TOKEN_LEN_MAX: usize = 512;

/// What a caller may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Right {
    /// Customers by some of their attributes.
    Find,
    /// What the systems say of a customer.
    Profile,
}

impl Right {
    /// Returns the word for it in the settings.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::Profile => "profile",
        }
    }
}

/// What one caller may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// What it may ask for.
    pub may: BTreeSet<Right>,
    /// The fields it may see; all if none are named.
    pub fields: Option<BTreeSet<String>>,
}

/// A caller that was let in.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Its name, which is no secret.
    pub(crate) name: String,
    pub(crate) rights: Rights,
}

/// The callers of a server.
///
/// Of each token no more is kept than a keyed BLAKE3 hash, so that comparing takes as long
/// whatever is compared, and memory holds nothing that opens a door.
///
/// ```
/// use sameas_server::{Callers, Rights};
///
/// let mut callers = Callers::new([7; 32]);
/// callers.admit("crm-ui", "0123456789abcdef0123456789abcdef", Rights::default());
/// assert_eq!(callers.len(), 1);
/// ```
#[derive(Clone)]
pub struct Callers {
    key: [u8; 32],
    known: Vec<(Hash, Arc<Caller>)>,
}

impl fmt::Debug for Callers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let callers = self.known.iter().map(|(_, caller)| caller);
        out.debug_list().entries(callers).finish()
    }
}

impl Callers {
    /// Starts with nobody; the key is random and lives as long as the server.
    pub fn new(key: [u8; 32]) -> Self {
        let known = Vec::new();
        Self { key, known }
    }

    /// Lets a caller in from now on.
    pub fn admit(&mut self, name: &str, token: &str, rights: Rights) {
        let name = name.to_owned();
        let hash = blake3::keyed_hash(&self.key, token.as_bytes());
        self.known.push((hash, Arc::new(Caller { name, rights })));
    }

    /// Returns how many callers there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Returns whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Finds the caller of a token.
    pub(crate) fn find(&self, token: &[u8]) -> Option<&Arc<Caller>> {
        if token.len() > TOKEN_LEN_MAX {
            return None;
        }
        let shown = blake3::keyed_hash(&self.key, token);
        // All are compared, each in constant time: how long it takes tells nothing.
        self.known.iter().fold(
            None,
            |found, (hash, caller)| {
                if *hash == shown { Some(caller) } else { found }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]

    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_caller_is_found_by_its_whole_token_alone() {
        let mut callers = Callers::new([7; 32]);
        callers.admit("one", TOKEN, Rights::default());
        callers.admit("other", &TOKEN.to_uppercase(), Rights::default());
        assert_eq!(callers.find(TOKEN.as_bytes()).unwrap().name, "one");
        let upper = TOKEN.to_uppercase();
        assert_eq!(callers.find(upper.as_bytes()).unwrap().name, "other");
        for wrong in ["", &TOKEN[1..], &format!("{TOKEN} "), &"0".repeat(10_000)] {
            assert!(callers.find(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn neither_token_nor_hash_is_printed() {
        let mut callers = Callers::new([7; 32]);
        callers.admit("one", TOKEN, Rights::default());
        let printed = format!("{callers:?}");
        let hash = blake3::keyed_hash(&[7; 32], TOKEN.as_bytes()).to_hex();
        assert!(printed.contains("one"), "{printed}");
        assert!(!printed.contains(TOKEN) && !printed.contains(hash.as_str()));
    }
}
