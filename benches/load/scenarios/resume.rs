//! A client resumes a stream after it missed many messages.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::target::Target;
use crate::{
    client::{Client, operation, run_count, text_of},
    operations::{BODY, SEND, send_variables},
    report::Report,
    scale::Scale,
    sockets::subscribe,
};

/// Callers who send the messages that are missed.
const CALLERS: usize = 64;
/// A stream that delivers nothing for this long is broken.
const TIMEOUT: Duration = Duration::from_mins(1);
const EVENTS: &str =
    "subscription($after: String) { events(after: $after, filter: { categories: [MESSAGES] }) {
    __typename cursor
    ... on StreamOpenedEvent { outcome }
    ... on MessageSentEvent { message { id body createdAt sender { id displayName } } } } }";

/// Measures from the subscription with a cursor until the last missed message is received.
pub(super) async fn measure(target: &Target, scale: &Scale, report: &mut Report) {
    let server = &target.heddle;
    let mut client = Client::connect(&server.address, Some(&target.token)).await;
    let data = client.query("{ eventCursor }", Value::Null).await;
    let after = text_of(&data["eventCursor"]);
    send_missed(target, scale.missed).await;
    let before = server.cpu_time();
    let started = Instant::now();
    let variables = json!({ "after": after });
    let socket = subscribe(&server.address, &target.token, EVENTS, &variables);
    let mut socket = socket.await.unwrap();
    let mut received = 0;
    while received < scale.missed {
        let frame = timeout(TIMEOUT, socket.next()).await.unwrap();
        let frame = frame.expect("the stream continues").unwrap();
        let text = frame.to_text().unwrap_or_default();
        assert!(
            !text.contains("RESET") && !text.contains("\"errors\""),
            "{text}"
        );
        received += usize::from(text.contains("MessageSentEvent"));
    }
    let took = started.elapsed().as_secs_f64();
    let cpu = server.cpu_time().since(before).total().as_secs_f64() * 1e6;
    let (name, count) = (&server.name, scale.missed);
    report.figure(format!("{name}: {count} missed messages"), took, "s");
    report.figure(
        format!("{name}: one of {count} missed messages"),
        cpu / count as f64,
        "CPU µs",
    );
}

/// Sends this many messages while the client is away.
async fn send_missed(target: &Target, count: usize) {
    let mut clients = vec![];
    for _ in 0..CALLERS {
        clients.push(Client::connect(&target.heddle.address, Some(&target.token)).await);
    }
    let turn = AtomicUsize::new(0);
    let next = |_| {
        let group = &target.groups[turn.fetch_add(1, Ordering::Relaxed) % target.groups.len()];
        ("/graphql", operation(SEND, &send_variables(group, BODY)))
    };
    run_count(&mut clients, count, &next).await;
}
