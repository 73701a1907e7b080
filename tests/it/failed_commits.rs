//! Transactions fail at every step, on both databases. All acknowledged writes are stored, and the server recovers
//! immediately without help.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{
    binary::Binary,
    disk_faults::{DiskFaults, EIO, ENOSPC},
    groups::Groups,
    person::{PASSWORD, Person, text},
    postgres_proxy::{Cut, PostgresProxy},
};

/// More calls than any operation here makes.
const STEPS: i64 = 60;
/// The number of calls that fail while the disk is full.
const ALL: i64 = i64::MAX;

const SEND: &str =
    "mutation($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
const EDIT: &str =
    "mutation($input: EditMessageInput!) { editMessage(input: $input) { message { id body } } }";
const DELETE: &str =
    "mutation($input: DeleteConversationInput!) { deleteConversation(input: $input) {
    deletedConversationId } }";
/// The newest sessions that must be valid. A user has up to a hundred, also of sign-ins whose responses were lost.
const SESSIONS: usize = 30;
const SIGN_IN: &str =
    "mutation($input: SignInInput!) { signIn(input: $input) { auth { accessToken } } }";
const VIEWER: &str = "{ viewer { user { username } } }";

#[tokio::test]
async fn every_write_call_fails_once_on_sqlite() {
    let disk = DiskFaults::new();
    let mut server = disk.server().await;
    let mut story = Story::begin(&server).await;
    for (error, suffix) in [(EIO, ""), (ENOSPC, "-wal")] {
        for operation in Operation::ALL {
            let mut failures = 0;
            for skip in 0..STEPS {
                disk.arm(error, suffix, skip, 1);
                story.performs(operation).await;
                if disk.disarm() == 0 {
                    break;
                }
                failures += 1;
                story.must_succeed().await;
            }
            assert!(
                failures > 0,
                "{operation:?} made no write call that could fail: {:?}",
                story.refused
            );
        }
    }
    story.survives_a_restart(&mut server).await;
}

/// The disk is full in the middle of a conversation, and has space again later.
#[tokio::test]
async fn a_full_disk_loses_nothing_on_sqlite() {
    let disk = DiskFaults::new();
    let mut server = disk.server().await;
    let mut story = Story::begin(&server).await;
    for (suffix, skip) in [("", 0), ("", 1), ("-wal", 0), ("-wal", 2), ("", 3)] {
        disk.arm(ENOSPC, suffix, skip, ALL);
        for _ in 0..10 {
            for operation in Operation::ALL {
                story.performs(operation).await;
            }
        }
        assert!(disk.disarm() > 0);
        story.must_succeed().await;
    }
    assert!(story.refused.contains("UNAVAILABLE"), "{:?}", story.refused);
    assert!(!story.refused.contains("INTERNAL"), "{:?}", story.refused);
    story.survives_a_restart(&mut server).await;
}

#[tokio::test]
async fn a_server_with_a_full_disk_is_not_ready() {
    let disk = DiskFaults::new();
    let server = disk.server().await;
    let mut story = Story::begin(&server).await;
    let url = format!("{}/readyz", server.url());
    let readiness = async || reqwest::get(&url).await.unwrap().text().await.unwrap();
    assert!(readiness().await.contains("ready"));
    disk.arm(ENOSPC, "", 0, ALL);
    assert!(!story.performs(Operation::Send).await);
    let state = readiness().await;
    assert!(
        state.contains("the disk of the database is full"),
        "{state}"
    );
    // The server notices by itself that there is room again.
    disk.disarm();
    let state = readiness().await;
    assert!(state.contains("\"ready\""), "{state}");
    story.must_succeed().await;
}

#[tokio::test]
async fn every_request_is_cut_once_on_postgres() {
    let proxy = PostgresProxy::new().await;
    let mut server = Binary::on_postgres_at(proxy.url()).await;
    let mut story = Story::begin(&server).await;
    for cut in [Cut::BeforeRequest, Cut::BeforeResponse] {
        for operation in Operation::ALL {
            let mut cuts = 0;
            for passing in 0..STEPS {
                proxy.arm(cut, passing);
                story.performs(operation).await;
                if !proxy.disarm() {
                    break;
                }
                cuts += 1;
                story.must_succeed().await;
            }
            assert!(cuts > 0, "{operation:?} made no request that could be cut");
        }
    }
    story.survives_a_restart(&mut server).await;
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Send,
    Edit,
    SignIn,
    /// Deletes a conversation, whose messages a background job erases.
    Delete,
}

impl Operation {
    const ALL: [Self; 4] = [Self::Send, Self::Edit, Self::SignIn, Self::Delete];
}

