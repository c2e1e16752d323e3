//! `sameas serve` as a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use sameas_api::v1::identity_service_client::IdentityServiceClient;
use tonic::transport::Channel;

use crate::{Ran, binary};

/// A server process on a free port; it is killed when dropped.
#[derive(Debug)]
pub struct Serving {
    child: Child,
    address: SocketAddr,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Serving {
    /// Starts a server over the graph of a settings file and waits until it listens.
    pub fn start(settings: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(settings)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        // Read all the time, so that a full pipe never holds the server up.
        let stderr = thread::spawn(move || read_all(&mut stderr, String::new()));
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Some(address) = line
            .trim()
            .rsplit(' ')
            .next()
            .and_then(|word| word.parse().ok())
        else {
            let _ = child.kill();
            panic!(
                "the server does not listen: {line}{}",
                stderr.join().unwrap()
            );
        };
        let stdout = thread::spawn(move || read_all(&mut stdout, line));
        Self {
            child,
            address,
            stdout: Some(stdout),
            stderr: Some(stderr),
        }
    }

    /// Returns a client connected to it.
    pub async fn client(&self) -> IdentityServiceClient<Channel> {
        IdentityServiceClient::new(self.channel().await)
    }

    /// Returns a connection to it.
    pub async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.tcp_nodelay(true).connect().await.unwrap()
    }

    /// Asks it to stop, as an operator would, and returns what it said.
    pub fn stop(mut self) -> Ran {
        let asked = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(asked.unwrap().success(), "the server is gone");
        let code = self.child.wait().unwrap().code();
        let said = |reader: &mut Option<JoinHandle<String>>| reader.take().unwrap().join().unwrap();
        Ran {
            code,
            stdout: said(&mut self.stdout),
            stderr: said(&mut self.stderr),
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended already if it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(from: &mut impl Read, mut text: String) -> String {
    let mut bytes = Vec::new();
    // A pipe that breaks has said what it had to say.
    let _ = from.read_to_end(&mut bytes);
    text.push_str(&String::from_utf8_lossy(&bytes));
    text
}
