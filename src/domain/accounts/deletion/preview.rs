//! Counts what the deletion of an account would remove.

use sea_orm::Value;

use super::affected::affected;
use crate::{
    core::Core, db, domain::sessions::Viewer, entity::conversation::ConversationKind, error::Error,
};

/// The numbers of rows that the deletion of an account would remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionPreview {
    /// Messages that the user sent in groups.
    pub group_messages: i64,
    /// Direct conversations.
    pub direct_conversations: i64,
    /// Messages in those conversations.
    pub direct_messages: i64,
    /// Threads whose root would become an empty marker, because other users replied.
    pub kept_threads: i64,
    /// Edits that the user made.
    pub revisions: i64,
    /// Stored notifications of the user.
    pub notifications: i64,
    /// Groups without another owner.
    pub owned_groups: i64,
}

/// Binds the user five times. Deleted messages do not count. SQL, because one statement returns five counts.
const COUNTS: &str = "SELECT
    (SELECT COUNT(*) FROM message m JOIN conversation c ON c.id = m.conversation_id
        WHERE m.sender_id = ? AND c.kind = 'GROUP' AND m.kind = 'USER'
          AND m.deleted_at IS NULL) AS group_messages,
    (SELECT COUNT(*) FROM message m JOIN conversation c ON c.id = m.conversation_id
        JOIN participant p ON p.conversation_id = c.id
        WHERE p.user_id = ? AND c.kind = 'DIRECT' AND m.kind = 'USER'
          AND m.deleted_at IS NULL) AS direct_messages,
    (SELECT COUNT(*) FROM message m JOIN conversation c ON c.id = m.conversation_id
        WHERE m.sender_id = ? AND c.kind = 'GROUP' AND m.kind = 'USER'
          AND m.root_id IS NULL AND m.deleted_at IS NULL AND EXISTS (
            SELECT 1 FROM message r WHERE r.root_id = m.id AND r.deleted_at IS NULL
              AND r.sender_id IS DISTINCT FROM m.sender_id)) AS kept_threads,
    (SELECT COUNT(*) FROM message_revision WHERE editor_id = ?) AS revisions,
    (SELECT COUNT(*) FROM notification WHERE user_id = ?) AS notifications";

/// Counts what deleting the viewer's account would remove now.
pub async fn deletion_preview(core: &Core, viewer: &Viewer) -> Result<DeletionPreview, Error> {
    let user: Value = viewer.user.into();
    let db = core.db.read();
    let counts = db::fetch_one(db, COUNTS, vec![user; 5]).await?;
    let no_row = || Error::internal("the counts of a deletion preview returned no row");
    let (group_messages, direct_messages, kept_threads, revisions, notifications) =
        counts.ok_or_else(no_row)?;
    let affected = affected(db, viewer.user).await?;
    let count = |conversations: usize| i64::try_from(conversations).map_err(Error::internal);
    let direct = affected.iter().filter(|conversation| {
        conversation.is_participant() && conversation.kind == ConversationKind::Direct
    });
    let owned = affected.iter().filter(|group| group.is_only_owner());
    Ok(DeletionPreview {
        group_messages,
        direct_conversations: count(direct.count())?,
        direct_messages,
        kept_threads,
        revisions,
        notifications,
        owned_groups: count(owned.count())?,
    })
}
