//! Reads what is not kept: who came and went, who types. The tables hold only the latest of each, so
//! what changed twice within a moment is told once.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use super::log::Change;
use crate::{
    db::{self, Db},
    error::Error,
    id::{ConversationId, ThreadId, UserId},
};

/// How far back to look: longer than a transaction takes and than the clocks of nodes differ.
const WINDOW: TimeDelta = TimeDelta::seconds(10);
/// People in one statement.
const CHUNK: usize = 500;

/// Something fleeting, and the streams whose listeners are told.
#[derive(Debug)]
pub(super) struct Ephemeral {
    pub(super) change: Change,
    pub(super) at: DateTime<Utc>,
    pub(super) streams: Vec<Uuid>,
}

/// What was told already.
#[derive(Debug, Default)]
pub(super) struct SeenEphemeral(HashMap<(UserId, Option<Uuid>), DateTime<Utc>>);

impl SeenEphemeral {
    /// What changed since the last look.
    pub(super) async fn look(
        &mut self,
        db: &Db,
        now: DateTime<Utc>,
    ) -> Result<Vec<Ephemeral>, Error> {
        let since = now - WINDOW;
        self.0.retain(|_, at| *at >= since);
        // Told is what the whole look found: one that fails half way, or is given up, is made again.
        let mut look = Self(self.0.clone());
        let mut found = look.presence(db, since).await?;
        found.extend(look.typing(db, since).await?);
        *self = look;
        Ok(found)
    }

    fn is_new(&mut self, key: (UserId, Option<Uuid>), at: DateTime<Utc>) -> bool {
        self.0.insert(key, at) != Some(at)
    }

    async fn presence(&mut self, db: &Db, since: DateTime<Utc>) -> Result<Vec<Ephemeral>, Error> {
        #[derive(FromQueryResult)]
        struct Row {
            user_id: UserId,
            changed_at: DateTime<Utc>,
        }
        let text = "SELECT user_id, changed_at FROM presence WHERE changed_at >= ?
            ORDER BY changed_at";
        let mut rows: Vec<Row> = db::fetch_all(db.read(), text, [since.into()]).await?;
        rows.retain(|row| self.is_new((row.user_id, None), row.changed_at));
        let people: Vec<_> = rows.iter().map(|row| row.user_id).collect();
        let mut streams = streams(db, &people).await?;
        let found = rows.into_iter().map(|row| Ephemeral {
            change: Change::PresenceChanged { user: row.user_id },
            at: row.changed_at,
            streams: streams.remove(&row.user_id).unwrap_or_default(),
        });
        Ok(found.collect())
    }

    async fn typing(&mut self, db: &Db, since: DateTime<Utc>) -> Result<Vec<Ephemeral>, Error> {
        #[derive(FromQueryResult)]
        struct Row {
            place_id: Uuid,
            user_id: UserId,
            conversation_id: ConversationId,
            thread_id: Option<ThreadId>,
            expires_at: DateTime<Utc>,
            changed_at: DateTime<Utc>,
        }
        let text = "SELECT place_id, user_id, conversation_id, thread_id, expires_at, changed_at
            FROM typing WHERE changed_at >= ? ORDER BY changed_at";
        let rows: Vec<Row> = db::fetch_all(db.read(), text, [since.into()]).await?;
        let mut found = vec![];
        for row in rows {
            if self.is_new((row.user_id, Some(row.place_id)), row.changed_at) {
                let change = Change::TypingChanged {
                    conversation: row.conversation_id,
                    thread: row.thread_id,
                    user: row.user_id,
                    expires_at: Some(row.expires_at).filter(|at| *at > row.changed_at),
                };
                found.push(Ephemeral {
                    change,
                    at: row.changed_at,
                    streams: vec![row.conversation_id.0],
                });
            }
        }
        Ok(found)
    }
}

/// For each of these people, their own stream and those of their conversations.
async fn streams(db: &Db, people: &[UserId]) -> Result<HashMap<UserId, Vec<Uuid>>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        user_id: UserId,
        conversation_id: ConversationId,
    }
    let mut found: HashMap<_, _> = people.iter().map(|&user| (user, vec![user.0])).collect();
    for some in people.chunks(CHUNK) {
        let text = format!(
            "SELECT user_id, conversation_id FROM participant WHERE user_id IN ({})",
            db::placeholders(some.len())
        );
        let ids = some.iter().map(|&user| Value::from(user));
        let rows: Vec<Row> = db::fetch_all(db.read(), &text, ids.collect::<Vec<_>>()).await?;
        for row in rows {
            found
                .entry(row.user_id)
                .or_default()
                .push(row.conversation_id.0);
        }
    }
    Ok(found)
}
