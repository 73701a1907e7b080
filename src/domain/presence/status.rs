//! The status of users as a viewer sees it: only contacts see it, and only if the user shares it. Contacts are users who
//! share a conversation and have no block with each other.

use chrono::{DateTime, Utc};
use sea_orm::{Condition, DbBackend, FromQueryResult, Value, sea_query::Expr};

use crate::{
    core::Core,
    db,
    domain::{predicates::blocked_with, sessions::Viewer},
    entity::presence::PresenceStatus,
    error::Error,
    id::UserId,
};

/// The presence of a user, as a viewer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The status.
    pub status: PresenceStatus,
    /// The text that the user has set.
    pub text: Option<String>,
    /// When the user was last active.
    pub last_active_at: Option<DateTime<Utc>>,
    /// Whether the user shares it. Only the user sees this.
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
        let is_current = self.lapses_at.is_none_or(|at| at > now);
        let chosen = self.status.filter(|_| is_current);
        let is_hidden = !is_own && chosen == Some(PresenceStatus::Offline);
        Presence {
            status: match chosen {
                _ if !self.is_connected => PresenceStatus::Offline,
                chosen => chosen.unwrap_or(PresenceStatus::Online),
            },
            text: self.status_text.filter(|_| is_current),
            last_active_at: self.last_active_at.filter(|_| !is_hidden),
            is_shared,
        }
    }
}

/// Returns the presence of each of these users, as the viewer sees it.
pub async fn seen(
    core: &Core,
    viewer: &Viewer,
    users: &[UserId],
) -> Result<Vec<(UserId, Presence)>, Error> {
    let now = core.clock.now();
    // SQL, because it joins five tables.
    let text = format!(
        r#"SELECT u.id, u.last_active_at, p.is_shared, p.status, p.status_text, p.lapses_at,
               EXISTS (SELECT 1 FROM connected c JOIN node n ON n.id = c.node_id
                   WHERE c.user_id = u.id AND n.expires_at > ?) AS is_connected,
               EXISTS (SELECT 1 FROM participant a
                   JOIN participant b ON b.conversation_id = a.conversation_id
                   WHERE a.user_id = u.id AND b.user_id = ?) AND u.id NOT IN {} AS is_contact
           FROM "user" u LEFT JOIN presence p ON p.user_id = u.id WHERE u.id IN ({})"#,
        blocked_with("?"),
        db::placeholders(users.len())
    );
    let values: [Value; 4] = [
        now.into(),
        viewer.user.into(),
        viewer.user.into(),
        viewer.user.into(),
    ];
    let ids = users.iter().map(|&user| Value::from(user));
    let rows: Vec<Row> =
        db::fetch_all(core.db.read(), &text, values.into_iter().chain(ids)).await?;
    let seen = rows
        .into_iter()
        .map(|row| (row.id, row.seen_by(viewer, now)));
    Ok(seen.collect())
}

/// Returns the condition on `user` for users whom the viewer sees online. SQL text, because it joins four tables in a
/// subquery.
#[must_use]
pub fn online(backend: DbBackend, viewer: &Viewer, now: DateTime<Utc>) -> Condition {
    let text = format!(
        r#""user"."id" IN (SELECT c.user_id FROM connected c
        JOIN node n ON n.id = c.node_id
        LEFT JOIN presence p ON p.user_id = c.user_id
        WHERE n.expires_at > ? AND COALESCE(p.is_shared, TRUE)
            AND (COALESCE(p.status, '') <> 'OFFLINE' OR p.lapses_at <= ?)
            AND EXISTS (SELECT 1 FROM participant a
                JOIN participant b ON b.conversation_id = a.conversation_id
                WHERE a.user_id = c.user_id AND b.user_id = ?)
            AND c.user_id NOT IN {})"#,
        blocked_with("?")
    );
    let values: [Value; 5] = [
        now.into(),
        now.into(),
        viewer.user.into(),
        viewer.user.into(),
        viewer.user.into(),
    ];
    let text = db::number_placeholders(backend, &text);
    Condition::all().add(Expr::cust_with_values(text, values))
}
