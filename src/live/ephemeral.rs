//! Reads what is not kept: who came and went, who types. The tables hold only the latest of each, so
//! what changed twice within a moment is told once.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::log::Change;
use crate::{
    db::Db,
    entity::{participant, presence, typing},
    error::Error,
    id::{ConversationId, UserId},
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
        let mut rows = presence::Entity::find()
            .filter(presence::Column::ChangedAt.gte(since))
            .order_by_asc(presence::Column::ChangedAt)
            .all(db.read())
            .await?;
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
        let rows = typing::Entity::find()
            .filter(typing::Column::ChangedAt.gte(since))
            .order_by_asc(typing::Column::ChangedAt)
            .all(db.read())
            .await?;
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
    let mut found: HashMap<_, _> = people.iter().map(|&user| (user, vec![user.0])).collect();
    for some in people.chunks(CHUNK) {
        let rows: Vec<(UserId, ConversationId)> = participant::Entity::find()
            .select_only()
            .columns([
                participant::Column::UserId,
                participant::Column::ConversationId,
            ])
            .filter(participant::Column::UserId.is_in(some.iter().copied()))
            .into_tuple()
            .all(db.read())
            .await?;
        for (user, conversation) in rows {
            found.entry(user).or_default().push(conversation.0);
        }
    }
    Ok(found)
}
