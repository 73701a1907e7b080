//! The floor on SQLite: axum and rusqlite.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Path, State},
    routing::post,
};
use bytes::Bytes;
use chrono::Utc;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{
    common::{Conversation, Ids, Message, Sender, json, root_path, serve},
    statements::{
        GROUPS, INBOX, INSERT, LARGEST_CONVERSATION, LONGEST_THREAD, NEXT_SEQ, READERS, SENDER,
        THREAD, TIMELINE,
    },
};
use crate::operations::BODY;

const PRAGMAS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000";

type Embedded = State<Arc<(Mutex<Connection>, Ids, String)>>;

thread_local! {
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

pub(crate) async fn run(file: &str) {
    let writer = open(file);
    let all = |text| -> Vec<Uuid> {
        let mut statement = writer.prepare(text).unwrap();
        let rows = statement
            .query_map([], |row| row.get::<_, Vec<u8>>(0))
            .unwrap();
        rows.map(|id| uuid(&id.unwrap())).collect()
    };
    let one = |text| all(text)[0];
    let single = [one(LARGEST_CONVERSATION), one(LONGEST_THREAD), one(SENDER)];
    let ids = Ids::new(single, all(READERS), all(GROUPS));
    let state = Arc::new((Mutex::new(writer), ids, file.to_owned()));
    let timeline = async |State(state): Embedded, _: Bytes| {
        list(&state.2, TIMELINE, state.1.conversation, message)
    };
    let thread =
        async |State(state): Embedded, _: Bytes| list(&state.2, THREAD, state.1.thread, message);
    let inbox = async |State(state): Embedded, Path(reader): Path<usize>, _: Bytes| {
        list(&state.2, INBOX, state.1.readers[reader], conversation)
    };
    let router = Router::new()
        .route("/timeline", post(timeline))
        .route("/thread", post(thread))
        .route("/inbox/{reader}", post(inbox))
        .route(
            "/send",
            post(async |State(state): Embedded, _: Bytes| send(&state.0, &state.1)),
        )
        .with_state(state);
    serve(router).await;
}

fn open(file: &str) -> Connection {
    let connection = Connection::open(file).unwrap();
    connection.execute_batch(PRAGMAS).unwrap();
    connection
}

fn list<T: serde::Serialize>(
    file: &str,
    text: &str,
    id: Uuid,
    read: fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Bytes {
    READER.with_borrow_mut(|reader| {
        let reader = reader.get_or_insert_with(|| open(file));
        let mut statement = reader.prepare_cached(text).unwrap();
        let rows = statement.query_map([id.as_bytes()], read).unwrap();
        json(&rows.map(Result::unwrap).collect::<Vec<_>>())
    })
}

fn uuid(bytes: &[u8]) -> Uuid {
    Uuid::from_slice(bytes).unwrap()
}

fn message(row: &rusqlite::Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
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

fn conversation(row: &rusqlite::Row<'_>) -> rusqlite::Result<Conversation> {
    Ok(Conversation {
        id: uuid(row.get_ref(0)?.as_blob()?).to_string(),
        title: row.get(1)?,
        unread: row.get(2)?,
    })
}

fn send(writer: &Mutex<Connection>, ids: &Ids) -> Bytes {
    let (id, group) = (Uuid::now_v7(), ids.next_group());
    let mut writer = writer.lock().unwrap();
    let tx = writer
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .unwrap();
    let seq: i32 = tx
        .prepare_cached(NEXT_SEQ)
        .unwrap()
        .query_row([group.as_bytes()], |row| row.get(0))
        .unwrap();
    let values = params![
        id.as_bytes(),
        group.as_bytes(),
        seq,
        ids.sender.as_bytes(),
        root_path(seq),
        BODY,
        Utc::now().to_rfc3339()
    ];
    tx.prepare_cached(INSERT).unwrap().execute(values).unwrap();
    tx.commit().unwrap();
    json(&id.to_string())
}
