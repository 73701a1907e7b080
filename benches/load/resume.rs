//! Somebody comes back who missed a lot.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    Scale,
    client::{Client, ask_times, operation, text_of},
    report::Report,
    sockets::subscribed,
    walks::{BODY, D, Subject, sending},
};

/// Callers who send what is missed.
const CALLERS: usize = 64;
/// A stream that says nothing for so long is broken.
const PATIENCE: Duration = Duration::from_mins(1);
const EVENTS: &str =
    "subscription($after: String) { events(after: $after, filter: { categories: [MESSAGES] }) {
    __typename cursor
    ... on StreamOpenedEvent { outcome }
    ... on MessageSentEvent { message { id body createdAt sender { id displayName } } } } }";

/// From subscribing with a cursor until the last missed message was received.
pub(crate) async fn measure(subject: &Subject, scale: &Scale, report: &mut Report) {
    let server = &subject.heddle;
    let mut client = Client::connect(&server.address, Some(&subject.token)).await;
    let data = client.asks("{ eventCursor }", Value::Null).await;
    let after = text_of(&data["eventCursor"]);
    miss(subject, scale.missed).await;
    let before = server.spent();
    let begun = Instant::now();
    let variables = json!({ "after": after });
    let socket = subscribed(&server.address, &subject.token, EVENTS, &variables);
    let mut socket = socket.await.unwrap();
    let mut received = 0;
    while received < scale.missed {
        let frame = timeout(PATIENCE, socket.next()).await.unwrap();
        let frame = frame.expect("the stream goes on").unwrap();
        let text = frame.to_text().unwrap_or_default();
        assert!(
            !text.contains("RESET") && !text.contains("\"errors\""),
            "{text}"
        );
        received += usize::from(text.contains("MessageSentEvent"));
    }
    let took = begun.elapsed().as_secs_f64();
    let spent = server.spent().since(before).all().as_secs_f64() * 1e6;
    let (name, count) = (&server.name, scale.missed);
    report.note(format!("{name}: {count} missed messages"), took, "s");
    report.note(
        format!("{name}: one of {count} missed messages"),
        spent / count as f64,
        "CPU µs",
    );
}

/// That many messages, sent as people send them.
async fn miss(subject: &Subject, count: usize) {
    let mut clients = vec![];
    for _ in 0..CALLERS {
        clients.push(Client::connect(&subject.heddle.address, Some(&subject.token)).await);
    }
    let turn = AtomicUsize::new(0);
    let next = || {
        let group = &subject.groups[turn.fetch_add(1, Ordering::Relaxed) % subject.groups.len()];
        ("/graphql", operation(D, &sending(group, BODY)))
    };
    ask_times(&mut clients, count, &next).await;
}
