//! Cursors stay short and valid while many users write.

use heddle::db::Db;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};

use crate::support::{app::TestApp, messaging::Messaging, person::text, socket::Subscription};

/// The longest cursor, in bytes.
const LONGEST: usize = 512;
/// The number of open transactions.
const WRITERS: usize = 40;
const CONNECTIONS: usize = 10;
/// The fewest bytes that each of them adds, which show that the cursor names it.
const TRACE: usize = 2;
const EVENTS: &str = "subscription($after: String) { events(after: $after) { cursor __typename
    ... on StreamOpenedEvent { outcome } ... on MessageSentEvent { message { body } } } }";

#[tokio::test]
async fn cursors_stay_short_while_many_write() {
    let app = TestApp::postgres().await;
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let mut busy = vec![];
    for _ in 0..WRITERS / CONNECTIONS {
        let db = Db::connect(&app.app.config.database_url).await.unwrap();
        for _ in 0..CONNECTIONS {
            let writer = db.migrate().begin().await.unwrap();
            let begins = "SELECT pg_current_xact_id()";
            writer.execute_unprepared(begins).await.unwrap();
            // Many transactions begin and end between any two that stay open.
            let come_and_go = "DO $$ BEGIN FOR n IN 1..1000 LOOP
                PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";
            db.migrate().execute_unprepared(come_and_go).await.unwrap();
            busy.push(writer);
        }
    }
    let mut events = Subscription::open(&app, &bob, EVENTS, Value::Null).await;
    let opened = events.next().await;
    let mut cursors = vec![text(&opened["events"]["cursor"])];
    let bodies: Vec<_> = (0..WRITERS).map(|number| number.to_string()).collect();
    let sends = bodies.iter().map(|body| ann.says(&conversation, body));
    let sends = futures_util::future::join_all(sends);
    let listens = async {
        let mut received = vec![];
        while received.len() < WRITERS {
            let mut event = events.next().await["events"].take();
            cursors.push(text(&event["cursor"]));
            if event["__typename"] == "MessageSentEvent" {
                received.push((text(&event["message"]["body"]), event["cursor"].take()));
            }
        }
        received
    };
    let (_, received) = tokio::join!(sends, listens);
    let loaded = bob.execute("{ eventCursor }", Value::Null).await;
    cursors.push(text(&loaded["eventCursor"]));
    let longest = cursors.iter().map(String::len).max().unwrap();
    assert!(
        longest > WRITERS * TRACE,
        "no cursor named a concurrent writer: {longest}"
    );
    assert!(longest <= LONGEST, "{longest}");

    // A cursor from the middle returns the remaining events.
    let (_, after) = &received[WRITERS / 2];
    let mut again = Subscription::open(&app, &bob, EVENTS, json!({ "after": after })).await;
    assert_eq!(again.next().await["events"]["outcome"], "RESUMED");
    for (body, _) in &received[WRITERS / 2 + 1..] {
        let next = loop {
            let event = again.next().await["events"].take();
            if event["__typename"] == "MessageSentEvent" {
                break event;
            }
        };
        assert_eq!(next["message"]["body"], json!(body));
    }
    for writer in busy {
        writer.rollback().await.unwrap();
    }
}
