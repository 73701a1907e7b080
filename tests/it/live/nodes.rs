//! Several nodes are one server: whoever is on one hears what happens on another, whatever breaks.

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
    socket::{Said, Subscription},
};

/// What a person hears who has lost something.
const EVENTS: &str = "subscription { events { __typename
    ... on MessageSentEvent { message { body } }
    ... on ConversationLeftEvent { conversationId }
    ... on PresenceChangedEvent { user { username presence } }
    ... on TypingChangedEvent { user { username } expiresAt }
    ... on SessionEndedEvent { reason } } }";

/// The promise, from the answer of what ends access to the last word, on every node that is rung for.
const RUNG: Duration = Duration::from_secs(1);
/// And where nodes only look, which they do each second.
const LOOKED: Duration = Duration::from_secs(2);

#[tokio::test]
async fn one_node_on_sqlite_that_is_killed() {
    chaos::rages(Cluster::embedded().await, &[Fault::NodeKilled]).await;
}

#[tokio::test]
async fn one_node_on_postgres_that_nothing_happens_to() {
    chaos::rages(Cluster::without_redis(1).await, &[]).await;
}

#[tokio::test]
async fn two_nodes_and_redis_that_comes_and_goes() {
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

/// What one node gave is good at another: they share no folder, only the secret key.
#[tokio::test]
async fn tokens_and_cursors_of_one_node_are_good_at_another() {
    let cluster = Cluster::without_redis(2).await;
    let ann = cluster.person("Ann").await;
    let there = cluster.at(1, &ann);
    let query = "{ eventCursor viewer { user { username } } }";
    let seen = there.asks(query, Value::Null).await;
    assert_eq!(seen["viewer"]["user"]["username"], "ann");
    let cursor = text(&seen["eventCursor"]);
    assert!(cursor.len() <= 512, "{cursor}");
    let events = "subscription($after: String) { events(after: $after) {
        ... on StreamOpenedEvent { outcome } } }";
    for who in [ann, there] {
        let after = json!({ "after": cursor });
        let mut opened = who.subscribes(events, after).await;
        assert_eq!(opened.next().await["events"]["outcome"], "RESUMED");
    }
}

#[tokio::test]
async fn access_ends_everywhere_with_redis() {
    access_ends_everywhere(Cluster::with_redis(2).await, RUNG).await;
}

#[tokio::test]
async fn access_ends_everywhere_without_redis() {
    access_ends_everywhere(Cluster::without_redis(2).await, LOOKED).await;
}

