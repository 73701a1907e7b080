//! Concurrent sends share transactions, and each has the same result as a send on its own.

mod db_snapshot;
mod operations;

use std::{cell::Cell, collections::BTreeSet};

use futures_util::{FutureExt, future::join_all};
use heddle::{config::Config, domain::integrity};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use sea_orm::{ConnectionTrait, Database, DatabaseTransaction, TransactionTrait};
use serde_json::{Value, json};

use self::operations::{Act, Stage};
use crate::support::{
    app::TestApp, both, groups::Groups, messaging::Messaging, query_cost::QueryCost, seed::seed,
};

both!(
    a_poisonous_message_harms_no_other,
    sends_wait_for_no_particular_task,
    keys_are_looked_up_however_many_there_are,
);

const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
    message { id body sequence } wasDuplicate } }";

/// More than the queues of a server.
const TALKS: usize = 10;

/// A small depth limit, so that trees reach it, and a batch size.
fn shallow(together: usize) -> impl FnOnce(&mut Config) {
    move |config| {
        config.thread_depth = 3;
        config.send_batch_size = together;
    }
}

#[tokio::test]
async fn any_concurrent_sends_behave_as_if_sequential_on_sqlite() {
    let apps = [64, 1].map(|together| TestApp::sqlite_with(shallow(together)));
    let [together, alone] = apps;
    any_concurrent_sends_behave_as_if_sequential(together.await, alone.await).await;
}

#[tokio::test]
async fn any_concurrent_sends_behave_as_if_sequential_on_postgres() {
    let apps = [64, 1].map(|together| TestApp::postgres_with(shallow(together)));
    let [together, alone] = apps;
    any_concurrent_sends_behave_as_if_sequential(together.await, alone.await).await;
}

/// One server receives all messages concurrently, another one by one in the resulting order. Both must then contain the
/// same data, and have returned the same results.
async fn any_concurrent_sends_behave_as_if_sequential(together: TestApp, alone: TestApp) {
    let mut random = SmallRng::seed_from_u64(seed());
    let (here, there) = (Stage::set(&together).await, Stage::set(&alone).await);
    for round in 0..4 {
        let acts: Vec<Act> = (0..random.random_range(2..90))
            .map(|number| Act::random(&mut random, &format!("{round}.{number}")))
            .collect();
        let acts = operations::with_repetitions(&mut random, &acts);
        let sending = acts.iter().map(|act| here.plays(act)).collect::<Vec<_>>();
        let responses = at_once(&together, sending).await;
        let mut order: Vec<_> = (0..acts.len()).collect();
        order.sort_by_key(|&act| responses[act].place());
        for act in order {
            let response = there.plays(&acts[act]).await;
            assert_eq!(response, responses[act], "{:?}", acts[act]);
        }
        let (mine, theirs) = (db_snapshot::of(&here).await, db_snapshot::of(&there).await);
        assert_eq!(mine, theirs);
        let wrong = integrity::prove(&together.app.db).await.unwrap();
        assert_eq!(wrong, integrity::Wrong::default());
    }
}

/// Blocks all sends until every one of them waits. A send to a conversation that is hidden from the sender waits for no
/// lock, and may end before.
async fn at_once<T>(app: &TestApp, sending: Vec<impl Future<Output = T>>) -> Vec<T> {
    let (holding, count) = (
        holds(app, "UPDATE conversation SET last_seq = last_seq").await,
        sending.len(),
    );
    let ended = Cell::new(0);
    let sending = sending.into_iter().map(|send| async {
        let response = send.await;
        ended.set(ended.get() + 1);
        response
    });
    let release = async {
        while app.app.sends.waiting() + ended.get() < count {
            tokio::task::yield_now().await;
        }
        holding.rollback().await.unwrap();
    };
    let (responses, ()) = tokio::join!(join_all(sending), release);
    responses
}

/// Another transaction locks these rows.
async fn holds(app: &TestApp, statement: &str) -> DatabaseTransaction {
    let other = Database::connect(&app.app.config.database_url).await;
    let holding = other.unwrap().begin().await.unwrap();
    holding.execute_unprepared(statement).await.unwrap();
    holding
}

