//! Deleting an account, and what is deleted with it.

use heddle::{
    db,
    id::{ConversationId, MessageId, UserId},
    live::log::Change,
};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    messaging::Messaging,
    person::{PASSWORD, Person, text},
};

const DELETE: &str = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
    deletedUserId } }";
const PREVIEW: &str = "{ viewer { deletionPreview {
    groupMessageCount directConversationCount directMessageCount keptThreadCount revisionCount
    notificationCount ownedGroupCount } } }";
const TREE: &str = "query($id: ID!) { message(id: $id) {
    body deletedAt replyCount descendantCount sender { username }
    thread { replyCount } } }";
/// Text that only the deleted user wrote.
const CANARY: &str = "canary-7f3a";

both!(
    the_preview_counts_what_will_go,
    everything_a_person_wrote_is_gone,
    replies_of_others_stay_below_empty_markers,
    anonymous_messages_stay_without_a_sender,
    anonymous_messages_are_edited_once_and_deleted_once,
    owners_hand_their_groups_over_first,
    going_needs_the_name_and_the_password,
    going_signs_out_everywhere_and_frees_the_name,
);

async fn group(owner: &Person, title: &str, others: &[&Person]) -> String {
    let ids: Vec<_> = others.iter().map(|other| &other.id).collect();
    let input = json!({ "input": { "title": title, "participantIds": ids } });
    let create = "mutation($input: CreateConversationInput!) { createConversation(input: $input) {
        conversation { id } } }";
    let data = owner.execute(create, input).await;
    text(&data["createConversation"]["conversation"]["id"])
}

async fn direct(one: &Person, other: &Person) -> String {
    let open = "mutation($input: OpenDirectConversationInput!) {
        openDirectConversation(input: $input) { conversation { id } } }";
    let input = json!({ "input": { "userIds": [other.id] } });
    let data = one.execute(open, input).await;
    text(&data["openDirectConversation"]["conversation"]["id"])
}

async fn says(person: &Person, conversation: &str, parent: Option<&str>, words: &str) -> String {
    let send =
        "mutation($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
    let input = json!({ "input": {
        "conversationId": conversation, "parentId": parent, "body": words,
        "clientMessageId": format!("{words} key"),
    } });
    let data = person.execute(send, input).await;
    text(&data["sendMessage"]["message"]["id"])
}

async fn edits(person: &Person, message: &str, words: &str) {
    let edit =
        "mutation($input: EditMessageInput!) { editMessage(input: $input) { message { id } } }";
    let input = json!({ "input": { "messageId": message, "body": words, "reason": words } });
    person.execute(edit, input).await;
}

async fn sees(person: &Person, message: &str) -> Value {
    person.execute(TREE, json!({ "id": message })).await["message"].clone()
}

fn farewell(name: &str, password: &str, messages: &str) -> Value {
    json!({ "input": { "confirmUsername": name, "password": password, "messages": messages } })
}

async fn goes(person: &Person, messages: &str) {
    let data = person
        .execute(DELETE, farewell(&person.username, PASSWORD, messages))
        .await;
    assert_eq!(data["deleteAccount"]["deletedUserId"], json!(person.id));
}

#[derive(FromQueryResult)]
struct Name {
    name: String,
}

