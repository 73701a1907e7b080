//! Subscriptions of the people in the stories: graphql-transport-ws, one operation a socket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async, connect_async,
    tungstenite::{
        self, Message, client::IntoClientRequest, handshake::client::Request, http::HeaderValue,
    },
};

use super::{app::TestApp, person::Person};

/// Nothing takes this long unless it never happens.
const PATIENCE: Duration = Duration::from_secs(30);

fn upgrade(endpoint: &str) -> Request {
    let url = endpoint.replacen("http", "ws", 1);
    let mut request = url.into_client_request().unwrap();
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    request
}

/// One subscription on a socket of its own.
pub(crate) struct Subscription(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What a subscription says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    /// An event: its data.
    Next(Value),
    /// It was refused with these errors.
    Error(Value),
    /// It is over.
    Complete,
    /// The socket was closed with this code.
    Closed(u16),
}

impl Subscription {
    /// A person subscribes.
    pub(crate) async fn open(app: &TestApp, who: &Person, query: &str, variables: Value) -> Self {
        let url = app.url("/graphql");
        Self::try_open(&url, who, query, variables).await.unwrap()
    }

    /// A person subscribes at this endpoint, if it takes connections.
    pub(crate) async fn try_open(
        endpoint: &str,
        who: &Person,
        query: &str,
        variables: Value,
    ) -> Result<Self, tungstenite::Error> {
        let socket = connect_async(upgrade(endpoint)).await?.0;
        Self(socket).begins(who, query, variables).await
    }

    /// A person subscribes over a connection with little room at their end.
    pub(crate) async fn narrow(
        endpoint: &str,
        who: &Person,
        query: &str,
        variables: Value,
    ) -> Self {
        let request = upgrade(endpoint);
        let address = request.uri().authority().unwrap().as_str();
        let tcp = TcpSocket::new_v4().unwrap();
        tcp.set_recv_buffer_size(4096).unwrap();
        let tcp = tcp.connect(address.parse().unwrap()).await.unwrap();
        let socket = client_async(request, MaybeTlsStream::Plain(tcp)).await;
        let socket = Self(socket.unwrap().0);
        socket.begins(who, query, variables).await.unwrap()
    }

    async fn begins(
        self,
        who: &Person,
        query: &str,
        variables: Value,
    ) -> Result<Self, tungstenite::Error> {
        let mut socket = self;
        let token = who.token.as_ref().map(|token| json!({ "token": token }));
        socket
            .send(&json!({ "type": "connection_init", "payload": token }))
            .await?;
        let payload = json!({ "query": query, "variables": variables });
        let subscribe = json!({ "id": "1", "type": "subscribe", "payload": payload });
        socket.send(&subscribe).await?;
        Ok(socket)
    }

    async fn send(&mut self, message: &Value) -> Result<(), tungstenite::Error> {
        let message = Message::text(message.to_string());
        self.0.send(message).await
    }

    /// The next thing it says.
    pub(crate) async fn says(&mut self) -> Said {
        let said = tokio::time::timeout(PATIENCE, self.hears()).await;
        said.unwrap().unwrap()
    }

    /// The next thing it says, if the connection lasts so long.
    pub(crate) async fn hears(&mut self) -> Result<Said, tungstenite::Error> {
        loop {
            let closed = || tungstenite::Error::ConnectionClosed;
            let text = match self.0.next().await.ok_or_else(closed)?? {
                Message::Text(text) => text,
                Message::Close(frame) => {
                    return Ok(Said::Closed(frame.ok_or_else(closed)?.code.into()));
                }
                _ => continue,
            };
            let mut message: Value = serde_json::from_str(&text).unwrap();
            match message["type"].as_str().unwrap() {
                "next" => {
                    let payload = &mut message["payload"];
                    return Ok(match payload.get_mut("errors") {
                        Some(errors) => Said::Error(errors.take()),
                        None => Said::Next(payload["data"].take()),
                    });
                }
                "error" => return Ok(Said::Error(message["payload"].take())),
                "complete" => return Ok(Said::Complete),
                _ => {}
            }
        }
    }

    /// The data of the next event.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            match self.says().await {
                Said::Next(data) => data,
                other => panic!("{place}: {other:?}"),
            }
        }
    }
}
