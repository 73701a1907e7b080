//! Proofs of permission. A function that needs permission takes a proof as an argument, and only this module constructs
//! proofs, so code without the check does not compile. Hidden and missing objects return the same error.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QuerySelect,
};

use crate::{
    db::{self, Tx, ValuesCte},
    domain::{predicates, sessions::Viewer},
    entity::{
        conversation::{self, ConversationKind},
        message,
        participant::{self, ParticipantRole},
    },
    error::Error,
    id::{ConversationId, UserId},
};

/// Proves that the viewer participates in a conversation. Inside a transaction it also means that the conversation's
/// row is locked until the commit.
#[derive(Clone, Debug)]
pub struct InConversation {
    conversation: conversation::Model,
    participant: participant::Model,
}

impl InConversation {
    /// The conversation.
    #[must_use]
    pub fn conversation(&self) -> &conversation::Model {
        &self.conversation
    }

    /// The viewer's membership.
    #[must_use]
    pub fn participant(&self) -> &participant::Model {
        &self.participant
    }

    /// The viewer's role.
    #[must_use]
    pub fn role(&self) -> ParticipantRole {
        self.participant.role
    }

    /// Whether the viewer sees this message.
    #[must_use]
    pub fn sees(&self, message: &message::Model) -> bool {
        predicates::sees(&self.participant, message)
    }

    /// Passes when the viewer's role is at least this one.
    pub fn at_least(&self, role: ParticipantRole) -> Result<(), Error> {
        require_role(&self.participant, role)
    }

    /// Passes when this is a group.
    pub fn group(&self) -> Result<(), Error> {
        if self.conversation.kind == ConversationKind::Group {
            return Ok(());
        }
        Err(Error::forbidden(
            "A direct conversation cannot be changed like a group.",
        ))
    }
}

/// Passes when the role of the viewer, a participant, is at least this one.
pub(super) fn require_role(own: &participant::Model, least: ParticipantRole) -> Result<(), Error> {
    if own.role >= least {
        return Ok(());
    }
    Err(Error::forbidden(
        "Your role in this conversation does not allow this.",
    ))
}

/// Proves that the viewer participates, and locks the conversation until the commit. Without participation, no row is
/// locked.
pub async fn conversation(
    tx: &Tx,
    viewer: &Viewer,
    id: ConversationId,
) -> Result<InConversation, Error> {
    let hidden = || Error::not_found("conversation");
    let locked = conversation::Entity::find_by_id(id)
        .filter(predicates::participates(viewer.user))
        .lock_exclusive()
        .one(tx)
        .await?;
    let conversation = locked.ok_or_else(hidden)?;
    // On PostgreSQL, only a later statement sees what was committed during the wait for the lock.
    let found = participant::Entity::find()
        .filter(participant::Column::ConversationId.eq(id))
        .filter(participant::Column::UserId.eq(viewer.user))
        .one(tx)
        .await?;
    let participant = found.ok_or_else(hidden)?;
    Ok(InConversation {
        conversation,
        participant,
    })
}

/// The result of the check for one of several conversations.
#[derive(Clone, Debug)]
pub enum AccessCheck {
    /// The user participates.
    In {
        /// The proof.
        membership: Box<InConversation>,
        /// The number of root messages that the user has sent there, deleted ones included.
        sent: i32,
        /// Whether the user has a block with anyone, in any direction.
        has_blocks: bool,
    },
    /// The user does not participate, or the conversation does not exist.
    Hidden,
    /// The user participates, and another transaction holds the lock.
    Busy,
}

/// Whether to wait for locks that other transactions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// Wait. For one conversation only, because a waiting transaction blocks the other conversations it has locked.
    Block,
    /// Skip locked rows. For several conversations.
    SkipLocked,
}

