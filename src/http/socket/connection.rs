//! One socket: receives messages, starts and stops operations, and decides when the socket closes.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::FutureExt;
use serde_json::{Map, Value as Json};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use super::{
    frame_queue::{Frame, FrameQueue},
    messages,
    operation_task::{self, TaskEnd},
    protocol::{Access, Close, Machine, Step},
};
use crate::{
    auth::reservations::Reservation,
    error::{Code, Error},
    graphql::context::Caller,
    http::{
        client,
        connections::ConnectionInfo,
        operation::{self, FINAL_EVENT_TIMEOUT},
        request::GraphqlRequest,
        response::GraphqlResponse,
        state::AppState,
    },
    live::hub::SessionWatch,
};

/// Interval between checks that the session still exists, in case the notification of its end was lost.
const SESSION_CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// Maximum time to send the close frame, and then for the client to acknowledge it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The client of a socket, as its handshake describes it.
pub(super) struct SocketClient {
    /// The caller, without its user.
    pub(super) caller: Caller,
    /// The token of the handshake.
    pub(super) token: Option<String>,
    /// Whether the client supports the subprotocol.
    pub(super) has_protocol: bool,
}

/// Runs a socket until one side closes it.
pub(super) async fn serve(
    state: AppState,
    queue: FrameQueue,
    client: SocketClient,
    info: Option<ConnectionInfo>,
) {
    let SocketClient {
        caller,
        token,
        has_protocol,
    } = client;
    let request_id = caller.request_id.clone();
    let mut connection = Connection {
        machine: Machine::new(Instant::now()),
        queue: queue.clone(),
        tasks: JoinSet::new(),
        running: HashMap::new(),
        caller,
        info,
        token,
        session: None,
        session_end_deadline: None,
        next_session_check: None,
        reservation: None,
        state,
    };
    let mut sending = pin!(queue.send());
    let run = async {
        if has_protocol {
            connection.run().await
        } else {
            Some(Close::SUBPROTOCOL)
        }
    };
    let close = tokio::select! {
        close = run => close,
        () = sending.as_mut() => None,
    };
    // Aborts the tasks of the socket. The connection counts until the socket is closed.
    let _info = connection.info.take();
    drop(connection);
    let Some(close) = close else { return };
    if close.is_refusal() {
        tracing::info!(
            target: "heddle::operation",
            {
                request.id = request_id,
                socket.code = close.code,
                socket.reason = close.reason,
            },
            "a socket was closed"
        );
    }
    queue.push(Frame::Close(close));
    if close == Close::EVICTED {
        // Another client waits for its place.
        let _ = sending.now_or_never();
        return;
    }
    if timeout(CLOSE_TIMEOUT, sending).await.is_ok() {
        // Dropping a TCP connection with unread data resets it, and the client could lose the close frame.
        let _ = timeout(CLOSE_TIMEOUT, async {
            while let Some(Ok(_)) = queue.receive().await {}
        })
        .await;
    }
}

struct Connection {
    state: AppState,
    machine: Machine,
    queue: FrameQueue,
    tasks: JoinSet<TaskEnd>,
    /// The tasks of running operations by operation id.
    running: HashMap<String, AbortHandle>,
    caller: Caller,
    info: Option<ConnectionInfo>,
    token: Option<String>,
    session: Option<SessionWatch>,
    /// Set when the session has ended: the time until which its subscriptions may send their final event.
    session_end_deadline: Option<Instant>,
    next_session_check: Option<Instant>,
    reservation: Option<Reservation>,
}

