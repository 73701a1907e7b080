//! GraphQL over server-sent events: the protocol as a client uses it.

use std::time::{Duration, Instant};

use heddle::{
    id::{ConversationId, MessageId},
    live::log::{self, Change},
};
use reqwest::{Client, StatusCode, header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    messaging::Messaging,
    person::{PASSWORD, Person, text},
    socket,
    sse::{Frame, Stream},
};

both!(
    queries_and_mutations_return_one_result,
    a_failed_operation_sends_its_error_on_the_stream,
    bob_resumes_after_the_last_event_he_received,
    invalid_event_ids_start_again,
    one_conversation_is_followed_until_it_is_left,
    every_end_of_a_session_ends_its_streams_in_time,
    a_former_participant_receives_no_more_events,
    a_reader_who_stops_is_cut_off_and_misses_nothing,
);

const EVENTS: &str = "subscription($after: String, $filter: EventFilter) {
    events(after: $after, filter: $filter) { kind: __typename
        ... on StreamOpenedEvent { outcome }
        ... on MessageSentEvent { message { body } }
        ... on MessageEditedEvent { message { id a: body b: body c: body d: body e: body } }
        ... on ConversationLeftEvent { conversationId }
        ... on SessionEndedEvent { reason } } }";
const MESSAGE_SENT: &str = "subscription($id: ID!) { messageSent(conversationId: $id) { body } }";

/// Selects events about messages and the stream itself.
fn messages() -> Value {
    json!({ "filter": { "categories": ["MESSAGES"] } })
}

async fn events(app: &TestApp, who: &Person, variables: Value, id: Option<&str>) -> Stream {
    Stream::open(app, who, EVENTS, variables, id).await
}

impl Stream {
    /// Returns the next event, which must be of this kind.
    async fn receive(&mut self, kind: &str) -> (Value, String) {
        let (mut data, id) = self.next().await;
        assert_eq!(data["events"]["kind"], kind, "{data:#}");
        (data["events"].take(), id.unwrap())
    }

    async fn opens(&mut self, outcome: &str) -> String {
        let (event, id) = self.receive("StreamOpenedEvent").await;
        assert_eq!(event["outcome"], outcome);
        id
    }
}

async fn queries_and_mutations_return_one_result(app: TestApp) {
    let ann = app.person("Ann").await;
    let mut requested = Stream::open(
        &app,
        &ann,
        "{ viewer { user { username } } }",
        Value::Null,
        None,
    )
    .await;
    assert_eq!(requested.response.status(), StatusCode::OK);
    let kind = &requested.response.headers()[header::CONTENT_TYPE];
    assert_eq!(kind, "text/event-stream; charset=utf-8");
    let result = json!({ "viewer": { "user": { "username": "ann" } } });
    assert_eq!(requested.next().await, (result, None));
    assert_eq!(requested.next_frame().await, Frame::Complete);
    assert_eq!(requested.next_frame().await, Frame::End);

    let update = "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
        viewer { user { displayName } } } }";
    let input = json!({ "input": { "displayName": "Annie" } });
    let mut changed = Stream::open(&app, &ann, update, input, None).await;
    assert_eq!(
        changed.next().await.0["updateProfile"]["viewer"]["user"]["displayName"],
        "Annie"
    );
    assert_eq!(changed.next_frame().await, Frame::Complete);
}

async fn a_failed_operation_sends_its_error_on_the_stream(app: TestApp) {
    let (ann, anonymous) = (app.person("Ann").await, app.anonymous());
    let mut expired = ann.clone();
    expired.token = Some("nonsense".to_owned());
    let cases = [
        (&ann, "{ nothing }", "BAD_USER_INPUT"),
        (&ann, "{ __typename", "BAD_USER_INPUT"),
        (&ann, "subscription { a b }", "BAD_USER_INPUT"),
        (
            &ann,
            "subscription { messageSent(conversationId: \"cnv_x\") { id } }",
            "NOT_FOUND",
        ),
        (&anonymous, EVENTS, "UNAUTHENTICATED"),
        (&expired, EVENTS, "UNAUTHENTICATED"),
    ];
    for (who, query, code) in cases {
        let mut requested = Stream::open(&app, who, query, Value::Null, None).await;
        assert_eq!(requested.response.status(), StatusCode::OK, "{query}");
        let Frame::Next(result, None) = requested.next_frame().await else {
            panic!("{query}");
        };
        assert_eq!(result["errors"][0]["extensions"]["code"], code, "{result}");
        assert_eq!(requested.next_frame().await, Frame::Complete);
        assert_eq!(requested.next_frame().await, Frame::End);
    }
}

