//! The walks: a list, a thread, the conversations, a message, and nothing at all.

use std::{
    cell::Cell,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Scale,
    client::{Client, ask_for, operation},
    databases::Postgres,
    report::{Report, Row},
    server::{Server, run},
};

pub(crate) const PASSWORD: &str = "over-under-over-under";
const A: &str = "query A($id: ID!) { conversation(id: $id) { messages(last: 50) { nodes {
    id body createdAt replyCount sender { id displayName } } } } }";
const B: &str =
    "query B($id: ID!, $after: String) { thread(id: $id) { replies(first: 100, after: $after) {
    edges { depth node { id body createdAt replyCount sender { id displayName } parent { id } } }
    pageInfo { endCursor } } } }";
const C: &str = "query C { viewer { conversations(first: 50) { nodes { id displayTitle
    viewerMembership { unreadCount } } } } }";
const D: &str =
    "mutation D($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
const N: &str = "{ __typename }";
const BODY: &str =
    "Eighty characters of text, as people write them when they have something to say.";
/// Replies below the root of each thread that is read.
const REPLIES: usize = 199;
/// Conversations of the person who asks.
const GROUPS: usize = 50;
/// People in each of them.
const PEOPLE: usize = 8;

/// Gives the body of the next request.
type Next<'a> = &'a (dyn Fn() -> Bytes + Sync);

/// Everything that is asked for on one database.
struct Subject {
    heddle: Server,
    floor: Server,
    token: String,
    timeline: Value,
    thread: [Value; 2],
    groups: Vec<String>,
}

pub(crate) async fn measure(scale: Scale, report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = on_sqlite(scale, folder.path(), report).await;
    let postgres = Postgres::start();
    let served = on_postgres(scale, folder.path(), &postgres, report).await;
    for round in 1..=scale.rounds {
        eprintln!("round {round} of {}", scale.rounds);
        for subject in [&sqlite, &served] {
            subject.round(scale, report).await;
        }
    }
}

async fn on_sqlite(scale: Scale, folder: &Path, report: &mut Report) -> Subject {
    let data = folder.join("sqlite");
    let file = data.join("heddle.sqlite").display().to_string();
    let (data, url) = (data.display().to_string(), format!("sqlite:{file}"));
    let arguments = ["--data-dir", &data, "--database-url", &url];
    seed(scale, "SQLite", &arguments, report);
    let heddle = Server::heddle("Heddle on SQLite", &arguments, None);
    Subject::prepare(
        heddle,
        || Server::floor("floor on SQLite", &["floor-sqlite", &file], None),
        report,
    )
    .await
}

async fn on_postgres(
    scale: Scale,
    folder: &Path,
    postgres: &Postgres,
    report: &mut Report,
) -> Subject {
    let data = folder.join("postgres").display().to_string();
    let (url, pid) = (&postgres.url, Some(postgres.pid));
    let arguments = ["--data-dir", &data, "--database-url", url];
    seed(scale, "PostgreSQL", &arguments, report);
    let heddle = Server::heddle("Heddle on PostgreSQL", &arguments, pid);
    Subject::prepare(
        heddle,
        || Server::floor("floor on PostgreSQL", &["floor-postgres", url], pid),
        report,
    )
    .await
}

fn seed(scale: Scale, name: &str, arguments: &[&str], report: &mut Report) {
    let [users, conversations, messages] =
        [scale.users, scale.conversations, scale.messages].map(|count| count.to_string());
    let mut all = vec![
        "seed",
        "--users",
        &users,
        "--conversations",
        &conversations,
        "--messages",
        &messages,
    ];
    all.extend(arguments);
    let begun = Instant::now();
    let said = run(&all);
    eprintln!("{name}: {}", said.lines().next().unwrap_or_default());
    report.note(
        format!("seed on {name}"),
        scale.messages as f64 / begun.elapsed().as_secs_f64(),
        "messages/s",
    );
}

