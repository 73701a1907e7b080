//! The audit log: what it records, that it cannot be changed unnoticed, and what is erased from it.

use chrono::TimeDelta;
use heddle::{
    db,
    domain::audit::{self, AuditHead, AuditReport},
    entity::user::ServerRole,
    error::Error,
};
use sea_orm::DbBackend;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    person::{PASSWORD, Person},
};

const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    auth { accessToken } } }";
const CHANGE: &str = "mutation($input: ChangePasswordInput!) { changePassword(input: $input) {
    viewer { id } } }";
const DELETE: &str = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
    deletedUserId } }";

both!(
    actions_are_recorded_with_who_and_from_where,
    refused_sign_ins_are_recorded_without_what_was_typed,
    changed_rights_are_recorded,
    a_reused_refresh_token_is_recorded,
    entries_of_parallel_actions_form_one_chain,
    the_database_refuses_to_change_the_log,
    a_changed_log_is_noticed,
    an_erased_account_leaves_no_name_and_a_valid_chain,
    old_entries_are_deleted_from_the_beginning,
    auditors_read_the_log,
);

/// Every entry, as it is exported.
async fn entries(app: &TestApp) -> Vec<Value> {
    let lines = audit::page(&app.app.db, 0).await.unwrap();
    lines
        .iter()
        .map(|line| serde_json::to_value(line).unwrap())
        .collect()
}

async fn verify(app: &TestApp, expected: Option<&AuditHead>) -> AuditReport {
    audit::verify(&app.app.db, expected).await.unwrap()
}

async fn execute(app: &TestApp, sql: &str) -> Result<(), Error> {
    app.app
        .db
        .write(|tx| async move {
            db::execute(&*tx, sql, []).await?;
            Ok(())
        })
        .await
}

fn sign_in(login: &str, password: &str) -> Value {
    json!({ "input": { "login": login, "password": password } })
}

/// Action, outcome, actor and target of each entry.
fn summary(entries: &[Value]) -> Vec<(String, String, Value, Value)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    entries
        .iter()
        .map(|entry| {
            (
                text(&entry["action"]),
                text(&entry["outcome"]),
                entry["details"]["actor"].clone(),
                entry["details"]["target"].clone(),
            )
        })
        .collect()
}

fn done(action: &str, actor: &str, target: Value) -> (String, String, Value, Value) {
    (
        action.to_owned(),
        "SUCCEEDED".to_owned(),
        json!(actor),
        target,
    )
}

async fn actions_are_recorded_with_who_and_from_where(app: TestApp) {
    let mut ann = app.person("Ann").await;
    ann.signs_in().await;
    let new = "eleven grey shuttles";
    let change = json!({ "input": { "currentPassword": PASSWORD, "newPassword": new } });
    ann.execute(CHANGE, change).await;
    ann.execute("mutation { signOut { endedSessionId } }", Value::Null)
        .await;
    let found = entries(&app).await;
    let expected = [
        done("user.created", "ann", json!("ann")),
        done("session.started", "ann", Value::Null),
        done("session.started", "ann", Value::Null),
        done("user.password_changed", "ann", json!("ann")),
        done("session.ended", "ann", Value::Null),
    ];
    assert_eq!(summary(&found), expected);
    for (number, entry) in (1..).zip(&found) {
        assert_eq!(entry["sequence"], number);
        assert_eq!(entry["actorId"], ann.id);
        assert_eq!(entry["details"]["ipAddress"], "127.0.0.1", "{entry}");
        assert!(entry["requestId"].is_string(), "{entry}");
        assert!(!entry.to_string().contains(new), "{entry}");
    }
    assert!(found[1]["targetId"].as_str().unwrap().starts_with("ses_"));
    assert_eq!(verify(&app, None).await.entries, 5);
}

