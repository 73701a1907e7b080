//! The WebSocket handshake: checks the origin, negotiates the subprotocol and starts the connection.

use axum::{
    extract::{FromRequestParts, ws::WebSocketUpgrade},
    http::{Method, StatusCode, header::UPGRADE, request::Parts},
    response::{IntoResponse, Response},
};

use super::{connection, frame_queue::FrameQueue, protocol};
use crate::{
    error::Code,
    http::{
        client, connection_limit::ConnectionInfo, headers, negotiation::MediaType,
        response::GraphqlResponse, state::AppState,
    },
};

/// Maximum size of a message from a client, in bytes.
const MESSAGE_BYTES: usize = 64 * 1024;
/// Initial read buffer of a socket, in bytes; it grows for larger messages. The default of the library is 128 KiB,
/// which would be most of the memory of an idle socket.
const READ_BUFFER: usize = 512;
/// Bytes of frames that are collected before they are written to the connection.
const WRITE_BUFFER: usize = 4 * 1024;

/// Whether a request is a WebSocket handshake.
pub(in crate::http) fn is_upgrade(parts: &Parts) -> bool {
    let upgrade = parts
        .headers
        .get(UPGRADE)
        .and_then(|value| value.to_str().ok());
    parts.method == Method::GET
        && upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// Completes the handshake and runs the socket in its own task.
pub(in crate::http) async fn upgrade(state: AppState, mut parts: Parts) -> Response {
    if !state.origins.allow(&parts.headers) {
        let message = "This origin may not open sockets: add it to the server's allowed origins.";
        return reject(StatusCode::FORBIDDEN, Code::Forbidden, message);
    }
    let caller = client::anonymous_caller(&parts, &state.app.config.trusted_proxies);
    let info = parts.extensions.get::<ConnectionInfo>().cloned();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let message = "The WebSocket handshake is invalid: check its version and headers.";
            let status = rejection.into_response().status();
            return reject(status, Code::BadUserInput, message);
        }
    };
    let connections = state.connections.clone();
    upgrade
        .protocols([protocol::NAME])
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .on_upgrade(move |socket| {
            let has_protocol = socket.protocol().is_some_and(|name| name == protocol::NAME);
            let queue = FrameQueue::new(socket);
            connections.track_future(async move {
                connection::serve(state, queue, caller, has_protocol).await;
                drop(info);
            })
        })
}

fn reject(status: StatusCode, code: Code, message: &str) -> Response {
    let response = GraphqlResponse::http_error(status, code, message);
    headers::respond(&response, MediaType::Json)
}
