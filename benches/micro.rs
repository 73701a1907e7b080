//! Times single functions that every request calls, whose changes are lost in the noise of `benches/load`.
//! `just bench-micro` runs all of them, `just bench-micro NAME` those whose name contains NAME.
#![expect(clippy::unwrap_used, reason = "a failed step ends the measurement")]

use std::{collections::HashSet, hint::black_box, sync::Arc};

use async_graphql::Variables;
use chrono::DateTime;
use divan::{Bencher, counter::ItemsCount};
use futures_util::future;
use heddle::{
    app::App,
    auth::token::Keys,
    config::Config,
    db::Db,
    domain::{
        accounts,
        import::{self, History, ImportedGroup, ImportedMember, ImportedMessage},
        messages::path,
        reads::unread::{self, UnreadScope},
        sessions::Viewer,
        users::NewUser,
    },
    entity::participant::ParticipantRole,
    graphql::{self, context::Caller},
    http::guard::{CompiledSchema, Document, Guard, Limits},
    id::{ConversationId, MessageId, ParticipantId, UserId},
    live::{
        cursor::EventCursor,
        entry::{Entry, EntryCache},
        epoch::LogEpoch,
        log::{self, Change, Stream},
        payload_cache::PayloadCache,
        position::LogPosition,
        resume::Since,
    },
};
use migration::{Migrator, MigratorTrait};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

/// The query of a typical client.
const LIST: &str = "query List($id: ID!) { conversation(id: $id) { messages(last: 50) { nodes {
    id body createdAt replyCount sender { id displayName } } } } }";
/// Unread messages of the viewer of [`Fixture`].
const UNREAD: usize = 1000;
/// Subscribers of one event.
const LISTENERS: usize = 1000;
/// The depth of the path that is built and parsed.
const LEVELS: i32 = 50;

fn main() {
    divan::main();
}

fn guard() -> Guard {
    Guard::new(&graphql::sdl(), Limits::default()).unwrap()
}

#[divan::bench]
fn parse_new_document(bencher: Bencher<'_, '_>) {
    let limits = Limits::default();
    let schema = CompiledSchema::parse(&graphql::sdl()).unwrap();
    bencher.bench(|| Document::read(black_box(LIST), &schema, &limits).is_ok());
}

#[divan::bench]
fn read_cached_document(bencher: Bencher<'_, '_>) {
    let guard = guard();
    assert!(guard.read(LIST).is_ok());
    bencher.bench(|| guard.read(black_box(LIST)).is_ok());
}

#[divan::bench]
fn admit_operation(bencher: Bencher<'_, '_>) {
    let guard = guard();
    let Ok(document) = guard.read(LIST) else {
        panic!("the document is valid");
    };
    let mut variables = Map::new();
    variables.insert("id".to_owned(), json!("cnv_00000000000000000000000000"));
    assert!(guard.admit(&document, None, &variables).is_ok());
    bencher.bench(|| guard.admit(&document, None, black_box(&variables)).is_ok());
}

fn deep_path() -> Vec<u8> {
    (1..LEVELS).fold(vec![], |parent, seq| path::path(&parent, seq))
}

#[divan::bench]
fn build_path(bencher: Bencher<'_, '_>) {
    let parent = deep_path();
    bencher.bench(|| path::path(black_box(&parent), LEVELS));
}

#[divan::bench]
fn parse_path(bencher: Bencher<'_, '_>) {
    let path = deep_path();
    bencher.bench(|| path::places(black_box(&path)));
}

fn cursor() -> (Keys, UserId, EventCursor) {
    let keys = Keys::new(&Keys::generate().unwrap(), Uuid::nil()).unwrap();
    let cursor = EventCursor {
        epoch: LogEpoch::default(),
        position: LogPosition::Position(1 << 40),
        at: DateTime::UNIX_EPOCH,
    };
    (keys, UserId::mint(), cursor)
}

#[divan::bench]
fn sign_cursor(bencher: Bencher<'_, '_>) {
    let (keys, owner, cursor) = cursor();
    bencher.bench(|| black_box(&cursor).seal(&keys, owner));
}

#[divan::bench]
fn open_cursor(bencher: Bencher<'_, '_>) {
    let (keys, owner, cursor) = cursor();
    let text = cursor.seal(&keys, owner);
    assert_eq!(EventCursor::open(&keys, owner, &text), Some(cursor));
    bencher.bench(|| EventCursor::open(&keys, owner, black_box(&text)));
}

#[divan::bench]
fn count_unread(bencher: Bencher<'_, '_>) {
    let fixture = Fixture::new();
    let count = || {
        let scope = UnreadScope::Conversation(fixture.group);
        let counting = unread::count(fixture.app.db.read(), &fixture.viewer, scope);
        fixture.runtime.block_on(counting).unwrap()
    };
    assert_eq!(usize::try_from(count()), Ok(UNREAD));
    bencher.bench_local(count);
}

