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
/// Rounds, in which both conversations take turns: what runs in the background of one is not charged to the other alone.
const ROUNDS: usize = 5;
/// Messages of a round for each unit of the scale's burst.
const STORED: usize = 4;

/// A conversation with one listener, and what its messages cost so far.
struct Listened<'a> {
    size: usize,
    id: &'a str,
    client: Client,
    listeners: Listeners,
    cpu_micros: f64,
    bytes: i64,
}

impl<'a> Listened<'a> {
    async fn open(server: &Server, (id, token): (&'a str, &str), size: usize) -> Self {
        let mut client = Client::connect(&server.address, Some(token)).await;
        let socket = subscribe(&server.address, token, EVENTS, &json!({ "id": id })).await;
        let mut listeners = Listeners::new();
        listeners.add(socket.unwrap());
        let mut send = async || {
            client.query(SEND, send_variables(id, BODY)).await;
        };
        listeners.wait_until_subscribed(&mut send).await;
        listeners.discard();
        Self {
            size,
            id,
            client,
            listeners,
            cpu_micros: 0.0,
            bytes: 0,
        }
    }

    async fn receive(&mut self, messages: usize, server: &Server, fixtures: &Fixtures) {
        let (before, bytes) = (server.cpu_time(), fixtures.bytes().await);
        for _ in 0..messages {
            let variables = send_variables(self.id, BODY);
            self.client.query(SEND, variables).await;
            self.listeners.next().await;
        }
        self.cpu_micros += server.cpu_time().since(before).total().as_secs_f64() * 1e6;
        self.bytes += fixtures.bytes().await - bytes;
    }
}

pub(super) async fn measure(
    people: &People,
    server: &Server,
    fixtures: &Fixtures,
    scale: &Scale,
    report: &mut Report,
) {
    let name = &server.name;
    let mut listened = vec![];
    for (extreme, size) in people.extremes().into_iter().zip([scale.largest, 2]) {
        listened.push(Listened::open(server, extreme, size).await);
    }
    let messages = scale.burst * STORED;
    for _ in 0..ROUNDS {
        for one in &mut listened {
            one.receive(messages, server, fixtures).await;
        }
    }
    for one in listened {
        let (size, count) = (one.size, (messages * ROUNDS) as f64);
        report.figure(
            format!("{name}: one listener in a group of {size}"),
            one.cpu_micros / count,
            "CPU µs",
        );
        report.figure(
            format!("{name}: message to a group of {size}"),
            one.bytes as f64 / count,
            "bytes",
        );
    }
}
