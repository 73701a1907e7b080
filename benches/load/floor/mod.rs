//! The floors: servers that give the same answers from the same tables with as little as possible between. No checks,
//! no counters, no events; statements and JSON by hand.

pub(crate) mod postgres;
pub(crate) mod sockets;
pub(crate) mod sqlite;

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Router, routing::post};
use bytes::Bytes;
use serde::Serialize;
use tokio::net::TcpListener;
use uuid::Uuid;

pub(crate) const TIMELINE: &str = r#"SELECT m.id, m.body, m.created_at, m.reply_count, u.id, u.display_name, m.parent_id, m.depth
    FROM message m JOIN "user" u ON u.id = m.sender_id
    WHERE m.conversation_id = $1 AND m.root_id IS NULL ORDER BY m.seq DESC LIMIT 50"#;
const THREAD: &str = r#"SELECT m.id, m.body, m.created_at, m.reply_count, u.id, u.display_name, m.parent_id, m.depth
    FROM message m JOIN "user" u ON u.id = m.sender_id WHERE m.root_id = $1 ORDER BY m.path LIMIT 200"#;
/// Unread messages are counted one by one: without more in the tables there is no other way.
const UNREAD: &str = r#"SELECT c.id, c.title, (SELECT COUNT(*) FROM message m WHERE m.conversation_id = c.id
        AND m.root_id IS NULL AND m.seq > p.read_floor_seq AND m.sender_id <> p.user_id)
    FROM participant p JOIN conversation c ON c.id = p.conversation_id
    WHERE p.user_id = $1 ORDER BY c.last_activity_at DESC LIMIT 50"#;
pub(crate) const NEXT: &str =
    "UPDATE conversation SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq";
const INSERT: &str = "INSERT INTO message (id, conversation_id, seq, sender_id, depth, path, kind, priority, body, created_at)
    VALUES ($1, $2, $3, $4, 0, $5, 'USER', 'NORMAL', $6, $7)";
pub(crate) const BUSIEST: &str = "SELECT id FROM conversation ORDER BY last_seq DESC, id LIMIT 1";
const LONGEST: &str = "SELECT id FROM thread ORDER BY abs(reply_count - 199), id LIMIT 1";
/// Groups of the floor's own: what it sends must not be unread for anybody who is measured.
pub(crate) const PLACES: &str =
    "SELECT id FROM conversation WHERE title LIKE 'Floor %' ORDER BY title";
pub(crate) const SOMEBODY: &str = r#"SELECT id FROM "user" WHERE username = 'bench'"#;
const READERS: &str = r#"SELECT id FROM "user" WHERE username LIKE 'reader_' ORDER BY username"#;

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

#[derive(Serialize)]
struct Group {
    id: String,
    title: Option<String>,
    unread: i64,
}

/// Which rows are asked for, looked up once.
struct Places {
    busiest: Uuid,
    longest: Uuid,
    somebody: Uuid,
    readers: Vec<Uuid>,
    all: Vec<Uuid>,
    turn: AtomicUsize,
}

impl Places {
    fn next(&self) -> Uuid {
        self.all[self.turn.fetch_add(1, Ordering::Relaxed) % self.all.len()]
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
