//! Redis as people run it: behind a password, behind TLS, and not always there.

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
    redis::{Asks, Redis},
    socket::Subscription,
};

/// Nothing takes this long unless it never happens.
const PATIENCE: Duration = Duration::from_secs(30);
/// Far less than the second after which a node looks by itself, which is when it hears without being rung for.
const AT_ONCE: Duration = Duration::from_millis(400);
/// Messages of which the one in the middle tells how they came.
const ENOUGH: usize = 9;
const AWAY: &str = "Redis is unavailable";
const BACK: &str = "Redis is available again";
const EVENTS: &str =
    "subscription { events { __typename ... on MessageSentEvent { message { body } } } }";

#[tokio::test]
async fn an_account_that_may_do_no_more_than_it_must() {
    carries(&Cluster::with(2, Redis::that(Asks::Account).await).await).await;
}

#[tokio::test]
async fn one_password_for_everybody() {
    carries(&Cluster::with(2, Redis::that(Asks::Password).await).await).await;
}

/// A certificate of one's own authority is believed by whoever was told of it, and by nobody else. Without Redis a
/// node serves as before, only later.
#[tokio::test]
async fn an_authority_of_ones_own() {
    let mut cluster = Cluster::with(2, Redis::that(Asks::AccountOverTls).await).await;
    let (ann, mut bob) = carries(&cluster).await;
    let (code, told) = cluster.nodes[1].doctor().await;
    assert_eq!(code, Some(0), "{told}");

    cluster.nodes[1].is_killed().await;
    cluster.nodes[1].forgets("SSL_CERT_FILE");
    cluster.nodes[1].again().await;
    let (code, told) = cluster.nodes[1].doctor().await;
    let named = told.lines().any(|line| {
        line.starts_with("WRONG redis: ") && line.to_lowercase().contains("certificate")
    });
    assert!(code == Some(1) && named, "{told}");
    let ready = cluster.nodes[1].tells("/readyz").await;
    assert_eq!(ready, (200, json!({ "status": "ready", "redis": "away" })));
    bob.events = listens(&bob.person).await;
    ann.says(&bob.talk, "without Redis").await;
    bob.hears("without Redis").await;
}

/// Bob, who listens to Ann.
struct Listener {
    person: Person,
    talk: String,
    events: Subscription,
}

impl Listener {
    async fn hears(&mut self, body: &str) {
        while self.events.next().await["events"]["message"]["body"] != body {}
    }
}

async fn listens(who: &Person) -> Subscription {
    let mut events = who.subscribes(EVENTS, Value::Null).await;
    let opened = events.next().await["events"]["__typename"].take();
    assert_eq!(opened, "StreamOpenedEvent");
    events
}

/// What Ann says on the first node is rung for at the second, where Bob listens.
async fn carries(cluster: &Cluster) -> (Person, Listener) {
    let linked = async {
        for node in &cluster.nodes {
            while node.tells("/readyz").await.1["redis"] != "connected" {
                sleep(Duration::from_millis(20)).await;
            }
        }
    };
    timeout(PATIENCE, linked).await.unwrap();
    let (ann, bob) = (cluster.person("Ann").await, cluster.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let person = cluster.at(1, &bob);
    let events = listens(&person).await;
    let mut bob = Listener {
        person,
        talk,
        events,
    };
    let mut delays = vec![];
    for number in 0..ENOUGH {
        let body = number.to_string();
        ann.says(&bob.talk, &body).await;
        let said = Instant::now();
        bob.hears(&body).await;
        delays.push(said.elapsed());
    }
    delays.sort_unstable();
    assert!(delays[ENOUGH / 2] < AT_ONCE, "{delays:?}");
    (ann, bob)
}

/// However often a node tries again, an outage is told once, and its end once.
#[tokio::test]
async fn an_outage_is_told_once() {
    let port = cluster::free_port();
    let mut redis = Redis::at(Asks::Account, "127.0.0.1", port);
    let app = TestApp::sqlite_with(|config| config.redis_url = Some(redis.url())).await;
    for outage in 1..=2 {
        hangs_up(port, 5).await;
        is_ready(&app, "away").await;
        assert_eq!(told(), (outage, outage - 1));
        redis.again().await;
        is_ready(&app, "connected").await;
        until(|| told() == (outage, outage)).await;
        redis.is_killed().await;
    }
    until(|| told() == (3, 2)).await;

    // Let in and not allowed to ring is away as well, and not anew with every ring.
    let mut mute = Redis::at(Asks::AccountWithoutVoice, "127.0.0.1", port);
    mute.again().await;
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let mut events = listens(&bob).await;
    for number in 0..5 {
        ann.says(&talk, &number.to_string()).await;
        while events.next().await["events"]["message"]["body"].is_null() {}
    }
    mute.is_killed().await;
    hangs_up(port, 5).await;
    is_ready(&app, "away").await;
    assert_eq!(told(), (3, 2));
}

/// Answers so many who connect by hanging up.
async fn hangs_up(port: u16, times: usize) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    for _ in 0..times {
        let came = timeout(PATIENCE, listener.accept()).await;
        drop(came.unwrap().unwrap());
    }
}

/// The server can serve all the while, and says sooner or later how its Redis is.
async fn is_ready(app: &TestApp, redis: &str) {
    let ready = async {
        loop {
            let answer = reqwest::get(app.url("/readyz")).await.unwrap();
            assert_eq!(answer.status(), 200);
            let told: Value = answer.json().await.unwrap();
            assert_eq!(told["status"], "ready");
            if told["redis"] == redis {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, ready).await.unwrap();
}

/// How often this process told that Redis is away, and that it is back.
fn told() -> (usize, usize) {
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
