//! `/graphql` over HTTP: POST, GET for what changes nothing, and the way to the socket and to streams of events.

use std::time::Duration;

use async_graphql::parser::types::OperationType;
use axum::{
    body::Body,
    extract::{Request, State},
    http::{
        HeaderValue, Method, StatusCode,
        header::{ALLOW, HeaderName},
        request::Parts,
    },
    response::Response,
};
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{
    client, headers,
    negotiation::{MediaType, Streaming, is_json},
    operation::{self, Operation},
    origin,
    request::GraphqlRequest,
    response::GraphqlResponse,
    socket, sse,
    state::AppState,
};
use crate::{error::Code, graphql::context::Caller};

/// Largest body, in bytes.
const BODY: usize = 256 * 1024;
/// Time for a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(20);

/// Answers whatever comes to `/graphql`.
pub(super) async fn handle(State(state): State<AppState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if socket::is_upgrade(&parts) {
        return Box::pin(socket::upgrade(state, parts)).await;
    }
    let accepted = MediaType::accepted(&parts.headers);
    let media = accepted.unwrap_or(MediaType::Json);
    let streaming = Streaming::accepted(&parts.headers);
    let answered = if accepted.is_none() && streaming == Streaming::Never {
        Err(Failed::from(GraphqlResponse::rejected(
            StatusCode::NOT_ACCEPTABLE,
            Code::BadUserInput,
            "Accept `application/graphql-response+json`, `application/json` or `text/event-stream`.",
        )))
    } else {
        answer(&state, &parts, body, (media, streaming)).await
    };
    match answered {
        Ok(response) => response,
        Err(Failed { answer, allow }) => {
            let mut response = headers::respond(&answer, media);
            if let Some(allow) = allow {
                response
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static(allow));
            }
            response
        }
    }
}

/// An operation that did not run.
struct Failed {
    answer: GraphqlResponse,
    allow: Option<&'static str>,
}

impl From<GraphqlResponse> for Failed {
    fn from(answer: GraphqlResponse) -> Self {
        Self {
            answer,
            allow: None,
        }
    }
}

async fn answer(
    state: &AppState,
    parts: &Parts,
    body: Body,
    (media, streaming): (MediaType, Streaming),
) -> Result<Response, Failed> {
    if origin::is_foreign(parts, &state.origins) {
        return Err(GraphqlResponse::rejected(
            StatusCode::FORBIDDEN,
            Code::Forbidden,
            "Pages of other sites may not call this API.",
        )
        .into());
    }
    let call = match parts.method {
        Method::GET => {
            GraphqlRequest::from_query_string(parts.uri.query().unwrap_or_default()).map_err(bad)?
        }
        Method::POST => post(parts, body).await?,
        _ => {
            return Err(not_allowed(
                "GET, POST",
                "Use POST, or GET for what changes nothing.",
            ));
        }
    };
    let viewer = state
        .authenticate(client::bearer(&parts.headers))
        .await
        .map_err(|error| operation::unavailable(&error))?;
    let caller = Caller {
        viewer: viewer.clone(),
        ..client::of(parts, &state.app.config.trusted_proxies)
    };
    let operation = state.prepare(&call, caller);
    let kind = operation.as_ref().ok().map(Operation::kind);
    if kind == Some(OperationType::Mutation) && parts.method == Method::GET {
        return Err(not_allowed("POST", "A mutation is sent by POST."));
    }
    match (streaming, kind) {
        // Each apart: whoever asks for one thing need not move the room for all of them.
        (Streaming::Always, _) | (Streaming::Subscriptions, Some(OperationType::Subscription)) => {
            Ok(Box::pin(sse::respond(state, parts, viewer, operation)).await?)
        }
        (_, Some(OperationType::Subscription)) => Err(GraphqlResponse::refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            Code::BadUserInput,
            "Subscribe over a WebSocket (graphql-transport-ws), or accept `text/event-stream`.",
        )
        .into()),
        _ => Ok(Box::pin(run(state, operation?, media)).await),
    }
}

/// Runs a query or a mutation and answers with JSON.
async fn run(state: &AppState, operation: Operation, media: MediaType) -> Response {
    let (answer, record) = state.run(operation).await;
    let mut response = headers::respond(&answer, media);
    if let Ok(value) = HeaderValue::from_str(&record.server_timing()) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("server-timing"), value);
    }
    response
}

async fn post(parts: &Parts, body: Body) -> Result<GraphqlRequest, Failed> {
    if !is_json(&parts.headers) {
        return Err(GraphqlResponse::rejected(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::BadUserInput,
            "Send JSON with the header `Content-Type: application/json`.",
        )
        .into());
    }
    GraphqlRequest::from_body(&read(body).await?).map_err(bad)
}

/// Reads a body that is neither too large nor too slow, whether or not it tells its length.
async fn read(body: Body) -> Result<Bytes, GraphqlResponse> {
    let too_large = || {
        GraphqlResponse::rejected(
            StatusCode::PAYLOAD_TOO_LARGE,
            Code::TooComplex,
            "The body is larger than 256 KiB.",
        )
    };
    if body.size_hint().lower() > u64::try_from(BODY).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let whole = tokio::time::timeout(BODY_TIME, Limited::new(body, BODY).collect());
    match whole.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_broken)) => Err(GraphqlResponse::rejected(
            StatusCode::BAD_REQUEST,
            Code::BadUserInput,
            "The body ended too early.",
        )),
        Err(_elapsed) => Err(GraphqlResponse::rejected(
            StatusCode::REQUEST_TIMEOUT,
            Code::Timeout,
            "The body took too long to arrive.",
        )),
    }
}

fn bad(reason: &'static str) -> Failed {
    GraphqlResponse::rejected(StatusCode::BAD_REQUEST, Code::BadUserInput, reason).into()
}

fn not_allowed(allow: &'static str, message: &str) -> Failed {
    Failed {
        answer: GraphqlResponse::rejected(
            StatusCode::METHOD_NOT_ALLOWED,
            Code::BadUserInput,
            message,
        ),
        allow: Some(allow),
    }
}
