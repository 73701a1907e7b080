//! What one listener costs in the largest conversation and in one of two people, and what messages to the largest one
//! store.

use serde_json::json;

use super::people::People;
use crate::{
    client::Client,
    fixtures::Fixtures,
    operations::{BODY, SEND, send_variables},
    report::Report,
    scale::Scale,
    server::Server,
    sockets::{Listeners, subscribe},
};

const EVENTS: &str =
    "subscription($id: ID!) { events(filter: { conversationIds: [$id], categories: [MESSAGES, NOTIFICATIONS] }) {
    __typename ... on MessageSentEvent { message { id body createdAt sender { id displayName } } }
    ... on NotificationAddedEvent { notification { id message { id } } } } }";
/// Messages that the database stores before the size of one is known.
const STORED: usize = 20;

pub(super) async fn measure(
    people: &People,
    server: &Server,
    fixtures: &Fixtures,
    scale: &Scale,
    report: &mut Report,
) {
    let name = &server.name;
    for ((id, token), size) in people.extremes().into_iter().zip([scale.largest, 2]) {
        let mut client = Client::connect(&server.address, Some(token)).await;
        let mut send = async || {
            client.query(SEND, send_variables(id, BODY)).await;
        };
        let socket = subscribe(&server.address, token, EVENTS, &json!({ "id": id })).await;
        let mut listeners = Listeners::new();
        listeners.add(socket.unwrap());
        listeners.wait_until_subscribed(&mut send).await;
        listeners.discard();
        let (before, bytes) = (server.cpu_time(), fixtures.bytes().await);
        let count = scale.burst * STORED;
        for _ in 0..count {
            send().await;
            listeners.next().await;
        }
        let cpu = server.cpu_time().since(before).total().as_secs_f64() * 1e6;
        let bytes = fixtures.bytes().await - bytes;
        let (cpu, bytes) = (cpu / count as f64, bytes as f64 / count as f64);
        report.figure(
            format!("{name}: one listener in a group of {size}"),
            cpu,
            "CPU µs",
        );
        report.figure(
            format!("{name}: message to a group of {size}"),
            bytes,
            "bytes",
        );
    }
}
