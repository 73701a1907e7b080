//! The server is killed twenty times while eight users write. Every message that it acknowledged is stored once, in one
//! order without a gap; every message that it did not acknowledge is sent again with the same key.

use std::{collections::BTreeSet, sync::Mutex};

use futures_util::future::join_all;
use heddle::{db, live::log::Change};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use sea_orm::FromQueryResult;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::{
    binary::Binary,
    groups::Groups,
    person::{Person, text},
    seed::seed,
};

const ROUNDS: usize = 20;
const WRITERS: [&str; 8] = ["Ann", "Bob", "Cem", "Dora", "Eva", "Finn", "Gus", "Hal"];

const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
    message { id } wasDuplicate } }";

#[tokio::test]
async fn acknowledged_writes_survive_on_sqlite() {
    acknowledged_writes_survive(Binary::on_sqlite().await).await;
}

#[tokio::test]
async fn acknowledged_writes_survive_on_postgres() {
    acknowledged_writes_survive(Binary::on_postgres().await).await;
}

async fn acknowledged_writes_survive(mut server: Binary) {
    let mut random = SmallRng::seed_from_u64(seed());
    let (group, mut writers) = gathered(&server, &mut random).await;
    let known = Mutex::new(vec![]);
    let mut unknown = 0;
    for _ in 0..ROUNDS {
        let acknowledged = Semaphore::new(0);
        let enough = random.random_range(1..60);
        let writing = writers
            .iter_mut()
            .map(|writer| writer.writes(&group, &known, &acknowledged));
        let killing = async {
            let _ = acknowledged.acquire_many(enough).await.unwrap();
            server.kill().await;
        };
        tokio::join!(join_all(writing), killing);
        server.restart().await;
        for writer in &mut writers {
            writer
                .person
                .set_endpoint(format!("{}/graphql", server.url()));
            unknown += usize::from(writer.pending.is_some());
            writer.settles(&known).await;
        }
    }
    assert!(
        unknown >= ROUNDS,
        "{unknown} interrupted sends prove little"
    );
    let sent = known.into_inner().unwrap();
    the_timeline_is_whole(&writers[0].person, &group, &sent).await;
    server.stop().await;
    every_message_was_delivered_once(&server, sent.len()).await;
    let doctor = server.heddle().args(["doctor", "--recount"]).output().await;
    let doctor = doctor.unwrap();
    let printed = String::from_utf8_lossy(&doctor.stdout);
    assert!(doctor.status.success(), "{printed}");
}

/// A user who sends one message after the other.
struct Writer {
    person: Person,
    random: SmallRng,
    count: usize,
    /// The message that was sent without a response.
    pending: Option<Value>,
    /// The last acknowledged message, with its id.
    last: Option<(Value, String)>,
}

async fn gathered(server: &Binary, random: &mut SmallRng) -> (String, Vec<Writer>) {
    let mut writers = vec![];
    for name in WRITERS {
        let person = Person::anonymous_at(format!("{}/graphql", server.url()));
        writers.push(Writer {
            person: person.sign_up(name).await,
            random: SmallRng::seed_from_u64(random.random()),
            count: 0,
            pending: None,
            last: None,
        });
    }
    let (first, others) = writers.split_first().unwrap();
    let others: Vec<_> = others.iter().map(|writer| &writer.person).collect();
    let group = first.person.creates_group(Some("Survivors"), &others).await;
    (group, writers)
}

impl Writer {
    /// Sends messages until the server is killed.
    async fn writes(&mut self, group: &str, known: &Mutex<Vec<String>>, acknowledged: &Semaphore) {
        loop {
            let input = self.next(group, known);
            self.pending = Some(input.clone());
            let Ok(response) = self
                .person
                .try_request(SEND, json!({ "input": input.clone() }))
                .await
            else {
                return;
            };
            assert!(response.get("errors").is_none(), "{response:#}");
            let sent = &response["data"]["sendMessage"];
            assert_eq!(sent["wasDuplicate"], false, "{input:#}");
            self.pending = None;
            self.is_acknowledged(input, text(&sent["message"]["id"]), known);
            acknowledged.add_permits(1);
        }
    }