/// Returns every table and column that contains this text.
async fn found_in(app: &TestApp, words: &str) -> Vec<String> {
    let db = app.app.db.read();
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let tables: Vec<Name> = if is_postgres {
        db::fetch_all(
            db,
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
            [],
        )
    } else {
        db::fetch_all(
            db,
            "SELECT name FROM sqlite_master WHERE type = 'table'",
            [],
        )
    }
    .await
    .unwrap();
    assert!(tables.len() > 10);
    let sought = if is_postgres {
        format!("%{words}%")
    } else {
        words.to_owned()
    };
    let mut found = vec![];
    for Name { name } in tables {
        let whole_row = if is_postgres {
            format!("SELECT '{name}' AS name FROM \"{name}\" t WHERE t::text LIKE ? LIMIT 1")
        } else {
            let columns: Vec<Name> = db::fetch_all(
                db,
                "SELECT name FROM pragma_table_info(?)",
                [name.as_str().into()],
            )
            .await
            .unwrap();
            // The comparison is by bytes, because text functions stop at the NUL bytes of ids.
            let columns: Vec<_> = columns
                .iter()
                .map(|column| {
                    format!(
                        "instr(CAST(\"{}\" AS BLOB), CAST(?1 AS BLOB)) > 0",
                        column.name
                    )
                })
                .collect();
            let any = columns.join(" OR ");
            format!("SELECT '{name}' AS name FROM \"{name}\" WHERE {any} LIMIT 1")
        };
        let rows: Vec<Name> = db::fetch_all(db, &whole_row, [sought.clone().into()])
            .await
            .unwrap();
        found.extend(rows.into_iter().map(|row| row.name));
    }
    found
}

/// Returns the rows that still contain the id of this user.
async fn named_in(app: &TestApp, person: &Person) -> Vec<String> {
    let id = UserId::from_text(&person.id);
    let mut found = vec![];
    for (table, column) in [
        ("participant", "user_id"),
        ("message", "sender_id"),
        ("message_revision", "editor_id"),
        ("mention", "user_id"),
        ("notification", "user_id"),
        ("notification", "actor_id"),
        ("read_mark", "user_id"),
        ("read_exception", "user_id"),
        ("thread_follow", "user_id"),
        ("session", "user_id"),
        ("conversation", "created_by"),
    ] {
        let text = format!("SELECT '{table}' AS name FROM {table} WHERE {column} = ? LIMIT 1");
        let rows: Vec<Name> = db::fetch_all(app.app.db.read(), &text, [id.into()])
            .await
            .unwrap();
        found.extend(rows.into_iter().map(|row| row.name));
    }
    found
}

async fn the_preview_counts_what_will_go(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let club = group(&bob, "Weavers", &[&ann]).await;
    let own = group(&ann, "Alone", &[]).await;
    let private = direct(&ann, &bob).await;
    let root = says(&ann, &club, None, "one").await;
    says(&bob, &club, Some(&root), "two").await;
    let lonely = says(&ann, &club, None, "three").await;
    says(&ann, &club, Some(&lonely), "four").await;
    edits(&ann, &lonely, "three again").await;
    says(&ann, &own, None, "five").await;
    says(&ann, &private, None, "six").await;
    says(&bob, &private, None, "seven").await;
    let seen = ann.execute(PREVIEW, Value::Null).await;
    let mut preview = seen["viewer"]["deletionPreview"].clone();
    // Being added and Bob's messages create notifications, as the settings decide.
    let notified = preview["notificationCount"].take();
    assert!(notified.as_i64().unwrap() >= 0);
    assert_eq!(
        preview,
        json!({
            "groupMessageCount": 4, "directConversationCount": 1, "directMessageCount": 2,
            "keptThreadCount": 1, "revisionCount": 1, "notificationCount": null,
            "ownedGroupCount": 1,
        })
    );
}

