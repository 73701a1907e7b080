//! Runs one GraphQL operation of any transport: checks it, limits its time, counts its statements, catches panics and
//! logs one line.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::{
    Request, Response,
    parser::types::{ExecutableDocument, OperationType},
};
use axum::http::StatusCode;
use futures_util::{
    FutureExt, Stream, StreamExt,
    stream::{BoxStream, unfold},
};
use serde_json::{Map, Value as Json};

use super::{
    guard::{Admitted, Document, Introspection},
    operation_log::{NAME_LENGTH, OperationLog, panic_message},
    request::GraphqlRequest,
    response::{GraphqlResponse, Outcome},
    state::AppState,
};
use crate::{
    auth::{
        action_limits::{ActionLimits, Payer},
        reservations::Reservation,
    },
    db::{self, QueryStats},
    error::{Code, Error},
    graphql::{
        self,
        context::{Caller, Resume},
        events::{
            delivery::Delivery,
            shareable_fields::ShareableEvents,
            shared_payload::{PayloadRenderer, PreloadedEvent},
            stream::{DeliveryStream, Share, StreamSlot},
        },
        loaders::RequestBatches,
        response_size::ResponseSize,
    },
    request_scope,
};

/// The time limit of an operation; for a subscription, of its start.
pub(super) const TIME: Duration = Duration::from_secs(10);
/// How long operations that were received before the session ended may continue after it.
pub(super) const SESSION_END_GRACE: Duration = Duration::from_secs(1);
/// How long the transport waits for a subscription's final event after the session or the token has ended. The
/// subscription delivers nothing else then, so the limit only has to suffice on an overloaded machine.
pub(super) const FINAL_EVENT_TIMEOUT: Duration = Duration::from_secs(5);

/// An operation that the guard has admitted.
pub(super) struct Operation {
    request: Request,
    batches: Arc<RequestBatches>,
    /// What the executor does not run.
    introspection: Option<Introspection>,
    bill: Bill,
    /// What an open subscription reserves.
    live_cost: Option<Reservation>,
    log: OperationLog,
    sharing: Option<Sharing>,
}

/// Who pays for an operation, and how much.
struct Bill {
    payer: Payer,
    limits: Arc<ActionLimits>,
    /// The cost of the operation, or of one event of a subscription.
    cost: u64,
}

impl Bill {
    fn pay(&self, cost: u64) -> Result<(), Error> {
        self.limits.pay(self.payer, cost)
    }
}

impl AppState {
    /// Parses, checks and prepares a request. A rejection is logged.
    pub(super) fn prepare(
        &self,
        request: &GraphqlRequest,
        caller: Caller,
    ) -> Result<Operation, GraphqlResponse> {
        let request_id = caller.request_id.clone();
        let prepared = self.admit(request, caller);
        if let Err(response) = &prepared {
            tracing::info!(
                target: "heddle::operation",
                {
                    request.id = %request_id,
                    operation.code = response.code().unwrap_or_default(),
                },
                "an operation was rejected"
            );
        }
        prepared
    }

    fn admit(
        &self,
        received: &GraphqlRequest,
        caller: Caller,
    ) -> Result<Operation, GraphqlResponse> {
        let parsed = self
            .guard
            .read(&received.query)
            .map_err(GraphqlResponse::from_guard)?;
        let operation_name = received.operation_name.as_deref();
        let admitted = self
            .guard
            .admit(&parsed, operation_name, &received.variables)
            .map_err(GraphqlResponse::from_guard)?;
        let is_public = caller.viewer.is_some() || self.app.config.public_introspection;
        if admitted.introspection.is_some() && !is_public {
            return Err(GraphqlResponse::request_error(
                StatusCode::FORBIDDEN,
                Code::Disabled,
                "Sign in to look at the schema.",
            ));
        }
        let lacks_factor = caller
            .viewer
            .as_ref()
            .is_some_and(|viewer| viewer.lacks_second_factor);
        if lacks_factor && admitted.needs_second_factor {
            let error = Error::lacks_second_factor();
            return Err(GraphqlResponse::request_error(
                StatusCode::FORBIDDEN,
                error.code(),
                error.message(),
            ));
        }
        let Admitted {
            document,
            variables,
            name,
            kind,
            cost,
            introspection,
            conditions,
            needs_second_factor: _,
        } = admitted;
        let viewer = caller.viewer.as_ref();
        let bill = Bill {
            payer: Payer::new(viewer.map(|viewer| viewer.user), caller.client_addr),
            limits: Arc::clone(&self.app.action_limits),
            cost,
        };
        let limited = |error| GraphqlResponse::rate_limited(&error);
        bill.pay(cost).map_err(limited)?;
        let live_cost = match kind {
            OperationType::Subscription => {
                bill.limits.reserve(bill.payer, cost).map_err(limited)?
            }
            OperationType::Query | OperationType::Mutation => None,
        };
        let log = OperationLog {
            name: name.map(|name| name.chars().take(NAME_LENGTH).collect()),
            kind,
            request_id: caller.request_id.clone(),
            client: caller.client_addr,
            cost,
            started: Instant::now(),
            stats: Arc::new(QueryStats::within(
                bill.payer.id().map(|payer| self.app.db.share(payer)),
            )),
        };
        // The executor receives the admitted document and never its text.
        let mut request = Request::new("").variables(variables);
        let share = self.share(received, &caller, &parsed, &document, &conditions);
        request.set_parsed_query(document);
        let (mut request, batches) = graphql::prepare(&self.app, caller, request);
        let mut sharing = None;
        if let Some((share, call)) = share {
            sharing = Some((share.slot.clone(), call));
            request = request.data(share);
        }
        Ok(Operation {
            request,
            batches,
            introspection,
            bill,
            live_cost,
            log,
            sharing,
        })
    }

