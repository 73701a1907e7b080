//! Identifies the client of a request: its access token, address and user agent.

use axum::http::{HeaderMap, header::AUTHORIZATION, header::USER_AGENT, request::Parts};

use super::{headers::RequestId, request_source::RequestSource, state::AppState};
use crate::{
    auth::token::MAX_TOKEN_BYTES,
    db::with_timeout,
    domain::{accounts, sessions::Viewer},
    error::{Code, Error},
    graphql::context::Caller,
    live::hub::SessionWatch,
};

/// Maximum length of a stored user agent, in characters. The rest is cut off.
const MAX_USER_AGENT_LENGTH: usize = 256;

impl AppState {
    /// Returns the user of an access token. `None` if the token is missing, invalid or expired.
    pub(super) async fn authenticate(&self, token: Option<&str>) -> Result<Option<Viewer>, Error> {
        let Some(token) = token.filter(|token| token.len() <= MAX_TOKEN_BYTES) else {
            return Ok(None);
        };
        match with_timeout(accounts::authenticate(&self.app, token)).await {
            Ok(viewer) => Ok(Some(viewer)),
            Err(error) if error.code() == Code::Unauthenticated => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Completes when the session ends; never if there is no session.
pub(super) async fn session_ended(session: &mut Option<SessionWatch>) {
    match session {
        Some(watch) => {
            watch.ended().await;
        }
        None => std::future::pending().await,
    }
}

/// Returns the caller of a request without its viewer.
pub(super) fn anonymous_caller(parts: &Parts) -> Caller {
    let request_id = parts.extensions.get::<RequestId>();
    let source = parts.extensions.get::<RequestSource>();
    let user_agent = parts
        .headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    Caller {
        client_addr: source.and_then(|source| source.client),
        user_agent: user_agent.map(|text| text.chars().take(MAX_USER_AGENT_LENGTH).collect()),
        request_id: request_id.map(|id| id.0.clone()).unwrap_or_default(),
        ..Caller::default()
    }
}

/// Returns the token of an `Authorization: Bearer …` header.
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(parse_bearer)
}

/// Returns the token of a `Bearer …` text.
pub(super) fn parse_bearer(text: &str) -> Option<&str> {
    let (scheme, token) = text.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
