//! One database with everything on it that is asked for.

use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Instant;

use super::{B, BODY, C, D, sending};
use crate::{
    Scale,
    client::{Client, operation, register, sign_in, text_of},
    past::{self, Chronicle},
    report::{Report, median},
    server::{Home, Server},
};

/// Replies below the root of the thread that is read.
const REPLIES: usize = 199;
/// Conversations of the people who ask.
const GROUPS: usize = 50;
/// People in each of those that are written to.
const PEOPLE: usize = 8;

/// The least that could give the same answers.
pub(crate) enum Floor {
    Is(Server),
    IsNotMeasured,
}

/// Heddle and its floor, and what is asked of them.
pub(crate) struct Subject {
    pub(crate) heddle: Server,
    pub(crate) floor: Floor,
    /// Of somebody in the largest conversation, and in every group that is written to.
    pub(crate) token: String,
    pub(crate) timeline: Value,
    pub(crate) thread: [Value; 2],
    /// Groups that nobody else writes to.
    pub(crate) groups: Vec<String>,
    /// Tokens of people whose conversations have more unread messages each, and nothing else.
    pub(crate) readers: Vec<String>,
}

impl Subject {
    /// `floor` says how to start the floor; without words there is none.
    pub(crate) async fn prepare(
        scale: &Scale,
        home: &Home,
        floor: &[&str],
        report: &mut Report,
    ) -> Self {
        let begun = Instant::now();
        let said = home.seed(scale.users, scale.conversations, scale.messages);
        eprintln!("{}: {}", home.name, said.lines().next().unwrap_or_default());
        let rate = scale.messages as f64 / begun.elapsed().as_secs_f64();
        report.note(format!("seed on {}", home.name), rate, "messages/s");
        let server = home.start();
        let mut nobody = Client::connect(&server.address, None).await;
        let (bench, sender) = register(&mut nobody, "bench").await;
        let mut readers = vec![];
        for number in 0..scale.unread.len() {
            readers.push(register(&mut nobody, &format!("reader{number}")).await);
        }
        let mut bench = Client::connect(&server.address, Some(&bench)).await;
        let text = "{ users(filter: {}, first: 50) { nodes { id username } } }";
        let people = bench.asks(text, Value::Null).await;
        let people: Vec<Value> = people["users"]["nodes"].as_array().unwrap().clone();
        let seeded = |one: &&Value| {
            one["username"]
                .as_str()
                .is_some_and(|name| name.contains('.'))
        };
        let people: Vec<Value> = people.iter().filter(seeded).cloned().collect();
        let (token, timeline) = largest(&server.address, &mut nobody, &people).await;
        let mut client = Client::connect(&server.address, Some(&token)).await;
        let own = groups(&mut client, "Group", &people).await;
        groups(&mut bench, "Floor", &people).await;
        let thread = thread(&mut client, &own[0]).await;
        drop(server);
        unread(scale, home, &sender, &readers).await;
        let heddle = starts(scale, home, report);
        for ((token, _), &count) in readers.iter().zip(&scale.unread) {
            check(&heddle, token, count).await;
        }
        Self {
            heddle,
            floor: match floor {
                [] => Floor::IsNotMeasured,
                words => Floor::Is(home.floor(words)),
            },
            token,
            timeline,
            thread,
            groups: own,
            readers: readers.into_iter().map(|(token, _)| token).collect(),
        }
    }
}

/// The largest conversation that one of these people is in, and their token.
async fn largest(address: &str, nobody: &mut Client, people: &[Value]) -> (String, Value) {
    let (mut best, mut found) = (0, None);
    for person in people.iter().take(12) {
        let token = sign_in(nobody, &text_of(&person["username"])).await;
        let mut client = Client::connect(address, Some(&token)).await;
        let text = "{ viewer { conversations(first: 100) { nodes { id participantCount } } } }";
        let data = client.asks(text, Value::Null).await;
        for conversation in data["viewer"]["conversations"]["nodes"].as_array().unwrap() {
            let size = conversation["participantCount"].as_i64().unwrap();
            if size > best {
                best = size;
                found = Some((token.clone(), json!({ "id": conversation["id"] })));
            }
        }
    }
    found.unwrap()
}

async fn groups(client: &mut Client, name: &str, people: &[Value]) -> Vec<String> {
    let mut groups = vec![];
    for number in 0..GROUPS {
        let others = people.iter().cycle().skip(number).take(PEOPLE - 1);
        let others: Vec<_> = others.map(|one| &one["id"]).collect();
        groups.push(group(client, &format!("{name} {number:02}"), &json!(others)).await);
    }
    groups
}

/// A new group of somebody's with these people.
pub(crate) async fn group(client: &mut Client, title: &str, people: &Value) -> String {
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) {
        conversation { id } } }";
    let input = json!({ "input": { "title": title, "participantIds": people } });
    let data = client.asks(create, input).await;
    text_of(&data["createConversation"]["conversation"]["id"])
}

/// A tree of replies, up to eight deep; the variables of its two pages.
async fn thread(client: &mut Client, group: &str) -> [Value; 2] {
    let mut ids: Vec<String> = vec![];
    for number in 0..=REPLIES {
        let parent = (number > 0).then(|| ids[(number - 1) / 2].clone());
        let input = json!({ "conversationId": group, "parentId": parent, "body": BODY });
        let data = client.asks(D, json!({ "input": input })).await;
        ids.push(text_of(&data["sendMessage"]["message"]["id"]));
    }
    let text = "query($id: ID!) { message(id: $id) { thread { id } } }";
    let root = client.asks(text, json!({ "id": ids[0] })).await;
    let first = json!({ "id": root["message"]["thread"]["id"] });
    let page = client.asks(B, first.clone()).await;
    let after = &page["thread"]["replies"]["pageInfo"]["endCursor"];
    let second = json!({ "id": first["id"], "after": after });
    [first, second]
}

/// As many groups as a list shows, in which each reader has another number of messages to read.
async fn unread(scale: &Scale, home: &Home, sender: &str, readers: &[(String, String)]) {
    let most = scale.unread.into_iter().max().unwrap_or_default();
    let mut people = vec![(past::person(sender), most)];
    for ((_, reader), count) in readers.iter().zip(scale.unread) {
        people.push((past::person(reader), most - count));
    }
    let titles: Vec<String> = (0..GROUPS).map(|n| format!("Unread {n:02}")).collect();
    let chronicle = Chronicle::open(home).await;
    chronicle.groups(&titles, &people, most).await;
    chronicle.close().await;
}

/// Starts the server as often as the scale says; the last one stays.
fn starts(scale: &Scale, home: &Home, report: &mut Report) -> Server {
    let mut times = vec![];
    for _ in 1..scale.starts {
        times.push(home.start().started_in.as_secs_f64() * 1000.0);
    }
    let server = home.start();
    times.push(server.started_in.as_secs_f64() * 1000.0);
    let name = &server.name;
    report.note(format!("{name}: first answer"), median(times), "ms");
    let resident = server.resident() as f64 / 1024.0;
    report.note(format!("{name}: at rest"), resident, "MiB");
    server
}

/// What is about to be measured is what is meant.
async fn check(server: &Server, token: &str, count: usize) {
    let mut client = Client::connect(&server.address, Some(token)).await;
    let data = client.asks(C, Value::Null).await;
    let nodes = data["viewer"]["conversations"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), GROUPS);
    for node in nodes {
        assert_eq!(node["viewerMembership"]["unreadCount"], json!(count));
    }
}

/// A request that sends the usual message there.
pub(super) fn message(group: &str) -> Bytes {
    operation(D, &sending(group, BODY))
}
