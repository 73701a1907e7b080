//! `Subscription.events` and `Subscription.messageSent`.

use std::{collections::HashSet, sync::Arc};

use async_graphql::{Context, Subscription};
use futures_util::{
    Stream,
    future::Either,
    stream::{iter, unfold},
};

use crate::{
    error::Error,
    graphql::{
        context::{Resume, app, caller, extension, viewer},
        errors::Result,
        events::{
            feed::{EventFeed, MessageFeed, SubscriptionFeed},
            feed_stream::FeedStream,
            filter::EventFilter,
            interface::Event,
            shared_payload::PreloadedEvent,
            stream::{DeliveryStream, Share},
            subscriber_stream::{SubscriberContext, SubscriberStream},
        },
        messages::types::Message,
    },
    id::ConversationId,
    live::{
        cursor::EventCursor,
        hub::{ChangeFilter, SubscribeOptions},
        log::Change,
        resume::Since,
    },
};

/// Streams of events.
#[derive(Default, Debug)]
pub struct EventSubscription;

#[Subscription]
impl EventSubscription {
    /// All events that the viewer may see, in order, on one stream. The first event is always StreamOpenedEvent.
    /// Keep the newest `cursor` and pass it as `after` when reconnecting: missed events are then replayed, except
    /// ephemeral ones (presence, typing).
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Resume after this cursor; omit to start now.")] after: Option<String>,
        #[graphql(desc = "Leave out what is not needed.")] filter: Option<EventFilter>,
    ) -> Result<impl Stream<Item = Result<Event>>> {
        if let Some(event) = extension::<PreloadedEvent, _>(ctx).and_then(PreloadedEvent::take) {
            return Ok(Either::Left(iter(Some(event))));
        }
        let (app, viewer) = (app(ctx), viewer(ctx)?);
        let filter = filter.unwrap_or_default();
        let resume = extension::<Resume, _>(ctx).cloned();
        let from = resume.as_ref().and_then(Resume::from);
        let since = match from.cloned().or(after) {
            None => Since::Now,
            Some(text) => EventCursor::open(&app.keys, viewer.user, &text)
                .map_or(Since::Unknown, Since::Cursor),
        };
        let options = SubscribeOptions {
            only: filter.conversations(),
            changes: filter.changes(),
            prerender: None,
        };
        let feed = EventFeed(Arc::new(filter));
        let stream = open(ctx, feed, since, options, resume).await?;
        Ok(Either::Right(items(ctx, stream)))
    }

    /// New messages of one conversation, including replies: a simple subscription for scripts and demos.
    async fn message_sent(
        &self,
        ctx: &Context<'_>,
        conversation_id: ConversationId,
    ) -> Result<impl Stream<Item = Result<Message>>> {
        if let Some(message) = extension::<PreloadedEvent, _>(ctx).and_then(PreloadedEvent::take) {
            return Ok(Either::Left(iter(Some(message))));
        }
        let feed = MessageFeed(conversation_id);
        let sent = |change: &Change| matches!(change, Change::MessageSent { .. });
        let options = SubscribeOptions {
            only: Some(HashSet::from([conversation_id])),
            changes: Some(ChangeFilter::new(sent)),
            prerender: None,
        };
        let stream = open(ctx, feed, Since::Now, options, None).await?;
        if !stream.is_member_of(conversation_id) {
            return Err(Error::not_found("conversation").into());
        }
        Ok(Either::Right(items(ctx, stream)))
    }
}

/// Subscribes the viewer to the field.
async fn open<F: SubscriptionFeed>(
    ctx: &Context<'_>,
    feed: F,
    since: Since,
    mut options: SubscribeOptions,
    resume: Option<Resume>,
) -> Result<FeedStream<F>> {
    let context = SubscriberContext::new(app(ctx), caller(ctx), viewer(ctx)?);
    let renderer = extension::<Share, _>(ctx).map(|share| share.renderer.clone());
    options.prerender = renderer
        .as_ref()
        .and_then(|renderer| renderer.prerender(&feed, &context));
    let stream = SubscriberStream::open(&context, since, options).await?;
    Ok(FeedStream::new(feed, stream, renderer, resume))
}

/// The items for the executor. None at all when the transport reads the stream itself.
fn items<F>(
    ctx: &Context<'_>,
    stream: FeedStream<F>,
) -> impl Stream<Item = Result<F::Item>> + use<F>
where
    F: SubscriptionFeed,
    DeliveryStream: From<FeedStream<F>>,
{
    if let Some(share) = extension::<Share, _>(ctx) {
        share.slot.put(stream.into());
        return Either::Left(iter(None));
    }
    Either::Right(unfold(Box::new(stream), |mut stream| async {
        Some((stream.next_item().await?, stream))
    }))
}
