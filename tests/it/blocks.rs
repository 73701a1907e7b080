//! Blocks: what they prevent, in both directions, and what others notice of them.

use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    messaging::Messaging,
    person::{PASSWORD, Person},
    socket::Subscription,
};

both!(
    blocks_are_listed_newest_first,
    a_block_prevents_direct_conversations_in_both_directions,
    a_block_prevents_additions_to_groups,
    a_block_prevents_mentions_and_notifications_in_both_directions,
    a_block_hides_presence_and_typing_in_both_directions,
    a_block_is_the_secret_of_the_user_who_made_it,
    a_deleted_account_has_no_blocks,
    impossible_blocks_are_refused,
);

const BLOCK: &str = "mutation($input: BlockUserInput!) { blockUser(input: $input) {
    user { username viewerHasBlocked viewerCanMessage } } }";
const UNBLOCK: &str = "mutation($input: UnblockUserInput!) { unblockUser(input: $input) {
    user { username viewerHasBlocked viewerCanMessage } } }";
const BLOCKED: &str = "query($first: Int, $after: String) { viewer {
    blockedUsers(first: $first, after: $after) { nodes { username }
        pageInfo { endCursor hasNextPage } } } }";
const SEEN: &str = "query($id: ID!) { user(by: { id: $id }) { viewerHasBlocked viewerCanMessage
    presence lastActiveAt } }";
const OPEN: &str = "mutation($input: OpenDirectConversationInput!) {
    openDirectConversation(input: $input) { conversation { id } } }";
const CREATE: &str = "mutation($input: CreateConversationInput!) {
    createConversation(input: $input) { conversation { id } } }";
const ADD: &str = "mutation($input: AddParticipantsInput!) { addParticipants(input: $input) {
    participants { id } } }";
const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
    message { id } } }";
const NOTIFICATIONS: &str = "{ viewer { unread { messages notifications }
    notifications { nodes { type message { body } } } } }";
const MESSAGES: &str = "query($id: ID!) { conversation(id: $id) { messages(last: 20) {
    nodes { body mentionsViewer viewerHasBlockedSender } } } }";
const EVENTS: &str = "subscription($filter: EventFilter) { events(filter: $filter) { __typename
    ... on ViewerChangedEvent { viewer { blockedUsers { nodes { username } } } }
    ... on PresenceChangedEvent { user { username presence statusText } }
    ... on TypingChangedEvent { user { username } } } }";

async fn blocks(who: &Person, other: &Person) -> Value {
    let input = json!({ "input": { "userId": other.id } });
    let mut data = who.execute(BLOCK, input).await;
    data["blockUser"]["user"].take()
}

async fn unblocks(who: &Person, other: &Person) -> Value {
    let input = json!({ "input": { "userId": other.id } });
    let mut data = who.execute(UNBLOCK, input).await;
    data["unblockUser"]["user"].take()
}

async fn sees(who: &Person, other: &Person) -> Value {
    let mut data = who.execute(SEEN, json!({ "id": other.id })).await;
    data["user"].take()
}

/// Executes a mutation, and returns the code of its error; null if it succeeds.
async fn refusal(who: &Person, mutation: &str, input: Value) -> Value {
    let response = who.request(mutation, json!({ "input": input })).await;
    response["errors"][0]["extensions"]["code"].clone()
}

async fn opens(who: &Person, filter: Value) -> Subscription {
    let mut events = who.subscribe(EVENTS, json!({ "filter": filter })).await;
    events.next().await;
    events
}

async fn blocks_are_listed_newest_first(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let (cleo, dora) = (app.person("Cleo").await, app.person("Dora").await);
    for other in [&cleo, &bob, &dora] {
        let user = blocks(&ann, other).await;
        assert_eq!(user["viewerHasBlocked"], true);
        assert_eq!(user["viewerCanMessage"], false);
        app.app.clock.advance(chrono::TimeDelta::seconds(1));
    }
    // A second block changes nothing, and moves nothing.
    blocks(&ann, &cleo).await;
    let listed = ann.nodes(BLOCKED, json!({ "first": 2 }), "/viewer/blockedUsers");
    let names: Vec<Value> = listed
        .await
        .iter()
        .map(|node| node["username"].clone())
        .collect();
    assert_eq!(names, ["dora", "bob", "cleo"]);
    let user = unblocks(&ann, &bob).await;
    assert_eq!(
        user,
        json!({ "username": "bob", "viewerHasBlocked": false, "viewerCanMessage": true })
    );
    unblocks(&ann, &bob).await;
    let listed = ann.nodes(BLOCKED, json!({ "first": 1 }), "/viewer/blockedUsers");
    assert_eq!(listed.await.len(), 2);
    // It is Ann's list alone.
    assert!(
        bob.nodes(BLOCKED, json!({ "first": 5 }), "/viewer/blockedUsers")
            .await
            .is_empty()
    );
}

