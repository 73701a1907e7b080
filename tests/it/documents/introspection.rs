//! The fields `__schema` and `__type`, which the executor does not run.

use serde_json::{Value, json};

use crate::support::{app::TestApp, groups::Groups, person::Person};

const ISSUE: &str = "{__schema{types{possibleTypes{interfaces{possibleTypes{interfaces{possibleTypes{\
    interfaces{name}}}}}}}}}";

#[tokio::test]
async fn introspection_mixes_with_other_fields_in_the_order_of_the_document() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let document = "query($name: String = \"User\", $deep: Boolean = false) {
        before: __typename
        user: __type(name: $name) { kind ...T }
        viewer { id }
        ...R
        viewer { user { username } }
    }
    fragment R on Query { server { name } __schema { queryType { name } } user: __type(name: $name) { ...T } }
    fragment T on __Type { name ... @include(if: $deep) { interfaces { name } } isOneOf }";
    let text = ann.raw_response(document, json!({})).await;
    let body = text.lines().nth(1).unwrap();
    let data: Value = serde_json::from_str(body).unwrap();
    let data = &data["data"];
    let id = &data["viewer"]["id"];
    let name = &data["server"]["name"];
    let expected = format!(
        r#"{{"data":{{"before":"Query","user":{{"kind":"OBJECT","name":"User","isOneOf":null}},"viewer":{{"id":{id},"user":{{"username":"ann"}}}},"server":{{"name":{name}}},"__schema":{{"queryType":{{"name":"Query"}}}}}}}}"#
    );
    assert_eq!(body, expected);
    let other = json!({ "name": "UserLookup", "deep": true });
    let data = ann.execute(document, other).await;
    assert_eq!(
        data["user"],
        json!({ "kind": "INPUT_OBJECT", "name": "UserLookup", "interfaces": null, "isOneOf": true })
    );
    let missing = json!({ "name": "Missing" });
    assert_eq!(ann.execute(document, missing).await["user"], Value::Null);
    let bad = json!({ "name": 1 });
    ann.expect_error("BAD_USER_INPUT", document, bad).await;
}

#[tokio::test]
async fn the_setting_hides_the_schema_and_nothing_else() {
    let app = TestApp::sqlite_with(|config| config.public_introspection = false).await;
    let (anonymous, ann) = (app.anonymous(), app.person("Ann").await);
    let mixed = "{ server { name } s: __schema { queryType { name } } }";
    let error = anonymous.expect_error("DISABLED", mixed, Value::Null).await;
    assert!(error.get("path").is_none(), "{error}");
    let data = ann.execute(mixed, Value::Null).await;
    assert_eq!(data["s"]["queryType"]["name"], "Query");
    anonymous
        .execute("{ __typename server { __typename } }", Value::Null)
        .await;
}

#[tokio::test]
async fn a_failed_field_does_not_hinder_introspection() {
    let app = TestApp::sqlite().await;
    let ann = app.person("Ann").await;
    let document =
        "query($id: ID!) { conversation(id: $id) { id messages(first: 0) { nodes { id } } }
        __type(name: \"User\") { name } }";
    let group = ann.creates_group(None, &[]).await;
    let result = ann.request(document, json!({ "id": group })).await;
    assert_eq!(result["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(result["data"]["__type"], json!({ "name": "User" }));
}

#[tokio::test]
async fn nested_lists_of_the_schema_are_limited() {
    let app = TestApp::sqlite().await;
    let anonymous = app.anonymous();
    let list = |limit: &str, maximum: u64| json!([limit, maximum]);
    let lists = list("introspectionLists", 2);
    let types = |n| {
        format!(
            "a{n}: __schema {{ types {{ name kind fields {{ name type {{ name kind }} args {{ name }} }} }} }}"
        )
    };
    let all: Vec<_> = (0..15).map(types).collect();
    let all = all.join(" ");
    for (document, limit) in [
        (ISSUE, lists.clone()),
        (
            "{ __type(name: \"Node\") { possibleTypes { fields { type { interfaces { name } } } } } }",
            lists,
        ),
        // 15 times all fields of all types cost more than one document may.
        (&format!("{{ {all} }}"), list("cost", 5000)),
    ] {
        let error = anonymous
            .expect_error("TOO_COMPLEX", document, Value::Null)
            .await;
        let extensions = &error["extensions"];
        assert_eq!(json!([extensions["limit"], extensions["maximum"]]), limit);
    }
    let allowed = "{ __schema { types { name fields { name type { fields { name } } } } } }";
    let response = anonymous.request(allowed, Value::Null).await;
    let types = &response["data"]["__schema"]["types"];
    assert!(types[0]["name"].is_string(), "{response}");
}

#[tokio::test]
async fn many_clients_read_the_schema_at_the_same_time() {
    let app = TestApp::sqlite().await;
    let text = include_str!("../../../src/http/guard/introspection.graphql");
    let ask = |person: Person| async move { person.raw_response(text, Value::Null).await };
    let responses = (0..8).map(|_| ask(app.anonymous()));
    let responses = futures_util::future::join_all(responses).await;
    assert!(responses[0].starts_with("200"), "{}", responses[0]);
    assert!(responses.iter().all(|response| *response == responses[0]));
}
