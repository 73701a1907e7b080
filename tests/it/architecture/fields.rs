//! The types of the schema, and how to select each of their fields.

use std::collections::HashMap;

use async_graphql_parser::{
    Positioned,
    types::{
        BaseType, FieldDefinition, InputObjectType, InputValueDefinition, Type, TypeDefinition,
        TypeKind, TypeSystemDefinition,
    },
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
    let arguments = required(types, &field.arguments);
    select(
        types,
        field,
        &arguments.map(|(_, text)| text).collect::<Vec<_>>(),
    )
}

/// Returns the shortest valid selections of a field in which one value is given, `value`: a selection for each value
/// of these named types in the arguments of the field, with the path of the value.
pub(super) fn calls_with(
    types: &HashMap<String, TypeDefinition>,
    field: &FieldDefinition,
    kinds: &[&str],
    value: &str,
) -> Vec<(String, String)> {
    let given = given_in(types, &field.arguments, false, kinds, value);
    let call = |(path, arguments): (String, Vec<String>)| (path, select(types, field, &arguments));
    given.into_iter().map(call).collect()
}

/// Returns the required values among these, with their names.
fn required<'a>(
    types: &'a HashMap<String, TypeDefinition>,
    values: &'a [Positioned<InputValueDefinition>],
) -> impl Iterator<Item = (&'a str, String)> {
    let values = values.iter().map(|value| &value.node);
    values
        .filter(|value| !value.ty.node.nullable && value.default_value.is_none())
        .map(|value| {
            let name = value.name.node.as_str();
            (name, format!("{name}: {}", literal(types, &value.ty.node)))
        })
}

/// Returns the lists of values in which one of a named type is given, each with the path of that one.
fn given_in(
    types: &HashMap<String, TypeDefinition>,
    values: &[Positioned<InputValueDefinition>],
    is_one_of: bool,
    kinds: &[&str],
    given: &str,
) -> Vec<(String, Vec<String>)> {
    let mut found = vec![];
    for value in values {
        let name = value.node.name.node.as_str();
        for (path, literal) in literals(types, &value.node.ty.node, kinds, given) {
            let others = required(types, values).filter(|(other, _)| !is_one_of && *other != name);
            let mut all: Vec<_> = others.map(|(_, text)| text).collect();
            all.push(format!("{name}: {literal}"));
            let path = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{name}.{path}")
            };
            found.push((path, all));
        }
    }
    found
}

/// Returns the values of a type in which one of a named type is given, each with the path of that one.
fn literals(
    types: &HashMap<String, TypeDefinition>,
    ty: &Type,
    kinds: &[&str],
    given: &str,
) -> Vec<(String, String)> {
    match &ty.base {
        BaseType::List(item) => {
            let items = literals(types, item, kinds, given).into_iter();
            items
                .map(|(path, literal)| (path, format!("[{literal}]")))
                .collect()
        }
        BaseType::Named(name) if kinds.contains(&name.as_str()) => {
            vec![(String::new(), given.to_owned())]
        }
        BaseType::Named(name) => match types.get(name.as_str()) {
            Some(TypeDefinition {
                kind: TypeKind::InputObject(kind),
                directives,
                ..
            }) => {
                let is_one_of = directives
                    .iter()
                    .any(|directive| directive.node.name.node == "oneOf");
                let objects = given_in(types, &kind.fields, is_one_of, kinds, given).into_iter();
                objects
                    .map(|(path, fields)| (path, format!("{{ {} }}", fields.join(", "))))
                    .collect()
            }
            _ => vec![],
        },
    }
}

fn select(
    types: &HashMap<String, TypeDefinition>,
    field: &FieldDefinition,
    arguments: &[String],
) -> String {
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
