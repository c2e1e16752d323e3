//! Measures the server beside an empty echo server, on this machine, in one run.
//!
//! `cargo run --release -p sameas-server --example measure_server [ROUNDS] [CONNECTIONS] [unary|batch]` prints,
//! over interleaved rounds: unary lookups a second at 16 callers, the same for echo
//! servers on two kinds of runtime, and keys a second in batches of 1,000. Processor time
//! is that of the serving threads alone, so it holds on a busy machine as well.

mod echo;
mod graph;
mod load;

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use sameas_server::{Server, ServerConfig};

use crate::load::{Load, Sample, spread};

const KEY_COUNT: u32 = 1_000_000;
const ROUND: Duration = Duration::from_millis(200);

/// A server under measurement.
struct Subject {
    name: &'static str,
    /// How the names of its threads start.
    threads: &'static str,
    address: SocketAddr,
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default| words.get(index).map_or(Ok(default), |word| word.parse());
    let (rounds, connections) = (number(0, 25)?, number(1, 1)?);
    let is_wanted = |load: &str| words.get(2).is_none_or(|word| word == load);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("graph");
    graph::publish(&path, KEY_COUNT)?;
    let config = ServerConfig {
        listen: "127.0.0.1:0".parse()?,
        ..ServerConfig::default()
    };
    let bound = Server::bind(config, path)?;
    let ours = bound.local_addr();
    std::thread::spawn(move || bound.serve(std::future::pending()));
    let subjects = [
        Subject {
            name: "sameas",
            threads: "serve-",
            address: ours,
        },
        Subject {
            name: "echo, one thread",
            threads: "echo-ct",
            address: echo::one_thread()?,
        },
        Subject {
            name: "echo, thread pool",
            threads: "echo-mt",
            address: echo::pool()?,
        },
    ];
    if is_wanted("unary") {
        unary(&subjects, rounds, connections)?;
    }
    if is_wanted("batch") {
        batch(&subjects[0], rounds, connections)?;
    }
    Ok(())
}

fn unary(subjects: &[Subject], rounds: usize, connections: usize) -> Result<(), Box<dyn Error>> {
    let mut samples = vec![Vec::new(); subjects.len()];
    for round in 0..rounds {
        // Each goes first in turn, so that none always follows the same other.
        for place in 0..subjects.len() {
            let index = (round + place) % subjects.len();
            let (subject, samples) = (&subjects[index], &mut samples[index]);
            samples.push(load::run(
                subject.address,
                subject.threads,
                Load::Unary { connections },
                ROUND,
            )?);
        }
    }
    say(&format!(
        "unary lookup, 16 callers, {connections} connection(s), {rounds} rounds"
    ))?;
    say("                        calls/s: median      best   server us a call: median   least")?;
    for (subject, samples) in subjects.iter().zip(&samples) {
        let [_, rate, best] = spread(samples.iter().map(Sample::rate));
        let [least, cost, _] = spread(samples.iter().map(Sample::server_us));
        let name = subject.name;
        say(&format!(
            "  {name:<20} {rate:>16.0} {best:>9.0} {cost:>26.2} {least:>7.2}"
        ))?;
    }
    for (index, subject) in subjects.iter().enumerate().skip(1) {
        let rates = |samples: &[Sample]| spread(samples.iter().map(Sample::rate));
        let (ours, theirs) = (rates(&samples[0]), rates(&samples[index]));
        let (median, best) = (ours[1] / theirs[1], ours[2] / theirs[2]);
        say(&format!(
            "  sameas / {}: median {median:.3}, best {best:.3}",
            subject.name
        ))?;
    }
    Ok(())
}

fn batch(subject: &Subject, rounds: usize, connections: usize) -> Result<(), Box<dyn Error>> {
    let mut samples = Vec::new();
    for _ in 0..rounds {
        let load = Load::Batch { connections };
        samples.push(load::run(subject.address, subject.threads, load, ROUND)?);
    }
    let len = f64::from(load::BATCH_LEN);
    let [_, rate, best] = spread(samples.iter().map(|sample| sample.rate() * len));
    let [least, cost, _] = spread(samples.iter().map(|sample| sample.server_us() * 1e3 / len));
    say("batch lookup, 1,000 keys, 4 callers")?;
    say(&format!("  keys/s: median {rate:.0}, best {best:.0}"))?;
    say(&format!(
        "  server ns a key: median {cost:.0}, least {least:.0}"
    ))?;
    Ok(())
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}
