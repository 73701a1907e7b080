//! What one subscriber is told, one thing after the other.

use async_graphql::dataloader::Loader;

use crate::{
    graphql::{
        context::Resume,
        errors::{Refusal, Result},
        events::{
            build::build,
            filter::EventFilter,
            interface::Event,
            share::{Item, Share},
            telling::{Heard, Telling},
            types::{SessionEndedEvent, StreamOpenedEvent},
        },
        messages::{loader::MessageKey, types::Message},
    },
    id::{ConversationId, MessageId},
    live::{
        cursor::Cursor,
        log::{Change, EndReason},
        read::Entry,
    },
};

enum Stage {
    Opening,
    Open,
    Over,
}

/// Everything that the subscriber may see.
pub(super) struct Events {
    telling: Telling,
    filter: EventFilter,
    resume: Resume,
    share: Option<Share>,
    last: Cursor,
    stage: Stage,
}

impl Events {
    pub(super) fn new(
        telling: Telling,
        filter: EventFilter,
        resume: Resume,
        share: Option<Share>,
    ) -> Self {
        Self {
            last: telling.following.start().clone(),
            telling,
            filter,
            resume,
            share,
            stage: Stage::Opening,
        }
    }

    pub(super) async fn next(&mut self) -> Option<Result<Event>> {
        match self.stage {
            Stage::Opening => {
                self.stage = Stage::Open;
                return Some(Ok(self.opened()));
            }
            Stage::Open => {}
            Stage::Over => return None,
        }
        loop {
            match self.telling.next().await {
                Heard::Entry(entry) => {
                    // Apart, so that those who wait for something to happen do not keep the room for telling it.
                    if let Some(told) = Box::pin(self.tell(&entry)).await {
                        return Some(told);
                    }
                }
                Heard::SessionEnded(reason) => return Some(Ok(self.ended(reason))),
                Heard::Failed(refusal) => return Some(self.failed(refusal)),
                Heard::Nothing => {
                    self.stage = Stage::Over;
                    return None;
                }
            }
        }
    }

    /// What this subscriber is told; nothing when they do not hear of it, or heard it together with others.
    async fn tell(&mut self, entry: &Entry) -> Option<Result<Event>> {
        let is_fleeting = entry.change.as_ref().is_some_and(Change::is_fleeting);
        let cursor = if is_fleeting {
            self.last.clone()
        } else {
            Cursor::after(entry)
        };
        let sealed = cursor.seal(&self.telling.app.keys, self.telling.viewer.user);
        if self.shares(entry, &sealed).await {
            self.last = cursor;
            return None;
        }
        let batch = self.telling.batch();
        // Apart again, from the little that it takes to tell what others were told.
        let building = Box::pin(build(&batch, &self.filter, entry, sealed.clone()));
        match self.telling.unless_over(building).await {
            Ok(Ok(None)) => None,
            Ok(Ok(Some(event))) => {
                self.last = cursor;
                self.resume.tell(sealed);
                Some(Ok(event))
            }
            Ok(Err(refusal)) => Some(self.failed(refusal)),
            Err(reason) => Some(Ok(self.ended(reason))),
        }
    }

    /// Whether this event is told by an answer that others share.
    async fn shares(&self, entry: &Entry, cursor: &str) -> bool {
        let wanted = entry.change.as_ref();
        let wanted = wanted.is_some_and(|change| self.filter.wants(change));
        let (Some(share), true) = (&self.share, wanted) else {
            return false;
        };
        let load = |placeholder| async move {
            let batch = self.telling.batch();
            let event = build(&batch, &self.filter, entry, placeholder).await;
            Some(Item::Event(Box::new(event.ok()??)))
        };
        share
            .tell(&self.telling, entry, Some(cursor.to_owned()), load)
            .await
    }

    /// Nothing may be left out: what cannot be told now is told after resuming.
    fn failed(&mut self, refusal: Refusal) -> Result<Event> {
        self.stage = Stage::Over;
        Err(refusal)
    }

    fn cursor(&self) -> String {
        let (keys, owner) = (&self.telling.app.keys, self.telling.viewer.user);
        let sealed = self.last.seal(keys, owner);
        self.resume.tell(sealed.clone());
        sealed
    }

    fn opened(&self) -> Event {
        Event::StreamOpened(StreamOpenedEvent {
            cursor: self.cursor(),
            occurred_at: self.telling.app.clock.now().into(),
            outcome: self.telling.following.opening().into(),
        })
    }

    fn ended(&mut self, reason: EndReason) -> Event {
        self.stage = Stage::Over;
        Event::SessionEnded(SessionEndedEvent {
            cursor: self.cursor(),
            occurred_at: self.telling.app.clock.now().into(),
            reason: reason.into(),
        })
    }
}

/// New messages of one conversation.
pub(super) struct Messages {
    telling: Telling,
    conversation: ConversationId,
    share: Option<Share>,
    is_over: bool,
}

impl Messages {
    pub(super) fn new(
        telling: Telling,
        conversation: ConversationId,
        share: Option<Share>,
    ) -> Self {
        Self {
            telling,
            conversation,
            share,
            is_over: false,
        }
    }

    pub(super) async fn next(&mut self) -> Option<Result<Message>> {
        if self.is_over {
            return None;
        }
        loop {
            let entry = match self.telling.next().await {
                Heard::Entry(entry) => entry,
                Heard::Failed(refusal) => {
                    self.is_over = true;
                    return Some(Err(refusal));
                }
                Heard::SessionEnded(_) | Heard::Nothing => return None,
            };
            match entry.change {
                Some(Change::MessageSent { message }) => {
                    match Box::pin(self.tell(&entry, message)).await {
                        Ok(Ok(None)) => {}
                        Ok(Ok(Some(message))) => return Some(Ok(message)),
                        Ok(Err(refusal)) => {
                            self.is_over = true;
                            return Some(Err(refusal));
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
    ) -> std::result::Result<Result<Option<Message>>, EndReason> {
        if self.shares(entry, id).await {
            return Ok(Ok(None));
        }
        self.telling.unless_over(Box::pin(self.load(id))).await
    }

    /// Whether this message is told by an answer that others share.
    async fn shares(&self, entry: &Entry, id: MessageId) -> bool {
        let Some(share) = &self.share else {
            return false;
        };
        let load = |_| async move {
            let message = self.load(id).await.ok()??;
            Some(Item::Message(Box::new(message)))
        };
        share.tell(&self.telling, entry, None, load).await
    }

    async fn load(&self, id: MessageId) -> Result<Option<Message>> {
        let key = MessageKey(id);
        Ok(self.telling.batch().load(&[key]).await?.remove(&key))
    }
}
