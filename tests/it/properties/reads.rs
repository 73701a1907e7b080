//! The unread counts of each scope, conversation and viewer equal the lengths of the lists behind them, and both equal
//! a naive model, after any operations.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use heddle::{
    db,
    domain::{
        accounts,
        messages::{
            self, NewMessage,
            across::{self, MessageFilter, TimePosition},
        },
        notifications,
        pagination::{Direction, PageRequest},
        predicates,
        reads::{
            self, UpTo,
            position::{self, Position},
            unread::{self, UnreadScope},
        },
        sessions::Viewer,
    },
    entity::{
        conversation::{self, ConversationKind, HistoryVisibility},
        message::MessagePriority,
        notification,
        participant::{self, NotificationLevel, ParticipantRole},
        read_exception, read_mark,
    },
    id::{ConversationId, MessageId, ParticipantId, ThreadId},
};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set, sea_query::Expr,
};

use crate::support::{app::TestApp, both, seed::seed};

const PEOPLE: usize = 3;
const CONVERSATIONS: usize = 2;
const STEPS: usize = 160;

both!(badges_count_what_the_lists_show);

async fn badges_count_what_the_lists_show(app: TestApp) {
    let seed = seed();
    let mut world = World::new(app, seed).await;
    for step in 0..STEPS {
        let deed = world.act().await;
        let everyone = step % 20 == 0;
        for person in 0..PEOPLE {
            if everyone || world.random.random_bool(0.4) {
                let about = format!("seed {seed}, step {step}, person {person}: {deed}");
                world.check(person, &about).await;
            }
        }
    }
}

struct Message {
    id: MessageId,
    conversation: usize,
    seq: i32,
    root: Option<MessageId>,
    sender: usize,
    mentions: BTreeSet<usize>,
    is_deleted: bool,
    created_at: DateTime<Utc>,
}

#[derive(Default)]
struct Membership {
    visible_from: i32,
    is_muted: bool,
}

struct World {
    app: TestApp,
    random: SmallRng,
    people: Vec<Viewer>,
    names: Vec<String>,
    conversations: Vec<ConversationId>,
    members: BTreeMap<(usize, usize), Membership>,
    messages: Vec<Message>,
    read: BTreeSet<(usize, MessageId)>,
}

impl World {
    async fn new(app: TestApp, seed: u64) -> Self {
        let mut world = Self {
            random: SmallRng::seed_from_u64(seed),
            people: vec![],
            names: vec![],
            conversations: vec![],
            members: BTreeMap::new(),
            messages: vec![],
            read: BTreeSet::new(),
            app,
        };
        for name in ["Ann", "Bob", "Cem"] {
            let person = world.app.person(name).await;
            let token = person.token.unwrap();
            let viewer = accounts::authenticate(&world.app.app, &token).await;
            world.people.push(viewer.unwrap());
            world.names.push(person.username);
        }
        for number in 0..CONVERSATIONS {
            let id = world.db_conversation().await;
            world.conversations.push(id);
            for person in 0..PEOPLE {
                world.join(person, number).await;
            }
        }
        world
    }

    async fn act(&mut self) -> String {
        let person = self.random.random_range(0..PEOPLE);
        let index = self.random.random_range(0..CONVERSATIONS);
        match self.random.random_range(0..100) {
            0..40 => self.send(person, index).await,
            40..47 => self.delete(person).await,
            47..55 => self.mark_conversations(person).await,
            55..65 => self.mark_thread(person).await,
            65..80 => self.mark_messages(person).await,
            80..92 => self.mark_unread_from(person).await,
            92..97 => self.mute(person, index).await,
            _ => self.come_or_go(person, index).await,
        }
    }

    async fn send(&mut self, sender: usize, index: usize) -> String {
        if !self.members.contains_key(&(sender, index)) {
            return "stays silent".to_owned();
        }
        let parents: Vec<MessageId> = self
            .seen(sender)
            .filter(|message| message.conversation == index && !message.is_deleted)
            .map(|message| message.id)
            .collect();
        let parent = parents
            .choose(&mut self.random)
            .copied()
            .filter(|_| self.random.random_bool(0.6));
        let named = self.random.random_range(0..PEOPLE);
        let new = NewMessage {
            conversation: self.conversations[index],
            parent,
            body: format!("Hello @{}", self.names[named]),
            priority: MessagePriority::Normal,
            client_message_id: None,
        };
        let sent = messages::send(
            &self.app.app,
            &self.app.app.sends,
            &self.people[sender],
            &new,
        )
        .await;
        let message = sent.unwrap().message;
        let is_notified = named != sender && self.members.contains_key(&(named, index));
        self.messages.push(Message {
            id: message.id,
            conversation: index,
            seq: message.seq,
            root: message.root_id,
            sender,
            mentions: is_notified.then_some(named).into_iter().collect(),
            is_deleted: false,
            created_at: message.created_at,
        });
        format!("{sender} sends {} below {parent:?}", message.id)
    }

