//! The writers: transactions that lock streams in one order, take row numbers early or late, run long, and commit or
//! roll back.

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

/// A write in one transaction.
struct Operation {
    name: &'static str,
    /// The events of each stream, in the order in which the streams are locked.
    events: Vec<(Stream, Vec<Change>)>,
    /// The membership that it adds or removes.
    membership: Option<(UserId, ConversationId)>,
}

/// Writes in the active phase.
pub(super) async fn run_writer(harness: Arc<Harness>, number: usize) {
    let writer = format!("writer {number}");
    loop {
        harness.pause(0..400).await;
        if harness.phase() == Phase::Active {
            write(&harness, &writer).await;
        }
    }
}

async fn write(harness: &Arc<Harness>, writer: &str) {
    let (number, node) = harness.some_node();
    let killed = node.killed;
    let operation = random_operation(harness);
    let Some(mut tx) = begin(harness).await else {
        return;
    };
    let name = operation.name;
    harness.step(writer, format_args!("begins {name} on node {number}"));
    let written = tokio::select! {
        biased;
        () = killed.cancelled() => false,
        () = execute(harness, &mut tx, &operation) => true,
    };
    if !written || harness.once_in(12) {
        harness.step(writer, format_args!("rolls {name} back"));
        harness.count("transactions rolled back");
        return harness.roll_back(&tx);
    }
    let count = harness.commit(tx);
    harness.step(writer, format_args!("commits {name}, {count} events"));
    if harness.once_in(100) && !killed.is_cancelled() {
        kill(harness, number);
    }
    if killed.is_cancelled() {
        harness.count("nodes killed between commit and wake-up");
    } else {
        notify(harness, number);
    }
}

/// Sends a message to every conversation without a wake-up.
pub(super) async fn write_final_messages(harness: &Arc<Harness>) {
    for &conversation in &harness.conversations {
        let message = MessageId(id(harness));
        let operation = Operation {
            name: "final messages",
            events: vec![(
                Stream::Conversation(conversation),
                vec![Change::MessageSent { message }],
            )],
            membership: None,
        };
        if let Some(mut tx) = begin(harness).await {
            execute(harness, &mut tx, &operation).await;
            harness.commit(tx);
            harness.step("the phase", format_args!("commits a final message"));
        }
    }
}

async fn begin(harness: &Arc<Harness>) -> Option<Tx> {
    for _ in 0..50 {
        let tx = harness.state().database.begin();
        if tx.is_some() {
            return tx;
        }
        harness.pause(1..20).await;
    }
    None
}

async fn execute(harness: &Arc<Harness>, tx: &mut Tx, operation: &Operation) {
    if operation.events.is_empty() {
        // A long transaction without events, which holds back every snapshot.
        return harness.pause(500..15_000).await;
    }
    let at = harness.clock.now();
    for (stream, changes) in &operation.events {
        while !harness.state().database.lock(tx, *stream) {
            harness.pause(1..10).await;
        }
        let changes = match operation.membership {
            Some(membership) => toggle_membership(harness, tx, *stream, membership),
            None => changes
                .iter()
                .map(|change| with_recipients(harness, *stream, change))
                .collect(),
        };
        let is_slow = harness.number(0..60) == 0;
        for change in changes {
            harness.state().database.write(tx, *stream, change, at);
            if is_slow || harness.once_in(10) {
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

/// A member leaves, any other user joins. Membership is only stable under the conversation's lock.
fn toggle_membership(
    harness: &Harness,
    tx: &mut Tx,
    stream: Stream,
    (user, conversation): (UserId, ConversationId),
) -> Vec<Change> {
    let is_member = harness
        .state()
        .database
        .participants
        .contains(&(user, conversation));
    match stream {
        Stream::Conversation(_) => {
            tx.memberships.push((user, conversation, !is_member));
            vec![Change::ParticipantChanged { conversation, user }]
        }
        Stream::User(_) if is_member => vec![Change::ConversationLeft { conversation }],
        Stream::User(_) => vec![Change::ConversationJoined { conversation }],
    }
}

/// Adds some members as the recipients of a notification event. Membership is only stable under the conversation's
/// lock.
fn with_recipients(harness: &Harness, stream: Stream, change: &Change) -> Change {
    let Change::NotificationsAdded { message, .. } = change else {
        return change.clone();
    };
    let conversation = ConversationId(stream.id());
    let is_member = |user| {
        let database = &harness.state().database;
        database.participants.contains(&(user, conversation))
    };
    let users = harness.users.iter().map(|&(_, user)| user);
    let recipients = users.filter(|&user| is_member(user) && harness.once_in(3));
    Change::NotificationsAdded {
        to: recipients
            .map(|user| (user, NotificationId(id(harness))))
            .collect(),
        message: *message,
    }
}

fn random_operation(harness: &Harness) -> Operation {
    let &(_, user) = harness.one_of(&harness.users);
    let &conversation = harness.one_of(&harness.conversations);
    let messages = |count: usize| {
        let sent = |_| Change::MessageSent {
            message: MessageId(id(harness)),
        };
        (0..count).map(sent).collect::<Vec<_>>()
    };
    let operation = |name, events| Operation {
        name,
        events,
        membership: None,
    };
    let own = |change| vec![(Stream::User(user), vec![change])];
    match harness.number(0..400) {
        0..2 if harness.kind == Kind::Postgres => operation("a report", vec![]),
        2..4 => {
            let all = messages(harness.number(150..700));
            operation("an import", vec![(Stream::Conversation(conversation), all)])
        }
        4..40 => {
            // The memberships of the first conversation never change.
            let &conversation = harness.one_of(&harness.conversations[1..]);
            let streams = [Stream::Conversation(conversation), Stream::User(user)];
            Operation {
                name: "a change of membership",
                events: streams.map(|stream| (stream, vec![])).to_vec(),
                membership: Some((user, conversation)),
            }
        }
        40..60 => operation("a profile", own(Change::UserChanged { user })),
        60..90 => {
            let is_shared = harness.once_in(2);
            operation(
                "a read position",
                own(read_position(conversation, user, is_shared)),
            )
        }
        _ => {
            let mut changes = messages(1);
            if harness.once_in(3) {
                let thread = ThreadId(id(harness));
                changes.push(Change::ThreadChanged { thread });
            }
            let to = BTreeMap::new();
            // Half of them concern all members.
            let message = harness.once_in(2).then(|| MessageId(id(harness)));
            changes.push(Change::NotificationsAdded { to, message });
            operation(
                "a message",
                vec![(Stream::Conversation(conversation), changes)],
            )
        }
    }
}

fn read_position(conversation: ConversationId, user: UserId, is_shared: bool) -> Change {
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
