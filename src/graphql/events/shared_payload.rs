//! Payloads that subscribers share: an event is executed once for all subscribers with the same share key, and each
//! receives the encoded response with their own cursor.

use std::{
    any::Any,
    collections::HashSet,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{
    feed::SubscriptionFeed,
    shareable_fields::{ShareableEvent, ShareableEvents},
    subscriber_stream::{SubscriberContext, SubscriberStream},
};
use crate::{
    domain::{blocks, messages, reads::receipts},
    graphql::errors::Result,
    id::{MessageId, UserId},
    live::{
        entry::{Entry, RenderedPayload, ShareKey},
        hub::Prerender,
        log::Change,
        memberships,
    },
};

/// The cursor in a rendered payload, replaced by each subscriber's own. It is random, so that no message can contain
/// it.
static PLACEHOLDER: LazyLock<String> = LazyLock::new(|| format!("{:032x}", rand::random::<u128>()));

/// An event that is already loaded. A subscription resolver that finds one in its request returns it instead of opening
/// a stream.
#[derive(Debug)]
pub struct PreloadedEvent(Mutex<Option<Box<dyn Any + Send>>>);

impl PreloadedEvent {
    pub(super) fn new<T: Send + 'static>(item: Result<T>) -> Self {
        Self(Mutex::new(Some(Box::new(item))))
    }

    /// The item, if the subscription field returns this type.
    pub(super) fn take<T: 'static>(&self) -> Option<Result<T>> {
        let mut item = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        item.take()?.downcast().ok().map(|item| *item)
    }
}

/// A payload that was rendered once, on its way to one subscriber.
#[derive(Debug)]
pub struct SharedPayload {
    payload: RenderedPayload,
    /// Where the subscriber resumes after it; none when neither the payload nor the transport contains a cursor.
    pub cursor: Option<String>,
    /// Whether it was executed for this delivery, and only for this user.
    pub is_own_execution: bool,
}

impl SharedPayload {
    pub(super) fn new(payload: RenderedPayload, cursor: Option<String>) -> Self {
        Self {
            payload,
            cursor,
            is_own_execution: false,
        }
    }

    /// Appends the encoded response to a text.
    pub fn write_to(&self, text: &mut String) {
        let cursor = self.cursor.as_deref().unwrap_or_default();
        for (number, piece) in self.payload.iter().enumerate() {
            if number > 0 {
                text.push_str(cursor);
            }
            text.push_str(piece);
        }
    }

    /// The length of the encoded response, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let pieces: usize = self.payload.iter().map(|piece| piece.len()).sum();
        let cursor = self.cursor.as_ref().map_or(0, String::len);
        pieces + cursor * self.payload.len().saturating_sub(1)
    }
}

/// How the audience of a shareable event is found.
#[derive(Clone, Copy, Debug)]
enum AudienceQuery {
    Message(MessageId),
    ReadPosition(UserId, MessageId),
    /// Ephemeral events: the hub has stored whom it delivers them to.
    Presence(UserId),
    Typing,
}

/// Executes the subscription's document for one event and encodes the response. None when the response has errors.
pub type Render = Arc<dyn Fn(PreloadedEvent) -> BoxFuture<'static, Option<Bytes>> + Send + Sync>;

/// Renders the shared payloads of a subscription.
#[derive(Clone)]
pub struct PayloadRenderer {
    /// The events whose payloads can be shared.
    pub events: Arc<ShareableEvents>,
    /// The subscribers that share them.
    pub key: ShareKey,
    /// The subscriptions of this user that share the others.
    pub own_key: ShareKey,
    /// How a payload is rendered.
    pub render: Render,
}

impl PayloadRenderer {
    /// The payload of this event, if it is in the cache and the subscriber may see it.
    pub(super) fn cached<F: SubscriptionFeed>(
        &self,
        feed: &F,
        stream: &SubscriberStream,
        entry: &Entry,
    ) -> Option<RenderedPayload> {
        self.audience_query(feed, entry)?;
        let context = &stream.context;
        let cache = context.app.hub.payload_cache();
        let payload = cache.get(entry, self.key, context.viewer.user)?;
        stream.end_reason().is_none().then_some(payload)
    }

    /// The payload of this event, rendered if it is not in the cache. None when it cannot be shared or this subscriber
    /// is not in the audience; the event is then loaded for them alone, which checks whether they may see it.
    pub(super) async fn render<F: SubscriptionFeed>(
        &self,
        feed: &F,
        stream: &SubscriberStream,
        entry: &Entry,
    ) -> Option<RenderedPayload> {
        self.audience_query(feed, entry)?;
        // When the session ends meanwhile, another subscriber continues the rendering.
        let rendering = self.render_for(feed, &stream.context, entry);
        stream.unless_ended(rendering).await.ok()?.ok()?
    }

