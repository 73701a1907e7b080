//! People see how far others have read, when those wish it.

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
    others_hear_how_far_somebody_has_read,
    whoever_does_not_share_is_not_told_of,
    nobody_is_told_by_what_they_cannot_see,
    crowds_are_not_told_of_each_reader,
    listeners_who_ask_alike_are_told_by_one_execution,
    devices_that_ask_alike_keep_to_their_own_filters,
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

struct Ear(Subscription);

impl Ear {
    async fn of(who: &Person, after: Value) -> Self {
        Self::opened(who, json!({ "after": after })).await
    }

    async fn opened(who: &Person, variables: Value) -> Self {
        let mut stream = who.subscribes(EVENTS, variables).await;
        let opened = stream.next().await["events"].take();
        assert_eq!(opened["__typename"], "StreamOpenedEvent");
        Self(stream)
    }

    /// The next read position: whose, in a thread or not, and the last message behind it.
    async fn hears(&mut self, who: &Person, is_inside: bool, body: &str) -> Value {
        let event = self.0.next().await["events"].take();
        let told = json!([
            event["user"]["username"],
            event["thread"].is_object(),
            event["readUpTo"]["body"]
        ]);
        assert_eq!(told, json!([who.username, is_inside, body]), "{event:#}");
        event["cursor"].clone()
    }
}

async fn reads(who: &Person, messages: &[&str]) {
    let input = json!({ "messageIds": messages });
    let done = who.asks(MARK, json!({ "input": input })).await;
    let count = json!(messages.len());
    assert_eq!(done["markMessagesRead"]["markedCount"], count);
}

/// How far somebody has read, as another sees it.
async fn sees(who: &Person, other: &Person, conversation: &str) -> Value {
    let data = who.asks(SEEN, json!({ "id": conversation })).await;
    let people = data["conversation"]["participants"]["nodes"].as_array();
    let mut people = people.unwrap().iter();
    let found = people.find(|one| one["user"]["username"] == other.username.as_str());
    found.unwrap()["lastReadMessage"]["body"].clone()
}

async fn others_hear_how_far_somebody_has_read(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    let talk = ann.direct(&bob).await;
    bob.direct(&cleo).await;
    let (mut ear, mut stranger) = (
        Ear::of(&ann, Value::Null).await,
        Ear::of(&cleo, Value::Null).await,
    );
    let (mut here, mut there) = (
        Ear::of(&bob, Value::Null).await,
        Ear::of(&bob, Value::Null).await,
    );
    let first = ann.says(&talk, "one").await;
    let second = ann.says(&talk, "two").await;
    let reply = ann.answers(&talk, &first, "inside").await;
    assert_eq!(sees(&ann, &bob, &talk).await, Value::Null);

    reads(&bob, &[&first]).await;
    let cursor = ear.hears(&bob, false, "one").await;
    assert_eq!(sees(&ann, &bob, &talk).await, "one");
    reads(&bob, &[&reply]).await;
    ear.hears(&bob, true, "inside").await;
    reads(&bob, &[&second]).await;
    ear.hears(&bob, false, "two").await;
    bob.asks(GO_BACK, json!({ "input": { "messageId": second } }))
        .await;
    ear.hears(&bob, false, "one").await;
    assert_eq!(sees(&ann, &bob, &talk).await, "one");

    // Each of his own devices heard the same, once.
    for own in [&mut here, &mut there] {
        own.hears(&bob, false, "one").await;
        own.hears(&bob, true, "inside").await;
        own.hears(&bob, false, "two").await;
        own.hears(&bob, false, "one").await;
    }
    // And Ann hears it again when she resumes.
    let mut again = Ear::of(&ann, cursor).await;
    again.hears(&bob, true, "inside").await;
    again.hears(&bob, false, "two").await;
    again.hears(&bob, false, "one").await;
    // Cleo knows Bob, but has no part in it.
    let own = cleo.direct(&ann).await;
    let hello = ann.says(&own, "hello").await;
    reads(&cleo, &[&hello]).await;
    stranger.hears(&cleo, false, "hello").await;
}

