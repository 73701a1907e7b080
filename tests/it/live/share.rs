//! Equal subscriptions share one execution, and their subscribers cannot detect it.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    messaging::Messaging,
    person::{Person, text},
    socket::Subscription,
};

both!(
    shared_payloads_equal_separate_executions,
    equal_subscriptions_share_events_of_every_type,
    equal_subscriptions_of_one_user_cost_one_execution_per_event,
);

/// Fields of a message: some depend on the viewer, and some do not.
const FIELDS: [&str; 16] = [
    "id",
    "body",
    "bodyHtml",
    "depth",
    "createdAt",
    "editedAt",
    "replyCount",
    "sender { id name: displayName }",
    "conversation { id title }",
    "... on Message { kind priority }",
    "...Sender",
    "sequence @include(if: $also)",
    "viewerHasRead",
    "clientMessageId",
    "viewerCanEdit",
    "conversation { displayTitle }",
];

/// Returns a document twice: as it is, and with a field that prevents sharing.
fn document(random: &mut StdRng) -> [String; 2] {
    let mut pick = |count: usize| {
        let count = random.random_range(1..=count);
        FIELDS
            .choose_multiple(random, count)
            .copied()
            .collect::<Vec<_>>()
            .join(" ")
    };
    // Few of the fields depend on the viewer, so that payloads are shared.
    let (sent, edited) = (pick(4), pick(4));
    ["", "alone: viewerCanReply"].map(|alone| {
        format!(
            "subscription($also: Boolean!, $filter: EventFilter) {{
                e: events(filter: $filter) {{ __typename where: cursor cursor occurredAt @skip(if: $also)
                    ... on MessageSentEvent {{ message {{ {sent} {alone} }} }}
                    ... on MessageEditedEvent {{ message {{ {edited} {alone} }} }} }} }}
             fragment Sender on Message {{ sender {{ username isVerified }} }}"
        )
        .replace(
            "fragment Sender",
            if (sent.clone() + &edited).contains("...Sender") {
                "fragment Sender"
            } else {
                "#"
            },
        )
    })
}

/// Returns the next event without its cursors, which differ between subscribers.
async fn received(app: &TestApp, who: &Person, stream: &mut Subscription) -> Value {
    let mut event = stream.next().await["e"].take();
    let cursors = [event["where"].take(), event["cursor"].take()];
    assert_eq!(cursors[0], cursors[1]);
    let query = "subscription($after: String) { events(after: $after) {
        ... on StreamOpenedEvent { outcome } } }";
    let mut again = Subscription::open(app, who, query, json!({ "after": cursors[0] })).await;
    assert_eq!(again.next().await["events"]["outcome"], "RESUMED");
    if let Some(message) = event["message"].as_object_mut() {
        message.remove("alone");
    }
    event
}

async fn shared_payloads_equal_separate_executions(app: TestApp) {
    let mut random = StdRng::seed_from_u64(5);
    let ann = app.person("Ann").await;
    let mut made = 0;
    for round in 0..12 {
        let bob = app.person(&format!("Bob{round}")).await;
        let title = (round % 2 == 0).then_some("Loom");
        let group = ann.creates_group(title, &[&bob]).await;
        let also: bool = random.random();
        let filter = json!({ "categories": ["MESSAGES"], "conversationIds": [group] });
        let variables = json!({ "also": also, "filter": filter });
        let [shared, alone] = document(&mut random);
        // Two subscriptions with the same text share the events of their user. Another text is executed by itself.
        let documents = [&shared, &alone, &alone, &format!("{alone} # separate")];
        let mut streams = Vec::new();
        for who in [&ann, &bob] {
            for document in documents {
                let mut stream = Subscription::open(&app, who, document, variables.clone()).await;
                received(&app, who, &mut stream).await;
                streams.push(stream);
            }
        }
        let mut root = String::new();
        for step in 0..3 {
            // One after the other, because an event contains the present state of its message.
            match step {
                0 => root = ann.says(&group, "**Which** yarn?").await,
                1 => {
                    bob.replies(&group, &root, "Wool. ü").await;
                }
                _ => ann.edits(&root, "Which yarn, then?").await,
            }
            let mut events = Vec::new();
            let owners = [[&ann; 4], [&bob; 4]].concat();
            for (stream, who) in streams.iter_mut().zip(owners) {
                events.push(received(&app, who, stream).await);
            }
            for own in events.chunks(4) {
                assert!(own.iter().all(|event| *event == own[3]), "{shared} {own:?}");
            }
        }
        made = app.app.hub.payload_cache().rendered();
    }
    assert!(made > 5, "{made} shared answers prove little");
}

