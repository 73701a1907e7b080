//! One database with everything that the scenarios read and write, served by Heddle and by its floor.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{
    client::{Client, register, sign_in, text_of},
    fixtures::{self, Fixtures},
    format::median,
    operations::{BODY, INBOX, SEND, THREAD, create_group},
    report::Report,
    scale::Scale,
    server::{Installation, Server},
};

/// Replies below the root of the thread that is read.
const REPLIES: usize = 199;
/// Conversations of each caller.
const GROUPS: usize = 50;
/// Participants of each group that receives messages.
const PARTICIPANTS: usize = 8;

/// The server with the least possible work for the same responses.
pub(crate) enum Floor {
    Measured(Server),
    Skipped,
}

/// Heddle and its floor, with the tokens and ids that the requests need.
pub(crate) struct Target {
    pub(crate) heddle: Server,
    pub(super) floor: Floor,
    /// Of a participant of the largest conversation and of every group that receives messages.
    pub(crate) token: String,
    pub(super) timeline: Value,
    pub(super) thread: [Value; 2],
    /// Groups that no other caller writes to.
    pub(super) groups: Vec<String>,
    /// Tokens of users who have an ascending number of unread messages in each conversation.
    pub(super) readers: Vec<String>,
}

impl Target {
    /// `floor` contains the arguments that start the floor; without arguments, none is measured.
    pub(crate) async fn prepare(
        scale: &Scale,
        installation: &Installation,
        floor: &[&str],
        report: &mut Report,
    ) -> Self {
        let started = Instant::now();
        let output = installation.seed(scale.users, scale.conversations, scale.messages);
        let summary = output.lines().next().unwrap_or_default();
        eprintln!("{}: {summary}", installation.name);
        let rate = scale.messages as f64 / started.elapsed().as_secs_f64();
        report.figure(format!("seed on {}", installation.name), rate, "messages/s");
        let server = installation.start();
        let mut anonymous = Client::connect(&server.address, None).await;
        let (bench, sender) = register(&mut anonymous, "bench").await;
        let mut readers = vec![];
        for number in 0..scale.unread.len() {
            readers.push(register(&mut anonymous, &format!("reader{number}")).await);
        }
        let mut bench = Client::connect(&server.address, Some(&bench)).await;
        let text = "{ users(filter: {}, first: 50) { nodes { id username } } }";
        let users = bench.query(text, Value::Null).await;
        let users: Vec<Value> = users["users"]["nodes"].as_array().unwrap().clone();
        let is_seeded = |user: &&Value| {
            user["username"]
                .as_str()
                .is_some_and(|name| name.contains('.'))
        };
        let users: Vec<Value> = users.iter().filter(is_seeded).cloned().collect();
        let (token, timeline) = largest(&server.address, &mut anonymous, &users).await;
        let mut client = Client::connect(&server.address, Some(&token)).await;
        let own = create_groups(&mut client, "Group", &users).await;
        create_groups(&mut bench, "Floor", &users).await;
        let thread = create_thread(&mut client, &own[0]).await;
        drop(server);
        import_unread(scale, installation, &sender, &readers).await;
        let heddle = measure_starts(scale, installation, report);
        for ((token, _), &count) in readers.iter().zip(&scale.unread) {
            check_unread(&heddle, token, count).await;
        }
        Self {
            heddle,
            floor: match floor {
                [] => Floor::Skipped,
                arguments => Floor::Measured(installation.floor(arguments)),
            },
            token,
            timeline,
            thread,
            groups: own,
            readers: readers.into_iter().map(|(token, _)| token).collect(),
        }
    }
}

/// Returns the token of a participant of the largest conversation that these users are in, and its variables.
async fn largest(address: &str, anonymous: &mut Client, users: &[Value]) -> (String, Value) {
    let (mut best, mut found) = (0, None);
    for user in users.iter().take(12) {
        let token = sign_in(anonymous, &text_of(&user["username"])).await;
        let mut client = Client::connect(address, Some(&token)).await;
        let text = "{ viewer { conversations(first: 100) { nodes { id participantCount } } } }";
        let data = client.query(text, Value::Null).await;
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

async fn create_groups(client: &mut Client, title: &str, users: &[Value]) -> Vec<String> {
    let mut groups = vec![];
    for number in 0..GROUPS {
        let others = users.iter().cycle().skip(number).take(PARTICIPANTS - 1);
        let others: Vec<_> = others.map(|user| &user["id"]).collect();
        let title = format!("{title} {number:02}");
        groups.push(create_group(client, &title, &json!(others)).await);
    }
    groups
}

/// Sends a tree of replies, up to eight levels deep, and returns the variables of its two pages.
async fn create_thread(client: &mut Client, group: &str) -> [Value; 2] {
    let mut ids: Vec<String> = vec![];
    for number in 0..=REPLIES {
        let parent = (number > 0).then(|| ids[(number - 1) / 2].clone());
        let input = json!({ "conversationId": group, "parentId": parent, "body": BODY });
        let data = client.query(SEND, json!({ "input": input })).await;
        ids.push(text_of(&data["sendMessage"]["message"]["id"]));
    }
    let text = "query($id: ID!) { message(id: $id) { thread { id } } }";
    let root = client.query(text, json!({ "id": ids[0] })).await;
    let first = json!({ "id": root["message"]["thread"]["id"] });
    let page = client.query(THREAD, first.clone()).await;
    let after = &page["thread"]["replies"]["pageInfo"]["endCursor"];
    let second = json!({ "id": first["id"], "after": after });
    [first, second]
}

/// Imports one page of groups in which each reader has a different number of unread messages.
async fn import_unread(
    scale: &Scale,
    installation: &Installation,
    sender: &str,
    readers: &[(String, String)],
) {
    let most = scale.unread.into_iter().max().unwrap_or_default();
    let mut members = vec![(fixtures::user_id(sender), most)];
    for ((_, reader), count) in readers.iter().zip(scale.unread) {
        members.push((fixtures::user_id(reader), most - count));
    }
    let titles: Vec<String> = (0..GROUPS).map(|n| format!("Unread {n:02}")).collect();
    let fixtures = Fixtures::open(installation).await;
    fixtures.groups(&titles, &members, most).await;
    fixtures.close().await;
}

/// Starts the server repeatedly and returns the last one.
fn measure_starts(scale: &Scale, installation: &Installation, report: &mut Report) -> Server {
    let mut times = vec![];
    for _ in 1..scale.starts {
        times.push(installation.start().started_in.as_secs_f64() * 1000.0);
    }
    let server = installation.start();
    times.push(server.started_in.as_secs_f64() * 1000.0);
    let name = &server.name;
    report.figure(format!("{name}: first response"), median(times), "ms");
    let resident = server.resident() as f64 / 1024.0;
    report.figure(format!("{name}: at rest"), resident, "MiB");
    server
}

/// Verifies that the unread counts are those to be measured.
async fn check_unread(server: &Server, token: &str, count: usize) {
    let mut client = Client::connect(&server.address, Some(token)).await;
    let data = client.query(INBOX, Value::Null).await;
    let nodes = data["viewer"]["conversations"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), GROUPS);
    for node in nodes {
        assert_eq!(node["viewerMembership"]["unreadCount"], json!(count));
    }
}
