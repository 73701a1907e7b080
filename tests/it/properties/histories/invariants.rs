//! Compares the tables and the log with each other and with the acknowledged operations: order, trees, and one event
//! for each change.

use std::collections::{BTreeMap, BTreeSet};

use heddle::{
    domain::messages::notice::{Notice, NoticeType},
    domain::notifications::plain,
    id::{ConversationId, MessageId, NotificationId, UserId},
    live::log::Change,
};

use super::{
    DEEPEST,
    model::{Known, Place},
    tables::{Row, Tables},
};

pub(super) fn check(tables: &Tables, known: &Known) {
    order(tables);
    trees(tables);
    messages(tables, known);
    for place in &known.places {
        let id = ConversationId::from_text(&place.id);
        if tables.conversations.iter().any(|row| row.id == id) {
            conversation(tables, known, place, id);
        }
    }
    people(tables, known);
}

/// Verifies that sequence numbers are 1, 2, 3 … in every conversation.
fn order(tables: &Tables) {
    for conversation in &tables.conversations {
        let here = tables.messages.iter();
        let here = here.filter(|row| row.conversation_id == conversation.id);
        let seqs: Vec<_> = here.map(|row| row.seq).collect();
        let gapless: Vec<_> = (1..=conversation.last_seq).collect();
        assert_eq!(seqs, gapless, "{}", conversation.id);
    }
}

/// The stored position of each message in its tree equals the one that its ancestors imply.
fn trees(tables: &Tables) {
    let rows: BTreeMap<MessageId, &Row> = tables.messages.iter().map(|row| (row.id, row)).collect();
    let mut replies: BTreeMap<MessageId, i32> = BTreeMap::new();
    let mut below: BTreeMap<MessageId, i32> = BTreeMap::new();
    let mut threads: BTreeMap<MessageId, i32> = BTreeMap::new();
    for row in &tables.messages {
        let lives = i32::from(row.deleted_at.is_none());
        let (mut depth, mut root) = (0, row.id);
        let mut next = row.parent_id;
        if let Some(parent) = next {
            *replies.entry(parent).or_default() += lives;
        }
        while let Some(parent) = next {
            *below.entry(parent).or_default() += lives;
            let above = rows[&parent];
            assert!(above.seq < row.seq && above.conversation_id == row.conversation_id);
            (depth, root, next) = (depth + 1, parent, above.parent_id);
        }
        assert_eq!(depth, row.depth, "{row:?}");
        // Below a branch, the own step takes the place of that of the branch.
        let (mut path, mut branch) = (vec![], None);
        if let Some(above) = row.parent_id.map(|parent| rows[&parent]) {
            path.clone_from(&above.path);
            let is_deep = above.branch_seq.is_some() || above.depth >= DEEPEST;
            if is_deep {
                path.truncate(path.len() - 4);
                branch = Some(above.branch_seq.unwrap_or(above.seq));
            }
        }
        path.extend(row.seq.to_be_bytes());
        assert_eq!((&path, branch), (&row.path, row.branch_seq), "{row:?}");
        assert_eq!(row.root_id, (root != row.id).then_some(root), "{row:?}");
        if root != row.id {
            *threads.entry(root).or_default() += lives;
        }
    }
    let mut shown: BTreeMap<MessageId, i32> = BTreeMap::new();
    for row in &tables.messages {
        let is_shown =
            row.deleted_at.is_none() || below.get(&row.id).is_some_and(|&below| below > 0);
        if let Some(parent) = row.parent_id {
            *shown.entry(parent).or_default() += i32::from(is_shown);
        }
    }
    for row in &tables.messages {
        let counts = (row.reply_count, row.descendant_count);
        let descendants = if row.branch_seq.is_some() {
            &shown
        } else {
            &below
        };
        let walked = [&replies, descendants];
        let walked = walked.map(|counts| counts.get(&row.id).copied().unwrap_or(0));
        assert_eq!(counts, walked.into(), "{row:?}");
    }
    let kept = tables.threads.iter();
    let kept: BTreeMap<_, _> = kept
        .map(|row| (MessageId::from(row.id), row.reply_count))
        .collect();
    assert_eq!(kept, threads);
}

/// How many events each message has in the log, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Announced {
    sent: usize,
    edited: usize,
    deleted: usize,
}

