//! Read receipts: users see how far others have read, if those allow it.

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
    others_see_how_far_a_participant_has_read,
    users_who_hide_presence_send_no_events,
    hidden_messages_notify_no_one,
    large_conversations_send_no_event_per_reader,
    equal_subscriptions_share_one_execution,
    devices_with_equal_subscriptions_keep_their_own_filters,
);

const EVENTS: &str = "subscription($after: String, $only: [ID!]) {
    events(after: $after, filter: { categories: [READ_POSITIONS], conversationIds: $only }) {
        __typename cursor
        ... on ReadPositionChangedEvent { user { username } conversation { id }
            thread { id } readUpTo { body } } } }";
const MARK: &str = "mutation($input: MarkMessagesReadInput!) {
    markMessagesRead(input: $input) { markedCount } }";
const GO_BACK: &str = "mutation($input: MarkUnreadFromInput!) {
    markUnreadFrom(input: $input) { message { id } } }";
const SHARE: &str = "mutation($shares: Boolean!) {
    updatePreferences(input: { sharesReadReceipts: $shares }) {
        viewer { preferences { sharesReadReceipts } } } }";
const SEEN: &str = "query($id: ID!) { conversation(id: $id) { participants(first: 100) {
    nodes { user { username } lastReadMessage { body } } } } }";

struct Recorder(Subscription);

impl Recorder {
    async fn of(who: &Person, after: Value) -> Self {
        Self::opened(who, json!({ "after": after })).await
    }

    async fn opened(who: &Person, variables: Value) -> Self {
        let mut stream = who.subscribe(EVENTS, variables).await;
        let opened = stream.next().await["events"].take();
        assert_eq!(opened["__typename"], "StreamOpenedEvent");
        Self(stream)
    }

    /// Receives the next read position: its user, whether it is in a thread, and the last read message.
    async fn receive(&mut self, who: &Person, is_inside: bool, body: &str) -> Value {
        let event = self.0.next().await["events"].take();
        let received = json!([
            event["user"]["username"],
            event["thread"].is_object(),
            event["readUpTo"]["body"]
        ]);
        assert_eq!(
            received,
            json!([who.username, is_inside, body]),
            "{event:#}"
        );
        event["cursor"].clone()
    }
}

async fn reads(who: &Person, messages: &[&str]) {
    let input = json!({ "messageIds": messages });
    let done = who.execute(MARK, json!({ "input": input })).await;
    let count = json!(messages.len());
    assert_eq!(done["markMessagesRead"]["markedCount"], count);
}

/// How far a user has read, as another user sees it.
async fn sees(who: &Person, other: &Person, conversation: &str) -> Value {
    let data = who.execute(SEEN, json!({ "id": conversation })).await;
    let people = data["conversation"]["participants"]["nodes"].as_array();
    let mut people = people.unwrap().iter();
    let found = people.find(|one| one["user"]["username"] == other.username.as_str());
    found.unwrap()["lastReadMessage"]["body"].clone()
}

async fn others_see_how_far_a_participant_has_read(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    let talk = ann.direct(&bob).await;
    bob.direct(&cleo).await;
    let (mut recorder, mut stranger) = (
        Recorder::of(&ann, Value::Null).await,
        Recorder::of(&cleo, Value::Null).await,
    );
    let (mut here, mut there) = (
        Recorder::of(&bob, Value::Null).await,
        Recorder::of(&bob, Value::Null).await,
    );
    let first = ann.says(&talk, "one").await;
    let second = ann.says(&talk, "two").await;
    let reply = ann.replies(&talk, &first, "inside").await;
    assert_eq!(sees(&ann, &bob, &talk).await, Value::Null);

    reads(&bob, &[&first]).await;
    let cursor = recorder.receive(&bob, false, "one").await;
    assert_eq!(sees(&ann, &bob, &talk).await, "one");
    reads(&bob, &[&reply]).await;
    recorder.receive(&bob, true, "inside").await;
    reads(&bob, &[&second]).await;
    recorder.receive(&bob, false, "two").await;
    bob.execute(GO_BACK, json!({ "input": { "messageId": second } }))
        .await;
    recorder.receive(&bob, false, "one").await;
    assert_eq!(sees(&ann, &bob, &talk).await, "one");

    // Each of his own devices received the same event, once.
    for own in [&mut here, &mut there] {
        own.receive(&bob, false, "one").await;
        own.receive(&bob, true, "inside").await;
        own.receive(&bob, false, "two").await;
        own.receive(&bob, false, "one").await;
    }
    // Ann receives it again when she resumes.
    let mut again = Recorder::of(&ann, cursor).await;
    again.receive(&bob, true, "inside").await;
    again.receive(&bob, false, "two").await;
    again.receive(&bob, false, "one").await;
    // Cleo shares another conversation with Bob.
    let own = cleo.direct(&ann).await;
    let hello = ann.says(&own, "hello").await;
    reads(&cleo, &[&hello]).await;
    stranger.receive(&cleo, false, "hello").await;
}