/// Checks for each pair that the user participates in the conversation, and locks those conversations until the commit.
/// A conversation without such a user is not locked. Returns one result per pair, in order.
pub async fn conversations(
    tx: &Tx,
    memberships: &[(ConversationId, UserId)],
    lock: LockWait,
) -> Result<Vec<AccessCheck>, Error> {
    #[derive(FromQueryResult)]
    struct Found {
        #[sea_orm(nested)]
        participant: participant::Model,
        sent: Option<i32>,
        has_blocks: bool,
    }
    let (locked, unlocked) = lock_in(tx, memberships, lock).await?;
    let table = pairs(memberships);
    // SQL for its values CTE. Separate from the locking statement, because on PostgreSQL only a later statement sees
    // what was committed during the wait for the lock.
    let text = format!(
        "WITH {} SELECT p.*, (SELECT m.sender_root_count FROM message m WHERE m.sender_id = p.user_id
                 AND m.conversation_id = p.conversation_id ORDER BY m.seq DESC LIMIT 1) AS sent,
             EXISTS {} AS has_blocks
         FROM v CROSS JOIN participant p
         WHERE p.conversation_id = v.conversation_id AND p.user_id = v.user_id",
        table.text,
        predicates::blocked_with("p.user_id")
    );
    let found: Vec<Found> = db::fetch_all(tx, &text, table.values).await?;
    let key = |found: &Found| (found.participant.conversation_id, found.participant.user_id);
    let found: HashMap<_, _> = found.iter().map(|found| (key(found), found)).collect();
    let check = |pair: &(ConversationId, UserId)| match (locked.get(&pair.0), found.get(pair)) {
        (Some(conversation), Some(found)) => AccessCheck::In {
            membership: Box::new(InConversation {
                conversation: conversation.clone(),
                participant: found.participant.clone(),
            }),
            sent: found.sent.unwrap_or_default(),
            has_blocks: found.has_blocks,
        },
        (_, None) => AccessCheck::Hidden,
        (None, Some(_)) => unlocked.clone(),
    };
    Ok(memberships.iter().map(check).collect())
}

/// The pairs as a values CTE, each once.
fn pairs(memberships: &[(ConversationId, UserId)]) -> ValuesCte {
    let pairs: BTreeSet<_> = memberships.iter().copied().collect();
    let rows = pairs.into_iter().map(|(id, user)| [id.into(), user.into()]);
    ValuesCte::new("v (conversation_id, user_id)", rows)
}

/// Locks those of these conversations in which one of the users participates. Returns their rows, and the result for a
/// user who participates in a conversation that was not locked.
async fn lock_in(
    tx: &Tx,
    memberships: &[(ConversationId, UserId)],
    lock: LockWait,
) -> Result<(HashMap<ConversationId, conversation::Model>, AccessCheck), Error> {
    // The weaker lock does not block inserts that only refer to a conversation. SQLite has one writer and no row locks.
    let (lock, unlocked) = match (tx.get_database_backend(), lock) {
        (DbBackend::Postgres, LockWait::SkipLocked) => {
            ("FOR NO KEY UPDATE OF c SKIP LOCKED", AccessCheck::Busy)
        }
        // They have joined since this statement.
        (DbBackend::Postgres, LockWait::Block) => ("FOR NO KEY UPDATE OF c", AccessCheck::Hidden),
        _ => ("", AccessCheck::Hidden),
    };
    // SQL for its values CTE and `SKIP LOCKED`.
    let table = pairs(memberships);
    let text = format!(
        "WITH {} SELECT c.* FROM v CROSS JOIN conversation c WHERE c.id = v.conversation_id
             AND EXISTS (SELECT 1 FROM participant p
                 WHERE p.conversation_id = v.conversation_id AND p.user_id = v.user_id) {lock}",
        table.text
    );
    let rows: Vec<conversation::Model> = db::fetch_all(tx, &text, table.values).await?;
    let locked = rows.into_iter().map(|row| (row.id, row)).collect();
    Ok((locked, unlocked))
}

/// Proves that the viewer participates, without a lock: for reads.
pub async fn conversation_read<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    id: ConversationId,
) -> Result<InConversation, Error> {
    let found = participant::Entity::find()
        .find_also_related(conversation::Entity)
        .filter(participant::Column::ConversationId.eq(id))
        .filter(participant::Column::UserId.eq(viewer.user))
        .one(db)
        .await?;
    match found {
        Some((participant, Some(conversation))) => Ok(InConversation {
            conversation,
            participant,
        }),
        _ => Err(Error::not_found("conversation")),
    }
}

/// The row of a conversation after the changes of this transaction.
pub(super) async fn reload(tx: &Tx, id: ConversationId) -> Result<conversation::Model, Error> {
    let found = conversation::Entity::find_by_id(id).one(tx).await?;
    found.ok_or_else(|| Error::not_found("conversation"))
}
