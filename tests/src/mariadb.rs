//! A throw-away MariaDB server.

use std::io::Write as _;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;

use crate::postgres::{free_port, unprivileged};

/// A server on loopback with a database `crm`, ended and removed when dropped.
#[derive(Debug)]
pub struct MariaDb {
    folder: TempDir,
    programs: Programs,
    port: u16,
    server: Option<Child>,
}

/// Where the programs of the server are.
#[derive(Clone, Debug)]
struct Programs {
    server: PathBuf,
    install: PathBuf,
    client: PathBuf,
}

impl MariaDb {
    /// Starts a server, or says why there is none on this machine.
    ///
    /// With `SAMEAS_REQUIRE_MARIADB` set, as in continuous integration, there has to be one.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                env::var_os("SAMEAS_REQUIRE_MARIADB").is_none(),
                "MariaDB is not installed: apt-get install mariadb-server"
            );
            eprintln!("SKIPPED: MariaDB is not installed (apt-get install mariadb-server)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        if let Some((user, group)) = unprivileged() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let mut mariadb = Self {
            folder,
            programs,
            port: free_port(),
            server: None,
        };
        let mut install = mariadb.program(&mariadb.programs.install);
        install
            .arg("--no-defaults")
            .arg(format!("--datadir={}", mariadb.data().display()))
            // Two that start at once take each other's files in a common folder for theirs.
            .arg(format!("--tmpdir={}", mariadb.folder.path().display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(["--innodb-log-file-size=4M", "--innodb-flush-method=nosync"]);
        let made = install.output().unwrap();
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "mariadb-install-db: {said}");
        mariadb.resume();
        mariadb.sql_in("mysql", "CREATE DATABASE crm CHARACTER SET utf8mb4");
        Some(mariadb)
    }

    /// Starts the server again after [`stop`](Self::stop), on the same port.
    pub fn resume(&mut self) {
        let mut start = self.program(&self.programs.server);
        let in_folder = |name: &str| self.folder.path().join(name).display().to_string();
        start
            .arg("--no-defaults")
            .arg(format!("--datadir={}", self.data().display()))
            .arg(format!("--socket={}", in_folder("socket")))
            .arg(format!("--pid-file={}", in_folder("pid")))
            .arg(format!("--tmpdir={}", self.folder.path().display()))
            .arg(format!("--port={}", self.port))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve"])
            .args(["--innodb-log-file-size=4M", "--innodb-flush-method=nosync"])
            .args([
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=64M",
            ])
            .args(["--key-buffer-size=1M", "--aria-pagecache-buffer-size=1M"])
            .args(["--max-connections=60", "--character-set-server=utf8mb4"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.server = Some(start.spawn().unwrap());
        for _ in 0..400 {
            if self.client("mysql", "SELECT 1").is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("MariaDB does not answer");
    }

    /// Ends the server at once, without a word to its clients.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address of the database `crm` for a user.
    pub fn uri(&self, user: &str) -> String {
        format!("mysql://{user}@127.0.0.1:{}/crm", self.port)
    }

    /// Runs SQL in the database `crm`, and returns the rows as lines.
    pub fn sql(&self, sql: &str) -> String {
        self.sql_in("crm", sql)
    }

    /// Returns what runs SQL in the database `crm` from another thread.
    pub fn session(&self) -> impl Fn(&str) + Send + use<> {
        let (programs, port) = (self.programs.clone(), self.port);
        move |sql| {
            client(&programs.client, port, "crm", sql).unwrap_or_else(|said| panic!("{said}"));
        }
    }

    fn sql_in(&self, database: &str, sql: &str) -> String {
        self.client(database, sql)
            .unwrap_or_else(|said| panic!("{said}"))
    }

    fn client(&self, database: &str, sql: &str) -> Result<String, String> {
        client(&self.programs.client, self.port, database, sql)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns a program of the server, run by somebody whom it trusts: it refuses the superuser.
    fn program(&self, path: &Path) -> Command {
        let mut command = Command::new(path);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.stop();
    }
}

fn client(program: &Path, port: u16, database: &str, sql: &str) -> Result<String, String> {
    let mut client = Command::new(program)
        .args([
            "--no-defaults",
            "--protocol=tcp",
            "-h",
            "127.0.0.1",
            "-u",
            "root",
        ])
        .args([
            "-P",
            &port.to_string(),
            "-N",
            "-B",
            "--default-character-set=utf8mb4",
        ])
        .arg(database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A client that cannot connect ends before it has read all.
    let _ = client.stdin.take().unwrap().write_all(sql.as_bytes());
    let output = client.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

/// Finds the programs of the server; it itself is not on everybody's path.
fn programs() -> Option<Programs> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/bin".into()])
        .collect();
    let find = |name: &str| {
        let all = folders.iter().map(|folder| folder.join(name));
        all.into_iter().find(|path| fs::metadata(path).is_ok())
    };
    Some(Programs {
        server: find("mariadbd")?,
        install: find("mariadb-install-db")?,
        client: find("mariadb")?,
    })
}