    async fn delete(&mut self, person: usize) -> String {
        let own: Vec<MessageId> = self
            .seen(person)
            .filter(|message| message.sender == person && !message.is_deleted)
            .map(|message| message.id)
            .collect();
        let Some(&id) = own.choose(&mut self.random) else {
            return "deletes nothing".to_owned();
        };
        let deleted = messages::delete(&self.app.app, &self.people[person], id).await;
        deleted.unwrap();
        let message = self.messages.iter_mut().find(|message| message.id == id);
        message.unwrap().is_deleted = true;
        format!("{person} deletes {id}")
    }

    async fn mark_conversations(&mut self, person: usize) -> String {
        let mut to = vec![];
        let mut reached = vec![];
        for index in 0..CONVERSATIONS {
            if !self.members.contains_key(&(person, index)) {
                continue;
            }
            let here: Vec<(MessageId, i32)> = self
                .seen(person)
                .filter(|message| message.conversation == index)
                .map(|message| (message.id, message.seq))
                .collect();
            let message = here
                .choose(&mut self.random)
                .copied()
                .filter(|_| self.random.random_bool(0.8));
            let conversation = self.conversations[index];
            to.push(UpTo {
                conversation,
                message: message.map(|(id, _)| id),
            });
            reached.push((index, message.map_or(i32::MAX, |(_, seq)| seq)));
        }
        let expected = self.reads(person, |message| {
            reached
                .iter()
                .any(|&(index, seq)| message.conversation == index && message.seq <= seq)
        });
        let marked = reads::mark_conversations(&self.app.app, &self.people[person], &to).await;
        assert_eq!(marked.unwrap(), expected, "{person} marks {to:?}");
        format!("{person} marks {to:?}")
    }

    async fn mark_thread(&mut self, person: usize) -> String {
        let replies: Vec<(MessageId, MessageId, i32)> = self
            .seen(person)
            .filter_map(|message| Some((message.root?, message.id, message.seq)))
            .filter(|&(root, ..)| self.seen(person).any(|message| message.id == root))
            .collect();
        let Some(&(root, id, seq)) = replies.choose(&mut self.random) else {
            return "marks no thread".to_owned();
        };
        let whole = self.random.random_bool(0.3);
        let expected = self.reads(person, |message| {
            message.root == Some(root) && (whole || message.seq <= seq)
        });
        let up_to = (!whole).then_some(id);
        let viewer = &self.people[person];
        let marked = reads::mark_thread(&self.app.app, viewer, ThreadId::from(root), up_to).await;
        let deed = format!("{person} marks thread {root} up to {up_to:?}");
        assert_eq!(marked.unwrap(), expected, "{deed}");
        deed
    }

    async fn mark_messages(&mut self, person: usize) -> String {
        let all: Vec<MessageId> = self.messages.iter().map(|message| message.id).collect();
        let some = self.random.random_range(0..6);
        let ids: Vec<_> = all
            .choose_multiple(&mut self.random, some)
            .copied()
            .collect();
        let expected = self.reads(person, |message| ids.contains(&message.id));
        let marked = reads::mark_messages(&self.app.app, &self.people[person], &ids).await;
        assert_eq!(marked.unwrap(), expected, "{person} marks {ids:?}");
        format!("{person} marks {ids:?}")
    }

    async fn mark_unread_from(&mut self, person: usize) -> String {
        let seen: Vec<_> = self
            .seen(person)
            .filter(|message| !message.is_deleted)
            .map(|message| (message.id, message.conversation, message.root, message.seq))
            .collect();
        let Some(&(id, conversation, root, seq)) = seen.choose(&mut self.random) else {
            return "has nothing to go back to".to_owned();
        };
        let viewer = &self.people[person];
        let marked = reads::mark_unread_from(&self.app.app, viewer, id).await;
        marked.unwrap();
        for message in &self.messages {
            if (message.conversation, message.root) == (conversation, root) {
                if message.seq < seq {
                    self.read.insert((person, message.id));
                } else {
                    self.read.remove(&(person, message.id));
                }
            }
        }
        format!("{person} marks {id} as unread")
    }

