//! A list costs the same number of statements at any length, which proves that loaders batch every relation.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    messaging::Messaging,
    person::{Person, text},
};

/// Statements that send a message: two for permissions, one for earlier sends with its key, and one each for its
/// sequence number, its row, its notifications and its events.
const ALONE: u32 = 6;

both!(
    a_timeline_costs_the_same_at_any_length,
    a_thread_costs_the_same_at_any_length,
    unread_messages_cost_the_same_at_any_length,
    aliases_share_a_statement,
    conversations_cost_the_same_at_any_number,
    messages_sent_together_share_statements,
    many_relations_cost_the_same_under_load
);

/// Selections of a message with one relation each.
pub(super) const MESSAGE: [&str; 14] = [
    "id body sender { displayName firstName }",
    "receiver { id }",
    "mentions { id }",
    "mentionsViewer",
    "viewerHasRead",
    "viewerCanEdit viewerCanReply",
    "parent { id sender { id } }",
    "thread { id viewerIsFollowing }",
    "thread { viewerUnreadCount viewerFirstUnreadMessage { id } }",
    "thread { lastReply { sender { id } } }",
    "thread { participants(first: 1) { nodes { id } } }",
    "thread { replies(first: 1) { nodes { sender { id } } } }",
    "revisions(first: 1) { nodes { editor { id } } }",
    "replies(first: 1) { nodes { sender { id } replies(first: 1) { nodes { id } } } }",
];

/// Selections of a conversation with one relation each.
pub(super) const CONVERSATION: [&str; 8] = [
    "displayTitle",
    "participantCount",
    "createdBy { id viewerConversation { id } }",
    "lastMessage { body sender { displayName } }",
    "viewerMembership { unreadCount mentionCount canSend canLeave firstUnreadMessage { id }
        lastReadMessage { id } }",
    "participants(first: 2) { nodes { role addedBy { id } } }",
    "messages(last: 1) { nodes { sender { id } } }",
    "threads(first: 1) { nodes { id } }",
];

/// Sends the queries again at each length of the list, and verifies that their costs are equal.
async fn holds<F: AsyncFnMut()>(
    person: &Person,
    queries: &[String],
    variables: &Value,
    mut grow: F,
) {
    let mut costs = vec![];
    let mut length = 0;
    for wanted in [1, 11, 51] {
        while length < wanted {
            grow().await;
            length += 1;
        }
        let mut cost = vec![];
        for query in queries {
            cost.push(person.count_statements(query, variables.clone()).await.1);
        }
        costs.push(cost);
    }
    assert!(
        costs[0].iter().all(|cost| *cost > 0),
        "the server counts its statements"
    );
    assert!(
        costs.iter().all(|cost| *cost == costs[0]),
        "1, 11 and 51 items cost {costs:?}: {queries:#?}"
    );
}

/// Many relations of each message, some of which need the same loader at different levels.
const RELATIONS: &str = "query($id: ID!, $last: Int) { conversation(id: $id) {
    messages(last: $last, includeReplies: true) { nodes {
        viewerHasRead sender { presence } parent { id } mentions { username }
        thread { replyCount viewerUnreadCount }
        revisions(first: 1) { nodes { body editor { username presence } } } } } } }";

/// The requests that run at the same time.
const LOAD: usize = 24;

async fn many_relations_cost_the_same_under_load(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(Some("Relations"), &[&bob]).await;
    let root = ann.says(&group, "root").await;
    for number in 0..100 {
        let writer = if number % 2 == 0 { &ann } else { &bob };
        let reply = writer.replies(&group, &root, "hello @bob").await;
        writer.edits(&reply, "hello @bob and @ann").await;
    }
    let mut costs = vec![];
    for last in [1, 11, 51, 100] {
        let variables = json!({ "id": group, "last": last });
        let requests = (0..LOAD).map(|_| ann.count_statements(RELATIONS, variables.clone()));
        for (data, cost) in join_all(requests).await {
            let nodes = data["conversation"]["messages"]["nodes"].as_array();
            assert_eq!(nodes.unwrap().len(), last);
            costs.push(cost);
        }
    }
    let first = costs[0];
    assert!(first > 0);
    assert!(costs.iter().all(|cost| *cost == first), "{costs:?}");
}

async fn a_timeline_costs_the_same_at_any_length(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let queries = MESSAGE.map(|part| {
        format!(
            "query($id: ID!) {{ conversation(id: $id) {{ messages(last: 51) {{
                nodes {{ {part} }} }} }} }}"
        )
    });
    holds(&ann, &queries, &json!({ "id": conversation }), async || {
        let root = ann.says(&conversation, "for @bob").await;
        ann.edits(&root, "for @bob, again").await;
        let reply = bob.replies(&conversation, &root, "a reply for @ann").await;
        ann.replies(&conversation, &reply, "below it").await;
    })
    .await;
}

