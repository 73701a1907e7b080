//! Notifications: each user receives one per message, for the most specific reason.

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::{
    reads::group,
    support::{
        app::TestApp, both, groups::Groups, messaging::Messaging, person::Person,
        query_cost::QueryCost,
    },
};

const LIST: &str = "query($unreadOnly: Boolean!) { viewer { unread { notifications }
    notifications(unreadOnly: $unreadOnly) { nodes { id type readAt createdAt
        actor { username } message { id } conversation { id } } } } }";
const MARK: &str = "mutation($input: MarkNotificationsReadInput!) {
    markNotificationsRead(input: $input) { markedCount unread { notifications } } }";
const DISMISS: &str = "mutation($input: DismissNotificationsInput!) {
    dismissNotifications(input: $input) { dismissedNotificationIds unread { notifications } } }";

both!(
    the_most_specific_reason_wins,
    reading_a_message_settles_its_notification,
    notifications_are_marked_and_dismissed,
    a_deleted_message_notifies_no_one,
    an_edit_changes_who_is_notified,
    a_plain_message_stores_nothing_for_its_readers,
    large_conversations_notify_like_small_ones,
    a_reply_stores_nothing_for_the_followers_of_its_thread,
    following_applies_from_then_on,
    settings_apply_from_then_on,
    sending_takes_no_longer_with_many_followed_threads,
    sending_takes_no_longer_to_a_large_group,
);

async fn list(person: &Person, unread_only: bool) -> Vec<Value> {
    let data = person
        .execute(LIST, json!({ "unreadOnly": unread_only }))
        .await;
    let viewer = &data["viewer"];
    let nodes = viewer["notifications"]["nodes"].as_array().unwrap().clone();
    let unread = nodes.iter().filter(|node| node["readAt"].is_null()).count();
    assert_eq!(viewer["unread"]["notifications"], json!(unread));
    nodes
}

/// Returns types and messages, newest first.
async fn reasons(person: &Person) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nodes = list(person, true).await;
    let pairs = nodes.iter();
    pairs
        .map(|node| (text(&node["type"]), text(&node["message"]["id"])))
        .collect()
}

fn reason(kind: &str, message: &str) -> (String, String) {
    (kind.to_owned(), message.to_owned())
}

async fn the_most_specific_reason_wins(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let hello = ann.says(&conversation, "Hello").await;
    bob.replies(&conversation, &hello, "Now I follow this")
        .await;
    let reply = ann.replies(&conversation, &hello, "Good").await;
    let named = ann.replies(&conversation, &hello, "Good, @bob").await;
    let expected = [
        reason("MENTION", &named),
        reason("REPLY", &reply),
        reason("MESSAGE", &hello),
    ];
    assert_eq!(reasons(&bob).await, expected);
    let nodes = list(&bob, false).await;
    assert_eq!(nodes[0]["actor"]["username"], "ann");
    assert_eq!(nodes[0]["conversation"]["id"], json!(conversation));
    assert_eq!(
        list(&ann, false).await.len(),
        1,
        "only Bob's reply, nothing of her own"
    );
    // A user whom only an edit mentions is notified, but not twice for one message.
    ann.edits(&reply, "Good, @bob").await;
    assert_eq!(reasons(&bob).await.len(), 3);
}

async fn reading_a_message_settles_its_notification(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let (one, two) = (
        ann.says(&conversation, "One").await,
        ann.says(&conversation, "Two").await,
    );
    let query = "mutation($input: MarkMessagesReadInput!) { markMessagesRead(input: $input) {
        markedCount } }";
    bob.execute(query, json!({ "input": { "messageIds": [one] } }))
        .await;
    assert_eq!(reasons(&bob).await, [reason("MESSAGE", &two)]);
    let query = "mutation($input: MarkConversationsReadInput!) {
        markConversationsRead(input: $input) { markedCount } }";
    let input = json!({ "conversations": [{ "conversationId": conversation }] });
    bob.execute(query, json!({ "input": input })).await;
    assert!(reasons(&bob).await.is_empty());
    assert_eq!(
        list(&bob, false).await.len(),
        2,
        "they are still in the list"
    );
}

async fn notifications_are_marked_and_dismissed(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    for number in 0..4 {
        ann.says(&conversation, &format!("News {number}")).await;
    }
    let nodes = list(&bob, true).await;
    let ids: Vec<&Value> = nodes.iter().map(|node| &node["id"]).collect();
    let some = json!({ "input": { "notifications": { "ids": [ids[0], ids[0], "ntf_x"] } } });
    assert_eq!(
        ann.execute(MARK, some.clone()).await["markNotificationsRead"]["markedCount"],
        0
    );
    let marked = bob.execute(MARK, some).await;
    let expected = json!({ "markedCount": 1, "unread": { "notifications": 3 } });
    assert_eq!(marked["markNotificationsRead"], expected);
    let gone = json!({ "input": { "notifications": { "ids": [ids[1]] } } });
    let gone = bob.execute(DISMISS, gone).await;
    assert_eq!(
        gone["dismissNotifications"]["dismissedNotificationIds"],
        json!([ids[1]])
    );
    assert_eq!(list(&bob, false).await.len(), 3);
    let all = json!({ "input": { "notifications": { "until": nodes[0]["createdAt"] } } });
    let marked = bob.execute(MARK, all).await;
    assert_eq!(marked["markNotificationsRead"]["markedCount"], 2);
    let both = json!({ "ids": [], "until": nodes[0]["createdAt"] });
    let response = bob
        .request(MARK, json!({ "input": { "notifications": both } }))
        .await;
    assert!(response["errors"].is_array(), "ids or a time, not both");
}

