//! People who write: transactions that lock streams in one order, take positions early and late, last long, and
//! are committed or not.

use std::{collections::BTreeMap, sync::Arc};

use uuid::Uuid;

use super::{
    database::{Kind, Tx},
    harness::{Harness, Phase},
    network::{kill, notify},
};
use crate::{
    id::{ConversationId, MessageId, NotificationId, ThreadId, UserId},
    live::log::{Change, Stream},
};

/// What one transaction tells on one stream.
type Told = (Stream, Vec<Change>);

/// One act of somebody.
struct Act {
    name: &'static str,
    /// In the order in which streams are locked.
    told: Vec<Told>,
    membership: Option<(UserId, ConversationId)>,
}

/// Writes as long as it storms.
pub(super) async fn writes(harness: Arc<Harness>, number: usize) {
    let who = format!("writer {number}");
    loop {
        harness.pause(0..400).await;
        if harness.phase() == Phase::Storm {
            write(&harness, &who).await;
        }
    }
}

async fn write(harness: &Arc<Harness>, who: &str) {
    let (at, node) = harness.some_node();
    let killed = node.killed;
    let act = act(harness);
    let Some(mut tx) = begins(harness).await else {
        return;
    };
    harness.step(who, format_args!("begins {} on node {at}", act.name));
    let written = tokio::select! {
        biased;
        () = killed.cancelled() => false,
        () = fills(harness, &mut tx, &act) => true,
    };
    if !written || harness.once_in(12) {
        harness.step(who, format_args!("takes {} back", act.name));
        harness.counts("transactions rolled back");
        return harness.roll_back(&tx);
    }
    let count = harness.commit(tx);
    harness.step(who, format_args!("commits {}, {count} events", act.name));
    if harness.once_in(100) && !killed.is_cancelled() {
        kill(harness, at);
    }
    if killed.is_cancelled() {
        harness.counts("nodes killed between commit and wake-up");
    } else {
        notify(harness, at);
    }
}

/// Says something in every conversation, and no bell rings.
pub(super) async fn says_last_words(harness: &Arc<Harness>) {
    for &conversation in &harness.conversations {
        let message = MessageId(id(harness));
        let act = Act {
            name: "last words",
            told: vec![(
                Stream::Conversation(conversation),
                vec![Change::MessageSent { message }],
            )],
            membership: None,
        };
        if let Some(mut tx) = begins(harness).await {
            fills(harness, &mut tx, &act).await;
            harness.commit(tx);
            harness.step("somebody", format_args!("says last words"));
        }
    }
}

async fn begins(harness: &Arc<Harness>) -> Option<Tx> {
    for _ in 0..50 {
        let tx = harness.state().database.begin();
        if tx.is_some() {
            return tx;
        }
        harness.pause(1..20).await;
    }
    None
}

async fn fills(harness: &Arc<Harness>, tx: &mut Tx, act: &Act) {
    if act.told.is_empty() {
        // A report: nothing to tell, and in the way of every snapshot.
        return harness.pause(500..15_000).await;
    }
    let at = harness.clock.now();
    for (stream, changes) in &act.told {
        while !harness.state().database.lock(tx, *stream) {
            harness.pause(1..10).await;
        }
        let changes = match act.membership {
            Some(membership) => turns(harness, tx, *stream, membership),
            None => changes
                .iter()
                .map(|change| notifies(harness, *stream, change))
                .collect(),
        };
        let dawdles = harness.number(0..60) == 0;
        for change in changes {
            harness.state().database.write(tx, *stream, change, at);
            if dawdles || harness.once_in(10) {
                harness.pause(0..3).await;
            }
        }
        match harness.number(0..150) {
            0 => harness.pause(100..4000).await,
            1..40 => harness.pause(0..10).await,
            _ => {}
        }
    }
}

/// Whoever is there leaves, whoever is not joins: known for certain only under the conversation's lock.
fn turns(
    harness: &Harness,
    tx: &mut Tx,
    stream: Stream,
    (user, conversation): (UserId, ConversationId),
) -> Vec<Change> {
    let is_there = harness
        .state()
        .database
        .participants
        .contains(&(user, conversation));
    match stream {
        Stream::Conversation(_) => {
            tx.memberships.push((user, conversation, !is_there));
            vec![Change::ParticipantChanged { conversation, user }]
        }
        Stream::User(_) if is_there => vec![Change::ConversationLeft { conversation }],
        Stream::User(_) => vec![Change::ConversationJoined { conversation }],
    }
}

/// Some of those who are there get a notification, where the act is to give them: who is there is known for certain
/// only under the conversation's lock.
fn notifies(harness: &Harness, stream: Stream, change: &Change) -> Change {
    if !matches!(change, Change::NotificationsAdded { .. }) {
        return change.clone();
    }
    let conversation = ConversationId(stream.id());
    let is_there = |user| {
        let database = &harness.state().database;
        database.participants.contains(&(user, conversation))
    };
    let people = harness.people.iter().map(|&(_, user)| user);
    let some = people.filter(|&user| is_there(user) && harness.once_in(3));
    Change::NotificationsAdded {
        to: some
            .map(|user| (user, NotificationId(id(harness))))
            .collect(),
    }
}

fn act(harness: &Harness) -> Act {
    let &(_, user) = harness.one_of(&harness.people);
    let &conversation = harness.one_of(&harness.conversations);
    let messages = |count: usize| {
        let sent = |_| Change::MessageSent {
            message: MessageId(id(harness)),
        };
        (0..count).map(sent).collect::<Vec<_>>()
    };
    let told = |name, told| Act {
        name,
        told,
        membership: None,
    };
    let own = |change| vec![(Stream::User(user), vec![change])];
    match harness.number(0..400) {
        0..2 if harness.kind == Kind::Postgres => told("a report", vec![]),
        2..4 => {
            let all = messages(harness.number(150..700));
            told("an import", vec![(Stream::Conversation(conversation), all)])
        }
        4..40 => {
            // The first conversation is the one where people stay.
            let &conversation = harness.one_of(&harness.conversations[1..]);
            let streams = [Stream::Conversation(conversation), Stream::User(user)];
            Act {
                name: "coming or going",
                told: streams.map(|stream| (stream, vec![])).to_vec(),
                membership: Some((user, conversation)),
            }
        }
        40..60 => told("a profile", own(Change::UserChanged { user })),
        60..90 => told("a mark", own(mark(conversation, user, harness.once_in(2)))),
        _ => {
            let mut changes = messages(1);
            if harness.once_in(3) {
                let thread = ThreadId(id(harness));
                changes.push(Change::ThreadChanged { thread });
            }
            let to = BTreeMap::new();
            changes.push(Change::NotificationsAdded { to });
            told(
                "a message",
                vec![(Stream::Conversation(conversation), changes)],
            )
        }
    }
}

fn mark(conversation: ConversationId, user: UserId, is_shared: bool) -> Change {
    Change::ReadPositionChanged {
        conversation,
        thread: None,
        user,
        up_to: None,
        is_shared,
    }
}

/// An id from the seed.
fn id(harness: &Harness) -> Uuid {
    let number = harness.number(1..usize::MAX);
    Uuid::from_u128(u128::try_from(number).unwrap())
}
