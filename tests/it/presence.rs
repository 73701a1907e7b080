//! Presence and typing: visible to users who share a conversation, and to no one else.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    messaging::Messaging,
    person::{Person, text},
    socket::Subscription,
};

both!(
    participants_receive_who_joins_and_leaves,
    a_subscription_to_one_conversation_includes_its_participants,
    users_who_hide_presence_appear_offline,
    a_custom_status_expires,
    participants_see_who_is_typing,
    typing_is_visible_to_participants,
    ephemeral_events_move_no_cursor,
);

const EVENTS: &str = "subscription($filter: EventFilter) { events(filter: $filter) {
    __typename cursor
    ... on PresenceChangedEvent { user { username presence statusText } }
    ... on MessageSentEvent { message { body } }
    ... on TypingChangedEvent { conversation { id } thread { id } user { username } expiresAt } } }";
const SEEN: &str = "query($name: String!) { user(by: { username: $name }) {
    presence statusText lastActiveAt } }";
const SET: &str = "mutation($input: SetPresenceInput!) { setPresence(input: $input) {
    user { presence statusText } } }";
const TYPE: &str = "mutation($input: SetTypingInput!) { setTyping(input: $input) { expiresAt } }";
const SHARE: &str = "mutation($shares: Boolean) {
    updatePreferences(input: { sharesPresence: $shares }) {
        viewer { preferences { sharesPresence } } } }";
const ONLINE: &str = "{ users(filter: { onlineOnly: true }) { nodes { username } } }";
const TYPING: &str = "query($id: ID!) { conversation(id: $id) { typing { username } } }";

/// Records the ephemeral events that a user receives, except those about the user.
struct Recorder {
    own: String,
    events: Subscription,
}

impl Recorder {
    async fn of(who: &Person) -> Self {
        let only = json!({ "filter": { "categories": ["PRESENCE", "TYPING"] } });
        let mut events = who.subscribe(EVENTS, only).await;
        assert_eq!(
            events.next().await["events"]["__typename"],
            "StreamOpenedEvent"
        );
        let own = who.username.clone();
        Self { own, events }
    }

    async fn next(&mut self) -> Value {
        loop {
            let event = self.events.next().await["events"].take();
            if event["user"]["username"] != json!(self.own) {
                return event;
            }
        }
    }

    /// Receives the change of this user's status.
    async fn receive(&mut self, who: &Person, status: &str) -> Value {
        let mut event = self.next().await;
        assert_eq!(event["user"]["username"], json!(who.username), "{event:#}");
        assert_eq!(event["user"]["presence"], status, "{event:#}");
        event["user"]["statusText"].take()
    }
}

async fn sees(who: &Person, other: &Person) -> Value {
    let mut data = who.execute(SEEN, json!({ "name": other.username })).await;
    data["user"].take()
}

async fn online(who: &Person) -> Value {
    let mut data = who.execute(ONLINE, Value::Null).await;
    data["users"]["nodes"].take()
}

async fn types(who: &Person, input: Value) -> Value {
    let mut data = who.execute(TYPE, json!({ "input": input })).await;
    data["setTyping"]["expiresAt"].take()
}

async fn participants_receive_who_joins_and_leaves(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    ann.direct(&bob).await;
    assert_eq!(sees(&bob, &ann).await["presence"], "OFFLINE");
    let mut recorder = Recorder::of(&bob).await;
    let mut hers = Recorder::of(&cleo).await;
    let (one, other) = (Recorder::of(&ann).await, Recorder::of(&ann).await);
    recorder.receive(&ann, "ONLINE").await;
    assert_eq!(sees(&bob, &ann).await["presence"], "ONLINE");
    assert_eq!(
        online(&bob).await,
        json!([{ "username": "ann" }, { "username": "bob" }])
    );
    // Strangers see nothing, in any query.
    let nothing = json!({ "presence": "OFFLINE", "statusText": null, "lastActiveAt": null });
    assert_eq!(sees(&cleo, &ann).await, nothing);
    assert_eq!(online(&cleo).await, json!([]));
    // She is offline when her last socket closes, and has a time of last activity then.
    drop(one);
    cleo.direct(&bob).await;
    bob.execute(SET, json!({ "input": { "status": "AWAY" } }))
        .await;
    hers.receive(&bob, "AWAY").await;
    drop(other);
    // Bob knows Cleo's status by now, so he receives only changes.
    recorder.receive(&ann, "OFFLINE").await;
    let seen = sees(&bob, &ann).await;
    assert_eq!(seen["presence"], "OFFLINE");
    assert_ne!(seen["lastActiveAt"], Value::Null);
    assert_eq!(
        online(&bob).await.as_array().unwrap().len(),
        2,
        "Bob and Cleo"
    );
}

