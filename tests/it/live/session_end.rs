//! Streams that the server ends: the session is over, or the client does not read.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{
    app::TestApp,
    both,
    messaging::Messaging,
    person::{PASSWORD, text},
    socket::{Frame, Subscription},
};

both!(
    every_end_of_a_session_ends_its_streams_immediately,
    a_subscriber_who_stops_reading_delays_no_one_and_misses_nothing,
);

const EVENTS: &str = "subscription { events { __typename
    ... on MessageSentEvent { message { body } } ... on SessionEndedEvent { reason } } }";

async fn every_end_of_a_session_ends_its_streams_immediately(app: TestApp) {
    let ann = app.person("Ann").await;
    let ways = [
        ("mutation { signOut { endedSessionId } }", "SIGNED_OUT"),
        (
            "mutation($input: RevokeSessionsInput!) {
                revokeSessions(input: $input) { revokedSessionIds } }",
            "SIGNED_OUT",
        ),
        (
            "mutation { revokeOtherSessions { revokedSessionIds } }",
            "SIGNED_OUT",
        ),
        (
            "mutation($input: ChangePasswordInput!) { changePassword(input: $input) { viewer { id } } }",
            "REVOKED",
        ),
        (
            "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedUserId } }",
            "ACCOUNT_DELETED",
        ),
    ];
    let mut bob = app.person("Bob").await;
    let conversation = ann.direct(&bob).await;
    for (way, reason) in ways {
        bob.signs_in().await;
        let here = bob.clone();
        let mut elsewhere = bob.clone();
        elsewhere.signs_in().await;
        let mut events = Subscription::open(&app, &here, EVENTS, Value::Null).await;
        events.next().await;
        let own = "{ viewer { sessions(first: 1) { nodes { id } } } }";
        let session = here.execute(own, Value::Null).await;
        let session = &session["viewer"]["sessions"]["nodes"][0]["id"];
        let input = match reason {
            "REVOKED" => json!({ "currentPassword": PASSWORD, "newPassword": PASSWORD }),
            "ACCOUNT_DELETED" => json!({ "confirmUsername": "bob", "password": PASSWORD }),
            _ => json!({ "sessionIds": [session] }),
        };
        let who = if way.contains("signOut") {
            &here
        } else {
            &elsewhere
        };
        who.execute(way, json!({ "input": input })).await;
        let closed = timeout(Duration::from_secs(1), ends(&mut events));
        assert_eq!(closed.await.unwrap(), reason, "{way}");
        if reason != "ACCOUNT_DELETED" {
            ann.says(&conversation, "for the other one").await;
        }
    }
}

/// Returns the reason for the end, which is the last event.
async fn ends(events: &mut Subscription) -> String {
    let event = loop {
        let event = events.next().await["events"].take();
        // Deleting an account removes its conversations and notifications, whose events precede this one.
        if event["__typename"] == "SessionEndedEvent" {
            break event;
        }
    };
    assert_eq!(events.next_frame().await, Frame::Complete);
    assert_eq!(events.next_frame().await, Frame::Closed(4401));
    text(&event["reason"])
}

/// A few of these fill the buffers of both ends of a connection.
const LARGE: &str = "subscription { events { __typename
    ... on MessageSentEvent { message { body a: body b: body c: body d: body e: body f: body
        g: body h: body i: body j: body k: body l: body m: body n: body } } } }";
const MISSED: usize = 48;

async fn a_subscriber_who_stops_reading_delays_no_one_and_misses_nothing(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let mut slow = Subscription::open(&app, &bob, LARGE, Value::Null).await;
    let mut quick = Subscription::open(&app, &ann, EVENTS, Value::Null).await;
    slow.next().await;
    quick.next().await;
    let mut output = vec![];
    for number in 0..MISSED {
        let words = format!(
            "{number} {}",
            "🧵".repeat(app.app.config.message_length - 8)
        );
        ann.says(&conversation, &words).await;
        assert_eq!(sent(&mut quick).await["message"]["body"], json!(words));
        output.push(words);
    }
    for words in output {
        assert_eq!(sent(&mut slow).await["message"]["body"], json!(words));
    }
}

/// Returns the next message and skips other events.
async fn sent(events: &mut Subscription) -> Value {
    loop {
        let event = events.next().await["events"].take();
        if event["__typename"] == "MessageSentEvent" {
            return event;
        }
    }
}
