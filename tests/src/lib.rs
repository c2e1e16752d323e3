//! Fixtures shared by the workspace tests and the benches.
//!
//! Everything here follows from seeds: the same call makes the same people, files and runs on
//! every machine. Nobody in here exists.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a fixture that cannot be made fails the test that wants it"
)]

mod binary;
mod disguise;
mod draw;
mod drivers;
mod folder;
mod job;
mod mariadb;
mod people;
mod postgres;
mod scanner;
mod server;
mod systems;
mod table;
mod told;

pub use binary::{Ran, binary, run, sameas};
pub use disguise::{Disguise, disguises};
pub use draw::Draw;
pub use drivers::{deltalake, driver};
pub use folder::{files_below, paths_below};
pub use job::{options, rebuild, rebuild_with};
pub use mariadb::MariaDb;
pub use people::{Person, people};
pub use postgres::{Postgres, as_table};
pub use scanner::{Leak, Scanner};
pub use server::Serving;
pub use systems::{Layout, Record, SOURCES, Systems};
pub use table::{Table, connect};
pub use told::told;
