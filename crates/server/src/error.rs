//! Why a server does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use sameas_store::{FolderError, VerifyError};
use thiserror::Error;

/// Why a server does not start or stops unasked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Other machines could read along.
    #[error(
        "{address}: is reachable from other machines and nothing would be encrypted; \
         listen on 127.0.0.1 behind a proxy that encrypts, or allow it with `insecure_plaintext`"
    )]
    Plaintext {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Other machines could read tokens and values.
    #[error(
        "{address}: is reachable from other machines, and tokens of callers would be sent in the \
         clear; listen on 127.0.0.1 behind a proxy that encrypts, or, if nothing but such a proxy \
         reaches the address, set `behind_tls_proxy = true` under [serve]; `--lookup-only` takes \
         no tokens"
    )]
    TokensInClear {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Another process listens there.
    #[error("{address}: another process listens there; stop it or choose another port")]
    AddressInUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The system does not let the server listen there.
    #[error(
        "{address}: cannot listen there; choose an address of this machine and a port above 1023"
    )]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The graph folder cannot be used.
    #[error("open the graph to serve")]
    Folder {
        /// Why.
        #[source]
        cause: FolderError,
    },
    /// Nothing was published yet.
    #[error(
        "graph folder {folder}: has no published revision to serve; run `sameas rebuild` first"
    )]
    NothingPublished {
        /// The folder.
        folder: PathBuf,
    },
    /// The current snapshot is damaged.
    #[error("graph folder {folder}: the current snapshot cannot be trusted; run `sameas verify`")]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        #[source]
        cause: VerifyError,
    },
    /// The system gives no thread or no event queue.
    #[error("start the threads that serve; raise the limits of processes and open files")]
    Threads {
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A thread that serves has died.
    #[error("a serving thread has died; this is a defect of sameas, please report it")]
    WorkerDied,
}
