//! Ends sessions. Each end appends an event to the user's stream, which closes the connections of the session.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use crate::{
    core::Core,
    db::Tx,
    domain::{
        audit::{self, AuditAction, AuditRecord, AuditTarget},
        sessions::Viewer,
    },
    entity::session::{self, SessionEndReason},
    error::Error,
    id::{SessionId, UserId},
    live::log::{self, Change, Stream},
};

/// The maximum number of sessions in one call.
const SESSIONS_MAX: usize = 100;

/// Some of the sessions of a user.
#[derive(Clone, Copy, Debug)]
pub enum SessionFilter<'a> {
    /// All sessions.
    All,
    /// All sessions except this one.
    AllExcept(SessionId),
    /// Only these sessions.
    Only(&'a [SessionId]),
}

/// Ends sessions of a user and returns their ids. Skips sessions that have already ended and sessions of other users.
pub async fn end_in(
    tx: &Tx,
    user: UserId,
    filter: SessionFilter<'_>,
    reason: SessionEndReason,
    at: DateTime<Utc>,
) -> Result<Vec<SessionId>, Error> {
    let update = session::Entity::update_many()
        .set(session::ActiveModel {
            ended_at: Set(Some(at)),
            end_reason: Set(Some(reason)),
            ..Default::default()
        })
        .filter(session::Column::UserId.eq(user))
        .filter(session::Column::EndedAt.is_null());
    let update = match filter {
        SessionFilter::All => update,
        SessionFilter::AllExcept(session) => update.filter(session::Column::Id.ne(session)),
        SessionFilter::Only([]) => return Ok(vec![]),
        SessionFilter::Only(sessions) => {
            update.filter(session::Column::Id.is_in(sessions.iter().copied()))
        }
    };
    let rows = update.exec_with_returning(tx).await?;
    let mut ended: Vec<_> = rows.into_iter().map(|row| row.id).collect();
    ended.sort_unstable();
    tx.invalidate_sessions_on_commit();
    let changes = ended
        .iter()
        .map(|&session| Change::SessionEnded { session, reason });
    log::append(tx, Stream::User(user), at, &changes.collect::<Vec<_>>()).await?;
    Ok(ended)
}

/// Ends the viewer's own session.
pub async fn sign_out(core: &Core, viewer: &Viewer) -> Result<SessionId, Error> {
    end(core, viewer, SessionFilter::Only(&[viewer.session])).await?;
    Ok(viewer.session)
}

/// Ends these sessions of the viewer. Returns those that had not ended before.
pub async fn revoke(
    core: &Core,
    viewer: &Viewer,
    sessions: &[SessionId],
) -> Result<Vec<SessionId>, Error> {
    if sessions.len() > SESSIONS_MAX {
        let message = format!("Use at most {SESSIONS_MAX} sessions.");
        return Err(Error::invalid("sessionIds", "TOO_MANY", message));
    }
    end(core, viewer, SessionFilter::Only(sessions)).await
}

/// Ends all sessions of the viewer except the current one.
pub async fn revoke_others(core: &Core, viewer: &Viewer) -> Result<Vec<SessionId>, Error> {
    end(core, viewer, SessionFilter::AllExcept(viewer.session)).await
}

async fn end(
    core: &Core,
    viewer: &Viewer,
    filter: SessionFilter<'_>,
) -> Result<Vec<SessionId>, Error> {
    let at = core.clock.now();
    core.db
        .write(|tx| async move {
            let ended = end_in(&tx, viewer.user, filter, SessionEndReason::SignedOut, at).await?;
            let record = AuditRecord::new(AuditAction::SessionEnded, Some(viewer.user));
            let record = match *ended {
                [] => return Ok(ended),
                [session] => record.on(AuditTarget::Session(session)),
                _ => record.change("sessions", Some(&ended.len().to_string()), Some("0")),
            };
            audit::append_in(&tx, at, record).await?;
            Ok(ended)
        })
        .await
}
