//! Limits on how often a user may do something.

use chrono::TimeDelta;
use heddle::{config::Config, entity::user::ServerRole};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    groups::{ADD, Groups},
    messaging::Messaging,
    person::{Person, text},
    redis::Redis,
    socket::{Frame, Subscription},
};

const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
    message { id } } }";
const TWO: &str = "mutation($one: SendMessageInput!, $other: SendMessageInput!) {
    one: sendMessage(input: $one) { message { id } }
    other: sendMessage(input: $other) { message { id } } }";
const LIMITED: &str = "RATE_LIMITED";

/// Each of its events may cost more than 3,000.
const EXPENSIVE: &str = "subscription { events(filter: { categories: [MESSAGES] }) { __typename
    ... on MessageSentEvent { message { body
    conversation {
        a: participants(first: 100) { nodes { role user { id username bio firstName lastName
            presence statusText lastActiveAt phoneNumber isViewer displayName } } }
        b: participants(first: 100) { nodes { role user { id username bio firstName lastName
            presence statusText lastActiveAt phoneNumber isViewer displayName } } }
        c: participants(first: 100) { nodes { role user { id username bio firstName lastName
            presence statusText lastActiveAt phoneNumber isViewer displayName } } } } } } } }";

/// Runs each test on both databases, with the limits turned on.
macro_rules! limited {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            #[tokio::test]
            async fn sqlite() {
                let app = crate::support::app::TestApp::sqlite_with(super::limits).await;
                super::$story(app).await;
            }

            #[tokio::test]
            async fn postgres() {
                let app = crate::support::app::TestApp::postgres_with(super::limits).await;
                super::$story(app).await;
            }
        }
    )+};
}

limited!(
    messages_are_limited_for_each_root_field,
    only_the_action_of_the_user_is_limited,
    strangers_are_limited_but_contacts_are_not,
    added_people_count_one_by_one,
    actions_other_than_messages_are_limited,
    operations_of_a_user_and_events_share_a_budget,
    the_open_subscriptions_of_a_user_have_a_total_cost,
);

fn limits(config: &mut Config) {
    config.rate_limits = true;
    config.messages_per_minute = 6;
}

fn message(conversation: &str, body: &str) -> Value {
    json!({ "conversationId": conversation, "body": body })
}

/// Repeats an operation until it fails, and returns how often it succeeded and the error.
async fn repeat(who: &Person, query: &str, variables: impl Fn(usize) -> Value) -> (usize, Value) {
    for count in 0..1000 {
        let mut response = who.request(query, variables(count)).await;
        if let Some(error) = response["errors"].get_mut(0) {
            return (count, error.take());
        }
    }
    panic!("{query} is not limited");
}

async fn messages_are_limited_for_each_root_field(app: TestApp) {
    let (ada, ben) = (app.person("Ada").await, app.person("Ben").await);
    let conversation = ada.direct(&ben).await;
    let input = |number| json!({ "input": message(&conversation, &format!("{number}")) });
    for number in 0..5 {
        ada.execute(SEND, input(number)).await;
    }
    // Of the two, one is within the limit. Nothing of the other is stored.
    let both = json!({ "one": message(&conversation, "5"), "other": message(&conversation, "6") });
    let response = ada.request(TWO, both).await;
    assert_ne!(response["data"]["one"], Value::Null);
    assert_eq!(response["data"]["other"], Value::Null);
    let error = &response["errors"][0];
    assert_eq!(error["extensions"]["code"], LIMITED);
    assert_eq!(error["path"], json!(["other"]));
    let wait = error["extensions"]["retryAfterMs"].as_i64().unwrap();
    assert!((1..=10_000).contains(&wait), "{wait}");
    let list =
        "query($id: ID!) { conversation(id: $id) { messages(last: 50) { nodes { body } } } }";
    let found = ben.execute(list, json!({ "id": conversation })).await;
    let nodes = found["conversation"]["messages"]["nodes"]
        .as_array()
        .unwrap();
    assert_eq!(nodes.len(), 6, "{nodes:?}");
    // After the stated time one more is allowed.
    app.app.clock.advance(TimeDelta::milliseconds(wait));
    ada.execute(SEND, input(7)).await;
    ada.expect_error(LIMITED, SEND, input(8)).await;
}

async fn only_the_action_of_the_user_is_limited(app: TestApp) {
    let (ada, ben) = (app.person("Ada").await, app.person("Ben").await);
    let conversation = ada.direct(&ben).await;
    let input = |number: usize| json!({ "input": message(&conversation, &number.to_string()) });
    let (sent, _) = repeat(&ada, SEND, input).await;
    assert_eq!(sent, 6);
    // She still reads, edits and deletes, and Ben writes.
    let last = "query($id: ID!) { conversation(id: $id) { messages(last: 1) { nodes { id } } } }";
    let found = ada.execute(last, json!({ "id": conversation })).await;
    let id = text(&found["conversation"]["messages"]["nodes"][0]["id"]);
    for number in 0..5 {
        ada.edits(&id, &format!("edit {number}")).await;
    }
    ada.deletes(&id).await;
    let delete = "mutation($input: DeleteMessageInput!) { deleteMessage(input: $input) {
        deletedMessageId } }";
    let input = json!({ "input": { "messageId": id } });
    ada.expect_error(LIMITED, delete, input).await;
    ben.says(&conversation, "hello").await;
}

