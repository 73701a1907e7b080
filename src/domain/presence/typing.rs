//! Who is typing: leases that expire by themselves.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{EntityTrait, Set, Value, sea_query::OnConflict};

use crate::{
    auth::action_limits::Action,
    core::Core,
    db,
    domain::{access, predicates::blocked_with, sessions::Viewer, threads},
    entity::typing,
    error::Error,
    id::{ConversationId, ThreadId, UserId},
};

/// How long a user counts as typing after the last request.
const LEASE: TimeDelta = TimeDelta::seconds(10);
/// A lease that is valid for longer than this is not renewed, because clients repeat the request every few seconds.
const RENEWAL_THRESHOLD: TimeDelta = TimeDelta::seconds(5);

/// Sets whether the viewer is typing. Returns when the lease expires.
pub async fn set(
    core: &Core,
    viewer: &Viewer,
    conversation: ConversationId,
    thread: Option<ThreadId>,
    is_typing: bool,
) -> Result<Option<DateTime<Utc>>, Error> {
    let db = core.db.read();
    access::conversation_read(db, viewer, conversation).await?;
    core.action_limits
        .consume(viewer.user.0, Action::ReportPresence)
        .await?;
    if let Some(id) = thread
        && threads::find(db, viewer, id).await?.conversation_id != conversation
    {
        return Err(Error::not_found("thread"));
    }
    let now = core.clock.now();
    let scope = thread.map_or(conversation.0, |thread| thread.0);
    let found = typing::Entity::find_by_id((scope, viewer.user))
        .one(db)
        .await?;
    let current = found.map(|row| row.expires_at).filter(|at| *at > now);
    match (current, is_typing) {
        (None, false) => return Ok(None),
        (Some(at), true) if at - now > RENEWAL_THRESHOLD => return Ok(Some(at)),
        _ => {}
    }
    let expires_at = if is_typing { now + LEASE } else { now };
    core.db
        .write(|tx| async move {
            let row = typing::ActiveModel {
                scope_id: Set(scope),
                user_id: Set(viewer.user),
                conversation_id: Set(conversation),
                thread_id: Set(thread),
                expires_at: Set(expires_at),
                changed_at: Set(now),
            };
            typing::Entity::insert(row)
                .on_conflict(
                    OnConflict::columns([typing::Column::ScopeId, typing::Column::UserId])
                        .update_columns([typing::Column::ExpiresAt, typing::Column::ChangedAt])
                        .to_owned(),
                )
                .exec_without_returning(&*tx)
                .await?;
            tx.notify_ephemeral_on_commit();
            Ok(())
        })
        .await?;
    Ok(is_typing.then_some(expires_at))
}

/// Returns the other users who are typing in the timelines of these conversations, longest first, without those who have a
/// block with the viewer. The caller has checked
/// that the viewer sees the conversations.
pub async fn of(
    core: &Core,
    viewer: &Viewer,
    conversations: &[ConversationId],
) -> Result<Vec<(ConversationId, UserId)>, Error> {
    // SQL, because the join has two columns: it excludes users who have left the conversation.
    let text = format!(
        "SELECT t.conversation_id, t.user_id FROM typing t
         JOIN participant p ON p.conversation_id = t.conversation_id AND p.user_id = t.user_id
         WHERE t.thread_id IS NULL AND t.expires_at > ? AND t.user_id <> ?
            AND t.user_id NOT IN {} AND t.conversation_id IN ({}) ORDER BY t.changed_at, t.user_id",
        blocked_with("?"),
        db::placeholders(conversations.len())
    );
    let user = Value::from(viewer.user);
    let values = [core.clock.now().into(), user.clone(), user.clone(), user];
    let ids = conversations.iter().map(|&id| Value::from(id));
    db::fetch_tuples(core.db.read(), &text, values.into_iter().chain(ids)).await
}
