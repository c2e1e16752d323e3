//! `sameas serve`: lookups over gRPC.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use sameas_resolve::Settings;
use sameas_server::ServerConfig;
use serde::Serialize;

use super::Outcome;
use crate::args::Shared;
use crate::output::{self, Answer};
use crate::service;
use crate::{graph, job, values};

/// What `serve` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// The address to listen on, instead of the settings'; port 0 takes any free port.
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    listen: Option<SocketAddr>,
    /// Lets other machines connect although nothing is encrypted.
    #[arg(long)]
    insecure_plaintext: bool,
    /// Answers about ids alone: opens no source and takes no token for values, whatever callers
    /// the settings name.
    #[arg(long)]
    lookup_only: bool,
}

/// Where the server listens.
#[derive(Debug, Serialize)]
struct ServeAnswer {
    listen: SocketAddr,
    revision: u64,
}

impl Answer for ServeAnswer {
    fn text(&self) -> String {
        format!("serving revision {} on {}", self.revision, self.listen)
    }
}

pub(super) fn run(shared: &Shared, args: &ServeArgs) -> Result<Outcome> {
    let settings = job::settings(shared)?;
    // Names the folder of another graph, or a missing one, before a port is taken.
    let revision = graph::folder(&settings)?.current()?;
    let revision = revision.map_or(0, |snapshot| snapshot.revision().get());
    let values = values::offered(shared, &settings, revision, args.lookup_only)?;
    let config = config(shared, args, &settings)?;
    let bound = service::bind(config, settings.graph_path(), values)?;
    let answer = ServeAnswer {
        listen: bound.local_addr(),
        revision: bound.revision().get(),
    };
    output::print(shared.format, &answer)?;
    let drained = bound.serve(service::until_stopped())?;
    if drained.connections_cut > 0 {
        output::note(&format!("{} connections were cut", drained.connections_cut));
    }
    Ok(Outcome::Done)
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let error = "an address is a number and a port, as 127.0.0.1:50051 or [::1]:50051; names such as localhost are not looked up";
    text.parse().map_err(|_| error.to_owned())
}

fn config(shared: &Shared, args: &ServeArgs, settings: &Settings) -> Result<ServerConfig> {
    let listen = args.listen.or_else(|| settings.listen_address());
    Ok(ServerConfig {
        listen: listen.context("no address to listen on; set [serve] listen")?,
        insecure_plaintext: args.insecure_plaintext,
        behind_tls_proxy: settings.serve.behind_tls_proxy,
        worker_count: shared.threads.map_or(0, usize::from),
        proxies: settings.proxy_addresses(),
        ..ServerConfig::default()
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    #[test]
    fn an_address_that_is_none_is_refused_with_an_example() {
        for text in ["localhost:26120", "127.0.0.1"] {
            let error = Args::try_parse_from(["sameas", "serve", "--listen", text]).unwrap_err();
            assert!(error.to_string().contains("127.0.0.1:50051"), "{error}");
        }
        assert!(listen_address("[::1]:0").is_ok());
    }

    #[test]
    fn proxies_are_those_of_the_settings_or_this_machine() {
        let Args { command, shared } = Args::parse_from(["sameas", "serve"]);
        let Command::Serve(args) = command else {
            panic!("this is `serve`")
        };
        let mut settings = Settings::default();
        let default = config(&shared, &args, &settings).unwrap();
        assert_eq!(default, ServerConfig::default());
        settings.serve.proxies = vec!["10.0.0.7".to_owned()];
        let config = config(&shared, &args, &settings).unwrap();
        assert_eq!(
            config.proxies,
            ["10.0.0.7".parse::<std::net::IpAddr>().unwrap()]
        );
    }
}
