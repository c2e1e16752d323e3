//! What goes to stdout, and how errors read.

use std::borrow::Cow;
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
    if text.is_empty() {
        return Ok(());
    }
    print_text(&text)
}

/// Prints text to stdout, ended by one newline.
pub(crate) fn print_text(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", harmless(text.trim_end_matches('\n')))?;
    stdout.flush()?;
    Ok(())
}

/// Tells people something on stderr.
pub(crate) fn note(text: &str) {
    // If stderr is gone nobody is left to tell.
    let _ = writeln!(io::stderr().lock(), "{}", harmless(&without_users(text)));
}

/// Shows control characters instead of doing what they say: keys and names are strangers' bytes,
/// and a terminal obeys some of them.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    shown(text, |c| c.is_control() && !matches!(c, '\n' | '\t'))
}

/// Shows what would break a line, too: a value must not pass for a line of ours.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    shown(text, char::is_control)
}

fn shown(text: &str, obeys: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&obeys) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().map(|c| match c {
        c if obeys(c) => c.escape_default().to_string(),
        c => c.to_string(),
    });
    Cow::Owned(shown.collect())
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
    without_users(&text)
}

/// Leaves users and passwords out of addresses: one may stand where a path or a name was expected.
fn without_users(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, address) = rest.split_at(at + 3);
        shown.push_str(before);
        rest = match user_end(address) {
            Some(end) => {
                shown.push('…');
                &address[end..]
            }
            None => address,
        };
    }
    shown + rest
}

/// Returns where the user and the password of an address end, which may have blanks in it.
fn user_end(address: &str) -> Option<usize> {
    let line = address.split(['\n', '`']).next().unwrap_or(address);
    let line = line.split("://").next().unwrap_or(line);
    let (word, _) = line.split_at(line.find(char::is_whitespace).unwrap_or(line.len()));
    let has_password = word.split_once(':').is_some_and(|(_, rest)| {
        let port_or_path = rest.split('/').next().unwrap_or(rest);
        !port_or_path.bytes().all(|byte| byte.is_ascii_digit())
    });
    word.rfind('@')
        .or_else(|| line.rfind('@').filter(|_| has_password))
}

/// Returns whether whoever read stdout has closed it.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::{harmless, without_users};

    #[test]
    fn no_password_of_an_address_is_told() {
        for (text, shown) in [
            (
                "postgres://u:p@ss/w@h/db is no file",
                "postgres://…@h/db is no file",
            ),
            (
                "see https://example.org/a b@c",
                "see https://example.org/a b@c",
            ),
            ("`s3://k@b` and `x://y`", "`s3://…@b` and `x://y`"),
            ("mysql://u:p w@h:1/db fails", "mysql://…@h:1/db fails"),
            ("at http://h:80/ by a@b", "at http://h:80/ by a@b"),
        ] {
            assert_eq!(without_users(text), shown);
        }
    }

    #[test]
    fn a_key_cannot_speak_to_the_terminal() {
        assert_eq!(
            harmless("crm \u{1b}[2Jé\u{9b}x\r\tend\n"),
            "crm \\u{1b}[2Jé\\u{9b}x\\r\tend\n"
        );
    }
}