async fn everything_a_person_wrote_is_gone(app: TestApp) {
    let ann = app.person(CANARY).await;
    let bob = app.person("Bob").await;
    let update = "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
        viewer { id } } }";
    let input = json!({ "displayName": CANARY, "bio": CANARY, "firstName": CANARY });
    ann.execute(update, json!({ "input": input })).await;
    let club = group(&bob, "Weavers", &[&ann]).await;
    let private = direct(&ann, &bob).await;
    group(&ann, CANARY, &[]).await;
    let root = says(&ann, &club, None, &format!("{CANARY} begins")).await;
    let response = says(&bob, &club, Some(&root), "Bob answers").await;
    let deep = says(
        &ann,
        &club,
        Some(&response),
        &format!("{CANARY} goes on @bob"),
    )
    .await;
    edits(&ann, &deep, &format!("{CANARY} thinks again")).await;
    let gone = says(&ann, &club, None, &format!("{CANARY} says too much")).await;
    let delete = "mutation($input: DeleteMessageInput!) { deleteMessage(input: $input) {
        deletedMessageId } }";
    ann.execute(delete, json!({ "input": { "messageId": gone } }))
        .await;
    says(&ann, &private, None, &format!("{CANARY} whispers")).await;
    says(&bob, &private, None, "Bob whispers").await;
    assert!(found_in(&app, CANARY).await.len() >= 4);
    goes(&ann, "DELETE").await;
    assert_eq!(found_in(&app, CANARY).await, Vec::<String>::new());
    assert_eq!(named_in(&app, &ann).await, Vec::<String>::new());
    assert_eq!(found_in(&app, "Bob whispers").await, Vec::<String>::new());
    assert_eq!(found_in(&app, "Bob answers").await, ["message"]);
    let seen = bob
        .execute(
            "query($id: ID!) { conversation(id: $id) { id } }",
            json!({ "id": private }),
        )
        .await;
    assert_eq!(seen["conversation"], Value::Null);
}

async fn replies_of_others_stay_below_empty_markers(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let club = group(&bob, "Weavers", &[&ann]).await;
    let root = says(&ann, &club, None, "one").await;
    let response = says(&bob, &club, Some(&root), "two").await;
    let third = says(&ann, &club, Some(&response), "three").await;
    let last = says(&bob, &club, Some(&third), "four").await;
    let leaf = says(&ann, &club, Some(&last), "five").await;
    let lonely = says(&ann, &club, None, "six").await;
    says(&ann, &club, Some(&lonely), "seven").await;
    goes(&ann, "DELETE").await;
    for (message, replies, below) in [(&root, 1, 2), (&third, 1, 1)] {
        let seen = sees(&bob, message).await;
        assert!(seen["deletedAt"].is_string(), "{seen}");
        assert_eq!(seen["body"], Value::Null);
        assert_eq!(seen["sender"], Value::Null);
        assert_eq!(seen["replyCount"], replies);
        assert_eq!(seen["descendantCount"], below);
    }
    assert_eq!(sees(&bob, &root).await["thread"]["replyCount"], 2);
    for (message, below) in [(&response, 1), (&last, 0)] {
        let seen = sees(&bob, message).await;
        assert_eq!(seen["sender"]["username"], "bob");
        assert_eq!(seen["deletedAt"], Value::Null);
        assert_eq!(seen["replyCount"], 0);
        assert_eq!(seen["descendantCount"], below);
    }
    // Markers without replies are hidden.
    for message in [&leaf, &lonely] {
        assert_eq!(sees(&bob, message).await, Value::Null);
    }
}

async fn anonymous_messages_stay_without_a_sender(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let club = group(&bob, "Weavers", &[&ann]).await;
    let private = direct(&ann, &bob).await;
    let root = says(&ann, &club, None, "one").await;
    edits(&ann, &root, "one again").await;
    says(&bob, &club, Some(&root), "two").await;
    says(&ann, &private, None, CANARY).await;
    goes(&ann, "ANONYMIZE").await;
    let seen = sees(&bob, &root).await;
    assert_eq!(seen["body"], "one again");
    assert_eq!(seen["sender"], Value::Null);
    assert_eq!(seen["replyCount"], 1);
    assert_eq!(found_in(&app, CANARY).await, Vec::<String>::new());
    assert_eq!(named_in(&app, &ann).await, Vec::<String>::new());
}

