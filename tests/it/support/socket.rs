//! Subscriptions over graphql-transport-ws, one operation per socket.

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

/// No event takes this long unless it never arrives.
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

/// A subscription on its own socket.
pub(crate) struct Subscription(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// A frame of a subscription.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame {
    /// An event: its data.
    Next(Value),
    /// It failed with these errors.
    Error(Value),
    /// It is complete.
    Complete,
    /// The socket was closed with this code.
    Closed(u16),
}

impl Subscription {
    /// Subscribes as this user.
    pub(crate) async fn open(app: &TestApp, who: &Person, query: &str, variables: Value) -> Self {
        let url = app.url("/graphql");
        Self::try_open(&url, who, query, variables).await.unwrap()
    }

    /// Subscribes at this endpoint, if it accepts connections.
    pub(crate) async fn try_open(
        endpoint: &str,
        who: &Person,
        query: &str,
        variables: Value,
    ) -> Result<Self, tungstenite::Error> {
        let socket = connect_async(upgrade(endpoint)).await?.0;
        Self(socket).begins(who, query, variables).await
    }

    /// Subscribes over a connection with a small receive buffer.
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
        socket.subscribe("1", query, variables).await?;
        Ok(socket)
    }

    /// Begins another subscription on the same socket. Frames do not show to which one they belong.
    pub(crate) async fn subscribe(
        &mut self,
        id: &str,
        query: &str,
        variables: Value,
    ) -> Result<(), tungstenite::Error> {
        let payload = json!({ "query": query, "variables": variables });
        let subscribe = json!({ "id": id, "type": "subscribe", "payload": payload });
        self.send(&subscribe).await
    }

    async fn send(&mut self, message: &Value) -> Result<(), tungstenite::Error> {
        let message = Message::text(message.to_string());
        self.0.send(message).await
    }

    /// Returns the next frame.
    pub(crate) async fn next_frame(&mut self) -> Frame {
        let sent_text = tokio::time::timeout(PATIENCE, self.receive()).await;
        sent_text.unwrap().unwrap()
    }

    /// Returns the next frame, or the error if the connection fails before.
    pub(crate) async fn receive(&mut self) -> Result<Frame, tungstenite::Error> {
        loop {
            let closed = || tungstenite::Error::ConnectionClosed;
            let text = match self.0.next().await.ok_or_else(closed)?? {
                Message::Text(text) => text,
                Message::Close(frame) => {
                    return Ok(Frame::Closed(frame.ok_or_else(closed)?.code.into()));
                }
                _ => continue,
            };
            let mut message: Value = serde_json::from_str(&text).unwrap();
            match message["type"].as_str().unwrap() {
                "next" => {
                    let payload = &mut message["payload"];
                    return Ok(match payload.get_mut("errors") {
                        Some(errors) => Frame::Error(errors.take()),
                        None => Frame::Next(payload["data"].take()),
                    });
                }
                "error" => return Ok(Frame::Error(message["payload"].take())),
                "complete" => return Ok(Frame::Complete),
                _ => {}
            }
        }
    }

    /// Returns the data of the next event.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            match self.next_frame().await {
                Frame::Next(data) => data,
                other => panic!("{caller}: {other:?}"),
            }
        }
    }
}