async fn a_deleted_message_notifies_no_one(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let hello = ann.says(&conversation, "Hello").await;
    assert_eq!(reasons(&bob).await.len(), 1);
    ann.deletes(&hello).await;
    assert!(list(&bob, false).await.is_empty());
}

async fn an_edit_changes_who_is_notified(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cid = app.person("Cid").await;
    let conversation = ann.creates_group(Some("Edits"), &[&bob, &cid]).await;
    for person in [&bob, &cid] {
        let dismissed = json!({ "notifications": { "until": "2100-01-01T00:00:00Z" } });
        person.execute(DISMISS, json!({ "input": dismissed })).await;
    }
    let level = "mutation($input: UpdateConversationSettingsInput!) {
        updateConversationSettings(input: $input) { conversation { id } } }";
    let input = json!({ "conversationId": conversation, "notificationLevel": "MENTIONS" });
    bob.execute(level, json!({ "input": input })).await;
    // Cid is notified of every message, and Bob only of mentions.
    let message = ann.says(&conversation, "@bob and @cid").await;
    assert_eq!(reasons(&bob).await, [reason("MENTION", &message)]);
    ann.edits(&message, "nothing").await;
    assert_eq!(list(&bob, false).await, Vec::<Value>::new());
    assert_eq!(reasons(&cid).await, [reason("MESSAGE", &message)]);
    // Both have read the message when an edit mentions them.
    let read = "mutation($input: MarkConversationsReadInput!) {
        markConversationsRead(input: $input) { markedCount } }";
    for person in [&bob, &cid] {
        let input = json!({ "conversations": [{ "conversationId": conversation }] });
        person.execute(read, json!({ "input": input })).await;
        assert_eq!(reasons(person).await, []);
    }
    ann.edits(&message, "@bob and @cid again").await;
    assert_eq!(reasons(&bob).await, [reason("MENTION", &message)]);
    assert_eq!(reasons(&cid).await, [reason("MENTION", &message)]);
    // A mention that an edit keeps does not notify again.
    let dismissed = json!({ "notifications": { "until": "2100-01-01T00:00:00Z" } });
    bob.execute(DISMISS, json!({ "input": dismissed })).await;
    ann.edits(&message, "@bob and @cid once more").await;
    assert_eq!(list(&bob, false).await, Vec::<Value>::new());
    assert_eq!(list(&cid, false).await.len(), 1);
}

async fn a_plain_message_stores_nothing_for_its_readers(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = group(&ann, "Large group", &[&bob]).await;
    app.db_large_conversation(&conversation, 300).await;
    let tables = [
        "notification",
        "notification_span",
        "notification_mark",
        "job",
    ];
    let mut before = vec![];
    for table in tables {
        before.push(app.db_count(table).await);
    }
    let events = app.db_count("event").await;
    let mut sent = vec![];
    for number in 0..5 {
        sent.push(ann.says(&conversation, &format!("News {number}")).await);
    }
    for (table, before) in tables.into_iter().zip(before) {
        assert_eq!(app.db_count(table).await, before, "{table}");
    }
    // That the message was sent, and that it notifies.
    assert_eq!(app.db_count("event").await, events + 2 * 5);
    let expected = sent.iter().rev().map(|id| reason("MESSAGE", id));
    let expected: Vec<_> = expected
        .chain([reason("ADDED_TO_CONVERSATION", "")])
        .collect();
    assert_eq!(reasons(&bob).await, expected);
}

async fn large_conversations_notify_like_small_ones(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = group(&ann, "Large group", &[&bob]).await;
    app.db_large_conversation(&conversation, 300).await;
    let hello = ann.says(&conversation, "Hello @bob").await;
    let expected = [
        reason("MENTION", &hello),
        reason("ADDED_TO_CONVERSATION", ""),
    ];
    assert_eq!(reasons(&bob).await, expected);
}

/// Follows of a thread by all participants.
const FOLLOW_ALL: &str =
    "INSERT INTO thread_follow (user_id, thread_id, conversation_id, is_following)
     SELECT p.user_id, t.id, t.conversation_id, true FROM participant p CROSS JOIN thread t
     WHERE true ON CONFLICT DO NOTHING";