/// Signs in somebody of the seed.
pub(crate) async fn sign_in(client: &mut Client, username: &str) -> String {
    let text = "mutation($input: SignInInput!) { signIn(input: $input) { auth { accessToken } } }";
    let input = json!({ "input": { "login": username, "password": PASSWORD } });
    client.asks(text, input).await["signIn"]["auth"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned()
}

impl Subject {
    async fn prepare(heddle: Server, floor: impl Fn() -> Server, report: &mut Report) -> Self {
        report.note(
            format!("{}: first answer", heddle.name),
            heddle.started_in.as_secs_f64() * 1000.0,
            "ms",
        );
        report.note(
            format!("{}: at rest", heddle.name),
            heddle.resident() as f64 / 1024.0,
            "MiB",
        );
        // The first of the people is in the largest conversation, which everybody near them is in.
        let mut nobody = Client::connect(&heddle.address, None).await;
        let register =
            "mutation($input: RegisterInput!) { register(input: $input) { auth { accessToken } } }";
        let input = json!({ "username": "bench", "displayName": "Bench", "email": "bench@example.org", "password": "warp, weft and shuttle" });
        let token = nobody.asks(register, json!({ "input": input })).await["register"]["auth"]["accessToken"].clone();
        let token = token.as_str().unwrap().to_owned();
        let mut own = Client::connect(&heddle.address, Some(&token)).await;
        let people = own
            .asks(
                "{ users(filter: {}, first: 50) { nodes { id username } } }",
                Value::Null,
            )
            .await;
        let people = people["users"]["nodes"].as_array().unwrap().clone();
        let (reader, timeline) = largest(&heddle.address, &mut nobody, &people).await;
        let mut client = Client::connect(&heddle.address, Some(&reader)).await;
        let groups = groups(&mut client, &people).await;
        let thread = thread(&mut client, &groups[0]).await;
        Self {
            floor: floor(),
            heddle,
            token: reader,
            timeline,
            thread,
            groups,
        }
    }

    async fn round(&self, scale: Scale, report: &mut Report) {
        let turn = AtomicUsize::new(0);
        let send = || {
            let group = &self.groups[turn.fetch_add(1, Ordering::Relaxed) % self.groups.len()];
            let key = Uuid::now_v7().to_string();
            operation(
                D,
                &json!({ "input": { "conversationId": group, "body": BODY, "clientMessageId": key } }),
            )
        };
        let timeline = operation(A, &self.timeline);
        let thread = self.thread.each_ref().map(|page| operation(B, page));
        let page = AtomicUsize::new(0);
        let (lists, nothing) = (operation(C, &Value::Null), operation(N, &Value::Null));
        let read = || thread[page.fetch_add(1, Ordering::Relaxed) % 2].clone();
        let empty = Bytes::new;
        let heddle: [(&'static str, usize, Next<'_>, u32); 8] = [
            ("a: list 50", 8, &|| timeline.clone(), 1),
            ("a: list 50", 1, &|| timeline.clone(), 1),
            ("b: thread of 200", 8, &read, 2),
            ("b: thread of 200", 1, &read, 2),
            ("c: conversations", 8, &|| lists.clone(), 1),
            ("d: send", 8, &send, 1),
            ("d: send", 64, &send, 1),
            ("n: nothing", 8, &|| nothing.clone(), 1),
        ];
        for (name, callers, next, parts) in heddle {
            let next = || ("/graphql", next());
            stretch(
                &self.heddle,
                name,
                callers,
                Some(&self.token),
                scale,
                parts,
                &next,
                report,
            )
            .await;
            let path = match name.as_bytes()[0] {
                b'a' => "/a",
                b'b' => "/b",
                b'd' => "/d",
                b'n' => "/n",
                _ => continue,
            };
            stretch(
                &self.floor,
                name,
                callers,
                None,
                scale,
                1,
                &|| (path, empty()),
                report,
            )
            .await;
        }
    }
}

/// The largest conversation that one of these people is in, and their token.
async fn largest(address: &str, nobody: &mut Client, people: &[Value]) -> (String, Value) {
    let best = Cell::new(0);
    let mut found = None;
    for person in people.iter().take(12) {
        let username = person["username"].as_str().unwrap();
        if username == "bench" {
            continue;
        }
        let token = sign_in(nobody, username).await;
        let mut client = Client::connect(address, Some(&token)).await;
        let text = "{ viewer { conversations(first: 100) { nodes { id participantCount } } } }";
        let data = client.asks(text, Value::Null).await;
        for conversation in data["viewer"]["conversations"]["nodes"].as_array().unwrap() {
            let size = conversation["participantCount"].as_i64().unwrap();
            if size > best.get() {
                best.set(size);
                found = Some((token.clone(), json!({ "id": conversation["id"] })));
            }
        }
    }
    found.unwrap()
}

async fn groups(client: &mut Client, people: &[Value]) -> Vec<String> {
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) {
        conversation { id } } }";
    let mut groups = vec![];
    for number in 0..GROUPS {
        let others: Vec<_> = people
            .iter()
            .cycle()
            .skip(number)
            .take(PEOPLE - 1)
            .map(|one| &one["id"])
            .collect();
        let input = json!({ "title": format!("Group {number}"), "participantIds": others });
        let data = client.asks(create, json!({ "input": input })).await;
        groups.push(
            data["createConversation"]["conversation"]["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    groups
}

/// A tree of replies, up to eight deep; the variables of its two pages.
async fn thread(client: &mut Client, group: &str) -> [Value; 2] {
    let mut ids: Vec<String> = vec![];
    for number in 0..=REPLIES {
        let parent = (number > 0).then(|| ids[(number - 1) / 2].clone());
        let input = json!({ "conversationId": group, "parentId": parent, "body": BODY });
        let data = client.asks(D, json!({ "input": input })).await;
        ids.push(
            data["sendMessage"]["message"]["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let root = client
        .asks(
            "query($id: ID!) { message(id: $id) { thread { id } } }",
            json!({ "id": ids[0] }),
        )
        .await;
    let id = root["message"]["thread"]["id"].clone();
    let first = json!({ "id": id });
    let page = client.asks(B, first.clone()).await;
    let after = page["thread"]["replies"]["pageInfo"]["endCursor"].clone();
    [first, json!({ "id": id, "after": after })]
}

#[expect(clippy::too_many_arguments, reason = "one line of the table each")]
async fn stretch(
    server: &Server,
    operation: &'static str,
    callers: usize,
    token: Option<&str>,
    scale: Scale,
    parts: u32,
    next: &(dyn Fn() -> (&'static str, Bytes) + Sync),
    report: &mut Report,
) {
    let mut clients = vec![];
    for _ in 0..callers {
        clients.push(Client::connect(&server.address, token).await);
    }
    let before = server.spent();
    let done = ask_for(&mut clients, scale.slot, next).await;
    let after = server.spent();
    report.add(Row::of(
        server,
        operation,
        callers,
        &done,
        parts,
        (before, after),
    ));
}
