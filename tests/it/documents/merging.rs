//! A field that a document selects several times under one response key is executed once.

use serde_json::{Value, json};

use crate::support::{
    app::TestApp, both, groups::Groups, messaging::Messaging, person::Person, sse::Stream,
};

both!(
    a_message_is_sent_once_under_each_key,
    a_document_with_480_selections_sends_one_message,
    a_query_reads_once_under_each_key,
    fields_of_interfaces_merge_for_each_type,
    lists_in_shared_fragments_keep_their_own_selections,
    conditions_are_resolved_before_merging,
    subscriptions_merge_their_root_field,
    every_transport_sends_a_message_once,
    executions_of_root_fields_are_limited,
);

/// The bodies of the messages in a conversation.
async fn bodies(person: &Person, group: &str) -> Vec<Value> {
    let query = "query($id: ID!) { conversation(id: $id) { messages(last: 100) {
        nodes { kind body } } } }";
    let data = person.execute(query, json!({ "id": group })).await;
    let nodes = data["conversation"]["messages"]["nodes"]
        .as_array()
        .unwrap();
    let plain = nodes.iter().filter(|node| node["kind"] != "NOTICE");
    plain.map(|node| node["body"].clone()).collect()
}

async fn a_message_is_sent_once_under_each_key(app: TestApp) {
    let ann = app.person("Ann").await;
    let group = ann.creates_group(None, &[]).await;
    let document = "mutation($a: SendMessageInput!, $b: SendMessageInput!) {
        sendMessage(input: $a) { message { id } }
        ...F
        ... on Mutation { sendMessage(input: $a) { message { body } } other: sendMessage(input: $b) { wasDuplicate } }
        sendMessage(input: $a) { message { sender { id } } }
    } fragment F on Mutation { sendMessage(input: $a) { wasDuplicate message { sender { username } } } }";
    let input = |body| json!({ "conversationId": group, "body": body });
    let data = ann
        .execute(document, json!({ "a": input("once"), "b": input("again") }))
        .await;
    let message = &data["sendMessage"]["message"];
    assert_eq!(message["body"], "once");
    assert_eq!(
        message["sender"],
        json!({ "id": ann.id, "username": "ann" })
    );
    assert_eq!(data["sendMessage"]["wasDuplicate"], false);
    assert_eq!(data["other"], json!({ "wasDuplicate": false }));
    assert_eq!(bodies(&ann, &group).await, ["once", "again"]);
}

async fn a_document_with_480_selections_sends_one_message(app: TestApp) {
    let ann = app.person("Ann").await;
    let group = ann.creates_group(None, &[]).await;
    // The first level spreads the second one 8 times, and that spreads the selections 6 times.
    let spread = |level: usize, count: usize| {
        let spreads = format!("...F{} ", level + 1).repeat(count);
        format!("fragment F{level} on Mutation {{ {spreads} }}")
    };
    let document = |selections: usize| {
        let selections = "sendMessage(input: $i) { wasDuplicate } ".repeat(selections);
        format!(
            "mutation($i: SendMessageInput!) {{ ...F0 }} {} {}
            fragment F2 on Mutation {{ {selections} }}",
            spread(0, 8),
            spread(1, 6)
        )
    };
    let input = json!({ "conversationId": group, "body": "once" });
    let data = ann.execute(&document(10), json!({ "i": input })).await;
    assert_eq!(data, json!({ "sendMessage": { "wasDuplicate": false } }));
    let error = ann
        .expect_error("TOO_COMPLEX", &document(11), json!({ "i": input }))
        .await;
    assert_eq!(error["extensions"]["limit"], "fields");
    assert_eq!(bodies(&ann, &group).await, ["once"]);
}

async fn a_query_reads_once_under_each_key(app: TestApp) {
    let ann = app.person("Ann").await;
    let group = ann.creates_group(Some("Loom"), &[]).await;
    ann.says(&group, "hello").await;
    let variables = json!({ "id": group });
    let once = "query($id: ID!) { conversation(id: $id) { title messages(last: 5) { nodes { id body } } } }";
    let twice = "query($id: ID!) { conversation(id: $id) { title ...F }
        conversation(id: $id) { messages(last: 5) { nodes { body } } } }
        fragment F on Conversation { messages(last: 5) { nodes { id } } }";
    let (expected, statements) = ann.count_statements(once, variables.clone()).await;
    let (merged, same) = ann.count_statements(twice, variables).await;
    assert_eq!(merged, expected);
    assert_eq!(same, statements);
}

async fn fields_of_interfaces_merge_for_each_type(app: TestApp) {
    let ann = app.person("Ann").await;
    let group = ann.creates_group(Some("Loom"), &[]).await;
    let document = "query($ids: [ID!]!) { nodes(ids: $ids) {
        ... on User { name: displayName id }
        ... on Node { id ... on Conversation { name: displayTitle } }
        ... on Conversation { createdBy { id } }
        __typename
        ... on Conversation { createdBy { username } }
    } }";
    let ids = json!({ "ids": [ann.id, group] });
    let text = ann.raw_response(document, ids).await;
    let expected = format!(
        r#"{{"data":{{"nodes":[{{"name":"Ann","id":"{}","__typename":"User"}},{{"id":"{group}","name":"Loom","createdBy":{{"id":"{}","username":"ann"}},"__typename":"Conversation"}}]}}}}"#,
        ann.id, ann.id
    );
    assert_eq!(text.lines().nth(1).unwrap(), expected);
}

