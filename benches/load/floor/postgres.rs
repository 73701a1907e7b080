//! The floor on PostgreSQL: axum and sqlx.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    routing::post,
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use sqlx::{
    PgPool, Row,
    postgres::{PgPoolOptions, PgRow},
};
use uuid::Uuid;

use super::{
    common::{Conversation, Ids, Message, Sender, json, root_path, serve},
    statements::{
        GROUPS, INBOX, INSERT, LARGEST_CONVERSATION, LONGEST_THREAD, NEXT_SEQ, READERS, SENDER,
        THREAD, TIMELINE,
    },
};
use crate::operations::BODY;

type Served = State<Arc<(PgPool, Ids)>>;

pub(crate) async fn run(url: &str) {
    let pool = PgPoolOptions::new()
        .min_connections(8)
        .max_connections(20)
        .connect(url)
        .await
        .unwrap();
    let one = async |text: &'static str| -> Uuid {
        sqlx::query_scalar(text).fetch_one(&pool).await.unwrap()
    };
    let all = async |text: &'static str| -> Vec<Uuid> {
        sqlx::query_scalar(text).fetch_all(&pool).await.unwrap()
    };
    let single = [
        one(LARGEST_CONVERSATION).await,
        one(LONGEST_THREAD).await,
        one(SENDER).await,
    ];
    let ids = Ids::new(single, all(READERS).await, all(GROUPS).await);
    let state = Arc::new((pool, ids));
    let timeline = async |State(state): Served, _: Bytes| {
        list(&state.0, TIMELINE, state.1.conversation, message).await
    };
    let thread = async |State(state): Served, _: Bytes| {
        list(&state.0, THREAD, state.1.thread, message).await
    };
    let inbox = async |State(state): Served, Path(reader): Path<usize>, _: Bytes| {
        list(&state.0, INBOX, state.1.readers[reader], conversation).await
    };
    let router = Router::new()
        .route("/timeline", post(timeline))
        .route("/thread", post(thread))
        .route("/inbox/{reader}", post(inbox))
        .route(
            "/send",
            post(async |State(state): Served, _: Bytes| send(&state.0, &state.1).await),
        )
        .with_state(state);
    serve(router).await;
}

async fn list<T: serde::Serialize>(
    pool: &PgPool,
    text: &'static str,
    id: Uuid,
    read: fn(&PgRow) -> T,
) -> Bytes {
    let rows = sqlx::query(text).bind(id).fetch_all(pool).await.unwrap();
    json(&rows.iter().map(read).collect::<Vec<_>>())
}

fn message(row: &PgRow) -> Message {
    Message {
        id: row.get::<Uuid, _>(0).to_string(),
        body: row.get(1),
        created_at: row.get::<DateTime<Utc>, _>(2).to_rfc3339(),
        reply_count: row.get(3),
        sender: Sender {
            id: row.get::<Uuid, _>(4).to_string(),
            display_name: row.get(5),
        },
        parent: row.get::<Option<Uuid>, _>(6).map(|id| id.to_string()),
        depth: row.get(7),
    }
}

fn conversation(row: &PgRow) -> Conversation {
    Conversation {
        id: row.get::<Uuid, _>(0).to_string(),
        title: row.get(1),
        unread: row.get(2),
    }
}

async fn send(pool: &PgPool, ids: &Ids) -> Bytes {
    let (id, group) = (Uuid::now_v7(), ids.next_group());
    let mut tx = pool.begin().await.unwrap();
    let seq: i32 = sqlx::query_scalar(NEXT_SEQ)
        .bind(group)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    let insert = sqlx::query(INSERT)
        .bind(id)
        .bind(group)
        .bind(seq)
        .bind(ids.sender);
    insert
        .bind(root_path(seq))
        .bind(BODY)
        .bind(Utc::now())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    json(&id.to_string())
}
