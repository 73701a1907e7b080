//! Types of account deletion: the preview, the input and the payload.

use async_graphql::{Enum, InputObject, SimpleObject};

use crate::{
    domain::accounts::{AccountDeletion, DeletionPreview, SentMessages},
    id::UserId,
};

/// What deleting an account would remove.
#[derive(SimpleObject, Clone, Copy, Debug)]
#[expect(
    clippy::struct_field_names,
    reason = "the names of the schema: each is a count"
)]
pub struct AccountDeletionPreview {
    /// Messages the viewer sent in groups.
    group_message_count: i32,
    /// Direct conversations, which are deleted with everything in them.
    direct_conversation_count: i32,
    /// Messages the viewer sent or received in those.
    direct_message_count: i32,
    /// Threads whose root would become an empty marker because others replied.
    kept_thread_count: i32,
    /// Edits the viewer made.
    revision_count: i32,
    /// Notifications that are stored for the viewer: of mentions, replies and memberships.
    notification_count: i32,
    /// Groups the viewer owns alone; each needs another owner first, or is deleted when it has no
    /// other participant.
    owned_group_count: i32,
}

impl From<DeletionPreview> for AccountDeletionPreview {
    fn from(preview: DeletionPreview) -> Self {
        let int = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            group_message_count: int(preview.group_messages),
            direct_conversation_count: int(preview.direct_conversations),
            direct_message_count: int(preview.direct_messages),
            kept_thread_count: int(preview.kept_threads),
            revision_count: int(preview.revisions),
            notification_count: int(preview.notifications),
            owned_group_count: int(preview.owned_groups),
        }
    }
}

/// What to do with the messages a person sent in groups when their account is deleted.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "SentMessages")]
pub enum MessageDisposal {
    /// They are deleted, with their history.
    Delete,
    /// They stay, without a sender.
    Anonymize,
}

/// Confirmation of an account's deletion.
#[derive(InputObject)]
pub struct DeleteAccountInput {
    /// The viewer's username, as a confirmation.
    confirm_username: String,
    /// The current password; omit it when none is set.
    password: Option<String>,
    /// A current code of the authenticator app, or a recovery code; required when an app is set up.
    code: Option<String>,
    /// What to do with messages in groups.
    #[graphql(default_with = "MessageDisposal::Delete")]
    messages: MessageDisposal,
}

impl From<DeleteAccountInput> for AccountDeletion {
    fn from(input: DeleteAccountInput) -> Self {
        Self {
            confirm_username: input.confirm_username,
            password: input.password,
            code: input.code,
            messages: input.messages.into(),
        }
    }
}

/// Result of deleteAccount.
#[derive(SimpleObject)]
pub struct DeleteAccountPayload {
    /// Id of the deleted account.
    pub deleted_user_id: Option<UserId>,
}
