//! `/graphql` over WebSocket: carries the protocol's machine between the wire and the executor.

mod frame_queue;
mod messages;
mod protocol;

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use axum::{
    extract::{
        FromRequestParts,
        ws::{Message, WebSocketUpgrade},
    },
    http::{Method, StatusCode, header::UPGRADE, request::Parts},
    response::Response,
};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value as Json};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::frame_queue::{Frame, FrameQueue};
pub(super) use self::protocol::PING;
use self::protocol::{Close, Machine, Step};
use super::{
    AppState,
    client::{self, ConnectionInfo},
    headers,
    negotiation::MediaType,
    operation::{self, FINAL_EVENT_TIMEOUT, Payload, RunningSubscription, SESSION_END_GRACE},
    request::GraphqlRequest,
    response::{GraphqlResponse, Outcome, Part},
    stream_limit::StreamPermit,
};
use crate::{
    domain::sessions::Viewer, error::Code, graphql::context::Caller, live::hub::SessionWatch,
};

/// Largest message from a client, in bytes.
const MESSAGE: usize = 64 * 1024;
/// Read buffer of each socket, which grows for what is larger: the library's own is 128 KiB, most of what an idle
/// socket weighs.
const READ_BUFFER: usize = 512;
/// Events that are written at once when several are there, in bytes.
const WRITE_BUFFER: usize = 4 * 1024;
/// How often a quiet socket's session is looked up again, should no word of its end have come.
const RECHECK: Duration = Duration::from_secs(30);
/// Time for a close to be written, and then for the other side to answer it.
const CLOSING: Duration = Duration::from_secs(2);

/// Whether a request wants to become a socket.
pub(super) fn is_asked_for(parts: &Parts) -> bool {
    let upgrade = parts
        .headers
        .get(UPGRADE)
        .and_then(|value| value.to_str().ok());
    parts.method == Method::GET
        && upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// Turns a request into a socket.
pub(super) async fn upgrade(state: AppState, mut parts: Parts) -> Response {
    if !state.origins.allow(&parts.headers) {
        let message = "Pages of other sites may not open sockets.";
        let answer = GraphqlResponse::rejected(StatusCode::FORBIDDEN, Code::Forbidden, message);
        return headers::respond(&answer, MediaType::Json);
    }
    let caller = client::of(&parts, &state.app.config.trusted_proxies);
    let peer = parts.extensions.get::<ConnectionInfo>().cloned();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let message = "This is not a WebSocket handshake.";
            let answer =
                GraphqlResponse::rejected(rejection.into_status(), Code::BadUserInput, message);
            return headers::respond(&answer, MediaType::Json);
        }
    };
    let connections = state.connections.clone();
    upgrade
        .protocols([protocol::NAME])
        .max_message_size(MESSAGE)
        .max_frame_size(MESSAGE)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .on_upgrade(move |socket| {
            let speaks = socket.protocol().is_some_and(|name| name == protocol::NAME);
            let queue = FrameQueue::new(socket);
            connections.track_future(async move {
                serve(state, queue, caller, speaks).await;
                drop(peer);
            })
        })
}

trait IntoStatus {
    fn into_status(self) -> StatusCode;
}

impl<T: axum::response::IntoResponse> IntoStatus for T {
    fn into_status(self) -> StatusCode {
        self.into_response().status()
    }
}

async fn serve(state: AppState, queue: FrameQueue, caller: Caller, speaks: bool) {
    let mut talk = Connection {
        machine: Machine::new(Instant::now()),
        queue: queue.clone(),
        tasks: JoinSet::new(),
        running: HashMap::new(),
        caller,
        token: None,
        session: None,
        session_end_deadline: None,
        recheck: None,
        place: None,
        state,
    };
    let mut sending = pin!(queue.send());
    let close = tokio::select! {
        close = async { if speaks { talk.talk().await } else { Some(Close::SUBPROTOCOL) } } => close,
        () = sending.as_mut() => None,
    };
    // Whatever still runs for this socket ends here.
    drop(talk);
    let Some(close) = close else { return };
    queue.push(Frame::Close(close));
    if timeout(CLOSING, sending).await.is_ok() {
        // Hanging up with something unread would take the close frame back.
        let _ = timeout(CLOSING, async {
            while let Some(Ok(_)) = queue.hear().await {}
        })
        .await;
    }
}

