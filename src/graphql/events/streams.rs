//! What one subscriber is told, one thing after the other.

use std::sync::Arc;

use async_graphql::dataloader::Loader;

use crate::{
    graphql::{
        context::Resume,
        errors::{FieldError, Result},
        events::{
            event_builder::build,
            filter::EventFilter,
            interface::Event,
            shared_payload::{Item, Share, Shared},
            subscriber_stream::{Incoming, SubscriberContext, SubscriberStream},
            types::{SessionEndedEvent, StreamOpenedEvent},
        },
        messages::{loader::MessageKey, types::Message},
    },
    id::{ConversationId, MessageId},
    live::{
        cursor::Cursor,
        hub::Prerender,
        log::{Change, EndReason},
        log_reader::Entry,
        payload_cache::RenderedPayload,
    },
};

enum Stage {
    Opening,
    Open,
    Over,
}

/// What a subscriber is told.
pub(super) enum Outgoing<T> {
    /// An answer that was executed for all who ask alike.
    Shared(Shared),
    /// Something that is executed for them alone, or why it cannot be.
    Execute(Result<T>),
}

/// Everything that the subscriber may see.
pub(super) struct Events {
    stream: SubscriberStream,
    filter: Arc<EventFilter>,
    resume: Option<Resume>,
    share: Option<Share>,
    last: Cursor,
    stage: Stage,
}

impl Events {
    /// Makes an event for all who ask alike, before they hear of it.
    pub(super) fn making(
        who: &Arc<SubscriberContext>,
        filter: &Arc<EventFilter>,
        share: Share,
    ) -> Prerender {
        let (who, filter, share) = (Arc::clone(who), Arc::clone(filter), Arc::new(share));
        Prerender::new(share.group, move |entry| {
            let (who, filter, share) = (Arc::clone(&who), Arc::clone(&filter), Arc::clone(&share));
            async move {
                let wants = |change| filter.wants(change);
                if entry.change.as_ref().is_some_and(wants) {
                    let load = |placeholder| load(&who, &filter, &entry, placeholder);
                    // Whoever hears of it finds out by themselves what failed.
                    let _ = share.make(&who, &entry, load).await;
                }
            }
        })
    }

    pub(super) fn new(
        stream: SubscriberStream,
        filter: Arc<EventFilter>,
        resume: Option<Resume>,
        share: Option<Share>,
    ) -> Self {
        Self {
            last: stream.following.start().clone(),
            stream,
            filter,
            resume,
            share,
            stage: Stage::Opening,
        }
    }

    /// The next event of somebody who shares nothing.
    pub(super) async fn alone(&mut self) -> Option<Result<Event>> {
        loop {
            if let Outgoing::Execute(event) = self.next().await? {
                return Some(event);
            }
        }
    }

    pub(super) async fn next(&mut self) -> Option<Outgoing<Event>> {
        match self.stage {
            Stage::Opening => {
                self.stage = Stage::Open;
                return Some(Outgoing::Execute(Ok(self.opened())));
            }
            Stage::Open => {}
            Stage::Over => return None,
        }
        loop {
            match self.stream.next().await {
                Incoming::Entry(entry) => {
                    if let Some(told) = self.at_hand(&entry) {
                        return Some(told);
                    }
                    // Apart, so that those who wait for something to happen do not keep the room for telling it.
                    if let Some(told) = Box::pin(self.tell(&entry)).await {
                        return Some(told);
                    }
                }
                Incoming::SessionEnded(reason) => {
                    return Some(Outgoing::Execute(Ok(self.ended(reason))));
                }
                Incoming::Failed(refusal) => return Some(Outgoing::Execute(self.failed(refusal))),
                Incoming::Nothing => {
                    self.stage = Stage::Over;
                    return None;
                }
            }
        }
    }

    /// What others were told already.
    fn at_hand(&mut self, entry: &Entry) -> Option<Outgoing<Event>> {
        let (share, change) = (self.share.as_ref()?, entry.change.as_ref()?);
        if !self.filter.wants(change) {
            return None;
        }
        let form = share.at_hand(&self.stream, entry)?;
        Some(self.shared(form, Cursor::after(entry)))
    }

    fn shared(&mut self, form: RenderedPayload, cursor: Cursor) -> Outgoing<Event> {
        let (keys, owner) = (&self.stream.who.app.keys, self.stream.who.viewer.user);
        // Most ask for none, and sealing one takes longer than all the rest.
        let is_asked_for = form.len() > 1 || self.resume.is_some();
        let sealed = is_asked_for.then(|| cursor.seal(keys, owner));
        self.last = cursor;
        Outgoing::Shared(Shared {
            form,
            cursor: sealed,
        })
    }

    /// What this subscriber is told; nothing when they do not hear of it.
    async fn tell(&mut self, entry: &Entry) -> Option<Outgoing<Event>> {
        let is_ephemeral = entry.change.as_ref().is_some_and(Change::is_ephemeral);
        let cursor = if is_ephemeral {
            self.last.clone()
        } else {
            Cursor::after(entry)
        };
        if let Some(form) = self.form(entry).await {
            return Some(self.shared(form, cursor));
        }
        let sealed = cursor.seal(&self.stream.who.app.keys, self.stream.who.viewer.user);
        let loaders = self.stream.who.loaders();
        // Apart again, from the little that it takes to tell what others were told.
        let building = Box::pin(build(&loaders, &self.filter, entry, sealed.clone()));
        match self.stream.unless_over(building).await {
            Ok(Ok(None)) => None,
            Ok(Ok(Some(event))) => {
                self.last = cursor;
                if let Some(resume) = &self.resume {
                    resume.record(sealed);
                }
                Some(Outgoing::Execute(Ok(event)))
            }
            Ok(Err(refusal)) => Some(Outgoing::Execute(self.failed(refusal))),
            Err(reason) => Some(Outgoing::Execute(Ok(self.ended(reason)))),
        }
    }

