//! Captures the statements that the server sends to its database.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, SubscriberExt},
    registry,
};

/// The target under which `heddle::db` logs statements.
const TARGET: &str = "heddle::sql";

/// The statements of one server. It runs on the thread of its test, and no other test does.
pub(crate) struct Statements {
    received: Arc<Mutex<Vec<String>>>,
    _listens: DefaultGuard,
}

impl Statements {
    /// Captures every statement from now on.
    pub(crate) fn capture() -> Self {
        let received = Arc::default();
        let recorder = Recorder(Arc::clone(&received))
            .with_filter(Targets::new().with_target(TARGET, tracing::Level::TRACE));
        Self {
            received,
            _listens: tracing::subscriber::set_default(registry().with(recorder)),
        }
    }

    /// Waits until a statement contains this text.
    pub(crate) async fn reach(&self, text: &str) {
        let is_reached = || {
            let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
            received.iter().any(|statement| statement.contains(text))
        };
        while !is_reached() {
            tokio::task::yield_now().await;
        }
    }

    /// Stops and returns the statements so far.
    pub(crate) fn end(self) -> Vec<String> {
        std::mem::take(&mut *self.received.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Recorder(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Text(&self.0));
    }
}

struct Text<'a>(&'a Mutex<Vec<String>>);

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "text" {
            let mut received = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            received.push(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
