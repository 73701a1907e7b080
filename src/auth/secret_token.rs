//! Tokens in links: random text that proves who received it. Only its hash is stored.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// A new token.
pub struct SecretToken {
    /// The text in the link.
    pub text: String,
    /// The hash that is stored.
    pub hash: Vec<u8>,
}

impl SecretToken {
    /// Generates a token of 256 bits. Secret scanners recognise it by the prefix.
    #[must_use]
    pub fn generate(prefix: &str) -> Self {
        let secret: [u8; 32] = rand::random();
        let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(secret));
        let hash = hash(&text);
        Self { text, hash }
    }
}

/// The SHA-256 hash of the text of a token.
#[must_use]
pub fn hash(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}
