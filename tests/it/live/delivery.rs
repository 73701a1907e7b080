//! Subscribers receive each other's events, resume, and receive nothing after they lose access.

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
    socket::{Frame, Subscription},
};

both!(
    bob_receives_what_ann_does,
    coming_back_loses_and_repeats_nothing,
    markers_that_vanish_are_announced,
    invalid_cursors_start_again,
    a_removed_participant_receives_no_more_events,
    a_session_that_ends_sends_an_event_on_every_stream,
    a_filter_leaves_the_rest_out,
    notifications_reach_their_recipients,
    a_new_name_reaches_everyone_who_shares_a_conversation,
    only_participants_receive_events_of_a_conversation,
    state_loaded_with_a_cursor_and_events_is_fresh_state
);

const EVENTS: &str = "subscription($after: String, $filter: EventFilter) {
    events(after: $after, filter: $filter) { __typename cursor occurredAt
        ... on StreamOpenedEvent { outcome }
        ... on MessageSentEvent { message { id body sender { username } } }
        ... on MessageEditedEvent { message { id body } }
        ... on MessageDeletedEvent { messageId marker: message { id } conversation { id } }
        ... on ThreadChangedEvent { thread { id replyCount } }
        ... on ConversationJoinedEvent { conversation { id } }
        ... on ConversationLeftEvent { conversationId }
        ... on SessionEndedEvent { reason } } }";

const MESSAGE_SENT: &str = "subscription($id: ID!) { messageSent(conversationId: $id) { body } }";

fn user(person: &Person) -> UserId {
    UserId::from_text(&person.id)
}

/// The event stream of a user.
struct Events(Subscription);

impl Events {
    async fn open(app: &TestApp, who: &Person, variables: Value) -> (Self, Value) {
        let mut events = Self(Subscription::open(app, who, EVENTS, variables).await);
        let opened = events.next().await;
        assert_eq!(opened["__typename"], "StreamOpenedEvent");
        (events, opened)
    }

    /// Returns the next event that is not about notifications or presence, which have their own tests.
    async fn next(&mut self) -> Value {
        loop {
            let event = self.0.next().await["events"].take();
            let kind = event["__typename"].as_str().unwrap_or_default();
            if !kind.starts_with("Notification") && !kind.starts_with("Presence") {
                return event;
            }
        }
    }

    /// Returns the next event, which must be of this kind.
    async fn receive(&mut self, kind: &str) -> Value {
        let event = self.next().await;
        assert_eq!(event["__typename"], kind, "{event:#}");
        event
    }
}

/// `messageSent` sends no event when it begins, so Ann sends messages until one is received. Returns their number.
async fn sends_until_received(
    ann: &Person,
    conversation: &str,
    messages: &mut Subscription,
) -> usize {
    let received = messages.next();
    let mut received = std::pin::pin!(received);
    let mut count = 0;
    loop {
        ann.says(conversation, "for both").await;
        count += 1;
        if let Poll::Ready(event) = futures_util::poll!(received.as_mut()) {
            assert_eq!(event["messageSent"]["body"], "for both");
            return count;
        }
    }
}

/// No event arrives, and then the stream ends.
async fn ends(messages: &mut Subscription) {
    loop {
        match messages.next_frame().await {
            Frame::Next(event) => assert_eq!(event["messageSent"]["body"], "for both"),
            other => return assert_eq!(other, Frame::Complete),
        }
    }
}

