//! `/graphql` over server-sent events, in the distinct connections mode of graphql-sse: each response carries one
//! operation.
//!
//! Events are not buffered here for a client that reads slowly: the next event is rendered when there is room to send
//! it. Later events wait in the hub, which disconnects a subscriber that falls too far behind.

use std::convert::Infallible;
use std::pin::Pin;

use async_graphql::parser::types::OperationType;
use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{CONTENT_TYPE, VARY},
        request::Parts,
    },
    response::Response,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::unfold};
use tokio::time::{Instant, sleep_until};

use super::{
    client,
    connections::ConnectionInfo,
    operation::{self, FINAL_EVENT_TIMEOUT, Operation},
    response::{GraphqlResponse, Outcome, StreamItem},
    socket::PING_INTERVAL,
    state::AppState,
};
use crate::{
    auth::reservations::Reservation,
    domain::sessions::Viewer,
    error::Code,
    graphql::{context::Resume, events::delivery::Delivery},
    live::hub::SessionWatch,
};

/// An empty comment. The first one signals to browsers that the stream is open; later ones keep it alive.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");
/// The end of the operation. A stream that ends without it can be resumed.
const COMPLETE: Bytes = Bytes::from_static(b"event: complete\ndata:\n\n");

/// Returns an event stream. If an operation does not run, its errors are an event of the stream.
pub(super) async fn respond(
    state: &AppState,
    parts: &Parts,
    viewer: Option<Viewer>,
    operation: Result<Operation, GraphqlResponse>,
) -> Result<Response, GraphqlResponse> {
    let response = match operation {
        // The headers of a stream are known without opening it.
        Ok(operation)
            if operation.kind() == OperationType::Subscription && parts.method == Method::HEAD =>
        {
            // Of unknown length, like the stream.
            let empty = futures_util::stream::empty::<Result<Bytes, Infallible>>();
            return Ok(stream_response(Body::from_stream(empty)));
        }
        Ok(operation) if operation.kind() == OperationType::Subscription => {
            let events = EventStream::open(state, parts, viewer, operation).await?;
            return Ok(stream_response(Body::from_stream(events.chunks())));
        }
        Ok(operation) => state.run(operation).await.0,
        Err(response) if matches!(response.outcome, Outcome::HttpError(_)) => return Err(response),
        Err(response) => response,
    };
    let mut body = next_event(&response.encode(), None);
    body.extend_from_slice(&COMPLETE);
    Ok(stream_response(Body::from(body)))
}

