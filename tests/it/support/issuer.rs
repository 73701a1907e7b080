//! Another system that signs access tokens for its own users, and publishes its keys in a file or over HTTP.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{self, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RsaPublicKeyComponents,
    },
};
use axum::{Router, extract::State, routing::get};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, Utc};
use heddle::config::{ClaimNames, Config, TrustedIssuer};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// The audience of the tokens that are for the server.
pub(crate) const AUDIENCE: &str = "heddle";

/// A key pair of an issuer.
pub(crate) struct SigningKey {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    private: EncodingKey,
    public: Value,
}

impl SigningKey {
    pub(crate) fn ed25519(id: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        Self {
            id: id.to_owned(),
            algorithm: Algorithm::EdDSA,
            private: EncodingKey::from_ed_der(pair.to_pkcs8().unwrap().as_ref()),
            public: json!({ "kty": "OKP", "crv": "Ed25519", "kid": id,
                "x": URL_SAFE_NO_PAD.encode(pair.public_key()) }),
        }
    }

    pub(crate) fn p256(id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        Self {
            id: id.to_owned(),
            algorithm: Algorithm::ES256,
            private: EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref()),
            public: json!({ "kty": "EC", "crv": "P-256", "kid": id, "use": "sig",
                "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]) }),
        }
    }

    pub(crate) fn rsa(id: &str) -> Self {
        let pair = rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let public: RsaPublicKeyComponents<Vec<u8>> = pair.public_key().into();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let private = STANDARD.encode(private.as_ref());
        let private = format!("-----BEGIN PRIVATE KEY-----\n{private}\n-----END PRIVATE KEY-----");
        Self {
            id: id.to_owned(),
            algorithm: Algorithm::RS256,
            private: EncodingKey::from_rsa_pem(private.as_bytes()).unwrap(),
            public: json!({ "kty": "RSA", "kid": id, "alg": "RS256",
                "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e) }),
        }
    }
}

/// A system that the server trusts.
pub(crate) struct Issuer {
    pub(crate) name: String,
    pub(crate) key: SigningKey,
    folder: TempDir,
}

impl Issuer {
    pub(crate) fn new(name: &str) -> Self {
        let issuer = Self {
            name: name.to_owned(),
            key: SigningKey::ed25519("first"),
            folder: tempfile::tempdir().unwrap(),
        };
        issuer.publish(&[&issuer.key]);
        issuer
    }

    /// The file with the public keys.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("jwks.json")
    }

    /// Replaces the published keys.
    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        fs::write(self.file(), document(keys)).unwrap();
    }

    /// The setting of a server that reads the keys from the file.
    pub(crate) fn trusted(&self) -> TrustedIssuer {
        self.trusted_at(self.file().display().to_string())
    }

    /// The setting of a server that reads the keys from this location.
    pub(crate) fn trusted_at(&self, jwks: String) -> TrustedIssuer {
        TrustedIssuer {
            audience: AUDIENCE.to_owned(),
            claims: ClaimNames::default(),
            issuer: self.name.clone(),
            jwks: jwks.into(),
        }
    }

    /// Trusts only this issuer, whose keys are in the file.
    pub(crate) fn settings(&self) -> impl FnOnce(&mut Config) {
        let trusted = self.trusted();
        move |config| config.trusted_issuers = vec![trusted]
    }

    /// The claims of a valid token that is issued at this time.
    pub(crate) fn claims(&self, subject: &str, now: DateTime<Utc>) -> Value {
        json!({
            "iss": self.name,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now.timestamp(),
            "exp": now.timestamp() + 600,
            "preferred_username": subject,
            "name": format!("{subject} of {}", self.name),
        })
    }

    /// A valid token.
    pub(crate) fn token(&self, subject: &str, now: DateTime<Utc>) -> String {
        self.sign(&self.claims(subject, now))
    }

    /// A token with these claims, signed with the issuer's key.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        sign_with(&self.key, claims)
    }
}

/// A token with these claims and an ordinary header.
pub(crate) fn sign_with(key: &SigningKey, claims: &Value) -> String {
    let mut header = Header::new(key.algorithm);
    header.kid = Some(key.id.clone());
    sign_with_header(key, &header, claims)
}

/// A token with this header.
pub(crate) fn sign_with_header(key: &SigningKey, header: &Header, claims: &Value) -> String {
    jsonwebtoken::encode(header, claims, &key.private).unwrap()
}

/// The document that publishes these keys.
pub(crate) fn document(keys: &[&SigningKey]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| &key.public).collect();
    json!({ "keys": keys }).to_string()
}

/// An HTTP server with one document, which counts its requests.
#[derive(Clone)]
pub(crate) struct DocumentServer {
    pub(crate) url: String,
    document: Arc<Mutex<String>>,
    requests: Arc<AtomicUsize>,
}

impl DocumentServer {
    pub(crate) async fn start(document: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}/jwks.json", listener.local_addr().unwrap()),
            document: Arc::new(Mutex::new(document)),
            requests: Arc::default(),
        };
        let router = Router::new()
            .route("/jwks.json", get(respond))
            .with_state(server.clone());
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        server
    }

    pub(crate) fn replace(&self, document: String) {
        *self.document.lock().unwrap() = document;
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn respond(State(server): State<DocumentServer>) -> String {
    server.requests.fetch_add(1, Ordering::SeqCst);
    server.document.lock().unwrap().clone()
}