async fn bob_receives_what_ann_does(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let (mut events, opened) = Events::open(&app, &bob, Value::Null).await;
    assert_eq!(opened["outcome"], "STARTED");
    let conversation = ann.direct(&bob).await;
    let joined = events.receive("ConversationJoinedEvent").await;
    assert_eq!(joined["conversation"]["id"], json!(conversation));
    let root = ann.says(&conversation, "Hello Bob").await;
    let sent = events.receive("MessageSentEvent").await;
    let message = json!({ "id": root, "body": "Hello Bob", "sender": { "username": "ann" } });
    assert_eq!(sent["message"], message);
    ann.edits(&root, "Hello, Bob").await;
    let edited = events.receive("MessageEditedEvent").await;
    assert_eq!(edited["message"]["body"], "Hello, Bob");
    let reply = ann.replies(&conversation, &root, "Are you there?").await;
    events.receive("MessageSentEvent").await;
    let thread = events.receive("ThreadChangedEvent").await;
    assert_eq!(thread["thread"]["replyCount"], 1);
    ann.deletes(&reply).await;
    let deleted = events.receive("MessageDeletedEvent").await;
    assert_eq!(deleted["messageId"], json!(reply));
    assert_eq!(deleted["marker"], Value::Null);
    assert_eq!(deleted["conversation"]["id"], json!(conversation));
}

async fn coming_back_loses_and_repeats_nothing(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let (events, opened) = Events::open(&app, &bob, Value::Null).await;
    let mut cursor = opened["cursor"].clone();
    let mut events = Some(events);
    let mut received = vec![];
    for number in 0..30 {
        // Bob's connection is interrupted during two of five messages.
        let missed = match number % 5 {
            3 => {
                events = None;
                ann.says(&conversation, &number.to_string()).await;
                continue;
            }
            4 => 2,
            _ => 1,
        };
        ann.says(&conversation, &number.to_string()).await;
        if events.is_none() {
            let after = json!({ "after": cursor });
            let (again, opened) = Events::open(&app, &bob, after).await;
            assert_eq!(opened["outcome"], "RESUMED");
            events = Some(again);
        }
        for _ in 0..missed {
            let event = events.as_mut().unwrap().receive("MessageSentEvent").await;
            received.push(text(&event["message"]["body"]));
            cursor = event["cursor"].clone();
        }
    }
    let output: Vec<_> = (0..30).map(|number| number.to_string()).collect();
    assert_eq!(received, output);
}

async fn markers_that_vanish_are_announced(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let root = ann.says(&conversation, "root").await;
    let middle = ann.replies(&conversation, &root, "middle").await;
    let leaf = ann.replies(&conversation, &middle, "leaf").await;
    let (mut events, _) = Events::open(&app, &bob, Value::Null).await;
    ann.deletes(&root).await;
    let deleted = events.receive("MessageDeletedEvent").await;
    assert_eq!(deleted["marker"], json!({ "id": root }));
    ann.deletes(&middle).await;
    let deleted = events.receive("MessageDeletedEvent").await;
    assert_eq!(deleted["marker"], json!({ "id": middle }));
    events.receive("ThreadChangedEvent").await;
    ann.deletes(&leaf).await;
    for gone in [leaf, middle, root] {
        let deleted = events.receive("MessageDeletedEvent").await;
        assert_eq!(deleted["messageId"], json!(gone));
        assert_eq!(deleted["marker"], Value::Null);
    }
}

async fn invalid_cursors_start_again(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let (_, opened) = Events::open(&app, &ann, Value::Null).await;
    for after in [json!("nothing"), json!(""), opened["cursor"].clone()] {
        let (_, opened) = Events::open(&app, &bob, json!({ "after": after })).await;
        assert_eq!(opened["outcome"], "RESET");
    }
    let conversation = ann.direct(&bob).await;
    let (mut events, opened) = Events::open(&app, &bob, json!({ "after": "x" })).await;
    assert_eq!(opened["outcome"], "RESET");
    ann.says(&conversation, "live again").await;
    events.receive("MessageSentEvent").await;
}