    async fn mute(&mut self, person: usize, index: usize) -> String {
        let Some(membership) = self.members.get_mut(&(person, index)) else {
            return "has nothing to mute".to_owned();
        };
        membership.is_muted = !membership.is_muted;
        let until = membership.is_muted.then_some(DateTime::<Utc>::MAX_UTC);
        let until = until.map(|_| self.app.app.clock.now() + chrono::TimeDelta::days(1));
        participant::Entity::update_many()
            .col_expr(participant::Column::MutedUntil, Expr::value(until))
            .filter(participant::Column::UserId.eq(self.people[person].user))
            .filter(participant::Column::ConversationId.eq(self.conversations[index]))
            .exec(self.app.app.db.migrate())
            .await
            .unwrap();
        format!("{person} mutes {index} until {until:?}")
    }

    async fn come_or_go(&mut self, person: usize, index: usize) -> String {
        if self.members.contains_key(&(person, index)) {
            self.leave(person, index).await;
            return format!("{person} leaves {index}");
        }
        self.join(person, index).await;
        format!("{person} joins {index}")
    }

    async fn check(&self, person: usize, about: &str) {
        let db = self.app.app.db.read();
        let viewer = &self.people[person];
        let now = self.app.app.clock.now();
        let audible = |message: &&Message| !self.members[&(person, message.conversation)].is_muted;
        let received: Vec<&Message> = self.unread(person).filter(audible).collect();
        let totals = unread::totals(db, viewer, now).await.unwrap();
        assert_eq!(length(&received), totals.messages, "{about}");
        let named = received
            .iter()
            .filter(|message| message.mentions.contains(&person));
        assert_eq!(
            totals.mentions,
            length(&named.collect::<Vec<_>>()),
            "{about}"
        );
        let places: BTreeSet<_> = received
            .iter()
            .map(|message| message.conversation)
            .collect();
        assert_eq!(totals.conversations, length(&places), "{about}");
        assert_eq!(
            totals.threads,
            self.threads_received(viewer, now).await,
            "{about}"
        );
        let count = unread::count(db, viewer, UnreadScope::Audible(now))
            .await
            .unwrap();
        assert_eq!(count, totals.messages, "{about}");
        assert_eq!(self.listed(viewer, now).await, ids(&received), "{about}");
        for (index, &conversation) in self.conversations.iter().enumerate() {
            self.check_conversation(person, index, conversation, about)
                .await;
        }
        self.check_threads(person, about).await;
        self.check_notifications(person, about).await;
    }

