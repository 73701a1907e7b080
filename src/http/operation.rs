//! Runs one operation, whichever way it came in: guarded, timed, counted, contained and logged.

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
    guard::{Admitted, Document},
    request::GraphqlRequest,
    response::{GraphqlResponse, Outcome},
    state::AppState,
};
use crate::{
    db::{self, QueryStats},
    error::{Code, Error},
    graphql::{
        self,
        context::{Caller, Resume},
        events::{
            shareable_fields::Plan,
            shared_payload::{PreloadedEvent, Share, Shared},
            stream::{Delivery, Feed, StreamSlot},
        },
    },
};

/// Longest that an operation may take; a subscription, to begin.
pub(super) const TIME: Duration = Duration::from_secs(10);
/// Time for what was asked before to be answered, once the session is over.
pub(super) const SESSION_END_GRACE: Duration = Duration::from_secs(1);
/// Longest that a subscription is waited for to say its last word, once the session or the token is over. It says
/// nothing else then, so this only has to be long enough for a machine that is out of breath.
pub(super) const FINAL_EVENT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of an operation's name is logged, in characters.
const NAME_LENGTH: usize = 64;

/// An operation that the guard let through, ready to run.
pub(super) struct Operation {
    request: Request,
    record: OperationLog,
    sharing: Option<Sharing>,
}

/// What the log and `Server-Timing` tell of an operation.
#[derive(Clone)]
pub(super) struct OperationLog {
    name: Option<String>,
    kind: OperationType,
    request_id: String,
    started: Instant,
    meter: Arc<QueryStats>,
}

impl AppState {
    /// Reads, checks and prepares what the caller asks for.
    pub(super) fn prepare(
        &self,
        call: &GraphqlRequest,
        caller: Caller,
    ) -> Result<Operation, GraphqlResponse> {
        let request_id = caller.request_id.clone();
        let prepared = self.admit(call, caller);
        if let Err(answer) = &prepared {
            tracing::info!(
                target: "heddle::operation",
                {
                    request.id = %request_id,
                    operation.code = answer.code().unwrap_or_default(),
                },
                "an operation was refused"
            );
        }
        prepared
    }

    fn admit(&self, call: &GraphqlRequest, caller: Caller) -> Result<Operation, GraphqlResponse> {
        let text = self
            .guard
            .read(&call.query)
            .map_err(|refusal| GraphqlResponse::guarded(vec![refusal]))?;
        let admitted = self
            .guard
            .admit(&text, call.operation_name.as_deref(), &call.variables)
            .map_err(GraphqlResponse::guarded)?;
        if admitted.introspects && caller.viewer.is_none() && !self.app.config.public_introspection
        {
            return Err(GraphqlResponse::refused(
                StatusCode::FORBIDDEN,
                Code::Disabled,
                "Sign in to look at the schema.",
            ));
        }
        let Admitted {
            document,
            variables,
            name,
            kind,
            ..
        } = admitted;
        let record = OperationLog {
            name: name
                .as_ref()
                .map(|name| name.chars().take(NAME_LENGTH).collect()),
            kind,
            request_id: caller.request_id.clone(),
            started: Instant::now(),
            meter: Arc::new(QueryStats::default()),
        };
        // The executor gets the document as it was admitted. Its text it never sees.
        let mut request = Request::new("").variables(variables);
        request.operation_name = name;
        let share = self.share(call, &caller, &text, &document);
        request.set_parsed_query(document);
        let mut request = graphql::prepare(&self.app, caller, request);
        let mut sharing = None;
        if let Some((share, call)) = share {
            sharing = Some((share.handed.clone(), call));
            request = request.data(share);
        }
        Ok(Operation {
            request,
            record,
            sharing,
        })
    }

