//! Users write and subscribe on several nodes while faults occur, and in the end every subscriber has received exactly
//! the events of the log. `HEDDLE_TEST_SOAK=SECONDS` extends the run; the seed is printed.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use heddle::{
    db::{self, Db},
    entity::message,
    id::ConversationId,
    live::log::Change,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sea_orm::{EntityTrait, FromQueryResult};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    cluster::{Cluster, Node},
    groups::Groups,
    network::Cable,
    person::{PASSWORD, Person, text},
    socket::{Frame, Subscription},
};

/// Every subscriber has received everything within this time after the last fault, or within the longer time after a
/// long run, in which subscribers that reconnect may be far behind.
const PATIENCE: Duration = Duration::from_mins(1);
const LONG_PATIENCE: Duration = Duration::from_mins(5);
/// A request that takes longer is repeated on another node.
const GIVE_UP: Duration = Duration::from_secs(5);
/// The duration of a run without `HEDDLE_TEST_SOAK`.
const SHORT: Duration = Duration::from_secs(8);
/// The fewest messages of a short run and of a long one. Each is two events or more.
const ENOUGH: usize = 60;
const MANY: usize = 5_000;
/// The pause between faults.
const CALM: Duration = Duration::from_millis(1500);
/// How long a cable stays cut.
const CUT: Duration = Duration::from_secs(3);
const LONG_CUT: Duration = Duration::from_secs(20);
const CONVERSATIONS: usize = 3;

const EVENTS: &str = "subscription($after: String) { events(after: $after) { __typename cursor
    ... on StreamOpenedEvent { outcome }
    ... on MessageSentEvent { message { body conversation { id } } } } }";
const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
    message { id } } }";
const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    auth { accessToken } } }";

/// The faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// A node is killed and restarted.
    NodeKilled,
    /// Redis is killed, and restarted immediately.
    RedisRestarted,
    /// Redis is stopped for some seconds.
    RedisAway(u64),
    /// A node is disconnected from all of these, for some seconds.
    Cut(&'static [Cable]),
    /// PostgreSQL closes every connection and restarts.
    PostgresRestarted,
}

/// The results of a run.
#[derive(Debug, Default)]
pub(super) struct Report {
    seed: u64,
    messages: usize,
    received: usize,
    returns: usize,
    faults: HashMap<Fault, usize>,
    /// The time from the last message until every subscriber had received it.
    caught_up: Duration,
    /// Microseconds from sending to receiving, without those that a reconnect delayed.
    delays: Vec<u128>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        let part = |of: usize| delays.get(delays.len() * of / 1000).copied().unwrap_or(0);
        write!(
            f,
            "seed {}: {} messages, received {} times with {} reconnects; faults {:?}; last one received after {:?}; \
             delays p50 {} us, p99 {} us, longest {} us",
            self.seed,
            self.messages,
            self.received,
            self.returns,
            self.faults,
            self.caught_up,
            part(500),
            part(990),
            delays.last().copied().unwrap_or(0),
        )
    }
}

/// What all users of a run share.
struct Scene {
    endpoints: Vec<String>,
    conversations: Vec<String>,
    begun: Instant,
    sent: AtomicUsize,
    /// How many messages each subscriber has received.
    received: Mutex<HashMap<String, usize>>,
}

/// What one subscriber has received.
#[derive(Default)]
struct Received {
    by_conversation: HashMap<String, Vec<String>>,
    /// How many conversations ended: their last message was received.
    ended: usize,
    returns: usize,
    delays: Vec<u128>,
}

