//! Sockets that listen: opened, subscribed, and told apart by what they hear.

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

/// Whoever has heard nothing for so long was lost.
const PATIENCE: Duration = Duration::from_mins(1);

/// What was not heard after so long was sent too early.
const LATE: Duration = Duration::from_secs(2);

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// A socket, spoken to in the protocol of GraphQL over WebSocket.
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

/// A socket that asked for a subscription. None when the server would not have it now.
pub(crate) async fn subscribed(
    address: &str,
    token: &str,
    query: &str,
    variables: &Value,
) -> Option<Socket> {
    let mut socket = open(address, "/graphql").await.ok()?;
    let init = json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } });
    socket.send(Message::text(init.to_string())).await.ok()?;
    let answer = socket.next().await?.ok()?;
    if !answer.to_text().ok()?.contains("connection_ack") {
        return None;
    }
    let payload = json!({ "query": query, "variables": variables });
    let subscribe = json!({ "id": "1", "type": "subscribe", "payload": payload });
    let asked = socket.send(Message::text(subscribe.to_string())).await;
    asked.ok().map(|()| socket)
}

/// One thing that one listener heard.
pub(crate) struct Word {
    pub(crate) listener: usize,
    pub(crate) at: Instant,
    pub(crate) text: Message,
}

/// Listeners, and everything that they hear. They end with it.
pub(crate) struct Ears {
    sender: mpsc::UnboundedSender<Word>,
    heard: mpsc::UnboundedReceiver<Word>,
    listeners: Vec<JoinHandle<()>>,
}

impl Ears {
    pub(crate) fn new() -> Self {
        let (sender, heard) = mpsc::unbounded_channel();
        Self {
            sender,
            heard,
            listeners: vec![],
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.listeners.len()
    }

    /// One more listener.
    pub(crate) fn add(&mut self, mut socket: Socket) {
        let (sender, listener) = (self.sender.clone(), self.listeners.len());
        self.listeners.push(tokio::spawn(async move {
            while let Some(Ok(text)) = socket.next().await {
                let is_next = text.to_text().is_ok_and(|text| text.contains("\"next\""));
                let at = Instant::now();
                if is_next && sender.send(Word { listener, at, text }).is_err() {
                    return;
                }
            }
        }));
    }

    /// The next thing that anybody hears.
    pub(crate) async fn hear(&mut self) -> Word {
        timeout(PATIENCE, self.heard.recv())
            .await
            .expect("listeners hear something")
            .unwrap()
    }

    /// The same, if it comes in this time.
    pub(crate) async fn hear_within(&mut self, time: Duration) -> Option<Word> {
        timeout(time, self.heard.recv()).await.ok().flatten()
    }

    /// What was heard until now is forgotten.
    pub(crate) fn forget(&mut self) {
        while self.heard.try_recv().is_ok() {}
    }

    /// Sends until everybody hears it: a listener is one from the moment the server has looked, which it does not say.
    pub(crate) async fn all_listen(&mut self, send: &mut impl AsyncFnMut()) {
        let begun = Instant::now();
        let mut is_late = false;
        loop {
            self.forget();
            send().await;
            let mut silent = vec![true; self.count()];
            let mut left = self.count();
            while left > 0 {
                let Some(word) = self.hear_within(LATE).await else {
                    break;
                };
                left -= usize::from(std::mem::take(&mut silent[word.listener]));
            }
            if left == 0 {
                break;
            }
            is_late = true;
            assert!(begun.elapsed() < PATIENCE, "{left} listeners hear nothing");
        }
        // Of those that were sent too early, some may still be under way.
        while is_late && self.hear_within(LATE).await.is_some() {}
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}
