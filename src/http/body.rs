//! Reads the body of a request within limits of size, time and memory.

use std::time::Duration;

use axum::{body::Body, http::StatusCode};
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::response::GraphqlResponse;
use crate::error::Code;

/// Maximum size of a body, in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// Maximum time for a body to arrive.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Size up to which a body may always arrive, in bytes: that of the largest document.
const SMALL_BYTES: usize = 16 * 1024;
/// Maximum larger bodies that are arriving at the same time: 16 MiB.
const LARGE_BODIES: usize = 64;

/// The memory for bodies that are arriving. Slow clients could otherwise fill it with one body per connection.
#[derive(Debug)]
pub(super) struct BodyBudget(Semaphore);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Semaphore::new(LARGE_BODIES))
    }
}

impl BodyBudget {
    /// Reads a body, even if it does not declare its length.
    pub(super) async fn read(&self, body: Body) -> Result<Bytes, GraphqlResponse> {
        timeout(TIMEOUT, self.collect(body))
            .await
            .unwrap_or_else(|_elapsed| {
                Err(GraphqlResponse::http_error(
                    StatusCode::REQUEST_TIMEOUT,
                    Code::Timeout,
                    "The body did not arrive within 20 seconds: send the request again.",
                ))
            })
    }

    async fn collect(&self, mut body: Body) -> Result<Bytes, GraphqlResponse> {
        if body.size_hint().lower() > u64::try_from(MAX_BYTES).unwrap_or(u64::MAX) {
            return Err(too_large());
        }
        // Copied: each part of a body that arrives in small parts would keep the memory of a whole read.
        let mut collected = BytesMut::new();
        let mut reserved: Option<SemaphorePermit<'_>> = None;
        while let Some(frame) = body.frame().await {
            let Ok(part) = frame.map_err(|_incomplete| incomplete())?.into_data() else {
                continue;
            };
            if collected.is_empty() && body.is_end_stream() {
                return if part.len() > MAX_BYTES {
                    Err(too_large())
                } else {
                    Ok(part)
                };
            }
            let length = collected.len() + part.len();
            if length > MAX_BYTES {
                return Err(too_large());
            }
            if length > SMALL_BYTES && reserved.is_none() {
                reserved = Some(self.reserve()?);
                // Otherwise it would double, to twice as much.
                collected.reserve(MAX_BYTES - collected.len());
            }
            collected.extend_from_slice(&part);
        }
        Ok(collected.freeze())
    }

    /// Reserves the memory for one body of the maximum size.
    fn reserve(&self) -> Result<SemaphorePermit<'_>, GraphqlResponse> {
        self.0.try_acquire().map_err(|_none_left| {
            GraphqlResponse::http_error(
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Unavailable,
                "Too many large bodies are arriving: send the request again later.",
            )
        })
    }
}

fn too_large() -> GraphqlResponse {
    GraphqlResponse::http_error(
        StatusCode::PAYLOAD_TOO_LARGE,
        Code::TooComplex,
        "The body is larger than 256 KiB: send a smaller document or fewer variables.",
    )
}

fn incomplete() -> GraphqlResponse {
    GraphqlResponse::http_error(
        StatusCode::BAD_REQUEST,
        Code::BadUserInput,
        "The connection closed before the body was complete: send the request again.",
    )
}
