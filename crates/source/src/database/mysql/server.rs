//! Where a server is, and how it is reached.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use futures::FutureExt;
use mysql_async::prelude::Queryable;
use mysql_async::{BinaryProtocol, Conn, Opts, OptsBuilder, Params, QueryResult, Row, SslOpts};
use percent_encoding::percent_decode_str;
use rustls::RootCertStore;
use tokio::runtime::Handle;
use url::{Host, Url};

use crate::database::DatabaseFault;
use crate::database::name::told_database;
use crate::descriptor::SourceSettings;
use crate::error::OpenError;

/// How long a server may take until a session is ready.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing may come before the other side is asked whether it is there.
const KEEPALIVE_TIME: Duration = Duration::from_secs(30);
/// How long a query may send nothing: a view may compute for a while before its first row.
const SILENCE_MAX: Duration = Duration::from_mins(10);
/// How long a session may take to say good-bye.
const PARTING_TIME: Duration = Duration::from_millis(100);
/// The bytes of one record; its cells are cut at the server.
const PACKET_LEN_MAX: usize = 64 << 20;
/// Statements that the server keeps prepared for a session.
const STATEMENT_COUNT_MAX: usize = 4;
const PORT: u16 = 3306;

/// What every session begins with: nothing can be written, nobody is waited for without end, no
/// setting of the server shortens an answer, and a query ends in bounded time even if its client is
/// gone, which no server of this kind notices before it sends something.
///
/// What stands in `/*M! */` is for `MariaDB` and what stands in `/*!50708 */` for `MySQL`.
const SESSION: &str = "SET NAMES utf8mb4; \
     SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; \
     SET SESSION sql_mode = '', time_zone = '+00:00', sql_select_limit = 18446744073709551615, \
     autocommit = 1, lock_wait_timeout = 30, net_read_timeout = 600, net_write_timeout = 600, \
     wait_timeout = 3600 /*M!100101 , max_statement_time = 60 */ \
     /*!50708 , max_execution_time = 60000 */";
/// Lets the queries of a session take a day: a scan takes as long as its reader.
const SCANNING: &str = "SET SESSION net_write_timeout = 600 \
     /*M!100101 , max_statement_time = 86400 */ /*!50708 , max_execution_time = 86400000 */";
/// Tells one server from another behind the same address.
const NODE: &str = "SELECT CONCAT_WS(':', @@hostname, @@port, @@server_id)";

/// A server and a user of it. It does not print itself, for it knows the password.
#[derive(Clone)]
pub(crate) struct Server {
    options: Opts,
    place: String,
}

/// What an address says.
struct Address {
    host: String,
    port: u16,
    user: String,
    database: String,
    socket: Option<String>,
    is_encrypted: bool,
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
        let address = Address::read(uri).map_err(refuse)?;
        let mut options = OptsBuilder::default()
            .ip_or_hostname(address.host)
            .tcp_port(address.port)
            .user(Some(address.user))
            .db_name(Some(address.database))
            .prefer_socket(false)
            .socket(address.socket)
            .tcp_keepalive(Some(KEEPALIVE_TIME))
            .max_allowed_packet(Some(PACKET_LEN_MAX))
            .wait_timeout(Some(0))
            .stmt_cache_size(STATEMENT_COUNT_MAX);
        if let Some(secret) = &settings.password {
            let secret = secret.read(base).map_err(|cause| OpenError::Database {
                source_name: source_name(),
                place: address.place.clone(),
                cause: cause.into(),
            })?;
            options = options.pass(Some(secret.reveal()));
        }
        if address.is_encrypted {
            options = options.ssl_opts(trust());
        }
        Ok(Self {
            options: options.into(),
            place: address.place,
        })
    }

    /// Tells whether the server is on this machine.
    pub(crate) fn is_near(&self) -> bool {
        let host = self.options.ip_or_hostname();
        self.options.socket().is_some()
            || host.eq_ignore_ascii_case("localhost")
            || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
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
        let fault = |error| match DatabaseFault::of_mysql(&error, table) {
            DatabaseFault::Login if self.options.pass().is_none() => DatabaseFault::NoPassword,
            // Before there is a session nothing has been read.
            DatabaseFault::Lost => DatabaseFault::unreachable("it closes the connection"),
            fault => fault,
        };
        let mut conn = Conn::new(self.options.clone()).await.map_err(fault)?;
        conn.query_drop(SESSION).await.map_err(fault)?;
        let node: Option<Option<String>> = conn.query_first(NODE).await.map_err(fault)?;
        Ok(Session {
            conn: Some(conn),
            server: self.clone(),
            node: node.flatten().unwrap_or_default(),
            is_busy: false,
        })
    }

    /// Ends a session and what it does, if the server that answers is the one that it is on.
    async fn end(&self, id: u32, node: &str) {
        let Ok(mut session) = self.connect("").await else {
            return;
        };
        if session.node == node {
            // Who is gone by itself is no loss.
            let _ = session.run(&format!("KILL {id}"), "").await;
        }
    }
}

