//! Small things that every request does, one at a time: what a change to one of them does is lost in the noise of
//! `benches/load`. `just bench-micro` runs them all, `just bench-micro NAME` those whose name contains NAME.
#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on should stop where it is"
)]

use std::{collections::HashSet, hint::black_box, sync::Arc};

use async_graphql::Variables;
use chrono::DateTime;
use divan::{Bencher, counter::ItemsCount};
use futures_util::future;
use heddle::{
    app::App,
    auth::token::Keys,
    config::Config,
    domain::{
        import::{self, Group, History, ImportedMessage, Member, Person},
        messages::path,
        reads::unread::{self, Scope},
        sessions::{self, Viewer},
    },
    entity::participant::ParticipantRole,
    graphql::{self, context::Caller},
    http::guard::{Document, Guard, Limits},
    id::{ConversationId, MessageId, ParticipantId, UserId},
    live::{
        cursor::Cursor,
        log::{self, Change, Stream},
        log_reader::Entry,
        payload_cache::{EntryCache, PayloadCache},
        position::LogPosition,
        resume::Since,
    },
};
use migration::{Migrator, MigratorTrait};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// As an ordinary client asks.
const LIST: &str = "query List($id: ID!) { conversation(id: $id) { messages(last: 50) { nodes {
    id body createdAt replyCount sender { id displayName } } } } }";
/// Messages that the reader of [`Room`] has not read.
const UNREAD: usize = 1000;
/// Those who hear of one event.
const LISTENERS: usize = 1000;
/// How deep the path is that is made and read.
const LEVELS: i32 = 50;

fn main() {
    divan::main();
}

fn guard() -> Guard {
    Guard::new(&graphql::sdl(), Limits::default()).unwrap()
}

#[divan::bench]
fn document_read_first(bencher: Bencher<'_, '_>) {
    let limits = Limits::default();
    bencher.bench(|| Document::read(black_box(LIST), &limits).is_ok());
}

#[divan::bench]
fn document_known(bencher: Bencher<'_, '_>) {
    let guard = guard();
    assert!(guard.read(LIST).is_ok());
    bencher.bench(|| guard.read(black_box(LIST)).is_ok());
}

#[divan::bench]
fn operation_admitted(bencher: Bencher<'_, '_>) {
    let guard = guard();
    let Ok(document) = guard.read(LIST) else {
        panic!("the document is good");
    };
    let mut variables = Map::new();
    variables.insert("id".to_owned(), json!("cnv_00000000000000000000000000"));
    assert!(guard.admit(&document, None, &variables).is_ok());
    bencher.bench(|| guard.admit(&document, None, black_box(&variables)).is_ok());
}

fn deep() -> Vec<u8> {
    (1..LEVELS).fold(vec![], |parent, seq| path::path(&parent, seq))
}

#[divan::bench]
fn path_made(bencher: Bencher<'_, '_>) {
    let parent = deep();
    bencher.bench(|| path::path(black_box(&parent), LEVELS));
}

#[divan::bench]
fn path_read(bencher: Bencher<'_, '_>) {
    let path = deep();
    bencher.bench(|| path::places(black_box(&path)));
}

fn cursor() -> (Keys, UserId, Cursor) {
    let keys = Keys::new(&Keys::generate().unwrap()).unwrap();
    let cursor = Cursor {
        place: LogPosition::Position(1 << 40),
        at: DateTime::UNIX_EPOCH,
    };
    (keys, UserId::mint(), cursor)
}

#[divan::bench]
fn cursor_sealed(bencher: Bencher<'_, '_>) {
    let (keys, owner, cursor) = cursor();
    bencher.bench(|| black_box(&cursor).seal(&keys, owner));
}

#[divan::bench]
fn cursor_opened(bencher: Bencher<'_, '_>) {
    let (keys, owner, cursor) = cursor();
    let text = cursor.seal(&keys, owner);
    assert_eq!(Cursor::open(&keys, owner, &text), Some(cursor));
    bencher.bench(|| Cursor::open(&keys, owner, black_box(&text)));
}

#[divan::bench]
fn unread_counted(bencher: Bencher<'_, '_>) {
    let room = Room::furnish();
    let count = || {
        let scope = Scope::Conversation(room.group);
        let counting = unread::count(room.app.db.read(), &room.viewer, scope);
        room.runtime.block_on(counting).unwrap()
    };
    assert_eq!(usize::try_from(count()), Ok(UNREAD));
    bencher.bench_local(count);
}

#[divan::bench]
fn page_of_50_to_json(bencher: Bencher<'_, '_>) {
    let room = Room::furnish();
    let schema = graphql::schema(&room.app);
    let caller = Caller {
        viewer: Some(room.viewer.clone()),
        ..Caller::default()
    };
    let variables = Variables::from_json(json!({ "id": room.group }));
    let request = async_graphql::Request::new(LIST).variables(variables);
    let request = graphql::prepare(&room.app, caller, request);
    let answer = room.runtime.block_on(schema.execute(request));
    assert!(answer.is_ok(), "{:?}", answer.errors);
    bencher.bench_local(|| serde_json::to_vec(black_box(&answer.data)).unwrap());
}

