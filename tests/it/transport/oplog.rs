//! The log line of each operation: its cost and its result, and none of its contents.

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    binary::Binary,
    captured_logs,
    groups::Groups,
    messaging::Messaging,
    person::{PASSWORD, Person},
};

#[tokio::test]
async fn each_operation_is_one_line_that_keeps_secrets() {
    let mut server = Binary::on_sqlite().await;
    let ann = Person::anonymous_at(format!("{}/graphql", server.url()));
    let ann = ann.sign_up("Ann").await;
    let group = ann.creates_group(Some("canary title"), &[]).await;
    ann.says(&group, "canary body").await;
    ann.execute("query WhoAmI { viewer { email } }", Value::Null)
        .await;
    let send = "mutation Nowhere($input: SendMessageInput!) {
        sendMessage(input: $input) { wasDuplicate } }";
    let input = json!({ "conversationId": "cnv_canary", "body": "canary body" });
    ann.expect_error("NOT_FOUND", send, json!({ "input": input }))
        .await;
    ann.request("query Canary { canary ", Value::Null).await;
    // Bodies that contain no operation.
    for body in ["{\"canary\": ", "[]", "canary"] {
        let request = reqwest::Client::new().post(format!("{}/graphql", server.url()));
        let request = request.header("content-type", "application/json");
        let refused = request.header("x-request-id", "a-refused-body").body(body);
        assert_eq!(refused.send().await.unwrap().status(), 400);
    }
    server.stop().await;

    let log = server.log();
    let refused = log.lines().filter(|line| line.contains("a-refused-body"));
    let refused: Vec<Value> = refused
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(refused.len(), 3, "{refused:#?}");
    for line in refused {
        assert_eq!(line["message"], "a request was refused");
        assert_eq!(line["request.id"], "a-refused-body");
        assert_eq!(line["http.method"], "POST");
        assert_eq!(line["http.status"], 400);
        assert_eq!(line["operation.code"], "BAD_USER_INPUT");
    }
    let started = log.lines().find(|line| line.contains("\"started\""));
    let started: Value = serde_json::from_str(started.unwrap()).unwrap();
    assert!(
        server.url().ends_with(started["address"].as_str().unwrap()),
        "{started}"
    );
    assert!(
        started["database"]
            .as_str()
            .unwrap()
            .ends_with("heddle.sqlite"),
        "{started}"
    );
    let mut secrets = vec!["canary", PASSWORD, "ann@example.org"];
    secrets.extend(ann.token.as_deref());
    secrets.extend(ann.refresh_token.as_deref());
    for secret in secrets {
        assert!(!log.contains(secret), "the log contains {secret}: {log}");
    }
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines
        .filter(|line: &Value| {
            line["target"] == "heddle::operation" && line["message"] != "a request was refused"
        })
        .collect();
    // Registration, a group, a message, a query, and rejections by the domain and by the guard.
    assert_eq!(lines.len(), 6, "{lines:#?}");
    for line in &lines {
        assert!(!line.to_string().contains("127.0.0.1"), "{line}");
        assert!(!line["request.id"].as_str().unwrap().is_empty(), "{line}");
    }
    let [.., requested, refused, guarded] = &lines[..] else {
        panic!("six lines")
    };
    assert_eq!(requested["operation.name"], "WhoAmI");
    assert_eq!(requested["operation.kind"], "query");
    assert_eq!(requested["operation.code"], "OK");
    assert_eq!(refused["operation.name"], "Nowhere");
    assert_eq!(refused["operation.kind"], "mutation");
    assert_eq!(refused["operation.code"], "NOT_FOUND");
    assert_eq!(guarded["operation.code"], "BAD_USER_INPUT");
    for line in [requested, refused] {
        assert!(line["operation.ms"].as_f64() > Some(0.0), "{line}");
        assert!(line["database.ms"].as_f64() > Some(0.0), "{line}");
        assert!(line["database.statements"].as_u64() > Some(0), "{line}");
        for duration in ["operation.ms", "database.ms"] {
            let decimals = line[duration].to_string();
            let decimals = decimals.split('.').nth(1).unwrap_or_default().len();
            assert!(decimals <= 3, "{line}");
        }
        let keys: Vec<_> = line.as_object().unwrap().keys().collect();
        let expected = [
            "database.ms",
            "database.statements",
            "level",
            "message",
            "operation.code",
            "operation.kind",
            "operation.ms",
            "operation.name",
            "request.id",
            "target",
            "timestamp",
        ];
        assert_eq!(keys, expected);
    }
}

/// The cause of an internal error is logged with the id that the client receives.
#[tokio::test]
async fn the_cause_of_an_internal_error_has_the_id_of_the_request() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let db = app.app.db.migrate();
    let spoil = "ALTER TABLE notification RENAME COLUMN read_at TO was_read_at";
    db.execute_unprepared(spoil).await.unwrap();
    let list = "{ viewer { notifications { nodes { id } } } }";
    let error = ann.expect_error("INTERNAL", list, Value::Null).await;
    let id = error["extensions"]["requestId"].as_str().unwrap();
    let log = captured_logs::written();
    let cause = log
        .lines()
        .find(|line| line.contains(id) && line.contains("cause="));
    assert!(cause.unwrap().contains("read_at"), "{cause:?}");
    assert!(!error.to_string().contains("read_at"), "{error}");
}