/// How a task of a socket ended.
enum End {
    /// An operation; whether its end still has to be said.
    Operation { id: String, silent: bool },
    /// A look at the session: whether it still stands.
    Session { stands: bool },
    /// A subscription that cannot go on, and can be resumed.
    Broken,
}

/// One socket's conversation.
struct Connection {
    state: AppState,
    machine: Machine,
    queue: FrameQueue,
    tasks: JoinSet<End>,
    running: HashMap<String, AbortHandle>,
    caller: Caller,
    token: Option<String>,
    /// Tells when the session is over.
    session: Option<SessionWatch>,
    /// The session is over; until when its subscriptions may say so.
    session_end_deadline: Option<Instant>,
    /// When the session is to be looked up again.
    recheck: Option<Instant>,
    place: Option<StreamPermit>,
}

impl Connection {
    /// Until there is a reason to close, or nobody is left to close for.
    async fn talk(&mut self) -> Option<Close> {
        loop {
            let now = Instant::now();
            let is_over = |until| until <= now || self.running.is_empty();
            if self.session_end_deadline.is_some_and(is_over) {
                return Some(Close::SESSION_ENDED);
            }
            let pause = self.machine.pause().filter(|until| *until > now);
            let wake = [self.recheck, pause, self.session_end_deadline]
                .into_iter()
                .flatten()
                .fold(self.machine.deadline(), Instant::min);
            let step = tokio::select! {
                biased;
                () = self.state.shutdown.cancelled() => return Some(Close::RESTART),
                () = self.queue.overflowed() => return Some(Close::TOO_SLOW),
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => self.ended(ended),
                () = client::over(&mut self.session) => {
                    self.session = None;
                    self.session_end_deadline = Some(now + FINAL_EVENT_TIMEOUT);
                    Step::Nothing
                }
                () = sleep_until(wake) => self.tick(),
                message = self.queue.hear(), if pause.is_none() => match message {
                    None => return None,
                    Some(Err(error)) => return Some(broken(&error)),
                    Some(Ok(message)) => self.hear(message),
                },
            };
            if let Some(close) = self.take(step).await {
                return Some(close);
            }
        }
    }