async fn a_removed_participant_receives_no_more_events(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let (mut events, opened) = Events::open(&app, &bob, Value::Null).await;
    let mut messages =
        Subscription::open(&app, &bob, MESSAGE_SENT, json!({ "id": conversation })).await;
    for _ in 0..sends_until_received(&ann, &conversation, &mut messages).await {
        events.receive("MessageSentEvent").await;
    }
    rows::leave(
        &app.app,
        ConversationId::from_text(&conversation),
        user(&bob),
    )
    .await;
    ann.says(&conversation, "for Ann alone").await;
    let other = ann.direct(&app.person("Cleo").await).await;
    ann.says(&other, "elsewhere").await;
    let left = events.receive("ConversationLeftEvent").await;
    assert_eq!(left["conversationId"], json!(conversation));
    ends(&mut messages).await;
    // Missed events are not delivered afterwards either.
    let new = bob.direct(&app.person("Dora").await).await;
    let joined = events.receive("ConversationJoinedEvent").await;
    assert_eq!(joined["conversation"]["id"], json!(new));
    let after = json!({ "after": opened["cursor"] });
    let (mut events, _) = Events::open(&app, &bob, after).await;
    events.receive("ConversationLeftEvent").await;
    events.receive("ConversationJoinedEvent").await;
}

async fn a_session_that_ends_sends_an_event_on_every_stream(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let (mut events, _) = Events::open(&app, &bob, Value::Null).await;
    let mut messages =
        Subscription::open(&app, &bob, MESSAGE_SENT, json!({ "id": conversation })).await;
    let (mut hers, _) = Events::open(&app, &ann, Value::Null).await;
    let count = sends_until_received(&ann, &conversation, &mut messages).await;
    for _ in 0..count {
        events.receive("MessageSentEvent").await;
    }
    rows::sign_out(&app.app, user(&bob)).await;
    let ended = events.receive("SessionEndedEvent").await;
    assert_eq!(ended["reason"], "SIGNED_OUT");
    assert_eq!(events.0.next_frame().await, Frame::Complete);
    assert_eq!(events.0.next_frame().await, Frame::Closed(4401));
    ends(&mut messages).await;
    assert_eq!(messages.next_frame().await, Frame::Closed(4401));
    ann.says(&conversation, "for Ann").await;
    for _ in 0..=count {
        hers.receive("MessageSentEvent").await;
    }
}

async fn a_filter_leaves_the_rest_out(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let other = bob.direct(&app.person("Cleo").await).await;
    let only =
        json!({ "filter": { "conversationIds": [conversation], "categories": ["THREADS"] } });
    let (mut events, _) = Events::open(&app, &bob, only).await;
    let far = bob.says(&other, "elsewhere").await;
    bob.replies(&other, &far, "elsewhere").await;
    let root = ann.says(&conversation, "a root").await;
    ann.replies(&conversation, &root, "a reply").await;
    let thread = events.receive("ThreadChangedEvent").await;
    assert_eq!(thread["thread"]["replyCount"], 1);
    rows::sign_out(&app.app, user(&bob)).await;
    events.receive("SessionEndedEvent").await;
}

/// Opens a stream with this filter for each user, and returns the streams with their first cursors.
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

