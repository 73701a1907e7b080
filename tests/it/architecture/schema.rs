//! `schema.graphql` equals what the binary prints, and every part of it has a description.

use std::{fs, path::Path};

use async_graphql_parser::types::{ServiceDocument, TypeKind, TypeSystemDefinition};

/// Parses the types of the schema from its text.
pub(super) fn document() -> ServiceDocument {
    async_graphql_parser::parse_schema(heddle::graphql::sdl()).unwrap()
}

#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let committed = fs::read_to_string(path).unwrap();
    assert!(
        committed.trim() == heddle::graphql::sdl().trim(),
        "run `cargo run -- schema print > schema.graphql` and look at the difference"
    );
}

/// The error of one root field leaves the others of the request in place. `server` cannot fail.
#[test]
fn every_root_field_is_nullable() {
    let types = super::fields::types();
    let mut required = vec![];
    for root in ["Query", "Mutation"] {
        let TypeKind::Object(kind) = &types[root].kind else {
            panic!("{root} is an object")
        };
        let fields = kind.fields.iter().map(|field| &field.node);
        let fields = fields.filter(|field| !field.ty.node.nullable);
        required.extend(fields.map(|field| format!("{root}.{}", field.name.node)));
    }
    assert_eq!(required, ["Query.server"]);
}

#[test]
fn every_type_field_and_value_is_described() {
    let mut silent = vec![];
    for definition in document().definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let name = &definition.node.name.node;
        if definition.node.description.is_none() {
            silent.push(name.to_string());
        }
        let mut check = |part: &str, is_described: bool| {
            if !is_described {
                silent.push(format!("{name}.{part}"));
            }
        };
        match &definition.node.kind {
            TypeKind::Object(kind) => {
                for field in &kind.fields {
                    check(&field.node.name.node, field.node.description.is_some());
                }
            }
            TypeKind::Interface(kind) => {
                for field in &kind.fields {
                    check(&field.node.name.node, field.node.description.is_some());
                }
            }
            TypeKind::Enum(kind) => {
                for value in &kind.values {
                    check(&value.node.value.node, value.node.description.is_some());
                }
            }
            TypeKind::InputObject(kind) => {
                for field in &kind.fields {
                    check(&field.node.name.node, field.node.description.is_some());
                }
            }
            TypeKind::Scalar | TypeKind::Union(_) => {}
        }
    }
    assert!(silent.is_empty(), "these have no description: {silent:#?}");
}
