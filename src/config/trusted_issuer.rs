//! The setting `trusted_issuers`: other systems whose access tokens are accepted.

use std::{collections::BTreeSet, path::PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

/// Maximum trusted issuers.
const ISSUERS_MAX: usize = 20;

/// Another system whose access tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedIssuer {
    /// What the claim `aud` of its tokens has to contain.
    pub audience: String,
    /// The names of the claims about the user.
    #[serde(default, skip_serializing_if = "ClaimNames::are_standard")]
    pub claims: ClaimNames,
    /// The claim `iss` of its tokens.
    pub issuer: String,
    /// Its public keys.
    pub jwks: JwksLocation,
}

/// The names of the claims about the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimNames {
    /// The name to show.
    pub display_name: String,
    /// The address, which is stored only if the claim `email_verified` is true.
    pub email: String,
    /// What identifies the user at the issuer.
    pub subject: String,
    /// The proposed username.
    pub username: String,
}

impl Default for ClaimNames {
    /// The claims of OpenID Connect (Core 1.0, section 5.1).
    fn default() -> Self {
        Self {
            display_name: "name".to_owned(),
            email: "email".to_owned(),
            subject: "sub".to_owned(),
            username: "preferred_username".to_owned(),
        }
    }
}

impl ClaimNames {
    fn are_standard(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a set of public keys is (JWKS, RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum JwksLocation {
    /// At a URL.
    Url(Url),
    /// In a file.
    File(PathBuf),
}

impl From<String> for JwksLocation {
    fn from(text: String) -> Self {
        match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Self::Url(url),
            _ => Self::File(text.into()),
        }
    }
}

impl From<JwksLocation> for String {
    fn from(location: JwksLocation) -> Self {
        match location {
            JwksLocation::Url(url) => url.into(),
            JwksLocation::File(path) => path.display().to_string(),
        }
    }
}

/// Parses a list of issuers in JSON.
pub(super) fn trusted_issuers(text: &str) -> Result<Vec<TrustedIssuer>, String> {
    if text.is_empty() {
        return Ok(vec![]);
    }
    let issuers: Vec<TrustedIssuer> = serde_json::from_str(text).map_err(|error| {
        format!("must be a list of objects with issuer, audience and jwks: {error}")
    })?;
    let names: BTreeSet<_> = issuers.iter().map(|one| one.issuer.as_str()).collect();
    if names.len() < issuers.len() || names.contains("") {
        return Err("must have a different issuer in each object".to_owned());
    }
    if issuers.iter().any(|one| one.audience.is_empty()) {
        return Err("must have an audience in each object".to_owned());
    }
    if issuers.len() > ISSUERS_MAX {
        return Err(format!("must have at most {ISSUERS_MAX} objects"));
    }
    Ok(issuers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_json() {
        let text = r#"[{"issuer": "https://a.example", "audience": "chat", "jwks": "https://a.example/keys",
                        "claims": {"username": "login"}},
                       {"issuer": "b", "audience": "chat", "jwks": "/etc/b.json"}]"#;
        let [a, b] = trusted_issuers(text).unwrap().try_into().unwrap();
        assert_eq!(
            (a.claims.username.as_str(), a.claims.subject.as_str()),
            ("login", "sub")
        );
        assert!(matches!(a.jwks, JwksLocation::Url(_)));
        assert_eq!(b.jwks, JwksLocation::File("/etc/b.json".into()));
        assert_eq!(trusted_issuers(""), Ok(vec![]));
        for bad in [
            "https://a.example",
            r#"[{"issuer": "a", "audience": "b"}]"#,
            r#"[{"issuer": "", "audience": "b", "jwks": "c"}]"#,
            r#"[{"issuer": "a", "audience": "", "jwks": "c"}]"#,
            r#"[{"issuer": "a", "audience": "b", "jwks": "c", "jwk": "d"}]"#,
            r#"[{"issuer": "a", "audience": "b", "jwks": "c"}, {"issuer": "a", "audience": "d", "jwks": "c"}]"#,
        ] {
            assert!(trusted_issuers(bad).is_err(), "{bad}");
        }
    }
}
