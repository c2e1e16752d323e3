//! The workspace tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod cli;
mod continuity;
mod crash;
mod determinism;
mod limits;
mod oracle;
mod privacy;
mod quality;