/// Also subscribers of other conversations receive them, live and after a resume.
async fn notifications_reach_their_recipients(app: TestApp) {
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
    let group = ann.creates_group(Some("Loom"), &[&bob, &cleo]).await;
    ann.says(&group, "for all").await;
    ann.says(&group, "and for @bob").await;
    bob.says(&group, "an answer").await;
    let announced = [
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
    for ((mut live, cursor), (who, announced)) in
        open.into_iter().zip(people.into_iter().zip(announced))
    {
        let after = json!({ "after": cursor, "filter": filter });
        let mut again = Subscription::open(&app, who, NOTIFICATIONS, after).await;
        again.next().await;
        for (kind, body) in announced {
            for events in [&mut live, &mut again] {
                let event = events.next().await["events"].take();
                let notification = &event["notification"];
                assert_eq!(notification["type"], *kind, "{}: {event}", who.username);
                let received = notification["message"]["body"].as_str();
                assert_eq!(received.unwrap_or_default(), *body, "{}", who.username);
            }
        }
    }
}

async fn a_new_name_reaches_everyone_who_shares_a_conversation(app: TestApp) {
    const NAMES: &str = "subscription($after: String, $filter: EventFilter) {
        events(after: $after, filter: $filter) { __typename cursor
            ... on UserChangedEvent { user { displayName } } } }";
    let renames = async |who: &Person, name: &str| {
        let update = "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
            viewer { id } } }";
        who.execute(update, json!({ "input": { "displayName": name } }))
            .await;
    };
    let (ann, bob, cleo) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cleo").await,
    );
    ann.direct(&bob).await;
    // There is one event for any number of shared conversations, also for subscribers of other conversations.
    ann.creates_group(Some("Loom"), &[&bob]).await;
    let elsewhere = bob.direct(&cleo).await;
    let users = json!({ "categories": ["USERS"], "conversationIds": [elsewhere] });
    let people = [&ann, &bob, &cleo];
    let open = each_opens(&app, people, NAMES, &users).await;
    renames(&ann, "Annie").await;
    renames(&ann, "Anna").await;
    renames(&bob, "Bobby").await;
    let received: [&[&str]; 3] = [
        &["Annie", "Anna", "Bobby"],
        &["Annie", "Anna", "Bobby"],
        &["Bobby"],
    ];
    for ((mut names, cursor), (who, received)) in
        open.into_iter().zip(people.into_iter().zip(received))
    {
        // The events are the same live and after a resume. Profiles have their present state.
        let after = json!({ "after": cursor, "filter": users });
        let mut again = Subscription::open(&app, who, NAMES, after).await;
        assert_eq!(
            again.next().await["events"]["__typename"],
            "StreamOpenedEvent"
        );
        for name in received {
            let live = names.next().await["events"]["user"]["displayName"].take();
            let now = name.replace("Annie", "Anna");
            assert!(live == **name || live == now, "{live} {name}");
            let replayed = again.next().await["events"]["user"]["displayName"].take();
            assert_eq!(replayed, now);
        }
    }
}

async fn only_participants_receive_events_of_a_conversation(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let refused = [
        (app.person("Cleo").await, "NOT_FOUND"),
        (app.anonymous(), "UNAUTHENTICATED"),
    ];
    for (stranger, code) in refused {
        let mut messages =
            Subscription::open(&app, &stranger, MESSAGE_SENT, json!({ "id": conversation })).await;
        let Frame::Error(errors) = messages.next_frame().await else {
            panic!("the subscription was accepted");
        };
        assert_eq!(errors[0]["extensions"]["code"], code);
    }
    let mut events = Subscription::open(&app, &app.anonymous(), EVENTS, Value::Null).await;
    let Frame::Error(errors) = events.next_frame().await else {
        panic!("an anonymous subscriber was accepted");
    };
    assert_eq!(errors[0]["extensions"]["code"], "UNAUTHENTICATED");
    let seen = app
        .anonymous()
        .execute("{ eventCursor }", Value::Null)
        .await;
    assert_eq!(seen["eventCursor"], Value::Null);
}

/// Keeps the messages of a conversation as a client does: loads them once, and then applies events.
async fn state_loaded_with_a_cursor_and_events_is_fresh_state(app: TestApp) {
    const STATE: &str = "query($id: ID!) { eventCursor
        conversation(id: $id) { messages(first: 100, includeReplies: true) {
            nodes { id body } } } }";
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let mut roots = vec![];
    for number in 0..5 {
        roots.push(ann.says(&conversation, &format!("before {number}")).await);
    }
    let ids = json!({ "id": conversation });
    let state = bob.execute(STATE, ids.clone()).await;
    let mut messages = state["conversation"]["messages"]["nodes"]
        .as_array()
        .unwrap()
        .clone();
    ann.edits(&roots[0], "changed").await;
    bob.replies(&conversation, &roots[1], "a reply").await;
    ann.deletes(&roots[2]).await;
    ann.deletes(&roots[1]).await;
    let last = ann.says(&conversation, "after").await;
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
                    if event["marker"] == Value::Null {
                        messages.remove(index);
                    } else {
                        messages[index]["body"] = Value::Null;
                    }
                }
            }
            _ => {}
        }
    }
    let fresh = bob.execute(STATE, ids).await;
    let nodes = &fresh["conversation"]["messages"]["nodes"];
    assert_eq!(&json!(messages), nodes);
}
