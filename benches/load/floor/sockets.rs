//! The floor of a delivery: axum sockets with small buffers. A posted body is sent to every socket without a copy.

use axum::{
    Router,
    extract::{WebSocketUpgrade, ws::Message},
    response::IntoResponse,
    routing::{any, post},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::broadcast;

use super::common::serve;

pub(crate) async fn run() {
    let (sender, _) = broadcast::channel::<Bytes>(1024);
    let send = sender.clone();
    let router = Router::new()
        .route(
            "/send",
            post(async move |body: Bytes| send.send(body).unwrap_or_default().to_string()),
        )
        .route(
            "/socket",
            any(async move |upgrade: WebSocketUpgrade| listen(upgrade, sender.subscribe())),
        );
    serve(router).await;
}

fn listen(
    upgrade: WebSocketUpgrade,
    mut payloads: broadcast::Receiver<Bytes>,
) -> impl IntoResponse {
    let upgrade = upgrade
        .protocols(["graphql-transport-ws"])
        .read_buffer_size(4096)
        .write_buffer_size(0);
    upgrade.on_upgrade(async move |socket| {
        let (mut sink, mut stream) = socket.split();
        loop {
            tokio::select! {
                received = stream.next() => if received.is_none() { return },
                Ok(bytes) = payloads.recv() => {
                    let text = axum::extract::ws::Utf8Bytes::try_from(bytes).unwrap();
                    if sink.send(Message::Text(text)).await.is_err() { return }
                }
            }
        }
    })
}