async fn refused_sign_ins_are_recorded_without_what_was_typed(app: TestApp) {
    let ann = app.person("Ann").await;
    let before = entries(&app).await.len();
    let anonymous = app.anonymous();
    for login in ["ann", "a password in the wrong field"] {
        let input = sign_in(login, "not the password");
        anonymous
            .expect_error("WRONG_CREDENTIALS", SIGN_IN, input)
            .await;
    }
    let wrong =
        json!({ "input": { "currentPassword": "wrong", "newPassword": "eleven grey shuttles" } });
    ann.expect_error("WRONG_CREDENTIALS", CHANGE, wrong).await;
    let found = &entries(&app).await[before..];
    let refused = |action: &str, actor: Value, target: Value| {
        (action.to_owned(), "REFUSED".to_owned(), actor, target)
    };
    let expected = [
        refused("session.started", Value::Null, json!("ann")),
        refused("session.started", Value::Null, Value::Null),
        refused("user.password_verified", json!("ann"), json!("ann")),
    ];
    assert_eq!(summary(found), expected);
    let text = Value::from(found).to_string();
    assert!(!text.contains("password in"), "{text}");
}

async fn changed_rights_are_recorded(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = ann.creates_group(Some("A secret title"), &[&bob]).await;
    let before = entries(&app).await.len();
    ann.makes(&group, &bob, "MODERATOR").await;
    ann.removes(&group, &bob).await;
    let delete = "mutation($id: ID!) { deleteConversation(input: { conversationId: $id }) {
        deletedConversationId } }";
    ann.execute(delete, json!({ "id": group })).await;
    let found = &entries(&app).await[before..];
    let expected = [
        done("participant.role_changed", "ann", json!("bob")),
        done("participant.removed", "ann", json!("bob")),
        done("conversation.deleted", "ann", Value::Null),
    ];
    assert_eq!(summary(found), expected);
    let role = json!({ "field": "role", "before": "MEMBER", "after": "MODERATOR" });
    assert_eq!(found[0]["details"]["changes"][1], role);
    assert_eq!(found[2]["targetId"], group);
    let text = Value::from(found).to_string();
    assert!(!text.contains("secret"), "{text}");
}

async fn a_reused_refresh_token_is_recorded(app: TestApp) {
    app.person("Ann").await;
    let anonymous = app.anonymous();
    let sign_in_tokens = "mutation($input: SignInInput!) { signIn(input: $input) {
        auth { refreshToken } } }";
    let signed_in = anonymous
        .execute(sign_in_tokens, sign_in("ann", PASSWORD))
        .await;
    let token = &signed_in["signIn"]["auth"]["refreshToken"];
    let refresh = "mutation($input: RefreshSessionInput!) { refreshSession(input: $input) {
        auth { accessToken } } }";
    let input = json!({ "input": { "refreshToken": token } });
    anonymous.execute(refresh, input.clone()).await;
    app.app.clock.advance(TimeDelta::seconds(11));
    anonymous
        .expect_error("WRONG_CREDENTIALS", refresh, input)
        .await;
    let last = entries(&app).await.pop().unwrap();
    assert_eq!(last["action"], "session.token_reused");
    assert_eq!(last["outcome"], "REFUSED");
    assert_eq!(last["actorId"], Value::Null);
    let mail = app
        .mail("ann@example.org", "A session of your account", 1)
        .await;
    assert!(mail.body.contains("Hello ann,"), "{mail:?}");
}

async fn entries_of_parallel_actions_form_one_chain(app: TestApp) {
    let mut people = vec![];
    for name in ["Ann", "Bob", "Cem"] {
        people.push(app.person(name).await);
    }
    let signs_in_and_out = |person: &Person| {
        let person = person.clone();
        async move {
            let mut person = person;
            for _ in 0..3 {
                person.signs_in().await;
                person
                    .execute("mutation { signOut { endedSessionId } }", Value::Null)
                    .await;
            }
        }
    };
    let all = people.iter().chain(&people).map(signs_in_and_out);
    futures_util::future::join_all(all).await;
    let report = verify(&app, None).await;
    assert_eq!(report.broken_at, None);
    assert_eq!(report.entries, 3 * 2 + 6 * 3 * 2);
    assert_eq!(report.head.sequence, 42);
}

