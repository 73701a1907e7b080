//! Tests of tokens: their contents, their times and their forgeries.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;

const INSTALLATION: Uuid = Uuid::from_u128(1);
const LIFETIME: Duration = Duration::from_mins(10);

fn keys() -> (Keys, Vec<u8>) {
    let secret = Keys::generate().unwrap();
    (Keys::new(&secret, INSTALLATION).unwrap(), secret)
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

fn token(keys: &Keys) -> (String, UserId, SessionId) {
    let (user, session) = (UserId::mint(), SessionId::mint());
    let (token, _) = keys.access(user, session, now(), LIFETIME).unwrap();
    (token, user, session)
}

/// Returns a token with this header and these claims, signed with the key of the server.
fn signed(secret: &[u8], header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let pair = Ed25519KeyPair::from_pkcs8(secret).unwrap();
    let signature = pair.sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

fn header(keys: &Keys) -> Value {
    json!({ "alg": "EdDSA", "typ": TYPE, "kid": keys.key_id })
}

fn claims() -> Value {
    json!({
        "iss": INSTALLATION.urn().to_string(), "aud": AUDIENCE, "sub": Uuid::max(), "sid": Uuid::max(),
        "jti": Uuid::max(), "iat": now().timestamp(), "exp": now().timestamp() + 600,
    })
}

#[test]
fn a_token_identifies_its_user_until_it_expires() {
    let (keys, _) = keys();
    let (token, user, session) = token(&keys);
    let expires_at = now() + LIFETIME;
    let access = Access {
        user,
        session,
        expires_at,
    };
    assert_eq!(keys.read_access(&token, now(), LIFETIME), Some(access));
    let leeway = TimeDelta::seconds(LEEWAY_SECONDS);
    assert_eq!(
        keys.read_access(&token, expires_at + leeway, LIFETIME),
        Some(access)
    );
    let late = expires_at + leeway + TimeDelta::seconds(1);
    assert_eq!(keys.read_access(&token, late, LIFETIME), None);
}

#[test]
fn a_modified_token_is_rejected() {
    let (keys, _) = keys();
    let (token, ..) = token(&keys);
    for (at, letter) in token.char_indices() {
        let other = if letter == 'A' { 'B' } else { 'A' };
        let mut modified = token.clone();
        modified.replace_range(at..=at, &other.to_string());
        // The last character of a signature has unused bits; strict decoding rejects them.
        assert_eq!(
            keys.read_access(&modified, now(), LIFETIME),
            None,
            "letter {at}"
        );
    }
    assert_eq!(keys.read_access(&"a.".repeat(3000), now(), LIFETIME), None);
    assert_eq!(keys.read_access("", now(), LIFETIME), None);
}

#[test]
fn the_key_id_must_match() {
    let (keys, secret) = keys();
    let (theirs, their_secret) = self::keys();
    let (token, ..) = token(&theirs);
    assert_eq!(keys.read_access(&token, now(), LIFETIME), None);
    let good = signed(&secret, &header(&keys), &claims());
    assert!(keys.read_access(&good, now(), LIFETIME).is_some());
    // Our key id with their signature, and their key id with ours.
    let forged = signed(&their_secret, &header(&keys), &claims());
    assert_eq!(keys.read_access(&forged, now(), LIFETIME), None);
    let renamed = signed(&secret, &header(&theirs), &claims());
    assert_eq!(keys.read_access(&renamed, now(), LIFETIME), None);
}

#[test]
fn installations_with_one_secret_do_not_accept_each_others_tokens() {
    let (keys, secret) = keys();
    let copy = Keys::new(&secret, Uuid::from_u128(2)).unwrap();
    assert_eq!(copy.id(), keys.id());
    let (token, ..) = token(&keys);
    assert!(keys.read_access(&token, now(), LIFETIME).is_some());
    assert_eq!(copy.read_access(&token, now(), LIFETIME), None);
    let mut before = claims();
    before["iss"] = json!("heddle");
    let before = signed(&secret, &header(&keys), &before);
    assert_eq!(keys.read_access(&before, now(), LIFETIME), None);
}

#[test]
fn the_same_text_gives_the_same_keys() {
    let keys = |text: &str| Keys::new(&Keys::from_text(text).unwrap(), INSTALLATION).unwrap();
    let (one, same, other) = (keys("a secret"), keys("a secret"), keys("a secreu"));
    let (token, ..) = token(&one);
    assert!(same.read_access(&token, now(), LIFETIME).is_some());
    assert!(other.read_access(&token, now(), LIFETIME).is_none());
    assert_eq!(
        (one.id(), one.blind_index("x")),
        (same.id(), same.blind_index("x"))
    );
    assert_ne!(one.blind_index("x"), other.blind_index("x"));
    // Tokens remain valid after upgrades, so the derived keys must never change.
    assert_eq!(one.id(), "zR7ARSGy");
}

#[test]
fn other_kinds_of_tokens_are_rejected() {
    let (keys, secret) = keys();
    let with = |key: &str, value: Value| {
        let mut header = header(&keys);
        header[key] = value;
        signed(&secret, &header, &claims())
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
        assert_eq!(keys.read_access(&token, now(), LIFETIME), None, "{token}");
    }
    let good = signed(&secret, &header(&keys), &claims());
    let unsigned = good.rsplit_once('.').unwrap().0;
    assert_eq!(
        keys.read_access(&format!("{unsigned}."), now(), LIFETIME),
        None
    );
    for (key, value) in [("iss", "other"), ("aud", "other"), ("sub", "ann")] {
        let mut claims = claims();
        claims[key] = json!(value);
        let token = signed(&secret, &header(&keys), &claims);
        assert_eq!(keys.read_access(&token, now(), LIFETIME), None, "{key}");
    }
}

#[test]
fn a_token_from_the_future_is_rejected() {
    let (keys, secret) = keys();
    let read = |iat: i64, nbf: Option<i64>| {
        let mut claims = claims();
        claims["iat"] = json!(now().timestamp() + iat);
        claims["exp"] = json!(now().timestamp() + iat + 600);
        claims["nbf"] = json!(nbf.map(|nbf| now().timestamp() + nbf));
        let token = signed(&secret, &header(&keys), &claims);
        keys.read_access(&token, now(), LIFETIME)
    };
    assert!(read(LEEWAY_SECONDS, None).is_some());
    assert!(read(-60, Some(LEEWAY_SECONDS)).is_some());
    assert_eq!(read(LEEWAY_SECONDS + 1, None), None);
    assert_eq!(read(-60, Some(LEEWAY_SECONDS + 1)), None);
    assert_eq!(read(LEEWAY_SECONDS + 1, Some(-60)), None);
    assert_eq!(read(i64::MAX / 2, None), None);
}

#[test]
fn a_token_lives_no_longer_than_the_setting_allows() {
    let (keys, secret) = keys();
    let read = |seconds: i64, lifetime: Duration| {
        let mut claims = claims();
        claims["exp"] = json!(now().timestamp() + seconds);
        let token = signed(&secret, &header(&keys), &claims);
        keys.read_access(&token, now(), lifetime)
    };
    assert!(read(600, LIFETIME).is_some());
    assert_eq!(read(601, LIFETIME), None);
    assert_eq!(read(600, Duration::from_secs(599)), None);
    assert!(read(600, Duration::from_millis(599_001)).is_some());
}

#[test]
fn refresh_tokens_cannot_be_forged() {
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
        let mut modified = token.clone();
        modified.replace_range(at..=at, &other.to_string());
        assert_eq!(keys.read_refresh(&modified), None, "letter {at}");
    }
    for bad in ["", "hrt_", "hrt_AAAA", &token[1..]] {
        assert_eq!(keys.read_refresh(bad), None, "{bad}");
    }
}