fn stream_response(body: Body) -> Response {
    let mut response = Response::new(body);
    for (name, value) in [
        (CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (VARY, "accept, origin"),
        // A proxy that buffers the response would delay events.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Encodes a response as an event. A client resumes from its cursor.
fn next_event(json: &[u8], cursor: Option<&str>) -> Vec<u8> {
    let mut event = Vec::with_capacity(json.len() + 64);
    event.extend_from_slice(b"event: next\n");
    if let Some(cursor) = cursor {
        event.extend_from_slice(b"id: ");
        event.extend_from_slice(cursor.as_bytes());
        event.push(b'\n');
    }
    event.extend_from_slice(b"data: ");
    event.extend_from_slice(json);
    event.extend_from_slice(b"\n\n");
    event
}

/// Returns the id of the last event that a reconnecting client received. An invalid id is passed on: the stream then
/// starts with RESET.
fn last_event_id(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("last-event-id")?;
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    Some(text).filter(|text| !text.is_empty())
}

enum Stage {
    Opening,
    Open,
    /// The last event was sent. `COMPLETE` follows if `is_complete`.
    Ending {
        is_complete: bool,
    },
}

/// One subscription of one client.
struct EventStream {
    state: AppState,
    payloads: Pin<Box<dyn Stream<Item = Delivery<GraphqlResponse>> + Send>>,
    resume: Resume,
    session: Option<SessionWatch>,
    /// When the token expires.
    expires: Option<Instant>,
    /// When the stream is closed, even if it still has events.
    deadline: Option<Instant>,
    last_sent: Instant,
    is_first: bool,
    stage: Stage,
    _reservation: Option<Reservation>,
    _connection: Option<ConnectionInfo>,
}

impl EventStream {
    async fn open(
        state: &AppState,
        parts: &Parts,
        viewer: Option<Viewer>,
        operation: Operation,
    ) -> Result<Self, GraphqlResponse> {
        let now = Instant::now();
        let (mut session, mut expires, mut reservation) = (None, None, None);
        if let Some(viewer) = viewer {
            reservation = state.streams.add(viewer.user.0, 1).ok();
            if reservation.is_none() {
                // An HTTP status instead of an event: the client retries later.
                let message = "You have the maximum number of open streams: close one first.";
                return Err(GraphqlResponse::http_error(
                    StatusCode::TOO_MANY_REQUESTS,
                    Code::LimitReached,
                    message,
                ));
            }
            let watch = state.app.hub.watch(viewer.session).await;
            let request_id = client::anonymous_caller(parts).request_id;
            session = Some(watch.map_err(|error| operation::unavailable(&error, &request_id))?);
            let left = viewer.token_expires_at - state.app.clock.now();
            expires = Some(now + left.to_std().unwrap_or_default());
        }
        let resume = Resume::after(last_event_id(&parts.headers));
        let operation = operation.resumed_by(resume.clone());
        Ok(Self {
            state: state.clone(),
            payloads: Box::pin(state.begin(operation).stream()),
            resume,
            session,
            expires,
            deadline: expires.map(|expires| expires + FINAL_EVENT_TIMEOUT),
            last_sent: now,
            is_first: true,
            stage: Stage::Opening,
            _reservation: reservation,
            _connection: parts.extensions.get::<ConnectionInfo>().cloned(),
        })
    }

    fn chunks(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        unfold(self, |mut events| async move {
            let chunk = events.chunk().await?;
            events.last_sent = Instant::now();
            Some((Ok(chunk), events))
        })
    }

    async fn chunk(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::Opening => {
                self.stage = Stage::Open;
                return Some(COMMENT);
            }
            Stage::Open => {}
            Stage::Ending { is_complete } => {
                self.stage = Stage::Ending { is_complete: false };
                return is_complete.then_some(COMPLETE);
            }
        }
        loop {
            let now = Instant::now();
            let deadline = self
                .deadline
                .unwrap_or(now + PING_INTERVAL + FINAL_EVENT_TIMEOUT);
            tokio::select! {
                biased;
                () = self.state.shutdown.cancelled() => return None,
                () = sleep_until(deadline) => return None,
                () = client::session_ended(&mut self.session) => {
                    self.session = None;
                    self.deadline = Some(deadline.min(now + FINAL_EVENT_TIMEOUT));
                }
                payload = self.payloads.next() => return self.encode(payload),
                () = sleep_until(self.last_sent + PING_INTERVAL) => return Some(COMMENT),
            }
        }
    }

    fn encode(&mut self, payload: Option<Delivery<GraphqlResponse>>) -> Option<Bytes> {
        let mut response = match payload {
            Some(Delivery::Execute(response)) => response,
            Some(Delivery::Shared(shared)) => {
                self.is_first = false;
                let mut json = String::with_capacity(shared.size());
                shared.write_to(&mut json);
                return Some(next_event(json.as_bytes(), shared.cursor.as_deref()).into());
            }
            None => {
                self.stage = Stage::Ending { is_complete: false };
                // The client resumes with a new token, or on a server that is not stopping.
                let is_expired = self
                    .expires
                    .is_some_and(|expires| expires <= Instant::now());
                let resumes = is_expired || self.state.shutdown.is_cancelled();
                return (!resumes).then_some(COMPLETE);
            }
        };
        let cursor = self.resume.take();
        match response.stream_item(self.is_first) {
            StreamItem::Event => {}
            StreamItem::FinalError => self.stage = Stage::Ending { is_complete: true },
            StreamItem::Interrupted => {
                self.stage = Stage::Ending { is_complete: false };
                return None;
            }
        }
        self.is_first = false;
        Some(next_event(&response.encode(), cursor.as_deref()).into())
    }
}
