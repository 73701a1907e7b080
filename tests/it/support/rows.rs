//! Reads rows, and writes them where requests would take too long.

use std::{ops::Range, time::Duration};

use heddle::{
    db::{self, Db},
    domain::{
        import::{History, ImportedMessage},
        participants::sort_key,
    },
    entity::{
        conversation::{self, ConversationKind},
        participant::{self, NotificationLevel, ParticipantRole},
        user,
    },
    id::{ConversationId, MessageId, ParticipantId, UserId},
};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, Set, Statement,
};

use super::app::TestApp;

/// Users that one statement adds.
const USERS_PER_STATEMENT: usize = 500;
/// How long a background change may take.
const PATIENCE: Duration = Duration::from_secs(20);

impl TestApp {
    /// Returns the number of rows of a table.
    pub(crate) async fn db_count(&self, table: &str) -> i64 {
        let db = self.app.db.read();
        let text = format!("SELECT COUNT(*) FROM {table}");
        let statement = Statement::from_string(db.get_database_backend(), text);
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    /// Waits until a table has this number of rows.
    #[track_caller]
    pub(crate) fn db_reaches(&self, table: &str, rows: i64) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let reached = async {
                while self.db_count(table).await != rows {
                    tokio::task::yield_now().await;
                }
            };
            if tokio::time::timeout(PATIENCE, reached).await.is_err() {
                let count = self.db_count(table).await;
                panic!("{caller}: {table} has {count} rows, not {rows}");
            }
        }
    }

    /// Adds messages of a user to a conversation (`cnv_…`) without messages: each replies to the one before, and every
    /// hundredth is a root.
    pub(crate) async fn db_history(&self, conversation: &str, sender: &str, count: usize) {
        self.db_threads_of(100, conversation, sender, count).await;
    }

    /// Adds messages in threads of this size.
    pub(crate) async fn db_threads_of(
        &self,
        size: usize,
        conversation: &str,
        sender: &str,
        count: usize,
    ) {
        let parent = |number: usize| (!number.is_multiple_of(size)).then(|| number - 1);
        self.db_messages(conversation, sender, count, parent).await;
    }

    /// Adds messages of a user to a conversation without messages. The parent of each is the number of an earlier one.
    pub(crate) async fn db_messages(
        &self,
        conversation: &str,
        sender: &str,
        count: usize,
        parent: impl Fn(usize) -> Option<usize>,
    ) {
        let mut history = History::new(ConversationId::from_text(conversation), 50);
        let past = |number: usize| ImportedMessage {
            id: MessageId::mint(),
            sender: UserId::from_text(sender),
            parent: parent(number),
            at: self.app.clock.now(),
            body: format!("number {number}"),
            key: None,
        };
        let numbers: Vec<_> = (0..count).collect();
        for some in numbers.chunks(500) {
            let messages: Vec<_> = some.iter().map(|&number| past(number)).collect();
            let (before, messages) = (&history, &messages);
            let appending = self
                .app
                .db
                .write(|tx| async move { before.append_in(&tx, messages).await });
            for known in appending.await.unwrap() {
                history.remember(known);
            }
        }
    }

    /// Adds this number of users to a conversation (`cnv_…`).
    pub(crate) async fn db_large_conversation(&self, conversation: &str, size: usize) {
        self.db_participants(conversation, 0..size).await;
    }

    /// Adds users with these numbers to a conversation.
    pub(crate) async fn db_participants(&self, conversation: &str, numbers: Range<usize>) {
        let db = self.app.db.migrate();
        let model = user::Entity::find().one(db).await.unwrap().unwrap();
        let people: Vec<_> = numbers.map(|number| stranger(&model, number)).collect();
        let members: Vec<_> = people
            .iter()
            .map(|user| member(conversation, user, &model))
            .collect();
        for some in people.chunks(USERS_PER_STATEMENT) {
            let inserted = user::Entity::insert_many(some.to_vec());
            inserted.exec_without_returning(db).await.unwrap();
        }
        for some in members.chunks(USERS_PER_STATEMENT) {
            let inserted = participant::Entity::insert_many(some.to_vec());
            inserted.exec_without_returning(db).await.unwrap();
        }
        count_participants(&self.app.db).await;
    }
}

