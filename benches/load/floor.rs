//! The floors: servers that give the same answers from the same tables with as little as possible between. No checks,
//! no counters, no events; statements and JSON by hand.

use std::{
    cell::RefCell,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::{State, WebSocketUpgrade, ws::Message},
    response::IntoResponse,
    routing::{any, post},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{SinkExt, StreamExt};
use rusqlite::{Connection, params};
use serde::Serialize;
use sqlx::{PgPool, Row, postgres::PgPoolOptions};
use tokio::{net::TcpListener, sync::broadcast};
use uuid::Uuid;

const TIMELINE: &str = r#"SELECT m.id, m.body, m.created_at, m.reply_count, u.id, u.display_name, m.parent_id, m.depth
    FROM message m JOIN "user" u ON u.id = m.sender_id
    WHERE m.conversation_id = $1 AND m.root_id IS NULL ORDER BY m.seq DESC LIMIT 50"#;
const THREAD: &str = r#"SELECT m.id, m.body, m.created_at, m.reply_count, u.id, u.display_name, m.parent_id, m.depth
    FROM message m JOIN "user" u ON u.id = m.sender_id WHERE m.root_id = $1 ORDER BY m.path LIMIT 200"#;
const BUSIEST: &str = "SELECT id FROM conversation ORDER BY last_seq DESC, id LIMIT 1";
const LONGEST: &str = "SELECT id FROM thread ORDER BY abs(reply_count - 199), id LIMIT 1";
const PLACES: &str = "SELECT id FROM conversation ORDER BY last_activity_at DESC, id LIMIT 50";
const SOMEBODY: &str = r#"SELECT id FROM "user" ORDER BY id LIMIT 1"#;
const NEXT: &str =
    "UPDATE conversation SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq";
const INSERT: &str = "INSERT INTO message (id, conversation_id, seq, sender_id, depth, path, kind, priority, body, created_at)
    VALUES ($1, $2, $3, $4, 0, $5, 'USER', 'NORMAL', $6, $7)";
const BODY: &str =
    "Eighty characters of text, as people write them when they have something to say.";

#[derive(Serialize)]
struct Item {
    id: String,
    body: String,
    created_at: String,
    reply_count: i32,
    sender: Sender,
    parent: Option<String>,
    depth: i32,
}

#[derive(Serialize)]
struct Sender {
    id: String,
    display_name: String,
}

/// Which rows are asked for, looked up once.
struct Places {
    busiest: Uuid,
    longest: Uuid,
    somebody: Uuid,
    all: Vec<Uuid>,
    turn: AtomicUsize,
}

impl Places {
    fn next(&self) -> Uuid {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.all
            .get(turn % self.all.len())
            .copied()
            .unwrap_or_default()
    }
}

fn path(seq: i32) -> Vec<u8> {
    seq.to_be_bytes().to_vec()
}

fn json(items: &impl Serialize) -> Bytes {
    serde_json::to_vec(items).unwrap().into()
}

async fn serve(router: Router) {
    let router = router.route(
        "/n",
        post(async |_: Bytes| r#"{"data":{"__typename":"Query"}}"#),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    axum::serve(listener, router).await.unwrap();
}

type Served = State<Arc<(PgPool, Places)>>;
type Embedded = State<Arc<(Mutex<Connection>, Places, String)>>;

/// axum and sqlx.
pub(crate) async fn on_postgres(url: &str) {
    let pool = PgPoolOptions::new()
        .min_connections(8)
        .max_connections(20)
        .connect(url)
        .await
        .unwrap();
    let one = async |text: &'static str| -> Uuid {
        sqlx::query_scalar(text).fetch_one(&pool).await.unwrap()
    };
    let places = Places {
        busiest: one(BUSIEST).await,
        longest: one(LONGEST).await,
        somebody: one(SOMEBODY).await,
        all: sqlx::query_scalar(PLACES).fetch_all(&pool).await.unwrap(),
        turn: AtomicUsize::new(0),
    };
    let state = Arc::new((pool, places));
    let router = Router::new()
        .route(
            "/a",
            post(async |State(state): Served, _: Bytes| {
                list(&state.0, TIMELINE, state.1.busiest).await
            }),
        )
        .route(
            "/b",
            post(async |State(state): Served, _: Bytes| {
                list(&state.0, THREAD, state.1.longest).await
            }),
        )
        .route(
            "/d",
            post(async |State(state): Served, _: Bytes| send(&state.0, &state.1).await),
        )
        .with_state(state);
    serve(router).await;
}

async fn list(pool: &PgPool, text: &'static str, which: Uuid) -> Bytes {
    let rows = sqlx::query(text).bind(which).fetch_all(pool).await.unwrap();
    let item = |row: &sqlx::postgres::PgRow| Item {
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
    };
    json(&rows.iter().map(item).collect::<Vec<_>>())
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

/// axum and SQLite's own interface.
pub(crate) async fn on_sqlite(file: &str) {
    fn open(file: &str) -> Connection {
        let connection = Connection::open(file).unwrap();
        let pragmas =
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000";
        connection.execute_batch(pragmas).unwrap();
        connection
    }
    thread_local! {
        static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
    }
    let writer = open(file);
    let one = |text| -> Uuid {
        uuid(
            &writer
                .query_row(text, [], |row| row.get::<_, Vec<u8>>(0))
                .unwrap(),
        )
    };
    let all = |text| -> Vec<Uuid> {
        let mut statement = writer.prepare(text).unwrap();
        let rows = statement
            .query_map([], |row| row.get::<_, Vec<u8>>(0))
            .unwrap();
        rows.map(|id| uuid(&id.unwrap())).collect()
    };
    let places = Places {
        busiest: one(BUSIEST),
        longest: one(LONGEST),
        somebody: one(SOMEBODY),
        all: all(PLACES),
        turn: AtomicUsize::new(0),
    };
    let state = Arc::new((Mutex::new(writer), places, file.to_owned()));
    let list = |file: &str, text: &str, which: Uuid| {
        READER.with_borrow_mut(|reader| {
            let reader = reader.get_or_insert_with(|| open(file));
            let mut statement = reader.prepare_cached(text).unwrap();
            let rows = statement.query_map([which.as_bytes()], item).unwrap();
            json(&rows.map(Result::unwrap).collect::<Vec<_>>())
        })
    };
    let router = Router::new()
        .route(
            "/a",
            post(async move |State(state): Embedded, _: Bytes| {
                list(&state.2, TIMELINE, state.1.busiest)
            }),
        )
        .route(
            "/b",
            post(async move |State(state): Embedded, _: Bytes| {
                list(&state.2, THREAD, state.1.longest)
            }),
        )
        .route(
            "/d",
            post(async |State(state): Embedded, _: Bytes| send_here(&state.0, &state.1)),
        )
        .with_state(state);
    serve(router).await;
}

fn uuid(bytes: &[u8]) -> Uuid {
    Uuid::from_slice(bytes).unwrap()
}

fn item(row: &rusqlite::Row<'_>) -> rusqlite::Result<Item> {
    Ok(Item {
        id: uuid(row.get_ref(0)?.as_blob()?).to_string(),
        body: row.get(1)?,
        created_at: row.get(2)?,
        reply_count: row.get(3)?,
        sender: Sender {
            id: uuid(row.get_ref(4)?.as_blob()?).to_string(),
            display_name: row.get(5)?,
        },
        parent: row
            .get_ref(6)?
            .as_blob_or_null()?
            .map(|id| uuid(id).to_string()),
        depth: row.get(7)?,
    })
}

fn send_here(writer: &Mutex<Connection>, places: &Places) -> Bytes {
    let (id, place) = (Uuid::now_v7(), places.next());
    let mut writer = writer.lock().unwrap();
    let tx = writer
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .unwrap();
    let seq: i32 = tx
        .prepare_cached(NEXT)
        .unwrap()
        .query_row([place.as_bytes()], |row| row.get(0))
        .unwrap();
    let values = params![
        id.as_bytes(),
        place.as_bytes(),
        seq,
        places.somebody.as_bytes(),
        path(seq),
        BODY,
        Utc::now().to_rfc3339()
    ];
    tx.prepare_cached(INSERT).unwrap().execute(values).unwrap();
    tx.commit().unwrap();
    json(&id.to_string())
}

/// axum sockets with small buffers: what is posted goes to each, its bytes made once.
pub(crate) async fn sockets() {
    let (sender, _) = broadcast::channel::<Bytes>(1024);
    let send = sender.clone();
    let router = Router::new()
        .route(
            "/send",
            post(async move |body: Bytes| send.send(body).unwrap_or_default().to_string()),
        )
        .route(
            "/socket",
            any(async move |upgrade: WebSocketUpgrade| listen(upgrade, sender.subscribe())),
        );
    serve(router).await;
}

fn listen(upgrade: WebSocketUpgrade, mut news: broadcast::Receiver<Bytes>) -> impl IntoResponse {
    let upgrade = upgrade
        .protocols(["graphql-transport-ws"])
        .read_buffer_size(4096)
        .write_buffer_size(0);
    upgrade.on_upgrade(async move |socket| {
        let (mut sink, mut stream) = socket.split();
        loop {
            tokio::select! {
                heard = stream.next() => if heard.is_none() { return },
                Ok(bytes) = news.recv() => {
                    let text = axum::extract::ws::Utf8Bytes::try_from(bytes).unwrap();
                    if sink.send(Message::Text(text)).await.is_err() { return }
                }
            }
        }
    })
}