    /// Runs a query or a mutation to its end.
    pub(super) async fn run(&self, operation: Operation) -> (GraphqlResponse, OperationLog) {
        let Operation {
            request, record, ..
        } = operation;
        let schema = self.schema.clone();
        let meter = Arc::clone(&record.meter);
        // In one place, however many layers there are around it.
        let work = Box::pin(async move { schema.execute(request).await });
        let work = AssertUnwindSafe(meter.measure(work)).catch_unwind();
        let work = tokio::time::timeout(TIME, work);
        let ended = if record.kind == OperationType::Mutation {
            // A change is finished, and made known, even when the client does not wait for it.
            self.app.tasks.spawn(work).await
        } else {
            Ok(work.await)
        };
        let answer = match ended {
            Ok(Ok(Ok(response))) => GraphqlResponse::executed(response),
            Ok(Err(_elapsed)) => {
                db::note_timeout();
                too_slow()
            }
            Ok(Ok(Err(_))) | Err(_) => GraphqlResponse::internal(),
        };
        let answer = answer.with_request_id(&record.request_id);
        record.log(answer.code());
        (answer, record)
    }

    /// What the subscription needs to share answers, when it can.
    fn share(
        &self,
        call: &GraphqlRequest,
        caller: &Caller,
        text: &Arc<Document>,
        document: &ExecutableDocument,
    ) -> Option<(Share, Arc<SubscriptionCall>)> {
        if !self.app.config.share_subscription_payloads {
            return None;
        }
        let plan = Plan::of(document)?;
        let subscription = Arc::new(SubscriptionCall {
            state: self.clone(),
            caller: caller.clone(),
            text: Arc::clone(text),
            name: call.operation_name.clone(),
            variables: call.variables.clone(),
        });
        let renders = Arc::clone(&subscription);
        let render = move |given| {
            let subscription = Arc::clone(&renders);
            let answer = async move {
                let answer = subscription.execute(given).await?;
                answer.errors.is_empty().then(|| answer.encode())
            };
            answer.boxed()
        };
        let share = Share {
            group: plan.group(&call.query, call.operation_name.as_deref(), &call.variables),
            plan: Arc::new(plan),
            render: Arc::new(render),
            handed: StreamSlot::default(),
        };
        Some((share, subscription))
    }

    /// Begins a subscription.
    pub(super) fn begin(&self, operation: Operation) -> RunningSubscription {
        let Operation {
            request,
            record,
            sharing,
        } = operation;
        let responses = self.schema.execute_stream(request);
        RunningSubscription {
            source: Source::Executor(responses, sharing),
            record,
        }
    }
}

/// What a subscription that shares its answers asks for: the call, and not what it was made into. There is one such
/// text for all who send it, and only what is executed needs the rest.
struct SubscriptionCall {
    state: AppState,
    caller: Caller,
    text: Arc<Document>,
    name: Option<String>,
    variables: Map<String, Json>,
}

impl SubscriptionCall {
    /// The answer that tells of one event.
    async fn execute(&self, given: PreloadedEvent) -> Option<GraphqlResponse> {
        let guard = &self.state.guard;
        let admitted = guard.admit(&self.text, self.name.as_deref(), &self.variables);
        let Admitted {
            document,
            variables,
            name,
            ..
        } = admitted.ok()?;
        let mut request = Request::new("").variables(variables);
        request.operation_name = name;
        request.set_parsed_query(document);
        let request = graphql::prepare(&self.state.app, self.caller.clone(), request);
        let mut responses = self.state.schema.execute_stream(request.data(given));
        responses.next().await.map(GraphqlResponse::executed)
    }
}

/// What a subscription says next.
pub(super) enum Payload {
    /// What many are told, executed and encoded before.
    Shared(Shared),
    /// An answer of its own.
    Own(GraphqlResponse),
}

/// A subscription.
pub(super) struct RunningSubscription {
    source: Source,
    record: OperationLog,
}

