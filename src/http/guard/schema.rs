//! The schema as the guard reads it, compiled once from its SDL.

use std::{fmt, sync::Arc};

use apollo_compiler::{
    Name, Schema,
    ast::Type,
    collections::HashMap,
    name,
    schema::{Component, ExtendedType, FieldDefinition, Implementers, InputObjectType},
    ty,
    validation::Valid,
};

/// The schema that documents are validated against.
#[derive(Debug)]
pub struct CompiledSchema {
    pub(super) schema: Valid<Schema>,
    /// The implementations of each interface.
    pub(super) implementers: HashMap<Name, Implementers>,
    /// The object types that a value of each composite type can have.
    possible_types: HashMap<Name, Arc<[Name]>>,
}

/// The reason why an SDL does not describe a schema.
#[derive(Debug)]
pub struct InvalidSchema(String);

impl fmt::Display for InvalidSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidSchema {}

impl CompiledSchema {
    /// Parses and validates the SDL of a schema.
    pub fn parse(sdl: &str) -> Result<Self, InvalidSchema> {
        let mut schema = Schema::parse(sdl, "schema.graphql")
            .map_err(|failed| InvalidSchema(failed.errors.to_string()))?;
        add_is_one_of(&mut schema);
        let schema = schema
            .validate()
            .map_err(|failed| InvalidSchema(failed.errors.to_string()))?;
        let implementers = schema.implementers_map();
        let possible_types = schema
            .types
            .iter()
            .map(|(name, definition)| {
                let mut types: Vec<Name> = match definition {
                    ExtendedType::Object(_) => vec![name.clone()],
                    ExtendedType::Interface(_) => implementers
                        .get(name)
                        .map(|known| known.objects.iter().cloned().collect())
                        .unwrap_or_default(),
                    ExtendedType::Union(union) => {
                        union.members.iter().map(|name| name.name.clone()).collect()
                    }
                    _ => vec![],
                };
                types.sort_unstable();
                (name.clone(), types.into())
            })
            .collect();
        Ok(Self {
            schema,
            implementers,
            possible_types,
        })
    }

    /// The object types that a value of this composite type can have.
    pub(super) fn possible_types(&self, name: &str) -> &[Name] {
        self.possible_types.get(name).map_or(&[], |types| types)
    }

    /// The definition of the input object that this type is or contains.
    pub(super) fn input_object(&self, ty: &Type) -> Option<&InputObjectType> {
        match self.schema.types.get(ty.inner_named_type())? {
            ExtendedType::InputObject(object) => Some(object),
            _ => None,
        }
    }
}

/// Whether exactly one field of the input object is to be given.
pub(super) fn is_one_of(object: &InputObjectType) -> bool {
    object.directives.has("oneOf")
}

/// Adds the field `isOneOf` of the September 2025 edition of the specification to `__Type`. The library lacks it.
fn add_is_one_of(schema: &mut Schema) {
    if let Some(ExtendedType::Object(object)) = schema.types.get_mut("__Type") {
        let field = FieldDefinition {
            description: None,
            name: name!("isOneOf"),
            arguments: vec![],
            ty: ty!(Boolean),
            directives: apollo_compiler::ast::DirectiveList::new(),
        };
        let fields = &mut object.make_mut().fields;
        fields.insert(name!("isOneOf"), Component::new(field));
    }
}