/// Runs users against the cluster with these faults, in turn, and verifies what every subscriber received.
pub(super) async fn rages(mut cluster: Cluster, faults: &[Fault]) {
    let seed: u64 = rand::rng().random();
    let soak = soak();
    // During cuts of twenty seconds few messages are sent.
    let is_cut = faults.iter().any(|fault| matches!(fault, Fault::Cut(_)));
    let (lasts, enough, listeners) = match soak {
        Some(lasts) if is_cut => (lasts, ENOUGH, 50),
        Some(lasts) => (lasts, MANY, 50),
        None => (SHORT, ENOUGH, 8),
    };
    print(&format!("seed {seed}"));
    let (mut writers, readers, scene) = people(&cluster, 3, listeners).await;
    let calm = CancellationToken::new();
    let mut writing = JoinSet::new();
    let mut listening = JoinSet::new();
    for (number, reader) in (0..).zip(readers) {
        let loaded = reader.execute("{ eventCursor }", Value::Null).await;
        let cursor = loaded["eventCursor"].clone();
        listening.spawn(listens(reader, cursor, Arc::clone(&scene), seed ^ number));
    }
    for (number, writer) in (0..).zip(&writers) {
        let random = StdRng::seed_from_u64(seed.wrapping_add(number + 1));
        writing.spawn(writes(
            writer.clone(),
            number,
            Arc::clone(&scene),
            random,
            calm.clone(),
        ));
    }
    let mut report = Report {
        seed,
        ..Report::default()
    };
    let mut random = StdRng::seed_from_u64(seed);
    // A slow machine gets more time, so that every run sends enough messages.
    while scene.begun.elapsed() < lasts || scene.sent.load(Ordering::Relaxed) < enough {
        for &fault in faults {
            // With one node, no request succeeds while it starts.
            let calm = if cluster.nodes.len() == 1 {
                4 * CALM
            } else {
                CALM
            };
            sleep(calm.mul_f64(random.random_range(0.2..1.0))).await;
            happens(&mut cluster, fault, &mut random).await;
            *report.faults.entry(fault).or_default() += 1;
        }
        if faults.is_empty() {
            sleep(CALM).await;
        }
    }
    calm.cancel();
    let acknowledged: Vec<_> = writing.join_all().await.into_iter().flatten().collect();
    for conversation in &scene.conversations {
        says(
            &mut writers[0],
            &scene,
            conversation,
            "the end",
            &mut random,
        )
        .await;
    }
    let patience = soak.map_or(PATIENCE, |_| LONG_PATIENCE);
    let calmed = Instant::now();
    let all = timeout(patience, listening.join_all()).await;
    let all = all.unwrap_or_else(|_| {
        let (sent, received) = (&scene.sent, scene.received.lock().unwrap());
        panic!(
            "seed {seed}: some subscribers have received fewer than {sent:?} messages: {received:?}"
        )
    });
    report.caught_up = calmed.elapsed();
    proves(&cluster, &scene, &acknowledged, all, &mut report).await;
    print(&report.to_string());
}

/// Prints what is needed to study a failed or a long run.
pub(super) fn print(words: &str) {
    #[expect(
        clippy::print_stdout,
        reason = "shown for a failed test, and for a long one"
    )]
    {
        println!("{words}");
    }
}

/// The duration of a long run.
pub(super) fn soak() -> Option<Duration> {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for tests, not for the server"
    )]
    let seconds = std::env::var("HEDDLE_TEST_SOAK").ok()?;
    Some(Duration::from_secs(seconds.parse().unwrap()))
}

async fn people(
    cluster: &Cluster,
    writers: usize,
    listeners: usize,
) -> (Vec<Person>, Vec<Person>, Arc<Scene>) {
    let mut all = vec![];
    for number in 0..writers + listeners {
        all.push(cluster.person(&format!("Person{number}")).await);
    }
    let others: Vec<_> = all.iter().skip(1).collect();
    let mut conversations = vec![];
    for number in 0..CONVERSATIONS {
        let title = format!("Room {number}");
        conversations.push(all[0].creates_group(Some(&title), &others).await);
    }
    let scene = Scene {
        endpoints: cluster.nodes.iter().map(Node::endpoint).collect(),
        conversations,
        begun: Instant::now(),
        sent: AtomicUsize::new(0),
        received: Mutex::default(),
    };
    let listening = all.split_off(writers);
    (all, listening, Arc::new(scene))
}

