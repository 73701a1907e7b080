//! What grows with the messages, and should not: the walks on databases of several sizes, one long conversation, one long
//! thread, somebody in many conversations, a group of many people. A scale of its own, because making up ten million
//! messages takes a while.

use std::path::Path;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    Scale,
    client::{Client, ask_for, ask_times, operation, register, sign_in, text_of},
    databases::Postgres,
    past::{self, Chronicle},
    report::{Report, Row},
    scale::QUICK,
    server::{Home, Server},
    walks::{A, B, BODY, C, D, Subject, new_group, round_of, sending},
};

/// The databases are compared from this size on, if that many are asked for.
const SMALLEST: usize = 100_000;
/// Larger ones only where they are likely: SQLite is for one machine.
const MOST_ON_SQLITE: usize = 1_000_000;
const CALLERS: usize = 8;
/// Messages in the conversation that the long one is compared to: as many as **a** lists.
const SHORT: usize = 50;
/// Messages to the crowd in a round, which is over when everybody is notified of them.
const TO_CROWD: usize = 2 * CALLERS;
/// Replies on a page of **b**.
const PAGE: usize = 100;

/// What is asked for of the shapes.
struct Shapes {
    conversation: usize,
    thread: usize,
    conversations: usize,
    people: usize,
}

/// From which measurement to which something is to stay as it was: operation and server.
type Step = (String, [String; 2], [String; 2]);

/// Up to this many messages.
pub(crate) async fn measure(messages: usize, report: &mut Report) -> Value {
    let shapes = Shapes {
        conversation: (messages / 10).clamp(100, 1_000_000),
        thread: (messages / 100).clamp(100, 100_000),
        conversations: (messages / 1000).clamp(60, 10_000),
        people: (messages / 1000).clamp(60, 10_000),
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
            let (home, _postgres) = home(database, folder.path(), &in_words(database, size));
            walk(&home, size, report).await;
        }
        let server = |size| format!("Heddle on {}", in_words(database, size));
        for name in ["a", "b", "c 0", "d"] {
            let end = |size| [name.to_owned(), server(size)];
            let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
            let what = format!("{name}, from {first} to {last} messages, {database}");
            steps.push((what.replace("c 0", "c"), end(first), end(last)));
        }
        let folder = tempfile::tempdir().unwrap();
        let (home, _postgres) = home(database, folder.path(), database);
        shape(&home, &shapes, &mut steps, report).await;
    }
    let step = |(what, from, to): &Step| json!({ "what": what, "from": from, "to": to });
    json!(steps.iter().map(step).collect::<Vec<_>>())
}

/// By tens, to the largest.
fn sizes(most: usize) -> Vec<usize> {
    let mut sizes = vec![most];
    while sizes.len() < 3 && sizes[0] / 10 >= SMALLEST.min(most / 10) {
        sizes.insert(0, sizes[0] / 10);
    }
    sizes
}

fn in_words(database: &str, size: usize) -> String {
    format!("{database}, {size} messages")
}

fn home(database: &str, folder: &Path, name: &str) -> (Home, Option<Postgres>) {
    if database == "SQLite" {
        return (Home::on_sqlite(folder, name), None);
    }
    let postgres = Postgres::start();
    (Home::on_postgres(folder, name, &postgres), Some(postgres))
}

/// The walks on a database of this size.
async fn walk(home: &Home, size: usize, report: &mut Report) {
    let scale = Scale {
        users: (size / 100).clamp(60, 1000),
        conversations: (size / 500).clamp(12, 200),
        messages: size,
        starts: 1,
        ..QUICK
    };
    let subject = Subject::prepare(&scale, home, &[], report).await;
    for _ in 0..scale.rounds {
        round_of(&subject, &scale, report).await;
    }
}

/// The people and places of one database, made up before the server starts.
struct Town {
    server: Server,
    /// Of somebody in the one long conversation.
    weaver: String,
    long: String,
    /// Of somebody in all the others.
    hermit: String,
    thread: String,
}

