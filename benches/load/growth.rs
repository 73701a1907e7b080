//! Measures whether cost grows with the number of messages: the scenarios on databases of several sizes, one long
//! conversation, one long thread, a user in many conversations, a group with many participants. It is a scale of its
//! own because it takes a while to write ten million messages.

use std::path::Path;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    client::{Client, operation, register, run_count, run_for, sign_in, text_of},
    databases::Postgres,
    fixtures::{self, Fixtures},
    operations::{BODY, INBOX, SEND, THREAD, TIMELINE, create_group, send_variables},
    report::{Report, Row},
    scale::{QUICK, Scale},
    scenarios::{Target, run_round},
    server::{Installation, Server},
};

/// The smallest database of the comparison, if this many messages are requested.
const SMALLEST: usize = 100_000;
/// SQLite is for one machine, where larger databases are unlikely.
const MOST_ON_SQLITE: usize = 1_000_000;
const CALLERS: usize = 8;
/// Messages in the conversation that the long one is compared to: as many as `timeline` lists.
const SHORT: usize = 50;
/// Messages to the large group in a round. The round ends when all notifications are created.
const LARGE_GROUP_SENDS: usize = 2 * CALLERS;
/// Replies on a page of `thread`.
const PAGE: usize = 100;

/// How large the extreme objects are.
struct Extremes {
    conversation: usize,
    thread: usize,
    conversations: usize,
    participants: usize,
}

/// A goal: its name, and the two measurements whose cost is compared, each an operation and a server.
type Step = (String, [String; 2], [String; 2]);

/// Measures up to this many messages. Returns the steps as JSON.
pub(crate) async fn measure(messages: usize, report: &mut Report) -> Value {
    let extremes = Extremes {
        conversation: (messages / 10).clamp(100, 1_000_000),
        thread: (messages / 100).clamp(100, 100_000),
        conversations: (messages / 1000).clamp(60, 10_000),
        participants: (messages / 1000).clamp(60, 10_000),
    };
    let mut steps = vec![];
    for database in ["SQLite", "PostgreSQL"] {
        let most = match database {
            "SQLite" => messages.min(MOST_ON_SQLITE),
            _ => messages,
        };
        let sizes = sizes(most);
        for &size in &sizes {
            let folder = tempfile::tempdir().unwrap();
            let name = with_size(database, size);
            let (installation, _postgres) = install(database, folder.path(), &name);
            measure_size(&installation, size, report).await;
        }
        let server = |size| format!("Heddle on {}", with_size(database, size));
        for name in ["timeline", "thread", "inbox 0", "send"] {
            let end = |size| [name.to_owned(), server(size)];
            let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
            let goal = format!("{name}, from {first} to {last} messages, {database}");
            steps.push((goal.replace("inbox 0", "inbox"), end(first), end(last)));
        }
        let folder = tempfile::tempdir().unwrap();
        let (installation, _postgres) = install(database, folder.path(), database);
        measure_extremes(&installation, &extremes, &mut steps, report).await;
    }
    let step = |(what, from, to): &Step| json!({ "what": what, "from": from, "to": to });
    json!(steps.iter().map(step).collect::<Vec<_>>())
}

/// At most three sizes, each ten times the one before.
fn sizes(most: usize) -> Vec<usize> {
    let mut sizes = vec![most];
    while sizes.len() < 3 && sizes[0] / 10 >= SMALLEST.min(most / 10) {
        sizes.insert(0, sizes[0] / 10);
    }
    sizes
}

fn with_size(database: &str, size: usize) -> String {
    format!("{database}, {size} messages")
}

fn install(database: &str, folder: &Path, name: &str) -> (Installation, Option<Postgres>) {
    if database == "SQLite" {
        return (Installation::on_sqlite(folder, name), None);
    }
    let postgres = Postgres::start();
    let installation = Installation::on_postgres(folder, name, &postgres);
    (installation, Some(postgres))
}

/// Runs the scenarios on a database of this size.
async fn measure_size(installation: &Installation, size: usize, report: &mut Report) {
    let scale = Scale {
        users: (size / 100).clamp(60, 1000),
        conversations: (size / 500).clamp(12, 200),
        messages: size,
        starts: 1,
        ..QUICK
    };
    let target = Target::prepare(&scale, installation, &[], report).await;
    for _ in 0..scale.rounds {
        run_round(&target, &scale, report).await;
    }
}

/// A running server on a database with the extreme objects.
struct Prepared {
    server: Server,
    /// Of a participant of the long conversation.
    reader: String,
    long: String,
    /// Of the user who is in all other conversations.
    member: String,
    thread: String,
}