async fn a_subscription_to_one_conversation_includes_its_participants(app: TestApp) {
    let (ann, bob, cleo) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cleo").await,
    );
    let conversation = ann.direct(&bob).await;
    ann.direct(&cleo).await;
    let only = json!({ "conversationIds": [conversation], "categories": ["PRESENCE", "USERS"] });
    let mut events = ann.subscribe(EVENTS, json!({ "filter": only })).await;
    let _cleo = Recorder::of(&cleo).await;
    while sees(&ann, &cleo).await["presence"] != "ONLINE" {}
    let _bob = Recorder::of(&bob).await;
    let mut received = vec![];
    while received.last() != Some(&json!("bob")) {
        let mut event = events.next().await["events"].take();
        if event["__typename"] == "PresenceChangedEvent" {
            received.push(event["user"]["username"].take());
        }
    }
    assert_eq!(received, ["ann", "bob"]);
    // A profile belongs to no conversation.
    let update =
        "mutation { updateProfile(input: { displayName: \"Cleopatra\" }) { viewer { id } } }";
    cleo.execute(update, Value::Null).await;
    while events.next().await["events"]["__typename"] != "UserChangedEvent" {}
}

async fn users_who_hide_presence_appear_offline(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    ann.direct(&bob).await;
    let mut recorder = Recorder::of(&bob).await;
    let _hers = Recorder::of(&ann).await;
    recorder.receive(&ann, "ONLINE").await;
    let shared = ann.execute(SHARE, json!({ "shares": false })).await;
    assert_eq!(
        shared["updatePreferences"]["viewer"]["preferences"]["sharesPresence"],
        false
    );
    recorder.receive(&ann, "OFFLINE").await;
    let nothing = json!({ "presence": "OFFLINE", "statusText": null, "lastActiveAt": null });
    assert_eq!(sees(&bob, &ann).await, nothing);
    assert_eq!(online(&bob).await, json!([{ "username": "bob" }]));
    // Her hidden changes send no events; she sees herself online.
    ann.execute(
        SET,
        json!({ "input": { "status": "BUSY", "statusText": "weaving" } }),
    )
    .await;
    assert_eq!(sees(&ann, &ann).await["presence"], "BUSY");
    ann.execute(SHARE, json!({ "shares": true })).await;
    assert_eq!(recorder.receive(&ann, "BUSY").await, "weaving");
    // Hiding temporarily looks the same, but keeps the status text.
    ann.execute(SET, json!({ "input": { "status": "OFFLINE" } }))
        .await;
    assert_eq!(recorder.receive(&ann, "OFFLINE").await, "weaving");
    let seen = sees(&bob, &ann).await;
    assert_eq!(
        (&seen["presence"], &seen["lastActiveAt"]),
        (&json!("OFFLINE"), &Value::Null)
    );
    assert_eq!(online(&bob).await, json!([{ "username": "bob" }]));
}

async fn a_custom_status_expires(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    ann.direct(&bob).await;
    let mut recorder = Recorder::of(&bob).await;
    let _hers = Recorder::of(&ann).await;
    recorder.receive(&ann, "ONLINE").await;
    let until = |time: TimeDelta| (app.app.clock.now() + time).to_rfc3339();
    let long = "x".repeat(101);
    for bad in [
        json!({ "status": "BUSY", "expiresAt": until(-TimeDelta::minutes(1)) }),
        json!({ "status": "BUSY", "statusText": long }),
        json!({ "status": "BUSY", "statusText": "two\nlines" }),
    ] {
        ann.expect_error("BAD_USER_INPUT", SET, json!({ "input": bad }))
            .await;
    }
    let lunch = json!({ "status": "AWAY", "statusText": " lunch ", "expiresAt": until(TimeDelta::minutes(1)) });
    let set = ann.execute(SET, json!({ "input": lunch })).await;
    let user = json!({ "presence": "AWAY", "statusText": "lunch" });
    assert_eq!(set["setPresence"]["user"], user);
    assert_eq!(recorder.receive(&ann, "AWAY").await, "lunch");
    app.app.clock.advance(TimeDelta::minutes(2));
    assert_eq!(recorder.receive(&ann, "ONLINE").await, Value::Null);
    let clear = json!({ "status": "ONLINE", "statusText": null });
    ann.execute(SET, json!({ "input": clear })).await;
    assert_eq!(recorder.receive(&ann, "ONLINE").await, Value::Null);
}