/// The selection depends on the viewer, so that users share nothing with each other.
async fn equal_subscriptions_of_one_user_cost_one_execution_per_event(app: TestApp) {
    const MESSAGES: u64 = 5;
    const EVENTS: &str = "subscription($from: String, $filter: EventFilter) {
        events(after: $from, filter: $filter) { __typename cursor
            ... on MessageSentEvent { message { body viewerHasRead viewerCanEdit } } } }";
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let mut streams = Vec::new();
    for (who, documents) in [(&bob, 1), (&ann, 3)] {
        for _ in 0..documents {
            // Each of them begins at a cursor of its own.
            let seen = who.execute("{ eventCursor }", Value::Null).await;
            let variables = json!({ "from": seen["eventCursor"],
                "filter": { "categories": ["MESSAGES"], "conversationIds": [conversation] } });
            let mut stream = Subscription::open(&app, who, EVENTS, variables).await;
            let opened = stream.next().await;
            assert_eq!(opened["events"]["__typename"], "StreamOpenedEvent");
            streams.push((who, stream));
        }
    }
    // Another filter is another request.
    let others = json!({ "filter": { "categories": ["MESSAGES"] } });
    let mut other = Subscription::open(&app, &ann, EVENTS, others).await;
    other.next().await;
    let mut last = (&ann, Value::Null);
    for number in 0..MESSAGES {
        bob.says(&conversation, &format!("number {number}")).await;
        for (who, stream) in &mut streams {
            let event = stream.next().await["events"].take();
            let is_own = who.id == bob.id;
            let message = json!({ "body": format!("number {number}"), "viewerHasRead": is_own,
                "viewerCanEdit": is_own });
            assert_eq!(event["message"], message);
            last = (*who, event["cursor"].clone());
        }
        other.next().await;
    }
    // The payload is built again for subscribers that are slower than the cache keeps it.
    let made = app.app.hub.payload_cache().rendered();
    assert!((MESSAGES..2 * MESSAGES).contains(&made), "{made}");
    let (who, cursor) = last;
    let resume = "subscription($after: String) { events(after: $after) {
        ... on StreamOpenedEvent { outcome } } }";
    let mut again = Subscription::open(&app, who, resume, json!({ "after": cursor })).await;
    assert_eq!(again.next().await["events"]["outcome"], "RESUMED");
}

async fn equal_subscriptions_share_events_of_every_type(app: TestApp) {
    const MESSAGES: u64 = 5;
    const EVENTS: &str = "subscription($after: String) { events(after: $after) { __typename cursor
        ... on MessageSentEvent { message { body viewerHasRead } } } }";
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let mut streams = Vec::new();
    for who in [&ann, &bob] {
        for _ in 0..8 {
            // Each request arrives on its own connection, without a difference.
            let seen = who.execute("{ eventCursor }", Value::Null).await;
            let after = json!({ "after": seen["eventCursor"] });
            let mut stream = Subscription::open(&app, who, EVENTS, after).await;
            stream.next().await;
            streams.push((stream, 0));
        }
    }
    for number in 0..MESSAGES {
        ann.says(&conversation, &number.to_string()).await;
        for (stream, events) in &mut streams {
            loop {
                let event = stream.next().await["events"].take();
                *events += 1;
                if event["__typename"] == "MessageSentEvent" {
                    assert_eq!(text(&event["message"]["body"]), number.to_string());
                    break;
                }
            }
        }
    }
    let received: u64 = streams.iter().map(|(_, events)| events).sum();
    // Ann does not receive the notifications of her own messages, and the payloads after the last message may be counted
    // too. A payload is built again for subscribers that are slower than the cache keeps it.
    let made = app.app.hub.payload_cache().rendered();
    assert!(
        (received / 8..received / 3).contains(&made),
        "{made} of {received}"
    );
}

#[tokio::test]
async fn nothing_is_shared_where_that_is_turned_off() {
    let app = TestApp::sqlite_with(|config| config.share_subscription_payloads = false).await;
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let query = "subscription { events(filter: { categories: [MESSAGES] }) { __typename } }";
    let mut stream = Subscription::open(&app, &bob, query, Value::Null).await;
    stream.next().await;
    ann.says(&conversation, "hello").await;
    assert_eq!(
        stream.next().await["events"]["__typename"],
        "MessageSentEvent"
    );
    assert_eq!(app.app.hub.payload_cache().rendered(), 0);
}
