//! GraphQL over WebSocket: the protocol as a client uses it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use heddle::{
    id::{ConversationId, MessageId},
    live::log::{self, Change},
};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async, connect_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::{HeaderValue, StatusCode},
    },
};

use crate::support::{
    app::TestApp, groups::Groups, messaging::Messaging, person::Person, socket::Subscription,
};

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(app: &TestApp) -> Self {
        Self::open_with(app, Some("graphql-transport-ws"), None)
            .await
            .unwrap()
    }

    async fn open_with(
        app: &TestApp,
        protocol: Option<&'static str>,
        origin: Option<&str>,
    ) -> Result<Self, tungstenite::Error> {
        Self::open_as(app, protocol, origin, None).await
    }

    async fn open_as(
        app: &TestApp,
        protocol: Option<&'static str>,
        origin: Option<&str>,
        authorization: Option<&str>,
    ) -> Result<Self, tungstenite::Error> {
        let url = app.url("/graphql").replace("http", "ws");
        let mut request = url.into_client_request().unwrap();
        if let Some(protocol) = protocol {
            let value = HeaderValue::from_static(protocol);
            request
                .headers_mut()
                .insert("sec-websocket-protocol", value);
        }
        for (name, value) in [("origin", origin), ("authorization", authorization)] {
            if let Some(value) = value {
                let value = HeaderValue::from_str(value).unwrap();
                request.headers_mut().insert(name, value);
            }
        }
        Ok(Self(connect_async(request).await?.0))
    }

    /// Opens a connection and waits for the acknowledgement.
    async fn ready(app: &TestApp, person: Option<&Person>) -> Self {
        let mut socket = Self::open(app).await;
        let payload = person.map(|person| {
            json!({ "authorization": format!("Bearer {}", person.token.as_deref().unwrap()) })
        });
        socket
            .send(&json!({"type": "connection_init", "payload": payload}))
            .await;
        assert_eq!(socket.receive().await, json!({"type": "connection_ack"}));
        socket
    }

    async fn send(&mut self, message: &Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    async fn execute(&mut self, id: &str, query: &str) {
        self.send(&json!({"id": id, "type": "subscribe", "payload": {"query": query}}))
            .await;
    }

    /// Returns the next message of the protocol.
    async fn receive(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Returns the code with which the server closes the socket.
    async fn is_closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.0.next().await.unwrap().unwrap() {
                return frame.unwrap().code.into();
            }
        }
    }
}

#[tokio::test]
async fn a_query_returns_its_result_and_completes() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let mut socket = Socket::ready(&app, Some(&ann)).await;
    socket
        .execute("1", "{ viewer { user { username } } }")
        .await;
    let result = json!({"data": {"viewer": {"user": {"username": "ann"}}}});
    assert_eq!(
        socket.receive().await,
        json!({"id": "1", "type": "next", "payload": result})
    );
    assert_eq!(
        socket.receive().await,
        json!({"id": "1", "type": "complete"})
    );
    // The id may be used again.
    socket.execute("1", "{ __typename }").await;
    assert_eq!(
        socket.receive().await["payload"]["data"]["__typename"],
        "Query"
    );
}

#[tokio::test]
async fn the_token_may_have_several_names_or_be_absent() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let token = ann.token.as_deref().unwrap();
    let bearer = format!("Bearer {token}");
    for payload in [
        json!({"token": token}),
        json!({"authorization": bearer}),
        json!({"Authorization": bearer}),
        json!({"Authorization": token}),
        json!({"headers": {"Authorization": bearer}}),
        json!({"headers": {"authorization": bearer, "x": 1}}),
        json!({"headers": [], "token": token}),
    ] {
        let mut socket = Socket::open(&app).await;
        socket
            .send(&json!({"type": "connection_init", "payload": payload}))
            .await;
        assert_eq!(socket.receive().await["type"], "connection_ack");
        socket.execute("1", "{ viewer { id } }").await;
        assert!(socket.receive().await["payload"]["data"]["viewer"]["id"].is_string());
    }
    let mut anonymous = Socket::ready(&app, None).await;
    anonymous.execute("1", "{ viewer { id } }").await;
    assert_eq!(
        anonymous.receive().await["payload"],
        json!({"data": {"viewer": null}})
    );
}

