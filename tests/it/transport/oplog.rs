//! The log line of each operation: its cost and its result, and none of its contents.

use serde_json::{Value, json};

use crate::support::{
    binary::Binary,
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
    server.stop().await;

    let log = server.log();
    let mut secrets = vec!["canary", PASSWORD, "ann@example.org"];
    secrets.extend(ann.token.as_deref());
    secrets.extend(ann.refresh_token.as_deref());
    for secret in secrets {
        assert!(!log.contains(secret), "the log contains {secret}: {log}");
    }
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines
        .filter(|line: &Value| line["target"] == "heddle::operation")
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
