//! Deleted texts leave every file of the server within a minute.

use std::{fs, time::Duration};

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::{
    binary::Binary,
    dump::dump,
    groups::Groups,
    messaging::Messaging,
    person::{PASSWORD, Person},
};

/// The time within which deleted texts are gone.
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn deleted_texts_leave_the_files_of_sqlite() {
    let server = Binary::on_sqlite().await;
    delete_everything(&server).await;
    texts_are_gone(&server).await;
}

#[tokio::test]
async fn deleted_texts_leave_the_files_of_a_server_that_was_killed() {
    let mut server = Binary::on_sqlite().await;
    let endpoint = format!("{}/graphql", server.url());
    let ann = Person::anonymous_at(endpoint).sign_up("Ann").await;
    let group = ann.creates_group(Some("Wool"), &[]).await;
    let message = ann.says(&group, "a canary").await;
    ann.deletes(&message).await;
    server.kill().await;
    assert!(file_with_canary(&server).is_some());
    server.restart().await;
    texts_are_gone(&server).await;
}

async fn texts_are_gone(server: &Binary) {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let gone = async {
        while let Some(file) = file_with_canary(server) {
            ticks.tick().await;
            drop(file);
        }
    };
    let gone = tokio::time::timeout(LIMIT, gone).await;
    assert!(
        gone.is_ok(),
        "{:?} contains a deleted text",
        file_with_canary(server)
    );
}

#[tokio::test]
async fn deleted_texts_leave_the_tables_of_postgres() {
    let server = Binary::on_postgres().await;
    delete_everything(&server).await;
    let db = server.db().await;
    db.read().pools()[0]
        .execute_unprepared("VACUUM")
        .await
        .unwrap();
    assert!(!dump(&db).await.contains("canary"));
}

/// Ann and Bob write, edit and delete; Cleo writes and deletes her account.
async fn delete_everything(server: &Binary) {
    let endpoint = format!("{}/graphql", server.url());
    let sign_up = async |name| Person::anonymous_at(endpoint.clone()).sign_up(name).await;
    let (ann, bob) = (sign_up("Ann").await, sign_up("Bob").await);
    let cleo = sign_up("Canarycleo").await;
    let group = ann.creates_group(Some("Wool"), &[&bob, &cleo]).await;
    let root = ann.says(&group, "Which yarn?").await;
    for number in 0..20 {
        let long = "canary ".repeat(1 + number * 40);
        let message = ann.replies(&group, &root, &long).await;
        ann.edits(&message, &format!("canary {number}")).await;
        ann.deletes(&message).await;
        cleo.says(&group, &format!("canary of {number}")).await;
    }
    let other = bob.creates_group(Some("canary group"), &[&ann]).await;
    bob.says(&other, "the last canary").await;
    let delete = "mutation($input: DeleteConversationInput!) { deleteConversation(input: $input) {
        deletedConversationId } }";
    bob.execute(delete, json!({ "input": { "conversationId": other } }))
        .await;
    let delete =
        "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedUserId } }";
    let input = json!({ "input": {
        "confirmUsername": "canarycleo", "password": PASSWORD, "messages": "DELETE",
    } });
    cleo.execute(delete, input).await;
}

/// The first file of the data folder that contains a deleted text.
fn file_with_canary(server: &Binary) -> Option<String> {
    let files = fs::read_dir(server.data()).unwrap();
    let mut paths = files.map(|entry| entry.unwrap().path());
    let found = paths.find(|path| {
        let content = fs::read(path).unwrap_or_default().to_ascii_lowercase();
        content.windows(6).any(|window| window == b"canary")
    });
    found.map(|path| path.display().to_string())
}
