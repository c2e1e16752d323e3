//! Logs to stderr.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::args::LogLevel;

/// Starts logging.
///
/// The level is that of our own crates: what others log at their lower levels may hold
/// bytes of requests, which have no place in a log.
pub(crate) fn start(level: LogLevel) {
    let directives = match level {
        LogLevel::Off => "off",
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "warn,sameas=info",
        LogLevel::Debug => "warn,sameas=debug",
        LogLevel::Trace => "warn,sameas=trace",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(directives))
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
}
