//! The conversations that the deletion of an account affects.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Value};

use crate::{
    db::{self, Tx},
    entity::{conversation::ConversationKind, participant::ParticipantRole},
    error::Error,
    id::{ConversationId, UserId},
};

/// A conversation in which the user takes part, or sent a message before leaving.
#[derive(Debug, FromQueryResult)]
pub(super) struct AffectedConversation {
    pub(super) id: ConversationId,
    pub(super) kind: ConversationKind,
    role: Option<ParticipantRole>,
    has_others: bool,
    has_other_owner: bool,
}

impl AffectedConversation {
    pub(super) fn is_participant(&self) -> bool {
        self.role.is_some()
    }

    /// Whether the conversation is deleted with the account.
    pub(super) fn is_deleted(&self) -> bool {
        self.is_participant() && (self.kind == ConversationKind::Direct || !self.has_others)
    }

    /// Whether the user is the only owner of this group.
    pub(super) fn is_only_owner(&self) -> bool {
        self.kind == ConversationKind::Group
            && self.role == Some(ParticipantRole::Owner)
            && !self.has_other_owner
    }
}

/// Binds the user four times. SQL, because another owner is found by a correlated subquery.
const AFFECTED: &str = "SELECT c.id, c.kind, own.role, c.participant_count > 1 AS has_others,
        EXISTS (SELECT 1 FROM participant o WHERE o.conversation_id = c.id AND o.user_id <> ?
            AND o.role = 'OWNER') AS has_other_owner
    FROM conversation c
    LEFT JOIN participant own ON own.conversation_id = c.id AND own.user_id = ?
    WHERE c.id IN (SELECT conversation_id FROM participant WHERE user_id = ?)
       OR c.id IN (SELECT conversation_id FROM message WHERE sender_id = ?)
    ORDER BY c.id";

/// Loads the conversations that the deletion of this user affects.
pub(super) async fn affected<C: ConnectionTrait>(
    db: &C,
    user: UserId,
) -> Result<Vec<AffectedConversation>, Error> {
    db::fetch_all(db, AFFECTED, vec![Value::from(user); 4]).await
}

/// Locks and loads the affected conversations, in the lock order of all transactions.
pub(super) async fn lock_affected_in(
    tx: &Tx,
    user: UserId,
) -> Result<Vec<AffectedConversation>, Error> {
    if tx.get_database_backend() == DbBackend::Postgres {
        // SQL, because only the locks matter: no row is returned.
        let text = "SELECT id FROM conversation
            WHERE id IN (SELECT conversation_id FROM participant WHERE user_id = ?)
               OR id IN (SELECT conversation_id FROM message WHERE sender_id = ?)
            ORDER BY id FOR UPDATE";
        db::execute(tx, text, [user.into(), user.into()]).await?;
    }
    affected(tx, user).await
}
