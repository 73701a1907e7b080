//! Reading messages updates the unread counts.

use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    messaging::Messaging,
    person::{Person, text},
};

const TOTALS: &str =
    "{ viewer { unread { id messages mentions conversations threads notifications }
    unreadMessages { totalCount nodes { id viewerHasRead } } } }";
const PLACE: &str = "query($id: ID!) { conversation(id: $id) { viewerMembership {
    unreadCount mentionCount lastReadMessage { id } firstUnreadMessage { id } } } }";
const THREAD: &str = "query($id: ID!) { node(id: $id) { ... on Message { thread {
    viewerUnreadCount viewerLastReadMessage { id } viewerFirstUnreadMessage { id } } } } }";
const MARK_CONVERSATIONS: &str = "mutation($input: MarkConversationsReadInput!) {
    markConversationsRead(input: $input) { markedCount conversations { id }
        unread { messages conversations } } }";
const MARK_MESSAGES: &str = "mutation($input: MarkMessagesReadInput!) {
    markMessagesRead(input: $input) { markedCount messages { id viewerHasRead }
        unread { messages } } }";
const MARK_THREAD: &str = "mutation($input: MarkThreadReadInput!) {
    markThreadRead(input: $input) { markedCount thread { id viewerUnreadCount } } }";
const GO_BACK: &str = "mutation($input: MarkUnreadFromInput!) {
    markUnreadFrom(input: $input) { message { id viewerHasRead } unread { messages } } }";

both!(
    a_badge_is_explained_by_its_list,
    only_what_changes_is_counted,
    a_thread_is_read_separately_from_the_timeline,
    marking_unread_leaves_other_scopes_alone,
    unread_lists_page_from_end_to_end,
    strangers_can_mark_nothing,
    too_many_messages_in_one_request_are_rejected
);

/// Creates a group with these participants.
pub(crate) async fn group(person: &Person, title: &str, others: &[&Person]) -> String {
    let create = "mutation($input: CreateConversationInput!) {
        createConversation(input: $input) { conversation { id } } }";
    let ids: Vec<_> = others.iter().map(|other| &other.id).collect();
    let input = json!({ "title": title, "participantIds": ids });
    let data = person.execute(create, json!({ "input": input })).await;
    text(&data["createConversation"]["conversation"]["id"])
}

async fn totals(person: &Person) -> Value {
    let mut data = person.execute(TOTALS, Value::Null).await;
    let viewer = data["viewer"].take();
    let count = &viewer["unread"]["messages"];
    assert_eq!(*count, viewer["unreadMessages"]["totalCount"]);
    viewer
}

async fn place(person: &Person, conversation: &str) -> Value {
    let mut data = person.execute(PLACE, json!({ "id": conversation })).await;
    data["conversation"]["viewerMembership"].take()
}

async fn thread(person: &Person, root: &str) -> Value {
    let mut data = person.execute(THREAD, json!({ "id": root })).await;
    data["node"]["thread"].take()
}

async fn mark(person: &Person, query: &str, input: Value) -> Value {
    let mut data = person.execute(query, json!({ "input": input })).await;
    data.as_object_mut()
        .unwrap()
        .values_mut()
        .next()
        .unwrap()
        .take()
}

