//! The trusted issuers, and the verification of their tokens.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Header, Validation, dangerous};
use moka::sync::Cache;
use serde_json::{Map, Value};

use super::{key_set::KeySet, problem::TokenProblem};
use crate::{
    auth::token::{Access, token_digest},
    clock::Clock,
    config::{ClaimNames, Config, TrustedIssuer},
    egress::Egress,
};

/// Maximum difference between the clocks of the two systems.
const LEEWAY: TimeDelta = TimeDelta::seconds(30);
/// The maximum lifetime of a token.
const MAX_LIFETIME: TimeDelta = TimeDelta::hours(1);
/// How long a verified token is kept. Its keys are not read again in this time.
const VERIFIED_MAX_AGE: Duration = Duration::from_mins(10);
/// Maximum verified tokens that are kept. The least used ones are evicted and verified again.
const VERIFIED_TOKENS: u64 = 100_000;
/// Maximum length of a claim about the user, in bytes. Longer ones count as missing.
const CLAIM_MAX: usize = 512;

/// A valid token of a trusted issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedToken {
    /// The issuer.
    pub issuer: String,
    /// What identifies the user at the issuer.
    pub subject: String,
    /// The proposed username.
    pub username: Option<String>,
    /// The name to show.
    pub display_name: Option<String>,
    /// The address, if the issuer states that it is verified.
    pub email: Option<String>,
    /// When the token was issued.
    pub issued_at: DateTime<Utc>,
    /// When the token expires.
    pub expires_at: DateTime<Utc>,
}

impl IssuedToken {
    /// The SHA-256 hash of what the token states about the user, by which a change is recognised.
    #[must_use]
    pub fn profile_digest(&self) -> Vec<u8> {
        let profile = (&self.username, &self.display_name, &self.email);
        // Serialising text into memory does not fail.
        let profile = serde_json::to_vec(&profile).unwrap_or_default();
        digest(&SHA256, &profile).as_ref().to_vec()
    }
}

struct Issuer {
    trusted: TrustedIssuer,
    keys: KeySet,
}

/// The trusted issuers of this server.
pub struct TrustedIssuers {
    issuers: Vec<Issuer>,
    egress: Arc<Egress>,
    clock: Clock,
    /// Verified tokens by digest. Cleared when an issuer replaces its keys.
    known: Cache<[u8; 32], Access>,
}

impl fmt::Debug for TrustedIssuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.issuers.iter().map(|issuer| &issuer.trusted.issuer);
        f.debug_list().entries(names).finish()
    }
}