async fn happens(cluster: &mut Cluster, fault: Fault, random: &mut StdRng) {
    match fault {
        Fault::NodeKilled => {
            let which = random.random_range(0..cluster.nodes.len());
            cluster.nodes[which].is_killed().await;
            sleep(CALM.mul_f64(random.random_range(0.0..0.5))).await;
            cluster.nodes[which].again().await;
        }
        Fault::RedisRestarted | Fault::RedisAway(_) => {
            let redis = cluster.redis.as_mut().unwrap();
            redis.is_killed().await;
            if let Fault::RedisAway(seconds) = fault {
                sleep(Duration::from_secs(seconds)).await;
            }
            redis.again().await;
        }
        Fault::Cut(cables) => {
            let network = cluster.network.as_ref().unwrap();
            let node = random.random_range(0..2);
            let set = |state| {
                for &cable in cables {
                    network.set(node, cable, state);
                }
            };
            set("down");
            sleep(if soak().is_some() { LONG_CUT } else { CUT }).await;
            set("up");
        }
        Fault::PostgresRestarted => cluster.postgres.as_mut().unwrap().restarts().await,
    }
}

/// Sends messages until the faults end, and returns the acknowledged ones.
async fn writes(
    mut who: Person,
    number: u64,
    scene: Arc<Scene>,
    mut random: StdRng,
    calm: CancellationToken,
) -> Vec<(String, String)> {
    let mut acknowledged = vec![];
    while !calm.is_cancelled() {
        let which = random.random_range(0..scene.conversations.len());
        let conversation = scene.conversations[which].clone();
        let now = scene.begun.elapsed().as_micros();
        let body = format!("{number} {} {now}", acknowledged.len());
        says(&mut who, &scene, &conversation, &body, &mut random).await;
        acknowledged.push((conversation, body));
        scene.sent.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(random.random_range(0..40))).await;
    }
    acknowledged
}