#[tokio::test]
async fn a_client_that_is_no_browser_signs_in_with_its_handshake() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let ben = app.person("Ben").await;
    let bearer = format!("Bearer {}", ann.token.as_deref().unwrap());
    let own = app.url("");
    let protocol = Some("graphql-transport-ws");
    let open = async |origin, authorization: &str, payload: Value| {
        let socket = Socket::open_as(&app, protocol, origin, Some(authorization)).await;
        let mut socket = socket.unwrap();
        let init = json!({"type": "connection_init", "payload": payload});
        socket.send(&init).await;
        socket
    };
    let viewer = async |mut socket: Socket| {
        assert_eq!(socket.receive().await["type"], "connection_ack");
        socket
            .execute("1", "{ viewer { user { username } } }")
            .await;
        socket.receive().await["payload"]["data"]["viewer"]["user"]["username"].take()
    };
    for payload in [json!(null), json!({}), json!({"client": "a script"})] {
        assert_eq!(viewer(open(None, &bearer, payload).await).await, "ann");
    }
    // The payload takes precedence, and a page cannot set a header.
    let token = json!({"token": ben.token});
    assert_eq!(viewer(open(None, &bearer, token).await).await, "ben");
    let page = open(Some(own.as_str()), &bearer, json!({})).await;
    assert_eq!(viewer(page).await, Value::Null);
    let basic = open(None, "Basic YTpi", json!({})).await;
    assert_eq!(viewer(basic).await, Value::Null);
    let mut stranger = open(None, "Bearer x", json!({})).await;
    assert_eq!(stranger.is_closed().await, 4403);
}

#[tokio::test]
async fn half_of_a_surrogate_pair_ends_only_its_operation() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let mut socket = Socket::ready(&app, Some(&ann)).await;
    socket
        .execute("1", "subscription { events { __typename } }")
        .await;
    assert_eq!(socket.receive().await["id"], "1");
    for payload in [
        r#"{"query":"query($a: Int) { __typename }","variables":{"a":"cut \ud83e"}}"#,
        r#"{"query":"{ __typename } # \udde6"}"#,
        r#"{"query":"{ __typename }","operationName":"\ud83e"}"#,
        r#"{"query":"{ __typename }","variables":{"a":1e999}}"#,
    ] {
        let message = format!(r#"{{"id":"2","type":"subscribe","payload":{payload}}}"#);
        socket.0.send(Message::text(message)).await.unwrap();
        let error = socket.receive().await;
        let (id, kind) = (&error["id"], &error["type"]);
        assert_eq!((id, kind), (&json!("2"), &json!("error")), "{error}");
        let code = &error["payload"][0]["extensions"]["code"];
        assert_eq!(code, "BAD_USER_INPUT");
    }
    // The other operation still receives its events.
    ann.creates_group(None, &[]).await;
    assert_eq!(socket.receive().await["id"], "1");
}

#[tokio::test]
async fn an_invalid_operation_returns_an_error_and_ends() {
    let app = TestApp::sqlite().await;
    let mut socket = Socket::ready(&app, None).await;
    let cases = [
        ("{ nothing }", "BAD_USER_INPUT"),
        ("{ __typename", "BAD_USER_INPUT"),
        ("query($x: Int!) { __typename }", "BAD_USER_INPUT"),
        ("subscription { a b }", "BAD_USER_INPUT"),
        (
            "{ a(b: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
            "TOO_COMPLEX",
        ),
    ];
    for (query, code) in cases {
        socket.execute("1", query).await;
        let message = socket.receive().await;
        assert_eq!(
            (&message["id"], &message["type"]),
            (&json!("1"), &json!("error")),
            "{message}"
        );
        assert_eq!(
            message["payload"][0]["extensions"]["code"], code,
            "{message}"
        );
    }
    // Nothing follows an error: the next message belongs to the next operation.
    socket.execute("2", "{ __typename }").await;
    assert_eq!(socket.receive().await["id"], "2");
}

#[tokio::test]
async fn a_pong_follows_a_ping_at_any_time() {
    let app = TestApp::sqlite().await;
    let mut socket = Socket::open(&app).await;
    socket
        .send(&json!({"type": "ping", "payload": {"x": 1}}))
        .await;
    assert_eq!(
        socket.receive().await,
        json!({"type": "pong", "payload": {"x": 1}})
    );
}