/// Whoever listens loses access on every node, in each of the ways there are, and is told so before the end.
async fn access_ends_everywhere(cluster: Cluster, promise: Duration) {
    let ann = cluster.person("Ann").await;
    for (name, reason, change, input) in ways() {
        let user = cluster.person(name).await;
        let talk = ann.direct(&user).await;
        let other = signs_in(&user).await;
        let mut there = [listens(&user).await, listens(&cluster.at(1, &user)).await];
        let who = if name == "Signer" { &user } else { &other };
        who.asks(change, input).await;
        let answered = Instant::now();
        let sends = ann.tries(SEND, json!({ "id": talk, "body": "for Ann alone" }));
        let ends = join_all(there.iter_mut().map(async |events| {
            let ended = hears(events, "SessionEndedEvent").await;
            assert_eq!(ended["reason"], reason, "{name}");
            assert_eq!(events.says().await, Said::Complete);
            assert_eq!(events.says().await, Said::Closed(4401));
            answered.elapsed()
        }));
        let (sent, took) = tokio::join!(sends, ends);
        sent.unwrap();
        assert!(took.iter().all(|took| *took < promise), "{name}: {took:?}");
    }
    let bob = cluster.person("Bob").await;
    let (first, last) = (
        ann.founds(Some("Removed"), &[&bob]).await,
        ann.direct(&bob).await,
    );
    let (second, third) = (
        ann.founds(Some("Deleted"), &[&bob]).await,
        ann.founds(Some("Left"), &[&bob]).await,
    );
    let mut there = [listens(&bob).await, listens(&cluster.at(1, &bob)).await];
    for (group, way) in [(first, 0), (second, 1), (third, 2)] {
        let input = json!({ "input": { "conversationId": group } });
        match way {
            0 => drop(ann.removes(&group, &bob).await),
            1 => drop(ann.asks(DELETE, input).await),
            _ => drop(bob.asks(LEAVE, input).await),
        }
        let answered = Instant::now();
        let sends = async {
            let alone = json!({ "id": group, "body": "for Ann alone" });
            ann.tries(SEND, alone).await.unwrap();
            ann.says(&last, "for both").await;
        };
        let lasts = join_all(there.iter_mut().map(async |events| {
            let left = hears(events, "ConversationLeftEvent").await;
            assert_eq!(left["conversationId"], json!(group));
            let took = answered.elapsed();
            let message = hears(events, "MessageSentEvent").await;
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

/// How a session ends: who it happens to, what they are told, and what does it.
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

/// The same person on another device.
async fn signs_in(who: &Person) -> Person {
    let sign_in =
        "mutation($input: SignInInput!) { signIn(input: $input) { auth { accessToken } } }";
    let input = json!({ "login": who.username, "password": PASSWORD });
    let data = who.asks(sign_in, json!({ "input": input })).await;
    let mut other = who.clone();
    other.token = Some(text(&data["signIn"]["auth"]["accessToken"]));
    other
}

async fn listens(who: &Person) -> Subscription {
    let mut events = who.subscribes(EVENTS, Value::Null).await;
    assert_eq!(
        events.next().await["events"]["__typename"],
        "StreamOpenedEvent"
    );
    events
}

/// The next event of this kind; what was for Ann alone is never heard on the way.
async fn hears(events: &mut Subscription, kind: &str) -> Value {
    loop {
        let event = events.next().await["events"].take();
        assert_ne!(event["message"]["body"], "for Ann alone");
        if event["__typename"] == kind {
            return event;
        }
    }
}

#[tokio::test]
async fn who_is_around_is_known_everywhere_with_redis() {
    who_is_around_is_known_everywhere(Cluster::with_redis(2).await).await;
}

#[tokio::test]
async fn who_is_around_is_known_everywhere_without_redis() {
    who_is_around_is_known_everywhere(Cluster::without_redis(2).await).await;
}

async fn who_is_around_is_known_everywhere(mut cluster: Cluster) {
    let (ann, bob) = (cluster.person("Ann").await, cluster.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let there = cluster.at(1, &bob);
    let mut events = listens(&there).await;
    let _hers = listens(&ann).await;
    let around = async |events: &mut Subscription| {
        loop {
            let mut event = hears(events, "PresenceChangedEvent").await;
            if event["user"]["username"] == "ann" {
                return event["user"]["presence"].take();
            }
        }
    };
    assert_eq!(around(&mut events).await, "ONLINE");
    let typing = "mutation($id: ID!) { setTyping(input: { conversationId: $id, isTyping: true }) {
        expiresAt } }";
    let begun = Instant::now();
    ann.asks(typing, json!({ "id": talk })).await;
    let typing = hears(&mut events, "TypingChangedEvent").await;
    assert_eq!(typing["user"]["username"], "ann");
    assert!(begun.elapsed() < LOOKED, "{:?}", begun.elapsed());
    // A node that dies takes its people along.
    cluster.nodes[0].is_killed().await;
    assert_eq!(around(&mut events).await, "OFFLINE");
}

/// What happens, second by second, when Redis goes away and comes back: somebody writes on one node twenty
/// times a second, and somebody on the other waits for it.
#[tokio::test]
async fn without_redis_events_are_a_second_late_and_no_more() {
    const GONE: u64 = 3;
    const BACK: u64 = 8;
    const ENDS: u64 = 14;
    let mut cluster = Cluster::with_redis(2).await;
    let (ann, bob) = (cluster.person("Ann").await, cluster.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let mut events = listens(&cluster.at(1, &bob)).await;
    let begun = Instant::now();
    let now = || usize::try_from(begun.elapsed().as_millis()).unwrap();
    // When each message was acknowledged; what comes before that has no delay.
    let sent = Mutex::new(vec![]);
    let writes = async {
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        while begun.elapsed().as_secs() < ENDS {
            pace.tick().await;
            let number = sent.lock().unwrap().len();
            sent.lock().unwrap().push(usize::MAX);
            ann.says(&talk, &number.to_string()).await;
            sent.lock().unwrap()[number] = now();
        }
        ann.says(&talk, "the end").await;
    };
    let hears = async {
        let mut heard = vec![];
        loop {
            let event = hears(&mut events, "MessageSentEvent").await;
            let body = text(&event["message"]["body"]);
            if body == "the end" {
                return heard;
            }
            heard.push(now());
        }
    };
    let redis = cluster.redis.as_mut().unwrap();
    let breaks = async {
        tokio::time::sleep(Duration::from_secs(GONE)).await;
        redis.is_killed().await;
        tokio::time::sleep(Duration::from_secs(BACK - GONE)).await;
        redis.again().await;
    };
    let ((), times, ()) = tokio::join!(writes, hears, breaks);
    let sent = sent.into_inner().unwrap();
    assert_eq!(times.len(), sent.len());
    let mut delays = vec![vec![]; usize::try_from(ENDS).unwrap()];
    for (sent, heard) in sent.into_iter().zip(times) {
        if let Some(second) = delays.get_mut(sent / 1000) {
            second.push(heard.saturating_sub(sent));
        }
    }
    let mut medians = vec![];
    for second in &mut delays {
        second.sort_unstable();
        let median = second.get(second.len() / 2).copied().unwrap_or(0);
        medians.push((median, second.last().copied().unwrap_or(0)));
    }
    chaos::tell(&format!(
        "median and longest milliseconds, by second: {medians:?}"
    ));
    assert!(
        medians.iter().all(|(_, longest)| *longest < 3000),
        "{medians:?}"
    );
    // A second is the sweep's own time; what is quicker came by a ring.
    let rung = |seconds: &[(usize, usize)]| seconds.iter().all(|(median, _)| *median < 400);
    assert!(rung(&medians[..2]) && rung(&medians[12..14]), "{medians:?}");
}