async fn whoever_does_not_share_is_not_told_of(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let before = ann.asks("{ eventCursor }", Value::Null).await["eventCursor"].take();
    let (mut ear, mut own) = (
        Ear::of(&ann, Value::Null).await,
        Ear::of(&bob, Value::Null).await,
    );
    let hers = bob.says(&talk, "for Ann").await;
    let [one, two, three] = [
        ann.says(&talk, "one").await,
        ann.says(&talk, "two").await,
        ann.says(&talk, "three").await,
    ];
    reads(&bob, &[&one]).await;
    ear.hears(&bob, false, "one").await;
    let shared = bob.asks(SHARE, json!({ "shares": false })).await;
    let preferences = &shared["updatePreferences"]["viewer"]["preferences"];
    assert_eq!(preferences["sharesReadReceipts"], false);
    assert_eq!(sees(&ann, &bob, &talk).await, Value::Null);
    reads(&bob, &[&two]).await;
    // What was shared then is not told now: the first that Ann hears anew is her own.
    let mut again = Ear::of(&ann, before).await;
    reads(&ann, &[&hers]).await;
    for ear in [&mut ear, &mut again] {
        // Her own messages behind it are read too.
        ear.hears(&ann, false, "three").await;
    }
    bob.asks(SHARE, json!({ "shares": true })).await;
    assert_eq!(sees(&ann, &bob, &talk).await, "two");
    reads(&bob, &[&three]).await;
    ear.hears(&bob, false, "three").await;
    again.hears(&bob, false, "three").await;
    own.hears(&bob, false, "one").await;
    own.hears(&bob, false, "two").await;
    own.hears(&ann, false, "three").await;
    own.hears(&bob, false, "three").await;
}

async fn nobody_is_told_by_what_they_cannot_see(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    let create = "mutation($input: CreateConversationInput!) {
        createConversation(input: $input) { conversation { id } } }";
    let input =
        json!({ "title": "Loom", "participantIds": [bob.id], "historyVisibility": "FROM_JOINING" });
    let made = ann.asks(create, json!({ "input": input })).await;
    let group = text(&made["createConversation"]["conversation"]["id"]);
    let early = ann.says(&group, "early").await;
    ann.adds(&group, &cleo, "MEMBER").await;
    let (mut hers, mut anns) = (
        Ear::of(&cleo, Value::Null).await,
        Ear::of(&ann, Value::Null).await,
    );
    reads(&bob, &[&early]).await;
    anns.hears(&bob, false, "early").await;
    assert_eq!(sees(&cleo, &bob, &group).await, Value::Null);
    let late = ann.says(&group, "late").await;
    reads(&bob, &[&late]).await;
    hers.hears(&bob, false, "late").await;
    anns.hears(&bob, false, "late").await;
    assert_eq!(sees(&cleo, &bob, &group).await, "late");
    // Who left hears no more of it.
    let root = ann.says(&group, "last").await;
    ann.removes(&group, &cleo).await;
    reads(&bob, &[&root]).await;
    anns.hears(&bob, false, "last").await;
    let talk = bob.direct(&cleo).await;
    let hello = cleo.says(&talk, "hello").await;
    reads(&bob, &[&hello]).await;
    hers.hears(&bob, false, "hello").await;
}

async fn crowds_are_not_told_of_each_reader(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.founds(Some("Crowd"), &[&bob]).await;
    app.db_crowd(&group, 98).await;
    let mut ear = Ear::of(&ann, Value::Null).await;
    let [one, two] = [ann.says(&group, "one").await, ann.says(&group, "two").await];
    reads(&bob, &[&one]).await;
    ear.hears(&bob, false, "one").await;
    assert_eq!(sees(&ann, &bob, &group).await, "one");
    ann.adds(&group, &app.person("Cleo").await, "MEMBER").await;
    reads(&bob, &[&two]).await;
    assert_eq!(sees(&ann, &bob, &group).await, Value::Null);
    let talk = bob.direct(&ann).await;
    let hello = ann.says(&talk, "hello").await;
    reads(&bob, &[&hello]).await;
    ear.hears(&bob, false, "hello").await;
}

async fn listeners_who_ask_alike_are_told_by_one_execution(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.founds(Some("Loom"), &[&bob]).await;
    let mut ears = Vec::new();
    for _ in 0..6 {
        ears.push(Ear::of(&ann, Value::Null).await);
    }
    let one = ann.says(&group, "one").await;
    let made = app.app.hub.payload_cache().rendered();
    reads(&bob, &[&one]).await;
    for ear in &mut ears {
        ear.hears(&bob, false, "one").await;
    }
    // Who is slower than a shared answer is kept has one made again.
    let made = app.app.hub.payload_cache().rendered() - made;
    assert!((1..6).contains(&made), "{made}");
}

async fn devices_that_ask_alike_keep_to_their_own_filters(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let (talk, group) = (
        ann.direct(&bob).await,
        ann.founds(Some("Loom"), &[&bob]).await,
    );
    let mut wide = Vec::new();
    for _ in 0..6 {
        wide.push(Ear::of(&bob, Value::Null).await);
    }
    // Last, so that it is told when the others' answer is made.
    let mut narrow = Ear::opened(&bob, json!({ "only": [group] })).await;
    for body in ["one", "two", "three", "four"] {
        let message = ann.says(&talk, body).await;
        reads(&bob, &[&message]).await;
        for ear in &mut wide {
            ear.hears(&bob, false, body).await;
        }
    }
    let message = ann.says(&group, "here").await;
    reads(&bob, &[&message]).await;
    narrow.hears(&bob, false, "here").await;
}
