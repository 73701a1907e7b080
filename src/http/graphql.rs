//! `/graphql` over HTTP: POST, and GET and HEAD for queries. WebSocket handshakes and event streams are forwarded to
//! `socket` and `sse`.

use async_graphql::parser::types::OperationType;
use axum::{
    body::Body,
    extract::{Request, State},
    http::{
        HeaderValue, Method, StatusCode,
        header::{ACCEPT, ACCEPT_ENCODING, ALLOW, HeaderName},
        request::Parts,
    },
    response::Response,
};

use super::{
    client,
    connections::ConnectionInfo,
    headers,
    negotiation::{MediaType, Streaming, is_identity, is_json},
    operation::{self, Operation},
    origin,
    request::{GraphqlRequest, RequestFault},
    response::GraphqlResponse,
    socket, sse,
    state::AppState,
};
use crate::{error::Code, graphql::context::Caller};

/// Handles every request to `/graphql`.
pub(super) async fn handle(State(state): State<AppState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if socket::is_upgrade(&parts) {
        return Box::pin(socket::upgrade(state, parts)).await;
    }
    let accepted = MediaType::accepted(&parts.headers);
    let media = accepted.unwrap_or(MediaType::Json);
    let streaming = Streaming::accepted(&parts.headers);
    let result = if accepted.is_none() && streaming == Streaming::Never {
        Err(HttpFailure::from(GraphqlResponse::http_error(
            StatusCode::NOT_ACCEPTABLE,
            Code::BadUserInput,
            "No type in `Accept` is supported: use `application/graphql-response+json`, `application/json` \
             or `text/event-stream`.",
        )))
    } else {
        execute(&state, &parts, body, (media, streaming)).await
    };
    match result {
        Ok(response) => response,
        Err(HttpFailure {
            response,
            accepted,
            is_logged,
        }) => {
            if !is_logged {
                refused(&parts, &response);
            }
            let mut response = headers::respond(&response, media);
            if let Some((name, value)) = accepted {
                response
                    .headers_mut()
                    .insert(name, HeaderValue::from_static(value));
            }
            response
        }
    }
}

/// The response to a request whose operation did not run.
struct HttpFailure {
    response: GraphqlResponse,
    /// A header that describes what the server accepts.
    accepted: Option<(HeaderName, &'static str)>,
    /// Whether there is a line in the log.
    is_logged: bool,
}

impl HttpFailure {
    /// A failure that is already in the log.
    fn logged(response: GraphqlResponse) -> Self {
        Self {
            is_logged: true,
            ..Self::from(response)
        }
    }
}

impl From<GraphqlResponse> for HttpFailure {
    fn from(response: GraphqlResponse) -> Self {
        Self {
            response,
            accepted: None,
            is_logged: false,
        }
    }
}

/// Logs a request that contains no operation that the server reads, and none of its content.
fn refused(parts: &Parts, response: &GraphqlResponse) {
    tracing::info!(
        target: "heddle::operation",
        {
            request.id = client::anonymous_caller(parts).request_id,
            http.method = parts.method.as_str(),
            http.status = response.status(MediaType::Json).as_u16(),
            operation.code = response.code().unwrap_or_default(),
        },
        "a request was refused"
    );
}

async fn execute(
    state: &AppState,
    parts: &Parts,
    body: Body,
    (media, streaming): (MediaType, Streaming),
) -> Result<Response, HttpFailure> {
    if origin::is_foreign(parts, &state.origins) {
        return Err(GraphqlResponse::http_error(
            StatusCode::FORBIDDEN,
            Code::Forbidden,
            "This origin may not call the API: add it to the server's allowed origins.",
        )
        .into());
    }
    let request = match parts.method {
        Method::GET | Method::HEAD => {
            GraphqlRequest::from_query_string(parts.uri.query().unwrap_or_default())
                .map_err(RequestFault::response)?
        }
        Method::POST => post(state, parts, body).await?,
        _ => {
            return Err(not_allowed(
                "GET, HEAD, POST",
                "This method is not supported: use POST, or GET for queries.",
            ));
        }
    };
    let viewer = state
        .authenticate(client::bearer_token(&parts.headers))
        .await
        .map_err(|error| {
            let request_id = client::anonymous_caller(parts).request_id;
            HttpFailure::logged(operation::unavailable(&error, &request_id))
        })?;
    if let Some(connection) = parts.extensions.get::<ConnectionInfo>() {
        connection.set_user(viewer.as_ref().map(|viewer| viewer.user));
    }
    let caller = Caller {
        viewer: viewer.clone(),
        ..client::anonymous_caller(parts)
    };
    let operation = state.prepare(&request, caller);
    let kind = operation.as_ref().ok().map(Operation::kind);
    if kind == Some(OperationType::Mutation) && parts.method != Method::POST {
        return Err(not_allowed(
            "POST",
            "A mutation cannot be sent with GET: use POST.",
        ));
    }
    match (streaming, kind) {
        // Boxed, so that no request carries the size of the largest of these futures.
        (Streaming::Always, _) | (Streaming::Subscriptions, Some(OperationType::Subscription)) => {
            Box::pin(sse::respond(state, parts, viewer, operation))
                .await
                .map_err(HttpFailure::logged)
        }
        (_, Some(OperationType::Subscription)) => Err(GraphqlResponse::request_error(
            StatusCode::UNPROCESSABLE_ENTITY,
            Code::BadUserInput,
            "A subscription needs a stream: use a WebSocket (graphql-transport-ws), or accept `text/event-stream`.",
        )
        .into()),
        _ => {
            let operation = operation.map_err(HttpFailure::logged)?;
            Ok(Box::pin(run(state, operation, media)).await)
        }
    }
}

/// Runs a query or a mutation and returns its JSON response.
async fn run(state: &AppState, operation: Operation, media: MediaType) -> Response {
    let (response, record) = state.run(operation).await;
    let mut response = headers::respond(&response, media);
    if state.app.config.server_timing
        && let Ok(value) = HeaderValue::from_str(&record.server_timing())
    {
        response
            .headers_mut()
            .insert(HeaderName::from_static("server-timing"), value);
    }
    response
}

async fn post(state: &AppState, parts: &Parts, body: Body) -> Result<GraphqlRequest, HttpFailure> {
    if !is_identity(&parts.headers) {
        return Err(unsupported(
            (ACCEPT_ENCODING, "identity"),
            "The body is compressed or encoded: send it without `Content-Encoding`.",
        ));
    }
    if !is_json(&parts.headers) {
        return Err(unsupported(
            (ACCEPT, "application/json"),
            "The body is not declared as JSON in UTF-8: send the header `Content-Type: application/json`.",
        ));
    }
    let body = state.bodies.read(body).await?;
    Ok(GraphqlRequest::from_body(&body).map_err(RequestFault::response)?)
}

/// The response to a body that the server cannot read, with what it accepts (RFC 9110, section 15.5.16).
fn unsupported(accepted: (HeaderName, &'static str), message: &str) -> HttpFailure {
    HttpFailure {
        response: GraphqlResponse::http_error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::BadUserInput,
            message,
        ),
        accepted: Some(accepted),
        is_logged: false,
    }
}

fn not_allowed(allow: &'static str, message: &str) -> HttpFailure {
    HttpFailure {
        response: GraphqlResponse::http_error(
            StatusCode::METHOD_NOT_ALLOWED,
            Code::BadUserInput,
            message,
        ),
        accepted: Some((ALLOW, allow)),
        is_logged: false,
    }
}
