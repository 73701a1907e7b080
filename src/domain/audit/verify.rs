//! Verifies the chain of hashes.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::chain;
use crate::{
    db::Db,
    domain::text::hex,
    entity::{audit_entry, audit_head},
    error::Error,
};

/// The number of entries in a page.
pub(super) const PAGE: u64 = 1000;

/// The last entry of the log. Its hash depends on all entries, so a copy of it outside of the database proves that none of
/// them was changed later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// The number of the entry; 0 if there is none.
    pub sequence: i64,
    /// The hash of the entry, hexadecimal.
    pub hash: String,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// The number of entries.
    pub entries: u64,
    /// Entries whose details were erased.
    pub erased: u64,
    /// The end of the log.
    pub head: AuditHead,
    /// The number of the first entry that is missing or was changed.
    pub broken_at: Option<i64>,
    /// Whether the log contains the expected entry; none if no entry was expected.
    pub has_expected: Option<bool>,
}

/// Verifies every entry up to the present end of the log, and that it contains an entry that was noted before.
pub async fn verify(db: &Db, expected: Option<&AuditHead>) -> Result<AuditReport, Error> {
    let head = audit_head::Entity::find_by_id(1).one(db.read()).await?;
    let head = head.ok_or_else(|| Error::internal("the audit log has no head"))?;
    let mut report = AuditReport {
        entries: 0,
        erased: 0,
        head: AuditHead {
            sequence: head.last_sequence,
            hash: hex(&head.last_hash),
        },
        broken_at: None,
        has_expected: expected.map(|expected| expected.sequence <= head.deleted_sequence),
    };
    let (mut last, mut hash) = (head.deleted_sequence, head.deleted_hash);
    while last < head.last_sequence {
        let page = page_after(db, last, head.last_sequence).await?;
        if page.is_empty() {
            break;
        }
        for entry in page {
            if entry.sequence != last + 1 || !is_intact(&hash, &entry)? {
                report.broken_at = Some(last + 1);
                return Ok(report);
            }
            report.entries += 1;
            report.erased += u64::from(entry.details.is_none());
            if expected.is_some_and(|expected| expected.sequence == entry.sequence) {
                let hash = hex(&entry.hash);
                report.has_expected = expected.map(|expected| expected.hash == hash);
            }
            (last, hash) = (entry.sequence, entry.hash);
        }
    }
    if last != head.last_sequence || hash != head.last_hash {
        report.broken_at = Some(last + 1);
    }
    Ok(report)
}

fn is_intact(before: &[u8], entry: &audit_entry::Model) -> Result<bool, Error> {
    let details = entry.details.as_deref().map(chain::hash_text);
    let has_details = details.is_none_or(|hash| hash == entry.details_hash);
    Ok(has_details && chain::hash(before, entry)? == entry.hash)
}

/// The entries after this number, up to another one.
pub(super) async fn page_after(
    db: &Db,
    after: i64,
    last: i64,
) -> Result<Vec<audit_entry::Model>, Error> {
    let page = audit_entry::Entity::find()
        .filter(audit_entry::Column::Sequence.gt(after))
        .filter(audit_entry::Column::Sequence.lte(last))
        .order_by_asc(audit_entry::Column::Sequence)
        .limit(PAGE);
    Ok(page.all(db.read()).await?)
}
