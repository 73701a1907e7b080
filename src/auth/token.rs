//! Tokens: `EdDSA` access tokens, and refresh tokens that the database keeps no secret of.

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

use crate::{
    error::Error,
    id::{SessionId, UserId},
};

/// Who makes and who takes our tokens.
const ISSUER: &str = "heddle";
/// RFC 9068 names this type for access tokens; nothing else of ours is a JWT.
const TYPE: &str = "at+jwt";
/// Clocks of several nodes may differ by this much.
const LEEWAY_SECONDS: i64 = 30;
/// Longer ones are not looked at.
const MAX_TOKEN_BYTES: usize = 4096;
/// Tokens known to be genuine; beyond them the least used are checked again.
const VERIFIED_TOKENS: u64 = 100_000;
/// No token is good for longer.
const VERIFIED_MAX_AGE: Duration = Duration::from_hours(1);
/// Bytes of a seal: 128 bits cannot be guessed.
const TAG_BYTES: usize = 16;

/// Keys made from one secret, which is kept in the data folder.
pub struct Keys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    key_id: String,
    refresh: hmac::Key,
    seal: hmac::Key,
    blind_index: hmac::Key,
    /// Access tokens whose signature was checked, by their digest: checking it costs more than most requests.
    verified: Cache<[u8; 32], Access>,
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
}

/// What a good access token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whose it is.
    pub user: UserId,
    /// Under which session it was given.
    pub session: SessionId,
    /// When it lapses.
    pub expires_at: DateTime<Utc>,
}

/// What a genuine refresh token says. Whether it is the newest of its session, the session knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// Which session it renews.
    pub session: SessionId,
    /// How many times that session had been renewed when it was given.
    pub generation: i32,
}

impl Keys {
    /// A new secret: an Ed25519 key in PKCS #8 form.
    pub fn generate() -> Result<Vec<u8>, Error> {
        let pair = Ed25519KeyPair::generate().map_err(|e| Error::internal(e.to_string()))?;
        let document = pair
            .to_pkcs8()
            .map_err(|e| Error::internal(e.to_string()))?;
        Ok(document.as_ref().to_vec())
    }

    /// The secret that follows from text which every node was given.
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

