//! Counts the memory allocations of the hottest operations. Counting instead of timing shows on any machine that a
//! change makes them slower. This is a binary of its own because it counts everything that its process does.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "JSON answers are read by index; a missing key is null"
)]

#[path = "it/support/sqlite.rs"]
mod sqlite;

use std::{alloc::System, fmt::Write};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, header},
};
use heddle::{app::App, auth::token::Keys, config::Config, db::Db, http};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tempfile::TempDir;
use tower::ServiceExt;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of one request, after equal requests. When you change the cost of an operation on purpose, write the new
/// figure here.
const WALKS: [(&str, usize); 6] = [
    ("nothing", 96),
    ("list of 50", 666),
    ("thread page", 1084),
    ("conversations", 466),
    ("send", 757),
    ("send, received by one", 1340),
];
/// How far an operation may differ from its figure: builds with other compilers and libraries differ by this much.
const TOLERANCE_PERCENT: usize = 20;
/// The number of counted requests, and of requests before them that fill the caches.
const REQUESTS: usize = 40;
/// The number of messages of the list and of replies of the thread: more than a page.
const MESSAGES: usize = 60;
/// The number of the viewer's conversations.
const GROUPS: usize = 20;

const LIST: &str = "query($id: ID!) { conversation(id: $id) { messages(last: 50) { nodes {
    id body createdAt replyCount sender { id displayName } } } } }";
const THREAD: &str = "query($id: ID!) { thread(id: $id) { replies(first: 50) {
    edges { depth node { id body createdAt replyCount sender { id displayName } parent { id } } }
    pageInfo { endCursor } } } }";
const CONVERSATIONS: &str = "{ viewer { conversations(first: 50) { nodes { id displayTitle
    viewerMembership { unreadCount } } } } }";
const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
    message { id thread { id } } } }";
const EVENTS: &str = "subscription { events { __typename
    ... on MessageSentEvent { message { id body sender { displayName } } } } }";
const BODY: &str =
    "Eighty characters of text, as people write them when they have something to say.";