async fn participants_see_who_is_typing(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let mut recorder = Recorder::of(&bob).await;
    let input = json!({ "conversationId": conversation, "isTyping": true });
    let until = types(&ann, input.clone()).await;
    let event = recorder.next().await;
    assert_eq!(event["conversation"]["id"], json!(conversation));
    assert_eq!(
        (&event["expiresAt"], &event["thread"]),
        (&until, &Value::Null)
    );
    let typing = |who: Person| {
        let conversation = conversation.clone();
        async move {
            who.execute(TYPING, json!({ "id": conversation })).await["conversation"]["typing"]
                .take()
        }
    };
    assert_eq!(typing(bob.clone()).await, json!([{ "username": "ann" }]));
    assert_eq!(typing(ann.clone()).await, json!([]));
    // An immediate repetition sends no event; a later one does.
    assert_eq!(types(&ann, input.clone()).await, until);
    app.app.clock.advance(TimeDelta::seconds(7));
    let later = types(&ann, input.clone()).await;
    assert_ne!(later, until);
    assert_eq!(recorder.next().await["expiresAt"], later);
    let stop = json!({ "conversationId": conversation, "isTyping": false });
    assert_eq!(types(&ann, stop.clone()).await, Value::Null);
    assert_eq!(recorder.next().await["expiresAt"], Value::Null);
    assert_eq!(typing(bob.clone()).await, json!([]));
    assert_eq!(types(&ann, stop).await, Value::Null);
    // Typing in a thread does not show in the timeline, and it expires.
    let root = ann.says(&conversation, "a root").await;
    ann.replies(&conversation, &root, "a reply").await;
    let thread = root.replacen("msg_", "thr_", 1);
    let inside = json!({ "conversationId": conversation, "threadId": thread, "isTyping": true });
    types(&ann, inside).await;
    assert_eq!(recorder.next().await["thread"]["id"], json!(thread));
    assert_eq!(typing(bob.clone()).await, json!([]));
    types(&ann, input).await;
    assert_eq!(typing(bob.clone()).await, json!([{ "username": "ann" }]));
    app.app.clock.advance(TimeDelta::seconds(11));
    assert_eq!(typing(bob).await, json!([]));
}

async fn typing_is_visible_to_participants(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    let (conversation, other) = (ann.direct(&bob).await, ann.direct(&cleo).await);
    let root = ann.says(&conversation, "a root").await;
    ann.replies(&conversation, &root, "a reply").await;
    let thread = root.replacen("msg_", "thr_", 1);
    let mut hers = Recorder::of(&cleo).await;
    let outside = json!({ "conversationId": conversation, "isTyping": true });
    cleo.expect_error("NOT_FOUND", TYPE, json!({ "input": outside }))
        .await;
    let elsewhere = json!({ "conversationId": other, "threadId": thread, "isTyping": true });
    for who in [&ann, &cleo] {
        who.expect_error("NOT_FOUND", TYPE, json!({ "input": elsewhere }))
            .await;
    }
    types(
        &ann,
        json!({ "conversationId": conversation, "isTyping": true }),
    )
    .await;
    types(&ann, json!({ "conversationId": other, "isTyping": true })).await;
    assert_eq!(hers.next().await["conversation"]["id"], json!(other));
}

async fn ephemeral_events_move_no_cursor(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let only = json!({ "filter": { "categories": ["MESSAGES", "TYPING"] } });
    let mut events = bob.subscribe(EVENTS, only).await;
    events.next().await;
    ann.says(&conversation, "one").await;
    let sent = events.next().await["events"].take();
    assert_eq!(sent["message"]["body"], "one");
    types(
        &ann,
        json!({ "conversationId": conversation, "isTyping": true }),
    )
    .await;
    let typing = events.next().await["events"].take();
    assert_eq!(typing["__typename"], "TypingChangedEvent");
    assert_eq!(typing["cursor"], sent["cursor"]);
    // Ephemeral events are not replayed after a resume.
    ann.says(&conversation, "two").await;
    let after = "subscription($after: String) { events(after: $after) { __typename
        ... on MessageSentEvent { message { body } } } }";
    let mut again = bob
        .subscribe(after, json!({ "after": text(&typing["cursor"]) }))
        .await;
    let mut kinds = vec![];
    while kinds.last().is_none_or(|kind| kind != "MessageSentEvent") {
        kinds.push(text(&again.next().await["events"]["__typename"]));
    }
    assert!(
        !kinds.contains(&"TypingChangedEvent".to_owned()),
        "{kinds:?}"
    );
}