async fn bob_resumes_after_the_last_event_he_received(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let mut stream = events(&app, &bob, messages(), None).await;
    let first = stream.opens("STARTED").await;
    let mut last = first.clone();
    let mut received = vec![];
    for number in 0..12 {
        ann.says(&talk, &number.to_string()).await;
        if number % 3 == 1 {
            drop(stream);
            ann.says(&talk, &format!("{number} missed")).await;
            // Like a browser he repeats his first request, with a header that is newer than its cursor.
            let mut again = messages();
            again["after"] = json!(first);
            stream = events(&app, &bob, again, Some(&last)).await;
            stream.opens("RESUMED").await;
            let (event, _) = stream.receive("MessageSentEvent").await;
            received.push(text(&event["message"]["body"]));
        }
        let (event, id) = stream.receive("MessageSentEvent").await;
        received.push(text(&event["message"]["body"]));
        last = id;
    }
    let mut raw = vec![];
    for number in 0..12 {
        raw.push(number.to_string());
        if number % 3 == 1 {
            raw.push(format!("{number} missed"));
        }
    }
    assert_eq!(received, raw);
}

async fn invalid_event_ids_start_again(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let hers = events(&app, &ann, messages(), None)
        .await
        .opens("STARTED")
        .await;
    for id in ["nonsense", "\u{fc}", &hers, &hers[1..]] {
        events(&app, &bob, messages(), Some(id))
            .await
            .opens("RESET")
            .await;
    }
    // A client that has received no event sends an empty id.
    events(&app, &bob, messages(), Some(""))
        .await
        .opens("STARTED")
        .await;
    let mut stream = events(&app, &ann, messages(), Some(&hers)).await;
    stream.opens("RESUMED").await;
}

async fn one_conversation_is_followed_until_it_is_left(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(Some("Loom"), &[&bob]).await;
    let mut stream = Stream::open(&app, &bob, MESSAGE_SENT, json!({ "id": group }), None).await;
    // The comment that opens a stream precedes the subscription, so Ann keeps sending.
    let received = {
        let receiving = stream.next();
        let mut receiving = std::pin::pin!(receiving);
        loop {
            ann.says(&group, "hello").await;
            if let std::task::Poll::Ready(received) = futures_util::poll!(receiving.as_mut()) {
                break received;
            }
        }
    };
    assert_eq!(
        received,
        (json!({ "messageSent": { "body": "hello" } }), None)
    );
    bob.leaves(&group).await;
    loop {
        match stream.next_frame().await {
            Frame::Next(result, _) => assert_eq!(result["data"]["messageSent"]["body"], "hello"),
            other => break assert_eq!(other, Frame::Complete),
        }
    }
    assert_eq!(stream.next_frame().await, Frame::End);
}

async fn signs_in(app: &TestApp, who: &Person) -> Person {
    let sign_in = "mutation($input: SignInInput!) { signIn(input: $input) {
        auth { accessToken refreshToken } } }";
    let input = json!({ "login": who.username, "password": PASSWORD });
    let data = app
        .anonymous()
        .execute(sign_in, json!({ "input": input }))
        .await;
    let mut again = who.clone();
    again.token = Some(text(&data["signIn"]["auth"]["accessToken"]));
    again
}

