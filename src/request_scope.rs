//! The request that the current task works for, so that log lines and audit entries far from the transport name it too.

use std::net::IpAddr;

/// What is known about a request everywhere.
#[derive(Clone, Debug)]
pub struct RequestScope {
    /// The id of the request.
    pub id: String,
    /// The network address of the client.
    pub client: Option<IpAddr>,
}

tokio::task_local! {
    static SCOPE: RequestScope;
}

/// Runs work for a request.
pub async fn within<T>(scope: RequestScope, work: impl Future<Output = T>) -> T {
    SCOPE.scope(scope, work).await
}

/// The id of the request; empty outside of one.
#[must_use]
pub fn request_id() -> String {
    SCOPE.try_with(|scope| scope.id.clone()).unwrap_or_default()
}

/// The network address of the client; none outside of a request.
#[must_use]
pub fn client_address() -> Option<IpAddr> {
    SCOPE.try_with(|scope| scope.client).ok().flatten()
}