    fn hear(&mut self, message: Message) -> Step {
        let now = Instant::now();
        match message {
            Message::Text(text) => self.machine.receive(&text, now),
            Message::Binary(_) => Step::Close(Close::INVALID),
            // Reading on sends the answer to a close, and then ends.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {
                self.machine.hear(now);
                Step::Nothing
            }
        }
    }

    fn tick(&mut self) -> Step {
        let now = Instant::now();
        if self.recheck.is_some_and(|at| at <= now) {
            self.recheck = Some(now + RECHECK);
            let (state, token) = (self.state.clone(), self.token.clone());
            self.tasks.spawn(async move {
                // A database that is away ends nobody's session.
                let viewer = state.authenticate(token.as_deref()).await;
                End::Session {
                    stands: !matches!(viewer, Ok(None)),
                }
            });
        }
        self.machine.tick(now)
    }

    async fn take(&mut self, step: Step) -> Option<Close> {
        match step {
            Step::Nothing => {}
            Step::Reply(text) => self.queue.push(Frame::Text(text)),
            Step::Ping => self.queue.push(Frame::Ping),
            // Apart: it happens once, and its room would be kept.
            Step::Authenticate(payload) => return Box::pin(self.begin(&payload)).await,
            Step::Start { id, call } => self.start(id, call),
            Step::TooMany { id, maximum } => {
                let message = format!("A socket runs at most {maximum} operations at once.");
                let refused = GraphqlResponse::refused(
                    StatusCode::TOO_MANY_REQUESTS,
                    Code::LimitReached,
                    message,
                );
                self.queue.push(Frame::Text(error(&id, &refused)));
            }
            Step::Stop { id } => {
                if let Some(task) = self.running.remove(&id) {
                    task.abort();
                }
            }
            Step::Close(close) => return Some(close),
        }
        None
    }

    /// Finds out who this is, from the payload of the first message.
    async fn begin(&mut self, payload: &Map<String, Json>) -> Option<Close> {
        self.token = token(payload);
        let viewer = match self.state.authenticate(self.token.as_deref()).await {
            Ok(None) if self.token.is_some() => return Some(Close::FORBIDDEN),
            Ok(viewer) => viewer,
            Err(_unavailable) => return Some(Close::UNAVAILABLE),
        };
        let now = Instant::now();
        let mut expires = None;
        if let Some(viewer) = &viewer {
            self.place = self.state.stream_limit.take(viewer.user);
            if self.place.is_none() {
                return Some(Close::TOO_MANY);
            }
            let left = viewer.token_expires_at - self.state.app.clock.now();
            // Its subscriptions end with the token, and say so first.
            expires = Some(now + left.to_std().unwrap_or_default() + FINAL_EVENT_TIMEOUT);
            self.recheck = Some(now + RECHECK);
            self.session = match self.state.app.hub.watch(viewer.session).await {
                Ok(watch) => Some(watch),
                Err(_unavailable) => return Some(Close::UNAVAILABLE),
            };
        }
        self.caller.viewer = viewer;
        let step = self.machine.accept(expires);
        if let Step::Reply(text) = step {
            self.queue.push(Frame::Text(text));
        }
        None
    }

    fn start(&mut self, id: String, call: GraphqlRequest) {
        let (state, caller) = (self.state.clone(), self.caller.clone());
        // Apart, so that subscriptions, which stay, do not keep the room for it.
        let beginning = Box::pin(begin(state, caller, self.token.clone(), call));
        let (session, queue) = (self.session.clone(), self.queue.clone());
        let work = operate(beginning, id.clone(), session, queue);
        let task = self.tasks.spawn(work);
        self.running.insert(id, task);
    }

    fn ended(&mut self, ended: Result<End, JoinError>) -> Step {
        match ended {
            Ok(End::Session { stands: true }) => Step::Nothing,
            Ok(End::Session { stands: false }) => Step::Close(Close::FORBIDDEN),
            Ok(End::Broken) => Step::Close(Close::TOO_SLOW),
            Ok(End::Operation { id, silent }) => {
                self.running.remove(&id);
                if self.machine.finish(&id) && !silent {
                    Step::Reply(messages::complete(&id))
                } else {
                    Step::Nothing
                }
            }
            Err(failed) => {
                let found = self
                    .running
                    .iter()
                    .find(|(_, task)| task.id() == failed.id());
                let Some(id) = found.map(|(id, _)| id.clone()) else {
                    // Stopped by the client.
                    return Step::Nothing;
                };
                self.running.remove(&id);
                self.machine.finish(&id);
                let masked = GraphqlResponse::internal().with_request_id(&self.caller.request_id);
                Step::Reply(error(&id, &masked))
            }
        }
    }
}

