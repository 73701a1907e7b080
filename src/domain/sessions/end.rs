//! Ending sessions. Each end is an event on the person's stream, which closes their sockets.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use crate::{
    core::Core,
    db::Tx,
    domain::sessions::Viewer,
    entity::session::{self, SessionEndReason},
    error::{Error, Problem},
    id::{SessionId, UserId},
    live::log::{self, Change, Stream},
};

/// Sessions that one call may name.
const NAMED_MAX: usize = 100;

/// Which of a person's sessions.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// Each of them.
    All,
    /// Each but this one.
    AllBut(SessionId),
    /// These.
    These(&'a [SessionId]),
}

/// Ends sessions of a person and tells which; those that had ended already, or are somebody else's,
/// are passed over.
pub async fn end_in(
    tx: &Tx,
    user: UserId,
    which: Which<'_>,
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
    let update = match which {
        Which::All => update,
        Which::AllBut(session) => update.filter(session::Column::Id.ne(session)),
        Which::These([]) => return Ok(vec![]),
        Which::These(sessions) => {
            update.filter(session::Column::Id.is_in(sessions.iter().copied()))
        }
    };
    let rows = update.exec_with_returning(tx).await?;
    let mut ended: Vec<_> = rows.into_iter().map(|row| row.id).collect();
    ended.sort_unstable();
    tx.invalidate_sessions_on_commit();
    let changes: Vec<_> = ended
        .iter()
        .map(|&session| Change::SessionEnded {
            session,
            reason: reason.into(),
        })
        .collect();
    log::append(tx, Stream::User(user), at, &changes).await?;
    Ok(ended)
}

/// Ends the viewer's own session.
pub async fn sign_out(core: &Core, viewer: &Viewer) -> Result<SessionId, Error> {
    end(core, viewer, Which::These(&[viewer.session])).await?;
    Ok(viewer.session)
}

/// Ends these sessions of the viewer, and tells which of them were still running.
pub async fn revoke(
    core: &Core,
    viewer: &Viewer,
    sessions: &[SessionId],
) -> Result<Vec<SessionId>, Error> {
    if sessions.len() > NAMED_MAX {
        let message = format!("Name at most {NAMED_MAX} sessions.");
        let problem = Problem::new("sessionIds", "TOO_MANY", message);
        return Err(Error::problems(vec![problem]));
    }
    end(core, viewer, Which::These(sessions)).await
}

/// Ends every session of the viewer but the one they ask with.
pub async fn revoke_others(core: &Core, viewer: &Viewer) -> Result<Vec<SessionId>, Error> {
    end(core, viewer, Which::AllBut(viewer.session)).await
}

async fn end(core: &Core, viewer: &Viewer, which: Which<'_>) -> Result<Vec<SessionId>, Error> {
    let at = core.clock.now();
    core.db
        .write(|tx| async move {
            end_in(&tx, viewer.user, which, SessionEndReason::SignedOut, at).await
        })
        .await
}
