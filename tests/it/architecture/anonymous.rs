//! Every field of every root refuses whoever has not signed in, unless it is on a short list. The
//! fields come from the schema itself, so a new one cannot be forgotten.

use async_graphql_parser::types::TypeKind;
use futures_util::StreamExt;
use heddle::graphql::{self, context::Caller};
use serde_json::Value;

use super::fields::{call, types};
use crate::support::{app::TestApp, both};

/// What anybody may ask: it helps to sign in, or it is null for them. This list may only shrink.
const OPEN: [&str; 6] = [
    "Query.server",
    "Query.viewer",
    "Query.eventCursor",
    "Mutation.register",
    "Mutation.signIn",
    "Mutation.refreshSession",
];

both!(nobody_gets_in);

async fn nobody_gets_in(app: TestApp) {
    let types = types();
    let mut checked = 0;
    for (root, operation) in [
        ("Query", "query"),
        ("Mutation", "mutation"),
        ("Subscription", "subscription"),
    ] {
        let TypeKind::Object(kind) = &types[root].kind else {
            panic!("{root} is an object")
        };
        for field in &kind.fields {
            let name = format!("{root}.{}", field.node.name.node);
            if OPEN.contains(&name.as_str()) {
                continue;
            }
            let document = format!("{operation} {{ {} }}", call(&types, &field.node));
            let answer = if operation == "subscription" {
                first_event(&app, &document).await
            } else {
                app.nobody().sends(&document, Value::Null).await
            };
            let code = &answer["errors"][0]["extensions"]["code"];
            assert_eq!(
                code, "UNAUTHENTICATED",
                "{name} let nobody in: {document} gave {answer:#}"
            );
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} fields were tried");
}

async fn first_event(app: &TestApp, document: &str) -> Value {
    let schema = graphql::schema(&app.app);
    let request = graphql::prepare(&app.app, Caller::default(), document.into());
    let answer = schema.execute_stream(request).next().await.unwrap();
    serde_json::to_value(answer).unwrap()
}