async fn the_database_refuses_to_change_the_log(app: TestApp) {
    app.person("Ann").await;
    for sql in [
        "UPDATE audit_entry SET action = 'user.deleted'",
        "UPDATE audit_entry SET details = '{}'",
        "UPDATE audit_entry SET details = NULL, actor_id = NULL",
        "UPDATE audit_entry SET sequence = sequence + 10",
        "DELETE FROM audit_entry",
        "DELETE FROM audit_entry WHERE sequence = 2",
    ] {
        let error = execute(&app, sql).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
    if app.app.db.backend() == DbBackend::Postgres {
        execute(&app, "TRUNCATE audit_entry").await.unwrap_err();
    }
    let report = verify(&app, None).await;
    assert_eq!((report.broken_at, report.entries), (None, 2));
}

/// A database administrator can remove the triggers.
async fn remove_triggers(app: &TestApp) {
    let (update, delete) = ("audit_entry_is_unchanged", "audit_entry_is_kept");
    for name in [update, delete] {
        let sql = match app.app.db.backend() {
            DbBackend::Postgres => format!("DROP TRIGGER {name} ON audit_entry"),
            _ => format!("DROP TRIGGER {name}"),
        };
        execute(app, &sql).await.unwrap();
    }
}

async fn a_changed_log_is_noticed(app: TestApp) {
    let mut ann = app.person("Ann").await;
    for _ in 0..3 {
        ann.signs_in().await;
    }
    let head = verify(&app, None).await.head;
    assert_eq!(verify(&app, Some(&head)).await.has_expected, Some(true));
    remove_triggers(&app).await;
    execute(&app, "CREATE TABLE kept AS SELECT * FROM audit_entry")
        .await
        .unwrap();
    for (change, broken_at) in [
        (
            "UPDATE audit_entry SET action = 'session.ended' WHERE sequence = 2",
            2,
        ),
        (
            "UPDATE audit_entry SET details = '{}' WHERE sequence = 3",
            3,
        ),
        (
            "UPDATE audit_entry SET actor_id = NULL WHERE sequence = 1",
            1,
        ),
        ("DELETE FROM audit_entry WHERE sequence = 4", 4),
        ("DELETE FROM audit_entry WHERE sequence = 1", 1),
        ("DELETE FROM audit_entry WHERE sequence = 5", 5),
        ("DELETE FROM audit_entry", 1),
    ] {
        execute(&app, change).await.unwrap();
        assert_eq!(
            verify(&app, None).await.broken_at,
            Some(broken_at),
            "{change}"
        );
        execute(&app, "DELETE FROM audit_entry").await.unwrap();
        execute(&app, "INSERT INTO audit_entry SELECT * FROM kept")
            .await
            .unwrap();
        assert_eq!(verify(&app, None).await.broken_at, None);
    }
    // A log that was cut off is valid, but not the expected one.
    let cut = "UPDATE audit_head SET last_sequence = 4,
        last_hash = (SELECT hash FROM audit_entry WHERE sequence = 4)";
    execute(&app, cut).await.unwrap();
    execute(&app, "DELETE FROM audit_entry WHERE sequence = 5")
        .await
        .unwrap();
    assert_eq!(verify(&app, None).await.broken_at, None);
    assert_eq!(verify(&app, Some(&head)).await.has_expected, Some(false));
    ann.signs_in().await;
    assert_eq!(verify(&app, Some(&head)).await.has_expected, Some(false));
}

async fn an_erased_account_leaves_no_name_and_a_valid_chain(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let group = bob.creates_group(None, &[&ann]).await;
    bob.makes(&group, &ann, "MODERATOR").await;
    let head = verify(&app, None).await.head;
    let delete = json!({ "input": { "confirmUsername": "ann", "password": PASSWORD } });
    ann.execute(DELETE, delete).await;
    let found = entries(&app).await;
    let last = found.last().unwrap();
    assert_eq!(last["action"], "user.deleted");
    assert_eq!(last["targetId"], ann.id);
    for entry in &found {
        let is_about_ann = entry["actorId"] == ann.id || entry["targetId"] == ann.id;
        assert_eq!(entry["details"].is_null(), is_about_ann, "{entry}");
        assert!(!entry.to_string().contains("\"ann\""), "{entry}");
    }
    let report = verify(&app, Some(&head)).await;
    assert_eq!((report.broken_at, report.has_expected), (None, Some(true)));
    assert_eq!(report.erased, 4);
}

async fn old_entries_are_deleted_from_the_beginning(app: TestApp) {
    let mut ann = app.person("Ann").await;
    let old = verify(&app, None).await.head;
    app.app.clock.advance(TimeDelta::days(200));
    ann.signs_in().await;
    app.app.clock.advance(TimeDelta::days(200));
    app.db_reaches("audit_entry", 1).await;
    ann.signs_in().await;
    let report = verify(&app, Some(&old)).await;
    assert_eq!((report.broken_at, report.entries), (None, 2));
    // What was deleted because of its age is not missing.
    assert_eq!(report.has_expected, Some(true));
    assert_eq!(entries(&app).await[0]["sequence"], 3);
}

const LOG: &str = "query($filter: AuditFilter, $first: Int, $after: String) {
    admin { id auditLog(filter: $filter, first: $first, after: $after) {
        nodes { id sequence action outcome actor { username } actorLabel ipAddress requestId targetId targetLabel
            changes { field before after } hash }
        pageInfo { hasNextPage endCursor } } } }";