/// The ways to end the session of a phone: the device, and the mutation.
async fn every_end_of_a_session_ends_its_streams_in_time(app: TestApp) {
    let other =
        json!({ "input": { "currentPassword": PASSWORD, "newPassword": "another loom entirely" } });
    let cases = [
        (
            "mutation { signOut { endedSessionId } }",
            Value::Null,
            true,
            "SIGNED_OUT",
        ),
        (
            "mutation { revokeOtherSessions { revokedSessionIds } }",
            Value::Null,
            false,
            "SIGNED_OUT",
        ),
        (
            "mutation($input: ChangePasswordInput!) { changePassword(input: $input) { viewer { id } } }",
            other,
            false,
            "REVOKED",
        ),
        (
            "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedUserId } }",
            json!({}),
            false,
            "ACCOUNT_DELETED",
        ),
    ];
    let ann = app.person("Ann").await;
    for (number, (query, mut variables, at_the_phone, reason)) in cases.into_iter().enumerate() {
        let desk = app.person(&format!("Bob{number}")).await;
        let phone = signs_in(&app, &desk).await;
        let talk = ann.direct(&desk).await;
        let mut stream = events(&app, &phone, messages(), None).await;
        stream.opens("STARTED").await;
        let mut one = Stream::open(&app, &phone, MESSAGE_SENT, json!({ "id": talk }), None).await;
        ann.says(&talk, "before").await;
        stream.receive("MessageSentEvent").await;
        if reason == "ACCOUNT_DELETED" {
            let input = json!({ "confirmUsername": desk.username, "password": PASSWORD });
            variables = json!({ "input": input });
        }
        let who = if at_the_phone { &phone } else { &desk };
        who.execute(query, variables).await;
        let over = Instant::now();
        let (ended, _) = stream.receive("SessionEndedEvent").await;
        assert_eq!(ended["reason"], reason, "{query}");
        assert_eq!(stream.next_frame().await, Frame::Complete);
        assert_eq!(stream.next_frame().await, Frame::End);
        while one.next_frame().await != Frame::End {}
        assert!(
            over.elapsed() < Duration::from_secs(1),
            "{:?}",
            over.elapsed()
        );
    }
}

async fn a_former_participant_receives_no_more_events(app: TestApp) {
    let delete = "mutation($input: DeleteConversationInput!) { deleteConversation(input: $input) {
        deletedConversationId } }";
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let elsewhere = ann.direct(&bob).await;
    for is_deleted in [false, true] {
        let group = ann.creates_group(Some("Loom"), &[&bob]).await;
        let mut stream = events(&app, &bob, messages(), None).await;
        stream.opens("STARTED").await;
        let one = json!({ "id": group });
        let mut one = Stream::open(&app, &bob, MESSAGE_SENT, one, None).await;
        ann.says(&group, "inside").await;
        stream.receive("MessageSentEvent").await;
        if is_deleted {
            let input = json!({ "input": { "conversationId": group } });
            ann.execute(delete, input).await;
        } else {
            ann.removes(&group, &bob).await;
        }
        let outside = Instant::now();
        while one.next_frame().await != Frame::End {}
        assert!(
            outside.elapsed() < Duration::from_secs(1),
            "{:?}",
            outside.elapsed()
        );
        if !is_deleted {
            ann.says(&group, "for Ann alone").await;
        }
        ann.says(&elsewhere, "elsewhere").await;
        let (event, _) = stream.receive("MessageSentEvent").await;
        assert_eq!(event["message"]["body"], "elsewhere");
    }
}