/// What each subscriber after the first costs who asked the same.
#[divan::bench]
fn shared_answer_found(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let shares = PayloadCache::default();
    let (group, user) = ([7; 32], UserId::mint());
    let entry = Entry {
        stream: user.0,
        position: 1,
        at: DateTime::UNIX_EPOCH,
        change: None,
        place: LogPosition::Position(1),
        cached: EntryCache::default(),
    };
    runtime.block_on(async {
        let look_up = || async { Ok(HashSet::from([user])) };
        shares.audience(&entry, look_up).await.unwrap();
        let make = || async { Some(Arc::from([Box::from("{}")])) };
        shares.form(&entry, group, make).await.unwrap();
    });
    bencher.bench_local(|| shares.cached(&entry, group, user).unwrap());
    assert_eq!(shares.made(), 1);
}

/// What happened is handed to everybody of a crowd who listens; the time is for each of them.
#[divan::bench]
fn event_handed_on(bencher: Bencher<'_, '_>) {
    let room = Room::furnish();
    let follow = || room.app.hub.follow(room.viewer.user, Since::Now, None);
    let follow = async || future::join_all((0..LISTENERS).map(|_| follow())).await;
    let mut crowd: Vec<_> = room
        .runtime
        .block_on(follow())
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let (message, at) = (MessageId::mint(), room.app.clock.now());
    let changes = [Change::MessageSent { message }];
    bencher.counter(ItemsCount::new(LISTENERS)).bench_local(|| {
        let stream = Stream::Conversation(room.group);
        let happens = room.app.db.write(|tx| {
            let changes = &changes;
            async move { log::append(&tx, stream, at, changes).await }
        });
        room.runtime.block_on(async {
            happens.await.unwrap();
            for follower in &mut crowd {
                follower.next().await.unwrap().unwrap();
            }
        });
    });
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A group on SQLite in which somebody has much to read.
struct Room {
    app: App,
    viewer: Viewer,
    group: ConversationId,
    runtime: Runtime,
    _folder: TempDir,
}

impl Room {
    fn furnish() -> Self {
        let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
        let file = folder.path().join("heddle.db");
        let config = Config {
            database_url: format!("sqlite://{}", file.display()),
            data_dir: folder.path().to_owned(),
            // What is turned into JSON is then the answer's parts and not its text.
            list_fast_path: false,
            ..Config::default()
        };
        let secret = Keys::generate().unwrap();
        let app = runtime.block_on(App::open(config, &secret)).unwrap();
        let group = ConversationId::mint();
        let viewer = runtime.block_on(async {
            Migrator::up(app.db.migrate(), None).await.unwrap();
            let viewer = reader(&app).await;
            fill(&app, viewer.user, group).await;
            viewer
        });
        Self {
            viewer,
            app,
            group,
            runtime,
            _folder: folder,
        }
    }
}

/// Somebody who signs up.
async fn reader(app: &App) -> Viewer {
    const REGISTER: &str = "mutation { register(input: { username: \"ann\", displayName: \"Ann\",
        email: \"ann@example.org\", password: \"a loom has many heddles\" }) { auth { accessToken } } }";
    let request = graphql::prepare(app, Caller::default(), REGISTER.into());
    let answer = graphql::schema(app).execute(request).await;
    let data = answer.data.into_json().unwrap();
    let token = data.pointer("/register/auth/accessToken");
    let token = token.and_then(Value::as_str).unwrap();
    sessions::authenticate(app, token).await.unwrap()
}

/// A group in which somebody else wrote all that there is to read.
async fn fill(app: &App, reader: UserId, id: ConversationId) {
    let at = app.clock.now();
    let writer = Person {
        id: UserId::mint(),
        username: "bob".to_owned(),
        display_name: "Bob".to_owned(),
        email: None,
        password_hash: None,
        at,
    };
    let group = Group {
        id,
        title: "Loom".to_owned(),
        topic: None,
        at,
    };
    let members = [writer.id, reader].map(|user| Member {
        id: ParticipantId::mint(),
        user,
        role: ParticipantRole::Member,
        read_floor_seq: 0,
    });
    let messages: Vec<_> = (0..UNREAD)
        .map(|number| ImportedMessage {
            id: MessageId::mint(),
            sender: writer.id,
            parent: None,
            at,
            body: format!("number {number}"),
            key: None,
        })
        .collect();
    let history = History::new(id, LEVELS);
    let (writer, group, members) = (&[writer], &group, &members);
    let (history, messages) = (&history, &messages);
    let filling = app.db.write(|tx| async move {
        import::people_in(&tx, writer).await?;
        import::group_in(&tx, group).await?;
        import::members_in(&tx, id, members, at).await?;
        history.append_in(&tx, messages).await
    });
    filling.await.unwrap();
}