/// The numbers of the entries that a filter finds.
async fn numbers(person: &Person, filter: Value) -> Vec<i64> {
    let found = person.execute(LOG, json!({ "filter": filter })).await;
    let nodes = found["admin"]["auditLog"]["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["sequence"].as_i64().unwrap())
        .collect()
}

async fn auditors_read_the_log(app: TestApp) {
    let ann = app.person("Ann").await;
    app.app.clock.advance(TimeDelta::minutes(2));
    let audrey = app.person_with_role("audrey", ServerRole::Auditor).await;
    let wrong = sign_in("ann", "not the password");
    app.anonymous()
        .expect_error("WRONG_CREDENTIALS", SIGN_IN, wrong)
        .await;
    let found = audrey.execute(LOG, json!({ "first": 2 })).await;
    let log = &found["admin"]["auditLog"];
    let first = &log["nodes"][0];
    assert_eq!(first["sequence"], 5);
    assert_eq!(first["outcome"], "REFUSED");
    assert_eq!(first["actor"], Value::Null);
    assert_eq!(first["targetId"], ann.id);
    assert_eq!(first["targetLabel"], "ann");
    assert_eq!(first["hash"], verify(&app, None).await.head.hash);
    assert_eq!(log["nodes"][1]["actor"]["username"], "audrey");
    assert_eq!(log["pageInfo"]["hasNextPage"], true);
    let after = json!({ "first": 5, "after": log["pageInfo"]["endCursor"] });
    let rest = audrey.execute(LOG, after).await;
    let rest = &rest["admin"]["auditLog"];
    assert_eq!(rest["nodes"].as_array().unwrap().len(), 3);
    assert_eq!(rest["pageInfo"]["hasNextPage"], false);
    let change = json!([{ "field": "role", "before": null, "after": "AUDITOR" }]);
    assert_eq!(rest["nodes"][0]["changes"], change);

    let a_minute_ago = app.app.clock.now() - TimeDelta::minutes(1);
    for (filter, expected) in [
        (json!({ "actionPrefix": "session." }), vec![5, 4, 2]),
        (json!({ "actionPrefix": "Session.St" }), vec![5, 4, 2]),
        (json!({ "actionPrefix": "session_" }), vec![]),
        (json!({ "actionPrefix": "%" }), vec![]),
        (json!({ "outcome": "REFUSED" }), vec![5]),
        (json!({ "actorId": ann.id }), vec![2, 1]),
        (json!({ "targetId": ann.id }), vec![5, 1]),
        (json!({ "targetId": "nonsense" }), vec![]),
        (json!({ "since": a_minute_ago }), vec![5, 4, 3]),
        (
            json!({ "until": a_minute_ago, "actionPrefix": "user" }),
            vec![1],
        ),
    ] {
        assert_eq!(numbers(&audrey, filter.clone()).await, expected, "{filter}");
    }

    let node = "query($id: ID!) { node(id: $id) { id ... on AuditEntry { sequence } } }";
    let id = json!({ "id": first["id"] });
    let entry = audrey.execute(node, id.clone()).await;
    assert_eq!(entry["node"]["sequence"], 5);
    assert_eq!(ann.execute(node, id.clone()).await["node"], Value::Null);
    assert_eq!(ann.execute(LOG, json!({})).await["admin"], Value::Null);
    app.anonymous()
        .expect_error("UNAUTHENTICATED", LOG, json!({}))
        .await;
    let moe = app.person_with_role("moe", ServerRole::Moderator).await;
    let error = moe.expect_error("FORBIDDEN", LOG, json!({})).await;
    assert_eq!(error["path"], json!(["admin", "auditLog"]));
    assert_eq!(moe.execute(node, id).await["node"], Value::Null);
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    assert_eq!(numbers(&admin, json!({ "outcome": "REFUSED" })).await, [5]);
}