async fn lists_in_shared_fragments_keep_their_own_selections(app: TestApp) {
    let ann = app.person("Ann").await;
    let one = ann.creates_group(None, &[]).await;
    let two = ann.creates_group(None, &[]).await;
    ann.says(&one, "first").await;
    ann.says(&two, "second").await;
    // The list is at one place of the text and has a different selection at each place of the response.
    let document = "query($one: ID!, $two: ID!) {
        a: conversation(id: $one) { ...F messages(last: 1) { nodes { body sender { username } } } }
        b: conversation(id: $two) { ...F }
        c: conversation(id: $two) { ...F messages(last: 1) { edges { node { depth } } nodes { sequence } } }
    } fragment F on Conversation { messages(last: 1) { nodes { body } } }";
    let data = ann
        .execute(document, json!({ "one": one, "two": two }))
        .await;
    let nodes = |key: &str| data[key]["messages"]["nodes"][0].clone();
    assert_eq!(
        nodes("a"),
        json!({ "body": "first", "sender": { "username": "ann" } })
    );
    assert_eq!(nodes("b"), json!({ "body": "second" }));
    assert_eq!(nodes("c")["body"], "second");
    assert!(nodes("c")["sequence"].is_u64(), "{data}");
    assert_eq!(
        data["c"]["messages"]["edges"][0]["node"],
        json!({ "depth": 0 })
    );
}

async fn conditions_are_resolved_before_merging(app: TestApp) {
    let ann = app.person("Ann").await;
    let group = ann.creates_group(None, &[]).await;
    let document = "mutation($i: SendMessageInput!, $no: Boolean!, $yes: Boolean = true) {
        sendMessage(input: $i) @include(if: $no) { wasDuplicate }
        skipped: sendMessage(input: $i) @skip(if: $yes) { wasDuplicate }
        ... @include(if: $yes) { sent: sendMessage(input: $i) { message { body @skip(if: $yes) } wasDuplicate } }
        sent: sendMessage(input: $i) @skip(if: $no) { message { depth } }
    }";
    let input = json!({ "conversationId": group, "body": "hello" });
    let data = ann
        .execute(document, json!({ "i": input, "no": false }))
        .await;
    let sent = json!({ "message": { "depth": 0 }, "wasDuplicate": false });
    assert_eq!(data, json!({ "sent": sent }));
    assert_eq!(bodies(&ann, &group).await, ["hello"]);
    let null = json!({ "i": input, "no": false, "yes": null });
    ann.expect_error("BAD_USER_INPUT", document, null).await;
    assert_eq!(bodies(&ann, &group).await.len(), 1);
}

async fn subscriptions_merge_their_root_field(app: TestApp) {
    let ann = app.person("Ann").await;
    let group = ann.creates_group(None, &[]).await;
    let document = "subscription($ids: [ID!]) { ...F ...F
        ... { events(filter: {conversationIds: $ids, categories: [MESSAGES]}) {
            ... on MessageSentEvent { message { depth } } } } }
        fragment F on Subscription { events(filter: {categories: [MESSAGES], conversationIds: $ids}) {
            __typename ... on MessageSentEvent { message { body } } } }";
    let variables = json!({ "ids": [group] });
    let mut socket = ann.subscribe(document, variables.clone()).await;
    let mut stream = Stream::open(&app, &ann, document, variables, None).await;
    let opened = json!({ "events": { "__typename": "StreamOpenedEvent" } });
    assert_eq!(socket.next().await, opened);
    assert_eq!(stream.next().await.0, opened);
    for body in ["one", "two"] {
        ann.says(&group, body).await;
        let message = json!({ "body": body, "depth": 0 });
        let sent = json!({ "events": { "__typename": "MessageSentEvent", "message": message } });
        assert_eq!(socket.next().await, sent);
        assert_eq!(stream.next().await.0, sent);
    }
}

async fn every_transport_sends_a_message_once(app: TestApp) {
    let ann = app.person("Ann").await;
    let group = ann.creates_group(None, &[]).await;
    let document =
        "mutation($i: SendMessageInput!) { ...F sendMessage(input: $i) { message { body } } }
        fragment F on Mutation { sendMessage(input: $i) { wasDuplicate } }";
    let variables = |body| json!({ "i": { "conversationId": group, "body": body } });
    let sent =
        |body| json!({ "sendMessage": { "wasDuplicate": false, "message": { "body": body } } });
    let mut socket = ann.subscribe(document, variables("socket")).await;
    assert_eq!(socket.next().await, sent("socket"));
    let mut stream = Stream::open(&app, &ann, document, variables("stream"), None).await;
    assert_eq!(stream.next().await.0, sent("stream"));
    assert_eq!(bodies(&ann, &group).await, ["socket", "stream"]);
}

async fn executions_of_root_fields_are_limited(app: TestApp) {
    let ann = app.person("Ann").await;
    let names = [
        "viewer { id }",
        "server { id }",
        "eventCursor",
        "users { nodes { id } }",
        "__typename",
    ];
    let alias = |n| format!("a{n}: server {{ id }}");
    let aliases = |count| (0..count).map(alias).collect::<Vec<_>>().join(" ");
    let document = |count| format!("{{ {} {} }}", names.join(" "), aliases(count));
    let data = ann.execute(&document(10), Value::Null).await;
    assert_eq!(data.as_object().unwrap().len(), 15);
    let error = ann
        .expect_error("TOO_COMPLEX", &document(11), Value::Null)
        .await;
    let extensions =
        json!({ "code": "TOO_COMPLEX", "limit": "rootFields", "maximum": 15, "found": 16 });
    assert_eq!(error["extensions"], extensions);
    // Selections under one key are one execution.
    let many = "server { id } ".repeat(100);
    ann.execute(&format!("{{ {many} }}"), Value::Null).await;
}
