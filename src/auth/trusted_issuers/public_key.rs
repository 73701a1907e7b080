//! A public key of an issuer, and the one algorithm that it is used with.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// Maximum keys of an issuer. Further keys are ignored.
const KEYS_MAX: usize = 100;

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    jwk: Jwk,
}

impl PublicKey {
    /// Returns the key in the form that verifies signatures.
    pub(super) fn decoding_key(&self) -> Option<DecodingKey> {
        DecodingKey::from_jwk(&self.jwk).ok()
    }

    /// Returns none if the key is symmetric, does not verify signatures, or is of an unknown kind.
    fn new(jwk: Jwk) -> Option<Self> {
        let signs = (jwk.common.public_key_use.as_ref())
            .is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
        let stated = jwk.common.key_algorithm;
        let stated = match stated {
            Some(name) => Some(Algorithm::try_from(name).ok()?),
            None => None,
        };
        let (fitting, default) = algorithms(&jwk.algorithm)?;
        let algorithm = stated.unwrap_or(default);
        let key = Self {
            id: jwk.common.key_id.clone(),
            algorithm,
            jwk,
        };
        (signs && fitting.contains(&algorithm) && key.decoding_key().is_some()).then_some(key)
    }
}

/// The algorithms that a kind of key can be used with, and the one that it is used with if it does not state one.
fn algorithms(kind: &AlgorithmParameters) -> Option<(&'static [Algorithm], Algorithm)> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match kind {
        AlgorithmParameters::RSA(_) => Some((&[RS256, RS384, RS512, PS256, PS384, PS512], RS256)),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => Some((&[ES256], ES256)),
            EllipticCurve::P384 => Some((&[ES384], ES384)),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Some((&[EdDSA], EdDSA))
        }
        _ => None,
    }
}

#[derive(Deserialize)]
struct JwkDocument {
    keys: Vec<Value>,
}

/// Reads a set of keys (RFC 7517) and skips those that cannot verify signatures. The error is the end of a sentence.
pub(super) fn read_keys(document: &[u8]) -> Result<Vec<PublicKey>, String> {
    let document: JwkDocument = serde_json::from_slice(document)
        .map_err(|error| format!("the document is not a set of keys: {error}"))?;
    let keys = document.keys.into_iter().take(KEYS_MAX);
    let keys: Vec<_> = keys
        .filter_map(|key| PublicKey::new(serde_json::from_value(key).ok()?))
        .collect();
    if keys.is_empty() {
        return Err("the document has no key that can verify signatures".to_owned());
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_algorithm() {
        // RFC 7517, appendix A.1; RFC 8037, appendix A.2.
        let document = br#"{"keys": [
            {"kty": "EC", "crv": "P-256", "kid": "a", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
             "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
            {"kty": "EC", "crv": "P-256", "kid": "b", "alg": "RS256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
             "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "c", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "d", "use": "enc", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            {"kty": "oct", "kid": "e", "alg": "HS256", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMko"},
            {"kty": "new", "kid": "f"}, 7]}"#;
        let keys = read_keys(document).unwrap();
        let keys: Vec<_> = keys
            .iter()
            .map(|key| (key.id.as_deref().unwrap(), key.algorithm))
            .collect();
        assert_eq!(keys, [("a", Algorithm::ES256), ("c", Algorithm::EdDSA)]);
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"keys": []}"#,
            r#"{"keys": [{"kty": "oct", "k": "AyM1"}]}"#,
        ] {
            assert!(read_keys(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