/// Stores the numbers of participants of all conversations.
async fn count_participants(db: &Db) {
    let text = "UPDATE conversation SET participant_count = (SELECT COUNT(*) FROM participant p
        WHERE p.conversation_id = conversation.id)";
    db::execute(db.migrate(), text, []).await.unwrap();
}

/// Adds groups with this member and this number of others, who are in all of them. The statements of the server would
/// take hours for millions of memberships.
pub(crate) async fn db_groups(db: &Db, member: UserId, groups: usize, others: usize) {
    let writer = db.migrate();
    let model = user::Entity::find_by_id(member)
        .one(writer)
        .await
        .unwrap()
        .unwrap();
    // Apart from the members of a large conversation.
    let people: Vec<_> = (0..others)
        .map(|number| stranger(&model, 1_000_000 + number))
        .collect();
    for chunk in people.chunks(USERS_PER_STATEMENT) {
        let inserted = user::Entity::insert_many(chunk.to_vec());
        inserted.exec_without_returning(writer).await.unwrap();
    }
    let (id, hex) = match db.backend() {
        DbBackend::Sqlite => ("randomblob(16)", "lower(hex(id))"),
        _ => ("gen_random_uuid()", "replace(CAST(id AS text), '-', '')"),
    };
    for _ in 0..groups {
        let group = conversation::ActiveModel {
            id: Set(ConversationId::mint()),
            kind: Set(ConversationKind::Group),
            created_at: Set(model.created_at),
            last_activity_at: Set(model.created_at),
            ..conversation::Model::default()
                .into_active_model()
                .reset_all()
        };
        let group = group.insert(writer).await.unwrap();
        let text = format!(
            "INSERT INTO participant (id, conversation_id, user_id, role, joined_at, notification_level, is_pinned,
                   sort_key)
               SELECT {id}, ?, id, 'MEMBER', created_at, 'ALL', ?, '1' || display_name_key || '\t' || {hex} FROM \"user\" WHERE username LIKE 'stranger%' OR id = ?"
        );
        let values = [group.id.into(), false.into(), member.into()];
        db::execute(writer, &text, values).await.unwrap();
    }
    count_participants(db).await;
}

/// A user with the settings of this one.
fn stranger(model: &user::Model, number: usize) -> user::ActiveModel {
    let name = format!("stranger{number}");
    user::ActiveModel {
        id: Set(UserId::mint()),
        username: Set(name.clone()),
        username_key: Set(name),
        email: Set(None),
        email_key: Set(None),
        ..model.clone().into_active_model().reset_all()
    }
}

fn member(
    conversation: &str,
    user: &user::ActiveModel,
    model: &user::Model,
) -> participant::ActiveModel {
    participant::ActiveModel {
        id: Set(ParticipantId::mint()),
        conversation_id: Set(ConversationId::from_text(conversation)),
        user_id: user.id.clone(),
        role: Set(ParticipantRole::Member),
        added_by: Set(None),
        joined_at: Set(model.created_at),
        visible_from_seq: Set(0),
        read_floor_seq: Set(0),
        notification_level: Set(NotificationLevel::All),
        muted_until: Set(None),
        is_pinned: Set(false),
        archived_seq: Set(None),
        hidden_seq: Set(None),
        sort_key: Set(sort_key(
            ParticipantRole::Member,
            user.display_name_key.as_ref(),
            *user.id.as_ref(),
        )),
        notified_from_seq: Set(0),
        settings_from_seq: Set(0),
        notifications_read_seq: Set(0),
        read_at: Set(None),
    }
}
