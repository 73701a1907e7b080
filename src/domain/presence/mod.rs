//! Whether somebody is around, as others see it: people who share a conversation with them, if they
//! share it at all.

pub mod typing;

use chrono::{DateTime, Utc};
use sea_orm::{
    Condition, DbBackend, EntityTrait, ExprTrait, FromQueryResult, Set, Value,
    sea_query::{Expr, OnConflict},
};

use crate::{
    core::Core,
    db::{self, Tx},
    domain::sessions::Viewer,
    entity::presence::{self, PresenceStatus},
    error::{Error, Problem},
    id::UserId,
};

/// Longest text about being around, in characters.
const TEXT: usize = 100;

/// What one person sees of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Whether they are around.
    pub status: PresenceStatus,
    /// Their own words about that.
    pub text: Option<String>,
    /// When they were last active.
    pub last_active_at: Option<DateTime<Utc>>,
    /// Whether they share it; told to themselves.
    pub is_shared: bool,
}

#[derive(FromQueryResult)]
struct Row {
    id: UserId,
    last_active_at: Option<DateTime<Utc>>,
    is_shared: Option<bool>,
    status: Option<PresenceStatus>,
    status_text: Option<String>,
    lapses_at: Option<DateTime<Utc>>,
    is_connected: bool,
    is_contact: bool,
}

impl Row {
    fn seen_by(self, viewer: &Viewer, now: DateTime<Utc>) -> Presence {
        let is_shared = self.is_shared.unwrap_or(true);
        let is_own = self.id == viewer.user;
        if !(is_own || is_shared && self.is_contact) {
            return Presence {
                status: PresenceStatus::Offline,
                text: None,
                last_active_at: None,
                is_shared,
            };
        }
        let stands = self.lapses_at.is_none_or(|at| at > now);
        let chosen = self.status.filter(|_| stands);
        let is_hidden = !is_own && chosen == Some(PresenceStatus::Offline);
        Presence {
            status: match chosen {
                _ if !self.is_connected => PresenceStatus::Offline,
                chosen => chosen.unwrap_or(PresenceStatus::Online),
            },
            text: self.status_text.filter(|_| stands),
            last_active_at: self.last_active_at.filter(|_| !is_hidden),
            is_shared,
        }
    }
}

/// Each of these people, as the viewer sees them.
pub async fn seen(
    core: &Core,
    viewer: &Viewer,
    people: &[UserId],
) -> Result<Vec<(UserId, Presence)>, Error> {
    let now = core.clock.now();
    // SQL, because it joins five tables.
    let text = format!(
        r#"SELECT u.id, u.last_active_at, p.is_shared, p.status, p.status_text, p.lapses_at,
               EXISTS (SELECT 1 FROM connected c JOIN node n ON n.id = c.node_id
                   WHERE c.user_id = u.id AND n.expires_at > ?) AS is_connected,
               EXISTS (SELECT 1 FROM participant a
                   JOIN participant b ON b.conversation_id = a.conversation_id
                   WHERE a.user_id = u.id AND b.user_id = ?) AS is_contact
           FROM "user" u LEFT JOIN presence p ON p.user_id = u.id WHERE u.id IN ({})"#,
        db::placeholders(people.len())
    );
    let values: [Value; 2] = [now.into(), viewer.user.into()];
    let ids = people.iter().map(|&user| Value::from(user));
    let rows: Vec<Row> =
        db::fetch_all(core.db.read(), &text, values.into_iter().chain(ids)).await?;
    let seen = rows
        .into_iter()
        .map(|row| (row.id, row.seen_by(viewer, now)));
    Ok(seen.collect())
}

