//! What the values of settings must look like. Each refusal is the end of a sentence about the value.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use url::Url;

use super::{LogFormat, Mode, SignUpPolicy};

pub(super) const MICROSECONDS: fn(u64) -> Duration = Duration::from_micros;
pub(super) const SECONDS: fn(u64) -> Duration = Duration::from_secs;
pub(super) const MINUTES: fn(u64) -> Duration = Duration::from_mins;

/// Longest edit and delete windows: a year.
const MAX_WINDOW_SECONDS: u64 = 31_536_000;

/// As many as 128 bits have in hexadecimal digits: fewer could be guessed.
const MIN_SECRET_BYTES: usize = 32;
const MAX_SECRET_BYTES: usize = 4096;

const UNLIMITED: &str = "unlimited";

pub(super) fn number<T>(text: &str, range: RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    text.replace('_', "")
        .parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            format!(
                "must be a whole number from {} to {}",
                range.start(),
                range.end()
            )
        })
}

pub(super) fn duration(
    text: &str,
    unit: fn(u64) -> Duration,
    range: RangeInclusive<u64>,
) -> Result<Duration, String> {
    number(text, range).map(unit)
}

pub(super) fn window(text: &str) -> Result<Option<Duration>, String> {
    if text == UNLIMITED {
        return Ok(None);
    }
    duration(text, SECONDS, 1..=MAX_WINDOW_SECONDS)
        .map(Some)
        .map_err(|reason| format!("{reason}, or `{UNLIMITED}`"))
}

pub(super) fn window_text(window: Option<Duration>) -> String {
    window.map_or_else(
        || UNLIMITED.to_owned(),
        |window| window.as_secs().to_string(),
    )
}

pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

pub(super) fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "development" => Ok(Mode::Development),
        "production" => Ok(Mode::Production),
        _ => Err("must be development or production".to_owned()),
    }
}

pub(super) const fn mode_text(mode: Mode) -> &'static str {
    match mode {
        Mode::Development => "development",
        Mode::Production => "production",
    }
}

pub(super) fn sign_up_policy(text: &str) -> Result<SignUpPolicy, String> {
    match text {
        "open" => Ok(SignUpPolicy::Open),
        "invite-only" => Ok(SignUpPolicy::InviteOnly),
        _ => Err("must be open or invite-only".to_owned()),
    }
}

pub(super) const fn sign_up_policy_text(policy: SignUpPolicy) -> &'static str {
    match policy {
        SignUpPolicy::Open => "open",
        SignUpPolicy::InviteOnly => "invite-only",
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be auto, text or json".to_owned()),
    }
}

pub(super) const fn log_format_text(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Auto => "auto",
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    }
}

pub(super) fn log_level(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::builder().parse(text) {
        // A word that is no level is taken for the name of a module that never logs.
        Ok(filter) if !text.is_empty() && filter.to_string() != format!("{text}=trace") => {
            Ok(text.to_owned())
        }
        _ => Err("must be a level, or levels by module".to_owned()),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        Err("must be a folder".to_owned())
    } else {
        Ok(PathBuf::from(text))
    }
}

pub(super) fn server_name(text: &str) -> Result<String, String> {
    let good = (1..=60).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if good {
        Ok(text.to_owned())
    } else {
        Err("must have 1 to 60 characters".to_owned())
    }
}

pub(super) fn database_url(text: &str) -> Result<String, String> {
    let is_sqlite = text
        .strip_prefix("sqlite:")
        .is_some_and(|path| !path.is_empty());
    let is_postgres = Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql") && url.has_authority());
    if is_sqlite || is_postgres {
        Ok(text.to_owned())
    } else {
        Err("must begin with sqlite: or postgres://".to_owned())
    }
}

pub(super) fn redis_url(text: &str) -> Result<Option<String>, String> {
    let is_redis = Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "redis" | "rediss") && url.has_host());
    if is_redis {
        Ok(Some(text.to_owned()))
    } else {
        Err("must begin with redis:// or rediss:// and name a host".to_owned())
    }
}

pub(super) fn secret_key(text: &str) -> Result<Option<String>, String> {
    if (MIN_SECRET_BYTES..=MAX_SECRET_BYTES).contains(&text.len()) {
        Ok(Some(text.to_owned()))
    } else {
        Err("must have at least 32 characters; openssl rand -base64 36 makes some".to_owned())
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_error| "must be an address and a port".to_owned())
}

pub(super) fn public_url(text: &str) -> Result<Option<String>, String> {
    let reason = "must be an http or https address without a path";
    origin(text).map(Some).ok_or_else(|| reason.to_owned())
}

pub(super) fn addresses(text: &str) -> Result<Vec<IpAddr>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse()
                .map_err(|_bad| "must be addresses without a port, with commas".to_owned())
        })
        .collect()
}

pub(super) fn addresses_text(addresses: &[IpAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    texts.join(",")
}

pub(super) fn origins(text: &str) -> Result<Vec<String>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(origin)
        .collect::<Option<Vec<String>>>()
        .ok_or_else(|| {
            "must be whole http or https origins, without a path or a wildcard, with commas"
                .to_owned()
        })
}

/// Scheme, host and port as browsers write them in `Origin`.
fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let bare = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && !text.contains('*');
    bare.then(|| url.origin().ascii_serialization())
}

/// Addresses whose passwords can be told from the rest.
const SCHEMES: [&str; 5] = ["sqlite", "postgres", "postgresql", "redis", "rediss"];

/// A URL with its password, if it has one, replaced by stars; all of it when it is another secret.
pub(super) fn without_password(text: &str) -> String {
    let mut url = match Url::parse(text) {
        Ok(url) if SCHEMES.contains(&url.scheme()) => url,
        _ if text.is_empty() => return String::new(),
        _ => return "***".to_owned(),
    };
    let hidden: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| {
            let value = if name.contains("password") {
                "***".into()
            } else {
                value
            };
            (name.into_owned(), value.into_owned())
        })
        .collect();
    if hidden.iter().any(|(_, value)| value == "***") {
        url.query_pairs_mut().clear().extend_pairs(hidden);
    }
    if url.password().is_none() {
        return if url.query().is_some() {
            url.into()
        } else {
            text_of(&url, text)
        };
    }
    match url.set_password(Some("***")) {
        Ok(()) => url.into(),
        Err(()) => "***".to_owned(),
    }
}

/// `sqlite:` paths stay as they were written.
fn text_of(url: &Url, text: &str) -> String {
    if url.scheme() == "sqlite" {
        text.to_owned()
    } else {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_values_say_what_a_value_must_be() {
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
            assert!(redis_url(bad).is_err(), "{bad}");
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

    #[test]
    fn passwords_become_stars() {
        for (url, shown) in [
            (
                "postgres://ann:hunter2@db/heddle",
                "postgres://ann:***@db/heddle",
            ),
            ("postgres://ann@db/heddle", "postgres://ann@db/heddle"),
            ("redis://:hunter2@cache", "redis://:***@cache"),
            ("hunter2:hunter2", "***"),
            ("", ""),
            (
                "postgres://db/heddle?user=ann&password=hunter2",
                "postgres://db/heddle?user=ann&password=***",
            ),
            ("sqlite:data/heddle.sqlite", "sqlite:data/heddle.sqlite"),
            (
                "sqlite:///srv/x.sqlite?mode=rwc",
                "sqlite:///srv/x.sqlite?mode=rwc",
            ),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
