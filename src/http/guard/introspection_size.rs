//! The number of fields in the result of `__schema` and `__type`, before it is computed.

use std::{collections::HashMap, ptr};

use apollo_compiler::{
    ExecutableDocument, Node,
    ast::{Type, Value},
    executable::{Field, Operation, Selection, SelectionSet},
    response::JsonMap,
    schema::{DirectiveDefinition, ExtendedType, FieldDefinition, InputValueDefinition},
};

use super::document::Document;
use super::schema::CompiledSchema;

/// An object of the result.
#[derive(Clone, Copy)]
enum Item<'a> {
    Root,
    Schema,
    Type(&'a ExtendedType),
    /// A list of this type.
    List(&'a Type),
    /// A non-null type.
    NonNull(&'a Type),
    Field(&'a FieldDefinition),
    Input(&'a InputValueDefinition),
    Directive(&'a DirectiveDefinition),
    EnumValue,
}

/// Counts the fields of a result before it is computed. Conditions and `includeDeprecated` are taken as true, and each
/// selection counts, so that a result never has more fields.
pub(super) struct Counter<'a> {
    schema: &'a CompiledSchema,
    document: &'a ExecutableDocument,
    variables: &'a JsonMap,
    /// Where counting stops.
    maximum: u64,
    fields: u64,
    /// The fields of each type, by the address of the selection set and the name of the type.
    counted: HashMap<(usize, &'a str), u64>,
}

impl<'a> Counter<'a> {
    pub(super) fn new(
        schema: &'a CompiledSchema,
        document: &'a Document,
        variables: &'a JsonMap,
        maximum: u64,
    ) -> Self {
        Self {
            schema,
            document: &document.valid,
            variables,
            maximum,
            fields: 0,
            counted: HashMap::new(),
        }
    }

    /// The number of fields, which may stop above the maximum.
    pub(super) fn fields(mut self, operation: &'a Operation) -> u64 {
        self.count(&operation.selection_set, Item::Root);
        self.fields
    }

    /// Adds the fields of one object. Recurses on selection sets, whose nesting is limited.
    fn count(&mut self, set: &'a SelectionSet, item: Item<'a>) {
        let key = match item {
            Item::Type(definition) => Some((ptr::from_ref(set).addr(), definition.name().as_str())),
            _ => None,
        };
        if let Some(known) = key.and_then(|key| self.counted.get(&key)) {
            self.fields = self.fields.saturating_add(*known);
            return;
        }
        let before = self.fields;
        for selection in &set.selections {
            if self.fields > self.maximum {
                return;
            }
            match selection {
                Selection::Field(field) => {
                    self.fields += 1;
                    for child in self.children(item, field) {
                        self.count(&field.selection_set, child);
                    }
                }
                Selection::InlineFragment(inline) => self.count(&inline.selection_set, item),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name) {
                        self.count(&fragment.selection_set, item);
                    }
                }
            }
        }
        if let Some(key) = key {
            self.counted.insert(key, self.fields - before);
        }
    }

    /// The objects that a field of an object returns.
    fn children(&self, item: Item<'a>, field: &Field) -> Vec<Item<'a>> {
        let schema = &self.schema.schema;
        let root = &schema.schema_definition;
        let named = |name: &str| schema.types.get(name).map(Item::Type);
        let inputs = |inputs: &'a [Node<InputValueDefinition>]| {
            inputs.iter().map(|input| Item::Input(input)).collect()
        };
        match (item, field.name.as_str()) {
            (Item::Root, "__schema") => vec![Item::Schema],
            (Item::Root, "__type") => self.argument(field).and_then(named).into_iter().collect(),
            (Item::Schema, "types") => schema.types.values().map(Item::Type).collect(),
            (Item::Schema, "directives") => {
                let directives = schema.directive_definitions.values();
                directives.map(|one| Item::Directive(one)).collect()
            }
            (Item::Schema, name) => {
                let root = match name {
                    "queryType" => &root.query,
                    "mutationType" => &root.mutation,
                    "subscriptionType" => &root.subscription,
                    _ => &None,
                };
                let root = root.as_ref();
                root.and_then(|root| named(&root.name))
                    .into_iter()
                    .collect()
            }
            (Item::Type(definition), name) => self.of_type(definition, name),
            (Item::List(inner), "ofType") => self.of(inner).into_iter().collect(),
            (Item::NonNull(ty), "ofType") => self.nullable(ty).into_iter().collect(),
            (Item::Field(field), "args") => inputs(&field.arguments),
            (Item::Directive(directive), "args") => inputs(&directive.arguments),
            (Item::Field(field), "type") => self.of(&field.ty).into_iter().collect(),
            (Item::Input(input), "type") => self.of(&input.ty).into_iter().collect(),
            _ => vec![],
        }
    }

    fn of_type(&self, definition: &'a ExtendedType, field: &str) -> Vec<Item<'a>> {
        let schema = &self.schema.schema;
        let named = |name: &apollo_compiler::Name| schema.types.get(name).map(Item::Type);
        match (field, definition) {
            ("fields", ExtendedType::Object(object)) => {
                object.fields.values().map(|one| Item::Field(one)).collect()
            }
            ("fields", ExtendedType::Interface(interface)) => {
                let fields = interface.fields.values();
                fields.map(|one| Item::Field(one)).collect()
            }
            ("interfaces", ExtendedType::Object(object)) => {
                let interfaces = object.implements_interfaces.iter();
                interfaces.filter_map(|one| named(&one.name)).collect()
            }
            ("interfaces", ExtendedType::Interface(interface)) => {
                let interfaces = interface.implements_interfaces.iter();
                interfaces.filter_map(|one| named(&one.name)).collect()
            }
            ("possibleTypes", ExtendedType::Interface(_) | ExtendedType::Union(_)) => {
                let types = self.schema.possible_types(definition.name()).iter();
                types.filter_map(named).collect()
            }
            ("enumValues", ExtendedType::Enum(definition)) => {
                vec![Item::EnumValue; definition.values.len()]
            }
            ("inputFields", ExtendedType::InputObject(object)) => {
                object.fields.values().map(|one| Item::Input(one)).collect()
            }
            _ => vec![],
        }
    }

    /// The type of a field, of an argument or of the items of a list.
    fn of(&self, ty: &'a Type) -> Option<Item<'a>> {
        match ty {
            Type::Named(name) => self.schema.schema.types.get(name).map(Item::Type),
            Type::List(inner) => Some(Item::List(inner)),
            Type::NonNullNamed(_) | Type::NonNullList(_) => Some(Item::NonNull(ty)),
        }
    }

    /// The type that a non-null type contains.
    fn nullable(&self, ty: &'a Type) -> Option<Item<'a>> {
        match ty {
            Type::NonNullNamed(name) => self.schema.schema.types.get(name).map(Item::Type),
            Type::NonNullList(inner) => Some(Item::List(inner)),
            Type::Named(_) | Type::List(_) => None,
        }
    }

    /// The argument `name` of `__type`.
    fn argument<'b>(&'b self, field: &'b Field) -> Option<&'b str> {
        match &**field.specified_argument_by_name("name")? {
            Value::String(name) => Some(name),
            Value::Variable(name) => self.variables.get(name.as_str())?.as_str(),
            _ => None,
        }
    }
}