    /// Executes a query or a mutation.
    pub(super) async fn run(&self, operation: Operation) -> (GraphqlResponse, OperationLog) {
        let Operation {
            request,
            batches,
            introspection,
            log,
            ..
        } = operation;
        let schema = self.schema.clone();
        let stats = Arc::clone(&log.stats);
        let request = request.data(ResponseSize::default());
        // Boxed, so that the futures around it stay small.
        let work = Box::pin(async move {
            let response = batches.run(schema.execute(request)).await;
            let response = match introspection {
                None => response,
                Some(introspection) => add_introspection(introspection, response).await?,
            };
            Some(GraphqlResponse::executed(response))
        });
        let work = AssertUnwindSafe(stats.measure(work)).catch_unwind();
        let work = request_scope::within(log.scope(), work);
        let work = tokio::time::timeout(TIME, work);
        let result = if log.kind == OperationType::Mutation {
            // In a task: a mutation finishes, and its events are announced, even when the client disconnects.
            self.app.tasks.spawn(work).await
        } else {
            Ok(work.await)
        };
        let response = match result {
            Ok(Ok(Ok(Some(response)))) => response,
            Ok(Err(_elapsed)) => {
                db::note_timeout();
                too_slow()
            }
            Ok(Ok(Ok(None))) => log.failed("the introspection has no result"),
            Ok(Ok(Err(panic))) => log.failed(&panic_message(panic.as_ref())),
            Err(error) => log.failed(&error.to_string()),
        };
        let response = response.with_request_id(&log.request_id);
        log.write(response.code());
        (response, log)
    }

    /// What the subscription needs to share payloads: with all users, or among the subscriptions of its user.
    fn share(
        &self,
        received: &GraphqlRequest,
        caller: &Caller,
        parsed: &Arc<Document>,
        document: &ExecutableDocument,
        conditions: &[bool],
    ) -> Option<(Share, Arc<SubscriptionCall>)> {
        if !self.app.config.share_subscription_payloads {
            return None;
        }
        let events = ShareableEvents::of(document)?;
        let GraphqlRequest {
            query,
            operation_name,
            variables,
        } = received;
        let call = Arc::new(SubscriptionCall {
            state: self.clone(),
            caller: caller.clone(),
            parsed: Arc::clone(parsed),
            name: operation_name.clone(),
            variables: variables.clone(),
        });
        let shared_call = Arc::clone(&call);
        let render = move |event| {
            let call = Arc::clone(&shared_call);
            let response = async move {
                let response = call.execute(event).await?;
                response.errors.is_empty().then(|| response.encode())
            };
            response.boxed()
        };
        let user = caller.viewer()?.user;
        let renderer = PayloadRenderer {
            own_key: ShareableEvents::own_key(
                user,
                query,
                operation_name.as_deref(),
                variables,
                document,
            ),
            key: ShareableEvents::key(query, operation_name.as_deref(), conditions),
            events: Arc::new(events),
            render: Arc::new(render),
        };
        let share = Share {
            renderer,
            slot: StreamSlot::default(),
        };
        Some((share, call))
    }

    /// Starts a subscription.
    pub(super) fn begin(&self, operation: Operation) -> RunningSubscription {
        let Operation {
            request,
            batches,
            bill,
            live_cost,
            log,
            sharing,
            ..
        } = operation;
        let responses = self.schema.execute_stream(request);
        RunningSubscription {
            source: Source::Executor(responses, batches, sharing),
            bill,
            _live_cost: live_cost,
            unpaid: None,
            log,
        }
    }
}

/// The request of a subscription that shares payloads, kept to execute single events. All subscriptions that send the
/// same text share its parsed document; the rest is derived again for each execution, so that an idle subscription is
/// small.
struct SubscriptionCall {
    state: AppState,
    caller: Caller,
    parsed: Arc<Document>,
    name: Option<String>,
    variables: Map<String, Json>,
}

