//! The size of a response while it grows: an operation that selects more than a response may contain fails before it
//! has collected all of it in memory.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::ContextBase;

use super::{context::extension, errors::FieldError};
use crate::error::{Code, Error};

/// Maximum size of a response, in bytes.
pub const MAX_BYTES: usize = 5 * 1024 * 1024;
/// The error of a response that is too large.
pub const TOO_LARGE: &str = "The response is larger than 5 MiB: request fewer items or fields.";

/// The long values of a response so far, in bytes. Short values are bounded by the cost of the operation.
#[derive(Debug, Default)]
pub struct ResponseSize(AtomicUsize);

impl ResponseSize {
    /// Adds a value. Fails with `TOO_COMPLEX` if the response becomes too large.
    pub(super) fn add(&self, bytes: usize) -> Result<(), FieldError> {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        within_limit(before.saturating_add(bytes))
    }

    /// Fails with `TOO_COMPLEX` if there is no room for a value that has this size so far.
    pub(super) fn check(&self, bytes: usize) -> Result<(), FieldError> {
        within_limit(self.0.load(Ordering::Relaxed).saturating_add(bytes))
    }
}

/// Adds a text to the response.
pub(super) fn sized<T, S: AsRef<str>>(ctx: &ContextBase<'_, T>, text: S) -> Result<S, FieldError> {
    if let Some(size) = of(ctx) {
        size.add(text.as_ref().len())?;
    }
    Ok(text)
}

/// The size of the response so far. None for a subscription, whose every event is a small response of its own.
pub(super) fn of<'a, T>(ctx: &ContextBase<'a, T>) -> Option<&'a ResponseSize> {
    extension(ctx)
}

fn within_limit(bytes: usize) -> Result<(), FieldError> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    Err(Error::new(Code::TooComplex, TOO_LARGE).into())
}