/// Bob's client stops reading while many events occur. He receives what was already sent, then the end, and the rest
/// after he resumes. Cleo, who keeps reading, is not affected.
async fn a_reader_who_stops_is_cut_off_and_misses_nothing(app: TestApp) {
    const EVENTS_MISSED: usize = 900;
    let (ann, bob, cleo) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cleo").await,
    );
    let group = ann.creates_group(Some("Loom"), &[&bob, &cleo]).await;
    let root = ann.says(&group, &"warp and weft ".repeat(280)).await;
    let body = json!({ "query": EVENTS, "variables": messages() }).to_string();
    let (mut stopped, mut raw) = narrow(&app, &bob, &body).await;
    let mut hers = events(&app, &cleo, messages(), None).await;
    hers.opens("STARTED").await;

    let message = MessageId::from_text(&root);
    let conversation = ConversationId::from_text(&group);
    let now = app.app.clock.now();
    for _ in 0..EVENTS_MISSED / 100 {
        let changes = vec![Change::MessageEdited { message }; 100];
        let changes = &changes;
        let stream = log::Stream::Conversation(conversation);
        app.app
            .db
            .write(|tx| async move { log::append(&tx, stream, now, changes).await })
            .await
            .unwrap();
        for _ in 0..100 {
            hers.receive("MessageEditedEvent").await;
        }
    }
    // He reads again: what was sent before the server gave up, and then the end without a last event.
    let reading = async {
        // An empty chunk ends the response.
        while !raw.ends_with(b"\r\n0\r\n\r\n") {
            assert!(stopped.read_buf(&mut raw).await.unwrap() > 0);
        }
    };
    tokio::time::timeout(Duration::from_secs(40), reading)
        .await
        .unwrap();
    let raw = String::from_utf8(raw).unwrap();
    assert!(!raw.contains("event: complete"));
    let received = raw.matches("\"kind\":\"MessageEditedEvent\"").count();
    assert!(received < EVENTS_MISSED, "he was never cut off");
    let mut last = raw.lines().filter_map(|line| line.strip_prefix("id: "));
    let mut again = events(&app, &bob, messages(), last.next_back()).await;
    again.opens("RESUMED").await;
    for _ in received..EVENTS_MISSED {
        again.receive("MessageEditedEvent").await;
    }
    ann.says(&group, "and on").await;
    again.receive("MessageSentEvent").await;
}

/// Bob's client stops reading while so few events occur that no buffer is full. The server soon releases his stream and
/// ends his presence.
#[tokio::test]
async fn a_client_that_reads_nothing_is_closed_soon() {
    const LARGE: &str =
        "subscription { events(filter: { categories: [MESSAGES] }) { kind: __typename
        ... on MessageSentEvent { message { a: body b: body c: body d: body e: body f: body g: body
            h: body i: body j: body k: body l: body m: body n: body } } } }";
    const PRESENCE: &str = "subscription { events(filter: { categories: [PRESENCE] }) {
        ... on PresenceChangedEvent { user { username presence } } } }";
    // Far fewer events than the queue's limit, and more bytes than the system's buffers.
    const FEW: usize = 20;
    let app = TestApp::sqlite().await;
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let talk = ann.direct(&bob).await;
    let mut around = ann.subscribe(PRESENCE, Value::Null).await;
    let body = json!({ "query": LARGE }).to_string();
    let _stopped = narrow(&app, &bob, &body).await;
    let words = "🧵".repeat(app.app.config.message_length);
    for _ in 0..FEW {
        ann.says(&talk, &words).await;
    }
    let gone = async {
        loop {
            let Ok(socket::Frame::Next(data)) = around.receive().await else {
                panic!("Ann reads on");
            };
            let user = &data["events"]["user"];
            if user["username"] == "bob" && user["presence"] == "OFFLINE" {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), gone)
        .await
        .unwrap();
}

/// Opens a stream on a connection with a small receive buffer, and returns it with the bytes read so far.
async fn narrow(app: &TestApp, who: &Person, body: &str) -> (TcpStream, Vec<u8>) {
    let address = app.url("").replace("http://", "");
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\
         content-type: application/json\r\nauthorization: Bearer {}\r\n\
         content-length: {}\r\n\r\n{body}",
        who.token.as_deref().unwrap(),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut raw = Vec::new();
    while !String::from_utf8_lossy(&raw).contains("StreamOpenedEvent") {
        assert!(stream.read_buf(&mut raw).await.unwrap() > 0);
    }
    (stream, raw)
}

