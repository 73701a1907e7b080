//! A crowd at one node, one of whom stops reading: nobody else notices.

use std::{cell::Cell, time::Duration};

use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::sleep;

use super::chaos;
use crate::support::{
    binary::Binary, groups::Groups, messaging::Messaging, person::Person, socket::Subscription,
};

/// As many as one person may have.
const SOCKETS: usize = 10;
/// Replies of one round: in number fewer than may wait, in bytes more than are kept. They are short, and the message that they
/// answer is long, so that the database hardly grows.
const MESSAGES: usize = 100;
const LENGTH: usize = 10_000;
/// Rounds of either kind, by turns, in a long run.
const ROUNDS: usize = 5;
const LOOK: Duration = Duration::from_millis(5);

const EVENTS: &str = "subscription { events(filter: { categories: [MESSAGES] }) {
    ... on MessageSentEvent { message { sequence } } } }";
/// More for one socket than the system keeps between two ends.
const LARGE: &str = "subscription {
    events(filter: { categories: [MESSAGES] }) {
    ... on MessageSentEvent { message { sequence parent { a: body b: body c: body d: body e: body
        f: body g: body h: body i: body j: body k: body l: body m: body n: body } } } } }";

/// What it costs in memory is told and not held to a bound: rounds in which everybody reads differ among themselves by
/// more than the 2 MiB that one who stops should cost at most.
#[tokio::test]
async fn one_who_stops_reading_costs_nobody_else_anything() {
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
    chaos::tell(&format!(
        "{} sockets; most memory in rounds in which all read {usual:?} KiB, and all but one {with_him:?} KiB",
        room.crowd.len()
    ));
}

/// What Bob does in a round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bob {
    Reads,
    Stops,
}

/// Everybody in one conversation, at one server.
struct Room {
    server: Binary,
    endpoint: String,
    ann: Person,
    bob: Person,
    talk: String,
    root: String,
    crowd: Vec<Subscription>,
}

impl Room {
    async fn of(people: usize) -> Self {
        let settings = vec![
            ("HEDDLE_CONNECTIONS", "2000"),
            ("HEDDLE_LOG_LEVEL", "error"),
        ];
        let server = Binary::on_sqlite_with(settings).await;
        let endpoint = format!("{}/graphql", server.url());
        let person = async |name: &str| Person::nobody_at(endpoint.clone()).registers(name).await;
        let (ann, bob) = (person("Ann").await, person("Bob").await);
        let talk = ann.founds(Some("Loom"), &[&bob]).await;
        let mut others = vec![];
        for number in 0..people {
            let one = person(&format!("Person{number}")).await;
            ann.adds(&talk, &one, "MEMBER").await;
            others.push(one);
        }
        let root = ann.says(&talk, &"w".repeat(LENGTH)).await;
        // Only now: that somebody was added is a message as well.
        let mut crowd = vec![];
        for one in &others {
            for _ in 0..SOCKETS {
                let mut events = one.subscribes(EVENTS, Value::Null).await;
                events.next().await;
                crowd.push(events);
            }
        }
        Self {
            server,
            endpoint,
            ann,
            bob,
            talk,
            root,
            crowd,
        }
    }

    /// Everybody hears everything, whoever stopped when he reads again. The most memory that the server had, in KiB.
    async fn round(&mut self, bob: Bob) -> u64 {
        let mut his = Subscription::narrow(&self.endpoint, &self.bob, LARGE, Value::Null).await;
        his.next().await;
        let peak = Cell::new(0);
        let turn = async {
            let says = async {
                for _ in 0..MESSAGES {
                    self.ann.answers(&self.talk, &self.root, "and weft").await;
                }
            };
            let reads = async {
                if bob == Bob::Reads {
                    hears(&mut his).await;
                }
            };
            let crowd = join_all(self.crowd.iter_mut().map(hears));
            tokio::join!(says, reads, crowd).2
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
        let heard = &all[0];
        assert!(heard.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        assert!(all.iter().all(|other| other == heard));
        if bob == Bob::Stops {
            assert_eq!(&hears(&mut his).await, heard);
        }
        peak.get()
    }
}

/// The numbers of one round's messages.
async fn hears(events: &mut Subscription) -> Vec<i64> {
    let mut heard = vec![];
    while heard.len() < MESSAGES {
        heard.extend(sequence(&events.next().await));
    }
    heard
}

fn sequence(data: &Value) -> Option<i64> {
    let sequence = &data["events"]["message"]["sequence"];
    let text = sequence.as_str().and_then(|text| text.parse().ok());
    sequence.as_i64().or(text)
}
