//! Runs the mixed workload on both databases.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    listener,
    people::{CALLERS, People},
};
use crate::{
    client::{Client, NextRequest, operation, run_for},
    databases::Postgres,
    fixtures::Fixtures,
    operations::{INBOX, THREAD, TIMELINE},
    report::{Report, Row},
    scale::Scale,
    server::{Installation, Server},
};

const NOTIFICATIONS: &str =
    "query Notifications { viewer { unread { notifications } notifications(first: 30) { nodes {
    id type isRead createdAt actor { id displayName } message { id body } } } } }";

pub(crate) async fn measure(scale: &Scale, report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let installation = Installation::on_sqlite(folder.path(), "SQLite");
    measure_on(&installation, scale, report).await;
    let postgres = Postgres::start();
    let installation = Installation::on_postgres(folder.path(), "PostgreSQL", &postgres);
    measure_on(&installation, scale, report).await;
}

async fn measure_on(installation: &Installation, scale: &Scale, report: &mut Report) {
    eprintln!("mixed workload on {}", installation.name);
    let (people, server) = People::prepare(installation, scale.largest).await;
    let fixtures = Fixtures::open(installation).await;
    let before = (fixtures.bytes().await, fixtures.message_count().await);
    let send = |caller| ("/graphql", people.send(caller));
    let read = |caller| ("/graphql", people.mark_read(caller));
    // The long slot is last: the reads follow it directly.
    for (callers, slot) in CALLERS.into_iter().zip([scale.slot, scale.write]) {
        let clients = &mut people.connect(&server, callers).await;
        report.add(run(&server, "mixed mark read", clients, scale.slot, &read).await);
        report.add(run(&server, "mixed send", clients, slot, &send).await);
    }
    let reads: [(&str, &(dyn Fn(usize) -> Bytes + Sync)); 4] = [
        ("mixed timeline", &|caller| {
            operation(TIMELINE, &json!({ "id": people.place(caller) }))
        }),
        ("mixed thread", &|_| {
            operation(THREAD, &json!({ "id": people.thread() }))
        }),
        ("mixed inbox", &|_| operation(INBOX, &Value::Null)),
        ("mixed notifications", &|_| {
            operation(NOTIFICATIONS, &Value::Null)
        }),
    ];
    let clients = &mut people.connect(&server, CALLERS[0]).await;
    for (name, body) in reads {
        let next = |caller| ("/graphql", body(caller));
        report.add(run(&server, name, clients, scale.slot, &next).await);
    }
    let after = (fixtures.bytes().await, fixtures.message_count().await);
    let bytes = (after.0 - before.0) as f64 / (after.1 - before.1) as f64;
    let name = &server.name;
    report.figure(format!("{name}: mixed message"), bytes, "bytes");
    listener::measure(&people, &server, &fixtures, scale, report).await;
    fixtures.close().await;
}

async fn run(
    server: &Server,
    name: &str,
    clients: &mut [Client],
    slot: Duration,
    next: NextRequest<'_>,
) -> Row {
    let before = server.cpu_time();
    let load = run_for(clients, slot, next).await;
    let cpu_time = server.cpu_time().since(before);
    Row::of(&server.name, name, clients.len(), &load, 1, cpu_time)
}