async fn strangers_are_limited_but_contacts_are_not(app: TestApp) {
    let ada = app.person("Ada").await;
    let mut others = vec![];
    for number in 0..11 {
        others.push(app.person(&format!("Person{number}")).await);
    }
    // A group makes a contact of the first one.
    ada.creates_group(Some("Wool"), &[&others[0]]).await;
    for other in &others {
        ada.direct(other).await;
    }
    // Opening a conversation again is no new contact.
    ada.direct(&others[10]).await;
    let late = app.person("Late").await;
    let open = "mutation($input: OpenDirectConversationInput!) {
        openDirectConversation(input: $input) { conversation { id } } }";
    let input = json!({ "input": { "userIds": [late.id] } });
    ada.expect_error(LIMITED, open, input).await;
}

async fn added_people_count_one_by_one(app: TestApp) {
    let (ada, ben) = (app.person("Ada").await, app.person("Ben").await);
    let group = ada.creates_group(Some("Wool"), &[&ben]).await;
    let input = json!({ "conversationId": group, "userIds": vec![ben.id.clone(); 100] });
    let (calls, error) = repeat(&ada, ADD, |_| json!({ "input": input })).await;
    assert_eq!(calls, 4, "{error}");
    assert_eq!(error["extensions"]["code"], LIMITED);
    let create = "mutation($input: CreateConversationInput!) {
        createConversation(input: $input) { conversation { id } } }";
    let none = json!({ "input": { "title": "Silk", "participantIds": [] } });
    let (groups, error) = repeat(&ada, create, |_| none.clone()).await;
    assert_eq!(
        (groups, &error["extensions"]["code"]),
        (19, &json!(LIMITED))
    );
}

async fn actions_other_than_messages_are_limited(app: TestApp) {
    let mut ada = app.person("Ada").await;
    let ben = app.person("Ben").await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let conversation = ada.direct(&ben).await;
    let kinds = [
        (
            "mutation($input: SetTypingInput!) { setTyping(input: $input) { expiresAt } }",
            json!({ "conversationId": conversation, "isTyping": true }),
            60,
        ),
        (
            "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
                viewer { id } } }",
            json!({ "displayName": "Ada L." }),
            10,
        ),
        (
            "query($input: UserFilter) { users(filter: $input) { nodes { id } } }",
            json!({ "text": "be" }),
            30,
        ),
        (
            "mutation($input: UnblockUserInput!) { unblockUser(input: $input) { user { id } } }",
            json!({ "userId": ben.id }),
            30,
        ),
        (
            "mutation($input: AdminCreateInvitationInput!) { adminCreateInvitation(input: $input) {
                invitationUrl } }",
            json!({}),
            10,
        ),
    ];
    for (query, input, expected) in kinds {
        let who = if query.contains("admin") {
            &admin
        } else {
            &ada
        };
        let (count, error) = repeat(who, query, |_| json!({ "input": input })).await;
        assert_eq!(count, expected, "{query}");
        assert_eq!(error["extensions"]["code"], LIMITED, "{query}");
    }
    let refresh = "mutation($input: RefreshSessionInput!) { refreshSession(input: $input) {
        auth { accessToken refreshToken } } }";
    let mut renewals = 0;
    loop {
        let input = json!({ "input": { "refreshToken": ada.refresh_token } });
        let response = ada.request(refresh, input).await;
        if response["errors"] != Value::Null {
            assert_eq!(response["errors"][0]["extensions"]["code"], LIMITED);
            break;
        }
        renewals += 1;
        let auth = &response["data"]["refreshSession"]["auth"];
        ada.token = Some(text(&auth["accessToken"]));
        ada.refresh_token = Some(text(&auth["refreshToken"]));
    }
    assert_eq!(renewals, 30);
    // The refused renewal has changed nothing.
    app.app.clock.advance(TimeDelta::seconds(3));
    let input = json!({ "input": { "refreshToken": ada.refresh_token } });
    ada.execute(refresh, input).await;
    let mut opened = 0;
    'sockets: loop {
        let events = "subscription { events { __typename } }";
        let mut socket = ben.subscribe(events, Value::Null).await;
        for id in 2..=60 {
            match socket.next_frame().await {
                Frame::Next(_) => opened += 1,
                Frame::Error(errors) => {
                    assert_eq!(errors[0]["extensions"]["code"], LIMITED);
                    break 'sockets;
                }
                other => panic!("{other:?}"),
            }
            let id = id.to_string();
            Subscription::subscribe(&mut socket, &id, events, Value::Null)
                .await
                .unwrap();
        }
    }
    // It refills meanwhile.
    assert!((300..=340).contains(&opened), "{opened}");
}