/// Sends a message, on any node that accepts it, until it is acknowledged.
async fn says(
    who: &mut Person,
    scene: &Scene,
    conversation: &str,
    body: &str,
    random: &mut StdRng,
) {
    let key = format!("{:032x}", random.random::<u128>());
    let input = json!({ "conversationId": conversation, "body": body, "clientMessageId": key });
    loop {
        let node = random.random_range(0..scene.endpoints.len());
        let there = who.at(scene.endpoints[node].clone());
        let sending = there.try_request(SEND, json!({ "input": input }));
        match timeout(GIVE_UP, sending).await {
            Ok(Ok(response)) if response.get("errors").is_none() => return,
            // A long run outlasts an access token.
            Ok(Ok(response))
                if response["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED" =>
            {
                if let Some(again) = signs_in(&there).await {
                    *who = again;
                }
            }
            _ => {}
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Subscribes on changing nodes, disconnects and resumes, until the last message of every conversation.
async fn listens(mut who: Person, mut cursor: Value, scene: Arc<Scene>, seed: u64) -> Received {
    let mut random = StdRng::seed_from_u64(seed);
    let mut received = Received::default();
    let mut is_over = false;
    while !is_over {
        let node = random.random_range(0..scene.endpoints.len());
        let there = who.at(scene.endpoints[node].clone());
        let stays = Duration::from_millis(random.random_range(1..3000));
        let visit = visits(&there, &scene, &mut cursor, &mut received);
        match timeout(stays, visit).await {
            Ok(Visit::SignedOut) => match signs_in(&there).await {
                Some(again) => who = again,
                None => sleep(Duration::from_secs(1)).await,
            },
            Ok(Visit::Cut) => sleep(Duration::from_millis(20)).await,
            Ok(Visit::Over) => is_over = true,
            // They leave.
            Err(_) => {}
        }
        received.returns += 1;
    }
    received
}

/// How a connection ended.
enum Visit {
    Cut,
    SignedOut,
    Over,
}

async fn visits(
    there: &Person,
    scene: &Scene,
    cursor: &mut Value,
    received: &mut Received,
) -> Visit {
    let after = json!({ "after": cursor });
    let Ok(mut events) = Subscription::try_open(there.endpoint(), there, EVENTS, after).await
    else {
        return Visit::Cut;
    };
    let came = scene.begun.elapsed().as_micros();
    loop {
        let mut event = match events.receive().await {
            Ok(Frame::Next(mut data)) => data["events"].take(),
            Ok(Frame::Closed(4401 | 4403)) => return Visit::SignedOut,
            _ => return Visit::Cut,
        };
        if event["__typename"] == "StreamOpenedEvent" {
            assert_eq!(event["outcome"], "RESUMED");
        }
        *cursor = event["cursor"].take();
        if event["__typename"] != "MessageSentEvent" {
            continue;
        }
        let (body, conversation) = (
            text(&event["message"]["body"]),
            &event["message"]["conversation"]["id"],
        );
        let sent = body
            .split(' ')
            .nth(2)
            .and_then(|micros| micros.parse::<u128>().ok());
        if let Some(sent) = sent.filter(|sent| *sent > came) {
            received
                .delays
                .push(scene.begun.elapsed().as_micros() - sent);
        }
        received.ended += usize::from(body == "the end");
        received
            .by_conversation
            .entry(text(conversation))
            .or_default()
            .push(body);
        *scene
            .received
            .lock()
            .unwrap()
            .entry(there.username.clone())
            .or_default() += 1;
        if received.ended == CONVERSATIONS {
            return Visit::Over;
        }
    }
}

async fn signs_in(who: &Person) -> Option<Person> {
    let input = json!({ "login": who.username, "password": PASSWORD });
    let signing_in = who.try_request(SIGN_IN, json!({ "input": input }));
    let response = timeout(GIVE_UP, signing_in).await.ok()?.ok()?;
    let token = response["data"]["signIn"]["auth"]["accessToken"].as_str()?;
    let mut again = who.clone();
    again.token = Some(token.to_owned());
    Some(again)
}

/// Every subscriber received the messages of the log, once and in its order, and the log contains all acknowledged
/// messages.
async fn proves(
    cluster: &Cluster,
    scene: &Scene,
    acknowledged: &[(String, String)],
    all: Vec<Received>,
    report: &mut Report,
) {
    let seed = report.seed;
    let db = Db::connect(&cluster.database_url).await.unwrap();
    for conversation in &scene.conversations {
        let logged = logged(&db, conversation).await;
        let mut sent: Vec<_> = acknowledged
            .iter()
            .filter(|(place, _)| place == conversation)
            .map(|(_, body)| body.as_str())
            .chain(["the end"])
            .collect();
        let mut sorted: Vec<_> = logged.iter().map(String::as_str).collect();
        sent.sort_unstable();
        sorted.sort_unstable();
        assert_eq!(
            sorted, sent,
            "seed {seed}: the log is not what was acknowledged"
        );
        report.messages += logged.len();
        for (number, received) in all.iter().enumerate() {
            let received = &received.by_conversation[conversation];
            assert_eq!(received, &logged, "seed {seed}: listener {number}");
            report.received += received.len();
        }
    }
    for received in all {
        report.returns += received.returns;
        report.delays.extend(received.delays);
    }
    db.close().await.unwrap();
    assert!(report.received > report.messages * 4, "{report}");
}

/// The messages of this conversation, from the log.
async fn logged(db: &Db, conversation: &str) -> Vec<String> {
    #[derive(FromQueryResult)]
    struct Row {
        payload: String,
    }
    let log = "SELECT payload FROM event WHERE stream_id = ? AND kind = 'MessageSent' ORDER BY seq";
    let id = ConversationId::from_text(conversation);
    let rows: Vec<Row> = db::fetch_all(db.read(), log, [id.into()]).await.unwrap();
    let mut bodies = vec![];
    for row in rows {
        let Change::MessageSent { message } = serde_json::from_str(&row.payload).unwrap() else {
            panic!("{}", row.payload);
        };
        let found = message::Entity::find_by_id(message).one(db.read()).await;
        // Notices have no body.
        bodies.extend(found.unwrap().unwrap().body);
    }
    bodies
}
