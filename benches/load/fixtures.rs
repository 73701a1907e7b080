//! Writes conversations of any size into a database with the bulk import, while no server runs. Everything that is
//! measured is requested over the network.

use std::time::Duration;

use chrono::Utc;
use heddle::{
    db::{Db, Tx},
    domain::import::{self, History, ImportedGroup, ImportedMember, ImportedMessage},
    entity::{
        job::{self, JobStatus},
        message,
        participant::{self, ParticipantRole},
        user,
    },
    error::Error,
    id::{ConversationId, MessageId, ParticipantId, ThreadId, UserId},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, Statement,
};

use crate::{operations::BODY, server::Installation};

/// Interval between two queries for unfinished jobs.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
const MESSAGES_PER_TRANSACTION: usize = 5000;
/// Deepest level of replies.
const MAX_DEPTH: i32 = 50;

/// A database to fill.
pub(crate) struct Fixtures {
    db: Db,
}

/// A group and its messages, by their ids in the API.
pub(crate) struct WrittenGroup {
    pub(crate) id: String,
    pub(crate) messages: Vec<String>,
}

/// A member of a group, and how many of its messages they have read.
pub(crate) type ReadCount = (UserId, usize);

impl Fixtures {
    pub(crate) async fn open(installation: &Installation) -> Self {
        let db = Db::connect(&installation.database_url).await.unwrap();
        Self { db }
    }

    pub(crate) async fn close(self) {
        self.db.close().await.unwrap();
    }

    pub(crate) async fn all_users(&self) -> Vec<UserId> {
        let users = user::Entity::find().all(self.db.read()).await.unwrap();
        users.into_iter().map(|user| user.id).collect()
    }

    /// Waits until all notifications are created.
    pub(crate) async fn wait_for_notifications(&self) {
        let pending = job::Entity::find()
            .filter(job::Column::Kind.eq("NotifyOfMessage"))
            .filter(job::Column::Status.is_in([JobStatus::Queued, JobStatus::Running]));
        while pending.clone().count(self.db.read()).await.unwrap() > 0 {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Returns any user who is a participant, their username, and a conversation that they are in.
    pub(crate) async fn any_participant(&self) -> (UserId, String, String) {
        let found = participant::Entity::find().one(self.db.read()).await;
        let found = found.unwrap().unwrap();
        let user = user::Entity::find_by_id(found.user_id).one(self.db.read());
        let username = user.await.unwrap().unwrap().username;
        (found.user_id, username, found.conversation_id.to_string())
    }

    /// Writes groups with the same members. The first member sends all messages.
    pub(crate) async fn groups(&self, titles: &[String], members: &[ReadCount], messages: usize) {
        let per_transaction = (MESSAGES_PER_TRANSACTION / (messages + members.len())).max(1);
        for titles in titles.chunks(per_transaction) {
            let written = self.db.write(|tx| async move {
                for title in titles {
                    let roots = build_messages(|_| members[0].0, messages, |_| None);
                    group_in(&tx, title, members, &roots).await?;
                }
                Ok(())
            });
            written.await.unwrap();
        }
    }

    /// Writes a group whose members take turns to send this number of messages.
    pub(crate) async fn conversation(
        &self,
        title: &str,
        members: &[ReadCount],
        messages: usize,
    ) -> WrittenGroup {
        let sender = |number: usize| members[number % members.len()].0;
        let roots = &build_messages(sender, messages, |_| None);
        let written = self
            .db
            .write(|tx| async move { group_in(&tx, title, members, roots).await });
        WrittenGroup {
            id: written.await.unwrap().to_string(),
            messages: roots.iter().map(|root| root.id.to_string()).collect(),
        }
    }

    pub(crate) async fn message_count(&self) -> u64 {
        message::Entity::find().count(self.db.read()).await.unwrap()
    }

    /// The bytes of the database that are in use.
    pub(crate) async fn bytes(&self) -> i64 {
        let backend = self.db.read().get_database_backend();
        let query = match backend {
            DbBackend::Postgres => "SELECT pg_database_size(current_database()) AS bytes",
            _ => {
                "SELECT (p.page_count - f.freelist_count) * s.page_size AS bytes
                 FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s"
            }
        };
        let query = Statement::from_string(backend, query);
        let row = self.db.read().query_one_raw(query).await.unwrap();
        row.unwrap().try_get("", "bytes").unwrap()
    }

    /// Writes a group with one root message and a tree of replies, eight below each. Returns the thread's id too.
    pub(crate) async fn thread(
        &self,
        title: &str,
        members: &[ReadCount],
        replies: usize,
    ) -> (WrittenGroup, String) {
        let group = &build_group(title);
        let mut history = History::new(group.id, MAX_DEPTH);
        let parent = |number: usize| number.checked_sub(1).map(|before| before / 8);
        let messages = build_messages(|_| members[0].0, replies + 1, parent);
        for messages in messages.chunks(MESSAGES_PER_TRANSACTION) {
            let before = &history;
            let written = self.db.write(|tx| async move {
                if before.is_empty() {
                    import::group_in(&tx, group).await?;
                    import::members_in(&tx, group.id, &build_members(members), group.at).await?;
                }
                before.append_in(&tx, messages).await
            });
            for imported in written.await.unwrap() {
                history.remember(imported);
            }
        }
        let written = WrittenGroup {
            id: group.id.to_string(),
            messages: messages.iter().map(|one| one.id.to_string()).collect(),
        };
        (written, ThreadId(messages[0].id.0).to_string())
    }
}

/// Writes a group with these members and root messages.
async fn group_in(
    tx: &Tx,
    title: &str,
    members: &[ReadCount],
    roots: &[ImportedMessage],
) -> Result<ConversationId, Error> {
    let group = build_group(title);
    import::group_in(tx, &group).await?;
    import::members_in(tx, group.id, &build_members(members), group.at).await?;
    let history = History::new(group.id, MAX_DEPTH);
    history.append_in(tx, roots).await?;
    Ok(group.id)
}

fn build_group(title: &str) -> ImportedGroup {
    ImportedGroup {
        id: ConversationId::mint(),
        title: title.to_owned(),
        topic: None,
        at: Utc::now(),
    }
}

fn build_members(members: &[ReadCount]) -> Vec<ImportedMember> {
    let member = |(index, &(user, read)): (usize, &ReadCount)| ImportedMember {
        id: ParticipantId::mint(),
        user,
        role: if index == 0 {
            ParticipantRole::Owner
        } else {
            ParticipantRole::Member
        },
        read_floor_seq: i32::try_from(read).unwrap(),
    };
    members.iter().enumerate().map(member).collect()
}

fn build_messages(
    sender: impl Fn(usize) -> UserId,
    count: usize,
    parent: impl Fn(usize) -> Option<usize>,
) -> Vec<ImportedMessage> {
    let message = |number| ImportedMessage {
        id: MessageId::mint(),
        sender: sender(number),
        parent: parent(number),
        at: Utc::now(),
        body: BODY.to_owned(),
        key: None,
    };
    (0..count).map(message).collect()
}

/// Parses a user id as the API returns it.
pub(crate) fn user_id(text: &str) -> UserId {
    UserId::from_text(text)
}
