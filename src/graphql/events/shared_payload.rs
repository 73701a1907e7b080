//! Subscribers who ask alike share an answer when nothing in it depends on who they are: it is executed once, and each
//! gets it with their own cursor.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{
    domain::{messages, reads::receipts},
    graphql::{
        errors::Result,
        events::{
            interface::Event,
            shareable_fields::Plan,
            stream::StreamSlot,
            subscriber_stream::{SubscriberContext, SubscriberStream},
        },
        messages::types::Message,
    },
    id::{MessageId, UserId},
    live::{
        log::Change,
        log_reader::Entry,
        payload_cache::{RenderedPayload, ShareKey},
    },
};

/// Stands where each subscriber's cursor belongs. Nobody outside knows it, so nobody can write it into a message.
static PLACEHOLDER: LazyLock<String> = LazyLock::new(|| format!("{:032x}", rand::random::<u128>()));

/// One event to execute, in place of a stream.
#[derive(Debug)]
pub struct PreloadedEvent(Mutex<Option<Item>>);

#[derive(Debug)]
pub(super) enum Item {
    Event(Result<Box<Event>>),
    Message(Result<Box<Message>>),
}

impl PreloadedEvent {
    pub(super) fn new(item: Item) -> Self {
        Self(Mutex::new(Some(item)))
    }

    pub(super) fn take(&self) -> Option<Item> {
        let mut item = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        item.take()
    }
}

/// An answer that was executed once for many, on its way to one subscriber.
#[derive(Debug)]
pub struct Shared {
    pub(super) form: RenderedPayload,
    /// Where the subscriber goes on from.
    pub cursor: Option<String>,
}

impl Shared {
    /// Adds the encoded answer to a text.
    pub fn write_to(&self, text: &mut String) {
        let cursor = self.cursor.as_deref().unwrap_or_default();
        for (number, piece) in self.form.iter().enumerate() {
            if number > 0 {
                text.push_str(cursor);
            }
            text.push_str(piece);
        }
    }

    /// How long the encoded answer is, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let pieces: usize = self.form.iter().map(|piece| piece.len()).sum();
        let cursor = self.cursor.as_ref().map_or(0, String::len);
        pieces + cursor * self.form.len().saturating_sub(1)
    }
}

/// What can be told to many at once.
#[derive(Clone, Copy, Debug)]
enum News {
    /// Of this message.
    Message(MessageId),
    /// That somebody has read up to this message.
    Read(UserId, MessageId),
}

/// Executes the subscription's document for one event and encodes the answer; none when something in it failed.
pub type Render = Arc<dyn Fn(PreloadedEvent) -> BoxFuture<'static, Option<Bytes>> + Send + Sync>;

/// What a subscription needs to share its answers.
#[derive(Clone)]
pub struct Share {
    /// Which events.
    pub plan: Arc<Plan>,
    /// With whom.
    pub group: ShareKey,
    /// How an answer is made.
    pub render: Render,
    /// Where the stream that was opened is left for the transport.
    pub handed: StreamSlot,
}

impl Share {
    /// This event in the form that was made for the group, if that is at hand and the subscriber may see it.
    pub(super) fn at_hand(
        &self,
        stream: &SubscriberStream,
        entry: &Entry,
    ) -> Option<RenderedPayload> {
        self.news(entry)?;
        let who = &stream.who;
        let payload_cache = who.app.hub.payload_cache();
        let form = payload_cache.cached(entry, self.group, who.viewer.user)?;
        stream.is_over().is_none().then_some(form)
    }

    /// This event in the form that is made once for the group. None when there is none: then the subscriber is to be
    /// told in the ordinary way, which also asks whether they may see it.
    pub(super) async fn form<F>(
        &self,
        stream: &SubscriberStream,
        entry: &Entry,
        load: impl FnOnce(String) -> F,
    ) -> Option<RenderedPayload>
    where
        F: Future<Output = Option<Item>>,
    {
        self.news(entry)?;
        // Whoever's session ends meanwhile makes nothing, and the next of the group goes on with it.
        let making = self.make(&stream.who, entry, load);
        stream.unless_over(making).await.ok()?.ok()?
    }

    /// Makes it, unless somebody did, for somebody who may see it.
    pub(super) async fn make<F>(
        &self,
        who: &SubscriberContext,
        entry: &Entry,
        load: impl FnOnce(String) -> F,
    ) -> Result<Option<RenderedPayload>>
    where
        F: Future<Output = Option<Item>>,
    {
        let Some(news) = self.news(entry) else {
            return Ok(None);
        };
        let (db, payload_cache) = (who.app.db.read(), who.app.hub.payload_cache());
        let look_up = || async {
            match news {
                News::Message(id) => messages::audience(db, id).await,
                News::Read(user, up_to) => receipts::audience(db, user, up_to).await,
            }
        };
        let make = || async {
            let item = load(PLACEHOLDER.clone()).await?;
            let body = (self.render)(PreloadedEvent::new(item)).await?;
            Some(pieces(&body))
        };
        let audience = payload_cache.audience(entry, look_up).await?;
        if !audience.contains(&who.viewer.user) {
            return Ok(None);
        }
        Ok(payload_cache.form(entry, self.group, make).await)
    }

    fn news(&self, entry: &Entry) -> Option<News> {
        match entry.change {
            Some(Change::MessageSent { message }) if self.plan.sent => Some(News::Message(message)),
            Some(Change::MessageEdited { message }) if self.plan.edited => {
                Some(News::Message(message))
            }
            Some(Change::ReadPositionChanged {
                user,
                up_to: Some(up_to),
                is_shared: true,
                ..
            }) if self.plan.read => Some(News::Read(user, up_to)),
            _ => None,
        }
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
    fn every_cursor_goes_where_it_belongs() {
        let body = format!("{{\"a\":\"{0}\",\"ü\":1,\"b\":\"{0}\"}}", *PLACEHOLDER);
        for (body, written) in [
            (body.as_str(), "{\"a\":\"C\",\"ü\":1,\"b\":\"C\"}"),
            ("{}", "{}"),
        ] {
            let shared = Shared {
                form: pieces(body.as_bytes()),
                cursor: Some("C".to_owned()),
            };
            let mut text = String::new();
            shared.write_to(&mut text);
            assert_eq!(text, written);
            assert_eq!(shared.size(), written.len());
        }
    }
}
