//! A day of operations, each of them once, in conversations with some history.

use serde_json::{Value, json};

use crate::{
    architecture::statements::{CONVERSATION, MESSAGE},
    support::{
        app::TestApp,
        groups::Groups,
        messaging::Messaging,
        person::{Person, text},
        socket::Subscription,
        statements::Statements,
    },
};

/// The number of messages in the group before the day begins.
const PAST: usize = 3000;
/// Other participants of the group: few enough that read receipts are sent.
const PARTICIPANTS: usize = 60;

const EVENTS: &str = "subscription($after: String) { events(after: $after) { cursor __typename
    ... on StreamOpenedEvent { outcome }
    ... on MessageSentEvent { message { id body sender { displayName } conversation { id } } }
    ... on NotificationAddedEvent { notification { id message { id } } } } }";

/// A page of each list in each order, in addition to the fields of its items.
const READS: [&str; 32] = [
    "query($group: ID!) { conversation(id: $group) { messages(last: 50) { nodes {
        id body createdAt replyCount sender { id displayName } } } } }",
    "query($group: ID!, $cursor: String) { conversation(id: $group) { messages(last: 50, before: $cursor) {
        nodes { id } } } }",
    "query($group: ID!, $cursor: String) { conversation(id: $group) { messages(first: 50, after: $cursor) {
        nodes { id } } } }",
    "query($group: ID!) { conversation(id: $group) { messages(last: 50, includeReplies: true) { nodes { id } } } }",
    "query($group: ID!) { conversation(id: $group) { messages(first: 50, around: { place: FIRST_UNREAD }) {
        nodes { id } } } }",
    "query($group: ID!, $root: ID!) { conversation(id: $group) { messages(first: 50, around: { messageId: $root }) {
        nodes { id } } } }",
    r#"query($group: ID!) { conversation(id: $group) { messages(first: 50, around: { time: "2020-01-01T00:00:00Z" }) {
        nodes { id } } } }"#,
    "query($thread: ID!) { thread(id: $thread) { replies(first: 50) { edges { depth node {
        id body createdAt replyCount sender { id displayName } parent { id } } } } } }",
    "query($thread: ID!) { thread(id: $thread) { replies(last: 50) { nodes { id } } } }",
    "query($thread: ID!, $reply: ID!) { thread(id: $thread) { replies(first: 50, under: $reply, maxDepth: 3) {
        nodes { id } } } }",
    "query($thread: ID!) { thread(id: $thread) { replies(last: 50, order: OLDEST_FIRST) { nodes { id } } } }",
    "query($thread: ID!) { thread(id: $thread) { replies(first: 50, order: NEWEST_FIRST) { nodes { id } } } }",
    "query($group: ID!) { conversation(id: $group) { threads(first: 30) { nodes { id root { body } } } } }",
    "{ viewer { threads(first: 30) { nodes { id viewerUnreadCount } } } }",
    "{ viewer { threads(first: 30, unreadOnly: true) { nodes { id } } } }",
    "{ viewer { unread { messages mentions conversations threads notifications } } }",
    "{ viewer { unreadMessages(first: 50) { totalCount nodes { id } } } }",
    "query($group: ID!) { viewer { unreadMessages(first: 50, conversationId: $group) { totalCount nodes { id } } } }",
    "{ viewer { unreadMessages(last: 50) { nodes { id } } } }",
    "query($group: ID!) { viewer { unreadMessages(last: 50, conversationId: $group) { nodes { id } } } }",
    "{ viewer { messages(first: 50) { nodes { id sender { displayName } } } } }",
    r#"query($group: ID!, $bob: ID!) { viewer { messages(last: 50, filter: { senderIds: [$bob],
        conversationIds: [$group], since: "2020-01-01T00:00:00Z" }) { nodes { id } pageInfo { endCursor } } } }"#,
    r#"query($group: ID!, $bob: ID!) { viewer { messages(first: 50, order: OLDEST_FIRST, filter: {
        unreadOnly: true, senderIds: [$bob], conversationIds: [$group], until: "2100-01-01T00:00:00Z" }) {
        nodes { id } } } }"#,
    "{ viewer { notifications(first: 50) { nodes { id actor { id } message { id } conversation { id } } } } }",
    "{ viewer { notifications(first: 50, unreadOnly: true) { nodes { id } } } }",
    "{ viewer { conversations(first: 50, filter: { unreadOnly: true }) { nodes { id } } } }",
    r#"{ viewer { conversations(first: 50, filter: { text: "loo" }) { nodes { id } } } }"#,
    "query($group: ID!) { conversation(id: $group) { participants(first: 50) { nodes {
        role user { displayName } lastReadMessage { id } } } } }",
    "query($group: ID!) { conversation(id: $group) { typing { id } } }",
    "query($bob: ID!) { user(by: { id: $bob }) { displayName presence } }",
    "query($bob: ID!, $group: ID!, $root: ID!) { nodes(ids: [$bob, $group, $root]) { id } }",
    r#"{ users(first: 20, filter: { text: "stran" }) { nodes { id } } }"#,
];

