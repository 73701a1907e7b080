//! The notifications of each user equal those of a model that stores a row for each reader of each message, after any
//! operations.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{DateTime, TimeDelta, Utc};
use heddle::{
    domain::{
        accounts,
        conversations::{self, Settings},
        messages::{self, MessageEdit, NewMessage},
        notifications::{self, Selection},
        participants,
        reads::{self, UpTo, unread},
        sessions::Viewer,
        threads,
    },
    entity::{
        message::MessagePriority,
        notification::{self, NotificationType},
        participant::{NotificationLevel, ParticipantRole},
    },
    id::{ConversationId, MessageId, ThreadId},
};
use migration::{Migrator, MigratorTrait};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::support::{app::TestApp, both, groups::Groups, seed::seed};

const NAMES: [&str; 4] = ["Ann", "Bob", "Cem", "Dora"];
const STEPS: usize = 240;
/// The migration that replaces a row for each reader.
const DERIVING: &str = "m0027_plain_notifications";

both!(notifications_equal_a_row_for_each_reader);

async fn notifications_equal_a_row_for_each_reader(app: TestApp) {
    let seed = seed();
    let mut world = World::new(app, seed).await;
    for step in 0..STEPS {
        let person = world.random.random_range(0..NAMES.len());
        let deed = world.act(person).await;
        for (person, name) in NAMES.into_iter().enumerate() {
            if step % 10 == 0 || world.random.random_bool(0.4) {
                let about = format!("seed {seed}, step {step}, {name}: {deed}");
                world.check(person, &about).await;
            }
        }
    }
    // The migration carries a row for each reader over, as former versions stored it.
    let steps = Migrator::migrations();
    let at = steps
        .iter()
        .position(|step| step.name() == DERIVING)
        .unwrap();
    let count = u32::try_from(steps.len() - at).unwrap();
    let db = world.app.app.db.migrate();
    Migrator::down(db, Some(count)).await.unwrap();
    Migrator::up(db, None).await.unwrap();
    for person in 0..NAMES.len() {
        world.check(person, &format!("seed {seed}, migrated")).await;
    }
}

#[derive(Clone, Copy)]
struct Message {
    id: MessageId,
    place: usize,
    seq: i32,
    root: Option<MessageId>,
    sender: usize,
    mentioned: Option<usize>,
    is_deleted: bool,
    at: DateTime<Utc>,
}

#[derive(Clone, Copy)]
struct Member {
    level: NotificationLevel,
    muted_until: Option<DateTime<Utc>>,
}

impl Member {
    fn listens(&self, at: DateTime<Utc>) -> bool {
        self.level != NotificationLevel::None && self.muted_until.is_none_or(|until| until <= at)
    }
}

/// A notification of a mention.
#[derive(Clone, Copy)]
struct Mention {
    at: DateTime<Utc>,
    is_read: bool,
}

/// The row of a reader and a message: what it notifies the reader of.
#[derive(Clone, Copy, Default)]
struct Row {
    is_unread: bool,
    /// Of what the message itself notifies the reader, if they accept it, unless it was dismissed.
    plain: Option<NotificationType>,
    is_plain_read: bool,
    mention: Option<Mention>,
}

/// The message and type of a notification, and whether it is read.
type Expected = (MessageId, NotificationType, bool);

struct World {
    app: TestApp,
    random: SmallRng,
    people: Vec<Viewer>,
    names: Vec<String>,
    places: Vec<ConversationId>,
    members: BTreeMap<(usize, usize), Member>,
    follows: BTreeMap<(usize, MessageId), bool>,
    messages: Vec<Message>,
    rows: BTreeMap<(usize, MessageId), Row>,
}