fn messages(tables: &Tables, known: &Known) {
    let mut announced: BTreeMap<MessageId, Announced> = BTreeMap::new();
    for change in tables.streams.values().flatten() {
        match *change {
            Change::MessageSent { message } => announced.entry(message).or_default().sent += 1,
            Change::MessageEdited { message } => {
                let announced = announced.entry(message).or_default();
                announced.edited += 1;
                assert_eq!(
                    announced.deleted, 0,
                    "{message} was edited after its deletion"
                );
            }
            Change::MessageDeleted { message, .. } => {
                announced.entry(message).or_default().deleted += 1;
            }
            _ => {}
        }
    }
    let rows: BTreeMap<MessageId, &Row> = tables.messages.iter().map(|row| (row.id, row)).collect();
    for message in &known.messages {
        let id = MessageId::from_text(&message.id);
        let departed = known
            .departed
            .iter()
            .find(|(user, _)| *user == message.sender);
        let takes_along = departed.is_some_and(|(_, takes_along)| *takes_along);
        let is_deleted = message.is_deleted || takes_along;
        let Some(row) = rows.get(&id) else {
            // It was deleted with its conversation, without an event of its own.
            let announced = announced.remove(&id).unwrap_or_default();
            assert_eq!(announced.sent, 1, "{}", message.id);
            continue;
        };
        assert_eq!(row.deleted_at.is_some(), is_deleted, "{row:?}");
        // A marker has another event when the last reply below it is deleted.
        let announced = announced.remove(&id).unwrap_or_default();
        let is_parent = tables.messages.iter().any(|one| one.parent_id == Some(id));
        let edited = known.counted("edited", &message.id);
        let is_deleted_twice = is_deleted && is_parent && !row.is_shown() && announced.deleted == 2;
        // The end of an account edits the messages that stay. One that is deleted was edited if it was deleted later.
        let is_anonymised = departed.is_some() && !takes_along;
        let by_end = usize::from(is_anonymised && !(is_deleted && announced.edited == edited));
        let expected = Announced {
            sent: 1,
            edited: edited + by_end,
            deleted: usize::from(is_deleted) + usize::from(is_deleted_twice),
        };
        assert_eq!(announced, expected, "{row:?}");
    }
    for row in tables.messages.iter().filter(|row| row.notice.is_some()) {
        let once = Announced {
            sent: 1,
            ..Announced::default()
        };
        assert_eq!(announced.remove(&row.id), Some(once), "{row:?}");
    }
    let sent: BTreeSet<_> = known
        .messages
        .iter()
        .map(|one| MessageId::from_text(&one.id))
        .collect();
    assert_eq!(sent.len(), known.messages.len(), "two sends, one message");
    for row in tables.messages.iter().filter(|row| row.notice.is_none()) {
        assert!(sent.contains(&row.id), "no user sent {row:?}");
    }
}

/// The participants and the events equal what the notices describe: joins, leaves and changes of roles.
fn conversation(tables: &Tables, known: &Known, place: &Place, id: ConversationId) {
    let mut inside: BTreeMap<UserId, i32> = BTreeMap::new();
    let mut concerned: BTreeMap<UserId, usize> = BTreeMap::new();
    let (mut notices, mut roles) = (0, 0);
    for row in tables
        .messages
        .iter()
        .filter(|row| row.conversation_id == id)
    {
        let Some(notice) = &row.notice else { continue };
        let notice: Notice = serde_json::from_str(notice).unwrap();
        notices += 1;
        let seen_from = if place.from_joining { row.seq } else { 0 };
        match notice.kind {
            NoticeType::Created => {
                inside.extend(
                    notice
                        .actor
                        .iter()
                        .chain(&notice.subjects)
                        .map(|&user| (user, 0)),
                );
                continue;
            }
            NoticeType::ParticipantsAdded => {
                inside.extend(notice.subjects.iter().map(|&user| (user, seen_from)));
            }
            NoticeType::ParticipantRemoved | NoticeType::ParticipantLeft => {
                inside.retain(|user, _| !notice.subjects.contains(user));
            }
            NoticeType::RoleChanged => roles += 1,
            NoticeType::TitleChanged | NoticeType::TopicChanged => {}
        }
        for user in notice.subjects {
            *concerned.entry(user).or_default() += 1;
        }
    }
    for (user, _) in &known.departed {
        let user = UserId::from_text(user);
        if inside.remove(&user).is_some() {
            *concerned.entry(user).or_default() += 1;
        }
    }
    if place.is_group {
        let members = tables
            .members
            .iter()
            .filter(|row| row.conversation_id == id);
        let members: BTreeMap<_, _> = members
            .map(|row| (row.user_id, row.visible_from_seq))
            .collect();
        assert_eq!(members, inside, "{id}");
        let owners = tables
            .members
            .iter()
            .filter(|row| row.conversation_id == id);
        assert!(
            owners.filter(|row| row.role == "OWNER").count() >= 1,
            "{id}"
        );
        assert_eq!(notices - roles, known.counted("noticed", &place.id), "{id}");
    }
    let stream = tables.stream(id.0);
    let mut announced: BTreeMap<UserId, usize> = BTreeMap::new();
    for change in stream {
        if let Change::ParticipantChanged { user, .. } = change {
            *announced.entry(*user).or_default() += 1;
        }
    }
    assert_eq!(announced, concerned, "{id}");
    let changed = stream.iter();
    let changed = changed.filter(|change| matches!(change, Change::ConversationChanged { .. }));
    let acknowledged = known.counted("changed", &place.id);
    let bounds = acknowledged..=acknowledged + known.departed.len();
    assert!(bounds.contains(&changed.count()), "{id}");
}