    /// Counts the followed threads with unread replies, by checking each thread.
    async fn threads_received(&self, viewer: &Viewer, now: DateTime<Utc>) -> i64 {
        let text = format!(
            "SELECT COUNT(DISTINCT r.id) AS count FROM participant p
             JOIN message m ON m.conversation_id = p.conversation_id
             JOIN thread_follow f ON f.thread_id = m.root_id AND f.user_id = p.user_id
             JOIN message r ON r.id = f.thread_id
             WHERE p.user_id = ? AND f.is_following AND r.seq >= p.visible_from_seq
                 AND (p.muted_until IS NULL OR p.muted_until <= ?) AND {}",
            predicates::unread("m", "p")
        );
        let db = self.app.app.db.read();
        let statement = db::sql(
            self.app.app.db.backend(),
            &text,
            [viewer.user.into(), now.into()],
        );
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    /// No user has an unread notification of a message that they have read.
    async fn check_notifications(&self, person: usize, about: &str) {
        let rows = notifications::visible(&self.people[person])
            .filter(notification::Column::ReadAt.is_null())
            .all(self.app.app.db.read())
            .await
            .unwrap();
        let unread: BTreeSet<_> = self.unread(person).map(|message| message.id).collect();
        for id in rows.iter().filter_map(|row| row.message_id) {
            assert!(unread.contains(&id), "{about}: {id}");
        }
    }

    /// Reads the list in many small pages.
    async fn listed(&self, viewer: &Viewer, now: DateTime<Utc>) -> Vec<MessageId> {
        let db = self.app.app.db.read();
        let all = MessageFilter::default();
        let (mut listed, mut span) = (vec![], PageRequest::end(Direction::First, 7));
        loop {
            let page = across::unread(db, viewer, &all, Some(now), &span, false);
            let page = page.await.unwrap().items;
            let Some(last) = page.last() else {
                return listed;
            };
            span.after = Some(TimePosition::from(last));
            listed.extend(page.iter().map(|message| message.id));
        }
    }

    async fn check_conversation(
        &self,
        person: usize,
        index: usize,
        conversation: ConversationId,
        about: &str,
    ) {
        let db = self.app.app.db.read();
        let viewer = &self.people[person];
        let mut here: Vec<&Message> = self
            .unread(person)
            .filter(|message| message.conversation == index)
            .collect();
        here.sort_by_key(|message| message.seq);
        let listed = unread::list_in(
            db,
            viewer,
            conversation,
            &PageRequest::end(Direction::First, 1000),
        )
        .await
        .unwrap();
        let listed: Vec<_> = listed.items.iter().map(|message| message.id).collect();
        let expected: Vec<_> = here.iter().map(|message| message.id).collect();
        assert_eq!(listed, expected, "{about}");
        let scope = UnreadScope::Conversation(conversation);
        let count = unread::count(db, viewer, scope).await.unwrap();
        assert_eq!(count, length(&here), "{about}");
        let roots = here.iter().filter(|message| message.root.is_none());
        let counts = unread::of_conversations(db, viewer, &[conversation])
            .await
            .unwrap();
        assert_eq!(
            of(&counts, conversation),
            length(&roots.collect::<Vec<_>>()),
            "{about}"
        );
        let named = here
            .iter()
            .filter(|message| message.mentions.contains(&person));
        let counts = unread::mentions(db, viewer, &[conversation]).await.unwrap();
        assert_eq!(
            of(&counts, conversation),
            length(&named.collect::<Vec<_>>()),
            "{about}"
        );
        if self.members.contains_key(&(person, index)) {
            let found = position::in_conversations(db, viewer, &[conversation])
                .await
                .unwrap();
            let expected = self.position(person, |message| {
                message.conversation == index && message.root.is_none()
            });
            assert_eq!(found[&conversation], expected, "{about}");
        }
    }

    async fn check_threads(&self, person: usize, about: &str) {
        let db = self.app.app.db.read();
        let viewer = &self.people[person];
        let roots: BTreeSet<MessageId> = self
            .seen(person)
            .filter_map(|message| message.root)
            .collect();
        let threads: Vec<ThreadId> = roots.iter().map(|&root| root.into()).collect();
        let counts = unread::of_threads(db, viewer, &threads).await.unwrap();
        let positions = position::in_threads(db, viewer, &threads).await.unwrap();
        for thread in threads {
            let root = Some(MessageId::from(thread));
            let unread: Vec<_> = self
                .unread(person)
                .filter(|message| message.root == root)
                .collect();
            assert_eq!(of(&counts, thread), length(&unread), "{about}, {thread}");
            let expected = self.position(person, |message| message.root == root);
            assert_eq!(positions[&thread], expected, "{about}, {thread}");
        }
        let all: Vec<MessageId> = self.messages.iter().map(|message| message.id).collect();
        let among = unread::among(db, viewer, &all).await.unwrap();
        let expected: Vec<_> = self.unread(person).map(|message| message.id).collect();
        assert_eq!(
            BTreeSet::from_iter(among),
            BTreeSet::from_iter(expected),
            "{about}"
        );
    }

    /// Returns the messages that are visible to the viewer.
    fn seen(&self, person: usize) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |message| {
            self.members
                .get(&(person, message.conversation))
                .is_some_and(|membership| message.seq >= membership.visible_from)
        })
    }

    fn unread(&self, person: usize) -> impl Iterator<Item = &Message> {
        self.seen(person).filter(move |message| {
            message.sender != person
                && !message.is_deleted
                && !self.read.contains(&(person, message.id))
        })
    }

    fn position(&self, person: usize, in_scope: impl Fn(&Message) -> bool) -> Position {
        let first = self.unread(person).find(|message| in_scope(message));
        let before = first.map_or(i32::MAX, |first| first.seq);
        let last = self
            .seen(person)
            .filter(|message| in_scope(message) && !message.is_deleted && message.seq < before);
        Position {
            last_read: last.last().map(|message| message.id),
            first_unread: first.map(|message| message.id),
        }
    }

    /// Marks messages as read in the model and returns how many changed.
    fn reads(&mut self, person: usize, which: impl Fn(&Message) -> bool) -> i64 {
        let changed = self.unread(person).filter(|message| which(message));
        let changed = length(&changed.collect::<Vec<_>>());
        let read: Vec<MessageId> = self
            .seen(person)
            .filter(|message| which(message))
            .map(|message| message.id)
            .collect();
        self.read.extend(read.into_iter().map(|id| (person, id)));
        changed
    }

    async fn db_conversation(&self) -> ConversationId {
        let now = self.app.app.clock.now();
        let row = conversation::ActiveModel {
            id: Set(ConversationId::mint()),
            kind: Set(ConversationKind::Group),
            title: Set(None),
            title_key: Set(None),
            topic: Set(None),
            direct_key: Set(None),
            history_visibility: Set(HistoryVisibility::FromStart),
            created_by: Set(None),
            last_seq: Set(0),
            last_root_seq: Set(0),
            root_count: Set(0),
            participant_count: Set(0),
            event_seq: Set(0),
            created_at: Set(now),
            last_activity_at: Set(now),
        };
        row.insert(self.app.app.db.migrate()).await.unwrap().id
    }

    async fn join(&mut self, person: usize, index: usize) {
        let id = self.conversations[index];
        let db = self.app.app.db.migrate();
        let found = conversation::Entity::find_by_id(id).one(db).await.unwrap();
        let last = found.unwrap().last_seq;
        let visible_from = if self.random.random_bool(0.5) {
            last + 1
        } else {
            0
        };
        let row = participant::ActiveModel {
            id: Set(ParticipantId::mint()),
            conversation_id: Set(id),
            user_id: Set(self.people[person].user),
            role: Set(ParticipantRole::Member),
            added_by: Set(None),
            joined_at: Set(self.app.app.clock.now()),
            visible_from_seq: Set(visible_from),
            read_floor_seq: Set(last),
            notification_level: Set(NotificationLevel::All),
            muted_until: Set(None),
            is_pinned: Set(false),
            archived_seq: Set(None),
            hidden_seq: Set(None),
            sort_key: Set(String::new()),
            notified_from_seq: Set(last + 1),
            settings_from_seq: Set(last + 1),
            notifications_read_seq: Set(0),
            read_at: Set(None),
        };
        row.insert(db).await.unwrap();
        let membership = Membership {
            visible_from,
            is_muted: false,
        };
        self.members.insert((person, index), membership);
        let before = self
            .messages
            .iter()
            .filter(|message| message.conversation == index);
        self.read.extend(before.map(|message| (person, message.id)));
    }

    async fn leave(&mut self, person: usize, index: usize) {
        let (user, conversation) = (self.people[person].user, self.conversations[index]);
        let at = self.app.app.clock.now();
        let leaving = self.app.app.db.write(|tx| async move {
            read_mark::Entity::delete_many()
                .filter(read_mark::Column::UserId.eq(user))
                .filter(read_mark::Column::ConversationId.eq(conversation))
                .exec(&*tx)
                .await?;
            read_exception::Entity::delete_many()
                .filter(read_exception::Column::UserId.eq(user))
                .filter(read_exception::Column::ConversationId.eq(conversation))
                .exec(&*tx)
                .await?;
            participant::Entity::delete_many()
                .filter(participant::Column::UserId.eq(user))
                .filter(participant::Column::ConversationId.eq(conversation))
                .exec(&*tx)
                .await?;
            notifications::forget_conversation_in(&tx, conversation, &[user], at).await
        });
        leaving.await.unwrap();
        self.members.remove(&(person, index));
    }
}

fn of<K: Copy + Eq + std::hash::Hash>(counts: &HashMap<K, i64>, key: K) -> i64 {
    counts.get(&key).copied().unwrap_or(0)
}

/// Sorts in the order of a list over all conversations.
fn ids(messages: &[&Message]) -> Vec<MessageId> {
    let mut messages = messages.to_vec();
    messages.sort_by_key(|message| (message.created_at, message.conversation, message.seq));
    messages.iter().map(|message| message.id).collect()
}

fn length<T: IntoIterator + Copy>(list: T) -> i64
where
    T::IntoIter: ExactSizeIterator,
{
    i64::try_from(list.into_iter().len()).unwrap()
}
