//! Reads events and notices from the tables, for facts that no client can load.

use heddle::{
    db,
    id::{ConversationId, UserId},
};
use sea_orm::{FromQueryResult, Value as Sql};
use serde_json::Value;

use super::app::TestApp;

/// Returns the notices of a conversation without other messages, after verifying that their numbers have no gap.
pub(crate) async fn notices(app: &TestApp, id: &str) -> Vec<Value> {
    #[derive(FromQueryResult)]
    struct Row {
        seq: i32,
        notice: String,
    }
    let id = ConversationId::from_text(id);
    let query = "SELECT seq, notice FROM message WHERE conversation_id = ? ORDER BY seq";
    let rows = db::fetch_all::<Row, _, _>(app.app.db.read(), query, [id.into()]).await;
    let rows = rows.unwrap();
    assert!((1..).zip(&rows).all(|(number, row)| row.seq == number));
    rows.iter()
        .map(|row| serde_json::from_str(&row.notice).unwrap())
        .collect()
}

/// Returns the kinds of events on the stream of this user or conversation, after verifying that their numbers have no
/// gap. Notifications have their own tests and are left out.
pub(crate) async fn events(app: &TestApp, id: &str) -> Vec<String> {
    #[derive(FromQueryResult)]
    struct Row {
        seq: i64,
        kind: String,
    }
    let stream: Sql = if id.starts_with("usr_") {
        UserId::from_text(id).into()
    } else {
        ConversationId::from_text(id).into()
    };
    let query = "SELECT seq, kind FROM event WHERE stream_id = ? ORDER BY seq";
    let rows = db::fetch_all::<Row, _, _>(app.app.db.read(), query, [stream]).await;
    let rows = rows.unwrap();
    assert!((1..).zip(&rows).all(|(number, row)| row.seq == number));
    rows.into_iter()
        .map(|row| row.kind)
        .filter(|kind| !kind.starts_with("Notification"))
        .collect()
}