#[tokio::test]
async fn a_get_subscribes_and_changes_nothing() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let get = |query: &str| {
        let query = [("query", query)];
        let url = reqwest::Url::parse_with_params(&app.url("/graphql"), query).unwrap();
        Client::new()
            .get(url)
            .header(header::ACCEPT, "text/event-stream")
            .bearer_auth(ann.token.as_deref().unwrap())
            .send()
    };
    let mut stream = Stream::of(
        get("subscription { events { kind: __typename ... on StreamOpenedEvent { outcome } } }")
            .await
            .unwrap(),
    );
    stream.opens("STARTED").await;
    let refused = get("mutation { signOut { endedSessionId } }")
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_malformed_request_is_rejected_by_its_status() {
    let app = TestApp::sqlite().await;
    let post = || {
        Client::new()
            .post(app.url("/graphql"))
            .header(header::ACCEPT, "text/event-stream")
    };
    let body = json!({ "query": "{ __typename }" });
    let cases = [
        (
            post().body(body.to_string()),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (post().json(&json!([body])), StatusCode::BAD_REQUEST),
        (
            post().json(&body).header("sec-fetch-site", "cross-site"),
            StatusCode::FORBIDDEN,
        ),
        (
            post().json(&json!({ "query": "x".repeat(300_000) })),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
    ];
    for (request, status) in cases {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        let result: Value = response.json().await.unwrap();
        assert!(result["errors"][0]["extensions"]["code"].is_string());
    }
}

#[tokio::test]
async fn clients_that_prefer_json_equally_get_streams_only_for_subscriptions() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let ask = |query: &str| {
        Client::new()
            .post(app.url("/graphql"))
            .header(
                header::ACCEPT,
                "application/graphql-response+json, application/json, text/event-stream",
            )
            .bearer_auth(ann.token.as_deref().unwrap())
            .json(&json!({ "query": query, "variables": messages() }))
            .send()
    };
    let result = ask("{ __typename }").await.unwrap();
    assert_eq!(
        result.headers()[header::CONTENT_TYPE],
        "application/graphql-response+json; charset=utf-8"
    );
    let invalid = ask("subscription {").await.unwrap();
    assert_eq!(invalid.status(), StatusCode::BAD_REQUEST);
    Stream::of(ask(EVENTS).await.unwrap())
        .opens("STARTED")
        .await;
}

#[tokio::test]
async fn a_user_has_a_limit_of_streams_and_closed_ones_are_released() {
    let app = TestApp::sqlite().await;
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(events(&app, &ann, messages(), None).await);
    }
    let refused = events(&app, &ann, messages(), None).await;
    assert_eq!(refused.response.status(), StatusCode::TOO_MANY_REQUESTS);
    // Other users, and operations that end, are not affected.
    events(&app, &bob, messages(), None)
        .await
        .opens("STARTED")
        .await;
    let mut query = Stream::open(&app, &ann, "{ __typename }", Value::Null, None).await;
    query.next().await;
    drop(open);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let again = events(&app, &ann, messages(), None).await;
        if again.response.status() == StatusCode::OK {
            break;
        }
        assert!(Instant::now() < deadline, "a place was kept");
    }
}

#[tokio::test]
async fn a_quiet_stream_sends_comments() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let mut stream = events(&app, &ann, messages(), None).await;
    assert_eq!(stream.block().await.as_deref(), Some(":"));
    stream.opens("STARTED").await;
    assert_eq!(stream.block().await.as_deref(), Some(":"));
}

#[tokio::test]
async fn an_expired_token_ends_the_stream_which_a_new_one_resumes() {
    let lifetime = Duration::from_secs(2);
    let app = TestApp::sqlite_with(|config| config.access_token_lifetime = lifetime).await;
    let ann = app.person("Ann").await;
    let mut stream = events(&app, &ann, messages(), None).await;
    stream.opens("STARTED").await;
    let (ended, last) = stream.receive("SessionEndedEvent").await;
    assert_eq!(ended["reason"], "EXPIRED");
    assert_eq!(stream.next_frame().await, Frame::End);
    let ann = signs_in(&app, &ann).await;
    let mut stream = events(&app, &ann, messages(), Some(&last)).await;
    stream.opens("RESUMED").await;
}

#[tokio::test]
async fn a_stopping_server_ends_its_streams() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let mut stream = events(&app, &ann, messages(), None).await;
    stream.opens("STARTED").await;
    app.app.shutdown.cancel();
    assert_eq!(stream.next_frame().await, Frame::End);
}
