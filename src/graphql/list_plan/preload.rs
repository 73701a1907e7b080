//! What lists that are told at once look up for their items.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    hash::Hash,
};

use async_graphql::dataloader::Loader;
use futures_util::{
    FutureExt,
    future::{BoxFuture, try_join_all},
};

use crate::{
    entity::participant,
    graphql::{
        errors::FieldError,
        loaders::{LoaderHandle, Loaders},
        messages::loader::{MentionsViewer, MessageKey, TimelineOf},
        participants::loader::{HeadsOf, MembershipOf, NamesOf},
        reads::loader::{IsUnread, MentionsIn, UnreadIn, UnreadOf},
        threads::loader::{IsFollowing, LastReplyOf, ThreadKey},
        users::{loader::UserKey, types::User},
    },
};

/// What was asked, with the answers that there are.
pub(super) type LoadedBy<'a, K> = HashMap<K, Option<Cow<'a, <K as PreloadKey>::Answer>>>;

/// A kind of question that lists ask about their items.
pub trait PreloadKey: Eq + Hash + Clone + Send + Sync + 'static {
    /// What answers it.
    type Answer: Clone + Send + Sync + 'static;

    /// Those of this kind that wait for an answer.
    fn pending(all: &mut PendingKeys) -> &mut HashSet<Self>;

    /// Those of this kind that were asked.
    fn loaded<'f, 'a>(all: &'f LoadedValues<'a>) -> &'f LoadedBy<'a, Self>;
}

macro_rules! questions {
    ($($name:ident: $key:ty),+ $(,)?) => {
        /// Questions that wait for an answer.
        #[derive(Debug, Default)]
        pub struct PendingKeys {
            $($name: HashSet<$key>,)+
        }

        /// Questions that were asked, with the answers that there are: what the viewer may see.
        #[derive(Debug, Default)]
        pub struct LoadedValues<'a> {
            $($name: LoadedBy<'a, $key>,)+
        }

        impl PendingKeys {
            /// Whether nothing waits for an answer.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                $(self.$name.is_empty())&&+
            }

            /// Looks everything up, one statement for each kind.
            pub(super) async fn look_up(
                &mut self,
                loaded: &mut LoadedValues<'_>,
                loaders: LoaderHandle<'_>,
            ) -> Result<(), FieldError> {
                let looks = [$(look_up(&mut self.$name, &mut loaded.$name, loaders)),+];
                try_join_all(looks.into_iter().flatten()).await?;
                Ok(())
            }
        }

        $(impl PreloadKey for $key {
            type Answer = <Loaders as Loader<$key>>::Value;

            fn pending(all: &mut PendingKeys) -> &mut HashSet<Self> {
                &mut all.$name
            }

            fn loaded<'f, 'a>(all: &'f LoadedValues<'a>) -> &'f LoadedBy<'a, Self> {
                &all.$name
            }
        })+
    };
}

questions! {
    users: UserKey,
    messages: MessageKey,
    threads: ThreadKey,
    last_replies: LastReplyOf,
    following: IsFollowing,
    unread_replies: UnreadOf,
    names: NamesOf,
    heads: HeadsOf,
    memberships: MembershipOf,
    unread: UnreadIn,
    mentions: MentionsIn,
    newest: TimelineOf,
    unread_messages: IsUnread,
    mentioning: MentionsViewer,
}

/// A future only for what is wanted: nearly nothing is.
fn look_up<'l, K>(
    pending: &'l mut HashSet<K>,
    loaded: &'l mut LoadedBy<'_, K>,
    loaders: LoaderHandle<'l>,
) -> Option<BoxFuture<'l, Result<(), FieldError>>>
where
    K: PreloadKey,
    Loaders: Loader<K, Value = K::Answer, Error = FieldError>,
{
    if pending.is_empty() {
        return None;
    }
    let look_up = async move {
        let mut answers = loaders.load_many(pending.iter().cloned()).await?;
        loaded.extend(pending.drain().map(|key| {
            let answer = answers.remove(&key);
            (key, answer.map(Cow::Owned))
        }));
        Ok(())
    };
    Some(look_up.boxed())
}

impl<'a> LoadedValues<'a> {
    /// People who are at hand.
    pub(super) fn people(&mut self, people: &'a HashMap<UserKey, User>) {
        let people = people.iter();
        self.users
            .extend(people.map(|(&key, person)| (key, Some(Cow::Borrowed(person)))));
    }

    /// The viewer's places in conversations, each with how many messages are unread there, if that is known.
    pub(super) fn places(&mut self, places: &'a [(participant::Model, Option<i64>)]) {
        for (place, unread) in places {
            let id = place.conversation_id;
            self.memberships
                .insert(MembershipOf(id), Some(Cow::Borrowed(place)));
            if let Some(count) = unread {
                self.unread.insert(UnreadIn(id), Some(Cow::Borrowed(count)));
            }
        }
    }

    /// A message that is at hand, if it is wanted.
    pub fn message(
        &mut self,
        pending: &mut PendingKeys,
        key: MessageKey,
        message: &'a <MessageKey as PreloadKey>::Answer,
    ) {
        if pending.messages.remove(&key) {
            self.messages.insert(key, Some(Cow::Borrowed(message)));
        }
    }
}