async fn a_block_prevents_direct_conversations_in_both_directions(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    let earlier = ann.direct(&bob).await;
    blocks(&ann, &bob).await;
    blocks(&cleo, &bob).await;
    for (who, other) in [(&ann, &bob), (&bob, &ann)] {
        // They still read what they wrote.
        assert_eq!(who.direct(other).await, earlier);
        let input = json!({ "conversationId": earlier, "body": "hello?" });
        assert_eq!(refusal(who, SEND, input).await, "FORBIDDEN");
        assert_eq!(sees(who, other).await["viewerCanMessage"], false);
    }
    for (who, other) in [(&bob, &cleo), (&cleo, &bob)] {
        let input = json!({ "userIds": [other.id] });
        assert_eq!(refusal(who, OPEN, input).await, "FORBIDDEN");
        let input = json!({ "userIds": [other.id, ann.id] });
        assert_eq!(refusal(who, OPEN, input).await, "FORBIDDEN");
    }
    ann.direct(&cleo).await;
    unblocks(&ann, &bob).await;
    bob.says(&earlier, "thank you").await;
}

async fn a_block_prevents_additions_to_groups(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    blocks(&ann, &bob).await;
    for (who, other) in [(&ann, &bob), (&bob, &ann)] {
        let group = who.creates_group(Some("Loom"), &[&cleo]).await;
        let input = json!({ "conversationId": group, "userIds": [other.id] });
        assert_eq!(refusal(who, ADD, input).await, "FORBIDDEN");
        let input = json!({ "title": "Weft", "participantIds": [cleo.id, other.id] });
        assert_eq!(refusal(who, CREATE, input).await, "FORBIDDEN");
        // Others may add both.
        who.makes(&group, &cleo, "MODERATOR").await;
        cleo.adds(&group, other, "MEMBER").await;
    }
}

async fn a_block_prevents_mentions_and_notifications_in_both_directions(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    let group = cleo.creates_group(Some("Loom"), &[&ann, &bob]).await;
    let dismiss =
        "mutation($input: DismissNotificationsInput!) { dismissNotifications(input: $input) {
        unread { notifications } } }";
    for who in [&ann, &bob] {
        let now = app.app.clock.now();
        let input = json!({ "notifications": { "until": now } });
        who.execute(dismiss, json!({ "input": input })).await;
    }
    let before = bob.says(&group, "before").await;
    blocks(&ann, &bob).await;
    let root = bob.says(&group, "@ann from Bob").await;
    bob.replies(&group, &root, "a reply of Bob").await;
    ann.says(&group, "@bob from Ann").await;
    cleo.says(&group, "@ann @bob from Cleo").await;
    bob.edits(&before, "@ann after an edit").await;
    let notified = |expected: &[(&str, &str)]| {
        let nodes = expected
            .iter()
            .map(|(kind, body)| json!({ "type": kind, "message": { "body": body } }));
        nodes.collect::<Vec<_>>()
    };
    let seen = ann.execute(NOTIFICATIONS, Value::Null).await;
    let expected = notified(&[
        ("MENTION", "@ann @bob from Cleo"),
        ("MESSAGE", "@ann after an edit"),
    ]);
    assert_eq!(seen["viewer"]["notifications"]["nodes"], json!(expected));
    assert_eq!(
        seen["viewer"]["unread"],
        json!({ "messages": 4, "notifications": 2 })
    );
    let seen = bob.execute(NOTIFICATIONS, Value::Null).await;
    let expected = notified(&[("MENTION", "@ann @bob from Cleo")]);
    assert_eq!(seen["viewer"]["notifications"]["nodes"], json!(expected));
    assert_eq!(seen["viewer"]["unread"]["notifications"], 1);
    // Cleo is notified as before.
    let seen = cleo.execute(NOTIFICATIONS, Value::Null).await;
    assert_eq!(seen["viewer"]["unread"]["notifications"], 4);
    // Only Ann, who made the block, sees it at the messages.
    let marked = |messages: &Value, key: &str| {
        let nodes = messages["conversation"]["messages"]["nodes"]
            .as_array()
            .unwrap();
        nodes.iter().filter(|node| node[key] == true).count()
    };
    let messages = ann.execute(MESSAGES, json!({ "id": group })).await;
    assert_eq!(marked(&messages, "viewerHasBlockedSender"), 2);
    assert_eq!(marked(&messages, "mentionsViewer"), 1);
    let messages = bob.execute(MESSAGES, json!({ "id": group })).await;
    assert_eq!(marked(&messages, "viewerHasBlockedSender"), 0);
    assert_eq!(marked(&messages, "mentionsViewer"), 1);
    // After the block, messages notify again.
    unblocks(&ann, &bob).await;
    bob.says(&group, "@ann again").await;
    let seen = ann.execute(NOTIFICATIONS, Value::Null).await;
    assert_eq!(seen["viewer"]["unread"]["notifications"], 3);
}

