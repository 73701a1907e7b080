//! Mints the proofs of permission. What needs permission takes a proof, and nothing else can build
//! one, so forgetting to check does not compile. Hidden and absent answer alike.

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

/// The viewer takes part in this conversation. Holding it inside a transaction means that the
/// conversation's row is locked until the commit.
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

    /// What the viewer may do here.
    #[must_use]
    pub fn role(&self) -> ParticipantRole {
        self.participant.role
    }

    /// Whether the viewer may see this message, as [`crate::domain::messages::visible`] has it.
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

/// Proves that the viewer takes part, and locks the conversation until the commit.
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

/// What became of asking for one of several conversations.
#[derive(Clone, Debug)]
pub enum AccessCheck {
    /// The person takes part.
    In {
        /// The proof.
        place: Box<InConversation>,
        /// Whether more than [`LARGE_CONVERSATION`] people take part.
        is_crowded: bool,
        /// How many root messages the person has sent there, deleted ones counted.
        sent: i32,
    },
    /// They do not, or there is no such conversation.
    Hidden,
    /// Another transaction works on the conversation, or there is none: whoever [waits](Lock::Waits) is told.
    Busy,
}

/// Whether to wait for what other transactions work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// For one conversation: whoever has others locked meanwhile holds them up.
    Block,
    /// For several.
    SkipLocked,
}

/// Most people who are not yet a crowd.
pub const LARGE_CONVERSATION: u64 = 200;

/// Proves for each of these people that they take part in a conversation, and locks those conversations until the
/// commit.
pub async fn conversations(
    tx: &Tx,
    asked: &[(ConversationId, UserId)],
    lock: LockWait,
) -> Result<Vec<AccessCheck>, Error> {
    #[derive(FromQueryResult)]
    struct Found {
        #[sea_orm(nested)]
        participant: participant::Model,
        is_crowded: bool,
        sent: Option<i32>,
    }
    let (locked, absent) = lock_in(tx, asked, lock).await?;
    let pairs: BTreeSet<_> = asked.iter().copied().collect();
    let pairs = pairs.into_iter().map(|(id, user)| [id.into(), user.into()]);
    let table = ValuesCte::new("v (conversation_id, user_id)", pairs);
    // Not in the same statement: PostgreSQL shows this one what was committed while the lock was waited for.
    let text = format!(
        "WITH {} SELECT p.*, EXISTS (SELECT 1 FROM participant o
             WHERE o.conversation_id = p.conversation_id LIMIT 1 OFFSET {LARGE_CONVERSATION}) AS is_crowded,
             (SELECT m.sender_root_count FROM message m WHERE m.sender_id = p.user_id
                 AND m.conversation_id = p.conversation_id ORDER BY m.seq DESC LIMIT 1) AS sent
         FROM v CROSS JOIN participant p
         WHERE p.conversation_id = v.conversation_id AND p.user_id = v.user_id",
        table.text
    );
    let found: Vec<Found> = db::fetch_all(tx, &text, table.values).await?;
    let key = |found: &Found| (found.participant.conversation_id, found.participant.user_id);
    let found: HashMap<_, _> = found.iter().map(|found| (key(found), found)).collect();
    let entry = |asked: &(ConversationId, UserId)| match (locked.get(&asked.0), found.get(asked)) {
        (Some(conversation), Some(found)) => AccessCheck::In {
            place: Box::new(InConversation {
                conversation: conversation.clone(),
                participant: found.participant.clone(),
            }),
            is_crowded: found.is_crowded,
            sent: found.sent.unwrap_or_default(),
        },
        (Some(_), None) => AccessCheck::Hidden,
        (None, _) => absent.clone(),
    };
    Ok(asked.iter().map(entry).collect())
}

/// Locks these conversations; what is to be said of those that it did not find.
async fn lock_in(
    tx: &Tx,
    asked: &[(ConversationId, UserId)],
    lock: LockWait,
) -> Result<(HashMap<ConversationId, conversation::Model>, AccessCheck), Error> {
    let ids: BTreeSet<_> = asked.iter().map(|&(id, _)| id).collect();
    // What only refers to a conversation may go on meanwhile. SQLite has one writer and nothing to lock.
    let (lock, absent) = match (tx.get_database_backend(), lock) {
        (DbBackend::Postgres, LockWait::SkipLocked) => {
            ("FOR NO KEY UPDATE OF c SKIP LOCKED", AccessCheck::Busy)
        }
        (DbBackend::Postgres, LockWait::Block) => ("FOR NO KEY UPDATE OF c", AccessCheck::Hidden),
        _ => ("", AccessCheck::Hidden),
    };
    let table = ValuesCte::new("v (id)", ids.into_iter().map(|id| [id.into()]));
    let text = format!(
        "WITH {} SELECT c.* FROM v CROSS JOIN conversation c WHERE c.id = v.id {lock}",
        table.text
    );
    let rows: Vec<conversation::Model> = db::fetch_all(tx, &text, table.values).await?;
    Ok((rows.into_iter().map(|row| (row.id, row)).collect(), absent))
}

/// Proves that the viewer takes part, without locking: for reads.
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
