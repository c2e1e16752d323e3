//! Starts and stops the server.

use std::path::PathBuf;
use std::process;

use anyhow::Result;
use sameas_server::{Bound, Server, ServerConfig, Values, asked_to_stop};

use crate::output;

/// The exit code of a process that was told twice to stop.
const CUT_SHORT: i32 = 2;

/// Opens the graph and takes the port.
pub(crate) fn bind(config: ServerConfig, folder: PathBuf, values: Values) -> Result<Bound> {
    Ok(Server::bind_with(config, folder, values)?)
}

/// Ends at the first SIGTERM or SIGINT; a second one ends the process at once.
pub(crate) async fn until_stopped() {
    if let Err(cause) = asked_to_stop().await {
        output::note(&format!("cannot listen for signals, stopping: {cause}"));
        return;
    }
    output::note("stopping; a second signal stops at once");
    tokio::spawn(async {
        if asked_to_stop().await.is_ok() {
            process::exit(CUT_SHORT);
        }
    });
}
