//! axum sockets with small buffers: what is posted goes to each, its bytes made once.

use axum::{
    Router,
    extract::{WebSocketUpgrade, ws::Message},
    response::IntoResponse,
    routing::{any, post},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::broadcast;

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
    super::serve(router).await;
}

fn listen(upgrade: WebSocketUpgrade, mut news: broadcast::Receiver<Bytes>) -> impl IntoResponse {
    let upgrade = upgrade
        .protocols(["graphql-transport-ws"])
        .read_buffer_size(4096)
        .write_buffer_size(0);
    upgrade.on_upgrade(async move |socket| {
        let (mut sink, mut stream) = socket.split();
        loop {
            tokio::select! {
                heard = stream.next() => if heard.is_none() { return },
                Ok(bytes) = news.recv() => {
                    let text = axum::extract::ws::Utf8Bytes::try_from(bytes).unwrap();
                    if sink.send(Message::Text(text)).await.is_err() { return }
                }
            }
        }
    })
}