#[tokio::test]
async fn nodes_count_together_and_separately_without_redis() {
    let mut redis = Redis::start().await;
    let url = redis.url();
    let with_redis = |config: &mut Config| {
        limits(config);
        config.redis_url = Some(url.clone());
    };
    let first = TestApp::postgres_with(with_redis).await;
    let database = first.app.config.database_url.clone();
    let second = TestApp::postgres_with(|config| {
        with_redis(config);
        config.database_url = database;
    })
    .await;
    let (ada, ben) = (first.person("Ada").await, first.person("Ben").await);
    let conversation = ada.direct(&ben).await;
    let mut elsewhere = ada.at(second.url("/graphql"));
    elsewhere.signs_in().await;
    for number in 0..3 {
        ada.says(&conversation, &format!("here {number}")).await;
        elsewhere
            .says(&conversation, &format!("there {number}"))
            .await;
    }
    let input = json!({ "input": message(&conversation, "one more") });
    let here = ada.expect_error(LIMITED, SEND, input.clone()).await;
    assert!(here["extensions"]["retryAfterMs"].as_i64().unwrap() <= 10_000);
    elsewhere.expect_error(LIMITED, SEND, input.clone()).await;
    // Each node has counted its own messages, and continues with those.
    redis.is_killed().await;
    for node in [&ada, &elsewhere] {
        let (sent, error) = repeat(node, SEND, |_| input.clone()).await;
        assert!((1..=3).contains(&sent), "{sent}");
        assert_eq!(error["extensions"]["code"], LIMITED);
    }
}

async fn operations_of_a_user_and_events_share_a_budget(app: TestApp) {
    const LIST: &str = "{ viewer { conversations(first: 50) { nodes { lastMessage { id body kind
        sender { id } conversation { id } } messages(first: 8) { nodes { id body } } } } } }";
    let (ada, ben) = (app.person("Ada").await, app.person("Ben").await);
    let conversation = ada.direct(&ben).await;
    let mut events = ada.subscribe(EXPENSIVE, Value::Null).await;
    events.next().await;
    let (runs, error) = repeat(&ada, LIST, |_| Value::Null).await;
    assert!((20..200).contains(&runs), "{runs}");
    assert_eq!(error["extensions"]["code"], LIMITED);
    assert_eq!(error.get("path"), None);
    let wait = error["extensions"]["retryAfterMs"].as_i64().unwrap();
    assert!((1..=10_000).contains(&wait), "{wait}");
    // The next event is delivered, and the stream ends after it.
    ben.says(&conversation, "hello").await;
    let event = events.next().await["events"].take();
    assert_eq!(event["message"]["body"], "hello");
    match events.next_frame().await {
        Frame::Error(errors) => assert_eq!(errors[0]["extensions"]["code"], LIMITED),
        other => panic!("{other:?}"),
    }
    // The status is for clients that know the media type. The request was refused as a whole.
    let client = reqwest::Client::new();
    let response = loop {
        let request = client
            .post(app.url("/graphql"))
            .header("accept", "application/graphql-response+json")
            .bearer_auth(ada.token.as_ref().unwrap())
            .json(&json!({ "query": LIST }));
        let response = request.send().await.unwrap();
        // The budget has been refilled meanwhile: it is used up again.
        if response.status() != 200 {
            break response;
        }
    };
    assert_eq!(response.status(), 429);
    let seconds: u64 = response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=10).contains(&seconds), "{seconds}");
    // Others have budgets of their own, and an anonymous caller has a smaller one.
    ben.execute(LIST, Value::Null).await;
    let anonymous = app.anonymous();
    let schema = "{ __schema { types { name fields { name args { name } } } } }";
    let (runs, error) = repeat(&anonymous, schema, |_| Value::Null).await;
    assert!(runs > 2, "{runs}");
    assert_eq!(error["extensions"]["code"], LIMITED);
}

async fn the_open_subscriptions_of_a_user_have_a_total_cost(app: TestApp) {
    let (ada, ben) = (app.person("Ada").await, app.person("Ben").await);
    let mut open = vec![];
    let mut socket = ada.subscribe(EXPENSIVE, Value::Null).await;
    let refused = loop {
        match socket.next_frame().await {
            Frame::Next(_) => open.push(open.len()),
            Frame::Error(errors) => break errors,
            other => panic!("{other:?}"),
        }
        let id = format!("more {}", open.len());
        socket.subscribe(&id, EXPENSIVE, Value::Null).await.unwrap();
    };
    assert_eq!(refused[0]["extensions"]["code"], LIMITED, "{refused}");
    assert_eq!(refused[0]["extensions"].get("retryAfterMs"), None);
    assert!((10..17).contains(&open.len()), "{}", open.len());
    // Cheap ones are still possible, and so are those of others.
    let cheap = "subscription { events { __typename } }";
    ada.subscribe(cheap, Value::Null).await.next().await;
    ben.subscribe(EXPENSIVE, Value::Null).await.next().await;
    // The share of a subscription ends with it.
    drop(socket);
    loop {
        let mut again = ada.subscribe(EXPENSIVE, Value::Null).await;
        if let Frame::Next(_) = again.next_frame().await {
            break;
        }
    }
}
