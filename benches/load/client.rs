//! Callers that keep one connection each and ask one thing after the other.

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

/// What everybody who was made up signs in with.
const PASSWORD: &str = "over-under-over-under";

/// One connection.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    token: Option<String>,
}

/// One answer.
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    /// Statements that the server counted, if it says.
    pub(crate) statements: Option<u64>,
}

/// What a stretch of asking gave.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    pub(crate) times: Vec<Duration>,
    pub(crate) took: Duration,
    /// Of a request, on average.
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

    pub(crate) async fn post(&mut self, path: &str, body: Bytes) -> Answer {
        let mut request = Request::post(path)
            .header("host", &self.host)
            .header("content-type", "application/json")
            .header("accept", "application/graphql-response+json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        // The server ends connections on which nothing was asked for a while.
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
        Answer { body, statements }
    }

    /// Asks Heddle; errors end the measurement.
    pub(crate) async fn asks(&mut self, query: &str, variables: Value) -> Value {
        let answer = self.post("/graphql", operation(query, &variables)).await;
        let mut answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].take()
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

/// Signs in somebody of the seed.
pub(crate) async fn sign_in(client: &mut Client, username: &str) -> String {
    let text = "mutation($input: SignInInput!) { signIn(input: $input) { auth { accessToken } } }";
    let input = json!({ "input": { "login": username, "password": PASSWORD } });
    let data = client.asks(text, input).await;
    text_of(&data["signIn"]["auth"]["accessToken"])
}

/// Somebody new: their token and their id.
pub(crate) async fn register(client: &mut Client, username: &str) -> (String, String) {
    let text = "mutation($input: RegisterInput!) { register(input: $input) {
        auth { accessToken viewer { user { id } } } } }";
    let input = json!({ "username": username, "displayName": username,
        "email": format!("{username}@example.org"), "password": "warp, weft and shuttle" });
    let data = client.asks(text, json!({ "input": input })).await;
    let auth = &data["register"]["auth"];
    let id = text_of(&auth["viewer"]["user"]["id"]);
    (text_of(&auth["accessToken"]), id)
}

/// The text that must be there.
pub(crate) fn text_of(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The body of a request.
pub(crate) fn operation(query: &str, variables: &Value) -> Bytes {
    json!({ "query": query, "variables": variables })
        .to_string()
        .into()
}

/// Gives path and body of the next request.
pub(crate) type Next<'a> = &'a (dyn Fn() -> (&'static str, Bytes) + Sync);

/// Several callers ask for a while, each the next as soon as it has an answer.
pub(crate) async fn ask_for(clients: &mut [Client], time: Duration, next: Next<'_>) -> Stretch {
    let begun = Instant::now();
    ask_while(clients, &|| begun.elapsed() < time, next).await
}

/// Several callers ask so many times in all.
pub(crate) async fn ask_times(clients: &mut [Client], count: usize, next: Next<'_>) -> Stretch {
    let asked = AtomicUsize::new(0);
    let more = || asked.fetch_add(1, Ordering::Relaxed) < count;
    ask_while(clients, &more, next).await
}

async fn ask_while(
    clients: &mut [Client],
    more: &(dyn Fn() -> bool + Sync),
    next: Next<'_>,
) -> Stretch {
    let begun = Instant::now();
    let callers = clients.iter_mut().map(|client| async move {
        let (mut times, mut statements) = (vec![], vec![]);
        while more() {
            let (path, body) = next();
            let asked = Instant::now();
            let answer = client.post(path, body).await;
            times.push(asked.elapsed());
            assert!(
                !answer.body.starts_with(b"{\"errors\""),
                "{}",
                String::from_utf8_lossy(&answer.body)
            );
            statements.extend(answer.statements);
        }
        (times, statements)
    });
    let all = futures_util::future::join_all(callers).await;
    let took = begun.elapsed();
    let counted: Vec<u64> = all
        .iter()
        .flat_map(|(_, counted)| counted)
        .copied()
        .collect();
    let times = all.into_iter().flat_map(|(times, _)| times).collect();
    let statements = counted.iter().sum::<u64>() as f64 / counted.len() as f64;
    Stretch {
        times,
        took,
        statements: (!counted.is_empty()).then_some(statements),
    }
}
