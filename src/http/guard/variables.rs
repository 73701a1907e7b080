//! What the schema lets in: its input types, read once from the schema's own text, and the coercion of a request's
//! variables by them. The executor would answer a wrong variable in the middle of its work, and a missing nullable one
//! as null; both are settled here, before it starts.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeKind, TypeSystemDefinition,
    VariableDefinition,
};
use async_graphql::{Name, Positioned, Value, Variables, parser};
use serde_json::{Map, Value as Json};

use super::error::{GuardError, MAX_ERRORS};

/// The input side of a schema.
#[derive(Debug)]
pub struct VariableTypes {
    types: HashMap<String, Shape>,
    /// Items that a paged field gives when it is not asked for a number.
    pages: HashMap<String, u64>,
}

#[derive(Debug)]
enum Shape {
    Int,
    Float,
    String,
    Boolean,
    Id,
    /// A scalar of ours: its own parser judges it.
    Custom,
    Enum(HashSet<String>),
    Object {
        fields: Vec<InputField>,
        one_of: bool,
    },
}

#[derive(Debug)]
struct InputField {
    name: String,
    ty: Type,
    has_default: bool,
}

/// A request's variables as the executor gets them.
#[derive(Debug, Default)]
pub struct Coerced {
    /// Those that were given and those that have a default.
    pub values: Variables,
    /// Those that were left out and have none: whatever they stand for counts as left out too.
    pub omitted: HashSet<Name>,
}

impl VariableTypes {
    /// Reads the schema definition language.
    pub fn read(sdl: &str) -> Result<Self, parser::Error> {
        let mut inputs = Self {
            types: [
                ("Int", Shape::Int),
                ("Float", Shape::Float),
                ("String", Shape::String),
                ("Boolean", Shape::Boolean),
                ("ID", Shape::Id),
            ]
            .into_iter()
            .map(|(name, shape)| (name.to_owned(), shape))
            .collect(),
            pages: HashMap::new(),
        };
        for definition in parse_schema(sdl)?.definitions {
            if let TypeSystemDefinition::Type(definition) = definition {
                let one_of = definition
                    .node
                    .directives
                    .iter()
                    .any(|directive| directive.node.name.node == "oneOf");
                inputs.learn(
                    definition.node.name.node.as_str(),
                    definition.node.kind,
                    one_of,
                );
            }
        }
        Ok(inputs)
    }

    fn learn(&mut self, name: &str, kind: TypeKind, one_of: bool) {
        let shape = match kind {
            TypeKind::Scalar => Shape::Custom,
            TypeKind::Enum(values) => Shape::Enum(
                values
                    .values
                    .into_iter()
                    .map(|value| value.node.value.node.to_string())
                    .collect(),
            ),
            TypeKind::InputObject(object) => Shape::Object {
                fields: object.fields.into_iter().map(input_field).collect(),
                one_of,
            },
            TypeKind::Object(object) => return self.learn_pages(&object.fields),
            TypeKind::Interface(interface) => return self.learn_pages(&interface.fields),
            TypeKind::Union(_) => return,
        };
        self.types.insert(name.to_owned(), shape);
    }

    fn learn_pages(&mut self, fields: &[Positioned<FieldDefinition>]) {
        for field in fields {
            for argument in &field.node.arguments {
                let sizes = ["first", "last"].contains(&argument.node.name.node.as_str());
                if let Some(Value::Number(size)) = argument
                    .node
                    .default_value
                    .as_ref()
                    .map(|value| &value.node)
                    && sizes
                    && let Some(size) = size.as_u64()
                {
                    let known = self
                        .pages
                        .entry(field.node.name.node.to_string())
                        .or_default();
                    *known = size.max(*known);
                }
            }
        }
    }

    /// Items that a field of this name gives unasked, where the schema says.
    #[must_use]
    pub fn page_size(&self, field: &str) -> Option<u64> {
        self.pages.get(field).copied()
    }

    /// Turns what came as JSON into values of the declared types, or tells all that is wrong with them.
    pub fn coerce(
        &self,
        declared: &[Positioned<VariableDefinition>],
        given: &Map<String, Json>,
    ) -> Result<Coerced, Vec<GuardError>> {
        let mut coerced = Coerced::default();
        let mut problems = Vec::new();
        for definition in declared {
            if problems.len() >= MAX_ERRORS {
                break;
            }
            let name = &definition.node.name.node;
            let ty = &definition.node.var_type.node;
            let default = definition.node.default_value.as_ref();
            let outcome = match given.get(name.as_str()) {
                _ if !self.types.contains_key(innermost(ty)) => {
                    Err("Its type is not one that the server takes as input.".to_owned())
                }
                None if default.is_some() || ty.nullable => {
                    match default {
                        Some(value) => {
                            coerced.values.insert(name.clone(), value.node.clone());
                        }
                        None => {
                            coerced.omitted.insert(name.clone());
                        }
                    }
                    continue;
                }
                None => Err(format!("A value of type {ty} is required.")),
                Some(value) => self.value(ty, value).map_err(Fault::told),
            };
            match outcome {
                Ok(value) => {
                    coerced.values.insert(name.clone(), value);
                }
                Err(reason) => problems.push(GuardError::invalid(
                    format!("Variable `${name}`: {reason}"),
                    Some(definition.pos),
                )),
            }
        }
        if problems.is_empty() {
            Ok(coerced)
        } else {
            Err(problems)
        }
    }