/// One database with everything that is long, wide or many.
async fn shape(home: &Home, shapes: &Shapes, steps: &mut Vec<Step>, report: &mut Report) {
    let town = town(home, shapes).await;
    let Town { server, .. } = &town;
    let Shapes {
        conversation,
        thread,
        conversations,
        people,
    } = shapes;
    let mut weaver = Client::connect(&server.address, Some(&town.weaver)).await;
    let short = named(&mut weaver, "Short").await;
    let list = |id: &str| operation(A, &json!({ "id": id }));
    let few = format!("a in a conversation of {SHORT}");
    let many = format!("a in a conversation of {conversation}");
    stretch(server, &town.weaver, &few, &|| list(&short), report).await;
    stretch(server, &town.weaver, &many, &|| list(&town.long), report).await;
    let mut step = |from: &str, to: &str| {
        let end = |name: &str| [name.to_owned(), server.name.clone()];
        steps.push((format!("{to}, {}", home.name), end(from), end(to)));
    };
    step(&few, &many);

    let (few, many) = (
        "c of 3 conversations",
        format!("c of {conversations} conversations"),
    );
    let lists = operation(C, &Value::Null);
    stretch(server, &town.weaver, few, &|| lists.clone(), report).await;
    stretch(server, &town.hermit, &many, &|| lists.clone(), report).await;

    let mut hermit = Client::connect(&server.address, Some(&town.hermit)).await;
    let pages = pages(&mut hermit, &town.thread).await;
    let places = [
        ("first", 0),
        ("middle", pages.len() / 2),
        ("last", pages.len() - 1),
    ];
    let name = |place: &str| format!("{place} page of a thread of {thread}");
    for (place, number) in places {
        let page = operation(B, &pages[number]);
        stretch(server, &town.hermit, &name(place), &|| page.clone(), report).await;
    }
    step(&name("first"), &name("middle"));
    step(&name("first"), &name("last"));

    // The last, since what follows from messages to many is done behind the senders.
    let alone = new_group(&mut weaver, "Alone", &json!([])).await;
    let (few, many) = ("d to nobody else", format!("d to {people} people"));
    let send = |group: &str| operation(D, &sending(group, BODY));
    let crowd = named(&mut hermit, "Crowd").await;
    stretch(server, &town.weaver, few, &|| send(&alone), report).await;
    let chronicle = Chronicle::open(home).await;
    let mut callers = callers(server, &town.hermit).await;
    for _ in 0..QUICK.rounds {
        let before = server.spent();
        let next = || ("/graphql", send(&crowd));
        let done = ask_times(&mut callers, TO_CROWD, &next).await;
        chronicle.is_notified().await;
        let spent = server.spent().since(before);
        report.add(Row::of(&server.name, &many, CALLERS, &done, 1, spent));
    }
    chronicle.close().await;
}

async fn town(home: &Home, shapes: &Shapes) -> Town {
    let said = home.seed(shapes.people, 1, shapes.conversation);
    eprintln!("{}: {}", home.name, said.lines().next().unwrap_or_default());
    let server = home.start();
    let mut nobody = Client::connect(&server.address, None).await;
    let (hermit, id) = register(&mut nobody, "hermit").await;
    drop(server);
    let chronicle = Chronicle::open(home).await;
    let (weaver_id, weaver, long) = chronicle.somebody_somewhere().await;
    let hermit_reads = (past::person(&id), 0);
    let others = chronicle.everybody().await;
    let all = others.iter().filter(|&&other| other != hermit_reads.0);
    let mut crowd = vec![hermit_reads];
    crowd.extend(all.clone().map(|&other| (other, 0)));
    // As many people speak in it as in the long one.
    let talkers = all.filter(|&&other| other != weaver_id);
    let talkers = talkers.take(SHORT - 1).chain([&weaver_id]);
    let talkers: Vec<_> = talkers.map(|&person| (person, 0)).collect();
    chronicle.talk("Short", &talkers, SHORT).await;
    let titles: Vec<String> = (2..shapes.conversations)
        .map(|n| format!("Cell {n}"))
        .collect();
    chronicle.groups(&titles, &crowd[..2], 1).await;
    let thread = chronicle.thread("Thread", &crowd[..2], shapes.thread).await;
    chronicle.groups(&["Crowd".to_owned()], &crowd, 1).await;
    chronicle.close().await;
    let server = home.start();
    let mut nobody = Client::connect(&server.address, None).await;
    let weaver = sign_in(&mut nobody, &weaver).await;
    Town {
        server,
        weaver,
        long,
        hermit,
        thread,
    }
}

/// The conversation of this name.
async fn named(client: &mut Client, title: &str) -> String {
    let text =
        "query($title: String!) { viewer { conversations(first: 1, filter: { text: $title }) {
        nodes { id } } } }";
    let data = client.asks(text, json!({ "title": title })).await;
    text_of(&data["viewer"]["conversations"]["nodes"][0]["id"])
}

/// What asks for each page of a thread, walked from its beginning to its end.
async fn pages(client: &mut Client, thread: &str) -> Vec<Value> {
    let (mut pages, mut page) = (vec![], json!({ "id": thread }));
    loop {
        let data = client.asks(B, page.clone()).await;
        let replies = &data["thread"]["replies"];
        // The last page may be shorter, which would be cheaper.
        if replies["edges"].as_array().unwrap().len() < PAGE {
            return pages;
        }
        pages.push(page);
        page = json!({ "id": thread, "after": replies["pageInfo"]["endCursor"] });
    }
}

async fn stretch(
    server: &Server,
    token: &str,
    name: &str,
    body: &(dyn Fn() -> Bytes + Sync),
    report: &mut Report,
) {
    let mut clients = callers(server, token).await;
    for _ in 0..QUICK.rounds {
        let before = server.spent();
        let next = || ("/graphql", body());
        let done = ask_for(&mut clients, QUICK.slot, &next).await;
        let spent = server.spent().since(before);
        report.add(Row::of(&server.name, name, CALLERS, &done, 1, spent));
    }
}

async fn callers(server: &Server, token: &str) -> Vec<Client> {
    let mut clients = vec![];
    for _ in 0..CALLERS {
        clients.push(Client::connect(&server.address, Some(token)).await);
    }
    clients
}