    /// The payload of an event for this user alone, executed once for all subscriptions with this key, and whether it was
    /// executed now. The payload is empty when the user does not receive the event. None when it cannot be shared or the
    /// response has errors.
    pub(super) async fn render_own<F: SubscriptionFeed>(
        &self,
        feed: &F,
        stream: &SubscriberStream,
        entry: &Entry,
        key: ShareKey,
    ) -> Option<(RenderedPayload, bool)> {
        entry.change.as_ref().filter(|change| feed.wants(change))?;
        let context = &stream.context;
        let is_executed = AtomicBool::new(false);
        let render = || async {
            is_executed.store(true, Ordering::Relaxed);
            let loaders = context.loaders();
            let item = feed.load(&loaders, entry, PLACEHOLDER.clone()).await;
            let Some(item) = item.ok()? else {
                return Some(RenderedPayload::from([]));
            };
            let body = (self.render)(PreloadedEvent::new(Ok(item))).await?;
            Some(pieces(&body))
        };
        let cache = context.app.hub.payload_cache();
        let rendering = async { Ok(cache.get_or_render_own(entry, key, render).await) };
        let payload = stream.unless_ended(rendering).await.ok()?.ok()??;
        Some((payload, is_executed.into_inner()))
    }

    /// Lets the hub render payloads before it wakes up a large number of subscribers.
    pub(super) fn prerender<F: SubscriptionFeed>(
        &self,
        feed: &F,
        context: &Arc<SubscriberContext>,
    ) -> Option<Prerender> {
        if self.events.is_empty() {
            return None;
        }
        let shared = Arc::new((self.clone(), feed.clone(), Arc::clone(context)));
        Some(Prerender::new(self.key, move |entry| {
            let (renderer, feed, _) = &*shared;
            renderer.audience_query(feed, entry)?;
            let (shared, entry) = (Arc::clone(&shared), Arc::clone(entry));
            Some(async move {
                let (renderer, feed, context) = &*shared;
                // Each subscriber handles the error when it renders again.
                let _ = renderer.render_for(feed, context, &entry).await;
            })
        }))
    }

    async fn render_for<F: SubscriptionFeed>(
        &self,
        feed: &F,
        context: &SubscriberContext,
        entry: &Entry,
    ) -> Result<Option<RenderedPayload>> {
        let Some(query) = self.audience_query(feed, entry) else {
            return Ok(None);
        };
        let (db, cache) = (context.app.db.read(), context.app.hub.payload_cache());
        let load_audience = || async {
            match query {
                AudienceQuery::Message(id) => messages::audience(db, id).await,
                AudienceQuery::ReadPosition(user, up_to) => {
                    receipts::audience(db, user, up_to).await
                }
                // No longer stored. Each subscriber loads the event alone.
                AudienceQuery::Presence(_) | AudienceQuery::Typing => Ok(HashSet::new()),
            }
        };
        let render = || async {
            let loaders = context.loaders();
            let item = feed.load(&loaders, entry, PLACEHOLDER.clone()).await;
            let body = (self.render)(PreloadedEvent::new(Ok(item.ok()??))).await?;
            if let AudienceQuery::Presence(user) = query {
                // To a viewer who has just left the last shared conversation, or has a new block with the user, and to no
                // other, the user is offline.
                let viewer = &context.viewer;
                let contacts = memberships::contacts_among(db, viewer.user, &[user])
                    .await
                    .ok()?;
                let blocks = blocks::states(db, viewer, &[user]).await.ok()?;
                let is_contact = contacts.contains(&user) && blocks.is_empty();
                return is_contact.then(|| pieces(&body));
            }
            Some(pieces(&body))
        };
        let audience = cache.audience(entry, load_audience).await?;
        if !audience.contains(&context.viewer.user) {
            return Ok(None);
        }
        Ok(cache.get_or_render(entry, self.key, render).await)
    }

    /// How the audience is found, if the payload of this event can be shared.
    fn audience_query<F: SubscriptionFeed>(
        &self,
        feed: &F,
        entry: &Entry,
    ) -> Option<AudienceQuery> {
        let change = entry.change.as_ref().filter(|change| feed.wants(change))?;
        let (event, query) = match *change {
            Change::MessageSent { message } => {
                (ShareableEvent::MessageSent, AudienceQuery::Message(message))
            }
            Change::MessageEdited { message } => (
                ShareableEvent::MessageEdited,
                AudienceQuery::Message(message),
            ),
            Change::ReadPositionChanged {
                user,
                up_to: Some(up_to),
                is_shared: true,
                ..
            } => (
                ShareableEvent::ReadPositionChanged,
                AudienceQuery::ReadPosition(user, up_to),
            ),
            Change::PresenceChanged { user } => (
                ShareableEvent::PresenceChanged,
                AudienceQuery::Presence(user),
            ),
            // Some members may not see a thread.
            Change::TypingChanged { thread: None, .. } => {
                (ShareableEvent::TypingChanged, AudienceQuery::Typing)
            }
            _ => return None,
        };
        self.events.contain(event).then_some(query)
    }
}

fn pieces(body: &[u8]) -> RenderedPayload {
    let text = String::from_utf8_lossy(body);
    text.split(PLACEHOLDER.as_str()).map(Box::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_becomes_the_cursor() {
        let body = format!("{{\"a\":\"{0}\",\"ü\":1,\"b\":\"{0}\"}}", *PLACEHOLDER);
        for (body, written) in [
            (body.as_str(), "{\"a\":\"C\",\"ü\":1,\"b\":\"C\"}"),
            ("{}", "{}"),
        ] {
            let shared = SharedPayload::new(pieces(body.as_bytes()), Some("C".to_owned()));
            let mut text = String::new();
            shared.write_to(&mut text);
            assert_eq!(text, written);
            assert_eq!(shared.size(), written.len());
        }
    }
}
