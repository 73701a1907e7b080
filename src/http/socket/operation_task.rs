//! The task of one operation on a socket: authenticates its caller again, executes it, and queues its responses.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::{
    frame_queue::{Frame, FrameQueue},
    messages,
};
use crate::{
    domain::sessions::Viewer,
    graphql::{context::Caller, events::delivery::Delivery},
    http::{
        client,
        operation::{self, RunningSubscription, SESSION_END_GRACE},
        request::GraphqlRequest,
        response::{GraphqlResponse, Outcome, StreamItem},
        state::AppState,
    },
    live::hub::SessionWatch,
};

/// How a task of a socket ended.
pub(super) enum TaskEnd {
    /// An operation ended. If `is_reported`, the client has already received an error that ends it.
    Operation { id: String, is_reported: bool },
    /// The session was looked up, or an operation found that it has ended.
    SessionChecked { is_valid: bool },
    /// A subscription lost an event. The client resumes it on a new socket.
    Interrupted,
}

/// The result of starting an operation.
pub(super) enum Started {
    SessionEnded,
    Failed(GraphqlResponse),
    Subscription(Box<RunningSubscription>),
    /// A query or a mutation.
    Single(BoxFuture<'static, GraphqlResponse>),
}

/// Authenticates the caller again and prepares the operation.
pub(super) async fn start(
    state: AppState,
    caller: Caller,
    token: Option<String>,
    request: GraphqlRequest,
) -> Started {
    let prepared = match authenticate(&state, caller, token).await {
        Ok(None) => return Started::SessionEnded,
        Ok(Some(caller)) => state.prepare(&request, caller),
        Err(response) => Err(response),
    };
    match prepared {
        Err(response) => Started::Failed(response),
        Ok(operation) if operation.kind() == OperationType::Subscription => {
            Started::Subscription(Box::new(state.begin(operation)))
        }
        Ok(operation) => Started::Single(Box::pin(async move { state.run(operation).await.0 })),
    }
}

/// Runs one operation and queues its responses.
pub(super) async fn run(
    starting: impl Future<Output = Started>,
    id: String,
    session: Option<SessionWatch>,
    queue: FrameQueue,
) -> TaskEnd {
    let is_reported = match starting.await {
        Started::SessionEnded => return TaskEnd::SessionChecked { is_valid: false },
        Started::Failed(response) => {
            queue.push(frame(&id, &response));
            true
        }
        Started::Subscription(running) => match forward(running, &id, &queue).await {
            StreamEnd::Interrupted => return TaskEnd::Interrupted,
            StreamEnd::Failed => true,
            StreamEnd::Completed => false,
        },
        Started::Single(execution) => tokio::select! {
            response = execution => {
                queue.push(frame(&id, &response));
                response.outcome != Outcome::Executed
            }
            () = grace_after(session) => true,
        },
    };
    TaskEnd::Operation { id, is_reported }
}

/// Completes [`SESSION_END_GRACE`] after the session ends. Operations that are still running then send no response.
async fn grace_after(mut session: Option<SessionWatch>) {
    client::session_ended(&mut session).await;
    sleep(SESSION_END_GRACE).await;
}

/// How a subscription ended.
enum StreamEnd {
    Completed,
    /// Its last response was an error, which ends the operation in the protocol.
    Failed,
    /// An event could not be delivered.
    Interrupted,
}

/// Queues the responses of a subscription, each when the queue has room for it.
async fn forward(mut running: Box<RunningSubscription>, id: &str, queue: &FrameQueue) -> StreamEnd {
    let mut first = true;
    while let Some(payload) = next(&mut running, queue).await {
        let (frame, item) = match payload {
            Delivery::Shared(shared) => (
                Frame::Text(messages::shared(id, &shared)),
                StreamItem::Event,
            ),
            Delivery::Execute(mut response) => {
                let item = response.stream_item(first);
                if item == StreamItem::Interrupted {
                    return StreamEnd::Interrupted;
                }
                (frame(id, &response), item)
            }
        };
        queue.push_event(frame).await;
        if item == StreamItem::FinalError {
            queue.flush();
            return StreamEnd::Failed;
        }
        first = false;
    }
    StreamEnd::Completed
}

/// Returns the next payload. Flushes the frames of earlier ones when it has to wait.
async fn next(
    running: &mut RunningSubscription,
    queue: &FrameQueue,
) -> Option<Delivery<GraphqlResponse>> {
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

/// Authenticates the token again, as each HTTP request does. `None` when the session has ended.
async fn authenticate(
    state: &AppState,
    mut caller: Caller,
    token: Option<String>,
) -> Result<Option<Caller>, GraphqlResponse> {
    if token.is_some() {
        let viewer: Option<Viewer> = state
            .authenticate(token.as_deref())
            .await
            .map_err(|error| operation::unavailable(&error, &caller.request_id))?;
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

fn frame(id: &str, response: &GraphqlResponse) -> Frame {
    Frame::Text(match response.outcome {
        Outcome::Executed => messages::next(id, &String::from_utf8_lossy(&response.encode())),
        _ => messages::error(id, response),
    })
}
