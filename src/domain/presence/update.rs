//! Sets the viewer's status, and whether others see it.

use chrono::{DateTime, Utc};
use sea_orm::{
    EntityTrait, ExprTrait, Set,
    sea_query::{Expr, OnConflict},
};

use crate::{
    auth::action_limits::Action,
    core::Core,
    db::Tx,
    domain::{sessions::Viewer, text},
    entity::presence::{self, PresenceStatus},
    error::{Error, Problem},
};

/// The maximum length of a status text, in characters.
const TEXT_MAX: usize = 100;

/// A status to set.
#[derive(Clone, Debug)]
pub struct NewPresence {
    /// The status.
    pub status: PresenceStatus,
    /// The new text: none keeps the current one, `Some(None)` clears it.
    pub text: Option<Option<String>>,
    /// When status and text expire; none if they do not.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Sets the viewer's status and notifies other users.
pub async fn set(core: &Core, viewer: &Viewer, new: NewPresence) -> Result<(), Error> {
    let now = core.clock.now();
    let mut problems = vec![];
    core.action_limits
        .consume(viewer.user.0, Action::ReportPresence)
        .await?;
    let text = new
        .text
        .map(|text| text.and_then(|text| text::line("statusText", TEXT_MAX, &text, &mut problems)));
    let is_valid = new.expires_at.is_none_or(|at| at > now);
    let message = "This time has passed. Use a time in the future.";
    problems.extend(Problem::unless(is_valid, "expiresAt", "INVALID", message));
    Error::check(problems)?;
    let mut replaced = vec![presence::Column::Status, presence::Column::ExpiresAt];
    if text.is_some() {
        replaced.push(presence::Column::StatusText);
    }
    let row = presence::ActiveModel {
        user_id: Set(viewer.user),
        status: Set(Some(new.status)),
        status_text: Set(text.flatten()),
        expires_at: Set(new.expires_at),
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

/// Sets whether others see the viewer's status, and notifies them.
pub(in crate::domain) async fn share_in(
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
