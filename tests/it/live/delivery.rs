//! People hear each other, come back, and stop hearing when they may not.

use std::task::Poll;

use heddle::id::{ConversationId, UserId};
use serde_json::{Value, json};

use super::rows;
use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    messaging::Messaging,
    person::{Person, text},
    socket::{Said, Subscription},
};

both!(
    bob_hears_what_ann_does,
    coming_back_loses_and_repeats_nothing,
    markers_that_vanish_are_told_of,
    cursors_that_say_nothing_start_anew,
    whoever_is_removed_hears_no_more,
    a_session_that_ends_says_so_everywhere,
    a_filter_leaves_the_rest_out,
    notifications_come_to_those_they_are_for,
    a_new_name_is_told_to_whoever_shares_a_conversation,
    only_people_inside_hear_a_conversation,
    state_loaded_with_a_cursor_and_events_is_fresh_state
);

const EVENTS: &str = "subscription($after: String, $filter: EventFilter) {
    events(after: $after, filter: $filter) { __typename cursor occurredAt
        ... on StreamOpenedEvent { outcome }
        ... on MessageSentEvent { message { id body sender { username } } }
        ... on MessageEditedEvent { message { id body } }
        ... on MessageDeletedEvent { messageId message { id } conversation { id } }
        ... on ThreadChangedEvent { thread { id replyCount } }
        ... on ConversationJoinedEvent { conversation { id } }
        ... on ConversationLeftEvent { conversationId }
        ... on SessionEndedEvent { reason } } }";

const MESSAGE_SENT: &str = "subscription($id: ID!) { messageSent(conversationId: $id) { body } }";

fn user(person: &Person) -> UserId {
    UserId::from_text(&person.id)
}

/// Somebody's event stream.
struct Events(Subscription);

impl Events {
    async fn open(app: &TestApp, who: &Person, variables: Value) -> (Self, Value) {
        let mut events = Self(Subscription::open(app, who, EVENTS, variables).await);
        let opened = events.next().await;
        assert_eq!(opened["__typename"], "StreamOpenedEvent");
        (events, opened)
    }

    /// The next event that is not about notifications or presence: those have stories of their own.
    async fn next(&mut self) -> Value {
        loop {
            let event = self.0.next().await["events"].take();
            let kind = event["__typename"].as_str().unwrap_or_default();
            if !kind.starts_with("Notification") && !kind.starts_with("Presence") {
                return event;
            }
        }
    }

    /// The next event must be of this kind.
    async fn hears(&mut self, kind: &str) -> Value {
        let event = self.next().await;
        assert_eq!(event["__typename"], kind, "{event:#}");
        event
    }
}

/// `messageSent` says nothing when it begins, so Ann speaks until it is heard; tells how often.
async fn speaks_until_heard(ann: &Person, talk: &str, messages: &mut Subscription) -> usize {
    let heard = messages.next();
    let mut heard = std::pin::pin!(heard);
    let mut count = 0;
    loop {
        ann.says(talk, "for both").await;
        count += 1;
        if let Poll::Ready(event) = futures_util::poll!(heard.as_mut()) {
            assert_eq!(event["messageSent"]["body"], "for both");
            return count;
        }
    }
}

/// Nothing new comes, and then the end.
async fn ends(messages: &mut Subscription) {
    loop {
        match messages.says().await {
            Said::Next(event) => assert_eq!(event["messageSent"]["body"], "for both"),
            other => return assert_eq!(other, Said::Complete),
        }
    }
}

async fn bob_hears_what_ann_does(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let (mut events, opened) = Events::open(&app, &bob, Value::Null).await;
    assert_eq!(opened["outcome"], "STARTED");
    let talk = ann.direct(&bob).await;
    let joined = events.hears("ConversationJoinedEvent").await;
    assert_eq!(joined["conversation"]["id"], json!(talk));
    let root = ann.says(&talk, "Hello Bob").await;
    let sent = events.hears("MessageSentEvent").await;
    let message = json!({ "id": root, "body": "Hello Bob", "sender": { "username": "ann" } });
    assert_eq!(sent["message"], message);
    ann.edits(&root, "Hello, Bob").await;
    let edited = events.hears("MessageEditedEvent").await;
    assert_eq!(edited["message"]["body"], "Hello, Bob");
    let reply = ann.answers(&talk, &root, "Are you there?").await;
    events.hears("MessageSentEvent").await;
    let thread = events.hears("ThreadChangedEvent").await;
    assert_eq!(thread["thread"]["replyCount"], 1);
    ann.deletes(&reply).await;
    let deleted = events.hears("MessageDeletedEvent").await;
    assert_eq!(deleted["messageId"], json!(reply));
    assert_eq!(deleted["message"], Value::Null);
    assert_eq!(deleted["conversation"]["id"], json!(talk));
}