async fn measure_extremes(
    installation: &Installation,
    extremes: &Extremes,
    steps: &mut Vec<Step>,
    report: &mut Report,
) {
    let prepared = prepare(installation, extremes).await;
    let Prepared { server, .. } = &prepared;
    let Extremes {
        conversation,
        thread,
        conversations,
        participants,
    } = extremes;
    let mut reader = Client::connect(&server.address, Some(&prepared.reader)).await;
    let short = conversation_id(&mut reader, "Short").await;
    let list = |id: &str| operation(TIMELINE, &json!({ "id": id }));
    let few = format!("timeline of a conversation of {SHORT}");
    let many = format!("timeline of a conversation of {conversation}");
    run(server, &prepared.reader, &few, &|| list(&short), report).await;
    let body = || list(&prepared.long);
    run(server, &prepared.reader, &many, &body, report).await;
    let mut step = |from: &str, to: &str| {
        let end = |name: &str| [name.to_owned(), server.name.clone()];
        steps.push((format!("{to}, {}", installation.name), end(from), end(to)));
    };
    step(&few, &many);

    let (few, many) = (
        "inbox of 3 conversations",
        format!("inbox of {conversations} conversations"),
    );
    let inbox = operation(INBOX, &Value::Null);
    run(server, &prepared.reader, few, &|| inbox.clone(), report).await;
    run(server, &prepared.member, &many, &|| inbox.clone(), report).await;

    let mut member = Client::connect(&server.address, Some(&prepared.member)).await;
    let pages = pages(&mut member, &prepared.thread).await;
    let name = |page: &str| format!("{page} page of a thread of {thread}");
    for (which, index) in [
        ("first", 0),
        ("middle", pages.len() / 2),
        ("last", pages.len() - 1),
    ] {
        let page = operation(THREAD, &pages[index]);
        let body = || page.clone();
        run(server, &prepared.member, &name(which), &body, report).await;
    }
    step(&name("first"), &name("middle"));
    step(&name("first"), &name("last"));

    // The last measurement, because its notifications are created in the background.
    let empty = create_group(&mut reader, "Empty", &json!([])).await;
    let few = "send to no other participant";
    let many = format!("send to {participants} participants");
    let send = |group: &str| operation(SEND, &send_variables(group, BODY));
    let large = conversation_id(&mut member, "Large").await;
    run(server, &prepared.reader, few, &|| send(&empty), report).await;
    let fixtures = Fixtures::open(installation).await;
    let mut clients = clients(server, &prepared.member).await;
    for _ in 0..QUICK.rounds {
        let before = server.cpu_time();
        let next = |_| ("/graphql", send(&large));
        let load = run_count(&mut clients, LARGE_GROUP_SENDS, &next).await;
        fixtures.wait_for_notifications().await;
        let cpu_time = server.cpu_time().since(before);
        report.add(Row::of(&server.name, &many, CALLERS, &load, 1, cpu_time));
    }
    fixtures.close().await;
}

async fn prepare(installation: &Installation, extremes: &Extremes) -> Prepared {
    let output = installation.seed(extremes.participants, 1, extremes.conversation);
    let summary = output.lines().next().unwrap_or_default();
    eprintln!("{}: {summary}", installation.name);
    let server = installation.start();
    let mut anonymous = Client::connect(&server.address, None).await;
    let (member, id) = register(&mut anonymous, "member").await;
    drop(server);
    let fixtures = Fixtures::open(installation).await;
    let (reader_id, reader, long) = fixtures.any_participant().await;
    let owner = (fixtures::user_id(&id), 0);
    let users = fixtures.all_users().await;
    let others = users.iter().filter(|&&user| user != owner.0);
    let mut members = vec![owner];
    members.extend(others.clone().map(|&user| (user, 0)));
    // The short conversation has as many senders as the long one.
    let senders = others.filter(|&&user| user != reader_id);
    let senders = senders.take(SHORT - 1).chain([&reader_id]);
    let senders: Vec<_> = senders.map(|&user| (user, 0)).collect();
    fixtures.conversation("Short", &senders, SHORT).await;
    let titles: Vec<String> = (2..extremes.conversations)
        .map(|n| format!("Small {n}"))
        .collect();
    fixtures.groups(&titles, &members[..2], 1).await;
    let thread = fixtures.thread("Thread", &members[..2], extremes.thread);
    let (_, thread) = thread.await;
    fixtures.groups(&["Large".to_owned()], &members, 1).await;
    fixtures.close().await;
    let server = installation.start();
    let mut anonymous = Client::connect(&server.address, None).await;
    let reader = sign_in(&mut anonymous, &reader).await;
    Prepared {
        server,
        reader,
        long,
        member,
        thread,
    }
}

/// The id of the conversation with this title.
async fn conversation_id(client: &mut Client, title: &str) -> String {
    let text =
        "query($title: String!) { viewer { conversations(first: 1, filter: { text: $title }) {
        nodes { id } } } }";
    let data = client.query(text, json!({ "title": title })).await;
    text_of(&data["viewer"]["conversations"]["nodes"][0]["id"])
}

/// The variables of each full page of a thread, in order.
async fn pages(client: &mut Client, thread: &str) -> Vec<Value> {
    let (mut pages, mut page) = (vec![], json!({ "id": thread }));
    loop {
        let data = client.query(THREAD, page.clone()).await;
        let replies = &data["thread"]["replies"];
        // The last page may be shorter, which would be cheaper.
        if replies["edges"].as_array().unwrap().len() < PAGE {
            return pages;
        }
        pages.push(page);
        page = json!({ "id": thread, "after": replies["pageInfo"]["endCursor"] });
    }
}

async fn run(
    server: &Server,
    token: &str,
    name: &str,
    body: &(dyn Fn() -> Bytes + Sync),
    report: &mut Report,
) {
    let mut clients = clients(server, token).await;
    for _ in 0..QUICK.rounds {
        let before = server.cpu_time();
        let next = |_| ("/graphql", body());
        let load = run_for(&mut clients, QUICK.slot, &next).await;
        let cpu_time = server.cpu_time().since(before);
        report.add(Row::of(&server.name, name, CALLERS, &load, 1, cpu_time));
    }
}

async fn clients(server: &Server, token: &str) -> Vec<Client> {
    let mut clients = vec![];
    for _ in 0..CALLERS {
        clients.push(Client::connect(&server.address, Some(token)).await);
    }
    clients
}
