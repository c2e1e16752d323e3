//! The workspace tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod continuity;
mod crash;
mod determinism;
mod oracle;
mod privacy;