impl Address {
    fn read(uri: &str) -> Result<Self, &'static str> {
        let expected = "expected mysql://user@host:3306/database";
        let url = Url::parse(uri).map_err(|_| expected)?;
        if url.password().is_some() {
            return Err("it holds a password; leave it out and set `password = { env = \"…\" }`");
        }
        let decoded = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8().ok();
            decoded.map(Cow::into_owned).filter(|text| !text.is_empty())
        };
        let user = decoded(url.username())
            .ok_or("it names no user; expected mysql://user@host:3306/database")?;
        let database = decoded(url.path().trim_start_matches('/'))
            .ok_or("it names no database; expected mysql://user@host:3306/database")?;
        let (host, is_here) = match url.host().ok_or(expected)? {
            Host::Domain(name) => {
                let address: Option<IpAddr> = name.parse().ok();
                let is_here = address.is_some_and(|address| address.is_loopback());
                (
                    decoded(name).ok_or(expected)?,
                    is_here || name == "localhost",
                )
            }
            Host::Ipv4(address) => (address.to_string(), address.is_loopback()),
            Host::Ipv6(address) => (address.to_string(), address.is_loopback()),
        };
        let (mut socket, mut is_encrypted) = (None, None);
        for (name, value) in url.query_pairs() {
            match (name.as_ref(), value.to_ascii_lowercase().as_str()) {
                ("socket", _) => socket = Some(value.into_owned()),
                ("sslmode" | "ssl-mode", "disable" | "disabled") => is_encrypted = Some(false),
                // Certificates are checked wherever a connection is encrypted.
                ("sslmode" | "ssl-mode", mode)
                    if mode.starts_with("require") || mode.starts_with("verify") =>
                {
                    is_encrypted = Some(true);
                }
                _ => {
                    return Err(
                        "of parameters it takes `sslmode=disable`, `sslmode=require` and `socket=…` only",
                    );
                }
            }
        }
        let port = url.port().unwrap_or(PORT);
        let told = told_database(&database);
        let place = match &socket {
            Some(socket) => format!("mysql://{socket}/{told}"),
            None if host.contains(':') => format!("mysql://[{host}]:{port}/{told}"),
            None => format!("mysql://{host}:{port}/{told}"),
        };
        // Beyond this machine nothing is sent in the clear unless the address says so; within it
        // nobody listens, and certificates are seldom anybody's.
        let is_near = is_here || socket.is_some();
        Ok(Self {
            host,
            port,
            user,
            database,
            is_encrypted: socket.is_none() && is_encrypted.unwrap_or(!is_near),
            socket,
            place,
        })
    }
}

/// Returns what checks certificates against those that this machine trusts.
fn trust() -> SslOpts {
    // The client asks for the process's own choice, which nothing else here makes.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs().certs;
    let usable = found
        .into_iter()
        .filter(|certificate| roots.add(certificate.clone()).is_ok());
    let certificates = usable.map(|certificate| certificate.to_vec().into());
    SslOpts::default()
        .with_disable_built_in_roots(true)
        .with_root_certs(certificates.collect())
}

/// A session; with it ends whatever it was doing at the server.
pub(crate) struct Session {
    conn: Option<Conn>,
    server: Server,
    node: String,
    /// Whether the server may still be at work on what it was asked.
    is_busy: bool,
}

impl Session {
    /// Runs what gives no rows.
    pub(crate) async fn run(&mut self, sql: &str, table: &str) -> Result<(), DatabaseFault> {
        let conn = self.conn.as_mut().ok_or(DatabaseFault::Lost)?;
        self.is_busy = true;
        let ran = patiently(conn.query_drop(sql), table).await;
        self.is_busy = ran.as_ref().is_err_and(is_silence);
        ran
    }

    /// Lets this session take as long as a scan takes.
    pub(crate) async fn allow_scan(&mut self, table: &str) -> Result<(), DatabaseFault> {
        self.run(SCANNING, table).await
    }

    /// Returns whether the server still answers.
    pub(crate) async fn is_alive(&mut self) -> bool {
        match &mut self.conn {
            Some(conn) => matches!(
                tokio::time::timeout(CONNECT_TIMEOUT, conn.ping()).await,
                Ok(Ok(()))
            ),
            None => false,
        }
    }

