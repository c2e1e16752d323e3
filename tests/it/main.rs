//! The workspace tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::pedantic,
    clippy::type_complexity,
    reason = "cases are data, and a case reads better whole"
)]

mod adbc;
mod bad_input;
mod bridges;
mod callers;
mod cli;
mod comparisons;
mod continuity;
mod crash;
mod determinism;
mod find;
mod init;
mod lake;
mod limits;
mod mariadb;
mod oracle;
mod postgres;
mod privacy;
mod quality;
mod recovery;
mod report;
mod six_systems;
mod sources;
mod splink;
mod truncation;
mod zero_config;
