//! The types of values, how they are parsed from text and how they are written as text. A parse error is the end of a
//! sentence whose subject is the value: "must be true or false".

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use figment::error::Kind;
use ipnet::IpNet;
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

use crate::domain::text;

/// The longest edit and delete windows: one year.
const MAX_WINDOW_SECONDS: u64 = 31_536_000;
/// 128 bits in hexadecimal digits. A shorter secret could be guessed.
const MIN_SECRET_BYTES: usize = 32;
const MAX_SECRET_BYTES: usize = 4096;
const UNLIMITED: &str = "unlimited";

/// Whether the server accepts settings that are unsafe when others can reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// For a developer's own machine.
    Development,
    /// For a server that others can reach: unsafe settings are rejected.
    Production,
}

/// Who may create an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignUpPolicy {
    /// Anyone may register.
    Open,
    /// Anyone with an invitation may register.
    InviteOnly,
    /// Only administrators create accounts.
    Closed,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Text, for humans.
    Text,
    /// JSON, for log collectors.
    Json,
}

/// The text form of a scalar, of a list of strings, or, in JSON, of a list of tables; `None` for every other value.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) if !value.is_f64() => Some(value.to_string()),
        Value::Array(list) if list.first().is_some_and(Value::is_object) => Some(value.to_string()),
        Value::Array(list) => {
            let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        _ => None,
    }
}

/// The text form of a field of `Config`; empty for `None`.
pub(super) fn text_of<T: Serialize>(field: &T) -> String {
    let value = serde_json::to_value(field).ok();
    value.as_ref().and_then(text).unwrap_or_default()
}

#[expect(clippy::ref_option, reason = "a writer takes a reference to its field")]
pub(super) fn window_text(window: &Option<Duration>) -> String {
    window.map_or_else(
        || UNLIMITED.to_owned(),
        |window| window.as_secs().to_string(),
    )
}

/// Parses a value of an enum.
pub(super) fn choice<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    figment::value::Value::from(text)
        .deserialize()
        .map_err(|error| match error.kind {
            Kind::UnknownVariant(_, [rest @ .., last]) => {
                format!("must be {} or {last}", rest.join(", "))
            }
            other => other.to_string(),
        })
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    text.parse()
        .map_err(|_error| "must be true or false".to_owned())
}

pub(super) fn number<T>(text: &str, range: RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display + Clone,
{
    let (first, last) = range.clone().into_inner();
    let number = text.replace('_', "").parse().ok();
    let number = number.filter(|number| range.contains(number));
    number.ok_or_else(|| format!("must be a whole number from {first} to {last}"))
}

pub(super) fn window(text: &str) -> Result<Option<Duration>, String> {
    if text == UNLIMITED {
        return Ok(None);
    }
    match number(text, 1..=MAX_WINDOW_SECONDS) {
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
        Err(reason) => Err(format!("{reason}, or `{UNLIMITED}`")),
    }
}

/// Returns the text itself if it meets a condition.
fn check(text: &str, is_good: bool, reason: &str) -> Result<String, String> {
    let text = is_good.then(|| text.to_owned());
    text.ok_or_else(|| reason.to_owned())
}

pub(super) fn log_level(text: &str) -> Result<String, String> {
    // The parser takes an unknown level for the name of a module that never logs.
    let is_good = !text.is_empty()
        && tracing_subscriber::EnvFilter::builder()
            .parse(text)
            .is_ok_and(|filter| filter.to_string() != format!("{text}=trace"));
    check(text, is_good, "must be a level, or levels by module")
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    check(text, !text.is_empty(), "must be a path").map(PathBuf::from)
}

/// Maximum length of the name of the server, in characters.
const MAX_SERVER_NAME_CHARS: usize = 60;

pub(super) fn server_name(text: &str) -> Result<String, String> {
    let mut problems = vec![];
    let line = text::line("server_name", MAX_SERVER_NAME_CHARS, text, &mut problems);
    line.filter(|_| problems.is_empty()).ok_or_else(|| {
        format!(
            "must be one line of 1 to {MAX_SERVER_NAME_CHARS} characters, of which one is visible, none controls \
             devices and none changes the direction of text"
        )
    })
}

/// The rules for addresses and passwords of users apply when the account is created.
pub(super) fn email(text: &str) -> Result<String, String> {
    check(text, text.contains('@'), "must be an email address")
}

pub(super) fn password(text: &str) -> Result<String, String> {
    check(text, !text.is_empty(), "must not be empty")
}

pub(super) fn database_url(text: &str) -> Result<String, String> {
    let is_sqlite = text
        .strip_prefix("sqlite:")
        .is_some_and(|path| !path.is_empty());
    let is_postgres = Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql") && url.has_authority());
    check(
        text,
        is_sqlite || is_postgres,
        "must begin with sqlite: or postgres://",
    )
}

/// Whether the connection to this mail server is not encrypted.
#[must_use]
pub fn is_unencrypted(smtp_url: &Url) -> bool {
    smtp_url.scheme() == "smtp" && smtp_url.query() == Some("tls=none")
}

/// Returns the URL if it has one of the schemes and a host.
pub(super) fn host_url(text: &str, schemes: [&str; 2]) -> Result<String, String> {
    let is_good =
        Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host());
    let [one, other] = schemes;
    let reason = format!("must begin with {one}:// or {other}:// and name a host");
    check(text, is_good, &reason)
}