    /// The answer that others share, if this event has one.
    async fn form(&self, entry: &Entry) -> Option<RenderedPayload> {
        let share = self.share.as_ref()?;
        let change = entry.change.as_ref();
        change.filter(|change| self.filter.wants(change))?;
        let load = |placeholder| load(&self.stream.who, &self.filter, entry, placeholder);
        share.form(&self.stream, entry, load).await
    }

    /// Nothing may be left out: what cannot be told now is told after resuming.
    fn failed(&mut self, refusal: FieldError) -> Result<Event> {
        self.stage = Stage::Over;
        Err(refusal)
    }

    fn cursor(&self) -> String {
        let (keys, owner) = (&self.stream.who.app.keys, self.stream.who.viewer.user);
        let sealed = self.last.seal(keys, owner);
        if let Some(resume) = &self.resume {
            resume.record(sealed.clone());
        }
        sealed
    }

    fn opened(&self) -> Event {
        Event::StreamOpened(StreamOpenedEvent {
            cursor: self.cursor(),
            occurred_at: self.stream.who.app.clock.now().into(),
            outcome: self.stream.following.opening().into(),
        })
    }

    fn ended(&mut self, reason: EndReason) -> Event {
        self.stage = Stage::Over;
        Event::SessionEnded(SessionEndedEvent {
            cursor: self.cursor(),
            occurred_at: self.stream.who.app.clock.now().into(),
            reason: reason.into(),
        })
    }
}

async fn load(
    who: &SubscriberContext,
    filter: &EventFilter,
    entry: &Entry,
    cursor: String,
) -> Option<Item> {
    let event = build(&who.loaders(), filter, entry, cursor).await.ok()??;
    Some(Item::Event(Ok(Box::new(event))))
}

/// New messages of one conversation.
pub(super) struct Messages {
    stream: SubscriberStream,
    conversation: ConversationId,
    share: Option<Share>,
    is_over: bool,
}

impl Messages {
    /// Makes a message for all who ask alike, before they hear of it.
    pub(super) fn making(who: &Arc<SubscriberContext>, share: Share) -> Prerender {
        let (who, share) = (Arc::clone(who), Arc::new(share));
        Prerender::new(share.group, move |entry| {
            let (who, share) = (Arc::clone(&who), Arc::clone(&share));
            async move {
                if let Some(Change::MessageSent { message }) = entry.change {
                    let load = |_| load_shared(&who, message);
                    // Whoever hears of it finds out by themselves what failed.
                    let _ = share.make(&who, &entry, load).await;
                }
            }
        })
    }

    pub(super) fn new(
        stream: SubscriberStream,
        conversation: ConversationId,
        share: Option<Share>,
    ) -> Self {
        Self {
            stream,
            conversation,
            share,
            is_over: false,
        }
    }

    /// The next message of somebody who shares nothing.
    pub(super) async fn alone(&mut self) -> Option<Result<Message>> {
        loop {
            if let Outgoing::Execute(message) = self.next().await? {
                return Some(message);
            }
        }
    }

    pub(super) async fn next(&mut self) -> Option<Outgoing<Message>> {
        if self.is_over {
            return None;
        }
        loop {
            let entry = match self.stream.next().await {
                Incoming::Entry(entry) => entry,
                Incoming::Failed(refusal) => {
                    self.is_over = true;
                    return Some(Outgoing::Execute(Err(refusal)));
                }
                Incoming::SessionEnded(_) | Incoming::Nothing => return None,
            };
            match entry.change {
                Some(Change::MessageSent { message }) => {
                    let share = self.share.as_ref();
                    if let Some(form) = share.and_then(|share| share.at_hand(&self.stream, &entry))
                    {
                        return Some(Outgoing::Shared(Shared { form, cursor: None }));
                    }
                    match Box::pin(self.tell(&entry, message)).await {
                        Ok(None) => {}
                        Ok(Some(told)) => {
                            self.is_over = matches!(told, Outgoing::Execute(Err(_)));
                            return Some(told);
                        }
                        Err(_reason) => return None,
                    }
                }
                Some(Change::ConversationLeft { conversation })
                    if conversation == self.conversation =>
                {
                    return None;
                }
                _ => {}
            }
        }
    }

    /// What this subscriber is told, unless their session ends first.
    async fn tell(
        &self,
        entry: &Entry,
        id: MessageId,
    ) -> std::result::Result<Option<Outgoing<Message>>, EndReason> {
        if let Some(form) = self.form(entry, id).await {
            return Ok(Some(Outgoing::Shared(Shared { form, cursor: None })));
        }
        let loading = Box::pin(load_message(&self.stream.who, id));
        let loaded = self.stream.unless_over(loading).await?;
        Ok(loaded.transpose().map(Outgoing::Execute))
    }

    /// The answer that others share, if this message has one.
    async fn form(&self, entry: &Entry, id: MessageId) -> Option<RenderedPayload> {
        let load = |_| load_shared(&self.stream.who, id);
        let share = self.share.as_ref()?;
        share.form(&self.stream, entry, load).await
    }
}

async fn load_message(who: &SubscriberContext, id: MessageId) -> Result<Option<Message>> {
    let key = MessageKey(id);
    Ok(who.loaders().load(&[key]).await?.remove(&key))
}

async fn load_shared(who: &SubscriberContext, id: MessageId) -> Option<Item> {
    let message = load_message(who, id).await.ok()??;
    Some(Item::Message(Ok(Box::new(message))))
}
