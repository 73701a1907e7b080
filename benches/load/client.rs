//! Callers that keep one connection each and ask one thing after the other.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

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
    pub(crate) statements: Option<u64>,
}

impl Client {
    pub(crate) async fn connect(host: &str, token: Option<&str>) -> Self {
        let stream = TcpStream::connect(host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self {
            sender,
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
        self.sender.ready().await.unwrap();
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

/// The body of a request.
pub(crate) fn operation(query: &str, variables: &Value) -> Bytes {
    json!({ "query": query, "variables": variables })
        .to_string()
        .into()
}

/// Several callers ask for a while, each the next as soon as it has an answer. `next` gives path and body.
pub(crate) async fn ask_for(
    clients: &mut [Client],
    time: Duration,
    next: &(dyn Fn() -> (&'static str, Bytes) + Sync),
) -> Stretch {
    let begun = Instant::now();
    let callers = clients.iter_mut().map(|client| async move {
        let (mut times, mut statements) = (vec![], None);
        while begun.elapsed() < time {
            let (path, body) = next();
            let asked = Instant::now();
            let answer = client.post(path, body).await;
            times.push(asked.elapsed());
            assert!(
                !answer.body.starts_with(b"{\"errors\""),
                "{}",
                String::from_utf8_lossy(&answer.body)
            );
            statements = answer.statements;
        }
        (times, statements)
    });
    let all = futures_util::future::join_all(callers).await;
    let took = begun.elapsed();
    let statements = all.iter().find_map(|(_, statements)| *statements);
    let times = all.into_iter().flat_map(|(times, _)| times).collect();
    Stretch {
        times,
        took,
        statements,
    }
}
