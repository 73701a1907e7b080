//! The walks: a list, a thread, the conversations, a message, and nothing at all; by rounds, with the floors between.

mod subject;

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use subject::{Floor, Subject, group as new_group};

use crate::{
    Scale,
    client::{Client, Next, ask_for, operation},
    databases::Postgres,
    pgbench::Pgbench,
    report::{Report, Row},
    resume,
    server::{Home, Server},
};

pub(crate) const A: &str =
    "query A($id: ID!) { conversation(id: $id) { messages(last: 50) { nodes {
    id body createdAt replyCount sender { id displayName } } } } }";
pub(crate) const B: &str =
    "query B($id: ID!, $after: String) { thread(id: $id) { replies(first: 100, after: $after) {
    edges { depth node { id body createdAt replyCount sender { id displayName } parent { id } } }
    pageInfo { endCursor } } } }";
pub(crate) const C: &str = "query C { viewer { conversations(first: 50) { nodes { id displayTitle
    viewerMembership { unreadCount } } } } }";
pub(crate) const D: &str =
    "mutation D($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
const N: &str = "{ __typename }";
pub(crate) const BODY: &str =
    "Eighty characters of text, as people write them when they have something to say.";
/// Where the floors count unread messages for each reader.
const COUNTS: [&str; 3] = ["/c/0", "/c/1", "/c/2"];

pub(crate) async fn measure(scale: &Scale, report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::on_sqlite(folder.path(), "SQLite");
    let sqlite = Subject::prepare(scale, &home, &["floor-sqlite", home.file()], report).await;
    let postgres = Postgres::start();
    let home = Home::on_postgres(folder.path(), "PostgreSQL", &postgres);
    let served = Subject::prepare(scale, &home, &["floor-postgres", &postgres.url], report).await;
    let pgbench = Pgbench::prepare(&postgres, folder.path()).await;
    if pgbench.is_none() {
        report.remark("pgbench is not installed: its floor was not measured");
    }
    for round in 1..=scale.rounds {
        eprintln!("round {round} of {}", scale.rounds);
        for subject in [&sqlite, &served] {
            round_of(subject, scale, report).await;
        }
        if let Some(pgbench) = &pgbench {
            pgbench.round(scale, report);
        }
    }
    for subject in [&sqlite, &served] {
        resume::measure(subject, scale, report).await;
    }
}

/// One operation as it is asked of Heddle and, where there is one, of the floor.
struct Walk<'a> {
    operation: String,
    callers: usize,
    next: &'a (dyn Fn() -> Bytes + Sync),
    /// Requests that make one operation of Heddle's.
    parts: u32,
    floor: &'static str,
}

/// Every operation for a moment, each right before its floor.
pub(crate) async fn round_of(subject: &Subject, scale: &Scale, report: &mut Report) {
    let turn = AtomicUsize::new(0);
    let send = || {
        let group = &subject.groups[turn.fetch_add(1, Ordering::Relaxed) % subject.groups.len()];
        subject::message(group)
    };
    let timeline = operation(A, &subject.timeline);
    let thread = subject.thread.each_ref().map(|page| operation(B, page));
    let page = AtomicUsize::new(0);
    let read = || thread[page.fetch_add(1, Ordering::Relaxed) % 2].clone();
    let (lists, nothing) = (operation(C, &Value::Null), operation(N, &Value::Null));
    let (list, unread, empty) = (|| timeline.clone(), || lists.clone(), || nothing.clone());
    let walk = |operation: &str, callers, next, parts, floor| Walk {
        operation: operation.to_owned(),
        callers,
        next,
        parts,
        floor,
    };
    let mut walks = vec![
        walk("a", 8, &list as &(dyn Fn() -> Bytes + Sync), 1, "/a"),
        walk("a", 1, &list, 1, "/a"),
        walk("b", 8, &read, 2, "/b"),
        walk("b", 1, &read, 2, "/b"),
        walk("d", 8, &send, 1, "/d"),
        walk("d", 64, &send, 1, "/d"),
        walk("n", 8, &empty, 1, "/n"),
    ];
    for (count, path) in scale.unread.iter().zip(COUNTS) {
        walks.push(walk(&format!("c {count}"), 8, &unread, 1, path));
    }
    for walk in &walks {
        let reader = COUNTS.iter().position(|path| *path == walk.floor);
        let token = reader.map_or(&subject.token, |reader| &subject.readers[reader]);
        let next = || ("/graphql", (walk.next)());
        let one = stretch(&subject.heddle, Some(token), scale, walk, walk.parts, &next).await;
        report.add(one);
        if let Floor::Is(floor) = &subject.floor {
            let next = || (walk.floor, Bytes::new());
            report.add(stretch(floor, None, scale, walk, 1, &next).await);
        }
    }
}

async fn stretch(
    server: &Server,
    token: Option<&String>,
    scale: &Scale,
    walk: &Walk<'_>,
    parts: u32,
    next: Next<'_>,
) -> Row {
    let mut clients = vec![];
    for _ in 0..walk.callers {
        clients.push(Client::connect(&server.address, token.map(String::as_str)).await);
    }
    let before = server.spent();
    let done = ask_for(&mut clients, scale.slot, next).await;
    let spent = server.spent().since(before);
    Row::of(
        &server.name,
        &walk.operation,
        walk.callers,
        &done,
        parts,
        spent,
    )
}

/// The body of a request that sends a message there.
pub(crate) fn sending(group: &str, body: &str) -> Value {
    let key = Uuid::now_v7().to_string();
    json!({ "input": { "conversationId": group, "body": body, "clientMessageId": key } })
}
