//! One conversation with many listeners: what a delivery costs, how long it takes, and what a silent listener holds.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::mpsc};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig,
    },
};

use crate::{
    Scale,
    client::Client,
    report::{Report, median},
    server::{Server, run},
    walks::sign_in,
};

/// Sockets that one person may have.
const PER_PERSON: usize = 10;
/// Messages at a gentle rate, and how far apart.
const GENTLE: usize = 30;
const APART: Duration = Duration::from_millis(100);
/// Messages as fast as they can be sent.
const BURST: usize = 100;
const EVENTS: &str = "subscription($id: ID!) { messageSent(conversationId: $id) {
    id body createdAt sender { id displayName } } }";
const SEND: &str =
    "mutation($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
const BODY: &str =
    "Eighty characters of text, as people write them when they have something to say.";

/// When each listener heard something.
type Heard = mpsc::UnboundedReceiver<Instant>;

pub(crate) async fn measure(scale: Scale, report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    for &count in scale.subscribers {
        let floor = Server::floor("floor", &["floor-sockets"], None);
        measure_floor(&floor, count, report).await;
        let data = folder
            .path()
            .join(format!("fanout-{count}"))
            .display()
            .to_string();
        let url = format!("sqlite:{data}/heddle.sqlite");
        let arguments = ["--data-dir", &data, "--database-url", &url];
        measure_heddle(&arguments, count, report).await;
    }
    let data = folder.path().join("idle").display().to_string();
    let url = format!("sqlite:{data}/heddle.sqlite");
    measure_idle(
        &["--data-dir", &data, "--database-url", &url],
        scale.idle,
        report,
    )
    .await;
}

async fn measure_floor(server: &Server, count: usize, report: &mut Report) {
    let (sender, mut heard) = mpsc::unbounded_channel();
    for _ in 0..count {
        listen(open(&server.address, "/socket").await, sender.clone());
    }
    let mut client = Client::connect(&server.address, None).await;
    let frame = json!({ "id": "1", "type": "next", "payload": { "data": { "messageSent": { "id": "x".repeat(30),
        "body": BODY, "createdAt": "2026-01-01T00:00:00.000Z", "sender": { "id": "x".repeat(30),
        "displayName": "Somebody" } } } } });
    let frame = bytes::Bytes::from(frame.to_string());
    let mut send = async || {
        client.post("/send", frame.clone()).await;
    };
    deliver("floor", server, count, &mut send, &mut heard, report).await;
}

/// Somebody with a group of their own, and what is needed to listen to it.
struct Place {
    client: Client,
    group: String,
    tokens: Vec<String>,
}

async fn place(server: &Server, people: usize) -> Place {
    let mut nobody = Client::connect(&server.address, None).await;
    let register = "mutation($input: RegisterInput!) { register(input: $input) {
        auth { accessToken viewer { user { id } } } } }";
    let (mut tokens, mut ids) = (vec![], vec![]);
    let input = json!({ "username": "bench", "displayName": "Bench", "email": "bench@example.org", "password": "warp, weft and shuttle" });
    let data = nobody.asks(register, json!({ "input": input })).await;
    let token = data["register"]["auth"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut client = Client::connect(&server.address, Some(&token)).await;
    let mut after = Value::Null;
    while ids.len() < people {
        let text = "query($after: String) { users(filter: {}, first: 100, after: $after) {
            nodes { id username } pageInfo { endCursor } } }";
        let data = client.asks(text, json!({ "after": after })).await;
        after = data["users"]["pageInfo"]["endCursor"].clone();
        let found = data["users"]["nodes"].as_array().unwrap();
        for person in found
            .iter()
            .filter(|person| person["username"] != "bench")
            .take(people - ids.len())
        {
            ids.push(person["id"].clone());
            tokens.push(sign_in(&mut nobody, person["username"].as_str().unwrap()).await);
        }
    }
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) {
        conversation { id } } }";
    let input = json!({ "title": "Hall", "participantIds": ids });
    let data = client.asks(create, json!({ "input": input })).await;
    let group = data["createConversation"]["conversation"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    Place {
        client,
        group,
        tokens,
    }
}

fn seeded(arguments: &[&str], people: usize) -> Server {
    let users = people.max(2).to_string();
    let mut all = vec![
        "seed",
        "--users",
        &users,
        "--conversations",
        "1",
        "--messages",
        "10",
    ];
    all.extend(arguments);
    run(&all);
    Server::heddle("Heddle", arguments, None)
}