#[divan::bench]
fn serialise_page_of_50(bencher: Bencher<'_, '_>) {
    let fixture = Fixture::new();
    let schema = graphql::schema(&fixture.app);
    let caller = Caller {
        viewer: Some(fixture.viewer.clone()),
        ..Caller::default()
    };
    let variables = Variables::from_json(json!({ "id": fixture.group }));
    let request = async_graphql::Request::new(LIST).variables(variables);
    let (request, batches) = graphql::prepare(&fixture.app, caller, request);
    let executing = batches.run(schema.execute(request));
    let response = fixture.runtime.block_on(executing);
    assert!(response.is_ok(), "{:?}", response.errors);
    bencher.bench_local(|| serde_json::to_vec(black_box(&response.data)).unwrap());
}

/// The cost of each subscriber after the first one with the same selection.
#[divan::bench]
fn find_shared_payload(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let cache = PayloadCache::default();
    let (group, user) = ([7; 32], UserId::mint());
    let entry = Entry {
        stream: user.0,
        number: 1,
        at: DateTime::UNIX_EPOCH,
        change: None,
        position: LogPosition::Position(1),
        cache: EntryCache::default(),
    };
    runtime.block_on(async {
        let audience = || async { Ok(HashSet::from([user])) };
        cache.audience(&entry, audience).await.unwrap();
        let render = || async { Some(Arc::from([Box::from("{}")])) };
        cache.get_or_render(&entry, group, render).await.unwrap();
    });
    bencher.bench_local(|| cache.get(&entry, group, user).unwrap());
    assert_eq!(cache.rendered(), 1);
}

/// Delivers an event to the subscribers of a large conversation. The time is per subscriber.
#[divan::bench]
fn deliver_event(bencher: Bencher<'_, '_>) {
    let fixture = Fixture::new();
    let follow = || {
        fixture
            .app
            .hub
            .follow(fixture.viewer.user, Since::Now, None)
    };
    let follow = async || future::join_all((0..LISTENERS).map(|_| follow())).await;
    let mut subscriptions: Vec<_> = fixture
        .runtime
        .block_on(follow())
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let (message, at) = (MessageId::mint(), fixture.app.clock.now());
    let changes = [Change::MessageSent { message }];
    bencher.counter(ItemsCount::new(LISTENERS)).bench_local(|| {
        let stream = Stream::Conversation(fixture.group);
        let append = fixture.app.db.write(|tx| {
            let changes = &changes;
            async move { log::append(&tx, stream, at, changes).await }
        });
        fixture.runtime.block_on(async {
            append.await.unwrap();
            for subscription in &mut subscriptions {
                subscription.next().await.unwrap().unwrap();
            }
        });
    });
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A group on SQLite with many unread messages.
struct Fixture {
    app: App,
    viewer: Viewer,
    group: ConversationId,
    runtime: Runtime,
    _folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
        let file = folder.path().join("heddle.db");
        let config = Config {
            database_url: format!("sqlite://{}", file.display()),
            data_dir: folder.path().to_owned(),
            // With the fast path, the response would already contain JSON text.
            list_fast_path: false,
            ..Config::default()
        };
        let secret = Keys::generate().unwrap();
        let group = ConversationId::mint();
        let (app, viewer) = runtime.block_on(async {
            let db = Db::connect(&config.database_url).await.unwrap();
            Migrator::up(db.migrate(), None).await.unwrap();
            let app = App::open(db, config, &secret).await.unwrap();
            let viewer = reader(&app).await;
            fill(&app, viewer.user, group).await;
            (app, viewer)
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

async fn reader(app: &App) -> Viewer {
    const REGISTER: &str = "mutation { register(input: { username: \"ann\", displayName: \"Ann\",
        email: \"ann@example.org\", password: \"a loom has many heddles\" }) { auth { accessToken } } }";
    let (request, batches) = graphql::prepare(app, Caller::default(), REGISTER.into());
    let schema = graphql::schema(app);
    let response = batches.run(schema.execute(request)).await;
    let data = response.data.into_json().unwrap();
    let token = data.pointer("/register/auth/accessToken");
    let token = token.and_then(Value::as_str).unwrap();
    accounts::authenticate(app, token).await.unwrap()
}

/// Imports a group in which another user has sent all messages.
async fn fill(app: &App, reader: UserId, id: ConversationId) {
    let at = app.clock.now();
    let writer = NewUser {
        id: UserId::mint(),
        username: "bob".to_owned(),
        display_name: "Bob".to_owned(),
        email: None,
        password_hash: None,
        at,
    };
    let group = ImportedGroup {
        id,
        title: "Loom".to_owned(),
        topic: None,
        at,
    };
    let members = [writer.id, reader].map(|user| ImportedMember {
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
        import::users_in(&tx, writer).await?;
        import::group_in(&tx, group).await?;
        import::members_in(&tx, id, members, at).await?;
        history.append_in(&tx, messages).await
    });
    filling.await.unwrap();
}
