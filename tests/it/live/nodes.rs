//! Several nodes act as one server: a subscriber on one node receives the events of another, whichever part fails.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::chaos::{self, Fault};
use crate::support::{
    cluster::Cluster,
    groups::{Groups, LEAVE},
    messaging::Messaging,
    network::Cable,
    person::{PASSWORD, Person, text},
    socket::{Frame, Subscription},
};

/// The events that a user receives when they lose access.
const EVENTS: &str = "subscription { events { __typename
    ... on MessageSentEvent { message { body } }
    ... on ConversationLeftEvent { conversationId }
    ... on PresenceChangedEvent { user { username presence } }
    ... on TypingChangedEvent { user { username } expiresAt }
    ... on SessionEndedEvent { reason } } }";

/// The longest time from the response of the mutation that ends access to the last event, on a node that receives
/// wake-ups.
const WITH_WAKEUP: Duration = Duration::from_secs(1);
/// The longest time on a node that only polls, once per second.
const WITH_POLLING: Duration = Duration::from_secs(2);

#[tokio::test]
async fn one_node_on_sqlite_that_is_killed() {
    chaos::rages(Cluster::embedded().await, &[Fault::NodeKilled]).await;
}

#[tokio::test]
async fn one_node_on_postgres_that_nothing_happens_to() {
    chaos::rages(Cluster::without_redis(1).await, &[]).await;
}

#[tokio::test]
async fn two_nodes_and_an_unstable_redis() {
    let faults = [Fault::RedisRestarted, Fault::RedisAway(3)];
    chaos::rages(Cluster::with_redis(2).await, &faults).await;
}

#[tokio::test]
async fn two_nodes_without_redis() {
    chaos::rages(Cluster::without_redis(2).await, &[Fault::NodeKilled]).await;
}

#[tokio::test]
async fn three_nodes_and_everything_breaks() {
    let faults = [
        Fault::NodeKilled,
        Fault::RedisRestarted,
        Fault::NodeKilled,
        Fault::PostgresRestarted,
    ];
    chaos::rages(Cluster::with_redis(3).await, &faults).await;
}

#[tokio::test]
async fn nodes_whose_cables_are_cut() {
    let faults = [
        Fault::Cut(&[Cable::Redis]),
        Fault::Cut(&[Cable::Postgres, Cable::Redis]),
        Fault::Cut(&[Cable::People]),
    ];
    chaos::rages(Cluster::with_cables().await, &faults).await;
}

/// Tokens and cursors of one node are valid on another: the nodes share no directory, only the secret key.
#[tokio::test]
async fn tokens_and_cursors_of_one_node_are_good_at_another() {
    let cluster = Cluster::without_redis(2).await;
    let ann = cluster.person("Ann").await;
    let there = cluster.at(1, &ann);
    let query = "{ eventCursor viewer { user { username } } }";
    let seen = there.execute(query, Value::Null).await;
    assert_eq!(seen["viewer"]["user"]["username"], "ann");
    let cursor = text(&seen["eventCursor"]);
    assert!(cursor.len() <= 512, "{cursor}");
    let events = "subscription($after: String) { events(after: $after) {
        ... on StreamOpenedEvent { outcome } } }";
    for who in [ann, there] {
        let after = json!({ "after": cursor });
        let mut opened = who.subscribe(events, after).await;
        assert_eq!(opened.next().await["events"]["outcome"], "RESUMED");
    }
}

#[tokio::test]
async fn access_ends_everywhere_with_redis() {
    access_ends_everywhere(Cluster::with_redis(2).await, WITH_WAKEUP).await;
}

#[tokio::test]
async fn access_ends_everywhere_without_redis() {
    access_ends_everywhere(Cluster::without_redis(2).await, WITH_POLLING).await;
}

