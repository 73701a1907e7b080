//! Every field of every root type rejects anonymous callers, unless it is on a short list. The fields come from the
//! schema itself, so a new one cannot be forgotten.

use async_graphql_parser::types::TypeKind;
use futures_util::StreamExt;
use heddle::graphql::{self, context::Caller};
use serde_json::Value;

use super::fields::{call, types};
use crate::support::{app::TestApp, both};

/// Fields that anonymous callers may use: they serve sign-in, or are null for them. Only mutations with a secret of their own are added.
const OPEN: [&str; 11] = [
    "Query.server",
    "Query.viewer",
    "Query.eventCursor",
    "Mutation.completeSignIn",
    "Mutation.register",
    "Mutation.signIn",
    "Mutation.refreshSession",
    "Mutation.requestPasswordReset",
    "Mutation.resendEmailVerification",
    "Mutation.resetPassword",
    "Mutation.verifyEmail",
];

both!(anonymous_callers_are_rejected);

async fn anonymous_callers_are_rejected(app: TestApp) {
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
            let response = if operation == "subscription" {
                first_event(&app, &document).await
            } else {
                app.anonymous().request(&document, Value::Null).await
            };
            let code = &response["errors"][0]["extensions"]["code"];
            assert_eq!(
                code, "UNAUTHENTICATED",
                "{name} accepts anonymous callers: {document} returned {response:#}"
            );
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} fields were tried");
}

async fn first_event(app: &TestApp, document: &str) -> Value {
    let schema = graphql::schema(&app.app);
    let (request, batches) = graphql::prepare(&app.app, Caller::default(), document.into());
    let mut responses = schema.execute_stream(request);
    let response = batches.run(responses.next()).await.unwrap();
    serde_json::to_value(response).unwrap()
}