    /// Returns a new root message or reply.
    fn next(&mut self, group: &str, known: &Mutex<Vec<String>>) -> Value {
        self.count += 1;
        let key = format!("{}-{}", self.person.username, self.count);
        let known = known.lock().unwrap();
        let parent = known
            .choose(&mut self.random)
            .filter(|_| self.random.random_bool(0.7));
        json!({
            "conversationId": group,
            "parentId": parent,
            "body": format!("This is {key}"),
            "clientMessageId": key,
        })
    }

    fn is_acknowledged(&mut self, input: Value, id: String, known: &Mutex<Vec<String>>) {
        known.lock().unwrap().push(id.clone());
        self.last = Some((input, id));
    }

    /// Sends messages again, with and without a response: a repeated key returns the same message.
    async fn settles(&mut self, known: &Mutex<Vec<String>>) {
        if let Some((input, id)) = self.last.clone() {
            assert_eq!(self.repeats(&input).await, (id, true), "{input:#}");
        }
        let Some(input) = self.pending.take() else {
            return;
        };
        let (id, _) = self.repeats(&input).await;
        assert_eq!(self.repeats(&input).await, (id.clone(), true), "{input:#}");
        self.is_acknowledged(input, id, known);
    }

    /// Returns the id, and whether the message was a duplicate.
    async fn repeats(&self, input: &Value) -> (String, bool) {
        let data = self.person.execute(SEND, json!({ "input": input })).await;
        let sent = &data["sendMessage"];
        let was_duplicate = sent["wasDuplicate"].as_bool().unwrap();
        (text(&sent["message"]["id"]), was_duplicate)
    }
}

/// The timeline contains all acknowledged messages, and nothing else except the group's first notice.
async fn the_timeline_is_whole(reader: &Person, group: &str, sent: &[String]) {
    const PAGE: &str = "query($id: ID!, $after: String) { conversation(id: $id) {
        messages(first: 100, after: $after, includeReplies: true) {
            nodes { id sequence kind } pageInfo { hasNextPage endCursor } } } }";
    let (mut there, mut sequences) = (vec![], vec![]);
    let variables = json!({ "id": group });
    for node in reader
        .nodes(PAGE, variables, "/conversation/messages")
        .await
    {
        sequences.push(node["sequence"].as_i64().unwrap());
        if node["kind"] == "USER" {
            there.push(text(&node["id"]));
        }
    }
    let gapless: Vec<_> = (1..).take(sequences.len()).collect();
    assert_eq!(sequences, gapless);
    let acknowledged: BTreeSet<_> = sent.iter().collect();
    assert_eq!(acknowledged.len(), sent.len(), "one id for two messages");
    assert_eq!(there.len(), sent.len(), "a message is lost or repeated");
    assert_eq!(there.iter().collect::<BTreeSet<_>>(), acknowledged);
}

/// The log has one event for each message and for the notice, in spite of the kills.
async fn every_message_was_delivered_once(server: &Binary, sent: usize) {
    #[derive(FromQueryResult)]
    struct Row {
        id: heddle::id::MessageId,
    }
    #[derive(FromQueryResult)]
    struct Announced {
        payload: String,
    }
    let db = server.db().await;
    let rows: Vec<Row> = db::fetch_all(db.read(), "SELECT id FROM message", [])
        .await
        .unwrap();
    let query = "SELECT payload FROM event WHERE kind = 'MessageSent'";
    let events: Vec<Announced> = db::fetch_all(db.read(), query, []).await.unwrap();
    db.close().await.unwrap();
    let mut printed: Vec<_> = events
        .iter()
        .map(
            |event| match serde_json::from_str(&event.payload).unwrap() {
                Change::MessageSent { message } => message,
                other => panic!("{other:?}"),
            },
        )
        .collect();
    let mut there: Vec<_> = rows.iter().map(|row| row.id).collect();
    printed.sort_unstable();
    there.sort_unstable();
    assert_eq!(there.len(), sent + 1);
    assert_eq!(printed, there);
}
