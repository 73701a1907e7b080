//! The state that all request handlers share: the application, the schema, the guard and the limits on streams.

use std::{ops::Deref, sync::Arc};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    body::BodyBudget,
    guard::{Guard, Limits},
    hosts::Hosts,
    origin::Origins,
};
use crate::{
    app::App,
    auth::reservations::Reservations,
    graphql::{Schema, declared_sdl, schema},
};

/// Maximum concurrent streams of one user.
const STREAMS_PER_USER: u64 = 10;

/// The shared state. Cheap to clone.
#[derive(Clone)]
pub(super) struct AppState(Arc<Inner>);

pub(super) struct Inner {
    pub(super) app: App,
    pub(super) schema: Schema,
    pub(super) guard: Guard,
    pub(super) origins: Origins,
    pub(super) hosts: Hosts,
    /// The open streams (WebSocket and SSE) of each user.
    pub(super) streams: Reservations,
    pub(super) bodies: BodyBudget,
    /// Cancelled when the server stops: connections and streams then end.
    pub(super) shutdown: CancellationToken,
    /// Connections and sockets. Shutdown waits for them.
    pub(super) connections: TaskTracker,
}

impl Deref for AppState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl AppState {
    pub(super) fn new(app: App, shutdown: CancellationToken) -> Self {
        let schema = schema(&app);
        #[expect(
            clippy::expect_used,
            reason = "the schema is compiled in; a test parses it"
        )]
        let guard = Guard::new(&declared_sdl(&schema), Limits::default())
            .expect("the schema's SDL can be parsed");
        Self(Arc::new(Inner {
            // Behind a proxy that rewrites `Host`, browsers know this server by its public URL.
            origins: Origins::new(
                app.config
                    .allowed_origins
                    .iter()
                    .chain(&app.config.public_url),
            ),
            hosts: Hosts::new(&app.config),
            app,
            schema,
            guard,
            streams: Reservations::new(STREAMS_PER_USER),
            bodies: BodyBudget::default(),
            shutdown,
            connections: TaskTracker::new(),
        }))
    }
}