/// Ann writes to Bob, and records what the server acknowledges.
struct Story {
    ann: Person,
    group: String,
    /// The message that is edited, and every text that may be its last: the acknowledged one, and those after it whose
    /// outcome is unknown.
    edited: String,
    last_texts: Vec<String>,
    sent: Vec<String>,
    tokens: Vec<String>,
    deleted: Vec<String>,
    /// The error codes of failed operations.
    refused: BTreeSet<String>,
    count: usize,
}

impl Story {
    async fn begin(server: &Binary) -> Self {
        let endpoint = format!("{}/graphql", server.url());
        let ann = Person::anonymous_at(endpoint.clone()).sign_up("Ann").await;
        let bob = Person::anonymous_at(endpoint).sign_up("Bob").await;
        let group = ann.creates_group(Some("Ledger"), &[&bob]).await;
        let mut story = Self {
            ann,
            group,
            edited: String::new(),
            last_texts: vec!["message 1".to_owned()],
            sent: vec![],
            tokens: vec![],
            deleted: vec![],
            refused: BTreeSet::new(),
            count: 0,
        };
        assert!(story.performs(Operation::Send).await);
        story.edited = story.sent[0].clone();
        story
    }

    fn moves_to(&mut self, server: &Binary) {
        self.ann.set_endpoint(format!("{}/graphql", server.url()));
    }

    /// Verifies what is stored, before and after the server is killed and started again.
    async fn survives_a_restart(&mut self, server: &mut Binary) {
        self.is_stored().await;
        server.kill().await;
        server.restart().await;
        self.moves_to(server);
        self.is_stored().await;
    }

    /// Performs an operation and records it if it is acknowledged. Returns whether it is.
    async fn performs(&mut self, operation: Operation) -> bool {
        self.count += 1;
        let body = format!("message {}", self.count);
        match operation {
            Operation::Send => {
                let input = json!({ "conversationId": self.group, "body": body });
                let Some(data) = self.try_request(SEND, input).await else {
                    return false;
                };
                self.sent.push(text(&data["sendMessage"]["message"]["id"]));
            }
            Operation::Edit => {
                self.last_texts.push(body.clone());
                let input = json!({ "messageId": self.edited, "body": body });
                let Some(_) = self.try_request(EDIT, input).await else {
                    return false;
                };
                self.last_texts = vec![body];
            }
            Operation::SignIn => {
                // Bob, because the oldest of too many sessions of a user end, and Ann needs hers.
                let input = json!({ "login": "bob", "password": PASSWORD });
                let Some(data) = self.try_request(SIGN_IN, input).await else {
                    return false;
                };
                self.tokens
                    .push(text(&data["signIn"]["auth"]["accessToken"]));
            }
            Operation::Delete => {
                let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) {
                    conversation { id } } }";
                let input = json!({ "title": body, "participantIds": [] });
                let Some(data) = self.try_request(create, input).await else {
                    return false;
                };
                let id = text(&data["createConversation"]["conversation"]["id"]);
                let Some(_) = self
                    .try_request(DELETE, json!({ "conversationId": id }))
                    .await
                else {
                    return false;
                };
                self.deleted.push(id);
            }
        }
        true
    }

    async fn try_request(&mut self, query: &str, input: Value) -> Option<Value> {
        let mut response = self.ann.request(query, json!({ "input": input })).await;
        let Some(errors) = response["errors"].as_array() else {
            return Some(response["data"].take());
        };
        for error in errors {
            let code = error["extensions"]["code"].as_str();
            self.refused.insert(code.unwrap_or_default().to_owned());
        }
        None
    }

    /// Verifies that operations after a fault succeed without a restart.
    async fn must_succeed(&mut self) {
        for operation in Operation::ALL {
            assert!(self.performs(operation).await, "{:?}", self.refused);
        }
    }

    /// Verifies that every acknowledged change is stored.
    async fn is_stored(&self) {
        for id in &self.sent {
            let query = "query($id: ID!) { message(id: $id) { body } }";
            let data = self.ann.execute(query, json!({ "id": id })).await;
            let body = text(&data["message"]["body"]);
            if *id == self.edited {
                assert!(self.last_texts.contains(&body), "{body}");
            }
        }
        for token in self.tokens.iter().rev().take(SESSIONS) {
            let mut bob = self.ann.clone();
            bob.token = Some(token.clone());
            bob.execute(VIEWER, Value::Null).await;
        }
        for id in &self.deleted {
            let query = "query($id: ID!) { conversation(id: $id) { id } }";
            let response = self.ann.request(query, json!({ "id": id })).await;
            assert_eq!(response, json!({ "data": { "conversation": null } }));
        }
    }
}