async fn coming_back_loses_and_repeats_nothing(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let (events, opened) = Events::open(&app, &bob, Value::Null).await;
    let mut cursor = opened["cursor"].clone();
    let mut events = Some(events);
    let mut heard = vec![];
    for number in 0..30 {
        // Bob's connection is gone for two messages of five.
        let missed = match number % 5 {
            3 => {
                events = None;
                ann.says(&talk, &number.to_string()).await;
                continue;
            }
            4 => 2,
            _ => 1,
        };
        ann.says(&talk, &number.to_string()).await;
        if events.is_none() {
            let after = json!({ "after": cursor });
            let (again, opened) = Events::open(&app, &bob, after).await;
            assert_eq!(opened["outcome"], "RESUMED");
            events = Some(again);
        }
        for _ in 0..missed {
            let event = events.as_mut().unwrap().hears("MessageSentEvent").await;
            heard.push(text(&event["message"]["body"]));
            cursor = event["cursor"].clone();
        }
    }
    let said: Vec<_> = (0..30).map(|number| number.to_string()).collect();
    assert_eq!(heard, said);
}

async fn markers_that_vanish_are_told_of(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let root = ann.says(&talk, "root").await;
    let middle = ann.answers(&talk, &root, "middle").await;
    let leaf = ann.answers(&talk, &middle, "leaf").await;
    let (mut events, _) = Events::open(&app, &bob, Value::Null).await;
    ann.deletes(&root).await;
    let deleted = events.hears("MessageDeletedEvent").await;
    assert_eq!(deleted["message"], json!({ "id": root }));
    ann.deletes(&middle).await;
    let deleted = events.hears("MessageDeletedEvent").await;
    assert_eq!(deleted["message"], json!({ "id": middle }));
    events.hears("ThreadChangedEvent").await;
    ann.deletes(&leaf).await;
    for gone in [leaf, middle, root] {
        let deleted = events.hears("MessageDeletedEvent").await;
        assert_eq!(deleted["messageId"], json!(gone));
        assert_eq!(deleted["message"], Value::Null);
    }
}

async fn cursors_that_say_nothing_start_anew(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let (_, opened) = Events::open(&app, &ann, Value::Null).await;
    for after in [json!("nothing"), json!(""), opened["cursor"].clone()] {
        let (_, opened) = Events::open(&app, &bob, json!({ "after": after })).await;
        assert_eq!(opened["outcome"], "RESET");
    }
    let talk = ann.direct(&bob).await;
    let (mut events, opened) = Events::open(&app, &bob, json!({ "after": "x" })).await;
    assert_eq!(opened["outcome"], "RESET");
    ann.says(&talk, "live again").await;
    events.hears("MessageSentEvent").await;
}

async fn whoever_is_removed_hears_no_more(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let (mut events, opened) = Events::open(&app, &bob, Value::Null).await;
    let mut messages = Subscription::open(&app, &bob, MESSAGE_SENT, json!({ "id": talk })).await;
    for _ in 0..speaks_until_heard(&ann, &talk, &mut messages).await {
        events.hears("MessageSentEvent").await;
    }
    rows::leave(&app.app, ConversationId::from_text(&talk), user(&bob)).await;
    ann.says(&talk, "for Ann alone").await;
    let other = ann.direct(&app.person("Cleo").await).await;
    ann.says(&other, "elsewhere").await;
    let left = events.hears("ConversationLeftEvent").await;
    assert_eq!(left["conversationId"], json!(talk));
    ends(&mut messages).await;
    // What he had missed is not told afterwards either.
    let new = bob.direct(&app.person("Dora").await).await;
    let joined = events.hears("ConversationJoinedEvent").await;
    assert_eq!(joined["conversation"]["id"], json!(new));
    let after = json!({ "after": opened["cursor"] });
    let (mut events, _) = Events::open(&app, &bob, after).await;
    events.hears("ConversationLeftEvent").await;
    events.hears("ConversationJoinedEvent").await;
}

