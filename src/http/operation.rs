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
use tokio::sync::mpsc;

use super::{
    Door,
    answer::{Answer, Outcome},
    call::Call,
    guard::{Admitted, Document},
};
use crate::{
    db::{self, Meter},
    error::{Code, Error},
    graphql::{
        self,
        context::{Caller, Resume},
        events::share::{Given, Plan, Share, Told},
    },
};

/// Longest that an operation may take; a subscription, to begin.
pub(super) const TIME: Duration = Duration::from_secs(10);
/// Time for what was asked before to be answered, once the session is over.
pub(super) const PARTING: Duration = Duration::from_secs(1);
/// Longest that a subscription is waited for to say its last word, once the session or the token is over. It says
/// nothing else then, so this only has to be long enough for a machine that is out of breath.
pub(super) const LAST_WORD: Duration = Duration::from_secs(5);

/// How much of an operation's name is logged, in characters.
const NAME_LENGTH: usize = 64;

/// An operation that the guard let through, ready to run.
pub(super) struct Operation {
    request: Request,
    record: Record,
    shared: Option<mpsc::Receiver<Box<Told>>>,
}

/// What the log and `Server-Timing` tell of an operation.
#[derive(Clone)]
pub(super) struct Record {
    name: Option<String>,
    kind: OperationType,
    request_id: String,
    started: Instant,
    meter: Arc<Meter>,
}

impl Door {
    /// Reads, checks and prepares what the caller asks for.
    pub(super) fn prepare(&self, call: &Call, caller: Caller) -> Result<Operation, Answer> {
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

    fn admit(&self, call: &Call, caller: Caller) -> Result<Operation, Answer> {
        let text = self
            .guard
            .read(&call.query)
            .map_err(|refusal| Answer::guarded(vec![refusal]))?;
        let admitted = self
            .guard
            .admit(&text, call.operation_name.as_deref(), &call.variables)
            .map_err(Answer::guarded)?;
        if admitted.introspects && caller.viewer.is_none() && !self.app.config.public_introspection
        {
            return Err(Answer::refused(
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
        let record = Record {
            name: name
                .as_ref()
                .map(|name| name.chars().take(NAME_LENGTH).collect()),
            kind,
            request_id: caller.request_id.clone(),
            started: Instant::now(),
            meter: Arc::new(Meter::default()),
        };
        // The executor gets the document as it was admitted. Its text it never sees.
        let mut request = Request::new("").variables(variables);
        request.operation_name = name;
        let share = self.share(call, &caller, &text, &document);
        request.set_parsed_query(document);
        let mut request = graphql::prepare(&self.app, caller, request);
        let mut shared = None;
        if let Some((share, answers)) = share {
            request = request.data(share);
            shared = Some(answers);
        }
        Ok(Operation {
            request,
            record,
            shared,
        })
    }

    /// Runs a query or a mutation to its end.
    pub(super) async fn run(&self, operation: Operation) -> (Answer, Record) {
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
            Ok(Ok(Ok(response))) => Answer::executed(response),
            Ok(Err(_elapsed)) => {
                db::note_given_up();
                too_slow()
            }
            Ok(Ok(Err(_))) | Err(_) => Answer::internal(),
        };
        let answer = answer.with_request_id(&record.request_id);
        record.log(answer.code());
        (answer, record)
    }

    /// What the subscription needs to share answers, when it can, and where they come out.
    fn share(
        &self,
        call: &Call,
        caller: &Caller,
        text: &Arc<Document>,
        document: &ExecutableDocument,
    ) -> Option<(Share, mpsc::Receiver<Box<Told>>)> {
        if !self.app.config.share_answers {
            return None;
        }
        let plan = Plan::of(document)?;
        let (to, answers) = mpsc::channel(1);
        // The call, and not what it was made into: there is one such text for all who send it, and only who makes an
        // answer needs the rest.
        let (door, caller, text) = (self.clone(), caller.clone(), Arc::clone(text));
        let (name, variables) = (call.operation_name.clone(), call.variables.clone());
        let render = move |given| {
            let admitted = door.guard.admit(&text, name.as_deref(), &variables);
            let (door, caller) = (door.clone(), caller.clone());
            let answer = async move {
                let Admitted {
                    document,
                    variables,
                    name,
                    ..
                } = admitted.ok()?;
                let mut request = Request::new("").variables(variables);
                request.operation_name = name;
                request.set_parsed_query(document);
                let request = graphql::prepare(&door.app, caller, request).data::<Given>(given);
                let answer = Answer::executed(door.schema.execute_stream(request).next().await?);
                answer.errors.is_empty().then(|| answer.encode())
            };
            answer.boxed()
        };
        let share = Share {
            group: plan.group(&call.query, call.operation_name.as_deref(), &call.variables),
            plan: Arc::new(plan),
            render: Arc::new(render),
            to,
        };
        Some((share, answers))
    }

    /// Runs a subscription. The stream ends when the executor's does, or when it panics.
    pub(super) fn stream(&self, operation: Operation) -> impl Stream<Item = Answer> + Send + use<> {
        let Operation {
            request,
            record,
            shared,
        } = operation;
        let running = Running {
            responses: self.schema.execute_stream(request).boxed(),
            record,
            shared,
            waiting: None,
            is_over: false,
        };
        unfold(running, |mut running| async move {
            let answer = running.next().await?;
            Some((answer, running))
        })
    }
}

/// A subscription: what is executed for it, and what was executed for others as well.
struct Running {
    responses: BoxStream<'static, Response>,
    record: Record,
    shared: Option<mpsc::Receiver<Box<Told>>>,
    /// What comes after the shared answers that are on their way.
    waiting: Option<Answer>,
    is_over: bool,
}

impl Running {
    async fn next(&mut self) -> Option<Answer> {
        loop {
            let shared = self.shared.as_mut();
            if let Some(told) = shared.and_then(|shared| shared.try_recv().ok()) {
                return Some(Answer::shared(told));
            }
            if self.is_over || self.waiting.is_some() {
                return self.waiting.take();
            }
            let shared = async {
                match &mut self.shared {
                    Some(shared) => shared.recv().await,
                    None => None,
                }
            };
            tokio::select! {
                biased;
                Some(told) = shared => return Some(Answer::shared(told)),
                answer = executed(&mut self.responses, &self.record) => {
                    self.is_over = answer.is_none();
                    self.waiting = answer;
                }
            }
        }
    }
}

async fn executed(responses: &mut BoxStream<'static, Response>, record: &Record) -> Option<Answer> {
    let meter = Arc::clone(&record.meter);
    let response = AssertUnwindSafe(meter.measure(responses.next())).catch_unwind();
    let answer = match response.await {
        Ok(response) => response.map(Answer::executed),
        Err(_panic) => Some(Answer::internal()),
    };
    let Some(answer) = answer else {
        record.log(None);
        return None;
    };
    let answer = answer.with_request_id(&record.request_id);
    if answer.outcome != Outcome::Executed {
        record.log(answer.code());
    }
    Some(answer)
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

impl Record {
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
pub(super) fn unavailable(error: &Error) -> Answer {
    tracing::error!(%error, "a caller could not be identified");
    match error.code() {
        Code::Unavailable => Answer::refused(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable,
            error.message(),
        ),
        _ => Answer::internal(),
    }
}

fn too_slow() -> Answer {
    let message = "The operation took longer than allowed and was stopped.";
    Answer::refused(StatusCode::SERVICE_UNAVAILABLE, Code::Timeout, message)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
