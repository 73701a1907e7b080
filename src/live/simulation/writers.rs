//! People who write: transactions that lock streams in one order, take positions early and late, last long, and
//! are committed or not.

use std::{collections::BTreeMap, sync::Arc};

use uuid::Uuid;

use super::{
    database::{Kind, Tx},
    network::{kill, ring},
    world::{Phase, World},
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
pub(super) async fn writes(world: Arc<World>, number: usize) {
    let who = format!("writer {number}");
    loop {
        world.pause(0..400).await;
        if world.phase() == Phase::Storm {
            write(&world, &who).await;
        }
    }
}

async fn write(world: &Arc<World>, who: &str) {
    let (at, node) = world.some_node();
    let killed = node.killed;
    let act = act(world);
    let Some(mut tx) = begins(world).await else {
        return;
    };
    world.step(who, format_args!("begins {} on node {at}", act.name));
    let written = tokio::select! {
        biased;
        () = killed.cancelled() => false,
        () = fills(world, &mut tx, &act) => true,
    };
    if !written || world.once_in(12) {
        world.step(who, format_args!("takes {} back", act.name));
        world.counts("transactions rolled back");
        return world.roll_back(&tx);
    }
    let count = world.commit(tx);
    world.step(who, format_args!("commits {}, {count} events", act.name));
    if world.once_in(100) && !killed.is_cancelled() {
        kill(world, at);
    }
    if killed.is_cancelled() {
        world.counts("nodes killed between commit and doorbell");
    } else {
        ring(world, at);
    }
}

/// Says something in every conversation, and no bell rings.
pub(super) async fn says_last_words(world: &Arc<World>) {
    for &conversation in &world.conversations {
        let message = MessageId(id(world));
        let act = Act {
            name: "last words",
            told: vec![(
                Stream::Conversation(conversation),
                vec![Change::MessageSent { message }],
            )],
            membership: None,
        };
        if let Some(mut tx) = begins(world).await {
            fills(world, &mut tx, &act).await;
            world.commit(tx);
            world.step("somebody", format_args!("says last words"));
        }
    }
}

async fn begins(world: &Arc<World>) -> Option<Tx> {
    for _ in 0..50 {
        let tx = world.state().database.begin();
        if tx.is_some() {
            return tx;
        }
        world.pause(1..20).await;
    }
    None
}

async fn fills(world: &Arc<World>, tx: &mut Tx, act: &Act) {
    if act.told.is_empty() {
        // A report: nothing to tell, and in the way of every snapshot.
        return world.pause(500..15_000).await;
    }
    let at = world.clock.now();
    for (stream, changes) in &act.told {
        while !world.state().database.lock(tx, *stream) {
            world.pause(1..10).await;
        }
        let changes = match act.membership {
            Some(membership) => turns(world, tx, *stream, membership),
            None => changes
                .iter()
                .map(|change| notifies(world, *stream, change))
                .collect(),
        };
        let dawdles = world.number(0..60) == 0;
        for change in changes {
            world.state().database.write(tx, *stream, change, at);
            if dawdles || world.once_in(10) {
                world.pause(0..3).await;
            }
        }
        match world.number(0..150) {
            0 => world.pause(100..4000).await,
            1..40 => world.pause(0..10).await,
            _ => {}
        }
    }
}

/// Whoever is there leaves, whoever is not joins: known for certain only under the conversation's lock.
fn turns(
    world: &World,
    tx: &mut Tx,
    stream: Stream,
    (user, conversation): (UserId, ConversationId),
) -> Vec<Change> {
    let is_there = world
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
fn notifies(world: &World, stream: Stream, change: &Change) -> Change {
    if !matches!(change, Change::NotificationsAdded { .. }) {
        return change.clone();
    }
    let conversation = ConversationId(stream.id());
    let is_there = |user| {
        let database = &world.state().database;
        database.participants.contains(&(user, conversation))
    };
    let people = world.people.iter().map(|&(_, user)| user);
    let some = people.filter(|&user| is_there(user) && world.once_in(3));
    Change::NotificationsAdded {
        to: some.map(|user| (user, NotificationId(id(world)))).collect(),
    }
}

fn act(world: &World) -> Act {
    let &(_, user) = world.one_of(&world.people);
    let &conversation = world.one_of(&world.conversations);
    let messages = |count: usize| {
        let sent = |_| Change::MessageSent {
            message: MessageId(id(world)),
        };
        (0..count).map(sent).collect::<Vec<_>>()
    };
    let told = |name, told| Act {
        name,
        told,
        membership: None,
    };
    let own = |change| vec![(Stream::User(user), vec![change])];
    match world.number(0..400) {
        0..2 if world.kind == Kind::Postgres => told("a report", vec![]),
        2..4 => {
            let all = messages(world.number(150..700));
            told("an import", vec![(Stream::Conversation(conversation), all)])
        }
        4..40 => {
            // The first conversation is the one where people stay.
            let &conversation = world.one_of(&world.conversations[1..]);
            let streams = [Stream::Conversation(conversation), Stream::User(user)];
            Act {
                name: "coming or going",
                told: streams.map(|stream| (stream, vec![])).to_vec(),
                membership: Some((user, conversation)),
            }
        }
        40..60 => told("a profile", own(Change::UserChanged { user })),
        60..90 => told("a mark", own(mark(conversation, user, world.once_in(2)))),
        _ => {
            let mut changes = messages(1);
            if world.once_in(3) {
                let thread = ThreadId(id(world));
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
fn id(world: &World) -> Uuid {
    let number = world.number(1..usize::MAX);
    Uuid::from_u128(u128::try_from(number).unwrap())
}