/// Verifies the stream of each user.
fn people(tables: &Tables, known: &Known) {
    let users: BTreeSet<UserId> = tables.members.iter().map(|row| row.user_id).collect();
    for user in users {
        let stream = tables.stream(user.0);
        memberships(tables, user, stream);
        notified(tables, known, user, stream);
        let count = |wanted: &dyn Fn(&Change) -> bool| {
            stream.iter().filter(|change| wanted(change)).count()
        };
        let name = user.to_string();
        for place in &known.places {
            let id = ConversationId::from_text(&place.id);
            let settled = count(
                &|change| matches!(change, Change::ConversationChanged { conversation } if *conversation == id),
            );
            let key = format!("{name} {}", place.id);
            assert_eq!(settled, known.counted("settled", &key), "{key}");
        }
        let introduced = count(&|change| matches!(change, Change::UserChanged { .. }));
        assert_eq!(introduced, known.counted("introduced", &name), "{name}");
        let marked = count(&|change| matches!(change, Change::ReadPositionChanged { .. }));
        let acts = known.counted("marked", &name);
        assert!(
            marked >= acts && (acts > 0 || marked == 0),
            "{name}: {marked} of {acts}"
        );
        let mut ended = BTreeSet::new();
        for change in stream {
            if let Change::SessionEnded { session, .. } = change {
                assert!(ended.insert(*session), "{session} ended twice");
                assert_eq!(known.counted("ended", &session.to_string()), 1, "{session}");
            }
        }
    }
}

/// No user joins twice or leaves a conversation without joining it, and the last event of each membership matches the
/// tables.
fn memberships(tables: &Tables, user: UserId, stream: &[Change]) {
    let mut inside = BTreeSet::new();
    for change in stream {
        match change {
            Change::ConversationJoined { conversation } => {
                assert!(
                    inside.insert(*conversation),
                    "{user} joined {conversation} twice"
                );
            }
            Change::ConversationLeft { conversation } => {
                assert!(
                    inside.remove(conversation),
                    "{user} left {conversation} twice"
                );
            }
            _ => {}
        }
    }
    let members = tables.members.iter().filter(|row| row.user_id == user);
    let members: BTreeSet<_> = members.map(|row| row.conversation_id).collect();
    assert_eq!(inside, members, "{user}");
}

/// Every notification has one event, and so has the end of each deleted one.
fn notified(tables: &Tables, known: &Known, user: UserId, stream: &[Change]) {
    let mut added: BTreeSet<NotificationId> = BTreeSet::new();
    let mut changed = BTreeSet::new();
    for change in tables.streams.values().flatten() {
        if let Change::NotificationsAdded { to, .. } = change
            && let Some(notification) = to.get(&user)
            && !is_plain(known, user, *notification)
        {
            assert!(
                added.insert(*notification),
                "{notification} was announced twice"
            );
        }
    }
    for change in stream {
        if let Change::NotificationsChanged { notifications } = change {
            changed.extend(notifications.iter().flatten().copied());
        }
    }
    let there = tables
        .notifications
        .iter()
        .filter(|row| row.user_id == user);
    let there: BTreeSet<_> = there.map(|row| row.id).collect();
    assert!(there.is_subset(&added), "{user} was notified in silence");
    let lost: Vec<_> = added
        .difference(&there)
        .filter(|id| !changed.contains(id))
        .collect();
    assert!(lost.is_empty(), "{user}: {lost:?} vanished in silence");
}

/// Whether a notification is that of a message which an edit no longer lets mention the user.
fn is_plain(known: &Known, user: UserId, notification: NotificationId) -> bool {
    let message = plain::message_id(notification, user).to_string();
    known.messages.iter().any(|one| one.id == message)
}
