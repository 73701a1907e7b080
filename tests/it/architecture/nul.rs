//! Both databases give the same answer to the NUL character, which PostgreSQL cannot store. The arguments come from the
//! schema itself, so a new one cannot be forgotten.

use async_graphql_parser::types::TypeKind;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use regex_lite::Regex;
use serde_json::{Value, json};

use super::fields::{calls_with, types};
use crate::support::{app::TestApp, groups::Groups, person::Person};

#[tokio::test]
async fn both_databases_give_the_same_answer_to_nul() {
    let apps = [TestApp::sqlite().await, TestApp::postgres().await];
    let mut people = vec![];
    let mut groups = vec![];
    for app in &apps {
        let ann = app.person("Ann").await;
        groups.push(ann.creates_group(None, &[]).await);
        people.push(ann);
    }
    let types = types();
    let mut checked = 0;
    for (root, operation) in [("Query", "query"), ("Mutation", "mutation")] {
        let TypeKind::Object(object) = &types[root].kind else {
            panic!("{root} is an object")
        };
        for field in &object.fields {
            let text = r#""a\u0000b""#;
            for (_, call) in calls_with(&types, &field.node, &["String", "ID"], text) {
                let document = format!("{operation} {{ {call} }}");
                let [lite, postgres] = [0, 1].map(|at| ask(&people[at], &document, Value::Null));
                let (lite, postgres) = (lite.await, postgres.await);
                assert_eq!(lite, postgres, "{document}");
                assert!(!lite.contains("INTERNAL"), "{document}: {lite}");
                checked += 1;
            }
        }
    }
    assert!(checked > 60, "only {checked} arguments");
    let in_lists = "query($group: ID!, $text: String, $cursor: String) {
        users(filter: { text: $text }) { nodes { id } }
        after: users(after: $cursor) { nodes { id } }
        viewer { conversations(filter: { text: $text }, after: $cursor) { nodes { id } } }
        conversation(id: $group) {
            participants(after: $cursor) { nodes { id } }
            messages(after: $cursor) { nodes { id } } } }";
    let cursor = |json: &str| URL_SAFE_NO_PAD.encode(json);
    for cursor in [
        cursor(r#"["a\u0000b","usr_01h2xcejqtf2nbrexx3vqjhp41"]"#),
        cursor(r#""a\u0000b""#),
    ] {
        let mut responses = vec![];
        for (person, group) in people.iter().zip(&groups) {
            let variables = json!({ "group": group, "text": "a\0b", "cursor": cursor });
            responses.push(ask(person, in_lists, variables).await);
        }
        assert_eq!(responses[0], responses[1]);
        assert!(responses[0].contains("NOT_A_CURSOR"), "{}", responses[0]);
    }
    // A backslash before the same letters is another text.
    let other = cursor(r#"["a\\u0000b","usr_01h2xcejqtf2nbrexx3vqjhp41"]"#);
    let users = "query($cursor: String) { users(after: $cursor) { nodes { id } } }";
    people[1].execute(users, json!({ "cursor": other })).await;
}

/// Returns the response without what differs between requests.
async fn ask(person: &Person, document: &str, variables: Value) -> String {
    let response = person.raw_response(document, variables).await;
    let differs = Regex::new(r#""requestId":"[^"]*"|"retryAfterMs":\d+|[a-z]{3}_[0-9a-z]{26}"#);
    differs.unwrap().replace_all(&response, "").into_owned()
}
