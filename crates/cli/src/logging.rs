//! Logs to stderr.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::args::LogLevel;

/// Starts logging.
///
/// The level is that of our own crates: what others log at their lower levels may hold
/// bytes of requests, which have no place in a log. What h2 warns of is what any client may do
/// as often as it likes.
pub(crate) fn start(level: LogLevel) {
    let directives = match level {
        LogLevel::Off => "off",
        LogLevel::Error => "error",
        LogLevel::Warn => "warn,h2=error",
        LogLevel::Info => "warn,h2=error,sameas=info",
        LogLevel::Debug => "warn,h2=error,sameas=debug",
        LogLevel::Trace => "warn,h2=error,sameas=trace",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(directives))
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
}