async fn measure_heddle(arguments: &[&str], count: usize, report: &mut Report) {
    let people = count.div_ceil(PER_PERSON);
    let server = seeded(arguments, people);
    let mut place = place(&server, people).await;
    let (sender, mut heard) = mpsc::unbounded_channel();
    for number in 0..count {
        let socket = subscribed(&server, &place.tokens[number / PER_PERSON], &place.group).await;
        listen(socket, sender.clone());
    }
    let input = json!({ "input": { "conversationId": place.group, "body": BODY } });
    // A listener is one from the moment the server has looked, which it does not say.
    place.client.asks(SEND, input.clone()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    while heard.try_recv().is_ok() {}
    let mut send = async || {
        place.client.asks(SEND, input.clone()).await;
    };
    deliver("Heddle", &server, count, &mut send, &mut heard, report).await;
}

async fn measure_idle(arguments: &[&str], count: usize, report: &mut Report) {
    let people = count.div_ceil(PER_PERSON);
    let server = seeded(arguments, people);
    let place = place(&server, people).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = server.resident();
    let mut sockets = vec![];
    for number in 0..count {
        sockets.push(subscribed(&server, &place.tokens[number / PER_PERSON], &place.group).await);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let each = (server.resident() - before) as f64 / count as f64;
    report.note(format!("idle listener, of {count}"), each, "KiB");
    let spent = server.spent().server;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let busy = server.spent().server.saturating_sub(spent).as_secs_f64() * 10.0;
    report.note(
        format!("processor while {count} are silent"),
        busy,
        "% of one core",
    );
}

/// A gentle rate for the time a delivery takes, then a burst for what it costs.
async fn deliver(
    name: &str,
    server: &Server,
    count: usize,
    send: &mut impl AsyncFnMut(),
    heard: &mut Heard,
    report: &mut Report,
) {
    let mut times = vec![];
    for _ in 0..GENTLE {
        let begun = Instant::now();
        send().await;
        for _ in 0..count {
            times.push((heard.recv().await.unwrap() - begun).as_secs_f64() * 1000.0);
        }
        tokio::time::sleep(APART).await;
    }
    times.sort_unstable_by(f64::total_cmp);
    let p99 = times[times.len() * 99 / 100];
    report.note(
        format!("{name}: delivery to {count}, p50"),
        median(times),
        "ms",
    );
    report.note(format!("{name}: delivery to {count}, p99"), p99, "ms");
    let (before, begun) = (server.spent(), Instant::now());
    let received = AtomicUsize::new(0);
    let sending = async {
        for number in 0..BURST {
            // Not further ahead than anybody's queue is long.
            while number.saturating_sub(received.load(Ordering::Relaxed) / count) > 50 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            send().await;
        }
    };
    let receiving = async {
        for _ in 0..count * BURST {
            heard.recv().await.unwrap();
            received.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::join!(sending, receiving);
    let took = begun.elapsed().as_secs_f64();
    let deliveries = (count * BURST) as f64;
    let spent = server
        .spent()
        .server
        .saturating_sub(before.server)
        .as_secs_f64()
        * 1e6;
    report.note(
        format!("{name}: one of {count} deliveries"),
        spent / deliveries,
        "CPU µs",
    );
    report.note(
        format!("{name}: deliveries to {count}"),
        deliveries / took,
        "/s",
    );
}

type Socket = WebSocketStream<TcpStream>;

async fn open(address: &str, path: &str) -> Socket {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .unwrap();
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0);
    let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config))
        .await
        .unwrap();
    socket
}

async fn subscribed(server: &Server, token: &str, group: &str) -> Socket {
    let mut socket = open(&server.address, "/graphql").await;
    let init = json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } });
    socket.send(Message::text(init.to_string())).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    assert!(
        answer.to_text().unwrap().contains("connection_ack"),
        "{answer}"
    );
    let payload = json!({ "query": EVENTS, "variables": { "id": group } });
    let subscribe = json!({ "id": "1", "type": "subscribe", "payload": payload });
    socket
        .send(Message::text(subscribe.to_string()))
        .await
        .unwrap();
    socket
}

fn listen(mut socket: Socket, heard: mpsc::UnboundedSender<Instant>) {
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            if message
                .to_text()
                .is_ok_and(|text| text.contains("\"next\""))
                && heard.send(Instant::now()).is_err()
            {
                return;
            }
        }
    });
}
