//! `/graphql` over server-sent events, in the distinct connections mode of graphql-sse: one operation an answer.
//!
//! Nothing waits here for a client that reads slowly: the next event is made when there is room to send it. What
//! happens meanwhile waits in the hub, which lets go of whoever falls too far behind.

use std::convert::Infallible;
use std::pin::Pin;

use async_graphql::parser::types::OperationType;
use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
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
    connection_limit::ConnectionInfo,
    operation::{self, FINAL_EVENT_TIMEOUT, Operation},
    response::{GraphqlResponse, Outcome, Part},
    socket::PING_INTERVAL,
    state::AppState,
    stream_limit::StreamPermit,
};
use crate::{
    domain::sessions::Viewer,
    error::Code,
    graphql::{context::Resume, events::delivery::Delivery},
    live::hub::SessionWatch,
};

/// Says nothing. The first one lets browsers know that the stream is open.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");
/// Nothing more will ever follow. A stream that ends without it can be resumed.
const COMPLETE: Bytes = Bytes::from_static(b"event: complete\ndata:\n\n");

/// Answers with a stream of events. Why an operation does not run is one of them.
pub(super) async fn respond(
    state: &AppState,
    parts: &Parts,
    viewer: Option<Viewer>,
    operation: Result<Operation, GraphqlResponse>,
) -> Result<Response, GraphqlResponse> {
    let answer = match operation {
        Ok(operation) if operation.kind() == OperationType::Subscription => {
            let telling = EventStream::begin(state, parts, viewer, operation).await?;
            return Ok(stream(Body::from_stream(telling.parts())));
        }
        Ok(operation) => state.run(operation).await.0,
        Err(answer) if matches!(answer.outcome, Outcome::Rejected(_)) => return Err(answer),
        Err(answer) => answer,
    };
    let mut told = next(&answer.encode(), None);
    told.extend_from_slice(&COMPLETE);
    Ok(stream(Body::from(told)))
}

fn stream(body: Body) -> Response {
    let mut response = Response::new(body);
    for (name, value) in [
        (CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (VARY, "accept, origin"),
        // A proxy that gathers events would tell them late.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// An answer as an event; the cursor is where a client goes on from.
fn next(json: &[u8], cursor: Option<&str>) -> Vec<u8> {
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

/// What a client that reconnects by itself got last. Nonsense is handed on: it makes the stream begin with RESET.
fn last_event_id(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("last-event-id")?;
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    Some(text).filter(|text| !text.is_empty())
}

enum Stage {
    Opening,
    Open,
    /// The last event was told; whether to say that it was.
    Ending {
        completed: bool,
    },
}

/// One subscription on its way to one client.
struct EventStream {
    state: AppState,
    answers: Pin<Box<dyn Stream<Item = Delivery<GraphqlResponse>> + Send>>,
    resume: Resume,
    session: Option<SessionWatch>,
    /// When the token lapses.
    lapses: Option<Instant>,
    /// When the stream is cut, whatever it still has to say.
    cut: Option<Instant>,
    quiet_since: Instant,
    is_first: bool,
    stage: Stage,
    _place: Option<StreamPermit>,
    _peer: Option<ConnectionInfo>,
}

impl EventStream {
    async fn begin(
        state: &AppState,
        parts: &Parts,
        viewer: Option<Viewer>,
        operation: Operation,
    ) -> Result<Self, GraphqlResponse> {
        let now = Instant::now();
        let (mut session, mut lapses, mut place) = (None, None, None);
        if let Some(viewer) = viewer {
            place = state.stream_limit.acquire(viewer.user);
            if place.is_none() {
                // As a status, not as an event: the client is to come back later.
                let message = "You have as many streams as one person may have.";
                return Err(GraphqlResponse::rejected(
                    StatusCode::TOO_MANY_REQUESTS,
                    Code::LimitReached,
                    message,
                ));
            }
            let watch = state.app.hub.watch(viewer.session).await;
            session = Some(watch.map_err(|error| operation::unavailable(&error))?);
            let left = viewer.token_expires_at - state.app.clock.now();
            lapses = Some(now + left.to_std().unwrap_or_default());
        }
        let resume = Resume::after(last_event_id(&parts.headers));
        let operation = operation.resumed_by(resume.clone());
        Ok(Self {
            state: state.clone(),
            answers: Box::pin(state.begin(operation).stream()),
            resume,
            session,
            lapses,
            cut: lapses.map(|lapses| lapses + FINAL_EVENT_TIMEOUT),
            quiet_since: now,
            is_first: true,
            stage: Stage::Opening,
            _place: place,
            _peer: parts.extensions.get::<ConnectionInfo>().cloned(),
        })
    }

    fn parts(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        unfold(self, |mut telling| async move {
            let part = telling.part().await?;
            telling.quiet_since = Instant::now();
            Some((Ok(part), telling))
        })
    }

    async fn part(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::Opening => {
                self.stage = Stage::Open;
                return Some(COMMENT);
            }
            Stage::Open => {}
            Stage::Ending { completed } => {
                self.stage = Stage::Ending { completed: false };
                return completed.then_some(COMPLETE);
            }
        }
        loop {
            let now = Instant::now();
            let cut = self
                .cut
                .unwrap_or(now + PING_INTERVAL + FINAL_EVENT_TIMEOUT);
            tokio::select! {
                biased;
                () = self.state.shutdown.cancelled() => return None,
                () = sleep_until(cut) => return None,
                () = client::over(&mut self.session) => {
                    self.session = None;
                    self.cut = Some(cut.min(now + FINAL_EVENT_TIMEOUT));
                }
                said = self.answers.next() => return self.told(said),
                () = sleep_until(self.quiet_since + PING_INTERVAL) => return Some(COMMENT),
            }
        }
    }

    fn told(&mut self, said: Option<Delivery<GraphqlResponse>>) -> Option<Bytes> {
        let mut answer = match said {
            Some(Delivery::Execute(answer)) => answer,
            Some(Delivery::Shared(shared)) => {
                self.is_first = false;
                let mut json = String::with_capacity(shared.size());
                shared.write_to(&mut json);
                return Some(next(json.as_bytes(), shared.cursor.as_deref()).into());
            }
            None => {
                self.stage = Stage::Ending { completed: false };
                // With a new token, or on a server that does not stop, it goes on.
                let lapsed = self.lapses.is_some_and(|lapses| lapses <= Instant::now());
                let resumes = lapsed || self.state.shutdown.is_cancelled();
                return (!resumes).then_some(COMPLETE);
            }
        };
        let cursor = self.resume.take();
        match answer.part(self.is_first) {
            Part::Event => {}
            Part::Refusal => self.stage = Stage::Ending { completed: true },
            Part::Break => {
                self.stage = Stage::Ending { completed: false };
                return None;
            }
        }
        self.is_first = false;
        Some(next(&answer.encode(), cursor.as_deref()).into())
    }
}
