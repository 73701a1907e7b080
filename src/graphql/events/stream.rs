//! The stream that a subscription hands to the transport. The executor opens it and is then released: the transport
//! writes shared payloads itself and executes only what is delivered to one subscriber alone.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    delivery::Delivery,
    feed::{EventFeed, MessageFeed},
    feed_stream::FeedStream,
    shared_payload::{PayloadRenderer, PreloadedEvent},
};

/// The stream of one subscriber.
pub struct DeliveryStream(Source);

enum Source {
    Events(Box<FeedStream<EventFeed>>),
    Messages(Box<FeedStream<MessageFeed>>),
}

impl fmt::Debug for DeliveryStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryStream").finish_non_exhaustive()
    }
}

impl DeliveryStream {
    /// The next delivery; none when the stream has ended. Not cancel-safe: dropping the future may lose an event.
    pub async fn next(&mut self) -> Option<Delivery<PreloadedEvent>> {
        Some(match &mut self.0 {
            Source::Events(stream) => stream.next().await?.map(PreloadedEvent::new),
            Source::Messages(stream) => stream.next().await?.map(PreloadedEvent::new),
        })
    }
}

impl From<FeedStream<EventFeed>> for DeliveryStream {
    fn from(stream: FeedStream<EventFeed>) -> Self {
        Self(Source::Events(Box::new(stream)))
    }
}

impl From<FeedStream<MessageFeed>> for DeliveryStream {
    fn from(stream: FeedStream<MessageFeed>) -> Self {
        Self(Source::Messages(Box::new(stream)))
    }
}

/// Where the subscription resolver leaves the opened stream for the transport.
#[derive(Clone, Debug, Default)]
pub struct StreamSlot(Arc<Mutex<Option<DeliveryStream>>>);

impl StreamSlot {
    pub(super) fn put(&self, stream: DeliveryStream) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }

    /// The stream, if one was opened.
    #[must_use]
    pub fn take(&self) -> Option<DeliveryStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What the transport adds to the request of a subscription that shares payloads.
#[derive(Clone)]
pub struct Share {
    /// How its payloads are rendered.
    pub renderer: PayloadRenderer,
    /// Where its stream is left.
    pub slot: StreamSlot,
}
