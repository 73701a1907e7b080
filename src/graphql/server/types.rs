//! The `Server` type and its limits.

use std::{sync::Arc, time::Duration};

use async_graphql::{Context, Enum, Object, SimpleObject};
use uuid::Uuid;

use crate::{
    app::App,
    config::{self, Config},
    graphql::{
        context::app,
        scalars::DateTime,
        server::codes::{self, ErrorCodeInfo},
    },
    id::ServerId,
};

/// The version of the schema.
const API_VERSION: &str = "0.1.0";

/// Public facts about this server.
#[derive(Clone, Debug)]
pub struct Server(Arc<Config>);

impl Server {
    /// The running server.
    #[must_use]
    pub fn of(app: &App) -> Self {
        Self(Arc::clone(&app.config))
    }
}

/// Public facts about this server.
#[Object]
impl Server {
    /// Unique id.
    pub async fn id(&self) -> ServerId {
        ServerId(Uuid::nil())
    }

    /// Display name set by the administrator.
    async fn name(&self) -> &str {
        &self.0.server_name
    }

    /// Software version.
    async fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// Version of this schema (semantic versioning); fields are only removed in a new major version.
    async fn api_version(&self) -> &str {
        API_VERSION
    }

    /// Optional capabilities that are turned on.
    async fn features(&self, ctx: &Context<'_>) -> Vec<ServerFeature> {
        let mut features = vec![];
        if app(ctx).mailer.is_enabled() {
            features.push(ServerFeature::Email);
        }
        features
    }

    /// Who may register.
    async fn sign_up_policy(&self) -> SignUpPolicy {
        self.0.sign_up_policy.into()
    }

    /// Sizes and times that clients should respect.
    async fn limits(&self) -> ServerLimits {
        ServerLimits::of(&self.0)
    }

    /// The server's clock, for showing times and checking skew.
    async fn now(&self, ctx: &Context<'_>) -> DateTime {
        app(ctx).clock.now().into()
    }

    /// Every error code with its meaning.
    async fn error_codes(&self) -> Vec<ErrorCodeInfo> {
        codes::all()
    }
}

/// A capability that a server may turn off.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerFeature {
    /// The server sends mail: addresses can be verified, and forgotten passwords reset.
    Email,
}

/// Who may create an account.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "config::SignUpPolicy")]
pub enum SignUpPolicy {
    /// Anyone.
    Open,
    /// Only people with an invitation or whose account an administrator created.
    InviteOnly,
    /// Only people whose account an administrator created.
    Closed,
}

/// Limits in force on this server.
#[derive(SimpleObject, Clone, Debug)]
pub struct ServerLimits {
    /// Longest message body, in Unicode characters.
    message_length: i32,
    /// Most people in one conversation.
    participants_per_conversation: i32,
    /// Deepest level to which TREE order nests replies; deeper replies follow there by time. They keep their parents.
    thread_depth: i32,
    /// Seconds after sending within which a message may be edited; null means always.
    edit_window_seconds: Option<i32>,
    /// Seconds after sending within which a message may be deleted; null means always.
    delete_window_seconds: Option<i32>,
    /// Seconds for which stored events can be replayed.
    event_replay_seconds: i32,
}

impl ServerLimits {
    fn of(config: &Config) -> Self {
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let seconds = |time: Duration| i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
        Self {
            message_length: count(config.message_length),
            participants_per_conversation: count(config.participants_per_conversation),
            thread_depth: config.thread_depth,
            edit_window_seconds: config.edit_window.map(seconds),
            delete_window_seconds: config.delete_window.map(seconds),
            event_replay_seconds: seconds(config.event_replay),
        }
    }
}
