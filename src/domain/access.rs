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
        if self.role() >= role {
            return Ok(());
        }
        Err(Error::forbidden(
            "Your role in this conversation does not allow this.",
        ))
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

/// Proves that the viewer participates, and locks the conversation until the commit.
pub async fn conversation(
    tx: &Tx,
    viewer: &Viewer,
    id: ConversationId,
) -> Result<InConversation, Error> {
    let locked = conversation::Entity::find_by_id(id)
        .lock_exclusive()
        .one(tx)
        .await?;
    let conversation = locked.ok_or_else(|| Error::not_found("conversation"))?;
    participation(tx, viewer, conversation).await
}

/// The result of the check for one of several conversations.
#[derive(Clone, Debug)]
pub enum AccessCheck {
    /// The user participates.
    In {
        /// The proof.
        membership: Box<InConversation>,
        /// Whether there are more than [`LARGE_CONVERSATION`] participants.
        is_large: bool,
        /// The number of root messages that the user has sent there, deleted ones included.
        sent: i32,
    },
    /// The user does not participate, or the conversation does not exist.
    Hidden,
    /// Another transaction holds the lock, or the conversation does not exist: only [`LockWait::Block`] distinguishes the two.
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

/// Above this number of participants a conversation is large: background work writes its notifications.
pub const LARGE_CONVERSATION: u64 = 200;

/// Checks for each pair that the user participates in the conversation, and locks those conversations until the commit.
/// Returns one result per pair, in order.
pub async fn conversations(
    tx: &Tx,
    memberships: &[(ConversationId, UserId)],
    lock: LockWait,
) -> Result<Vec<AccessCheck>, Error> {
    #[derive(FromQueryResult)]
    struct Found {
        #[sea_orm(nested)]
        participant: participant::Model,
        is_large: bool,
        sent: Option<i32>,
    }
    let (locked, absent) = lock_in(tx, memberships, lock).await?;
    let pairs: BTreeSet<_> = memberships.iter().copied().collect();
    let pairs = pairs.into_iter().map(|(id, user)| [id.into(), user.into()]);
    let table = ValuesCte::new("v (conversation_id, user_id)", pairs);
    // SQL for its values CTE. Separate from the locking statement, because on PostgreSQL only a later statement sees
    // what was committed during the wait for the lock.
    let text = format!(
        "WITH {} SELECT p.*, EXISTS (SELECT 1 FROM participant o
             WHERE o.conversation_id = p.conversation_id LIMIT 1 OFFSET {LARGE_CONVERSATION}) AS is_large,
             (SELECT m.sender_root_count FROM message m WHERE m.sender_id = p.user_id
                 AND m.conversation_id = p.conversation_id ORDER BY m.seq DESC LIMIT 1) AS sent
         FROM v CROSS JOIN participant p
         WHERE p.conversation_id = v.conversation_id AND p.user_id = v.user_id",
        table.text
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
            is_large: found.is_large,
            sent: found.sent.unwrap_or_default(),
        },
        (Some(_), None) => AccessCheck::Hidden,
        (None, _) => absent.clone(),
    };
    Ok(memberships.iter().map(check).collect())
}

/// Locks these conversations. Returns their rows, and the result for those that were not found.
async fn lock_in(
    tx: &Tx,
    memberships: &[(ConversationId, UserId)],
    lock: LockWait,
) -> Result<(HashMap<ConversationId, conversation::Model>, AccessCheck), Error> {
    let ids: BTreeSet<_> = memberships.iter().map(|&(id, _)| id).collect();
    // The weaker lock does not block inserts that only refer to a conversation. SQLite has one writer and no row locks.
    let (lock, absent) = match (tx.get_database_backend(), lock) {
        (DbBackend::Postgres, LockWait::SkipLocked) => {
            ("FOR NO KEY UPDATE OF c SKIP LOCKED", AccessCheck::Busy)
        }
        (DbBackend::Postgres, LockWait::Block) => ("FOR NO KEY UPDATE OF c", AccessCheck::Hidden),
        _ => ("", AccessCheck::Hidden),
    };
    // SQL for its values CTE and `SKIP LOCKED`.
    let table = ValuesCte::new("v (id)", ids.into_iter().map(|id| [id.into()]));
    let text = format!(
        "WITH {} SELECT c.* FROM v CROSS JOIN conversation c WHERE c.id = v.id {lock}",
        table.text
    );
    let rows: Vec<conversation::Model> = db::fetch_all(tx, &text, table.values).await?;
    Ok((rows.into_iter().map(|row| (row.id, row)).collect(), absent))
}

/// Proves that the viewer participates, without a lock: for reads.
pub async fn conversation_read<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    id: ConversationId,
) -> Result<InConversation, Error> {
    let found = conversation::Entity::find_by_id(id).one(db).await?;
    let conversation = found.ok_or_else(|| Error::not_found("conversation"))?;
    participation(db, viewer, conversation).await
}

async fn participation<C: ConnectionTrait>(
    db: &C,
    viewer: &Viewer,
    conversation: conversation::Model,
) -> Result<InConversation, Error> {
    let found = participant::Entity::find()
        .filter(participant::Column::ConversationId.eq(conversation.id))
        .filter(participant::Column::UserId.eq(viewer.user))
        .one(db)
        .await?;
    match found {
        Some(participant) => Ok(InConversation {
            conversation,
            participant,
        }),
        None => Err(Error::not_found("conversation")),
    }
}

/// The row of a conversation after the changes of this transaction.
pub(super) async fn reload(tx: &Tx, id: ConversationId) -> Result<conversation::Model, Error> {
    let found = conversation::Entity::find_by_id(id).one(tx).await?;
    found.ok_or_else(|| Error::not_found("conversation"))
}
