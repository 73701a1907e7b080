//! The hash of an entry.

use aws_lc_rs::digest::{SHA256, digest};
use sea_orm::ActiveEnum;

use crate::{domain::text::hex, entity::audit_entry, error::Error};

/// The SHA-256 hash of a text.
pub(super) fn hash_text(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

/// The hash of an entry after the entry with this hash: of a JSON array, whose text is the same on every machine. Times
/// are milliseconds since 1970, hashes and ids hexadecimal.
pub(super) fn hash(before: &[u8], entry: &audit_entry::Model) -> Result<Vec<u8>, Error> {
    let text = serde_json::to_string(&(
        hex(before),
        entry.sequence,
        entry.id.0.simple().to_string(),
        entry.occurred_at.timestamp_millis(),
        &entry.action,
        entry.outcome.to_value(),
        entry.actor_id.map(|actor| actor.0.simple().to_string()),
        &entry.target_id,
        &entry.request_id,
        hex(&entry.details_hash),
    ));
    Ok(hash_text(&text.map_err(Error::internal)?))
}
