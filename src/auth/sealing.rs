//! Encrypts values that the server must read again, with AES-256-GCM (NIST SP 800-38D). A copy of the database does not
//! reveal them.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    error::Unspecified,
};

use crate::error::Error;

/// Length of the id of a key.
const ID_BYTES: usize = 6;

/// A key that encrypts values.
pub struct SealingKey {
    id: [u8; ID_BYTES],
    key: RandomizedNonceKey,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey").finish_non_exhaustive()
    }
}

impl SealingKey {
    /// Creates a key from 32 secret bytes and an id that is stored with each value.
    pub(super) fn new(id: [u8; ID_BYTES], secret: &[u8]) -> Result<Self, Error> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, secret).map_err(failed)?;
        Ok(Self { id, key })
    }

    /// Encrypts a value. `owner` identifies its row, so that it cannot be read in place of another value.
    pub fn seal(&self, owner: &[u8], value: &[u8]) -> Result<Vec<u8>, Error> {
        let mut sealed = value.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(owner), &mut sealed)
            .map_err(failed)?;
        Ok([&self.id[..], nonce.as_ref(), &sealed].concat())
    }

    /// Returns the value that [`seal`](Self::seal) encrypted; `None` if the key or the owner is another one, or if the
    /// text was changed.
    #[must_use]
    pub fn open(&self, owner: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = sealed.split_first_chunk::<ID_BYTES>()?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>()?;
        if *id != self.id {
            return None;
        }
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let value = self
            .key
            .open_in_place(nonce, Aad::from(owner), &mut text)
            .ok()?;
        Some(value.to_vec())
    }
}

fn failed(error: Unspecified) -> Error {
    Error::internal(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u8, secret: u8) -> SealingKey {
        SealingKey::new([id; ID_BYTES], &[secret; 32]).unwrap()
    }

    #[test]
    fn a_value_is_read_with_the_same_key_and_the_same_owner_only() {
        let key_1 = key(1, 1);
        let sealed = key_1.seal(b"ann", b"shuttle").unwrap();
        assert_eq!(key_1.open(b"ann", &sealed).unwrap(), b"shuttle");
        assert_ne!(sealed, key_1.seal(b"ann", b"shuttle").unwrap());
        assert_eq!(key_1.open(b"bob", &sealed), None);
        assert_eq!(key(1, 2).open(b"ann", &sealed), None);
        assert_eq!(key(2, 1).open(b"ann", &sealed), None);
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(key_1.open(b"ann", &changed), None, "{index}");
            assert_eq!(key_1.open(b"ann", &sealed[..index]), None, "{index}");
        }
    }
}