#[tokio::test]
async fn walks_take_no_more_memory_than_they_did() {
    let server = Server::start().await;
    let (ann, bob) = (server.sign_up("Ann").await, server.sign_up("Bob").await);
    let mut groups = vec![];
    for _ in 0..GROUPS {
        groups.push(server.creates_group(&ann.0, &bob.1).await);
    }
    let group = &groups[0];
    let root = server.request(&bob.0, group, None).await.0;
    let mut thread = String::new();
    for _ in 0..MESSAGES {
        server.request(&bob.0, group, None).await;
        thread = server.request(&bob.0, group, Some(&root)).await.1;
    }
    let (list, page) = (json!({ "id": group }), json!({ "id": thread }));
    // Without other subscribers.
    let message = json!({ "input": { "conversationId": groups[1], "body": BODY } });
    let walks = [
        ("{ __typename }", Value::Null),
        (LIST, list),
        (THREAD, page),
        (CONVERSATIONS, Value::Null),
        (SEND, message.clone()),
    ];
    let mut counts = vec![];
    for (query, variables) in walks {
        counts.push(
            server
                .count_statements(&ann.0, query, &variables, None)
                .await,
        );
    }
    let events = request(&bob.0, EVENTS, &Value::Null, "text/event-stream");
    let mut events = server
        .router
        .clone()
        .oneshot(events)
        .await
        .unwrap()
        .into_body();
    receive(&mut events, "StreamOpenedEvent").await;
    counts.push(
        server
            .count_statements(&ann.0, SEND, &message, Some(&mut events))
            .await,
    );

    let mut wrong = String::new();
    for ((walk, figure), count) in WALKS.into_iter().zip(counts) {
        if count.abs_diff(figure) * 100 > figure * TOLERANCE_PERCENT {
            writeln!(wrong, "{walk}: {count} allocations, not {figure}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "within {TOLERANCE_PERCENT} %:\n{wrong}");
}

/// The server on SQLite, called without a network.
struct Server {
    router: Router,
    app: App,
    _folder: TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = sqlite::fresh_file(folder.path()).await;
        let config = Config {
            database_url: format!("sqlite://{}", file.display()),
            data_dir: folder.path().to_owned(),
            ..Config::default()
        };
        let db = Db::connect(&config.database_url).await.unwrap();
        let secret = Keys::generate().unwrap();
        let app = App::open(db, config, &secret).await.unwrap();
        app.hub.start().await.unwrap();
        Self {
            router: http::router(app.clone()),
            app,
            _folder: folder,
        }
    }

    async fn fetch(&self, request: Request<Body>) -> Bytes {
        let response = self.router.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    }

    async fn execute(&self, token: &str, query: &str, variables: Value) -> Value {
        let response = self.fetch(request(token, query, &variables, JSON)).await;
        data(&response)
    }

    /// Registers a user and returns their token and id.
    async fn sign_up(&self, name: &str) -> (String, String) {
        let register = "mutation($input: RegisterInput!) { register(input: $input) {
            auth { accessToken viewer { user { id } } } } }";
        let input = json!({
            "username": name.to_lowercase(),
            "displayName": name,
            "email": format!("{name}@example.org"),
            "password": "a loom has many heddles",
        });
        let data = self.execute("", register, json!({ "input": input })).await;
        let auth = &data["register"]["auth"];
        (
            text(&auth["accessToken"]),
            text(&auth["viewer"]["user"]["id"]),
        )
    }

    async fn creates_group(&self, token: &str, other: &str) -> String {
        let create = "mutation($input: CreateConversationInput!) {
            createConversation(input: $input) { conversation { id } } }";
        let input = json!({ "title": "Loom", "participantIds": [other] });
        let data = self.execute(token, create, json!({ "input": input })).await;
        text(&data["createConversation"]["conversation"]["id"])
    }

    /// Sends a message and returns its id and that of its thread, if it has one.
    async fn request(&self, token: &str, group: &str, parent: Option<&str>) -> (String, String) {
        let input = json!({ "conversationId": group, "parentId": parent, "body": BODY });
        let data = self.execute(token, SEND, json!({ "input": input })).await;
        let message = &data["sendMessage"]["message"];
        let thread = message["thread"]["id"].as_str().unwrap_or_default();
        (text(&message["id"]), thread.to_owned())
    }

    /// Returns the allocations of one such request, including the delivery of its event to a subscriber.
    async fn count_statements(
        &self,
        token: &str,
        query: &str,
        variables: &Value,
        mut events: Option<&mut Body>,
    ) -> usize {
        let mut count = 0;
        for _ in ["warming up", "counting"] {
            let requests: Vec<_> = (0..REQUESTS)
                .map(|_| request(token, query, variables, JSON))
                .collect();
            let mut responses = Vec::with_capacity(REQUESTS);
            let region = Region::new(ALLOCATOR);
            for request in requests {
                responses.push(self.fetch(request).await);
                if let Some(events) = &mut events {
                    receive(events, "MessageSentEvent").await;
                }
            }
            let change = region.change();
            count = (change.allocations + change.reallocations) / REQUESTS;
            for response in &responses {
                data(response);
            }
        }
        count
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.app.shutdown.cancel();
    }
}

const JSON: &str = "application/json";

fn request(token: &str, query: &str, variables: &Value, accept: &str) -> Request<Body> {
    let mut request = Request::post("/graphql")
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, JSON)
        .header(header::ACCEPT, accept);
    if !token.is_empty() {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = json!({ "query": query, "variables": variables });
    request.body(Body::from(body.to_string())).unwrap()
}

/// Reads the stream up to an event of this kind.
async fn receive(events: &mut Body, kind: &str) {
    loop {
        let frame = events.frame().await.unwrap().unwrap();
        let received = frame.into_data().unwrap();
        if received
            .windows(kind.len())
            .any(|part| part == kind.as_bytes())
        {
            return;
        }
    }
}

fn data(response: &[u8]) -> Value {
    let mut response: Value = serde_json::from_slice(response).unwrap();
    assert!(response.get("errors").is_none(), "{response:#}");
    response["data"].take()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