async fn a_badge_is_explained_by_its_list(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = group(&ann, "Looms", &[&bob]).await;
    let hello = ann.says(&talk, "Hello @bob").await;
    let reply = ann.replies(&talk, &hello, "Are you there, @bob?").await;
    let own = bob.says(&talk, "Yes").await;
    let news = ann.says(&talk, "Good").await;

    let seen = totals(&bob).await;
    assert_eq!(seen["unread"]["messages"], 3);
    assert_eq!(seen["unread"]["mentions"], 2);
    assert_eq!(seen["unread"]["conversations"], 1);
    assert_eq!(
        seen["unread"]["threads"], 0,
        "he does not follow the thread"
    );
    let unread = |id: &str| json!({ "id": id, "viewerHasRead": false });
    let list = json!([unread(&hello), unread(&reply), unread(&news)]);
    assert_eq!(seen["unreadMessages"]["nodes"], list);
    let here = place(&bob, &talk).await;
    let expected = json!({ "unreadCount": 2, "mentionCount": 2, "lastReadMessage": null,
        "firstUnreadMessage": { "id": hello } });
    assert_eq!(here, expected);
    assert_eq!(
        totals(&ann).await["unread"]["messages"],
        1,
        "only what Bob wrote"
    );

    let input = json!({ "conversations": [{ "conversationId": talk, "upToMessageId": own }] });
    let marked = mark(&bob, MARK_CONVERSATIONS, input).await;
    assert_eq!(marked["markedCount"], 2);
    assert_eq!(marked["conversations"], json!([{ "id": talk }]));
    assert_eq!(
        marked["unread"],
        json!({ "messages": 1, "conversations": 1 })
    );
    let here = place(&bob, &talk).await;
    assert_eq!(here["lastReadMessage"]["id"], json!(own));
    assert_eq!(here["firstUnreadMessage"]["id"], json!(news));
    let input = json!({ "conversations": [{ "conversationId": talk }] });
    assert_eq!(
        mark(&bob, MARK_CONVERSATIONS, input).await["markedCount"],
        1
    );
    assert_eq!(totals(&bob).await["unreadMessages"]["nodes"], json!([]));
}

async fn only_what_changes_is_counted(app: TestApp) {
    let (ann, bob, eve) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Eve").await,
    );
    let (talk, other) = (
        group(&ann, "Looms", &[&bob]).await,
        group(&ann, "Yarn", &[&eve]).await,
    );
    let (one, two) = (ann.says(&talk, "One").await, ann.says(&talk, "Two").await);
    let own = bob.says(&talk, "Three").await;
    let hidden = ann.says(&other, "Not for Bob").await;
    let input = json!({ "messageIds": [two, own, hidden, two, "nonsense"] });
    let marked = mark(&bob, MARK_MESSAGES, input.clone()).await;
    assert_eq!(marked["markedCount"], 1);
    let read = |id: &str| json!({ "id": id, "viewerHasRead": true });
    assert_eq!(marked["messages"], json!([read(&two), read(&own)]));
    assert_eq!(marked["unread"]["messages"], 1);
    assert_eq!(mark(&bob, MARK_MESSAGES, input).await["markedCount"], 0);
    // The last gap closes, so the read messages are one range again.
    assert_eq!(
        mark(&bob, MARK_MESSAGES, json!({ "messageIds": [one] })).await["markedCount"],
        1
    );
    assert_eq!(
        place(&bob, &talk).await["lastReadMessage"]["id"],
        json!(own)
    );
    assert_eq!(
        totals(&eve).await["unread"]["messages"],
        1,
        "hers is untouched"
    );
}

async fn a_thread_is_read_separately_from_the_timeline(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = group(&ann, "Looms", &[&bob]).await;
    let root = ann.says(&talk, "Root").await;
    let first = bob.replies(&talk, &root, "Bob follows by writing").await;
    let second = ann.replies(&talk, &first, "Two").await;
    let third = ann.replies(&talk, &second, "Three").await;
    assert_eq!(totals(&bob).await["unread"]["threads"], 1);
    let seen = thread(&bob, &root).await;
    let expected = json!({ "viewerUnreadCount": 2, "viewerLastReadMessage": { "id": first },
        "viewerFirstUnreadMessage": { "id": second } });
    assert_eq!(seen, expected);
    let id = root.replace("msg_", "thr_");
    let input = json!({ "threadId": id, "upToMessageId": second });
    let marked = mark(&bob, MARK_THREAD, input).await;
    assert_eq!(marked["markedCount"], 1);
    assert_eq!(
        marked["thread"],
        json!({ "id": id, "viewerUnreadCount": 1 })
    );
    assert_eq!(
        thread(&bob, &root).await["viewerFirstUnreadMessage"]["id"],
        json!(third)
    );
    assert_eq!(
        place(&bob, &talk).await["unreadCount"],
        1,
        "the root is still unread"
    );
    let marked = mark(&bob, MARK_THREAD, json!({ "threadId": id })).await;
    assert_eq!(marked["markedCount"], 1);
    assert_eq!(totals(&bob).await["unread"]["threads"], 0);
}

