//! How often the executor calls each field of a document. Like `async_graphql::resolver_utils`, it calls every field
//! that it finds, without merging.

use apollo_compiler::{
    Name, Schema,
    collections::HashMap,
    schema::{ExtendedType, Implementers},
};
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};

/// The executor of one schema.
pub(super) struct Executor<'s> {
    schema: &'s Schema,
    implementers: HashMap<Name, Implementers>,
}

impl<'s> Executor<'s> {
    pub(super) fn new(schema: &'s Schema) -> Self {
        Self {
            schema,
            implementers: schema.implementers_map(),
        }
    }

    /// Returns the path of each call, in order. A field returns one object and a list has one item, as in `oracle.js`.
    pub(super) fn calls(&self, document: &ExecutableDocument) -> Vec<String> {
        let (_, operation) = document.operations.iter().next().unwrap();
        let root = match operation.node.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        let mut calls = vec![];
        self.call(&operation.node.selection_set.node, root, "", &mut calls);
        calls
    }

    fn call(&self, set: &SelectionSet, object: &str, path: &str, calls: &mut Vec<String>) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let name = field.name.node.as_str();
                    if name == "__typename" {
                        continue;
                    }
                    let key = field.response_key().node.as_str();
                    let path = if path.is_empty() {
                        key.to_owned()
                    } else {
                        format!("{path}.{key}")
                    };
                    calls.push(path.clone());
                    let definition = self.schema.type_field(object, name).unwrap();
                    let set = &field.selection_set.node;
                    if !set.items.is_empty() {
                        let ty = self.concrete_type(definition.ty.inner_named_type(), &path);
                        self.call(set, &ty, &path, calls);
                    }
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let applies = condition.is_none_or(|condition| {
                        let condition = condition.node.on.node.as_str();
                        condition == object || self.schema.is_subtype(condition, object)
                    });
                    if applies {
                        self.call(&inline.node.selection_set.node, object, path, calls);
                    }
                }
                Selection::FragmentSpread(_) => panic!("a fragment remains"),
            }
        }
    }

    /// The type of the object that a field returns, chosen by its path.
    fn concrete_type(&self, ty: &str, path: &str) -> String {
        let mut types: Vec<_> = match &self.schema.types[ty] {
            ExtendedType::Interface(_) => {
                let objects = self.implementers[ty].objects.iter();
                objects.map(ToString::to_string).collect()
            }
            ExtendedType::Union(union) => {
                let members = union.members.iter();
                members.map(|member| member.name.to_string()).collect()
            }
            _ => return ty.to_owned(),
        };
        types.sort();
        let sum: usize = path.bytes().map(usize::from).sum();
        types.swap_remove(sum % types.len())
    }
}
