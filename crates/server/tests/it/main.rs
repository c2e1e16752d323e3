//! The server, asked by real clients over loopback.

#![expect(clippy::unwrap_used, reason = "a failed test should panic")]

mod batch;
mod bounds;
mod drain;
mod entity;
mod explain;
mod history;
mod lookup;
mod profile;
mod running;
mod surroundings;
mod swap;
mod world;