impl TrustedIssuers {
    /// Creates the issuers of the configuration. Their keys are loaded when the first token needs them.
    #[must_use]
    pub fn new(config: &Config, egress: Arc<Egress>, clock: &Clock) -> Self {
        let issuers = config.trusted_issuers.iter().map(|trusted| Issuer {
            keys: KeySet::new(trusted.jwks.clone()),
            trusted: trusted.clone(),
        });
        Self {
            issuers: issuers.collect(),
            egress,
            clock: clock.clone(),
            known: Cache::builder()
                .max_capacity(VERIFIED_TOKENS)
                .time_to_live(VERIFIED_MAX_AGE)
                .build(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Loads the keys of each issuer, and returns the names of the issuers with the reasons for failures.
    pub async fn check_keys(&self) -> Vec<(String, Result<(), String>)> {
        let mut results = vec![];
        for issuer in &self.issuers {
            let result = issuer.keys.check(&self.egress, &self.clock).await;
            results.push((issuer.trusted.issuer.clone(), result));
        }
        results
    }

    /// Returns the session of a token that was [kept](Self::keep) and has not expired.
    #[must_use]
    pub fn known(&self, token: &str) -> Option<Access> {
        let known = self.known.get(&token_digest(token)?)?;
        (self.clock.now() <= known.expires_at + LEEWAY).then_some(known)
    }

    /// Keeps the session of a verified token, so that it is not verified with each request.
    pub fn keep(&self, token: &str, access: Access) {
        if let Some(digest) = token_digest(token) {
            self.known.insert(digest, access);
        }
    }

    /// Returns the claims of a token that one of the issuers has signed for this server and that is valid now.
    pub async fn verify(&self, token: &str) -> Result<IssuedToken, TokenProblem> {
        let header =
            jsonwebtoken::decode_header(token).map_err(|_error| TokenProblem::Malformed)?;
        check_header(&header)?;
        let claimed: Map<String, Value> =
            dangerous::insecure_decode_claims(token).map_err(|_error| TokenProblem::Malformed)?;
        let name = text(&claimed, "iss")?;
        let issuer = self.issuers.iter().find(|one| one.trusted.issuer == name);
        let Some(Issuer { trusted, keys }) = issuer else {
            return Err(TokenProblem::UnknownIssuer(name));
        };
        let id = header.kid.as_deref();
        let (public_key, has_changed) = keys.key(id, &self.egress, &self.clock).await?;
        if has_changed {
            self.known.invalidate_all();
        }
        if header.alg != public_key.algorithm {
            return Err(TokenProblem::Algorithm);
        }
        let mut validation = Validation::new(public_key.algorithm);
        validation.set_issuer(&[&trusted.issuer]);
        validation.set_audience(&[&trusted.audience]);
        validation.set_required_spec_claims(&["iss", "aud"]);
        // The times are checked below, with the server's clock.
        validation.validate_exp = false;
        let decoding_key = public_key.decoding_key().ok_or(TokenProblem::Algorithm)?;
        let claims = jsonwebtoken::decode(token, &decoding_key, &validation)
            .map_err(|error| TokenProblem::Invalid(error.to_string()))?
            .claims;
        self.issued(&claims, trusted)
    }

    fn issued(
        &self,
        claims: &Map<String, Value>,
        trusted: &TrustedIssuer,
    ) -> Result<IssuedToken, TokenProblem> {
        let (issued_at, expires_at) = (time(claims, "iat")?, time(claims, "exp")?);
        let not_before = match claims.get("nbf") {
            Some(_) => time(claims, "nbf")?,
            None => issued_at,
        };
        let now = self.clock.now();
        if issued_at.max(not_before) > now + LEEWAY {
            return Err(TokenProblem::NotYetValid);
        }
        if expires_at - issued_at > MAX_LIFETIME {
            return Err(TokenProblem::TooLong);
        }
        if now > expires_at + LEEWAY {
            return Err(TokenProblem::Expired);
        }
        let ClaimNames {
            display_name,
            email,
            subject,
            username,
        } = &trusted.claims;
        let is_verified = claims.get("email_verified") == Some(&Value::Bool(true));
        Ok(IssuedToken {
            issuer: trusted.issuer.clone(),
            subject: text(claims, subject)?,
            username: text(claims, username).ok(),
            display_name: text(claims, display_name).ok(),
            email: text(claims, email).ok().filter(|_| is_verified),
            issued_at,
            expires_at,
        })
    }
}

/// Refuses the parameters that would replace the key, and those that the server would have to understand (RFC 7515,
/// section 4.1; RFC 8725, section 3.10), and types of tokens that are not access tokens.
fn check_header(header: &Header) -> Result<(), TokenProblem> {
    let kind = header.typ.as_deref().unwrap_or("JWT");
    let is_access_token = ["JWT", "at+jwt", "application/at+jwt"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known));
    for (is_refused, name) in [
        (!is_access_token, "typ"),
        (header.crit.is_some(), "crit"),
        (header.jku.is_some(), "jku"),
        (header.jwk.is_some(), "jwk"),
        (header.x5u.is_some(), "x5u"),
    ] {
        if is_refused {
            return Err(TokenProblem::Header(name));
        }
    }
    Ok(())
}

/// Returns a claim with text that is neither empty nor too long.
fn text(claims: &Map<String, Value>, name: &str) -> Result<String, TokenProblem> {
    let text = claims.get(name).and_then(Value::as_str);
    let text = text.filter(|text| (1..=CLAIM_MAX).contains(&text.len()) && !text.contains('\0'));
    text.map(str::to_owned)
        .ok_or_else(|| TokenProblem::Claim(name.to_owned()))
}

/// Returns a claim with a time in seconds of Unix time, which may have a fraction (RFC 7519, section 2).
fn time(claims: &Map<String, Value>, name: &str) -> Result<DateTime<Utc>, TokenProblem> {
    let value = claims.get(name);
    let whole = value.and_then(Value::as_i64);
    let seconds = whole.or_else(|| format!("{:.0}", value?.as_f64()?.floor()).parse().ok());
    seconds
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .ok_or_else(|| TokenProblem::Claim(name.to_owned()))
}
