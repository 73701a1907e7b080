//! Mints the proofs of permission. What needs permission takes a proof, and nothing else can build
//! one, so forgetting to check does not compile. Hidden and absent answer alike.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::{
    db::Tx,
    domain::sessions::Viewer,
    entity::{
        conversation::{self, ConversationKind},
        participant::{self, ParticipantRole},
    },
    error::Error,
    id::ConversationId,
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
