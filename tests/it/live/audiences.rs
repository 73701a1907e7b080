//! Profile changes reach the contacts of a user, and wait for no slow database.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction, TransactionTrait};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::rows;
use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    messaging::Messaging,
    person::Person,
    socket::{Frame, Subscription},
};

both!(
    a_user_without_a_stream_reaches_their_contacts,
    a_stream_receives_profile_changes_of_users_it_met_later,
);

const EVENTS: &str = "subscription($after: String, $filter: EventFilter) {
    events(after: $after, filter: $filter) { __typename cursor
        ... on StreamOpenedEvent { outcome }
        ... on UserChangedEvent { user { username displayName } }
        ... on MessageSentEvent { message { body } }
        ... on SessionEndedEvent { reason } } }";

async fn renames(who: &Person, name: &str) {
    let update = "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
        viewer { id } } }";
    who.execute(update, json!({ "input": { "displayName": name } }))
        .await;
}

/// Changes the profile, but not the name: the lists of participants are sorted by it.
async fn introduces(who: &Person) {
    let update = "mutation { updateProfile(input: { bio: \"I weave.\" }) { viewer { id } } }";
    who.execute(update, Value::Null).await;
}

async fn opens(who: &Person, variables: Value) -> Subscription {
    let mut events = who.subscribe(EVENTS, variables).await;
    let opened = events.next().await;
    assert_eq!(opened["events"]["__typename"], "StreamOpenedEvent");
    events
}

/// Returns the next event of this kind.
async fn next(events: &mut Subscription, kind: &str) -> Value {
    loop {
        let event = events.next().await["events"].take();
        if event["__typename"] == kind {
            return event;
        }
    }
}

async fn a_user_without_a_stream_reaches_their_contacts(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let (cleo, dora) = (app.person("Cleo").await, app.person("Dora").await);
    ann.creates_group(Some("Loom"), &[&bob, &cleo]).await;
    let elsewhere = bob.direct(&dora).await;
    let loaded = bob.execute("{ eventCursor }", Value::Null).await;
    let only = json!({ "conversationIds": [elsewhere] });
    let mut his = opens(&bob, Value::Null).await;
    let mut filtered = opens(&bob, json!({ "filter": only })).await;
    let mut hers = opens(&dora, Value::Null).await;
    renames(&ann, "Annie").await;
    renames(&cleo, "Cleopatra").await;
    bob.says(&elsewhere, "the last one").await;
    let after = json!({ "after": loaded["eventCursor"] });
    let mut resumed = opens(&bob, after).await;
    for events in [&mut his, &mut filtered, &mut resumed] {
        for name in ["Annie", "Cleopatra"] {
            let event = next(events, "UserChangedEvent").await;
            assert_eq!(event["user"]["displayName"], name);
        }
        // Later events follow.
        next(events, "MessageSentEvent").await;
    }
    // Dora shares no conversation with them.
    let mut kinds = vec![];
    while kinds.last().is_none_or(|kind| kind != "MessageSentEvent") {
        let mut event = hers.next().await["events"].take();
        kinds.push(event["__typename"].take());
    }
    assert!(!kinds.contains(&json!("UserChangedEvent")), "{kinds:?}");
}

async fn a_stream_receives_profile_changes_of_users_it_met_later(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    let none = json!({ "filter": { "conversationIds": [] } });
    let mut his = opens(&bob, Value::Null).await;
    let mut filtered = opens(&bob, none).await;
    let group = ann.creates_group(Some("Loom"), &[&bob]).await;
    renames(&ann, "Annie").await;
    for events in [&mut his, &mut filtered] {
        let event = next(events, "UserChangedEvent").await;
        assert_eq!(event["user"]["username"], "ann");
    }
    ann.removes(&group, &bob).await;
    renames(&ann, "Anna").await;
    cleo.direct(&bob).await;
    renames(&cleo, "Cleopatra").await;
    for events in [&mut his, &mut filtered] {
        let event = next(events, "UserChangedEvent").await;
        assert_eq!(event["user"]["username"], "cleo");
    }
}

/// Until it ends, no other transaction reads a membership.
async fn lock_memberships(app: &TestApp) -> DatabaseTransaction {
    let tx = app.app.db.migrate().begin().await.unwrap();
    let lock = "LOCK TABLE participant IN ACCESS EXCLUSIVE MODE";
    tx.execute_unprepared(lock).await.unwrap();
    tx
}

/// Only PostgreSQL can lock a table against readers.
#[tokio::test]
async fn a_profile_change_without_known_recipients_resets_streams() {
    let app = TestApp::postgres().await;
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let messages = json!({ "filter": { "categories": ["MESSAGES"] } });
    let mut all = opens(&bob, Value::Null).await;
    let mut others = opens(&bob, messages).await;
    let locked = lock_memberships(&app).await;
    introduces(&ann).await;
    let reset = next(&mut all, "StreamOpenedEvent").await;
    assert_eq!(reset["outcome"], "RESET");
    locked.rollback().await.unwrap();
    // The stream continues, also from the cursor of the reset.
    ann.says(&conversation, "hello").await;
    let mut resumed = opens(&bob, json!({ "after": reset["cursor"] })).await;
    renames(&ann, "Anna").await;
    for events in [&mut all, &mut resumed] {
        next(events, "MessageSentEvent").await;
        let event = next(events, "UserChangedEvent").await;
        assert_eq!(event["user"]["displayName"], "Anna");
    }
    // A stream that receives no profile changes is not reset.
    assert_eq!(
        others.next().await["events"]["__typename"],
        "MessageSentEvent"
    );
}

#[tokio::test]
async fn a_session_ends_while_memberships_cannot_be_read() {
    let app = TestApp::postgres().await;
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    ann.direct(&bob).await;
    let mut events = opens(&bob, Value::Null).await;
    let locked = lock_memberships(&app).await;
    introduces(&ann).await;
    // A new stream cannot be opened.
    let mut waiting = ann.subscribe(EVENTS, Value::Null).await;
    let began = Instant::now();
    rows::sign_out(&app.app, heddle::id::UserId::from_text(&bob.id)).await;
    let closed = timeout(Duration::from_secs(1), async {
        next(&mut events, "SessionEndedEvent").await;
        assert_eq!(events.next_frame().await, Frame::Complete);
        events.next_frame().await
    });
    assert_eq!(
        closed.await.unwrap(),
        Frame::Closed(4401),
        "after {:?}",
        began.elapsed()
    );
    locked.rollback().await.unwrap();
    next(&mut waiting, "StreamOpenedEvent").await;
}
