//! Where a server is, and how it is reached.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database::DatabaseFault;
use crate::database::name::told_database;
use crate::descriptor::SourceSettings;
use crate::error::OpenError;

/// How long a server may take until a session is ready.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long sent bytes may stay unacknowledged before the connection counts as broken, and how
/// long nothing may come before the other side is asked whether it is there.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_COUNT: u32 = 3;
/// How long a session may take to say good-bye.
const PARTING_TIME: Duration = Duration::from_millis(100);
const PORT: u16 = 5432;

/// What every session begins with: nothing can be written, nobody is waited for without end, and
/// a query ends soon after its client is gone (which servers notice since version 14).
const SESSION: &str = "SET default_transaction_read_only = on; SET lock_timeout = '30s'; \
     SET client_min_messages = error; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601'; \
     SET extra_float_digits = 1; SET timezone = 'UTC'; SET bytea_output = 'hex'; \
     SELECT set_config('client_connection_check_interval', '1s', false) \
     WHERE current_setting('server_version_num')::int >= 140000";

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
        let mut config = config_of(uri).ok_or_else(|| refuse(expected))?;
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
        let [host] = config.get_hosts() else {
            return Err(refuse(
                "it names no host or several; all parts of a table are read from one server",
            ));
        };
        if !config.get_hostaddrs().is_empty() {
            return Err(refuse("it holds `hostaddr`; name the address as the host"));
        }
        let is_here = is_here(host);
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
        config.tcp_user_timeout(SILENCE_TIMEOUT);
        config.keepalives_idle(SILENCE_TIMEOUT);
        config.keepalives_interval(KEEPALIVE_INTERVAL);
        config.keepalives_retries(KEEPALIVE_COUNT);
        // Beyond this machine nothing is sent in the clear unless the address says so; within it
        // nobody listens, and certificates are seldom anybody's.
        if config.get_ssl_mode() == SslMode::Prefer {
            let (near, far) = (SslMode::Disable, SslMode::Require);
            config.ssl_mode(if is_here { near } else { far });
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
    pub(crate) async fn connect(&self, table: &str) -> Result<Session, DatabaseFault> {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.connect_patiently(table));
        connected.await.unwrap_or_else(|_| {
            let reason = format!("silent for {} s", CONNECT_TIMEOUT.as_secs());
            Err(DatabaseFault::Unreachable { reason })
        })
    }

    async fn connect_patiently(&self, table: &str) -> Result<Session, DatabaseFault> {
        let fault = |error: tokio_postgres::Error| DatabaseFault::of(&error, table);
        let (client, connection) = if let Some(tls) = &self.tls {
            let (client, connection) = self.config.connect(tls.clone()).await.map_err(fault)?;
            (client, tokio::spawn(connection).abort_handle())
        } else {
            let (client, connection) = self.config.connect(NoTls).await.map_err(fault)?;
            (client, tokio::spawn(connection).abort_handle())
        };
        let client = Some(client);
        let session = Session { client, connection };
        session.get()?.batch_execute(SESSION).await.map_err(fault)?;
        Ok(session)
    }
}

/// A session; with it ends whatever it was doing at the server.
pub(crate) struct Session {
    client: Option<Client>,
    connection: AbortHandle,
}

impl Session {
    /// Returns what asks the server.
    pub(crate) fn get(&self) -> Result<&Client, DatabaseFault> {
        self.client.as_ref().ok_or(DatabaseFault::Lost)
    }

    /// Returns whether the server is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.as_ref().is_none_or(Client::is_closed)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // An idle session says good-bye by itself; one in the middle of a query would first wait
        // for its end, so it is cut.
        self.client = None;
        let connection = self.connection.clone();
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                tokio::time::sleep(PARTING_TIME).await;
                connection.abort();
            })),
            Err(_) => connection.abort(),
        }
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

fn config_of(uri: &str) -> Option<Config> {
    // Certificates are checked wherever a connection is encrypted.
    let known = uri
        .replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require");
    known.parse().ok()
}

/// Tells whether an address leads to a server on this machine.
pub(crate) fn is_near(uri: &str) -> bool {
    config_of(uri).is_some_and(|config| config.get_hosts().iter().all(is_here))
}

/// Returns user and database of an address.
pub(crate) fn address_of(uri: &str) -> Option<(String, String)> {
    let config = config_of(uri)?;
    let user = config.get_user()?;
    let database = config.get_dbname().unwrap_or(user);
    Some((user.to_owned(), database.to_owned()))
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
    let database = told_database(config.get_dbname().unwrap_or(user));
    format!("postgres://{}/{database}", hosts.join(","))
}
