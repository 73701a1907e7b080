//! Notices: messages by which the server records changes of a conversation in its timeline.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use serde::{Deserialize, Serialize};

use crate::{
    db::Tx,
    domain::messages::{
        path,
        sequence::{self, Allocation},
    },
    entity::message::{self, MessageKind},
    error::Error,
    id::{ConversationId, MessageId, UserId},
    live::log::{self, Change, Stream},
};

/// Maximum number of users in one notice.
pub const SUBJECTS_MAX: usize = 100;

/// The change that a notice records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NoticeType {
    /// The conversation was created.
    Created,
    /// Participants were added.
    ParticipantsAdded,
    /// A participant was removed.
    ParticipantRemoved,
    /// A participant left.
    ParticipantLeft,
    /// A role changed.
    RoleChanged,
    /// The title changed.
    TitleChanged,
    /// The topic changed.
    TopicChanged,
}

/// The content of a notice, by ids: names are resolved when it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The kind of change.
    #[serde(rename = "type")]
    pub kind: NoticeType,
    /// The user who made the change; none when the server did.
    pub actor: Option<UserId>,
    /// The users concerned, [`SUBJECTS_MAX`] at most.
    pub subjects: Vec<UserId>,
    /// The new title, topic or role.
    pub value: Option<String>,
}

impl Notice {
    /// A notice of a change by this user.
    #[must_use]
    pub fn by(actor: UserId, kind: NoticeType) -> Self {
        Self {
            kind,
            actor: Some(actor),
            subjects: vec![],
            value: None,
        }
    }

    /// Sets the users concerned; only the first [`SUBJECTS_MAX`] are kept.
    #[must_use]
    pub fn about(mut self, people: impl IntoIterator<Item = UserId>) -> Self {
        self.subjects = people.into_iter().take(SUBJECTS_MAX).collect();
        self
    }

    /// Sets the new value.
    #[must_use]
    pub fn with(mut self, value: Option<String>) -> Self {
        self.value = value;
        self
    }

    /// Decodes the notice of a message; `None` for other messages.
    #[must_use]
    pub fn of(message: &message::Model) -> Option<Self> {
        serde_json::from_str(message.notice.as_deref()?).ok()
    }
}

/// Inserts a notice at the end of the timeline, and appends its event and `others` to the conversation's stream.
pub async fn write_in(
    tx: &Tx,
    conversation: ConversationId,
    notice: &Notice,
    at: DateTime<Utc>,
    others: &[Change],
) -> Result<(), Error> {
    let id = MessageId::mint();
    let mut changes = vec![Change::MessageSent { message: id }];
    changes.extend_from_slice(others);
    let events = u32::try_from(changes.len()).map_err(Error::internal)?;
    let next = sequence::next_for_notice_in(tx, conversation, events, at).await?;
    let (allocation, created_at) = next;
    let Allocation {
        seq,
        root_count,
        sender_root_count,
        event_before,
    } = allocation;
    let row = message::Model {
        id,
        conversation_id: conversation,
        seq,
        path: path::path(&[], seq),
        root_count,
        sender_root_count,
        kind: MessageKind::Notice,
        notice: Some(serde_json::to_string(notice).map_err(Error::internal)?),
        created_at,
        ..Default::default()
    };
    row.into_active_model().insert(tx).await?;
    let stream = Stream::Conversation(conversation);
    let events: Vec<_> = log::numbered(stream, event_before, changes).collect();
    log::write(tx, at, &events).await
}