impl Connection {
    /// Runs until there is a reason to close the socket. `None` when the client has disconnected.
    async fn run(&mut self) -> Option<Close> {
        loop {
            let now = Instant::now();
            let is_over = |until| until <= now || self.running.is_empty();
            if self.session_end_deadline.is_some_and(is_over) {
                return Some(Close::SESSION_ENDED);
            }
            let wake = [self.next_session_check, self.session_end_deadline]
                .into_iter()
                .flatten()
                .fold(self.machine.deadline(), Instant::min);
            let step = tokio::select! {
                biased;
                () = self.state.shutdown.cancelled() => return Some(Close::RESTART),
                () = evicted(self.info.as_ref()) => return Some(Close::EVICTED),
                () = self.queue.overflowed() => return Some(Close::TOO_SLOW),
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    self.task_ended(ended)
                }
                () = client::session_ended(&mut self.session) => {
                    self.session = None;
                    self.session_end_deadline = Some(now + FINAL_EVENT_TIMEOUT);
                    Step::Nothing
                }
                () = sleep_until(wake) => self.tick(),
                message = self.queue.receive() => match message {
                    None => return None,
                    Some(Err(error)) => return Some(close_for(&error)),
                    Some(Ok(message)) => self.receive(message),
                },
            };
            if let Some(close) = self.perform(step).await {
                return Some(close);
            }
        }
    }

    fn receive(&mut self, message: Message) -> Step {
        let now = Instant::now();
        match message {
            Message::Text(text) => self.machine.receive(&text, now),
            Message::Binary(_) => Step::Close(Close::INVALID),
            // After a close frame, the next read acknowledges it and ends the stream.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                self.machine.note_activity(now);
                Step::Nothing
            }
        }
    }

    fn tick(&mut self) -> Step {
        let now = Instant::now();
        if self.next_session_check.is_some_and(|at| at <= now) {
            self.next_session_check = Some(now + SESSION_CHECK_INTERVAL);
            let (state, token) = (self.state.clone(), self.token.clone());
            self.tasks.spawn(async move {
                // An unreachable database ends no session.
                let viewer = state.authenticate(token.as_deref()).await;
                TaskEnd::SessionChecked {
                    is_valid: !matches!(viewer, Ok(None)),
                }
            });
        }
        self.machine.tick(now)
    }

    /// Performs a step of the protocol. Returns the reason to close the socket, if there is one.
    async fn perform(&mut self, step: Step) -> Option<Close> {
        match step {
            Step::Nothing => {}
            Step::Reply(text) => self.queue.push(Frame::Text(text)),
            Step::Ping => self.queue.push(Frame::Ping),
            // Boxed, so that the connection does not carry the size of a future that runs once.
            Step::Authenticate(payload) => return Box::pin(self.authenticate(&payload)).await,
            Step::Start { id, request } => self.start(id, request),
            Step::Refuse { id, fault } => {
                self.refuse(&id, &fault.response());
            }
            Step::TooMany { id, maximum } => {
                let message = format!(
                    "This socket already runs {maximum} operations, the maximum: stop one first."
                );
                let status = StatusCode::TOO_MANY_REQUESTS;
                let rejection = GraphqlResponse::request_error(status, Code::LimitReached, message);
                self.refuse(&id, &rejection);
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

    /// Sends the response to an operation that does not run.
    fn refuse(&self, id: &str, rejection: &GraphqlResponse) {
        self.queue.push(Frame::Text(messages::error(id, rejection)));
    }

    /// Authenticates the client by the payload of `connection_init`, or else by its handshake, and acknowledges the
    /// connection.
    async fn authenticate(&mut self, payload: &Map<String, Json>) -> Option<Close> {
        if let Some(token) = token(payload) {
            self.token = Some(token);
        }
        let viewer = match self.state.authenticate(self.token.as_deref()).await {
            Ok(None) if self.token.is_some() => return Some(Close::FORBIDDEN),
            Ok(viewer) => viewer,
            Err(error) => return Some(self.unavailable(&error)),
        };
        let now = Instant::now();
        let mut expires = None;
        if let Some(viewer) = &viewer {
            self.reservation = self.state.streams.add(viewer.user.0, 1).ok();
            if self.reservation.is_none() {
                return Some(Close::TOO_MANY);
            }
            let left = viewer.token_expires_at - self.state.app.clock.now();
            // Subscriptions end when the token expires, and send their final event before the socket closes.
            expires = Some(now + left.to_std().unwrap_or_default() + FINAL_EVENT_TIMEOUT);
            self.next_session_check = Some(now + SESSION_CHECK_INTERVAL);
            self.session = match self.state.app.hub.watch(viewer.session).await {
                Ok(watch) => Some(watch),
                Err(error) => return Some(self.unavailable(&error)),
            };
        }
        if let Some(info) = &self.info {
            info.set_user(viewer.as_ref().map(|viewer| viewer.user));
        }
        let access = match expires {
            Some(expires) => Access::Until(expires),
            None => Access::Anonymous,
        };
        self.caller.viewer = viewer;
        let step = self.machine.accept(now, access);
        if let Step::Reply(text) = step {
            self.queue.push(Frame::Text(text));
        }
        None
    }

    /// Logs why the client could not be identified.
    fn unavailable(&self, error: &Error) -> Close {
        let _ = operation::unavailable(error, &self.caller.request_id);
        Close::UNAVAILABLE
    }

    fn start(&mut self, id: String, request: GraphqlRequest) {
        let (state, caller) = (self.state.clone(), self.caller.clone());
        // Boxed, so that a subscription's task does not carry the size of its start for as long as it runs.
        let starting = Box::pin(operation_task::start(
            state,
            caller,
            self.token.clone(),
            request,
        ));
        let (session, queue) = (self.session.clone(), self.queue.clone());
        let run = operation_task::run(starting, id.clone(), session, queue);
        let task = self.tasks.spawn(run);
        self.running.insert(id, task);
    }

    fn task_ended(&mut self, ended: Result<TaskEnd, JoinError>) -> Step {
        match ended {
            Ok(TaskEnd::SessionChecked { is_valid: true }) => Step::Nothing,
            Ok(TaskEnd::SessionChecked { is_valid: false }) => Step::Close(Close::FORBIDDEN),
            Ok(TaskEnd::Interrupted) => Step::Close(Close::TOO_SLOW),
            Ok(TaskEnd::Operation { id, is_reported }) => {
                self.running.remove(&id);
                if self.machine.finish(&id, Instant::now()) && !is_reported {
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
                    // The client stopped the operation, which aborted its task.
                    return Step::Nothing;
                };
                self.running.remove(&id);
                self.machine.finish(&id, Instant::now());
                tracing::error!(
                    request.id = %self.caller.request_id,
                    error.code = Code::Internal.as_str(),
                    cause = %failed,
                    "an operation failed"
                );
                let masked = GraphqlResponse::internal().with_request_id(&self.caller.request_id);
                Step::Reply(messages::error(&id, &masked))
            }
        }
    }
}

/// Completes when the socket must make room for another connection.
async fn evicted(info: Option<&ConnectionInfo>) {
    match info {
        Some(info) => info.evicted().await,
        None => std::future::pending().await,
    }
}

/// Returns the token of a `connection_init` in one of the forms that clients send: `{"authorization": "Bearer …"}`,
/// `{"headers": {"Authorization": "Bearer …"}}` or `{"token": "…"}`. The names have any case.
fn token(payload: &Map<String, Json>) -> Option<String> {
    fn find<'a>(object: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
        let mut fields = object.iter();
        let found = fields.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(found.1)
    }
    let authorization = |object| {
        let text = find(object, "authorization")?.as_str()?;
        Some(client::parse_bearer(text).unwrap_or(text))
    };
    let in_headers = || authorization(find(payload, "headers")?.as_object()?);
    let found = authorization(payload).or_else(in_headers);
    found
        .or_else(|| find(payload, "token")?.as_str())
        .map(str::to_owned)
}

/// Returns the close code for a frame that could not be read.
fn close_for(error: &SocketError) -> Close {
    match error {
        SocketError::Capacity(_) => Close::TOO_BIG,
        SocketError::Utf8(_) => Close::NOT_UTF8,
        SocketError::WriteBufferFull(_) => Close::TOO_SLOW,
        SocketError::Io(error) if error.kind() == ErrorKind::TimedOut => Close::SLOW_MESSAGE,
        _ => Close::PROTOCOL_ERROR,
    }
}
