//! The log as JSON Lines, one entry in each line, from which the chain can be verified without the database.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;

use super::verify;
use crate::{
    db::Db,
    domain::text::hex,
    entity::audit_entry::{self, AuditOutcome},
    error::Error,
};

/// An entry as a line of JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditLine {
    /// The number of the entry.
    pub sequence: i64,
    id: String,
    occurred_at: DateTime<Utc>,
    action: String,
    outcome: AuditOutcome,
    actor_id: Option<String>,
    target_id: Option<String>,
    request_id: Option<String>,
    /// Exactly the hashed text; null after it was erased.
    details: Option<Box<RawValue>>,
    details_hash: String,
    hash: String,
}

/// Returns the entries after this number, at most a page, oldest first.
pub async fn page(db: &Db, after: i64) -> Result<Vec<AuditLine>, Error> {
    let entries = verify::page_after(db, after, i64::MAX).await?;
    entries.into_iter().map(line).collect()
}

fn line(entry: audit_entry::Model) -> Result<AuditLine, Error> {
    let details = entry.details.map(RawValue::from_string).transpose();
    Ok(AuditLine {
        sequence: entry.sequence,
        id: entry.id.to_string(),
        occurred_at: entry.occurred_at,
        action: entry.action,
        outcome: entry.outcome,
        actor_id: entry.actor_id.map(|actor| actor.to_string()),
        target_id: entry.target_id,
        request_id: entry.request_id,
        details: details.map_err(Error::internal)?,
        details_hash: hex(&entry.details_hash),
        hash: hex(&entry.hash),
    })
}
