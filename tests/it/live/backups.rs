//! A stream never hides that events were lost with a database: after a backup was restored, clients load their state
//! again, also when the new log is longer than the lost one was.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{
    binary::Binary,
    groups::Groups,
    messaging::Messaging,
    person::{Person, text},
    postgres,
};

const EVENTS: &str = "subscription($after: String) { events(after: $after) { cursor
    ... on StreamOpenedEvent { outcome } } }";

/// Users of a server that is stopped and started again.
struct Story {
    server: Binary,
    ann: Person,
    bob: Person,
    group: String,
}

impl Story {
    async fn begin(server: Binary) -> Self {
        let endpoint = format!("{}/graphql", server.url());
        let ann = Person::anonymous_at(endpoint.clone()).sign_up("Ann").await;
        let bob = Person::anonymous_at(endpoint).sign_up("Bob").await;
        let group = ann.creates_group(Some("Stream"), &[&bob]).await;
        Self {
            server,
            ann,
            bob,
            group,
        }
    }

    async fn writes(&self, count: usize) {
        for number in 0..count {
            self.ann.says(&self.group, &number.to_string()).await;
        }
    }

    async fn cursor(&self) -> String {
        // The position of this node follows the commit.
        let mut events = self.bob.subscribe(EVENTS, json!({})).await;
        text(&events.next().await["events"]["cursor"])
    }

    async fn outcome(&self, cursor: &str) -> Value {
        let mut events = self.bob.subscribe(EVENTS, json!({ "after": cursor })).await;
        events.next().await["events"]["outcome"].take()
    }

    async fn restart(&mut self) {
        self.server.restart().await;
        let endpoint = format!("{}/graphql", self.server.url());
        self.ann.set_endpoint(endpoint.clone());
        self.bob.set_endpoint(endpoint);
    }

    /// Stops the server, changes its data folder, and starts it.
    async fn meanwhile(&mut self, change: &str) {
        self.server.stop().await;
        shell(&self.server.data(), change).await;
        self.restart().await;
    }
}

/// Runs commands in the folder that contains the data folder.
async fn shell(data: &Path, commands: &str) {
    let mut shell = Command::new("sh");
    shell
        .args(["-ec", commands])
        .current_dir(data.parent().unwrap());
    assert!(shell.status().await.unwrap().success(), "{commands}");
}

#[tokio::test]
async fn every_way_to_restore_the_data_folder_is_found() {
    for restore in [
        "rm -r data; cp -a copy data",
        "mv data lost; mv copy data",
        "cp copy/heddle.sqlite data/heddle.sqlite",
        "rm data/event-log.mark",
    ] {
        let mut story = Story::begin(Binary::on_sqlite().await).await;
        story.writes(1).await;
        let kept = story.cursor().await;
        story.meanwhile("cp -a data copy").await;
        // To copy the data changes nothing for the original.
        assert_eq!(story.outcome(&kept).await, "RESUMED");
        story.writes(5).await;
        let lost = story.cursor().await;
        story.meanwhile(restore).await;
        story.writes(1).await;
        assert_eq!(story.outcome(&lost).await, "RESET", "{restore}");
        story.writes(20).await;
        assert_eq!(story.outcome(&lost).await, "RESET", "{restore}");
        assert_eq!(story.outcome(&kept).await, "RESET", "{restore}");
        assert!(
            story
                .server
                .log()
                .contains("clients load their state again")
        );
        let new = story.cursor().await;
        story.writes(1).await;
        assert_eq!(story.outcome(&new).await, "RESUMED", "{restore}");
    }
}

#[tokio::test]
async fn a_restart_or_a_crash_is_no_restored_backup() {
    for server in [Binary::on_sqlite().await, Binary::on_postgres().await] {
        let mut story = Story::begin(server).await;
        story.writes(2).await;
        let cursor = story.cursor().await;
        story.meanwhile("true").await;
        assert_eq!(story.outcome(&cursor).await, "RESUMED");
        story.writes(2).await;
        story.server.kill().await;
        story.restart().await;
        assert_eq!(story.outcome(&cursor).await, "RESUMED");
        // The folder of the data under another name is the same.
        story.meanwhile("mv data moved; mv moved data").await;
        assert_eq!(story.outcome(&cursor).await, "RESUMED");
        assert!(
            !story
                .server
                .log()
                .contains("clients load their state again")
        );
    }
}

#[tokio::test]
async fn a_copy_of_a_postgres_database_has_other_cursors() {
    let original = postgres::fresh_database().await;
    let mut story = Story::begin(Binary::on_postgres_at(original.clone()).await).await;
    story.writes(3).await;
    let cursor = story.cursor().await;
    story.server.stop().await;
    let copy = Binary::on_postgres_at(postgres::copy_of(&original).await).await;
    // The tokens and cursors of the copy are signed with the same key.
    let key = fs::read(story.server.data().join("token.key")).unwrap();
    let mut copied = Story {
        server: copy,
        ann: story.ann.clone(),
        bob: story.bob.clone(),
        group: story.group.clone(),
    };
    copied.server.stop().await;
    fs::write(copied.server.data().join("token.key"), key).unwrap();
    copied.restart().await;
    copied.writes(30).await;
    assert_eq!(copied.outcome(&cursor).await, "RESET");
    // The original is what it was, also for a second node with a folder of its own.
    story.restart().await;
    assert_eq!(story.outcome(&cursor).await, "RESUMED");
    let second = Binary::on_postgres_at(original).await;
    assert_eq!(story.outcome(&cursor).await, "RESUMED");
    story.meanwhile("true").await;
    assert_eq!(story.outcome(&cursor).await, "RESUMED");
    drop(second);
}

#[tokio::test]
async fn an_administrator_can_begin_a_new_epoch() {
    for server in [Binary::on_sqlite().await, Binary::on_postgres().await] {
        let story = Story::begin(server).await;
        story.writes(1).await;
        let cursor = story.cursor().await;
        assert_eq!(story.outcome(&cursor).await, "RESUMED");
        let mut open = story.bob.subscribe(EVENTS, json!({})).await;
        open.next().await;
        let ran = story.server.heddle().args(["admin", "new-epoch"]).output();
        let ran = ran.await.unwrap();
        assert!(ran.status.success(), "{ran:?}");
        // While the server runs.
        assert_eq!(story.outcome(&cursor).await, "RESET");
        story.writes(1).await;
        let new = story.cursor().await;
        assert_eq!(story.outcome(&new).await, "RESUMED");
    }
}
