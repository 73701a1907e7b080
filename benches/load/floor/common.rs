//! What the floors share: the JSON of their responses, the ids that they read and write, and the HTTP server.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Router, routing::post};
use bytes::Bytes;
use serde::Serialize;
use tokio::net::TcpListener;
use uuid::Uuid;

#[derive(Serialize)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) created_at: String,
    pub(super) reply_count: i32,
    pub(super) sender: Sender,
    pub(super) parent: Option<String>,
    pub(super) depth: i32,
}

#[derive(Serialize)]
pub(super) struct Sender {
    pub(super) id: String,
    pub(super) display_name: String,
}

#[derive(Serialize)]
pub(super) struct Conversation {
    pub(super) id: String,
    pub(super) title: Option<String>,
    pub(super) unread: i64,
}

/// Ids of the rows that requests use, looked up once.
pub(super) struct Ids {
    pub(super) conversation: Uuid,
    pub(super) thread: Uuid,
    pub(super) sender: Uuid,
    pub(super) readers: Vec<Uuid>,
    groups: Vec<Uuid>,
    turn: AtomicUsize,
}

impl Ids {
    /// `single` holds the conversation, the thread and the sender.
    pub(super) fn new(single: [Uuid; 3], readers: Vec<Uuid>, groups: Vec<Uuid>) -> Self {
        let [conversation, thread, sender] = single;
        Self {
            conversation,
            thread,
            sender,
            readers,
            groups,
            turn: AtomicUsize::new(0),
        }
    }

    pub(super) fn next_group(&self) -> Uuid {
        self.groups[self.turn.fetch_add(1, Ordering::Relaxed) % self.groups.len()]
    }
}

/// The path of a root message.
pub(super) fn root_path(seq: i32) -> Vec<u8> {
    seq.to_be_bytes().to_vec()
}

pub(super) fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap().into()
}

/// Prints the address and serves the routes, together with the empty query.
pub(super) async fn serve(router: Router) {
    let router = router.route(
        "/noop",
        post(async |_: Bytes| r#"{"data":{"__typename":"Query"}}"#),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    axum::serve(listener, router).await.unwrap();
}
