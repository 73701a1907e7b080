//! WebSocket subscribers. Each listener reports what it receives, with the time.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::mpsc, task::JoinHandle, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig,
    },
};

/// A listener that receives nothing for this long fails the measurement.
const TIMEOUT: Duration = Duration::from_mins(1);
/// A message that does not arrive within this time was sent before the listener was subscribed.
const SUBSCRIBED_LATE: Duration = Duration::from_secs(2);

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Opens a socket with the protocol `graphql-transport-ws`.
pub(crate) async fn open(address: &str, path: &str) -> Result<Socket, Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{address}{path}").into_client_request()?;
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0);
    let (socket, _) =
        tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
    Ok(socket)
}

/// Opens a socket and sends a subscription; `None` if the server refuses it.
pub(crate) async fn subscribe(
    address: &str,
    token: &str,
    query: &str,
    variables: &Value,
) -> Option<Socket> {
    let mut socket = open(address, "/graphql").await.ok()?;
    let init = json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } });
    socket.send(Message::text(init.to_string())).await.ok()?;
    let response = socket.next().await?.ok()?;
    if !response.to_text().ok()?.contains("connection_ack") {
        return None;
    }
    let payload = json!({ "query": query, "variables": variables });
    let subscribe = json!({ "id": "1", "type": "subscribe", "payload": payload });
    let sent = socket.send(Message::text(subscribe.to_string())).await;
    sent.ok().map(|()| socket)
}

/// A frame that one listener received.
pub(crate) struct Received {
    pub(crate) listener: usize,
    pub(crate) at: Instant,
    pub(crate) frame: Message,
}

/// Subscribed sockets and the frames that they received. Dropping it closes them.
pub(crate) struct Listeners {
    sender: mpsc::UnboundedSender<Received>,
    received: mpsc::UnboundedReceiver<Received>,
    tasks: Vec<JoinHandle<()>>,
}

impl Listeners {
    pub(crate) fn new() -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        Self {
            sender,
            received,
            tasks: vec![],
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.tasks.len()
    }

    pub(crate) fn add(&mut self, mut socket: Socket) {
        let (sender, listener) = (self.sender.clone(), self.tasks.len());
        self.tasks.push(tokio::spawn(async move {
            while let Some(Ok(frame)) = socket.next().await {
                let is_next = frame.to_text().is_ok_and(|text| text.contains("\"next\""));
                let at = Instant::now();
                let received = Received {
                    listener,
                    at,
                    frame,
                };
                if is_next && sender.send(received).is_err() {
                    return;
                }
            }
        }));
    }

    /// Waits for the next frame of any listener.
    pub(crate) async fn next(&mut self) -> Received {
        timeout(TIMEOUT, self.received.recv())
            .await
            .expect("a listener receives a frame")
            .unwrap()
    }

    /// Waits for the next frame for at most this time.
    pub(crate) async fn next_within(&mut self, time: Duration) -> Option<Received> {
        timeout(time, self.received.recv()).await.ok().flatten()
    }

    /// Discards the frames that were received until now.
    pub(crate) fn discard(&mut self) {
        while self.received.try_recv().is_ok() {}
    }

    /// Sends until every listener receives the message: the server does not report when a subscription has started.
    pub(crate) async fn wait_until_subscribed(&mut self, send: &mut impl AsyncFnMut()) {
        let started = Instant::now();
        let mut has_early = false;
        loop {
            self.discard();
            send().await;
            let mut missing = vec![true; self.count()];
            let mut left = self.count();
            while left > 0 {
                let Some(received) = self.next_within(SUBSCRIBED_LATE).await else {
                    break;
                };
                left -= usize::from(std::mem::take(&mut missing[received.listener]));
            }
            if left == 0 {
                break;
            }
            has_early = true;
            assert!(
                started.elapsed() < TIMEOUT,
                "{left} listeners receive nothing"
            );
        }
        // Messages that were sent too early may still arrive at some listeners.
        while has_early && self.next_within(SUBSCRIBED_LATE).await.is_some() {}
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