enum Source {
    /// The executor, which opens the stream; where answers are shared it leaves the rest to others.
    Executor(BoxStream<'static, Response>, Option<Sharing>),
    /// What it opened.
    Feed(Feed, Arc<SubscriptionCall>),
}

/// Where the executor leaves what it opened, and how single events of it are executed.
type Sharing = (StreamSlot, Arc<SubscriptionCall>);

impl RunningSubscription {
    /// The next thing that it says; none when the stream ends. A panic is an answer. What this future was in the middle
    /// of is lost when it is dropped.
    pub(super) async fn next(&mut self) -> Option<Payload> {
        let meter = Arc::clone(&self.record.meter);
        let next = AssertUnwindSafe(meter.measure(self.source.next())).catch_unwind();
        let answer = match next.await {
            Ok(Some(Payload::Own(answer))) => answer,
            Ok(Some(shared)) => return Some(shared),
            Ok(None) => {
                self.record.log(None);
                return None;
            }
            Err(_panic) => GraphqlResponse::internal(),
        };
        let answer = answer.with_request_id(&self.record.request_id);
        if answer.outcome != Outcome::Executed {
            self.record.log(answer.code());
        }
        Some(Payload::Own(answer))
    }

    /// The same for whoever may stop waiting in the middle.
    pub(super) fn stream(self) -> impl Stream<Item = Payload> + Send {
        unfold(self, |mut running| async move {
            let said = running.next().await?;
            Some((said, running))
        })
    }
}

impl Source {
    async fn next(&mut self) -> Option<Payload> {
        if let Self::Executor(responses, sharing) = self {
            if let Some(response) = responses.next().await {
                return Some(Payload::Own(GraphqlResponse::executed(response)));
            }
            let (handed, call) = sharing.take()?;
            // What only opens a stream is not kept beside it.
            *self = Self::Feed(handed.take()?, call);
        }
        let Self::Feed(feed, call) = self else {
            return None;
        };
        match feed.next().await? {
            Delivery::Shared(shared) => Some(Payload::Shared(shared)),
            Delivery::Execute(given) => {
                let answer = Box::pin(call.execute(given)).await;
                Some(Payload::Own(
                    answer.unwrap_or_else(GraphqlResponse::internal),
                ))
            }
        }
    }
}

impl Operation {
    /// Whether it reads, writes or subscribes.
    pub(super) fn kind(&self) -> OperationType {
        self.record.kind
    }

    /// The same, on a stream that the transport resumes.
    pub(super) fn resumed_by(mut self, resume: Resume) -> Self {
        self.request = self.request.data(resume);
        self
    }
}

impl OperationLog {
    /// One line for each operation: never its text, its variables, or who sent it.
    fn log(&self, code: Option<&str>) {
        tracing::info!(
            target: "heddle::operation",
            {
                request.id = %self.request_id,
                operation.name = self.name.as_deref().unwrap_or_default(),
                operation.kind = %self.kind,
                operation.code = code.unwrap_or("OK"),
                operation.ms = millis(self.started.elapsed()),
                database.ms = millis(self.meter.time()),
                database.statements = self.meter.statements(),
            },
            "an operation ran"
        );
    }

    /// The `Server-Timing` header.
    pub(super) fn server_timing(&self) -> String {
        format!(
            "total;dur={:.3}, db;dur={:.3}, statements;desc=\"{}\"",
            millis(self.started.elapsed()),
            millis(self.meter.time()),
            self.meter.statements()
        )
    }
}

/// The answer when it cannot even be found out who asks.
pub(super) fn unavailable(error: &Error) -> GraphqlResponse {
    tracing::error!(%error, "a caller could not be identified");
    match error.code() {
        Code::Unavailable => GraphqlResponse::refused(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable,
            error.message(),
        ),
        _ => GraphqlResponse::internal(),
    }
}

fn too_slow() -> GraphqlResponse {
    let message = "The operation took longer than allowed and was stopped.";
    GraphqlResponse::refused(StatusCode::SERVICE_UNAVAILABLE, Code::Timeout, message)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