async fn a_session_that_ends_says_so_everywhere(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let (mut events, _) = Events::open(&app, &bob, Value::Null).await;
    let mut messages = Subscription::open(&app, &bob, MESSAGE_SENT, json!({ "id": talk })).await;
    let (mut hers, _) = Events::open(&app, &ann, Value::Null).await;
    let count = speaks_until_heard(&ann, &talk, &mut messages).await;
    for _ in 0..count {
        events.hears("MessageSentEvent").await;
    }
    rows::sign_out(&app.app, user(&bob)).await;
    let ended = events.hears("SessionEndedEvent").await;
    assert_eq!(ended["reason"], "SIGNED_OUT");
    assert_eq!(events.0.says().await, Said::Complete);
    assert_eq!(events.0.says().await, Said::Closed(4401));
    ends(&mut messages).await;
    assert_eq!(messages.says().await, Said::Closed(4401));
    ann.says(&talk, "for Ann").await;
    for _ in 0..=count {
        hers.hears("MessageSentEvent").await;
    }
}

async fn a_filter_leaves_the_rest_out(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let other = bob.direct(&app.person("Cleo").await).await;
    let only = json!({ "filter": { "conversationIds": [talk], "categories": ["THREADS"] } });
    let (mut events, _) = Events::open(&app, &bob, only).await;
    let far = bob.says(&other, "elsewhere").await;
    bob.answers(&other, &far, "elsewhere").await;
    let root = ann.says(&talk, "a root").await;
    ann.answers(&talk, &root, "a reply").await;
    let thread = events.hears("ThreadChangedEvent").await;
    assert_eq!(thread["thread"]["replyCount"], 1);
    rows::sign_out(&app.app, user(&bob)).await;
    events.hears("SessionEndedEvent").await;
}

/// Each of them listens with this filter: their streams, and the cursors from which they begin.
async fn each_opens<const N: usize>(
    app: &TestApp,
    people: [&Person; N],
    query: &str,
    filter: &Value,
) -> Vec<(Subscription, Value)> {
    let mut open = Vec::new();
    for who in people {
        let variables = json!({ "filter": filter });
        let mut events = Subscription::open(app, who, query, variables).await;
        let opened = events.next().await["events"].take();
        open.push((events, opened["cursor"].clone()));
    }
    open
}

/// Also to those who listen to other conversations only, live and after coming back alike.
async fn notifications_come_to_those_they_are_for(app: TestApp) {
    const NOTIFICATIONS: &str = "subscription($after: String, $filter: EventFilter) {
        events(after: $after, filter: $filter) { __typename cursor
            ... on NotificationAddedEvent { notification { type message { body } } } } }";
    let (ann, bob, cleo) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cleo").await,
    );
    let elsewhere = bob.direct(&cleo).await;
    let filter = json!({ "categories": ["NOTIFICATIONS"], "conversationIds": [elsewhere] });
    let people = [&ann, &bob, &cleo];
    let open = each_opens(&app, people, NOTIFICATIONS, &filter).await;
    let group = ann.founds(Some("Loom"), &[&bob, &cleo]).await;
    ann.says(&group, "for all").await;
    ann.says(&group, "and for @bob").await;
    bob.says(&group, "an answer").await;
    let told = [
        &[("MESSAGE", "an answer")][..],
        &[
            ("ADDED_TO_CONVERSATION", ""),
            ("MESSAGE", "for all"),
            ("MENTION", "and for @bob"),
        ],
        &[
            ("ADDED_TO_CONVERSATION", ""),
            ("MESSAGE", "for all"),
            ("MESSAGE", "and for @bob"),
            ("MESSAGE", "an answer"),
        ],
    ];
    for ((mut live, cursor), (who, told)) in open.into_iter().zip(people.into_iter().zip(told)) {
        let after = json!({ "after": cursor, "filter": filter });
        let mut again = Subscription::open(&app, who, NOTIFICATIONS, after).await;
        again.next().await;
        for (kind, body) in told {
            for events in [&mut live, &mut again] {
                let event = events.next().await["events"].take();
                let notification = &event["notification"];
                assert_eq!(notification["type"], *kind, "{}: {event}", who.username);
                let heard = notification["message"]["body"].as_str();
                assert_eq!(heard.unwrap_or_default(), *body, "{}", who.username);
            }
        }
    }
}

