//! Reads the contents of the tables while no request is running.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use heddle::{
    db::{self, Db},
    id::{ConversationId, MessageId, NotificationId, ParticipantId, RevisionId, ThreadId, UserId},
    live::log::Change,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// A message.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Row {
    pub(super) id: MessageId,
    pub(super) conversation_id: ConversationId,
    pub(super) seq: i32,
    pub(super) parent_id: Option<MessageId>,
    pub(super) root_id: Option<MessageId>,
    pub(super) depth: i32,
    pub(super) path: Vec<u8>,
    pub(super) branch_seq: Option<i32>,
    pub(super) reply_count: i32,
    pub(super) descendant_count: i32,
    pub(super) body: Option<String>,
    pub(super) notice: Option<String>,
    pub(super) deleted_at: Option<DateTime<Utc>>,
}

impl Row {
    /// Whether lists contain it: a deleted message stays while it has replies. A deep reply counts those that are shown.
    pub(super) fn is_shown(&self) -> bool {
        self.deleted_at.is_none() || self.descendant_count > 0
    }
}

#[derive(FromQueryResult)]
pub(super) struct Conversation {
    pub(super) id: ConversationId,
    pub(super) title: Option<String>,
    pub(super) topic: Option<String>,
    pub(super) last_seq: i32,
}

#[derive(FromQueryResult)]
pub(super) struct Member {
    pub(super) id: ParticipantId,
    pub(super) conversation_id: ConversationId,
    pub(super) user_id: UserId,
    pub(super) role: String,
    pub(super) visible_from_seq: i32,
}

#[derive(FromQueryResult)]
pub(super) struct Thread {
    pub(super) id: ThreadId,
    pub(super) reply_count: i32,
}

#[derive(FromQueryResult)]
pub(super) struct Notification {
    pub(super) id: NotificationId,
    pub(super) user_id: UserId,
}

#[derive(FromQueryResult)]
pub(super) struct Revision {
    pub(super) id: RevisionId,
    pub(super) message_id: MessageId,
    pub(super) body: String,
    pub(super) reason: Option<String>,
}

#[derive(FromQueryResult)]
struct Logged {
    stream_id: Uuid,
    seq: i64,
    payload: String,
}

/// The rows that the checks read.
pub(super) struct Tables {
    pub(super) messages: Vec<Row>,
    pub(super) conversations: Vec<Conversation>,
    pub(super) members: Vec<Member>,
    pub(super) threads: Vec<Thread>,
    pub(super) notifications: Vec<Notification>,
    pub(super) revisions: Vec<Revision>,
    /// The events of each stream, in order.
    pub(super) streams: BTreeMap<Uuid, Vec<Change>>,
}

impl Tables {
    pub(super) async fn read(db: &Db) -> Self {
        let events = "SELECT stream_id, seq, payload FROM event ORDER BY stream_id, seq";
        let mut streams: BTreeMap<Uuid, Vec<Change>> = BTreeMap::new();
        for event in all::<Logged>(db, events).await {
            let stream = streams.entry(event.stream_id).or_default();
            stream.push(serde_json::from_str(&event.payload).unwrap());
            assert_eq!(i64::try_from(stream.len()), Ok(event.seq), "{stream:?}");
        }
        Self {
            messages: all(db, "SELECT * FROM message ORDER BY conversation_id, seq").await,
            conversations: all(db, "SELECT * FROM conversation").await,
            members: all(db, "SELECT * FROM participant").await,
            threads: all(db, "SELECT * FROM thread").await,
            notifications: all(db, "SELECT * FROM notification").await,
            revisions: all(db, "SELECT * FROM message_revision").await,
            streams,
        }
    }

    /// The membership of a user in a conversation.
    pub(super) fn member(&self, conversation: ConversationId, user: UserId) -> Option<&Member> {
        let found = |one: &&Member| (one.conversation_id, one.user_id) == (conversation, user);
        self.members.iter().find(found)
    }

    /// Whether a user may see a message, deleted or not.
    pub(super) fn may_see(&self, user: UserId, message: &Row) -> bool {
        self.member(message.conversation_id, user)
            .is_some_and(|member| message.seq >= member.visible_from_seq)
    }

    /// Returns the events of a conversation or a user.
    pub(super) fn stream(&self, id: Uuid) -> &[Change] {
        self.streams.get(&id).map_or(&[], Vec::as_slice)
    }
}

async fn all<T: FromQueryResult>(db: &Db, text: &str) -> Vec<T> {
    db::fetch_all(db.read(), text, []).await.unwrap()
}
