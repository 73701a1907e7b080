//! HTTP callers. Each one keeps a connection and sends one request after another.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// The password of the seeded users.
const PASSWORD: &str = "over-under-over-under";

pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    token: Option<String>,
}

pub(crate) struct Response {
    pub(crate) body: Bytes,
    /// Statements of the request, if the server reports them.
    pub(crate) statements: Option<u64>,
}

/// The measurements of a number of requests.
#[derive(Debug, Default)]
pub(crate) struct LoadResult {
    pub(crate) times: Vec<Duration>,
    pub(crate) took: Duration,
    /// Average per request.
    pub(crate) statements: Option<f64>,
}

impl Client {
    pub(crate) async fn connect(host: &str, token: Option<&str>) -> Self {
        Self {
            sender: connection(host).await,
            host: host.to_owned(),
            token: token.map(str::to_owned),
        }
    }

    pub(crate) async fn post(&mut self, path: &str, body: Bytes) -> Response {
        let mut request = Request::post(path)
            .header("host", &self.host)
            .header("content-type", "application/json")
            .header("accept", "application/graphql-response+json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        // The server closes connections that are idle for a while.
        if self.sender.ready().await.is_err() {
            self.sender = connection(&self.host).await;
        }
        let response = self
            .sender
            .send_request(request.body(Full::new(body)).unwrap())
            .await
            .unwrap();
        let timing = response
            .headers()
            .get("server-timing")
            .and_then(|value| value.to_str().ok());
        let statements = timing
            .and_then(|text| text.split("statements;desc=").nth(1))
            .and_then(|text| {
                text.trim_matches('"')
                    .split(['"', ','])
                    .next()?
                    .parse()
                    .ok()
            });
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(
            status.is_success(),
            "{path}: {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Response { body, statements }
    }

    /// Runs an operation of Heddle and returns its data. Errors end the measurement.
    pub(crate) async fn query(&mut self, query: &str, variables: Value) -> Value {
        let response = self.post("/graphql", operation(query, &variables)).await;
        let mut body: Value = serde_json::from_slice(&response.body).unwrap();
        assert!(body.get("errors").is_none(), "{query}: {body}");
        body["data"].take()
    }
}

async fn connection(host: &str) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(host).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

/// Signs a seeded user in and returns the access token.
pub(crate) async fn sign_in(client: &mut Client, username: &str) -> String {
    let text = "mutation($input: SignInInput!) { signIn(input: $input) { auth { accessToken } } }";
    let input = json!({ "input": { "login": username, "password": PASSWORD } });
    let data = client.query(text, input).await;
    text_of(&data["signIn"]["auth"]["accessToken"])
}

/// Registers a user and returns their token and id.
pub(crate) async fn register(client: &mut Client, username: &str) -> (String, String) {
    let text = "mutation($input: RegisterInput!) { register(input: $input) {
        auth { accessToken viewer { user { id } } } } }";
    let input = json!({ "username": username, "displayName": username,
        "email": format!("{username}@example.org"), "password": "warp, weft and shuttle" });
    let data = client.query(text, json!({ "input": input })).await;
    let auth = &data["register"]["auth"];
    let id = text_of(&auth["viewer"]["user"]["id"]);
    (text_of(&auth["accessToken"]), id)
}

/// The text of a JSON string.
pub(crate) fn text_of(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Builds the body of a request.
pub(crate) fn operation(query: &str, variables: &Value) -> Bytes {
    json!({ "query": query, "variables": variables })
        .to_string()
        .into()
}

/// Returns the path and the body of the next request of the caller with this number.
pub(crate) type NextRequest<'a> = &'a (dyn Fn(usize) -> (&'static str, Bytes) + Sync);

/// Sends requests for this time. Each caller waits for a response before its next request.
pub(crate) async fn run_for(
    clients: &mut [Client],
    time: Duration,
    next: NextRequest<'_>,
) -> LoadResult {
    let started = Instant::now();
    run_while(clients, &|| started.elapsed() < time, next).await
}

/// Sends this number of requests in total.
pub(crate) async fn run_count(
    clients: &mut [Client],
    count: usize,
    next: NextRequest<'_>,
) -> LoadResult {
    let sent = AtomicUsize::new(0);
    let more = || sent.fetch_add(1, Ordering::Relaxed) < count;
    run_while(clients, &more, next).await
}

async fn run_while(
    clients: &mut [Client],
    more: &(dyn Fn() -> bool + Sync),
    next: NextRequest<'_>,
) -> LoadResult {
    let started = Instant::now();
    let callers = clients
        .iter_mut()
        .enumerate()
        .map(|(caller, client)| async move {
            let (mut times, mut statements) = (vec![], vec![]);
            while more() {
                let (path, body) = next(caller);
                let sent = Instant::now();
                let response = client.post(path, body).await;
                times.push(sent.elapsed());
                assert!(
                    !response.body.starts_with(b"{\"errors\""),
                    "{}",
                    String::from_utf8_lossy(&response.body)
                );
                statements.extend(response.statements);
            }
            (times, statements)
        });
    let all = futures_util::future::join_all(callers).await;
    let took = started.elapsed();
    let counted: Vec<u64> = all
        .iter()
        .flat_map(|(_, counted)| counted)
        .copied()
        .collect();
    let times = all.into_iter().flat_map(|(times, _)| times).collect();
    let statements = counted.iter().sum::<u64>() as f64 / counted.len() as f64;
    LoadResult {
        times,
        took,
        statements: (!counted.is_empty()).then_some(statements),
    }
}
