//! The deliveries of one subscription to one subscriber, in order.

use super::{
    delivery::Delivery,
    feed::SubscriptionFeed,
    shared_payload::{PayloadRenderer, SharedPayload},
    subscriber_stream::{Incoming, SubscriberStream},
    types::EventHeader,
};
use crate::{
    graphql::{
        context::Resume,
        errors::{FieldError, Result},
    },
    id::ConversationId,
    live::{
        cursor::EventCursor,
        entry::{Entry, RenderedPayload},
        log::{Change, EndReason},
        open_documents::OpenDocument,
        resume::Opening,
    },
};

enum Stage {
    Opening,
    Open,
    Closed,
}

/// A subscription field, subscribed to.
pub(super) struct FeedStream<F> {
    feed: F,
    stream: SubscriberStream,
    /// Present when the subscription shares payloads.
    renderer: Option<PayloadRenderer>,
    /// Present when the transport resumes the stream by itself.
    resume: Option<Resume>,
    /// Counted among the subscriptions of the user with the same document, if the transport writes the deliveries.
    document: Option<OpenDocument>,
    last: EventCursor,
    stage: Stage,
}

impl<F: SubscriptionFeed> FeedStream<F> {
    pub(super) fn new(
        feed: F,
        stream: SubscriberStream,
        renderer: Option<PayloadRenderer>,
        resume: Option<Resume>,
    ) -> Self {
        let open = |renderer: &PayloadRenderer| {
            let hub = &stream.context.app.hub;
            hub.payload_cache().open_document(renderer.own_key)
        };
        Self {
            document: renderer.as_ref().map(open),
            feed,
            last: stream.events.start().clone(),
            stream,
            renderer,
            resume,
            stage: Stage::Opening,
        }
    }

    /// Whether the subscriber is a member of the conversation.
    pub(super) fn is_member_of(&self, conversation: ConversationId) -> bool {
        self.stream.events.is_member_of(conversation)
    }

    /// The next item of a subscription that shares no payloads.
    pub(super) async fn next_item(&mut self) -> Option<Result<F::Item>> {
        loop {
            if let Delivery::Execute(item) = self.next().await? {
                return Some(item);
            }
        }
    }

    /// The next delivery; none when the stream has ended.
    pub(super) async fn next(&mut self) -> Option<Delivery<Result<F::Item>>> {
        if let Stage::Opening = self.stage {
            self.stage = Stage::Open;
            let opening = self.stream.events.opening();
            if let Some(item) = self.opened(opening) {
                return Some(Delivery::Execute(Ok(item)));
            }
        }
        while let Stage::Open = self.stage {
            match self.stream.next().await {
                Incoming::Entry(entry) if matches!(entry.change, Some(Change::StreamReset)) => {
                    self.last = self.last.advanced_to(&entry);
                    if let Some(item) = self.opened(Opening::Reset) {
                        return Some(Delivery::Execute(Ok(item)));
                    }
                }
                Incoming::Entry(entry) => {
                    if let Some(delivery) = self.cached(&entry) {
                        return Some(delivery);
                    }
                    // Boxed, so that an idle subscriber does not carry the size of this future.
                    if let Some(delivery) = Box::pin(self.deliver(&entry)).await {
                        return Some(delivery);
                    }
                    if matches!(&entry.change, Some(change) if self.feed.ends_with(change)) {
                        self.stage = Stage::Closed;
                    }
                }
                Incoming::SessionEnded(reason) => return self.ended(reason),
                Incoming::Failed(error) => return Some(self.failed(error)),
                Incoming::Closed => self.stage = Stage::Closed,
            }
        }
        None
    }

    /// The payload that another subscriber has caused to be rendered.
    fn cached(&mut self, entry: &Entry) -> Option<Delivery<Result<F::Item>>> {
        let renderer = self.renderer.as_ref()?;
        let payload = renderer.cached(&self.feed, &self.stream, entry)?;
        let cursor = self.cursor_after(entry);
        Some(self.shared(payload, cursor))
    }

    /// The cursor after this event. An ephemeral one does not move it: logged events before it may still be on their
    /// way.
    fn cursor_after(&self, entry: &Entry) -> EventCursor {
        if entry.change.as_ref().is_some_and(Change::is_ephemeral) {
            self.last.clone()
        } else {
            self.last.advanced_to(entry)
        }
    }

    fn shared(
        &mut self,
        payload: RenderedPayload,
        cursor: EventCursor,
    ) -> Delivery<Result<F::Item>> {
        Delivery::Shared(self.payload(payload, cursor))
    }

    fn payload(&mut self, payload: RenderedPayload, cursor: EventCursor) -> SharedPayload {
        // Few subscriptions use cursors, and to sign one takes longer than the rest of a shared delivery.
        let is_used = payload.len() > 1 || self.resume.is_some();
        let signed = is_used.then(|| self.sign(&cursor));
        self.last = cursor;
        SharedPayload::new(payload, signed)
    }

    /// Renders the shared payload, or else loads the item for this subscriber. None when they do not receive the event.
    async fn deliver(&mut self, entry: &Entry) -> Option<Delivery<Result<F::Item>>> {
        let cursor = self.cursor_after(entry);
        if let Some(renderer) = &self.renderer
            && let Some(payload) = renderer.render(&self.feed, &self.stream, entry).await
        {
            return Some(self.shared(payload, cursor));
        }
        let own_key = self.document.as_ref().and_then(OpenDocument::shared_key);
        if let Some((renderer, key)) = self.renderer.as_ref().zip(own_key)
            && let Some((payload, is_own_execution)) = renderer
                .render_own(&self.feed, &self.stream, entry, key)
                .await
        {
            if payload.is_empty() {
                return None;
            }
            let mut delivery = self.payload(payload, cursor);
            delivery.is_own_execution = is_own_execution;
            return Some(Delivery::Shared(delivery));
        }
        let signed = self.sign(&cursor);
        let loaders = self.stream.context.loaders();
        // Boxed again: a shared delivery does not need it.
        let loading = Box::pin(self.feed.load(&loaders, entry, signed.clone()));
        match self.stream.unless_ended(loading).await {
            Ok(Ok(None)) => None,
            Ok(Ok(Some(item))) => {
                self.last = cursor;
                if let Some(resume) = &self.resume {
                    resume.record(signed);
                }
                Some(Delivery::Execute(Ok(item)))
            }
            Ok(Err(error)) => Some(self.failed(error)),
            Err(reason) => self.ended(reason),
        }
    }

    /// Ends the stream: to skip the event would lose it, while a client that resumes receives it again.
    fn failed(&mut self, error: FieldError) -> Delivery<Result<F::Item>> {
        self.stage = Stage::Closed;
        Delivery::Execute(Err(error))
    }

    fn opened(&self, opening: Opening) -> Option<F::Item> {
        self.feed.opened(self.header(), opening)
    }

    fn ended(&mut self, reason: EndReason) -> Option<Delivery<Result<F::Item>>> {
        self.stage = Stage::Closed;
        let item = self.feed.session_ended(self.header(), reason)?;
        Some(Delivery::Execute(Ok(item)))
    }

    /// The header of an event that does not move the cursor.
    fn header(&self) -> EventHeader {
        let cursor = self.sign(&self.last);
        if let Some(resume) = &self.resume {
            resume.record(cursor.clone());
        }
        EventHeader {
            cursor,
            occurred_at: self.stream.context.app.clock.now().into(),
        }
    }

    fn sign(&self, cursor: &EventCursor) -> String {
        let context = &self.stream.context;
        cursor.seal(&context.app.keys, context.viewer.user)
    }
}