impl World {
    async fn new(app: TestApp, seed: u64) -> Self {
        let (mut people, mut viewers, mut places) = (vec![], vec![], vec![]);
        for name in NAMES {
            let person = app.person(name).await;
            let token = person.token.clone().unwrap();
            viewers.push(accounts::authenticate(&app.app, &token).await.unwrap());
            people.push(person);
        }
        let others: Vec<_> = people[1..].iter().collect();
        for title in ["Loom", "Yarn"] {
            let id = people[0].creates_group(Some(title), &others).await;
            places.push(ConversationId::from_text(&id));
        }
        let new = Member {
            level: NotificationLevel::All,
            muted_until: None,
        };
        let all = (0..NAMES.len()).flat_map(|person| [(person, 0), (person, 1)]);
        Self {
            random: SmallRng::seed_from_u64(seed),
            people: viewers,
            names: people.into_iter().map(|person| person.username).collect(),
            places,
            members: all.map(|member| (member, new)).collect(),
            follows: BTreeMap::new(),
            messages: vec![],
            rows: BTreeMap::new(),
            app,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.app.app.clock.now()
    }

    async fn act(&mut self, person: usize) -> String {
        let place = self.random.random_range(0..self.places.len());
        if !self.members.contains_key(&(person, place)) {
            return self.join(person, place).await;
        }
        match self.random.random_range(0..100) {
            0..36 => self.send(person, place).await,
            36..44 => self.edit(person).await,
            44..49 => self.delete(person).await,
            49..54 => self.mark_conversation(person, place).await,
            54..60 => self.mark_thread(person).await,
            60..68 => self.mark_messages(person).await,
            68..73 => self.mark_unread_from(person).await,
            73..81 => self.settle(person, place).await,
            81..84 => self.follow(person).await,
            84..90 => self.mark_notifications(person).await,
            90..96 => self.dismiss(person).await,
            96..98 => {
                let seconds = if self.random.random_bool(0.7) { 40 } else { -2 };
                self.app.app.clock.advance(TimeDelta::seconds(seconds));
                format!("{seconds} s pass")
            }
            _ => self.leave(person, place).await,
        }
    }

    /// A message of the viewer's conversations that is not deleted.
    fn pick(&mut self, person: usize, wanted: impl Fn(&Message) -> bool) -> Option<Message> {
        let seen = self.messages.iter().filter(|message| {
            !message.is_deleted && self.members.contains_key(&(person, message.place))
        });
        let seen: Vec<_> = seen.filter(|message| wanted(message)).copied().collect();
        seen.choose(&mut self.random).copied()
    }

    async fn send(&mut self, sender: usize, place: usize) -> String {
        let parent = self.pick(sender, |message| message.place == place);
        let parent = parent.filter(|_| self.random.random_bool(0.5));
        let named = self.random.random_range(0..NAMES.len());
        let is_urgent = self.random.random_bool(0.15);
        let mention = self.random.random_bool(0.3);
        let new = NewMessage {
            conversation: self.places[place],
            parent: parent.map(|parent| parent.id),
            body: if mention {
                format!("Hello @{}", self.names[named])
            } else {
                "Hello".to_owned()
            },
            priority: if is_urgent {
                MessagePriority::Urgent
            } else {
                MessagePriority::Normal
            },
            client_message_id: None,
        };
        let (app, viewer) = (&self.app.app, &self.people[sender]);
        let sent = messages::send(app, &app.sends, viewer, &new).await;
        let sent = sent.unwrap().message;
        let is_mentioned = mention && named != sender && self.members.contains_key(&(named, place));
        let message = Message {
            id: sent.id,
            place,
            seq: sent.seq,
            root: sent.root_id,
            sender,
            mentioned: is_mentioned.then_some(named),
            is_deleted: false,
            at: sent.created_at,
        };
        if let Some(root) = message.root {
            let author = parent.filter(|parent| parent.root.is_none());
            for follower in author
                .map(|parent| parent.sender)
                .into_iter()
                .chain([sender])
            {
                if self.members.contains_key(&(follower, place)) {
                    self.follows.entry((follower, root)).or_insert(true);
                }
            }
        }
        for reader in (0..NAMES.len()).filter(|reader| *reader != sender) {
            let Some(member) = self.members.get(&(reader, place)) else {
                continue;
            };
            let accepts = member.listens(message.at);
            let follows = message
                .root
                .and_then(|root| self.follows.get(&(reader, root)));
            let is_reply = follows.copied().unwrap_or(false);
            let is_all = member.level == NotificationLevel::All;
            let is_accepted = accepts && (is_all || is_urgent || is_reply);
            let kind = if is_reply {
                NotificationType::Reply
            } else {
                NotificationType::Message
            };
            let is_mention = accepts && message.mentioned == Some(reader);
            let row = Row {
                is_unread: true,
                plain: is_accepted.then_some(kind),
                is_plain_read: false,
                mention: is_mention.then_some(Mention {
                    at: message.at,
                    is_read: false,
                }),
            };
            self.rows.insert((reader, message.id), row);
        }
        self.messages.push(message);
        format!("{sender} sends {} below {:?}", message.id, new.parent)
    }

    async fn edit(&mut self, sender: usize) -> String {
        let Some(old) = self.pick(sender, |message| message.sender == sender) else {
            return "edits nothing".to_owned();
        };
        let named = self.random.random_range(0..NAMES.len());
        let mention = self.random.random_bool(0.6);
        let word = self.random.random::<u32>();
        let body = if mention {
            format!("{word} for @{}", self.names[named])
        } else {
            format!("{word}")
        };
        let edit = MessageEdit {
            message: old.id,
            body,
            reason: None,
            expected_edited_at: None,
        };
        let edited = messages::edit(&self.app.app, &self.people[sender], &edit).await;
        edited.unwrap();
        let now = self.now();
        // Those who joined later see the message too.
        let is_mentioned =
            mention && named != sender && self.members.contains_key(&(named, old.place));
        let mentioned = is_mentioned.then_some(named);
        if let Some(before) = old.mentioned.filter(|before| Some(*before) != mentioned)
            && let Some(row) = self.rows.get_mut(&(before, old.id))
        {
            row.mention = None;
        }
        if let Some(now_mentioned) = mentioned.filter(|_| mentioned != old.mentioned) {
            let member = self.members[&(now_mentioned, old.place)];
            if member.listens(now) {
                let stored = notification::Entity::find()
                    .filter(notification::Column::UserId.eq(self.people[now_mentioned].user))
                    .filter(notification::Column::MessageId.eq(old.id));
                let stored = stored.one(self.app.app.db.read()).await.unwrap();
                let row = self.rows.entry((now_mentioned, old.id)).or_default();
                row.mention = Some(Mention {
                    at: stored.unwrap().created_at,
                    is_read: false,
                });
            }
        }
        let message = self
            .messages
            .iter_mut()
            .find(|message| message.id == old.id);
        message.unwrap().mentioned = mentioned;
        format!("{sender} edits {} to mention {mentioned:?}", old.id)
    }

    async fn delete(&mut self, sender: usize) -> String {
        let Some(message) = self.pick(sender, |message| message.sender == sender) else {
            return "deletes nothing".to_owned();
        };
        let deleted = messages::delete(&self.app.app, &self.people[sender], message.id).await;
        deleted.unwrap();
        self.rows.retain(|(_, id), _| *id != message.id);
        for one in &mut self.messages {
            one.is_deleted |= one.id == message.id;
        }
        format!("{sender} deletes {}", message.id)
    }

    /// The reader reads these messages, and so the notifications of all read messages in their conversations.
    fn reads(&mut self, reader: usize, which: impl Fn(&Message) -> bool) {
        let mut places = vec![];
        for message in self.messages.iter().filter(|message| which(message)) {
            if let Some(row) = self.rows.get_mut(&(reader, message.id))
                && row.is_unread
            {
                row.is_unread = false;
                places.push(message.place);
            }
        }
        self.settle_read(reader, &places);
    }

    fn settle_read(&mut self, reader: usize, places: &[usize]) {
        for message in self
            .messages
            .iter()
            .filter(|one| places.contains(&one.place))
        {
            if let Some(row) = self.rows.get_mut(&(reader, message.id))
                && !row.is_unread
            {
                row.is_plain_read = true;
                if let Some(mention) = &mut row.mention {
                    mention.is_read = true;
                }
            }
        }
    }

    async fn mark_conversation(&mut self, person: usize, place: usize) -> String {
        let up_to = self.pick(person, |message| message.place == place);
        let seq = up_to.map_or(i32::MAX, |message| message.seq);
        let to = [UpTo {
            conversation: self.places[place],
            message: up_to.map(|message| message.id),
        }];
        let marked = reads::mark_conversations(&self.app.app, &self.people[person], &to).await;
        marked.unwrap();
        self.reads(person, |message| {
            message.place == place && message.seq <= seq
        });
        format!("{person} reads {to:?}")
    }

    async fn mark_thread(&mut self, person: usize) -> String {
        let Some(reply) = self.pick(person, |message| message.root.is_some()) else {
            return "reads no thread".to_owned();
        };
        let root = reply.root.unwrap();
        let (app, viewer) = (&self.app.app, &self.people[person]);
        let marked = reads::mark_thread(app, viewer, ThreadId::from(root), Some(reply.id)).await;
        marked.unwrap();
        self.reads(person, |one| one.root == Some(root) && one.seq <= reply.seq);
        format!("{person} reads the thread up to {}", reply.id)
    }

    async fn mark_messages(&mut self, person: usize) -> String {
        let ids: Vec<_> = (0..3)
            .filter_map(|_| Some(self.pick(person, |_| true)?.id))
            .collect();
        let marked = reads::mark_messages(&self.app.app, &self.people[person], &ids).await;
        marked.unwrap();
        self.reads(person, |message| ids.contains(&message.id));
        format!("{person} reads {ids:?}")
    }

    async fn mark_unread_from(&mut self, person: usize) -> String {
        let Some(from) = self.pick(person, |_| true) else {
            return "goes back to nothing".to_owned();
        };
        let marked = reads::mark_unread_from(&self.app.app, &self.people[person], from.id).await;
        marked.unwrap();
        for message in &self.messages {
            if let Some(row) = self.rows.get_mut(&(person, message.id))
                && (message.place, message.root) == (from.place, from.root)
                && message.sender != person
            {
                row.is_unread = message.seq >= from.seq;
            }
        }
        self.settle_read(person, &[from.place]);
        format!("{person} marks {} as unread", from.id)
    }

    async fn settle(&mut self, person: usize, place: usize) -> String {
        use NotificationLevel::{All, Mentions, None as Nothing};

        let mut settings = Settings::default();
        let now = self.now();
        if self.random.random_bool(0.6) {
            let level = [All, All, Mentions, Nothing].choose(&mut self.random);
            settings.notification_level = level.copied();
        } else {
            let until = now + TimeDelta::seconds(30);
            settings.muted_until = Some(self.random.random_bool(0.6).then_some(until));
        }
        let (viewer, id) = (&self.people[person], self.places[place]);
        let updated = conversations::update_settings(&self.app.app, viewer, id, &settings).await;
        updated.unwrap();
        let member = self.members.get_mut(&(person, place)).unwrap();
        member.level = settings.notification_level.unwrap_or(member.level);
        if let Some(until) = settings.muted_until {
            member.muted_until = until;
        }
        format!("{person} sets {settings:?}")
    }

    async fn follow(&mut self, person: usize) -> String {
        let Some(reply) = self.pick(person, |message| message.root.is_some()) else {
            return "follows nothing".to_owned();
        };
        let (root, follows) = (reply.root.unwrap(), self.random.random_bool(0.6));
        let (app, viewer) = (&self.app.app, &self.people[person]);
        let followed = threads::follow(app, viewer, ThreadId::from(root), follows).await;
        followed.unwrap();
        self.follows.insert((person, root), follows);
        format!("{person} follows {root}: {follows}")
    }

    async fn mark_notifications(&mut self, person: usize) -> String {
        let (selection, messages) = self.selection(person).await;
        let (app, viewer) = (&self.app.app, &self.people[person]);
        let marked = notifications::mark_read(app, viewer, &selection).await;
        marked.unwrap();
        match &selection {
            Selection::Ids(_) => {
                for message in messages {
                    let row = self.rows.get_mut(&(person, message)).unwrap();
                    match &mut row.mention {
                        Some(mention) => mention.is_read = true,
                        None => row.is_plain_read = true,
                    }
                }
            }
            Selection::Until(until) => self.read_until(person, *until),
        }
        format!("{person} marks notifications {selection:?}")
    }

    /// The last unread plain notification of each conversation marks the earlier ones there.
    fn read_until(&mut self, person: usize, until: DateTime<Utc>) {
        let mut last: BTreeMap<usize, i32> = BTreeMap::new();
        for message in self.messages.iter().filter(|message| message.at <= until) {
            if let Some(row) = self.rows.get(&(person, message.id))
                && (row.plain.is_some() && row.mention.is_none() && !row.is_plain_read)
            {
                last.insert(message.place, message.seq);
            }
        }
        for message in &self.messages {
            if let Some(row) = self.rows.get_mut(&(person, message.id)) {
                row.is_plain_read |= last
                    .get(&message.place)
                    .is_some_and(|&seq| message.seq <= seq);
                if let Some(mention) = &mut row.mention {
                    mention.is_read |= mention.at <= until;
                }
            }
        }
    }

    async fn dismiss(&mut self, person: usize) -> String {
        let (selection, messages) = self.selection(person).await;
        let (app, viewer) = (&self.app.app, &self.people[person]);
        let dismissed = notifications::dismiss(app, viewer, &selection).await;
        dismissed.unwrap();
        match &selection {
            Selection::Ids(_) => {
                for message in messages {
                    let row = self.rows.get_mut(&(person, message)).unwrap();
                    row.mention = None;
                    row.plain = None;
                }
            }
            Selection::Until(until) => {
                for message in &self.messages {
                    if let Some(row) = self.rows.get_mut(&(person, message.id)) {
                        if row.mention.is_some_and(|mention| mention.at <= *until) {
                            row.mention = None;
                            row.plain = None;
                        }
                        row.plain = row.plain.filter(|_| message.at > *until);
                    }
                }
            }
        }
        format!("{person} dismisses {selection:?}")
    }

    /// Some notifications of the user, with their messages, and one of another user; or all up to one of them.
    async fn selection(&mut self, person: usize) -> (Selection, Vec<MessageId>) {
        let (viewer, other) = (
            &self.people[person],
            &self.people[(person + 1) % NAMES.len()],
        );
        let db = self.app.app.db.read();
        let listed = notifications::list(db, viewer, false, None, 12).await;
        let (listed, foreign) = (
            listed.unwrap(),
            notifications::list(db, other, false, None, 1)
                .await
                .unwrap(),
        );
        let [listed, foreign] =
            [listed, foreign].map(|all| all.into_iter().map(|one| one.row).collect::<Vec<_>>());
        let one = listed.choose(&mut self.random);
        if let Some(row) = one.filter(|_| self.random.random_bool(0.3)) {
            return (Selection::Until(row.created_at), vec![]);
        }
        let some: Vec<_> = listed.choose_multiple(&mut self.random, 3).collect();
        let messages = some.iter().filter_map(|row| row.message_id).collect();
        let ids = some.into_iter().chain(&foreign).map(|row| row.id);
        (Selection::Ids(ids.collect()), messages)
    }

    /// The notifications of messages, in the order of their ids.
    fn expected(&self, person: usize) -> Vec<Expected> {
        let mut found = vec![];
        for message in &self.messages {
            let Some(row) = self.rows.get(&(person, message.id)) else {
                continue;
            };
            if let Some(Mention { is_read, .. }) = row.mention {
                found.push((message.id, NotificationType::Mention, is_read));
            } else if let Some(kind) = row.plain {
                found.push((message.id, kind, row.is_plain_read));
            }
        }
        found.sort_by_key(|&(id, ..)| id);
        found
    }

    async fn check(&self, person: usize, about: &str) {
        let (db, viewer) = (self.app.app.db.read(), &self.people[person]);
        let expected = self.expected(person);
        let (mut all, mut unread) = (vec![], vec![]);
        for (unread_only, found) in [(false, &mut all), (true, &mut unread)] {
            let mut after = None;
            loop {
                let page = notifications::list(db, viewer, unread_only, after, 5).await;
                let page = page.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(last.position);
                found.extend(page.into_iter().map(|one| one.row));
            }
        }
        let ids: Vec<_> = all.iter().map(|row| row.id).collect();
        for some in ids.chunks(50) {
            let by_id = notifications::by_ids(db, viewer, some).await.unwrap();
            let described =
                |rows: &mut dyn Iterator<Item = &notification::Model>| -> BTreeMap<_, _> {
                    rows.map(|row| (row.id.0, row.read_at.is_some())).collect()
                };
            let listed = described(&mut all.iter().filter(|row| some.contains(&row.id)));
            assert_eq!(described(&mut by_id.iter()), listed, "{about}");
        }
        let totals = unread::totals(db, viewer, self.now()).await.unwrap();
        assert_eq!(
            totals.notifications,
            i64::try_from(unread.len()).unwrap(),
            "{about}"
        );
        let of_messages = |rows: Vec<notification::Model>| -> Vec<Expected> {
            assert!(
                rows.is_sorted_by_key(|row| Reverse(row.created_at)),
                "{about}"
            );
            let described = rows.iter().filter_map(|row| {
                let message = row.message_id?;
                Some((message, row.kind, row.read_at.is_some()))
            });
            let mut described: Vec<_> = described.collect();
            described.sort_by_key(|&(id, ..)| id);
            described
        };
        assert_eq!(of_messages(all), expected, "{about}");
        let expected: Vec<_> = expected
            .into_iter()
            .filter(|&(.., is_read)| !is_read)
            .collect();
        assert_eq!(of_messages(unread), expected, "{about}");
    }

    async fn leave(&mut self, person: usize, place: usize) -> String {
        if person == 0 {
            return "the owner stays".to_owned();
        }
        let left = conversations::leave(&self.app.app, &self.people[person], self.places[place]);
        left.await.unwrap();
        self.members.remove(&(person, place));
        let here: Vec<_> = self
            .messages
            .iter()
            .filter(|one| one.place == place)
            .map(|one| one.id)
            .collect();
        self.rows
            .retain(|(reader, id), _| *reader != person || !here.contains(id));
        self.follows
            .retain(|(follower, root), _| *follower != person || !here.contains(root));
        format!("{person} leaves {place}")
    }

    async fn join(&mut self, person: usize, place: usize) -> String {
        let (app, owner, id) = (&self.app.app, &self.people[0], self.places[place]);
        let users = [self.people[person].user];
        let added = participants::add(app, owner, id, &users, ParticipantRole::Member).await;
        added.unwrap();
        let new = Member {
            level: NotificationLevel::All,
            muted_until: None,
        };
        self.members.insert((person, place), new);
        // They see the earlier messages, which are read and did not notify them.
        for message in &self.messages {
            if message.place == place && message.sender != person && !message.is_deleted {
                self.rows.insert((person, message.id), Row::default());
            }
        }
        format!("{person} joins {place}")
    }
}
