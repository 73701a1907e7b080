//! Every field of every root refuses whoever has not signed in, unless it is on a short list. The
//! fields come from the schema itself, so a new one cannot be forgotten.

use std::collections::HashMap;

use async_graphql_parser::types::{
    BaseType, FieldDefinition, InputObjectType, Type, TypeDefinition, TypeKind,
    TypeSystemDefinition,
};
use futures_util::StreamExt;
use heddle::graphql::{self, context::Caller};
use serde_json::Value;

use super::schema::document;
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

fn types() -> HashMap<String, TypeDefinition> {
    let definitions = document().definitions.into_iter();
    definitions
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => {
                Some((definition.node.name.node.to_string(), definition.node))
            }
            _ => None,
        })
        .collect()
}

/// The shortest valid use of a field.
fn call(types: &HashMap<String, TypeDefinition>, field: &FieldDefinition) -> String {
    let arguments: Vec<_> = field
        .arguments
        .iter()
        .filter(|argument| !argument.node.ty.node.nullable && argument.node.default_value.is_none())
        .map(|argument| {
            format!(
                "{}: {}",
                argument.node.name.node,
                literal(types, &argument.node.ty.node)
            )
        })
        .collect();
    let arguments = if arguments.is_empty() {
        String::new()
    } else {
        format!("({})", arguments.join(", "))
    };
    let is_leaf = types
        .get(base(&field.ty.node))
        .is_none_or(|named| matches!(named.kind, TypeKind::Scalar | TypeKind::Enum(_)));
    let selection = if is_leaf { "" } else { " { __typename }" };
    format!("{}{arguments}{selection}", field.name.node)
}

/// Any value of a type.
fn literal(types: &HashMap<String, TypeDefinition>, ty: &Type) -> String {
    match &ty.base {
        BaseType::List(item) => format!("[{}]", literal(types, item)),
        BaseType::Named(name) => match types.get(name.as_str()).map(|named| &named.kind) {
            Some(TypeKind::Enum(kind)) => kind.values[0].node.value.node.to_string(),
            Some(TypeKind::InputObject(kind)) => {
                let is_one_of = types[name.as_str()]
                    .directives
                    .iter()
                    .any(|directive| directive.node.name.node == "oneOf");
                object(types, kind, is_one_of)
            }
            _ if name == "Int" => "1".to_owned(),
            _ if name == "Boolean" => "true".to_owned(),
            _ if name == "DateTime" => "\"2026-11-20T19:52:00.123Z\"".to_owned(),
            _ => "\"anything\"".to_owned(),
        },
    }
}

fn object(
    types: &HashMap<String, TypeDefinition>,
    kind: &InputObjectType,
    is_one_of: bool,
) -> String {
    let needed = kind.fields.iter().filter(|field| {
        is_one_of || (!field.node.ty.node.nullable && field.node.default_value.is_none())
    });
    let fields: Vec<_> = needed
        .take(if is_one_of { 1 } else { usize::MAX })
        .map(|field| {
            format!(
                "{}: {}",
                field.node.name.node,
                literal(types, &field.node.ty.node)
            )
        })
        .collect();
    format!("{{ {} }}", fields.join(", "))
}

fn base(ty: &Type) -> &str {
    match &ty.base {
        BaseType::List(item) => base(item),
        BaseType::Named(name) => name.as_str(),
    }
}