    /// Tells these keys from others, and nothing else about them.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.key_id
    }

    /// The keys that follow from this secret.
    pub fn new(pkcs8: &[u8]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|e| Error::internal(e.to_string()))?;
        let public = pair.public_key().as_ref();
        let secret = hmac::Key::new(hmac::HMAC_SHA256, pkcs8);
        let derive = |purpose: &[u8]| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&secret, purpose).as_ref())
        };
        Ok(Self {
            encoding: EncodingKey::from_ed_der(pkcs8),
            decoding: DecodingKey::from_ed_der(public),
            key_id: URL_SAFE_NO_PAD.encode(public.get(..6).unwrap_or(public)),
            refresh: derive(b"heddle refresh token 1"),
            seal: derive(b"heddle sealed text 1"),
            blind_index: derive(b"heddle blind name 1"),
            verified: Cache::builder()
                .max_capacity(VERIFIED_TOKENS)
                .time_to_live(VERIFIED_MAX_AGE)
                .build(),
        })
    }

    /// A new access token, and when it lapses.
    pub fn access(
        &self,
        user: UserId,
        session: SessionId,
        now: DateTime<Utc>,
        lifetime: Duration,
    ) -> Result<(String, DateTime<Utc>), Error> {
        let expires_at = now + lifetime;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            sub: user.0,
            sid: session.0,
            jti: crate::id::mint(),
            iat: now.timestamp(),
            exp: expires_at.timestamp(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.key_id.clone());
        let token =
            jsonwebtoken::encode(&header, &claims, &self.encoding).map_err(Error::internal)?;
        Ok((token, expires_at))
    }

    /// What a genuine, unlapsed access token says.
    #[must_use]
    pub fn read_access(&self, token: &str, now: DateTime<Utc>) -> Option<Access> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let digest = digest(&SHA256, token.as_bytes());
        let digest: [u8; 32] = digest.as_ref().try_into().ok()?;
        let known = self.verified.get(&digest);
        let access = known.or_else(|| {
            let access = self.check_access(token)?;
            self.verified.insert(digest, access);
            Some(access)
        })?;
        let lapses = access.expires_at.timestamp().saturating_add(LEEWAY_SECONDS);
        (now.timestamp() <= lapses).then_some(access)
    }

    /// What a genuine access token says, lapsed or not.
    fn check_access(&self, token: &str) -> Option<Access> {
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
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[ISSUER]);
        // The caller checks it, against our clock.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation)
            .ok()?
            .claims;
        Some(Access {
            user: UserId(claims.sub),
            session: SessionId(claims.sid),
            expires_at: DateTime::from_timestamp(claims.exp, 0)?,
        })
    }

    /// The refresh token of a session at this generation. It follows from our secret, so nothing has
    /// to be stored: a copy of the database renews nothing, and a client that never got its answer
    /// is given the same successor again.
    #[must_use]
    pub fn refresh(&self, refresh: Refresh) -> String {
        let mut bytes = refresh.session.0.as_bytes().to_vec();
        bytes.extend(refresh.generation.to_be_bytes());
        let seal = hmac::sign(&self.refresh, &bytes);
        bytes.extend(seal.as_ref());
        format!("hrt_{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// A form in which text can be found again but not read: people type passwords where names belong.
    #[must_use]
    pub fn blind_index(&self, text: &str) -> Vec<u8> {
        hmac::sign(&self.blind_index, text.as_bytes())
            .as_ref()
            .to_vec()
    }

    /// What a genuine refresh token says.
    #[must_use]
    pub fn read_refresh(&self, token: &str) -> Option<Refresh> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix("hrt_")?).ok()?;
        let (session, rest) = bytes.split_first_chunk::<16>()?;
        let (generation, seal) = rest.split_first_chunk::<4>()?;
        hmac::verify(&self.refresh, bytes.get(..20)?, seal).ok()?;
        Some(Refresh {
            session: SessionId(Uuid::from_bytes(*session)),
            generation: i32::from_be_bytes(*generation),
        })
    }

    /// Text that holds these bytes for their owner. It is readable, but nobody else can make or use it.
    #[must_use]
    pub fn sign_opaque(&self, owner: UserId, bytes: &[u8]) -> String {
        let tag = self.tag(owner, bytes);
        let tag = tag.as_ref().get(..TAG_BYTES).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([tag, bytes].concat())
    }

    /// The bytes that were sealed for this owner.
    #[must_use]
    pub fn verify_opaque(&self, owner: UserId, text: &str) -> Option<Vec<u8>> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (given, bytes) = sealed.split_at_checked(TAG_BYTES)?;
        let tag = self.tag(owner, bytes);
        constant_time::verify_slices_are_equal(given, tag.as_ref().get(..TAG_BYTES)?).ok()?;
        Some(bytes.to_vec())
    }

    fn tag(&self, owner: UserId, bytes: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.seal);
        context.update(owner.0.as_bytes());
        context.update(bytes);
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::{Value, json};

    use super::*;

    const LIFETIME: Duration = Duration::from_mins(10);

    fn keys() -> (Keys, Vec<u8>) {
        let secret = Keys::generate().unwrap();
        (Keys::new(&secret).unwrap(), secret)
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    fn token(keys: &Keys) -> (String, UserId, SessionId) {
        let (user, session) = (UserId::mint(), SessionId::mint());
        let (token, _) = keys.access(user, session, now(), LIFETIME).unwrap();
        (token, user, session)
    }

    /// A token with this header and these claims, sealed by our own key.
    fn sealed(secret: &[u8], header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let pair = Ed25519KeyPair::from_pkcs8(secret).unwrap();
        let seal = pair.sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(seal.as_ref()))
    }

    fn header(keys: &Keys) -> Value {
        json!({ "alg": "EdDSA", "typ": TYPE, "kid": keys.key_id })
    }

    fn claims() -> Value {
        json!({
            "iss": ISSUER, "aud": ISSUER, "sub": Uuid::max(), "sid": Uuid::max(),
            "jti": Uuid::max(), "iat": now().timestamp(), "exp": now().timestamp() + 600,
        })
    }

    #[test]
    fn a_token_tells_whose_it_is_until_it_lapses() {
        let (keys, _) = keys();
        let (token, user, session) = token(&keys);
        let expires_at = now() + LIFETIME;
        let access = Access {
            user,
            session,
            expires_at,
        };
        assert_eq!(keys.read_access(&token, now()), Some(access));
        let leeway = TimeDelta::seconds(LEEWAY_SECONDS);
        assert_eq!(keys.read_access(&token, expires_at + leeway), Some(access));
        let late = expires_at + leeway + TimeDelta::seconds(1);
        assert_eq!(keys.read_access(&token, late), None);
    }

    #[test]
    fn a_token_that_was_touched_is_nothing() {
        let (keys, _) = keys();
        let (token, ..) = token(&keys);
        for (at, letter) in token.char_indices() {
            let other = if letter == 'A' { 'B' } else { 'A' };
            let mut touched = token.clone();
            touched.replace_range(at..=at, &other.to_string());
            // The last letter of a seal carries bits that mean nothing; strict decoding refuses them.
            assert_eq!(keys.read_access(&touched, now()), None, "letter {at}");
        }
        assert_eq!(keys.read_access(&"a.".repeat(3000), now()), None);
        assert_eq!(keys.read_access("", now()), None);
    }

    #[test]
    fn the_key_id_must_be_ours() {
        let (keys, secret) = keys();
        let (theirs, their_secret) = self::keys();
        let (token, ..) = token(&theirs);
        assert_eq!(keys.read_access(&token, now()), None);
        let good = sealed(&secret, &header(&keys), &claims());
        assert!(keys.read_access(&good, now()).is_some());
        // Our key id over their seal, and their key id over ours.
        let forged = sealed(&their_secret, &header(&keys), &claims());
        assert_eq!(keys.read_access(&forged, now()), None);
        let renamed = sealed(&secret, &header(&theirs), &claims());
        assert_eq!(keys.read_access(&renamed, now()), None);
    }

    #[test]
    fn the_same_text_gives_the_same_keys() {
        let keys = |text: &str| Keys::new(&Keys::from_text(text).unwrap()).unwrap();
        let (one, same, other) = (keys("a secret"), keys("a secret"), keys("a secreu"));
        let (token, ..) = token(&one);
        assert!(same.read_access(&token, now()).is_some());
        assert!(other.read_access(&token, now()).is_none());
        assert_eq!(
            (one.id(), one.blind_index("x")),
            (same.id(), same.blind_index("x"))
        );
        assert_ne!(one.blind_index("x"), other.blind_index("x"));
        // Tokens outlive upgrades: what follows from a text must never change.
        assert_eq!(one.id(), "zR7ARSGy");
    }

    #[test]
    fn only_our_kind_of_token_is_taken() {
        let (keys, secret) = keys();
        let with = |key: &str, value: Value| {
            let mut header = header(&keys);
            header[key] = value;
            sealed(&secret, &header, &claims())
        };
        for token in [
            with("alg", json!("none")),
            with("alg", json!("HS256")),
            with("typ", json!("JWT")),
            with("kid", Value::Null),
            with("jku", json!("https://example.org/keys")),
            with(
                "jwk",
                json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }),
            ),
            with("x5u", json!("https://example.org/cert")),
            with("x5c", json!(["AAAA"])),
            with("crit", json!(["exp"])),
        ] {
            assert_eq!(keys.read_access(&token, now()), None, "{token}");
        }
        let good = sealed(&secret, &header(&keys), &claims());
        let unsealed = good.rsplit_once('.').unwrap().0;
        assert_eq!(keys.read_access(&format!("{unsealed}."), now()), None);
        for (key, value) in [("iss", "other"), ("aud", "other"), ("sub", "ann")] {
            let mut claims = claims();
            claims[key] = json!(value);
            let token = sealed(&secret, &header(&keys), &claims);
            assert_eq!(keys.read_access(&token, now()), None, "{key}");
        }
    }

    #[test]
    fn refresh_tokens_cannot_be_made_up() {
        let (keys, _) = keys();
        let (theirs, _) = self::keys();
        let refresh = Refresh {
            session: SessionId::mint(),
            generation: 7,
        };
        let token = keys.refresh(refresh);
        assert_eq!(keys.read_refresh(&token), Some(refresh));
        assert_eq!(theirs.read_refresh(&token), None);
        let next = Refresh {
            generation: 8,
            ..refresh
        };
        assert_ne!(keys.refresh(next), token);
        for (at, letter) in token.char_indices() {
            let other = if letter == 'A' { 'B' } else { 'A' };
            let mut touched = token.clone();
            touched.replace_range(at..=at, &other.to_string());
            assert_eq!(keys.read_refresh(&touched), None, "letter {at}");
        }
        for bad in ["", "hrt_", "hrt_AAAA", &token[1..]] {
            assert_eq!(keys.read_refresh(bad), None, "{bad}");
        }
    }
}
