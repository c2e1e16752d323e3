//! `sameas schema`: the JSON Schema of settings, for editors.

use anyhow::Result;

use super::Outcome;
use crate::output;

pub(super) fn run() -> Result<Outcome> {
    output::print_text(&serde_json::to_string_pretty(
        &sameas_resolve::json_schema(),
    )?)?;
    Ok(Outcome::Done)
}
