//! One of many subscribers on a node stops reading, and no other subscriber is affected.

use std::{cell::Cell, time::Duration};

use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::sleep;

use super::chaos;
use crate::support::{
    binary::Binary, groups::Groups, messaging::Messaging, person::Person, socket::Subscription,
};

/// The limit of sockets per user.
const SOCKETS: usize = 10;
/// Replies of one round: fewer than the limit of queued events, and more bytes than the buffers hold. They are short,
/// and their parent is long, so that the database hardly grows.
const MESSAGES: usize = 100;
const LENGTH: usize = 10_000;
/// Rounds of each kind in a long run; the kinds alternate.
const ROUNDS: usize = 5;
const LOOK: Duration = Duration::from_millis(5);

const EVENTS: &str = "subscription { events(filter: { categories: [MESSAGES] }) {
    ... on MessageSentEvent { message { sequence } } } }";
/// Events that fill the system's buffers for one socket.
const LARGE: &str = "subscription {
    events(filter: { categories: [MESSAGES] }) {
    ... on MessageSentEvent { message { sequence parent { a: body b: body c: body d: body e: body
        f: body g: body h: body i: body j: body k: body l: body m: body n: body } } } } }";

/// The cost in memory is printed and has no limit: even rounds in which all subscribers read differ by more than the 2
/// MiB that one slow subscriber may cost.
#[tokio::test]
async fn a_subscriber_who_stops_reading_delays_no_other() {
    let (people, rounds) = match chaos::soak() {
        Some(_) => (100, ROUNDS),
        None => (20, 1),
    };
    let mut room = Room::of(people).await;
    let (mut usual, mut with_him) = (vec![], vec![]);
    for _ in 0..rounds {
        usual.push(room.round(Bob::Reads).await);
        with_him.push(room.round(Bob::Stops).await);
    }
    chaos::print(&format!(
        "{} sockets; most memory in rounds in which all read {usual:?} KiB, and all but one {with_him:?} KiB",
        room.members.len()
    ));
}

/// What Bob does in a round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bob {
    Reads,
    Stops,
}

/// Participants of one conversation, on one server.
struct Room {
    server: Binary,
    endpoint: String,
    ann: Person,
    bob: Person,
    conversation: String,
    root: String,
    members: Vec<Subscription>,
}

impl Room {
    async fn of(people: usize) -> Self {
        let settings = vec![
            ("HEDDLE_CONNECTIONS", "2000"),
            ("HEDDLE_LOG_LEVEL", "error"),
        ];
        let server = Binary::on_sqlite_with(settings).await;
        let endpoint = format!("{}/graphql", server.url());
        let person = async |name: &str| Person::anonymous_at(endpoint.clone()).sign_up(name).await;
        let (ann, bob) = (person("Ann").await, person("Bob").await);
        let conversation = ann.creates_group(Some("Loom"), &[&bob]).await;
        let mut others = vec![];
        for number in 0..people {
            let one = person(&format!("Person{number}")).await;
            ann.adds(&conversation, &one, "MEMBER").await;
            others.push(one);
        }
        let root = ann.says(&conversation, &"w".repeat(LENGTH)).await;
        // After the last participant joined, because each join is a message too.
        let mut members = vec![];
        for one in &others {
            for _ in 0..SOCKETS {
                let mut events = one.subscribe(EVENTS, Value::Null).await;
                events.next().await;
                members.push(events);
            }
        }
        Self {
            server,
            endpoint,
            ann,
            bob,
            conversation,
            root,
            members,
        }
    }

    /// Every subscriber receives every message; Bob, when he reads again. Returns the server's peak memory in KiB.
    async fn round(&mut self, bob: Bob) -> u64 {
        let mut his = Subscription::narrow(&self.endpoint, &self.bob, LARGE, Value::Null).await;
        his.next().await;
        let peak = Cell::new(0);
        let turn = async {
            let says = async {
                for _ in 0..MESSAGES {
                    self.ann
                        .replies(&self.conversation, &self.root, "and weft")
                        .await;
                }
            };
            let reads = async {
                if bob == Bob::Reads {
                    receive(&mut his).await;
                }
            };
            let members = join_all(self.members.iter_mut().map(receive));
            tokio::join!(says, reads, members).2
        };
        let looks = async {
            loop {
                peak.set(self.server.memory_kib().max(peak.get()));
                sleep(LOOK).await;
            }
        };
        let all = tokio::select! {
            all = turn => all,
            () = looks => unreachable!(),
        };
        let received = &all[0];
        assert!(received.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        assert!(all.iter().all(|other| other == received));
        if bob == Bob::Stops {
            assert_eq!(&receive(&mut his).await, received);
        }
        peak.get()
    }
}

/// Returns the sequence numbers of one round's messages.
async fn receive(events: &mut Subscription) -> Vec<i64> {
    let mut received = vec![];
    while received.len() < MESSAGES {
        received.extend(sequence(&events.next().await));
    }
    received
}

fn sequence(data: &Value) -> Option<i64> {
    let sequence = &data["events"]["message"]["sequence"];
    let text = sequence.as_str().and_then(|text| text.parse().ok());
    sequence.as_i64().or(text)
}