async fn a_reply_stores_nothing_for_the_followers_of_its_thread(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = group(&ann, "Large group", &[&bob]).await;
    app.db_large_conversation(&conversation, 300).await;
    let hello = ann.says(&conversation, "Hello").await;
    ann.replies(&conversation, &hello, "The thread begins")
        .await;
    let db = app.app.db.migrate();
    db.execute_unprepared(FOLLOW_ALL).await.unwrap();
    let stored = app.db_count("notification").await;
    let reply = ann
        .replies(&conversation, &hello, "For all followers")
        .await;
    assert_eq!(reasons(&bob).await[0], reason("REPLY", &reply));
    assert_eq!(app.db_count("notification").await, stored);
}

async fn following_applies_from_then_on(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let query = "mutation($input: UpdateConversationSettingsInput!) {
        updateConversationSettings(input: $input) { conversation { id } } }";
    let input = json!({ "conversationId": conversation, "notificationLevel": "MENTIONS" });
    bob.execute(query, json!({ "input": input })).await;
    let root = ann.says(&conversation, "A topic").await;
    ann.replies(&conversation, &root, "The first reply").await;
    let data = bob.execute(
        "query($id: ID!) { message(id: $id) { thread { id } } }",
        json!({ "id": root }),
    );
    let thread = data.await["message"]["thread"]["id"].take();
    let (mut expected, mut unread) = (vec![], 0);
    for (follows, replies) in [
        (None, 1),
        (Some(true), 2),
        (Some(false), 1),
        (Some(true), 1),
    ] {
        if let Some(follows) = follows {
            let verb = if follows { "follow" } else { "unfollow" };
            let query = format!(
                "mutation($id: ID!) {{ {verb}Thread(input: {{ threadId: $id }}) {{ thread {{ id }} }} }}"
            );
            bob.execute(&query, json!({ "id": thread })).await;
        }
        for _ in 0..replies {
            let reply = ann.replies(&conversation, &root, "A reply").await;
            if follows == Some(true) {
                expected.insert(0, reason("REPLY", &reply));
                unread += 1;
            }
        }
        assert_eq!(reasons(&bob).await, expected);
        assert_eq!(list(&bob, true).await.len(), unread);
    }
}

async fn settings_apply_from_then_on(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let set = async |settings: Value| {
        let mut input = settings;
        input["conversationId"] = json!(conversation);
        let query = "mutation($input: UpdateConversationSettingsInput!) {
            updateConversationSettings(input: $input) { conversation { id } } }";
        bob.execute(query, json!({ "input": input })).await;
    };
    let mut expected = vec![];
    expected.push(reason("MESSAGE", &ann.says(&conversation, "Before").await));
    set(json!({ "notificationLevel": "NONE" })).await;
    ann.says(&conversation, "Silent").await;
    ann.says_with(&conversation, "Silent too", "URGENT").await;
    set(json!({ "notificationLevel": "MENTIONS" })).await;
    ann.says(&conversation, "Still silent").await;
    let urgent = ann.says_with(&conversation, "Urgent", "URGENT").await;
    expected.push(reason("MESSAGE", &urgent));
    let until = app.app.clock.now() + chrono::TimeDelta::minutes(1);
    set(json!({ "notificationLevel": "ALL", "mutedUntil": until.to_rfc3339() })).await;
    ann.says(&conversation, "Muted").await;
    assert_eq!(reasons(&bob).await.len(), expected.len());
    app.app.clock.advance(chrono::TimeDelta::minutes(2));
    expected.push(reason(
        "MESSAGE",
        &ann.says(&conversation, "Not muted any more").await,
    ));
    set(json!({ "notificationLevel": "MENTIONS" })).await;
    ann.says(&conversation, "Silent again").await;
    set(json!({ "notificationLevel": "ALL" })).await;
    expected.push(reason("MESSAGE", &ann.says(&conversation, "After").await));
    expected.reverse();
    assert_eq!(reasons(&bob).await, expected);
}

/// The cost of concurrent reads, in percent of a row.
const SOME: i64 = 1000;

/// Returns the cost of sending to a group (on PostgreSQL, of reading this table), and how much more equal work may cost,
/// in percent.
async fn cost(app: &TestApp, table: &'static str, sender: &Person, group: &str) -> (i64, i64) {
    let work = QueryCost::watch_writes(&app.app.db, table).await;
    let send = async || {
        sender.says(group, "For you all").await;
    };
    (work.least(send).await, 100 + work.spread_percent())
}

async fn sending_takes_no_longer_with_many_followed_threads(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(Some("Loom"), &[&bob]).await;
    app.db_threads_of(2, &group, &ann.id, 40).await;
    app.db_large_conversation(&group, 40).await;
    let (few, _) = cost(&app, "thread_follow", &ann, &group).await;
    let db = app.app.db.migrate();
    db.execute_unprepared(FOLLOW_ALL).await.unwrap();
    let (many, factor) = cost(&app, "thread_follow", &ann, &group).await;
    assert!(many * 100 <= few * factor + SOME, "{few}, {many}");
}

async fn sending_takes_no_longer_to_a_large_group(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(Some("Large group"), &[&bob]).await;
    let (few, _) = cost(&app, "participant", &ann, &group).await;
    app.db_large_conversation(&group, 500).await;
    let (many, factor) = cost(&app, "participant", &ann, &group).await;
    assert!(many * 100 <= few * factor + SOME, "{few}, {many}");
}
