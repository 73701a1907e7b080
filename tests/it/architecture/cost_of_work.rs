//! The cost of an operation follows the work that it causes: for each field of the schema, selected on a page of a large
//! database, the work of the database per unit of cost is similar.

use std::{collections::HashMap, fmt::Write};

use async_graphql_parser::types::{FieldDefinition, TypeDefinition, TypeKind};
use heddle::{
    db::{self, Db},
    id::UserId,
};
use sea_orm::DbBackend;
use serde_json::Value;

use super::fields::{call, types};
use crate::support::{
    app::TestApp,
    groups::Groups,
    messaging::Messaging,
    person::{Person, text},
    query_cost::{self, QueryCost},
    rows::db_groups,
};

/// How much the work per unit of cost may differ between two operations.
const FACTOR: i64 = 20;
/// Operations below this cost are left out: what every operation does, such as the check of the session, is most of
/// their work.
const SMALL: i64 = 50;

/// Pages of the lists of the viewer's messages.
const LISTS: [&str; 5] = [
    "messages(first: 2)",
    "messages(first: 100)",
    "messages(first: 100, order: OLDEST_FIRST)",
    r#"messages(first: 100, filter: { senderIds: "BEN" })"#,
    "messages",
];

#[tokio::test]
async fn work_follows_cost_on_sqlite() {
    work_follows_cost(TestApp::sqlite_with(query_cost::on_connections).await).await;
}

#[tokio::test]
async fn work_follows_cost_on_postgres() {
    work_follows_cost(TestApp::postgres().await).await;
}

async fn work_follows_cost(app: TestApp) {
    let (ada, ben, pages) = large_database(&app).await;
    let types = types();
    let work = QueryCost::watch_all(&app.app.db).await;
    let mut measured = vec![];
    for (of_type, page) in pages {
        for selection in selections(&types, of_type) {
            let query = page.replace('@', &selection);
            let cost = cost_of(&ada, &query).await;
            if cost < SMALL {
                continue;
            }
            let run = async || {
                ada.execute(&query, Value::Null).await;
            };
            measured.push((work.least(run).await * 100 / cost, cost, of_type, selection));
        }
    }
    let lists = LISTS.iter().map(|list| list.replace("BEN", &ben.id));
    for list in lists {
        let query = format!("{{ viewer {{ {list} {{ nodes {{ id }} }} }} }}");
        let cost = cost_of(&ada, &query).await;
        let run = async || {
            ada.execute(&query, Value::Null).await;
        };
        measured.push((work.least(run).await * 100 / cost, cost, "Viewer", list));
    }
    assert!(measured.len() > 60, "{}", measured.len());
    measured.sort();
    let (least, most) = (measured[0].0.max(1), measured[measured.len() - 1].0);
    assert!(most <= least * FACTOR, "{}", table(&measured));
}

fn table(measured: &[(i64, i64, &str, String)]) -> String {
    let mut text = "work for 100 units of cost, cost, selection\n".to_owned();
    for (work, cost, of_type, selection) in measured {
        writeln!(text, "{work:>9} {cost:>5} {of_type} {{ {selection} }}").unwrap();
    }
    text
}

/// Every field of a type, with two items of each connection.
fn selections(types: &HashMap<String, TypeDefinition>, of_type: &str) -> Vec<String> {
    let (TypeKind::Object(object), mut found) = (&types[of_type].kind, vec![]) else {
        panic!("{of_type} is not an object");
    };
    for field in &object.fields {
        found.push(selection(types, &field.node));
    }
    found
}

fn selection(types: &HashMap<String, TypeDefinition>, field: &FieldDefinition) -> String {
    let has = |name| {
        let mut arguments = field.arguments.iter();
        arguments.any(|argument| argument.node.name.node == name)
    };
    if has("first") {
        return format!("{}(first: 2) {{ nodes {{ __typename }} }}", field.name.node);
    }
    call(types, field)
}

/// The cost of an operation, as the server reports it.
async fn cost_of(who: &Person, query: &str) -> i64 {
    let response = who.post(query, Value::Null).await.unwrap();
    let timing = response.headers()["server-timing"].to_str().unwrap();
    let cost = timing.split("cost;desc=\"").nth(1).unwrap();
    cost.split('"').next().unwrap().parse().unwrap()
}

/// Adds three revisions to each root message without any.
async fn db_revisions(db: &Db) {
    let id = match db.backend() {
        DbBackend::Sqlite => "randomblob(16)",
        _ => "gen_random_uuid()",
    };
    let text = format!(
        "INSERT INTO message_revision (id, message_id, number, body, editor_id, replaced_at)
         SELECT {id}, m.id, n.number, m.body, m.sender_id, m.created_at FROM message m
         CROSS JOIN (SELECT 1 AS number UNION ALL SELECT 2 UNION ALL SELECT 3) AS n
         WHERE m.root_id IS NULL AND m.kind = 'USER' AND m.edited_at IS NULL"
    );
    let edited = "UPDATE message SET edited_at = created_at
        WHERE root_id IS NULL AND kind = 'USER' AND edited_at IS NULL";
    for text in [text.as_str(), edited] {
        db::execute(db.migrate(), text, []).await.unwrap();
    }
}

/// Fills a database, and returns two of its users and a page of each type, with `@` in place of the fields.
async fn large_database(app: &TestApp) -> (Person, Person, [(&'static str, String); 8]) {
    let (ada, ben) = (app.person("Ada").await, app.person("Ben").await);
    let large = ada.creates_group(Some("Large"), &[&ben]).await;
    // With Ada and Ben, one page of participants.
    app.db_large_conversation(&large, 98).await;
    app.db_threads_of(20, &large, &ben.id, 4_000).await;
    let small = ada.creates_group(Some("Small"), &[&ben]).await;
    for number in 0..100 {
        let mention = format!("@{} mention {number}", ada.username);
        ben.says(&small, &mention).await;
    }
    let edited = ada.says(&small, "often edited").await;
    for number in 0..100 {
        ada.edits(&edited, &format!("edit {number}")).await;
    }
    db_groups(&app.app.db, UserId::from_text(&ada.id), 60, 50).await;
    db_revisions(&app.app.db).await;
    let list = "{ viewer { conversations(first: 50) { nodes { id } } } }";
    let found = ada.execute(list, Value::Null).await;
    let groups = found["viewer"]["conversations"]["nodes"].as_array();
    for group in groups.unwrap() {
        let id = text(&group["id"]);
        if id != large && id != small {
            app.db_threads_of(20, &id, &ben.id, 60).await;
        }
    }
    let large_page = |list: &str| format!("{{ conversation(id: \"{large}\") {{ {list} }} }}");
    let pages = [
        ("Message", large_page("messages(last: 100) { nodes { @ } }")),
        ("Thread", large_page("threads(first: 100) { nodes { @ } }")),
        (
            "Participant",
            large_page("participants(first: 100) { nodes { @ } }"),
        ),
        (
            "User",
            large_page("participants(first: 100) { nodes { user { @ } } }"),
        ),
        (
            "Conversation",
            "{ viewer { conversations(first: 50) { nodes { @ } } } }".to_owned(),
        ),
        (
            "Membership",
            "{ viewer { conversations(first: 50) { nodes { viewerMembership { @ } } } } }"
                .to_owned(),
        ),
        (
            "Notification",
            "{ viewer { notifications(first: 100) { nodes { @ } } } }".to_owned(),
        ),
        (
            "MessageRevision",
            format!(
                "{{ message(id: \"{edited}\") {{ revisions(first: 100) {{ nodes {{ @ }} }} }} }}"
            ),
        ),
    ];
    (ada, ben, pages)
}
