//! Inputs and payloads of the participant mutations.

use async_graphql::{InputObject, SimpleObject};

use crate::{
    graphql::{
        conversations::types::Conversation,
        participants::types::{Participant, ParticipantRole},
    },
    id::{ConversationId, ParticipantId, UserId},
};

/// The people to add to a group.
#[derive(InputObject)]
pub struct AddParticipantsInput {
    /// The group.
    pub conversation_id: ConversationId,
    /// The people.
    pub user_ids: Vec<UserId>,
    /// Their role.
    #[graphql(default_with = "ParticipantRole::Member")]
    pub role: ParticipantRole,
}

/// Result of addParticipants. People who already take part are not changed.
#[derive(SimpleObject)]
pub struct AddParticipantsPayload {
    /// The conversation.
    pub conversation: Option<Conversation>,
    /// The new memberships.
    pub participants: Vec<Participant>,
}

/// The person to remove from a group.
#[derive(InputObject)]
pub struct RemoveParticipantInput {
    /// The group.
    pub conversation_id: ConversationId,
    /// The person.
    pub user_id: UserId,
}

/// Result of removeParticipant.
#[derive(SimpleObject)]
pub struct RemoveParticipantPayload {
    /// The conversation.
    pub conversation: Option<Conversation>,
    /// Id of the deleted membership.
    pub removed_participant_id: Option<ParticipantId>,
}

/// A new role.
#[derive(InputObject)]
pub struct ChangeParticipantRoleInput {
    /// The group.
    pub conversation_id: ConversationId,
    /// The person.
    pub user_id: UserId,
    /// Their new role.
    pub role: ParticipantRole,
}

/// Result of changeParticipantRole.
#[derive(SimpleObject)]
pub struct ChangeParticipantRolePayload {
    /// The changed membership.
    pub participant: Option<Participant>,
}

/// Which group to leave.
#[derive(InputObject)]
pub struct LeaveConversationInput {
    /// The group.
    pub conversation_id: ConversationId,
}

/// Result of leaveConversation.
#[derive(SimpleObject)]
pub struct LeaveConversationPayload {
    /// Id of the conversation that was left.
    pub left_conversation_id: Option<ConversationId>,
}