async fn anonymous_messages_are_edited_once_and_deleted_once(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let club = group(&bob, "Weavers", &[&ann]).await;
    let before = says(&ann, &club, None, "one").await;
    let after = says(&ann, &club, None, "two").await;
    let kept = says(&ann, &club, None, "three").await;
    bob.deletes(&before).await;
    goes(&ann, "ANONYMIZE").await;
    bob.deletes(&after).await;
    let rows: Vec<Name> = db::fetch_all(
        app.app.db.read(),
        "SELECT payload AS name FROM event WHERE stream_id = ? ORDER BY seq",
        [ConversationId::from_text(&club).into()],
    )
    .await
    .unwrap();
    let changes = rows.iter().map(|row| serde_json::from_str(&row.name));
    let changes: Vec<Change> = changes.map(Result::unwrap).collect();
    let events_of = |id: &str| {
        let wanted = MessageId::from_text(id);
        let event = |change: &Change| match *change {
            Change::MessageSent { message } => Some((message, "sent")),
            Change::MessageEdited { message } => Some((message, "edited")),
            Change::MessageDeleted { message, .. } => Some((message, "deleted")),
            _ => None,
        };
        let events = changes.iter().filter_map(event);
        let here = events.filter(|(message, _)| *message == wanted);
        here.map(|(_, event)| event).collect::<Vec<_>>()
    };
    assert_eq!(events_of(&before), ["sent", "deleted"]);
    assert_eq!(events_of(&after), ["sent", "edited", "deleted"]);
    assert_eq!(events_of(&kept), ["sent", "edited"]);
}

async fn owners_hand_their_groups_over_first(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let club = group(&ann, "Weavers", &[&bob]).await;
    let root = says(&ann, &club, None, "one").await;
    let bye = farewell("ann", PASSWORD, "DELETE");
    ann.expect_error("FORBIDDEN", DELETE, bye).await;
    assert_eq!(sees(&bob, &root).await["body"], "one");
    let change = "mutation($input: ChangeParticipantRoleInput!) {
        changeParticipantRole(input: $input) { participant { role } } }";
    let input = json!({ "conversationId": club, "userId": bob.id, "role": "OWNER" });
    ann.execute(change, json!({ "input": input })).await;
    goes(&ann, "DELETE").await;
    let seen = bob
        .execute(
            "query($id: ID!) { conversation(id: $id) { participantCount createdBy { id } } }",
            json!({ "id": club }),
        )
        .await;
    assert_eq!(
        seen["conversation"],
        json!({ "participantCount": 1, "createdBy": null })
    );
}

async fn going_needs_the_name_and_the_password(app: TestApp) {
    let ann = app.person("Ann").await;
    let input = json!({ "input": { "confirmUsername": "bob" } });
    let error = ann.expect_error("BAD_USER_INPUT", DELETE, input).await;
    assert_eq!(error["extensions"]["problems"].as_array().unwrap().len(), 2);
    let wrong = farewell("ann", "not the password", "DELETE");
    ann.expect_error("WRONG_CREDENTIALS", DELETE, wrong).await;
    let bye = farewell("ann", PASSWORD, "DELETE");
    app.anonymous()
        .expect_error("UNAUTHENTICATED", DELETE, bye)
        .await;
    app.anonymous()
        .expect_error("UNAUTHENTICATED", "{ users { nodes { id } } }", Value::Null)
        .await;
    goes(&ann, "DELETE").await;
}

async fn going_signs_out_everywhere_and_frees_the_name(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    goes(&ann, "DELETE").await;
    let seen = ann.execute("{ viewer { id } }", Value::Null).await;
    assert_eq!(seen["viewer"], Value::Null);
    let by = json!({ "id": ann.id });
    let user = "query($id: ID!) { user(by: { id: $id }) { id } }";
    assert_eq!(bob.execute(user, by).await["user"], Value::Null);
    let rows: Vec<Name> = db::fetch_all(
        app.app.db.read(),
        "SELECT payload AS name FROM event WHERE stream_id = ? AND kind = 'SessionEnded'",
        [UserId::from_text(&ann.id).into()],
    )
    .await
    .unwrap();
    assert_eq!(rows.len(), 1);
    assert!(rows[0].name.contains("ACCOUNT_DELETED"));
    let again = app.person("Ann").await;
    assert_ne!(again.id, ann.id);
}
