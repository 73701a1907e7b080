//! Who is around and who is typing: told to those who share a conversation, and to nobody else.

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
    people_hear_who_comes_and_goes,
    a_page_of_one_conversation_hears_of_its_people,
    whoever_does_not_share_is_offline,
    a_state_of_ones_own_lapses,
    people_see_who_is_typing,
    typing_is_for_people_inside,
    fleeting_events_move_no_cursor,
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

/// Somebody listens to what is fleeting, but for news of themselves.
struct Ear {
    own: String,
    events: Subscription,
}

impl Ear {
    async fn of(who: &Person) -> Self {
        let only = json!({ "filter": { "categories": ["PRESENCE", "TYPING"] } });
        let mut events = who.subscribes(EVENTS, only).await;
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

    /// Hears that this person is now so.
    async fn hears(&mut self, who: &Person, status: &str) -> Value {
        let mut event = self.next().await;
        assert_eq!(event["user"]["username"], json!(who.username), "{event:#}");
        assert_eq!(event["user"]["presence"], status, "{event:#}");
        event["user"]["statusText"].take()
    }
}

async fn sees(who: &Person, other: &Person) -> Value {
    let mut data = who.asks(SEEN, json!({ "name": other.username })).await;
    data["user"].take()
}

async fn online(who: &Person) -> Value {
    let mut data = who.asks(ONLINE, Value::Null).await;
    data["users"]["nodes"].take()
}

async fn types(who: &Person, input: Value) -> Value {
    let mut data = who.asks(TYPE, json!({ "input": input })).await;
    data["setTyping"]["expiresAt"].take()
}

async fn people_hear_who_comes_and_goes(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    ann.direct(&bob).await;
    assert_eq!(sees(&bob, &ann).await["presence"], "OFFLINE");
    let mut ear = Ear::of(&bob).await;
    let mut hers = Ear::of(&cleo).await;
    let (one, other) = (Ear::of(&ann).await, Ear::of(&ann).await);
    ear.hears(&ann, "ONLINE").await;
    assert_eq!(sees(&bob, &ann).await["presence"], "ONLINE");
    assert_eq!(
        online(&bob).await,
        json!([{ "username": "ann" }, { "username": "bob" }])
    );
    // Strangers are told nothing, in whatever way they ask.
    let nothing = json!({ "presence": "OFFLINE", "statusText": null, "lastActiveAt": null });
    assert_eq!(sees(&cleo, &ann).await, nothing);
    assert_eq!(online(&cleo).await, json!([]));
    // She is gone when her last socket is; and then it is known since when.
    drop(one);
    cleo.direct(&bob).await;
    bob.asks(SET, json!({ "input": { "status": "AWAY" } }))
        .await;
    hers.hears(&bob, "AWAY").await;
    drop(other);
    // Bob hears of Cleo, whom he knows by now, only what changes.
    ear.hears(&ann, "OFFLINE").await;
    let seen = sees(&bob, &ann).await;
    assert_eq!(seen["presence"], "OFFLINE");
    assert_ne!(seen["lastActiveAt"], Value::Null);
    assert_eq!(
        online(&bob).await.as_array().unwrap().len(),
        2,
        "Bob and Cleo"
    );
}

async fn a_page_of_one_conversation_hears_of_its_people(app: TestApp) {
    let (ann, bob, cleo) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cleo").await,
    );
    let talk = ann.direct(&bob).await;
    ann.direct(&cleo).await;
    let only = json!({ "conversationIds": [talk], "categories": ["PRESENCE", "USERS"] });
    let mut events = ann.subscribes(EVENTS, json!({ "filter": only })).await;
    let _cleo = Ear::of(&cleo).await;
    while sees(&ann, &cleo).await["presence"] != "ONLINE" {}
    let _bob = Ear::of(&bob).await;
    let mut heard = vec![];
    while heard.last() != Some(&json!("bob")) {
        let mut event = events.next().await["events"].take();
        if event["__typename"] == "PresenceChangedEvent" {
            heard.push(event["user"]["username"].take());
        }
    }
    assert_eq!(heard, ["ann", "bob"]);
    // A profile is of no conversation.
    let update =
        "mutation { updateProfile(input: { displayName: \"Cleopatra\" }) { viewer { id } } }";
    cleo.asks(update, Value::Null).await;
    while events.next().await["events"]["__typename"] != "UserChangedEvent" {}
}