#[tokio::test]
async fn breaches_close_with_their_codes() {
    let app = TestApp::sqlite().await;
    let init = json!({"type": "connection_init"});
    let subscribe = json!({"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}});

    let mut early = Socket::open(&app).await;
    early.send(&subscribe).await;
    assert_eq!(early.is_closed().await, 4401);

    let mut twice = Socket::ready(&app, None).await;
    twice.send(&init).await;
    assert_eq!(twice.is_closed().await, 4429);

    let mut odd = Socket::ready(&app, None).await;
    odd.send(&json!({"type": "start", "id": "1", "payload": {}}))
        .await;
    assert_eq!(odd.is_closed().await, 4400);

    let mut binary = Socket::ready(&app, None).await;
    binary
        .0
        .send(Message::binary(init.to_string().into_bytes()))
        .await
        .unwrap();
    assert_eq!(binary.is_closed().await, 4400);

    let mut stranger = Socket::open(&app).await;
    stranger
        .send(&json!({"type": "connection_init", "payload": {"token": "x"}}))
        .await;
    assert_eq!(stranger.is_closed().await, 4403);

    let mut large = Socket::ready(&app, None).await;
    large
        .send(&json!({"type": "ping", "payload": {"x": "x".repeat(70 * 1024)}}))
        .await;
    assert_eq!(large.is_closed().await, 1009);

    for protocol in [None, Some("graphql-ws")] {
        // The client library requires one of its protocols in the response, so this request names none.
        match Socket::open_with(&app, protocol, None).await {
            Ok(mut socket) => assert_eq!(socket.is_closed().await, 4406),
            Err(error) => assert!(
                protocol.is_some() && error.to_string().contains("protocol"),
                "{error}"
            ),
        }
    }
}

#[tokio::test]
async fn two_operations_cannot_share_an_id() {
    let app = TestApp::sqlite().await;
    let mut socket = Socket::ready(&app, None).await;
    // They arrive together, so both are read before the first has a response.
    let message =
        json!({"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}}).to_string();
    let codes = async {
        for _ in 0..50 {
            socket.0.feed(Message::text(message.as_str())).await?;
        }
        socket.0.flush().await
    };
    codes.await.unwrap();
    assert_eq!(socket.is_closed().await, 4409);
}

#[tokio::test]
async fn a_silent_socket_is_closed_in_time() {
    let app = TestApp::sqlite().await;
    let mut socket = Socket::open(&app).await;
    let closed = tokio::time::timeout(Duration::from_secs(20), socket.is_closed());
    assert_eq!(closed.await.unwrap(), 4408);
}

#[tokio::test]
async fn only_known_origins_open_sockets() {
    let friend = "https://chat.example.org";
    let app = TestApp::sqlite_with(|config| config.allowed_origins = vec![friend.to_owned()]).await;
    let own = app.url("");
    for origin in [friend, own.as_str()] {
        Socket::open_with(&app, Some("graphql-transport-ws"), Some(origin))
            .await
            .unwrap();
    }
    for origin in [
        "null",
        "https://chat.example.org.evil.net",
        "http://chat.example.org",
        "http://127.0.0.1:1",
    ] {
        match Socket::open_with(&app, Some("graphql-transport-ws"), Some(origin)).await {
            Err(tungstenite::Error::Http(response)) => {
                assert_eq!(response.status(), StatusCode::FORBIDDEN);
            }
            _ => panic!("{origin} was accepted"),
        }
    }
}

#[tokio::test]
async fn a_user_has_a_limit_of_sockets() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(Socket::ready(&app, Some(&ann)).await);
    }
    let init = json!({"type": "connection_init", "payload": {"token": ann.token}});
    let mut one_more = Socket::open(&app).await;
    one_more.send(&init).await;
    assert_eq!(one_more.is_closed().await, 1013);
    // Another user is not affected.
    let bob = app.person("Bob").await;
    Socket::ready(&app, Some(&bob)).await;
}

/// With few but large messages, the stream waits for a client that does not read, and continues when it does.
#[tokio::test]
async fn a_reader_who_stops_continues_at_the_same_position() {
    read_late(200, Wakes::BeforeTooMany).await;
}

/// So many events that the server closes the stream, because its queue is limited. He still misses nothing.
#[tokio::test]
async fn a_reader_who_stops_for_too_long_is_closed() {
    read_late(400, Wakes::AfterTooMany).await;
}

#[derive(PartialEq, Eq)]
enum Wakes {
    BeforeTooMany,
    AfterTooMany,
}

/// Bob stops reading while this number of large events occur, and then reads again; Cleo reads all the time.
async fn read_late(events: usize, wakes: Wakes) {
    const EVENTS: &str =
        "subscription($after: String) { events(after: $after, filter: { categories: [MESSAGES] }) { kind: __typename cursor
        ... on MessageEditedEvent { message { a: body b: body c: body d: body e: body f: body
            g: body h: body i: body j: body k: body l: body } } } }";
    let app = TestApp::sqlite().await;
    let (ann, bob, cleo) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cleo").await,
    );
    let group = ann.creates_group(Some("Loom"), &[&bob, &cleo]).await;
    let message = MessageId::from_text(&ann.says(&group, &"warp and weft ".repeat(700)).await);
    let tcp = TcpSocket::new_v4().unwrap();
    tcp.set_recv_buffer_size(4096).unwrap();
    let address = app.url("").replace("http://", "").parse().unwrap();
    let mut request = app
        .url("/graphql")
        .replace("http", "ws")
        .into_client_request()
        .unwrap();
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let tcp = MaybeTlsStream::Plain(tcp.connect(address).await.unwrap());
    let mut stopped = Socket(client_async(request, tcp).await.unwrap().0);
    let init = json!({"type": "connection_init", "payload": {"token": bob.token}});
    stopped.send(&init).await;
    stopped.receive().await;
    stopped.execute("1", EVENTS).await;
    let mut last = stopped.receive().await["payload"]["data"]["events"]["cursor"].take();

    let mut hers = Subscription::open(&app, &cleo, EVENTS, Value::Null).await;
    hers.next().await;
    let (now, stream) = (
        app.app.clock.now(),
        log::Stream::Conversation(ConversationId::from_text(&group)),
    );
    for _ in 0..events {
        let changes = &[Change::MessageEdited { message }];
        app.app
            .db
            .write(|tx| async move { log::append(&tx, stream, now, changes).await })
            .await
            .unwrap();
        hers.next().await;
    }
    let mut received = 0;
    let code = loop {
        if received == events {
            break None;
        }
        match stopped.0.next().await {
            Some(Ok(Message::Text(text))) => {
                let returned: Value = serde_json::from_str(&text).unwrap();
                last = returned["payload"]["data"]["events"]["cursor"].clone();
                received += 1;
            }
            Some(Ok(Message::Close(frame))) => break frame.map(|frame| frame.code.into()),
            Some(Ok(_)) => {}
            // He reads again after the server has closed the connection.
            Some(Err(_)) | None => break None,
        }
    };
    assert!(code.is_none_or(|code: u16| code == 1013), "{code:?}");
    assert_eq!(
        received == events,
        wakes == Wakes::BeforeTooMany,
        "{received}"
    );
    // All missed events arrive when he resumes, regardless of their number.
    let after = json!({ "after": last });
    let mut again = Subscription::open(&app, &bob, EVENTS, after).await;
    assert_eq!(again.next().await["events"]["kind"], "StreamOpenedEvent");
    for _ in received..events {
        assert_eq!(again.next().await["events"]["kind"], "MessageEditedEvent");
    }
    ann.says(&group, "and on").await;
    assert_ne!(again.next().await["events"]["kind"], "MessageEditedEvent");
}

#[tokio::test]
async fn an_expired_token_closes_the_socket() {
    let lifetime = Duration::from_secs(1);
    let app = TestApp::sqlite_with(|config| config.access_token_lifetime = lifetime).await;
    let ann = app.person("Ann").await;
    let mut socket = Socket::ready(&app, Some(&ann)).await;
    assert_eq!(socket.is_closed().await, 4403);
}

#[tokio::test]
async fn a_stopping_server_closes_its_sockets_for_a_reconnect() {
    let app = TestApp::sqlite().await;
    let mut socket = Socket::ready(&app, None).await;
    app.app.shutdown.cancel();
    assert_eq!(socket.is_closed().await, 1012);
}

#[tokio::test]
async fn a_client_that_closes_gets_its_close_back() {
    let app = TestApp::sqlite().await;
    let mut socket = Socket::ready(&app, None).await;
    socket.0.close(None).await.unwrap();
    while let Some(message) = socket.0.next().await {
        assert!(matches!(message.unwrap(), Message::Close(_)));
    }
}