pub(super) fn sender(text: &str) -> Result<String, String> {
    let reason = "must be an email address, with or without a name";
    check(text, text.parse::<Mailbox>().is_ok(), reason)
}

pub(super) fn secret_key(text: &str) -> Result<String, String> {
    let is_good = (MIN_SECRET_BYTES..=MAX_SECRET_BYTES).contains(&text.len());
    let reason = "must have at least 32 characters; openssl rand -base64 36 generates some";
    check(text, is_good, reason)
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_error| "must be an address and a port".to_owned())
}

pub(super) fn public_url(text: &str) -> Result<String, String> {
    origin(text).ok_or_else(|| "must be an http or https address without a path".to_owned())
}

pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    let network = |part: &str| {
        let address = part.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_| part.parse()).ok()
    };
    list(
        text,
        "must be addresses without a port, or networks",
        network,
    )
}

pub(super) fn origins(text: &str) -> Result<Vec<String>, String> {
    let reason = "must be whole http or https origins, without a path or a wildcard";
    list(text, reason, origin)
}

/// Domains in the form in which those of addresses are compared.
pub(super) fn domains(text: &str) -> Result<Vec<String>, String> {
    let domain = |part: &str| {
        let address = text::email_key(&text::email_address(&format!("any@{part}"))?);
        address
            .strip_prefix("any@")
            .filter(|domain| domain.contains('.'))
            .map(str::to_owned)
    };
    list(text, "must be domain names", domain)
}

fn list<T>(text: &str, reason: &str, parse: fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let parts = text.split(',').map(str::trim);
    let list = parts.filter(|part| !part.is_empty()).map(parse).collect();
    Option::ok_or_else(list, || format!("{reason}, separated by commas"))
}

/// The scheme, host and port as browsers write them in `Origin`.
fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let origin = url.origin().ascii_serialization();
    let is_whole = matches!(url.scheme(), "http" | "https")
        && url.as_str().strip_suffix('/') == Some(&origin)
        && !text.contains('*');
    is_whole.then_some(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_server_is_a_visible_line() {
        assert_eq!(server_name(" U\u{308}bung "), Ok("Übung".to_owned()));
        assert_eq!(server_name(&"é".repeat(60)), Ok("é".repeat(60)));
        for bad in [
            "",
            " ",
            "\u{200b}",
            "a\nb",
            "a\u{2028}b",
            "a\u{202e}b",
            "a\u{7}",
            &"é".repeat(61),
        ] {
            assert!(server_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn errors_state_what_a_value_must_be() {
        assert_eq!(
            number("x", 1..=60_u64),
            Err("must be a whole number from 1 to 60".to_owned())
        );
        assert!(number("61", 1..=60_u64).is_err());
        assert_eq!(number("10_000", 1..=60_000_u64), Ok(10_000));
        assert!(window("0").unwrap_err().ends_with("or `unlimited`"));
        for bad in ["", "mysql://x/y", "sqlite:", "postgres:", "heddle.sqlite"] {
            assert!(database_url(bad).is_err(), "{bad}");
        }
        for bad in [
            "",
            "redis:",
            "redis:6379",
            "http://x",
            "unix:///run/redis.sock",
        ] {
            assert!(host_url(bad, ["redis", "rediss"]).is_err(), "{bad}");
        }
        assert!(secret_key("0123456789abcdef0123456789abcde").is_err());
        assert!(secret_key("0123456789abcdef0123456789abcdef").is_ok());
        for bad in ["", "localhost", "127.0.0.1", ":8000"] {
            assert!(address(bad).is_err(), "{bad}");
        }
        for bad in ["loud", "", "heddle=loud"] {
            assert!(log_level(bad).is_err(), "{bad}");
        }
        for good in ["info", "heddle=debug", "warn,heddle::http=trace", "off"] {
            assert!(log_level(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        for (text, shown) in [
            ("10.0.0.0/8, ::1", "10.0.0.0/8,::1/128"),
            ("127.0.0.1,fd00::/8", "127.0.0.1/32,fd00::/8"),
            ("", ""),
        ] {
            assert_eq!(text_of(&networks(text).unwrap()), shown);
        }
        for bad in [
            "10.0.0.0/33",
            "10.0.0.1:80",
            "proxy",
            "*",
            "10.0.0.1;10.0.0.2",
        ] {
            assert!(networks(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        assert_eq!(
            origins("https://A.example:443/, http://localhost:3000"),
            Ok(vec![
                "https://a.example".to_owned(),
                "http://localhost:3000".to_owned()
            ])
        );
        assert_eq!(origins(""), Ok(vec![]));
        for bad in [
            "example.com",
            "ftp://example.com",
            "*",
            "https://*.example.com",
            "https://example.com/path",
            "null",
        ] {
            assert!(origins(bad).is_err(), "{bad}");
        }
    }
}