    /// Recurses on the value, whose depth the guard bounds before.
    fn value(&self, ty: &Type, value: &Json) -> Result<Value, Fault> {
        if value.is_null() {
            return if ty.nullable {
                Ok(Value::Null)
            } else {
                Err(Fault::new(format!("expected {ty}, found null")))
            };
        }
        match (&ty.base, value) {
            (BaseType::List(inner), Json::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    self.value(inner, item)
                        .map_err(|fault| fault.inside(&index.to_string()))
                })
                .collect::<Result<_, _>>()
                .map(Value::List),
            (BaseType::List(inner), single) => self
                .value(inner, single)
                .map(|value| Value::List(vec![value])),
            (BaseType::Named(name), value) => match self.types.get(name.as_str()) {
                Some(Shape::Object { fields, one_of }) => self.object(name, fields, *one_of, value),
                Some(shape) => leaf(name, shape, value),
                None => Err(Fault::new(format!("{name} is not an input type"))),
            },
        }
    }

    fn object(
        &self,
        name: &Name,
        fields: &[InputField],
        one_of: bool,
        value: &Json,
    ) -> Result<Value, Fault> {
        let Json::Object(given) = value else {
            return Err(Fault::new(format!("expected an object of type {name}")));
        };
        if let Some(unknown) = given
            .keys()
            .find(|key| !fields.iter().any(|field| field.name == **key))
        {
            return Err(Fault::new(format!("{name} has no such field")).inside(unknown));
        }
        if one_of && (given.len() != 1 || given.values().any(Json::is_null)) {
            return Err(Fault::new(format!(
                "{name} takes exactly one of its fields, not null"
            )));
        }
        let mut object = async_graphql::indexmap::IndexMap::new();
        for field in fields {
            match given.get(&field.name) {
                Some(value) => {
                    let value = self
                        .value(&field.ty, value)
                        .map_err(|fault| fault.inside(&field.name))?;
                    object.insert(Name::new(&field.name), value);
                }
                None if field.ty.nullable || field.has_default => {}
                None => {
                    return Err(Fault::new(format!("expected {}, found nothing", field.ty))
                        .inside(&field.name));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

/// What is wrong with a value, and where inside the variable.
struct Fault {
    reason: String,
    path: String,
}

impl Fault {
    fn new(reason: String) -> Self {
        Self {
            reason,
            path: String::new(),
        }
    }

    fn inside(mut self, key: &str) -> Self {
        self.path = if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{key}.{}", self.path)
        };
        self
    }

    fn told(self) -> String {
        if self.path.is_empty() {
            format!("{}.", self.reason)
        } else {
            format!("{} at `{}`.", self.reason, self.path)
        }
    }
}

fn leaf(name: &Name, shape: &Shape, value: &Json) -> Result<Value, Fault> {
    let fits = match shape {
        Shape::Int => whole(value).is_some_and(|number| i32::try_from(number).is_ok()),
        Shape::Float => value.is_number(),
        Shape::String => value.is_string(),
        Shape::Boolean => value.is_boolean(),
        Shape::Id => value.is_string() || value.is_i64() || value.is_u64(),
        Shape::Enum(values) => value.as_str().is_some_and(|value| values.contains(value)),
        Shape::Custom => true,
        Shape::Object { .. } => false,
    };
    if !fits {
        return Err(Fault::new(format!("expected {name}")));
    }
    if let (Shape::Int, Some(number)) = (shape, whole(value)) {
        return Ok(Value::from(number));
    }
    Value::from_json(value.clone()).map_err(|_error| Fault::new(format!("expected {name}")))
}

/// The whole number that a JSON number is, also when it is written as 3.0.
fn whole(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        let text = format!("{number:.0}");
        (number.fract() == 0.0).then(|| text.parse().ok()).flatten()
    })
}

fn innermost(mut ty: &Type) -> &str {
    loop {
        match &ty.base {
            BaseType::Named(name) => return name.as_str(),
            BaseType::List(inner) => ty = inner,
        }
    }
}

fn input_field(field: Positioned<InputValueDefinition>) -> InputField {
    InputField {
        name: field.node.name.node.to_string(),
        has_default: field.node.default_value.is_some(),
        ty: field.node.ty.node,
    }
}
