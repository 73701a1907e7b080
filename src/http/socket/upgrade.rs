//! The WebSocket handshake: checks the origin, negotiates the subprotocol and starts the connection.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, Method, Request, StatusCode,
        header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE},
        request::Parts,
    },
    response::Response,
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::{
    handshake::server::create_response,
    protocol::{Role, WebSocketConfig},
};

use super::{
    connection::{self, SocketClient},
    frame_queue::{FRAGMENT_BYTES, FrameQueue},
    metered_stream::{MeteredStream, Socket},
    protocol,
};
use crate::{
    error::Code,
    http::{
        client, connections::ConnectionInfo, headers, negotiation::MediaType,
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
/// Maximum bytes of frames that wait to be written to the connection: a fragment of a message, and the pong that may
/// follow it.
const MAX_WRITE_BUFFER: usize = 2 * FRAGMENT_BYTES;

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
    let has_protocol = offers_protocol(&parts.headers);
    let client = SocketClient {
        caller: client::anonymous_caller(&parts),
        token: handshake_token(&parts.headers),
        has_protocol,
    };
    let info = parts.extensions.get::<ConnectionInfo>().cloned();
    let on_upgrade = parts.extensions.remove::<OnUpgrade>();
    let accepted = create_response(&Request::from_parts(parts, ()));
    let (Ok(accepted), Some(on_upgrade)) = (accepted, on_upgrade) else {
        let message = "The WebSocket handshake is invalid: check its version and headers.";
        let mut response = reject(StatusCode::BAD_REQUEST, Code::BadUserInput, message);
        let version = HeaderValue::from_static("13");
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_VERSION, version);
        return response;
    };
    let connections = state.connections.clone();
    connections.spawn(async move {
        let Ok(upgraded) = on_upgrade.await else {
            // The client has disconnected.
            return;
        };
        let stream = MeteredStream::new(TokioIo::new(upgraded));
        let socket = Socket::from_raw_socket(stream, Role::Server, Some(limits())).await;
        if let Some(info) = &info {
            info.begin_anonymous_socket();
        }
        connection::serve(state, FrameQueue::new(socket), client, info).await;
    });
    let mut response = accepted.map(|()| Body::empty());
    if has_protocol {
        let protocol = HeaderValue::from_static(protocol::NAME);
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// The token of the handshake's `Authorization`. A page cannot set this header, so that of a browser, which sends an
/// origin, is not a decision of the page and is ignored.
fn handshake_token(headers: &HeaderMap) -> Option<String> {
    let is_browser = headers.contains_key(ORIGIN);
    let token = client::bearer_token(headers).filter(|_| !is_browser);
    token.map(str::to_owned)
}

/// The limits of the WebSocket library.
fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES))
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
}

/// Whether the client supports the subprotocol. A browser fails a connection whose response names a subprotocol that
/// the page did not request, so the response names none otherwise, and the socket is closed with the right code.
fn offers_protocol(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL);
    offers
        .iter()
        .filter_map(|offer| offer.to_str().ok())
        .flat_map(|offer| offer.split(','))
        .any(|name| name.trim() == protocol::NAME)
}

fn reject(status: StatusCode, code: Code, message: &str) -> Response {
    let response = GraphqlResponse::http_error(status, code, message);
    headers::respond(&response, MediaType::Json)
}
