//! `EdDSA` access tokens, and refresh tokens, whose secret is not stored in the database. Also signs opaque cursors.

use std::{fmt, time::Duration};

use aws_lc_rs::{
    constant_time,
    digest::{SHA256, digest},
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::sealing::SealingKey;
use crate::{
    error::Error,
    id::{SessionId, UserId},
};

/// The audience of the tokens: the API of their issuer.
const AUDIENCE: &str = "heddle";
/// The type of access tokens in RFC 9068.
const TYPE: &str = "at+jwt";
/// Maximum difference between the clocks of the nodes.
const LEEWAY_SECONDS: i64 = 30;
/// Longer tokens are rejected without a check.
pub const MAX_TOKEN_BYTES: usize = 4096;
/// Maximum cached tokens. The least used ones are evicted and verified again.
const VERIFIED_TOKENS: u64 = 100_000;
/// The maximum lifetime of a token.
const VERIFIED_MAX_AGE: Duration = Duration::from_hours(1);
/// Length of a tag: 128 bits cannot be guessed.
const TAG_BYTES: usize = 16;

/// The keys that are derived from one secret.
pub struct Keys {
    /// The claim `iss` of the tokens. Installations with the same secret do not accept each other's tokens.
    issuer: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    key_id: String,
    refresh: hmac::Key,
    opaque: hmac::Key,
    setup: hmac::Key,
    challenge: hmac::Key,
    /// Encrypts stored secrets.
    pub sealing: SealingKey,
    blind_index: hmac::Key,
    blind_digest: hmac::Key,
    /// Authentic access tokens by digest. The verification of a signature costs more than most requests.
    verified: Cache<[u8; 32], Authentic>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    jti: Uuid,
    iat: i64,
    exp: i64,
    /// Other issuers of tokens with our key may set it; we do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

/// An authentic access token. Whether it is valid depends on the time and on the settings.
#[derive(Clone, Copy)]
struct Authentic {
    access: Access,
    /// The claims `iat`, `nbf` (or `iat`) and `exp`, in seconds of Unix time.
    issued_at: i64,
    not_before: i64,
    expires_at: i64,
}

impl Authentic {
    /// Whether the token is valid at this time, and lives no longer than tokens may.
    fn is_valid(&self, now: i64, lifetime: Duration) -> bool {
        let seconds = lifetime.as_secs() + u64::from(lifetime.subsec_nanos() > 0);
        let lifetime = i64::try_from(seconds).unwrap_or(i64::MAX);
        let latest = now.saturating_add(LEEWAY_SECONDS);
        self.issued_at.max(self.not_before) <= latest
            && self.expires_at.saturating_sub(self.issued_at) <= lifetime
            && now <= self.expires_at.saturating_add(LEEWAY_SECONDS)
    }
}

/// The claims of a valid access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The user.
    pub user: UserId,
    /// The session that it belongs to.
    pub session: SessionId,
    /// The time at which it expires.
    pub expires_at: DateTime<Utc>,
}

/// The content of an authentic refresh token. Only the session knows whether it is the newest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// The session that it renews.
    pub session: SessionId,
    /// The number of renewals of the session before the token was issued.
    pub generation: i32,
}

impl Keys {
    /// Generates a secret: an Ed25519 key in PKCS #8 form.
    pub fn generate() -> Result<Vec<u8>, Error> {
        let pair = Ed25519KeyPair::generate().map_err(|e| Error::internal(e.to_string()))?;
        let document = pair
            .to_pkcs8()
            .map_err(|e| Error::internal(e.to_string()))?;
        Ok(document.as_ref().to_vec())
    }

