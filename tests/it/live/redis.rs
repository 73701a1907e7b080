//! Redis as operators run it: with a password, with TLS, and with outages.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};

use crate::support::{
    app::TestApp,
    captured_logs,
    cluster::{self, Cluster},
    messaging::Messaging,
    person::Person,
    redis::{Redis, Requires},
    socket::Subscription,
};

/// No event takes this long unless it never arrives.
const PATIENCE: Duration = Duration::from_secs(30);
/// Far less than the second after which a node polls the log without a wake-up.
const AT_ONCE: Duration = Duration::from_millis(400);
/// The number of messages for the median of the delays.
const ENOUGH: usize = 9;
const AWAY: &str = "Redis is unavailable";
const BACK: &str = "Redis is available again";
const EVENTS: &str =
    "subscription { events { __typename ... on MessageSentEvent { message { body } } } }";

#[tokio::test]
async fn a_database_account_with_minimal_rights_suffices() {
    carries(&Cluster::with(2, Redis::that(Requires::Account).await).await).await;
}

#[tokio::test]
async fn one_password_for_every_account() {
    carries(&Cluster::with(2, Redis::that(Requires::Password).await).await).await;
}

/// A certificate of a private authority is valid only for nodes that are configured to trust it. A node without Redis
/// still delivers events, only later.
#[tokio::test]
async fn a_private_certificate_authority() {
    let mut cluster = Cluster::with(2, Redis::that(Requires::AccountOverTls).await).await;
    let (ann, mut bob) = carries(&cluster).await;
    let (code, announced) = cluster.nodes[1].doctor().await;
    assert_eq!(code, Some(0), "{announced}");

    cluster.nodes[1].is_killed().await;
    cluster.nodes[1].forgets("SSL_CERT_FILE");
    cluster.nodes[1].again().await;
    let (code, announced) = cluster.nodes[1].doctor().await;
    let named = announced.lines().any(|line| {
        line.starts_with("WRONG redis: ") && line.to_lowercase().contains("certificate")
    });
    assert!(code == Some(1) && named, "{announced}");
    let ready = cluster.nodes[1].get("/readyz").await;
    assert_eq!(ready, (200, json!({ "status": "ready", "redis": "away" })));
    bob.events = listens(&bob.person).await;
    ann.says(&bob.conversation, "without Redis").await;
    bob.receive("without Redis").await;
}

/// Bob, who receives Ann's messages.
struct Listener {
    person: Person,
    conversation: String,
    events: Subscription,
}

impl Listener {
    async fn receive(&mut self, body: &str) {
        while self.events.next().await["events"]["message"]["body"] != body {}
    }
}

async fn listens(who: &Person) -> Subscription {
    let mut events = who.subscribe(EVENTS, Value::Null).await;
    let opened = events.next().await["events"]["__typename"].take();
    assert_eq!(opened, "StreamOpenedEvent");
    events
}

/// Ann sends on the first node, and the wake-up reaches the second, where Bob subscribes.
async fn carries(cluster: &Cluster) -> (Person, Listener) {
    let linked = async {
        for node in &cluster.nodes {
            while node.get("/readyz").await.1["redis"] != "connected" {
                sleep(Duration::from_millis(20)).await;
            }
        }
    };
    timeout(PATIENCE, linked).await.unwrap();
    let (ann, bob) = (cluster.person("Ann").await, cluster.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let person = cluster.at(1, &bob);
    let events = listens(&person).await;
    let mut bob = Listener {
        person,
        conversation,
        events,
    };
    let mut delays = vec![];
    for number in 0..ENOUGH {
        let body = number.to_string();
        ann.says(&bob.conversation, &body).await;
        let output = Instant::now();
        bob.receive(&body).await;
        delays.push(output.elapsed());
    }
    delays.sort_unstable();
    assert!(delays[ENOUGH / 2] < AT_ONCE, "{delays:?}");
    (ann, bob)
}

/// An outage is logged once, and so is its end, regardless of the number of attempts.
#[tokio::test]
async fn an_outage_is_logged_once() {
    let port = cluster::free_port();
    let mut redis = Redis::at(Requires::Account, "127.0.0.1", port);
    let app = TestApp::sqlite_with(|config| config.redis_url = Some(redis.url())).await;
    for outage in 1..=2 {
        hangs_up(port, 5).await;
        is_ready(&app, "away").await;
        assert_eq!(announced(), (outage, outage - 1));
        redis.again().await;
        is_ready(&app, "connected").await;
        until(|| announced() == (outage, outage)).await;
        redis.is_killed().await;
    }
    until(|| announced() == (3, 2)).await;

    // An account that may not publish also counts as an outage, and is logged once.
    let mut mute = Redis::at(Requires::AccountWithoutPublish, "127.0.0.1", port);
    mute.again().await;
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let mut events = listens(&bob).await;
    for number in 0..5 {
        ann.says(&conversation, &number.to_string()).await;
        while events.next().await["events"]["message"]["body"].is_null() {}
    }
    mute.is_killed().await;
    hangs_up(port, 5).await;
    is_ready(&app, "away").await;
    assert_eq!(announced(), (3, 2));
}

/// Accepts and closes this number of connections.
async fn hangs_up(port: u16, times: usize) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    for _ in 0..times {
        let came = timeout(PATIENCE, listener.accept()).await;
        drop(came.unwrap().unwrap());
    }
}

/// Waits until the server, which stays ready, reports this state of Redis.
async fn is_ready(app: &TestApp, redis: &str) {
    let ready = async {
        loop {
            let response = reqwest::get(app.url("/readyz")).await.unwrap();
            assert_eq!(response.status(), 200);
            let announced: Value = response.json().await.unwrap();
            assert_eq!(announced["status"], "ready");
            if announced["redis"] == redis {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, ready).await.unwrap();
}

/// How often this process logged that Redis is away, and that it is back.
fn announced() -> (usize, usize) {
    let log = captured_logs::written();
    (log.matches(AWAY).count(), log.matches(BACK).count())
}

async fn until(is_so: impl Fn() -> bool) {
    let becomes_so = async {
        while !is_so() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, becomes_so).await.unwrap();
}