/// Returns the statements of the day.
pub(super) async fn statements(app: &TestApp) -> Vec<String> {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(Some("Loom"), &[&bob]).await;
    app.db_large_conversation(&group, PARTICIPANTS).await;
    app.db_history(&group, &ann.id, PAST).await;
    let direct = ann.direct(&bob).await;
    let output = Statements::capture();
    let mut events = Subscription::open(app, &bob, EVENTS, Value::Null).await;
    let opened = text(&events.next().await["events"]["cursor"]);
    let known = writes(&ann, &bob, [&group, &direct]).await;
    while events.next().await["events"]["__typename"] != "NotificationAddedEvent" {}
    reads(&bob, &known).await;
    marks(&bob, &known).await;
    let mut resumed = Subscription::open(app, &bob, EVENTS, json!({ "after": opened })).await;
    while resumed.next().await["events"]["__typename"] != "NotificationAddedEvent" {}
    // What the server does every few seconds.
    output.reach("FROM node WHERE").await;
    output.end()
}

/// Performs the writes, and returns the ids that the reads need.
async fn writes(ann: &Person, bob: &Person, [group, direct]: [&str; 2]) -> Value {
    let send =
        "mutation($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
    let input = json!({ "conversationId": group, "body": "for @bob", "clientMessageId": "one" });
    let mut root = String::new();
    for _ in ["sent", "sent again"] {
        let data = ann.execute(send, json!({ "input": input })).await;
        root = text(&data["sendMessage"]["message"]["id"]);
    }
    let reply = bob.replies(group, &root, "a reply for @ann").await;
    ann.replies(group, &reply, "below it").await;
    ann.says(direct, "a word with you").await;
    ann.edits(&root, "for @bob, again").await;
    let gone = ann.says(group, "said too much").await;
    ann.deletes(&gone).await;
    for (mutation, input) in [
        (
            "setTyping(input: $input) { __typename }",
            json!({ "conversationId": group, "isTyping": true }),
        ),
        (
            "setPresence(input: $input) { __typename }",
            json!({ "status": "BUSY" }),
        ),
    ] {
        writes_once(ann, mutation, input).await;
    }
    let page = "query($group: ID!, $root: ID!) { message(id: $root) { thread { id } }
        conversation(id: $group) { messages(last: 10) { pageInfo { startCursor } } } }";
    let page = bob
        .execute(page, json!({ "group": group, "root": root }))
        .await;
    json!({
        "group": group,
        "bob": bob.id,
        "root": root,
        "reply": reply,
        "thread": page["message"]["thread"]["id"],
        "cursor": page["conversation"]["messages"]["pageInfo"]["startCursor"],
    })
}

/// Bob reads everything.
async fn reads(bob: &Person, known: &Value) {
    for query in READS {
        bob.execute(query, known.clone()).await;
    }
    for part in MESSAGE {
        for list in [
            "query($group: ID!) { conversation(id: $group) { messages(last: 50)",
            "query($thread: ID!) { thread(id: $thread) { replies(first: 50, maxDepth: 40)",
            "{ viewer { unreadMessages(first: 50)",
            "{ viewer { messages(first: 50)",
        ] {
            let query = format!("{list} {{ nodes {{ {part} }} }} }} }}");
            bob.execute(&query, known.clone()).await;
        }
    }
    for part in CONVERSATION {
        let query = format!("{{ viewer {{ conversations(first: 50) {{ nodes {{ {part} }} }} }} }}");
        bob.execute(&query, Value::Null).await;
    }
}

/// Marks them as read.
async fn marks(bob: &Person, known: &Value) {
    let now = "2100-01-01T00:00:00Z";
    let group = json!({ "conversationId": known["group"] });
    let up_to = json!({ "conversationId": known["group"], "upToMessageId": known["root"] });
    for (mutation, input) in [
        (
            "markMessagesRead(input: $input) { markedCount }",
            json!({ "messageIds": [known["root"], known["reply"]] }),
        ),
        (
            "markThreadRead(input: $input) { __typename }",
            json!({ "threadId": known["thread"] }),
        ),
        (
            "markConversationsRead(input: $input) { __typename }",
            json!({ "conversations": [up_to] }),
        ),
        (
            "markConversationsRead(input: $input) { __typename }",
            json!({ "conversations": [group] }),
        ),
        (
            "markUnreadFrom(input: $input) { __typename }",
            json!({ "messageId": known["root"] }),
        ),
        (
            "followThread(input: $input) { __typename }",
            json!({ "threadId": known["thread"] }),
        ),
        (
            "markNotificationsRead(input: $input) { markedCount }",
            json!({ "notifications": { "until": now } }),
        ),
    ] {
        writes_once(bob, mutation, input).await;
    }
}

async fn writes_once(who: &Person, mutation: &str, input: Value) {
    let name = mutation.split('(').next().unwrap_or_default();
    let (first, rest) = name.split_at(1);
    let name = format!("{}{rest}Input", first.to_uppercase());
    let text = format!("mutation($input: {name}!) {{ {mutation} }}");
    who.execute(&text, json!({ "input": input })).await;
}
