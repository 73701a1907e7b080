//! The types of the schema, and how to select each of their fields.

use std::collections::HashMap;

use async_graphql_parser::types::{
    BaseType, FieldDefinition, InputObjectType, Type, TypeDefinition, TypeKind,
    TypeSystemDefinition,
};

use super::schema::document;

/// Returns every type by its name.
pub(super) fn types() -> HashMap<String, TypeDefinition> {
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

/// Returns the shortest valid selection of a field.
pub(super) fn call(types: &HashMap<String, TypeDefinition>, field: &FieldDefinition) -> String {
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

/// Returns a valid value of a type.
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

/// Returns the named type inside lists.
pub(super) fn base(ty: &Type) -> &str {
    match &ty.base {
        BaseType::List(item) => base(item),
        BaseType::Named(name) => name.as_str(),
    }
}
