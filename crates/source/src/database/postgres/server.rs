//! Where a server is, and how it is reached.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::runtime::Handle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{CancelToken, Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database::DatabaseFault;
use crate::descriptor::SourceSettings;
use crate::error::OpenError;

/// How long a server may take to answer a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long sent bytes may stay unacknowledged before the connection counts as broken.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
const PORT: u16 = 5432;

/// What every session begins with: nothing can be written, and nobody is waited for without end.
const SESSION: &str = "SET default_transaction_read_only = on; SET lock_timeout = '30s'; \
     SET client_min_messages = error; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601'; \
     SET extra_float_digits = 1; SET timezone = 'UTC'";

/// A server and a user of it. It does not print itself, for it knows the password.
pub(crate) struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    place: String,
}

impl Server {
    /// Reads the address and the secret.
    pub(crate) fn from_settings(settings: &SourceSettings, base: &Path) -> Result<Self, OpenError> {
        let source_name = || settings.name.clone();
        let refuse = |reason: &str| OpenError::Address {
            source_name: source_name(),
            // An address that cannot be understood may hold a secret anywhere.
            uri: "`uri`".to_owned(),
            reason: reason.to_owned(),
        };
        let [uri] = settings.uris() else {
            return Err(refuse(
                "a database is a source alone; make each table a source",
            ));
        };
        let expected = "expected postgres://user@host:5432/database";
        let mut config: Config = uri.parse().map_err(|_| refuse(expected))?;
        if config.get_password().is_some() {
            return Err(refuse(
                "it holds a password; leave it out and set `password = { env = \"…\" }`",
            ));
        }
        let Some(user) = config.get_user() else {
            return Err(refuse(
                "it names no user; expected postgres://user@host:5432/database",
            ));
        };
        if config.get_hosts().is_empty() {
            return Err(refuse(expected));
        }
        let place = place_of(&config, user);
        if let Some(secret) = &settings.password {
            let secret = secret.read(base).map_err(|cause| OpenError::Database {
                source_name: source_name(),
                place: place.clone(),
                cause: cause.into(),
            })?;
            config.password(secret.reveal());
        }
        config.application_name("sameas");
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        config.tcp_user_timeout(SILENCE_TIMEOUT);
        // Beyond this machine nothing is sent in the clear unless the address says so.
        if !uri.contains("sslmode=") && !config.get_hosts().iter().all(is_here) {
            config.ssl_mode(SslMode::Require);
        }
        let tls = (config.get_ssl_mode() != SslMode::Disable)
            .then(tls)
            .flatten();
        Ok(Self { config, tls, place })
    }

    /// Returns the address without anything secret.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Opens a session that can read only.
    pub(crate) async fn connect(&self, table: &str) -> Result<Client, DatabaseFault> {
        let fault = |error: tokio_postgres::Error| DatabaseFault::of(&error, table);
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await.map_err(fault)?;
                tokio::spawn(connection);
                client
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(fault)?;
                tokio::spawn(connection);
                client
            }
        };
        client.batch_execute(SESSION).await.map_err(fault)?;
        Ok(client)
    }

    /// Asks the server to end what a session is doing, without waiting for it.
    pub(crate) fn cancel_later(self: &Arc<Self>, token: CancelToken) {
        if let Ok(runtime) = Handle::try_current() {
            let server = Arc::clone(self);
            runtime.spawn(async move { server.cancel(token).await });
        }
    }

    async fn cancel(&self, token: CancelToken) {
        // Whether it worked does not matter: the session ends with its connection as well.
        let _ = match &self.tls {
            Some(tls) => token.cancel_query(tls.clone()).await,
            None => token.cancel_query(NoTls).await,
        };
    }
}

/// Returns what encrypts connections and checks certificates against those that this machine
/// trusts.
fn tls() -> Option<MakeRustlsConnect> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(MakeRustlsConnect::new(config))
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            let address: Option<std::net::IpAddr> = name.parse().ok();
            name == "localhost" || address.is_some_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn place_of(config: &Config, user: &str) -> String {
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(PORT);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            #[cfg(unix)]
            Host::Unix(path) => format!("{}:{port}", path.display()),
        }
    });
    let hosts: Vec<_> = hosts.collect();
    let database = config.get_dbname().unwrap_or(user);
    format!("postgres://{}/{database}", hosts.join(","))
}
