//! The request that the current task works for, so that log lines far from the transport name it too.

tokio::task_local! {
    static REQUEST_ID: String;
}

/// Runs work for the request with this id.
pub async fn within<T>(request_id: String, work: impl Future<Output = T>) -> T {
    REQUEST_ID.scope(request_id, work).await
}

/// The id of the request; empty outside of one.
#[must_use]
pub fn request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}