/// Those who are around, as far as the viewer sees it.
#[must_use]
pub fn online(backend: DbBackend, viewer: &Viewer, now: DateTime<Utc>) -> Condition {
    let text = r#""user"."id" IN (SELECT c.user_id FROM connected c
        JOIN node n ON n.id = c.node_id
        LEFT JOIN presence p ON p.user_id = c.user_id
        WHERE n.expires_at > ? AND COALESCE(p.is_shared, TRUE)
            AND (COALESCE(p.status, '') <> 'OFFLINE' OR p.lapses_at <= ?)
            AND EXISTS (SELECT 1 FROM participant a
                JOIN participant b ON b.conversation_id = a.conversation_id
                WHERE a.user_id = c.user_id AND b.user_id = ?))"#;
    let values: [Value; 3] = [now.into(), now.into(), viewer.user.into()];
    let text = db::number_placeholders(backend, text);
    Condition::all().add(Expr::cust_with_values(text, values))
}

/// What somebody says of being around.
#[derive(Clone, Debug)]
pub struct NewPresence {
    /// The state.
    pub status: PresenceStatus,
    /// New words: none leaves them, an empty some clears them.
    pub text: Option<Option<String>>,
    /// When state and words lapse; none to keep them.
    pub lapses_at: Option<DateTime<Utc>>,
}

/// The viewer says whether they are around.
pub async fn set(core: &Core, viewer: &Viewer, new: NewPresence) -> Result<(), Error> {
    let now = core.clock.now();
    let mut problems = vec![];
    let text = new.text.map(|text| {
        text.map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    });
    let words = text.iter().flatten().next();
    if words.is_some_and(|text| text.chars().count() > TEXT || text.chars().any(char::is_control)) {
        let message = "Use at most 100 characters on one line.";
        problems.push(Problem::new("statusText", "TOO_LONG", message));
    }
    if new.lapses_at.is_some_and(|at| at <= now) {
        let message = "This time has passed.";
        problems.push(Problem::new("expiresAt", "INVALID", message));
    }
    Error::check(problems)?;
    let mut replaced = vec![presence::Column::Status, presence::Column::LapsesAt];
    if text.is_some() {
        replaced.push(presence::Column::StatusText);
    }
    let row = presence::ActiveModel {
        user_id: Set(viewer.user),
        status: Set(Some(new.status)),
        status_text: Set(text.flatten()),
        lapses_at: Set(new.lapses_at),
        changed_at: Set(now),
        ..Default::default()
    };
    let is_noticed = stored(presence::Column::IsShared).eq(true);
    let row = &row;
    let replace = &OnConflict::column(presence::Column::UserId)
        .update_columns(replaced)
        .value(presence::Column::ChangedAt, changed_if(is_noticed))
        .to_owned();
    core.db
        .write(|tx| async move {
            presence::Entity::insert(row.clone())
                .on_conflict(replace.clone())
                .exec_without_returning(&*tx)
                .await?;
            tx.notify_ephemeral_on_commit();
            Ok(())
        })
        .await
}

/// The viewer shares whether they are around, or no longer does: others hear of either.
pub(super) async fn share_in(
    tx: &Tx,
    viewer: &Viewer,
    is_shared: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let row = presence::ActiveModel {
        user_id: Set(viewer.user),
        is_shared: Set(is_shared),
        changed_at: Set(now),
        ..Default::default()
    };
    let is_noticed = stored(presence::Column::IsShared).ne(is_shared);
    presence::Entity::insert(row)
        .on_conflict(
            OnConflict::column(presence::Column::UserId)
                .update_column(presence::Column::IsShared)
                .value(presence::Column::ChangedAt, changed_if(is_noticed))
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    tx.notify_ephemeral_on_commit();
    Ok(())
}

/// The column as it is before the insert replaces it.
fn stored(column: presence::Column) -> Expr {
    Expr::col((presence::Entity, column))
}

/// The new time of the last change if others see a difference, or else the stored one.
fn changed_if(is_noticed: Expr) -> Expr {
    let changed_at = presence::Column::ChangedAt;
    Expr::case(is_noticed, Expr::col(("excluded", changed_at)))
        .finally(stored(changed_at))
        .into()
}
