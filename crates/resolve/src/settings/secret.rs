//! Finds secrets that somebody wrote into an address.

/// Parts of names that hold a secret wherever they stand.
const SECRET_NAMES: &[&str] = &["password", "passwd", "pwd", "secret"];

/// Parts of names that hold a secret among the parameters of an address.
const SECRET_PARAMETERS: &[&str] = &["token", "signature", "credential", "key", "sas"];

/// Parts of names that hold a secret among the options of a driver.
const SECRET_OPTIONS: &[&str] = &["token", "credential", "key", "authorization", "pkcs8"];

/// Returns whether an option of a driver is a secret by its name.
pub(super) fn is_option(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES
        .iter()
        .chain(SECRET_OPTIONS)
        .any(|word| name.contains(word))
}

/// Returns whether an address of a driver carries a secret; some have no scheme:
/// `user:password@account/database`.
pub(super) fn is_inline_without_scheme(uri: &str) -> bool {
    let names_user = |(user, _): (&str, &str)| user.contains(':');
    !uri.contains("://")
        && (is_inline(&format!("any://{uri}")) || uri.rsplit_once('@').is_some_and(names_user))
}

/// Returns whether an address carries a password, key or token.
pub(crate) fn is_inline(uri: &str) -> bool {
    let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let password = user
        .and_then(|user| user.split_once(':'))
        .map(|(_, password)| password);
    let (plain, parameters) = uri.split_once('?').unwrap_or((uri, ""));
    let is_secret = |name: &str| SECRET_NAMES.iter().any(|word| name.contains(word));
    let is_parameter = |name: &str| {
        name == "sig" || is_secret(name) || SECRET_PARAMETERS.iter().any(|word| name.contains(word))
    };
    password.is_some_and(is_literal)
        || has_pair(plain, [' ', ';'], is_secret)
        || has_pair(parameters, ['&', ';'], is_parameter)
}

/// Looks for `name=value` with such a name.
fn has_pair(text: &str, separators: [char; 2], is_secret: impl Fn(&str) -> bool) -> bool {
    let pairs = text
        .split(separators)
        .filter_map(|pair| pair.split_once('='));
    pairs
        .into_iter()
        .any(|(name, value)| is_secret(&name.to_ascii_lowercase()) && is_literal(value))
}

/// A value that is there and does not stand for a variable.
fn is_literal(value: &str) -> bool {
    !value.is_empty() && !value.starts_with('$')
}

#[cfg(test)]
mod tests {
    use super::{is_inline, is_inline_without_scheme, is_option};

    #[test]
    fn passwords_and_tokens_are_found() {
        for uri in [
            "postgres://reader:hunter2@db/customers",
            "s3://bucket/crm?secret_access_key=abc",
            "https://host/file.csv?sv=1&sig=abc",
            "host=db user=reader password=hunter2",
        ] {
            assert!(is_inline(uri), "{uri}");
        }
    }

    #[test]
    fn plain_addresses_pass() {
        for uri in [
            "data/crm.csv",
            "data/*.parquet",
            "data/country=de/key=1/",
            "s3://bucket/crm/",
            "postgres://reader@db/customers",
            "postgres://reader:${PASSWORD}@db/customers",
            "https://host/file.csv?version=2",
        ] {
            assert!(!is_inline(uri), "{uri}");
        }
    }

    #[test]
    fn options_are_secrets_by_their_names() {
        for name in [
            "password",
            "adbc.snowflake.sql.client_option.jwt_private_key",
            "AUTH_TOKEN",
        ] {
            assert!(is_option(name), "{name}");
        }
        for name in ["username", "adbc.snowflake.sql.account", "access_mode"] {
            assert!(!is_option(name), "{name}");
        }
        assert!(is_inline_without_scheme("reader:hunter2@account/db"));
        assert!(!is_inline_without_scheme("data/shop.db"));
    }
}
