//! With many concurrent writers, readers that connect and disconnect receive each event once.

use std::{collections::HashMap, time::Duration};

use heddle::{
    app::App,
    id::{ConversationId, MessageId, UserId},
    live::{
        cursor::EventCursor,
        entry::Entry,
        log::{self, Change, Stream},
        resume::{Opening, ResumedStream, Since},
        retention,
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use sea_orm::ConnectionTrait;
use tokio::{sync::oneshot, task::JoinHandle};
use uuid::Uuid;

use super::rows;
use crate::support::{app::TestApp, both};

const PATIENCE: Duration = Duration::from_secs(20);

both!(
    readers_who_come_and_go_get_every_event_once,
    joining_and_leaving_bound_what_is_received,
    a_subscriber_that_falls_too_far_behind_resumes,
    cursors_of_another_database_start_again,
    old_events_are_deleted,
    the_oldest_events_of_a_long_stream_are_deleted
);

async fn readers_who_come_and_go_get_every_event_once(app: TestApp) {
    let app = app.app.clone();
    let people = [
        rows::user(&app).await,
        rows::user(&app).await,
        rows::user(&app).await,
    ];
    let mut conversations = vec![];
    for members in [&people[..], &people[..2], &people[1..], &people[..1]] {
        conversations.push(rows::conversation(&app, members).await);
    }
    let begun = app.hub.follow(people[0], Since::Now, None).await.unwrap();
    let start = begun.start().clone();
    drop(begun);
    let readers = people.map(|user| spawn(reads(app.clone(), user, start.clone())));
    let writers: Vec<_> = (0..6)
        .map(|seed| spawn(writes(app.clone(), people, conversations.clone(), seed)))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let last = Change::NotificationsChanged {
        notifications: None,
    };
    for user in people {
        rows::event(&app, Stream::User(user), last.clone()).await;
    }
    for (user, reader) in people.into_iter().zip(readers) {
        let received = reader.await.unwrap();
        let mut by_stream: HashMap<Uuid, Vec<i64>> = HashMap::new();
        for entry in &received {
            by_stream
                .entry(entry.stream)
                .or_default()
                .push(entry.number);
        }
        let mut expected = 0;
        for stream in rows::streams(&app, user).await {
            let logged = rows::positions(&app, stream).await;
            expected += logged.len();
            assert_eq!(by_stream.remove(&stream).unwrap_or_default(), logged);
        }
        assert_eq!(received.len(), expected);
        assert!(expected > 100, "{expected} events prove little");
    }
}

/// Writes in transactions of one to three streams each, which stay open for a while, so that on PostgreSQL they commit
/// in another order than their events are numbered.
async fn writes(app: App, people: [UserId; 3], conversations: Vec<ConversationId>, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..25 {
        let mut streams: Vec<_> = conversations
            .iter()
            .map(|&id| Stream::Conversation(id))
            .collect();
        streams.extend(people.map(Stream::User));
        streams.shuffle(&mut random);
        streams.truncate(random.random_range(1..=3));
        streams.sort_unstable();
        let events = random.random_range(1..=3);
        let pauses = random.random_range(0..15);
        let fails = random.random_bool(0.1);
        let (streams, now) = (&streams, app.clock.now());
        let outcome = app
            .db
            .write(|tx| async move {
                for &stream in streams {
                    let changes = vec![
                        Change::MessageSent {
                            message: MessageId::mint()
                        };
                        events
                    ];
                    log::append(&tx, stream, now, &changes).await?;
                    for _ in 0..pauses {
                        tx.execute_unprepared("SELECT 1").await?;
                    }
                }
                if fails {
                    return Err(heddle::error::Error::conflict("on purpose"));
                }
                Ok(())
            })
            .await;
        assert_eq!(outcome.is_err(), fails);
    }
}

/// Reads up to the last event, while it disconnects and resumes all the time.
async fn reads(app: App, user: UserId, start: EventCursor) -> Vec<Entry> {
    let mut random = StdRng::seed_from_u64(7);
    let mut received = vec![];
    let mut cursor = start;
    loop {
        let text = cursor.seal(&app.keys, user);
        let since = Since::Cursor(EventCursor::open(&app.keys, user, &text).unwrap());
        let mut following = app.hub.follow(user, since, None).await.unwrap();
        assert_eq!(following.opening(), Opening::Resumed);
        for _ in 0..random.random_range(1..12) {
            let entry = next(&mut following).await;
            cursor = cursor.advanced_to(&entry);
            let is_last = matches!(entry.change, Some(Change::NotificationsChanged { .. }));
            received.push(entry);
            if is_last {
                return received;
            }
        }
    }
}

async fn joining_and_leaving_bound_what_is_received(app: TestApp) {
    let app = app.app.clone();
    let (ann, bob) = (rows::user(&app).await, rows::user(&app).await);
    let room = rows::conversation(&app, &[ann]).await;
    let mut live = app.hub.follow(bob, Since::Now, None).await.unwrap();
    let start = live.start().clone();
    let say = || async { rows::event(&app, Stream::Conversation(room), sent()).await };
    say().await;
    rows::join(&app, room, bob).await;
    say().await;
    rows::leave(&app, room, bob).await;
    say().await;
    rows::join(&app, room, bob).await;
    say().await;
    let expected = ["Joined", "Sent", "Left", "Joined", "Sent"];
    assert_eq!(kinds(&mut live, expected.len()).await, expected);
    let since = Since::Cursor(start.clone());
    let mut resumed = app.hub.follow(bob, since, None).await.unwrap();
    assert_eq!(kinds(&mut resumed, expected.len()).await, expected);
    rows::leave(&app, room, bob).await;
    say().await;
    rows::event(&app, Stream::User(bob), Change::UserChanged { user: bob }).await;
    assert_eq!(kinds(&mut live, 2).await, ["Left", "Other"]);
    let since = Since::Cursor(start);
    let mut resumed = app.hub.follow(bob, since, None).await.unwrap();
    let expected = ["Joined", "Left", "Joined", "Left", "Other"];
    assert_eq!(kinds(&mut resumed, expected.len()).await, expected);
}

async fn a_subscriber_that_falls_too_far_behind_resumes(app: TestApp) {
    let app = app.app.clone();
    let ann = rows::user(&app).await;
    let mut slow = app.hub.follow(ann, Since::Now, None).await.unwrap();
    let mut quick = app.hub.follow(ann, Since::Now, None).await.unwrap();
    let mut cursor = slow.start().clone();
    for _ in 0..20 {
        let changes = vec![sent(); 20];
        let (now, changes) = (app.clock.now(), &changes);
        app.db
            .write(|tx| async move { log::append(&tx, Stream::User(ann), now, changes).await })
            .await
            .unwrap();
        for _ in 0..20 {
            next(&mut quick).await;
        }
    }
    let mut count = 0;
    while let Ok(entry) = slow.next().await.unwrap() {
        cursor = cursor.advanced_to(&entry);
        count += usize::from(matches!(entry.change, Some(Change::MessageSent { .. })));
    }
    assert!(count < 400, "it was never let go");
    assert!(slow.next().await.is_none());
    let mut again = app
        .hub
        .follow(ann, Since::Cursor(cursor), None)
        .await
        .unwrap();
    for _ in count..400 {
        next(&mut again).await;
    }
    rows::event(&app, Stream::User(ann), Change::UserChanged { user: ann }).await;
    assert_eq!(kinds(&mut again, 1).await, ["Other"]);
}

async fn cursors_of_another_database_start_again(app: TestApp) {
    let app = app.app.clone();
    let ann = rows::user(&app).await;
    let live = app.hub.follow(ann, Since::Now, None).await.unwrap();
    assert_eq!(live.opening(), Opening::Started);
    let cursor = live.start().clone();
    let opening = async |since| app.hub.follow(ann, since, None).await.unwrap().opening();
    assert_eq!(
        opening(Since::Cursor(cursor.clone())).await,
        Opening::Resumed
    );
    assert_eq!(opening(Since::Unknown).await, Opening::Reset);
    // A backup was restored: the cursor is newer than the log.
    for _ in 0..3 {
        rows::event(&app, Stream::User(ann), sent()).await;
    }
    let later = app.hub.follow(ann, Since::Now, None).await.unwrap();
    let ahead = later.start().clone();
    assert!(ahead.position.is_beyond(&cursor.position));
    assert!(!cursor.position.is_beyond(&ahead.position));
    app.clock.advance(chrono::TimeDelta::days(8));
    assert_eq!(opening(Since::Cursor(cursor)).await, Opening::Reset);
}

async fn old_events_are_deleted(app: TestApp) {
    let app = app.app.clone();
    let ann = rows::user(&app).await;
    let keeps = chrono::TimeDelta::days(7);
    let forget = async || {
        let now = app.clock.now();
        retention::prune(&app.db, keeps, now).await.unwrap()
    };
    let live = app.hub.follow(ann, Since::Now, None).await.unwrap();
    let old = live.start().clone();
    rows::event(&app, Stream::User(ann), sent()).await;
    app.clock.advance(keeps - chrono::TimeDelta::minutes(1));
    let opening = app
        .hub
        .follow(ann, Since::Cursor(old.clone()), None)
        .await
        .unwrap();
    assert_eq!((opening.opening(), forget().await), (Opening::Resumed, 0));
    rows::event(&app, Stream::User(ann), sent()).await;
    app.clock.advance(chrono::TimeDelta::hours(2));
    // The hub deletes old events too, and may be first.
    assert!(forget().await <= 1);
    assert_eq!(rows::positions(&app, ann.0).await.len(), 1);
    let mut again = app.hub.follow(ann, Since::Cursor(old), None).await.unwrap();
    assert_eq!(again.opening(), Opening::Reset);
    rows::event(&app, Stream::User(ann), Change::UserChanged { user: ann }).await;
    assert_eq!(kinds(&mut again, 1).await, ["Other"]);
}

async fn the_oldest_events_of_a_long_stream_are_deleted(app: TestApp) {
    let app = app.app.clone();
    let mut users = vec![];
    for _ in 0..3 {
        users.push(rows::user(&app).await);
    }
    let (ann, bob, cem) = (users[0], users[1], users[2]);
    let ours = rows::conversation(&app, &[ann, bob]).await;
    let other = rows::conversation(&app, &[ann]).await;
    let end = async |user| {
        let live = app.hub.follow(user, Since::Now, None).await.unwrap();
        live.start().clone()
    };
    let resume = async |user, cursor: &EventCursor, only: Option<ConversationId>| {
        let (since, only) = (Since::Cursor(cursor.clone()), only.map(|id| [id].into()));
        app.hub.follow(user, since, only).await.unwrap()
    };
    let trim = async || {
        let now = app.clock.now();
        retention::trim(&app.db, 10, now).await.unwrap()
    };
    let start = end(ann).await;
    for _ in 0..20 {
        rows::event(&app, Stream::Conversation(ours), sent()).await;
    }
    let middle = end(ann).await;
    for _ in 0..5 {
        rows::event(&app, Stream::Conversation(ours), sent()).await;
    }
    // Transactions that have not committed yet may hold events with the time of these.
    assert_eq!(trim().await, 0);
    app.clock.advance(chrono::TimeDelta::hours(2));
    assert_eq!(trim().await, 14);
    assert_eq!(trim().await, 0);
    let mut old = resume(ann, &start, None).await;
    assert_eq!(old.opening(), Opening::Resumed);
    assert_eq!(next(&mut old).await.change, Some(Change::StreamReset));
    let mut later = resume(ann, &middle, None).await;
    // Other streams are complete.
    let mut elsewhere = resume(ann, &start, Some(other)).await;
    let mut stranger = resume(cem, &start, None).await;
    for stream in [
        Stream::Conversation(ours),
        Stream::Conversation(other),
        Stream::User(cem),
    ] {
        rows::event(&app, stream, sent()).await;
    }
    assert_eq!(kinds(&mut old, 2).await, ["Sent"; 2]);
    assert_eq!(kinds(&mut later, 7).await, ["Sent"; 7]);
    assert_eq!(kinds(&mut elsewhere, 1).await, ["Sent"]);
    assert_eq!(kinds(&mut stranger, 1).await, ["Sent"]);
    // The stream of a user concerns all who receive their profile changes.
    let (of_ann, of_bob, of_cem) = (end(ann).await, end(bob).await, end(cem).await);
    for _ in 0..20 {
        rows::event(&app, Stream::User(bob), Change::UserChanged { user: bob }).await;
    }
    app.clock.advance(chrono::TimeDelta::hours(2));
    assert!(trim().await > 0);
    assert_eq!(resume(bob, &of_bob, None).await.opening(), Opening::Reset);
    let mut contact = resume(ann, &of_ann, None).await;
    assert_eq!(contact.opening(), Opening::Resumed);
    assert_eq!(next(&mut contact).await.change, Some(Change::StreamReset));
    let mut stranger = resume(cem, &of_cem, None).await;
    rows::event(&app, Stream::User(cem), sent()).await;
    assert_eq!(kinds(&mut stranger, 1).await, ["Sent"]);
}

/// Two transactions commit in another order than their events are numbered. On SQLite this cannot occur, because the
/// second waits for the first.
#[tokio::test]
async fn an_open_transaction_hides_nothing() {
    let app = TestApp::postgres().await;
    let app = app.app.clone();
    let (ann, bob) = (rows::user(&app).await, rows::user(&app).await);
    let (quiet, busy) = (
        rows::conversation(&app, &[ann, bob]).await,
        rows::conversation(&app, &[ann, bob]).await,
    );
    let mut live = app.hub.follow(ann, Since::Now, None).await.unwrap();
    let (is_written, written) = oneshot::channel();
    let (may_commit, commits) = oneshot::channel::<()>();
    let long = spawn({
        let app = app.clone();
        let mut gates = Some((is_written, commits));
        async move {
            let now = app.clock.now();
            app.db
                .write(|tx| {
                    let (is_written, commits) = gates.take().unwrap();
                    async move {
                        log::append(&tx, Stream::Conversation(quiet), now, &[sent()]).await?;
                        is_written.send(()).unwrap();
                        commits.await.unwrap();
                        Ok(())
                    }
                })
                .await
                .unwrap();
        }
    });
    written.await.unwrap();
    // The open transaction does not delay other events …
    let mut cursors = vec![];
    for _ in 0..3 {
        rows::event(&app, Stream::Conversation(busy), sent()).await;
        let entry = next(&mut live).await;
        assert_eq!(entry.stream, busy.0);
        cursors.push(live.start().advanced_to(&entry));
    }
    may_commit.send(()).unwrap();
    long.await.unwrap();
    // … and delivered once it commits, live and after a resume.
    assert_eq!(next(&mut live).await.stream, quiet.0);
    rows::event(&app, Stream::User(ann), sent()).await;
    assert_eq!(next(&mut live).await.stream, ann.0);
    for (missed, cursor) in cursors.into_iter().rev().enumerate() {
        let since = Since::Cursor(cursor);
        let mut again = app.hub.follow(ann, since, None).await.unwrap();
        let mut streams = vec![];
        while streams.last() != Some(&ann.0) {
            streams.push(next(&mut again).await.stream);
        }
        assert_eq!(streams.len(), missed + 2);
        assert_eq!(
            streams.iter().filter(|&&stream| stream == quiet.0).count(),
            1
        );
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "every test waits for what it began"
)]
fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(work)
}

fn sent() -> Change {
    Change::MessageSent {
        message: MessageId::mint(),
    }
}

async fn next(following: &mut ResumedStream) -> Entry {
    loop {
        let next = tokio::time::timeout(PATIENCE, following.next());
        let entry = (*next.await.unwrap().unwrap().unwrap()).clone();
        // Presence is not in the log.
        if !entry.change.as_ref().is_some_and(Change::is_ephemeral) {
            return entry;
        }
    }
}

async fn kinds(following: &mut ResumedStream, count: usize) -> Vec<&'static str> {
    let mut kinds = vec![];
    for _ in 0..count {
        kinds.push(match next(following).await.change {
            Some(Change::MessageSent { .. }) => "Sent",
            Some(Change::ConversationJoined { .. }) => "Joined",
            Some(Change::ConversationLeft { .. }) => "Left",
            _ => "Other",
        });
    }
    kinds
}
