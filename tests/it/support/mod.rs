//! Helpers for the tests: databases, servers and users. Contains no tests.

pub(crate) mod app;
pub(crate) mod authenticator;
pub(crate) mod binary;
pub(crate) mod captured_logs;
pub(crate) mod certificates;
pub(crate) mod cluster;
pub(crate) mod disk_faults;
pub(crate) mod dump;
pub(crate) mod event_rows;
pub(crate) mod groups;
pub(crate) mod issuer;
pub(crate) mod mailbox;
pub(crate) mod messaging;
pub(crate) mod network;
pub(crate) mod person;
pub(crate) mod postgres;
pub(crate) mod postgres_proxy;
pub(crate) mod query_cost;
pub(crate) mod redis;
pub(crate) mod rows;
pub(crate) mod seed;
pub(crate) mod smtp;
pub(crate) mod socket;
pub(crate) mod sqlite;
pub(crate) mod sse;
pub(crate) mod statements;

/// Runs each test twice: `both!(story)` defines the tests `story::sqlite` and `story::postgres` of
/// `async fn story(app: TestApp)`.
macro_rules! both {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            #[tokio::test]
            async fn sqlite() {
                super::$story($crate::support::app::TestApp::sqlite().await).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$story($crate::support::app::TestApp::postgres().await).await;
            }
        }
    )+};
}
pub(crate) use both;
