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
        context::{Resume, app, caller, viewer},
        errors::Result,
        events::{
            filter::EventFilter,
            interface::Event,
            request::{preloaded, resume, share},
            shared_payload::{Item, PreloadedEvent},
            streams::{Events, Messages},
            subscriber_stream::{SubscriberContext, SubscriberStream},
        },
        messages::types::Message,
    },
    id::ConversationId,
    live::{
        cursor::Cursor,
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
    /// Everything the viewer may see, in order, on one stream. The first event is always StreamOpenedEvent. Keep
    /// the newest `cursor` and pass it as `after` when reconnecting; lasting events are then replayed, fleeting
    /// ones (presence, typing) are not.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Resume after this cursor; omit to start now.")] after: Option<String>,
        #[graphql(desc = "Leave out what is not needed.")] filter: Option<EventFilter>,
    ) -> Result<impl Stream<Item = Result<Event>>> {
        if let Some(Item::Event(event)) = preloaded(ctx).and_then(PreloadedEvent::take) {
            return Ok(Either::Left(iter(Some(event.map(|event| *event)))));
        }
        let (app, viewer) = (app(ctx), viewer(ctx)?);
        let filter = Arc::new(filter.unwrap_or_default());
        let resume = resume(ctx).cloned();
        let from = resume.as_ref().and_then(Resume::from);
        let since = match from.cloned().or(after) {
            None => Since::Now,
            Some(text) => {
                Cursor::open(&app.keys, viewer.user, &text).map_or(Since::Unknown, Since::Cursor)
            }
        };
        let who = SubscriberContext::new(app, caller(ctx), viewer);
        let share = share(ctx).cloned();
        let making = |share| Events::making(&who, &filter, share);
        let wanted = SubscribeOptions {
            only: filter.conversations(),
            changes: filter.wants_only(),
            making: share.clone().map(making),
        };
        let stream = SubscriberStream::begin(&who, since, wanted).await?;
        let handed = share.as_ref().map(|share| share.handed.clone());
        let events = Events::new(stream, filter, resume, share);
        if let Some(handed) = handed {
            handed.hand(events.into());
            return Ok(Either::Left(iter(None)));
        }
        Ok(Either::Right(unfold(
            Box::new(events),
            |mut events| async { Some((events.alone().await?, events)) },
        )))
    }

    /// New messages of one conversation, replies included; the short way for scripts and demos.
    async fn message_sent(
        &self,
        ctx: &Context<'_>,
        conversation_id: ConversationId,
    ) -> Result<impl Stream<Item = Result<Message>>> {
        if let Some(Item::Message(message)) = preloaded(ctx).and_then(PreloadedEvent::take) {
            return Ok(Either::Left(iter(Some(message.map(|message| *message)))));
        }
        let who = SubscriberContext::new(app(ctx), caller(ctx), viewer(ctx)?);
        let share = share(ctx).cloned();
        let sent = |change: &Change| matches!(change, Change::MessageSent { .. });
        let wanted = SubscribeOptions {
            only: Some(HashSet::from([conversation_id])),
            changes: Some(ChangeFilter::new(sent)),
            making: share.clone().map(|share| Messages::making(&who, share)),
        };
        let stream = SubscriberStream::begin(&who, Since::Now, wanted).await?;
        if !stream.following.is_member_of(conversation_id) {
            return Err(Error::not_found("conversation").into());
        }
        let handed = share.as_ref().map(|share| share.handed.clone());
        let messages = Messages::new(stream, conversation_id, share);
        if let Some(handed) = handed {
            handed.hand(messages.into());
            return Ok(Either::Left(iter(None)));
        }
        let messages = Box::new(messages);
        Ok(Either::Right(unfold(messages, |mut messages| async {
            Some((messages.alone().await?, messages))
        })))
    }
}