async fn a_new_name_is_told_to_whoever_shares_a_conversation(app: TestApp) {
    const NAMES: &str = "subscription($after: String, $filter: EventFilter) {
        events(after: $after, filter: $filter) { __typename cursor
            ... on UserChangedEvent { user { displayName } } } }";
    let renames = async |who: &Person, name: &str| {
        let update = "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
            viewer { id } } }";
        who.asks(update, json!({ "input": { "displayName": name } }))
            .await;
    };
    let (ann, bob, cleo) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cleo").await,
    );
    ann.direct(&bob).await;
    // One event, however many conversations they share, also to those who listen to others only.
    ann.founds(Some("Loom"), &[&bob]).await;
    let elsewhere = bob.direct(&cleo).await;
    let users = json!({ "categories": ["USERS"], "conversationIds": [elsewhere] });
    let people = [&ann, &bob, &cleo];
    let open = each_opens(&app, people, NAMES, &users).await;
    renames(&ann, "Annie").await;
    renames(&ann, "Anna").await;
    renames(&bob, "Bobby").await;
    let heard: [&[&str]; 3] = [
        &["Annie", "Anna", "Bobby"],
        &["Annie", "Anna", "Bobby"],
        &["Bobby"],
    ];
    for ((mut names, cursor), (who, heard)) in open.into_iter().zip(people.into_iter().zip(heard)) {
        // Live and after coming back alike. Profiles are told as they are now.
        let after = json!({ "after": cursor, "filter": users });
        let mut again = Subscription::open(&app, who, NAMES, after).await;
        assert_eq!(
            again.next().await["events"]["__typename"],
            "StreamOpenedEvent"
        );
        for name in heard {
            let live = names.next().await["events"]["user"]["displayName"].take();
            let now = name.replace("Annie", "Anna");
            assert!(live == **name || live == now, "{live} {name}");
            let replayed = again.next().await["events"]["user"]["displayName"].take();
            assert_eq!(replayed, now);
        }
    }
}

async fn only_people_inside_hear_a_conversation(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let refused = [
        (app.person("Cleo").await, "NOT_FOUND"),
        (app.nobody(), "UNAUTHENTICATED"),
    ];
    for (stranger, code) in refused {
        let mut messages =
            Subscription::open(&app, &stranger, MESSAGE_SENT, json!({ "id": talk })).await;
        let Said::Error(errors) = messages.says().await else {
            panic!("it was let in");
        };
        assert_eq!(errors[0]["extensions"]["code"], code);
    }
    let mut events = Subscription::open(&app, &app.nobody(), EVENTS, Value::Null).await;
    let Said::Error(errors) = events.says().await else {
        panic!("nobody was let in");
    };
    assert_eq!(errors[0]["extensions"]["code"], "UNAUTHENTICATED");
    let seen = app.nobody().asks("{ eventCursor }", Value::Null).await;
    assert_eq!(seen["eventCursor"], Value::Null);
}

/// What a client does that keeps a conversation's messages: it loads them once, then applies events.
async fn state_loaded_with_a_cursor_and_events_is_fresh_state(app: TestApp) {
    const STATE: &str = "query($id: ID!) { eventCursor
        conversation(id: $id) { messages(first: 100, includeReplies: true) {
            nodes { id body } } } }";
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let mut roots = vec![];
    for number in 0..5 {
        roots.push(ann.says(&talk, &format!("before {number}")).await);
    }
    let ids = json!({ "id": talk });
    let state = bob.asks(STATE, ids.clone()).await;
    let mut messages = state["conversation"]["messages"]["nodes"]
        .as_array()
        .unwrap()
        .clone();
    ann.edits(&roots[0], "changed").await;
    bob.answers(&talk, &roots[1], "a reply").await;
    ann.deletes(&roots[2]).await;
    ann.deletes(&roots[1]).await;
    let last = ann.says(&talk, "after").await;
    ann.edits(&last, "after all").await;
    let after = json!({ "after": state["eventCursor"] });
    let (mut events, opened) = Events::open(&app, &bob, after).await;
    assert_eq!(opened["outcome"], "RESUMED");
    loop {
        let event = events.next().await;
        let place = |id: &Value| messages.iter().position(|message| message["id"] == *id);
        match text(&event["__typename"]).as_str() {
            "MessageSentEvent" | "MessageEditedEvent" => {
                let (id, body) = (&event["message"]["id"], &event["message"]["body"]);
                let message = json!({ "id": id, "body": body });
                match place(id) {
                    Some(index) => messages[index] = message,
                    None => messages.push(message),
                }
                if event["__typename"] == "MessageEditedEvent" && *id == json!(last) {
                    break;
                }
            }
            "MessageDeletedEvent" => {
                if let Some(index) = place(&event["messageId"]) {
                    if event["message"] == Value::Null {
                        messages.remove(index);
                    } else {
                        messages[index]["body"] = Value::Null;
                    }
                }
            }
            _ => {}
        }
    }
    let fresh = bob.asks(STATE, ids).await;
    let nodes = &fresh["conversation"]["messages"]["nodes"];
    assert_eq!(&json!(messages), nodes);
}
