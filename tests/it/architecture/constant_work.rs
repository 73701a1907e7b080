//! Fields whose work depends neither on the number of participants of a conversation nor on the length of its history or on
//! how much of it is unread.

use serde_json::json;

use crate::support::{
    app::TestApp,
    groups::Groups,
    person::{Person, text},
    query_cost::{self, QueryCost},
};

/// Fields of a conversation that concern its participants.
const OF_PARTICIPANTS: [&str; 7] = [
    "displayTitle",
    "participantCount",
    "participants(first: 10) { nodes { id } }",
    "participants(first: 10, role: MEMBER) { nodes { id } }",
    "participants(first: 10, role: OWNER) { nodes { id } }",
    "participants(first: 10, role: MODERATOR) { nodes { id } }",
    "viewerMembership { canLeave }",
];
/// Read positions in a conversation whose first reply alone is unread.
const OF_HISTORY: [&str; 4] = [
    "viewerMembership { firstUnreadMessage { id } lastReadMessage { id } }",
    "participants(first: 1) { nodes { lastReadMessage { id } } }",
    "messages(first: 1, around: { place: FIRST_UNREAD }) { nodes { id } }",
    "messages(first: 3) { nodes { thread { viewerFirstUnreadMessage { id } viewerLastReadMessage { id } } } }",
];
/// Counts in a conversation whose messages are all unread.
const OF_UNREAD: [&str; 2] = [
    "viewerMembership { unreadCount }",
    "viewerMembership { mentionCount }",
];
/// How much more the larger conversation may cost: other caches, other levels of an index.
const ALLOWANCE: i64 = 60;

#[tokio::test]
async fn work_is_constant_on_sqlite() {
    work_is_constant(TestApp::sqlite_with(query_cost::on_connections).await).await;
}

#[tokio::test]
async fn work_is_constant_on_postgres() {
    work_is_constant(TestApp::postgres().await).await;
}

async fn work_is_constant(app: TestApp) {
    let (ada, ben) = (app.person("Ada").await, app.person("Ben").await);
    let groups = [
        ada.creates_group(None, &[&ben]).await,
        ada.creates_group(None, &[&ben]).await,
    ];
    app.db_participants(&groups[0], 0..20).await;
    app.db_participants(&groups[1], 20..3000).await;
    let histories = [
        history(&app, (&ada, &ben), 40).await,
        history(&app, (&ada, &ben), 3000).await,
    ];
    let unread = [
        unread(&app, (&ada, &ben), 40).await,
        unread(&app, (&ada, &ben), 3000).await,
    ];
    let work = QueryCost::watch_all(&app.app.db).await;
    let cost = async |id: &str, fields: &str| {
        let query = format!("query($id: ID!) {{ conversation(id: $id) {{ {fields} }} }}");
        let read = async || {
            ada.execute(&query, json!({ "id": id })).await;
        };
        work.least(read).await
    };
    for (fields, [small, large]) in [
        (OF_PARTICIPANTS.as_slice(), &groups),
        (OF_HISTORY.as_slice(), &histories),
        (OF_UNREAD.as_slice(), &unread),
    ] {
        for field in fields {
            let (few, many) = (cost(small, field).await, cost(large, field).await);
            let allowed = few * (100 + work.spread_percent()) / 100 + ALLOWANCE;
            assert!(many <= allowed, "{field}: {few} and {many}");
        }
    }
}

/// A conversation with this number of unread messages by Ben, half of them replies in one thread.
async fn unread(app: &TestApp, (ada, ben): (&Person, &Person), size: usize) -> String {
    let group = ada.creates_group(None, &[ben]).await;
    let parent = |number: usize| Some(0).filter(|_| number % 2 == 1);
    app.db_messages(&group, &ben.id, size, parent).await;
    group
}

/// A conversation with two threads by Ben and this number of messages, half of them root messages and half replies in the
/// second thread. Ada has read all but the only reply in the first thread.
async fn history(app: &TestApp, (ada, ben): (&Person, &Person), size: usize) -> String {
    let group = ada.creates_group(None, &[ben]).await;
    let parent = |number: usize| match number {
        1 => Some(0),
        _ => Some(2).filter(|_| number % 2 == 1),
    };
    app.db_messages(&group, &ben.id, size, parent).await;
    let mark = "mutation($id: ID!) { markConversationsRead(input: { conversations: [{ conversationId: $id }] }) {
        markedCount } }";
    ada.execute(mark, json!({ "id": group })).await;
    let first = "query($id: ID!) { conversation(id: $id) { messages(first: 2) { nodes { thread {
        replies(first: 1) { nodes { id } } } } } } }";
    // The first one is the notice.
    let seen = ada.execute(first, json!({ "id": group })).await;
    let thread = &seen["conversation"]["messages"]["nodes"][1]["thread"];
    let reply = text(&thread["replies"]["nodes"][0]["id"]);
    let back =
        "mutation($id: ID!) { markUnreadFrom(input: { messageId: $id }) { message { id } } }";
    ada.execute(back, json!({ "id": reply })).await;
    group
}