/// The database rejects one message of a batch: the others are sent all the same.
async fn a_poisonous_message_harms_no_other(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversations = [
        ann.direct(&bob).await,
        ann.creates_group(Some("Loom"), &[&bob]).await,
    ];
    let poison = if app.app.config.database_url.starts_with("sqlite") {
        "CREATE TRIGGER poison BEFORE INSERT ON message WHEN NEW.body = 'poison'
         BEGIN SELECT RAISE(ABORT, 'poison'); END"
    } else {
        "ALTER TABLE message ADD CONSTRAINT poison CHECK (body <> 'poison')"
    };
    let db = app.app.db.migrate();
    db.execute_unprepared(poison).await.unwrap();
    let sends = (0..40).map(|number| {
        let body = if number == 20 { "poison" } else { "food" };
        let input = json!({ "conversationId": conversations[number % 2], "body": body });
        let sender = if number % 3 == 0 { &ann } else { &bob };
        sender.request(SEND, json!({ "input": input }))
    });
    let responses = at_once(&app, sends.collect()).await;
    for (number, response) in responses.iter().enumerate() {
        let code = &response["errors"][0]["extensions"]["code"];
        let expected = if number == 20 {
            json!("INTERNAL")
        } else {
            Value::Null
        };
        assert_eq!(*code, expected, "{response:#}");
    }
    let wrong = integrity::prove(&app.app.db).await.unwrap();
    assert_eq!(wrong, integrity::Wrong::default());
    assert_eq!(app.db_count("message WHERE body = 'food'").await, 39);
}

/// A client that stops waiting has sent its message all the same, and the sends behind it continue.
async fn sends_wait_for_no_particular_task(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    let holding = holds(&app, "UPDATE conversation SET last_seq = last_seq").await;
    let says = |body: &str| {
        let input = json!({ "conversationId": conversation, "body": body });
        ann.request(SEND, json!({ "input": input }))
    };
    let (mut first, mut second) = (Box::pin(says("first")), Box::pin(says("second")));
    while app.app.sends.waiting() < 2 {
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    drop((first, second));
    holding.rollback().await.unwrap();
    let third = says("third").await;
    assert_eq!(third["data"]["sendMessage"]["message"]["sequence"], 3);
}

/// Another transaction locks one conversation: sends to others do not wait for it, and what was sent to it
/// meanwhile is sent in the end.
#[tokio::test]
async fn a_conversation_that_is_held_up_holds_up_no_other() {
    let app = TestApp::postgres().await;
    let ann = app.person("Ann").await;
    let held = ann.creates_group(Some("Held"), &[]).await;
    let mut others = vec![];
    for _ in 0..TALKS {
        others.push(ann.creates_group(Some("Free"), &[]).await);
    }
    let statement = "UPDATE conversation SET last_seq = last_seq WHERE title = 'Held'";
    let holding = holds(&app, statement).await;
    let says = |conversation: &str| {
        let input = json!({ "conversationId": conversation, "body": "at once" });
        ann.request(SEND, json!({ "input": input }))
    };
    let waiting = join_all((0..10).map(|_| says(&held)));
    let free = async {
        while app.app.sends.waiting() < 10 {
            tokio::task::yield_now().await;
        }
        let responses = join_all(others.iter().map(|conversation| says(conversation))).await;
        holding.rollback().await.unwrap();
        responses
    };
    let (waited, responses) = tokio::join!(waiting, free);
    let place = |response: &Value| {
        let sequence = response["data"]["sendMessage"]["message"]["sequence"].as_i64();
        sequence.unwrap_or_else(|| panic!("{response:#}"))
    };
    assert!(responses.iter().all(|response| place(response) == 2));
    let places: BTreeSet<_> = waited.iter().map(place).collect();
    assert_eq!(places, (2..12).collect());
}

/// The database may contain only messages without keys, as after an import.
async fn keys_are_looked_up_however_many_there_are(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let (old, conversation) = (
        ann.creates_group(Some("Old"), &[&bob]).await,
        ann.direct(&bob).await,
    );
    app.db_history(&old, &ann.id, 2000).await;
    let work = QueryCost::watch_writes(&app.app.db, "message").await;
    let costs = async |round: &str| {
        let sends = (0..20).map(|number| {
            let key = format!("{round} {number}");
            let input =
                json!({ "conversationId": conversation, "body": "food", "clientMessageId": key });
            ann.request(SEND, json!({ "input": input }))
        });
        let before = work.so_far().await;
        at_once(&app, sends.collect()).await;
        work.so_far().await - before
    };
    let few = costs("few").await;
    let key = "UPDATE message SET client_message_id = CAST(seq AS TEXT) WHERE sender_id IS NOT NULL
                   AND client_message_id IS NULL";
    let db = app.app.db.migrate();
    db.execute_unprepared(key).await.unwrap();
    let many = costs("many").await;
    assert!(
        many * 100 <= few * (100 + work.spread_percent()),
        "{few}, {many}"
    );
}
