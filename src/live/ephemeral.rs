//! Loads ephemeral events: presence and typing. Their tables contain only the latest state, so two changes between two
//! loads become one event.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::log::Change;
use crate::{
    db::Db,
    entity::{block, presence, typing},
    error::Error,
    id::UserId,
};

/// How old a change may be: more than the duration of a transaction plus the difference between the nodes' clocks.
const WINDOW: TimeDelta = TimeDelta::seconds(10);

/// Users in one statement.
const USERS_PER_SELECT: usize = 5000;

/// An ephemeral event.
#[derive(Debug)]
pub(super) struct Ephemeral {
    pub(super) change: Change,
    pub(super) at: DateTime<Utc>,
    /// The users who have a block with the user of the change.
    pub(super) hidden_from: HashSet<UserId>,
}

impl Ephemeral {
    fn new(change: Change, at: DateTime<Utc>) -> Self {
        let hidden_from = HashSet::new();
        Self {
            change,
            at,
            hidden_from,
        }
    }

    /// The user whose presence or typing changed.
    fn user(&self) -> Option<UserId> {
        match self.change {
            Change::PresenceChanged { user } | Change::TypingChanged { user, .. } => Some(user),
            _ => None,
        }
    }
}

/// The changes that became events already, by user and by scope of typing, with their times.
#[derive(Debug, Default)]
pub(super) struct SeenEphemeral(HashMap<(UserId, Option<Uuid>), DateTime<Utc>>);

impl SeenEphemeral {
    /// The events since the last call.
    pub(super) async fn load_new(
        &mut self,
        db: &Db,
        now: DateTime<Utc>,
    ) -> Result<Vec<Ephemeral>, Error> {
        let since = now - WINDOW;
        self.0.retain(|_, at| *at >= since);
        // On a copy, so that a call that fails or is cancelled marks nothing as seen.
        let mut seen = Self(self.0.clone());
        let mut found = seen.presence(db, since).await?;
        found.extend(seen.typing(db, since).await?);
        hide_from_blocked(db, &mut found).await?;
        *self = seen;
        Ok(found)
    }

    /// Loads these events again, if they are not too old by then.
    pub(super) fn forget(&mut self, events: Vec<Ephemeral>) {
        for event in events {
            if let Change::PresenceChanged { user } = event.change {
                self.0.remove(&(user, None));
            }
        }
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
        let found = rows.into_iter().map(|row| {
            let change = Change::PresenceChanged { user: row.user_id };
            Ephemeral::new(change, row.changed_at)
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
            if self.is_new((row.user_id, Some(row.scope_id)), row.changed_at) {
                let change = Change::TypingChanged {
                    conversation: row.conversation_id,
                    thread: row.thread_id,
                    user: row.user_id,
                    expires_at: Some(row.expires_at).filter(|at| *at > row.changed_at),
                };
                found.push(Ephemeral::new(change, row.changed_at));
            }
        }
        Ok(found)
    }
}

/// Finds the users who have a block with the users of these events, in any direction.
async fn hide_from_blocked(db: &Db, events: &mut [Ephemeral]) -> Result<(), Error> {
    let users: HashSet<UserId> = events.iter().filter_map(Ephemeral::user).collect();
    let users: Vec<_> = users.into_iter().collect();
    let mut others: HashMap<UserId, HashSet<UserId>> = HashMap::new();
    for some in users.chunks(USERS_PER_SELECT) {
        // One statement for each direction, because PostgreSQL reads the whole table for an OR.
        for column in [block::Column::BlockerId, block::Column::BlockedId] {
            let blocks = block::Entity::find().filter(column.is_in(some.iter().copied()));
            for row in blocks.all(db.read()).await? {
                others
                    .entry(row.blocker_id)
                    .or_default()
                    .insert(row.blocked_id);
                others
                    .entry(row.blocked_id)
                    .or_default()
                    .insert(row.blocker_id);
            }
        }
    }
    for event in events {
        let hidden_from = event.user().and_then(|user| others.get(&user));
        event.hidden_from = hidden_from.cloned().unwrap_or_default();
    }
    Ok(())
}
