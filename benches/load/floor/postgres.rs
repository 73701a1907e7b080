//! axum and sqlx.

use std::sync::{Arc, atomic::AtomicUsize};

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
    BUSIEST, Group, INSERT, Item, LONGEST, NEXT, PLACES, Places, READERS, SOMEBODY, Sender, THREAD,
    TIMELINE, UNREAD, json, path, serve,
};
use crate::walks::BODY;

type Served = State<Arc<(PgPool, Places)>>;

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
    let places = Places {
        busiest: one(BUSIEST).await,
        longest: one(LONGEST).await,
        somebody: one(SOMEBODY).await,
        readers: all(READERS).await,
        all: all(PLACES).await,
        turn: AtomicUsize::new(0),
    };
    let state = Arc::new((pool, places));
    let timeline = async |State(state): Served, _: Bytes| {
        list(&state.0, TIMELINE, state.1.busiest, item).await
    };
    let thread =
        async |State(state): Served, _: Bytes| list(&state.0, THREAD, state.1.longest, item).await;
    let unread = async |State(state): Served, Path(reader): Path<usize>, _: Bytes| {
        list(&state.0, UNREAD, state.1.readers[reader], group).await
    };
    let router = Router::new()
        .route("/a", post(timeline))
        .route("/b", post(thread))
        .route("/c/{reader}", post(unread))
        .route(
            "/d",
            post(async |State(state): Served, _: Bytes| send(&state.0, &state.1).await),
        )
        .with_state(state);
    serve(router).await;
}

async fn list<T: serde::Serialize>(
    pool: &PgPool,
    text: &'static str,
    which: Uuid,
    read: fn(&PgRow) -> T,
) -> Bytes {
    let rows = sqlx::query(text).bind(which).fetch_all(pool).await.unwrap();
    json(&rows.iter().map(read).collect::<Vec<_>>())
}

fn item(row: &PgRow) -> Item {
    Item {
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

fn group(row: &PgRow) -> Group {
    Group {
        id: row.get::<Uuid, _>(0).to_string(),
        title: row.get(1),
        unread: row.get(2),
    }
}

async fn send(pool: &PgPool, places: &Places) -> Bytes {
    let (id, place) = (Uuid::now_v7(), places.next());
    let mut tx = pool.begin().await.unwrap();
    let seq: i32 = sqlx::query_scalar(NEXT)
        .bind(place)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    let insert = sqlx::query(INSERT)
        .bind(id)
        .bind(place)
        .bind(seq)
        .bind(places.somebody);
    insert
        .bind(path(seq))
        .bind(BODY)
        .bind(Utc::now())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    json(&id.to_string())
}