async fn marking_unread_leaves_other_scopes_alone(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = group(&ann, "Looms", &[&bob]).await;
    let root = ann.says(&talk, "Root").await;
    let reply = ann.replies(&talk, &root, "Reply").await;
    let last = ann.says(&talk, "Last").await;
    mark(
        &bob,
        MARK_CONVERSATIONS,
        json!({ "conversations": [{ "conversationId": talk }] }),
    )
    .await;
    let back = mark(&bob, GO_BACK, json!({ "messageId": root })).await;
    assert_eq!(
        back["message"],
        json!({ "id": root, "viewerHasRead": false })
    );
    assert_eq!(
        back["unread"]["messages"], 2,
        "the root and the last, not the reply"
    );
    assert_eq!(thread(&bob, &root).await["viewerUnreadCount"], 0);
    mark(&bob, GO_BACK, json!({ "messageId": reply })).await;
    assert_eq!(
        thread(&bob, &root).await["viewerFirstUnreadMessage"]["id"],
        json!(reply)
    );
    assert_eq!(place(&bob, &talk).await["unreadCount"], 2);
    mark(&bob, GO_BACK, json!({ "messageId": last })).await;
    assert_eq!(
        place(&bob, &talk).await["lastReadMessage"]["id"],
        json!(root)
    );
}

async fn unread_lists_page_from_end_to_end(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let mut expected = vec![];
    let conversations = [
        group(&ann, "One", &[&bob]).await,
        group(&ann, "Two", &[&bob]).await,
    ];
    for number in 0..7 {
        expected.push(ann.says(&conversations[number % 2], "News").await);
    }
    let query = "query($id: ID, $after: String) { viewer { unreadMessages(
        conversationId: $id, first: 2, after: $after) {
        totalCount nodes { id } pageInfo { hasNextPage endCursor } } } }";
    let mut listed = vec![];
    for page in bob.pages(query, json!({}), "/viewer/unreadMessages").await {
        assert_eq!(page["totalCount"], 7);
        let nodes = page["nodes"].as_array().unwrap();
        listed.extend(nodes.iter().map(|node| text(&node["id"])));
    }
    let mut sorted = listed.clone();
    sorted.sort();
    assert_eq!(sorted, expected, "each once");
    let data = bob.execute(query, json!({ "id": conversations[0] })).await;
    assert_eq!(data["viewer"]["unreadMessages"]["totalCount"], 4);
    bob.expect_error("BAD_USER_INPUT", query, json!({ "after": "x" }))
        .await;
}

async fn strangers_can_mark_nothing(app: TestApp) {
    let (ann, eve) = (app.person("Ann").await, app.person("Eve").await);
    let talk = group(&ann, "Looms", &[]).await;
    let root = ann.says(&talk, "Mine").await;
    ann.replies(&talk, &root, "And mine").await;
    for (query, input) in [
        (
            MARK_CONVERSATIONS,
            json!({ "conversations": [{ "conversationId": talk }] }),
        ),
        (
            MARK_THREAD,
            json!({ "threadId": root.replace("msg_", "thr_") }),
        ),
        (GO_BACK, json!({ "messageId": root })),
    ] {
        eve.expect_error("NOT_FOUND", query, json!({ "input": input }))
            .await;
    }
    let marked = mark(&eve, MARK_MESSAGES, json!({ "messageIds": [root] })).await;
    assert_eq!(marked["messages"], json!([]));
    let input = json!({ "messageIds": [root] });
    app.anonymous()
        .expect_error("UNAUTHENTICATED", MARK_MESSAGES, json!({ "input": input }))
        .await;
}

async fn too_many_messages_in_one_request_are_rejected(app: TestApp) {
    let ann = app.person("Ann").await;
    let input = json!({ "messageIds": vec!["msg_x"; 201] });
    let error = ann
        .expect_error("BAD_USER_INPUT", MARK_MESSAGES, json!({ "input": input }))
        .await;
    let path = json!(["input", "messageIds"]);
    assert_eq!(error["extensions"]["problems"][0]["path"], path);
    let many = vec![json!({ "conversationId": "cnv_x" }); 101];
    let input = json!({ "conversations": many });
    ann.expect_error(
        "BAD_USER_INPUT",
        MARK_CONVERSATIONS,
        json!({ "input": input }),
    )
    .await;
}