async fn a_block_hides_presence_and_typing_in_both_directions(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let cleo = app.person("Cleo").await;
    let group = cleo.creates_group(Some("Loom"), &[&ann, &bob]).await;
    blocks(&ann, &bob).await;
    let only = json!({ "categories": ["PRESENCE", "TYPING"] });
    let mut hers = opens(&ann, only.clone()).await;
    let mut his = opens(&bob, only.clone()).await;
    let mut of_cleo = opens(&cleo, only).await;
    app.db_reaches("connected", 3).await;
    let set = "mutation($text: String) { setPresence(input: { status: AWAY, statusText: $text }) { user { id } } }";
    let typing = "mutation($id: ID!) { setTyping(input: { conversationId: $id, isTyping: true }) { expiresAt } }";
    // Cleo acts last, so that the earlier events have been delivered.
    for who in [&ann, &bob, &cleo] {
        who.execute(set, json!({ "text": "weaving" })).await;
        who.execute(typing, json!({ "id": group })).await;
    }
    for (events, hidden) in [(&mut hers, "bob"), (&mut his, "ann")] {
        let mut kinds = vec![];
        while kinds.len() < 2 {
            let event = events.next().await["events"].take();
            assert_ne!(event["user"]["username"], hidden, "{event}");
            let is_cleo = event["user"]["username"] == "cleo";
            let is_final = event["__typename"] == "TypingChangedEvent"
                || event["user"]["statusText"] == "weaving";
            if is_cleo && is_final {
                kinds.push(event["__typename"].clone());
            }
        }
    }
    let mut typing = vec![];
    while typing.len() < 2 {
        let event = of_cleo.next().await["events"].take();
        if event["__typename"] == "TypingChangedEvent" {
            typing.push(event["user"]["username"].clone());
        }
    }
    assert_eq!(typing, ["ann", "bob"]);
    let online = "{ users(filter: { onlineOnly: true }) { nodes { username } } }";
    let in_group = "query($id: ID!) { conversation(id: $id) { typing { username } } }";
    for (who, other) in [(&ann, &bob), (&bob, &ann)] {
        let seen = sees(who, other).await;
        assert_eq!(seen["presence"], "OFFLINE");
        assert_eq!(seen["lastActiveAt"], Value::Null);
        let data = who.execute(online, Value::Null).await;
        let names = json!([{ "username": who.username }, { "username": "cleo" }]);
        assert_eq!(data["users"]["nodes"], names);
        let data = who.execute(in_group, json!({ "id": group })).await;
        assert_eq!(
            data["conversation"]["typing"],
            json!([{ "username": "cleo" }])
        );
    }
    assert_eq!(sees(&cleo, &bob).await["presence"], "AWAY");
    unblocks(&ann, &bob).await;
    assert_eq!(sees(&bob, &ann).await["presence"], "AWAY");
}

async fn a_block_is_the_secret_of_the_user_who_made_it(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    ann.direct(&bob).await;
    let mut hers = opens(&ann, Value::Null).await;
    let mut his = opens(&bob, Value::Null).await;
    let before = sees(&bob, &ann).await;
    blocks(&ann, &bob).await;
    let event = loop {
        let event = hers.next().await["events"].take();
        if event["__typename"] == "ViewerChangedEvent" {
            break event;
        }
    };
    let nodes = json!([{ "username": "bob" }]);
    assert_eq!(event["viewer"]["blockedUsers"]["nodes"], nodes);
    // Bob receives no event of it before his own.
    let cleo = app.person("Cleo").await;
    blocks(&bob, &cleo).await;
    let event = loop {
        let event = his.next().await["events"].take();
        if event["__typename"] == "ViewerChangedEvent" {
            break event;
        }
        assert_eq!(event["__typename"], "PresenceChangedEvent");
    };
    let nodes = json!([{ "username": "cleo" }]);
    assert_eq!(event["viewer"]["blockedUsers"]["nodes"], nodes);
    assert_eq!(
        before["viewerHasBlocked"],
        sees(&bob, &ann).await["viewerHasBlocked"]
    );
}

async fn a_deleted_account_has_no_blocks(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    blocks(&ann, &bob).await;
    let delete =
        "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedUserId } }";
    let input = json!({ "input": { "confirmUsername": "bob", "password": PASSWORD } });
    bob.execute(delete, input).await;
    assert!(
        ann.nodes(BLOCKED, json!({ "first": 5 }), "/viewer/blockedUsers")
            .await
            .is_empty()
    );
}

async fn impossible_blocks_are_refused(app: TestApp) {
    let ann = app.person("Ann").await;
    for (id, problem) in [
        (ann.id.as_str(), "NOT_ALLOWED"),
        ("usr_01jd3k0000000000000000000", "NOT_FOUND"),
    ] {
        let response = ann
            .request(BLOCK, json!({ "input": { "userId": id } }))
            .await;
        let error = &response["errors"][0]["extensions"];
        assert_eq!(error["code"], "BAD_USER_INPUT", "{response}");
        assert_eq!(error["problems"][0]["path"], json!(["input", "userId"]));
        assert_eq!(error["problems"][0]["code"], problem);
    }
}