    /// Derives the secret from a text that all nodes share.
    pub fn from_text(text: &str) -> Result<Vec<u8>, Error> {
        let purpose = hmac::Key::new(hmac::HMAC_SHA256, b"heddle secret key 1");
        let seed = hmac::sign(&purpose, text.as_bytes());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref())
            .map_err(|e| Error::internal(e.to_string()))?;
        let document = pair
            .to_pkcs8()
            .map_err(|e| Error::internal(e.to_string()))?;
        Ok(document.as_ref().to_vec())
    }

    /// Identifies the keys without revealing anything about them.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.key_id
    }

    /// Returns the [id](Self::id) of the keys that are derived from a secret. Fails if the secret is damaged.
    pub fn id_of(pkcs8: &[u8]) -> Result<String, Error> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|e| Error::internal(e.to_string()))?;
        let public = pair.public_key().as_ref();
        Ok(URL_SAFE_NO_PAD.encode(public.get(..6).unwrap_or(public)))
    }

    /// Derives the keys of an installation from a secret. The issuer is a URI (RFC 9562 defines `urn:uuid:`).
    pub fn new(pkcs8: &[u8], installation: Uuid) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|e| Error::internal(e.to_string()))?;
        let public = pair.public_key().as_ref();
        let secret = hmac::Key::new(hmac::HMAC_SHA256, pkcs8);
        let derive = |purpose: &[u8]| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&secret, purpose).as_ref())
        };
        let id = *public.first_chunk().unwrap_or(&[0; 6]);
        let sealing = hmac::sign(&secret, b"heddle stored secret 1");
        Ok(Self {
            issuer: installation.urn().to_string(),
            encoding: EncodingKey::from_ed_der(pkcs8),
            decoding: DecodingKey::from_ed_der(public),
            key_id: Self::id_of(pkcs8)?,
            refresh: derive(b"heddle refresh token 1"),
            opaque: derive(b"heddle sealed text 1"),
            setup: derive(b"heddle setup token 1"),
            challenge: derive(b"heddle challenge 1"),
            sealing: SealingKey::new(id, sealing.as_ref())?,
            blind_index: derive(b"heddle blind name 1"),
            blind_digest: derive(b"heddle blind digest 1"),
            verified: Cache::builder()
                .max_capacity(VERIFIED_TOKENS)
                .time_to_live(VERIFIED_MAX_AGE)
                .build(),
        })
    }

    /// Issues an access token and returns it with the time at which it expires.
    pub fn access(
        &self,
        user: UserId,
        session: SessionId,
        now: DateTime<Utc>,
        lifetime: Duration,
    ) -> Result<(String, DateTime<Utc>), Error> {
        let expires_at = now + lifetime;
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: user.0,
            sid: session.0,
            jti: crate::id::mint(),
            iat: now.timestamp(),
            exp: expires_at.timestamp(),
            nbf: None,
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.key_id.clone());
        let token =
            jsonwebtoken::encode(&header, &claims, &self.encoding).map_err(Error::internal)?;
        Ok((token, expires_at))
    }

    /// Returns the claims of an access token that is authentic, neither expired nor issued in the future, and that
    /// expires at most `lifetime` after it was issued.
    #[must_use]
    pub fn read_access(
        &self,
        token: &str,
        now: DateTime<Utc>,
        lifetime: Duration,
    ) -> Option<Access> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let digest = token_digest(token)?;
        let cached = self.verified.get(&digest);
        let authentic = cached.or_else(|| {
            let authentic = self.check_access(token)?;
            self.verified.insert(digest, authentic);
            Some(authentic)
        })?;
        authentic
            .is_valid(now.timestamp(), lifetime)
            .then_some(authentic.access)
    }

    /// Returns the claims of an authentic access token. Its times may have any value.
    fn check_access(&self, token: &str) -> Option<Authentic> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let is_ours = header.typ.as_deref() == Some(TYPE)
            && header.kid.as_deref() == Some(self.key_id.as_str())
            && header.jku.is_none()
            && header.jwk.is_none()
            && header.x5u.is_none()
            && header.x5c.is_none()
            && header.crit.is_none();
        if !is_ours {
            return None;
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[AUDIENCE]);
        // The caller checks the times with the server's clock.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation)
            .ok()?
            .claims;
        Some(Authentic {
            access: Access {
                user: UserId(claims.sub),
                session: SessionId(claims.sid),
                expires_at: DateTime::from_timestamp(claims.exp, 0)?,
            },
            issued_at: claims.iat,
            not_before: claims.nbf.unwrap_or(claims.iat),
            expires_at: claims.exp,
        })
    }

    /// Returns the refresh token of a session at a generation. It is derived from the secret and not stored. A copy of
    /// the database therefore cannot renew a session, and a client that lost a response receives the same token again.
    #[must_use]
    pub fn refresh(&self, refresh: Refresh) -> String {
        let mut bytes = refresh.session.0.as_bytes().to_vec();
        bytes.extend(refresh.generation.to_be_bytes());
        let tag = hmac::sign(&self.refresh, &bytes);
        bytes.extend(tag.as_ref());
        format!("hrt_{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Returns a keyed hash by which text can be found but not read, because users type passwords into the name field.
    #[must_use]
    pub fn blind_index(&self, text: &str) -> Vec<u8> {
        hmac::sign(&self.blind_index, text.as_bytes())
            .as_ref()
            .to_vec()
    }

    /// Returns a keyed hash of a digest, with which equal content can be recognised but, unlike with the digest, not be
    /// guessed from a copy of the database.
    #[must_use]
    pub fn blind_digest(&self, digest: &[u8]) -> Vec<u8> {
        hmac::sign(&self.blind_digest, digest).as_ref().to_vec()
    }

    /// Returns the content of an authentic refresh token.
    #[must_use]
    pub fn read_refresh(&self, token: &str) -> Option<Refresh> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix("hrt_")?).ok()?;
        let (session, rest) = bytes.split_first_chunk::<16>()?;
        let (generation, tag) = rest.split_first_chunk::<4>()?;
        hmac::verify(&self.refresh, bytes.get(..20)?, tag).ok()?;
        Some(Refresh {
            session: SessionId(Uuid::from_bytes(*session)),
            generation: i32::from_be_bytes(*generation),
        })
    }

    /// Returns a token with which the first administrator can register until this time, whole seconds of Unix time. It is
    /// derived from the secret and not stored: as soon as there is an administrator, no such token is accepted.
    #[must_use]
    pub fn setup(&self, expires_at: DateTime<Utc>) -> String {
        let time = expires_at.timestamp().to_be_bytes();
        let tag = self.setup_tag(&time);
        format!(
            "hst_{}",
            URL_SAFE_NO_PAD.encode([&time, tag.as_ref()].concat())
        )
    }

    /// Returns when an authentic setup token expires.
    #[must_use]
    pub fn read_setup(&self, token: &str) -> Option<DateTime<Utc>> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix("hst_")?).ok()?;
        let (time, tag) = bytes.split_first_chunk::<8>()?;
        let ours = self.setup_tag(time);
        constant_time::verify_slices_are_equal(tag, ours.as_ref()).ok()?;
        DateTime::from_timestamp(i64::from_be_bytes(*time), 0)
    }

    /// Returns a token which proves that a user has entered the correct password, until this time, whole seconds of Unix
    /// time. It is bound to the hash of the password, so that a new password makes it invalid.
    #[must_use]
    pub fn challenge(&self, user: UserId, password: &str, expires_at: DateTime<Utc>) -> String {
        let time = expires_at.timestamp().to_be_bytes();
        let claims = [user.0.as_bytes(), &time[..]].concat();
        let tag = self.challenge_tag(&claims, password);
        format!(
            "hct_{}",
            URL_SAFE_NO_PAD.encode([&claims, tag.as_ref()].concat())
        )
    }

    /// Returns the user of a challenge, which is not verified yet.
    #[must_use]
    pub fn challenged_user(&self, token: &str) -> Option<UserId> {
        let bytes = challenge_bytes(token)?;
        let (user, _) = bytes.split_first_chunk::<16>()?;
        Some(UserId(Uuid::from_bytes(*user)))
    }

    /// Returns when an authentic challenge expires; the hash is that of the user's current password.
    #[must_use]
    pub fn read_challenge(&self, token: &str, password: &str) -> Option<DateTime<Utc>> {
        let bytes = challenge_bytes(token)?;
        let (claims, tag) = bytes.split_first_chunk::<24>()?;
        let ours = self.challenge_tag(claims, password);
        constant_time::verify_slices_are_equal(tag, ours.as_ref()).ok()?;
        let (_, time) = claims.split_last_chunk::<8>()?;
        DateTime::from_timestamp(i64::from_be_bytes(*time), 0)
    }

    fn challenge_tag(&self, claims: &[u8], password: &str) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.challenge);
        context.update(self.issuer.as_bytes());
        context.update(claims);
        context.update(password.as_bytes());
        context.sign()
    }

    /// Installations with the same secret do not accept each other's tokens.
    fn setup_tag(&self, time: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.setup);
        context.update(self.issuer.as_bytes());
        context.update(time);
        context.sign()
    }

    /// Encodes and signs bytes for one user. The bytes are readable, but no other user can create or use the text.
    #[must_use]
    pub fn sign_opaque(&self, owner: UserId, bytes: &[u8]) -> String {
        let tag = self.tag(owner, bytes);
        let tag = tag.as_ref().get(..TAG_BYTES).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([tag, bytes].concat())
    }

    /// Returns the bytes that `sign_opaque` encoded for this user; `None` if the tag is wrong.
    #[must_use]
    pub fn verify_opaque(&self, owner: UserId, text: &str) -> Option<Vec<u8>> {
        let signed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (given, bytes) = signed.split_at_checked(TAG_BYTES)?;
        let tag = self.tag(owner, bytes);
        constant_time::verify_slices_are_equal(given, tag.as_ref().get(..TAG_BYTES)?).ok()?;
        Some(bytes.to_vec())
    }

    fn tag(&self, owner: UserId, bytes: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.opaque);
        context.update(owner.0.as_bytes());
        context.update(bytes);
        context.sign()
    }
}

/// Returns the SHA-256 hash of a token, by which caches find it.
pub(super) fn token_digest(token: &str) -> Option<[u8; 32]> {
    digest(&SHA256, token.as_bytes()).as_ref().try_into().ok()
}

fn challenge_bytes(token: &str) -> Option<Vec<u8>> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    URL_SAFE_NO_PAD.decode(token.strip_prefix("hct_")?).ok()
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