/// A subscriber loses access on every node, for each possible reason, and receives the reason before the end.
async fn access_ends_everywhere(cluster: Cluster, promise: Duration) {
    let ann = cluster.person("Ann").await;
    for (name, reason, change, input) in ways() {
        let user = cluster.person(name).await;
        let conversation = ann.direct(&user).await;
        let other = signs_in(&user).await;
        let mut there = [listens(&user).await, listens(&cluster.at(1, &user)).await];
        let who = if name == "Signer" { &user } else { &other };
        who.execute(change, input).await;
        let responded = Instant::now();
        let sends = ann.try_request(SEND, json!({ "id": conversation, "body": "for Ann alone" }));
        let ends = join_all(there.iter_mut().map(async |events| {
            let ended = receive(events, "SessionEndedEvent").await;
            assert_eq!(ended["reason"], reason, "{name}");
            assert_eq!(events.next_frame().await, Frame::Complete);
            assert_eq!(events.next_frame().await, Frame::Closed(4401));
            responded.elapsed()
        }));
        let (sent, took) = tokio::join!(sends, ends);
        sent.unwrap();
        assert!(took.iter().all(|took| *took < promise), "{name}: {took:?}");
    }
    let bob = cluster.person("Bob").await;
    let (first, last) = (
        ann.creates_group(Some("Removed"), &[&bob]).await,
        ann.direct(&bob).await,
    );
    let (second, third) = (
        ann.creates_group(Some("Deleted"), &[&bob]).await,
        ann.creates_group(Some("Left"), &[&bob]).await,
    );
    let mut there = [listens(&bob).await, listens(&cluster.at(1, &bob)).await];
    for (group, way) in [(first, 0), (second, 1), (third, 2)] {
        let input = json!({ "input": { "conversationId": group } });
        match way {
            0 => drop(ann.removes(&group, &bob).await),
            1 => drop(ann.execute(DELETE, input).await),
            _ => drop(bob.execute(LEAVE, input).await),
        }
        let responded = Instant::now();
        let sends = async {
            let alone = json!({ "id": group, "body": "for Ann alone" });
            ann.try_request(SEND, alone).await.unwrap();
            ann.says(&last, "for both").await;
        };
        let lasts = join_all(there.iter_mut().map(async |events| {
            let left = receive(events, "ConversationLeftEvent").await;
            assert_eq!(left["conversationId"], json!(group));
            let took = responded.elapsed();
            let message = receive(events, "MessageSentEvent").await;
            assert_eq!(message["message"]["body"], "for both");
            took
        }));
        let ((), took) = tokio::join!(sends, lasts);
        assert!(took.iter().all(|took| *took < promise), "{way}: {took:?}");
    }
}

const SEND: &str = "mutation($id: ID!, $body: String!) {
    sendMessage(input: { conversationId: $id, body: $body }) { message { id } } }";
const DELETE: &str = "mutation($input: DeleteConversationInput!) {
    deleteConversation(input: $input) { deletedConversationId } }";

/// How a session ends: the user, the reason that they receive, and the mutation.
fn ways() -> [(&'static str, &'static str, &'static str, Value); 4] {
    let password =
        json!({ "currentPassword": PASSWORD, "newPassword": "another loom, other heddles" });
    let delete = json!({ "confirmUsername": "leaver", "password": PASSWORD });
    [
        (
            "Signer",
            "SIGNED_OUT",
            "mutation { signOut { endedSessionId } }",
            Value::Null,
        ),
        (
            "Revoker",
            "SIGNED_OUT",
            "mutation { revokeOtherSessions { revokedSessionIds } }",
            Value::Null,
        ),
        (
            "Changer",
            "REVOKED",
            "mutation($input: ChangePasswordInput!) { changePassword(input: $input) {
                viewer { role } } }",
            json!({ "input": password }),
        ),
        (
            "Leaver",
            "ACCOUNT_DELETED",
            "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
                deletedUserId } }",
            json!({ "input": delete }),
        ),
    ]
}

/// Signs in the user on another device.
async fn signs_in(who: &Person) -> Person {
    let sign_in =
        "mutation($input: SignInInput!) { signIn(input: $input) { auth { accessToken } } }";
    let input = json!({ "login": who.username, "password": PASSWORD });
    let data = who.execute(sign_in, json!({ "input": input })).await;
    let mut other = who.clone();
    other.token = Some(text(&data["signIn"]["auth"]["accessToken"]));
    other
}

async fn listens(who: &Person) -> Subscription {
    let mut events = who.subscribe(EVENTS, Value::Null).await;
    assert_eq!(
        events.next().await["events"]["__typename"],
        "StreamOpenedEvent"
    );
    events
}

/// Returns the next event of this kind, and verifies that no message for Ann alone arrives before it.
async fn receive(events: &mut Subscription, kind: &str) -> Value {
    loop {
        let event = events.next().await["events"].take();
        assert_ne!(event["message"]["body"], "for Ann alone");
        if event["__typename"] == kind {
            return event;
        }
    }
}

