//! A user who shares conversations with very many others changes their profile all the time.

use std::time::{Duration, Instant};

use heddle::id::UserId;
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::target::{Target, long_run};
use crate::support::{
    binary::Binary,
    groups::Groups,
    messaging::Messaging,
    person::Person,
    rows,
    socket::{Frame, Subscription},
};

/// Pause between two changes: their number must not matter, only their cost.
const PAUSE: Duration = Duration::from_millis(20);
/// Sockets of one subscriber: the limit.
const SOCKETS: usize = 10;
/// Maximum time until the sockets of a session that has ended are closed.
const LIMIT: Duration = Duration::from_secs(1);
const SETTINGS: [(&str, &str); 2] = [
    ("HEDDLE_CONNECTIONS", "2000"),
    ("HEDDLE_LOG_LEVEL", "error"),
];

const UPDATE: &str = "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
    viewer { id } } }";
const EVENTS: &str = "subscription { events { __typename
    ... on StreamOpenedEvent { outcome }
    ... on SessionEndedEvent { reason } } }";

/// The attacker's groups, the members of each, and the people who subscribe elsewhere.
fn scale() -> (usize, usize, usize) {
    match long_run() {
        Some(_) => (400, 10_000, 100),
        None => (40, 1_000, 10),
    }
}

#[tokio::test]
async fn profile_changes_with_many_contacts_delay_no_one_on_sqlite() {
    delay_no_one(Binary::on_sqlite_with(SETTINGS.to_vec()).await).await;
}

#[tokio::test]
async fn profile_changes_with_many_contacts_delay_no_one_on_postgres() {
    delay_no_one(Binary::on_postgres_with(SETTINGS.to_vec()).await).await;
}

async fn delay_no_one(server: Binary) {
    let scene = Scene::of(&server).await;
    let Scene {
        eve,
        bob,
        mut subscribers,
    } = scene;
    let mut target = Target::of(server).await;
    let (begins, has_begun) = oneshot::channel();
    let attack = |_| async move {
        begins.send(()).unwrap();
        change_profile(&eve).await;
    };
    let attacked = target.withstands("profile changes with many contacts", attack);
    let session_ends = async {
        has_begun.await.unwrap();
        end_session(&bob).await
    };
    let (figures, took) = tokio::join!(attacked, session_ends);
    figures.are_within_limits();
    assert!(
        took < LIMIT,
        "a socket closed {took:?} after its session ended"
    );
    // No stream was reset or closed.
    for events in &mut subscribers {
        let next = timeout(Duration::ZERO, events.receive()).await;
        assert!(next.is_err(), "{next:?}");
    }
}

/// What the attack needs.
struct Scene {
    /// The attacker, who has no stream of her own.
    eve: Person,
    bob: Person,
    /// Streams of users who share no conversation with her.
    subscribers: Vec<Subscription>,
}

impl Scene {
    async fn of(server: &Binary) -> Self {
        let (groups, members, people) = scale();
        let endpoint = format!("{}/graphql", server.url());
        let person =
            async |name: String| Person::anonymous_at(endpoint.clone()).sign_up(&name).await;
        let eve = person("Eve".to_owned()).await;
        let bob = person("Bob".to_owned()).await;
        let db = server.db().await;
        let attacker = UserId::from_text(&eve.id);
        rows::db_groups(&db, attacker, groups, members).await;
        db.close().await.unwrap();
        let mut listeners = vec![];
        for number in 0..people {
            listeners.push(person(format!("Person{number}")).await);
        }
        let all: Vec<_> = listeners.iter().collect();
        let elsewhere = bob.creates_group(Some("Elsewhere"), &all).await;
        bob.says(&elsewhere, "hello").await;
        let mut subscribers = vec![];
        for who in &listeners {
            for _ in 0..SOCKETS {
                subscribers.push(opens(who).await);
            }
        }
        Self {
            eve,
            bob,
            subscribers,
        }
    }
}

async fn opens(who: &Person) -> Subscription {
    let categories = json!({ "categories": ["MESSAGES", "USERS"] });
    let query = EVENTS.replace("events", "events(filter: $filter)");
    let query = query.replace("subscription", "subscription($filter: EventFilter)");
    let mut events = who.subscribe(&query, json!({ "filter": categories })).await;
    events.next().await;
    events
}

/// Changes the profile until the attack ends.
async fn change_profile(eve: &Person) {
    for change in 0.. {
        let input = json!({ "displayName": format!("Eve {change}") });
        // The server may limit the rate.
        let _ = eve.try_request(UPDATE, json!({ "input": input })).await;
        sleep(PAUSE).await;
    }
}

/// Signs Bob out on another device, and returns how long his stream remains open.
async fn end_session(bob: &Person) -> Duration {
    let mut elsewhere = bob.clone();
    elsewhere.signs_in().await;
    let mut events = opens(&elsewhere).await;
    let sign_out = "mutation { revokeOtherSessions { revokedSessionIds } }";
    bob.execute(sign_out, Value::Null).await;
    let started = Instant::now();
    while !matches!(events.next_frame().await, Frame::Closed(_)) {}
    started.elapsed()
}