impl SubscriptionCall {
    /// Executes the document for one event.
    async fn execute(&self, event: PreloadedEvent) -> Option<GraphqlResponse> {
        let guard = &self.state.guard;
        let admitted = guard.admit(&self.parsed, self.name.as_deref(), &self.variables);
        let Admitted {
            document,
            variables,
            ..
        } = admitted.ok()?;
        let mut request = Request::new("").variables(variables);
        request.set_parsed_query(document);
        let (request, batches) = graphql::prepare(&self.state.app, self.caller.clone(), request);
        let mut responses = self.state.schema.execute_stream(request.data(event));
        let response = batches.run(responses.next()).await;
        response.map(GraphqlResponse::executed)
    }
}

/// Adds the result of introspection fields to a response. None if there is no result.
async fn add_introspection(introspection: Introspection, response: Response) -> Option<Response> {
    if introspection.is_ready() {
        return introspection.add_to(response);
    }
    // The first execution of a document takes milliseconds.
    let execute = move || introspection.add_to(response);
    tokio::task::spawn_blocking(execute).await.ok()?
}

/// A subscription.
pub(super) struct RunningSubscription {
    source: Source,
    bill: Bill,
    _live_cost: Option<Reservation>,
    /// Set when the budget did not suffice for the last event. The stream then ends; its client resumes after that
    /// event.
    unpaid: Option<Error>,
    log: OperationLog,
}

enum Source {
    /// The executor, which opens the stream. When the subscription shares payloads, the executor then ends.
    Executor(
        BoxStream<'static, Response>,
        Arc<RequestBatches>,
        Option<Sharing>,
    ),
    /// The stream that the executor has opened.
    Stream(DeliveryStream, Arc<SubscriptionCall>),
}

/// Where the executor leaves the opened stream, and how single events of it are executed.
type Sharing = (StreamSlot, Arc<SubscriptionCall>);

impl RunningSubscription {
    /// The next delivery; none when the stream ends. A panic becomes an INTERNAL response. Not cancel-safe: dropping
    /// the future may lose an event.
    pub(super) async fn next(&mut self) -> Option<Delivery<GraphqlResponse>> {
        if let Some(error) = self.unpaid.take() {
            let response = GraphqlResponse::rate_limited(&error);
            self.log.write(response.code());
            return Some(Delivery::Execute(response));
        }
        let stats = Arc::clone(&self.log.stats);
        let next = AssertUnwindSafe(stats.measure(self.source.next())).catch_unwind();
        let next = request_scope::within(self.log.scope(), next);
        let response = match next.await {
            Ok(Some(Delivery::Execute(response))) => {
                self.unpaid = self.bill.pay(self.bill.cost).err();
                response
            }
            Ok(Some(Delivery::Shared(payload))) => {
                let cost = if payload.is_own_execution {
                    self.bill.cost
                } else {
                    1
                };
                self.unpaid = self.bill.pay(cost).err();
                return Some(Delivery::Shared(payload));
            }
            Ok(None) => {
                self.log.write(None);
                return None;
            }
            Err(panic) => self.log.failed(&panic_message(panic.as_ref())),
        };
        let response = response.with_request_id(&self.log.request_id);
        if response.outcome != Outcome::Executed {
            self.log.write(response.code());
        }
        Some(Delivery::Execute(response))
    }

    /// The deliveries as a stream, whose `next` is cancel-safe.
    pub(super) fn stream(self) -> impl Stream<Item = Delivery<GraphqlResponse>> + Send {
        unfold(self, |mut running| async move {
            let delivery = running.next().await?;
            Some((delivery, running))
        })
    }
}

impl Source {
    async fn next(&mut self) -> Option<Delivery<GraphqlResponse>> {
        if let Self::Executor(responses, batches, sharing) = self {
            if let Some(response) = Arc::clone(batches).run(responses.next()).await {
                return Some(Delivery::Execute(GraphqlResponse::executed(response)));
            }
            let (slot, call) = sharing.take()?;
            // Drops the executor: an open stream does not need it.
            *self = Self::Stream(slot.take()?, call);
        }
        let Self::Stream(stream, call) = self else {
            return None;
        };
        Some(match stream.next().await? {
            Delivery::Shared(payload) => Delivery::Shared(payload),
            Delivery::Execute(event) => {
                let response = Box::pin(call.execute(event)).await;
                Delivery::Execute(response.unwrap_or_else(GraphqlResponse::internal))
            }
        })
    }
}

impl Operation {
    pub(super) fn kind(&self) -> OperationType {
        self.log.kind
    }

    /// Lets the transport resume the subscription's stream.
    pub(super) fn resumed_by(mut self, resume: Resume) -> Self {
        self.request = self.request.data(resume);
        self
    }
}

/// The response when the caller cannot be identified.
pub(super) fn unavailable(error: &Error, request_id: &str) -> GraphqlResponse {
    tracing::error!(request.id = request_id, %error, "a caller could not be identified");
    match error.code() {
        Code::Unavailable => GraphqlResponse::request_error(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable,
            error.message(),
        ),
        _ => GraphqlResponse::internal().with_request_id(request_id),
    }
}

fn too_slow() -> GraphqlResponse {
    let message = "The operation took longer than allowed and was stopped.";
    GraphqlResponse::request_error(StatusCode::SERVICE_UNAVAILABLE, Code::Timeout, message)
}