#[tokio::test]
async fn presence_is_known_on_every_node_with_redis() {
    presence_is_known_on_every_node(Cluster::with_redis(2).await).await;
}

#[tokio::test]
async fn presence_is_known_on_every_node_without_redis() {
    presence_is_known_on_every_node(Cluster::without_redis(2).await).await;
}

async fn presence_is_known_on_every_node(mut cluster: Cluster) {
    let (ann, bob) = (cluster.person("Ann").await, cluster.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let there = cluster.at(1, &bob);
    let mut events = listens(&there).await;
    let _hers = listens(&ann).await;
    let around = async |events: &mut Subscription| {
        loop {
            let mut event = receive(events, "PresenceChangedEvent").await;
            if event["user"]["username"] == "ann" {
                return event["user"]["presence"].take();
            }
        }
    };
    assert_eq!(around(&mut events).await, "ONLINE");
    let typing = "mutation($id: ID!) { setTyping(input: { conversationId: $id, isTyping: true }) {
        expiresAt } }";
    let begun = Instant::now();
    ann.execute(typing, json!({ "id": conversation })).await;
    let typing = receive(&mut events, "TypingChangedEvent").await;
    assert_eq!(typing["user"]["username"], "ann");
    assert!(begun.elapsed() < WITH_POLLING, "{:?}", begun.elapsed());
    // The users of a killed node go offline.
    cluster.nodes[0].is_killed().await;
    assert_eq!(around(&mut events).await, "OFFLINE");
}

/// Redis stops and starts again, while a user on one node sends twenty messages per second and a user on the other
/// receives them.
#[tokio::test]
async fn without_redis_events_are_a_second_late_and_no_more() {
    const GONE: u64 = 3;
    const BACK: u64 = 8;
    const ENDS: u64 = 14;
    let mut cluster = Cluster::with_redis(2).await;
    let (ann, bob) = (cluster.person("Ann").await, cluster.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let mut events = listens(&cluster.at(1, &bob)).await;
    let begun = Instant::now();
    let now = || usize::try_from(begun.elapsed().as_millis()).unwrap();
    // When each message was acknowledged; an event that arrives before has no delay.
    let sent = Mutex::new(vec![]);
    let writes = async {
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        while begun.elapsed().as_secs() < ENDS {
            pace.tick().await;
            let number = sent.lock().unwrap().len();
            sent.lock().unwrap().push(usize::MAX);
            ann.says(&conversation, &number.to_string()).await;
            sent.lock().unwrap()[number] = now();
        }
        ann.says(&conversation, "the end").await;
    };
    let receive = async {
        let mut received = vec![];
        loop {
            let event = receive(&mut events, "MessageSentEvent").await;
            let body = text(&event["message"]["body"]);
            if body == "the end" {
                return received;
            }
            received.push(now());
        }
    };
    let redis = cluster.redis.as_mut().unwrap();
    let breaks = async {
        tokio::time::sleep(Duration::from_secs(GONE)).await;
        redis.is_killed().await;
        tokio::time::sleep(Duration::from_secs(BACK - GONE)).await;
        redis.again().await;
    };
    let ((), times, ()) = tokio::join!(writes, receive, breaks);
    let sent = sent.into_inner().unwrap();
    assert_eq!(times.len(), sent.len());
    let mut delays = vec![vec![]; usize::try_from(ENDS).unwrap()];
    for (sent, received) in sent.into_iter().zip(times) {
        if let Some(second) = delays.get_mut(sent / 1000) {
            second.push(received.saturating_sub(sent));
        }
    }
    let mut medians = vec![];
    for second in &mut delays {
        second.sort_unstable();
        let median = second.get(second.len() / 2).copied().unwrap_or(0);
        medians.push((median, second.last().copied().unwrap_or(0)));
    }
    chaos::print(&format!(
        "median and longest milliseconds, by second: {medians:?}"
    ));
    assert!(
        medians.iter().all(|(_, longest)| *longest < 3000),
        "{medians:?}"
    );
    // Polling takes up to a second, so faster events arrived by a wake-up.
    let rung = |seconds: &[(usize, usize)]| seconds.iter().all(|(median, _)| *median < 400);
    assert!(rung(&medians[..2]) && rung(&medians[12..14]), "{medians:?}");
}
