//! Inputs and payloads of the conversation mutations.

use async_graphql::{InputObject, MaybeUndefined, SimpleObject};

use crate::{
    graphql::{
        conversations::types::{Conversation, ConversationEdge, HistoryVisibility},
        participants::types::NotificationLevel,
        scalars::DateTime,
    },
    id::{ConversationId, UserId},
};

/// The participants of a direct conversation.
#[derive(InputObject)]
pub struct OpenDirectConversationInput {
    /// The other people: 1 to 8.
    pub user_ids: Vec<UserId>,
}

/// Result of openDirectConversation.
#[derive(SimpleObject)]
pub struct OpenDirectConversationPayload {
    /// The conversation.
    pub conversation: Option<Conversation>,
    /// Whether it is new.
    pub was_created: bool,
}

/// A new group.
#[derive(InputObject)]
pub struct CreateConversationInput {
    /// Name, on one line of 1 to 120 characters; omit to show the participants' names.
    pub title: Option<String>,
    /// What it is about, on one line of at most 500 characters.
    pub topic: Option<String>,
    /// The other people.
    pub participant_ids: Vec<UserId>,
    /// The history that is visible to people who join later.
    #[graphql(default_with = "HistoryVisibility::FromStart")]
    pub history_visibility: HistoryVisibility,
}

/// Result of createConversation.
#[derive(SimpleObject)]
pub struct CreateConversationPayload {
    /// The conversation.
    pub conversation: Option<Conversation>,
    /// The conversation as an edge, to insert into viewer.conversations.
    pub conversation_edge: Option<ConversationEdge>,
}

/// New values for a group.
#[derive(InputObject)]
pub struct UpdateConversationInput {
    /// The group.
    pub conversation_id: ConversationId,
    /// Name, on one line of 1 to 120 characters; null removes it.
    pub title: MaybeUndefined<String>,
    /// What it is about, on one line of at most 500 characters; null removes it.
    pub topic: MaybeUndefined<String>,
    /// The history that is visible to people who join from now on; null keeps the value.
    pub history_visibility: Option<HistoryVisibility>,
}

/// Result of updateConversation.
#[derive(SimpleObject)]
pub struct UpdateConversationPayload {
    /// The conversation.
    pub conversation: Option<Conversation>,
}

/// Which conversation to delete.
#[derive(InputObject)]
pub struct DeleteConversationInput {
    /// The conversation.
    pub conversation_id: ConversationId,
}

/// Result of deleteConversation.
#[derive(SimpleObject)]
pub struct DeleteConversationPayload {
    /// Id of the deleted conversation.
    pub deleted_conversation_id: Option<ConversationId>,
}

/// The viewer's settings for one conversation.
#[derive(InputObject)]
pub struct UpdateConversationSettingsInput {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// What to be notified about; null keeps the value.
    pub notification_level: Option<NotificationLevel>,
    /// Mute until this time; null unmutes.
    pub muted_until: MaybeUndefined<DateTime>,
    /// Keep at the top; null keeps the value.
    pub is_pinned: Option<bool>,
    /// Move out of the list until there is a new message; null keeps the value.
    pub is_archived: Option<bool>,
    /// Hide a direct conversation from all lists until someone writes in it again; null keeps the value. BAD_USER_INPUT
    /// for a group.
    pub is_hidden: Option<bool>,
}

/// Result of updateConversationSettings.
#[derive(SimpleObject)]
pub struct UpdateConversationSettingsPayload {
    /// The conversation.
    pub conversation: Option<Conversation>,
}
