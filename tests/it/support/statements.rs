//! What the server says to its database while a test listens.

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

/// The name that `heddle::db` logs statements under.
const SAID: &str = "heddle::sql";

/// Statements of one server: the thread of a test is where its server works, and no other test's.
pub(crate) struct Statements {
    heard: Arc<Mutex<Vec<String>>>,
    _listens: DefaultGuard,
}

impl Statements {
    /// Hears every statement from now on.
    pub(crate) fn hear() -> Self {
        let heard = Arc::default();
        let ear = Ear(Arc::clone(&heard))
            .with_filter(Targets::new().with_target(SAID, tracing::Level::TRACE));
        Self {
            heard,
            _listens: tracing::subscriber::set_default(registry().with(ear)),
        }
    }

    /// What was said so far; hears no more.
    pub(crate) fn end(self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Ear(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Ear {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Text(&self.0));
    }
}

struct Text<'a>(&'a Mutex<Vec<String>>);

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "text" {
            let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
