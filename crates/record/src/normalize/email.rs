//! E-mail addresses.

use super::placeholder::is_filler_email;

/// Appends the first address: user without tag, and domain; nothing unless both are there.
///
/// A tag is what follows a plus sign in the user part. Dots count: whether they matter is a
/// matter of each provider.
pub(super) fn push_email(folded: &str, out: &mut String) {
    let mut addresses = folded.split([',', ';', '<', '>', '|', ' ', '"', '(', ')', '[', ']']);
    let Some((user, domain)) = addresses.find_map(parse) else {
        return;
    };
    if !is_filler_email(user, domain) {
        out.push_str(user);
        out.push('@');
        out.push_str(domain);
    }
}

/// Reads one address as user and domain.
fn parse(text: &str) -> Option<(&str, &str)> {
    let mut text = text.trim_start_matches(is_edge);
    while let Some(address) = text.strip_prefix("mailto:") {
        text = address.trim_start_matches(is_edge);
    }
    let text = text.split('?').next().unwrap_or(text);
    let (user, domain) = text.rsplit_once('@')?;
    let user = user.trim_matches(is_edge);
    let domain = domain.trim_matches(is_edge);
    let user = user
        .split('+')
        .next()
        .filter(|user| !user.is_empty())
        .unwrap_or(user);
    let user = user.trim_matches(is_edge);
    (has_alphanumeric(user) && has_alphanumeric(domain)).then_some((user, domain))
}

/// Tells whether a sign at either end of a part is a slip of the pen.
fn is_edge(character: char) -> bool {
    matches!(character, '.' | '@' | '\'' | '`' | ':' | '/' | '\\')
}

fn has_alphanumeric(part: &str) -> bool {
    part.contains(char::is_alphanumeric)
}
