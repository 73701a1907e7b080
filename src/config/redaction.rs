//! Hides the secret parts of values that are printed or logged.

use url::Url;

/// URL schemes whose password can be separated from the rest.
const SCHEMES: [&str; 7] = [
    "sqlite",
    "postgres",
    "postgresql",
    "redis",
    "rediss",
    "smtp",
    "smtps",
];
const HIDDEN: &str = "***";

/// Replaces the password of a URL with `***`. Hides every other value completely.
pub(super) fn redacted(text: &str) -> String {
    let mut url = match Url::parse(text) {
        Ok(url) if SCHEMES.contains(&url.scheme()) => url,
        _ if text.is_empty() => return String::new(),
        _ => return HIDDEN.to_owned(),
    };
    let is_password = |name: &str| name.contains("password");
    if url.query_pairs().any(|(name, _)| is_password(&name)) {
        let pairs = url.query_pairs().into_owned().map(|(name, value)| {
            let value = if is_password(&name) {
                HIDDEN.to_owned()
            } else {
                value
            };
            (name, value)
        });
        let pairs: Vec<(String, String)> = pairs.collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    } else if url.password().is_none() && url.scheme() == "sqlite" {
        // Parsing would change a relative path.
        return text.to_owned();
    }
    if url.password().is_some() && url.set_password(Some(HIDDEN)).is_err() {
        return HIDDEN.to_owned();
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(redacted(url), shown);
        }
    }
}