async fn whoever_does_not_share_is_offline(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    ann.direct(&bob).await;
    let mut ear = Ear::of(&bob).await;
    let _hers = Ear::of(&ann).await;
    ear.hears(&ann, "ONLINE").await;
    let shared = ann.asks(SHARE, json!({ "shares": false })).await;
    assert_eq!(
        shared["updatePreferences"]["viewer"]["preferences"]["sharesPresence"],
        false
    );
    ear.hears(&ann, "OFFLINE").await;
    let nothing = json!({ "presence": "OFFLINE", "statusText": null, "lastActiveAt": null });
    assert_eq!(sees(&bob, &ann).await, nothing);
    assert_eq!(online(&bob).await, json!([{ "username": "bob" }]));
    // What she changes unseen is not told; to herself she is around.
    ann.asks(
        SET,
        json!({ "input": { "status": "BUSY", "statusText": "weaving" } }),
    )
    .await;
    assert_eq!(sees(&ann, &ann).await["presence"], "BUSY");
    ann.asks(SHARE, json!({ "shares": true })).await;
    assert_eq!(ear.hears(&ann, "BUSY").await, "weaving");
    // Hiding for a while looks the same, but keeps the words.
    ann.asks(SET, json!({ "input": { "status": "OFFLINE" } }))
        .await;
    assert_eq!(ear.hears(&ann, "OFFLINE").await, "weaving");
    let seen = sees(&bob, &ann).await;
    assert_eq!(
        (&seen["presence"], &seen["lastActiveAt"]),
        (&json!("OFFLINE"), &Value::Null)
    );
    assert_eq!(online(&bob).await, json!([{ "username": "bob" }]));
}

async fn a_state_of_ones_own_lapses(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    ann.direct(&bob).await;
    let mut ear = Ear::of(&bob).await;
    let _hers = Ear::of(&ann).await;
    ear.hears(&ann, "ONLINE").await;
    let until = |time: TimeDelta| (app.app.clock.now() + time).to_rfc3339();
    let long = "x".repeat(101);
    for bad in [
        json!({ "status": "BUSY", "expiresAt": until(-TimeDelta::minutes(1)) }),
        json!({ "status": "BUSY", "statusText": long }),
        json!({ "status": "BUSY", "statusText": "two\nlines" }),
    ] {
        ann.is_refused("BAD_USER_INPUT", SET, json!({ "input": bad }))
            .await;
    }
    let lunch = json!({ "status": "AWAY", "statusText": " lunch ", "expiresAt": until(TimeDelta::minutes(1)) });
    let set = ann.asks(SET, json!({ "input": lunch })).await;
    let user = json!({ "presence": "AWAY", "statusText": "lunch" });
    assert_eq!(set["setPresence"]["user"], user);
    assert_eq!(ear.hears(&ann, "AWAY").await, "lunch");
    app.app.clock.advance(TimeDelta::minutes(2));
    assert_eq!(ear.hears(&ann, "ONLINE").await, Value::Null);
    let clear = json!({ "status": "ONLINE", "statusText": null });
    ann.asks(SET, json!({ "input": clear })).await;
    assert_eq!(ear.hears(&ann, "ONLINE").await, Value::Null);
}

