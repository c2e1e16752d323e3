//! What goes to stdout, and how errors read.

use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;

use crate::args::Format;

/// Something a command answers.
pub(crate) trait Answer: Serialize {
    /// Returns the answer as text for people.
    fn text(&self) -> String;
}

/// Prints an answer to stdout.
pub(crate) fn print(format: Format, answer: &impl Answer) -> Result<()> {
    let text = match format {
        Format::Text => answer.text(),
        Format::Json => serde_json::to_string_pretty(answer)?,
    };
    print_text(&text)
}

/// Prints text to stdout, ended by one newline.
pub(crate) fn print_text(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", text.trim_end_matches('\n'))?;
    stdout.flush()?;
    Ok(())
}

/// Tells people something on stderr.
pub(crate) fn note(text: &str) {
    // If stderr is gone nobody is left to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Returns an error with its causes; a cause that the text before it quotes is not repeated.
pub(crate) fn error_text(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Returns whether whoever read stdout has closed it.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
