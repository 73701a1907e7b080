//! Network partitions: a cut cable neither delivers nor rejects what is sent, and no client may wait for it until TCP
//! gives up, a quarter of an hour later.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{
    cluster::Cluster,
    messaging::Messaging,
    network::Cable,
    person::Person,
    socket::{Frame, Subscription},
    sse::Stream,
};

/// After this time, TCP waits as long again before its next attempt.
const CUT: Duration = Duration::from_secs(14);
/// Time to notice that the cable is repaired, with a margin for a busy machine. TCP alone takes eleven seconds.
const SOON: Duration = Duration::from_secs(8);
/// Time to notice that a client is gone: half a minute, and the time in which clients may reconnect.
const GONE: Duration = Duration::from_mins(1);
/// More than the node's database connections.
const REQUESTS: usize = 30;
const EVENTS: &str = "subscription($after: String) { events(after: $after) { __typename cursor
    ... on MessageSentEvent { message { body } }
    ... on PresenceChangedEvent { user { username presence } } } }";
const VIEWER: &str = "{ viewer { user { username } } }";

#[tokio::test]
async fn a_node_that_lost_its_database_delivers_again_soon() {
    let cluster = Cluster::with_cables().await;
    let network = cluster.network.as_ref().unwrap();
    let (ann, bob) = (cluster.person("Ann").await, cluster.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let there = cluster.at(1, &bob);
    let mut events = there.subscribe(EVENTS, Value::Null).await;
    // Messages from before the stream is open are not among its events.
    assert_eq!(next(&mut events).await["__typename"], "StreamOpenedEvent");
    ann.says(&conversation, "before").await;
    let before = receive(&mut events, "before").await;

    network.set(0, Cable::Postgres, "down");
    let cut = Instant::now();
    ann.says(&conversation, "meanwhile").await;
    // Each of these requests occupies a database connection of the node, and fails in the end.
    let requested = join_all((0..REQUESTS).map(|_| there.try_request(VIEWER, Value::Null))).await;
    assert!(requested.into_iter().all(|response| response.is_ok()));
    sleep(CUT.saturating_sub(cut.elapsed())).await;
    network.set(0, Cable::Postgres, "up");

    let received = receives_or_reconnects(&there, events, &before, "meanwhile");
    timeout(SOON, received).await.expect("no event arrived");
    let responded = async {
        while there.try_request(VIEWER, Value::Null).await.unwrap()["data"]["viewer"].is_null() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, responded)
        .await
        .expect("no request succeeded");
}

/// Bob's cable is cut while he subscribes. The server soon releases his stream.
#[tokio::test]
async fn a_listener_whose_cable_is_cut_is_gone_before_long() {
    let cluster = Cluster::with_cables().await;
    let network = cluster.network.as_ref().unwrap();
    let (ann, bob) = (cluster.person("Ann").await, cluster.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let mut events = ann.subscribe(EVENTS, Value::Null).await;
    let _stream = opens(&cluster.at(1, &bob)).await;
    is(&mut events, "ONLINE").await;
    network.set(0, Cable::People, "down");
    ann.says(&conversation, "are you there?").await;
    timeout(GONE, is(&mut events, "OFFLINE")).await.unwrap();
}

async fn opens(who: &Person) -> Stream {
    let request = reqwest::Client::new()
        .post(who.endpoint())
        .header(ACCEPT, "text/event-stream")
        .bearer_auth(who.token.as_deref().unwrap())
        .json(&json!({ "query": EVENTS }));
    let mut stream = Stream::of(request.send().await.unwrap());
    let (opened, _) = stream.next().await;
    assert_eq!(opened["events"]["__typename"], "StreamOpenedEvent");
    stream
}

/// Receives this message, and resumes whenever the server closes the stream with "try again": the database may fail
/// while an event is built, or the server may not be connected again yet.
async fn receives_or_reconnects(who: &Person, mut events: Subscription, last: &Value, body: &str) {
    let mut cursor = last["cursor"].clone();
    loop {
        match events.receive().await {
            Ok(Frame::Next(data)) if data["events"]["message"]["body"] == body => return,
            Ok(Frame::Next(data)) => cursor = data["events"]["cursor"].clone(),
            Ok(Frame::Closed(1013)) => loop {
                let after = json!({ "after": cursor });
                let opened = Subscription::try_open(who.endpoint(), who, EVENTS, after).await;
                if let Ok(opened) = opened {
                    events = opened;
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            },
            other => panic!("{other:?}"),
        }
    }
}

/// Returns the event with this message.
async fn receive(events: &mut Subscription, body: &str) -> Value {
    loop {
        let event = next(events).await;
        if event["message"]["body"] == body {
            return event;
        }
    }
}

/// Waits until Bob has this presence.
async fn is(events: &mut Subscription, presence: &str) {
    loop {
        let event = next(events).await;
        if event["user"]["username"] == "bob" && event["user"]["presence"] == presence {
            return;
        }
    }
}

/// Returns the next event, without a timeout.
async fn next(events: &mut Subscription) -> Value {
    match events.receive().await {
        Ok(Frame::Next(mut data)) => data["events"].take(),
        other => panic!("{other:?}"),
    }
}