async fn people_see_who_is_typing(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let mut ear = Ear::of(&bob).await;
    let input = json!({ "conversationId": talk, "isTyping": true });
    let until = types(&ann, input.clone()).await;
    let event = ear.next().await;
    assert_eq!(event["conversation"]["id"], json!(talk));
    assert_eq!(
        (&event["expiresAt"], &event["thread"]),
        (&until, &Value::Null)
    );
    let typing = |who: Person| {
        let talk = talk.clone();
        async move { who.asks(TYPING, json!({ "id": talk })).await["conversation"]["typing"].take() }
    };
    assert_eq!(typing(bob.clone()).await, json!([{ "username": "ann" }]));
    assert_eq!(typing(ann.clone()).await, json!([]));
    // Said again at once, it is nothing new; a while later it is.
    assert_eq!(types(&ann, input.clone()).await, until);
    app.app.clock.advance(TimeDelta::seconds(7));
    let later = types(&ann, input.clone()).await;
    assert_ne!(later, until);
    assert_eq!(ear.next().await["expiresAt"], later);
    let stop = json!({ "conversationId": talk, "isTyping": false });
    assert_eq!(types(&ann, stop.clone()).await, Value::Null);
    assert_eq!(ear.next().await["expiresAt"], Value::Null);
    assert_eq!(typing(bob.clone()).await, json!([]));
    assert_eq!(types(&ann, stop).await, Value::Null);
    // In a thread it is not in the timeline; and it lapses by itself.
    let root = ann.says(&talk, "a root").await;
    ann.answers(&talk, &root, "a reply").await;
    let thread = root.replacen("msg_", "thr_", 1);
    let inside = json!({ "conversationId": talk, "threadId": thread, "isTyping": true });
    types(&ann, inside).await;
    assert_eq!(ear.next().await["thread"]["id"], json!(thread));
    assert_eq!(typing(bob.clone()).await, json!([]));
    types(&ann, input).await;
    assert_eq!(typing(bob.clone()).await, json!([{ "username": "ann" }]));
    app.app.clock.advance(TimeDelta::seconds(11));
    assert_eq!(typing(bob).await, json!([]));
}

async fn typing_is_for_people_inside(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    let (talk, other) = (ann.direct(&bob).await, ann.direct(&cleo).await);
    let root = ann.says(&talk, "a root").await;
    ann.answers(&talk, &root, "a reply").await;
    let thread = root.replacen("msg_", "thr_", 1);
    let mut hers = Ear::of(&cleo).await;
    let outside = json!({ "conversationId": talk, "isTyping": true });
    cleo.is_refused("NOT_FOUND", TYPE, json!({ "input": outside }))
        .await;
    let elsewhere = json!({ "conversationId": other, "threadId": thread, "isTyping": true });
    for who in [&ann, &cleo] {
        who.is_refused("NOT_FOUND", TYPE, json!({ "input": elsewhere }))
            .await;
    }
    types(&ann, json!({ "conversationId": talk, "isTyping": true })).await;
    types(&ann, json!({ "conversationId": other, "isTyping": true })).await;
    assert_eq!(hers.next().await["conversation"]["id"], json!(other));
}

async fn fleeting_events_move_no_cursor(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let only = json!({ "filter": { "categories": ["MESSAGES", "TYPING"] } });
    let mut events = bob.subscribes(EVENTS, only).await;
    events.next().await;
    ann.says(&talk, "one").await;
    let sent = events.next().await["events"].take();
    assert_eq!(sent["message"]["body"], "one");
    types(&ann, json!({ "conversationId": talk, "isTyping": true })).await;
    let typing = events.next().await["events"].take();
    assert_eq!(typing["__typename"], "TypingChangedEvent");
    assert_eq!(typing["cursor"], sent["cursor"]);
    // Nothing of it is kept for whoever comes back.
    ann.says(&talk, "two").await;
    let after = "subscription($after: String) { events(after: $after) { __typename
        ... on MessageSentEvent { message { body } } } }";
    let mut again = bob
        .subscribes(after, json!({ "after": text(&typing["cursor"]) }))
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