async fn a_thread_costs_the_same_at_any_length(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let root = ann.says(&conversation, "root").await;
    let mut parent = bob.replies(&conversation, &root, "first").await;
    let data = ann
        .execute(
            "query($id: ID!) { message(id: $id) { thread { id } } }",
            json!({ "id": root }),
        )
        .await;
    let thread = text(&data["message"]["thread"]["id"]);
    let queries = MESSAGE.map(|part| {
        format!(
            "query($id: ID!) {{ thread(id: $id) {{ replies(first: 51, maxDepth: 40) {{
                edges {{ depth hiddenReplyCount node {{ {part} }} }} }} }} }}"
        )
    });
    // One more level and an edit, so that every kind of row exists at the first length.
    let deep = bob.replies(&conversation, &parent, "second for @ann").await;
    bob.edits(&deep, "second").await;
    let mut number = 0;
    holds(&ann, &queries, &json!({ "id": thread }), async || {
        number += 1;
        let reply = ann.replies(&conversation, &parent, "reply").await;
        if number % 2 == 0 && number < 60 {
            parent = reply;
        }
    })
    .await;
}

async fn unread_messages_cost_the_same_at_any_length(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let root = ann.says(&conversation, "root").await;
    let mut queries = MESSAGE
        .map(|part| {
            format!("{{ viewer {{ unreadMessages(first: 51) {{ nodes {{ {part} }} }} }} }}")
        })
        .to_vec();
    queries.push(
        "{ viewer { unread { messages mentions conversations threads notifications }
            unreadMessages(first: 51) { totalCount } } }"
            .to_owned(),
    );
    // Parents that are in the list need no statement.
    let parts = MESSAGE.iter().filter(|part| !part.starts_with("parent"));
    queries
        .extend(parts.map(|part| {
            format!("{{ viewer {{ messages(first: 51) {{ nodes {{ {part} }} }} }} }}")
        }));
    for part in ["actor { id }", "message { id }", "conversation { id }"] {
        queries.push(format!(
            "{{ viewer {{ notifications(first: 51) {{ nodes {{ {part} }} }} }} }}"
        ));
    }
    bob.replies(&conversation, &root, "so that there is a thread")
        .await;
    holds(&bob, &queries, &Value::Null, async || {
        let message = ann.replies(&conversation, &root, "for @bob").await;
        ann.edits(&message, "for @bob, again").await;
        bob.replies(&conversation, &message, "below it").await;
    })
    .await;
}

async fn conversations_cost_the_same_at_any_number(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let queries = CONVERSATION.map(|part| {
        format!("{{ viewer {{ conversations(first: 51) {{ nodes {{ {part} }} }} }} }}")
    });
    // A direct conversation exists from the start, so that its kind of title is selected too.
    ann.direct(&bob).await;
    holds(&ann, &queries, &Value::Null, async || {
        let conversation = ann.creates_group(None, &[&bob]).await;
        let root = bob.says(&conversation, "hello @ann").await;
        ann.replies(&conversation, &root, "hello").await;
        bob.says(&conversation, "and more").await;
    })
    .await;
}

/// A field that is selected once is not batched; one that is selected with several aliases is.
async fn aliases_share_a_statement(app: TestApp) {
    let (ann, bob, cleo) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cleo").await,
    );
    let conversations = json!({ "a": ann.direct(&bob).await, "b": ann.direct(&cleo).await });
    for query in [
        "query($a: ID!, $b: ID!) { a: conversation(id: $a) { id } b: conversation(id: $b) { id } }",
        "query($a: ID!, $b: ID!) { ...F ...F b: conversation(id: $b) { id } }
         fragment F on Query { a: conversation(id: $a) { id } }",
        "query($a: ID!) { conversation(id: $a) { id } }",
    ] {
        let mut requested = conversations.clone();
        if !query.contains("$b") {
            requested.as_object_mut().unwrap().remove("b");
        }
        assert_eq!(ann.count_statements(query, requested).await.1, 1, "{query}");
    }
}

/// A single message has a fixed cost; messages that wait for a transaction share the next one and its cost.
async fn messages_sent_together_share_statements(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let root = ann.says(&conversation, "root").await;
    let says = async |input: Value| {
        let send = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
            message { id } } }";
        ann.count_statements(send, json!({ "input": input }))
            .await
            .1
    };
    let plain =
        |key| json!({ "conversationId": conversation, "body": "hello", "clientMessageId": key });
    assert_eq!(says(plain(0.to_string())).await, ALONE);
    let reply = json!({ "conversationId": conversation, "parentId": root, "body": "hello @bob" });
    assert_eq!(says(reply).await, ALONE + 5);
    let many = (1..=50).map(|key: i32| says(plain(key.to_string())));
    let costs: u32 = join_all(many).await.iter().sum();
    // The order is not deterministic, so some of the first messages are sent alone.
    assert!(costs <= 50 * ALONE / 3, "{costs}");
}