/// How an operation began.
enum Started {
    /// Not at all: the session is over.
    Never,
    /// Not at all, and why.
    Refused(GraphqlResponse),
    /// As a subscription.
    Stream(Box<RunningSubscription>),
    /// As a query or a mutation.
    Work(BoxFuture<'static, GraphqlResponse>),
}

async fn begin(
    state: AppState,
    caller: Caller,
    token: Option<String>,
    call: GraphqlRequest,
) -> Started {
    let prepared = match identify(&state, caller, token).await {
        Ok(None) => return Started::Never,
        Ok(Some(caller)) => state.prepare(&call, caller),
        Err(answer) => Err(answer),
    };
    match prepared {
        Err(answer) => Started::Refused(answer),
        Ok(operation) if operation.kind() == OperationType::Subscription => {
            Started::Stream(Box::new(state.begin(operation)))
        }
        Ok(operation) => Started::Work(Box::pin(async move { state.run(operation).await.0 })),
    }
}

/// Runs one operation and puts what it answers in the outbox.
async fn operate(
    beginning: impl Future<Output = Started>,
    id: String,
    session: Option<SessionWatch>,
    queue: FrameQueue,
) -> End {
    let silent = match beginning.await {
        Started::Never => return End::Session { stands: false },
        Started::Refused(answer) => {
            queue.push(told(&id, &answer));
            true
        }
        Started::Stream(running) => match follow(running, &id, &queue).await {
            Followed::Broken => return End::Broken,
            Followed::Failed => true,
            Followed::Completed => false,
        },
        Started::Work(work) => tokio::select! {
            answer = work => {
                queue.push(told(&id, &answer));
                answer.outcome != Outcome::Executed
            }
            () = parted(session) => true,
        },
    };
    End::Operation { id, silent }
}

/// Ends some time after the session: what was asked in it is then answered no more.
async fn parted(mut session: Option<SessionWatch>) {
    client::over(&mut session).await;
    sleep(SESSION_END_GRACE).await;
}

/// How a subscription ended.
enum Followed {
    /// Nothing more happens.
    Completed,
    /// With an error, after which there is nothing more to say.
    Failed,
    /// In the middle: something that happened could not be told.
    Broken,
}

/// Passes a subscription's answers on, each when there is room for it.
async fn follow(mut running: Box<RunningSubscription>, id: &str, queue: &FrameQueue) -> Followed {
    let mut first = true;
    while let Some(said) = next(&mut running, queue).await {
        let (frame, part) = match said {
            Payload::Shared(shared) => (Frame::Text(messages::shared(id, &shared)), Part::Event),
            Payload::Own(mut answer) => {
                let part = answer.part(first);
                if part == Part::Break {
                    return Followed::Broken;
                }
                (told(id, &answer), part)
            }
        };
        queue.push_in_turn(frame).await;
        if part == Part::Refusal {
            queue.flush();
            return Followed::Failed;
        }
        first = false;
    }
    Followed::Completed
}

/// Waits for what comes next, and sends what was made before it has to.
async fn next(running: &mut RunningSubscription, queue: &FrameQueue) -> Option<Payload> {
    let mut next = pin!(running.next());
    poll_fn(|context| {
        let next = next.as_mut().poll(context);
        if next.is_pending() {
            queue.flush();
        }
        next
    })
    .await
}

/// Looks the session up again for each operation, as every request does. None when it is over.
async fn identify(
    state: &AppState,
    mut caller: Caller,
    token: Option<String>,
) -> Result<Option<Caller>, GraphqlResponse> {
    if token.is_some() {
        let viewer: Option<Viewer> = state
            .authenticate(token.as_deref())
            .await
            .map_err(|error| operation::unavailable(&error))?;
        if viewer.is_none() {
            return Ok(None);
        }
        caller.viewer = viewer;
    }
    Ok(Some(Caller {
        signed_in: Arc::default(),
        ..caller
    }))
}

/// The token of `{"authorization": "Bearer …"}` or `{"token": "…"}`.
fn token(payload: &Map<String, Json>) -> Option<String> {
    let text = |name: &str| payload.get(name).and_then(Json::as_str);
    text("authorization")
        .or_else(|| text("Authorization"))
        .map(|text| client::bearer_in(text).unwrap_or(text))
        .or_else(|| text("token"))
        .map(str::to_owned)
}

fn told(id: &str, answer: &GraphqlResponse) -> Frame {
    Frame::Text(match answer.outcome {
        Outcome::Executed => messages::next(id, &String::from_utf8_lossy(&answer.encode())),
        _ => error(id, answer),
    })
}

fn error(id: &str, answer: &GraphqlResponse) -> String {
    let errors = serde_json::to_value(&answer.errors).unwrap_or_default();
    messages::error(id, &errors)
}

/// Which close answers a frame that could not be read.
fn broken(error: &axum::Error) -> Close {
    // The library's own error type is not reachable from here; a test holds this text still.
    if error.to_string().starts_with("Space limit exceeded") {
        Close::TOO_BIG
    } else {
        Close::BROKEN
    }
}
