//! Changes that no client can request, made directly in the tables.

use heddle::{
    app::App,
    db,
    domain::accounts::{self, NewAccount},
    entity::user::ServerRole,
    id::{ConversationId, SessionId, UserId},
    live::log::{self, Change, EndReason, Stream},
};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

pub(super) async fn event(app: &App, stream: Stream, change: Change) {
    let (now, changes) = (app.clock.now(), &[change]);
    app.db
        .write(|tx| async move { log::append(&tx, stream, now, changes).await })
        .await
        .unwrap();
}

pub(super) async fn user(app: &App) -> UserId {
    let id = UserId::mint();
    let name = id.to_string();
    let new = NewAccount {
        username: name.clone(),
        display_name: None,
        email: format!("{name}@example.org"),
    };
    let new = &new;
    let user = app
        .db
        .write(
            |tx| async move { accounts::create_in(&tx, app, new, None, ServerRole::Member).await },
        )
        .await;
    user.unwrap().id
}

pub(super) async fn conversation(app: &App, members: &[UserId]) -> ConversationId {
    let (id, now) = (ConversationId::mint(), app.clock.now());
    app.db
        .write(|tx| async move {
            db::execute(
                &*tx,
                "INSERT INTO conversation (id, kind, history_visibility, created_at, last_activity_at)
                 VALUES (?, 'GROUP', 'FROM_START', ?, ?)",
                [id.0.into(), now.into(), now.into()],
            )
            .await
        })
        .await
        .unwrap();
    for &user in members {
        join(app, id, user).await;
    }
    id
}

pub(super) async fn join(app: &App, conversation: ConversationId, user: UserId) {
    let now = app.clock.now();
    app.db
        .write(|tx| async move {
            db::execute(
                &*tx,
                "UPDATE conversation SET last_activity_at = ? WHERE id = ?",
                [now.into(), conversation.0.into()],
            )
            .await?;
            db::execute(
                &*tx,
                "INSERT INTO participant (id, conversation_id, user_id, role, joined_at,
                    notification_level, is_pinned)
                 VALUES (?, ?, ?, 'MEMBER', ?, 'ALL', ?)",
                [
                    heddle::id::mint().into(),
                    conversation.0.into(),
                    user.0.into(),
                    now.into(),
                    false.into(),
                ],
            )
            .await?;
            let change = Change::ConversationJoined { conversation };
            log::append(&tx, Stream::User(user), now, &[change]).await
        })
        .await
        .unwrap();
}

pub(super) async fn leave(app: &App, conversation: ConversationId, user: UserId) {
    let now = app.clock.now();
    app.db
        .write(|tx| async move {
            db::execute(
                &*tx,
                "DELETE FROM participant WHERE conversation_id = ? AND user_id = ?",
                [conversation.0.into(), user.0.into()],
            )
            .await?;
            let change = Change::ConversationLeft { conversation };
            log::append(&tx, Stream::User(user), now, &[change]).await
        })
        .await
        .unwrap();
}

pub(super) async fn streams(app: &App, user: UserId) -> Vec<Uuid> {
    let text = "SELECT conversation_id FROM participant WHERE user_id = ?";
    let statement = db::sql(app.db.backend(), text, [user.0.into()]);
    let rows = app.db.read().query_all_raw(statement).await.unwrap();
    let mut streams = vec![user.0];
    streams.extend(
        rows.iter()
            .map(|row| row.try_get_by_index::<Uuid>(0).unwrap()),
    );
    streams
}

/// Returns the events of the stream, ordered by `seq`, without those from before the readers began.
pub(super) async fn positions(app: &App, stream: Uuid) -> Vec<i64> {
    let text = "SELECT position FROM event WHERE stream_id = ? AND kind <> 'ConversationJoined'
                ORDER BY seq";
    let statement = db::sql(app.db.backend(), text, [stream.into()]);
    let rows = app.db.read().query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

/// Ends every session of a user, as signing out does.
pub(super) async fn sign_out(app: &App, user: UserId) {
    let now = app.clock.now();
    app.db
        .write(|tx| async move {
            let text = "UPDATE session SET ended_at = ?, end_reason = 'SIGNED_OUT'
                        WHERE user_id = ? RETURNING id";
            let statement = db::sql(app.db.backend(), text, [now.into(), user.0.into()]);
            let rows = tx.query_all_raw(statement).await?;
            let changes: Vec<_> = rows
                .iter()
                .map(|row| Change::SessionEnded {
                    session: SessionId(row.try_get_by_index(0).unwrap()),
                    reason: EndReason::SignedOut,
                })
                .collect();
            log::append(&tx, Stream::User(user), now, &changes).await
        })
        .await
        .unwrap();
}
