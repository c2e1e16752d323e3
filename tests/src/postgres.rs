//! A throw-away PostgreSQL server.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;

use crate::Draw;

/// Where Debian keeps the server's programs, of which only some are on the path.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A server on loopback with a database `crm`, ended and removed when dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    server: Option<Child>,
}

impl Postgres {
    /// Starts a server, or says why there is none on this machine.
    ///
    /// With `SAMEAS_REQUIRE_POSTGRES` set, as in continuous integration, there has to be one.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                env::var_os("SAMEAS_REQUIRE_POSTGRES").is_none(),
                "PostgreSQL is not installed: apt-get install postgresql"
            );
            eprintln!("SKIPPED: PostgreSQL is not installed (apt-get install postgresql)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        if let Some((user, group)) = unprivileged() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let mut postgres = Self {
            folder,
            programs,
            port: free_port(),
            server: None,
        };
        let mut init = postgres.program("initdb");
        init.args(["--username=postgres", "--auth=trust", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--pgdata"])
            .arg(postgres.data());
        let made = init.output().unwrap();
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "initdb: {said}");
        postgres.resume();
        postgres.sql_in("postgres", "CREATE DATABASE crm");
        Some(postgres)
    }

    /// Starts the server again after [`stop`](Self::stop), on the same port.
    pub fn resume(&mut self) {
        let mut start = self.program("postgres");
        start
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-k", ""])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "wal_level=logical", "-c", "max_connections=50"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.server = Some(start.spawn().unwrap());
        for _ in 0..200 {
            if self.psql("postgres", "SELECT 1").is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL does not answer");
    }

    /// Ends the server at once, without a word to its clients.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // An immediate shutdown takes the server's children along, which a kill would not.
            let asked = Command::new("kill")
                .args(["-QUIT", &server.id().to_string()])
                .status();
            assert!(asked.unwrap().success(), "the server is gone");
            server.wait().unwrap();
        }
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address of the database `crm` for a user.
    pub fn uri(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/crm", self.port)
    }

    /// Runs SQL in the database `crm`.
    pub fn sql(&self, sql: &str) -> String {
        self.sql_in("crm", sql)
    }

    /// Lets users in by password only, except the superuser.
    pub fn require_passwords(&self) {
        let rules =
            "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(self.data().join("pg_hba.conf"), rules).unwrap();
        self.sql("SELECT pg_reload_conf()");
    }

    /// Returns what runs SQL in the database `crm` from another thread.
    pub fn session(&self) -> impl Fn(&str) + Send + use<> {
        let (programs, port) = (self.programs.clone(), self.port);
        move |sql| {
            psql(&programs, port, "crm", sql).unwrap_or_else(|said| panic!("{said}"));
        }
    }

    fn sql_in(&self, database: &str, sql: &str) -> String {
        self.psql(database, sql)
            .unwrap_or_else(|said| panic!("{said}"))
    }

    fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        psql(&self.programs, self.port, database, sql)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns a program of the server, run by somebody whom it trusts: it refuses the superuser.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group);
        }
        command
    }
}

fn psql(programs: &Path, port: u16, database: &str, sql: &str) -> Result<String, String> {
    let mut psql = Command::new(programs.join("psql"))
        .args(["-h", "127.0.0.1", "-p", &port.to_string()])
        .args([
            "-U",
            "postgres",
            "-d",
            database,
            "-qAtX",
            "-v",
            "ON_ERROR_STOP=1",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    psql.stdin
        .take()
        .unwrap()
        .write_all(sql.as_bytes())
        .unwrap();
    let output = psql.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Finds a port below those that clients get, or a client that waits for the server could get it.
pub(crate) fn free_port() -> u16 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let mut draw = Draw::new(u64::from(std::process::id()) << 16 | call);
    loop {
        let port = 20_000 + draw.below(12_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Finds the folder of the server's programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|found| found.path().join("bin")).collect();
    folders.sort();
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).collect::<Vec<_>>();
    let is_whole = |folder: &&PathBuf| {
        let has = |name: &str| folder.join(name).is_file();
        has("initdb") && has("postgres") && has("psql")
    };
    let mut all = folders.iter().rev().chain(&on_path);
    all.find(is_whole).cloned()
}

/// Returns whom the server runs as, if this is the superuser: `nobody`.
pub(crate) fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let me = fs::metadata("/proc/self").ok()?.uid();
    (me == 0).then_some((65_534, 65_534))
}

/// Returns a settings text in which a source is a table instead of files.
///
/// # Panics
///
/// If the text has no such files.
pub fn as_table(settings: &Path, files: &str, uri: &str, table: &str) -> String {
    let text = fs::read_to_string(settings).unwrap();
    let from = format!("uri = \"{files}\"");
    assert!(text.contains(&from), "the settings name no {files}");
    text.replace(&from, &format!("uri = \"{uri}\"\ntable = \"{table}\""))
}
