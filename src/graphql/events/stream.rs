//! A stream of events as the transport reads it, without the executor: that has opened it, and executes what is told to
//! one subscriber alone. What many are told was executed for all of them.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    shared_payload::{Item, PreloadedEvent, Shared},
    streams::{Events, Messages, Outgoing},
};
use crate::graphql::errors::Result;

/// What comes next.
#[derive(Debug)]
pub enum Delivery {
    /// An answer that was executed before.
    Shared(Shared),
    /// Something to execute for this subscriber.
    Execute(PreloadedEvent),
}

/// The stream of one subscriber.
pub struct Feed(Source);

enum Source {
    Events(Box<Events>),
    Messages(Box<Messages>),
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

impl Feed {
    /// The next of it; none when nothing more happens. What this future was in the middle of is lost when it is
    /// dropped.
    pub async fn next(&mut self) -> Option<Delivery> {
        match &mut self.0 {
            Source::Events(events) => events.next().await.map(|told| fed(told, Item::Event)),
            Source::Messages(messages) => {
                messages.next().await.map(|told| fed(told, Item::Message))
            }
        }
    }
}

fn fed<T>(told: Outgoing<T>, item: impl FnOnce(Result<Box<T>>) -> Item) -> Delivery {
    match told {
        Outgoing::Shared(shared) => Delivery::Shared(shared),
        Outgoing::Execute(told) => Delivery::Execute(PreloadedEvent::new(item(told.map(Box::new)))),
    }
}

impl From<Events> for Feed {
    fn from(events: Events) -> Self {
        Self(Source::Events(Box::new(events)))
    }
}

impl From<Messages> for Feed {
    fn from(messages: Messages) -> Self {
        Self(Source::Messages(Box::new(messages)))
    }
}

/// Where whoever opens a stream leaves it for the transport.
#[derive(Clone, Debug, Default)]
pub struct StreamSlot(Arc<Mutex<Option<Feed>>>);

impl StreamSlot {
    pub(super) fn hand(&self, feed: Feed) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(feed);
    }

    /// The stream, if one was opened.
    #[must_use]
    pub fn take(&self) -> Option<Feed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
