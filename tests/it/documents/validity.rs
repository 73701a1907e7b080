//! Documents that the executor's own parser or its rules get wrong.

use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    socket,
    sse::{self, Stream},
};

both!(
    invalid_documents_are_refused,
    valid_documents_are_executed,
    strings_arrive_as_they_are_written,
    every_transport_refuses_an_invalid_document,
);

async fn invalid_documents_are_refused(app: TestApp) {
    let ann = app.person("Ann").await;
    let id = json!({ "x": ann.id });
    let cases = [
        ("{ __typename @aa }", Value::Null),
        ("{ __typename @skip }", Value::Null),
        ("{ __typename(a: 1) }", Value::Null),
        ("{ __typename { a } }", Value::Null),
        ("query($x: ID) { node(id: $x) { id } }", id.clone()),
        ("query($x: ID) { nodes(ids: [$x]) { id } }", id.clone()),
        (
            "query($x: String) { user(by: {username: $x}) { id } }",
            json!({ "x": "ann" }),
        ),
        // Without regard to the variables that are sent.
        ("query($x: Int) { __typename }", Value::Null),
        ("query($x: Int) { __typename }", json!({ "x": 1 })),
        ("query($x: Int) { __typename }", json!({ "x": "no number" })),
        (
            "{ viewer { ... on Viewer { a: user { id } } ... { a: preferences { id } } } }",
            Value::Null,
        ),
        (
            "query($x: ID!) { node(id: $x) {
                ... on User { a: createdAt } ... on Message { a: sequence } } }",
            id.clone(),
        ),
        (
            r#"{ viewer { conversations(filter: {kind: "GROUP"}) { nodes { id } } } }"#,
            Value::Null,
        ),
        ("{ ...on } fragment on on Query { __typename }", Value::Null),
        (
            r#"{ user(by: {username: "ann", username: "ann"}) { id } }"#,
            Value::Null,
        ),
        (
            r#"{ user(by: {username: "ann", id: "usr_0"}) { id } }"#,
            Value::Null,
        ),
        ("{ user(by: {username: null}) { id } }", Value::Null),
        ("{ user(by) { id } }", Value::Null),
        ("{ user(by: {username}) { id } }", Value::Null),
        (
            "query($x: UserLookup! = {username: \"ann\", username: \"ann\"}) { user(by: $x) { id } }",
            Value::Null,
        ),
    ];
    for (text, variables) in cases {
        let result = ann.request(text, variables).await;
        let error = &result["errors"][0];
        assert_eq!(
            error["extensions"]["code"], "BAD_USER_INPUT",
            "{text} {result}"
        );
        assert!(result.get("data").is_none(), "{text} {result}");
        assert!(error["locations"][0]["line"].is_u64(), "{text} {result}");
    }
}

async fn valid_documents_are_executed(app: TestApp) {
    let ann = app.person("Ann").await;
    let id = json!({ "x": ann.id });
    let node = json!({ "id": ann.id });
    let cases = [
        ("query($x: ID !) { node(id: $x) { id } }", &node),
        (
            "query($x: ID # a comment\n!) { node(id: $x) { id } }",
            &node,
        ),
        ("query($x:ID!,){,node(id:$x,){id,},}", &node),
        (
            r#""a description" query("""of a variable""" $x: ID!) { ...F }
            "and of a fragment" fragment F on Query { node(id: $x) { id } }"#,
            &node,
        ),
    ];
    for (text, expected) in cases {
        let data = ann.execute(text, id.clone()).await;
        assert_eq!(data["node"], *expected, "{text}");
    }
    let ids = "query($x: [ ID! ]!) { nodes(ids: $x) { id } }";
    let data = ann.execute(ids, json!({ "x": [ann.id] })).await;
    assert_eq!(data["nodes"], json!([node]));
    // A single value is a list of one.
    let data = ann.execute(ids, id).await;
    assert_eq!(data["nodes"], json!([node]));
    for name in [
        r#""\uD83D\uDE00""#,
        r#""\u{1F600}""#,
        r#""\u{41}nn""#,
        r#""\u0061nn""#,
    ] {
        let text = format!("{{ user(by: {{username: {name}}}) {{ id }} }}");
        let data = ann.execute(&text, Value::Null).await;
        let expected = if name.contains('1') && name.contains("nn") {
            node.clone()
        } else {
            Value::Null
        };
        assert_eq!(data["user"], expected, "{name}");
    }
}

async fn strings_arrive_as_they_are_written(app: TestApp) {
    let ann = app.person("Ann").await;
    let group = ann.creates_group(None, &[]).await;
    let cases = [
        (r#""""a \""" b""""#, r#"a """ b"#),
        (
            "\"\"\"\n    first\n      second \\n\n  \"\"\"",
            "first\n  second \\n",
        ),
        (r#""\uD83D\uDE00 \u{1F600} \"\\\/\t.""#, "😀 😀 \"\\/\t."),
    ];
    for (text, expected) in cases {
        let document = format!(
            "mutation($id: ID!) {{ sendMessage(input: {{conversationId: $id, body: {text}}}) {{
                message {{ body }} }} }}"
        );
        let data = ann.execute(&document, json!({ "id": group })).await;
        assert_eq!(data["sendMessage"]["message"]["body"], expected, "{text}");
    }
}

async fn every_transport_refuses_an_invalid_document(app: TestApp) {
    let ann = app.person("Ann").await;
    let invalid = [
        "subscription { events { __typename @skip } }",
        "subscription { events @aa { __typename } }",
        "subscription($x: ID) { messageSent(conversationId: $x) { id } }",
        "{ user(by: {username: \"ann\", username: \"ben\"}) { id } }",
    ];
    for document in invalid {
        let posted = ann.request(document, Value::Null).await;
        let refused = |errors: &Value| {
            assert_eq!(
                errors[0]["extensions"]["code"], "BAD_USER_INPUT",
                "{document}"
            );
            assert_eq!(errors[0]["message"], posted["errors"][0]["message"]);
            assert!(errors[0]["locations"][0]["column"].is_u64(), "{document}");
        };
        refused(&posted["errors"]);
        let mut socket = ann.subscribe(document, Value::Null).await;
        let socket::Frame::Error(errors) = socket.next_frame().await else {
            panic!("{document}");
        };
        refused(&errors);
        let mut stream = Stream::open(&app, &ann, document, Value::Null, None).await;
        let sse::Frame::Next(result, _) = stream.next_frame().await else {
            panic!("{document}");
        };
        refused(&result["errors"]);
    }
}