async fn users_who_hide_presence_send_no_events(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let before = ann.execute("{ eventCursor }", Value::Null).await["eventCursor"].take();
    let (mut recorder, mut own) = (
        Recorder::of(&ann, Value::Null).await,
        Recorder::of(&bob, Value::Null).await,
    );
    let hers = bob.says(&talk, "for Ann").await;
    let [one, two, three] = [
        ann.says(&talk, "one").await,
        ann.says(&talk, "two").await,
        ann.says(&talk, "three").await,
    ];
    reads(&bob, &[&one]).await;
    recorder.receive(&bob, false, "one").await;
    let shared = bob.execute(SHARE, json!({ "shares": false })).await;
    let preferences = &shared["updatePreferences"]["viewer"]["preferences"];
    assert_eq!(preferences["sharesReadReceipts"], false);
    assert_eq!(sees(&ann, &bob, &talk).await, Value::Null);
    reads(&bob, &[&two]).await;
    // Earlier receipts are not replayed: the first event that Ann receives is her own.
    let mut again = Recorder::of(&ann, before).await;
    reads(&ann, &[&hers]).await;
    for recorder in [&mut recorder, &mut again] {
        // Her own messages after it are read too.
        recorder.receive(&ann, false, "three").await;
    }
    bob.execute(SHARE, json!({ "shares": true })).await;
    assert_eq!(sees(&ann, &bob, &talk).await, "two");
    reads(&bob, &[&three]).await;
    recorder.receive(&bob, false, "three").await;
    again.receive(&bob, false, "three").await;
    own.receive(&bob, false, "one").await;
    own.receive(&bob, false, "two").await;
    own.receive(&ann, false, "three").await;
    own.receive(&bob, false, "three").await;
}

async fn hidden_messages_notify_no_one(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    let create = "mutation($input: CreateConversationInput!) {
        createConversation(input: $input) { conversation { id } } }";
    let input =
        json!({ "title": "Loom", "participantIds": [bob.id], "historyVisibility": "FROM_JOINING" });
    let made = ann.execute(create, json!({ "input": input })).await;
    let group = text(&made["createConversation"]["conversation"]["id"]);
    let early = ann.says(&group, "early").await;
    ann.adds(&group, &cleo, "MEMBER").await;
    let (mut hers, mut anns) = (
        Recorder::of(&cleo, Value::Null).await,
        Recorder::of(&ann, Value::Null).await,
    );
    reads(&bob, &[&early]).await;
    anns.receive(&bob, false, "early").await;
    assert_eq!(sees(&cleo, &bob, &group).await, Value::Null);
    let late = ann.says(&group, "late").await;
    reads(&bob, &[&late]).await;
    hers.receive(&bob, false, "late").await;
    anns.receive(&bob, false, "late").await;
    assert_eq!(sees(&cleo, &bob, &group).await, "late");
    // A former participant receives no more receipts.
    let root = ann.says(&group, "last").await;
    ann.removes(&group, &cleo).await;
    reads(&bob, &[&root]).await;
    anns.receive(&bob, false, "last").await;
    let talk = bob.direct(&cleo).await;
    let hello = cleo.says(&talk, "hello").await;
    reads(&bob, &[&hello]).await;
    hers.receive(&bob, false, "hello").await;
}

async fn large_conversations_send_no_event_per_reader(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(Some("Large group"), &[&bob]).await;
    app.db_large_conversation(&group, 98).await;
    let mut recorder = Recorder::of(&ann, Value::Null).await;
    let [one, two] = [ann.says(&group, "one").await, ann.says(&group, "two").await];
    reads(&bob, &[&one]).await;
    recorder.receive(&bob, false, "one").await;
    assert_eq!(sees(&ann, &bob, &group).await, "one");
    ann.adds(&group, &app.person("Cleo").await, "MEMBER").await;
    reads(&bob, &[&two]).await;
    assert_eq!(sees(&ann, &bob, &group).await, Value::Null);
    let talk = bob.direct(&ann).await;
    let hello = ann.says(&talk, "hello").await;
    reads(&bob, &[&hello]).await;
    recorder.receive(&bob, false, "hello").await;
}

async fn equal_subscriptions_share_one_execution(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(Some("Loom"), &[&bob]).await;
    let mut ears = Vec::new();
    for _ in 0..6 {
        ears.push(Recorder::of(&ann, Value::Null).await);
    }
    let one = ann.says(&group, "one").await;
    let made = app.app.hub.payload_cache().rendered();
    reads(&bob, &[&one]).await;
    for recorder in &mut ears {
        recorder.receive(&bob, false, "one").await;
    }
    // The payload is built again for subscribers that are slower than the cache keeps it.
    let made = app.app.hub.payload_cache().rendered() - made;
    assert!((1..6).contains(&made), "{made}");
}

async fn devices_with_equal_subscriptions_keep_their_own_filters(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let (talk, group) = (
        ann.direct(&bob).await,
        ann.creates_group(Some("Loom"), &[&bob]).await,
    );
    let mut wide = Vec::new();
    for _ in 0..6 {
        wide.push(Recorder::of(&bob, Value::Null).await);
    }
    // The last one, so that the event describes the final state.
    let mut narrow = Recorder::opened(&bob, json!({ "only": [group] })).await;
    for body in ["one", "two", "three", "four"] {
        let message = ann.says(&talk, body).await;
        reads(&bob, &[&message]).await;
        for recorder in &mut wide {
            recorder.receive(&bob, false, body).await;
        }
    }
    let message = ann.says(&group, "here").await;
    reads(&bob, &[&message]).await;
    narrow.receive(&bob, false, "here").await;
}