    /// Returns the database that names without one are of.
    pub(crate) fn database(&self) -> &str {
        self.server.options.db_name().unwrap_or_default()
    }

    /// Asks a query with its parameters bound.
    pub(crate) async fn ask<'s>(
        &'s mut self,
        query: &str,
        parameters: Params,
        table: &'s str,
    ) -> Result<Rows<'s>, DatabaseFault> {
        let conn = self.conn.as_mut().ok_or(DatabaseFault::Lost)?;
        self.is_busy = true;
        match patiently(conn.exec_iter(query, parameters), table).await {
            Ok(result) => Ok(Rows {
                result,
                is_busy: &mut self.is_busy,
                table,
            }),
            Err(fault) => {
                self.is_busy = is_silence(&fault);
                Err(fault)
            }
        }
    }

    /// Asks for all rows of a small answer.
    pub(crate) async fn all(
        &mut self,
        query: &str,
        parameters: Params,
        table: &str,
    ) -> Result<Vec<Row>, DatabaseFault> {
        let mut rows = self.ask(query, parameters, table).await?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().await? {
            all.push(row);
        }
        Ok(all)
    }
}

/// The rows of an answer, as they come.
pub(crate) struct Rows<'s> {
    result: QueryResult<'s, 'static, BinaryProtocol>,
    is_busy: &'s mut bool,
    table: &'s str,
}

impl Rows<'_> {
    /// Returns the next row; nothing if the server says that there is no more.
    pub(crate) async fn next(&mut self) -> Result<Option<Row>, DatabaseFault> {
        let next = patiently(self.result.next(), self.table).await;
        *self.is_busy = match &next {
            Ok(row) => row.is_some(),
            Err(fault) => is_silence(fault),
        };
        next
    }
}

/// Tells whether the server may be at work although nobody waits for it any more.
fn is_silence(fault: &DatabaseFault) -> bool {
    matches!(fault, DatabaseFault::Unreachable { .. })
}

/// Waits for an answer, but not for ever.
async fn patiently<T>(
    answer: impl Future<Output = mysql_async::Result<T>>,
    table: &str,
) -> Result<T, DatabaseFault> {
    match tokio::time::timeout(SILENCE_MAX, answer).await {
        Ok(answered) => answered.map_err(|error| DatabaseFault::of_mysql(&error, table)),
        Err(_) => Err(DatabaseFault::Unreachable {
            reason: format!("silent for {} s", SILENCE_MAX.as_secs()),
        }),
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let (Some(conn), Ok(runtime)) = (self.conn.take(), Handle::try_current()) else {
            return;
        };
        if !self.is_busy {
            drop(runtime.spawn(tokio::time::timeout(PARTING_TIME, conn.disconnect())));
            return;
        }
        let (server, node, id) = (
            self.server.clone(),
            std::mem::take(&mut self.node),
            conn.id(),
        );
        drop(runtime.spawn(async move {
            // A client that is dropped first reads all that is left; one that is already saying
            // good-bye is cut.
            drop(conn.disconnect().now_or_never());
            server.end(id, &node).await;
        }));
    }
}

/// Returns the user and the database of an address.
pub(crate) fn user_and_database(uri: &str) -> Option<(String, String)> {
    let address = Address::read(uri).ok()?;
    Some((address.user, address.database))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn addresses_are_read_and_never_repeat_a_password() {
        let read = |uri: &str| Address::read(uri);
        let near = read("mariadb://reader@127.0.0.1/crm").unwrap();
        assert_eq!(near.place, "mysql://127.0.0.1:3306/crm");
        assert!(!near.is_encrypted);
        let far = read("mysql://a%40b@db.example:3307/crm").unwrap();
        assert!(far.is_encrypted && far.user == "a@b" && far.port == 3307);
        assert!(
            !read("mysql://u@db/crm?ssl-mode=DISABLED")
                .unwrap()
                .is_encrypted
        );
        assert!(
            read("mysql://u@[::1]/crm?sslmode=verify-full")
                .unwrap()
                .is_encrypted
        );
        let local = read("mysql://u@localhost/crm?socket=/run/mysqld/mysqld.sock").unwrap();
        assert_eq!(local.socket.as_deref(), Some("/run/mysqld/mysqld.sock"));
        for (uri, says) in [
            ("mysql://u:hunter2@db/crm", "holds a password"),
            ("mysql://u:hunter2:x@@[/crm", "expected mysql://"),
            ("mysql://db/crm", "no user"),
            ("mysql://u@db", "no database"),
            ("mysql://u@db/crm?password=hunter2", "of parameters"),
        ] {
            let said = read(uri).err().unwrap();
            assert!(said.contains(says) && !said.contains("hunter2"), "{said}");
        }
    }
}
