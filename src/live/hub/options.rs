//! What a subscriber receives, and how.

use std::{collections::HashSet, fmt, sync::Arc};

use futures_util::future::BoxFuture;

use crate::{
    id::ConversationId,
    live::{
        entry::{Entry, ShareKey},
        log::Change,
    },
};

/// What a subscriber receives.
#[derive(Debug, Default)]
pub struct SubscribeOptions {
    /// Only events of these conversations; none for all.
    pub only: Option<HashSet<ConversationId>>,
    /// Only these changes; none for all.
    pub changes: Option<ChangeFilter>,
    /// Renders payloads that many subscribers share before they are woken up.
    pub prerender: Option<Prerender>,
}

/// The changes that a subscriber receives, besides those of their own memberships and sessions. Other changes do not
/// wake up the subscriber.
#[derive(Clone)]
pub struct ChangeFilter(Arc<dyn Fn(&Change) -> bool + Send + Sync>);

impl ChangeFilter {
    /// The changes for which the function returns true.
    pub fn new(wants: impl Fn(&Change) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(wants))
    }
}

impl SubscribeOptions {
    /// Whether the subscriber receives this change.
    pub(super) fn want(&self, change: Option<&Change>) -> bool {
        match (&self.changes, change) {
            (None, _)
            | (
                _,
                Some(
                    Change::ConversationJoined { .. }
                    | Change::ConversationLeft { .. }
                    | Change::SessionEnded { .. },
                ),
            ) => true,
            (Some(ChangeFilter(wants)), Some(change)) => wants(change),
            // A change of an unknown kind cannot be delivered.
            (Some(_), None) => false,
        }
    }

    /// Whether it receives events of this conversation.
    pub(super) fn include(&self, conversation: ConversationId) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| only.contains(&conversation))
    }
}

impl fmt::Debug for ChangeFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeFilter").finish_non_exhaustive()
    }
}

/// Renders the payload of an event into the payload cache.
pub struct Prerender {
    pub(super) key: ShareKey,
    pub(super) render: Render,
}

type Render = Box<dyn Fn(&Arc<Entry>) -> Option<BoxFuture<'static, ()>> + Send + Sync>;

impl Prerender {
    /// Renders in this way the payload that subscribers with this key share. None for an event whose payload they do not
    /// share.
    pub fn new<F>(
        key: ShareKey,
        render: impl Fn(&Arc<Entry>) -> Option<F> + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self {
            key,
            render: Box::new(move |entry| Some(Box::pin(render(entry)?))),
        }
    }
}

impl fmt::Debug for Prerender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prerender").finish_non_exhaustive()
    }
}
